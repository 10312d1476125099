package exchange_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
)

// readsOutside has the house take a PDF that says "van ban" for a document.
func (h *house) readsOutside(secrecy string) {
	h.ReadArrival = func(_ context.Context, name string, pdf []byte) (*exchange.ArrivalDraft, error) {
		if !bytes.Contains(pdf, []byte("van ban")) {
			return nil, nil
		}
		return &exchange.ArrivalDraft{Entry: exchange.Entry{Document: "1234/BTTTT-VP", Author: "Bộ Thông tin và Truyền thông", Kind: "Công văn", Abstract: "V/v báo cáo quý",
			DatedOn: "2009-11-10", Signer: "Nguyễn Hư Cấu"}, Verdict: "hợp lệ, người ký Bộ", Secrecy: secrecy}, nil
	}
}

func outsideText(files ...string) string {
	text := "From: vanthu@bo.test\nSubject: Gửi\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=ranh\n\n--ranh\nContent-Type: text/plain\n\nKính gửi.\n"
	for i, f := range files {
		text += fmt.Sprintf("--ranh\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=f%d.pdf\n\n%s\n",
			i, base64.StdEncoding.EncodeToString([]byte(f)))
	}
	return text + "--ranh--\n"
}

func (h *house) fromOutside(t testing.TB, unit string, files ...string) {
	t.Helper()
	h.arrive(t, outsideText(files...), mailcore.Arrival{Sender: "vanthu@bo.test", Rcpt: mailcore.Address(unit + "@" + domain), From: "vanthu@bo.test"})
}

// replyTo is where the newest letter of a unit wants its answer.
func (h *house) replyTo(t testing.TB, unit string) string {
	t.Helper()
	_, box, rows := h.inbox(t, unit)
	stored, err := h.mail.Load(context.Background(), box.ID, []mailcore.UID{rows[len(rows)-1].UID})
	if err != nil || len(stored) != 1 || len(stored[0].Summary.Envelope.ReplyTo) != 1 {
		t.Fatalf("%v %+v", err, stored)
	}
	a := stored[0].Summary.Envelope.ReplyTo[0]
	return a.Mailbox
}

func (h *house) says(t testing.TB, unit, to, line string) {
	t.Helper()
	address := unit + "@" + domain
	h.submit(t, address, address, to, "From: "+address+"\nContent-Type: text/plain; charset=utf-8\n\n"+line+"\n")
}

func (h *house) entries(t testing.TB) (out []string) {
	t.Helper()
	hits, _, err := h.Search(context.Background(), exchange.Query{Words: []string{"1234/BTTTT-VP"}, Unit: "stc", Book: exchange.IncomingBook})
	if err != nil {
		t.Fatal(err)
	}
	for _, hit := range hits {
		out = append(out, hit.Number)
	}
	return out
}

// Mail with a document is proposed; a reply with the number enters it once. Ordinary mail stays alone.
func TestOfficialMailFromOutsideIsProposed(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		if err := h.SetMode(ctx, "stc", h.year(), exchange.IncomingBook, "", exchange.TakenFromPaper); err != nil {
			t.Fatal(err)
		}
		h.readsOutside("")
		h.fromOutside(t, "stc", "%PDF-1.4 quang cao", "khong phai PDF")
		h.fromOutside(t, "stc", "%PDF-1.4 phu luc", "%PDF-1.4 van ban")
		h.arrive(t, outsideText("%PDF-1.4 van ban"), mailcore.Arrival{Sender: "snv@" + domain, Rcpt: "stc@" + domain, AuthAs: "snv@" + domain}) // of ours
		if n, err := h.ReadOutside(ctx); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if got := h.subjects(t, "stc"); !slices.Equal(got, []string{"Gửi", "Gửi", "Gửi", "Đề xuất vào sổ đến: 1234/BTTTT-VP"}) {
			t.Fatalf("%q", got)
		}
		if n, err := h.ReadOutside(ctx); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		to := h.replyTo(t, "stc")
		h.says(t, "stc", to, "Chưa tiếp nhận")
		h.says(t, "stc", to, "Đã tiếp nhận")                                // the book is theirs: without a number nothing is entered
		h.says(t, "snv", to, "Đã tiếp nhận, số đến 5")                      // not theirs
		h.says(t, "stc", to+"x", "Đã tiếp nhận, số đến 5")                  // another token
		h.says(t, "stc", to, "Đã tiếp nhận văn bản số 99/BTC-VP, số đến 5") // another document
		if got := h.entries(t); len(got) > 0 {
			t.Fatalf("entered: %q", got)
		}
		h.says(t, "stc", to, "Đã tiếp nhận, số đến 5")
		h.says(t, "stc", to, "Đã tiếp nhận, số đến 6")
		if got := h.entries(t); !slices.Equal(got, []string{"5"}) {
			t.Errorf("entered: %q", got)
		}
		got := h.subjects(t, "stc")
		if want := "Đã vào sổ, số đến 5: 1234/BTTTT-VP"; got[len(got)-1] != want || got[len(got)-2] != want {
			t.Errorf("%q", got)
		}
	})
}

// A document that comes to many units is read once and proposed to each; one with a mark of secrecy is read each time.
func TestDocumentOfManyMailsIsReadOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx, reads := context.Background(), 0
		for _, secrecy := range []string{"", "Mật"} {
			h.readsOutside(secrecy)
			read := h.ReadArrival
			h.ReadArrival = func(ctx context.Context, name string, pdf []byte) (*exchange.ArrivalDraft, error) {
				reads++
				return read(ctx, name, pdf)
			}
			reads = 0
			for _, unit := range []string{"stc", "snv", "syt"} {
				h.fromOutside(t, unit, "%PDF-1.4 van ban"+secrecy, "%PDF-1.4 van ban"+secrecy)
			}
			n, err := h.ReadOutside(ctx)
			if want := map[string][2]int{"": {3, 1}, "Mật": {3, 3}}[secrecy]; err != nil || n != want[0] || reads != want[1] {
				t.Errorf("secrecy %q: %d proposals of %d reads, %v", secrecy, n, reads, err)
			}
		}
	})
}

// Mail of words alone is not even noted; a PDF that calls itself a text is one all the same.
func TestOnlyMailWithFilesIsLookedAt(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.readsOutside("")
		for n, c := range []struct {
			head, body string
			noted      int64
		}{
			{"Content-Type: text/plain; charset=utf-8", "%PDF-1.4 van ban\n", 0},
			{"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", "<p>ch=C3=A0o</p>\n", 0},
			{"Content-Type: multipart/alternative; boundary=b", "--b\nContent-Type: text/plain\n\na\n--b\nContent-Type: text/html\n\n<p>a</p>\n--b--\n", 0},
			{"Content-Type: text/plain\nContent-Transfer-Encoding: base64", "JVBERi0xLjQgdmFuIGJhbg==\n", 1},
			{"Content-Type: multipart/mixed; boundary=b", "--b\nContent-Type: text/plain\n\na\n--b\nContent-Type: application/octet-stream\n\n%PDF-1.4 van ban\n--b--\n", 1},
		} {
			before := h.one(t, `SELECT count(*) FROM outside_mail`)
			h.arrive(t, fmt.Sprintf("From: a@bo.test\nSubject: thu %d\nMIME-Version: 1.0\n%s\n\n%s", n, c.head, c.body), mailcore.Arrival{Sender: "a@bo.test", Rcpt: "stc@" + domain})
			if got := h.one(t, `SELECT count(*) FROM outside_mail`) - before; got != c.noted {
				t.Errorf("mail %d: %d rows, want %d", n, got, c.noted)
			}
		}
	})
}

// Moving the mail itself is the same act; where the unit writes its own numbers it is asked for one.
func TestProposalIsAcceptedByMoving(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.readsOutside("")
		h.fromOutside(t, "stc", "%PDF-1.4 van ban")
		if n, err := h.ReadOutside(ctx); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		year := h.year()
		if err := h.SetMode(ctx, "stc", year, exchange.IncomingBook, "", exchange.IssuedHere); err != nil {
			t.Fatal(err)
		}
		h.moveAt(t, "stc", 0, mailcore.FolderAccepted)
		if got := h.entries(t); !slices.Equal(got, []string{"1"}) {
			t.Errorf("entered: %q", got)
		}
		got := h.subjects(t, "stc")
		if got[len(got)-1] != "Đã vào sổ, số đến 1: 1234/BTTTT-VP" {
			t.Errorf("%q", got)
		}
	})
}

// moveAt moves the nth mail of a unit's inbox.
func (h *house) moveAt(t testing.TB, unit string, n int, folder string) {
	t.Helper()
	ctx := context.Background()
	a, box, rows := h.inbox(t, unit)
	to, err := h.mail.Mailbox(ctx, a.ID, folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.mail.MoveMessages(ctx, a, box.ID, []mailcore.UID{rows[n].UID}, to.ID); err != nil {
		t.Fatal(err)
	}
	h.handle(t)
}

// A reader that fails is asked again later; a secret document is never proposed, and nothing of it is written down.
func TestOutsideMailThatFailsOrIsSecret(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.readsOutside("Mật")
		for _, unit := range []string{"stc", "snv"} { // the same bytes: each unit is told
			h.fromOutside(t, unit, "%PDF-1.4 van ban")
		}
		if _, err := h.ReadOutside(ctx); err != nil {
			t.Fatal(err)
		}
		for _, unit := range []string{"stc", "snv"} {
			if got := h.subjects(t, unit); !slices.Equal(got, []string{"Gửi", "Thư có văn bản mật"}) {
				t.Errorf("%s: %q", unit, got)
			}
		}
		if n := h.one(t, `SELECT count(*) FROM outside_mail`); n != 0 {
			t.Errorf("%d rows", n)
		}
		h.fromOutside(t, "stc", "%PDF-1.4 van ban")
		h.ReadArrival = func(context.Context, string, []byte) (*exchange.ArrivalDraft, error) {
			return nil, errors.New("no memory")
		}
		if _, err := h.ReadOutside(ctx); err == nil || !strings.Contains(err.Error(), "no memory") {
			t.Error(err)
		}
		if n := h.one(t, `SELECT count(*) FROM outside_mail WHERE state = 'waiting' AND tries = 1`); n != 1 {
			t.Errorf("%d rows wait", n)
		}
	})
}
