package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// dnsServer answers from a zone file, and "no such name" for the rest.
func dnsServer(t *testing.T, zone string) (address string, set func(zone string)) {
	t.Helper()
	records := map[string][]dns.RR{}
	set = func(zone string) {
		clear(records)
		p := dns.NewZoneParser(strings.NewReader(zone), ".", "")
		for rr, ok := p.Next(); ok; rr, ok = p.Next() {
			name := strings.ToLower(rr.Header().Name)
			records[name] = append(records[name], rr)
		}
		if err := p.Err(); err != nil {
			t.Fatalf("what congvan dns prints is no zone file: %v\n%s", err, zone)
		}
	}
	set(zone)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", conn.LocalAddr().String()) // long answers come over TCP
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		found := records[strings.ToLower(q.Question[0].Name)]
		for _, rr := range found {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			} else if alias, ok := rr.(*dns.CNAME); ok {
				m.Answer = append(m.Answer, rr)
				for _, rr := range records[strings.ToLower(alias.Target)] {
					if rr.Header().Rrtype == q.Question[0].Qtype {
						m.Answer = append(m.Answer, rr)
					}
				}
			}
		}
		if len(found) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		if w.LocalAddr().Network() == "udp" {
			m.Truncate(dns.MinMsgSize)
		}
		w.WriteMsg(m)
	})
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: handler}, {Listener: listener, Handler: handler}} {
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	return conn.LocalAddr().String(), set
}

// What congvan prints, put into a zone as it is, is what congvan finds right; and each record that is missing or other is named.
func TestDNSRecordsArePrintedAndChecked(t *testing.T) {
	dir := t.TempDir()
	command := func(want int, args ...string) string {
		t.Helper()
		var out, errOut strings.Builder
		if code := run(t.Context(), append(args, "--data", dir), strings.NewReader(""), &out, &errOut); code != want {
			t.Fatalf("congvan %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errOut.String())
		}
		return out.String()
	}
	command(0, "init", "--domain", "tinh.test")
	zone := command(0, "dns", "--address", "203.0.113.5")
	if again := command(0, "dns", "--address", "203.0.113.5"); again != zone {
		t.Errorf("a second run prints other records: a new key?\n%s", again)
	}
	address, set := dnsServer(t, zone)
	path := dir + "/" + configFile
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `server = ""`, `server = "`+address+`"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := command(0, "dns", "--check", "--address", "203.0.113.5"); strings.Contains(out, "KHÁC") || strings.Contains(out, "CHƯA") || !strings.Contains(out, "đúng") {
		t.Errorf("own records are not right:\n%s", out)
	}
	for _, c := range []struct {
		old, new, want string
		code           int
	}{
		{"v=spf1 mx -all", "v=spf1 include:khac.test -all", "tinh.test TXT", 1},
		{"v=spf1 mx -all", "v=spf1 mx ip4:203.0.113.9 ~all", "", 0},
		{"p=quarantine", "p=none", "_dmarc.tinh.test TXT", 1},
		{"p=quarantine", "p=reject", "", 0},
		{"10 mail.tinh.test.", "20 mail.tinh.test.", "", 0},
		{"10 mail.tinh.test.", "10 mail.khac.test.", "tinh.test MX", 1},
		{"203.0.113.5", "203.0.113.6", "mail.tinh.test A", 1},
		{"p=MII", "p=MIJ", "congvan._domainkey.tinh.test TXT", 1},
		{"0 1 2143 mail.tinh.test.", "0 1 143 mail.tinh.test.", "_imap._tcp.tinh.test SRV", 0},
		{"autoconfig.tinh.test.\t3600\tIN\tCNAME\tmail.tinh.test.", "autoconfig.tinh.test.\t3600\tIN\tA\t203.0.113.5", "", 0},
		{"autoconfig.tinh.test.\t3600\tIN\tCNAME\tmail.tinh.test.", "autoconfig.tinh.test.\t3600\tIN\tA\t203.0.113.7", "autoconfig.tinh.test CNAME", 0},
		{"autodiscover.tinh.test.\t3600\tIN\tCNAME\tmail.tinh.test.", "autodiscover.tinh.test.\t3600\tIN\tCNAME\ttinh.test.", "autodiscover.tinh.test CNAME", 0},
		{"0 1 443 mail.tinh.test.", "0 1 2443 mail.tinh.test.", "_autodiscover._tcp.tinh.test SRV", 0},
		{"_smtp._tls.tinh.test.", "x.tinh.test.", "CHƯA CÓ", 0},
		{"congvan._domainkey.tinh.test.", "x.tinh.test.", "CHƯA CÓ", 1},
	} {
		if !strings.Contains(zone, c.old) {
			t.Fatalf("%q does not stand in\n%s", c.old, zone)
		}
		set(strings.Replace(zone, c.old, c.new, 1))
		if out := command(c.code, "dns", "--check", "--address", "203.0.113.5"); !strings.Contains(out, c.want) || c.want == "" && strings.Contains(out, "KHÁC") {
			t.Errorf("%s for %s: want %q in\n%s", c.new, c.old, c.want, out)
		}
	}
	set("")
	if out := command(1, "dns", "--check", "--json"); !strings.Contains(out, `"state":"missing"`) {
		t.Errorf("nothing published:\n%s", out)
	}
	if out := command(1, "dns", "--address", "xyz"); out != "" {
		t.Errorf("printed %s", out)
	}
}
