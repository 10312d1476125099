package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"
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
	journal    *exchange.Journal // nil where none is configured
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
	blobs, err := cfg.openBlobs(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	in := &installation{cfg: cfg, log: log, db: db, keys: newKeyring(cfg)}
	in.mailKeys = newMailKeys(cfg)
	in.mail = mailcore.NewStore(db, blobs, log)
	in.mail.SetHashCost(cfg.hashCost())
	in.mail.SetDefaultQuota(cfg.Accounts.Quota)
	in.units = recipients.NewStore(db, cfg.Domain)
	stamper, err := cfg.stamper()
	if err != nil {
		db.Close()
		return nil, err
	}
	journal, err := cfg.openJournal()
	if err != nil {
		db.Close()
		return nil, err
	}
	in.journal = journal
	in.exchange = exchange.NewStore(exchange.Options{DB: db, Journal: journal, Stamper: stamper, Mail: in.mail, Domain: cfg.Domain, Log: log, Directory: in.units.Directory, Posts: in.units.Posts,
		Sealer: in.sealer, Extending: in.keys.extending, RenewBefore: cfg.Seal.renewBefore(), MailSigner: in.mailKeys.signer, VerifyMail: in.mailKeys.verify, MaxMessage: cfg.Mail.MaxMessage, Verify: in.verifySealed, ReadArrival: in.readArrival, SealReport: in.sealReport, FaultUnit: recipients.UnitCode(cfg.Accounts.FaultUnit), LogKey: func() (*exchange.LogKey, error) { return in.keys.logKey(cfg.Domain) }, Doubt: cfg.doubt})
	if err := in.resume(ctx); err != nil {
		db.Close()
		return nil, err
	}
	if _, err := in.exchange.FoldDocuments(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return in, nil
}

func (in *installation) close() error {
	if in.reader != nil {
		in.reader.Close()
	}
	if in.journal != nil {
		in.journal.Close()
	}
	return in.db.Close()
}

// intake returns the document reader, started when it is first needed: it costs a moment and some memory.
func (in *installation) intake(ctx context.Context) (*intake.Reader, error) {
	in.readerOnce.Do(func() { in.reader, in.readerErr = newReader(ctx, in.cfg.path("cache"), in.cfg.OCR.Parallel, false) })
	return in.reader, in.readerErr
}

// sealer returns an agency's key.
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
	stamps, err := in.keys.stampRoots()
	if err != nil {
		return err
	}
	report, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: roots, TSARoots: stamps})
	if err != nil {
		return err
	}
	if report.Overall() != signing.Valid {
		return fmt.Errorf("signature is %s", report.Overall())
	}
	return nil
}
