package mailcore_test

import (
	"errors"
	"fmt"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

func TestUnlockIsKnownToEveryNode(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		withOfficer(t, s)
		unlock := func(who string, want int) {
			t.Helper()
			err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
				held, err := s.UnlockTx(ctx, tx, who)
				if err == nil && held != want {
					t.Errorf("%s: %d locks held, want %d", who, held, want)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		other := newStore(t, s.DB())
		other.SetHashCost(quick)
		const guesser = "203.0.113.9"
		for i := range 12 {
			other.LogIn(ctx, from("an.snv@kontum.test", fmt.Sprint("guess ", i), guesser))
		}
		in := func(address, place string) error {
			_, err := other.LogIn(ctx, from(address, ownSecret, place))
			return err
		}
		if err := in("an.snv@kontum.test", guesser); !errors.Is(err, mailcore.ErrThrottled) {
			t.Fatal(err)
		}
		unlock("snv@kontum.test", 0)
		if err := in("an.snv@kontum.test", guesser); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("another account was unlocked: %v", err)
		}
		unlock("an.snv@kontum.test", 1)
		if err := in("an.snv@kontum.test", guesser); err != nil {
			t.Error(err)
		}
		for i := range 120 {
			other.LogIn(ctx, from(fmt.Sprintf("a%d@kontum.test", i), "guess", guesser))
		}
		if err := in("snv@kontum.test", guesser); !errors.Is(err, mailcore.ErrThrottled) {
			t.Fatal(err)
		}
		unlock("203.0.113.8", 0)
		unlock(guesser, 1)
		if err := in("snv@kontum.test", guesser); err != nil {
			t.Error(err)
		}
		for i := range 12 { // and it locks again
			other.LogIn(ctx, from("snv@kontum.test", fmt.Sprint("guess ", i), "203.0.113.10"))
		}
		if err := in("snv@kontum.test", "203.0.113.10"); !errors.Is(err, mailcore.ErrThrottled) {
			t.Errorf("never locks again: %v", err)
		}
	})
}

func TestLeavingClosesForGood(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		officer, unit := withOfficer(t, s)
		must[mailcore.Delegation](t)(s.Delegate(ctx, officer.Address, unit.Address, "03/GUQ", "2009-01-01", "2126-01-01"))
		leave := func(address, to mailcore.Address) (ended []mailcore.Delegation, err error) {
			err = s.DB().Write(ctx, func(tx *sqldb.Tx) error { ended, err = s.LeaveTx(ctx, tx, address, to); return err })
			return ended, err
		}
		ended, err := leave(officer.Address, unit.Address)
		if err != nil || len(ended) != 1 || ended[0].Number != "03/GUQ" {
			t.Fatal(ended, err)
		}
		if a := must[mailcore.Account](t)(s.Account(ctx, officer.Address)); a.ClosedAt.IsZero() || a.MovedTo != unit.Address {
			t.Errorf("%+v", a)
		}
		if _, err := s.LogIn(ctx, from("an.snv@kontum.test", ownSecret, "198.51.100.7")); err == nil {
			t.Error("logs in still")
		}
		if _, err := leave(officer.Address, ""); !errors.Is(err, mailcore.ErrClosed) {
			t.Error(err)
		}
		if _, err := leave("ai@kontum.test", ""); !errors.Is(err, mailcore.ErrNoAccount) {
			t.Error(err)
		}
	})
}
