package exchange_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore/mailtest"
)

// mbsync (Debian's isync) moves mail as people do who work offline on a Maildir: it uploads the bytes, with a header field of its
// own, and then deletes the mail where it was. That is the act, once; and a deleted open copy is there again at the next run.
func TestMovesByMbsyncAreActs(t *testing.T) {
	mailtest.Program(t, "mbsync")
	const accepted = "&ARAA4w- ti&Hr8-p nh&Hq0-n" // as mbsync names it on disk
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		tr := newTrace(t, h, "mbsync")
		m := newOfflineMaildir(t, tr.addr)
		m.sync(t)
		m.move(t, "INBOX", accepted)
		m.sync(t)
		tr.claim(strings.Fields("handle"))
		for _, claim := range []string{"state syt accepted 1", "events syt delivered downloaded accepted", "letters syt Đã tiếp nhận, số đến 1: 7/SNV-VP",
			"lies syt INBOX = 0", "lies syt Đã tiếp nhận = 1"} {
			tr.claim(strings.Fields(claim))
		}
		m.sync(t)
		for _, f := range m.files(t, accepted) {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		m.sync(t)
		tr.claim(strings.Fields("lies syt Đã tiếp nhận = 0"))
		tr.claim(strings.Fields("handle"))
		m.sync(t)
		if files := m.files(t, accepted); len(files) != 1 {
			t.Errorf("the deleted copy did not come back: %v", files)
		}
		tr.claim(strings.Fields("state syt accepted 1"))
		tr.mustBeSound(t)
	})
}

type offlineMaildir struct{ dir, config string }

func newOfflineMaildir(t *testing.T, addr string) *offlineMaildir {
	root := t.TempDir()
	m := &offlineMaildir{filepath.Join(root, "mail"), filepath.Join(root, "mbsyncrc")}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("IMAPAccount unit\nHost 127.0.0.1\nPort %s\nUser syt@tinh.test\nPass \"mật khẩu syt\"\nSSLType None\nAuthMechs LOGIN\n\n"+
		"IMAPStore far\nAccount unit\n\nMaildirStore near\nPath %s/\nInbox %s/INBOX\nSubFolders Verbatim\n\n"+
		"Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n", port, m.dir, m.dir)
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *offlineMaildir) sync(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "mbsync", "-c", m.config, "-a", "-V").CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
}

func (m *offlineMaildir) files(t *testing.T, folder string) (all []string) {
	t.Helper()
	for _, sub := range []string{"cur", "new"} {
		found, err := filepath.Glob(filepath.Join(m.dir, strings.NewReplacer("[", `\[`).Replace(folder), sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// move puts every mail of a folder into another, as a mail reader on the Maildir does: the name loses the UID.
func (m *offlineMaildir) move(t *testing.T, from, to string) {
	t.Helper()
	files := m.files(t, from)
	if len(files) == 0 {
		t.Fatalf("nothing in %s", from)
	}
	for i, f := range files {
		if err := os.Rename(f, filepath.Join(m.dir, to, "cur", fmt.Sprintf("%d.moved.here:2,S", time.Now().UnixNano()+int64(i)))); err != nil {
			t.Fatal(err)
		}
	}
}
