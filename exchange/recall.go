package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"congvan/mailcore/sqldb"
)

// Codes of Error of what is done to an issued document.
const (
	CodeNoRecallReason = "no_recall_reason" // who does not agree to a recall says why
	CodeNotAsked       = "not_asked"        // the recipient was not asked to give its copy back, or has answered
	CodeTakenBack      = "taken_back"       // the document was taken back or replaced
	CodeSameDocument   = "same_document"    // a document cannot replace or correct itself, or one that replaces it
	CodeNotDue         = "not_due"          // there is nothing to undo
	CodePickup         = "pickup"           // a pick-up address that is none, or no more
)

// Events of a document that was issued. They are the records of taking back, replacing and adding; none of them is a state.
const (
	EventRecalled     = "recalled_document"     // thu hồi, with its reason
	EventReplaced     = "replaced_document"     // thay thế: another document stands in its place
	EventReplaces     = "replaces_document"     // the other document's record of the same
	EventCorrected    = "corrected_document"    // đính chính: another document corrects it
	EventCorrects     = "corrects_document"     // the other document's record of the same
	EventSupplemented = "supplemented_document" // gửi bổ sung: a copy to a recipient that was forgotten
)

// Events of a copy whose document is taken back, with the codes of QĐ 28/2018. Agreeing (15) is the move to Recalled.
const (
	EventRecallAsked   = "recall_asked"   // 13: the recipient was asked
	EventRecallRefused = "recall_refused" // 16: it does not agree, for a reason
	EventRecallAgreed  = "recall_agreed"  // 15, of a copy that went another way and is closed already
)

// A RecallState is how far the asking of one recipient has come.
type RecallState string

// Recall states. The empty one is a copy that nobody asked for, or that was taken back without asking.
const (
	RecallAsked   RecallState = "asked"   // 13
	RecallAgreed  RecallState = "agreed"  // 15; the transport is recalled
	RecallRefused RecallState = "refused" // 16; the copy stays where it is
)

// recalls lists every move of a recall state.
var recalls = map[RecallState][]RecallState{
	"":          {RecallAsked},
	RecallAsked: {RecallAgreed, RecallRefused},
}

// recallAfter is the recall state after an event of this kind. A copy that its recipient is asked for is not handed on.
func (d *Dispatch) recallAfter(kind string) (RecallState, error) {
	to := d.Recall
	switch {
	case kind == EventRecallAsked:
		to = RecallAsked
	case kind == EventRecallRefused:
		to = RecallRefused
	case kind == EventRecallAgreed, kind == string(Recalled) && d.Recall == RecallAsked:
		to = RecallAgreed
	case kind == string(Forwarded) && d.Recall == RecallAsked:
		return "", &MoveError{string(d.Recall), kind}
	default:
		return to, nil
	}
	if !slices.Contains(recalls[d.Recall], to) {
		return "", &MoveError{string(d.Recall), kind}
	}
	return to, nil
}

// A recallDetail is the detail of the events of a recall. Code is that of QĐ 28/2018.
type recallDetail struct {
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	Secret bool   `json:"secret,omitempty"` // the document turned out to be a state secret
	How    string `json:"how,omitempty"`    // of a copy that was taken back without asking: unread, unsent, undelivered
	Mail   int64  `json:"mail,omitempty"`   // the mail event that it came by
	EML    string `json:"eml,omitempty"`    // digest of the mail that it came by
	// Of replacing and correcting: the other document.
	Other     DocumentID `json:"other,omitempty"`
	Reference string     `json:"reference,omitempty"`
	// Of supplementing: the copy.
	Copy DispatchID `json:"copy,omitempty"`
	Name string     `json:"name,omitempty"`
}

// How a copy was taken back without asking.
const (
	TakenUnread      = "unread"      // it lay in a mailbox of ours, neither opened nor downloaded
	TakenUnsent      = "unsent"      // it waited in the outbox
	TakenUndelivered = "undelivered" // it had no way to its recipient
)

// Recall takes a document back (thu hồi; QĐ 28/2018 code 13, NĐ 30/2020 Điều 18.4) for a reason. Each copy answers for itself: one that
// waits in the outbox is cancelled; one that lies in a mailbox here, neither opened nor downloaded, vanishes and leaves a notice, as
// the mailbox itself says in this transaction; everybody else is asked once by a letter. secret says that it turned out to be a state
// secret. A second call goes on with copies that were made meanwhile and changes nothing else.
func (s *Store) Recall(ctx context.Context, by Actor, id DocumentID, reason string, secret bool) (*RecallMap, error) {
	reason = oneLine(reason)
	if reason == "" {
		return nil, &Error{Invalid, CodeNoReason, ""}
	}
	w, err := s.newWithdrawal(ctx, by, id, recallDetail{Reason: reason, Secret: secret})
	if err != nil {
		return nil, err
	}
	err = s.insist(ctx, func(tx *sqldb.Tx) error { return s.recall(ctx, tx, w) })
	if err != nil {
		return nil, fmt.Errorf("recall document %d: %w", id, err)
	}
	s.Log.Info("document recalled", "document", id, "reference", w.doc.Reference, "secret", secret, "taken", w.taken, "asked", w.asked, "by", by.String())
	return s.RecallMap(ctx, id)
}

// insist runs a transaction again when somebody else changed a copy between its reading and its writing.
func (s *Store) insist(ctx context.Context, fn func(*sqldb.Tx) error) error {
	for try := 1; ; try++ {
		err := s.db.Write(ctx, fn)
		if !errors.Is(err, ErrStale) || try == 20 {
			return err
		}
	}
}

// A withdrawal is one recall at work: letters are composed before its transaction.
type withdrawal struct {
	by     Actor
	doc    *Document
	detail recallDetail
	notice *circular // to whoever never opened it
	ask    *circular // to everybody else

	taken, asked int
}

func (s *Store) newWithdrawal(ctx context.Context, by Actor, id DocumentID, detail recallDetail) (*withdrawal, error) {
	doc, err := s.issuedBy(ctx, by, id)
	if err != nil {
		return nil, err
	}
	w := &withdrawal{by: by, doc: doc, detail: detail}
	before, err := s.record(ctx, id, EventRecalled)
	if err != nil {
		return nil, err
	}
	if before != nil { // a second call asks for the first one's reason
		w.detail.Reason, w.detail.Secret = before.Reason, before.Secret
	}
	data := circularData{Reason: w.detail.Reason, Secret: w.detail.Secret, calendar: s.calledOff}
	if w.notice, err = s.circular(ctx, doc, "recalled.txt", "Đã thu hồi", data); err != nil {
		return nil, err
	}
	w.ask, err = s.circular(ctx, doc, "recall.txt", "Đề nghị thu hồi", data)
	return w, err
}

// issuedBy returns a document that the actor's agency has issued.
func (s *Store) issuedBy(ctx context.Context, by Actor, id DocumentID) (*Document, error) {
	doc, err := s.Document(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case by.Unit != doc.Agency:
		return nil, &Error{Forbidden, CodeNotEntitled, by.String()}
	case doc.State != Issued:
		return nil, &Error{Conflict, CodeNotIssued, doc.Reference}
	}
	return doc, nil
}

// holdDocument locks an issued document: its chain and the numbers of its copies are the transaction's.
func holdDocument(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	ok, err := tx.ExecOne(ctx, `UPDATE document SET changed_at = changed_at WHERE id = $1 AND state = $2`, id, Issued)
	if err != nil {
		return fmt.Errorf("hold document %d: %w", id, err)
	}
	if !ok {
		return &Error{Conflict, CodeNotIssued, fmt.Sprint(id)}
	}
	return nil
}

func copiesOf(ctx context.Context, tx *sqldb.Tx, id DocumentID) ([]Dispatch, error) {
	var copies []Dispatch
	least, greatest := id.span()
	err := tx.SelectContext(ctx, &copies, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2 ORDER BY id`, least, greatest)
	if err != nil {
		return nil, fmt.Errorf("copies of document %d: %w", id, err)
	}
	return copies, nil
}

func (s *Store) recall(ctx context.Context, tx *sqldb.Tx, w *withdrawal) error {
	w.taken, w.asked = 0, 0
	if err := holdDocument(ctx, tx, w.doc.ID); err != nil {
		return err
	}
	known, err := documentRecord(ctx, tx, w.doc.ID, EventRecalled)
	if err != nil {
		return err
	}
	if known == nil {
		w.detail.Code = 13
		if _, err := recordDocument(ctx, tx, w.doc.ID, EventRecalled, w.by, w.detail); err != nil {
			return err
		}
	}
	taken, err := s.takeUnread(ctx, tx, w.doc.ID)
	if err != nil {
		return err
	}
	copies, err := copiesOf(ctx, tx, w.doc.ID) // read after the mailboxes are held
	if err != nil {
		return err
	}
	var ask, told []*Dispatch
	for i := range copies {
		d := &copies[i]
		switch how, err := s.takeBack(ctx, tx, w, d, taken); {
		case err != nil:
			return err
		case how == TakenUnread:
			told = append(told, d)
		case how == "" && d.mayBeAsked():
			ask = append(ask, d)
		}
	}
	if err := s.askBack(ctx, tx, w, ask); err != nil {
		return err
	}
	return w.notice.send(ctx, tx, told)
}

// takeUnread takes out of their mailboxes all mails of the document that nobody has touched, and returns their copies.
func (s *Store) takeUnread(ctx context.Context, tx *sqldb.Tx, id DocumentID) (map[DispatchID]bool, error) {
	copies, err := copiesOf(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	untouched := map[DispatchID]bool{}
	for i := range copies {
		d := &copies[i]
		untouched[d.ID] = d.Transport == Delivered && d.Handling == Received && d.OpenedAt == nil && d.Recall == ""
	}
	taken := map[DispatchID]bool{}
	for _, ref := range mailRefs(copies) {
		ids := refIDs(ref)
		if slices.ContainsFunc(ids, func(d DispatchID) bool { return !untouched[d] }) {
			continue
		}
		ok, err := s.Mail.TakeBackTx(ctx, tx, ref)
		if err != nil {
			return nil, err
		}
		for _, d := range ids {
			taken[d] = taken[d] || ok
		}
	}
	return taken, nil
}

// mailRefs lists the refs that mails with these copies may lie in mailboxes under: each copy's own, and for first copies to one
// address that of all of them, which share a mail. They are in the order of addresses, in which mailboxes are locked.
func mailRefs(copies []Dispatch) []string {
	byAddress := map[string][]*Dispatch{}
	for i := range copies {
		if d := &copies[i]; d.Way == ByMailbox {
			byAddress[d.Address] = append(byAddress[d.Address], d)
		}
	}
	var refs []string
	for _, address := range slices.Sorted(maps.Keys(byAddress)) {
		var first []*Dispatch
		for _, d := range byAddress[address] {
			if d.Parent == nil && d.Line != supplementLine {
				first = append(first, d)
			}
		}
		if len(first) > 1 {
			refs = append(refs, refOf(first))
		}
		for _, d := range byAddress[address] {
			refs = append(refs, refOf([]*Dispatch{d}))
		}
	}
	return refs
}

// takeBack takes back a copy that nobody need be asked for, and returns how; "" for any other.
func (s *Store) takeBack(ctx context.Context, tx *sqldb.Tx, w *withdrawal, d *Dispatch, taken map[DispatchID]bool) (string, error) {
	detail := recallDetail{Reason: w.detail.Reason, Secret: w.detail.Secret}
	to := Recalled
	switch {
	case taken[d.ID] && (d.Handling != Received || d.OpenedAt != nil):
		return "", ErrStale // somebody acted on it without touching the mailbox, while we did
	case taken[d.ID]:
		detail.How = TakenUnread
	case d.Recall != "":
		return "", nil
	case d.Transport == Queued:
		cancelled, tried, err := s.Mail.CancelRefTx(ctx, tx, refOf([]*Dispatch{d}))
		if err != nil || !cancelled {
			return "", err
		}
		if detail.How = TakenUnsent; !tried {
			to = Cancelled
		}
	case d.Transport == Exception && d.Way == ByOther:
		detail.How = TakenUndelivered
	default:
		return "", nil
	}
	w.taken++
	return detail.How, act(ctx, tx, d, w.doc, string(to), w.by, detail, nil)
}

// mayBeAsked reports whether the recipient may have the copy, and was not asked for it yet. A copy that the recipient is done with
// still lies with it; one that it returned or passed on may.
func (d *Dispatch) mayBeAsked() bool {
	switch d.Transport {
	case Undelivered, Cancelled, Recalled, Superseded:
		return false
	}
	return d.Recall == ""
}

// askBack records that recipients are asked and writes to those that a letter reaches; the map shows the others to the issuer.
func (s *Store) askBack(ctx context.Context, tx *sqldb.Tx, w *withdrawal, ask []*Dispatch) error {
	for _, d := range ask {
		detail := recallDetail{Code: 13, Reason: w.detail.Reason, Secret: w.detail.Secret}
		if err := act(ctx, tx, d, w.doc, EventRecallAsked, w.by, detail, nil); err != nil {
			return err
		}
		w.asked++
	}
	return w.ask.send(ctx, tx, ask)
}

// AnswerRecall is a recipient's answer to having been asked: it agrees (15) and the copy leaves its mailbox, or it does not (16),
// for a reason. For a recipient without a mailbox here the issuing agency records what it was told.
func (s *Store) AnswerRecall(ctx context.Context, by Actor, id DispatchID, agree bool, reason string) (*Receipt, error) {
	return s.handle(ctx, by, id, func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
		return s.answerRecall(ctx, tx, r, by, agree, reason, 0)
	})
}

func (s *Store) answerRecall(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, agree bool, reason string, mail int64) error {
	d := r.Dispatch
	wanted, kind, code := RecallAgreed, string(Recalled), 15
	if !agree {
		wanted, kind, code = RecallRefused, EventRecallRefused, 16
	}
	if reason = oneLine(reason); !agree && reason == "" {
		return &Error{Invalid, CodeNoRecallReason, ""}
	}
	switch d.Recall {
	case wanted:
		return nil
	case RecallAsked:
	default:
		return &Error{Conflict, CodeNotAsked, r.Document.Reference}
	}
	if agree && d.Transport == Settled { // it is closed where it is; that it was given back is all there is to say
		kind = EventRecallAgreed
	}
	if err := r.act(ctx, tx, kind, by, recallDetail{Code: code, Reason: reason, Mail: mail, EML: r.eml}, nil); err != nil || !agree {
		return err
	}
	return s.clearMailbox(ctx, tx, d)
}

// clearMailbox takes the mails of a document out of the mailbox of a recipient that gave it back (NĐ 30/2020 Điều 18.4), unless another
// unit that shares the mailbox keeps its copy.
func (s *Store) clearMailbox(ctx context.Context, tx *sqldb.Tx, d *Dispatch) error {
	if d.Way != ByMailbox {
		return nil
	}
	copies, err := copiesOf(ctx, tx, d.Document)
	if err != nil {
		return err
	}
	keeps := map[DispatchID]bool{}
	copies = slices.DeleteFunc(copies, func(c Dispatch) bool { return c.Address != d.Address })
	for i := range copies {
		keeps[copies[i].ID] = copies[i].Transport != Recalled
	}
	for _, ref := range mailRefs(copies) {
		if slices.ContainsFunc(refIDs(ref), func(id DispatchID) bool { return keeps[id] }) {
			continue
		}
		if err := s.Mail.RemoveTx(ctx, tx, ref); err != nil {
			return err
		}
	}
	return nil
}

// unsent takes a copy back that was on its way when it was asked for, and did not get there.
func (s *Store) unsent(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
	if r.Dispatch.Recall != RecallAsked {
		return nil
	}
	cancelled, _, err := s.Mail.CancelRefTx(ctx, tx, refOf([]*Dispatch{r.Dispatch}))
	if err != nil || !cancelled {
		return err
	}
	return r.act(ctx, tx, string(Recalled), Gateway, recallDetail{How: TakenUnsent}, nil)
}

// record returns what a document's newest event of a kind says, nil when it has none.
func (s *Store) record(ctx context.Context, id DocumentID, kind string) (r *recallDetail, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = documentRecord(ctx, tx, id, kind); return err })
	return r, err
}

func documentRecord(ctx context.Context, tx *sqldb.Tx, id DocumentID, kind string) (*recallDetail, error) {
	e, err := lastEvent(ctx, tx, id.chain(), kind)
	if err != nil || e == nil {
		return nil, err
	}
	return recallOf(e.Detail), nil
}
