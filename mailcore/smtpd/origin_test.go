package smtpd_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailauth"
	"congvan/mailcore/smtpd"
)

// texts is a DNS that has TXT records only.
type texts map[string]string

func (z texts) LookupTXT(_ context.Context, name string) ([]string, error) {
	if text, ok := z[strings.TrimSuffix(name, ".")]; ok {
		return []string{text}, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z texts) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z texts) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z texts) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

// folder returns the copies in a mailbox of an account.
func (h *house) folder(t *testing.T, address mailcore.Address, name string) []mailcore.Stored {
	t.Helper()
	a, err := h.store.Account(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	m, err := h.store.Mailbox(ctx, a.ID, name)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.store.Rows(ctx, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var uids []mailcore.UID
	for _, r := range rows {
		uids = append(uids, r.UID)
	}
	if len(uids) == 0 {
		return nil
	}
	stored, err := h.store.Load(ctx, m.ID, uids)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestForgedMailGoesToJunkAndHonestMailIsVouchedFor(t *testing.T) {
	zone := texts{"that.test": "v=spf1 ip4:127.0.0.0/8 -all", "_dmarc.that.test": "v=DMARC1; p=reject",
		"gia.test": "v=spf1 ip4:192.0.2.1 -all", "_dmarc.gia.test": "v=DMARC1; p=quarantine", "mo.test": "v=spf1 -all", "_dmarc.mo.test": "v=DMARC1; p=none"}
	check := func(o *smtpd.Options) { o.Origin = &mailauth.Checker{Resolver: zone, Hostname: "mail." + domain} }
	forEach(t, 1, check, func(t *testing.T, h *house) {
		for _, from := range []string{"a@that.test", "a@gia.test", "a@mo.test"} {
			c := call(t, h.mx)
			c.do("EHLO x", "250")
			c.do("MAIL FROM:<"+from+">", "250")
			c.do("RCPT TO:<a1@kontum.test>", "250")
			c.do("DATA", "354")
			c.send("Authentication-Results: mail.kontum.test;\r\n\tdmarc=pass header.from=x\r\nAuthentication-Results: bo.test; spf=pass\r\nFrom: " + from +
				"\r\nSubject: x\r\n\r\nx\r\n.\r\n")
			c.expect("250 2.0.0 OK")
		}
		in, junk := h.folder(t, "a1@kontum.test", "INBOX"), h.folder(t, "a1@kontum.test", "Thư rác")
		if len(in) != 2 || len(junk) != 1 {
			t.Fatalf("%d in INBOX, %d in junk", len(in), len(junk))
		}
		for _, c := range []struct {
			copy mailcore.Stored
			want string
		}{{in[0], "dmarc=pass header.from=that.test"}, {junk[0], "dmarc=fail header.from=gia.test"}, {in[1], "dmarc=fail header.from=mo.test"}} {
			head := string(c.copy.Prefix)
			body := h.bytes(t, c.copy.Digest)
			if !strings.HasPrefix(head, "Authentication-Results: mail.kontum.test;") || !strings.Contains(head, c.want) {
				t.Errorf("prefix %q", head)
			}
			if strings.Contains(body, "mail.kontum.test") || !strings.HasPrefix(body, "Authentication-Results: bo.test; spf=pass\r\nFrom: ") {
				t.Errorf("body %q", body)
			}
		}
		var vouched []mailcore.Address
		for _, a := range h.arrivals(t) {
			vouched = append(vouched, a.From)
		}
		if len(vouched) != 3 || vouched[0] != "a@that.test" || vouched[1] != "" || vouched[2] != "" {
			t.Errorf("arrivals vouch for %q", vouched)
		}
	})
}

func TestRelaysOfTheHouseAreNotAsked(t *testing.T) {
	asked := func(o *smtpd.Options) {
		o.Origin = &mailauth.Checker{Resolver: texts{}, Hostname: "mail." + domain}
		o.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	h := onSQLite(t, 1, asked)
	c := call(t, h.mx)
	c.do("EHLO x", "250")
	c.do("MAIL FROM:<a@that.test>", "250")
	c.do("RCPT TO:<a1@kontum.test>", "250")
	c.do("DATA", "354")
	c.send("From: a@that.test\r\n\r\nx\r\n.\r\n")
	c.expect("250 2.0.0 OK")
	if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 1 || !strings.HasPrefix(string(rows[0].Prefix), "Return-Path:") {
		t.Errorf("%+v", rows)
	}
}
