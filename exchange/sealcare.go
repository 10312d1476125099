package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// Seals after the issue. A seal that was made while a time stamp or revocation service was down is raised when it answers; one
// of level B-LTA gets another archive time stamp before the last one ends. Both add to the file and change not a byte of it
// (signing.Extend), so the copies that were sent stay what they are: the raised file is kept beside them, begins with their
// very bytes, and is named by an event of the document. Copies that are sent later have the same bytes as the first ones.

// EventSealRaised is the milestone of an issued document whose seals were raised or renewed.
const EventSealRaised = "seal_raised"

// A RaiseNote is what EventSealRaised tells.
type RaiseNote struct {
	Level   signing.Level `json:"level"`              // the lowest of the package now
	Before  signing.Level `json:"before"`             // and before
	RenewBy *time.Time    `json:"renew_by,omitempty"` // when the archive time stamp ends, of the file whose ends first
	Files   []RaisedFile  `json:"raised"`
}

// A Raised tells in a Status that the seals were raised or renewed, and when.
type Raised struct {
	At time.Time `json:"at"`
	RaiseNote
}

// A RaisedFile is one file of the package, with more behind it than travelled.
type RaisedFile struct {
	Ordinal int         `json:"ordinal"`
	SHA256  blob.Digest `json:"sha256"`
	Size    int64       `json:"size"`
	From    blob.Digest `json:"from"` // what it begins with: the file as sent, or as raised before
}

// Times of the worker that looks after seals.
const (
	careEvery   = time.Minute
	careLease   = 15 * time.Minute // a package of 50 files, each with time stamps and answers to wait for
	careLongest = time.Hour        // between tries while a service is down
	careFault   = 24 * time.Hour   // between tries of what somebody has to mend
	// renewBefore is how long before its end an archive time stamp is renewed, when the configuration says nothing.
	renewBefore = 60 * 24 * time.Hour
	topicSeals  = "seals"
)

// RunSeals raises and renews seals until ctx ends. Any number of nodes may run it.
func (s *Store) RunSeals(ctx context.Context) error {
	wake, end := s.db.Listen(topicSeals)
	defer end()
	for {
		if _, err := s.CareForSeals(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("look after seals", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-time.After(careEvery):
		}
	}
}

// CareForSeals looks after every seal whose time has come and returns how many documents were raised or renewed. One that
// cannot be raised now is tried again later and stops no other; while a service is down the agency's others wait with it.
func (s *Store) CareForSeals(ctx context.Context) (raised int, err error) {
	if s.Extending == nil {
		return 0, nil
	}
	for ctx.Err() == nil {
		job, e := s.claimCare(ctx)
		if job == nil || e != nil {
			return raised, errors.Join(err, e)
		}
		is, e := s.careFor(ctx, job)
		if is {
			raised++
		}
		var hindered *hindrance
		switch {
		case e == nil || ctx.Err() != nil:
		case errors.As(e, &hindered):
			err = errors.Join(err, s.careLater(ctx, job, e))
		default: // our own trouble: the lease ends by itself
			err = errors.Join(err, fmt.Errorf("seals of document %d: %w", job.Document, e))
		}
	}
	return raised, err
}

// A hindrance is what keeps a seal from being raised that lies with it, its certificate or a service.
type hindrance struct{ error }

func (h *hindrance) Unwrap() error { return h.error }

func hinderedBy(err error, doing string) error {
	if err == nil {
		return nil
	}
	return &hindrance{fmt.Errorf("%s: %w", doing, err)}
}

// A careJob is one document whose seals are to be looked at.
type careJob struct {
	Document DocumentID          `db:"document_id"`
	Tries    int                 `db:"tries"`
	Agency   recipients.UnitCode `db:"-"`
}

func (s *Store) claimCare(ctx context.Context) (*careJob, error) {
	var rows []careJob
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		rows = nil
		now := tx.Now.UnixMicro()
		return tx.SelectContext(ctx, &rows, `UPDATE seal_care SET lease_until = $1 WHERE document_id IN (SELECT c.document_id FROM seal_care c
			JOIN document d ON d.id = c.document_id WHERE d.state = 'issued' AND c.next_at <= $2 AND c.lease_until < $3 ORDER BY c.next_at, c.document_id LIMIT 1)
			AND next_at <= $4 AND lease_until < $5 RETURNING document_id, tries`, tx.Now.Add(careLease).UnixMicro(), now, now, now, now)
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// careLater notes what stood in the way and when to try again. A fault that is no service's is logged: somebody has to look.
func (s *Store) careLater(ctx context.Context, job *careJob, reason error) error {
	problem := cmp.Or(WaitsFor(reason), WaitFault)
	wait := careFault
	if problem == WaitService {
		wait = min(careEvery<<min(job.Tries, 10), careLongest)
	}
	s.Log.Warn("seal cannot be raised now", "document", job.Document, "for", problem, "again_in", wait, "err", reason)
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE seal_care SET next_at = $1, lease_until = 0, tries = tries + 1, problem = $2 WHERE document_id = $3`,
			tx.Now.Add(wait).UnixMicro(), problem, job.Document); err != nil || problem != WaitService {
			return err
		}
		soon := tx.Now.Add(careEvery).UnixMicro()
		_, err := tx.ExecContext(ctx, `UPDATE seal_care SET next_at = $1 WHERE next_at < $2 AND document_id <> $3 AND document_id IN (SELECT id FROM document WHERE agency = $4)`,
			soon, soon, job.Document, job.Agency)
		return err
	})
	if err != nil {
		return fmt.Errorf("postpone the seals of document %d: %w", job.Document, err)
	}
	return nil
}

// A sealStory is what a document's events tell of its seals.
type sealStory struct {
	seal   SealNote
	raises []Raised
}

func sealStoryOf(events []Event) (st sealStory) {
	for _, e := range events {
		switch e.Kind {
		case string(Sealed):
			detail := struct{ Seal *SealNote }{}
			if json.Unmarshal([]byte(e.Detail), &detail) == nil && detail.Seal != nil {
				st.seal = *detail.Seal
			}
		case EventSealRaised:
			st.raises = append(st.raises, raiseNote(e))
		}
	}
	return st
}

func raiseNote(e Event) (n Raised) {
	json.Unmarshal([]byte(e.Detail), &n.RaiseNote) // our own; what cannot be read names no file
	n.At = time.UnixMicro(e.At).In(hanoi)
	return n
}

// wanted is the level that was asked for when the seals were made; "" for seals of programs that did not tell.
func (st *sealStory) wanted() signing.Level { return cmp.Or(st.seal.Wanted, st.seal.Level) }

// level is the lowest of the package now.
func (st *sealStory) level() signing.Level {
	if n := len(st.raises); n > 0 {
		return st.raises[n-1].Level
	}
	return st.seal.Level
}

// kept says whether somebody has to look after the seals at all.
func (n *SealNote) kept() bool { return n.Wanted != "" || n.Level == signing.LevelLTA }

// open says whether something is still to be done, today or in years.
func (st *sealStory) open() bool {
	return st.seal.kept() && (!st.level().AtLeast(st.wanted()) || st.level() == signing.LevelLTA)
}

// newest is the newest form of a file: as raised last, else as it travels.
func (st *sealStory) newest(it Item) blob.Digest {
	return cmp.Or(st.newestOf(it.Ordinal), it.Travels())
}

// newestOf is the newest form of a raised file; "" for one that was never raised.
func (st *sealStory) newestOf(ordinal int) (digest blob.Digest) {
	for _, n := range st.raises {
		for _, f := range n.Files {
			if f.Ordinal == ordinal {
				digest = f.SHA256
			}
		}
	}
	return digest
}

func sealStoryTx(ctx context.Context, tx *sqldb.Tx, id DocumentID) (sealStory, error) {
	var events []Event
	err := tx.SelectContext(ctx, &events, `SELECT kind, at, detail FROM event WHERE chain = $1 AND kind IN ($2, $3) ORDER BY ordinal`, id.chain(), Sealed, EventSealRaised)
	if err != nil {
		return sealStory{}, fmt.Errorf("seals of document %d: %w", id, err)
	}
	return sealStoryOf(events), nil
}

// A raising is one document while its seals are raised.
type raising struct {
	s     *Store
	doc   *Document
	story sealStory
	items []Item // those with seals
	opt   signing.ExtendOptions
}

// careFor raises the seals of one document as far as that can be done now, or renews them when it is time.
func (s *Store) careFor(ctx context.Context, job *careJob) (raised bool, err error) {
	r := &raising{s: s}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if r.doc, err = document(ctx, tx, job.Document); err != nil {
			return err
		}
		job.Agency = r.doc.Agency
		if r.story, err = sealStoryTx(ctx, tx, job.Document); err != nil {
			return err
		}
		r.items, err = items(ctx, tx, job.Document)
		return err
	})
	if err != nil {
		return false, err
	}
	r.items = slices.DeleteFunc(r.items, func(it Item) bool { return it.Sealed == "" })
	if !r.story.seal.kept() || len(r.items) == 0 {
		return false, s.db.Write(ctx, func(tx *sqldb.Tx) error { return careDone(ctx, tx, job.Document) })
	}
	opt, err := s.Extending(ctx, r.doc.Agency)
	if err != nil {
		return false, hinderedBy(err, "services of the seal")
	}
	r.opt = *opt
	r.opt.Signer = r.story.seal.Certificate
	if r.story.level().AtLeast(r.story.wanted()) {
		return r.renew(ctx)
	}
	if err := r.raise(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// renew puts another archive time stamp over the files when the last one is about to end.
func (r *raising) renew(ctx context.Context) (bool, error) {
	ends, err := r.ends(ctx)
	if err != nil {
		return false, err
	}
	due := ends.Add(-cmp.Or(r.s.RenewBefore, renewBefore))
	if r.s.db.Now().Before(due) {
		return false, r.s.db.Write(ctx, func(tx *sqldb.Tx) error { return careAt(ctx, tx, r.doc.ID, due) })
	}
	if r.opt.Timestamper == nil {
		return false, hinderedBy(signing.ErrLevel, "no time stamp authority is configured any more")
	}
	switch until, err := r.opt.Timestamper.Until(ctx); {
	case err != nil:
		return false, hinderedBy(err, "time stamp to see its end")
	case !until.After(ends): // it has no new certificate yet: another stamp would end with the one that is there
		return false, r.s.db.Write(ctx, func(tx *sqldb.Tx) error { return careAt(ctx, tx, r.doc.ID, tx.Now.Add(careFault)) })
	}
	note, err := r.to(ctx, signing.LevelLTA)
	if err != nil {
		return false, err
	}
	if err := r.keep(ctx, note); err != nil {
		return false, err
	}
	return true, nil
}

// ends is when the first of the files' archive time stamps ends: by the last event, or by the files themselves.
func (r *raising) ends(ctx context.Context) (first time.Time, err error) {
	if n := len(r.story.raises); n > 0 && r.story.raises[n-1].RenewBy != nil {
		return *r.story.raises[n-1].RenewBy, nil
	}
	for _, it := range r.items {
		pdf, err := r.s.Bytes(r.story.newest(it))
		if err != nil {
			return first, err
		}
		end, err := r.endOf(ctx, pdf)
		if err != nil {
			return first, fmt.Errorf("file %d: %w", it.Ordinal, err)
		}
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first, nil
}

func (r *raising) endOf(ctx context.Context, pdf []byte) (time.Time, error) {
	report, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: r.opt.Roots, TSARoots: r.opt.TSARoots, Intermediates: r.opt.Intermediates})
	if err == nil && report.RenewBy == nil {
		err = fmt.Errorf("%w: no archive time stamp that holds", signing.ErrLevel)
	}
	if err != nil {
		return time.Time{}, hinderedBy(err, "look at the archive time stamp")
	}
	return *report.RenewBy, nil
}

// raise goes to the level that was asked for, or as high as the services that answer let it: a time stamp alone is worth having
// before the certificate ends.
func (r *raising) raise(ctx context.Context) error {
	level := r.story.wanted()
	for {
		note, err := r.to(ctx, level)
		if err == nil {
			return r.keep(ctx, note)
		}
		lower := level.Below()
		if WaitsFor(err) != WaitService || r.story.level().AtLeast(lower) {
			return err
		}
		level = lower
	}
}

// to raises every file to a level and stores what came of it.
func (r *raising) to(ctx context.Context, level signing.Level) (*RaiseNote, error) {
	note := &RaiseNote{Level: level, Before: r.story.level(), Files: []RaisedFile{}}
	opt := r.opt
	opt.Level = level
	for _, it := range r.items {
		from := r.story.newest(it)
		pdf, err := r.s.Bytes(from)
		if err != nil {
			return nil, err
		}
		out, err := signing.Extend(ctx, pdf, opt)
		if err != nil {
			return nil, hinderedBy(err, fmt.Sprint("file ", it.Ordinal))
		}
		if level == signing.LevelLTA {
			end, err := r.endOf(ctx, out)
			if err != nil {
				return nil, fmt.Errorf("file %d: %w", it.Ordinal, err)
			}
			if note.RenewBy == nil || end.Before(*note.RenewBy) {
				note.RenewBy = &end
			}
		}
		if len(out) == len(pdf) { // at this level already
			continue
		}
		digest, err := r.s.Mail.SaveBytes(ctx, out)
		if err != nil {
			return nil, err
		}
		note.Files = append(note.Files, RaisedFile{it.Ordinal, digest, int64(len(out)), from})
	}
	return note, nil
}

// keep writes the event, unless another node was first, and when to look again.
func (r *raising) keep(ctx context.Context, note *RaiseNote) error {
	id := r.doc.ID
	err := r.s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, f := range note.Files {
			if err := r.s.Mail.PinTx(ctx, tx, f.SHA256, f.Size); err != nil {
				return err
			}
		}
		if ok, err := tx.ExecOne(ctx, `UPDATE document SET changed_at = changed_at WHERE id = $1 AND state = $2`, id, Issued); err != nil || !ok {
			return errors.Join(ErrStale, err)
		}
		now, err := sealStoryTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(now.raises) != len(r.story.raises) {
			return ErrStale
		}
		if _, err := recordDocument(ctx, tx, id, EventSealRaised, Gateway, note); err != nil {
			return err
		}
		switch {
		case !note.Level.AtLeast(r.story.wanted()):
			return careAt(ctx, tx, id, tx.Now.Add(careEvery))
		case note.RenewBy != nil:
			return careAt(ctx, tx, id, note.RenewBy.Add(-cmp.Or(r.s.RenewBefore, renewBefore)))
		}
		return careDone(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("keep raised seals of document %d: %w", id, err)
	}
	r.s.Log.Info("seal raised", "document", id, "reference", r.doc.Reference, "level", note.Level, "before", note.Before, "files", len(note.Files), "renew_by", note.RenewBy)
	return nil
}

// careAt says when the seals of a document are looked at next.
func careAt(ctx context.Context, tx *sqldb.Tx, id DocumentID, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO seal_care (document_id, next_at) VALUES ($1, $2)
		ON CONFLICT (document_id) DO UPDATE SET next_at = excluded.next_at, lease_until = 0, tries = 0, problem = ''`, id, at.UnixMicro())
	return err
}

func careDone(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM seal_care WHERE document_id = $1`, id)
	return err
}

// careIfNeeded has seals that were just made looked after, where they need it.
func careIfNeeded(ctx context.Context, tx *sqldb.Tx, id DocumentID, n *SealNote) error {
	if !n.kept() {
		return nil
	}
	tx.Wake(topicSeals)
	return careAt(ctx, tx, id, tx.Now)
}
