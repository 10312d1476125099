package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
)

// Two nodes on one PostgreSQL accept for one unit at once: every number from 1 on is given once, whatever fails in between.
func TestTwoNodesNumberArrivalsWithoutAGap(t *testing.T) {
	dsn := mailtest.NewPostgres(t)
	db := mailtest.Open(t, dsn)
	h := newHouse(t, db)
	opt := h.Options
	opt.DB = mailtest.Open(t, dsn)
	nodes := []*exchange.Store{h.Store, exchange.NewStore(opt)}

	const documents = 200
	var ids []exchange.DispatchID
	for i := range documents {
		ids = append(ids, h.issue(t, proposal(fmt.Sprintf("%d/SNV-VP", i+1), "Sở Tài chính=stc")).Dispatches[0].Dispatch.ID)
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < documents; i += 16 {
				acceptOnBoth(t, nodes, i+w, ids[i])
			}
		})
	}
	wg.Wait()
	var numbers []int
	for _, id := range ids {
		d := h.status(t, exchange.DocumentID(id>>20)).Dispatches[0].Dispatch
		n, err := strconv.Atoi(d.ArrivalNumber)
		if err != nil {
			t.Error(err)
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			t.Fatalf("number %d at place %d of %d", n, i+1, len(numbers))
		}
	}
	h.mustBeSound(t)
}

// acceptOnBoth accepts a copy on one node, sometimes on the other as well. Now and then an act of the same unit fails in between, and a
// caller goes away.
func acceptOnBoth(t *testing.T, nodes []*exchange.Store, n int, id exchange.DispatchID) {
	ctx := context.Background()
	one, other := nodes[n%2], nodes[(n+1)%2]
	if n%3 == 0 {
		if _, err := other.Accept(ctx, stc, id+1, ""); !exchange.IsCode(err, exchange.CodeNoDispatch) {
			t.Errorf("a copy that is none: %v", err)
		}
	}
	if n%4 == 0 {
		away, cancel := context.WithCancel(ctx)
		go cancel()
		if _, err := one.Accept(away, stc, id, ""); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	var both sync.WaitGroup
	for i, node := range []*exchange.Store{one, other} {
		if i == 0 || n%5 == 0 {
			both.Go(func() {
				if _, err := node.Accept(ctx, stc, id, ""); err != nil {
					t.Errorf("copy %d: %v", id, err)
				}
			})
		}
	}
	both.Wait()
}

var stc = exchange.Actor{Name: "văn thư", Unit: "stc"}
