package imapd_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-imap/v2"
)

// However ugly a message is, a mailbox with it can be listed and read to the end, byte for byte.
func TestUglyMessagesBlockNothing(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		files, _ := filepath.Glob("testdata/ugly-*.eml")
		if len(files) < 60 {
			t.Fatalf("only %d ugly messages", len(files))
		}
		want := deliverUgly(h, files)
		c := h.client(nil)
		if _, err := c.Select("INBOX", nil).Wait(); err != nil {
			t.Fatal(err)
		}
		whole := &imap.FetchItemBodySection{Peek: true}
		parts := []*imap.FetchItemBodySection{whole, {Specifier: imap.PartSpecifierHeader, Peek: true}, {Specifier: imap.PartSpecifierText, Peek: true},
			{Part: []int{1}, Peek: true}, {Part: []int{1, 1, 1}, Specifier: imap.PartSpecifierMIME, Peek: true},
			{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"From", "Subject"}, Peek: true}}
		all := imap.SeqSet{{Start: 1, Stop: 0}}
		got, err := c.Fetch(all, &imap.FetchOptions{Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
			RFC822Size: true, BodySection: parts}).Collect()
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d messages, %v", len(got), len(want), err)
		}
		for i, m := range got {
			if body := m.FindBodySection(whole); !bytes.Equal(body, want[i]) || m.RFC822Size != int64(len(want[i])) {
				t.Errorf("%s: %d bytes, size %d, want %d", files[i], len(body), m.RFC822Size, len(want[i]))
			}
			if m.BodyStructure == nil || m.Envelope == nil {
				t.Errorf("%s: no structure", files[i])
			}
		}
		for _, criteria := range []*imap.SearchCriteria{{Body: []string{"không có"}}, {Text: []string{"không có"}},
			{Header: []imap.SearchCriteriaHeaderField{{Key: "X-None", Value: ""}}}} {
			if data, err := c.Search(criteria, nil).Wait(); err != nil || len(data.AllSeqNums()) > 0 {
				t.Errorf("search: %v, %v", data, err)
			}
		}
	})
}

// deliverUgly puts the messages of the files into the inbox and returns what each must be there.
func deliverUgly(h *house, files []string) (want [][]byte) {
	h.t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatal(err)
		}
		if !bytes.ContainsRune(data, '\r') {
			data = crlf(data)
		}
		if len(data) == 0 {
			data = []byte("\r\n")
		}
		h.deliver(mailcore.Inbox, data, "X-Copy: 1\r\n", "")
		want = append(want, append([]byte("X-Copy: 1\r\n"), data...))
	}
	return want
}

// Python's imaplib reads each to the last byte, its email package takes each apart, and mutt lists them all and copies them.
func TestUglyMessagesInRealClients(t *testing.T) {
	mailtest.Program(t, "python3")
	mailtest.Program(t, "mutt")
	mailtest.Program(t, "script")
	h := newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db")))
	files, _ := filepath.Glob("testdata/ugly-*.eml")
	want := deliverUgly(h, files)
	dir := t.TempDir()
	host, port, _ := net.SplitHostPort(h.tls)
	read := exec.Command("python3", "-c", readAll, host, port, unitAddress, password, dir)
	if out, err := read.CombinedOutput(); err != nil {
		t.Fatalf("python: %v\n%s", err, out)
	}
	for i, text := range want {
		if got, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i+1))); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: python got %d bytes of %d, %v", files[i], len(got), len(text), err)
		}
	}
	rc := filepath.Join(dir, "muttrc")
	text := fmt.Sprintf(`set folder = "imaps://%s/"
set spoolfile = "imaps://%[1]s/INBOX"
set imap_user = "%s"
set imap_pass = "%s"
set ssl_verify_host = no
set ssl_verify_dates = no
set certificate_file = "%s/certificates"
set mbox_type = Maildir
set confirmcreate = no
set confirmappend = no
set wait_key = no
set quit = yes
set copy = no
set sleep_time = 0
push "<tag-pattern>~A<enter><tag-prefix><copy-message>%[4]s/mutt<enter><quit>"
`, h.tls, unitAddress, password, dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(dir, "certificates")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.leaf}), 0o600); err != nil {
		t.Fatal(err)
	}
	mutt := exec.Command("timeout", "60", "script", "-qec", "mutt -n -F "+rc, "/dev/null")
	mutt.Env = append(os.Environ(), "HOME="+dir, "TERM=xterm", "LC_ALL=C.UTF-8")
	out, err := mutt.CombinedOutput()
	copied, _ := filepath.Glob(filepath.Join(dir, "mutt", "*", "*"))
	if len(copied) != len(files) {
		t.Errorf("mutt copied %d of %d messages: %v\n%.2000s", len(copied), len(files), err, out)
	}
}

// readAll is a client that fetches every message whole and takes it apart.
const readAll = `
import email, email.policy, imaplib, ssl, sys
host, port, user, password, folder = sys.argv[1:]
c = imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl._create_unverified_context())
c._encoding = 'utf-8'
c.login(user, password)
count = int(c.select('INBOX')[1][0])
for n in range(1, count + 1):
    ok, data = c.fetch(str(n), '(FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)')
    assert ok == 'OK', (n, ok)
    ok, data = c.fetch(str(n), '(BODY.PEEK[])')
    body = data[0][1]
    open(folder + '/' + str(n), 'wb').write(body)
    for part in email.message_from_bytes(body).walk():
        part.get_content_type()
ok, found = c.search(None, 'ALL')
assert len(found[0].split()) == count, found
c.logout()
`
