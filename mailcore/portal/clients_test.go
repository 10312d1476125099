package portal_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"
	"congvan/mailcore/portal"
)

// visitor sends one request to the pages over TLS, without cookies.
func (h *house) visitor(method, path, body string) (int, string) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.srv.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestThunderbirdFindsItsSettings(t *testing.T) {
	forEach(t, func(h *house) {
		type server struct {
			Type     string `xml:"type,attr"`
			Host     string `xml:"hostname"`
			Port     int    `xml:"port"`
			Socket   string `xml:"socketType"`
			Auth     string `xml:"authentication"`
			Username string `xml:"username"`
		}
		for _, path := range []string{"/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"} {
			for _, query := range []string{"", "?emailaddress=an.snv%40kontum.test", "?emailaddress=khong.co@KONTUM.test"} {
				status, text := h.visitor("GET", path+query, "")
				var got struct {
					XMLName  xml.Name `xml:"clientConfig"`
					Version  string   `xml:"version,attr"`
					Domain   string   `xml:"emailProvider>domain"`
					Incoming []server `xml:"emailProvider>incomingServer"`
					Outgoing []server `xml:"emailProvider>outgoingServer"`
				}
				if err := xml.Unmarshal([]byte(text), &got); status != 200 || err != nil {
					t.Fatalf("%s: %d, %v\n%s", path+query, status, err, text)
				}
				want := []server{{"imap", "mail.kontum.test", 993, "SSL", "password-cleartext", "%EMAILADDRESS%"},
					{"imap", "mail.kontum.test", 143, "STARTTLS", "password-cleartext", "%EMAILADDRESS%"}}
				if got.Version != "1.1" || got.Domain != "kontum.test" || len(got.Incoming) != 2 || got.Incoming[0] != want[0] || got.Incoming[1] != want[1] {
					t.Errorf("incoming: %+v", got)
				}
				if len(got.Outgoing) != 1 || got.Outgoing[0] != (server{"smtp", "mail.kontum.test", 587, "STARTTLS", "password-cleartext", "%EMAILADDRESS%"}) {
					t.Errorf("outgoing: %+v", got.Outgoing)
				}
			}
			for _, query := range []string{"?emailaddress=an@khac.test", "?emailaddress=%00<x>", "?emailaddress=kontum.test"} {
				if status, text := h.visitor("GET", path+query, ""); status != 404 {
					t.Errorf("%s: %d\n%s", query, status, text)
				}
			}
		}
	})
}

// ask is Outlook's question for an address.
func ask(address string) string {
	return `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">` +
		`<Request><EMailAddress>` + address + `</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a` +
		`</AcceptableResponseSchema></Request></Autodiscover>`
}

func TestOutlookFindsItsSettings(t *testing.T) {
	forEach(t, func(h *house) {
		for _, path := range portal.ClientPaths[2:] {
			status, text := h.visitor("POST", path, ask("An.SNV@kontum.test"))
			var got struct {
				XMLName   xml.Name `xml:"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006 Autodiscover"`
				Action    string   `xml:"Response>Account>Action"`
				Protocols []struct {
					Type, Server, LoginName, SSL, Encryption, SPA string
					Port                                          int
				} `xml:"Response>Account>Protocol"`
			}
			if err := xml.Unmarshal([]byte(text), &got); status != 200 || err != nil || got.Action != "settings" || len(got.Protocols) != 2 {
				t.Fatalf("%s: %d, %v, %+v\n%s", path, status, err, got, text)
			}
			if p := got.Protocols[0]; p.Type != "IMAP" || p.Server != "mail.kontum.test" || p.Port != 993 || p.LoginName != address || p.SSL != "on" || p.Encryption != "SSL" {
				t.Errorf("%+v", p)
			}
			if p := got.Protocols[1]; p.Type != "SMTP" || p.Port != 587 || p.Encryption != "TLS" || p.SPA != "off" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// What is no question, or none that we can answer, gets an error of the protocol, and bounded work.
func TestOutlookIsRefusedInItsOwnWords(t *testing.T) {
	forEach(t, func(h *house) {
		bomb := `<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;"><!ENTITY d SYSTEM "file:///etc/passwd">]>`
		for _, c := range []struct {
			name       string
			body, code string
		}{
			{"empty", "", "600"},
			{"no XML", "{}", "600"},
			{"cut", ask(address)[:200], "600"},
			{"entities", bomb + ask("&c;@kontum.test"), "600"},
			{"file", bomb + ask("&d;"), "600"},
			{"deep", strings.Repeat("<a>", 5000), "600"},
			{"long", ask(strings.Repeat("a", 1<<20) + "@kontum.test"), "600"},
			{"UTF-16", strings.Replace(ask(address), "utf-8", "utf-16", 1), "600"},
			{"other root", strings.ReplaceAll(ask(address), "Autodiscover", "Envelope"), "600"},
			{"ActiveSync", strings.Replace(ask(address), "outlook/responseschema/2006a", "mobilesync/responseschema/2006", 1), "601"},
			{"other domain", ask("an@khac.test"), "500"},
			{"no address", ask("an"), "500"},
			{"tags injected", ask("&lt;/LoginName&gt;@kontum.test"), "500"},
		} {
			if status, text := h.visitor("POST", "/autodiscover/autodiscover.xml", c.body); status != 200 || !strings.Contains(text, "<ErrorCode>"+c.code+"</ErrorCode>") {
				t.Errorf("%s: %d\n%s", c.name, status, text)
			}
		}
		if _, text := h.visitor("GET", "/autodiscover/autodiscover.xml", ""); !strings.Contains(text, "<ErrorCode>600</ErrorCode>") {
			t.Errorf("GET: %s", text)
		}
		if _, text := h.visitor("POST", "/autodiscover/autodiscover.xml", ask(url.QueryEscape("a&b")+"'x@kontum.test")); strings.Contains(text, "'x@") {
			t.Errorf("unescaped: %s", text)
		}
	})
}

func TestAppleProfileIsForWhoIsSignedIn(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		b.get("/account/profile.mobileconfig")
		b.want(200, "/account/login", "Đăng nhập")
		b.login(issued)
		b.get("/account/profile.mobileconfig")
		b.want(200, "/account/password") // not before the password is one's own
		b.post("/account/password", "current", issued, "next", chosen, "again", chosen)
		b.want(200, "/account", "tải hồ sơ cài đặt", "mail.kontum.test, cổng 993, SSL/TLS", "mail.kontum.test, cổng 587, STARTTLS",
			"mail.kontum.test, cổng 636, SSL/TLS, gốc tìm kiếm dc=kontum,dc=test")
		resp, err := b.client.Get(b.srv.URL + "/account/profile.mobileconfig")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if kind, name := resp.Header.Get("Content-Type"), resp.Header.Get("Content-Disposition"); !strings.HasPrefix(kind, "application/x-apple-aspen-config") || name != "attachment; filename=an.snv.mobileconfig" {
			t.Errorf("%s, %s", kind, name)
		}
		for _, want := range []string{"<string>an.snv@kontum.test</string>", "<string>Nguyễn Văn &lt;An&gt;</string>", "<key>IncomingMailServerPortNumber</key><integer>993</integer>",
			"<key>OutgoingMailServerPortNumber</key><integer>587</integer>", "<key>PayloadIdentifier</key><string>test.kontum.congvan.",
			"<key>LDAPSearchSettingSearchBase</key><string>dc=kontum,dc=test</string>"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("lacks %s:\n%s", want, text)
			}
		}
		if strings.Contains(string(text), chosen) {
			t.Error("bears the password")
		}
		readPlist(t, text)
	})
}

// readPlist has a program of Apple's format read a property list.
func readPlist(t *testing.T, text []byte) {
	t.Helper()
	cmd := exec.Command(mailtest.Program(t, "plistutil"), "-i", "-", "-o", "-", "-f", "bin")
	cmd.Stdin = strings.NewReader(string(text))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "bplist") {
		t.Errorf("plistutil: %v\n%s", err, out)
	}
}
