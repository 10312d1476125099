package mailcore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
)

// Headings are what Load reads of the same messages, however many are asked for and whatever lies between them.
func TestHeadingsAreWhatLoadReads(t *testing.T) {
	forEach(t, func(t *testing.T, s *mailcore.Store) {
		a := accounts(t, s, 1)[0]
		box := inbox(t, s, a)
		for i := range 60 {
			text := strings.Replace(letter, "Subject:", fmt.Sprintf("Cc: =?utf-8?q?S=E1=BB=9F_N=E1=BB=99i_v=E1=BB=A5_%d?= <so\"}{%d@kontum.test>\r\nSubject: \\\"{}%d", i, i, i), 1)
			must[[]mailcore.Placed](t)(s.Deliver(ctx, body(t, s, text), []mailcore.Copy{{Account: a.ID, Prefix: []byte("Reply-To: <x@y.test>\r\n")}}))
		}
		r := rand.New(rand.NewPCG(38, 1))
		for range 20 {
			var uids []mailcore.UID
			for uid := mailcore.UID(1); uid < 4000; uid += mailcore.UID(1 + r.IntN(1+int(uid)/8)) {
				uids = append(uids, uid)
			}
			want := must[[]mailcore.Stored](t)(s.Load(ctx, box.ID, uids))
			for _, envelope := range []bool{false, true} {
				n := 0
				err := s.Headings(ctx, box.ID, uids, envelope, func(h mailcore.Heading) error {
					w := want[n].Summary.Envelope
					w.ReplyTo = nil // of the copy alone
					if h.UID != want[n].UID || h.Subject != w.Subject || (h.Envelope != nil) != envelope || envelope && !reflect.DeepEqual(*h.Envelope, w) {
						t.Fatalf("%+v %+v, want %+v", h, h.Envelope, w)
					}
					n++
					return nil
				})
				if err != nil || n != len(want) || !slices.Contains(uids, 1) {
					t.Fatalf("%d headings, want %d: %v", n, len(want), err)
				}
			}
		}
		stop := errors.New("enough")
		if err := s.Headings(ctx, box.ID, []mailcore.UID{1, 2}, false, func(mailcore.Heading) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
}

// A search of a hundred thousand messages takes memory for one at a time.
func BenchmarkHeadings(b *testing.B) {
	s := newStore(b, mailtest.Open(b, "sqlite:"+filepath.Join(b.TempDir(), "x.db")))
	a := accounts(b, s, 1)[0]
	box := inbox(b, s, a)
	var uids []mailcore.UID
	for range 2000 {
		uids = append(uids, deliver(b, s, a, ""))
	}
	for _, envelope := range []bool{false, true} {
		b.Run(fmt.Sprintf("envelope=%v", envelope), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if err := s.Headings(ctx, box.ID, uids, envelope, func(mailcore.Heading) error { n++; return nil }); err != nil || n != len(uids) {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(uids)), "ns/message")
		})
	}
}
