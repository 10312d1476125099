//go:build pkcs11

package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"congvan/signing/internal/cms"
)

// HasTokens says whether this program was built with PKCS#11.
const HasTokens = true

// A module is the library of a kind of token. PKCS#11 keeps one state of login for a whole process and token, so one
// signature is made at a time.
type module struct {
	mu   sync.Mutex
	ctx  *pkcs11.Ctx
	open bool
}

var (
	modulesMu sync.Mutex
	modules   = map[string]*module{}
)

func loadModule(path string) (*module, error) {
	modulesMu.Lock()
	defer modulesMu.Unlock()
	if m := modules[path]; m != nil {
		return m, nil
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %q is no PKCS#11 library", ErrKey, path)
	}
	m := &module{ctx: ctx}
	modules[path] = m
	return m, nil
}

// session runs fn in a session with the token. After a failure that is the token's the library starts anew the next time:
// some look for tokens only then.
func (m *module) session(u *TokenURI, fn func(pkcs11.SessionHandle, pkcs11.TokenInfo) error) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() {
		if errors.Is(err, ErrToken) && m.open {
			m.close()
		}
	}()
	slot, info, err := m.slot(u)
	if err != nil {
		return err
	}
	s, err := m.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return tokenError(u, "open session", err)
	}
	defer m.ctx.CloseSession(s)
	return fn(s, info)
}

func (m *module) close() {
	m.ctx.Finalize()
	m.open = false
}

// slot finds the token, looking again with the library started anew: one may have been connected since.
func (m *module) slot(u *TokenURI) (uint, pkcs11.TokenInfo, error) {
	if m.open {
		if slot, info, err := m.find(u); err == nil {
			return slot, info, nil
		}
		m.close()
	}
	if err := m.ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return 0, pkcs11.TokenInfo{}, tokenError(u, "start library", err)
	}
	m.open = true
	return m.find(u)
}

// find looks for the token among the slots.
func (m *module) find(u *TokenURI) (uint, pkcs11.TokenInfo, error) {
	slots, err := m.ctx.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, tokenError(u, "list slots", err)
	}
	for _, slot := range slots {
		info, err := m.ctx.GetTokenInfo(slot)
		if err != nil {
			continue // another one, pulled out just now
		}
		if (u.Token == "" || strings.TrimRight(info.Label, " \x00") == u.Token) && (u.Serial == "" || strings.TrimRight(info.SerialNumber, " \x00") == u.Serial) {
			return slot, info, nil
		}
	}
	return 0, pkcs11.TokenInfo{}, fmt.Errorf("%w: %w: %q is not connected", ErrUnavailable, ErrToken, u.name())
}

// absent are the answers of a token that is not there any more, or not in order.
var absent = []pkcs11.Error{pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID,
	pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_MEMORY, pkcs11.CKR_GENERAL_ERROR,
	pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_OBJECT_HANDLE_INVALID,
	pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_FUNCTION_CANCELED}

// tokenError sorts what a library says: the token is out of reach, or its key cannot be used.
func tokenError(u *TokenURI, doing string, err error) error {
	var code pkcs11.Error
	if errors.As(err, &code) && slices.Contains(absent, code) {
		return fmt.Errorf("%w: %w: %q: %s: %w", ErrUnavailable, ErrToken, u.name(), doing, err)
	}
	return fmt.Errorf("%w: token %q: %s: %w", ErrKey, u.name(), doing, err)
}

// OpenToken opens a key in a token or HSM. No PIN is needed for that; each signature asks for it. When the token is not
// connected, the error wraps ErrToken and ErrUnavailable.
func OpenToken(u *TokenURI, opt TokenOptions) (*Identity, error) {
	m, err := loadModule(u.Module)
	if err != nil {
		return nil, err
	}
	chain := opt.Chain
	err = m.session(u, func(s pkcs11.SessionHandle, _ pkcs11.TokenInfo) error {
		if chain != nil {
			return nil
		}
		chain, err = m.certificates(u, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open token: %w", err)
	}
	return &Identity{Key: &tokenKey{m, u, opt, chain[0].PublicKey, map[[32]byte]bool{}}, Chain: chain}, nil
}

// certificates reads the key's own certificate, and the ones above it as far as the token has them.
func (m *module) certificates(u *TokenURI, s pkcs11.SessionHandle) ([]*x509.Certificate, error) {
	own, err := m.readCertificates(u, s, u.template(pkcs11.CKO_CERTIFICATE))
	if err != nil {
		return nil, err
	}
	if len(own) != 1 {
		return nil, fmt.Errorf("%w: token %q has %d certificates of this name, want 1 (or give the chain in a file)", ErrKey, u.name(), len(own))
	}
	all, err := m.readCertificates(u, s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE)})
	if err != nil {
		return nil, err
	}
	return chainOf(own[0], all), nil
}

// name is what messages call the token.
func (u *TokenURI) name() string {
	if u.Token != "" {
		return u.Token
	}
	return u.Serial
}

func (u *TokenURI) template(class uint) []*pkcs11.Attribute {
	out := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.Object != "" {
		out = append(out, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object))
	}
	if len(u.ID) > 0 {
		out = append(out, pkcs11.NewAttribute(pkcs11.CKA_ID, u.ID))
	}
	return out
}

// maxObjects bounds what is read of a token.
const maxObjects = 32

func (m *module) objects(u *TokenURI, s pkcs11.SessionHandle, template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := m.ctx.FindObjectsInit(s, template); err != nil {
		return nil, tokenError(u, "find object", err)
	}
	found, _, err := m.ctx.FindObjects(s, maxObjects)
	if e := m.ctx.FindObjectsFinal(s); err == nil {
		err = e
	}
	if err != nil {
		return nil, tokenError(u, "find object", err)
	}
	return found, nil
}

func (m *module) readCertificates(u *TokenURI, s pkcs11.SessionHandle, template []*pkcs11.Attribute) (out []*x509.Certificate, err error) {
	found, err := m.objects(u, s, template)
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		values, err := m.ctx.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
		if err != nil || len(values) != 1 {
			return nil, tokenError(u, "read certificate", err)
		}
		c, err := cms.ParseCertificate(values[0].Value)
		if err != nil {
			return nil, fmt.Errorf("%w: token %q: certificate: %w", ErrKey, u.name(), err)
		}
		out = append(out, c)
	}
	return out, nil
}

// A tokenKey signs in a token.
type tokenKey struct {
	m   *module
	u   *TokenURI
	opt TokenOptions
	pub crypto.PublicKey
	bad map[[32]byte]bool // digests of PINs that were refused, under the module's lock
}

func (k *tokenKey) Public() crypto.PublicKey { return k.pub }

// Sign logs in, signs once and logs out.
func (k *tokenKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	mechanism, input, err := k.mechanism(digest, opts)
	if err != nil {
		return nil, err
	}
	err = k.m.session(k.u, func(s pkcs11.SessionHandle, info pkcs11.TokenInfo) error {
		if err := k.login(s, info); err != nil {
			return err
		}
		defer k.m.ctx.Logout(s)
		keys, err := k.m.objects(k.u, s, k.u.template(pkcs11.CKO_PRIVATE_KEY))
		if err != nil {
			return err
		}
		if len(keys) != 1 {
			return fmt.Errorf("%w: token %q has %d private keys of this name, want 1", ErrKey, k.u.name(), len(keys))
		}
		if err := k.m.ctx.SignInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, keys[0]); err != nil {
			return tokenError(k.u, "sign", err)
		}
		if sig, err = k.m.ctx.Sign(s, input); err != nil {
			return tokenError(k.u, "sign", err)
		}
		return nil
	})
	if err != nil || mechanism != pkcs11.CKM_ECDSA {
		return sig, err
	}
	half := len(sig) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
}

// digestInfo stands before a SHA-256 digest that RSA signs (RFC 4055).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func (k *tokenKey) mechanism(digest []byte, opts crypto.SignerOpts) (uint, []byte, error) {
	_, pss := opts.(*rsa.PSSOptions)
	if pss || opts.HashFunc() != crypto.SHA256 || len(digest) != 32 {
		return 0, nil, fmt.Errorf("%w: token signs SHA-256 alone", ErrKey)
	}
	switch k.pub.(type) {
	case *rsa.PublicKey:
		return pkcs11.CKM_RSA_PKCS, append(slices.Clone(digestInfo), digest...), nil
	case *ecdsa.PublicKey:
		return pkcs11.CKM_ECDSA, digest, nil
	}
	return 0, nil, fmt.Errorf("%w: token key of type %T", ErrKey, k.pub)
}

// login asks for the PIN and gives it to the token, once.
func (k *tokenKey) login(s pkcs11.SessionHandle, info pkcs11.TokenInfo) error {
	request := pinRequest(k.u, info)
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return &PINError{PINRequest: request, Locked: true}
	case k.opt.Unattended && (request.Low || request.Last):
		return &PINError{PINRequest: request, Untried: true}
	case k.opt.PIN == nil:
		return fmt.Errorf("%w: %w: %q: nobody gives its PIN", ErrUnavailable, ErrToken, k.u.name())
	}
	pin, err := k.opt.PIN(request)
	if err != nil {
		return fmt.Errorf("PIN of token %q: %w", k.u.name(), err)
	}
	if k.opt.Unattended && k.bad[sha256.Sum256([]byte(pin))] {
		return &PINError{PINRequest: request, Untried: true} // not every token tells that it refused one
	}
	err = k.m.ctx.Login(s, pkcs11.CKU_USER, pin)
	var code pkcs11.Error
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case pkcs11.CKR_USER_ALREADY_LOGGED_IN: // by another part of this process
		return nil
	case pkcs11.CKR_PIN_LOCKED:
		return &PINError{PINRequest: request, Locked: true}
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
		k.bad[sha256.Sum256([]byte(pin))] = true
		e := &PINError{PINRequest: request}
		if _, now, err := k.m.find(k.u); err == nil {
			e.PINRequest, e.Locked = pinRequest(k.u, now), now.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0
		}
		return e
	}
	return tokenError(k.u, "log in", err)
}

func pinRequest(u *TokenURI, info pkcs11.TokenInfo) PINRequest {
	return PINRequest{Token: u.name(), Low: info.Flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0, Last: info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0}
}
