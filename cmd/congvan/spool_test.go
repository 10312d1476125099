package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
)

// runEnv makes the test binary be congvan itself, so that a process can be killed.
const runEnv = "CONGVAN_TEST_RUN"

func init() {
	if args := os.Getenv(runEnv); args != "" {
		os.Exit(run(context.Background(), strings.Split(args, "\n"), os.Stdin, os.Stdout, os.Stderr))
	}
}

// killAt runs congvan in a process of its own and kills it (SIGKILL) as soon as the moment has come. It reports whether it came
// before the process ended by itself.
func killAt(t *testing.T, moment func() bool, args ...string) bool {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), runEnv+"="+strings.Join(args, "\n"))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); close(ended) }()
	for {
		select {
		case <-ended:
			return false
		case <-time.After(200 * time.Microsecond):
		}
		if moment() {
			c.Process.Kill()
			<-ended
			return true
		}
	}
}

// any returns a moment: a file of this pattern is there and holds this text.
func there(dir, pattern, text string) func() bool {
	return func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		if text == "" {
			return len(found) > 0
		}
		return slices.ContainsFunc(found, func(path string) bool {
			data, err := os.ReadFile(path)
			return err == nil && bytes.Contains(data, []byte(text))
		})
	}
}

// holding lists the files below dir that hold this, without the folder of compiled code.
func holding(t *testing.T, dir string, what []byte) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, what) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const said77 = "[[document]]\nreference = \"77/TB-SNV\"\nnot_secret = true\naccept_flags = true\n"

// Whenever the process is killed, it leaves nothing, an upload that the next command erases, one that waits, or a document that
// the next run finishes; never two of anything.
func TestKilledIssueLeavesNothingHalfDone(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, text string
		decided       bool
	}{
		"while the upload is written": {"spool/.new-*", "", true},
		"while it is read":            {"spool/*/note.json", "", true},
		"while it waits":              {"spool/*/note.json", `"waiting"`, false},
		"while it is stored":          {"blobs/*/*/*", "", true},
		"while it is erased":          {"spool/.gone-*", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.text != "" || c.pattern != "blobs/*/*/*" {
				killOnce(t, newInstallation(t), c.pattern, c.text, c.decided)
				return
			}
			forEachInstallation(t, func(t *testing.T, dir string) { killOnce(t, dir, c.pattern, c.text, c.decided) }) // the database matters here
		})
	}
}

func killOnce(t *testing.T, dir, pattern, text string, decided bool) {
	tmp := t.TempDir()
	files := []string{put(t, tmp, "van-ban.pdf", letter77(t)), put(t, tmp, "bieu-mau.xlsm", macroSheet(t, "Danh sách"))}
	args := []string{"issue", "--json", "--data", dir}
	said := put(t, tmp, "a.toml", []byte(said77))
	if decided {
		args = append(args, "--decisions", said)
	}
	if !killAt(t, there(dir, pattern, text), append(args, files...)...) {
		t.Log("it ended before it was killed")
	}
	waiting := spooled(t, dir) // sweeps
	for _, n := range waiting {
		if n.State != spoolWaiting || decided {
			t.Errorf("left %+v", n)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "spool", "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, "spool", ".*"))
	if len(left) != len(waiting) || len(hidden) > 0 {
		t.Errorf("left %v %v", left, hidden)
	}
	mustRun(t, "", "check", "--data", dir)
	code, res := issued(t, append([]string{"--data", dir, "--decisions", said}, files...)...)
	if code != 0 || res.State != exchange.Issued || res.Copies != 1 {
		t.Fatalf("the next run: exit %d, %+v", code, res)
	}
	if left := spooled(t, dir); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	mustRun(t, "", "check", "--data", dir)
}

// A secret document leaves nothing behind, killed or not: neither its bytes nor a word of it.
func TestSecretUploadLeavesNothing(t *testing.T) {
	secret := demoFile("08-cong-van-mat.pdf")
	const reference = "17/UBND"
	dir := newInstallation(t)
	file := put(t, t.TempDir(), "mat.pdf", secret)
	for _, moment := range []func() bool{there(dir, "spool/.new-*/0", ""), there(dir, "spool/*/note.json", ""), there(dir, "spool/.gone-*", ""), func() bool { return false }} {
		killAt(t, moment, "issue", "--json", "--data", dir, file)
		mustRun(t, "", "spool", "list", "--data", dir)
		if left, _ := os.ReadDir(filepath.Join(dir, "spool")); len(left) > 0 {
			t.Errorf("left %v", left)
		}
		nothingStored(t, dir)
		for _, what := range [][]byte{secret[:200], secret[len(secret)/2:][:200], []byte(reference), []byte("mat.pdf")} {
			if found := holding(t, dir, what); len(found) > 0 {
				t.Errorf("%q is in %v", what[:min(20, len(what))], found)
			}
		}
	}
	// A clerk who says so about a document that waits is believed, too.
	other := put(t, t.TempDir(), "b.pdf", letter77(t))
	_, res := issued(t, "--data", dir, other)
	if code, _, errOut := congvan(t, "tối mật\n", "issue", "--data", dir, "--spool", res.Spool); code != 1 || !strings.Contains(errOut, "độ mật \"tối mật\"") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "spool")); res.Spool == "" || len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if found := holding(t, dir, []byte("77/TB-SNV")); len(found) > 0 {
		t.Errorf("its number is in %v", found)
	}
}

// What leaves the spool is overwritten, not only unlinked.
func TestDroppedUploadIsOverwritten(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	letter := letter77(t)
	_, res := issued(t, "--data", dir, put(t, tmp, "a.pdf", letter))
	kept := filepath.Join(tmp, "kept")
	for _, name := range []string{"0", noteName} {
		if err := os.Link(filepath.Join(dir, "spool", res.Spool, name), kept+name); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "", "spool", "drop", "--data", dir, res.Spool)
	for _, name := range []string{"0", noteName} {
		data, err := os.ReadFile(kept + name)
		if err != nil || len(data) == 0 || len(bytes.Trim(data, "\x00")) > 0 {
			t.Errorf("%s: %v, still %q", name, err, bytes.Trim(data, "\x00")[:min(20, len(data))])
		}
	}
}

func TestSpoolIsListedShownRetriedAndDropped(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	data := []string{"--data", dir}
	with := func(args ...string) []string { return append(args, data...) }
	if out := mustRun(t, "", with("spool", "list")...); out != "Không có văn bản nào đang chờ.\n" {
		t.Error(out)
	}
	bad := put(t, tmp, "hong.pdf", []byte("%PDF-1.7\nhỏng"))
	open := put(t, tmp, "mo.pdf", page(t, "SỞ NỘI VỤ", "Nội dung.", "Nơi nhận:", "- Trung tâm Hỏa Tốc (để t/h);", "- Sở Tài chính;", "- Lưu: VT."))
	_, first := issued(t, "--data", dir, bad)
	_, again := issued(t, "--data", dir, bad)
	_, second := issued(t, "--data", dir, "--date", "1/6/2009", open)
	if first.Spool == "" || first.Spool != again.Spool || second.Spool == "" || second.Spool == first.Spool {
		t.Fatalf("%q %q %q", first.Spool, again.Spool, second.Spool)
	}
	out := mustRun(t, "", with("spool", "list")...)
	for _, want := range []string{"Mã ", first.Spool, "hong.pdf", "77/TB-SNV", "Còn nơi nhận chưa xác định"} {
		if !strings.Contains(out, want) {
			t.Errorf("list does not say %q:\n%s", want, out)
		}
	}
	out = mustRun(t, "", with("spool", "show", second.Spool)...)
	for _, want := range []string{"Trung tâm Hỏa Tốc (để t/h)", "trên trang là 12/05/2009 (trang 1", "--spool " + second.Spool} {
		if !strings.Contains(out, want) {
			t.Errorf("show does not say %q:\n%s", want, out)
		}
	}
	// The model decides nothing by itself; with its answers it is a file of decisions.
	model := mustRun(t, "", with("spool", "show", "--toml", second.Spool)...)
	said := put(t, tmp, "a.toml", []byte(model))
	if code, res := issued(t, "--data", dir, "--spool", second.Spool, "--decisions", said); code != 1 {
		t.Errorf("the bare model issued it: %+v", res)
	}
	put(t, tmp, "a.toml", []byte(strings.Replace(strings.ReplaceAll(model, "\n# ", "\n"), `"mã đơn vị"`, `"syt"`, 1)))
	if code, out, errOut := congvan(t, "", with("spool", "retry", "--all", "--json", "--decisions", said)...); code != 1 || strings.Count(out, "\n") != 2 || strings.Count(out, `"state":"issued"`) != 1 {
		t.Errorf("retry: exit %d\n%s%s", code, out, errOut)
	}
	if left := spooled(t, dir); len(left) != 1 || left[0].ID != first.Spool {
		t.Errorf("left %+v", left)
	}
	mustRun(t, "", with("spool", "drop", first.Spool)...)
	for _, args := range [][]string{{"spool", "show", first.Spool}, {"spool", "drop", "../" + filepath.Base(tmp)}, {"issue", "--spool", "khongco"}, {"spool", "retry", "khongco"}} {
		if code, _, errOut := congvan(t, "", with(args...)...); code != 1 || !strings.Contains(errOut, "không có bản chờ") {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
	for _, args := range [][]string{{"spool", "retry"}, {"spool", "show"}, {"issue", "--spool", "a", "b.pdf"}} {
		if code, _, errOut := congvan(t, "", with(args...)...); code != 2 {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
	mustRun(t, "", with("check")...)
}

func TestSpoolTellsDamageAgeAndWhoElseWorks(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	file := put(t, tmp, "a.pdf", letter77(t))
	_, res := issued(t, "--data", dir, file)
	s := spool{filepath.Join(dir, "spool")}

	e, err := s.open(res.Spool)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"issue", "--data", dir, "--spool", res.Spool}, {"issue", "--data", dir, file}, {"spool", "drop", "--data", dir, res.Spool}} {
		if code, _, errOut := congvan(t, "", args...); code != 1 || !strings.Contains(errOut, "đang được xử lý") {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
	e.note.At = time.Now().AddDate(0, 0, -spoolDays-1)
	if err := e.keep(); err != nil {
		t.Fatal(err)
	}
	if _, _, errOut := congvan(t, "", "issue", "--data", dir, put(t, tmp, "b.pdf", []byte("x"))); !strings.Contains(errOut, "1 văn bản nằm chờ quá 3 ngày") {
		t.Errorf("nobody is told: %s", errOut)
	}
	if out := mustRun(t, "", "spool", "list", "--data", dir); !strings.Contains(out, "(4 ngày)") {
		t.Error(out)
	}
	if err := os.WriteFile(filepath.Join(s.dir, res.Spool, "0"), []byte("khác"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, got := issued(t, "--data", dir, "--spool", res.Spool); code != 1 || !strings.Contains(got.Error, "bị hỏng") {
		t.Errorf("exit %d, %+v", code, got)
	}
	if err := os.WriteFile(filepath.Join(s.dir, res.Spool, noteName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "", "spool", "list", "--data", dir); !strings.Contains(out, "bản ghi bị hỏng") {
		t.Error(out)
	}
	mustRun(t, "", "spool", "drop", "--data", dir, res.Spool)
	nothingStored(t, dir)
}
