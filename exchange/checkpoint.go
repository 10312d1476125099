package exchange

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/sqldb"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A checkpoint is the head of the log, signed: a note of golang.org/x/mod/sumdb/note with an Ed25519 signature, whose text is
// lines, each with "\n" at its end:
//
//	congvan/DOMAIN/EPOCH                        the log
//	SIZE                                        leaves, decimal
//	ROOT                                        of the tree of these leaves, base64
//	time 2026-11-25T07:41:40.123456Z            when it was signed, by our own clock
//	previous DIGEST                             base64 SHA-256 of the checkpoint before: its note, then its time stamp
//	                                            where it has one; "-" for the first
//
// A time stamp (RFC 3161), where there is one, is over the SHA-256 of the whole note with its signature, and comes before the
// next checkpoint is signed.

// A LogKey signs and verifies checkpoints. The private half lies in a file, never in the database.
type LogKey struct {
	Signer note.Signer     // nil where the key is not at hand: checkpoints are verified, not signed
	Known  []note.Verifier // keys that checkpoints may be signed with: this one, and those before it
}

// LogName is the name of the installation's log and of its keys.
func LogName(domain string) string { return "congvan/" + domain }

// NewLogKey makes a key; both texts are single lines.
func NewLogKey(domain string) (private, public string, err error) {
	return note.GenerateKey(rand.Reader, LogName(domain))
}

// ParseLogKey reads a private key, "" for none, and the public keys of a text, one a line.
func ParseLogKey(private, public string) (*LogKey, error) {
	k := &LogKey{}
	if private = strings.TrimSpace(private); private != "" {
		signer, err := note.NewSigner(private)
		if err != nil {
			return nil, errors.New("private key of the log: damaged") // the error of the package may quote the key
		}
		k.Signer = signer
	}
	for line := range strings.Lines(public) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("public key of the log %q: %w", line, err)
		}
		k.Known = append(k.Known, v)
	}
	return k, nil
}

// A Checkpoint is one signed head of the log.
type Checkpoint struct {
	Epoch int64  `db:"epoch" json:"epoch"`
	Size  int64  `db:"size" json:"size"`
	At    int64  `db:"at" json:"at"` // microseconds
	Note  string `db:"note" json:"note"`
	Stamp []byte `db:"stamp" json:"stamp,omitempty"`
}

const checkpointColumns = `epoch, size, at, note, stamp`

// digest is what the checkpoint after it and the head of the log name it by.
func (c *Checkpoint) digest() []byte {
	h := sha256.New()
	h.Write([]byte(c.Note))
	h.Write(c.Stamp)
	return h.Sum(nil)
}

// A treeHead is what a checkpoint says.
type treeHead struct {
	origin   string
	size     int64
	root     tlog.Hash
	at       time.Time
	previous string // base64, "-" for none
}

const stampLayout = "2006-01-02T15:04:05.000000Z"

func (h *treeHead) text() string {
	return fmt.Sprintf("%s\n%d\n%s\ntime %s\nprevious %s\n", h.origin, h.size, h.root, h.at.UTC().Format(stampLayout), h.previous)
}

// parseHead reads the text of a checkpoint; only the one way of writing it is taken.
func parseHead(text string) (*treeHead, error) {
	bad := errors.New("not the text of a checkpoint")
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[5] != "" {
		return nil, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil, bad
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, bad
	}
	at, err := time.Parse(stampLayout, strings.TrimPrefix(lines[3], "time "))
	if err != nil {
		return nil, bad
	}
	h := &treeHead{lines[0], size, root, at, strings.TrimPrefix(lines[4], "previous ")}
	if h.text() != text || size < 0 {
		return nil, bad
	}
	return h, nil
}

// openCheckpoint verifies a note's signature by the known keys and reads it. Without a key that knows the note its text is
// returned with errUnknownKey.
func openCheckpoint(text string, known []note.Verifier) (*treeHead, error) {
	n, err := note.Open([]byte(text), note.VerifierList(known...))
	var unknown *note.UnverifiedNoteError
	if errors.As(err, &unknown) {
		h, perr := parseHead(unknown.Note.Text)
		return h, errors.Join(errUnknownKey, perr)
	}
	if err != nil {
		return nil, err
	}
	return parseHead(n.Text)
}

var errUnknownKey = errors.New("signed by a key that is not known")

// logState is what signing needs to know.
type logState struct {
	head logHead
	last *Checkpoint
	root tlog.Hash // at head.size
	old  tlog.Hash // at last.Size
}

// Checkpoint signs the head of the log where it has grown, and has the newest checkpoint time-stamped. It returns the newest
// checkpoint, nil while the log is empty. A time stamp authority that is out of reach is logged and asked again next time.
func (s *Store) Checkpoint(ctx context.Context) (*Checkpoint, error) {
	st, err := s.logState(ctx)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c := st.last
	if st.head.Size > 0 && (c == nil || c.Size < st.head.Size || c.Epoch != st.head.Epoch) {
		if c, err = s.sign(ctx, st); err != nil {
			return nil, fmt.Errorf("checkpoint at %d: %w", st.head.Size, err)
		}
	}
	if c == nil || c.Stamp != nil || s.Stamper == nil {
		return c, nil
	}
	if err := s.stamp(ctx, c); err != nil {
		s.Log.Warn("checkpoint has no time stamp yet", "size", c.Size, "err", err)
	}
	return c, nil
}

func (s *Store) logState(ctx context.Context) (*logState, error) {
	st := &logState{}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if err := tx.GetContext(ctx, &st.head, `SELECT epoch, size, checkpoint FROM log_head WHERE id = 1`); err != nil {
			return err
		}
		if st.last, err = lastCheckpoint(ctx, tx); err != nil {
			return err
		}
		t := newTiles(tx)
		if st.last != nil {
			if st.old, err = t.root(ctx, min(st.last.Size, st.head.Size)); err != nil {
				return err
			}
		}
		st.root, err = t.root(ctx, st.head.Size)
		return err
	})
	return st, err
}

func lastCheckpoint(ctx context.Context, tx *sqldb.Tx) (*Checkpoint, error) {
	var found []Checkpoint
	err := tx.SelectContext(ctx, &found, `SELECT `+checkpointColumns+` FROM checkpoint ORDER BY epoch DESC, size DESC LIMIT 1`)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// sign signs the state unless it contradicts the checkpoint before, or another node has signed meanwhile.
func (s *Store) sign(ctx context.Context, st *logState) (*Checkpoint, error) {
	key, err := s.logKey()
	if err != nil {
		return nil, err
	}
	if key.Signer == nil {
		return nil, errors.New("the log's private key is not here")
	}
	previous := "-"
	if last := st.last; last != nil {
		head, err := openCheckpoint(last.Note, key.Known)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the newest checkpoint: %w: every node needs the same key of the log", err)
		case head.root != st.old || head.size > st.head.Size:
			return nil, fmt.Errorf("the log contradicts its checkpoint at %d: run congvan check", head.size)
		}
		previous = base64.StdEncoding.EncodeToString(last.digest())
	}
	at := s.db.Now()
	head := &treeHead{fmt.Sprintf("%s/%d", LogName(s.Domain), st.head.Epoch), st.head.Size, st.root, at, previous}
	text, err := note.Sign(&note.Note{Text: head.text()}, key.Signer)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Epoch: st.head.Epoch, Size: st.head.Size, At: at.UnixMicro(), Note: string(text)}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := takeHead(ctx, tx)
		if err != nil {
			return err
		}
		if now.Checkpoint != st.head.Checkpoint || now.Epoch != st.head.Epoch {
			return ErrStale
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO checkpoint (epoch, size, at, note) VALUES ($1, $2, $3, $4)`, c.Epoch, c.Size, c.At, c.Note)
		if err != nil {
			return err
		}
		return nameCheckpoint(ctx, tx, c)
	})
	if err == nil {
		s.journal(JournalEntry{Kind: journalHead, Epoch: c.Epoch, Size: c.Size, Root: c.Note})
	}
	return c, err
}

func nameCheckpoint(ctx context.Context, tx *sqldb.Tx, c *Checkpoint) error {
	_, err := tx.ExecContext(ctx, `UPDATE log_head SET checkpoint = $1 WHERE id = 1`, hex.EncodeToString(c.digest()))
	return err
}

// stamp asks for a time stamp outside any transaction and keeps it if the checkpoint is still the newest one.
func (s *Store) stamp(ctx context.Context, c *Checkpoint) error {
	digest := sha256.Sum256([]byte(c.Note))
	token, err := s.Stamper.Timestamp(ctx, digest[:])
	if err != nil {
		return err
	}
	before := hex.EncodeToString(c.digest())
	stamped := *c
	stamped.Stamp = token
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := takeHead(ctx, tx)
		if err != nil {
			return err
		}
		if now.Checkpoint != before {
			return ErrStale
		}
		_, err = tx.ExecContext(ctx, `UPDATE checkpoint SET stamp = $1 WHERE epoch = $2 AND size = $3`, token, c.Epoch, c.Size)
		if err != nil {
			return err
		}
		return nameCheckpoint(ctx, tx, &stamped)
	})
	if err == nil {
		*c = stamped
	}
	return err
}

func (s *Store) logKey() (*LogKey, error) {
	if s.LogKey == nil {
		return nil, errors.New("no key of the log is configured")
	}
	return s.LogKey()
}

// BeginEpoch starts a new epoch of the log, as after a restore: what is written from now on cannot be taken for what the
// lost database had written under the same ids.
func (s *Store) BeginEpoch(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE log_head SET epoch = epoch + 1, holder = '', lease_until = 0 WHERE id = 1`)
		return err
	})
}

// Times of the log's worker.
const (
	logPoll       = 2 * time.Second  // how often waiting events are looked for
	logLease      = 15 * time.Second // how long a node that died keeps the others from it
	checkpointAge = 30 * time.Second // how far apart checkpoints are: at least one a minute that has events
)

// RunLog takes events into the log and signs checkpoints until ctx ends. One node does so at a time; when it dies another
// goes on.
func (s *Store) RunLog(ctx context.Context) error {
	me := rand.Text()
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	var signed time.Time
	for {
		if err := s.logStep(ctx, me, &signed); err != nil && ctx.Err() == nil && !errors.Is(err, ErrStale) {
			s.Log.Error("log of events", "err", err)
		}
		select {
		case <-ctx.Done():
			return s.yieldLog(context.WithoutCancel(ctx), me)
		case <-tick.C:
		}
	}
}

// logStep does what there is to do, if anything and if no other node is at it.
func (s *Store) logStep(ctx context.Context, me string, signed *time.Time) error {
	now := s.db.Now()
	var todo bool
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &todo, `SELECT EXISTS (SELECT 1 FROM log_queue)
			OR (SELECT size FROM log_head WHERE id = 1) > (SELECT coalesce(max(size), 0) FROM checkpoint)`)
	})
	due := now.Sub(*signed) >= checkpointAge
	if err != nil || !todo && !(due && s.Stamper != nil) {
		return err
	}
	mine := false
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		mine, err = tx.ExecOne(ctx, `UPDATE log_head SET holder = $1, lease_until = $2 WHERE id = 1 AND (holder = $1 OR lease_until < $3)`,
			me, tx.Now.Add(logLease).UnixMicro(), tx.Now.UnixMicro())
		return err
	})
	if err != nil || !mine {
		return err
	}
	if _, err := s.Sequence(ctx); err != nil || !due {
		return err
	}
	*signed = now
	_, err = s.Checkpoint(ctx)
	return err
}

// yieldLog signs what was taken into the log and lets another node take over at once.
func (s *Store) yieldLog(ctx context.Context, me string) error {
	ctx, cancel := context.WithTimeout(ctx, logLease)
	defer cancel()
	mine := false
	err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		mine, err = tx.ExecOne(ctx, `UPDATE log_head SET holder = '', lease_until = 0 WHERE id = 1 AND holder = $1`, me)
		return err
	})
	if err != nil || !mine {
		return nil // the lease ends by itself
	}
	if _, err := s.Checkpoint(ctx); err != nil && !errors.Is(err, ErrStale) {
		s.Log.Error("last checkpoint", "err", err)
	}
	return nil
}

// stampRoots are the roots that time stamps of checkpoints are judged by, nil where none is configured.
func (s *Store) stampRoots() *x509.CertPool {
	if s.Stamper == nil {
		return nil
	}
	return s.Stamper.Roots
}
