package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// Many clients over one mailbox do at random, at once, what mail clients do, each by a view of its own that grows old. No open
// copy may be lost, none may bear an act twice, nothing may go back, and the checks stay clean. CONGVAN_WALK sets how many
// rounds; the seed of a failure repeats what each client did, if not how they met.
func TestManyClientsOverOneMailboxLoseNothing(t *testing.T) {
	rounds := 40
	if n, err := strconv.Atoi(os.Getenv("CONGVAN_WALK")); err == nil {
		rounds = n
	}
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		w := newMoveWalk(t, h, 20091118)
		for round := range rounds {
			w.round()
			w.mustHold(fmt.Sprintf("round %d", round))
			if round%20 == 19 {
				h.mustBeSound(t)
			}
			if t.Failed() {
				t.Fatalf("round %d: %v", round, w.did)
			}
		}
		h.mustBeSound(t)
		t.Logf("%s: %d rounds of %d clients, %d steps of theirs, nothing lost and nothing done twice", h.db.Dialect(), rounds, len(w.clients), w.steps)
		t.Logf("%d rounds, states %v, effects %v", rounds, w.states(), w.effects())
	})
}

// A mailClient is one program of a person: it remembers mails by where it saw them last.
type mailClient struct {
	by     mailcore.Account
	random *rand.Rand
	seen   map[string][]mailcore.UID // by mailbox
	half   []func() error            // second halves of moves, done later or never
}

type moveWalk struct {
	*clockHouse
	t       *testing.T
	random  *rand.Rand
	unit    mailcore.Account
	clients []*mailClient
	docs    []exchange.DocumentID
	shown   [][]byte
	did     []string
	steps   int
	mu      sync.Mutex // did, steps
	far     map[exchange.DispatchID]int
}

func newMoveWalk(t *testing.T, h *clockHouse, seed int64) *moveWalk {
	w := &moveWalk{clockHouse: h, t: t, random: rand.New(rand.NewSource(seed)), far: map[exchange.DispatchID]int{}}
	ctx := context.Background()
	for i := range 6 {
		st := h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", i+1), "TT, VP HĐND=tthd vphd"))
		w.docs = append(w.docs, st.Document.ID)
	}
	var box mailcore.Mailbox
	var rows []mailcore.Row
	w.unit, box, rows = h.inbox(t, "vphd")
	for _, r := range rows {
		w.shown = append(w.shown, h.bytesOf(box.ID, r.UID))
	}
	accounts := []mailcore.Account{w.unit}
	for _, name := range []string{"an", "binh"} {
		made, err := h.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: mailcore.Address(name + ".vphd@tinh.test"), Kind: mailcore.Officer, Name: name, Unit: "vphd"}})
		if err != nil {
			t.Fatal(err)
		}
		made[0].Under = name + "/GUQ"
		accounts = append(accounts, made[0], made[0]) // a desk and a phone
	}
	for i, a := range accounts {
		w.clients = append(w.clients, &mailClient{by: a, random: rand.New(rand.NewSource(seed + int64(i))), seen: map[string][]mailcore.UID{}})
	}
	return w
}

// round lets every client do something at once, and then the exchange, which sometimes dies, or repeats what was done.
func (w *moveWalk) round() {
	w.did = w.did[:0]
	var wg sync.WaitGroup
	for i, c := range w.clients {
		if c.random.Intn(3) == 0 {
			continue
		}
		wg.Go(func() {
			for range 1 + c.random.Intn(3) {
				what, err := w.act(c)
				w.mu.Lock()
				w.did = append(w.did, fmt.Sprint(i, " ", what))
				w.steps++
				w.mu.Unlock()
				if err != nil && !expected(err) {
					w.t.Errorf("client %d: %s: %v", i, what, err)
				}
			}
		})
	}
	wg.Wait()
	switch w.random.Intn(6) {
	case 0:
		return // it will hear later
	case 1:
		w.tomorrow()
	}
	w.handleInspiteOfADeath(w.t)
	if w.random.Intn(4) == 0 {
		w.repeat()
	}
}

func expected(err error) bool {
	return errors.Is(err, mailcore.ErrNoMailbox) || errors.Is(err, mailcore.ErrMailboxExists) || errors.Is(err, mailcore.ErrMailboxIsFixed) || errors.Is(err, mailcore.ErrMailboxName)
}

var walkFolders = []string{"INBOX", "INBOX", "Đã tiếp nhận", "Đang xử lý", "Hoàn thành", "Từ chối", "Thùng rác", "Thư rác", "Lưu trữ", "Hồ sơ", "Đã tiếp nhận/2026"}

// act does one thing that a mail client does.
func (w *moveWalk) act(c *mailClient) (string, error) {
	ctx := context.Background()
	from, to := walkFolders[c.random.Intn(len(walkFolders))], walkFolders[c.random.Intn(len(walkFolders))]
	if c.random.Intn(3) > 0 && (to == "Hoàn thành" || to == "Đang xử lý") {
		to = "INBOX" // or all were done too soon
	}
	at, err := w.mail.Mailbox(ctx, w.unit.ID, from)
	if err != nil {
		return "select " + from, err
	}
	if c.seen[from] == nil || c.random.Intn(2) == 0 {
		w.look(c, at)
	}
	uids := w.some(c, from)
	target, err := w.mail.Mailbox(ctx, w.unit.ID, to)
	verb := c.random.Intn(14)
	if errors.Is(err, mailcore.ErrNoMailbox) {
		use := map[string]string{"Lưu trữ": `\Archive`, "Thùng rác": `\Trash`, "Thư rác": `\Junk`}[to]
		_, err = w.mail.CreateMailbox(ctx, w.unit.ID, to, use)
		return "create " + to, err
	}
	switch verb {
	case 0, 1, 2:
		_, err = w.mail.MoveMessages(ctx, c.by, at.ID, uids, target.ID)
		return fmt.Sprint("move ", from, uids, to), err
	case 3, 4:
		_, err = w.mail.CopyMessages(ctx, c.by, at.ID, uids, target.ID)
		c.half = append(c.half, func() error { return w.remove(c, at.ID, uids) })
		return fmt.Sprint("copy ", from, uids, to), err
	case 5, 6:
		if n := len(c.half); n > 0 {
			half := c.half[n-1]
			c.half = c.half[:n-1]
			return "the second half of a move", half()
		}
		return "nothing", nil
	case 7:
		return fmt.Sprint("delete ", from, uids), w.remove(c, at.ID, uids)
	case 8:
		return "append to " + to, w.bring(c, target.ID)
	case 9:
		return "delete folder " + from, w.mail.DeleteMailbox(ctx, c.by, w.unit.ID, from)
	case 10:
		return "rename " + from + " to " + to, w.mail.RenameMailbox(ctx, w.unit.ID, from, to)
	case 11:
		_, err = w.mail.ChangeFlags(ctx, c.by, at.ID, uids, mailcore.FlagsRemove, []string{mailcore.FlagDeleted})
		return "undelete in " + from, err
	default:
		return w.elsewhere(c, at, target, uids)
	}
}

func (w *moveWalk) look(c *mailClient, box mailcore.Mailbox) {
	rows, _, err := w.mail.Rows(context.Background(), box.ID)
	if err != nil && !expected(err) {
		w.t.Error(err)
	}
	c.seen[box.Name] = []mailcore.UID{}
	for _, r := range rows {
		c.seen[box.Name] = append(c.seen[box.Name], r.UID)
	}
}

// some picks a few mails of those that the client remembers.
func (w *moveWalk) some(c *mailClient, folder string) []mailcore.UID {
	out := []mailcore.UID{}
	for _, uid := range c.seen[folder] {
		if c.random.Intn(3) == 0 {
			out = append(out, uid)
		}
	}
	return out
}

func (w *moveWalk) remove(c *mailClient, box mailcore.MailboxID, uids []mailcore.UID) error {
	ctx := context.Background()
	if _, err := w.mail.ChangeFlags(ctx, c.by, box, uids, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
		return err
	}
	if c.random.Intn(4) == 0 {
		uids = nil // EXPUNGE takes what others struck out, too
	}
	_, err := w.mail.Expunge(ctx, c.by, box, uids)
	return err
}

// bring is APPEND of what the client kept on its disk, as it was or with changes.
func (w *moveWalk) bring(c *mailClient, to mailcore.MailboxID) error {
	data := w.shown[c.random.Intn(len(w.shown))]
	switch c.random.Intn(4) {
	case 0:
		data = append([]byte("X-Mozilla-Status: 0001\r\n"), data...)
	case 1:
		data = bytes.Replace(data, []byte("Subject: "), []byte("Subject: khac "), 1)
	}
	body, err := w.mail.SaveBody(context.Background(), bytes.NewReader(data), 0)
	if err != nil {
		return err
	}
	_, err = w.mail.Append(context.Background(), c.by, to, body, nil, time.Time{})
	return err
}

// elsewhere drags mails into the officer's own mailbox, or everything there back.
func (w *moveWalk) elsewhere(c *mailClient, at, target mailcore.Mailbox, uids []mailcore.UID) (string, error) {
	ctx := context.Background()
	if c.by.Kind == mailcore.Unit {
		return "nothing", nil
	}
	own, err := w.mail.Mailbox(ctx, c.by.ID, "INBOX")
	if err != nil {
		return "own inbox", err
	}
	if c.random.Intn(2) == 0 {
		_, err = w.mail.MoveMessages(ctx, c.by, at.ID, uids, own.ID)
		return fmt.Sprint("take home ", at.Name, uids), err
	}
	rows, _, err := w.mail.Rows(ctx, own.ID)
	if err != nil {
		return "own inbox", err
	}
	back := []mailcore.UID{}
	for _, r := range rows {
		back = append(back, r.UID)
	}
	_, err = w.mail.MoveMessages(ctx, c.by, own.ID, back, target.ID)
	return fmt.Sprint("bring back to ", target.Name), err
}

// repeat handles again what was handled: no state and no number may change.
func (w *moveWalk) repeat() {
	before := w.states()
	err := w.db.Write(context.Background(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(context.Background(), `UPDATE mail_event SET handled_at = NULL WHERE kind IN ('moved', 'deleted')
			AND id > (SELECT MAX(id) - 5 FROM mail_event)`)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.handle(w.t)
	if after := w.states(); !slices.Equal(before, after) {
		w.t.Errorf("handled twice: %v became %v", before, after)
	}
}

func (w *moveWalk) states() (all []string) {
	for _, id := range w.docs {
		for _, d := range w.status(w.t, id).Dispatches {
			all = append(all, fmt.Sprintf("%s %s", d.Handling, d.ArrivalNumber))
		}
	}
	return all
}

func (w *moveWalk) effects() map[string]int {
	n := map[string]int{}
	for _, id := range w.docs {
		for _, d := range w.status(w.t, id).Dispatches {
			for _, e := range d.Events {
				n[e.Event]++
			}
		}
	}
	return n
}

// mustHold is what every client may rely on. What the exchange has not heard yet it cannot have mended.
func (w *moveWalk) mustHold(when string) {
	ctx := context.Background()
	counts, err := w.mail.RefCounts(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	waiting, err := w.mail.PendingEvents(ctx, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range w.docs {
		for _, d := range w.status(w.t, id).Dispatches {
			ref := ""
			for r := range counts {
				if bytes.Contains([]byte(r), []byte(fmt.Sprint(int64(d.Dispatch.ID)))) {
					ref = r
				}
			}
			if ref == "" && !d.Dispatch.Closed() && len(waiting) == 0 {
				w.t.Errorf("%s: an open copy is lost: %d, %s", when, d.Dispatch.ID, d.Handling)
			}
			far := slices.Index([]exchange.Handling{exchange.Received, exchange.Accepted, exchange.InProgress, exchange.Completed}, d.Handling)
			if far < w.far[d.Dispatch.ID] {
				w.t.Errorf("%s: %d went back to %s", when, d.Dispatch.ID, d.Handling)
			}
			w.far[d.Dispatch.ID] = far
			for _, act := range []string{"accepted", "in_progress", "completed"} {
				n := 0
				for _, e := range d.Events {
					if e.Event == act {
						n++
					}
				}
				if n > 1 {
					w.t.Errorf("%s: %d was %s %d times", when, d.Dispatch.ID, act, n)
				}
			}
		}
	}
}

// What is deleted at one stroke comes back at one stroke, and one letter tells of all; what nobody needs any more stays away.
func TestManyDeletedAtOneStrokeAreToldInOneLetter(t *testing.T) {
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		ctx := context.Background()
		var docs []*exchange.Status
		for i := range 4 {
			docs = append(docs, h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", i+1), "Sở Y tế=syt")))
		}
		by := exchange.Actor{Unit: "syt", Address: "syt@tinh.test"}
		if _, err := h.Advance(ctx, by, copyTo(t, docs[0], "syt").Dispatch.ID, exchange.Completed); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Accept(ctx, by, copyTo(t, docs[1], "syt").Dispatch.ID, ""); err != nil {
			t.Fatal(err)
		}
		removeAll := func() {
			a, box, rows := h.inbox(t, "syt")
			var uids []mailcore.UID
			for _, r := range rows {
				uids = append(uids, r.UID)
			}
			if _, err := h.mail.ChangeFlags(ctx, a, box.ID, uids, mailcore.FlagsAdd, []string{mailcore.FlagDeleted}); err != nil {
				t.Fatal(err)
			}
			if _, err := h.mail.Expunge(ctx, a, box.ID, nil); err != nil {
				t.Fatal(err)
			}
			h.handleInspiteOfADeath(t)
		}
		removeAll()
		want := []string{"3/SNV-VP: về việc thử nghiệm", "4/SNV-VP: về việc thử nghiệm", "3 văn bản bị xóa đã được đưa trở lại hộp thư"}
		if got := h.subjects(t, "syt"); !slices.Equal(got, want) {
			t.Errorf("inbox %q", got)
		}
		a, _, _ := h.inbox(t, "syt")
		box, err := h.mail.Mailbox(ctx, a.ID, mailcore.FolderAccepted)
		if err != nil {
			t.Fatal(err)
		}
		if rows, _, err := h.mail.Rows(ctx, box.ID); err != nil || len(rows) != 1 {
			t.Errorf("accepted: %v %v", rows, err)
		}
		removeAll() // the same day: no second letter
		if got := h.subjects(t, "syt"); !slices.Equal(got, want[:2]) {
			t.Errorf("inbox %q", got)
		}
		h.mustBeSound(t)
	})
}
