package mailcore

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"congvan/mailcore/sqldb"
)

// Bounds of failed logins. One address with one account is somebody guessing; one address with many accounts may be the
// whole office behind one address, so it may fail more often. An account that is guessed at from many addresses is never
// locked: strangers get few tries, addresses that it has logged in from keep going.
const (
	failWindow    = 10 * time.Minute
	failsOfPair   = 10
	failsOfPlace  = 100
	accountWindow = time.Hour
	failsOfOwner  = 100
	knownPace     = 3 * time.Second  // between two tries from a known address once it has failed too often
	strangerPace  = 10 * time.Second // between two tries of all strangers at an account under attack
	firstLock     = 10 * time.Minute // doubled with each further lock of a day
	longestLock   = 12 * time.Hour
	maxTries      = 30000
	wrongKept     = 4
)

// placeOf is the text that stands for where a connection comes from: the address, for IPv6 the network of one customer.
func placeOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	if !addr.IsValid() {
		return "?"
	}
	return addr.String()
}

// A throttle counts failed logins by place, by account, and by both. Its counts live in this process; what they lead to, the
// locks, are rows that every node sees and a restart keeps.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*tries
}

type tries struct {
	count int
	last  time.Time
	next  time.Time           // when a paced try may come
	wrong [wrongKept][32]byte // digests of the last passwords that were wrong
	at    int                 // place of the next in wrong
}

func newThrottle() *throttle { return &throttle{now: time.Now, of: map[string]*tries{}} }

// A suspect is who tries to log in as whom.
type suspect struct {
	place   string
	account Address
	known   bool // the account has logged in from there
}

func (s suspect) pair() string  { return s.place + " " + string(s.account) }
func (s suspect) owner() string { return "* " + string(s.account) }

// allow reports whether a password may be tried. locks are the rows of the place and the pair that hold. With spend the
// try counts against the pace.
func (t *throttle) allow(s suspect, locks []string, spend bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := t.count(s.pair(), failWindow) >= failsOfPair
	place := t.count(s.place, failWindow) >= failsOfPlace
	for _, l := range locks {
		pair, place = pair || l == s.pair(), place || l == s.place
	}
	if s.known {
		return !pair || t.paced(s.pair(), knownPace, spend)
	}
	if pair || place {
		return false
	}
	return t.count(s.owner(), accountWindow) < failsOfOwner || t.paced(s.owner(), strangerPace, spend)
}

// paced reports whether the next slow try may come now.
func (t *throttle) paced(key string, pace time.Duration, spend bool) bool {
	x := t.get(key)
	if t.now().Before(x.next) {
		return false
	}
	if spend {
		x.next = t.now().Add(pace)
	}
	return true
}

// wasWrong reports whether exactly this password was wrong lately: a phone with an old one asks every few minutes, which is
// no guessing and needs no hash.
func (t *throttle) wasWrong(s suspect, id [32]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.of[s.pair()]
	if x == nil || t.now().Sub(x.last) >= failWindow {
		return false
	}
	for _, w := range x.wrong {
		if w == id {
			return true
		}
	}
	return false
}

// fail counts a wrong password and returns how many there were lately of this pair, and what is to be locked now.
func (t *throttle) fail(s suspect, id [32]byte) (lately int, lock []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) >= maxTries {
		t.sweep()
	}
	x := t.add(s.pair(), failWindow)
	x.wrong[x.at%wrongKept] = id
	x.at++
	if x.count == failsOfPair {
		lock = append(lock, s.pair())
	}
	if t.add(s.place, failWindow).count == failsOfPlace {
		lock = append(lock, s.place)
	}
	t.add(s.owner(), accountWindow)
	return x.count, lock
}

// forget clears a pair after a good login. The address keeps its count: a guesser may own one account.
func (t *throttle) forget(s suspect) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, s.pair())
}

func (t *throttle) get(key string) *tries {
	x := t.of[key]
	if x == nil {
		x = &tries{}
		t.of[key] = x
	}
	return x
}

func (t *throttle) add(key string, window time.Duration) *tries {
	n := t.count(key, window)
	x := t.get(key)
	x.count, x.last = n+1, t.now()
	return x
}

func (t *throttle) count(key string, window time.Duration) int {
	if x := t.of[key]; x != nil && t.now().Sub(x.last) < window {
		return x.count
	}
	return 0
}

// sweep makes room: what is over first, then whatever comes first, so that a flood of addresses costs no more memory. The
// accounts' own counts stay longest: there are few, and they are what slows such a flood.
func (t *throttle) sweep() {
	for key, x := range t.of {
		if t.now().Sub(x.last) >= accountWindow && t.now().After(x.next) {
			delete(t.of, key)
		}
	}
	for _, owners := range []bool{false, true} {
		for key := range t.of {
			if len(t.of) < maxTries/2 {
				return
			}
			if owners || !strings.HasPrefix(key, "* ") {
				delete(t.of, key)
			}
		}
	}
}

// lockPlaces writes locks that every node sees.
func (s *Store) lockPlaces(ctx context.Context, places []string) error {
	if len(places) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now := tx.Now.UnixMicro()
		for _, p := range places {
			var times int64
			err := tx.GetContext(ctx, &times, `INSERT INTO login_lock (place, until_at, times, at) VALUES ($1, 0, 1, $2)
				ON CONFLICT (place) DO UPDATE SET times = CASE WHEN login_lock.at < $3 THEN 1 ELSE login_lock.times + 1 END, at = $2
				RETURNING times`, p, now, now-(24*time.Hour).Microseconds())
			if err != nil {
				return err
			}
			lock := min(firstLock<<min(times-1, 10), longestLock)
			if _, err := tx.ExecContext(ctx, `UPDATE login_lock SET until_at = $1 WHERE place = $2`, now+lock.Microseconds(), p); err != nil {
				return err
			}
		}
		return nil
	})
}

// lift forgets what was counted before a person lifted the locks of a place or of an account.
func (t *throttle) lift(s suspect, lifted []liftedLock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range lifted {
		for _, key := range []string{l.Place, s.pair()} {
			if x := t.of[key]; x != nil && x.last.UnixMicro() <= l.At {
				delete(t.of, key)
			}
		}
	}
}

// A liftedLock is a row that says when a place or an account was let in again.
type liftedLock struct {
	Place string `db:"place"`
	Until int64  `db:"until_at"` // 0: it was lifted
	At    int64  `db:"at"`
}

// unlockAccount ends the locks of an account, in the counts of every node too.
func unlockAccount(ctx context.Context, tx *sqldb.Tx, address Address) error {
	_, err := unlock(ctx, tx, suspect{account: address}.owner(), `substr(place, length(place) - length($1) + 1) = $1`, " "+string(address))
	return err
}

func unlock(ctx context.Context, tx *sqldb.Tx, key, condition string, arg any) (held int, err error) {
	if err := tx.GetContext(ctx, &held, `SELECT count(*) FROM login_lock WHERE `+condition+` AND until_at > $2`, arg, tx.Now.UnixMicro()); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM login_lock WHERE `+condition, arg); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO login_lock (place, until_at, times, at) VALUES ($1, 0, 0, $2)
		ON CONFLICT (place) DO UPDATE SET until_at = 0, times = 0, at = $2`, key, tx.Now.UnixMicro())
	return held, err
}

// UnlockTx lets an account, or everybody at an address or network, try passwords again at once, whatever failed before: what was
// counted is forgotten by every node. who is the address of an account or an IP address. It returns how many locks held.
func (s *Store) UnlockTx(ctx context.Context, tx *sqldb.Tx, who string) (int, error) {
	if ip, err := netip.ParseAddr(who); err == nil {
		place := placeOf(ip)
		held, err := unlock(ctx, tx, place, `(place = $1 OR substr(place, 1, length($1) + 1) = $1 || ' ')`, place)
		return held, wrap(err, "unlock %s", place)
	}
	address, err := ParseAddress(who)
	if err != nil {
		return 0, err
	}
	var n int
	if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM account WHERE address = $1`, address); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, fmt.Errorf("unlock %s: %w", address, ErrNoAccount)
	}
	held, err := unlock(ctx, tx, suspect{account: address}.owner(), `substr(place, length(place) - length($1) + 1) = $1`, " "+string(address))
	return held, wrap(err, "unlock %s", address)
}
