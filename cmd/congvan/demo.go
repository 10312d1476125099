package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"embed"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// demoFiles are a province's directory, sample documents and a clerk's decisions.
//
//go:embed testdata/demo
var demoFiles embed.FS

const demoDomain = "kontum.test"

func demoFile(name string) []byte {
	b, err := demoFiles.ReadFile(path.Join("testdata/demo", name))
	if err != nil {
		panic(err) // embedded: missing only in a broken build
	}
	return b
}

// demoDirectory is the directory that reading falls back to where there is no installation.
func demoDirectory() (*recipients.Directory, error) {
	return recipients.ReadDirectory(bytes.NewReader(demoFile("kontum-2009-units.csv")), bytes.NewReader(demoFile("kontum-2009-groups.csv")))
}

type demoFlags struct {
	data, decisions string
	once            bool
	pdf, refuse     []string
}

func demoCommand(s *streams) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Set up a province in a folder and issue real documents to every unit named; nothing leaves this machine",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			f.pdf = append(f.pdf, args...)
			return runDemo(c.Context(), s, f)
		},
	}
	c.Flags().StringVar(&f.data, "data", "congvan-demo", "folder of the demonstration; run again, it goes on where it stopped")
	c.Flags().BoolVar(&f.once, "once", false, "stop at the end; exit 0 only if every document that could be issued arrived and verified")
	c.Flags().StringSliceVar(&f.pdf, "pdf", nil, "issue these documents instead of the samples")
	c.Flags().StringVar(&f.decisions, "decisions", "", "the clerk's decisions for --pdf (TOML)")
	c.Flags().StringSliceVar(&f.refuse, "refuse", nil, "outside addresses that shall refuse their mail, to see what becomes of it")
	return c
}

// A demo is one run of the demonstration.
type demo struct {
	flags     demoFlags
	s         *streams
	in        *installation
	gateway   *gateway
	outside   net.Listener
	unlock    func()
	said      *decisions
	addresses addresses
	roots     *x509.CertPool
	rows      []*demoRow
	verified  map[string]signing.Status // by digest of the PDF
	waiting   int                       // documents left to the clerk, in the spool
}

// A demoRow is one document in the closing table.
type demoRow struct {
	file   string
	id     exchange.DocumentID // 0: not issued
	reason string              // why it was left to the clerk or refused
	failed bool                // it could have been issued and was not

	why       error // what keeps it
	candidate *candidate
}

func runDemo(ctx context.Context, s *streams, f demoFlags) error {
	start := time.Now()
	d := &demo{flags: f, s: s, verified: map[string]signing.Status{}}
	err := d.setUp(ctx)
	if d.unlock != nil {
		defer d.unlock()
	}
	if err != nil {
		return err
	}
	defer d.in.close()
	d.sayf("Tỉnh thử nghiệm %s trong %s: %d hộp thư (%.1f s).", demoDomain, f.data, len(d.addresses.Accounts), time.Since(start).Seconds())
	serving, stop := context.WithCancel(ctx)
	defer stop()
	group, serving := errgroup.WithContext(serving)
	group.Go(func() error { return d.gateway.run(serving) })
	world := &outsideServer{dir: filepath.Join(f.data, "outside"), refuses: map[string]bool{}, gateway: d.addresses.SMTP, domain: demoDomain, log: d.in.log}
	for _, a := range f.refuse {
		world.refuses[strings.ToLower(a)] = true
	}
	group.Go(func() error { return world.run(serving, d.outside) })

	ok, err := d.play(serving)
	if err == nil {
		d.sayf("\nXong sau %.1f s.", time.Since(start).Seconds())
		if !f.once {
			d.showAddresses()
			<-serving.Done()
		}
	}
	stop()
	if e := group.Wait(); e != nil && err == nil {
		err = e
	}
	if err == nil && !ok && f.once {
		err = &exitError{1}
	}
	return err
}

func (d *demo) sayf(format string, args ...any) { fmt.Fprintf(d.s.out, format+"\n", args...) }

// play issues the documents, lets the people work, and shows what became of everything.
func (d *demo) play(ctx context.Context) (ok bool, err error) {
	if err := d.issueAll(ctx); err != nil {
		return false, err
	}
	if err := d.settle(ctx); err != nil {
		return false, err
	}
	if err := d.people(ctx); err != nil {
		return false, err
	}
	if err := d.settle(ctx); err != nil {
		return false, err
	}
	if err := d.writeAddresses(); err != nil {
		return false, err
	}
	return d.report(ctx)
}

// settle waits until nothing is on its way inside this machine any more.
func (d *demo) settle(ctx context.Context) error {
	deadline := time.Now().Add(60 * time.Second)
	for {
		pending, err := d.in.mail.PendingEvents(ctx, 1)
		if err != nil {
			return err
		}
		moving := 0
		for _, row := range d.rows {
			if row.id == 0 {
				continue
			}
			st, err := d.in.exchange.Status(ctx, row.id)
			if err != nil {
				return err
			}
			for i := range st.Dispatches {
				if t := st.Dispatches[i].Transport; t == exchange.Queued || t == exchange.Relayed || t == exchange.Uncertain {
					moving++
				}
			}
		}
		if len(pending) == 0 && moving == 0 || time.Now().After(deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// localhost names the host as mail clients check it against the certificate: some take no bare IP address.
func localhost(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

func (d *demo) showAddresses() {
	a := d.addresses
	d.sayf(`
Máy chủ đang chạy trên máy này (Ctrl-C để dừng):
  IMAP        %s  STARTTLS
  Gửi thư     %s  STARTTLS, đăng nhập bằng địa chỉ và mật khẩu
  Thư đến     %s
  Tài khoản   https://%s/account
  Chứng thư   %s`, localhost(a.IMAP), localhost(a.Submission), localhost(a.SMTP), localhost(a.Web), a.CAFile)
	for _, want := range []string{"stttt", "stc", "snv", "vpubnd", "dakto"} {
		for _, acc := range a.Accounts {
			if acc.Unit == want {
				d.sayf("  %-24s mật khẩu %s", acc.Address, acc.Password)
			}
		}
	}
	d.sayf("Mật khẩu của mọi hộp thư: %s", d.in.cfg.path("addresses.json"))
	d.sayf("Xem một văn bản: congvan status --data %s 22/2009/QĐ-UBND", d.flags.data)
}
