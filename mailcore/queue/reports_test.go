package queue_test

import (
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
	"congvan/mailcore/sqldb"
)

// reports reads what came back to the sender.
func (h *house) reports() (out []*dsn.Report, texts []string) {
	h.t.Helper()
	texts = h.inbox()
	for _, text := range texts {
		rep, err := dsn.Parse(strings.NewReader(text))
		if err != nil {
			h.t.Fatalf("%v in\n%s", err, text)
		}
		out = append(out, rep)
	}
	return out, texts
}

// age makes every row as old as if so much time had passed.
func (h *house) age(d time.Duration) {
	h.t.Helper()
	err := h.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET created_at = created_at - $1, expires_at = expires_at - $1`, d.Microseconds())
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestDelayIsToldOnce(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "450 4.2.2 mailbox full"})
		stop := h.run(func(o *queue.Options) {
			to(p)(o)
			o.Backoff, o.FlashBackoff = []time.Duration{10 * time.Millisecond}, []time.Duration{10 * time.Millisecond}
		})
		ids := h.enqueue(mailcore.Outgoing{EnvID: "usual", Wishes: mailcore.Wishes{Original: "rfc822;Van.Thu@bo.test"}}, mailcore.Outgoing{EnvID: "flash", Urgency: queue.Flash},
			mailcore.Outgoing{EnvID: "never", Wishes: mailcore.Wishes{Notify: "NEVER"}}, mailcore.Outgoing{EnvID: "failure", Wishes: mailcore.Wishes{Notify: "FAILURE"}},
			mailcore.Outgoing{EnvID: "document", Ref: "dispatch:1"}, mailcore.Outgoing{EnvID: "null", Sender: "null@x"})
		tried := func(more int) {
			t.Helper()
			for _, id := range ids {
				want := h.state(id).Attempts + more
				for deadline := time.Now().Add(2 * time.Minute); h.state(id).Attempts < want; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("row %d is not tried again: %+v", id, h.state(id))
					}
				}
			}
		}
		told := func(want string) {
			t.Helper()
			got, _ := h.reports()
			var names []string
			for _, r := range got {
				names = append(names, r.EnvID)
			}
			if strings.Join(names, " ") != want {
				t.Errorf("told of %q, want %q", names, want)
			}
		}
		tried(2)
		told("")
		h.age(6 * time.Minute)
		tried(3)
		told("flash")
		h.age(2 * time.Hour)
		tried(3)
		told("flash usual")
		stop()
		reports, texts := h.reports()
		r := reports[1].Recipients[0]
		if r.Action != dsn.Delayed || r.Status != "4.2.2" || r.Original != "rfc822;Van.Thu@bo.test" || time.Until(r.RetryUntil) < 21*time.Hour {
			t.Errorf("%+v", r)
		}
		for _, want := range []string{"Thư sau đây chưa gửi được đến:", "hộp thư của người nhận đã đầy (4.2.2)", "Hệ thống còn thử đến", "has not been delivered yet"} {
			if !strings.Contains(texts[1], want) {
				t.Errorf("the report lacks %q:\n%s", want, texts[1])
			}
		}
	})
}

// A mail that waits long is tried once more when its sender is to be told, not hours after.
func TestTriesDoNotLeapOverTheWarning(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "450 4.2.2 mailbox full"})
	h.run(func(o *queue.Options) { to(p)(o); o.Backoff = []time.Duration{5 * time.Hour} })
	s := h.await(h.enqueue(mailcore.Outgoing{})[0], "queued")
	if wait := time.Until(time.UnixMicro(s.NextAt)); wait < 119*time.Minute || wait > 2*time.Hour {
		t.Errorf("tried again in %v", wait)
	}
}

func TestFailureIsToldAsTheSenderWished(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "550 5.1.1 no such user"})
		stop := h.run(to(p))
		ids := h.enqueue(mailcore.Outgoing{EnvID: "never", Wishes: mailcore.Wishes{Notify: "NEVER"}}, mailcore.Outgoing{EnvID: "delay", Wishes: mailcore.Wishes{Notify: "SUCCESS,DELAY"}},
			mailcore.Outgoing{EnvID: "failure", Wishes: mailcore.Wishes{Notify: "FAILURE", Ret: "HDRS"}}, mailcore.Outgoing{EnvID: "full", Wishes: mailcore.Wishes{Notify: "SUCCESS,FAILURE", Ret: "FULL"}})
		for _, id := range ids {
			h.await(id, "failed")
		}
		stop()
		reports, texts := h.reports()
		if len(reports) != 2 {
			t.Fatalf("%d reports", len(reports))
		}
		for i, r := range reports {
			if whole := strings.Contains(texts[i], "một dòng"); whole != (r.EnvID == "full") || r.MessageID != "m1@kontum.test" {
				t.Errorf("%s: the mail comes back whole: %v\n%s", r.EnvID, whole, texts[i])
			}
		}
	})
}

// Wishes travel to a server that offers DSN; for one that does not, we say that the mail was passed on (RFC 3461 §5.2).
func TestWishesAreCarriedOrHonoured(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		wishes := []mailcore.Wishes{{}, {Notify: "NEVER"}, {Notify: "SUCCESS", Ret: "FULL", Original: "rfc822;Ban Dau+1@bo.test"},
			{Notify: "SUCCESS,FAILURE,DELAY", Original: "utf-8;vănthư@bo.test"}, {Notify: "FAILURE,DELAY", Ret: "HDRS"}}
		send := func(p *mailtest.Peer) []mailtest.PeerMail {
			t.Helper()
			stop := h.run(func(o *queue.Options) { to(p)(o); o.PerDomain = 1 })
			defer stop()
			out := make([]mailcore.Outgoing, len(wishes))
			for i, w := range wishes {
				out[i] = mailcore.Outgoing{EnvID: "e+1", Wishes: w}
			}
			for _, id := range h.enqueue(out...) {
				h.await(id, "sent")
			}
			return p.Mails()
		}
		want := []string{"NOTIFY=FAILURE,DELAY ORCPT=rfc822;vanthu@bo.test RET=HDRS", "NOTIFY=NEVER ORCPT=rfc822;vanthu@bo.test RET=HDRS",
			"NOTIFY=SUCCESS ORCPT=rfc822;Ban+20Dau+2B1@bo.test RET=FULL", `NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=utf-8;v\x{103}nth\x{1B0}@bo.test RET=HDRS`,
			"NOTIFY=FAILURE,DELAY ORCPT=rfc822;vanthu@bo.test RET=HDRS"}
		for i, m := range send(mailtest.NewPeer(t, mailtest.PeerScript{})) {
			words := strings.Fields(want[i])
			if got := m.RcptArgs[0]; got != words[0]+" "+words[1] || !strings.Contains(m.MailArgs, words[2]+" ENVID=e+2B1") {
				t.Errorf("%+v: %q %q", wishes[i], m.MailArgs, got)
			}
		}
		if reports, _ := h.reports(); len(reports) != 0 {
			t.Errorf("%d reports by us while the other server tells", len(reports))
		}
		for _, m := range send(mailtest.NewPeer(t, mailtest.PeerScript{Without: []string{"DSN"}})) {
			if strings.Contains(m.MailArgs+strings.Join(m.RcptArgs, ""), "NOTIFY") || strings.Contains(m.MailArgs, "RET=") {
				t.Errorf("asked a server that offers no DSN: %q %q", m.MailArgs, m.RcptArgs)
			}
		}
		reports, texts := h.reports()
		if len(reports) != 2 {
			t.Fatalf("%d reports, want two: SUCCESS was wished twice", len(reports))
		}
		for i, r := range reports {
			if r.Recipients[0].Action != dsn.Relayed || r.Recipients[0].Status != "2.0.0" || !strings.Contains(texts[i], "đã được chuyển sang hệ thống thư khác") {
				t.Errorf("%+v\n%s", r.Recipients[0], texts[i])
			}
		}
	})
}
