package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A clerk makes the papers; whoever gets them checks the bundle in an empty folder, as another user, without a network.
func TestEvidenceIsMadeHereAndCheckedElsewhere(t *testing.T) {
	dir := newInstallation(t)
	tmp := t.TempDir()
	said := filepath.Join(tmp, "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "account", "add", "--data", dir, "--unit", "stc")
	mustRun(t, "", "issue", "--data", dir, "--json", "--decisions", said, "testdata/demo/02-cong-van-stttt.pdf")

	pdf, zip := filepath.Join(tmp, "giay.pdf"), filepath.Join(tmp, "chung-cu.zip")
	out := mustRun(t, "", "evidence", "confirmation", "--data", dir, "145/STTTT-CNTT", "-o", pdf)
	if !strings.Contains(out, "giấy xác nhận 35 bản gửi của văn bản 145/STTTT-CNTT") || !strings.Contains(out, "chưa có dấu thời gian") {
		t.Error(out)
	}
	mustRun(t, "", "verify", "--data", dir, pdf)
	mustRun(t, "", "evidence", "export", "--data", dir, "145/STTTT-CNTT", "-o", zip)
	one := mustRun(t, "", "evidence", "certificate", "--data", dir, "145/STTTT-CNTT", "--unit", "stc", "-o", tmp)
	if !strings.Contains(one, "xac-nhan-145-STTTT-CNTT.pdf: giấy xác nhận 1 bản gửi") {
		t.Error(one)
	}
	copyOne := mustRun(t, "", "evidence", "export", "--data", dir, "1048577", "-o", tmp)
	if !strings.Contains(copyOne, "chung-cu-145-STTTT-CNTT-ban-1048577.zip: bộ chứng cứ 1 bản gửi") {
		t.Error(copyOne)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"Không có văn bản 9/KHONG-CO", []string{"confirmation", "9/KHONG-CO"}},
		{"không có bản gửi nào như vậy: khongco", []string{"confirmation", "145/STTTT-CNTT", "--unit", "khongco"}},
		{"không ghi được", []string{"export", "145/STTTT-CNTT", "-o", filepath.Join(tmp, "không", "có.zip")}},
		{"cần một thư mục có sẵn", []string{"export", "145/STTTT-CNTT", "145/STTTT-CNTT", "-o", filepath.Join(tmp, "một.zip")}},
		{"Không có đơn vị mã", []string{"export", "145/STTTT-CNTT", "--seal-as", "khongco", "-o", filepath.Join(tmp, "hỏng.zip")}},
	} {
		if code, _, errOut := congvan(t, "", append([]string{"evidence", c.args[0], "--data", dir}, c.args[1:]...)...); code == 2 {
			t.Fatal(errOut)
		} else if code != 1 || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, errOut)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(filepath.Join(tmp, "hỏng.zip")); err == nil {
		t.Error("half a bundle was written")
	}
	elsewhere(t, zip, filepath.Join(dir, "keys", "root.pem"), filepath.Join(dir, "keys", logPublicFile))
}

// elsewhere verifies a bundle as nobody, without a network, in an empty folder.
func elsewhere(t *testing.T, zip, roots, key string) {
	t.Helper()
	empty, err := os.MkdirTemp("", "congvan-elsewhere-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(empty) })
	bin := filepath.Join(empty, "congvan")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	os.Chmod(empty, 0o777)
	os.Chmod(bin, 0o755)
	for name, from := range map[string]string{"b.zip": zip, "root.pem": roots, "log.pub": key} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(empty, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(empty, name), 0o644)
	}
	verify := func(file string) (string, error) {
		args := []string{bin, "verify", file, "--roots", "root.pem", "--log-key", "log.pub"}
		if os.Geteuid() == 0 {
			args = append([]string{"unshare", "--net", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, args...)
			if exec.Command(args[0], append(args[1:6:6], "true")...).Run() != nil {
				args = args[6:] // this machine lets nobody have a network of his own
			}
		}
		c := exec.Command(args[0], args[1:]...)
		c.Dir, c.Env = empty, []string{"HOME=" + empty}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	out, err := verify("b.zip")
	if err != nil || !strings.Contains(out, "[đạt] Giấy xác nhận") || strings.Contains(out, "KHÔNG ĐẠT") || strings.Count(out, "Nơi nhận") < 35 {
		t.Errorf("%v\n%s", err, out)
	}
	b, _ := os.ReadFile(zip)
	bad := bytes.Replace(b, []byte("Sở Tài chính"), []byte("Sở Tài chánh"), 1)
	if err := os.WriteFile(filepath.Join(empty, "bad.zip"), bad, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(empty, "bad.zip"), 0o644)
	if out, err := verify("bad.zip"); err == nil || !strings.Contains(out, "đã bị sửa") {
		t.Errorf("a changed bundle: %v\n%s", err, out)
	}
}

func TestTimeStampAuthorityOfTheConfiguration(t *testing.T) {
	dir := newInstallation(t)
	path := filepath.Join(dir, configFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		t.Helper()
		text := bytes.Replace(good, []byte(`tsa       = ""`), []byte(`tsa       = "`+value+`"`), 1)
		if bytes.Equal(text, good) {
			t.Fatal("the configuration that init writes has no key tsa")
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("tsa.example.vn")
	if code, _, errOut := congvan(t, "", "status", "--data", dir); code != 1 || !strings.Contains(errOut, "is no address") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	set("http://127.0.0.1:9/tsa")
	if code, _, errOut := congvan(t, "", "status", "--data", dir); code != 1 || !strings.Contains(errOut, "tsa-root.pem") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	root, err := os.ReadFile(filepath.Join(dir, "keys", "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "tsa-root.pem"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "status", "--data", dir)
}

// The chapter of README about evidence runs as it stands, in a fresh folder. A comment that begins with a number is the exit code.
func TestReadmeChapterOnEvidenceRuns(t *testing.T) {
	chapter := readmeChapter(t, "Chứng cứ")
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(chapter, -1) {
		for line := range strings.Lines(block[1]) {
			command, comment, _ := strings.Cut(line, " #")
			args := shellWords(command)
			var err error
			switch args[0] {
			case "mkdir":
				err = os.Mkdir(args[1], 0o700)
			case "cp":
				err = exec.Command("cp", args[1:]...).Run()
			case "cd":
				t.Chdir(args[1])
			default:
				code, out, errOut := congvan(t, "", args[1:]...)
				if failed := strings.HasPrefix(strings.TrimSpace(comment), "1"); (code != 0) != failed {
					t.Fatalf("%s: exit %d\n%s%s", strings.TrimSpace(line), code, out, errOut)
				}
				if strings.Contains(line, "--log-key") && !strings.Contains(out, "Hợp lệ.") {
					t.Errorf("%s", out)
				}
				ran++
			}
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	if ran < 9 {
		t.Errorf("ran %d commands only", ran)
	}
}
