package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/recipients"

	"github.com/jmoiron/sqlx"
)

// rows makes lines of a page of numbers, with what other tables say of them.
func (b *bookReader) rows(ctx context.Context, page []bookLine) ([]BookRow, error) {
	var docs, copies []int64
	for _, n := range page {
		if n.Document != 0 {
			docs = append(docs, int64(n.Document))
		}
		if n.Dispatch != 0 {
			copies = append(copies, int64(n.Dispatch))
		}
	}
	var cells func(bookLine) []string
	if b.q.Book == OutgoingBook {
		who, err := b.whoGets(ctx, docs)
		if err != nil {
			return nil, err
		}
		sent, err := b.sent(ctx, docs)
		if err != nil {
			return nil, err
		}
		cells = func(n bookLine) []string { return outgoingCells(&n, who[int64(n.Document)], sent[int64(n.Document)]) }
	} else {
		given, err := b.assignments(ctx, copies)
		if err != nil {
			return nil, err
		}
		cells = func(n bookLine) []string {
			return b.incomingCells(&n, cmp.Or(given[int64(n.Dispatch)], &assignmentNote{}))
		}
	}
	out := make([]BookRow, len(page))
	for i, n := range page {
		out[i] = BookRow{Number: cmp.Or(n.Reference, "chờ số đến"), On: n.on(b.q.Book), Cells: cells(n), Note: n.State}
	}
	return out, nil
}

// idList writes ids for IN; they are numbers of ours.
func idList(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = fmt.Sprint(id)
	}
	return strings.Join(texts, ",")
}

// recipientCells are nơi nhận of a document, and who keeps the file copy.
type recipientCells struct{ to, filed []string }

// whoGets reads the lines of documents.
func (b *bookReader) whoGets(ctx context.Context, docs []int64) (map[int64]recipientCells, error) {
	out := map[int64]recipientCells{}
	if len(docs) == 0 {
		return out, nil
	}
	rows, err := b.tx.QueryxContext(ctx, `SELECT document_id, kind, text FROM recipient_line WHERE document_id IN (`+idList(docs)+`) ORDER BY document_id, ordinal`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var kind, text string
		if err := rows.Scan(&id, &kind, &text); err != nil {
			return nil, err
		}
		c := out[id]
		text = strings.TrimRight(strings.TrimSpace(text), ".;")
		switch recipients.EntryKind(kind) {
		case recipients.EntryArchive:
			c.filed = append(c.filed, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(text, "Lưu"), ":")))
		case recipients.EntryReference:
			if strings.Contains(strings.ToLower(text), "như điều") {
				c.to = append(c.to, text)
			}
		default:
			c.to = append(c.to, text)
		}
		out[id] = c
	}
	return out, rows.Err()
}

// sentCells count the copies of a document.
type sentCells struct{ copies, accepted, refused, recalled, missing int64 }

func (b *bookReader) sent(ctx context.Context, docs []int64) (map[int64]sentCells, error) {
	out := map[int64]sentCells{}
	if len(docs) == 0 {
		return out, nil
	}
	rows, err := b.tx.QueryxContext(ctx, `SELECT d.id, count(*), sum(CASE WHEN p.arrived_on <> '' OR p.handling IN ('accepted', 'assigned', 'in_progress', 'completed', 'noted') THEN 1 ELSE 0 END),
		sum(CASE WHEN p.handling = 'refused' THEN 1 ELSE 0 END), sum(CASE WHEN p.transport IN ('recalled', 'superseded') THEN 1 ELSE 0 END),
		sum(CASE WHEN p.transport IN ('exception', 'undelivered') THEN 1 ELSE 0 END)
		FROM document d JOIN dispatch p ON p.id > d.id * 1048576 AND p.id < (d.id + 1) * 1048576 WHERE d.id IN (`+idList(docs)+`) GROUP BY d.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var c sentCells
		if err := rows.Scan(&id, &c.copies, &c.accepted, &c.refused, &c.recalled, &c.missing); err != nil {
			return nil, err
		}
		out[id] = c
	}
	return out, rows.Err()
}

// outgoingCells are the ten columns of the book of outgoing documents. Who signs for a copy on paper does so by hand; for an
// electronic one it says how many recipients have accepted theirs.
func outgoingCells(n *bookLine, who recipientCells, sent sentCells) []string {
	count, received, moved := "", "", ""
	if n.Copies > 0 {
		count = fmt.Sprint(n.Copies)
	}
	if sent.copies > 0 {
		count, received = fmt.Sprint(sent.copies), fmt.Sprintf("%d/%d", sent.accepted, sent.copies)
	}
	if n.IssuedAt > 0 {
		moved = CivilDate(time.UnixMicro(n.IssuedAt))
	} else if n.Document == 0 {
		moved = n.EntryOn
	}
	to := cmp.Or(strings.Join(who.to, "; "), n.Recipients)
	filed := cmp.Or(strings.Join(who.filed, "; "), n.Filed)
	return []string{n.Reference, dayMonthYear(n.IssuedOn), n.title(), n.Signer, to, filed, count, dayMonthYear(moved), received, outgoingNote(n, sent)}
}

// bookNotes are what the column of notes says.
type bookNotes []string

func (b *bookNotes) say(when bool, format string, args ...any) {
	if when {
		*b = append(*b, fmt.Sprintf(format, args...))
	}
}

// notes begins with what entries of every book may have.
func (n *bookLine) notes() (notes bookNotes) {
	notes.say(n.Urgency != "", "%s", n.Urgency)
	notes.say(n.State == "reserved", "Đã lấy số, chưa có văn bản")
	notes.say(n.State == "voided", "Bỏ số: %s", n.Reason)
	return notes
}

func outgoingNote(n *bookLine, sent sentCells) string {
	notes := n.notes()
	notes.say(n.State == "taken" && (n.DocState == Registered || n.DocState == Sealed), "Chưa phát hành")
	notes.say(n.Owner == onPaper, "Bản giấy")
	notes.say(sent.recalled > 0, "Thu hồi %d bản", sent.recalled)
	notes.say(sent.refused > 0, "Trả lại %d bản", sent.refused)
	notes.say(sent.missing > 0, "Chưa đến %d bản", sent.missing)
	notes.say(n.Note != "", "%s", n.Note)
	return strings.Join(notes, "; ")
}

// An assignmentNote is whom a copy was given to inside the unit, and what came of it.
type assignmentNote struct {
	lead    string
	support []string
	on      string   // civil date
	due     string   // civil date, as told when assigning
	answers []string // số, ký hiệu of the documents that answer
	reason  string   // why it was refused or forwarded
	taken   bool     // somebody has begun to work on it
}

// to is đơn vị hoặc người nhận: who leads, and who helps.
func (a *assignmentNote) to() string {
	if len(a.support) == 0 {
		return a.lead
	}
	return strings.TrimSpace(a.lead + " (phối hợp: " + strings.Join(a.support, ", ") + ")")
}

// assignments reads whom copies were given to, what answers them, and why they were returned or handed on.
func (b *bookReader) assignments(ctx context.Context, copies []int64) (map[int64]*assignmentNote, error) {
	out := map[int64]*assignmentNote{}
	note := func(id int64) *assignmentNote {
		if out[id] == nil {
			out[id] = &assignmentNote{}
		}
		return out[id]
	}
	if len(copies) == 0 {
		return out, nil
	}
	ids := idList(copies)
	var tasks []struct {
		Dispatch int64  `db:"dispatch_id"`
		Officer  string `db:"officer"`
		Role     string `db:"role"`
		State    string `db:"state"`
		DueOn    string `db:"due_on"`
		At       int64  `db:"assigned_at"`
	}
	var answers []struct {
		Dispatch  int64  `db:"dispatch_id"`
		Reference string `db:"reference"`
	}
	var events []Event
	for _, q := range []struct {
		to    any
		query string
	}{{&tasks, `SELECT dispatch_id, officer, role, state, due_on, assigned_at FROM assignment WHERE dispatch_id IN (` + ids + `) AND state <> 'withdrawn' ORDER BY dispatch_id, role, officer`},
		{&answers, `SELECT a.dispatch_id, d.reference FROM answer a JOIN document d ON d.id = a.document_id WHERE a.dispatch_id IN (` + ids + `) ORDER BY a.dispatch_id, a.linked_at, d.id`},
		{&events, `SELECT chain, kind, detail FROM event WHERE chain IN (` + ids + `) AND kind IN ('in_progress', 'refused', 'forwarded') ORDER BY chain, ordinal`}} {
		if err := b.selectPlain(ctx, q.to, q.query); err != nil {
			return nil, err
		}
	}
	for _, t := range tasks {
		n, name := note(t.Dispatch), cmp.Or(b.names[t.Officer], t.Officer)
		if t.Role == "lead" {
			n.lead = name
		} else {
			n.support = append(n.support, name)
		}
		n.on, n.due = max(n.on, CivilDate(time.UnixMicro(t.At))), cmp.Or(n.due, t.DueOn)
		n.taken = n.taken || t.State != "assigned"
	}
	for _, a := range answers {
		n := note(a.Dispatch)
		n.answers = append(n.answers, a.Reference)
	}
	for _, e := range events {
		var v struct{ Reason, To string }
		json.Unmarshal([]byte(e.Detail), &v) // of another shape: nothing is known
		n := note(e.Chain)
		n.taken = n.taken || e.Kind == string(InProgress)
		n.reason = cmp.Or(v.Reason, n.reason)
		if u, ok := b.dir.Unit(recipients.UnitCode(v.To)); ok && v.To != "" {
			n.reason = u.Name + prefixed(", ", v.Reason)
		}
	}
	return out, nil
}

// selectPlain scans all rows of a query whose text differs each time, so that it is not worth preparing.
func (b *bookReader) selectPlain(ctx context.Context, dest any, query string) error {
	rows, err := b.tx.QueryxContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	return sqlx.StructScan(rows, dest)
}

// incomingCells are the columns of the book of incoming documents, or of the one that tracks them.
func (b *bookReader) incomingCells(n *bookLine, given *assignmentNote) []string {
	author := n.Author
	if u, ok := b.dir.Unit(recipients.UnitCode(n.Agency)); ok {
		author = u.Name
	} else if author == "" {
		author = n.Agency
	}
	if n.State == "reserved" || n.State == "voided" {
		author, n.DocRef = "", ""
	}
	number := cmp.Or(n.Reference, "(chờ số)")
	to := cmp.Or(given.to(), n.Recipients)
	if b.q.Book == TrackingBook {
		due := cmp.Or(given.due, n.DueOn)
		if due == "" && n.Deadline > 0 {
			due = CivilDate(time.UnixMicro(n.Deadline))
		}
		what := strings.Join(slices.DeleteFunc([]string{strings.TrimSpace(n.Kind + " " + prefixed("số ", n.DocRef)), prefixed("ngày ", dayMonthYear(n.IssuedOn)),
			prefixed("của ", author)}, func(s string) bool { return s == "" }), " ")
		return []string{number, strings.TrimSuffix(what+": "+cmp.Or(n.Abstract, n.Told), ": "), to, dayMonthYear(due), n.progress(), strings.Join(given.answers, "; "), incomingNote(n, given)}
	}
	moved, signed := given.on, ""
	if moved == "" && n.Owner == onPaper && n.Recipients != "" {
		moved = n.EntryOn
	}
	if given.taken {
		signed = "Đã nhận"
	}
	return []string{dayMonthYear(n.on(IncomingBook)), number, author, n.DocRef, dayMonthYear(n.IssuedOn), n.title(), to, dayMonthYear(moved), signed, incomingNote(n, given)}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// progress is tiến độ giải quyết: what state it is in, and since when.
func (n *bookLine) progress() string {
	words := map[Handling]string{Accepted: "Đã tiếp nhận", Assigned: "Đã phân công", InProgress: "Đang xử lý", Completed: "Đã hoàn thành",
		Refused: "Đã trả lại", Forwarded: "Đã chuyển đúng nơi nhận", Noted: "Đã xem"}
	word := words[n.Handling]
	if word == "" {
		return ""
	}
	if n.Since > 0 {
		word += ", " + writtenDay(time.UnixMicro(n.Since))
	}
	return word
}

// writtenDay is the date in Việt Nam at an instant as people write it: 18/03/2009.
func writtenDay(t time.Time) string { return t.In(hanoi).Format("02/01/2006") }

func incomingNote(n *bookLine, given *assignmentNote) string {
	notes := n.notes()
	notes.say(n.State == rowWaiting, "Chờ số đến")
	notes.say(n.Owner == onPaper, "Bản giấy")
	notes.say(n.Handling == Refused, "Trả lại%s", prefixed(": ", given.reason))
	notes.say(n.Handling == Forwarded, "Chuyển tiếp%s", prefixed(": ", given.reason))
	notes.say(n.Transport == Recalled, "Đã thu hồi")
	notes.say(n.Transport == Superseded, "Đã thay thế")
	notes.say(n.Note != "", "%s", n.Note)
	return strings.Join(notes, "; ")
}
