package mailcore

import (
	"context"
	"errors"
	"sync"
	"time"

	"congvan/mailcore/sqldb"
)

// Errors that end what is logged in.
var (
	ErrLoginOver      = errors.New("the login was ended")
	ErrDelegationOver = errors.New("the delegation has ended")
)

const (
	watchEvery = 30 * time.Second       // a wake-up may be lost, and delegations end by the calendar
	watchFresh = 300 * time.Millisecond // a login that was cut while it was being made is found so soon
)

// A Watch is a connection that ends when its login does: on this node or another somebody changed the password, cut the
// account, closed it, or revoked the app password.
type Watch struct {
	w          *watcher
	login      Login
	over       func(error)
	delegation DelegationID // under which it acts now, 0 for none
	fresh      bool
}

// Watch calls over, once and from another goroutine, when the login or the delegation that is acted under holds no longer.
func (s *Store) Watch(l Login, over func(error)) *Watch {
	x := &Watch{w: s.watch, login: l, over: over}
	x.w.add(x)
	return x
}

// End stops watching.
func (x *Watch) End() { x.w.remove(x) }

// ActUnder says which delegation is used from now on, 0 for none.
func (x *Watch) ActUnder(id DelegationID) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	if x.delegation = id; id != 0 {
		x.fresh = true
		x.w.poke()
	}
}

// A watcher looks after all watches of a store in one goroutine, which runs while there are any.
type watcher struct {
	s *Store

	mu     sync.Mutex
	open   map[*Watch]struct{}
	cancel context.CancelFunc
	fresh  chan struct{}
}

func newWatcher(s *Store) *watcher {
	return &watcher{s: s, open: map[*Watch]struct{}{}, fresh: make(chan struct{}, 1)}
}

func (w *watcher) poke() {
	select {
	case w.fresh <- struct{}{}:
	default:
	}
}

func (w *watcher) add(x *Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.fresh = true
	w.open[x] = struct{}{}
	if w.cancel == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w.cancel = cancel
		wake, end := w.s.db.Listen(TopicLogins)
		go func() {
			defer end()
			w.run(ctx, wake)
		}()
	}
	w.poke()
}

func (w *watcher) remove(x *Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, x)
	if len(w.open) == 0 && w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

func (w *watcher) run(ctx context.Context, wake <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var soon <-chan time.Time
	for {
		all := true
		select {
		case <-ctx.Done():
			return
		case <-w.fresh:
			if soon == nil {
				soon = time.After(watchFresh)
			}
			continue
		case <-soon:
			soon, all = nil, false
		case <-wake:
		case <-tick.C:
		}
		if err := w.check(ctx, all); err != nil && ctx.Err() == nil {
			w.s.log.Warn("look after logins", "err", err)
		}
	}
}

// check ends what holds no longer, among all or among those that are new.
func (w *watcher) check(ctx context.Context, all bool) error {
	var some []*Watch
	var q holding
	w.mu.Lock()
	for x := range w.open {
		if all || x.fresh {
			x.fresh = false
			some = append(some, x)
			q.add(x.login, x.delegation)
		}
	}
	w.mu.Unlock()
	if len(some) == 0 {
		return nil
	}
	if err := w.s.db.Read(ctx, func(tx *sqldb.Tx) error { return q.read(ctx, tx) }); err != nil {
		return err
	}
	for _, x := range some {
		w.mu.Lock()
		_, open := w.open[x]
		err := q.judge(x.login, x.delegation)
		if err != nil {
			delete(w.open, x) // once is enough; the last one's End stops the goroutine
		}
		w.mu.Unlock()
		if open && err != nil {
			x.over(err)
		}
	}
	return nil
}

// holding asks which logins and delegations hold, for many at once.
type holding struct {
	accounts    map[AccountID]int64 // the epoch; -1 not asked yet or closed
	apps        map[AppPasswordID]bool
	delegations map[DelegationID]bool
}

func (q *holding) add(l Login, d DelegationID) {
	if q.accounts == nil {
		*q = holding{map[AccountID]int64{}, map[AppPasswordID]bool{}, map[DelegationID]bool{}}
	}
	q.accounts[l.ID] = -1
	if l.App != 0 {
		q.apps[l.App] = false
	}
	if d != 0 {
		q.delegations[d] = false
	}
}

func (q *holding) read(ctx context.Context, tx *sqldb.Tx) error {
	err := inChunks(q.accounts, func(a *args, in string) error {
		var rows []struct {
			ID    AccountID `db:"id"`
			Epoch int64     `db:"epoch"`
		}
		err := tx.SelectContext(ctx, &rows, `SELECT id, epoch FROM account WHERE closed_at IS NULL AND id IN `+in, *a...)
		for _, r := range rows {
			q.accounts[r.ID] = r.Epoch
		}
		return err
	})
	if err != nil {
		return err
	}
	err = inChunks(q.apps, func(a *args, in string) error {
		var ids []AppPasswordID
		err := tx.SelectContext(ctx, &ids, `SELECT id FROM app_password WHERE revoked_at IS NULL AND id IN `+in, *a...)
		for _, id := range ids {
			q.apps[id] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	return inChunks(q.delegations, func(a *args, in string) error {
		var ids []DelegationID
		err := tx.SelectContext(ctx, &ids, `SELECT d.id FROM `+delegationsThat+` AND d.id IN `+in+` AND `+hold(a, tx.Now), *a...)
		for _, id := range ids {
			q.delegations[id] = true
		}
		return err
	})
}

func (q *holding) judge(l Login, d DelegationID) error {
	switch {
	case q.accounts[l.ID] != l.epoch, l.App != 0 && !q.apps[l.App]:
		return ErrLoginOver
	case d != 0 && !q.delegations[d]:
		return ErrDelegationOver
	}
	return nil
}

// inChunks calls fn with some hundred keys at a time, as a list for IN.
func inChunks[K comparable, V any](m map[K]V, fn func(a *args, in string) error) error {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	for len(keys) > 0 {
		n := min(len(keys), maxChunk)
		var a args
		if err := fn(&a, list(&a, keys[:n])); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
