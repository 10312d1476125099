package exchange_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
)

const pickupBase = "https://mail.tinh.test/nhan/"

// offer makes a pick-up address and returns its token.
func (h *house) offer(t testing.TB, id exchange.DispatchID) string {
	t.Helper()
	o, err := h.OfferPickup(context.Background(), clerk, id, pickupBase, "", exchange.PickupLife)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(o.URL, pickupBase)
	if !ok || !strings.Contains(o.Slip, o.URL) {
		t.Fatalf("%q, slip %q", o.URL, o.Slip)
	}
	return token
}

func pickupWhy(err error) string {
	if e, ok := err.(*exchange.Error); ok && e.Code == exchange.CodePickup {
		return e.Detail
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return ""
}

func TestPickupSettlesWhenTheButtonIsPressed(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("400/SNV-VP", "Hội NCT=giay", "Sở Y tế=syt"))
		id := copyTo(t, st, "giay").Dispatch.ID
		old := h.offer(t, id)
		token := h.offer(t, id)
		look := func(token, browser string) string {
			_, err := h.Pickup(ctx, token, browser)
			return pickupWhy(err)
		}
		for _, tc := range []struct {
			what string
			c    [2]string
		}{{"good", [2]string{token, ""}}, {"replaced", [2]string{old, exchange.PickupUnknown}}, {"guessed", [2]string{token[:len(token)-1] + "!", exchange.PickupUnknown}},
			{"cut", [2]string{token[:strings.Index(token, ".")], exchange.PickupUnknown}}, {"empty", [2]string{"", exchange.PickupUnknown}}, {"no number", [2]string{"?!.abc", exchange.PickupUnknown}}} {
			if why := look(tc.c[0], ""); why != tc.c[1] {
				t.Errorf("%s: %q, want %q", tc.what, why, tc.c[1])
			}
		}
		if d := copyTo(t, h.status(t, st.Document.ID), "giay"); d.Transport != exchange.Exception || d.Happened(exchange.EventFetched) {
			t.Errorf("looking settled the copy: %s", d.Transport)
		}
		v, err := h.Pickup(ctx, token, "")
		if err != nil || v.Agency != "Sở Nội vụ tỉnh Thử" || len(v.Files) != 1 || v.Fetched {
			t.Fatalf("%+v %v", v, err)
		}
		if _, err := h.FetchPickup(ctx, token, 99, exchange.Visitor{Browser: "b"}); pickupWhy(err) != exchange.PickupUnknown {
			t.Errorf("a file that is not there: %v", err)
		}
		agent := strings.Repeat("Trình duyệt ", 100)
		who := exchange.Visitor{Browser: "bí mật", Remote: "192.0.2.7", Agent: agent}
		f, err := h.FetchPickup(ctx, token, v.Files[0].Ordinal, who)
		if err != nil || f.Travels() != v.Document.SealedPDF {
			t.Fatalf("%+v %v", f, err)
		}
		d := copyTo(t, h.status(t, st.Document.ID), "giay")
		if d.Transport != exchange.Settled || d.Owner != "" || !d.Happened(exchange.EventFetched) {
			t.Errorf("%+v", d)
		}
		for _, e := range d.Events {
			if strings.Contains(e.Detail, strings.Split(token, ".")[1]) || len(e.Detail) > 1000 || strings.Contains(e.Detail, who.Browser) {
				t.Errorf("the event tells a secret, or too much: %s", e.Detail)
			}
		}
		if why := look(token, "another"); why != exchange.PickupFetched {
			t.Errorf("another browser: %q", why)
		}
		if _, err := h.FetchPickup(ctx, token, v.Files[0].Ordinal, exchange.Visitor{Browser: "another"}); pickupWhy(err) != exchange.PickupFetched {
			t.Errorf("another browser fetched: %v", err)
		}
		if _, err := h.FetchPickup(ctx, token, v.Files[0].Ordinal, who); err != nil {
			t.Errorf("the same browser again: %v", err)
		}
		if _, err := h.OfferPickup(ctx, clerk, id, pickupBase, "", time.Hour); !exchange.IsCode(err, exchange.CodePickup) {
			t.Errorf("an address for a copy that is settled: %v", err)
		}
		if _, err := h.OfferPickup(ctx, clerk, copyTo(t, st, "syt").Dispatch.ID, pickupBase, "", time.Hour); !exchange.IsCode(err, exchange.CodePickup) {
			t.Errorf("an address for a copy in a mailbox: %v", err)
		}
		if _, err := h.OfferPickup(ctx, exchange.Actor{Unit: "stc"}, id, pickupBase, "", time.Hour); !exchange.IsCode(err, exchange.CodeNotEntitled) {
			t.Errorf("another agency: %v", err)
		}
	})
}

func TestPickupAddressesEnd(t *testing.T) {
	ctx := context.Background()
	forEachClock(t, func(t *testing.T, h *clockHouse) {
		st := h.issue(t, proposal("410/SNV-VP", "Hội NCT=giay", "Ông X>Ông X", "Y>Công ty Y <y@y.test>"))
		gone := h.offer(t, copyTo(t, st, "giay").Dispatch.ID)
		late := h.offer(t, copyTo(t, st, "Ông X").Dispatch.ID)
		outside := copyTo(t, st, "Công ty Y").Dispatch.ID
		o, err := h.OfferPickup(ctx, clerk, outside, pickupBase, "giamdoc@y.test", exchange.PickupLife)
		if err != nil {
			t.Fatal(err)
		}
		if n := h.one(t, `SELECT count(*) FROM outbox WHERE rcpt = 'giamdoc@y.test' AND state = 'queued'`); n != 1 {
			t.Errorf("%d letters with the address", n)
		}
		// Fetched while the mail still waits: the mail is not sent any more.
		if _, err := h.FetchPickup(ctx, strings.TrimPrefix(o.URL, pickupBase), 0, exchange.Visitor{Browser: "b"}); err != nil {
			t.Fatal(err)
		}
		if d := copyTo(t, h.status(t, st.Document.ID), "Công ty Y"); d.Transport != exchange.Delivered || d.Handling != exchange.Received {
			t.Errorf("%s %s", d.Transport, d.Handling)
		}
		if n := h.one(t, `SELECT count(*) FROM outbox WHERE rcpt = 'y@y.test' AND state = 'queued'`); n != 0 {
			t.Error("it will be sent as well")
		}
		h.ahead.Add(int64(exchange.PickupLife))
		if _, err := h.FetchPickup(ctx, late, 0, exchange.Visitor{Browser: "b"}); pickupWhy(err) != exchange.PickupExpired {
			t.Errorf("after its end: %v", err)
		}
		h.recall(t, st.Document.ID)
		if _, err := h.Pickup(ctx, gone, ""); pickupWhy(err) != exchange.PickupGone {
			t.Errorf("after the recall: %v", err)
		}
		h.mustBeSound(t)
	})
}

// Two people press the button at once: one browser has the document, and there is one event of settling.
func TestPickupIsForOneBrowser(t *testing.T) {
	ctx := context.Background()
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("420/SNV-VP", "Hội NCT=giay"))
		token := h.offer(t, copyTo(t, st, "giay").Dispatch.ID)
		var wg sync.WaitGroup
		why := make([]string, 6)
		for i := range why {
			wg.Go(func() {
				_, err := h.FetchPickup(ctx, token, 0, exchange.Visitor{Browser: string(rune('a' + i)), Remote: "192.0.2.1"})
				why[i] = pickupWhy(err)
			})
		}
		wg.Wait()
		got := 0
		for _, w := range why {
			switch w {
			case "":
				got++
			case exchange.PickupFetched:
			default:
				t.Error(w)
			}
		}
		d := copyTo(t, h.status(t, st.Document.ID), "giay")
		settled := 0
		for _, e := range d.Events {
			if e.Event == string(exchange.Settled) {
				settled++
			}
		}
		if got != 1 || settled != 1 {
			t.Errorf("%d browsers have it, settled %d times", got, settled)
		}
	})
}
