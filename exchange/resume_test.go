package exchange_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"congvan/exchange"
)

// A backup that is restored without a journal: registers wait for a clerk, and nothing in the outbox is sent blindly.
func TestRestoredWithoutAJournalWaitsForTheClerk(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		st := h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt", "Sở Tài chính=stc", "Bộ Thử=bo"))
		syt := exchange.Actor{Unit: "syt", Name: "văn thư"}
		if _, err := h.Accept(ctx, syt, copyTo(t, st, "syt").Dispatch.ID, ""); err != nil {
			t.Fatal(err)
		}
		_, box, _ := h.inbox(t, "syt")
		r, err := h.Resume(ctx, nil, true)
		if err != nil || !r.Behind || r.Blocked == 0 || r.Doubtful != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		h.handle(t)
		if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Transport != exchange.Uncertain {
			t.Errorf("what may have left is %s", d.Transport)
		}
		if _, after, _ := h.inbox(t, "syt"); after.UIDValidity <= box.UIDValidity {
			t.Errorf("UIDVALIDITY was %d and is %d", box.UIDValidity, after.UIDValidity)
		}
		two := h.issue(t, proposal("02/SNV-VP", "Sở Y tế=syt"))
		id := copyTo(t, two, "syt").Dispatch.ID
		if _, err := h.Accept(ctx, syt, id, ""); !exchange.IsCode(err, exchange.CodeSeriesBlocked) {
			t.Fatalf("a number of a register whose last one nobody knows: %v", err)
		}
		year := h.year()
		if err := h.TellLast(ctx, syt, "syt", year, exchange.IncomingBook, "", 5); err != nil {
			t.Fatal(err)
		}
		if err := h.TellLast(ctx, syt, "syt", year, exchange.IncomingBook, "", 9); !exchange.IsCode(err, exchange.CodeWrongState) {
			t.Errorf("told twice: %v", err)
		}
		got, err := h.Accept(ctx, syt, id, "")
		if err != nil || got.Dispatch.ArrivalNumber != "6" {
			t.Errorf("after the clerk told 5: %+v, %v", got, err)
		}
	})
}

// A copy that was added after the issue (gửi bổ sung) is no sign of an old backup, also where the process died before it was noted; after
// one was restored it is sent again with the ids that it had.
func TestAddedCopyIsKnownToTheJournal(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		path := filepath.Join(t.TempDir(), "journal")
		j, err := exchange.OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		h.Store.Journal = j
		st := h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt"))
		entries := func() []exchange.JournalEntry {
			all, damaged, err := exchange.ReadJournal(path)
			if err != nil || damaged > 0 {
				t.Fatal(damaged, err)
			}
			return all
		}
		resume := func(want bool) {
			t.Helper()
			if r, err := h.Resume(ctx, entries(), false); err != nil || r.Behind != want {
				t.Fatalf("an old backup: %+v, %v; want %t", r, err, want)
			}
		}
		if _, err := h.Supplement(ctx, clerk, st.Document.ID, exchange.Forgotten{Unit: "stc"}, "sót"); err != nil {
			t.Fatal(err)
		}
		resume(false)
		h.Store.Journal = nil
		if _, err := h.Supplement(ctx, clerk, st.Document.ID, exchange.Forgotten{Unit: "ubnd"}, "sót"); err != nil {
			t.Fatal(err)
		}
		h.Store.Journal = j
		noted := len(entries())
		resume(false)
		if now := entries(); len(now) != noted+1 || now[noted].To != "ubnd" {
			t.Errorf("noted at the next start: %+v", now[noted:])
		}
		lost := exchange.DispatchID(int64(st.Document.ID)<<20 + 9)
		if err := j.Note(exchange.JournalEntry{Kind: "copied", Document: st.Document.ID, Agency: "snv", Dispatch: lost, To: "vphd", Secret: "0123456789abcdef", Sequence: 1,
			By: "văn thư", Why: "sót nơi nhận"}); err != nil {
			t.Fatal(err)
		}
		resume(true)
		d := copyTo(t, h.status(t, st.Document.ID), "vphd")
		if _, _, rows := h.inbox(t, "vphd"); d.Dispatch.ID != lost || d.Dispatch.Secret != "0123456789abcdef" || d.Dispatch.Sequence != 1 || len(rows) != 1 {
			t.Errorf("sent again: %+v, %d mails", d.Dispatch, len(rows))
		}
		resume(false)
	})
}

// A line that a crash tore is passed over, and what is written after it is read.
func TestJournalGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	for round := range 3 {
		j, err := exchange.OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Note(exchange.JournalEntry{Kind: "number", Number: int64(round)}, exchange.JournalEntry{Kind: "number", Number: int64(round + 10)}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(`0badc0de {"k":"numb`)
		f.Close()
	}
	entries, damaged, err := exchange.ReadJournal(path)
	if err != nil || len(entries) != 6 || damaged != 2 || entries[5].Number != 12 {
		t.Errorf("%d entries, %d damaged, %v", len(entries), damaged, err)
	}
}
