package mailcore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore/sqldb"

	"github.com/xdg-go/scram"
	"golang.org/x/text/unicode/norm"
)

// An AppPasswordID is the key of an app password.
type AppPasswordID int64

// An AppPassword is a random password for one program or device (mật khẩu ứng dụng). It opens mail, never the account's
// pages, and its owner can revoke it alone.
type AppPassword struct {
	ID        AppPasswordID
	Name      string // what its owner calls the device
	CreatedAt time.Time
	LastAt    time.Time // of its last login, zero for none
	LastPlace string
}

// MaxAppPasswords is how many an account may have at one time.
const MaxAppPasswords = 20

// ErrAppPasswords says that an account has as many app passwords as it may.
var ErrAppPasswords = errors.New("too many app passwords")

// appIterations is the least that RFC 7677 §4 allows: a random secret of 120 bits needs no slow hash.
const appIterations = 4096

// An app password is four groups of six letters and digits, as in abcdef-ghij23-klmn45-opqr67.
const (
	appGroups = 4
	appGroup  = 6
)

type appRow struct {
	ID         AppPasswordID `db:"id"`
	Name       string        `db:"name"`
	StoredKey  string        `db:"stored_key"`
	ServerKey  string        `db:"server_key"`
	Iterations int           `db:"iterations"`
	CreatedAt  int64         `db:"created_at"`
	LastAt     int64         `db:"last_at"`
	LastPlace  string        `db:"last_place"`
}

const appColumns = `id, name, stored_key, server_key, iterations, created_at`

// appPasswords returns those that are not revoked, oldest first.
func appPasswords(ctx context.Context, tx *sqldb.Tx, id AccountID) ([]appRow, error) {
	var rows []appRow
	err := tx.SelectContext(ctx, &rows, `SELECT `+appColumns+` FROM app_password WHERE account_id = $1 AND revoked_at IS NULL ORDER BY id`, id)
	return rows, err
}

// newAppPassword returns a random secret of 120 bits, grouped to be copied by hand.
func newAppPassword() string {
	text := strings.ToLower(rand.Text())[:appGroups*appGroup] // base32: five bits each
	var groups []string
	for i := 0; i < len(text); i += appGroup {
		groups = append(groups, text[i:i+appGroup])
	}
	return strings.Join(groups, "-")
}

// asAppPassword returns the written form of what may be an app password typed without hyphens or with spaces.
func asAppPassword(s string) (string, bool) {
	s = strings.ToLower(strings.NewReplacer("-", "", " ", "", "\u00a0", "", "\t", "").Replace(norm.NFKC.String(s)))
	if len(s) != appGroups*appGroup || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	return s[0:6] + "-" + s[6:12] + "-" + s[12:18] + "-" + s[18:24], true
}

// CreateAppPassword makes an app password and returns it: the only time that it can be read.
func (s *Store) CreateAppPassword(ctx context.Context, account AccountID, name string) (string, error) {
	name = clean(strings.TrimSpace(norm.NFC.String(name)), 200)
	if name == "" {
		return "", errors.New("create app password: it has no name")
	}
	secret := newAppPassword()
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		salt, err := appSalt(ctx, tx, account)
		if err != nil {
			return err
		}
		have, err := appPasswords(ctx, tx, account)
		if err != nil {
			return err
		}
		if len(have) >= MaxAppPasswords {
			return ErrAppPasswords
		}
		keys, err := appKeys(secret, salt)
		if err != nil {
			return err
		}
		b64 := base64.StdEncoding
		_, err = tx.ExecContext(ctx, `INSERT INTO app_password (account_id, name, stored_key, server_key, iterations, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, account, name, b64.EncodeToString(keys.StoredKey), b64.EncodeToString(keys.ServerKey),
			appIterations, tx.Now.UnixMicro())
		return err
	})
	return secret, wrap(err, "create app password of account %d", account)
}

// appSalt returns the salt of the account's app passwords, one for all: a client says which it has only with its proof.
func appSalt(ctx context.Context, tx *sqldb.Tx, account AccountID) (string, error) {
	fresh := make([]byte, 16)
	rand.Read(fresh)
	var salt string
	err := tx.GetContext(ctx, &salt, `UPDATE account SET scram_salt = CASE WHEN scram_salt = '' THEN $1 ELSE scram_salt END
		WHERE id = $2 RETURNING scram_salt`, base64.StdEncoding.EncodeToString(fresh), account)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(salt)
	return string(raw), err
}

// appKeys derives what is kept of a secret (RFC 5802 §3).
func appKeys(secret, salt string) (scram.StoredCredentials, error) {
	client, err := scram.SHA256.NewClient("", secret, "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: appIterations})
}

// matchApp finds the app password that this is. Only what is shaped like one is derived, so others cost nothing.
func (s *Store) matchApp(who *loginCandidate, password string) (AppPasswordID, bool) {
	secret, ok := asAppPassword(password)
	if !ok || !who.mail || len(who.apps) == 0 {
		return 0, false
	}
	for _, a := range who.apps {
		if s.logins.known(s.logins.id(who.account, a.StoredKey, secret)) {
			return a.ID, true
		}
	}
	salt, err := base64.StdEncoding.DecodeString(who.row.Salt)
	if err != nil {
		return 0, false
	}
	keys, err := appKeys(secret, string(salt))
	if err != nil {
		return 0, false
	}
	for _, a := range who.apps {
		if want, err := base64.StdEncoding.DecodeString(a.StoredKey); err == nil && subtle.ConstantTimeCompare(keys.StoredKey, want) == 1 {
			s.logins.remember(s.logins.id(who.account, a.StoredKey, secret))
			return a.ID, true
		}
	}
	return 0, false
}

// AppPasswords lists an account's app passwords, oldest first.
func (s *Store) AppPasswords(ctx context.Context, account AccountID) ([]AppPassword, error) {
	var rows []appRow
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT `+appColumns+`,
			COALESCE((SELECT MAX(last_at) FROM login_place p WHERE p.account_id = a.account_id AND p.app_password_id = a.id), 0) AS last_at,
			COALESCE((SELECT place FROM login_place p WHERE p.account_id = a.account_id AND p.app_password_id = a.id
				ORDER BY last_at DESC LIMIT 1), '') AS last_place
			FROM app_password a WHERE account_id = $1 AND revoked_at IS NULL ORDER BY id`, account)
	})
	out := make([]AppPassword, len(rows))
	for i, r := range rows {
		out[i] = AppPassword{ID: r.ID, Name: r.Name, CreatedAt: time.UnixMicro(r.CreatedAt).UTC(), LastPlace: r.LastPlace}
		if r.LastAt > 0 {
			out[i].LastAt = time.UnixMicro(r.LastAt).UTC()
		}
	}
	return out, wrap(err, "app passwords of account %d", account)
}

// RevokeAppPassword ends an app password and what is logged in by it.
func (s *Store) RevokeAppPassword(ctx context.Context, account AccountID, id AppPasswordID) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		tx.Wake(TopicLogins)
		return changeOne(ctx, tx, ErrStale, `UPDATE app_password SET revoked_at = $1 WHERE id = $2 AND account_id = $3 AND revoked_at IS NULL`,
			tx.Now.UnixMicro(), id, account)
	})
	return wrap(err, "revoke app password %d", id)
}

// A Scram is one SCRAM-SHA-256 login (RFC 5802, RFC 7677) by an app password; the account's own password cannot be used,
// because nothing is kept of it that SCRAM could check. One conversation runs for each app password, all with the same salt
// and nonce: the client's proof says which it has.
type Scram struct {
	s       *Store
	at      Attempt
	binding scram.ChannelBinding
	plus    bool

	step  int
	who   *loginCandidate
	runs  []*scram.ServerConversation
	login Login
}

// NewScram begins a login over TLS. With plus the client must bind itself to the channel (RFC 9266).
func (s *Store) NewScram(at Attempt, channel *tls.ConnectionState, plus bool) *Scram {
	return &Scram{s: s, at: at, binding: channelBinding(channel), plus: plus}
}

// CanBind reports whether SCRAM-SHA-256-PLUS can be offered: TLS 1.3 has a binding that holds.
func CanBind(channel *tls.ConnectionState) bool { return channelBinding(channel).IsSupported() }

func channelBinding(channel *tls.ConnectionState) scram.ChannelBinding {
	if channel == nil || channel.Version < tls.VersionTLS13 {
		return scram.ChannelBinding{}
	}
	b, err := scram.NewTLSExporterBinding(channel)
	if err != nil {
		return scram.ChannelBinding{}
	}
	return b
}

// Login is who logged in, once Next has said done.
func (c *Scram) Login() Login { return c.login }

// Next takes the client's next message, nil for none yet, and returns the answer. Errors are those of LogIn.
func (c *Scram) Next(ctx context.Context, response []byte) (challenge []byte, done bool, err error) {
	if c.step == 0 && response == nil {
		return nil, false, nil // no initial response
	}
	var answer string
	switch c.step++; c.step {
	case 1:
		answer, err = c.first(ctx, string(response))
	case 2:
		answer, err = c.final(ctx, string(response))
	case 3: // the client has checked our proof
		return nil, true, nil
	}
	return []byte(answer), false, err
}

// first answers the client's first message. An unknown address, and an account without app passwords, is answered alike.
func (c *Scram) first(ctx context.Context, message string) (string, error) {
	nonce := rand.Text()
	probe, err := c.conversation(nonce, scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: "0", Iters: appIterations}})
	if err != nil {
		return "", err
	}
	if _, err := probe.Step(message); err != nil {
		return "", &LoginError{Err: ErrBadCredentials}
	}
	if id := probe.AuthzID(); id != "" && !strings.EqualFold(id, probe.Username()) {
		return "", &LoginError{Err: ErrBadCredentials} // nobody acts as somebody else by a password
	}
	c.at.Address = probe.Username()
	if c.who, err = c.s.candidate(ctx, c.at); err != nil {
		return "", fmt.Errorf("log in %q: %w", c.at.Address, err)
	}
	if !c.s.tries.allow(c.who.suspect, c.who.locks, true) {
		return "", &LoginError{ErrThrottled, failsOfPair}
	}
	salt, keys := c.keys()
	var answer string
	for _, k := range keys {
		k.KeyFactors = scram.KeyFactors{Salt: salt, Iters: appIterations}
		run, err := c.conversation(nonce, k)
		if err != nil {
			return "", err
		}
		if answer, err = run.Step(message); err != nil {
			return "", &LoginError{Err: ErrBadCredentials}
		}
		c.runs = append(c.runs, run)
	}
	return answer, nil
}

// keys returns the salt and what checks each app password, in the order of who.apps; for an account without any, a salt that
// is always the same for this address and keys that nothing matches.
func (c *Scram) keys() (salt string, keys []scram.StoredCredentials) {
	b64 := base64.StdEncoding
	raw, saltErr := b64.DecodeString(c.who.row.Salt)
	c.who.apps = slices.DeleteFunc(c.who.apps, func(a appRow) bool {
		stored, err1 := b64.DecodeString(a.StoredKey)
		server, err2 := b64.DecodeString(a.ServerKey)
		ok := errors.Join(err1, err2, saltErr) == nil && a.Iterations == appIterations
		if ok {
			keys = append(keys, scram.StoredCredentials{StoredKey: stored, ServerKey: server})
		}
		return !ok
	})
	if len(keys) > 0 {
		return string(raw), keys
	}
	d := c.s.logins.digest("salt", string(c.who.account))
	return string(d[:16]), []scram.StoredCredentials{{StoredKey: d[:], ServerKey: d[:]}}
}

func (c *Scram) conversation(nonce string, k scram.StoredCredentials) (*scram.ServerConversation, error) {
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return k, nil })
	if err != nil {
		return nil, err
	}
	server.WithNonceGenerator(func() string { return nonce })
	switch {
	case c.plus:
		return server.NewConversationWithChannelBindingRequired(c.binding), nil
	case c.binding.IsSupported():
		return server.NewConversationWithChannelBinding(c.binding), nil
	}
	return server.NewConversation(), nil
}

// final checks the client's proof and returns what proves this server to the client.
func (c *Scram) final(ctx context.Context, message string) (string, error) {
	if !c.s.tries.allow(c.who.suspect, nil, false) && !c.who.known {
		return "", &LoginError{ErrThrottled, failsOfPair}
	}
	for i, run := range c.runs {
		answer, err := run.Step(message)
		if err != nil || !run.Valid() || i >= len(c.who.apps) {
			continue
		}
		c.login, err = c.s.accepted(c.who, c.who.apps[i].ID, c.at.Service)
		return answer, err
	}
	// Of a wrong secret nothing is seen but its proof, which is another each time: all count.
	return "", c.s.refused(ctx, c.who, c.s.logins.digest("proof", message))
}
