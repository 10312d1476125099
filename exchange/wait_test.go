package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"
)

// errDown is what a time stamp authority that does not answer comes to.
var errDown = fmt.Errorf("time stamp from %q: %w", "http://tsa.test", signing.ErrUnavailable)

func TestDocumentWaitsForItsSealAndGoesOnByItself(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var problem atomic.Pointer[error]
		problem.Store(&errDown)
		h.Sealer = func(context.Context, recipients.UnitCode) (*signing.Sealer, error) {
			if err := problem.Load(); err != nil {
				return nil, *err
			}
			s, err := testKey()
			if err != nil {
				return nil, err
			}
			return s.With(signing.Use{Decision: signing.Decision{Number: "12/QĐ-SNV", Date: "2026-01-05"}})
		}
		doc, err := h.Register(ctx, clerk, proposal("05/SNV-VP", "Sở Tài chính=stc"), pdfOf("05"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Seal(ctx, clerk, doc.ID)
		if exchange.WaitsFor(err) != exchange.WaitService {
			t.Fatalf("waits for %q: %v", exchange.WaitsFor(err), err)
		}
		if err := errors.Join(h.Await(ctx, clerk, doc.ID, err), h.Await(ctx, clerk, doc.ID, err)); err != nil {
			t.Fatal(err)
		}
		st := h.status(t, doc.ID)
		if st.State != exchange.Registered || st.Waiting == nil || st.Waiting.Code != exchange.WaitService || st.Seal != nil || len(st.Dispatches) != 0 {
			t.Fatalf("%+v", st)
		}
		token := fmt.Errorf("%w: %w", signing.ErrUnavailable, signing.ErrToken)
		if err := h.Await(ctx, clerk, doc.ID, token); err != nil {
			t.Fatal(err)
		}
		if w := h.status(t, doc.ID).Waiting; w.Code != exchange.WaitToken || !w.Since.Equal(st.Waiting.Since) {
			t.Errorf("for another reason: %+v", w)
		}
		h.mustBeSound(t)
		if list, err := h.ListWaiting(ctx); err != nil || len(list) != 1 || list[0].Document != doc.ID || list[0].By != clerk {
			t.Fatalf("%+v, %v", list, err)
		}

		wake, done := make(chan struct{}), make(chan error, 1)
		go func() { done <- h.RunWaiting(ctx, time.Hour, wake) }()
		wake <- struct{}{}
		wake <- struct{}{} // by now the first look is over
		revoked := fmt.Errorf("certificate: %w", signing.ErrRevoked)
		problem.Store(&revoked) // somebody has to mend this; it does not go away by itself, and is said
		for st = h.status(t, doc.ID); st.Waiting.Code != exchange.WaitFault; st = h.status(t, doc.ID) {
			select {
			case wake <- struct{}{}:
			case <-time.After(time.Minute):
				t.Fatalf("waits for %+v", st.Waiting)
			}
		}
		problem.Store(nil)
		for st = h.status(t, doc.ID); st.State != exchange.Issued; st = h.status(t, doc.ID) {
			select {
			case wake <- struct{}{}:
			case <-time.After(time.Minute):
				t.Fatalf("still %s", st.State)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if st.Waiting != nil || st.Seal == nil || st.Seal.Level != signing.LevelB || st.Seal.Decision != "12/QĐ-SNV" || st.Seal.DecidedOn != "2026-01-05" || len(st.Dispatches) != 1 {
			t.Errorf("%+v, %+v", st, st.Seal)
		}
		if err := h.Await(t.Context(), clerk, doc.ID, errDown); err != nil {
			t.Fatal(err)
		}
		if list, err := h.ListWaiting(t.Context()); err != nil || len(list) != 0 || h.status(t, doc.ID).Waiting != nil {
			t.Errorf("issued and waiting: %+v, %v", list, err)
		}
	})
}

func TestWhatStaysWrongIsNotWaitedFor(t *testing.T) {
	for _, err := range []error{nil, signing.ErrCertificate, signing.ErrRevoked, signing.ErrPassword, signing.ErrKey, signing.ErrPermissions, signing.ErrLevel,
		&exchange.Error{Class: exchange.Forbidden, Code: exchange.CodeNoDecision}} {
		if code := exchange.WaitsFor(err); code != "" {
			t.Errorf("%v waits for %q", err, code)
		}
	}
	if code := exchange.WaitsFor(fmt.Errorf("seal: %w", signing.ErrPIN)); code != exchange.WaitPIN {
		t.Errorf("a wrong PIN waits for %q", code)
	}
}

func TestLowerLevelIsSaidInEventAndStatus(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.Sealer = func(context.Context, recipients.UnitCode) (*signing.Sealer, error) {
			s, err := testKey()
			if err != nil {
				return nil, err
			}
			down := &signing.Timestamper{URL: "http://127.0.0.1:1/", Others: []string{"http://127.0.0.1:1/second"}}
			return s.With(signing.Use{Level: signing.LevelT, Lower: true, Timestamper: down})
		}
		st := h.issue(t, proposal("06/SNV-VP", "Sở Tài chính=stc"))
		if st.Seal == nil || st.Seal.Level != signing.LevelB || st.Seal.Wanted != signing.LevelT || !strings.Contains(st.Seal.Holder, "Sở Nội vụ") {
			t.Errorf("%+v", st.Seal)
		}
	})
}
