package mailcore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// A HashCost is what checking a password costs. A stored hash says its own; one of another cost is made anew when its owner
// logs in.
type HashCost struct {
	Time   uint32 // passes over the memory
	Memory uint32 // KiB
}

// DefaultHashCost takes some 40 ms of one core and 19 MiB.
var DefaultHashCost = HashCost{Time: 2, Memory: 19 << 10}

const (
	hashKey  = 32
	hashSalt = 16

	maxHashTime   = 10
	maxHashMemory = 1 << 20 // KiB
)

// Valid reports whether the cost is within what this program would run.
func (c HashCost) Valid() bool {
	return 0 < c.Time && c.Time <= maxHashTime && 8 <= c.Memory && c.Memory <= maxHashMemory
}

// ErrBusy says that too many passwords wait to be checked.
var ErrBusy = errors.New("too many logins at once")

// hashing bounds how many hashes run at once: mail clients log in often and side by side, and each takes 19 MiB and a core.
var hashing = make(chan struct{}, runtime.NumCPU())

// How many may wait for their turn. Strangers are turned away first, so that a flood of them keeps nobody out who is known.
const (
	maxWaiting  = 1000
	maxStranger = 100
)

var waiting atomic.Int64

// takeHashing waits for a free core and returns what gives it back.
func takeHashing(ctx context.Context, limit int64) (func(), error) {
	if waiting.Add(1) > limit {
		waiting.Add(-1)
		return nil, ErrBusy
	}
	defer waiting.Add(-1)
	select {
	case hashing <- struct{}{}:
		return func() { <-hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func argon(password string, salt []byte, cost HashCost, threads uint8) []byte {
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, cost.Time, cost.Memory, threads, hashKey)
}

// hashPassword returns the PHC string of an argon2id hash. Passwords are composed first, so that one typed on a Mac is the
// one typed on Windows.
func hashPassword(ctx context.Context, password string, cost HashCost) (string, error) {
	give, err := takeHashing(ctx, maxWaiting)
	if err != nil {
		return "", err
	}
	defer give()
	return newHash(password, cost), nil
}

func newHash(password string, cost HashCost) string {
	salt := make([]byte, hashSalt)
	rand.Read(salt)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, cost.Memory, cost.Time, b64.EncodeToString(salt),
		b64.EncodeToString(argon(password, salt, cost, 1)))
}

// matchesHash compares a password with a PHC string. An empty one matches nothing, after the same work.
func matchesHash(hash, password string, cost HashCost) bool {
	own, threads, salt, want, ok := parseHash(hash)
	if !ok {
		own, threads, salt, want = cost, 1, make([]byte, hashSalt), make([]byte, hashKey)
	}
	return subtle.ConstantTimeCompare(argon(password, salt, own, threads), want) == 1 && ok
}

// isOutdated reports whether a hash was made at another cost than is wanted today.
func isOutdated(hash string, cost HashCost) bool {
	own, threads, _, _, ok := parseHash(hash)
	return ok && (own != cost || threads != 1)
}

func parseHash(s string) (cost HashCost, threads uint8, salt, key []byte, ok bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &threads); err != nil {
		return
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	return cost, threads, salt, key, err1 == nil && err2 == nil && cost.Valid() && threads > 0 && len(key) == hashKey
}

// How long, and how many, good logins are remembered.
const (
	loginTime = 5 * time.Minute
	maxLogins = 10000
)

// logins remembers good logins by a keyed digest of address, stored hash and password, so that a client that opens ten
// connections costs one hash. A new password changes the stored hash, and with it the digest, on every node.
type logins struct {
	key  [32]byte
	now  func() time.Time
	mu   sync.Mutex
	good map[[32]byte]time.Time // until when
}

func newLogins() *logins {
	l := &logins{now: time.Now, good: map[[32]byte]time.Time{}}
	rand.Read(l.key[:])
	return l
}

// digest is a keyed digest of the parts.
func (l *logins) digest(parts ...string) (id [32]byte) {
	mac := hmac.New(sha256.New, l.key[:])
	fmt.Fprintf(mac, "%q", parts)
	mac.Sum(id[:0])
	return id
}

func (l *logins) id(address Address, hash, password string) [32]byte {
	return l.digest(string(address), hash, norm.NFKC.String(password))
}

func (l *logins) known(id [32]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now().Before(l.good[id])
}

func (l *logins) remember(id [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.good) >= maxLogins {
		for k, until := range l.good {
			if !l.now().Before(until) {
				delete(l.good, k)
			}
		}
	}
	if len(l.good) >= maxLogins {
		clear(l.good)
	}
	l.good[id] = l.now().Add(loginTime)
}
