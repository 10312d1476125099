package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"congvan/signing/internal/revocation"

	"golang.org/x/crypto/ocsp"
)

// A RevocationPolicy says what must be known about revocation before a signature is valid.
type RevocationPolicy string

// The policies. Under both a certificate that is known to be revoked spoils the signature, and so does a question that
// was asked (online, or by evidence in the file) and got no usable answer.
const (
	// RevocationIfKnown lets a signature be valid about which there is nothing to ask: no evidence in the file and no
	// address in the certificate, or no Online source. The report says "not_checked" then. It is the default, because
	// the certificates of an Authority here have no revocation service behind them.
	RevocationIfKnown RevocationPolicy = ""
	// RevocationRequired makes such a signature indeterminate.
	RevocationRequired RevocationPolicy = "required"
)

// Bounds on asking authorities.
const (
	maxAddresses   = 3         // of one kind in one certificate
	maxAnswerAge   = time.Hour // an answer is used again for at most that long
	maxCacheSize   = 2048
	maxOCSPAnswer  = 1 << 20
	revocationWait = 15 * time.Second
)

// A RevocationSource asks authorities whether certificates are revoked, by OCSP first (RFC 6960) and else by their
// lists (RFC 5280), and remembers the answers for an hour or until they run out. Only its own addresses and those in
// certificates that lead to a trusted root are ever called. The zero value is ready; it is safe for concurrent use.
type RevocationSource struct {
	Client *http.Client // nil for one with a time limit
	OCSP   []string     // addresses for certificates that name none of this kind
	CRL    []string

	mu    sync.Mutex
	cache map[string]cachedAnswer
}

type cachedAnswer struct {
	source revocation.Source
	until  time.Time
}

// errNoAddress means that there is nobody to ask.
var errNoAddress = errors.New("certificate names no address for revocation")

// ask returns a fresh answer about the certificate, of whatever content.
func (s *RevocationSource) ask(ctx context.Context, cert, issuer *x509.Certificate) (revocation.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, revocationWait)
	defer cancel()
	problem := error(nil)
	asked := 0
	for _, url := range webOnly(either(cert.OCSPServer, s.OCSP)) {
		asked++
		src, err := s.answer(cert, issuer, fmt.Sprintf("%x %s", sha256.Sum256(cert.Raw), url), func() (revocation.Source, error) {
			return s.fetchOCSP(ctx, url, cert, issuer)
		})
		if err == nil {
			return src, nil
		}
		problem = errors.Join(problem, fmt.Errorf("OCSP %q: %w", url, err))
	}
	for _, url := range webOnly(either(cert.CRLDistributionPoints, s.CRL)) {
		asked++
		src, err := s.answer(cert, issuer, url, func() (revocation.Source, error) { return s.fetchCRL(ctx, url) })
		if err == nil {
			return src, nil
		}
		problem = errors.Join(problem, fmt.Errorf("revocation list %q: %w", url, err))
	}
	if asked == 0 {
		return nil, errNoAddress
	}
	return nil, problem
}

func either(named, known []string) []string {
	if len(named) > 0 {
		return named
	}
	return known
}

func webOnly(urls []string) (out []string) {
	for _, u := range urls {
		if l := strings.ToLower(u); (strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://")) && len(out) < maxAddresses {
			out = append(out, u)
		}
	}
	return out
}

// answer takes a source from the cache or by fetch, and wants it to say something about the certificate now.
func (s *RevocationSource) answer(cert, issuer *x509.Certificate, key string, fetch func() (revocation.Source, error)) (revocation.Source, error) {
	now := time.Now()
	s.mu.Lock()
	c, ok := s.cache[key]
	s.mu.Unlock()
	if ok && now.Before(c.until) {
		if a, err := c.source.Answer(cert, issuer); err == nil {
			if _, ok := a.At(now, cert); ok {
				return c.source, nil
			}
		}
	}
	src, err := fetch()
	if err != nil {
		return nil, err
	}
	a, err := src.Answer(cert, issuer)
	if err != nil {
		return nil, err
	}
	if _, ok := a.At(now, cert); !ok || a.This.After(now.Add(clockSkew)) {
		return nil, fmt.Errorf("answer of %s is not for now", a.This.Format(time.RFC3339))
	}
	until := now.Add(maxAnswerAge)
	if !a.Next.IsZero() && a.Next.Before(until) {
		until = a.Next
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil || len(s.cache) >= maxCacheSize {
		s.cache = map[string]cachedAnswer{}
	}
	s.cache[key] = cachedAnswer{src, until}
	return src, nil
}

func (s *RevocationSource) fetchOCSP(ctx context.Context, url string, cert, issuer *x509.Certificate) (revocation.Source, error) {
	query, err := ocsp.CreateRequest(cert, issuer, nil) // names by SHA-1, which every responder takes; nothing rests on it
	if err != nil {
		return nil, fmt.Errorf("encode OCSP request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	der, err := roundTrip(s.Client, req, maxOCSPAnswer)
	if err != nil {
		return nil, err
	}
	return revocation.ParseOCSP(der)
}

func (s *RevocationSource) fetchCRL(ctx context.Context, url string) (revocation.Source, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	der, err := roundTrip(s.Client, req, revocation.MaxCRL)
	if err != nil {
		return nil, err
	}
	return revocation.ParseCRL(der)
}
