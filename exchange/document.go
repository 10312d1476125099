package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A DocumentID names one document (văn bản) of this installation.
type DocumentID int64

// A State is how far a document has come, in the order of NĐ 30/2020 Điều 14.
type State string

// States, each with who moves the document out of there.
const (
	Draft      State = "draft"      // read, not registered; the clerk registers or drops it
	Registered State = "registered" // has its number; sealing moves it on
	Sealed     State = "sealed"     // bears the agency's signature; issuing moves it on
	Issued     State = "issued"     // on its way; the dispatches tell the rest
	Withdrawn  State = "withdrawn"  // given up before issue; the number stays voided
)

// states lists every move of a document.
var states = map[State][]State{
	Draft:      {Registered, Withdrawn},
	Registered: {Sealed, Withdrawn},
	Sealed:     {Issued},
}

// milestones lists the events of a document's own chain that are no state, by the state that they may stand in.
var milestones = map[State][]string{
	Registered: {EventWaits},
	Sealed:     {EventDue, EventUndone},
	Issued:     {EventRecalled, EventReplaced, EventReplaces, EventCorrected, EventCorrects, EventSupplemented, EventSealRaised},
}

// A Document is one outgoing document (văn bản đi).
type Document struct {
	ID        DocumentID          `db:"id"`
	Agency    recipients.UnitCode `db:"agency"`    // who issues it
	Reference string              `db:"reference"` // số, ký hiệu: 22/2009/QĐ-UBND
	Number    string              `db:"number"`
	Year      int                 `db:"year"` // of its date, in Việt Nam
	Symbol    string              `db:"symbol"`
	Kind      string              `db:"kind"`      // loại văn bản
	Abstract  string              `db:"abstract"`  // trích yếu
	IssuedOn  string              `db:"issued_on"` // ngày văn bản, civil date
	Place     string              `db:"place"`
	Signer    string              `db:"signer"`
	Urgency   string              `db:"urgency"` // "", Khẩn, Thượng khẩn, Hỏa tốc
	Pages     int                 `db:"pages"`
	FileName  string              `db:"file_name"`
	Original  blob.Digest         `db:"original"` // the PDF as it came
	SealedPDF blob.Digest         `db:"sealed"`   // the PDF with the agency's signature; "" before
	State     State               `db:"state"`
	CreatedAt int64               `db:"created_at"`
	CreatedBy string              `db:"created_by"`
	ChangedAt int64               `db:"changed_at"` // of the last move, microseconds
	IssuedAt  *int64              `db:"issued_at"`
	Meets     string              `db:"meets"`  // when and where it asks people to come, JSON of a meeting.Meeting; "" for none
	DueAt     int64               `db:"due_at"` // when it goes out unless it is taken back before, microseconds; 0: nobody has asked for it
}

const documentColumns = `id, agency, reference, number, year, symbol, kind, abstract, issued_on, place, signer, urgency, pages,
	file_name, original, sealed, state, created_at, created_by, changed_at, issued_at, due_at, meets`

// An Outcome is how a line ended.
type Outcome string

// The outcomes. A document with an open line is not issued.
const (
	Resolved  Outcome = "resolved"   // to units of the directory
	OffSystem Outcome = "off_system" // a named agency outside the directory: outside mail, pick-up or paper
	Excused   Outcome = "excused"    // needs no copy, with a reason
	Open      Outcome = "open"       // left to the clerk
)

// A Line is one entry of Kính gửi or Nơi nhận and how it ended.
type Line struct {
	Ordinal    int     `db:"ordinal" json:"ordinal"`
	Block      string  `db:"block" json:"block"` // kinh_gui or noi_nhan
	Text       string  `db:"text" json:"text"`
	Kind       string  `db:"kind" json:"kind"`
	Purpose    string  `db:"purpose" json:"purpose"`
	Outcome    Outcome `db:"outcome" json:"outcome"`
	Why        string  `db:"why" json:"why"` // Vietnamese, for the clerk
	Confidence float64 `db:"confidence" json:"confidence"`
	Units      string  `db:"units" json:"-"` // codes, one space between
	Name       string  `db:"name" json:"name,omitempty"`
	Address    string  `db:"address" json:"address,omitempty"`
	DecidedBy  string  `db:"decided_by" json:"decided_by,omitempty"`
	DecidedAt  *int64  `db:"decided_at" json:"-"`

	Candidates []recipients.Candidate `db:"-" json:"candidates,omitempty"` // only before registering
}

// Codes returns the units of the line.
func (l *Line) Codes() []recipients.UnitCode {
	var codes []recipients.UnitCode
	for _, c := range strings.Fields(l.Units) {
		codes = append(codes, recipients.UnitCode(c))
	}
	return codes
}

func joinCodes(codes []recipients.UnitCode) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = string(c)
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), " ")
}

func document(ctx context.Context, tx *sqldb.Tx, id DocumentID) (*Document, error) {
	var found []Document
	if err := tx.SelectContext(ctx, &found, `SELECT `+documentColumns+` FROM document WHERE id = $1`, id); err != nil {
		return nil, fmt.Errorf("document %d: %w", id, err)
	}
	if len(found) == 0 {
		return nil, &Error{Missing, CodeNoDocument, fmt.Sprint(id)}
	}
	return &found[0], nil
}

func lines(ctx context.Context, tx *sqldb.Tx, id DocumentID) ([]Line, error) {
	var found []Line
	err := tx.SelectContext(ctx, &found, `SELECT ordinal, block, text, kind, purpose, outcome, why, confidence, units, name, address,
		decided_by, decided_at FROM recipient_line WHERE document_id = $1 ORDER BY ordinal`, id)
	if err != nil {
		return nil, fmt.Errorf("lines of document %d: %w", id, err)
	}
	return found, nil
}

// moveDocument is the one function that changes a document's state: the table of moves, one guarded UPDATE, one event.
// set is further assignments of the UPDATE, its parameters from $5 on.
func moveDocument(ctx context.Context, tx *sqldb.Tx, doc *Document, to State, by Actor, detail any, set string, args ...any) (Event, error) {
	if !slices.Contains(states[doc.State], to) {
		return Event{}, &MoveError{string(doc.State), string(to)}
	}
	ok, err := tx.ExecOne(ctx, `UPDATE document SET state = $1, changed_at = $2`+set+` WHERE id = $3 AND state = $4`,
		append([]any{to, tx.Now.UnixMicro(), doc.ID, doc.State}, args...)...)
	if err != nil {
		return Event{}, fmt.Errorf("move document %d to %s: %w", doc.ID, to, err)
	}
	if !ok {
		return Event{}, ErrStale
	}
	doc.State, doc.ChangedAt = to, tx.Now.UnixMicro()
	if detail, err = withRecord(ctx, tx, doc.ID, to, detail); err != nil {
		return Event{}, err
	}
	return recordDocument(ctx, tx, doc.ID, string(to), by, detail)
}

// recordDocument appends an event to the document's own chain.
func recordDocument(ctx context.Context, tx *sqldb.Tx, id DocumentID, kind string, by Actor, detail any) (Event, error) {
	return recordChain(ctx, tx, id.chain(), kind, by, detail)
}

// recordChain appends an event to a chain that the transaction holds.
func recordChain(ctx context.Context, tx *sqldb.Tx, chain int64, kind string, by Actor, detail any) (Event, error) {
	var last []Event
	err := tx.SelectContext(ctx, &last, `SELECT ordinal, digest FROM event WHERE chain = $1 ORDER BY ordinal DESC LIMIT 1`, chain)
	if err != nil {
		return Event{}, fmt.Errorf("events of chain %d: %w", chain, err)
	}
	ordinal, prev := int64(0), make([]byte, 32)
	if len(last) > 0 {
		ordinal, prev = last[0].Ordinal+1, last[0].Digest
	}
	e, err := newEvent(chain, ordinal, kind, tx.Now, by, detail, prev)
	if err != nil {
		return e, err
	}
	return e, insertEvents(ctx, tx, []Event{e})
}
