package exchange_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

var (
	simulate = flag.Int("simulate", 2000, "dispatches of TestSimulation on SQLite")
	simSeed  = flag.Int64("seed", 20261125, "seed of TestSimulation")
)

// TestSimulation issues documents to many units of ours and many servers outside, while the network, the disk and the process
// fail at random and old backups are restored, and checks all the while what must hold: nothing accepted is lost, no copy
// reaches a unit of ours twice, none gets a second số đến, none is open without an owner, and state is the fold of events.
func TestSimulation(t *testing.T) {
	for _, c := range []struct {
		dialect sqldb.Dialect
		n       int
	}{{sqldb.SQLite, *simulate}, {sqldb.Postgres, 200}} {
		t.Run(string(c.dialect), func(t *testing.T) {
			s := newSimulation(t, c.dialect, *simSeed, c.n)
			s.run()
			s.report()
		})
	}
}

// One seed is one run: what happened, step by step, is the same.
func TestSimulationIsReproduced(t *testing.T) {
	var traces [2]string
	for i := range traces {
		s := newSimulation(t, sqldb.SQLite, 7, 120)
		s.run()
		traces[i] = strings.Join(s.trace, "\n")
	}
	if traces[0] != traces[1] {
		a, b := strings.Split(traces[0], "\n"), strings.Split(traces[1], "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("the runs part at step %d: %q and %q", i, a[i], b[min(i, len(b)-1)])
			}
		}
		t.Fatalf("%d and %d steps", len(a), len(b))
	}
}

// A paper is a document as its clerk has it: until it is issued, the clerk begins again.
type paper struct {
	proposal *exchange.Proposal
	pdf      []byte
	numbered bool // or the paper bears its number
	done     bool // the gateway said that it was issued
	id       exchange.DocumentID
	copies   int
	again    int // how often it was taken in again
}

// A simCopy is one copy, as the world knows it.
type simCopy struct {
	id      exchange.DispatchID
	unit    string
	address string
	token   string
	way     exchange.Way
}

// A simulation is a world in which people, servers and faults go on at random.
type simulation struct {
	*world
	want   int // dispatches
	papers []*paper
	copies map[exchange.DispatchID]*simCopy
	order  []exchange.DispatchID
	tokens map[string]*simCopy
	later  []mailToCome

	arrived map[exchange.DispatchID]string // số đến that somebody was told
	closed  map[exchange.DispatchID]bool
	books   map[string]int // units that keep their own book: its last number
	steps   int
	made    int // dispatches of papers written
	trace   []string
	checked int
}

// A mailToCome is one that a server outside sends later.
type mailToCome struct {
	at      time.Time
	arrival mailcore.Arrival
	body    string
}

func newSimulation(t *testing.T, dialect sqldb.Dialect, seed int64, n int) *simulation {
	s := &simulation{world: newWorld(t, dialect, seed), want: n, copies: map[exchange.DispatchID]*simCopy{}, tokens: map[string]*simCopy{},
		arrived: map[exchange.DispatchID]string{}, closed: map[exchange.DispatchID]bool{}, books: map[string]int{}}
	s.net.w.outside = s.answerFromOutside
	s.must(s.store.SetMode(context.Background(), "snv", 2009, exchange.OutgoingBook, "", exchange.IssuedHere))
	return s
}

func (s *simulation) say(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
	if len(s.trace) > 200000 { // the long run keeps its end
		s.trace = s.trace[100000:]
	}
}

func (s *simulation) failf(format string, args ...any) {
	s.t.Helper()
	last := s.trace[max(0, len(s.trace)-15):]
	s.t.Fatalf("seed %d (-args -simulate %d -seed %d), step %d: %s\nlast: %s", s.seed, s.want, s.seed, s.steps, fmt.Sprintf(format, args...), strings.Join(last, "; "))
}

// act is one thing that somebody does to the gateway; now and then the process dies in the middle of it.
func (s *simulation) act(what string, fn func(ctx context.Context) error) bool {
	s.steps++
	if s.random.Intn(s.mortality()) == 0 {
		s.dieIn = 1 + s.random.Intn(60)
	}
	lived, err := s.alive(func() error { return fn(context.Background()) })
	s.count("act: " + strings.Fields(what)[0])
	class := ""
	var e *exchange.Error
	var m *exchange.MoveError
	switch {
	case !lived:
		class = "died"
	case errors.As(err, &e):
		class = e.Code
	case errors.As(err, &m):
		class = "move"
	case err != nil && s.full:
		class = "full"
	case err != nil:
		s.failf("%s: %v", what, err)
	}
	s.say("%s %s", what, class)
	return lived && err == nil
}

// mortality is one in how many acts dies: a long run has some hundred deaths, a short one not less.
func (s *simulation) mortality() int { return max(25, s.want/150) }

func (s *simulation) run() {
	backups := max(4, min(24, s.want/400))
	every := max(1, s.want/backups)
	next, checks := every, s.want/8
	for s.made < s.want || s.waiting() {
		s.step()
		if s.made >= next && s.made < s.want {
			if s.counts["backup"] > s.counts["restore"] && s.random.Intn(2) == 0 {
				s.restoreBackup()
			} else {
				s.say("backup")
				s.count("backup")
				s.backup()
			}
			next += every/2 + s.random.Intn(max(1, every))
		}
		if s.made > checks {
			s.check()
			checks += s.want / 8
		}
	}
	s.calm()
	s.check()
	s.final()
}

// waiting reports whether a clerk still has a paper that is not issued.
func (s *simulation) waiting() bool {
	return slices.ContainsFunc(s.papers[max(0, len(s.papers)-1000):], func(p *paper) bool { return !p.done })
}

// restoreBackup: the disk is gone, and what is there is an old backup and the journal. Clerks take in again what the gateway
// says it has lost.
func (s *simulation) restoreBackup() {
	s.say("restore")
	s.count("restore")
	s.restore()
	clear(s.closed)
	list, err := s.store.Restored(context.Background())
	s.must(err)
	lost := map[string]bool{}
	for _, d := range list {
		lost[string(d.Agency)+" "+d.Reference] = true
	}
	docs, err := s.store.ListDocuments(context.Background(), "", "")
	s.must(err)
	there := map[exchange.DocumentID]bool{}
	for _, d := range docs {
		there[d.ID] = d.State == exchange.Issued
	}
	for _, p := range s.papers {
		if p.done && !there[p.id] {
			if !lost[string(p.proposal.Agency)+" "+p.proposal.Reference] {
				s.failf("the restore lost %s of %s and nobody would know", p.proposal.Reference, p.proposal.Agency)
			}
			p.done = false
			p.again++
			s.count("papers taken in again")
		}
	}
}

func (s *simulation) step() {
	if s.full && s.random.Intn(4) == 0 {
		s.full = false
	} else if s.random.Intn(max(300, s.want/20)) == 0 {
		s.full = true
		s.count("disk full")
	}
	switch k := s.random.Intn(100); {
	case k == 0 && s.made < s.want:
		s.newPaper()
	case k < 25:
		s.clerk()
	case k < 62:
		s.unitActs()
	case k < 74:
		s.act("queue", func(ctx context.Context) error { _, err := s.queue.Drain(ctx); return err })
	case k < 86:
		s.post()
		s.act("handle", func(ctx context.Context) error { _, err := s.store.HandleMail(ctx); return err })
	case k < 90:
		s.act("expire", s.store.Expire)
	case k < 93:
		s.act("log", func(ctx context.Context) error {
			if _, err := s.store.Sequence(ctx); err != nil {
				return err
			}
			_, err := s.store.Checkpoint(ctx)
			return err
		})
	case k < 95:
		s.forged()
	default:
		s.pass(time.Duration(s.random.Intn(3600)) * time.Second)
	}
	s.pass(time.Duration(s.random.Intn(20)) * time.Second)
}

// newPaper writes a document to some of everybody.
func (s *simulation) newPaper() {
	n := len(s.papers) + 1
	agency := simIssuers[s.random.Intn(len(simIssuers))]
	p := &paper{pdf: pdfOf(fmt.Sprint("sim", s.seed, n)), numbered: agency == "snv"}
	var codes []string
	for i := range simUnits {
		if s.random.Intn(3) > 0 {
			codes = append(codes, fmt.Sprintf("u%02d", i))
		}
	}
	for i := range simOutside {
		if s.random.Intn(2) > 0 {
			codes = append(codes, fmt.Sprintf("o%02d", i))
		}
	}
	lines := []string{"Các đơn vị=" + strings.Join(codes, " "), "Sở khác (để biết)=" + simIssuers[s.random.Intn(3)], "Lưu: VT!lưu"}
	if s.random.Intn(4) == 0 {
		lines = append(lines, "Hội=giay")
	}
	if s.random.Intn(3) == 0 {
		lines = append(lines, fmt.Sprintf("Doanh nghiệp>Doanh nghiệp %d <dn%d@ngoai1.test>", n, n%9))
	}
	p.proposal = proposal(fmt.Sprintf("%d/%s-VP", n, strings.ToUpper(agency)), lines...)
	p.proposal.Agency = recipients.UnitCode(agency)
	if p.numbered {
		p.proposal.Reference = ""
	}
	p.copies = len(codes)
	s.made += p.copies
	s.papers = append(s.papers, p)
}

// clerk goes on with a paper that is not issued, or begins again.
func (s *simulation) clerk() {
	var open []*paper
	for _, p := range s.papers[max(0, len(s.papers)-1000):] {
		if !p.done {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return
	}
	p := open[s.random.Intn(len(open))]
	by := exchange.Actor{Name: "văn thư", Unit: p.proposal.Agency}
	if p.proposal.Reference == "" {
		s.act("take", func(ctx context.Context) error {
			ref, err := s.store.TakeNumber(ctx, by, p.proposal.Agency, 2009, "", "SNV-VP")
			if err == nil {
				p.proposal.Reference = ref
				p.proposal.Number, p.proposal.Symbol, _ = strings.Cut(ref, "/")
			}
			return err
		})
		return
	}
	s.act("issue "+p.proposal.Reference, func(ctx context.Context) error {
		doc, err := s.store.Register(ctx, by, p.proposal, p.pdf)
		if err != nil {
			return err
		}
		if p.id != 0 && p.id != doc.ID {
			s.failf("%s was document %d and is %d", p.proposal.Reference, p.id, doc.ID)
		}
		p.id = doc.ID
		if _, err = s.store.Seal(ctx, by, doc.ID); err != nil {
			return err
		}
		if _, err = s.store.Issue(ctx, by, doc.ID); err != nil {
			return err
		}
		p.done = true
		return nil
	})
	if p.done {
		s.learn(p)
	}
}

// learn remembers the copies of an issued document; those that were known before have the same ids and tokens.
func (s *simulation) learn(p *paper) {
	st, err := s.store.Status(context.Background(), p.id)
	s.must(err)
	for i := range st.Dispatches {
		d := st.Dispatches[i].Dispatch
		c := &simCopy{d.ID, string(d.Unit), d.Address, d.Token(), d.Way}
		if was := s.copies[d.ID]; was == nil {
			s.order = append(s.order, d.ID)
		} else if *was != *c {
			s.failf("copy %+v is now %+v", was, c)
		}
		s.copies[d.ID], s.tokens[c.token] = c, c
	}
}

// unitActs: somebody of a recipient does something with a copy, through one of the ways in.
func (s *simulation) unitActs() {
	if len(s.order) == 0 {
		return
	}
	n := len(s.order)
	c := s.copies[s.order[n-1-s.random.Intn(min(n, 600))]] // people deal with what came lately
	if c.way != exchange.ByMailbox {
		return
	}
	by := exchange.Actor{Address: mailcore.Address(c.address), Unit: recipients.UnitCode(c.unit)}
	told := ""
	if c.unit[0] == 'u' && c.unit[2] == '7' { // keeps its own bound book
		told = fmt.Sprint(s.books[c.unit] + 1)
	}
	verb := simVerbs[s.random.Intn(len(simVerbs))]
	var r *exchange.Receipt
	ok := s.act(fmt.Sprintf("%s %d", verb.name, c.id), func(ctx context.Context) (err error) {
		r, err = verb.do(ctx, s, by, c, told)
		return err
	})
	if ok && r != nil {
		s.told(r.Dispatch)
		if told != "" && r.Dispatch.ArrivalNumber == told {
			s.books[c.unit]++
		}
	}
}

// simVerbs are what a recipient does; a new verb is one line.
var simVerbs = []struct {
	name string
	do   func(context.Context, *simulation, exchange.Actor, *simCopy, string) (*exchange.Receipt, error)
}{
	{"accept", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, told string) (*exchange.Receipt, error) {
		return s.store.Accept(ctx, by, c.id, told)
	}},
	{"accept", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, told string) (*exchange.Receipt, error) {
		return s.store.Accept(ctx, by, c.id, told)
	}},
	{"advance", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return s.store.Advance(ctx, by, c.id, exchange.InProgress)
	}},
	{"complete", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return s.store.Advance(ctx, by, c.id, exchange.Completed)
	}},
	{"refuse", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return s.store.Refuse(ctx, by, c.id, "gửi nhầm đơn vị")
	}},
	{"forward", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return s.store.Forward(ctx, by, c.id, recipients.UnitCode(fmt.Sprintf("u%02d", s.random.Intn(simUnits))), "")
	}},
	{"move", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return nil, s.moveCopy(ctx, c, []string{"Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Thùng rác"}[s.random.Intn(4)])
	}},
	{"open", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, _ string) (*exchange.Receipt, error) {
		return nil, s.openCopy(ctx, c)
	}},
	{"reply", func(ctx context.Context, s *simulation, by exchange.Actor, c *simCopy, told string) (*exchange.Receipt, error) {
		line := []string{"Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối: gửi nhầm", "Cảm ơn"}[s.random.Intn(5)]
		to := exchange.ReplyMailbox + "+" + c.token + "@" + domain
		for range 1 + s.random.Intn(2) { // some come twice
			if err := s.deliver(ctx, mailcore.Arrival{Sender: mailcore.Address(c.address), Rcpt: mailcore.Address(to), AuthAs: mailcore.Address(c.address)}, replyMail(c.address, to, line)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}},
}

// told remembers a số đến that a unit was told, and that it is the same as before.
func (s *simulation) told(d *exchange.Dispatch) {
	if d.ArrivalNumber == "" {
		return
	}
	if was := s.arrived[d.ID]; was != "" && was != d.ArrivalNumber {
		s.failf("copy %d had số đến %s and got %s", d.ID, was, d.ArrivalNumber)
	}
	s.arrived[d.ID] = d.ArrivalNumber
}

func ref(id exchange.DispatchID) string { return fmt.Sprint("dispatch:", int64(id)) }

// lies finds the mail of a copy in the mailboxes of its account.
func (s *simulation) lies(ctx context.Context, c *simCopy) (mailcore.Account, []mailcore.Placed, error) {
	a, err := s.mail.Account(ctx, mailcore.Address(c.address))
	if err != nil {
		return a, nil, err
	}
	var rows []struct {
		Mailbox mailcore.MailboxID `db:"mailbox_id"`
		UID     mailcore.UID       `db:"uid"`
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT mailbox_id, uid FROM mailbox_message WHERE ref = $1 ORDER BY mailbox_id, uid`, ref(c.id))
	})
	var found []mailcore.Placed
	for _, r := range rows {
		found = append(found, mailcore.Placed{Mailbox: r.Mailbox, UID: r.UID})
	}
	return a, found, err
}

func (s *simulation) moveCopy(ctx context.Context, c *simCopy, folder string) error {
	a, found, err := s.lies(ctx, c)
	if err != nil || len(found) == 0 {
		return err
	}
	to, err := s.mail.Mailbox(ctx, a.ID, folder)
	if err != nil || to.ID == found[0].Mailbox {
		return err
	}
	_, err = s.mail.MoveMessages(ctx, a, found[0].Mailbox, []mailcore.UID{found[0].UID}, to.ID)
	return err
}

func (s *simulation) openCopy(ctx context.Context, c *simCopy) error {
	a, found, err := s.lies(ctx, c)
	if err != nil || len(found) == 0 {
		return err
	}
	return s.mail.NoteFetched(ctx, a, found[0].Mailbox, []mailcore.UID{found[0].UID}, s.random.Intn(2) == 0)
}

// deliver has a mail come in, as the server would.
func (s *simulation) deliver(ctx context.Context, arrival mailcore.Arrival, body string) error {
	b, err := s.mail.SaveBody(ctx, strings.NewReader(strings.ReplaceAll(body, "\n", "\r\n")), 0)
	if err != nil {
		return err
	}
	local, _, _ := strings.Cut(string(arrival.Rcpt), "+")
	a, err := s.mail.Account(ctx, mailcore.Address(local+"@"+domain))
	if err != nil {
		return err
	}
	_, err = s.mail.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID, Arrived: &arrival}})
	return err
}

// answerFromOutside: a server has taken a copy, and something comes of it: late, twice, or never.
func (s *simulation) answerFromOutside(token string) {
	c := s.tokens[token]
	if c == nil {
		return // issued a moment ago, or by a process that died before it said so
	}
	bounce, reply := mailcore.Address(exchange.BounceMailbox+"+"+token+"@"+domain), mailcore.Address(exchange.ReplyMailbox+"+"+token+"@"+domain)
	from := mailcore.Address(c.address)
	for _, m := range []struct {
		odds    int
		arrival mailcore.Arrival
		body    string
	}{
		{60, mailcore.Arrival{Rcpt: bounce}, dsnMail("delivered", c.address)},
		{6, mailcore.Arrival{Rcpt: bounce}, dsnMail("failed", c.address)},
		{6, mailcore.Arrival{Rcpt: bounce}, dsnMail("delayed", c.address)},
		{30, mailcore.Arrival{Sender: from, Rcpt: reply}, mdnMail(c.address)},
		{40, mailcore.Arrival{Sender: from, Rcpt: reply, From: from}, replyMail(c.address, string(reply), "Đã tiếp nhận, số đến 5")},
		{10, mailcore.Arrival{Sender: from, Rcpt: reply, From: from}, replyMail(c.address, string(reply), "Hoàn thành")},
	} {
		if s.random.Intn(100) >= m.odds {
			continue
		}
		for range 1 + s.random.Intn(6)/5 {
			at := s.now().Add(time.Duration(s.random.Intn(36*3600)) * time.Second)
			s.later = append(s.later, mailToCome{at, m.arrival, m.body})
		}
	}
}

// post brings what is due; a server whose mail is not taken comes again.
func (s *simulation) post() {
	now := s.now()
	var rest []mailToCome
	for _, m := range s.later {
		if m.at.After(now) || s.full || !s.act("mail", func(ctx context.Context) error { return s.deliver(ctx, m.arrival, m.body) }) {
			rest = append(rest, m)
		}
	}
	s.later = rest
}

// forged is a report or a reply that nobody had the token for, or that somebody else sends.
func (s *simulation) forged() {
	if len(s.order) == 0 {
		return
	}
	c := s.copies[s.order[s.random.Intn(len(s.order))]]
	token := c.token[:len(c.token)-3] + "zzz"
	stranger := mailcore.Address("gian@ngoai9.test")
	to := exchange.ReplyMailbox + "+" + c.token + "@" + domain
	m := []struct {
		arrival mailcore.Arrival
		body    string
	}{
		{mailcore.Arrival{Rcpt: mailcore.Address(exchange.BounceMailbox + "+" + token + "@" + domain)}, dsnMail("delivered", c.address)},
		{mailcore.Arrival{Rcpt: mailcore.Address(exchange.BounceMailbox + "+khong.co@" + domain)}, dsnMail("failed", c.address)},
		{mailcore.Arrival{Sender: stranger, Rcpt: mailcore.Address(exchange.ReplyMailbox + "+" + token + "@" + domain), From: stranger}, replyMail(string(stranger), to, "Hoàn thành")},
		{mailcore.Arrival{Sender: stranger, Rcpt: mailcore.Address(to), From: stranger}, replyMail(c.address, to, "Đã tiếp nhận, số đến 99")},
	}[s.random.Intn(4)]
	s.act("forged", func(ctx context.Context) error { return s.deliver(ctx, m.arrival, m.body) })
}

// calm lets everything come to rest: no faults any more, and two days pass.
func (s *simulation) calm() {
	s.full, s.net.quiet = false, true
	want := s.want
	s.want = 1 << 40 // nobody dies
	for range 60 {
		s.pass(time.Hour)
		s.post()
		for name, fn := range map[string]func(context.Context) error{"queue": func(ctx context.Context) error { _, err := s.queue.Drain(ctx); return err }} {
			s.act(name, fn)
		}
		s.act("handle", func(ctx context.Context) error { _, err := s.store.HandleMail(ctx); return err })
		for range 1 + len(s.order)/5000 {
			s.act("expire", s.store.Expire)
		}
	}
	s.want = want
}

// check proves the invariants of both rooms, and what the world was told against what the gateway says now.
func (s *simulation) check() {
	s.checked++
	ctx := context.Background()
	for name, check := range map[string]func(context.Context) ([]string, error){"exchange": s.store.Check, "mail": s.mail.Check} {
		found, err := check(ctx)
		s.must(err)
		if len(found) > 0 {
			s.failf("%s: %s", name, strings.Join(found[:min(5, len(found))], "; "))
		}
	}
	var rows []exchange.Dispatch
	s.must(s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT id, unit, way, transport, handling, arrival_number, arrived_on, owner, deadline FROM dispatch ORDER BY id`)
	}))
	numbers := map[string]exchange.DispatchID{}
	for i := range rows {
		d := &rows[i]
		if d.Unit != "" && d.ArrivalNumber != "" && (d.Way == exchange.ByMailbox) {
			if was := s.arrived[d.ID]; was != "" && was != d.ArrivalNumber {
				s.failf("copy %d had số đến %s and has %s", d.ID, was, d.ArrivalNumber)
			}
			key := fmt.Sprintf("%s %.4s %s", d.Unit, d.ArrivedOn, d.ArrivalNumber) // numbers begin anew each year
			if numbers[key] != 0 {
				s.failf("copies %d and %d have số đến %s", numbers[key], d.ID, key)
			}
			numbers[key] = d.ID
			s.told(d)
		}
		if was := s.arrived[d.ID]; was != "" && d.ArrivalNumber == "" && s.copies[d.ID] != nil && d.Way == exchange.ByMailbox && d.Transport != exchange.Recalled {
			s.explain(d.ID)
			s.failf("copy %d was accepted under %s and has no number", d.ID, was)
		}
		if s.closed[d.ID] && !d.Closed() {
			s.failf("copy %d was closed and is open again", d.ID)
		}
		s.closed[d.ID] = d.Closed()
		if !d.Closed() && (d.Owner == "" || d.Deadline == 0) {
			s.failf("copy %d is open and nobody's", d.ID)
		}
	}
	s.twice(ctx)
}

// twice: no copy lies in a unit's mailbox twice.
func (s *simulation) twice(ctx context.Context) {
	counts, err := s.mail.RefCounts(ctx)
	s.must(err)
	for ref, n := range counts {
		if n > 1 && strings.HasPrefix(ref, "dispatch:") {
			s.failf("%s lies in mailboxes %d times", ref, n)
		}
	}
	sealed := map[exchange.DocumentID]int{}
	for _, p := range s.papers {
		sealed[p.id] = 1 + p.again
	}
	for token, ids := range s.net.tries {
		// A document that was taken in again after a restore has a new seal, and with it a new Message-ID: same id, same bytes.
		if c := s.tokens[token]; c != nil && len(ids) > sealed[exchange.DocumentID(c.id>>20)] {
			s.failf("tries of %s had different Message-IDs: %v", token, slices.Collect(maps.Keys(ids)))
		}
	}
}

// final: everything that was accepted for sending is issued, each copy is where it claims to be, and every row of copies is whole.
func (s *simulation) final() {
	ctx := context.Background()
	if left, err := s.store.Restored(ctx); err != nil || len(left) > 0 {
		s.failf("after all papers were taken in again %d are missing: %v", len(left), err)
	}
	docs, err := s.store.ListDocuments(ctx, "", "")
	s.must(err)
	state := map[exchange.DocumentID]exchange.State{}
	for _, d := range docs {
		state[d.ID] = d.State
	}
	for _, p := range s.papers {
		if state[p.id] != exchange.Issued {
			s.failf("%s of %s is %q", p.proposal.Reference, p.proposal.Agency, state[p.id])
		}
		st, err := s.store.Status(ctx, p.id)
		s.must(err)
		for i := range st.Dispatches {
			s.finalCopy(&st.Dispatches[i])
		}
	}
	units := slices.Clone(simIssuers)
	for i := range simUnits {
		units = append(units, fmt.Sprintf("u%02d", i))
	}
	for _, unit := range units {
		rows, err := s.store.Sequences(ctx, recipients.UnitCode(unit), "")
		s.must(err)
		for _, q := range rows {
			if len(q.Missing) > 0 {
				s.failf("%s misses copies from %s: %+v", unit, q.Agency, q.Missing)
			}
		}
	}
}

// finalCopy: what claims to have left has reached a server.
func (s *simulation) finalCopy(v *exchange.StatusDispatch) {
	d := v.Dispatch
	s.count("end: " + string(d.Transport) + " " + string(d.Handling))
	if d.Way != exchange.ByMail {
		return
	}
	got := len(s.net.got[d.Token()])
	if got == 0 && (d.Transport == exchange.Relayed || d.Transport == exchange.Delivered) {
		s.failf("copy %d is %s, and no server has it", d.ID, d.Transport)
	}
	if d.Transport == exchange.Queued || d.Transport == exchange.Uncertain {
		s.failf("copy %d is still %s after two quiet days", d.ID, d.Transport)
	}
}

func (s *simulation) report() {
	s.t.Logf("seed %d: %d dispatches of %d documents, %d steps, %d checks, until %s", s.seed, s.made, len(s.papers), s.steps, s.checked, exchange.CivilDate(s.now()))
	for _, k := range slices.Sorted(maps.Keys(s.counts)) {
		s.t.Logf("%8d %s", s.counts[k], k)
	}
	for _, r := range s.resumed {
		s.t.Logf("restored: %d documents to take in again, %d numbers reserved, %d arrivals entered, %d copies doubtful", len(r.Documents), r.Numbers, r.Arrivals, r.Doubtful)
	}
}

// explain tells all that is known of a copy, before the run fails.
func (s *simulation) explain(id exchange.DispatchID) {
	st, err := s.store.Status(context.Background(), exchange.DocumentID(id>>20))
	s.must(err)
	for i := range st.Dispatches {
		if d := &st.Dispatches[i]; d.Dispatch.ID == id {
			s.t.Logf("copy %d to %s %s: %s %s", id, d.Unit, d.Dispatch.Way, d.Transport, d.Handling)
			for _, e := range d.Events {
				s.t.Logf("  %s %s %s %s", e.At.Format(time.DateTime), e.Event, e.Actor, e.Detail)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(s.root, "journal"))
	s.must(err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, fmt.Sprintf(`"d":%d`, id)) {
			s.t.Log("journal " + line)
		}
	}
	for _, line := range s.trace {
		if strings.Contains(line, fmt.Sprint(id)) || line == "backup" || line == "restore" {
			s.t.Log("trace " + line)
		}
	}
}
