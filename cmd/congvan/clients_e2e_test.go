//go:build e2e

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"
)

// Every program that people read and send mail with, as Debian has it, against one running province, over TLS.

// vietnamese is what each client sends: marks of every kind, and a line that begins with a dot.
const vietnamese = "Kính gửi Sở Tài chính,\nĐề nghị quý Sở gửi số liệu quyết toán trước ngày 30.\n.Dòng bắt đầu bằng dấu chấm.\nTrân trọng cảm ơn./.\n"

func (p *province) cert() string { return filepath.Join(p.data, "tls", "cert.pem") }

func (p *province) address(unit string) string { return unit + "@thunghiem.test" }

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// oracle is a client of the test's own that looks what really stands in a mailbox.
func (p *province) oracle(t *testing.T, unit string) *imapclient.Client {
	t.Helper()
	pem, err := os.ReadFile(p.cert())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := imapclient.DialTLS(p.imaps, &imapclient.Options{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(p.address(unit), p.passwords[unit]).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// found returns the messages of a folder whose subject has the word, whole.
func found(t *testing.T, c *imapclient.Client, folder, word string) (all [][]byte) {
	t.Helper()
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		t.Fatalf("select %s: %v", folder, err)
	}
	data, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: word}}}, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if len(data.AllUIDs()) == 0 {
		return nil
	}
	section := &imap.FetchItemBodySection{Peek: true}
	list, err := c.Fetch(imap.UIDSetNum(data.AllUIDs()...), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		all = append(all, m.FindBodySection(section))
	}
	return all
}

// arrived waits for the one message with the word in its subject, and wants subject and text whole.
func arrived(t *testing.T, c *imapclient.Client, folder, word string) {
	t.Helper()
	var all [][]byte
	await(t, word+" arrives in "+folder, func() bool { all = found(t, c, folder, word); return len(all) > 0 })
	if len(all) != 1 {
		t.Errorf("%d messages %q in %s", len(all), word, folder)
	}
	r, err := mail.CreateReader(bytes.NewReader(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := r.Header.Subject()
	if err != nil || !strings.Contains(subject, word) {
		t.Errorf("subject %q, %v", subject, err)
	}
	part, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part.Body)
	if got := strings.ReplaceAll(string(text), "\r\n", "\n"); err != nil || strings.TrimSpace(got) != strings.TrimSpace(vietnamese) {
		t.Errorf("text %q, %v", got, err)
	}
}

// eml is a message as programs that take a whole one want it.
func (p *province) eml(from, to, subject string) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: =?utf-8?b?%s?=\r\nMessage-ID: <%s@e2e.test>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s",
		from, to, base64.StdEncoding.EncodeToString([]byte(subject)), base64.RawURLEncoding.EncodeToString([]byte(subject)), strings.ReplaceAll(vietnamese, "\n", "\r\n"))
}

func TestE2EClients(t *testing.T) {
	p := prepareProvince(t, "testdata/e2e/units.csv")
	p.configure(t, "plain_from_loopback = true", "plain_from_loopback = false", `submissions = ""`, fmt.Sprintf("submissions = %q", p.submissions), `imaps       = ""`, fmt.Sprintf("imaps = %q", p.imaps))
	p.serve(t)
	stc, snv := p.oracle(t, "stc"), p.oracle(t, "snv")
	for _, c := range []struct {
		program string
		run     func(*testing.T, *province, *imapclient.Client, *imapclient.Client)
	}{
		{"swaks", swaks}, {"curl", curl}, {"s-nail", snail}, {"mutt", muttSends}, {"fetchmail", fetchmail}, {"getmail", getmail}, {"python3", python},
	} {
		t.Run(c.program, func(t *testing.T) {
			mailtest.Program(t, c.program)
			c.run(t, p, stc, snv)
		})
	}
	command(t, p.dir, "", p.bin, "check", "--data", "tinh")
}

func swaks(t *testing.T, p *province, stc, _ *imapclient.Client) {
	for _, c := range []struct{ mechanism, server, tls string }{{"PLAIN", p.submission, "--tls"}, {"LOGIN", p.submissions, "--tls-on-connect"}} {
		file := filepath.Join(p.dir, "swaks.eml")
		write(t, file, p.eml(p.address("snv"), p.address("stc"), "Thư của swaks "+c.mechanism))
		out := command(t, p.dir, "", "swaks", "--server", c.server, c.tls, "--tls-verify", "--tls-ca-path", p.cert(), "--auth", c.mechanism, "--auth-user", p.address("snv"),
			"--auth-password", p.passwords["snv"], "--from", p.address("snv"), "--to", p.address("stc"), "--data", "@"+file)
		if !strings.Contains(out, " 235 ") {
			t.Errorf("no login in:\n%s", out)
		}
		arrived(t, stc, "INBOX", "Thư của swaks "+c.mechanism)
	}
	out, err := try(p.dir, "", "swaks", "--server", p.submission, "--tls", "--auth", "PLAIN", "--auth-user", p.address("snv"), "--auth-password", p.passwords["snv"],
		"--from", p.address("stc"), "--to", p.address("stc"))
	if err == nil || !strings.Contains(out, " 550 5.7.1") {
		t.Errorf("snv sends as stc: %v\n%s", err, out)
	}
}

func curl(t *testing.T, p *province, stc, snv *imapclient.Client) {
	file := filepath.Join(p.dir, "curl.eml")
	who := p.address("stc") + ":" + p.passwords["stc"]
	for _, c := range []struct{ scheme, address string }{{"smtp", p.submission}, {"smtps", p.submissions}} {
		write(t, file, p.eml(p.address("stc"), p.address("snv"), "Thư của curl qua "+c.scheme+"."))
		command(t, p.dir, "", "curl", "-sS", "--ssl-reqd", "--cacert", p.cert(), "--user", who, "--mail-from", p.address("stc"), "--mail-rcpt", p.address("snv"), "--upload-file", file,
			c.scheme+"://localhost:"+portOf(c.address))
		arrived(t, snv, "INBOX", "Thư của curl qua "+c.scheme+".")
	}
	folder := url.PathEscape("&ARAA4w- ti&Hr8-p nh&Hq0-n") // Đã tiếp nhận, as IMAP4rev1 names it
	for _, c := range []struct{ scheme, address string }{{"imap", p.imap}, {"imaps", p.imaps}} {
		base := c.scheme + "://localhost:" + portOf(c.address) + "/"
		run := func(args ...string) string {
			return command(t, p.dir, "", "curl", append([]string{"-sS", "--ssl-reqd", "--cacert", p.cert(), "--user", who}, args...)...)
		}
		write(t, file, p.eml(p.address("stc"), p.address("stc"), "Lưu bằng curl qua "+c.scheme+"."))
		run("-T", file, base+folder)
		arrived(t, stc, "Đã tiếp nhận", "Lưu bằng curl qua "+c.scheme+".")
		if out := run(base); !strings.Contains(out, "&ARAA4w- ti&Hr8-p nh&Hq0-n") {
			t.Errorf("LIST over %s:\n%s", c.scheme, out)
		}
		if out := run(base + "INBOX?SUBJECT%20swaks"); !strings.HasPrefix(out, "* SEARCH ") {
			t.Errorf("SEARCH over %s: %q", c.scheme, out)
		}
		if out := run(base + "INBOX;MAILINDEX=1"); !strings.Contains(out, "Đề nghị quý Sở") {
			t.Errorf("FETCH over %s:\n%s", c.scheme, out)
		}
	}
	if out, err := try(p.dir, "", "curl", "-sS", "--user", who, "imap://localhost:"+portOf(p.imap)+"/"); err == nil {
		t.Errorf("a password in the clear was taken:\n%s", out)
	}
}

func snail(t *testing.T, p *province, stc, _ *imapclient.Client) {
	rc := filepath.Join(p.dir, "snailrc")
	login := url.QueryEscape(p.address("snv")) + ":" + url.QueryEscape(p.passwords["snv"])
	write(t, rc, fmt.Sprintf("set v15-compat\nset from=%s\nset mta=smtp://%s@localhost:%s smtp-use-starttls smtp-auth=plain\nset tls-ca-file=%s tls-ca-no-defaults tls-verify=strict\nset ttycharset=utf-8 sendcharsets=utf-8\nset imap-use-starttls\n",
		p.address("snv"), login, portOf(p.submission), p.cert()))
	command(t, p.dir, vietnamese, "env", "MAILRC="+rc, "s-nail", "-n", "-s", "Thư của s-nail", p.address("stc"))
	arrived(t, stc, "INBOX", "Thư của s-nail")
	mailbox := "imap://" + url.QueryEscape(p.address("stc")) + ":" + url.QueryEscape(p.passwords["stc"]) + "@localhost:" + portOf(p.imap) + "/INBOX"
	out := command(t, p.dir, "headers\ntype $\nexit\n", "timeout", "180", "env", "MAILRC="+rc, "s-nail", "-n", "-R", "-f", mailbox)
	if !strings.Contains(out, "Thư của s-nail") || !strings.Contains(out, "Đề nghị quý Sở") {
		t.Errorf("s-nail reads:\n%s", out)
	}
}

func muttSends(t *testing.T, p *province, stc, snv *imapclient.Client) {
	rc := filepath.Join(p.dir, "muttsendrc")
	write(t, rc, fmt.Sprintf(`set from = %q
set use_envelope_from = yes
set smtp_url = "smtp://%s@localhost:%s/"
set smtp_pass = %q
set smtp_authenticators = "plain"
set imap_user = %q
set imap_pass = %q
set folder = "imap://localhost:%s/"
set record = "=Đã gửi"
set ssl_starttls = yes
set ssl_force_tls = yes
set certificate_file = %q
set send_charset = "utf-8"
set charset = "utf-8"
`, p.address("snv"), p.address("snv"), portOf(p.submission), p.passwords["snv"], p.address("snv"), p.passwords["snv"], portOf(p.imap), p.cert()))
	command(t, p.dir, vietnamese, "timeout", "180", "mutt", "-n", "-F", rc, "-s", "Thư của mutt", p.address("stc"))
	arrived(t, stc, "INBOX", "Thư của mutt")
	arrived(t, snv, "Đã gửi", "Thư của mutt")
}

// fetchmail takes everything from the inbox, over STARTTLS and over TLS, and leaves it there.
func fetchmail(t *testing.T, p *province, stc, _ *imapclient.Client) {
	want := inboxSize(t, stc)
	for _, c := range []struct{ how, line string }{
		{"STARTTLS", "service " + portOf(p.imap) + " protocol IMAP user %q there password %q sslproto 'TLS1.2+'"},
		{"TLS", "service " + portOf(p.imaps) + " protocol IMAP user %q there password %q ssl"},
	} {
		box := filepath.Join(p.dir, "fetchmail-"+c.how)
		rc := filepath.Join(p.dir, "fetchmailrc")
		mda := filepath.Join(p.dir, "mda.sh")
		write(t, mda, fmt.Sprintf("cat >> %s; echo '--het-mot-thu--' >> %s\n", box, box))
		write(t, rc, fmt.Sprintf("poll localhost "+c.line+" sslcertck sslcertfile %q keep fetchall mda \"/bin/sh %s\"\n", p.address("stc"), p.passwords["stc"], p.cert(), mda))
		command(t, p.dir, "", "timeout", "180", "fetchmail", "-f", rc, "--pidfile", filepath.Join(p.dir, "fetchmail.pid"), "--nosyslog")
		raw, err := os.ReadFile(box)
		if got := bytes.Count(raw, []byte("--het-mot-thu--")); err != nil || got != want {
			t.Errorf("%s: fetchmail brought %d of %d, %v", c.how, got, want, err)
		}
		if !bytes.Contains(raw, []byte("Đề nghị quý Sở")) {
			t.Errorf("%s: the text is not in what fetchmail brought", c.how)
		}
	}
}

func inboxSize(t *testing.T, c *imapclient.Client) int {
	t.Helper()
	data, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return int(data.NumMessages)
}

// getmail brings the inbox and a folder with marks into a Maildir, and nothing when it is asked again. For root it will not
// work, but as another user.
func getmail(t *testing.T, p *province, stc, _ *imapclient.Client) {
	dir, user := openDir(t), ""
	for _, sub := range []string{"", "state", "box", "box/cur", "box/new", "box/tmp"} {
		path := filepath.Join(dir, sub)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			user = "user = nobody\n"
			command(t, dir, "", "chown", "nobody", path)
		}
	}
	want := inboxSize(t, stc)
	data, err := stc.Select("Đã tiếp nhận", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	want += int(data.NumMessages)
	rc := filepath.Join(dir, "rc")
	write(t, rc, fmt.Sprintf("[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = %s\nusername = %s\npassword = %s\nca_certs = %s\nmailboxes = (\"INBOX\", \"Đã tiếp nhận\")\n[destination]\ntype = Maildir\npath = %s/box/\n%s[options]\nread_all = false\ndelete = false\n",
		portOf(p.imaps), p.address("stc"), p.passwords["stc"], p.cert(), dir, user))
	for range 2 {
		command(t, dir, "", "timeout", "180", "getmail", "--getmaildir", filepath.Join(dir, "state"), "--rcfile", rc)
		files, err := filepath.Glob(filepath.Join(dir, "box", "new", "*"))
		if err != nil || len(files) != want {
			t.Errorf("getmail brought %d of %d, %v", len(files), want, err)
		}
	}
}

// openDir is a folder that other users of the machine can enter, unlike those of t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "congvan-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// python runs a script with imaplib and smtplib, which says what is wrong.
func python(t *testing.T, p *province, _, _ *imapclient.Client) {
	script, err := filepath.Abs("testdata/e2e/client.py")
	if err != nil {
		t.Fatal(err)
	}
	out := command(t, p.dir, "", "timeout", "90", "python3", script, p.cert(), portOf(p.submission), portOf(p.submissions), portOf(p.imap), portOf(p.imaps),
		p.address("snv"), p.passwords["snv"], p.address("stc"), p.passwords["stc"])
	if !strings.Contains(out, "all good") {
		t.Errorf("python:\n%s", out)
	}
}
