package imapd_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// mbsync (Debian's isync) keeps a Maildir and an account the same in both directions, over STARTTLS.
func TestMbsyncBothWays(t *testing.T) {
	if _, err := exec.LookPath("mbsync"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mbsync is not installed (apt-get install --no-install-recommends isync)")
		}
		t.Skip("SKIPPED, nothing tested: mbsync is not installed (apt-get install --no-install-recommends isync)")
	}
	const accepted, private = "&ARAA4w- ti&Hr8-p nh&Hq0-n", "Vi&Hsc-c ri&AOo-ng" // mbsync names folders on disk as they travel
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		m := newMaildir(t, h, password, "LOGIN")
		h.deliver(mailcore.Inbox, eml(t, "official.eml"), "Return-Path: <>\r\n", "dispatch:9")
		h.deliver(mailcore.FolderAccepted, eml(t, "nested.eml"), "", "")
		for i := range 30 {
			h.deliver(mailcore.Inbox, letter("Thư", i), "", "")
		}
		m.sync(t)
		if got := m.count(t, "INBOX"); got != 31 {
			t.Fatalf("%d messages came", got)
		}
		if got := m.count(t, accepted); got != 1 {
			t.Fatalf("%d messages came from the folder with marks: %v", got, m.folders(t))
		}
		if events := h.events("dispatch:9"); events != "downloaded" {
			t.Errorf("a synchroniser caused %q", events)
		}
		// Down to up: a new folder with a message, a flag, a deletion.
		m.add(t, private, letter("Ghi chép", 1))
		m.markSeen(t, "INBOX")
		m.sync(t)
		status := h.status("Việc riêng")
		if status.Messages != 1 {
			t.Errorf("the new folder has %d messages", status.Messages)
		}
		if s := h.status(mailcore.Inbox); s.Messages != 31 || s.Unseen != 30 {
			t.Errorf("INBOX: %d messages, %d unseen", s.Messages, s.Unseen)
		}
		// Up to down: a deletion and a flag made by another client.
		p := h.session()
		p.command(t, "SELECT INBOX")
		p.command(t, `STORE 5:9 +FLAGS.SILENT (\Deleted)`)
		p.command(t, "EXPUNGE")
		p.command(t, `STORE 10 +FLAGS.SILENT (\Flagged)`)
		m.sync(t)
		if got := m.count(t, "INBOX"); got != 26 {
			t.Errorf("%d messages stayed", got)
		}
		if flagged, _ := filepath.Glob(filepath.Join(m.dir, "INBOX", "cur", "*:2,F*")); len(flagged) != 1 {
			t.Errorf("flagged: %v", flagged)
		}
	})
}

func (h *house) status(name string) mailcore.MailboxStatus {
	h.t.Helper()
	mb, err := h.store.Mailbox(context.Background(), h.account.ID, name)
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	s, err := h.store.MailboxStatus(context.Background(), mb.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

type maildir struct{ dir, config string }

func newMaildir(t *testing.T, h *house, secret, mechs string) *maildir {
	root := t.TempDir()
	m := &maildir{dir: filepath.Join(root, "mail"), config: filepath.Join(root, "mbsyncrc")}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(root, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.leaf}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(h.plain)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`IMAPAccount unit
Host localhost
Port %s
User %s
Pass "%s"
SSLType STARTTLS
CertificateFile %s
AuthMechs %s

IMAPStore far
Account unit

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
SyncState *
`, port, unitAddress, secret, ca, mechs, m.dir, m.dir)
	if err := os.WriteFile(m.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// sync runs mbsync and returns what it says.
func (m *maildir) sync(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "mbsync", "-c", m.config, "-a", "-V").CombinedOutput()
	if err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
	return string(out)
}

func (m *maildir) files(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	for _, sub := range []string{"cur", "new"} {
		found, err := filepath.Glob(filepath.Join(m.dir, folder, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func (m *maildir) count(t *testing.T, folder string) int { return len(m.files(t, folder)) }

func (m *maildir) folders(t *testing.T) []string {
	names, err := filepath.Glob(filepath.Join(m.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (m *maildir) add(t *testing.T, folder string, msg []byte) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(m.dir, folder, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	msg = bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n"))
	if err := os.WriteFile(filepath.Join(m.dir, folder, "new", "1.1.here"), msg, 0o600); err != nil {
		t.Fatal(err)
	}
}

// markSeen marks one message as read, as a mail reader on the Maildir would.
func (m *maildir) markSeen(t *testing.T, folder string) {
	t.Helper()
	for _, f := range m.files(t, folder) {
		name, flags, ok := strings.Cut(filepath.Base(f), ":2,")
		if ok && strings.Contains(flags, "S") {
			continue
		}
		if err := os.Rename(f, filepath.Join(m.dir, folder, "cur", name+":2,"+flags+"S")); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("nothing to mark")
}
