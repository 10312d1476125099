package exchange

import (
	"slices"
	"testing"
)

var allTransports = []Transport{"", Queued, Relayed, Uncertain, Exception, Delivered, Settled, Undelivered, Cancelled, Recalled, Superseded}
var allHandlings = []Handling{"", Received, Refused, Accepted, Assigned, InProgress, Completed, Noted, Forwarded}

func TestEveryPairOfStatesFollowsTheTable(t *testing.T) {
	for _, from := range allTransports {
		for _, to := range allTransports[1:] {
			d := Dispatch{Transport: from}
			_, _, err := d.moved(string(to))
			if allowed := slices.Contains(transports[from], to); (err == nil) != allowed {
				t.Errorf("transport %q to %q: %v", from, to, err)
			}
		}
	}
	for _, from := range allHandlings {
		for _, to := range allHandlings[1:] {
			d := Dispatch{Transport: Delivered, Handling: from}
			_, _, err := d.moved(string(to))
			if allowed := slices.Contains(handlings[from], to); (err == nil) != allowed {
				t.Errorf("handling %q to %q: %v", from, to, err)
			}
		}
	}
}

func TestClosedDispatchNeverOpensAgain(t *testing.T) {
	for _, tr := range allTransports {
		for _, h := range allHandlings {
			d := Dispatch{Transport: tr, Handling: h}
			if !d.Closed() {
				continue
			}
			for _, kind := range []string{string(Queued), string(Delivered), string(Accepted), string(InProgress), string(Received)} {
				transport, handling, err := d.moved(kind)
				if err != nil {
					continue
				}
				after := Dispatch{Transport: transport, Handling: handling}
				if !after.Closed() {
					t.Errorf("%s/%s opens again by %s", tr, h, kind)
				}
			}
		}
	}
}

func TestEveryStateIsReachedAndEveryOpenOneIsLeft(t *testing.T) {
	for _, to := range allTransports[1:] {
		if !slices.ContainsFunc(allTransports, func(from Transport) bool { return slices.Contains(transports[from], to) }) {
			t.Errorf("nothing leads to %s", to)
		}
		if d := (Dispatch{Transport: to}); !d.Closed() && len(transports[to]) == 0 {
			t.Errorf("nothing leads out of %s", to)
		}
	}
	for _, to := range allHandlings[1:] {
		if !slices.ContainsFunc(allHandlings, func(from Handling) bool { return slices.Contains(handlings[from], to) }) {
			t.Errorf("nothing leads to %s", to)
		}
	}
}

func TestEveryRecallFollowsTheTable(t *testing.T) {
	all := []RecallState{"", RecallAsked, RecallAgreed, RecallRefused}
	for _, from := range all {
		for kind, to := range map[string]RecallState{EventRecallAsked: RecallAsked, EventRecallRefused: RecallRefused, EventRecallAgreed: RecallAgreed} {
			d := Dispatch{Transport: Delivered, Handling: Received, Recall: from}
			if after, err := d.recallAfter(kind); (err == nil) != slices.Contains(recalls[from], to) || err == nil && after != to {
				t.Errorf("recall %q by %s: %q %v", from, kind, after, err)
			}
		}
		// What is no answer changes nothing; what is asked back is not handed on.
		for _, kind := range []string{string(Accepted), string(Forwarded), string(Superseded), EventOpened, EventLater} {
			d := Dispatch{Transport: Delivered, Handling: Received, Recall: from}
			after, err := d.recallAfter(kind)
			if refused := kind == string(Forwarded) && from == RecallAsked; (err != nil) != refused || !refused && after != from {
				t.Errorf("recall %q by %s: %q %v", from, kind, after, err)
			}
		}
	}
	// Nobody handles what was taken back.
	for _, from := range []Transport{Cancelled, Recalled, Superseded} {
		for _, to := range allHandlings[1:] {
			d := Dispatch{Transport: from, Handling: Received}
			if _, _, err := d.moved(string(to)); err == nil {
				t.Errorf("%s becomes %s", from, to)
			}
		}
	}
}
