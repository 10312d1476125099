package exchange

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
)

// A Receipt is what came of an act of a recipient.
type Receipt struct {
	Dispatch *Dispatch
	Document *Document
	Changed  bool   // false: it had been done before
	Note     string // Vietnamese, for the recipient: what came out otherwise than said

	eml  string // digest of the mail that the act came by, "" for none
	mail int64  // the mail event that the act came by, 0 for none
}

// Accept takes a copy into the unit's register of arrivals (NĐ 30/2020 Điều 22). number is the số đến from the unit's own
// bound book; "" takes the next number of a series issued here, or leaves the copy waiting for its number in a series
// that is taken from paper.
func (s *Store) Accept(ctx context.Context, by Actor, id DispatchID, number string) (*Receipt, error) {
	return s.handle(ctx, by, id, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		return accept(ctx, tx, r, by, number, 0)
	})
}

// Refuse returns a copy with a reason, also one accepted by mistake (QĐ 28/2018 Điều 5.4): its arrival number is then voided and
// never given again. reason is a code of Refusals or free text. The issuing agency is told, and so is the unit that forwarded it.
func (s *Store) Refuse(ctx context.Context, by Actor, id DispatchID, reason string) (*Receipt, error) {
	return s.carryOut(ctx, by, id, s.refusing(by, reason))
}

// Advance tells that the recipient works on a copy (InProgress) or has done so (Completed). Steps left out are written too.
func (s *Store) Advance(ctx context.Context, by Actor, id DispatchID, to Handling) (*Receipt, error) {
	return s.handle(ctx, by, id, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		return advance(ctx, tx, r, by, to, 0)
	})
}

// An order is a verb with its arguments. prepare does outside the transaction what asks other rooms: addresses, letters, bytes.
// do is the act, which may run again.
type order struct {
	entitled func(r *Receipt, by Actor) bool // nil: whoever acts for the recipient
	prepare  func(ctx context.Context, r *Receipt) error
	do       func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error

	mail int64                                                     // the mail event that the order came by, 0 for none
	keep func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error // keeps that mail; nil for none
}

func (s *Store) handle(ctx context.Context, by Actor, id DispatchID, fn func(context.Context, *sqldb.Tx, *Receipt) error) (*Receipt, error) {
	return s.carryOut(ctx, by, id, order{do: fn})
}

// carryOut does an order. What was prepared holds for the copy as it was then: when somebody else acted on it meanwhile, all
// begins again.
func (s *Store) carryOut(ctx context.Context, by Actor, id DispatchID, o order) (r *Receipt, err error) {
	for range 5 {
		// On PostgreSQL whoever comes second may meet the other's row (of incoming, of a child) before it meets the guarded UPDATE.
		if r, err = s.carryOutOnce(ctx, by, id, o); !errors.Is(err, ErrStale) && !sqldb.IsUnique(err) {
			break
		}
	}
	return r, err
}

func (s *Store) carryOutOnce(ctx context.Context, by Actor, id DispatchID, o order) (*Receipt, error) {
	seen, write := int64(-1), s.writer(by.Unit)
	if o.prepare != nil {
		write = s.db.Write // its letters take rows of other units' mailboxes, too
		var r *Receipt
		if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = receipt(ctx, tx, id); return err }); err != nil {
			return nil, err
		}
		if err := o.allowed(r, by); err != nil {
			return nil, err
		}
		if err := o.prepare(ctx, r); err != nil {
			return nil, err
		}
		seen = r.Dispatch.Events
	}
	var r *Receipt
	err := write(ctx, func(tx *sqldb.Tx) error {
		var err error
		if r, err = receipt(ctx, tx, id); err != nil {
			return err
		}
		if seen >= 0 && seen != r.Dispatch.Events {
			return ErrStale
		}
		if err := o.allowed(r, by); err != nil {
			return err
		}
		r.mail = o.mail
		if o.keep != nil {
			if err := o.keep(ctx, tx, r); err != nil {
				return err
			}
		}
		return o.do(ctx, tx, r)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (o *order) allowed(r *Receipt, by Actor) error {
	if o.entitled != nil && !o.entitled(r, by) || o.entitled == nil && !r.entitled(by) {
		return &Error{Forbidden, CodeNotEntitled, by.String()}
	}
	return nil
}

func receipt(ctx context.Context, tx *sqldb.Tx, id DispatchID) (*Receipt, error) {
	d, err := dispatch(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	doc, err := document(ctx, tx, d.Document)
	return &Receipt{Dispatch: d, Document: doc}, err
}

// entitled reports whether the actor acts for the recipient: for its unit, or through the mailbox that the copy lies in. For a
// recipient without a mailbox here the issuing agency records what it learnt.
func (r *Receipt) entitled(by Actor) bool {
	d := r.Dispatch
	switch {
	case by.Unit != "" && by.Unit == d.Unit, by.Address != "" && string(by.Address) == d.Address:
		return true
	default:
		return d.Way != ByMailbox && by.Unit == r.Document.Agency
	}
}

func (r *Receipt) act(ctx context.Context, tx *sqldb.Tx, kind string, by Actor, detail any, change func(*Dispatch)) error {
	r.Changed = true
	return act(ctx, tx, r.Dispatch, r.Document, kind, by, detail, change)
}

// arrive makes sure that a copy somebody acts on counts as delivered: an act proves it.
func (r *Receipt) arrive(ctx context.Context, tx *sqldb.Tx, by Actor) error {
	if r.Dispatch.Handling != "" {
		return nil
	}
	return r.act(ctx, tx, string(Delivered), by, map[string]string{"proof": "act"}, nil)
}

// acceptance is the detail of the event "accepted": who took which bytes under which number.
type acceptance struct {
	Number string `json:"number,omitempty"`
	On     string `json:"on"`
	SHA256 string `json:"sha256"`
	Mail   int64  `json:"mail,omitempty"`   // the mail event that it came by
	EML    string `json:"eml,omitempty"`    // digest of the mail that it came by
	Series int64  `json:"series,omitempty"` // of the unit's register that the number stands in
}

func accept(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, number string, mail int64) error {
	d := r.Dispatch
	if err := r.arrive(ctx, tx, by); err != nil {
		return err
	}
	if d.Handling != Received {
		return renumber(ctx, tx, r, by, number)
	}
	on := CivilDate(tx.Now)
	book, number, note, err := arrivalNumber(ctx, tx, d, &on, number, by)
	if err != nil {
		return err
	}
	r.Note = note
	if d.Unit != "" {
		tx.InsertLater(`INSERT INTO incoming (unit, dispatch_id, arrival_number, arrived_on, state, accepted_by, changed_at)`,
			[][]any{{d.Unit, d.ID, number, on, Accepted, by.String(), tx.Now.UnixMicro()}})
	}
	detail := acceptance{Number: number, On: on, SHA256: string(r.Document.SealedPDF), Mail: mail, EML: r.eml, Series: book.ID}
	err = r.act(ctx, tx, string(Accepted), by, detail, func(d *Dispatch) { d.ArrivalNumber, d.ArrivedOn = number, on })
	tellArrival(tx, d, book.Mode, by)
	return err
}

// renumber is accepting what has been accepted: a number told later is entered, the same one again changes nothing.
func renumber(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, number string) error {
	d := r.Dispatch
	if d.Closed() && d.Handling != Completed {
		return &Error{Conflict, CodeWrongState, string(d.Handling)}
	}
	if number == "" || number == d.ArrivalNumber {
		return nil
	}
	if d.ArrivalNumber != "" {
		r.Note = fmt.Sprintf("Văn bản này đã vào sổ với số đến %s; số %s không được ghi.", d.ArrivalNumber, number)
		return nil
	}
	on := d.ArrivedOn
	book, number, note, err := arrivalNumber(ctx, tx, d, &on, number, by)
	if err != nil {
		return err
	}
	r.Note = note
	if _, err := tx.ExecContext(ctx, `UPDATE incoming SET arrival_number = $1, changed_at = $2 WHERE dispatch_id = $3`, number, tx.Now.UnixMicro(), d.ID); err != nil {
		return fmt.Errorf("number arrival of dispatch %d: %w", d.ID, err)
	}
	err = r.act(ctx, tx, EventNumbered, by, acceptance{Number: number, On: d.ArrivedOn, SHA256: string(r.Document.SealedPDF), EML: r.eml, Series: book.ID}, func(d *Dispatch) { d.ArrivalNumber = number })
	tellArrival(tx, d, book.Mode, by)
	return err
}

// arrivalNumber takes the số đến. A unit that tells a number before we have ever given it one keeps its own bound book: its
// series becomes one that is taken from paper. Where we number, our number stands and the note says so. A copy that had its
// number and day before a backup was restored keeps both.
func arrivalNumber(ctx context.Context, tx *sqldb.Tx, d *Dispatch, on *string, told string, by Actor) (book Series, number, note string, err error) {
	if d.Unit == "" {
		return book, told, "", nil // outside: their book is not ours
	}
	had, err := restoredArrival(ctx, tx, d)
	if err != nil {
		return book, "", "", err
	}
	if had != nil {
		*on = had.On
	}
	owner := fmt.Sprint(refKind, int64(d.ID))
	if had == nil && told == "" {
		if book, ok, err := takeArrival(ctx, tx, d.Unit, yearOf(*on), owner, by); ok || err != nil {
			return book, fmt.Sprint(book.Last), "", err
		}
	}
	r, err := series(ctx, tx, d.Unit, yearOf(*on), IncomingBook, "")
	if err != nil {
		return book, "", "", err
	}
	if had != nil && had.Number != "" {
		if r.Mode == IssuedHere && r.Last > 0 {
			return r, had.Number, "", claimReserved(ctx, tx, r, had.Number, owner)
		}
		told = had.Number
	}
	if told != "" && r.Mode == IssuedHere && r.Last == 0 {
		if err := setMode(ctx, tx, r, TakenFromPaper); err != nil {
			return book, "", "", err
		}
		r.Mode = TakenFromPaper
	}
	if r.Mode == TakenFromPaper {
		if told == "" {
			return Series{Mode: r.Mode}, "", "", nil
		}
		if err := takeFromPaper(ctx, tx, r, told, told, owner, by); err != nil {
			if IsCode(err, CodeNumberTaken) {
				return book, "", "", &Error{Conflict, CodeArrivalTaken, told}
			}
			return book, "", "", err
		}
		return r, told, "", nil
	}
	n, err := takeNext(ctx, tx, r, func(n int64) string { return fmt.Sprint(n) }, owner, "taken", by)
	if err != nil {
		return book, "", "", err
	}
	number = fmt.Sprint(n)
	if told != "" && told != number {
		note = fmt.Sprintf("Sổ đến của đơn vị do hệ thống cấp số: văn bản này mang số đến %s, không phải %s.", number, told)
	}
	return r, number, note, nil
}

// refusing is the order to refuse, with the letters that tell whoever sent the copy.
func (s *Store) refusing(by Actor, reason string) order {
	var told []*parcel
	return order{
		prepare: func(ctx context.Context, r *Receipt) (err error) {
			if strings.TrimSpace(reason) != "" && r.Dispatch.Handling != Refused {
				told, err = s.refusalLetters(ctx, r, reason)
			}
			return err
		},
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			if err := refuse(ctx, tx, r, by, reason, r.mail); err != nil || !r.Changed {
				return err
			}
			return s.post(ctx, tx, told...)
		},
	}
}

func refuse(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, reason string, mail int64) error {
	if strings.TrimSpace(reason) == "" {
		return &Error{Invalid, CodeNoReason, ""}
	}
	if r.Dispatch.Handling == Refused {
		return nil
	}
	if err := r.arrive(ctx, tx, by); err != nil {
		return err
	}
	code, text := RefusalOf(reason)
	detail := cause(map[string]any{"reason": text, "code": code, "mail": mail}, r)
	if _, _, err := r.Dispatch.moved(string(Refused)); err == nil {
		if err := voidArrival(ctx, tx, r.Dispatch, text, detail); err != nil {
			return err
		}
	}
	if err := r.act(ctx, tx, string(Refused), by, detail, nil); err != nil {
		return err
	}
	return moveIncoming(ctx, tx, r.Dispatch)
}

// voidArrival gives up the số đến of a copy accepted by mistake. It stays in the register with the reason, so that nobody else
// gets it; detail tells of it.
func voidArrival(ctx context.Context, tx *sqldb.Tx, d *Dispatch, reason string, detail map[string]any) error {
	if d.ArrivalNumber == "" || d.Unit == "" {
		return nil
	}
	var year int
	fmt.Sscanf(d.ArrivedOn, "%d", &year)
	r, err := series(ctx, tx, d.Unit, year, IncomingBook, "")
	if err != nil {
		return err
	}
	ok, err := tx.ExecOne(ctx, `UPDATE register_number SET state = 'voided', reason = $1 WHERE series_id = $2 AND reference = $3 AND owner = $4 AND state = 'taken'`,
		reason, r.ID, d.ArrivalNumber, fmt.Sprint(refKind, int64(d.ID)))
	if err != nil {
		return fmt.Errorf("void arrival number %q: %w", d.ArrivalNumber, err)
	}
	if ok {
		detail["voided"], detail["series"] = d.ArrivalNumber, r.ID
	}
	return nil
}

// cause adds the mail that an act came by.
func cause(detail map[string]any, r *Receipt) map[string]any {
	if r.eml != "" {
		detail["eml"] = r.eml
	}
	return detail
}

// path is the way through handling that Advance walks; a jump ahead writes the codes it implies.
var path = []Handling{Received, Accepted, InProgress, Completed}

func advance(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, to Handling, mail int64) error {
	d := r.Dispatch
	goal := slices.Index(path, to)
	if goal < 2 {
		return &MoveError{string(d.Handling), string(to)}
	}
	if err := accept(ctx, tx, r, by, "", mail); err != nil {
		return err
	}
	for next := 2; next <= goal; next++ {
		if at := slices.Index(path, d.Handling); at >= next {
			continue
		}
		if err := r.act(ctx, tx, string(path[next]), by, cause(map[string]any{"mail": mail}, r), nil); err != nil {
			return err
		}
	}
	return moveIncoming(ctx, tx, d)
}

// moveIncoming keeps the row of the register of arrivals in step with the dispatch, in the same transaction.
func moveIncoming(ctx context.Context, tx *sqldb.Tx, d *Dispatch) error {
	_, err := tx.ExecContext(ctx, `UPDATE incoming SET state = $1, changed_at = $2 WHERE dispatch_id = $3 AND state <> $1`, d.Handling, tx.Now.UnixMicro(), d.ID)
	if err != nil {
		return fmt.Errorf("arrival of dispatch %d: %w", d.ID, err)
	}
	return nil
}

// opened records that a person opened the copy. A copy "để biết" is thereby noted, and nobody has to do more about it.
func opened(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, at time.Time) error {
	d := r.Dispatch
	if d.OpenedAt != nil {
		return nil
	}
	us := at.UnixMicro()
	if err := r.act(ctx, tx, EventOpened, by, cause(map[string]any{"opened": us}, r), func(d *Dispatch) { d.OpenedAt = &us }); err != nil {
		return err
	}
	if d.Handling == Received && forInformation(d.Purpose) {
		return r.act(ctx, tx, string(Noted), by, nil, nil)
	}
	return nil
}

func forInformation(purpose string) bool {
	return slices.Contains(strings.Split(purpose, ", "), "biết")
}

// peers returns all dispatches of the document that one mail stands for: units may share a mailbox. A copy that joined later came
// by a mail of its own.
func peers(ctx context.Context, tx *sqldb.Tx, d *Dispatch) ([]DispatchID, error) {
	if d.Way != ByMailbox || d.Parent != nil {
		return []DispatchID{d.ID}, nil
	}
	var ids []DispatchID
	least, greatest := d.Document.span()
	err := tx.SelectContext(ctx, &ids, `SELECT id FROM dispatch WHERE id BETWEEN $1 AND $2 AND address = $3 AND way = $4 AND parent IS NULL ORDER BY id`, least, greatest, d.Address, ByMailbox)
	return ids, err
}

// byToken finds the copy that a token names; a wrong secret is no copy.
func byToken(ctx context.Context, tx *sqldb.Tx, token string) (*Dispatch, error) {
	number, secret, _ := strings.Cut(token, ".")
	id, err := strconv.ParseInt(number, 36, 64)
	if err != nil {
		return nil, &Error{Missing, CodeNoDispatch, token}
	}
	d, err := dispatch(ctx, tx, DispatchID(id))
	if err == nil && subtle.ConstantTimeCompare([]byte(secret), []byte(d.Secret)) != 1 {
		return nil, &Error{Missing, CodeNoDispatch, token}
	}
	return d, err
}
