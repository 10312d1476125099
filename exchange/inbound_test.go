package exchange_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/signing"
)

const abroad = "vanthu@bo.test"

// mailKeys are keys of the gateway and of a ministry outside, each with an authority of its own; attacker trusts nobody.
type mailKeys struct {
	roots                   *x509.CertPool
	ours, theirs, forger    *signing.Authority
	ministry, other, forged *signing.MailSigner
}

var testMailKeys = sync.OnceValues(func() (k *mailKeys, err error) {
	k = &mailKeys{roots: x509.NewCertPool()}
	for _, a := range []struct {
		to     **signing.Authority
		domain string
	}{{&k.ours, domain}, {&k.theirs, "bo.test"}, {&k.forger, "bo.test"}} {
		if *a.to, err = signing.NewMailAuthority(signing.Subject{Name: "Thư " + a.domain}, a.domain); err != nil {
			return nil, err
		}
	}
	k.roots.AddCert(k.ours.Certificate())
	k.roots.AddCert(k.theirs.Certificate())
	for _, s := range []struct {
		to      **signing.MailSigner
		ca      *signing.Authority
		address string
	}{{&k.ministry, k.theirs, abroad}, {&k.other, k.theirs, "khac@bo.test"}, {&k.forged, k.forger, abroad}} {
		if *s.to, err = mailSigner(s.ca, s.address); err != nil {
			return nil, err
		}
	}
	return k, nil
})

func mailSigner(ca *signing.Authority, address string) (*signing.MailSigner, error) {
	id, err := ca.IssueMail(signing.Subject{Name: "Văn thư"}, address)
	if err != nil {
		return nil, err
	}
	return signing.NewMailSigner(id, address)
}

// withMail gives the house keys for mail.
func (h *house) withMail(t testing.TB) *mailKeys {
	t.Helper()
	k, err := testMailKeys()
	if err != nil {
		t.Fatal(err)
	}
	made := map[mailcore.Address]*signing.MailSigner{}
	h.MailSigner = func(_ context.Context, a mailcore.Address, _ string) (*signing.MailSigner, error) {
		if made[a] == nil {
			s, err := mailSigner(k.ours, string(a))
			if err != nil {
				return nil, err
			}
			made[a] = s
		}
		return made[a], nil
	}
	h.VerifyMail = func(r io.Reader) (*signing.MailReport, error) {
		return signing.VerifyMail(r, signing.MailOptions{Roots: k.roots})
	}
	return k
}

func signedReply(t testing.TB, s *signing.MailSigner, from, line string, at time.Time) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nSubject: Re\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n", from, s.ContentType("=_k"))
	err := s.Write(&b, "=_k", at, func(w io.Writer) error {
		_, err := io.WriteString(w, "Content-Type: text/plain\r\n\r\n"+line+"\r\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "\r\n", "\n") // submit puts them back
}

func TestSignedReplyFromOutsideCounts(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		k := h.withMail(t)
		st := h.issue(t, proposal("71/SNV-VP", "Bộ Thử=bo"))
		d := copyTo(t, st, "bo")
		to := exchange.ReplyMailbox + "+" + d.Dispatch.Token()
		now := time.Now()
		good := signedReply(t, k.ministry, abroad, "Da tiep nhan, so den 45", now)
		for _, c := range []struct{ name, mail string }{
			{"unsigned", "From: " + abroad + "\n\nDa tiep nhan, so den 1\n"},
			{"another address", signedReply(t, k.other, "khac@bo.test", "Da tiep nhan, so den 2", now)},
			{"certificate for another", signedReply(t, k.other, abroad, "Da tiep nhan, so den 3", now)},
			{"untrusted authority", signedReply(t, k.forged, abroad, "Da tiep nhan, so den 4", now)},
			{"changed", strings.Replace(good, "Da tiep", "da tiep", 1)},
			{"older than the document", signedReply(t, k.ministry, abroad, "Da tiep nhan, so den 5", now.Add(-72*time.Hour))},
			{"signed part inside", "From: " + abroad + "\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nDa tiep nhan, so den 6\n--m\n" +
				good[strings.Index(good, "Content-Type:"):] + "\n--m--\n"},
		} {
			h.submit(t, abroad, "", to, c.mail)
			if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Handling != "" || d.Happened(exchange.EventSigned) {
				t.Errorf("%s: %s", c.name, d.Handling)
			}
		}
		h.submit(t, abroad, "", to, good)
		got := copyTo(t, h.status(t, st.Document.ID), "bo")
		if got.Handling != exchange.Accepted || got.Transport != exchange.Delivered || got.ArrivalNumber != "45" || !got.Happened(exchange.EventSigned) {
			t.Errorf("signed reply: %s %s %q %+v", got.Transport, got.Handling, got.ArrivalNumber, got.Events)
		}
	})
}

// A reply counts, too, when the recipient's domain stands behind it (DMARC) and it was written to this copy.
func TestAlignedReplyFromOutsideCounts(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("72/SNV-VP", "Bộ Thử=bo"))
		d := copyTo(t, st, "bo")
		token := mailcore.Address(exchange.ReplyMailbox + "+" + d.Dispatch.Token() + "@" + domain)
		mail := func(to mailcore.Address) string {
			return "From: " + abroad + "\nTo: Văn thư <" + string(to) + ">\nSubject: Re\nContent-Type: text/plain; charset=utf-8\n\nĐã tiếp nhận, số đến 46\n"
		}
		for _, c := range []struct {
			name string
			from mailcore.Address
			mail string
		}{
			{"nobody vouches", "", mail(token)},
			{"another address", "khac@bo.test", mail(token)},
			{"written to another token", abroad, mail("traloi+abcdef@" + domain)},
			{"written to nobody", abroad, "From: " + abroad + "\n\nĐã tiếp nhận, số đến 46\n"},
			{"no act in it", abroad, strings.Replace(mail(token), "Đã tiếp nhận, số đến 46", "Xin hỏi về văn bản", 1)},
			{"unreadable list of people", abroad, strings.Replace(mail(token), "To: Văn thư <", "To: <<", 1)},
		} {
			h.arrive(t, c.mail, mailcore.Arrival{Sender: abroad, Rcpt: token, Remote: "192.0.2.1", From: c.from})
			if d := copyTo(t, h.status(t, st.Document.ID), "bo"); d.Handling != "" {
				t.Errorf("%s: %s", c.name, d.Handling)
			}
		}
		h.arrive(t, mail(token), mailcore.Arrival{Sender: abroad, Rcpt: token, Remote: "192.0.2.1", From: abroad})
		got := copyTo(t, h.status(t, st.Document.ID), "bo")
		if got.Handling != exchange.Accepted || got.ArrivalNumber != "46" || !got.Happened(exchange.EventAligned) {
			t.Errorf("aligned reply: %s %q %+v", got.Handling, got.ArrivalNumber, got.Events)
		}
	})
}

// A document is signed once, whatever the number of copies, and a copy that comes back is the same one.
func TestCopiesAreSignedOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		k := h.withMail(t)
		h.issue(t, proposal("72/SNV-VP", "Các sở=stc syt"))
		bodies := map[string]bool{}
		for _, unit := range []string{"stc", "syt"} {
			bodies[h.onlyMail(t, unit, k)] = true
		}
		if len(bodies) != 1 {
			t.Errorf("%d bodies", len(bodies))
		}
	})
}

// onlyMail verifies the one mail of a unit and returns its digest.
func (h *house) onlyMail(t testing.TB, unit string, k *mailKeys) string {
	t.Helper()
	_, box, rows := h.inbox(t, unit)
	if len(rows) != 1 {
		t.Fatalf("%s has %d mails", unit, len(rows))
	}
	stored, err := h.mail.Load(context.Background(), box.ID, []mailcore.UID{rows[0].UID})
	if err != nil || len(stored) != 1 {
		t.Fatal(err)
	}
	f, err := h.mail.Blobs().Open(stored[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := signing.VerifyMail(f, signing.MailOptions{Roots: k.roots})
	if err != nil || r.Status != signing.Valid || r.From != "snv@"+domain {
		t.Errorf("%s: %+v, %v", unit, r, err)
	}
	return string(stored[0].Digest)
}
