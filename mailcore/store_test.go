package mailcore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

var ctx = context.Background()

// forEach runs fn on both databases and checks the invariants afterwards.
func forEach(t *testing.T, fn func(t *testing.T, s *mailcore.Store)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		s := newStore(t, db)
		fn(t, s)
		checkStore(t, s)
	})
}

func newStore(t testing.TB, db *sqldb.DB) *mailcore.Store {
	t.Helper()
	blobs, err := blob.OpenDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return mailcore.NewStore(db, blobs, mailtest.Quiet)
}

func checkStore(t testing.TB, s *mailcore.Store) {
	t.Helper()
	found, err := s.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("invariant: %s", f)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// accounts makes units a1@, a2@, … without passwords.
func accounts(t testing.TB, s *mailcore.Store, n int) []mailcore.Account {
	t.Helper()
	var want []mailcore.NewAccount
	for i := range n {
		want = append(want, mailcore.NewAccount{Address: mailcore.Address(fmt.Sprintf("a%d@kontum.test", i+1)), Kind: mailcore.Unit, Name: fmt.Sprint("Đơn vị ", i+1)})
	}
	return must[[]mailcore.Account](t)(s.CreateAccounts(ctx, want))
}

func inbox(t testing.TB, s *mailcore.Store, a mailcore.Account) mailcore.Mailbox {
	t.Helper()
	return must[mailcore.Mailbox](t)(s.Mailbox(ctx, a.ID, "inbox"))
}

func mailbox(t testing.TB, s *mailcore.Store, a mailcore.Account, name string) mailcore.Mailbox {
	t.Helper()
	return must[mailcore.Mailbox](t)(s.Mailbox(ctx, a.ID, name))
}

func body(t testing.TB, s *mailcore.Store, text string) *mailcore.Body {
	t.Helper()
	return must[*mailcore.Body](t)(s.SaveBody(ctx, strings.NewReader(text), 0))
}

const letter = "From: =?utf-8?q?V=C4=83n_th=C6=B0?= <vanthu@kontum.test>\r\nTo: a1@kontum.test\r\nSubject: =?utf-8?B?Q8O0bmcgdsSDbg==?=\r\n" +
	"Message-ID: <1@kontum.test>\r\nDate: Mon, 23 Nov 2026 08:00:00 +0700\r\n\r\nKính gửi\r\n"

// deliver puts the letter into the account's INBOX with a ref and returns its UID.
func deliver(t testing.TB, s *mailcore.Store, a mailcore.Account, ref string) mailcore.UID {
	t.Helper()
	placed := must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, letter), []mailcore.Copy{{Account: a.ID, Ref: ref, Prefix: []byte("X-Copy: " + ref + "\r\n")}}))
	return placed[0].UID
}

// events returns the pending events as "kind ref actor detail" and marks them handled.
func events(t testing.TB, s *mailcore.Store) []string {
	t.Helper()
	var out []string
	for _, e := range must[[]mailcore.Event](t)(s.PendingEvents(ctx, 10000)) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.Ref, e.Actor, e.Detail)))
		err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
			ok, err := s.HandledTx(ctx, tx, e.ID)
			if err == nil && !ok {
				t.Errorf("event %d was handled by somebody else", e.ID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}
