package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/recipients"
	"congvan/signing"
)

// An installation is an opened data folder.
type installation struct {
	cfg      *config
	log      *slog.Logger
	db       *sqldb.DB
	mail     *mailcore.Store
	units    *recipients.Store
	exchange *exchange.Store
	keys     *keyring
	mailKeys *mailKeys

	readerOnce sync.Once
	reader     *intake.Reader
	readerErr  error
}

// openInstallation opens the database, migrates it and joins the rooms.
func openInstallation(ctx context.Context, cfg *config, log *slog.Logger) (*installation, error) {
	db, err := sqldb.Open(ctx, cfg.dsn(), sqldb.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, migrations.Files); err != nil {
		db.Close()
		return nil, err
	}
	blobs, err := blob.OpenDir(cfg.path("blobs"))
	if err != nil {
		db.Close()
		return nil, err
	}
	in := &installation{cfg: cfg, log: log, db: db, keys: &keyring{dir: cfg.path("keys"), crl: "http://ca." + cfg.Domain + "/root.crl", loaded: map[recipients.UnitCode]*signing.Sealer{}}}
	in.mailKeys = newMailKeys(cfg)
	in.mail = mailcore.NewStore(db, blobs, log)
	in.mail.SetHashCost(cfg.hashCost())
	in.units = recipients.NewStore(db, cfg.Domain)
	stamper, err := cfg.stamper()
	if err != nil {
		db.Close()
		return nil, err
	}
	in.exchange = exchange.NewStore(exchange.Options{DB: db, Stamper: stamper, Mail: in.mail, Domain: cfg.Domain, Log: log, Directory: in.units.Directory,
		Sealer: in.sealer, MailSigner: in.mailKeys.signer, VerifyMail: in.mailKeys.verify, MaxMessage: cfg.Mail.MaxMessage, Verify: in.verifySealed, LogKey: func() (*exchange.LogKey, error) { return in.keys.logKey(cfg.Domain) }, Doubt: cfg.doubt})
	return in, nil
}

func (in *installation) close() error {
	if in.reader != nil {
		in.reader.Close()
	}
	return in.db.Close()
}

// intake returns the document reader, started when it is first needed: it costs a moment and some memory.
func (in *installation) intake(ctx context.Context) (*intake.Reader, error) {
	in.readerOnce.Do(func() { in.reader, in.readerErr = newReader(ctx, in.cfg.path("cache"), in.cfg.OCR.Parallel) })
	return in.reader, in.readerErr
}

// sealer returns an agency's key: its own PKCS#12 file, or one made by the installation's own authority where there is one.
func (in *installation) sealer(ctx context.Context, agency recipients.UnitCode) (*signing.Sealer, error) {
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	u, ok := dir.Unit(agency)
	if !ok {
		return nil, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: string(agency)}
	}
	return in.keys.sealer(u)
}

// verifySealed is Check's judge of a stored seal.
func (in *installation) verifySealed(ctx context.Context, pdf []byte) error {
	roots, err := in.keys.roots()
	if err != nil {
		return err
	}
	report, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: roots, TSARoots: roots})
	if err != nil {
		return err
	}
	if report.Overall() != signing.Valid {
		return fmt.Errorf("signature is %s", report.Overall())
	}
	return nil
}

// A keyring is the folder of keys: password, root.pem, authority.p12 (a self-made authority), and CODE.p12 for each agency.
type keyring struct {
	dir    string
	mu     sync.Mutex
	loaded map[recipients.UnitCode]*signing.Sealer
	crl    string // address of the revocation list that own certificates name; some readers want one
}

func (k *keyring) password() (string, error) {
	b, err := os.ReadFile(filepath.Join(k.dir, "password"))
	return strings.TrimSpace(string(b)), err
}

func (k *keyring) roots() (*x509.CertPool, error) {
	return signing.LoadRoots(filepath.Join(k.dir, "root.pem"))
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

func (k *keyring) sealer(u recipients.Unit) (*signing.Sealer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.loaded[u.Code]; s != nil {
		return s, nil
	}
	password, err := k.password()
	if err != nil {
		return nil, fmt.Errorf("password of the keys: %w", err)
	}
	path := filepath.Join(k.dir, string(u.Code)+".p12")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := k.certify(u, path, password); err != nil {
			return nil, err
		}
	}
	id, err := signing.LoadIdentity(path, password)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", u.Code, err)
	}
	s, err := id.Sealer()
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", u.Code, err)
	}
	k.loaded[u.Code] = s
	return s, nil
}

// certify makes an agency's certificate where the installation has its own authority.
func (k *keyring) certify(u recipients.Unit, path, password string) error {
	ca, err := signing.LoadAuthority(filepath.Join(k.dir, "authority.p12"), password)
	if errors.Is(err, os.ErrNotExist) {
		return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoKey, Detail: u.Name}
	}
	if err != nil {
		return err
	}
	id, err := ca.Issue(signing.Subject{Name: u.Name, CRL: k.crl}, signing.P256)
	if err != nil {
		return err
	}
	return id.Save(path, password)
}
