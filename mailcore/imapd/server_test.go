package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-imap/v2"
)

func sqlite(t testing.TB) *sqldb.DB {
	return mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db"))
}

func TestIssuedPasswordLetsNobodyInAndSaysWhatToDo(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.AccountURL = "https://mail.kontum.test/account" })
	h.newAccount("moi@kontum.test", mailcore.Unit, true)
	c := h.dialTLS()
	in := bufio.NewReader(c)
	in.ReadString('\n')
	fmt.Fprintf(c, "a LOGIN moi@kontum.test %q\r\n", password)
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "a NO [ALERT] Phai doi mat khau") || !strings.Contains(line, "https://mail.kontum.test/account ") {
		t.Errorf("answer %q, %v", line, err)
	}
	fmt.Fprint(c, "b SELECT INBOX\r\n")
	if line, _ := in.ReadString('\n'); !strings.HasPrefix(line, "b BAD") {
		t.Errorf("SELECT without login: %q", line)
	}
}

func TestWrongPasswordsAreAnsweredLater(t *testing.T) {
	const delay = 60 * time.Millisecond
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.FailureDelay = delay })
	c := h.dialTLS()
	in := bufio.NewReader(c)
	in.ReadString('\n')
	for n, least := range []time.Duration{delay, 2 * delay, 4 * delay} {
		start := time.Now()
		fmt.Fprintf(c, "a LOGIN %s wrong%d\r\n", unitAddress, n)
		if line, err := in.ReadString('\n'); !strings.HasPrefix(line, "a NO [AUTHENTICATIONFAILED]") || time.Since(start) < least {
			t.Errorf("failure %d: %q, %v after %v", n+1, line, err, time.Since(start))
		}
	}
}

func TestTooManyConnectionsAreTurnedAway(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.MaxPerAddress = 2 })
	var held []net.Conn
	for range 2 {
		held = append(held, h.dialTLS())
	}
	c, err := net.Dial("tcp", h.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "* BYE [UNAVAILABLE]") {
		t.Errorf("third connection got %q", answer)
	}
	p := &peer{held[1], bufio.NewReader(held[1])} // who logs in is no stranger any more, and leaves a place
	p.SetDeadline(time.Now().Add(deadline))
	p.until(t, `\* OK .*`)
	p.command(t, fmt.Sprintf("LOGIN %s %q", unitAddress, password))
	held = append(held, h.dialTLS())
	p.command(t, "NOOP")
	held[0].Close()
	waitFor(t, "a place", func() bool {
		c, err := tls.Dial("tcp", h.tls, h.config())
		if err != nil {
			return false
		}
		defer c.Close()
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.HasPrefix(line, "* OK")
	})
}

func TestWhoDoesNotLogInIsSentAway(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.LoginTimeout = 5 * time.Second })
	for _, c := range []net.Conn{h.dialTLS(), mustDial(t, h.plain)} {
		c.SetDeadline(time.Now().Add(deadline))
		answer, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(answer), "* BYE Too long without a login") {
			t.Errorf("got %q, %v", answer, err)
		}
	}
	mute := mustDial(t, h.tls) // not even a handshake
	mute.SetDeadline(time.Now().Add(deadline))
	if _, err := io.ReadAll(mute); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a connection without a handshake stays open")
	}
}

func mustDial(t testing.TB, addr string) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Whoever waits or idles is told BYE at once; a client that takes nothing cannot hold the server up for longer than Grace.
func TestShutdownSaysBye(t *testing.T) {
	h := newHouse(t, sqlite(t), func(o *imapd.Options) { o.Grace = 5 * time.Second })
	h.deliver(mailcore.Inbox, bytes.Repeat([]byte("x: y\r\n"), 4<<20/6), "", "")
	idle, waiting, stuck := h.session(), h.session(), h.session()
	for _, c := range []*peer{idle, stuck} {
		c.command(t, "SELECT INBOX")
	}
	fmt.Fprint(idle, "i IDLE\r\n")
	idle.until(t, `\+ .*`)
	fmt.Fprint(stuck, "s FETCH 1 BODY.PEEK[]\r\n")
	stuck.until(t, `\* 1 FETCH .*`)
	start := time.Now()
	h.stop()
	if took := time.Since(start); took > deadline {
		t.Errorf("shutdown took %v", took)
	}
	for _, tc := range []struct {
		name string
		c    *peer
	}{{"idle", idle}, {"waiting", waiting}} {
		if rest, err := io.ReadAll(tc.c.in); err != nil || !strings.Contains(string(rest), "* BYE Server is shutting down") {
			t.Errorf("%s got %q, %v", tc.name, rest, err)
		}
	}
	if _, err := net.Dial("tcp", h.plain); err == nil {
		t.Error("the port is still open")
	}
}

// session is a raw connection that is logged in.
func (h *house) session() *peer {
	c := h.dialTLS()
	p := &peer{c, bufio.NewReader(c)}
	p.SetDeadline(time.Now().Add(10 * deadline))
	p.until(h.t, `\* OK .*`)
	p.command(h.t, fmt.Sprintf("LOGIN %s %q", unitAddress, password))
	return p
}

// command runs a command and returns its untagged lines; it must succeed.
func (p *peer) command(t testing.TB, text string) string {
	t.Helper()
	fmt.Fprintf(p, "x %s\r\n", text)
	return p.until(t, "x OK .*")
}

func (p *peer) until(t testing.TB, want string) string {
	t.Helper()
	re := regexp.MustCompile("^(?:" + want + ")\r\n$")
	var before strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			t.Fatalf("want %q, got %q, %v", want, line, err)
		}
		if re.MatchString(line) {
			return before.String()
		}
		before.WriteString(line)
	}
}

func TestThousandMessagesAreFetched(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		fill(h, 1000)
		c := h.client(nil)
		data, err := c.Select("INBOX", nil).Wait()
		if err != nil || data.NumMessages != 1000 {
			t.Fatalf("%+v, %v", data, err)
		}
		whole := &imap.FetchItemBodySection{Peek: true}
		got, err := c.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true, Envelope: true, RFC822Size: true,
			BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
		if err != nil || len(got) != 1000 {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		for i, m := range got {
			if m.SeqNum != uint32(i+1) || m.UID != imap.UID(i+1) || m.RFC822Size != int64(len(m.FindBodySection(whole))) ||
				m.Envelope.Subject != fmt.Sprintf("Công văn %d", i%distinct) {
				t.Fatalf("message %d: %+v", i, m)
			}
		}
		found, err := c.Search(&imap.SearchCriteria{Body: []string{"thu so 17"}}, nil).Wait()
		if nums := found.AllSeqNums(); err != nil || len(nums) != 1000/distinct {
			t.Errorf("found %v, %v", nums, err)
		}
	})
}

// distinct is how many bodies fill uses: each costs a file and its syncs.
const distinct = 40

// fill delivers n copies of small letters to the unit's INBOX, in turn.
func fill(h *house, n int) {
	h.t.Helper()
	ctx := context.Background()
	var bodies []*mailcore.Body
	for i := range distinct {
		b, err := h.store.SaveBody(ctx, bytes.NewReader(letter("Công văn", i)), 0)
		if err != nil {
			h.t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	err := h.store.DB().Write(ctx, func(tx *sqldb.Tx) error {
		for i := range n {
			if _, err := h.store.DeliverTx(ctx, tx, bodies[i%distinct], []mailcore.Copy{{Account: h.account.ID}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// A message of 50 MB costs neither the appender nor the reader 50 MB here.
func TestLargeMessagesAreStreamed(t *testing.T) {
	const size = 50 << 20
	h := newHouse(t, sqlite(t))
	p := h.session()
	var peak uint64
	watch := func(do func()) {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		done := make(chan struct{})
		var w sync.WaitGroup
		w.Add(1)
		go func() {
			defer w.Done()
			for {
				runtime.ReadMemStats(&now)
				if now.HeapAlloc > before.HeapAlloc {
					peak = max(peak, now.HeapAlloc-before.HeapAlloc)
				}
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		}()
		do()
		close(done)
		w.Wait()
	}
	head := "From: a@kontum.test\r\nSubject: lon\r\nContent-Type: application/octet-stream\r\n\r\n"
	block := []byte(strings.Repeat(strings.Repeat("z", 76)+"\r\n", 512))
	watch(func() {
		total := len(head) + size/len(block)*len(block)
		fmt.Fprintf(p, "a APPEND INBOX {%d}\r\n", total)
		p.until(t, `\+ .*`)
		io.WriteString(p, head)
		for range size / len(block) {
			p.Write(block)
		}
		fmt.Fprint(p, "\r\n")
		p.until(t, "a OK .*")
	})
	p.command(t, "SELECT INBOX")
	watch(func() {
		fmt.Fprint(p, "b FETCH 1 (BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[1])\r\n")
		n := int64(0)
		for {
			line, err := p.in.ReadSlice('\n')
			if err != nil {
				t.Fatal(err)
			}
			n += int64(len(line))
			if bytes.HasPrefix(line, []byte("b OK")) {
				break
			}
		}
		if n < 2*size*99/100 {
			t.Errorf("only %d bytes came", n)
		}
	})
	t.Logf("heap grew by %.1f MB", float64(peak)/1e6)
	if peak > 20<<20 {
		t.Errorf("heap grew by %d bytes", peak)
	}
}

// A delivery is seen by an IDLE client at once, by way of the database's wake-up.
func TestIdleSeesDeliveries(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		p := h.session()
		p.command(t, "SELECT INBOX")
		fmt.Fprint(p, "i IDLE\r\n")
		p.until(t, `\+ .*`)
		for n := range 5 {
			start := time.Now()
			h.deliver(mailcore.Inbox, letter("Thư", n), "", "")
			p.until(t, fmt.Sprintf(`\* %d EXISTS`, n+1))
			if d := time.Since(start); d > deadline { // IDLE looks by itself after 90 s
				t.Errorf("seen after %v", d)
			}
		}
		// Hanging up in the middle of IDLE ends the session.
		p.Close()
	})
}

// What a message of 60 KB in one go must not do: be taken for commands. The client library sends large literals only when
// asked, so the message goes through and the copy is whole.
func TestClientAppendsAndReads(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		c := h.client(nil)
		name := "Văn bản đến/Năm 2026"
		if err := c.Create(name, nil).Wait(); err != nil {
			t.Fatal(err)
		}
		msg := append(letter("Báo cáo", 1), bytes.Repeat([]byte("EVIL CREATE hacked\r\n"), 3000)...)
		cmd := c.Append(name, int64(len(msg)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
		if _, err := cmd.Write(msg); err != nil {
			t.Fatal(err)
		}
		cmd.Close()
		data, err := cmd.Wait()
		if err != nil || data.UID != 1 {
			t.Fatalf("%+v, %v", data, err)
		}
		if _, err := c.Select(name, nil).Wait(); err != nil {
			t.Fatal(err)
		}
		whole := &imap.FetchItemBodySection{}
		got, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
		if err != nil || !bytes.Equal(got[0].FindBodySection(whole), msg) {
			t.Fatalf("read back: %v", err)
		}
		list, err := c.List("", "*", nil).Collect()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range list {
			names = append(names, l.Mailbox)
		}
		if got := strings.Join(names, ","); !strings.Contains(got, name) || strings.Contains(got, "hacked") {
			t.Errorf("mailboxes %s", got)
		}
	})
}

// Two nodes over one database and one folder of blobs: what one accepts, an IDLE client of the other sees.
func TestIdleSeesOtherNodes(t *testing.T) {
	dsn := mailtest.NewPostgres(t)
	h := newHouse(t, mailtest.Open(t, dsn))
	other := *h
	other.store = mailcore.NewStore(mailtest.Open(t, dsn), h.store.Blobs(), mailtest.Quiet)
	p := h.session()
	p.command(t, "SELECT INBOX")
	fmt.Fprint(p, "i IDLE\r\n")
	p.until(t, `\+ .*`)
	var slowest time.Duration
	for n := range 10 {
		start := time.Now()
		other.deliver(mailcore.Inbox, letter("Thư", n), "", "")
		p.until(t, fmt.Sprintf(`\* %d EXISTS`, n+1))
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("slowest %v", slowest)
	if slowest > deadline { // IDLE looks by itself after 90 s
		t.Errorf("seen after %v", slowest)
	}
}

// Three sessions change one mailbox while it is delivered to. In the end each has been told what is there, by updates alone.
func TestViewsAgreeInTheEnd(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		fill(h, 20)
		mirrors := [3]*mirror{{peer: h.session()}, {peer: h.session()}, {peer: h.session()}}
		var w sync.WaitGroup
		for k, m := range mirrors {
			w.Add(1)
			go func() { defer w.Done(); m.scramble(t, k) }()
		}
		fill(h, 60)
		w.Wait()
		final := &mirror{peer: h.session()}
		final.run(t, "SELECT INBOX")
		final.learn(t)
		if len(final.known) == 0 {
			t.Fatal("nothing is left to compare")
		}
		for k, m := range mirrors {
			m.run(t, "NOOP")
			m.learn(t)
			if !slices.Equal(m.known, final.known) {
				t.Errorf("session %d was told\n%s\nbut there is\n%s", k, m.known, final.known)
			}
		}
	})
}

// A mirror is a client that believes what it is told.
type mirror struct {
	*peer
	known []string // UID and flags by number; "" for a message that was only counted
}

var (
	told      = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)`)
	toldUID   = regexp.MustCompile(`UID (\d+)`)
	toldFlags = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

func (m *mirror) run(t *testing.T, command string) {
	fmt.Fprintf(m, "x %s\r\n", command)
	for _, line := range strings.Split(m.until(t, "x (OK|NO|BAD) .*"), "\r\n") {
		x := told.FindStringSubmatch(line)
		if x == nil {
			continue
		}
		n, _ := strconv.Atoi(x[1])
		switch {
		case x[2] == "EXISTS" && n < len(m.known), x[2] != "EXISTS" && (n < 1 || n > len(m.known)):
			t.Errorf("told %q with %d messages", line, len(m.known))
		case x[2] == "EXISTS":
			m.known = append(m.known, make([]string, n-len(m.known))...)
		case x[2] == "EXPUNGE":
			m.known = slices.Delete(m.known, n-1, n)
		default:
			uid, flags := toldUID.FindStringSubmatch(line), toldFlags.FindStringSubmatch(line)
			if uid == nil || flags == nil {
				t.Errorf("told only %q", line)
				continue
			}
			if old := m.known[n-1]; old != "" && !strings.HasPrefix(old, uid[1]+" ") {
				t.Errorf("number %d was %q, now %q", n, old, line)
			}
			m.known[n-1] = uid[1] + " " + flags[1]
		}
	}
}

// learn asks for what the client does not know yet.
func (m *mirror) learn(t *testing.T) {
	for i, k := range m.known {
		if k == "" {
			m.run(t, fmt.Sprintf("FETCH %d:%d (UID FLAGS)", i+1, len(m.known)))
			return
		}
	}
}

func (m *mirror) scramble(t *testing.T, seed int) {
	m.run(t, "SELECT INBOX")
	r := rand.New(rand.NewPCG(1, uint64(seed)))
	for range 60 {
		m.learn(t)
		n := 1 + r.IntN(max(1, len(m.known)))
		m.run(t, [...]string{fmt.Sprintf(`UID STORE %d:%d +FLAGS (\Flagged k%d)`, n, n+2, seed), fmt.Sprintf(`STORE %d -FLAGS (\Flagged)`, n),
			fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, n), "EXPUNGE", "NOOP", "UID SEARCH ALL", fmt.Sprintf("UID COPY %d INBOX", n)}[r.IntN(7)])
	}
}

// Moving mail into the junk, or back, is how people say what they think of it.
func TestJunkIsTold(t *testing.T) {
	var told []string
	h := newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")), func(o *imapd.Options) {
		o.Junk = func(junk bool, _ mailcore.MailboxID, uids []mailcore.UID) {
			told = append(told, fmt.Sprint(junk, len(uids)))
		}
	})
	for i := range 3 {
		h.deliver("INBOX", letter("x", i), "", "")
	}
	c := h.client(nil)
	for _, step := range []struct {
		from, to string
		set      imap.SeqSet
		copy     bool
	}{{"INBOX", "Thư rác", imap.SeqSetNum(1, 2), false}, {"Thư rác", "Thùng rác", imap.SeqSetNum(1), false}, {"Thư rác", "INBOX", imap.SeqSetNum(1), false},
		{"INBOX", "Thư rác", imap.SeqSetNum(1), true}, {"INBOX", "Đã gửi", imap.SeqSetNum(1), true}} {
		if _, err := c.Select(step.from, nil).Wait(); err != nil {
			t.Fatal(err)
		}
		var err error
		if step.copy {
			_, err = c.Copy(step.set, step.to).Wait()
		} else {
			_, err = c.Move(step.set, step.to).Wait()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"true 2", "false 1", "true 1"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
