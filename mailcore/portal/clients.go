package portal

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/templates"
)

// A Protocol is what a mail client speaks to a server.
type Protocol string

// The protocols that clients are told of.
const (
	IMAP Protocol = "imap"
	SMTP Protocol = "smtp"
	LDAP Protocol = "ldap"
)

// A MailServer is one that mail clients connect to, as they reach it.
type MailServer struct {
	Protocol Protocol
	Host     string
	Port     int
	TLS      bool // from the first byte; else STARTTLS, never in clear
}

// A setting is a line of what a mail client must be told.
type setting struct{ Label, Value string }

var protocolLabels = map[Protocol]string{IMAP: "Nhận thư (IMAP)", SMTP: "Gửi thư (SMTP)", LDAP: "Danh bạ (LDAP)"}

// settings is the best server of each protocol, for people to type.
func (s *Server) settings() (out []setting) {
	for _, p := range []Protocol{IMAP, SMTP, LDAP} {
		if list := s.servers(p); len(list) > 0 {
			m, how := list[0], "STARTTLS"
			if m.TLS {
				how = "SSL/TLS"
			}
			text := fmt.Sprintf("%s, cổng %d, %s", m.Host, m.Port, how)
			if p == LDAP {
				text += ", gốc tìm kiếm " + s.searchBase()
			}
			out = append(out, setting{protocolLabels[p], text})
		}
	}
	return out
}

// servers are those of a protocol, best first.
func (s *Server) servers(p Protocol) (out []MailServer) {
	for _, m := range s.opt.Servers {
		if m.Protocol == p {
			out = append(out, m)
		}
	}
	return out
}

// searchBase is where the directory begins (RFC 2247 §2).
func (s *Server) searchBase() string { return "dc=" + strings.ReplaceAll(s.opt.Domain, ".", ",dc=") }

// ClientPaths are where mail clients look for their settings, beside the pages: mount the Server there, too. Outlook writes
// the path in three ways.
var ClientPaths = []string{thunderbirdPath, "/.well-known/autoconfig" + thunderbirdPath, "/autodiscover/autodiscover.xml",
	"/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"}

const thunderbirdPath = "/mail/config-v1.1.xml"

// The namespaces of Outlook's question and of the answer that we have (MS-OXDSCLI §2.2.4).
const (
	outlookAsks    = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	outlookAnswers = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
)

// clientRoutes answers for ClientPaths. What is told there is the same for every address of the domain, so that nobody learns
// who has an account.
func (s *Server) clientRoutes(mux *http.ServeMux) {
	for _, p := range ClientPaths {
		if strings.HasSuffix(p, thunderbirdPath) {
			mux.HandleFunc("GET "+p, s.thunderbird)
		} else {
			mux.HandleFunc(p, s.outlook)
		}
	}
}

// A clientFile is what the templates of client files are filled with.
type clientFile struct {
	Domain, Address, Name, AccountURL string
	Incoming, Outgoing                []MailServer

	Identifier, UUID, MailUUID, LDAPUUID string // of Apple's
	Directory                            *MailServer
	SearchBase                           string
}

func (s *Server) clientFile(a mailcore.Address) clientFile {
	return clientFile{Domain: s.opt.Domain, Address: string(a), AccountURL: s.opt.AccountURL, Incoming: s.servers(IMAP), Outgoing: s.servers(SMTP)}
}

// thunderbird answers who looks for settings in Thunderbird's way; other mail programs do the same.
func (s *Server) thunderbird(w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("emailaddress"); text != "" && !s.ours(text) {
		http.Error(w, "no such domain here", http.StatusNotFound)
		return
	}
	if f := s.clientFile(""); len(f.Incoming) > 0 && len(f.Outgoing) > 0 {
		s.sendFile(w, "thunderbird.xml", "text/xml; charset=utf-8", f)
		return
	}
	http.Error(w, "no mail servers here", http.StatusNotFound)
}

// ours says whether a text that a client sent is an address of our domain. Thunderbird asks with %EMAILADDRESS% or encoded.
func (s *Server) ours(text string) bool {
	a, err := mailcore.ParseAddress(text)
	return err == nil && a.Domain() == s.opt.Domain
}

// A question is what Outlook posts.
type question struct {
	XMLName xml.Name
	Request struct {
		Email  string `xml:"EMailAddress"`
		Schema string `xml:"AcceptableResponseSchema"`
	} `xml:"Request"`
}

// outlook answers who looks for settings in Outlook's way. Bodies are bounded like every form; the decoder knows no entities
// but XML's own.
func (s *Server) outlook(w http.ResponseWriter, r *http.Request) {
	var q question
	if r.Method != http.MethodPost || xml.NewDecoder(r.Body).Decode(&q) != nil || q.XMLName != (xml.Name{Space: outlookAsks, Local: "Autodiscover"}) {
		s.outlookError(w, 600, "Invalid Request")
		return
	}
	if q.Request.Schema != outlookAnswers { // telephones ask for ActiveSync
		s.outlookError(w, 601, "Provider is not available")
		return
	}
	a, err := mailcore.ParseAddress(q.Request.Email)
	f := s.clientFile(a)
	if err != nil || !s.ours(string(a)) || len(f.Incoming) == 0 || len(f.Outgoing) == 0 {
		s.outlookError(w, 500, "The email address can't be found.")
		return
	}
	f.Incoming, f.Outgoing = f.Incoming[:1], f.Outgoing[:1] // it takes the first of each
	s.sendFile(w, "outlook.xml", "text/xml; charset=utf-8", f)
}

// outlookError is answered with 200, as the protocol wants it.
func (s *Server) outlookError(w http.ResponseWriter, code int, message string) {
	now := time.Now()
	s.sendFile(w, "outlook-error.xml", "text/xml; charset=utf-8", struct {
		Time, ID string
		Code     int
		Message  string
	}{now.UTC().Format("15:04:05.0000000"), strconv.FormatUint(uint64(uint32(now.UnixNano())), 10), code, message})
}

// profile is the configuration profile of who is signed in, for telephones and computers of Apple. It bears no password: the
// device asks for one.
func (s *Server) profile(v *visit) error {
	account := v.session.Account
	f := s.clientFile(account.Address)
	if len(f.Incoming) == 0 || len(f.Outgoing) == 0 {
		return errNotFound
	}
	f.Name, f.Identifier = account.Name, identifier(s.opt.Domain)+"."+uuid("profile", string(account.Address))
	f.UUID, f.MailUUID = uuid("profile", string(account.Address)), uuid("mail", string(account.Address))
	for _, m := range s.servers(LDAP) {
		if m.TLS && m.Port == 636 { // Apple's devices take no other port
			f.Directory, f.SearchBase, f.LDAPUUID = &m, s.searchBase(), uuid("ldap", string(account.Address))
		}
	}
	v.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": account.Address.Local() + ".mobileconfig"}))
	s.sendFile(v.w, "apple.plist", "application/x-apple-aspen-config; charset=utf-8", f)
	return nil
}

// identifier is a domain the other way round.
func identifier(domain string) string {
	out := ""
	for label := range strings.SplitSeq(domain, ".") {
		out = label + "." + out
	}
	return out + "congvan"
}

// uuid is the same for the same words: a newer profile replaces the older (RFC 9562 §5.8).
func uuid(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// sendFile answers with a whole file or with an error.
func (s *Server) sendFile(w http.ResponseWriter, name, kind string, data any) {
	var b bytes.Buffer
	if err := templates.Client(&b, name, data); err != nil {
		s.log.Error("settings for a mail client", "err", err)
		http.Error(w, "settings are not available", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	if _, err := b.WriteTo(w); err != nil {
		s.log.Debug("settings for a mail client", "err", err)
	}
}
