package mailcore_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// sized returns a mail of exactly n bytes.
func sized(n int) string {
	head := "Subject: x\r\n\r\n"
	return head + strings.Repeat("x", n-len(head)-2) + "\r\n"
}

// Where a body lies follows from its size alone, and whoever opens, counts, sends or compares it need not know.
func TestBodiesOfEverySizeAreTheSameToWhoReadsThem(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		for i, size := range []int{0, 1 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 2 << 20} {
			mail := ""
			if size > 0 {
				mail = sized(size)
			}
			b := body(t, s, mail)
			read := func(f *blob.File, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				got, err := io.ReadAll(f)
				if err != nil || string(got) != mail || f.Size() != int64(size) {
					t.Errorf("read %d bytes and size %d of %d, %v", len(got), f.Size(), size, err)
				}
				if n, err := f.ReadAt(make([]byte, 10), int64(size)-5); size > 0 && (n != 5 || err != io.EOF) {
					t.Errorf("read %d bytes at the end, %v", n, err)
				}
			}
			read(s.OpenBody(b))
			must[[]mailcore.Placed](t)(s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}}))
			read(s.OpenBody(b))
			read(s.OpenBody(&mailcore.Body{Digest: b.Digest, Size: b.Size}))
			read(s.Blobs().Open(b.Digest))
			if n, err := s.Blobs().Size(b.Digest); err != nil || n != int64(size) {
				t.Errorf("%d bytes, %v, want %d", n, err, size)
			}
			want := 0
			if size <= 64<<10 {
				want = 1
			}
			if n := count(t, s, "blob_bytes WHERE digest = '"+string(b.Digest)+"'"); n != want {
				t.Errorf("%d rows hold a body of %d bytes, want %d", n, size, want)
			}
			found := 0
			if err := s.Blobs().Walk(ctx, func(blob.Info) error { found++; return nil }); err != nil || found != i+1 {
				t.Errorf("a walk finds %d blobs of %d, %v", found, i+1, err)
			}
		}
		checkStore(t, s)
	})
}

// A body that is not named, or whose transaction fails, leaves nothing; tried again, it is there once.
func TestSmallBodyComesAndGoesWithItsTransaction(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		b := body(t, s, text(2))
		left := func(want int) {
			t.Helper()
			for _, table := range []string{"blob", "blob_bytes", "message", "mailbox_message"} {
				if n := count(t, s, table); n != want {
					t.Errorf("%d rows of %s, want %d", n, table, want)
				}
			}
		}
		left(0)
		broken := errors.New("broken")
		err := s.DB().Write(ctx, func(tx *sqldb.Tx) error {
			_, err := s.DeliverTx(ctx, tx, b, []mailcore.Copy{{Account: a.ID}})
			return errors.Join(err, broken)
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		left(0)
		must[[]mailcore.Placed](t)(s.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID}}))
		left(1)
		if err := s.Blobs().Walk(ctx, func(i blob.Info) error {
			f, err := s.Blobs().Open(i.Digest)
			if err == nil && f.Path() != "" {
				err = fmt.Errorf("%s is a file, too", i.Digest)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}

// A data folder of before has small bodies in files. They are read, come again and go as ever.
func TestSmallBodiesInFilesStay(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		b := show(t, s, a, 2)
		digest := must[blob.Digest](t)(s.SaveBytes(ctx, []byte(text(2))))
		write(t, s, func(tx *sqldb.Tx) error { _, err := tx.ExecContext(ctx, `DELETE FROM blob_bytes`); return err })
		path := pathOf(t, s, digest)
		old := &mailcore.Body{Digest: b.Digest, Size: b.Size}
		f := must[*blob.File](t)(s.OpenBody(old))
		f.Close()
		if f.Path() != path {
			t.Errorf("read from %q", f.Path())
		}
		checkStore(t, s)
		show(t, s, a, 2)
		checkStore(t, s)
		empty(t, s, a, "INBOX")
		c.advance(25 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Messages: 1, Doomed: 1})
		c.advance(25 * time.Hour)
		wantSweep(t, s, mailcore.SweepResult{Removed: 1})
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || has(t, s, digest) {
			t.Errorf("the bytes are still there: %v", err)
		}
	})
}

// A backup's copy of the blobs leaves those to the dump that are in the database for a day.
func TestSmallBodiesAreInTheDumpOnly(t *testing.T) {
	forEachSwept(t, func(t *testing.T, s *mailcore.Store, c *clock) {
		a := accounts(t, s, 1)[0]
		small, large := show(t, s, a, 2), show(t, s, a, 3)
		copied := func() (out []blob.Digest) {
			to := must[*blob.Dir](t)(blob.OpenDir(t.TempDir()))
			if err := s.CopyBlobs(ctx, to, func(i blob.Info) error { out = append(out, i.Digest); return nil }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		if got := copied(); len(got) != 2 {
			t.Errorf("copied %d, want the new small one, too", len(got))
		}
		c.advance(25 * time.Hour)
		if got := copied(); len(got) != 1 || got[0] != large.Digest {
			t.Errorf("copied %v, want %s without %s", got, large.Digest, small.Digest)
		}
	})
}
