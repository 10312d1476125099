package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
)

// commandLog is the log of short commands: warnings only, for the operator.
func commandLog(w any) *slog.Logger {
	f, ok := w.(interface{ Write([]byte) (int, error) })
	if !ok {
		f = os.Stderr
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// withInstallation opens the installation for one command.
func withInstallation(ctx context.Context, s *streams, data string, fn func(*installation) error) error {
	cfg, err := loadConfig(data)
	if err != nil {
		return err
	}
	in, err := openInstallation(ctx, cfg, commandLog(s.err))
	if err != nil {
		return err
	}
	defer in.close()
	return fn(in)
}

func initCommand(s *streams) *cobra.Command {
	var data, name string
	cfg := defaults("")
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a new installation: configuration, database, the gateway's mailboxes, a certificate authority of its own",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if cfg.Domain == "" {
				return &usageError{errors.New("--domain is missing"), "congvan init --data DIR --domain tinh.gov.vn"}
			}
			cfg.dir, cfg.Domain = data, strings.ToLower(cfg.Domain)
			if _, err := os.Stat(cfg.path(configFile)); err == nil {
				return &hintError{fmt.Errorf("%s is there already", cfg.path(configFile)), "use another folder, or edit that file"}
			}
			in, err := initialise(c.Context(), cfg, name, commandLog(s.err))
			if err != nil {
				return err
			}
			defer in.close()
			fmt.Fprintf(s.out, `Đã tạo %s cho tên miền %s. Tiếp theo:

  congvan directory import --data %[3]s UNITS.csv     danh bạ đơn vị
  congvan account add --data %[3]s --unit MÃ          hộp thư của đơn vị
  congvan serve --data %[3]s                          chạy máy chủ
  congvan issue --data %[3]s VĂNBẢN.pdf               phát hành văn bản
`, cfg.path(configFile), cfg.Domain, data)
			return nil
		},
	}
	dataFlag(c, &data, ".")
	f := c.Flags()
	f.StringVar(&cfg.Domain, "domain", "", "domain of the province's mail (required)")
	f.StringVar(&name, "name", "", "name of the province, for the certificate authority")
	f.StringVar(&cfg.Database, "database", cfg.Database, "sqlite:FILE, or a PostgreSQL address")
	f.StringVar(&cfg.Listen.SMTP, "smtp", cfg.Listen.SMTP, "address for mail from outside")
	f.StringVar(&cfg.Listen.Submission, "submission", cfg.Listen.Submission, "address for mail of our accounts")
	f.StringVar(&cfg.Listen.IMAP, "imap", cfg.Listen.IMAP, "address for reading mail")
	f.StringVar(&cfg.Listen.Web, "web", cfg.Listen.Web, "address of the account pages")
	f.StringVar(&cfg.Mail.SmartHost, "smart-host", "", "send all outside mail through this server")
	f.BoolVar(&cfg.Mail.LoopbackOnly, "loopback-only", false, "send to servers on this machine alone (for trying out)")
	return c
}

// initialise makes what is missing of an installation; the configuration comes last, so that a folder with one is whole.
func initialise(ctx context.Context, cfg *config, name string, log *slog.Logger) (*installation, error) {
	if name == "" {
		name = cfg.Domain
	}
	if cfg.Hostname == "" {
		cfg.Hostname = "mail." + cfg.Domain
	}
	if cfg.Mail.LoopbackOnly && cfg.Seal.Unattended == (decisionConfig{}) {
		cfg.Seal.Unattended = trialDecision
	}
	cfg.Listen.PlainFromLoopback = cfg.Listen.PlainFromLoopback || cfg.Mail.LoopbackOnly
	if err := cfg.validate(cfg.path(configFile)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.dir, 0o700); err != nil {
		return nil, err
	}
	in, err := openInstallation(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(in.keys.create(name), in.mailKeys.create(), in.systemAccounts(ctx)); err != nil {
		in.close()
		return nil, err
	}
	if _, err := os.Stat(cfg.path(configFile)); errors.Is(err, os.ErrNotExist) {
		if err := cfg.write(); err != nil {
			in.close()
			return nil, err
		}
	}
	return in, nil
}

// systemAccounts opens the gateway's own mailboxes; nobody can log in to them.
func (in *installation) systemAccounts(ctx context.Context) error {
	for local, name := range map[string]string{exchange.ReplyMailbox: "Trả lời văn bản", exchange.BounceMailbox: "Báo phát văn bản", exchange.FaultMailbox: "Báo sự cố", "postmaster": "Quản trị thư"} {
		_, err := in.mail.CreateAccounts(ctx, []mailcore.NewAccount{{Address: mailcore.Address(local + "@" + in.cfg.Domain), Kind: mailcore.System, Name: name}})
		if err != nil && !errors.Is(err, mailcore.ErrAddressTaken) {
			return err
		}
	}
	return nil
}

func directoryCommand(s *streams) *cobra.Command {
	var data, groups, request string
	imp := &cobra.Command{
		Use:   "import UNITS.csv",
		Short: "Take over a directory: columns code,name,kind,parent,aliases and, where wanted, address,mailbox",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				return importDirectory(c.Context(), s, in, args[0], groups, request)
			})
		},
	}
	imp.Flags().StringVar(&groups, "groups", "", "file of groups: columns code,member_kinds,member_codes")
	imp.Flags().StringVar(&request, "request", "", "number and date of the written request (Điều 6)")
	exp := &cobra.Command{
		Use:   "export",
		Short: "Print the directory as CSV",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				dir, err := in.units.Directory(c.Context(), "")
				if err != nil {
					return err
				}
				var grouped bytes.Buffer
				return dir.WriteCSV(s.out, &grouped)
			})
		},
	}
	for _, c := range []*cobra.Command{imp, exp} {
		dataFlag(c, &data, ".")
	}
	return parent("directory", "The directory of units (danh bạ)", imp, exp, aliasCommand(s), postsCommand(s))
}

func importDirectory(ctx context.Context, s *streams, in *installation, unitsFile, groupsFile, request string) error {
	units, err := readFile(unitsFile)
	if err != nil {
		return err
	}
	var groups io.Reader
	if groupsFile != "" {
		b, err := readFile(groupsFile)
		if err != nil {
			return err
		}
		groups = bytes.NewReader(b)
	}
	dir, err := recipients.ReadDirectory(bytes.NewReader(units), groups)
	if err != nil {
		return &hintError{err, "sửa dòng đó trong tệp rồi nhập lại; chưa có gì thay đổi"}
	}
	for _, w := range dir.Warnings {
		fmt.Fprintf(s.err, "lưu ý: %s\n", w)
	}
	n, err := in.units.Import(ctx, dir, "congvan", request)
	if err != nil {
		return err
	}
	for _, w := range n.Warnings {
		fmt.Fprintf(s.err, "lưu ý: %s\n", w)
	}
	fmt.Fprintf(s.out, "Danh bạ: %d đơn vị; thêm %d, đổi %d, thôi %d.\n", n.Total, len(n.Added), len(n.Changed), len(n.Ended))
	return nil
}

func checkCommand(s *streams) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "check",
		Short: "Prove the invariants of configuration, mail and documents",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error { return checkAll(c.Context(), s, in) })
		},
	}
	dataFlag(c, &data, ".")
	return c
}

func checkAll(ctx context.Context, s *streams, in *installation) error {
	start, bad := time.Now(), 0
	for _, part := range []struct {
		name  string
		check func(context.Context) ([]string, error)
	}{{"mail", in.mail.Check}, {"exchange", in.exchange.Check}} {
		found, err := part.check(ctx)
		if err != nil {
			return err
		}
		for _, f := range found {
			fmt.Fprintf(s.out, "%s: %s\n", part.name, f)
		}
		bad += len(found)
	}
	if err := in.showEndings(ctx, s.out); err != nil {
		return err
	}
	if bad > 0 {
		return &hintError{fmt.Errorf("%d invariants do not hold", bad), "keep a copy of the data folder before anything else"}
	}
	fmt.Fprintf(s.out, "Dữ liệu và cấu hình đều đúng (%.1f s).\n", time.Since(start).Seconds())
	return nil
}

func verifyCommand(s *streams) *cobra.Command {
	var data, rootsFile, keyFile, tsaFile string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Verify evidence bundles, and the signatures of PDF files, offline",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			key, err := logKeys(keyFile, data)
			if err != nil {
				return err
			}
			roots, stamps, rootsErr := verifierTrust(rootsFile, data)
			if rootsErr != nil && c.Flags().Changed("roots") {
				return rootsErr
			}
			stampRoots, err := tsaRoots(tsaFile, data)
			if err != nil {
				return err
			}
			bad := 0
			for _, file := range files {
				if bundle, err := readBundle(file); err != nil {
					return err
				} else if bundle != nil { // without roots its seals are not judged
					if !verifyBundle(c.Context(), s, file, bundle, exchange.Trust{Roots: roots, TSARoots: stampRoots, LogKeys: key.Known}, asJSON) {
						bad++
					}
					continue
				}
				if rootsErr != nil && !isMail(file) {
					return &hintError{rootsErr, "name the trusted certificates with --roots FILE.pem, or an installation with --data DIR"}
				}
				if isMail(file) {
					if !verifyMailFile(s, file, filepath.Join(data, mailTrustDir), asJSON) {
						bad++
					}
					continue
				}
				judge := verifyFile
				if !isPDF(file) { // a file of a package that bears no signature of its own
					judge = func(ctx context.Context, s *streams, file string, opt signing.VerifyOptions, asJSON bool) bool {
						return verifyListed(ctx, s, file, files, opt, asJSON)
					}
				}
				if !judge(c.Context(), s, file, signing.VerifyOptions{Roots: roots, TSARoots: stamps}, asJSON) {
					bad++
				}
			}
			if bad > 0 {
				return &exitError{1}
			}
			return nil
		},
	}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&rootsFile, "roots", "", "trusted root certificates (PEM)")
	c.Flags().StringVar(&keyFile, "log-key", "", "public keys of the log, for evidence bundles")
	c.Flags().StringVar(&tsaFile, "tsa-roots", "", "trusted roots of time stamps in evidence bundles (PEM); those of --roots as well")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a file")
	return c
}
