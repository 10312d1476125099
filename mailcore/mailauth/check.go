package mailauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/authres"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-msgauth/dmarc"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// maxSignatures bounds the DKIM signatures of one mail that are checked.
const maxSignatures = 8

// A Verdict is a result of RFC 8601 §2.7.
type Verdict = authres.ResultValue

// A Resolver asks the DNS; a *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// A Checker checks mail from outside.
type Checker struct {
	Resolver Resolver
	Hostname string        // our name in Authentication-Results
	Timeout  time.Duration // for all questions about one mail; 20 s when zero
}

// An Origin is how a mail reached us.
type Origin struct {
	Remote netip.Addr
	Helo   string
	Sender string   // of the envelope, "" for a report
	From   []string // values of the From fields, on one line each
}

// A Result is what was found about one mail.
type Result struct {
	SPF       Verdict
	SPFDomain string // that SPF spoke about
	DKIM      []Signature
	DMARC     Verdict
	From      string       // domain of the one address in From, "" when there is none
	Policy    dmarc.Policy // that the domain wishes for mail that fails
	reason    string
	doubtful  bool // From may be shown as somebody's, and nobody can say whose it is
	hostname  string
	sender    string
}

// A Signature is one DKIM signature.
type Signature struct {
	Verdict Verdict
	Domain  string
	Reason  string // why it does not pass
}

// Aligned says whether the domain in From stands behind the mail.
func (r *Result) Aligned() bool { return r.DMARC == authres.ResultPass }

// Junk says whether the mail fails what the domain in From asks receivers to check, or hides whose it is, and should not be mixed
// with other mail.
func (r *Result) Junk() bool {
	return r.doubtful || r.DMARC == authres.ResultFail && (r.Policy == dmarc.PolicyReject || r.Policy == dmarc.PolicyQuarantine)
}

// Check reads a whole message. Its error is that of r.
func (c *Checker) Check(ctx context.Context, o Origin, r io.Reader) (*Result, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res := &Result{hostname: c.Hostname, sender: o.Sender}
	c.checkSPF(ctx, o, res)
	if err := c.checkDKIM(ctx, &watched{r: r}, res); err != nil {
		return nil, err
	}
	var err error
	if res.From, err = fromDomain(o.From); err != nil {
		res.reason, res.doubtful = err.Error(), !errors.Is(err, errNoFrom)
	}
	c.checkDMARC(ctx, res)
	return res, nil
}

// checkSPF asks about the sender's domain, of a report about the host's name (RFC 7208 §2.4).
func (c *Checker) checkSPF(ctx context.Context, o Origin, res *Result) {
	res.SPF = authres.ResultNone
	sender := o.Sender
	if sender == "" {
		sender = "postmaster@" + o.Helo
	}
	res.SPFDomain = asciiDomain(sender[strings.LastIndexByte(sender, '@')+1:])
	if !o.Remote.IsValid() || res.SPFDomain == "" || !strings.Contains(res.SPFDomain, ".") {
		return
	}
	verdict, _ := spf.CheckHostWithSender(net.IP(o.Remote.Unmap().AsSlice()), asciiDomain(o.Helo), "postmaster@"+res.SPFDomain,
		spf.WithResolver(c.Resolver), spf.WithContext(ctx))
	res.SPF = Verdict(verdict)
}

// checkDKIM reads the message to its end.
func (c *Checker) checkDKIM(ctx context.Context, r *watched, res *Result) error {
	found, err := dkim.VerifyWithOptions(r, &dkim.VerifyOptions{MaxVerifications: maxSignatures,
		LookupTXT: func(name string) ([]string, error) { return c.Resolver.LookupTXT(ctx, name) }})
	if r.err != nil {
		return fmt.Errorf("check a mail's signatures: %w", r.err)
	}
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		res.DKIM = append(res.DKIM, Signature{Verdict: authres.ResultPermError, Reason: "unreadable header"})
		return nil
	}
	for _, v := range found {
		s := Signature{Verdict: authres.ResultPass, Domain: strings.ToLower(v.Domain)}
		switch {
		case v.Err == nil:
		case dkim.IsTempFail(v.Err):
			s.Verdict = authres.ResultTempError
		case dkim.IsPermFail(v.Err):
			s.Verdict = authres.ResultPermError
		default:
			s.Verdict = authres.ResultFail
		}
		if v.Err != nil {
			s.Reason = plain(strings.TrimPrefix(v.Err.Error(), "dkim: "))
		}
		res.DKIM = append(res.DKIM, s)
	}
	return nil
}

// plain makes a text fit for one line of a header: parts of it may come from the mail.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`;"\()`, r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 80)]
}

// checkDMARC looks the policy up and compares domains (RFC 7489 §6.6).
func (c *Checker) checkDMARC(ctx context.Context, res *Result) {
	if res.From == "" {
		res.DMARC = authres.ResultPermError
		return
	}
	record, sub, err := c.policy(ctx, res.From)
	switch {
	case err != nil && dmarc.IsTempFail(err):
		res.DMARC, res.reason = authres.ResultTempError, "the policy could not be asked for"
		return
	case errors.Is(err, dmarc.ErrNoPolicy):
		res.DMARC = authres.ResultNone
		return
	case err != nil:
		res.DMARC, res.reason = authres.ResultPermError, "unreadable policy"
		return
	}
	if res.Policy = record.Policy; sub && record.SubdomainPolicy != "" {
		res.Policy = record.SubdomainPolicy
	}
	res.DMARC = authres.ResultFail
	if res.SPF == authres.ResultPass && aligned(res.From, res.SPFDomain, record.SPFAlignment) {
		res.DMARC = authres.ResultPass
	}
	for _, s := range res.DKIM {
		if s.Verdict == authres.ResultPass && aligned(res.From, s.Domain, record.DKIMAlignment) {
			res.DMARC = authres.ResultPass
		}
		if s.Verdict == authres.ResultTempError && res.DMARC == authres.ResultFail && aligned(res.From, s.Domain, record.DKIMAlignment) {
			res.DMARC, res.reason = authres.ResultTempError, "a key could not be asked for"
		}
	}
	if res.SPF == authres.ResultTempError && res.DMARC == authres.ResultFail {
		res.DMARC, res.reason = authres.ResultTempError, "SPF could not be asked for"
	}
}

// policy finds the record of the domain, or that of the organisation above it.
func (c *Checker) policy(ctx context.Context, domain string) (record *dmarc.Record, sub bool, err error) {
	options := &dmarc.LookupOptions{LookupTXT: func(name string) ([]string, error) { return c.Resolver.LookupTXT(ctx, name) }}
	record, err = dmarc.LookupWithOptions(domain, options)
	if top := organisation(domain); errors.Is(err, dmarc.ErrNoPolicy) && top != domain {
		record, err = dmarc.LookupWithOptions(top, options)
		sub = true
	}
	return record, sub, err
}

func aligned(from, domain string, mode dmarc.AlignmentMode) bool {
	domain = asciiDomain(domain)
	if mode == dmarc.AlignmentStrict {
		return from == domain
	}
	return domain != "" && organisation(from) == organisation(domain)
}

// organisation is the registered domain (RFC 7489 §3.2): stttt.kontum.gov.vn belongs to kontum.gov.vn.
func organisation(domain string) string {
	if top, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return top
	}
	return domain
}

// asciiDomain is the form that the DNS knows, "" when there is none.
func asciiDomain(domain string) string {
	d, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSuffix(domain, ".")))
	if err != nil {
		return ""
	}
	return d
}

// fromDomain returns the domain of the one address in the one From, or why there is none.
func fromDomain(from []string) (domain string, err error) {
	if len(from) == 0 {
		return "", errNoFrom
	}
	if len(from) > 1 {
		return "", errors.New("several From fields")
	}
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}}
	list, err := parser.ParseList(from[0])
	if err != nil || len(list) == 0 {
		return "", errors.New("unreadable From")
	}
	for _, a := range list {
		d := asciiDomain(a.Address[strings.LastIndexByte(a.Address, '@')+1:])
		if d == "" || domain != "" && d != domain {
			return "", errors.New("several domains in From, or none")
		}
		domain = d
	}
	return domain, nil
}

var errNoFrom = errors.New("no From")

// A watched reader keeps the error that ended it: dkim does not tell it from a fault of the mail.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// Field is the Authentication-Results field of the mail (RFC 8601), ended by CRLF.
func (r *Result) Field() []byte {
	results := []authres.Result{&authres.SPFResult{Value: r.SPF, From: r.sender, Helo: heloOf(r)}}
	for _, s := range r.DKIM {
		results = append(results, &authres.DKIMResult{Value: s.Verdict, Reason: s.Reason, Domain: s.Domain})
	}
	if len(r.DKIM) == 0 {
		results = append(results, &authres.DKIMResult{Value: authres.ResultNone})
	}
	results = append(results, &authres.DMARCResult{Value: r.DMARC, Reason: r.reason, From: r.From})
	text := authres.Format(r.hostname, results)
	return []byte("Authentication-Results: " + strings.ReplaceAll(text, "; ", ";\r\n\t") + "\r\n")
}

func heloOf(r *Result) string {
	if r.sender == "" {
		return r.SPFDomain
	}
	return ""
}

// IsOurs says whether an Authentication-Results field claims to be ours. Such a field on its way in is forged, or left from an
// earlier passage; it must not be shown (RFC 8601 §5).
func (c *Checker) IsOurs(value string) bool {
	id, _, _ := strings.Cut(value, ";")
	id = strings.TrimSpace(removeComments(id))
	name, _, _ := strings.Cut(id, " ")
	return slices.Contains([]string{"", c.Hostname}, strings.ToLower(strings.Trim(name, `"`)))
}

// removeComments drops (…) and folds white space.
func removeComments(s string) string {
	depth := 0
	out := strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
			return ' '
		case r == ')' && depth > 0:
			depth--
			return ' '
		case depth > 0:
			return ' '
		case r == '\r' || r == '\n' || r == '\t':
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(out)
}
