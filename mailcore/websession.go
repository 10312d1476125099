package mailcore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"congvan/mailcore/sqldb"
)

// How long a session of the web pages lives: without a click, and at all.
const (
	webIdle = 30 * time.Minute
	webLife = 12 * time.Hour
	webNote = time.Minute // a click is noted so often
)

// ErrNoSession says that nobody is signed in by this token, or no longer.
var ErrNoSession = errors.New("no such session")

// A WebSession is somebody signed in to the web pages.
type WebSession struct {
	ID        string // names it, but lets nobody in
	Account   Account
	Issued    bool // signed in with the issued password: may change it and nothing else
	CreatedAt time.Time
	SeenAt    time.Time
	Place     string
	Agent     string // what the browser calls itself
}

func tokenDigest(token string) string {
	d := sha256.Sum256([]byte(token))
	return hex.EncodeToString(d[:])
}

// OpenWebSession begins a session for a login and returns the token that its cookie holds.
func (s *Store) OpenWebSession(ctx context.Context, l Login, agent string) (string, error) {
	token := rand.Text() + rand.Text()
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now := tx.Now.UnixMicro()
		_, err := tx.ExecContext(ctx, `INSERT INTO web_session (digest, account_id, epoch, issued, created_at, seen_at, place, agent)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, tokenDigest(token), l.ID, l.epoch, l.MustChange, now, now, l.Place, clean(agent, 300))
		return err
	})
	return token, wrap(err, "open web session of %s", l.Address)
}

type webRow struct {
	Digest    string    `db:"digest"`
	Account   AccountID `db:"account_id"`
	Issued    bool      `db:"issued"`
	CreatedAt int64     `db:"created_at"`
	SeenAt    int64     `db:"seen_at"`
	Place     string    `db:"place"`
	Agent     string    `db:"agent"`
}

func (r *webRow) session() WebSession {
	return WebSession{ID: r.Digest[:16], Issued: r.Issued, CreatedAt: time.UnixMicro(r.CreatedAt).UTC(), SeenAt: time.UnixMicro(r.SeenAt).UTC(),
		Place: r.Place, Agent: r.Agent}
}

// openSessions is what makes a session hold: the account's epoch has not moved, and it is neither idle nor old.
const openSessions = `SELECT w.digest, w.account_id, w.issued, w.created_at, w.seen_at, w.place, w.agent FROM web_session w
	JOIN account a ON a.id = w.account_id WHERE w.epoch = a.epoch AND a.closed_at IS NULL AND w.seen_at > $1 AND w.created_at > $2`

func sessionBounds(now time.Time) (idle, life int64) {
	return now.Add(-webIdle).UnixMicro(), now.Add(-webLife).UnixMicro()
}

// WebSession returns the session of a token and notes that it is used; ErrNoSession.
func (s *Store) WebSession(ctx context.Context, token string) (WebSession, error) {
	var row webRow
	var account accountRow
	digest := tokenDigest(token)
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		idle, life := sessionBounds(tx.Now)
		if err := tx.GetContext(ctx, &row, openSessions+` AND w.digest = $3`, idle, life, digest); err != nil {
			return err
		}
		return tx.GetContext(ctx, &account, `SELECT `+accountColumns+` FROM account WHERE id = $1`, row.Account)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return WebSession{}, ErrNoSession
	}
	if err != nil {
		return WebSession{}, wrap(err, "look up web session")
	}
	session := row.session()
	session.Account = account.account()
	if s.db.Now().Sub(session.SeenAt) > webNote {
		err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE web_session SET seen_at = $1 WHERE digest = $2`, tx.Now.UnixMicro(), digest)
			return err
		})
	}
	return session, wrap(err, "note use of a web session")
}

// WebSessions lists who is signed in to the account's pages, last used first.
func (s *Store) WebSessions(ctx context.Context, account AccountID) ([]WebSession, error) {
	var rows []webRow
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		idle, life := sessionBounds(tx.Now)
		return tx.SelectContext(ctx, &rows, openSessions+` AND w.account_id = $3 ORDER BY w.seen_at DESC, w.digest`, idle, life, account)
	})
	out := make([]WebSession, len(rows))
	for i := range rows {
		out[i] = rows[i].session()
	}
	return out, wrap(err, "web sessions of account %d", account)
}

// CloseWebSession signs one session of the account out, by its ID.
func (s *Store) CloseWebSession(ctx context.Context, account AccountID, id string) error {
	if len(id) != 16 {
		return ErrNoSession
	}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		return changeOne(ctx, tx, ErrNoSession, `DELETE FROM web_session WHERE account_id = $1 AND substr(digest, 1, 16) = $2`, account, id)
	})
	return wrap(err, "close web session")
}

// EndLogins signs the account out everywhere: web sessions and open connections. Passwords stay, so programs may come back.
func (s *Store) EndLogins(ctx context.Context, account AccountID) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error { return endLogins(ctx, tx, account) })
	return wrap(err, "end logins of account %d", account)
}
