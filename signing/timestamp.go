package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"

	"congvan/signing/internal/cms"
)

// Bounds on talking to a time stamp authority.
const (
	stampTimeout = 20 * time.Second
	maxReply     = 256 << 10
	// stampSpare is kept beyond the longest token seen, for serial numbers and signatures that differ in length.
	stampSpare = 512
	// stampSkew is how far the clock of a time stamp authority may differ from ours.
	stampSkew = 5 * time.Minute
)

// A Timestamper asks one authority for time stamps (dấu thời gian, RFC 3161). Its fields must not change once it is in
// use; it is safe for concurrent use.
type Timestamper struct {
	URL    string                // http or https
	Others []string              // asked in their order when the ones before are out of reach
	Roots  *x509.CertPool        // roots of the authority; nil trusts nobody
	Client *http.Client          // nil for one that gives up after 20 s
	Policy asn1.ObjectIdentifier // asked for when set
	Header http.Header           // sent along, for authorities that want a password

	mu     sync.Mutex
	length int       // of the longest token seen
	until  time.Time // when the certificate or the algorithm of the newest token ends
	seen   time.Time // when that token came
}

// Timestamp returns a token over the SHA-256 digest. The token has been checked: it is for this digest and this request,
// signed by a certificate for time stamps alone that leads to one of the roots, and its time is ours within minutes.
// When the authority cannot be reached or refuses, the error wraps ErrUnavailable; when its answer is wrong,
// ErrTimestamp.
func (t *Timestamper) Timestamp(ctx context.Context, digest []byte) ([]byte, error) {
	token, err := t.timestamp(ctx, t.URL, digest)
	for _, url := range t.Others {
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			break
		}
		var next error
		if token, next = t.timestamp(ctx, url, digest); next == nil {
			return token, nil
		}
		err = fmt.Errorf("%w; %w", err, next)
	}
	return token, err
}

func (t *Timestamper) timestamp(ctx context.Context, url string, digest []byte) ([]byte, error) {
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("time stamp: digest of %d bytes", len(digest))
	}
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails (crypto/rand)
	nonce[0] |= 0x40
	n := new(big.Int).SetBytes(nonce)
	request, err := cms.TimestampRequest(digest, n, t.Policy)
	if err != nil {
		return nil, fmt.Errorf("encode time stamp request: %w", err)
	}
	reply, err := t.ask(ctx, url, request)
	if err != nil {
		return nil, fmt.Errorf("time stamp from %q: %w", url, err)
	}
	token, err := cms.TimestampToken(reply)
	if errors.Is(err, cms.ErrRefused) {
		return nil, fmt.Errorf("time stamp from %q: %w: %w", url, ErrUnavailable, err)
	}
	if err == nil {
		err = t.check(token, digest, n)
	}
	if err != nil {
		return nil, fmt.Errorf("time stamp from %q: %w: %w", url, ErrTimestamp, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.length = max(t.length, len(token))
	return bytes.Clone(token), nil
}

// stampFresh is how long the end of an authority's certificate is taken for known.
const stampFresh = time.Hour

// Until is how long a time stamp of the authority made now would hold: when its certificate or its algorithm ends. It is asked for a stamp over
// nothing to find out, once an hour at most.
func (t *Timestamper) Until(ctx context.Context) (time.Time, error) {
	known := func() time.Time {
		t.mu.Lock()
		defer t.mu.Unlock()
		if time.Since(t.seen) > stampFresh {
			return time.Time{}
		}
		return t.until
	}
	if at := known(); !at.IsZero() {
		return at, nil
	}
	empty := sha256.Sum256(nil)
	if _, err := t.Timestamp(ctx, empty[:]); err != nil {
		return time.Time{}, err
	}
	return known(), nil
}

func (t *Timestamper) ask(ctx context.Context, url string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stampTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	for k, v := range t.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	return roundTrip(t.Client, req, maxReply)
}

// plainClient talks to authorities when the caller gives no client. It keeps no cookies and follows few redirects.
var plainClient = &http.Client{
	Timeout: stampTimeout,
	CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("too many redirects")
		}
		return nil
	},
}

// roundTrip sends a request and reads an answer of at most limit bytes. Whatever hinders it is ErrUnavailable.
func roundTrip(c *http.Client, req *http.Request, limit int64) ([]byte, error) {
	if c == nil {
		c = plainClient
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: answered %d", ErrUnavailable, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: answer of more than %d bytes", ErrUnavailable, limit)
	}
	return b, nil
}

// check looks at a new token as a verifier will later.
func (t *Timestamper) check(token, digest []byte, nonce *big.Int) error {
	s, err := readStamp(token, func(h crypto.Hash) []byte {
		if h != crypto.SHA256 {
			return nil
		}
		return digest
	})
	if err != nil {
		return err
	}
	if err := s.sig.CheckStrong(); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case s.Nonce == nil || s.Nonce.Cmp(nonce) != 0:
		return errors.New("answer to another request")
	case s.Time.Sub(now).Abs() > stampSkew:
		return fmt.Errorf("its clock and ours differ: %s", s.Time.Format(time.RFC3339))
	case t.Policy != nil && !s.Policy.Equal(t.Policy):
		return fmt.Errorf("policy %v", s.Policy)
	}
	if _, err = paths(s.sig.Signer, s.sig.Certificates, t.Roots, now, x509.ExtKeyUsageTimeStamping); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until, t.seen = s.sig.Until(), now
	return nil
}

// size is how much room to keep for a token. The first time an authority is asked for one to see, over the digest of
// nothing: then it is known to work before a key is used or a PIN is asked for.
func (t *Timestamper) size(ctx context.Context) (int, error) {
	t.mu.Lock()
	n := t.length
	t.mu.Unlock()
	if n == 0 {
		empty := sha256.Sum256(nil)
		token, err := t.Timestamp(ctx, empty[:])
		if err != nil {
			return 0, err
		}
		n = len(token)
	}
	return n + stampSpare, nil
}

// A stamp is a token that is intact and of the right form. Whether its authority is trusted is another question.
type stamp struct {
	*cms.Stamp
	sig *cms.Signature
}

// readStamp parses a token and checks all but trust: the imprint, the token's own signature, the binding of its
// certificate, and that this is for time stamps and nothing else (RFC 3161 §2.3).
func readStamp(token []byte, digest func(crypto.Hash) []byte) (*stamp, error) {
	sig, err := cms.Parse(token)
	if err != nil {
		return nil, err
	}
	info, err := sig.Stamp()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(sig.CheckImprint(digest), sig.CheckSignature()); err != nil {
		return nil, err
	}
	if err := sig.CheckBinding(); err != nil && !errors.Is(err, cms.ErrWeakBinding) { // Weakness tells
		return nil, err
	}
	if !stampsOnly(sig.Signer) {
		return nil, errPurpose
	}
	return &stamp{info, sig}, nil
}

var errPurpose = errors.New("certificate is not one for time stamps alone")

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// stampsOnly wants the one extended key usage, critical.
func stampsOnly(c *x509.Certificate) bool {
	if c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0 {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidExtKeyUsage) {
			return e.Critical
		}
	}
	return false
}
