package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"congvan/recipients"
)

// addresses is DIR/addresses.json: for programs what the demo prints.
type addresses struct {
	SMTP       string         `json:"smtp"`
	Submission string         `json:"submission"`
	IMAP       string         `json:"imap"`
	Web        string         `json:"web"`
	CAFile     string         `json:"ca_file"`
	Accounts   []demoAccount  `json:"accounts"`
	Documents  []demoDocument `json:"documents"`
	Outside    string         `json:"outside"` // the server that stands in for the world outside
}

type demoAccount struct {
	Address  string `json:"address"`
	Password string `json:"password"`
	Kind     string `json:"kind"`
	Unit     string `json:"unit"`
}

type demoDocument struct {
	Reference string `json:"reference"`
	Issuer    string `json:"issuer"`
}

// setUp makes the folder, or opens what an earlier run left there.
func (d *demo) setUp(ctx context.Context) error {
	dir := absolute(d.flags.data)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if d.unlock, err = lock(defaults(dir)); err != nil {
		return err
	}
	said, err := d.decisions()
	if err != nil {
		return err
	}
	d.said = said
	log, err := d.openLog(dir)
	if err != nil {
		return err
	}
	cfg := defaults(dir)
	if _, err := os.Stat(cfg.path(configFile)); err == nil {
		if cfg, err = loadConfig(dir); err != nil {
			return err
		}
	}
	cfg.Domain, cfg.Mail.LoopbackOnly, cfg.Listen.PlainFromLoopback = demoDomain, true, true
	if cfg.Seal.Unattended == (decisionConfig{}) { // a folder of an earlier program
		cfg.Seal.Unattended = trialDecision
	}
	cfg.lease, cfg.doubt = 5*time.Second, 5*time.Second // whoever runs it again after a crash does not wait for hours
	if err := d.openSockets(cfg); err != nil {
		return err
	}
	if d.in, err = initialise(ctx, cfg, "Tỉnh Kon Tum (thử nghiệm)", log); err != nil {
		return err
	}
	if err := d.fill(ctx); err != nil {
		d.in.close()
		return err
	}
	return nil
}

// openLog keeps the gateway's log in a file: the screen is for the story.
func (d *demo) openLog(dir string) (*slog.Logger, error) {
	f, err := os.OpenFile(filepath.Join(dir, "congvan.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return slog.New(slog.NewTextHandler(f, nil)), nil
}

func (d *demo) decisions() (*decisions, error) {
	if len(d.flags.pdf) > 0 || d.flags.decisions != "" {
		return loadDecisions(d.flags.decisions)
	}
	return parseDecisions("decisions.toml", string(demoFile("decisions.toml")))
}

// openSockets takes the ports of the last run where they are free, and free ones otherwise, all on loopback.
func (d *demo) openSockets(cfg *config) error {
	var err error
	old := addresses{}
	if b, e := os.ReadFile(filepath.Join(cfg.dir, "addresses.json")); e == nil {
		json.Unmarshal(b, &old) // a damaged file only costs the old ports
	}
	if d.outside, err = listenLoopback(old.Outside); err != nil {
		return err
	}
	for _, a := range []struct {
		address *string
		last    string
	}{{&cfg.Listen.SMTP, old.SMTP}, {&cfg.Listen.Submission, old.Submission}, {&cfg.Listen.IMAP, old.IMAP}, {&cfg.Listen.Web, old.Web}} {
		ln, err := listenLoopback(a.last)
		if err != nil {
			return err
		}
		*a.address = ln.Addr().String()
		ln.Close()
	}
	cfg.Listen.Submissions, cfg.Listen.IMAPS = "", ""
	cfg.Mail.SmartHost = d.outside.Addr().String()
	return nil
}

func listenLoopback(last string) (net.Listener, error) {
	if host, _, err := net.SplitHostPort(last); err == nil && host == "127.0.0.1" {
		if ln, err := net.Listen("tcp", last); err == nil {
			return ln, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// fill brings directory and mailboxes in; what is there stays.
func (d *demo) fill(ctx context.Context) error {
	dir, err := demoDirectory()
	if err != nil {
		return err
	}
	if _, err := d.in.units.Import(ctx, dir, "demo", "danh bạ mẫu"); err != nil {
		return err
	}
	if err := d.openAccounts(ctx, dir); err != nil {
		return err
	}
	if d.gateway, err = d.in.listen(); err != nil {
		return err
	}
	if d.roots, err = d.in.keys.roots(); err != nil {
		return err
	}
	d.addresses.SMTP, d.addresses.Submission, d.addresses.IMAP, d.addresses.Web = d.in.cfg.Listen.SMTP, d.in.cfg.Listen.Submission, d.in.cfg.Listen.IMAP, d.in.cfg.Listen.Web
	d.addresses.Outside, d.addresses.CAFile = d.outside.Addr().String(), d.in.cfg.path("tls", "cert.pem")
	if whole, err := filepath.Abs(d.addresses.CAFile); err == nil {
		d.addresses.CAFile = whole
	}
	return d.writeAddresses()
}

// openAccounts gives every unit its mailbox. Passwords are written down before the accounts are made, so that a run cut
// short between the two finds them again.
func (d *demo) openAccounts(ctx context.Context, dir *recipients.Directory) error {
	known := map[string]string{}
	if b, err := os.ReadFile(d.in.cfg.path("addresses.json")); err == nil {
		var old addresses
		if json.Unmarshal(b, &old) == nil {
			for _, a := range old.Accounts {
				known[a.Address] = a.Password
			}
		}
	}
	missing, err := missingAccounts(ctx, d.in, dir)
	if err != nil {
		return err
	}
	for _, u := range dir.Units() {
		if !u.Mailbox {
			continue
		}
		a := unitAccount(d.in.cfg, u)
		password := known[string(a.Address)]
		if password == "" {
			password = newPassword()
		}
		known[string(a.Address)] = password
		d.addresses.Accounts = append(d.addresses.Accounts, demoAccount{string(a.Address), password, u.Kind, string(u.Code)})
	}
	if err := d.writeAddresses(); err != nil {
		return err
	}
	for i := range missing {
		missing[i].Password = known[string(missing[i].Address)]
	}
	_, err = d.in.mail.CreateAccounts(ctx, missing)
	return err
}

func (d *demo) writeAddresses() error {
	b, err := json.MarshalIndent(d.addresses, "", " ")
	if err != nil {
		return err
	}
	return writeFile(d.in.cfg.path("addresses.json"), append(b, '\n'), 0o600)
}

// demoClerk is who issues in the demonstration.
