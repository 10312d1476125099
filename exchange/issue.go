package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// Register takes the document into the agency's register of outgoing documents with all its lines. The same file of the
// same agency again returns the document that is there, so that a step cut short can be repeated. Nothing is stored of a
// proposal that is not ready.
func (s *Store) Register(ctx context.Context, by Actor, p *Proposal, pdf []byte) (*Document, error) {
	if err := p.Ready(); err != nil {
		return nil, err
	}
	if doc, err := s.ByOriginal(ctx, pdf); err != nil {
		return nil, err
	} else if doc != nil && doc.Agency != p.Agency {
		return nil, &Error{Conflict, CodeSameFile, string(doc.Agency) + " " + doc.Reference}
	} else if doc != nil {
		return doc, s.samePackage(ctx, doc, p)
	}
	if err := s.CheckFiles(ctx, p, pdf); err != nil {
		return nil, err
	}
	if err := p.checkPackage(); err != nil { // a file may have turned out to bear no seal
		return nil, err
	}
	digest, err := s.saveFiles(ctx, p, pdf)
	if err != nil {
		return nil, fmt.Errorf("store document %q: %w", p.Reference, err)
	}
	var doc *Document
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var err error
		doc, err = s.register(ctx, tx, by, p, digest, int64(len(pdf)))
		return err
	})
	if sqldb.IsUnique(err) { // another session registered the same file meanwhile
		if doc, err := s.known(ctx, p.Agency, digest); err != nil || doc != nil {
			return doc, errors.Join(err, s.samePackage(ctx, doc, p))
		}
	}
	if err != nil {
		return nil, err
	}
	s.journalRegistered(doc)
	s.Log.Info("document registered", "document", doc.ID, "reference", doc.Reference, "agency", doc.Agency, "by", by.String())
	return doc, nil
}

// saveFiles stores the bytes of the whole package and returns the digest of the main file.
func (s *Store) saveFiles(ctx context.Context, p *Proposal, pdf []byte) (blob.Digest, error) {
	for _, f := range p.Annexes {
		if _, err := s.Mail.SaveBytes(ctx, f.Data); err != nil {
			return "", fmt.Errorf("annex %q: %w", f.Info.Name, err)
		}
	}
	return s.Mail.SaveBytes(ctx, pdf)
}

// known returns the document that this agency made of these bytes, nil when there is none.
func (s *Store) known(ctx context.Context, agency recipients.UnitCode, digest blob.Digest) (*Document, error) {
	var found []Document
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &found, `SELECT `+documentColumns+` FROM document WHERE agency = $1 AND original = $2 AND state <> 'withdrawn'`, agency, digest)
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (s *Store) register(ctx context.Context, tx *sqldb.Tx, by Actor, p *Proposal, digest blob.Digest, size int64) (*Document, error) {
	year, err := strconv.Atoi(p.IssuedOn[:min(4, len(p.IssuedOn))])
	if err != nil {
		return nil, &Error{Invalid, CodeNoReference, p.IssuedOn}
	}
	doc := &Document{Agency: p.Agency, Reference: p.Reference, Number: p.Number, Year: year, Symbol: p.Symbol, Kind: p.Kind,
		Abstract: p.Abstract, IssuedOn: p.IssuedOn, Place: p.Place, Signer: p.Signer, Urgency: p.Urgency, Pages: p.Pages,
		FileName: p.FileName, Original: digest, State: Draft, CreatedAt: tx.Now.UnixMicro(), CreatedBy: by.String(), ChangedAt: tx.Now.UnixMicro()}
	if doc.Meets, err = meets(p.Meeting); err != nil {
		return nil, err
	}
	list := itemsOf(p, by, digest, size, tx.Now)
	for _, it := range list {
		if err := s.Mail.PinTx(ctx, tx, it.Original, it.Size); err != nil {
			return nil, err
		}
	}
	column, value, err := restoredID(ctx, tx, doc)
	if err != nil {
		return nil, err
	}
	err = tx.GetContext(ctx, &doc.ID, `INSERT INTO document (agency, reference, number, year, symbol, kind, abstract, issued_on, place, signer,
		urgency, pages, file_name, original, state, created_at, created_by, changed_at, search, meets`+column+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20`+value+`) RETURNING id`,
		doc.Agency, doc.Reference, doc.Number, doc.Year, doc.Symbol, doc.Kind, doc.Abstract, doc.IssuedOn, doc.Place, doc.Signer,
		doc.Urgency, doc.Pages, doc.FileName, doc.Original, doc.State, doc.CreatedAt, doc.CreatedBy, doc.ChangedAt, doc.searchText(p.Lines), doc.Meets)
	if err != nil {
		return nil, fmt.Errorf("register document %q: %w", p.Reference, err)
	}
	if err := insertItems(ctx, tx, doc.ID, list); err != nil {
		return nil, err
	}
	if _, err := recordDocument(ctx, tx, doc.ID, string(Draft), by, drafted(doc, p, list)); err != nil {
		return nil, err
	}
	r, err := forNumber(ctx, tx, doc.Agency, doc.Year, doc.Reference)
	if err != nil {
		return nil, err
	}
	if err := takeFromPaper(ctx, tx, r, doc.Number, doc.Reference, fmt.Sprint("document:", doc.ID), by); err != nil {
		return nil, err
	}
	if err := insertLines(ctx, tx, doc.ID, p.Lines); err != nil {
		return nil, err
	}
	detail := map[string]any{"reference": doc.Reference, "lines": len(p.Lines)}
	if len(p.Differences) > 0 {
		detail["confirmed"] = p.Differences // by the actor of this event
	}
	_, err = moveDocument(ctx, tx, doc, Registered, by, detail, "")
	return doc, err
}

// drafted is the detail of a document's first event: the files as they came.
func drafted(doc *Document, p *Proposal, list []Item) map[string]any {
	detail := map[string]any{"file": doc.FileName, "sha256": doc.Original}
	if len(list) > 1 {
		detail["package"] = digests(list)
	}
	if names := givenNames(p, list); len(names) > 0 {
		detail["given_names"] = names
	}
	return detail
}

func insertLines(ctx context.Context, tx *sqldb.Tx, id DocumentID, lines []Line) error {
	rows := make([][]any, len(lines))
	for i, l := range lines {
		var at *int64
		if l.DecidedBy != "" {
			now := tx.Now.UnixMicro()
			at = &now
		}
		rows[i] = []any{id, l.Ordinal, l.Block, l.Text, l.Kind, l.Purpose, l.Outcome, l.Why, l.Confidence, l.Units, l.Name, l.Address, l.DecidedBy, at}
	}
	return tx.InsertRows(ctx, `INSERT INTO recipient_line (document_id, ordinal, block, text, kind, purpose, outcome, why, confidence, units,
		name, address, decided_by, decided_at)`, rows, "")
}

// Seal puts the agency's signature on every PDF of a registered document's package, and on the list of its files where some
// of them cannot bear one. The key works outside any transaction; when two do it at once, one result is kept.
func (s *Store) Seal(ctx context.Context, by Actor, id DocumentID) (*Document, error) {
	doc, err := s.Document(ctx, id)
	if err != nil || doc.State != Registered {
		return doc, err
	}
	j, err := s.sealPackage(ctx, doc)
	if err != nil {
		return nil, fmt.Errorf("seal document %d: %w", id, err)
	}
	note := j.note()
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if doc, err = document(ctx, tx, id); err != nil {
			return err
		}
		if doc.State != Registered {
			return ErrStale
		}
		if err := s.keepSeals(ctx, tx, doc, j.out); err != nil {
			return err
		}
		detail := map[string]any{"sha256": doc.SealedPDF, "seal": note}
		if len(j.out) > 1 {
			detail["package"] = digests(itemsIn(j.out))
		}
		if _, err := moveDocument(ctx, tx, doc, Sealed, by, detail, `, sealed = $5`, doc.SealedPDF); err != nil {
			return err
		}
		return careIfNeeded(ctx, tx, id, &note)
	})
	if errors.Is(err, ErrStale) {
		return s.Document(ctx, id)
	}
	if err == nil {
		s.Log.Info("document sealed", "document", id, "reference", doc.Reference, "level", note.Level, "wanted", note.Wanted, "decision", note.Decision, "by", by.String())
	}
	return doc, err
}

// Bytes returns a stored document, with room behind it for a seal.
func (s *Store) Bytes(digest blob.Digest) ([]byte, error) {
	f, err := s.Mail.Blobs().Open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return signing.ReadFile(f, f.Size())
}

func (s *Store) unitName(ctx context.Context, code recipients.UnitCode) (string, error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return "", err
	}
	if u, ok := dir.Unit(code); ok {
		return u.Name, nil
	}
	if a, err := s.Mail.Account(ctx, s.unitAddress(code)); err == nil && a.Kind == mailcore.Unit { // it has ended; what it issued has not
		return a.Name, nil
	}
	return "", &Error{Missing, CodeUnknownUnit, string(code)}
}

// Issue sends a sealed document to everybody named in it, in one transaction: the document, its dispatches, the rows of
// mailboxes and outbox and the events all stand, or nothing does. An issued document is returned as it is.
func (s *Store) Issue(ctx context.Context, by Actor, id DocumentID) (*Document, error) {
	return s.issueWhen(ctx, by, id, 0)
}

// issueWhen is Issue, of a document that is still due at that moment; 0 of any.
func (s *Store) issueWhen(ctx context.Context, by Actor, id DocumentID, due int64) (*Document, error) {
	doc, err := s.Document(ctx, id)
	if err != nil || doc.State == Issued {
		return doc, err
	}
	if doc.State != Sealed {
		return nil, &Error{Conflict, CodeWrongState, string(doc.State)}
	}
	plan, err := s.plan(ctx, doc)
	if err != nil {
		return nil, err
	}
	if err := s.keepIDs(ctx, doc, plan); err != nil {
		return nil, err
	}
	start := time.Now()
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if doc, err = document(ctx, tx, id); err != nil {
			return err
		}
		if doc.State != Sealed {
			return ErrStale
		}
		if due != 0 {
			if err := holdDue(ctx, tx, id, due); err != nil {
				return err
			}
		}
		return s.issue(ctx, tx, by, doc, plan)
	})
	if errors.Is(err, ErrStale) {
		return s.Document(ctx, id)
	}
	if err != nil {
		return nil, fmt.Errorf("issue document %d: %w", id, err)
	}
	s.journalIssue(doc, plan.dispatches)
	if plan.again {
		if _, err := s.replay(ctx, doc.ID); err != nil {
			return nil, fmt.Errorf("issue document %d again: %w", id, err)
		}
	}
	s.Log.Info("document issued", "document", id, "reference", doc.Reference, "copies", len(plan.dispatches), "took", time.Since(start), "by", by.String())
	return doc, nil
}

// A plan is what an issue will write, worked out before its transaction.
type plan struct {
	body       *mailcore.Body
	dispatches []Dispatch
	accounts   map[mailcore.Address]mailcore.AccountID
	domain     string
	again      bool           // it was issued before a backup was restored
	dots       map[string]int // refs of its copies that may have left then, and how often
}

// plan joins the lines with today's directory and accounts: one dispatch for each distinct unit and each off-system line.
func (s *Store) plan(ctx context.Context, doc *Document) (*plan, error) {
	var all []Line
	if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { all, err = lines(ctx, tx, doc.ID); return err }); err != nil {
		return nil, err
	}
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	accounts, err := s.Mail.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	p := &plan{accounts: map[mailcore.Address]mailcore.AccountID{}, domain: s.Domain}
	for _, a := range accounts {
		if a.ClosedAt.IsZero() {
			p.accounts[a.Address] = a.ID
		}
	}
	seen := map[recipients.UnitCode]bool{doc.Agency: true}
	for _, l := range all {
		switch l.Outcome {
		case Open:
			return nil, &Error{Conflict, CodeOpenLines, l.Text}
		case OffSystem:
			p.add(doc, Dispatch{Line: l.Ordinal, Purpose: l.Purpose, Name: l.Name, Address: l.Address})
		case Resolved:
			for _, code := range l.Codes() {
				if seen[code] {
					continue
				}
				seen[code] = true
				u, ok := dir.Unit(code)
				if !ok {
					return nil, &Error{Missing, CodeUnknownUnit, string(code)}
				}
				p.add(doc, Dispatch{Line: l.Ordinal, Purpose: l.Purpose, Unit: code, Name: u.Name, Address: string(s.address(u))})
			}
		}
	}
	if len(p.dispatches) == 0 {
		return nil, &Error{Invalid, CodeNoUnits, doc.Reference}
	}
	p.body, err = s.compose(ctx, doc)
	return p, err
}

// address is where a unit's copy goes: its own outside address, or its code in the province's domain (QĐ 22/2009 Điều 4).
func (s *Store) address(u recipients.Unit) mailcore.Address {
	if u.Address != "" {
		return mailcore.Address(u.Address)
	}
	if u.Mailbox {
		return mailcore.Address(string(u.Code) + "@" + s.Domain)
	}
	return ""
}

func (p *plan) add(doc *Document, d Dispatch) {
	d.Document, d.Secret = doc.ID, newSecret()
	address := mailcore.Address(d.Address)
	switch _, ours := p.accounts[address]; {
	case ours:
		d.Way, d.Transport, d.Handling = ByMailbox, Delivered, Received
	case address == "" || address.Domain() == p.domain:
		// No address, or one of ours that nobody has opened: pick-up or paper until a person settles it.
		d.Way, d.Transport = ByOther, Exception
	default:
		d.Way, d.Transport = ByMail, Queued
	}
	p.dispatches = append(p.dispatches, d)
}

// newSecret returns eighty bits that nobody can guess.
func newSecret() string { return strings.ToLower(rand.Text()[:16]) }

// Token names the copy in addresses that only its recipient is told: its id and its secret.
func (d *Dispatch) Token() string { return strconv.FormatInt(int64(d.ID), 36) + "." + d.Secret }
