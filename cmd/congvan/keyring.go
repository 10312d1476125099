package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"
)

// A keyring holds the keys of an installation, as [seal] of congvan.toml names them. In the folder keys: password, root.pem,
// authority.p12 (a self-made authority), and CODE.p12 for each agency that names no other key.
type keyring struct {
	cfg *config
	dir string
	// ask gets the PIN of a token whose PIN is kept nowhere from a person at this terminal; nil where nobody sits.
	ask func(signing.PINRequest) (string, error)
	// desk returns the key at the desk of a unit's clerk; nil in processes that no desk is connected to.
	desk func(recipients.UnitCode) *signing.Identity

	mu      sync.Mutex
	loaded  map[recipients.UnitCode]*signing.Sealer
	stamper *signing.Timestamper
	source  *signing.RevocationSource
}

func newKeyring(cfg *config) *keyring {
	return &keyring{cfg: cfg, dir: cfg.path("keys"), loaded: map[recipients.UnitCode]*signing.Sealer{},
		source: &signing.RevocationSource{OCSP: cfg.Seal.OCSP, CRL: cfg.Seal.CRL}}
}

// roots are whom seals are trusted from: the authority made here, and what lies in the folder trust.
func (k *keyring) roots() (*x509.CertPool, error) { return k.trusted() }

// stampRoots are whom time stamps are trusted from: the same, and the file that the configuration names.
func (k *keyring) stampRoots() (*x509.CertPool, error) {
	if file := k.cfg.Seal.Timestamp.Roots; file != "" {
		return k.trusted(k.cfg.path(file))
	}
	return k.trusted()
}

func (k *keyring) trusted(paths ...string) (*x509.CertPool, error) {
	for _, p := range []string{filepath.Join(k.dir, "root.pem"), k.cfg.path(k.cfg.Seal.Trust)} {
		if _, err := os.Stat(p); err == nil {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return nil, &hintError{errors.New("no trusted root certificate"), "put one (PEM) into " + k.cfg.path(k.cfg.Seal.Trust)}
	}
	return signing.LoadRoots(paths...)
}

// verifierTrust is whom a verifier trusts for seals and for their time stamps: a file, else the installation in the folder.
func verifierTrust(file, data string) (seals, stamps *x509.CertPool, err error) {
	if file == "" {
		if cfg, err := loadConfig(data); err == nil {
			k := newKeyring(cfg)
			if seals, err = k.roots(); err == nil {
				stamps, err = k.stampRoots()
			}
			return seals, stamps, err
		}
		file = filepath.Join(data, "keys", "root.pem")
	}
	seals, err = signing.LoadRoots(file)
	return seals, seals, err
}

// timestamper returns the time stamp authorities of the configuration; nil for none. Call with the lock held.
func (k *keyring) timestamper() (*signing.Timestamper, error) {
	ts := k.cfg.Seal.Timestamp
	if len(ts.URL) == 0 || k.stamper != nil {
		return k.stamper, nil
	}
	roots, err := k.stampRoots()
	if err != nil {
		return nil, fmt.Errorf("roots of the time stamp authority: %w", err)
	}
	policy, err := parseOID(ts.Policy)
	if err != nil {
		return nil, err
	}
	k.stamper = &signing.Timestamper{URL: ts.URL[0], Others: ts.URL[1:], Roots: roots, Policy: policy}
	return k.stamper, nil
}

// create makes a new authority of the province's own, for trying out and for provinces without certificates yet.
func (k *keyring) create(name string) error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(k.dir, "root.pem")); err == nil {
		return nil
	}
	password := rand.Text()
	if err := writeFile(filepath.Join(k.dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	ca, err := signing.NewAuthority(signing.Subject{Name: name}, signing.P256)
	if err != nil {
		return err
	}
	return ca.Save(k.dir, password)
}

// sealer returns the key of an agency, used as the configuration says. Without a decision of the head no key signs that
// nobody watches.
func (k *keyring) sealer(u recipients.Unit) (*signing.Sealer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.loaded[u.Code]; s != nil {
		return s, nil
	}
	a := k.cfg.Seal.agency(string(u.Code))
	if !a.attended() && a.Unattended.Decision == "" {
		return nil, &exchange.Error{Class: exchange.Forbidden, Code: exchange.CodeNoDecision, Detail: u.Name}
	}
	id, err := k.identity(u, a)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", u.Code, err)
	}
	s, err := id.Sealer()
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", u.Code, err)
	}
	use, err := k.use(a)
	if err != nil {
		return nil, fmt.Errorf("seal of %s: %w", u.Code, err)
	}
	if s, err = s.With(use); err != nil {
		return nil, fmt.Errorf("seal of %s: %w", u.Code, err)
	}
	if a.Key != keyToken { // a desk may be paired anew
		k.loaded[u.Code] = s
	}
	return s, nil
}

// use turns an agency's settings into how its key is used.
func (k *keyring) use(a agencyConfig) (signing.Use, error) {
	stamper, err := k.timestamper()
	if err != nil {
		return signing.Use{}, err
	}
	policy, err := a.Policy.parse()
	if err != nil {
		return signing.Use{}, err
	}
	scheme, err := a.scheme()
	if err != nil {
		return signing.Use{}, err
	}
	use := signing.Use{Level: signing.Level(a.Level), Scheme: scheme, Lower: a.Lower == "lower", Timestamper: stamper, Revocation: k.source, Policy: policy,
		Kind: a.copyKind()}
	if !a.attended() {
		use.Decision = signing.Decision{Number: a.Unattended.Decision, Date: a.Unattended.Date}
	}
	if strings.EqualFold(a.Case, "A") {
		png, err := os.ReadFile(k.cfg.path(a.Picture.File))
		if err != nil {
			return use, fmt.Errorf("picture: %w", err)
		}
		box := a.Picture.Box
		use.Picture = &signing.Picture{PNG: png, Page: a.Picture.Page, Over: a.Picture.Over, Box: signing.Box{Left: box[0], Bottom: box[1], Width: box[2], Height: box[3]}}
	}
	return use, nil
}

// extending returns by what the seals of an agency are raised and renewed after the issue. The key itself may be out of reach.
func (k *keyring) extending(context.Context, recipients.UnitCode) (*signing.ExtendOptions, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stamper, err := k.timestamper()
	if err != nil {
		return nil, err
	}
	roots, err := k.roots()
	if err != nil {
		return nil, err
	}
	stamps, err := k.stampRoots()
	if err != nil {
		return nil, err
	}
	return &signing.ExtendOptions{Timestamper: stamper, Revocation: k.source, Roots: roots, TSARoots: stamps}, nil
}

// identity opens the key itself.
func (k *keyring) identity(u recipients.Unit, a agencyConfig) (*signing.Identity, error) {
	switch {
	case a.Key == keyToken:
		if k.desk != nil {
			if id := k.desk(u.Code); id != nil {
				return id, nil
			}
		}
		return nil, fmt.Errorf("%w: %w: the clerk's computer is not connected", signing.ErrUnavailable, signing.ErrToken)
	case strings.HasPrefix(a.Key, "pkcs11:"):
		return k.tokenIdentity(a)
	}
	path := k.cfg.path(a.Key)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := k.certify(u, path, a); err != nil {
			return nil, err
		}
	}
	password, err := k.secret(a.Password)
	if err != nil {
		return nil, err
	}
	return signing.LoadIdentity(path, password)
}

func (k *keyring) tokenIdentity(a agencyConfig) (*signing.Identity, error) {
	uri, err := signing.ParseTokenURI(a.Key)
	if err != nil {
		return nil, err
	}
	opt := signing.TokenOptions{PIN: k.ask, Unattended: !a.attended()}
	if a.PIN != "" {
		opt.PIN = func(signing.PINRequest) (string, error) { return k.secret(a.PIN) }
	}
	if a.Certificate != "" {
		if opt.Chain, err = signing.LoadChain(k.cfg.path(a.Certificate)); err != nil {
			return nil, err
		}
	}
	return signing.OpenToken(uri, opt)
}

// secret reads a password or PIN from where the configuration says that it is. It is read each time and kept nowhere.
func (k *keyring) secret(source string) (string, error) {
	kind, name, _ := strings.Cut(source, ":")
	switch kind {
	case "file":
		return signing.ReadSecret(k.cfg.path(name))
	case "env":
		if v := os.Getenv(name); v != "" {
			return v, nil
		}
		return "", &hintError{fmt.Errorf("the environment has no %s", name), "set it for the process that seals, or keep the secret in a file of mode 0600"}
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" || filepath.Base(name) != name {
			return "", &hintError{fmt.Errorf("no systemd credential %q", name), "LoadCredential=" + name + ":/PATH in the unit file"}
		}
		b, err := os.ReadFile(filepath.Join(dir, name)) // systemd keeps others out
		line, _, _ := strings.Cut(string(b), "\n")
		if line = strings.TrimRight(line, "\r"); err == nil && line == "" {
			err = errors.New("nothing in it")
		}
		if err != nil {
			return "", fmt.Errorf("systemd credential %q: %w", name, err)
		}
		return line, nil
	}
	return "", fmt.Errorf("unknown place of a secret (%s)", kind)
}

// certify makes an agency's certificate where the installation has its own authority.
func (k *keyring) certify(u recipients.Unit, path string, a agencyConfig) error {
	authority := filepath.Join(k.dir, "authority.p12")
	if _, err := os.Stat(authority); errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) != filepath.Clean(k.dir) {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoKey, Detail: u.Name}
	}
	password, err := k.secret("file:keys/password")
	if err != nil {
		return err
	}
	ca, err := signing.LoadAuthority(authority, password)
	if err != nil {
		return err
	}
	if password, err = k.secret(a.Password); err != nil {
		return err
	}
	// Some readers want certificates to name a revocation list.
	id, err := ca.Issue(signing.Subject{Name: u.Name, CRL: "http://ca." + k.cfg.Domain + "/root.crl"}, signing.P256)
	if err != nil {
		return err
	}
	return id.Save(path, password)
}
