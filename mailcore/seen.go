package mailcore

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"congvan/mailcore/sqldb"
)

// How a mailbox was visited (QĐ 22/2009 Điều 11). Opening mail and acting on it are events of their own.
const (
	VisitConnected = "connected" // somebody logged in to it: a program may have
	VisitLooked    = "looked"    // its inbox was selected, and nothing in it was new
)

// A Visit is one hour's visits to a mailbox by one account.
type Visit struct {
	Kind            string
	Actor           Address // who logged in
	FirstAt, LastAt time.Time
}

// A LoginPlace is where an account has logged in from, and how.
type LoginPlace struct {
	Service, Place  string
	App             string // name of the app password, "" for the account's own
	FirstAt, LastAt time.Time
	Logins          int64
}

// Logins are noted in memory and written together: a herd of clients in the morning costs a statement, and a crash costs
// seconds of a record that nothing depends on.
const (
	flushAfter  = 2 * time.Second
	maxUnseen   = 4000 // noted and not written: more are written at once
	keepPlaces  = 180 * 24 * time.Hour
	keepVisits  = 2 * 365 * 24 * time.Hour
	keepLocks   = 7 * 24 * time.Hour
	pruneEveryN = time.Hour
)

type placeKey struct {
	account        AccountID
	service, place string
	app            AppPasswordID
}

type visitKey struct {
	account AccountID
	kind    string
	hour    int64
	actor   Address
}

// A span is what was noted under one key.
type span struct{ first, last, n int64 }

func (s *span) note(at int64) {
	if s.n == 0 {
		s.first = at
	}
	s.last = max(s.last, at)
	s.n++
}

// notes are what waits to be written.
type notes struct {
	places map[placeKey]span
	visits map[visitKey]span
}

func newNotes() notes { return notes{map[placeKey]span{}, map[visitKey]span{}} }

func (n notes) size() int { return len(n.places) + len(n.visits) }

// knows reports whether the account is noted to have logged in from the place.
func (n notes) knows(account AccountID, place string) bool {
	for _, service := range []string{ServiceIMAP, ServiceSMTP, ServiceWeb} {
		if _, ok := n.places[placeKey{account, service, place, 0}]; ok {
			return true
		}
	}
	return false
}

// seen collects logins and visits.
type seen struct {
	s     *Store
	write sync.Mutex // held while notes are being written

	mu      sync.Mutex
	waiting notes
	writing notes
	timer   bool // a flush is coming
	pruned  time.Time
}

func newSeen(s *Store) *seen { return &seen{s: s, waiting: newNotes(), writing: newNotes()} }

func (x *seen) knows(account AccountID, place string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.waiting.knows(account, place) || x.writing.knows(account, place)
}

func (x *seen) note(l Login, now time.Time) {
	at := now.UnixMicro()
	x.add(func(n notes) {
		k := placeKey{l.ID, l.Service, l.Place, l.App}
		p := n.places[k]
		p.note(at)
		n.places[k] = p
		if l.Service == ServiceIMAP {
			n.visit(l.ID, VisitConnected, l.Address, at)
		}
	})
}

func (n notes) visit(account AccountID, kind string, actor Address, at int64) {
	k := visitKey{account, kind, at / time.Hour.Microseconds(), actor}
	v := n.visits[k]
	v.note(at)
	n.visits[k] = v
}

// add notes something and has it written soon.
func (x *seen) add(fn func(notes)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fn(x.waiting)
	if x.timer {
		return
	}
	x.timer = true
	delay := flushAfter
	if x.waiting.size() > maxUnseen {
		delay = 0
	}
	time.AfterFunc(delay, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := x.s.FlushLogins(ctx); err != nil {
			x.s.log.Warn("note logins", "err", err)
		}
	})
}

// NoteVisit notes that somebody who is logged in has visited a mailbox of the account.
func (s *Store) NoteVisit(l Login, account AccountID, kind string) {
	now := s.db.Now().UnixMicro()
	s.seen.add(func(n notes) { n.visit(account, kind, l.Address, now) })
}

// FlushLogins writes what was noted of logins and visits; a program that ends calls it last.
func (s *Store) FlushLogins(ctx context.Context) error {
	x := s.seen
	x.write.Lock()
	defer x.write.Unlock()
	x.mu.Lock()
	x.writing, x.waiting, x.timer = x.waiting, newNotes(), false
	n := x.writing
	prune := time.Since(x.pruned) > pruneEveryN
	x.mu.Unlock()
	if n.size() == 0 {
		return nil
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := n.store(ctx, tx); err != nil || !prune {
			return err
		}
		return pruneLogins(ctx, tx)
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writing = newNotes()
	if err == nil && prune {
		x.pruned = time.Now()
	}
	return wrap(err, "note logins")
}

// store writes the notes, in one order on all nodes so that none waits for another in a circle.
func (n notes) store(ctx context.Context, tx *sqldb.Tx) error {
	var places, visits [][]any
	for _, k := range sortedKeys(n.places, func(a, b placeKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.service, b.service), cmp.Compare(a.place, b.place), cmp.Compare(a.app, b.app))
	}) {
		p := n.places[k]
		places = append(places, []any{k.account, k.service, k.place, k.app, p.first, p.last, p.n})
	}
	for _, k := range sortedKeys(n.visits, func(a, b visitKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.kind, b.kind), cmp.Compare(a.hour, b.hour), cmp.Compare(a.actor, b.actor))
	}) {
		v := n.visits[k]
		visits = append(visits, []any{k.account, k.kind, k.hour, k.actor, v.first, v.last})
	}
	err := tx.InsertRows(ctx, `INSERT INTO login_place (account_id, service, place, app_password_id, first_at, last_at, logins)`, places,
		`ON CONFLICT (account_id, service, place, app_password_id) DO UPDATE SET last_at = excluded.last_at, logins = login_place.logins + excluded.logins`)
	if err != nil {
		return err
	}
	return tx.InsertRows(ctx, `INSERT INTO mailbox_visit (account_id, kind, hour, actor, first_at, last_at)`, visits,
		`ON CONFLICT (account_id, kind, hour, actor) DO UPDATE SET last_at = excluded.last_at`)
}

func sortedKeys[K comparable](m map[K]span, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

// pruneLogins forgets what is too old to matter to anybody.
func pruneLogins(ctx context.Context, tx *sqldb.Tx) error {
	ago := func(d time.Duration) int64 { return tx.Now.Add(-d).UnixMicro() }
	for _, old := range []struct {
		query  string
		before int64
	}{
		{`DELETE FROM login_place WHERE last_at < $1`, ago(keepPlaces)},
		{`DELETE FROM login_lock WHERE at < $1`, ago(keepLocks)},
		{`DELETE FROM web_session WHERE seen_at < $1`, ago(webIdle)},
		{`DELETE FROM mailbox_visit WHERE last_at < $1`, ago(keepVisits)},
	} {
		if _, err := tx.ExecContext(ctx, old.query, old.before); err != nil {
			return err
		}
	}
	return nil
}

// LoginPlaces lists where an account has logged in from, last first.
func (s *Store) LoginPlaces(ctx context.Context, account AccountID) ([]LoginPlace, error) {
	var rows []struct {
		Service string `db:"service"`
		Place   string `db:"place"`
		App     string `db:"app"`
		FirstAt int64  `db:"first_at"`
		LastAt  int64  `db:"last_at"`
		Logins  int64  `db:"logins"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT p.service, p.place, COALESCE(a.name, '') AS app, p.first_at, p.last_at, p.logins
			FROM login_place p LEFT JOIN app_password a ON a.id = p.app_password_id
			WHERE p.account_id = $1 ORDER BY p.last_at DESC, p.service, p.place LIMIT 100`, account)
	})
	out := make([]LoginPlace, len(rows))
	for i, r := range rows {
		out[i] = LoginPlace{r.Service, r.Place, r.App, time.UnixMicro(r.FirstAt).UTC(), time.UnixMicro(r.LastAt).UTC(), r.Logins}
	}
	return out, wrap(err, "login places of account %d", account)
}

// Visits lists the visits to an account's mailbox that fall, at least in part, into the time from from to to.
func (s *Store) Visits(ctx context.Context, account AccountID, from, to time.Time) ([]Visit, error) {
	var rows []struct {
		Kind    string  `db:"kind"`
		Actor   Address `db:"actor"`
		FirstAt int64   `db:"first_at"`
		LastAt  int64   `db:"last_at"`
	}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT kind, actor, first_at, last_at FROM mailbox_visit
			WHERE account_id = $1 AND last_at >= $2 AND first_at < $3 ORDER BY first_at, kind, actor`, account, from.UnixMicro(), to.UnixMicro())
	})
	out := make([]Visit, len(rows))
	for i, r := range rows {
		out[i] = Visit{r.Kind, r.Actor, time.UnixMicro(r.FirstAt).UTC(), time.UnixMicro(r.LastAt).UTC()}
	}
	return out, wrap(err, "visits to account %d", account)
}

// A Look is that somebody looked into an inbox in which nothing was new.
type Look struct {
	Mailbox         Address // of the account whose inbox it is
	Actor           Address // who logged in
	FirstAt, LastAt time.Time
}

// Looks lists, over all accounts, the looks into inboxes with nothing new that fall, at least in part, into a time.
func (s *Store) Looks(ctx context.Context, from, to time.Time) ([]Look, error) {
	var rows []struct {
		Mailbox Address `db:"address"`
		Actor   Address `db:"actor"`
		FirstAt int64   `db:"first_at"`
		LastAt  int64   `db:"last_at"`
	}
	hour := func(t time.Time) int64 { return t.UnixMicro() / time.Hour.Microseconds() }
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT a.address, v.actor, v.first_at, v.last_at FROM mailbox_visit v JOIN account a ON a.id = v.account_id
			WHERE v.kind = $1 AND v.hour BETWEEN $2 AND $3 AND v.last_at >= $4 AND v.first_at < $5 ORDER BY v.first_at, a.address, v.actor`,
			VisitLooked, hour(from), hour(to), from.UnixMicro(), to.UnixMicro())
	})
	out := make([]Look, len(rows))
	for i, r := range rows {
		out[i] = Look{r.Mailbox, r.Actor, time.UnixMicro(r.FirstAt).UTC(), time.UnixMicro(r.LastAt).UTC()}
	}
	return out, wrap(err, "looks into inboxes")
}
