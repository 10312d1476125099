//go:build e2e

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore/mailtest"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// mbsync names folders on disk as IMAP4rev1 has them on the line.
const (
	folderPrivate = "H&HtM- s&AaE- ri&AOo-ng" // Hồ sơ riêng
	folderYear    = "N&AQM-m 2026"            // Năm 2026
)

// syncMessages is how many messages are kept the same in both directions: half come by SMTP, half lie in the Maildir.
const syncMessages = 1000

// A maildirTree is a Maildir for each folder that mbsync keeps like the account of stc.
type maildirTree struct {
	p   *province
	dir string
}

func TestE2EMbsyncKeepsAThousandMessagesBothWays(t *testing.T) {
	mailtest.Program(t, "mbsync")
	p := prepareProvince(t, "testdata/e2e/units.csv")
	p.configure(t, `imaps       = ""`, fmt.Sprintf("imaps = %q", p.imaps))
	p.serve(t)
	m := newMaildirTree(t, p)
	start := time.Now()
	p.pourIn(t, syncMessages/2)
	poured := time.Since(start)
	for i := range syncMessages / 2 {
		folder, flags := folderPrivate, ""
		if i%2 == 1 {
			folder, flags = folderPrivate+"/"+folderYear, "S"
		}
		m.add(t, folder, i, flags)
	}
	start = time.Now()
	m.sync(t)
	t.Logf("%d messages taken in by SMTP in %v, %d brought and %d stored by mbsync in %v", syncMessages/2, poured.Round(time.Millisecond), syncMessages/2, syncMessages/2, time.Since(start).Round(time.Millisecond))
	c := p.oracle(t, "stc")
	status := func(folder string, messages, unseen uint32) {
		t.Helper()
		s, err := c.Status(folder, &imap.StatusOptions{NumMessages: true, NumUnseen: true}).Wait()
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		if *s.NumMessages != messages || *s.NumUnseen != unseen {
			t.Errorf("%s: %d messages, %d unseen, want %d, %d", folder, *s.NumMessages, *s.NumUnseen, messages, unseen)
		}
	}
	status("Hồ sơ riêng", syncMessages/4, syncMessages/4)
	status("Hồ sơ riêng/Năm 2026", syncMessages/4, 0)
	m.want(t, "INBOX", syncMessages/2, "")

	// Flags and deletions on both sides between two runs.
	m.flag(t, "INBOX", 40, "FS")
	changed(t, c, "Hồ sơ riêng", imap.FlagFlagged, 30)
	changed(t, c, "Hồ sơ riêng/Năm 2026", imap.FlagDeleted, 20)
	m.remove(t, folderPrivate, 10)
	m.sync(t)
	m.sync(t) // deletions of one side may need a second run to be gone on both
	status("INBOX", syncMessages/2, syncMessages/2-40)
	m.want(t, "INBOX", 40, "FS")
	status("Hồ sơ riêng/Năm 2026", syncMessages/4-20, 0)
	m.want(t, folderPrivate+"/"+folderYear, syncMessages/4-20, "")
	status("Hồ sơ riêng", syncMessages/4-10, syncMessages/4-10)
	m.want(t, folderPrivate, syncMessages/4-10, "")
	m.want(t, folderPrivate, 30, "F") // the ones removed here were the last
	m.same(t, c, "INBOX", "INBOX")
	m.same(t, c, folderPrivate, "Hồ sơ riêng")
	command(t, p.dir, "", p.bin, "check", "--data", "tinh")
}

// pourIn sends mails from outside over a few connections.
func (p *province) pourIn(t *testing.T, n int) {
	t.Helper()
	const connections = 4
	var wait sync.WaitGroup
	for worker := range connections {
		wait.Add(1)
		go func() {
			defer wait.Done()
			c, err := smtp.Dial(p.smtp)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for i := worker; i < n; i += connections {
				err := errors.Join(c.Mail("nguoi.gui@bo.test"), c.Rcpt(p.address("stc")))
				w, e := c.Data()
				if err = errors.Join(err, e); err != nil {
					t.Error(err)
					return
				}
				_, err = w.Write([]byte(numbered("Thư đến", i)))
				if err = errors.Join(err, w.Close()); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wait.Wait()
}

// numbered is a small message with CRLF lines.
func numbered(subject string, i int) string {
	return fmt.Sprintf("From: nguoi.gui@bo.test\r\nTo: stc@thunghiem.test\r\nSubject: =?utf-8?b?%s?=\r\nMessage-ID: <%s.%d@bo.test>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0700\r\n\r\nNội dung thư số %d\r\n%s",
		base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s số %d", subject, i)), base64.RawURLEncoding.EncodeToString([]byte(subject)), i, i, strings.Repeat("Dòng chữ có dấu.\r\n", i%40))
}

func newMaildirTree(t *testing.T, p *province) *maildirTree {
	t.Helper()
	m := &maildirTree{p, filepath.Join(p.dir, "dongbo")}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.dir, "syncrc"), fmt.Sprintf(`IMAPAccount tinh
Host localhost
Port %s
User %s
Pass %s
SSLType IMAPS
CertificateFile %s
AuthMechs LOGIN

IMAPStore far
Account tinh

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
`, portOf(p.imaps), p.address("stc"), p.passwords["stc"], p.cert(), m.dir, m.dir))
	return m
}

func (m *maildirTree) sync(t *testing.T) {
	t.Helper()
	command(t, m.p.dir, "", "timeout", "120", "mbsync", "-c", "syncrc", "-a")
}

// add puts a message into a folder as another program on this computer would.
func (m *maildirTree) add(t *testing.T, folder string, i int, flags string) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(m.dir, folder, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(m.dir, folder, "cur", fmt.Sprintf("1700000000.%06d_1.may:2,%s", i, flags)), strings.ReplaceAll(numbered("Thư cất giữ", i), "\r\n", "\n"))
}

// files are the messages of a folder that have all the flags.
func (m *maildirTree) files(t *testing.T, folder, flags string) (out []string) {
	t.Helper()
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(m.dir, folder, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			_, has, _ := strings.Cut(e.Name(), ":2,")
			if strings.Trim(flags, has) == "" && !strings.Contains(has, "T") {
				out = append(out, filepath.Join(m.dir, folder, sub, e.Name()))
			}
		}
	}
	return out
}

func (m *maildirTree) want(t *testing.T, folder string, n int, flags string) {
	t.Helper()
	if got := len(m.files(t, folder, flags)); got != n {
		t.Errorf("%s on disk: %d messages with flags %q, want %d", folder, got, flags, n)
	}
}

// flag sets flags on the first n messages of a folder.
func (m *maildirTree) flag(t *testing.T, folder string, n int, flags string) {
	t.Helper()
	for _, path := range m.files(t, folder, "")[:n] {
		base, _, _ := strings.Cut(filepath.Base(path), ":2,")
		if err := os.Rename(path, filepath.Join(m.dir, folder, "cur", base+":2,"+flags)); err != nil {
			t.Fatal(err)
		}
	}
}

// remove deletes the last n messages of a folder.
func (m *maildirTree) remove(t *testing.T, folder string, n int) {
	t.Helper()
	files := m.files(t, folder, "")
	for _, path := range files[len(files)-n:] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// changed sets a flag on the first n messages of a folder at the server, and expunges what is deleted.
func changed(t *testing.T, c *imapclient.Client, folder string, flag imap.Flag, n uint32) {
	t.Helper()
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	var set imap.SeqSet
	set.AddRange(1, n)
	if err := c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if flag == imap.FlagDeleted {
		if err := c.Expunge().Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// same compares what lies on disk with what the server has, message by message.
func (m *maildirTree) same(t *testing.T, c *imapclient.Client, folder, remote string) {
	t.Helper()
	on := map[string]int{}
	for _, path := range m.files(t, folder, "") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		on[withoutTUID(string(text))]++
	}
	for _, raw := range found(t, c, remote, "Thư") {
		text := withoutTUID(strings.ReplaceAll(string(raw), "\r\n", "\n"))
		if on[text]--; on[text] == 0 {
			delete(on, text)
		}
	}
	for text, n := range on {
		t.Errorf("%s: %d too many on disk (too few when negative) of %.200q", folder, n, text)
		break
	}
}

// withoutTUID takes out the line that mbsync puts into what it carries.
func withoutTUID(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "X-TUID: ") {
			out.WriteString(line)
		}
	}
	return out.String()
}
