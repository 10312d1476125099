package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// Names of mailboxes for the folders of the table.
var cellFolders = map[string]string{`\Archive`: "Lưu trữ", `\Trash`: "Thùng rác", mailcore.JunkUse: "Thư rác", "other folder": "Hồ sơ"}

func folderName(f string) string {
	if name := cellFolders[f]; name != "" {
		return name
	}
	return f
}

// Every cell of the table is done by mail alone, all states at once, and what came of it is what the table says: in the journal,
// in the mailbox, in letters. Each batch is handled in a process that dies before its first letter. All of them on both databases
// take minutes: CONGVAN_MOVES=all.
func TestEveryCellOfTheTableOfMailMoves(t *testing.T) {
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		w := newCellWalk(t, h)
		batches, order := map[string][]exchange.MoveCell{}, []string{}
		for _, c := range exchange.MoveCells() {
			if c.Spare && c.To != "gone" && (c.To != "elsewhere" || c.Way != "MOVE") {
				continue // another copy elsewhere changes nothing
			}
			key := fmt.Sprintf("%s from %s to %s, spare %t", c.Way, c.From, c.To, c.Spare)
			if batches[key] == nil {
				order = append(order, key)
			}
			batches[key] = append(batches[key], c)
		}
		stride := 1
		if h.db.Dialect() == sqldb.Postgres && os.Getenv("CONGVAN_MOVES") == "" {
			stride = 9 // SQLite has them all
		}
		n := 0
		for i := 0; i < len(order) && !t.Failed(); i += stride {
			w.batch(order[i], batches[order[i]], w.units[n%len(w.units)])
			n += len(batches[order[i]])
		}
		t.Logf("%s: %d cells in %d batches, %d documents: each ended as the table says", h.db.Dialect(), n, (len(order)+stride-1)/stride, w.issued)
		if found, err := h.mail.Check(context.Background()); err != nil || len(found) > 0 {
			t.Errorf("mail: %v %v", found, err)
		}
	})
}

// A laid copy is one that can be laid into any folder.
type laid struct {
	id     exchange.DispatchID
	doc    exchange.DocumentID
	body   *mailcore.Body
	prefix []byte
	ref    string
	shown  []byte
}

type cellWalk struct {
	*clockHouse
	t       *testing.T
	units   []string
	issued  int
	fresh   map[string][]*laid                     // received copies, by unit
	used    map[string]map[exchange.Handling]*laid // by unit and state
	officer mailcore.Account
}

func newCellWalk(t *testing.T, h *clockHouse) *cellWalk {
	w := &cellWalk{clockHouse: h, t: t, units: []string{"stc", "syt", "ubnd", "vphd"}, fresh: map[string][]*laid{}, used: map[string]map[exchange.Handling]*laid{}}
	made, err := h.mail.CreateAccounts(context.Background(), []mailcore.NewAccount{{Address: "an.syt@tinh.test", Kind: mailcore.Officer, Name: "An"}})
	if err != nil {
		t.Fatal(err)
	}
	w.officer = made[0]
	for _, unit := range w.units {
		w.used[unit] = map[exchange.Handling]*laid{}
	}
	return w
}

// issueMore issues a document to every unit.
func (w *cellWalk) issueMore() {
	w.issued++
	st := w.issue(w.t, proposal(fmt.Sprintf("%d/SNV-VP", w.issued), "Tất cả=stc syt ubnd vphd"))
	for _, unit := range w.units {
		_, box, rows := w.inbox(w.t, unit)
		for _, r := range rows {
			stored, err := w.mail.Load(context.Background(), box.ID, []mailcore.UID{r.UID})
			if err != nil {
				w.t.Fatal(err)
			}
			if strings.HasPrefix(stored[0].Summary.Envelope.Subject, st.Reference+":") && r.Ref != "" {
				body, err := w.mail.StoredBody(context.Background(), r.Message)
				if err != nil {
					w.t.Fatal(err)
				}
				w.fresh[unit] = append(w.fresh[unit], &laid{copyTo(w.t, st, unit).Dispatch.ID, st.Document.ID, body, stored[0].Prefix, r.Ref, w.bytesOf(box.ID, r.UID)})
			}
		}
	}
}

// inState returns a copy of the unit in a state.
func (w *cellWalk) inState(unit string, state exchange.Handling) *laid {
	if l := w.used[unit][state]; l != nil {
		return l
	}
	if len(w.fresh[unit]) == 0 {
		w.issueMore()
	}
	l := w.fresh[unit][0]
	w.fresh[unit] = w.fresh[unit][1:]
	if err := w.PutInto(context.Background(), l.id, state); err != nil {
		w.t.Fatal(err)
	}
	w.used[unit][state] = l
	return l
}

// batch does one thing to copies in all states.
func (w *cellWalk) batch(name string, cells []exchange.MoveCell, unit string) {
	w.t.Helper()
	ctx := context.Background()
	w.tomorrow()
	var copies []*laid
	for _, c := range cells {
		copies = append(copies, w.inState(unit, c.State))
	}
	account, _, _ := w.inbox(w.t, unit)
	w.clear(account)
	first := cells[0]
	from := w.folder(account, first.From)
	at := from.ID
	if first.From == "elsewhere" {
		at = w.folder(account, "other folder").ID
	}
	spare := w.spare(account).ID
	var uids []mailcore.UID
	err := w.db.Write(ctx, func(tx *sqldb.Tx) error {
		uids = nil
		for _, l := range copies {
			to := []mailcore.Copy{{Mailbox: at, Prefix: l.prefix, Ref: l.ref}}
			if first.Spare {
				to = append(to, mailcore.Copy{Mailbox: spare, Prefix: l.prefix, Ref: l.ref})
			}
			placed, err := w.mail.DeliverTx(ctx, tx, l.body, to)
			if err != nil {
				return err
			}
			uids = append(uids, placed[0].UID)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	before := w.journals(copies)
	w.do(account, first, at, uids, copies)
	w.handleInspiteOfADeath(w.t)
	after, letters := w.journals(copies), 0
	for i, c := range cells {
		letters += w.verify(fmt.Sprintf("%s, %s", name, c.State), c, account, copies[i], before[i], after[i])
		if after[i].state != before[i].state {
			delete(w.used[unit], c.State) // it was an act; another copy stands for the state from now on
		}
	}
	if slices.ContainsFunc(cells, func(c exchange.MoveCell) bool { return c.Does == "comes back" }) {
		letters++
	}
	if got := w.lettersIn(account, first, len(cells)); got != letters {
		w.t.Errorf("%s: %d letters, want %d", name, got, letters)
	}
}

// clear empties the mailboxes of an account, unheard by anybody.
func (w *cellWalk) clear(account mailcore.Account) {
	err := w.db.Write(context.Background(), func(tx *sqldb.Tx) error {
		for _, q := range []string{`DELETE FROM mailbox_message WHERE mailbox_id IN (SELECT id FROM mailbox WHERE account_id = $1)`,
			`UPDATE mailbox SET bytes = 0 WHERE account_id = $1`} {
			if _, err := tx.ExecContext(context.Background(), q, account.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// folder finds a folder of the table, or makes it; of elsewhere there is none.
func (w *cellWalk) folder(account mailcore.Account, f string) mailcore.Mailbox {
	ctx := context.Background()
	box, err := w.mail.Mailbox(ctx, account.ID, folderName(f))
	if errors.Is(err, mailcore.ErrNoMailbox) && f != "elsewhere" && f != "gone" {
		use := ""
		if strings.HasPrefix(f, `\`) {
			use = f
		}
		box, err = w.mail.CreateMailbox(ctx, account.ID, folderName(f), use)
	}
	if err != nil && !errors.Is(err, mailcore.ErrNoMailbox) {
		w.t.Fatal(err)
	}
	return box
}

func (w *cellWalk) spare(account mailcore.Account) mailcore.Mailbox {
	box, err := w.mail.Mailbox(context.Background(), account.ID, "Bản khác")
	if errors.Is(err, mailcore.ErrNoMailbox) {
		box, err = w.mail.CreateMailbox(context.Background(), account.ID, "Bản khác", "")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return box
}

// do is what the client does.
func (w *cellWalk) do(account mailcore.Account, c exchange.MoveCell, from mailcore.MailboxID, uids []mailcore.UID, copies []*laid) {
	ctx := context.Background()
	to := w.folder(account, c.To)
	if c.To == "elsewhere" {
		var err error
		if to, err = w.mail.Mailbox(ctx, w.officer.ID, "INBOX"); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	switch c.Way {
	case "MOVE":
		_, err = w.mail.MoveMessages(ctx, account, from, uids, to.ID)
	case "COPY":
		_, err = w.mail.CopyMessages(ctx, account, from, uids, to.ID)
	case "APPEND", "APPEND other bytes":
		for _, l := range copies {
			data := append([]byte("X-Mozilla-Status: 0001\r\n"), l.shown...)
			if c.Way != "APPEND" {
				data = append(bytes.Clone(l.shown), "\r\nthêm\r\n"...)
			}
			body, e := w.mail.SaveBody(ctx, bytes.NewReader(data), 0)
			if e == nil {
				_, e = w.mail.Append(ctx, account, to.ID, body, nil, time.Time{})
			}
			err = errors.Join(err, e)
		}
	case "EXPUNGE":
		if _, err = w.mail.ChangeFlags(ctx, account, from, uids, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err == nil {
			_, err = w.mail.Expunge(ctx, account, from, uids)
		}
	case `\Deleted`:
		for _, op := range []mailcore.FlagOp{mailcore.FlagsAdd, mailcore.FlagsRemove} {
			if _, e := w.mail.ChangeFlags(ctx, account, from, uids, op, []string{mailcore.FlagDeleted}); e != nil {
				err = e
			}
		}
	case "DELETE folder":
		err = w.mail.DeleteMailbox(ctx, account, account.ID, folderName(c.From))
	case "RENAME folder":
		if err = w.mail.RenameMailbox(ctx, account.ID, folderName(c.From), "Tên mới"); err == nil {
			err = w.mail.RenameMailbox(ctx, account.ID, "Tên mới", folderName(c.From))
		}
	}
	if denied := errors.Is(err, mailcore.ErrMailboxIsFixed); denied != (c.Does == "NO") || err != nil && !denied {
		w.t.Errorf("%+v: %v", c, err)
	}
}

// A journal is what can be seen of a copy.
type journal struct {
	state exchange.Handling
	kinds []string
}

func (w *cellWalk) journals(copies []*laid) []journal {
	out := make([]journal, len(copies))
	for i, l := range copies {
		st := w.status(w.t, l.doc)
		for j := range st.Dispatches {
			d := &st.Dispatches[j]
			if d.Dispatch.ID != l.id {
				continue
			}
			out[i].state = exchange.Standing(d.Dispatch)
			for _, e := range d.Events {
				out[i].kinds = append(out[i].kinds, e.Event)
			}
		}
	}
	return out
}

// verify compares what came of a cell with what the table says, and returns how many letters are due.
func (w *cellWalk) verify(name string, c exchange.MoveCell, account mailcore.Account, l *laid, before, after journal) int {
	steps := map[exchange.Handling][]string{exchange.Received: {"accepted", "in_progress", "completed"}, exchange.Accepted: {"in_progress", "completed"},
		exchange.Assigned: {"in_progress", "completed"}, exchange.InProgress: {"completed"}}[c.State]
	through := func(goal string) []string { return steps[:slices.Index(steps, goal)+1] }
	var want []string
	letters := 1
	switch c.Does {
	case "accepts":
		want = through("accepted")
	case "is in progress":
		want = through("in_progress")
	case "completes":
		want = through("completed")
	case "asks for a reason":
		want = []string{"asked"}
	case "notice":
		want = []string{"kept"}
	case "comes back":
		want, letters = []string{"restored"}, 0 // one letter for all
	case "noted":
		want, letters = []string{"deleted"}, 0
	default:
		letters = 0
	}
	if got := after.kinds[len(before.kinds):]; !slices.Equal(got, want) {
		w.t.Errorf("%s: events %v, want %v (%s)", name, got, want, c.Does)
	}
	state := before.state
	if len(want) > 0 && slices.Contains(steps, want[len(want)-1]) {
		state = exchange.Handling(want[len(want)-1])
	}
	if before.state != c.State || after.state != state {
		w.t.Errorf("%s: was %s, is %s, want %s", name, before.state, after.state, state)
	}
	w.verifyLies(name, c, account, l)
	return letters
}

// verifyLies compares how many copies lie where with what must be, and their bytes.
func (w *cellWalk) verifyLies(name string, c exchange.MoveCell, account mailcore.Account, l *laid) {
	ctx := context.Background()
	want := 1
	switch {
	case c.Does == "noted":
		want = 0
	case c.Way == "COPY" && c.To != "elsewhere", c.Way == "APPEND":
		want = 2
	}
	if c.Spare && c.Does == "NO" {
		want = 2
	}
	stored, err := w.mail.CopiesOf(ctx, l.ref)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range stored {
		if s.Digest != l.body.Digest || !bytes.Equal(s.Prefix, l.prefix) {
			w.t.Errorf("%s: a copy with other bytes", name)
		}
	}
	if len(stored) != want {
		w.t.Errorf("%s: %d copies lie in the mailbox, want %d", name, len(stored), want)
	}
	if c.Does != "comes back" {
		return
	}
	place := map[exchange.Handling]string{exchange.Received: "INBOX", exchange.Accepted: mailcore.FolderAccepted, exchange.Assigned: mailcore.FolderAccepted,
		exchange.InProgress: mailcore.FolderInProgress}[c.State]
	rows, _, err := w.mail.Rows(ctx, w.folder(account, place).ID)
	if err != nil || !slices.ContainsFunc(rows, func(r mailcore.Row) bool { return r.Ref == l.ref }) {
		w.t.Errorf("%s: it did not come back to %s (%v)", name, place, err)
	}
}

// lettersIn counts the letters in an account's inbox; forged mail that was brought there is none.
func (w *cellWalk) lettersIn(account mailcore.Account, c exchange.MoveCell, brought int) int {
	rows, _, err := w.mail.Rows(context.Background(), w.folder(account, "INBOX").ID)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, r := range rows {
		if r.Ref == "" {
			n++
		}
	}
	if c.Way == "APPEND other bytes" && c.To == "INBOX" {
		n -= brought
	}
	return n
}
