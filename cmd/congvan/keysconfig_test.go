package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/signing"
)

// withSeal rewrites the [seal] part of an installation: everything after the line "[seal]".
func withSeal(t *testing.T, dir, text string) {
	t.Helper()
	path := filepath.Join(dir, configFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(b), "\n[seal]\n")
	if err := os.WriteFile(path, []byte(head+"\n[seal]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const decided = "[seal.unattended]\ndecision = \"12/QĐ-STTTT\"\ndate = \"2026-01-05\"\n"

func TestSealConfigurationIsExplainedByLine(t *testing.T) {
	dir := newInstallation(t)
	withSeal(t, dir, "")
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Count(string(b), "\n") // the line of [seal]
	for _, want := range []struct {
		seal string
		line int
		text string
	}{
		{"level = \"B-X\"\n", 1, `"B-X" is no level`},
		{"trust = \"trust\"\nlevel = \"B-T\"\n", 2, "needs a time stamp authority"},
		{"on_unavailable = \"hope\"\n", 1, "on_unavailable"},
		{"ocsp = [\"ldap://x\"]\n", 1, "is no address"},
		{"[seal.timestamp]\nurl = [\"tsa.test\"]\n", 2, "is no address"},
		{"[seal.timestamp]\n\npolicy = \"1.x\"\n", 3, "object identifier"},
		{"[seal.unattended]\ndate = \"2026-01-05\"\n", 2, "a number and a date"},
		{"[seal.unattended]\ndecision = \"1\"\ndate = \"5/1/2026\"\n", 3, "5/1/2026"},
		{"[[seal.agency]]\nunit = \"a\"\n[[seal.agency]]\nunit = \"b\"\nlevel = \"B\"\n", 5, "seal.agency b"},
		{"[[seal.agency]]\nunit = \"a\"\n[[seal.agency]]\nunit = \"a\"\n", 4, "twice"},
		{"[[seal.agency]]\nunit = \"a\"\nkey = \"pkcs11:token=x\"\n", 3, "module-path"},
		{"[[seal.agency]]\nunit = \"a\"\nkey = \"pkcs11:token=x;id=%01?module-path=/x.so&pin-value=8642\"\n", 3, "with a PIN"},
		{"[[seal.agency]]\nunit = \"a\"\npin = \"8642\"\n", 3, "secret has no place"},
		{"[[seal.agency]]\nunit = \"a\"\ncase = \"A\"\n", 3, "needs a picture"},
		{"[[seal.agency]]\nunit = \"a\"\ncopy = \"photo\"\n", 3, "photo"},
		{"[[seal.agency]]\nunit = \"a\"\npolicy = { oid = \"1.2.3\" }\n", 3, "go together"},
		{"revocation = \"offline\"\nlevel = \"B-LT\"\n[seal.timestamp]\nurl = [\"http://tsa.test\"]\n", 2, "revocation services"},
	} {
		withSeal(t, dir, want.seal)
		code, _, errOut := congvan(t, "", "check", "--data", dir)
		line := "line " + strings.TrimSpace(json.Number(itoa(first+want.line)).String()) + ":"
		if code != 1 || !strings.Contains(errOut, line) || !strings.Contains(errOut, want.text) || !strings.Contains(errOut, "hint: ") || strings.Contains(errOut, "8642") {
			t.Errorf("%q: exit %d, want %s %q:\n%s", want.seal, code, line, want.text, errOut)
		}
	}
	withSeal(t, dir, decided)
	mustRun(t, "", "check", "--data", dir)
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// issue145 issues the sample of Sở Thông tin và Truyền thông.
func issue145(t *testing.T, dir string) (code int, res issueResult, errOut string) {
	t.Helper()
	said := filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := congvan(t, "", "issue", "--data", dir, "--json", "--decisions", said, "testdata/demo/02-cong-van-stttt.pdf")
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errOut)
	}
	return code, res, errOut
}

func statusOf(t *testing.T, dir, reference string) *exchange.Status {
	t.Helper()
	st := &exchange.Status{}
	if err := json.Unmarshal([]byte(mustRun(t, "", "status", "--data", dir, "--json", reference)), st); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestNoKeySignsUnattendedWithoutADecision(t *testing.T) {
	dir := newInstallation(t)
	withSeal(t, dir, "")
	code, res, _ := issue145(t, dir)
	if code != 1 || res.Code != exchange.CodeNoDecision || !strings.Contains(res.Error, "quyết định của người đứng đầu") || !strings.Contains(res.Hint, "[seal.unattended]") {
		t.Fatalf("exit %d: %+v", code, res)
	}
	withSeal(t, dir, decided)
	if code, res, _ = issue145(t, dir); code != 0 || res.State != exchange.Issued {
		t.Fatalf("exit %d: %+v", code, res)
	}
	if st := statusOf(t, dir, "145/STTTT-CNTT"); st.Seal == nil || st.Seal.Decision != "12/QĐ-STTTT" || st.Seal.DecidedOn != "2026-01-05" {
		t.Errorf("%+v", st.Seal)
	}
	if out := mustRun(t, "", "status", "--data", dir, "145/STTTT-CNTT"); !strings.Contains(out, "theo Quyết định số 12/QĐ-STTTT ngày 05/01/2026") {
		t.Errorf("status says\n%s", out)
	}
	mustRun(t, "", "check", "--data", dir)
}

func TestKeyFilesAndTheirPasswords(t *testing.T) {
	dir := newInstallation(t)
	ca, err := signing.NewAuthority(signing.Subject{Name: "CA thử"}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Save(t.TempDir(), "x"); err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(signing.Subject{Name: "Sở Thông tin và Truyền thông"}, signing.RSA3072)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "keys", "dau.p12")
	if err := id.Save(key, "mật-khẩu-8642"); err != nil {
		t.Fatal(err)
	}
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "dau"), []byte("mật-khẩu-8642\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONGVAN_TEST_KEY", "mật-khẩu-8642")
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	for name, c := range map[string]struct {
		source string
		mode   os.FileMode
		want   string // in the error, "" for a sealed document
	}{
		"wrong password":    {"file:keys/password", 0o600, "Mật khẩu của tệp khóa không đúng"},
		"open to others":    {"env:CONGVAN_TEST_KEY", 0o640, "người khác đọc được"},
		"no environment":    {"env:CONGVAN_TEST_NONE", 0o600, "CONGVAN_TEST_NONE"},
		"no credential":     {"credential:khac", 0o600, "khac"},
		"out of the folder": {"credential:../dau", 0o600, "no systemd credential"},
		"by environment":    {"env:CONGVAN_TEST_KEY", 0o600, ""},
		"by credential":     {"credential:dau", 0o600, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyInstallation(t, dir)
			if err := os.Chmod(filepath.Join(dir, "keys", "dau.p12"), c.mode); err != nil {
				t.Fatal(err)
			}
			withSeal(t, dir, decided+"[[seal.agency]]\nunit = \"stttt\"\nkey = \"keys/dau.p12\"\npassword = \""+c.source+"\"\n")
			code, res, errOut := issue145(t, dir)
			if c.want == "" && (code != 0 || res.State != exchange.Issued) || c.want != "" && (code != 1 || !strings.Contains(res.Error+errOut, c.want)) {
				t.Errorf("exit %d: %+v\n%s", code, res, errOut)
			}
			mustNotContain(t, dir, "mật-khẩu-8642")
			if strings.Contains(res.Error+errOut, "8642") {
				t.Errorf("the password is in %q", res.Error+errOut)
			}
		})
	}
}

// copyInstallation copies what a test changes; the cache is shared.
func copyInstallation(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tinh")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil && !strings.Contains(err.Error(), "cache") {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(to, "cache")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sharedCache(t), filepath.Join(to, "cache")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(from, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // CopyFS adds rights
		if err := os.Chmod(filepath.Join(to, "keys", e.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// mustNotContain looks for a secret in everything that an installation has written: database, logs, blobs.
func mustNotContain(t *testing.T, dir, secret string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if n++; err == nil && strings.Contains(string(b), secret) {
			t.Errorf("%s contains the secret", path)
		}
		return err
	})
	if err != nil || n < 2 {
		t.Fatalf("%d files read: %v", n, err)
	}
}

func TestSealWaitsForTimeStampAndSaysSo(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	dir := newInstallation(t)
	stamps := "[seal.timestamp]\nurl = [\"" + down.URL + "\"]\n"
	withSeal(t, dir, "level = \"B-T\"\n"+stamps+decided)
	code, res, errOut := issue145(t, dir)
	if code != 0 || res.State != exchange.Registered || !strings.Contains(res.Waiting, "dấu thời gian") || res.Spool != "" {
		t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
	}
	for _, args := range [][]string{{"status", "--data", dir}, {"status", "--data", dir, "145/STTTT-CNTT"}} {
		if out := mustRun(t, "", args...); !strings.Contains(out, "chờ đóng dấu: dịch vụ dấu thời gian") {
			t.Errorf("%v says\n%s", args, out)
		}
	}
	mustRun(t, "", "check", "--data", dir)
	// Issuing again after the setting allows a lower level finds the document that waits.
	withSeal(t, dir, "level = \"B-T\"\non_unavailable = \"lower\"\n"+stamps+decided)
	if code, res, errOut = issue145(t, dir); code != 0 || res.State != exchange.Issued {
		t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
	}
	if out := mustRun(t, "", "status", "--data", dir, "145/STTTT-CNTT"); !strings.Contains(out, "THẤP HƠN mức B-T") {
		t.Errorf("status says\n%s", out)
	}
	mustRun(t, "", "check", "--data", dir)
}

func TestPlainBuildSaysThatItHasNoTokens(t *testing.T) {
	if signing.HasTokens {
		t.Skip("this one has")
	}
	dir := newInstallation(t)
	withSeal(t, dir, decided+"[[seal.agency]]\nunit = \"stttt\"\nkey = \"pkcs11:token=a;id=%01?module-path=/x.so\"\npin = \"env:PIN\"\n")
	if code, res, _ := issue145(t, dir); code != 1 || !strings.Contains(res.Error, "không dùng được thiết bị PKCS#11") || !strings.Contains(res.Hint, "make pkcs11") {
		t.Errorf("exit %d: %+v", code, res)
	}
}
