package exchange_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
)

// sealed takes a proposal as far as its seal.
func (h *house) sealed(t testing.TB, p *exchange.Proposal) *exchange.Document {
	t.Helper()
	ctx := context.Background()
	doc, err := h.Register(ctx, clerk, p, pdfOf(p.Reference))
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = h.Seal(ctx, clerk, doc.ID); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentWaitsAndCanBeTakenBack(t *testing.T) {
	ctx := context.Background()
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		forward := func(d time.Duration) { h.ahead.Add(int64(d)) }
		doc := h.sealed(t, proposal("200/SNV-VP", "Sở Y tế=syt"))
		doc, err := h.Schedule(ctx, clerk, doc.ID)
		if err != nil || doc.State != exchange.Sealed || doc.DueAt == 0 {
			t.Fatalf("%+v %v", doc, err)
		}
		due := doc.DueAt
		if again, err := h.Schedule(ctx, clerk, doc.ID); err != nil || again.DueAt != due {
			t.Errorf("scheduled again: %+v %v", again, err)
		}
		forward(exchange.UndoTime - time.Second)
		if n, err := h.IssueDue(ctx); err != nil || n != 0 {
			t.Errorf("%d went out before their time: %v", n, err)
		}
		if _, err := h.Undo(ctx, exchange.Actor{Unit: "stc"}, doc.ID); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another agency: %v", err)
		}
		if doc, err = h.Undo(ctx, clerk, doc.ID); err != nil || doc.State != exchange.Sealed || doc.DueAt != 0 {
			t.Fatalf("%+v %v", doc, err)
		}
		if _, err := h.Undo(ctx, clerk, doc.ID); !exchange.IsCode(err, exchange.CodeNotDue) {
			t.Errorf("undone twice: %v", err)
		}
		forward(time.Hour)
		if n, err := h.IssueDue(ctx); err != nil || n != 0 {
			t.Errorf("%d went out after they were taken back: %v", n, err)
		}
		h.mustBeSound(t)
		if _, err := h.Schedule(ctx, clerk, doc.ID); err != nil {
			t.Fatal(err)
		}
		forward(exchange.UndoTime)
		var wg sync.WaitGroup
		var mu sync.Mutex
		out := 0
		for range 4 { // several nodes
			wg.Go(func() {
				n, err := h.IssueDue(ctx)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				out += n
			})
		}
		wg.Wait()
		if _, err := h.Undo(ctx, clerk, doc.ID); !exchange.IsCode(err, exchange.CodeNotDue) {
			t.Errorf("taken back after it went out: %v", err)
		}
		if _, _, rows := h.inbox(t, "syt"); len(rows) != 1 || out == 0 {
			t.Errorf("%d mails, %d went out", len(rows), out)
		}
		st := h.status(t, doc.ID)
		if st.State != exchange.Issued || st.DueAt != nil || st.Dispatches[0].Events[0].Actor != "văn thư" {
			t.Errorf("%+v", st)
		}
		h.mustBeSound(t)
		urgent := proposal("201/SNV-VP", "Sở Y tế=syt")
		urgent.Urgency = "Hỏa tốc"
		if doc, err := h.Schedule(ctx, clerk, h.sealed(t, urgent).ID); err != nil || doc.State != exchange.Issued {
			t.Errorf("hỏa tốc waits: %+v %v", doc, err)
		}
		h.mustBeSound(t)
	})
}

// Taking back and going out at the same moment: one of them, never half of each.
func TestUndoAgainstIssuing(t *testing.T) {
	ctx := context.Background()
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		forward := func(d time.Duration) { h.ahead.Add(int64(d)) }
		var docs []exchange.DocumentID
		for i := range 16 {
			doc := h.sealed(t, proposal(fmt.Sprintf("%d/SNV-VP", 210+i), "Sở Y tế=syt"))
			if _, err := h.Schedule(ctx, clerk, doc.ID); err != nil {
				t.Fatal(err)
			}
			docs = append(docs, doc.ID)
		}
		forward(exchange.UndoTime)
		undone := make([]error, len(docs))
		var wg sync.WaitGroup
		wg.Go(func() { h.IssueDue(ctx) })
		wg.Go(func() {
			for i := len(docs) - 1; i >= 0; i-- {
				_, undone[i] = h.Undo(ctx, clerk, docs[i])
			}
		})
		wg.Wait()
		issued := 0
		for i, id := range docs {
			st := h.status(t, id)
			if (st.State == exchange.Issued) == (undone[i] == nil) || (len(st.Dispatches) == 1) != (st.State == exchange.Issued) {
				t.Errorf("%s: %s with %d copies, undo said %v", st.Reference, st.State, len(st.Dispatches), undone[i])
			}
			issued += len(st.Dispatches)
		}
		if _, _, rows := h.inbox(t, "syt"); len(rows) != issued {
			t.Errorf("%d mails of %d copies", len(rows), issued)
		}
		h.mustBeSound(t)
	})
}
