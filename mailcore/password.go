package mailcore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of a hash: some 40 ms of one core. What a stored hash says of its own cost counts when it is checked.
const (
	hashTime   = 2
	hashMemory = 19 << 10 // KiB
	hashKey    = 32
	hashSalt   = 16
)

// hashing bounds how many hashes run at once: mail clients log in often and side by side, and each takes 19 MiB and a core.
var hashing = make(chan struct{}, runtime.NumCPU())

// argon runs one hash when a core is free.
func argon(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, time, memory, threads, hashKey), nil
}

// hashPassword returns the PHC string of an argon2id hash. Passwords are composed first, so that one typed on a Mac is the
// one typed on Windows.
func hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, hashSalt)
	rand.Read(salt)
	key, err := argon(ctx, password, salt, hashTime, hashMemory, 1)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, hashMemory, hashTime, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// checkPassword compares a password with a PHC string. An empty one matches nothing, after the same work.
func checkPassword(ctx context.Context, hash, password string) (bool, error) {
	time, memory, threads, salt, want, ok := parseHash(hash)
	if !ok {
		time, memory, threads, salt, want = hashTime, hashMemory, 1, make([]byte, hashSalt), make([]byte, hashKey)
	}
	key, err := argon(ctx, password, salt, time, memory, threads)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, want) == 1 && ok, nil
}

func parseHash(s string) (time, memory uint32, threads uint8, salt, key []byte, ok bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	sane := 0 < time && time <= 10 && 0 < memory && memory <= 1<<20 && threads > 0
	return time, memory, threads, salt, key, err1 == nil && err2 == nil && sane && len(key) == hashKey
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

func (l *logins) check(ctx context.Context, address Address, hash, password string) (bool, error) {
	id := l.id(address, hash, password)
	if hash != "" && l.known(id) {
		return true, nil
	}
	ok, err := checkPassword(ctx, hash, password)
	if ok {
		l.remember(id)
	}
	return ok, err
}

func (l *logins) id(address Address, hash, password string) (id [32]byte) {
	mac := hmac.New(sha256.New, l.key[:])
	fmt.Fprintf(mac, "%q %q %q", address, hash, norm.NFKC.String(password))
	mac.Sum(id[:0])
	return id
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
