package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
	"congvan/mailcore/sqldb"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("congvan/mailcore/mailtest.startServer.func1")) // the throwaway PostgreSQL lives as long as the process
}

var ctx = context.Background()

const sender = "a1@kontum.test"

// A house is a store with one account and whatever queues a test starts on it.
type house struct {
	t     testing.TB
	db    *sqldb.DB
	store *mailcore.Store
	body  *mailcore.Body
}

func newHouse(t testing.TB, db *sqldb.DB) *house {
	t.Helper()
	dir, err := blob.OpenDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, store: mailcore.NewStore(db, dir, mailtest.Quiet)}
	if _, err := h.store.CreateAccounts(ctx, []mailcore.NewAccount{{Address: sender, Kind: mailcore.Unit, Name: "Sở Một"}}); err != nil {
		t.Fatal(err)
	}
	h.body = h.save("From: a1@kontum.test\r\nSubject: =?utf-8?q?B=C3=A1o_c=C3=A1o?=\r\nMessage-ID: <m1@kontum.test>\r\n\r\n.một dòng\r\nhết\r\n")
	return h
}

func (h *house) save(text string) *mailcore.Body {
	h.t.Helper()
	b, err := h.store.SaveBody(ctx, strings.NewReader(text), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func forEach(t *testing.T, fn func(t *testing.T, h *house)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		fn(t, h)
		h.check()
	})
}

func onSQLite(t testing.TB) *house {
	t.Helper()
	return newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db")))
}

func (h *house) check() {
	h.t.Helper()
	found, err := h.store.Check(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range found {
		h.t.Errorf("invariant: %s", f)
	}
}

// enqueue puts the body into the outbox, with defaults where a row leaves them out.
func (h *house) enqueue(out ...mailcore.Outgoing) []mailcore.OutboxID {
	h.t.Helper()
	for i := range out {
		if out[i].Rcpt == "" {
			out[i].Rcpt = "vanthu@bo.test"
		}
		if out[i].Sender == "" {
			out[i].Sender = sender
		} else if out[i].Sender == "null@x" {
			out[i].Sender = ""
		}
		if out[i].Prefix == nil {
			out[i].Prefix = []byte("X-Prefix: 1\r\n")
		}
	}
	var ids []mailcore.OutboxID
	err := h.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		ids, err = h.store.EnqueueTx(ctx, tx, h.body, out)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return ids
}

// run starts a queue; its stop waits until everything it started has ended.
func (h *house) run(change func(*queue.Options)) (stop func()) {
	h.t.Helper()
	opt := queue.Options{Store: h.store, Domain: "kontum.test", Hostname: "mail.kontum.test", Logger: mailtest.Quiet, LoopbackOnly: true,
		Backoff: []time.Duration{time.Hour}, FlashBackoff: []time.Duration{time.Hour}, Resolver: noDNS{h.t},
		CommandTimeout: time.Minute, DotTimeout: time.Minute, Grace: 300 * time.Millisecond}
	change(&opt)
	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- queue.New(opt).Run(run) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				h.t.Errorf("run: %v", err)
			}
		case <-time.After(time.Minute):
			h.t.Fatal("the queue did not stop")
		}
	}
	h.t.Cleanup(stop)
	return stop
}

func to(p *mailtest.Peer) func(*queue.Options) {
	return func(o *queue.Options) { o.Routes = map[string]string{"bo.test": p.Addr} }
}

// noDNS fails the test when anybody asks.
type noDNS struct{ t testing.TB }

func (n noDNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	n.t.Errorf("the DNS was asked for the MX of %s", name)
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (n noDNS) LookupHost(_ context.Context, name string) ([]string, error) {
	n.t.Errorf("the DNS was asked for %s", name)
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

// A state is what the tables say of an outbox row and its last attempt.
type state struct {
	State    string `db:"state"`
	Tries    int    `db:"tries"`
	NextAt   int64  `db:"next_at"`
	Outcome  string `db:"outcome"`
	Phase    string `db:"phase"`
	Code     int    `db:"code"`
	Enhanced string `db:"enhanced"`
	Dialogue string `db:"dialogue"`
	Attempts int    `db:"attempts"`
}

func (h *house) state(id mailcore.OutboxID) state {
	h.t.Helper()
	var s state
	err := h.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &s, `SELECT o.state, o.tries, o.next_at, COALESCE(a.outcome, '') AS outcome, COALESCE(a.phase, '') AS phase,
			COALESCE(a.code, 0) AS code, COALESCE(a.enhanced, '') AS enhanced, COALESCE(a.dialogue, '') AS dialogue,
			(SELECT COUNT(*) FROM attempt n WHERE n.outbox_id = o.id) AS attempts
			FROM outbox o LEFT JOIN attempt a ON a.outbox_id = o.id AND a.id = (SELECT MAX(id) FROM attempt l WHERE l.outbox_id = o.id)
			WHERE o.id = $1`, id)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// await waits until the row's last attempt has ended and the row is in one of the states.
func (h *house) await(id mailcore.OutboxID, want ...string) state {
	h.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		s := h.state(id)
		for _, w := range want {
			if s.State == w && s.Outcome != "" {
				return s
			}
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("row %d is %+v, want %v", id, s, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (h *house) events() []mailcore.Event {
	h.t.Helper()
	events, err := h.store.PendingEvents(ctx, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}

// inbox returns the bodies in the sender's INBOX.
func (h *house) inbox() (bodies []string) {
	h.t.Helper()
	a, err := h.store.Account(ctx, sender)
	if err != nil {
		h.t.Fatal(err)
	}
	m, err := h.store.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		h.t.Fatal(err)
	}
	rows, _, err := h.store.Rows(ctx, m.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rows {
		got, err := h.store.Load(ctx, m.ID, []mailcore.UID{r.UID})
		if err != nil || len(got) != 1 {
			h.t.Fatal(err)
		}
		f, err := h.store.Blobs().Open(got[0].Digest)
		if err != nil {
			h.t.Fatal(err)
		}
		b := make([]byte, f.Size())
		f.ReadAt(b, 0)
		f.Close()
		bodies = append(bodies, string(b))
	}
	return bodies
}

func TestSentMailIsWhole(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{})
		stop := h.run(to(p))
		id := h.enqueue(mailcore.Outgoing{EnvID: "d7=1", Ref: "dispatch:7"})[0]
		m := p.WaitMails(t, 1)[0]
		s := h.await(id, mailcore.OutboxSent)
		stop()
		want := "X-Prefix: 1\r\nFrom: a1@kontum.test\r\nSubject: =?utf-8?q?B=C3=A1o_c=C3=A1o?=\r\nMessage-ID: <m1@kontum.test>\r\n\r\n.một dòng\r\nhết\r\n"
		if m.Data != want || m.From != sender || m.Rcpts[0] != "vanthu@bo.test" || m.Helo != "mail.kontum.test" {
			t.Errorf("the peer got %+v", m)
		}
		if a := fmt.Sprintf("SIZE=%d BODY=8BITMIME RET=HDRS ENVID=d7+3D1", len(want)); m.MailArgs != a {
			t.Errorf("MAIL %q, want %q", m.MailArgs, a)
		}
		if m.RcptArgs[0] != "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;vanthu@bo.test" {
			t.Errorf("RCPT %q", m.RcptArgs[0])
		}
		if s.Phase != "done" || s.Code != 250 || s.Enhanced != "2.0.0" || !strings.Contains(s.Dialogue, "> RCPT TO:<vanthu@bo.test>") || strings.Contains(s.Dialogue, "dòng") {
			t.Errorf("attempt %+v", s)
		}
		e := h.events()
		var d mailcore.OutboxDetail
		if len(e) != 1 || e[0].Kind != mailcore.EventRelayed || e[0].Ref != "dispatch:7" || json.Unmarshal([]byte(e[0].Detail), &d) != nil || d.Outbox != id {
			t.Errorf("events %+v", e)
		}
	})
}

func TestOutcomes(t *testing.T) {
	const drop, hang = mailtest.Drop, mailtest.Hang
	cases := []struct {
		name            string
		script          mailtest.PeerScript
		state, phase    string
		code            int
		enhanced, event string
	}{
		{"greeting 421", mailtest.PeerScript{Greeting: "421 4.3.2 not now"}, "queued", "connect", 421, "4.3.2", "later"},
		{"greeting 554", mailtest.PeerScript{Greeting: "554 5.7.1 go away"}, "queued", "connect", 0, "4.3.2", "later"},
		{"greeting 521", mailtest.PeerScript{Greeting: "521 never"}, "failed", "connect", 0, "5.3.2", "failed"},
		{"greeting drop", mailtest.PeerScript{Greeting: drop}, "queued", "connect", 0, "4.4.2", "later"},
		{"greeting nonsense", mailtest.PeerScript{Greeting: "HTTP/1.1 400 Bad Request"}, "queued", "connect", 0, "4.4.2", "later"},
		{"ehlo 550", mailtest.PeerScript{Ehlo: "550 5.7.1 bad name"}, "queued", "connect", 0, "4.3.2", "later"},
		{"mail 451", mailtest.PeerScript{Mail: "451 4.3.0 later"}, "queued", "mail", 451, "4.3.0", "later"},
		{"mail 550", mailtest.PeerScript{Mail: "550 5.1.8 no such sender"}, "failed", "mail", 550, "5.1.8", "failed"},
		{"mail hang", mailtest.PeerScript{Mail: hang}, "queued", "mail", 0, "4.4.2", "later"},
		{"rcpt 450", mailtest.PeerScript{Rcpt: "450 4.2.0 greylisted"}, "queued", "rcpt", 450, "4.2.0", "later"},
		{"rcpt 550", mailtest.PeerScript{Rcpt: "550-5.1.1 no such\n550 5.1.1 user"}, "failed", "rcpt", 550, "5.1.1", "failed"},
		{"rcpt 550 bare", mailtest.PeerScript{Rcpt: "550 no"}, "failed", "rcpt", 550, "", "failed"},
		{"rcpt drop", mailtest.PeerScript{Rcpt: drop}, "queued", "rcpt", 0, "4.4.2", "later"},
		{"data 421", mailtest.PeerScript{Data: "421 4.3.2 stopping"}, "queued", "data", 421, "4.3.2", "later"},
		{"data 554", mailtest.PeerScript{Data: "554 5.7.1 no"}, "failed", "data", 554, "5.7.1", "failed"},
		{"data 250", mailtest.PeerScript{Data: "250 2.0.0 what"}, "queued", "data", 250, "2.0.0", "later"},
		{"dot 451", mailtest.PeerScript{Dot: "451 4.2.2 full"}, "queued", "dot", 451, "4.2.2", "later"},
		{"dot 554", mailtest.PeerScript{Dot: "554 5.6.0 spam"}, "failed", "dot", 554, "5.6.0", "failed"},
		{"dot drop", mailtest.PeerScript{Dot: drop}, "uncertain", "dot", 0, "", "uncertain"},
		{"dot hang", mailtest.PeerScript{Dot: hang}, "uncertain", "dot", 0, "", "uncertain"},
		{"dot nonsense", mailtest.PeerScript{Dot: "ok"}, "uncertain", "dot", 0, "", "uncertain"},
		{"dot 354", mailtest.PeerScript{Dot: "354 go on"}, "uncertain", "dot", 354, "", "uncertain"},
	}
	forEach(t, func(t *testing.T, h *house) {
		routes := map[string]string{}
		ids := make([]mailcore.OutboxID, len(cases))
		for i, c := range cases {
			domain := fmt.Sprintf("d%d.test", i)
			routes[domain] = mailtest.NewPeer(t, c.script).Addr
			ids[i] = h.enqueue(mailcore.Outgoing{Rcpt: mailcore.Address("x@" + domain), Ref: fmt.Sprint("r", i)})[0]
		}
		stop := h.run(func(o *queue.Options) {
			o.Routes = routes
			o.CommandTimeout, o.DotTimeout = 6*time.Second, 6*time.Second // the silent ones; the others must answer within, on a loaded machine, too
		})
		for i, c := range cases {
			s := h.await(ids[i], c.state)
			if s.Phase != c.phase || s.Code != c.code || s.Enhanced != c.enhanced || s.Attempts != 1 {
				t.Errorf("%s: %+v", c.name, s)
			}
		}
		stop()
		kinds := map[string]string{}
		for _, e := range h.events() {
			kinds[e.Ref] = e.Kind
		}
		for i, c := range cases {
			if got := kinds[fmt.Sprint("r", i)]; got != c.event {
				t.Errorf("%s: event %q, want %q", c.name, got, c.event)
			}
		}
		if got := h.inbox(); len(got) != 0 {
			t.Errorf("%d reports for rows that have a ref", len(got))
		}
	})
}

func TestLineBrokenInsideTheBodyIsLater(t *testing.T) {
	h := onSQLite(t)
	h.body = h.save("From: a1@kontum.test\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 400_000)) // 28 MB: more than the buffers of a socket
	p := mailtest.NewPeer(t, mailtest.PeerScript{Body: mailtest.Drop})
	h.run(to(p))
	id := h.enqueue(mailcore.Outgoing{Ref: "r"})[0]
	if s := h.await(id, "queued"); s.Phase != "data" || s.Enhanced != "4.4.2" {
		t.Errorf("%+v", s)
	}
}

func TestDotIsDurableBeforeItLeaves(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		var id mailcore.OutboxID
		seen := make(chan state, 1)
		p := mailtest.NewPeer(t, mailtest.PeerScript{AtDot: func(mailtest.PeerMail) { seen <- h.state(id) }})
		id = h.enqueue(mailcore.Outgoing{})[0]
		stop := h.run(to(p))
		if s := <-seen; s.State != "sending" || s.Phase != "dot" || s.Outcome != "" {
			t.Errorf("when the dot arrives the tables say %+v", s)
		}
		h.await(id, "sent")
		stop()
	})
}

func TestEveryTryCarriesTheSameIds(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{})
		p.SetScripts(func(conn int) mailtest.PeerScript {
			return []mailtest.PeerScript{{Dot: "451 4.3.0 later"}, {Rcpt: mailtest.Drop}, {Greeting: "421 no"}, {Dot: mailtest.Drop}, {}}[min(conn-1, 4)]
		})
		stop := h.run(func(o *queue.Options) {
			to(p)(o)
			o.Backoff, o.Uncertain = []time.Duration{20 * time.Millisecond}, 50*time.Millisecond
		})
		id := h.enqueue(mailcore.Outgoing{})[0]
		mails := p.WaitMails(t, 3)
		s := h.await(id, "sent")
		stop()
		if s.Tries != 5 || s.Attempts != 5 {
			t.Errorf("%+v", s)
		}
		for _, m := range mails[1:] {
			if m.Data != mails[0].Data || m.MailArgs != mails[0].MailArgs || !strings.Contains(m.MailArgs, "ENVID=") {
				t.Errorf("another try: %+v, first %+v", m, mails[0])
			}
		}
	})
}

func TestRestartInEachState(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{})
		ids := h.enqueue(mailcore.Outgoing{Ref: "claimed"}, mailcore.Outgoing{Ref: "begun"}, mailcore.Outgoing{Ref: "dot"}, mailcore.Outgoing{Ref: "queued"})
		jobs, err := h.store.ClaimOutbox(ctx, 3, 300*time.Millisecond) // a worker that dies
		if err != nil || len(jobs) != 3 {
			t.Fatal(jobs, err)
		}
		for i, id := range ids[1:3] {
			attempt, err := h.store.BeginAttempt(ctx, id, p.Addr)
			if err == nil && i == 1 {
				err = h.store.MarkDot(ctx, attempt)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		stop := h.run(to(p))
		for _, i := range []int{0, 1, 3} {
			h.await(ids[i], "sent")
		}
		if s := h.await(ids[2], "uncertain"); s.Attempts != 1 {
			t.Errorf("past the dot: %+v", s)
		}
		stop()
		if n := len(p.Mails()); n != 3 {
			t.Errorf("%d mails went out, want 3: the one past its dot may have arrived", n)
		}
	})
}

func TestStopWhileTheAnswerToTheDotIsDue(t *testing.T) {
	h := onSQLite(t)
	arrived := make(chan struct{})
	p := mailtest.NewPeer(t, mailtest.PeerScript{Dot: mailtest.Hang, AtDot: func(mailtest.PeerMail) { close(arrived) }})
	stop := h.run(func(o *queue.Options) { to(p)(o); o.DotTimeout = time.Minute })
	id := h.enqueue(mailcore.Outgoing{})[0]
	<-arrived
	stop()
	if s := h.state(id); s.State != "uncertain" || s.Outcome != "uncertain" {
		t.Errorf("%+v", s)
	}
	h.check()
}

func TestStopGivesBackWhatWaits(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{Mail: mailtest.Hang})
	ids := h.enqueue(make([]mailcore.Outgoing, 10)...)
	stop := h.run(func(o *queue.Options) { to(p)(o); o.PerDomain, o.CommandTimeout = 1, time.Minute })
	for len(p.Lines()) < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	good := mailtest.NewPeer(t, mailtest.PeerScript{})
	h.run(to(good))
	for _, id := range ids[1:] {
		h.await(id, "sent") // at once, not when the lease of two minutes is over
	}
}

func TestPeerDown(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{})
	p.Close()
	h.run(to(p))
	id := h.enqueue(mailcore.Outgoing{Ref: "r"})[0]
	s := h.await(id, "queued")
	if s.Phase != "connect" || s.Enhanced != "4.4.1" || !strings.Contains(s.Dialogue, "connection refused") {
		t.Errorf("%+v", s)
	}
	if wait := time.Until(time.UnixMicro(s.NextAt)); wait < 55*time.Minute || wait > time.Hour {
		t.Errorf("next try in %v", wait)
	}
}

func TestBreakerLeavesADeadPeerAlone(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{Greeting: mailtest.Drop})
	ids := h.enqueue(make([]mailcore.Outgoing, 40)...)
	stop := h.run(func(o *queue.Options) { to(p)(o); o.Backoff, o.Rest = []time.Duration{5 * time.Second}, 10*time.Second })
	untried := 0
	for _, id := range ids {
		if s := h.await(id, "queued"); strings.Contains(s.Dialogue, "not tried") {
			untried++
		}
	}
	total, _ := p.Connections()
	if total > 8 || untried < 30 {
		t.Errorf("%d connections to a dead peer, %d mails untried", total, untried)
	}
	p.SetScript(mailtest.PeerScript{})
	flash := h.enqueue(mailcore.Outgoing{Urgency: queue.Flash})[0]
	h.await(flash, "sent") // Hỏa tốc is tried all the same
	for _, id := range ids {
		h.await(id, "sent") // and finds out that the peer is back
	}
	stop()
	h.check()
}

func TestDeadPeerDelaysNoOther(t *testing.T) {
	h := onSQLite(t)
	dead := mailtest.NewPeer(t, mailtest.PeerScript{Greeting: mailtest.Hang})
	good := mailtest.NewPeer(t, mailtest.PeerScript{})
	h.run(func(o *queue.Options) {
		o.Routes = map[string]string{"bo.test": good.Addr, "chet.test": dead.Addr}
		o.CommandTimeout = time.Hour
	})
	many := make([]mailcore.Outgoing, 300)
	for i := range many {
		many[i].Rcpt = "x@chet.test"
	}
	h.enqueue(many...)
	ids := h.enqueue(make([]mailcore.Outgoing, 5)...)
	for _, id := range ids {
		h.await(id, "sent") // behind the dead peer it would wait for an hour
	}
}

func TestConnectionsAreBoundedAndReused(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{Slow: time.Millisecond})
		ids := h.enqueue(make([]mailcore.Outgoing, 60)...)
		stop := h.run(func(o *queue.Options) { to(p)(o); o.PerDomain = 3 })
		for _, id := range ids {
			h.await(id, "sent")
		}
		stop()
		if total, most := p.Connections(); most > 3 || total > 10 {
			t.Errorf("%d connections, %d at one time", total, most)
		}
		if n := len(p.Mails()); n != 60 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestClosedIdleConnectionCostsNoTry(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{})
	p.SetScripts(func(conn int) mailtest.PeerScript {
		return mailtest.PeerScript{RcptFor: map[string]string{"x1@bo.test": "550 5.1.1 no"}}
	})
	ids := h.enqueue(mailcore.Outgoing{Rcpt: "x1@bo.test", Ref: "1"}, mailcore.Outgoing{Rcpt: "x2@bo.test", Ref: "2"})
	h.run(func(o *queue.Options) { to(p)(o); o.PerDomain = 1 })
	h.await(ids[0], "failed")
	if s := h.await(ids[1], "sent"); s.Tries != 1 {
		t.Errorf("%+v", s)
	}
	if total, _ := p.Connections(); total != 1 {
		t.Errorf("%d connections: a refused recipient does not end one", total)
	}
}

func TestFlashGoesFirst(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{})
	ids := h.enqueue(mailcore.Outgoing{Rcpt: "thuong@bo.test"}, mailcore.Outgoing{Rcpt: "khan@bo.test", Urgency: 1}, mailcore.Outgoing{Rcpt: "hoatoc@bo.test", Urgency: 3})
	h.run(func(o *queue.Options) { to(p)(o); o.PerDomain = 1; o.Concurrency = 1 })
	for _, id := range ids {
		h.await(id, "sent")
	}
	if m := p.Mails(); m[0].Rcpts[0] != "hoatoc@bo.test" {
		t.Errorf("first came %v", m[0].Rcpts)
	}
}

func TestTwoQueuesSendEachMailOnce(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{})
		var out []mailcore.Outgoing
		for i := range 120 {
			out = append(out, mailcore.Outgoing{Rcpt: mailcore.Address(fmt.Sprintf("x%d@bo.test", i))})
		}
		a, b := h.run(to(p)), h.run(to(p))
		ids := h.enqueue(out...)
		for _, id := range ids {
			h.await(id, "sent")
		}
		a()
		b()
		seen := map[string]int{}
		for _, m := range p.Mails() {
			seen[m.Rcpts[0]]++
		}
		for _, o := range out {
			if seen[o.Rcpt.String()] != 1 {
				t.Errorf("%s got %d", o.Rcpt, seen[o.Rcpt.String()])
			}
		}
	})
}

// BenchmarkSend is one mail of 4 KB to a peer on loopback, three durable steps each: begun, dot, finished.
func BenchmarkSend(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "congvan.db")
			if kind == "postgres" {
				dsn = mailtest.NewPostgres(b)
			}
			h := newHouse(b, mailtest.Open(b, dsn))
			h.body = h.save("From: a1@kontum.test\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 57))
			p := mailtest.NewPeer(b, mailtest.PeerScript{})
			h.enqueue(make([]mailcore.Outgoing, b.N)...)
			b.ResetTimer()
			stop := h.run(func(o *queue.Options) { to(p)(o); o.PerDomain = 16 })
			for len(p.Mails()) < b.N {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
			b.StopTimer()
			stop()
		})
	}
}
