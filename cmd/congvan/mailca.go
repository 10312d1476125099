package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/signing"
)

// Files of the mail authority: its key among the keys; its certificate, what else is trusted for mail (*.pem) and revocation
// lists (*.crl) in a folder of their own, because who is trusted for mail is not thereby trusted for seals.
const (
	mailAuthorityFile = "mail-authority.p12"
	mailPasswordFile  = "mail-password" // of all of them: an agency's seal may lie in a token and have none here
	mailKeyPrefix     = "mail-"
	mailTrustDir      = "trust/mail"
	mailRootFile      = "mail-ca.pem"
	maxTrustFile      = 32 << 20
)

// mailKeys are the gateway's keys for mail: one for each address that it writes from, made and renewed when it is needed.
type mailKeys struct {
	dir    string // of the keys
	trust  string // folder
	domain string

	mu     sync.Mutex
	loaded map[string]*signing.MailSigner
}

func newMailKeys(cfg *config) *mailKeys {
	return &mailKeys{dir: cfg.path("keys"), trust: cfg.path(mailTrustDir), domain: cfg.Domain, loaded: map[string]*signing.MailSigner{}}
}

// create makes the authority where there is none yet, and puts its certificate where mail programs can be told to trust it.
func (m *mailKeys) create() error {
	_, err := m.authority()
	return err
}

// password is made with the first key.
func (m *mailKeys) password() (string, error) {
	path := filepath.Join(m.dir, mailPasswordFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(m.dir, 0o700); err == nil {
			err = saveOnce(path, func(tmp string) error { return writeFile(tmp, []byte(rand.Text()+"\n"), 0o600) })
		}
		if err == nil {
			b, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("password of the mail keys: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// authority opens the mail authority. Two processes may make it at the same moment: the first one's stays.
func (m *mailKeys) authority() (*signing.Authority, error) {
	password, err := m.password()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(m.dir, mailAuthorityFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		ca, err := signing.NewMailAuthority(signing.Subject{Name: "Công Văn - thư điện tử " + m.domain}, m.domain)
		if err != nil {
			return nil, err
		}
		id := ca.Identity()
		if err := saveOnce(path, func(tmp string) error { return id.Save(tmp, password) }); err != nil {
			return nil, fmt.Errorf("mail authority: %w", err)
		}
	}
	ca, err := signing.LoadAuthority(path, password)
	if err != nil {
		return nil, fmt.Errorf("mail authority: %w", err)
	}
	return ca, m.publish(ca)
}

func (m *mailKeys) publish(ca *signing.Authority) error {
	path := filepath.Join(m.trust, mailRootFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(m.trust, 0o755); err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw}), 0o644)
}

// saveOnce writes a file that must not take the place of another.
func saveOnce(path string, save func(tmp string) error) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, "key")
	if err := save(tmp); err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// signer returns the key of an address of ours; nil for other addresses, which are not ours to certify.
func (m *mailKeys) signer(_ context.Context, address mailcore.Address, name string) (*signing.MailSigner, error) {
	if address.Domain() != m.domain {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.loaded[string(address)]; s != nil && time.Now().Before(s.RenewAt()) {
		return s, nil
	}
	password, err := m.password()
	if err != nil {
		return nil, err
	}
	local := address.Local()
	if local == "" || strings.ContainsAny(local, `/\`) || strings.HasPrefix(local, ".") {
		return nil, fmt.Errorf("no file name for the key of %q", address)
	}
	path := filepath.Join(m.dir, mailKeyPrefix+local+".p12")
	s, err := loadMailSigner(path, password, string(address))
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = m.issue(path, password, string(address), name, false)
	case err == nil && !time.Now().Before(s.RenewAt()):
		err = m.issue(path, password, string(address), name, true)
	}
	if err != nil {
		return nil, err
	}
	if s, err = loadMailSigner(path, password, string(address)); err != nil {
		return nil, err
	}
	m.loaded[string(address)] = s
	return s, nil
}

func loadMailSigner(path, password, address string) (*signing.MailSigner, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	id, err := signing.LoadIdentity(path, password)
	if err != nil {
		return nil, err
	}
	return signing.NewMailSigner(id, address)
}

func (m *mailKeys) issue(path, password, address, name string, replace bool) error {
	ca, err := m.authority()
	if err != nil {
		return err
	}
	id, err := ca.IssueMail(signing.Subject{Name: name}, address)
	if err != nil {
		return err
	}
	if replace {
		return id.Save(path, password)
	}
	return saveOnce(path, func(tmp string) error { return id.Save(tmp, password) })
}

// mailTrust reads whom mail is trusted from. A folder that is not there trusts nobody.
func mailTrust(dir string) (opt signing.MailOptions, err error) {
	opt.Roots = x509.NewCertPool()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return opt, nil
	}
	if err != nil {
		return opt, fmt.Errorf("trust for mail: %w", err)
	}
	for _, e := range entries {
		ext := strings.ToLower(filepath.Ext(e.Name()))
		if e.IsDir() || ext != ".pem" && ext != ".crt" && ext != ".crl" {
			continue
		}
		b, err := readTrustFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return opt, fmt.Errorf("trust for mail: %w", err)
		}
		if ext == ".crl" {
			if block, _ := pem.Decode(b); block != nil {
				b = block.Bytes
			}
			opt.CRLs = append(opt.CRLs, b)
		} else if !opt.Roots.AppendCertsFromPEM(b) {
			return opt, fmt.Errorf("trust for mail: no certificate in %s", e.Name())
		}
	}
	return opt, nil
}

func readTrustFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTrustFile+1))
	if err == nil && len(b) > maxTrustFile {
		err = fmt.Errorf("%s is over %d bytes", path, maxTrustFile)
	}
	return b, err
}

// verify judges a mail by the trust of this installation as it is now.
func (m *mailKeys) verify(r io.Reader) (*signing.MailReport, error) {
	opt, err := mailTrust(m.trust)
	if err != nil {
		return nil, err
	}
	return signing.VerifyMail(r, opt)
}

// isMail tells a mail from a PDF by its name: a mail may begin with anything that looks like a header.
func isMail(file string) bool { return strings.EqualFold(filepath.Ext(file), ".eml") }

// verifyMailFile prints the verdict on the S/MIME signature of one mail and reports whether it is valid.
func verifyMailFile(s *streams, file, trust string, asJSON bool) bool {
	report, err := mailVerdict(file, trust)
	if err != nil {
		if asJSON {
			writeJSON(s.out, map[string]any{"file": filepath.Base(file), "status": signing.Indeterminate, "error": err.Error()})
		} else {
			fmt.Fprintf(s.out, "%s: không đọc được: %v\n", file, err)
		}
		return false
	}
	if asJSON {
		writeJSON(s.out, struct {
			File string `json:"file"`
			*signing.MailReport
		}{filepath.Base(file), report})
		return report.Status == signing.Valid
	}
	fmt.Fprintf(s.out, "%s: %s. %s\n", file, report.Status.Text(), report.Reason)
	for _, q := range []struct {
		name  string
		check signing.Check
	}{{"Cấu trúc", report.Structure}, {"Toàn vẹn", report.Intact}, {"Người ký", report.Signer}, {"Địa chỉ", report.Address},
		{"Chuỗi tin cậy", report.Chain}, {"Thời hạn", report.Time}, {"Thu hồi", report.Revocation}} {
		fmt.Fprintf(s.out, "    %-14s %s\n", q.name, q.check.Reason)
	}
	return report.Status == signing.Valid
}

func mailVerdict(file, trust string) (*signing.MailReport, error) {
	opt, err := mailTrust(trust)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return signing.VerifyMail(f, opt)
}
