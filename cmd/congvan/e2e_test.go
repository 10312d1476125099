//go:build e2e

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"congvan/mailcore/mailtest"
)

// These tests drive the built binary with programs from Debian, as other people's clients and judges would.

// builtProgram is the binary that "make build" made.
func builtProgram(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/congvan")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	return path
}

// command runs a program to its end and returns what it printed; it must succeed.
func command(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	out, err := try(dir, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(dir, stdin, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir, c.Stdin = dir, strings.NewReader(stdin)
	c.Env = append(os.Environ(), "HOME="+dir, "TERM=xterm", "LC_ALL=C.UTF-8")
	out, err := c.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await repeats until done is true, for two minutes.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

type statusJSON struct {
	Reference  string
	State      string
	Dispatches []struct {
		Unit, Transport, Handling string
		ArrivalNumber             string `json:"arrival_number"`
	}
}

// A province is an installation of its own with two mailboxes, made as README tells.
type province struct {
	dir, bin, data         string
	smtp, submission, imap string
	submissions, imaps     string // TLS at once
	passwords              map[string]string
}

func newProvince(t *testing.T) *province {
	t.Helper()
	mailtest.StayInOneDay(t)
	p := prepareProvince(t, "testdata/e2e/units.csv")
	p.serve(t)
	return p
}

// prepareProvince makes a province that does not serve yet.
func prepareProvince(t *testing.T, directory string) *province {
	t.Helper()
	dir := t.TempDir()
	p := &province{dir: dir, bin: builtProgram(t), data: filepath.Join(dir, "tinh"), passwords: map[string]string{},
		smtp: mailtest.FreePort(t), submission: mailtest.FreePort(t), imap: mailtest.FreePort(t), submissions: mailtest.FreePort(t), imaps: mailtest.FreePort(t)}
	units, err := filepath.Abs(directory)
	if err != nil {
		t.Fatal(err)
	}
	command(t, dir, "", p.bin, "init", "--data", "tinh", "--domain", "thunghiem.test", "--loopback-only", "--smtp", p.smtp, "--submission", p.submission, "--imap", p.imap, "--web", "127.0.0.1:0")
	command(t, dir, "", p.bin, "directory", "import", "--data", "tinh", units, "--request", "15/SNV-VP 01/03/2009")
	for _, unit := range []string{"snv", "stc"} {
		command(t, dir, "", p.bin, "account", "add", "--data", "tinh", "--unit", unit)
		p.passwords[unit] = "mot-cau-dai-cua-" + unit // the printed one must be changed before anything else works
		command(t, dir, p.passwords[unit]+"\n", p.bin, "account", "passwd", "--data", "tinh", unit+"@thunghiem.test")
	}
	return p
}

// configure changes lines of the configuration; each must be there.
func (p *province) configure(t *testing.T, oldnew ...string) {
	t.Helper()
	path := filepath.Join(p.data, configFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the configuration has no %q", oldnew[i])
		}
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	write(t, path, text)
}

// serve runs the gateway until the test ends.
func (p *province) serve(t *testing.T) {
	t.Helper()
	serve := exec.Command(p.bin, "serve", "--data", "tinh")
	serve.Dir = p.dir
	log := &bytes.Buffer{}
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil {
			t.Errorf("serve: %v\n%s", err, log)
		}
	})
	await(t, "the gateway listens", func() bool {
		c, err := net.Dial("tcp", p.imap)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (p *province) status(t *testing.T, reference string) statusJSON {
	t.Helper()
	var st statusJSON
	if err := json.Unmarshal([]byte(command(t, p.dir, "", p.bin, "status", "--data", "tinh", "--json", reference)), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func (p *province) handling(t *testing.T, reference, unit string) (string, string) {
	t.Helper()
	for _, d := range p.status(t, reference).Dispatches {
		if d.Unit == unit {
			return d.Handling, d.ArrivalNumber
		}
	}
	t.Fatalf("no copy to %s", unit)
	return "", ""
}

// letter is the test's own document, made by LibreOffice.
func letter(t *testing.T, dir string) string {
	t.Helper()
	source, err := filepath.Abs("testdata/e2e/letter.html")
	if err != nil {
		t.Fatal(err)
	}
	command(t, dir, "", "soffice", "--headless", "--convert-to", "pdf:writer_web_pdf_Export", "--outdir", dir, source)
	return filepath.Join(dir, "letter.pdf")
}

func TestE2EAnotherProvinceFromAnEmptyFolder(t *testing.T) {
	p := newProvince(t)
	pdf := letter(t, p.dir)

	// The clerk settles the one open line, says that it is not secret, and gives the word.
	out := command(t, p.dir, "bỏ không có thật\nkhông\ncó\n", p.bin, "issue", "--now", "--data", "tinh", pdf)
	for _, want := range []string{"05/SNV-VP", "SAO Y; Sở Nội vụ tỉnh Thử Nghiệm; ", "Chưa rõ nơi nhận: \"Ban Thử nghiệm hư cấu\"", "Đã phát hành 05/SNV-VP: 2 bản"} {
		if !strings.Contains(out, want) {
			t.Errorf("issue does not say %q:\n%s", want, out)
		}
	}
	if h, _ := p.handling(t, "05/SNV-VP", "stc"); h != "received" {
		t.Errorf("handling is %q", h)
	}
	if out, err := try(p.dir, "không\ncó\n", p.bin, "issue", "--data", "tinh", filepath.Join(p.dir, "tinh", "congvan.toml")); err == nil {
		t.Errorf("a file that is no PDF was issued:\n%s", out)
	}

	saved := p.readByMbsync(t)
	p.judge(t, saved)
	if got := p.readByMutt(t); !bytes.Equal(got, saved) {
		t.Errorf("mutt saved %d bytes, mbsync %d: not the same file", len(got), len(saved))
	}
	p.replyByMsmtp(t, "Đã tiếp nhận, số đến 45")
	await(t, "the reply accepts the document", func() bool { h, n := p.handling(t, "05/SNV-VP", "stc"); return h == "accepted" && n == "45" })
	command(t, p.dir, "", p.bin, "check", "--data", "tinh")
}

// readByMbsync synchronises the mailbox of stc into a Maildir over STARTTLS and returns the PDF in it.
func (p *province) readByMbsync(t *testing.T) []byte {
	t.Helper()
	_, port, _ := net.SplitHostPort(p.imap)
	write(t, filepath.Join(p.dir, "mbsyncrc"), fmt.Sprintf(`IMAPAccount tinh
Host localhost
Port %s
User stc@thunghiem.test
Pass %s
SSLType STARTTLS
CertificateFile %s
AuthMechs LOGIN

IMAPStore tinh
Account tinh

MaildirStore here
Path %s/mail/
Inbox %s/mail/INBOX
SubFolders Verbatim

Channel all
Far :tinh:
Near :here:
Patterns *
Create Near
`, port, p.passwords["stc"], filepath.Join(p.data, "tls", "cert.pem"), p.dir, p.dir))
	if err := os.MkdirAll(filepath.Join(p.dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, p.dir, "", "mbsync", "-c", "mbsyncrc", "-a")
	files, err := filepath.Glob(filepath.Join(p.dir, "mail", "INBOX", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("mbsync brought %v, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	p.judgeMail(t, raw)
	got, _, _, err := openDocument(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return got.pdf
}

// readByMutt opens the mailbox in mutt on a terminal and saves the attachment.
func (p *province) readByMutt(t *testing.T) []byte {
	t.Helper()
	target := filepath.Join(p.dir, "mutt.pdf")
	write(t, filepath.Join(p.dir, "muttrc"), fmt.Sprintf(`set imap_user = "stc@thunghiem.test"
set imap_pass = "%s"
set ssl_starttls = yes
set ssl_force_tls = yes
set certificate_file = "%s"
set folder = "imap://%s/"
set spoolfile = "imap://%s/INBOX"
set wait_key = no
set confirmappend = no
set delete = no
set quit = yes
push "<first-entry><view-attachments><last-entry><previous-entry><save-entry><kill-line>%s<enter><exit><quit>"
`, p.passwords["stc"], filepath.Join(p.data, "tls", "cert.pem"), p.imap, p.imap, target))
	out, err := try(p.dir, "", "timeout", "30", "script", "-qec", "mutt -F muttrc", "/dev/null")
	saved, e := os.ReadFile(target)
	if e != nil {
		t.Fatalf("mutt saved nothing: %v %v\n%s", err, e, out)
	}
	return saved
}

// replyByMsmtp submits a reply to the copy over STARTTLS.
func (p *province) replyByMsmtp(t *testing.T, line string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(p.dir, "mail", "INBOX", "*", "*"))
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	to := regexp.MustCompile(`(?m)^Reply-To: <?([^>\r\n]+)`).FindSubmatch(raw)
	if to == nil {
		t.Fatalf("the mail has no Reply-To")
	}
	host, port, _ := net.SplitHostPort(p.submission)
	write(t, filepath.Join(p.dir, "msmtprc"), fmt.Sprintf(`account default
host %s
port %s
auth plain
user stc@thunghiem.test
password %s
from stc@thunghiem.test
tls on
tls_starttls on
tls_trust_file %s
`, host, port, p.passwords["stc"], filepath.Join(p.data, "tls", "cert.pem")))
	mail := fmt.Sprintf("From: stc@thunghiem.test\nTo: %s\nSubject: Re: 05/SNV-VP\nContent-Type: text/plain; charset=utf-8\n\n%s\n", to[1], line)
	command(t, p.dir, mail, "msmtp", "-C", "msmtprc", string(to[1]))
}

// judge lets poppler and our own verifier speak about the delivered file, whole and with one byte flipped.
func (p *province) judge(t *testing.T, pdf []byte) {
	t.Helper()
	nss := filepath.Join(p.dir, "nss")
	if err := os.MkdirAll(nss, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, p.dir, "", "certutil", "-N", "-d", "sql:"+nss, "--empty-password")
	command(t, p.dir, "", "certutil", "-A", "-d", "sql:"+nss, "-n", "root", "-t", "CT,C,C", "-i", filepath.Join(p.data, "keys", "root.pem"))
	good, bad := filepath.Join(p.dir, "good.pdf"), filepath.Join(p.dir, "bad.pdf")
	write(t, good, string(pdf))
	flipped := bytes.Clone(pdf)
	flipped[len(flipped)/3] ^= 0x10
	write(t, bad, string(flipped))
	if out := command(t, p.dir, "", "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, good); !strings.Contains(out, "Signature is Valid") || !strings.Contains(out, "Total document signed") {
		t.Errorf("pdfsig:\n%s", out)
	}
	if out, _ := try(p.dir, "", "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, bad); strings.Contains(out, "Signature is Valid") {
		t.Errorf("pdfsig calls a changed file valid:\n%s", out)
	}
	if out := command(t, p.dir, "", p.bin, "verify", "--data", "tinh", good); !strings.Contains(out, "Hợp lệ") {
		t.Errorf("verify:\n%s", out)
	}
	if out, err := try(p.dir, "", p.bin, "verify", "--data", "tinh", bad); err == nil || strings.Contains(out, ": Hợp lệ") {
		t.Errorf("verify calls a changed file valid:\n%s", out)
	}
	text := command(t, p.dir, "", "pdftotext", "-l", "1", good, "-")
	if !strings.Contains(text, "SAO Y; Sở Nội vụ tỉnh Thử Nghiệm; ") {
		t.Errorf("the mark is not on page 1:\n%s", text)
	}
}

// copies counts the mails of documents in every mailbox of a demonstration: each (mailbox, document) must stand once.
func copies(t *testing.T, bin, dir string) int {
	t.Helper()
	total := 0
	for _, line := range strings.Split(strings.TrimSpace(command(t, "/", "", bin, "status", "--data", dir, "--json")), "\n") {
		var st statusJSON
		if err := json.Unmarshal([]byte(line), &st); err != nil {
			t.Fatal(err)
		}
		if st.State != "issued" {
			t.Errorf("%s is %s", st.Reference, st.State)
		}
		for _, d := range st.Dispatches {
			if d.Transport != "delivered" {
				t.Errorf("%s to %s is %s", st.Reference, d.Unit, d.Transport)
			}
			total++
		}
	}
	return total
}

// kills is how often the demonstration is killed; KILLS overrides it.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		return n
	}
	return 3
}

func TestE2EKilledAtAnyMomentItGoesOn(t *testing.T) {
	bin, cache := builtProgram(t), t.TempDir()
	whole := filepath.Join(t.TempDir(), "whole")
	start := time.Now()
	command(t, "/", "", bin, "demo", "--once", "--data", whole)
	command(t, "/", "", "cp", "-r", filepath.Join(whole, "cache"), cache)
	want := copies(t, bin, whole)
	length, random := time.Since(start)/2, rand.New(rand.NewSource(22))
	for i, late := 0, 0; i < kills(); i++ {
		dir := filepath.Join(t.TempDir(), "demo")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "/", "", "cp", "-r", filepath.Join(cache, "cache"), dir)
		after := time.Duration(random.Int63n(int64(length)))
		c := exec.Command(bin, "demo", "--once", "--data", dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		again := time.Now()
		timer := time.AfterFunc(after, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil { // later runs find compiled code, and perhaps a quieter machine
			if late++; late > 5 {
				t.Fatalf("runs are over before they can be killed after %v", after)
			}
			length = min(length, time.Since(again)) / 2
			i--
			continue
		}
		again = time.Now()
		if out, err := try("/", "", bin, "demo", "--once", "--data", dir); err != nil {
			t.Errorf("kill %d after %v: run again: %v\n%s", i, after, err, out)
			continue
		}
		command(t, "/", "", bin, "check", "--data", dir)
		got := copies(t, bin, dir)
		t.Logf("kill %d after %v (%v), run again %v: %d copies", i, after, err, time.Since(again).Round(time.Millisecond), got)
		if got != want {
			t.Errorf("kill %d after %v: %d copies, want %d", i, after, got, want)
		}
	}
}

// phrasesOnlyIn returns runs of five words that stand in this document and in no other file of the demonstration.
func phrasesOnlyIn(t *testing.T, secret string) (phrases []string) {
	t.Helper()
	text := func(file string) string {
		return strings.Join(strings.Fields(command(t, "/", "", "pdftotext", "-layout", file, "-")), " ")
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(secret), "*"))
	if err != nil {
		t.Fatal(err)
	}
	var others strings.Builder
	for _, f := range files {
		switch {
		case f == secret:
		case strings.HasSuffix(f, ".pdf"):
			others.WriteString(text(f))
		default:
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			others.Write(b)
		}
	}
	words := strings.Fields(text(secret))
	for i := 0; i+5 <= len(words); i += 5 {
		if phrase := strings.Join(words[i:i+5], " "); len([]rune(phrase)) > 16 && !strings.Contains(others.String(), phrase) {
			phrases = append(phrases, phrase)
		}
	}
	return phrases
}

// A secret document must leave nothing behind, in any file, in any encoding.
func TestE2ENothingOfASecretDocumentStays(t *testing.T) {
	bin, dir := builtProgram(t), filepath.Join(t.TempDir(), "demo")
	command(t, "/", "", bin, "demo", "--once", "--data", dir)
	secret, err := filepath.Abs("testdata/demo/08-cong-van-mat.pdf")
	if err != nil {
		t.Fatal(err)
	}
	phrases := phrasesOnlyIn(t, secret)
	if len(phrases) < 5 {
		t.Fatalf("only %d phrases", len(phrases))
	}
	raw, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	needles := map[string][]byte{"the file's own bytes": raw[len(raw)/2 : len(raw)/2+64]}
	for _, phrase := range phrases {
		needles["UTF-8 "+phrase] = []byte(phrase)
		var le, be []byte
		for _, u := range utf16.Encode([]rune(phrase)) {
			le, be = append(le, byte(u), byte(u>>8)), append(be, byte(u>>8), byte(u))
		}
		needles["UTF-16LE "+phrase], needles["UTF-16BE "+phrase] = le, be
		for shift := range 3 { // base64 depends on where the phrase falls
			code := base64.StdEncoding.EncodeToString(append(make([]byte, shift), phrase...))
			needles[fmt.Sprintf("base64 %d %s", shift, phrase)] = []byte(code[4 : len(code)-4])
		}
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for name, n := range needles {
			if bytes.Contains(data, n) {
				t.Errorf("%s: found %s", path, name)
			}
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Fatalf("%d files searched, %v", files, err)
	}
	t.Logf("%d needles in %d files", len(needles), files)
}

func TestE2EDemoTellsAFailedCopyByItsExitCode(t *testing.T) {
	bin, dir := builtProgram(t), filepath.Join(t.TempDir(), "demo")
	out, err := try("/", "", bin, "demo", "--once", "--data", dir, "--refuse", "vanthu@btttt.test")
	if err == nil || !strings.Contains(out, "Bộ Thông tin và Truyền thông: CHƯA ĐẾN") {
		t.Errorf("%v\n%s", err, out)
	}
}
