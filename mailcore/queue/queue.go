package queue

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailauth"
)

// Flash is the urgency of Hỏa tốc.
const Flash = 3

// Options is what a queue needs; zero fields that name a default may stay zero.
type Options struct {
	Store        *mailcore.Store
	Domain       string            // of our accounts: its mail is never sent out
	Hostname     string            // our name in EHLO and in reports
	Resolver     Resolver          // net.DefaultResolver
	Routes       map[string]string // by domain: the host:port that takes its mail, instead of the DNS
	SmartHost    string            // host:port for everything else, "" for the DNS
	LoopbackOnly bool              // a demonstration: see the package comment
	TLS          *tls.Config       // roots for Verified; nil for the system's
	Signer       *mailauth.Signer  // of what leaves (DKIM); nil: unsigned
	TLSMode      TLSMode           // Opportunistic
	TLSModes     map[string]TLSMode
	STS          *STS // policies of other domains; nil: not asked for
	Logger       *slog.Logger

	Concurrency  int             // mails under way at one time; 40
	PerDomain    int             // of these to one destination; 4
	Backoff      []time.Duration // pauses after the first, second … failed try, the last one repeats; 1 min to 2 h
	FlashBackoff []time.Duration // for Hỏa tốc; 20 s to 5 min
	Delay        time.Duration   // after which a sender is told that its mail still waits; 2 h
	FlashDelay   time.Duration   // for Hỏa tốc; 5 min
	Rest         time.Duration   // how long a destination that failed is first left alone; 30 s
	Uncertain    time.Duration   // before an uncertain mail may be looked at again; 4 h
	Lease        time.Duration   // 2 min
	Grace        time.Duration   // for tries under way when the queue stops; 20 s

	ConnectTimeout time.Duration // 30 s
	CommandTimeout time.Duration // for one answer, and for each 32 KiB of a body; 5 min (RFC 5321 §4.5.3.2)
	DotTimeout     time.Duration // for the answer to the final dot; 10 min

	Now func() time.Time // the database's clock

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // net.Dialer; a simulation has its own network
}

func (o *Options) setDefaults() {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = o.Store.DB().Now
	}
	if len(o.Backoff) == 0 {
		o.Backoff = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
	}
	if len(o.FlashBackoff) == 0 {
		o.FlashBackoff = []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
	}
	set(&o.Concurrency, 40)
	set(&o.PerDomain, 4)
	set(&o.Delay, 2*time.Hour)
	set(&o.FlashDelay, 5*time.Minute)
	set(&o.Rest, 30*time.Second)
	set(&o.Uncertain, 4*time.Hour)
	set(&o.Lease, 2*time.Minute)
	set(&o.Grace, 20*time.Second)
	set(&o.ConnectTimeout, 30*time.Second)
	set(&o.CommandTimeout, 5*time.Minute)
	set(&o.DotTimeout, 10*time.Minute)
	o.Domain = strings.ToLower(o.Domain)
}

func set[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

const (
	maxHeld    = 2000             // claimed rows in memory
	claimSize  = 100              // rows of one claim
	pollEvery  = 30 * time.Second // in case a wake-up is lost
	flashSlots = 2                // beyond Concurrency and PerDomain, for Hỏa tốc
)

// A Queue sends what stands in the outbox. Several may run on one database, here and in other processes.
type Queue struct {
	opt   Options
	store *mailcore.Store
	log   *slog.Logger

	mu      sync.Mutex
	lanes   map[destination]*lane
	held    map[mailcore.OutboxID]bool // claimed and not finished
	working int                        // workers
	ended   sync.WaitGroup
	freed   chan struct{} // a worker ended, or room was made
}

// New returns a queue; it does nothing before Run.
func New(opt Options) *Queue {
	opt.setDefaults()
	return &Queue{
		opt: opt, store: opt.Store, log: opt.Logger.With("part", "queue"),
		lanes: map[destination]*lane{}, held: map[mailcore.OutboxID]bool{}, freed: make(chan struct{}, 1),
	}
}

// A lane is the claimed mail for one destination.
type lane struct {
	destination
	waiting   []mailcore.Job // most urgent first, then oldest
	workers   int
	failures  int       // connections in a row that came to nothing
	restUntil time.Time // nobody connects before, but for Hỏa tốc
}

// Run sends until ctx ends, and returns after everything it started has ended. Tries under way have the grace time; what
// waits is given back at once.
func (q *Queue) Run(ctx context.Context) error {
	woken, unlisten := q.store.DB().Listen(mailcore.TopicOutbox)
	defer unlisten()
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	q.ended.Add(1)
	go q.renewLeases(ctx)
	for ctx.Err() == nil {
		if q.untilDue(ctx) <= 0 {
			q.fill(ctx)
		}
		q.start(ctx, hard)
		// Not at once: what is due and was not claimed waits for room, or another node has it.
		timer := time.NewTimer(max(q.untilDue(ctx), 100*time.Millisecond))
		select {
		case <-ctx.Done():
		case <-woken:
		case <-q.freed:
		case <-timer.C:
		}
		timer.Stop()
	}
	q.giveBack(hard)
	timer := time.AfterFunc(q.opt.Grace, cut)
	defer timer.Stop()
	q.ended.Wait()
	return nil
}

// Drain sends what is due, one mail after the other in the caller's goroutine, and returns how many it tried: for a process that
// does not keep running, and for a simulation.
func (q *Queue) Drain(ctx context.Context) (int, error) {
	n := 0
	for ctx.Err() == nil {
		q.fill(ctx)
		var lanes []*lane
		for _, l := range q.lanes {
			lanes = append(lanes, l)
		}
		if len(lanes) == 0 {
			break
		}
		slices.SortFunc(lanes, func(a, b *lane) int { return cmp.Compare(a.key, b.key) })
		for _, l := range lanes {
			w := &worker{q: q, lane: l}
			for ; len(l.waiting) > 0; n++ {
				j := l.waiting[0]
				l.waiting = l.waiting[1:]
				w.try(ctx, j)
				q.done(j.ID)
			}
			w.hangUp(true)
			delete(q.lanes, l.destination)
		}
	}
	return n, ctx.Err()
}

// untilDue is how long nothing can become due.
func (q *Queue) untilDue(ctx context.Context) time.Duration {
	at, ok, err := q.store.NextDue(ctx)
	if err != nil && ctx.Err() == nil {
		q.log.Error("look for outgoing mail", "err", err)
	}
	if err != nil || !ok {
		return pollEvery
	}
	return min(at.Sub(q.opt.Now()), pollEvery)
}

// fill claims what is due into the lanes.
func (q *Queue) fill(ctx context.Context) {
	for {
		q.mu.Lock()
		n := min(maxHeld-len(q.held), claimSize)
		q.mu.Unlock()
		if n <= 0 {
			return
		}
		jobs, err := q.store.ClaimOutbox(ctx, n, q.opt.Lease)
		if err != nil {
			if ctx.Err() == nil {
				q.log.Error("claim outgoing mail", "err", err)
			}
			return
		}
		q.mu.Lock()
		for _, j := range jobs {
			q.add(j)
		}
		q.mu.Unlock()
		if len(jobs) < n {
			return
		}
	}
}

func (q *Queue) add(j mailcore.Job) {
	d := q.destination(j.Rcpt)
	l := q.lanes[d]
	if l == nil {
		l = &lane{destination: d}
		q.lanes[d] = l
	}
	q.held[j.ID] = true
	l.waiting = append(l.waiting, j)
	slices.SortStableFunc(l.waiting, func(a, b mailcore.Job) int {
		return cmp.Or(cmp.Compare(b.Urgency, a.Urgency), cmp.Compare(a.ID, b.ID))
	})
}

// start gives free slots to the lanes: the most urgent mail first, then the lane with the fewest workers.
func (q *Queue) start(ctx, hard context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		var best *lane
		for _, l := range q.lanes {
			if q.opt.Now().After(l.restUntil.Add(time.Hour)) {
				q.forget(l) // back, or nobody writes there any more
			}
			if q.mayWork(l) && (best == nil || better(l, best)) {
				best = l
			}
		}
		if best == nil {
			return
		}
		j := best.waiting[0]
		best.waiting = best.waiting[1:]
		best.workers++
		q.working++
		q.ended.Add(1)
		go q.work(ctx, hard, best, j)
	}
}

func (q *Queue) mayWork(l *lane) bool {
	if len(l.waiting) == 0 {
		return false
	}
	all, each := q.opt.Concurrency, q.opt.PerDomain
	if l.failures > 0 {
		each = 1 // one finds out whether it is back
	}
	if l.waiting[0].Urgency >= Flash {
		all, each = all+flashSlots, each+flashSlots
	}
	return q.working < all && l.workers < each
}

func better(a, b *lane) bool {
	return cmp.Or(cmp.Compare(b.waiting[0].Urgency, a.waiting[0].Urgency), cmp.Compare(a.workers, b.workers),
		cmp.Compare(a.waiting[0].ID, b.waiting[0].ID)) < 0
}

// maxServed is how many mails a worker sends before it makes room for lanes that have none.
const maxServed = 20

// next takes the lane's next mail; false ends the worker.
func (q *Queue) next(ctx context.Context, l *lane, served int) (mailcore.Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(l.waiting) == 0 || ctx.Err() != nil || served >= maxServed && q.crowded(l) {
		l.workers--
		q.working--
		if l.failures < maxFailures {
			q.forget(l)
		}
		q.poke()
		return mailcore.Job{}, false
	}
	j := l.waiting[0]
	l.waiting = l.waiting[1:]
	return j, true
}

// crowded reports whether every slot is taken and another lane has none.
func (q *Queue) crowded(l *lane) bool {
	if q.working < q.opt.Concurrency {
		return false
	}
	for _, other := range q.lanes {
		if other != l && other.workers == 0 && len(other.waiting) > 0 {
			return true
		}
	}
	return false
}

func (q *Queue) forget(l *lane) {
	if l.workers == 0 && len(l.waiting) == 0 {
		delete(q.lanes, l.destination)
	}
}

func (q *Queue) poke() {
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

// done forgets a row that is finished, or lost to somebody else.
func (q *Queue) done(id mailcore.OutboxID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, id)
	if len(q.held) == maxHeld-1 {
		q.poke()
	}
}

// Breaker: after this many connections in a row that came to nothing a destination is left alone, longer each time.
const (
	maxFailures = 3
	longestRest = 15 * time.Minute
)

func (q *Queue) resting(l *lane) bool { return q.opt.Now().Before(l.restUntil) }

// rest tells until when a destination is left alone; zero when it may be tried.
func (q *Queue) rest(l *lane) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.resting(l) {
		return l.restUntil
	}
	return time.Time{}
}

// connected notes how a connection came out.
func (q *Queue) connected(l *lane, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ok {
		l.failures, l.restUntil = 0, time.Time{}
		return
	}
	if l.failures++; l.failures >= maxFailures {
		pause := min(q.opt.Rest<<min(l.failures-maxFailures, 10), longestRest)
		l.restUntil = q.opt.Now().Add(pause)
		q.log.Warn("destination is left alone", "destination", l.key, "failures", l.failures, "pause", pause)
	}
}

// renewLeases keeps what is held from being claimed by others. A row that was lost while it waited is dropped; one that is
// being sent is guarded by the store before its final dot.
func (q *Queue) renewLeases(ctx context.Context) {
	defer q.ended.Done()
	tick := time.NewTicker(q.opt.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, id := range q.heldIDs() {
			if err := q.store.RenewLease(ctx, id, q.opt.Lease); errors.Is(err, mailcore.ErrStale) {
				q.drop(id)
			} else if err != nil && ctx.Err() == nil {
				q.log.Error("renew lease", "outbox", id, "err", err)
			}
		}
	}
}

func (q *Queue) heldIDs() []mailcore.OutboxID {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := make([]mailcore.OutboxID, 0, len(q.held))
	for id := range q.held {
		ids = append(ids, id)
	}
	return ids
}

// drop forgets a waiting row.
func (q *Queue) drop(id mailcore.OutboxID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lanes {
		if i := slices.IndexFunc(l.waiting, func(j mailcore.Job) bool { return j.ID == id }); i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
			delete(q.held, id)
			return
		}
	}
}

// giveBack lets others have at once what only waited here.
func (q *Queue) giveBack(ctx context.Context) {
	q.mu.Lock()
	var ids []mailcore.OutboxID
	for _, l := range q.lanes {
		for _, j := range l.waiting {
			ids = append(ids, j.ID)
			delete(q.held, j.ID)
		}
		l.waiting = nil
	}
	q.mu.Unlock()
	for _, id := range ids {
		if err := q.store.RenewLease(ctx, id, 0); err != nil && !errors.Is(err, mailcore.ErrStale) {
			q.log.Warn("give back outgoing mail", "outbox", id, "err", err)
			return
		}
	}
}
