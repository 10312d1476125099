package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// Document returns a document.
func (s *Store) Document(ctx context.Context, id DocumentID) (doc *Document, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		doc, err = document(ctx, tx, id)
		return err
	})
	return doc, err
}

// ListDocuments returns the documents with this reference, of this agency where one is named, newest first; "" for all.
func (s *Store) ListDocuments(ctx context.Context, agency recipients.UnitCode, reference string) (docs []Document, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &docs, `SELECT `+documentColumns+` FROM document WHERE ($1 = '' OR agency = $1)
			AND ($2 = '' OR reference = $2) ORDER BY id DESC`, agency, reference)
	})
	return docs, err
}

// A Status is one document with all that became of it; its JSON is the contract of "congvan status --json".
type Status struct {
	Document   *Document        `json:"-"`
	Reference  string           `json:"reference"`
	Issuer     string           `json:"issuer"`
	State      State            `json:"state"`
	DueAt      *time.Time       `json:"due_at,omitempty"` // when it goes out, unless it is taken back before
	Package    []StatusItem     `json:"package"`
	Seal       *SealNote        `json:"seal,omitempty"`
	Raised     []Raised         `json:"seal_raised,omitempty"` // what was added to the seals after the issue
	SealWaits  string           `json:"seal_waits,omitempty"`  // code of a WaitNote: why they cannot be raised or renewed yet
	Waiting    *WaitNote        `json:"waiting,omitempty"`     // of a registered document whose seal waits
	Lines      []StatusLine     `json:"lines"`
	Dispatches []StatusDispatch `json:"dispatches"`
}

// A StatusLine is a line and the units that it named.
type StatusLine struct {
	Line
	Codes     []recipients.UnitCode `json:"units"`
	DecidedAt *time.Time            `json:"decided_at,omitempty"` // when a person decided it
}

// A StatusItem is one file of the document's package. SHA256 is of the bytes that recipients get.
type StatusItem struct {
	Item
	SHA256 blob.Digest `json:"sha256"`
	Flags  []string    `json:"flags"`
}

// A StatusDispatch is one copy and its journal.
type StatusDispatch struct {
	Dispatch      *Dispatch     `json:"-"`
	Unit          string        `json:"unit"` // code, or the name of an off-system recipient
	Name          string        `json:"name"`
	Address       string        `json:"address"`
	Transport     Transport     `json:"transport"`
	Handling      Handling      `json:"handling"`
	ArrivalNumber string        `json:"arrival_number"`
	Owner         string        `json:"owner"`
	Deadline      *time.Time    `json:"deadline"`
	Recall        RecallState   `json:"recall,omitempty"` // whether it was asked to be given back, and the answer
	Events        []StatusEvent `json:"events"`
	Parent        DispatchID    `json:"parent,omitempty"` // the copy that it was forwarded from
	Tasks         []StatusTask  `json:"assignments"`
	Answers       []Answer      `json:"answered_by"`
}

// A StatusTask is what one officer was given to do.
type StatusTask struct {
	Task
	Overdue bool `json:"overdue"`
}

// A StatusEvent is one event of a copy.
type StatusEvent struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Actor  string    `json:"actor"`
	Detail string    `json:"detail,omitempty"`
}

// Happened reports whether the copy has an event of this kind.
func (d *StatusDispatch) Happened(kind string) bool {
	for _, e := range d.Events {
		if e.Event == kind {
			return true
		}
	}
	return false
}

// Status returns the map of one document: its lines, copies and their journals.
func (s *Store) Status(ctx context.Context, id DocumentID) (*Status, error) {
	st := &Status{Package: []StatusItem{}, Lines: []StatusLine{}, Dispatches: []StatusDispatch{}}
	var rows statusRows
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		rows, err = readStatus(ctx, tx, st, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows.tell(st)
	return st, nil
}

// statusRows are the rows behind a Status.
type statusRows struct {
	files  []Item
	lines  []Line
	copies []Dispatch
	events []Event
	given  []Task
	links  map[DispatchID][]Answer
	today  string
}

func readStatus(ctx context.Context, tx *sqldb.Tx, st *Status, id DocumentID) (r statusRows, err error) {
	least, greatest := id.span()
	r.today = CivilDate(tx.Now)
	if st.Document, err = document(ctx, tx, id); err != nil {
		return r, err
	}
	if r.lines, err = lines(ctx, tx, id); err != nil {
		return r, err
	}
	if r.files, err = items(ctx, tx, id); err != nil {
		return r, err
	}
	if err := tx.SelectContext(ctx, &r.copies, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2 ORDER BY line, unit, id`, least, greatest); err != nil {
		return r, fmt.Errorf("dispatches of document %d: %w", id, err)
	}
	if err := st.sealing(ctx, tx, id); err != nil {
		return r, err
	}
	if err := tx.SelectContext(ctx, &r.given, `SELECT `+taskColumns+` FROM assignment WHERE dispatch_id BETWEEN $1 AND $2 ORDER BY dispatch_id, role, officer`, least, greatest); err != nil {
		return r, err
	}
	if r.links, err = answersOf(ctx, tx, id); err != nil {
		return r, err
	}
	err = tx.SelectContext(ctx, &r.events, `SELECT chain, kind, at, actor, detail FROM event WHERE chain BETWEEN $1 AND $2 ORDER BY chain, ordinal`, least, greatest)
	return r, err
}

// tell fills in what the rows say.
func (r *statusRows) tell(st *Status) {
	if st.Document.DueAt != 0 {
		at := time.UnixMicro(st.Document.DueAt).In(hanoi)
		st.DueAt = &at
	}
	st.Reference, st.Issuer, st.State = st.Document.Reference, string(st.Document.Agency), st.Document.State
	for _, it := range r.files {
		st.Package = append(st.Package, StatusItem{it, it.Travels(), append([]string{}, strings.Fields(it.Flags)...)})
	}
	for _, l := range r.lines {
		v := StatusLine{Line: l, Codes: append([]recipients.UnitCode{}, l.Codes()...)}
		if l.DecidedAt != nil {
			at := time.UnixMicro(*l.DecidedAt).In(hanoi)
			v.DecidedAt = &at
		}
		st.Lines = append(st.Lines, v)
	}
	journal := map[int64][]StatusEvent{}
	for _, e := range r.events {
		journal[e.Chain] = append(journal[e.Chain], StatusEvent{time.UnixMicro(e.At).In(hanoi), e.Kind, e.Actor, e.Detail})
	}
	for i := range r.copies {
		v := r.copies[i].status(journal[int64(r.copies[i].ID)])
		v.Answers = append([]Answer{}, r.links[r.copies[i].ID]...)
		for _, t := range r.given {
			if t.Dispatch == r.copies[i].ID {
				v.Tasks = append(v.Tasks, StatusTask{t, !r.copies[i].Closed() && t.Overdue(r.today)})
			}
		}
		st.Dispatches = append(st.Dispatches, v)
	}
}

func (d *Dispatch) status(events []StatusEvent) StatusDispatch {
	v := StatusDispatch{Dispatch: d, Unit: string(d.Unit), Name: d.Name, Address: d.Address, Transport: d.Transport, Handling: d.Handling,
		ArrivalNumber: d.ArrivalNumber, Owner: d.Owner, Recall: d.Recall, Events: events, Tasks: []StatusTask{}}
	if d.Parent != nil {
		v.Parent = *d.Parent
	}
	if v.Unit == "" {
		v.Unit = d.Name
	}
	if d.Deadline != 0 {
		at := time.UnixMicro(d.Deadline).In(hanoi)
		v.Deadline = &at
	}
	return v
}

// ByOriginal returns the document that was made of these bytes, nil when there is none: reading a file again can be saved.
func (s *Store) ByOriginal(ctx context.Context, pdf []byte) (*Document, error) {
	var found []Document
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &found, `SELECT `+documentColumns+` FROM document WHERE original = $1 AND state <> 'withdrawn' LIMIT 1`, blob.Of(pdf))
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}
