package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// readmeChapter returns a chapter of README and goes into a fresh folder in which its commands can run.
func readmeChapter(t *testing.T, title string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## "+title+"\n")
	chapter, _, ok := strings.Cut(rest, "\n## ")
	if !ok {
		t.Fatal("README has no such chapter")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, err := range []error{os.Symlink(filepath.Join(repository, "cmd"), "cmd"), os.MkdirAll("tinh", 0o700), os.Symlink(sharedCache(t), filepath.Join("tinh", "cache"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return chapter
}

// The chapter of README about issuing runs as it stands, in a fresh folder: its commands one after the other, with the file of
// decisions that it shows. A comment that begins with a number is the exit code.
func TestReadmeChapterOnIssuingRuns(t *testing.T) {
	chapter := readmeChapter(t, "Phát hành một văn bản")
	var all strings.Builder
	id, ran := "", 0
	nextYear := fmt.Sprint("--year ", time.Now().UTC().Add(7*time.Hour).Year()+1) // in which no number is taken yet
	for _, block := range regexp.MustCompile("(?s)```(sh|toml)\n(.*?)```").FindAllStringSubmatch(chapter, -1) {
		if block[1] == "toml" {
			put(t, ".", "quyet-dinh.toml", []byte(block[2]))
			continue
		}
		for line := range strings.Lines(block[2]) {
			command, comment, _ := strings.Cut(line, " #")
			args := shellWords(strings.NewReplacer("MÃ", id, "--year 2027", nextYear).Replace(command))
			switch {
			case len(args) == 0:
				continue
			case args[0] == "cp":
				copyFiles(t, args[1:])
				continue
			case args[0] != "congvan":
				t.Fatalf("what is %q?", line)
			}
			want := 0
			if strings.HasPrefix(strings.TrimSpace(comment), "1") {
				want = 1
			}
			code, out, errOut := congvan(t, "", args[1:]...)
			if code != want {
				t.Fatalf("%s: exit %d\n%s%s", strings.TrimSpace(line), code, out, errOut)
			}
			all.WriteString(out + errOut)
			if m := regexp.MustCompile(`--spool (\w+)`).FindStringSubmatch(errOut); m != nil {
				id = m[1]
			}
			ran++
		}
	}
	if ran < 15 {
		t.Errorf("ran %d commands only", ran)
	}
	// What the chapter shows is what is printed.
	for _, want := range []string{"  3    bieu-mau.xlsm  Excel có macro      4 KB        -      xem dưới\n", `"state":"issued"`, "Đã phát hành từ trước 145/STTTT-CNTT", "01/TB-SNV\n"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("nothing prints %q", want)
		}
	}
}

// shellWords splits a command line at spaces outside double quotes.
func shellWords(line string) (out []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

// copyFiles is cp.
func copyFiles(t *testing.T, args []string) {
	t.Helper()
	to := args[len(args)-1]
	for _, from := range args[:len(args)-1] {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		name := to
		if to == "." {
			name = filepath.Base(from)
		}
		put(t, ".", name, data)
	}
}
