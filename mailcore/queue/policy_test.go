package queue_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/dsn"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
	"congvan/mailcore/sqldb"
)

func TestLoopbackOnlyRefusesBeforeDNS(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		stop := h.run(func(o *queue.Options) {
			o.Routes = map[string]string{"so.test": "192.0.2.1:25", "ten.test": "mail.vnpt.test:25", "sau.test": "[2001:db8::1]:25", "xau.test": "khong-co-cong"}
		})
		for _, rcpt := range []mailcore.Address{"x@gmail.test", "x@so.test", "x@ten.test", "x@sau.test"} {
			id := h.enqueue(mailcore.Outgoing{Rcpt: rcpt})[0]
			if s := h.await(id, "failed"); s.Enhanced != "5.7.1" || s.Phase != "connect" || !strings.Contains(s.Dialogue, "demonstration") {
				t.Errorf("%s: %+v", rcpt, s)
			}
		}
		id := h.enqueue(mailcore.Outgoing{Rcpt: "x@xau.test"})[0]
		h.await(id, "queued")
		stop()
		reports := h.inbox()
		if len(reports) != 4 {
			t.Fatalf("%d reports to the sender", len(reports))
		}
		if !strings.Contains(reports[0], "chế độ trình diễn") {
			t.Errorf("the sender is not told why: %s", reports[0])
		}
	})
}

func TestLoopbackRoutesPass(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{})
	h.run(func(o *queue.Options) { o.SmartHost = strings.Replace(p.Addr, "127.0.0.1", "localhost", 1) })
	h.await(h.enqueue(mailcore.Outgoing{Rcpt: "x@bat-ky.test"})[0], "sent")
}

func TestTLS(t *testing.T) {
	server, roots := mailtest.ServerTLS(t)
	_, others := mailtest.ServerTLS(t)
	broken := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}
	cases := []struct {
		name   string
		mode   queue.TLSMode
		peer   mailtest.PeerScript
		client *tls.Config
		state  string
		tls    bool
	}{
		{"opportunistic, offered", queue.Opportunistic, mailtest.PeerScript{TLS: server}, nil, "sent", true},
		{"opportunistic, not offered", queue.Opportunistic, mailtest.PeerScript{}, nil, "sent", false},
		{"opportunistic, broken", queue.Opportunistic, mailtest.PeerScript{TLS: broken}, nil, "sent", false},
		{"opportunistic, refused", queue.Opportunistic, mailtest.PeerScript{TLS: server, StartTLS: "454 4.7.0 not now"}, nil, "sent", false},
		{"required, offered", queue.Required, mailtest.PeerScript{TLS: server}, nil, "sent", true},
		{"required, not offered", queue.Required, mailtest.PeerScript{}, nil, "queued", false},
		{"required, broken", queue.Required, mailtest.PeerScript{TLS: broken}, nil, "queued", false},
		{"verified", queue.Verified, mailtest.PeerScript{TLS: server}, &tls.Config{RootCAs: roots}, "sent", true},
		{"verified, stranger", queue.Verified, mailtest.PeerScript{TLS: server}, &tls.Config{RootCAs: others}, "queued", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := onSQLite(t)
			p := mailtest.NewPeer(t, c.peer)
			stop := h.run(func(o *queue.Options) {
				o.Routes = map[string]string{"bo.test": strings.Replace(p.Addr, "127.0.0.1", "localhost", 1)}
				o.TLSModes, o.TLS = map[string]queue.TLSMode{"bo.test": c.mode}, c.client
			})
			s := h.await(h.enqueue(mailcore.Outgoing{Ref: "r"})[0], c.state)
			stop()
			if c.state == "queued" && s.Phase != "starttls" {
				t.Errorf("%+v", s)
			}
			if m := p.Mails(); c.state == "sent" && (len(m) != 1 || m[0].TLS != c.tls) {
				t.Errorf("mails %+v", m)
			} else if c.state != "sent" && len(m) != 0 {
				t.Error("it went out in the clear")
			}
		})
	}
}

func TestWhatTheServerCannotTakeFails(t *testing.T) {
	cases := []struct {
		name, without, enhanced string
		out                     mailcore.Outgoing
	}{
		{"address that is not ASCII", "SMTPUTF8", "5.6.7", mailcore.Outgoing{Rcpt: "vănthư@bo.test"}},
		{"8-bit body", "8BITMIME", "5.6.3", mailcore.Outgoing{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := onSQLite(t)
			p := mailtest.NewPeer(t, mailtest.PeerScript{Without: []string{c.without}})
			h.run(to(p))
			c.out.Ref = "r"
			if s := h.await(h.enqueue(c.out)[0], "failed"); s.Enhanced != c.enhanced || s.Phase != "mail" {
				t.Errorf("%+v", s)
			}
			for _, l := range p.Lines() {
				if strings.HasPrefix(l, "MAIL") {
					t.Errorf("the peer got %q", l)
				}
			}
		})
	}
}

func TestSizeLimitOfThePeer(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{Ehlo: "250 peer.test\n250 SIZE 50"})
	h.run(to(p))
	if s := h.await(h.enqueue(mailcore.Outgoing{Ref: "r"})[0], "failed"); s.Enhanced != "5.3.4" {
		t.Errorf("%+v", s)
	}
}

func TestExtensionsAreUsedWhenOfferedAndNeeded(t *testing.T) {
	cases := []struct {
		name           string
		without        []string
		header         string
		out            mailcore.Outgoing
		with, not      string
		rcptWith, plus string
	}{
		{"ASCII header", nil, "Subject: x\r\n\r\nđ\r\n", mailcore.Outgoing{}, "BODY=8BITMIME", "SMTPUTF8", "NOTIFY=FAILURE,DELAY", ""},
		{"UTF-8 header", nil, "Subject: Báo cáo\r\n\r\nx\r\n", mailcore.Outgoing{}, "SMTPUTF8", "", "", ""},
		{"UTF-8 header, not offered", []string{"SMTPUTF8"}, "Subject: Báo cáo\r\n\r\nx\r\n", mailcore.Outgoing{}, "", "SMTPUTF8", "", ""},
		{"UTF-8 address", nil, "Subject: x\r\n\r\nx\r\n", mailcore.Outgoing{Rcpt: "vănthư@bo.test"}, "SMTPUTF8", "", `ORCPT=utf-8;v\x{103}nth\x{1B0}@bo.test`, ""},
		{"no DSN", []string{"DSN"}, "Subject: x\r\n\r\nx\r\n", mailcore.Outgoing{}, "", "ENVID", "", "NOTIFY"},
		{"no SIZE", []string{"SIZE"}, "Subject: x\r\n\r\nx\r\n", mailcore.Outgoing{}, "", "SIZE", "", ""},
		{"a bounce", nil, "Subject: x\r\n\r\nx\r\n", mailcore.Outgoing{Sender: "null@x"}, "", "", "NOTIFY=NEVER", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := onSQLite(t)
			h.body = h.save(c.header)
			p := mailtest.NewPeer(t, mailtest.PeerScript{Without: c.without})
			h.run(to(p))
			h.enqueue(c.out)
			m := p.WaitMails(t, 1)[0]
			if !strings.Contains(m.MailArgs, c.with) || c.not != "" && strings.Contains(m.MailArgs, c.not) {
				t.Errorf("MAIL %q", m.MailArgs)
			}
			if !strings.Contains(m.RcptArgs[0], c.rcptWith) || c.plus != "" && strings.Contains(m.RcptArgs[0], c.plus) {
				t.Errorf("RCPT %q", m.RcptArgs[0])
			}
		})
	}
}

func TestFailureIsReportedToTheSender(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "550 5.1.1 no such user here"})
		stop := h.run(to(p))
		ids := h.enqueue(mailcore.Outgoing{EnvID: "e1"}, mailcore.Outgoing{Ref: "dispatch:1"}, mailcore.Outgoing{Sender: "null@x"}, mailcore.Outgoing{Sender: "ai@kontum.test"})
		for _, id := range ids {
			h.await(id, "failed")
		}
		stop()
		reports := h.inbox()
		if len(reports) != 1 {
			t.Fatalf("%d reports, want one: not for documents, bounces and strangers", len(reports))
		}
		text := reports[0]
		for _, want := range []string{"Kính gửi a1@kontum.test", "địa chỉ không tồn tại (5.1.1)", "550 5.1.1 no such user here", "could not be delivered",
			"Trích yếu/tiêu đề thư gốc: Báo cáo", "X-Prefix: 1", "Message-ID: <m1@kontum.test>", "Auto-Submitted: auto-replied"} {
			if !strings.Contains(text, want) {
				t.Errorf("the report lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, "một dòng") {
			t.Error("the report returns the body")
		}
		if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
			t.Error("the report has bare line feeds")
		}
		rep, err := dsn.Parse(strings.NewReader(text))
		if err != nil || rep.EnvID != "e1" || rep.MessageID != "m1@kontum.test" || len(rep.Recipients) != 1 || rep.Recipients[0].Action != dsn.Failed ||
			rep.Recipients[0].Status != "5.1.1" || rep.Recipients[0].Final != "vanthu@bo.test" {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}

func TestLifeOver(t *testing.T) {
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "450 4.2.2 mailbox full"})
		stop := h.run(func(o *queue.Options) { to(p)(o); o.Backoff = []time.Duration{time.Hour} })
		id := h.enqueue(mailcore.Outgoing{Life: 8 * time.Second})[0]
		s := h.await(id, "failed")
		stop()
		if s.Enhanced != "4.4.7" || s.Attempts != 2 || !strings.Contains(s.Dialogue, "its time is over") {
			t.Errorf("%+v", s)
		}
		if r := h.inbox(); len(r) != 1 || !strings.Contains(r[0], "đã hết thời hạn gửi") {
			t.Errorf("reports %q", r)
		}
	})
}

func TestBackoffGrows(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{Mail: "451 4.3.0 later"})
	h.run(func(o *queue.Options) {
		to(p)(o)
		o.Backoff = []time.Duration{30 * time.Millisecond, time.Hour}
		o.FlashBackoff = []time.Duration{4 * time.Minute}
	})
	ids := h.enqueue(mailcore.Outgoing{}, mailcore.Outgoing{Urgency: queue.Flash})
	deadline := time.Now().Add(2 * time.Minute)
	for h.state(ids[0]).Attempts < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	for i, want := range []time.Duration{time.Hour, 4 * time.Minute} {
		s := h.await(ids[i], "queued")
		if wait := time.Until(time.UnixMicro(s.NextAt)); wait > want || wait < want-3*time.Minute {
			t.Errorf("row %d is tried again in %v, want %v", i, wait, want)
		}
	}
}

func TestLostBodyIsLaterAndDelaysNoOther(t *testing.T) {
	h := onSQLite(t)
	p := mailtest.NewPeer(t, mailtest.PeerScript{})
	lost := h.save("Subject: lost\r\n\r\nx\r\n")
	kept := h.body
	h.body = lost
	id := h.enqueue(mailcore.Outgoing{Ref: "r"})[0]
	if err := h.store.Blobs().Remove(lost.Digest); err != nil {
		t.Fatal(err)
	}
	h.body = kept
	other := h.enqueue(mailcore.Outgoing{})[0]
	h.run(to(p))
	h.await(other, "sent")
	if s := h.await(id, "queued"); s.Enhanced != "4.3.0" {
		t.Errorf("%+v", s)
	}
}

func TestFailureStaysOpenUntilItIsReported(t *testing.T) {
	h := onSQLite(t)
	rename := func(from, to string) { // a mailbox that takes nothing for a while
		t.Helper()
		err := h.db.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE mailbox SET name = $1 WHERE name = $2`, to, from)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p := mailtest.NewPeer(t, mailtest.PeerScript{Rcpt: "550 5.1.1 no"})
	id := h.enqueue(mailcore.Outgoing{})[0]
	rename("INBOX", "away")
	h.run(func(o *queue.Options) { to(p)(o); o.Backoff = []time.Duration{200 * time.Millisecond} })
	if s := h.await(id, "queued"); s.Code != 550 || s.Outcome != "later" {
		t.Errorf("%+v", s)
	}
	rename("away", "INBOX")
	h.await(id, "failed")
	if n := len(h.inbox()); n != 1 {
		t.Errorf("%d reports", n)
	}
}
