package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// Resumed is what came of comparing the database with the journal.
type Resumed struct {
	Behind    bool               // the database is an old backup: a new epoch has begun
	Documents []RestoredDocument // to be taken in again from their papers
	Numbers   int                // taken since the backup, and reserved again
	Arrivals  int                // accepted since the backup: entered again, or as soon as their document is there
	Doubtful  int                // copies that may have left since the backup
	Blocked   int                // registers that wait for a clerk, since there is no journal
}

// Resume compares the database with the journal, as at every start. Where the journal knows more, or restored says so, the
// database is an old backup, and the installation goes on under a new epoch: ids that were given since are not given again,
// mailboxes get a new UIDVALIDITY, numbers taken since are reserved and arrivals entered under the numbers that they had, and
// copies that may have left wait as uncertain. Without a journal every copy in the outbox may have left, and every register
// waits for a clerk to tell its last number. Run again it finds nothing more to do.
//
// What the journal does not hold is lost with the database: the bytes of documents issued since (their papers are taken in
// again), acts other than acceptance (the copy is open again and has its owner), other mail, folders and flags.
func (s *Store) Resume(ctx context.Context, entries []JournalEntry, restored bool) (*Resumed, error) {
	var out *Resumed
	var unwritten []JournalEntry
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r := &resumer{s: s, tx: tx, out: &Resumed{}}
		out = r.out
		defer func() { unwritten = r.unwritten }()
		if err := r.compare(ctx, entries); err != nil {
			return err
		}
		if out.Behind = restored || r.behind(); !out.Behind {
			return nil
		}
		return r.apply(ctx, entries == nil)
	})
	if err == nil {
		s.journal(unwritten...)
	}
	if err == nil { // also where a process died before it had done so
		out.Arrivals, err = s.replay(ctx, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("compare the database with the journal: %w", err)
	}
	if out.Behind {
		s.Log.Warn("the database is an old backup", "documents", len(out.Documents), "numbers", out.Numbers, "arrivals", out.Arrivals, "doubtful", out.Doubtful, "blocked", out.Blocked)
	}
	return out, nil
}

// A seriesKey names a series.
type seriesKey struct {
	Agency recipients.UnitCode
	Year   int
	Book   Book
	Name   string
}

// A resumer collects what the journal knows and the database does not.
type resumer struct {
	s   *Store
	tx  *sqldb.Tx
	out *Resumed

	numbers  map[seriesKey]map[int64]string // reference by number
	arrivals map[DispatchID]JournalEntry
	copies   map[DispatchID]JournalEntry // forwarded, or added after issue
	dots     map[DispatchID]int
	written  map[DispatchID]bool // arrivals that the journal has
	modes    map[seriesKey]Mode
	refs     map[string]int // of copies that left more often than the database knows, and how much more
	highest  int64          // id of a document

	unwritten []JournalEntry // what the database knows and the journal does not: the process died between the two
}

func (r *resumer) behind() bool {
	return len(r.out.Documents) > 0 || len(r.copies) > 0 || len(r.numbers) > 0 || len(r.arrivals) > 0 || len(r.refs) > 0
}

func (r *resumer) compare(ctx context.Context, entries []JournalEntry) error {
	r.numbers, r.arrivals = map[seriesKey]map[int64]string{}, map[DispatchID]JournalEntry{}
	r.copies = map[DispatchID]JournalEntry{}
	r.written, r.modes, r.refs = map[DispatchID]bool{}, map[seriesKey]Mode{}, map[string]int{}
	docs, dots := map[DocumentID]*RestoredDocument{}, map[DispatchID]int{}
	for i := range entries {
		e := &entries[i]
		switch e.Kind {
		case journalNumber:
			r.number(seriesKey{e.Agency, e.Year, e.Book, e.Name}, e.Number, e.Reference)
		case journalDocument:
			docs[e.Document] = &RestoredDocument{ID: e.Document, Agency: e.Agency, Reference: e.Reference, Original: e.Original}
		case journalIssued:
			text, err := json.Marshal(e.Copies)
			if err != nil {
				return err
			}
			docs[e.Document] = &RestoredDocument{ID: e.Document, Agency: e.Agency, Reference: e.Reference, Original: e.Original, Copies: string(text)}
		case journalAccepted:
			if n, _ := strconv.ParseInt(e.Told, 10, 64); n > 0 && e.Mode == IssuedHere {
				r.number(seriesKey{e.Agency, e.Year, e.Book, ""}, n, e.Told)
			}
			r.arrivals[e.Dispatch] = *e
		case journalCopied:
			r.copies[e.Dispatch] = *e
		case journalDot:
			dots[e.Dispatch]++
		}
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.lostDocuments(ctx, docs, dots) },
		r.lostNumbers, r.lostArrivals, func(ctx context.Context) error { return r.lostCopies(ctx, dots) },
		func(ctx context.Context) error { return r.lostDots(ctx, dots) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *resumer) number(k seriesKey, n int64, reference string) {
	if r.numbers[k] == nil {
		r.numbers[k] = map[int64]string{}
	}
	r.numbers[k][n] = reference
}

// lostDocuments keeps those that the database has not, or has not issued. A document under the same id that is another one
// means that the installation went on without its journal: nothing can be put right by itself any more.
func (r *resumer) lostDocuments(ctx context.Context, docs map[DocumentID]*RestoredDocument, dots map[DispatchID]int) error {
	var rows []struct {
		ID       DocumentID `db:"id"`
		Original string     `db:"original"`
		Issued   bool       `db:"issued"`
	}
	if err := r.tx.SelectContext(ctx, &rows, `SELECT id, original, state = 'issued' AS issued FROM document`); err != nil {
		return err
	}
	for _, row := range rows {
		d := docs[row.ID]
		if d == nil || row.Issued && d.Copies == "" {
			if err := r.unwrittenDocument(ctx, row.ID, row.Issued); err != nil {
				return err
			}
		}
		if d == nil {
			continue
		}
		if string(d.Original) != row.Original {
			return fmt.Errorf("document %d is %s in the journal and another one in the database", row.ID, d.Reference)
		}
		if row.Issued || d.Copies == "" {
			delete(docs, row.ID)
		}
	}
	known, err := restoredDocuments(ctx, r.tx)
	if err != nil {
		return err
	}
	for _, k := range known {
		if d := docs[k.ID]; d != nil && (d.Copies == "") == (k.Copies == "") {
			delete(docs, k.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(docs)) {
		d := docs[id]
		copies, err := d.list()
		if err != nil {
			return err
		}
		for i := range copies {
			copies[i].Dots = dots[id.copyID(int(copies[i].Number))]
		}
		if len(copies) > 0 {
			text, err := json.Marshal(copies)
			if err != nil {
				return err
			}
			d.Copies = string(text)
		}
		r.out.Documents = append(r.out.Documents, *d)
		r.highest = max(r.highest, int64(id))
	}
	return nil
}

func (r *resumer) lostNumbers(ctx context.Context) error {
	var rows []struct {
		Agency recipients.UnitCode `db:"agency"`
		Year   int                 `db:"year"`
		Book   Book                `db:"book"`
		Name   string              `db:"name"`
		Mode   Mode                `db:"mode"`
		Last   int64               `db:"last"`
	}
	if err := r.tx.SelectContext(ctx, &rows, `SELECT agency, year, book, name, mode, last FROM register_series`); err != nil {
		return err
	}
	for _, row := range rows {
		k := seriesKey{row.Agency, row.Year, row.Book, row.Name}
		r.modes[k] = row.Mode
		if row.Mode == IssuedHere && row.Last > 0 && r.numbers[k][row.Last] == "" {
			if err := r.unwrittenNumbers(ctx, k); err != nil {
				return err
			}
		}
		maps.DeleteFunc(r.numbers[k], func(n int64, _ string) bool { return n <= row.Last || row.Mode == TakenFromPaper })
		if len(r.numbers[k]) == 0 {
			delete(r.numbers, k)
		}
	}
	return nil
}

func (r *resumer) lostArrivals(ctx context.Context) error {
	var known []struct {
		ID     DispatchID          `db:"id"`
		Unit   recipients.UnitCode `db:"unit"`
		Number string              `db:"arrival_number"`
		On     string              `db:"arrived_on"`
	}
	err := r.tx.SelectContext(ctx, &known, `SELECT dispatch_id AS id, '' AS unit, number AS arrival_number, '' AS arrived_on FROM restored_arrival
		UNION ALL SELECT id, unit, arrival_number, arrived_on FROM dispatch WHERE arrived_on <> ''`)
	for _, k := range known {
		e, ok := r.arrivals[k.ID]
		if ok && k.Number == "" && e.Told != "" {
			continue // accepted by then, and its number told after the backup
		}
		if k.Unit != "" && (!ok && !r.written[k.ID] || ok && k.Number != e.Told) {
			r.unwritten = append(r.unwritten, JournalEntry{Kind: journalAccepted, Agency: k.Unit, Year: yearOf(k.On), Book: IncomingBook, Mode: r.modes[seriesKey{k.Unit, yearOf(k.On), IncomingBook, ""}],
				Dispatch: k.ID, Told: k.Number, On: k.On, By: Gateway.String()})
		}
		r.written[k.ID] = r.written[k.ID] || ok
		delete(r.arrivals, k.ID)
	}
	return err
}

// unwrittenDocument finds what the journal should hold of a document.
func (r *resumer) unwrittenDocument(ctx context.Context, id DocumentID, issued bool) error {
	doc, err := document(ctx, r.tx, id)
	if err != nil {
		return err
	}
	e := JournalEntry{Kind: journalDocument, Document: id, Agency: doc.Agency, Year: doc.Year, Book: OutgoingBook, Reference: doc.Reference, Original: doc.Original}
	if issued {
		var all []Dispatch
		least, greatest := id.span()
		if err := r.tx.SelectContext(ctx, &all, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2 AND parent IS NULL AND line <> $3`, least, greatest, supplementLine); err != nil {
			return err
		}
		e.Kind, e.Copies = journalIssued, journalCopies(doc, all)
	}
	r.unwritten = append(r.unwritten, e)
	return nil
}

// unwrittenNumbers finds the numbers of a series that the journal does not hold.
func (r *resumer) unwrittenNumbers(ctx context.Context, k seriesKey) error {
	var rows []struct {
		Number    int64  `db:"number"`
		Reference string `db:"reference"`
	}
	err := r.tx.SelectContext(ctx, &rows, `SELECT n.number, n.reference FROM register_number n JOIN register_series s ON s.id = n.series_id
		WHERE s.agency = $1 AND s.year = $2 AND s.book = $3 AND s.name = $4`, k.Agency, k.Year, k.Book, k.Name)
	for _, row := range rows {
		if r.numbers[k][row.Number] == "" {
			r.unwritten = append(r.unwritten, JournalEntry{Kind: journalNumber, Agency: k.Agency, Year: k.Year, Book: k.Book, Name: k.Name, Mode: IssuedHere, Reference: row.Reference, Number: row.Number})
		}
	}
	return err
}

// lostCopies keeps the forwarded and added copies that the database has not.
func (r *resumer) lostCopies(ctx context.Context, dots map[DispatchID]int) error {
	r.dots = dots
	var known []DispatchID
	if err := r.tx.SelectContext(ctx, &known, `SELECT dispatch_id FROM restored_copy`); err != nil {
		return err
	}
	for _, id := range known {
		delete(r.copies, id)
	}
	var added []struct {
		Dispatch
		Agency recipients.UnitCode `db:"agency"`
	}
	err := r.tx.SelectContext(ctx, &added, `SELECT d.id, d.document_id, d.unit, d.address, d.name, d.parent, d.token, d.sequence, o.agency FROM dispatch d
		JOIN document o ON o.id = d.document_id WHERE d.parent IS NOT NULL OR d.line = $1`, supplementLine)
	for i := range added {
		d := &added[i].Dispatch
		if _, ok := r.copies[d.ID]; !ok && !slices.Contains(known, d.ID) {
			r.unwritten = append(r.unwritten, d.copied(added[i].Agency, Gateway.String(), ""))
		}
		delete(r.copies, d.ID)
	}
	return err
}

func (r *resumer) keepCopies(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(r.copies)) {
		e := r.copies[id]
		if _, err := r.tx.ExecContext(ctx, `INSERT INTO restored_copy (dispatch_id, parent, agency, recipient, token, sequence, actor, reason, dots)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, id, e.Parent, e.Agency, e.To, e.Secret, e.Sequence, e.By, e.Why, r.dots[id]); err != nil {
			return err
		}
		if err := r.leapPlace(ctx, e.Agency, e.To, e.Sequence); err != nil {
			return err
		}
	}
	return nil
}

func (r *resumer) leapPlace(ctx context.Context, agency recipients.UnitCode, recipient string, place int64) error {
	_, err := r.tx.ExecContext(ctx, `INSERT INTO copy_sequence (agency, recipient, last) VALUES ($1, $2, $3) ON CONFLICT (agency, recipient)
		DO UPDATE SET last = CASE WHEN copy_sequence.last < excluded.last THEN excluded.last ELSE copy_sequence.last END`, agency, recipient, place)
	return err
}

// lostDots finds the copies that the outbox means to send and that have left more often than its attempts tell.
func (r *resumer) lostDots(ctx context.Context, dots map[DispatchID]int) error {
	waiting, err := r.s.Mail.DotsTx(ctx, r.tx)
	if err != nil {
		return err
	}
	for ref, n := range waiting {
		for _, id := range refIDs(ref) {
			if dots[id] > n {
				r.refs[ref] = dots[id] - n
			}
		}
	}
	return nil
}

func (r *resumer) apply(ctx context.Context, blind bool) error {
	if _, err := r.tx.ExecContext(ctx, `UPDATE log_head SET epoch = epoch + 1, holder = '', lease_until = 0 WHERE id = 1`); err != nil {
		return err
	}
	if err := r.s.Mail.RestoredTx(ctx, r.tx); err != nil {
		return err
	}
	if err := r.tx.LeapIDs(ctx, "document", r.highest); err != nil {
		return err
	}
	steps := []func(context.Context) error{r.keepDocuments, r.keepCopies, r.reserve, r.keepArrivals, func(ctx context.Context) (err error) {
		r.out.Doubtful, err = r.s.Mail.DoubtTx(ctx, r.tx, r.refs)
		return err
	}}
	if blind {
		steps = []func(context.Context) error{r.block, func(ctx context.Context) (err error) {
			r.out.Doubtful, err = r.s.Mail.DoubtTx(ctx, r.tx, nil)
			return err
		}}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keepDocuments writes down what has to be taken in again, and leaps over the places that their copies hold.
func (r *resumer) keepDocuments(ctx context.Context) error {
	for i := range r.out.Documents {
		d := &r.out.Documents[i]
		_, err := r.tx.ExecContext(ctx, `INSERT INTO restored_document (id, agency, reference, original, copies) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET copies = excluded.copies, again_at = NULL`, d.ID, d.Agency, d.Reference, d.Original, d.Copies)
		if err != nil {
			return err
		}
		copies, err := d.list()
		if err != nil {
			return err
		}
		for _, c := range copies {
			if err := r.leapPlace(ctx, d.Agency, c.Recipient, c.Sequence); err != nil {
				return err
			}
		}
	}
	return nil
}

// reserve takes the numbers that were taken since the backup, so that nobody gets one of them twice. One that the journal does
// not know of is voided.
func (r *resumer) reserve(ctx context.Context) error {
	keys := slices.SortedFunc(maps.Keys(r.numbers), func(a, b seriesKey) int {
		return cmp.Or(cmp.Compare(a.Agency, b.Agency), cmp.Compare(a.Year, b.Year), cmp.Compare(a.Book, b.Book), cmp.Compare(a.Name, b.Name))
	})
	for _, k := range keys {
		sr, err := series(ctx, r.tx, k.Agency, k.Year, k.Book, k.Name)
		if err != nil {
			return err
		}
		if k.Book == OutgoingBook && sr.Mode == TakenFromPaper {
			if err := setMode(ctx, r.tx, sr, IssuedHere); err != nil {
				return err
			}
			sr.Mode = IssuedHere
		}
		last := slices.Max(slices.Collect(maps.Keys(r.numbers[k])))
		for n := sr.Last + 1; n <= last; n++ {
			if err := r.reserveOne(ctx, sr, n, r.numbers[k][n]); err != nil {
				return err
			}
			r.out.Numbers++
		}
	}
	return nil
}

func (r *resumer) reserveOne(ctx context.Context, sr Series, n int64, reference string) error {
	lost := reference == ""
	if lost {
		reference = strconv.FormatInt(n, 10)
	}
	got, err := takeNext(ctx, r.tx, sr, func(int64) string { return reference }, "", "reserved", Gateway)
	if err != nil {
		return err
	}
	if got != n {
		return fmt.Errorf("series %d: number %d instead of %d", sr.ID, got, n)
	}
	if err := recordSeries(ctx, r.tx, sr.ID, SeriesReserved, Gateway, seriesDetail{Number: n, Reference: reference}); err != nil || !lost {
		return err
	}
	const reason = "không rõ sau khi khôi phục bản sao lưu"
	if _, err := r.tx.ExecContext(ctx, `UPDATE register_number SET state = 'voided', reason = $1 WHERE series_id = $2 AND reference = $3`, reason, sr.ID, reference); err != nil {
		return err
	}
	return recordSeries(ctx, r.tx, sr.ID, SeriesVoided, Gateway, seriesDetail{Reference: reference, Reason: reason})
}

func (r *resumer) keepArrivals(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(r.arrivals)) {
		e := r.arrivals[id]
		if e.Mode == TakenFromPaper && r.modes[seriesKey{e.Agency, e.Year, e.Book, ""}] != TakenFromPaper {
			sr, err := series(ctx, r.tx, e.Agency, e.Year, e.Book, "")
			if err == nil && sr.Mode == IssuedHere && sr.Last == 0 { // the unit had begun to tell its own numbers
				err = setMode(ctx, r.tx, sr, TakenFromPaper)
			}
			if err != nil {
				return err
			}
		}
		if _, err := r.tx.ExecContext(ctx, `INSERT INTO restored_arrival (dispatch_id, unit, number, arrived_on, actor)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (dispatch_id) DO UPDATE SET number = excluded.number`, id, e.Agency, e.Told, e.On, e.By); err != nil {
			return err
		}
	}
	return nil
}

// block lets no register that is numbered here give a number before a clerk has told the last one.
func (r *resumer) block(ctx context.Context) error {
	res, err := r.tx.ExecContext(ctx, `INSERT INTO series_blocked (series_id, since) SELECT id, $1 FROM register_series WHERE mode = 'issued' ON CONFLICT (series_id) DO NOTHING`,
		r.tx.Now.UnixMicro())
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	r.out.Blocked = int(n)
	return err
}

// Blocked lists the registers that wait since a restore for a clerk to tell their last number.
func (s *Store) Blocked(ctx context.Context) (out []Series, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &out, `SELECT r.id, r.agency, r.year, r.book, r.name, r.mode, r.last FROM register_series r
			JOIN series_blocked b ON b.series_id = r.id ORDER BY r.agency, r.year, r.book, r.name`)
	})
	if err != nil {
		return nil, fmt.Errorf("registers that wait: %w", err)
	}
	return out, nil
}

// TellLast opens a register that waits since a restore: last is the highest number that its paper shows. Those that the
// database does not know are voided in it with a reason.
func (s *Store) TellLast(ctx context.Context, by Actor, agency recipients.UnitCode, year int, book Book, name string, last int64) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		sr, err := series(ctx, tx, agency, year, book, name)
		if err != nil {
			return err
		}
		if ok, err := tx.ExecOne(ctx, `DELETE FROM series_blocked WHERE series_id = $1`, sr.ID); err != nil || !ok {
			return cmp.Or[error](err, &Error{Conflict, CodeWrongState, string(sr.Mode)})
		}
		r := &resumer{s: s, tx: tx, out: &Resumed{}}
		for n := sr.Last + 1; n <= last; n++ {
			if err := r.reserveOne(ctx, sr, n, ""); err != nil {
				return err
			}
		}
		return nil
	})
}
