package exchange_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/signing"
)

// The traces in testdata/moves/*.txt are what mail clients send when somebody moves mail, replayed against the IMAP server and
// the exchange. At the start one document lies in the inboxes of syt and stc; officers an and binh act for syt by delegation.
//
//	> text          the client sends a line ("2>" on connection 2)
//	+ KIND          the client sends a literal: the copy "shown" as it was fetched, as "mozilla" keeps it, "altered", or "foreign",
//	                a document that syt never got; $SIZE-KIND is its size
//	< regexp        lines are skipped until one matches as a whole
//	= handle        the exchange acts on what happened, and dies once before its letters are written
//	= state UNIT STATE [SỐ ĐẾN], = events UNIT KINDS…, = by UNIT KIND ACTOR      what the copy's journal says
//	= letters UNIT SUBJECT; SUBJECT…       what else came into the inbox since the last "letters"
//	= lies UNIT FOLDER N                   official copies in a folder, with the bytes as they were issued
//	= tomorrow                             the clock goes on by a day
//
// $ACCEPTED and so on stand for names of folders as they travel (RFC 3501 §5.1.3).
func TestTracesOfMailClients(t *testing.T) {
	files, err := filepath.Glob("testdata/moves/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("traces: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			forEachClock(t, func(t *testing.T, h *clockHouse) { newTrace(t, h, file).play() })
		})
	}
}

// A clockHouse is a house whose clock the test turns.
type clockHouse struct {
	*house
	ahead *atomic.Int64
}

func (h *clockHouse) tomorrow() { h.ahead.Add(int64(24 * time.Hour)) }

func forEachClock(t *testing.T, fn func(t *testing.T, h *clockHouse)) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "congvan.db")
			if name == "postgres" {
				dsn = mailtest.NewPostgres(t)
			}
			ahead := new(atomic.Int64)
			ctx := context.Background()
			db, err := sqldb.Open(ctx, dsn, sqldb.Options{Logger: mailtest.Quiet, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if err := db.Migrate(ctx, migrations.Files); err != nil {
				t.Fatal(err)
			}
			fn(t, &clockHouse{newHouse(t, db), ahead})
		})
	}
}

type trace struct {
	*clockHouse
	t        *testing.T
	file     string
	addr     string
	doc      exchange.DocumentID
	conns    map[string]*bufio.ReadWriter
	literals map[string][]byte
	letters  map[string]mailcore.UID // the last one seen, by unit
	line     int
}

var traceFolders = strings.NewReplacer("$ACCEPTED", `"&ARAA4w- ti&Hr8-p nh&Hq0-n"`, "$PROGRESS", `"&ARA-ang x&Hu0- l&AP0-"`, "$COMPLETED", `"Ho&AOA-n th&AOA-nh"`,
	"$REFUSED", `"T&Hus- ch&HtE-i"`, "$TRASH", `"Th&APk-ng r&AOE-c"`, "$JUNK", `"Th&AbA- r&AOE-c"`, "$DRAFTS", `"Th&AbA- nh&AOE-p"`,
	"$SHARED/ACCEPTED", `"H&Htk-p th&AbA- &AREBoQ-n v&Hss-/S&Ht8- Y t&Hr8- t&Hsk-nh Th&Hu0-/&ARAA4w- ti&Hr8-p nh&Hq0-n"`,
	"$SHARED/COMPLETED", `"H&Htk-p th&AbA- &AREBoQ-n v&Hss-/S&Ht8- Y t&Hr8- t&Hsk-nh Th&Hu0-/Ho&AOA-n th&AOA-nh"`,
	"$SHARED/REFUSED", `"H&Htk-p th&AbA- &AREBoQ-n v&Hss-/S&Ht8- Y t&Hr8- t&Hsk-nh Th&Hu0-/T&Hus- ch&HtE-i"`,
	"$SHARED", `"H&Htk-p th&AbA- &AREBoQ-n v&Hss-/S&Ht8- Y t&Hr8- t&Hsk-nh Th&Hu0-"`,
	"$LOGIN-AN", `LOGIN an.syt@tinh.test "mật khẩu an.syt"`, "$LOGIN-BINH", `LOGIN binh.syt@tinh.test "mật khẩu binh.syt"`, "$LOGIN", `LOGIN syt@tinh.test "mật khẩu syt"`)

func newTrace(t *testing.T, h *clockHouse, file string) *trace {
	tr := &trace{clockHouse: h, t: t, file: file, conns: map[string]*bufio.ReadWriter{}, literals: map[string][]byte{}, letters: map[string]mailcore.UID{}}
	ctx, cancel := context.WithCancel(context.Background())
	for _, name := range []string{"an", "binh"} {
		address := mailcore.Address(name + ".syt@tinh.test")
		if _, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: address, Kind: mailcore.Officer, Name: name, Unit: "syt", Password: "mật khẩu " + name + ".syt"}}); err != nil {
			t.Fatal(err)
		}
		number := map[string]string{"an": "12/GUQ-SYT", "binh": "13/GUQ-SYT"}[name]
		if _, err := h.mail.Delegate(ctx, address, "syt@tinh.test", number, "2020-01-01", "2126-12-31"); err != nil {
			t.Fatal(err)
		}
	}
	tr.doc = h.issue(t, proposal("7/SNV-VP", "Sở Y tế, Sở Tài chính=syt stc")).Document.ID
	h.issue(t, proposal("8/SNV-VP", "UBND tỉnh=ubnd"))
	shown := tr.shown("syt")
	tr.literals["shown"] = shown
	tr.literals["mozilla"] = append([]byte("X-Mozilla-Status: 0001\r\nX-Mozilla-Status2: 00000000\r\nX-Mozilla-Keys:                                  \r\n"), shown...)
	tr.literals["altered"] = bytes.Replace(shown, []byte("Subject: "), []byte("Subject: (da sua) "), 1)
	tr.literals["foreign"] = tr.shown("ubnd")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr.addr = ln.Addr().String()
	ended := make(chan error, 1)
	conf, _ := mailtest.ServerTLS(t, "localhost")
	server := imapd.New(imapd.Options{Store: h.mail, TLS: conf, Logger: mailtest.Quiet, PlainFromLoopback: true, Grace: time.Second})
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return tr
}

// shown is the one mail in a unit's inbox as clients fetch it.
func (tr *trace) shown(unit string) []byte {
	tr.t.Helper()
	_, box, rows := tr.inbox(tr.t, unit)
	for _, r := range rows {
		if r.Ref != "" {
			return tr.bytesOf(box.ID, r.UID)
		}
	}
	tr.t.Fatalf("no copy in the inbox of %s", unit)
	return nil
}

func (h *house) bytesOf(box mailcore.MailboxID, uid mailcore.UID) []byte {
	stored, err := h.mail.Load(context.Background(), box, []mailcore.UID{uid})
	if err != nil || len(stored) != 1 {
		panic(fmt.Sprint(len(stored), err))
	}
	f, err := h.mail.Blobs().Open(stored[0].Digest)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		panic(err)
	}
	return append(bytes.Clone(stored[0].Prefix), body...)
}

func (tr *trace) play() {
	data, err := os.ReadFile(tr.file)
	if err != nil {
		tr.t.Fatal(err)
	}
	for n, line := range strings.Split(string(data), "\n") {
		if tr.line = n + 1; line != "" && line[0] != '#' {
			tr.step(line)
		}
	}
	tr.mustBeSound(tr.t)
}

func (tr *trace) failf(format string, args ...any) {
	tr.t.Helper()
	tr.t.Fatalf("%s:%d: %s", tr.file, tr.line, fmt.Sprintf(format, args...))
}

func (tr *trace) step(line string) {
	conn := "1"
	if line[0] >= '2' && line[0] <= '9' {
		conn, line = line[:1], line[1:]
	}
	kind, text, _ := strings.Cut(line, " ")
	text = traceFolders.Replace(text)
	for name, data := range tr.literals {
		text = strings.ReplaceAll(text, "$SIZE-"+name, fmt.Sprint(len(data)))
	}
	switch kind {
	case ">":
		tr.send(conn, []byte(text+"\r\n"))
	case "+":
		data, ok := tr.literals[text]
		if !ok {
			tr.failf("unknown literal %q", text)
		}
		tr.send(conn, append(bytes.Clone(data), '\r', '\n'))
	case "<":
		tr.expect(conn, text)
	case "=":
		tr.claim(strings.Fields(text))
	default:
		tr.failf("what is %q?", line)
	}
}

func (tr *trace) peer(conn string) *bufio.ReadWriter {
	if p := tr.conns[conn]; p != nil {
		return p
	}
	c, err := net.Dial("tcp", tr.addr)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	p := bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c))
	tr.conns[conn] = p
	return p
}

func (tr *trace) send(conn string, data []byte) {
	p := tr.peer(conn)
	p.Write(data)
	if err := p.Flush(); err != nil {
		tr.failf("send: %v", err)
	}
}

func (tr *trace) expect(conn, text string) {
	want := regexp.MustCompile("^(?:" + text + ")$")
	var got []string
	for {
		line, err := tr.peer(conn).ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if got = append(got, line); err != nil {
			tr.failf("want %q, got %q, %v", text, got, err)
		}
		if want.MatchString(line) {
			return
		}
	}
}

func (tr *trace) claim(words []string) {
	args := strings.Join(words[1:], " ")
	unit, rest, _ := strings.Cut(args, " ")
	switch words[0] {
	case "handle":
		tr.handleInspiteOfADeath(tr.t)
	case "tomorrow":
		tr.tomorrow()
	case "state":
		d := copyTo(tr.t, tr.status(tr.t, tr.doc), unit)
		if got := strings.TrimSpace(string(d.Handling) + " " + d.ArrivalNumber); got != rest {
			tr.failf("%s is %q", unit, got)
		}
	case "events":
		var kinds []string
		for _, e := range copyTo(tr.t, tr.status(tr.t, tr.doc), unit).Events {
			kinds = append(kinds, e.Event)
		}
		if got := strings.Join(kinds, " "); got != rest {
			tr.failf("events of %s: %q", unit, got)
		}
	case "by":
		kind, who, _ := strings.Cut(rest, " ")
		for _, e := range copyTo(tr.t, tr.status(tr.t, tr.doc), unit).Events {
			if e.Event == kind && e.Actor != who {
				tr.failf("%s by %q", kind, e.Actor)
			}
		}
	case "letters":
		tr.claimLetters(unit, rest)
	case "lies":
		tr.claimLies(unit, rest)
	default:
		tr.failf("unknown claim %q", words)
	}
}

func (tr *trace) claimLetters(unit, want string) {
	var got []string
	_, box, rows := tr.inbox(tr.t, unit)
	for _, r := range rows {
		if r.Ref != "" || r.UID <= tr.letters[unit] {
			continue
		}
		tr.letters[unit] = r.UID
		stored, err := tr.mail.Load(context.Background(), box.ID, []mailcore.UID{r.UID})
		if err != nil {
			tr.t.Fatal(err)
		}
		got = append(got, stored[0].Summary.Envelope.Subject)
	}
	if s := strings.Join(got, "; "); s != want {
		tr.failf("letters to %s: %q", unit, s)
	}
}

func (tr *trace) claimLies(unit, rest string) {
	name, number, _ := strings.Cut(rest, " = ")
	account, _, _ := tr.inbox(tr.t, unit)
	box, err := tr.mail.Mailbox(context.Background(), account.ID, name)
	if err != nil {
		tr.t.Fatal(err)
	}
	rows, _, err := tr.mail.Rows(context.Background(), box.ID)
	if err != nil {
		tr.t.Fatal(err)
	}
	n := 0
	for _, r := range rows {
		if r.Ref == "" {
			continue
		}
		n++
		if unit == "syt" && !bytes.Equal(tr.bytesOf(box.ID, r.UID), tr.literals["shown"]) {
			tr.failf("the copy in %q has other bytes than the one that was issued", name)
		}
	}
	if fmt.Sprint(n) != number {
		tr.failf("%d copies lie in %q", n, name)
	}
}

var errDied = errors.New("died before the letter was stored")

// handleInspiteOfADeath handles what waits in a process that dies before it can store its first letter, and then in another.
func (h *house) handleInspiteOfADeath(t testing.TB) {
	t.Helper()
	h.MailSigner = func(context.Context, mailcore.Address, string) (*signing.MailSigner, error) { return nil, errDied }
	if _, err := h.HandleMail(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.MailSigner = nil
	h.handle(t)
	if left, err := h.mail.PendingEvents(context.Background(), 1); err != nil || len(left) > 0 {
		t.Fatalf("left: %v %v", left, err)
	}
}
