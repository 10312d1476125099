package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore"
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
const demoClerk = "văn thư (demo)"

// A demoInput is one document to issue.
type demoInput struct {
	name string
	data []byte
}

func (d *demo) inputs() ([]demoInput, error) {
	var out []demoInput
	if len(d.flags.pdf) > 0 {
		for _, file := range d.flags.pdf {
			data, err := readFile(file)
			if err != nil {
				return nil, err
			}
			out = append(out, demoInput{file, data})
		}
		return out, nil
	}
	entries, err := demoFiles.ReadDir("testdata/demo")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pdf") {
			out = append(out, demoInput{e.Name(), demoFile(e.Name())})
		}
	}
	return out, nil
}

func (d *demo) issueAll(ctx context.Context) error {
	inputs, err := d.inputs()
	if err != nil {
		return err
	}
	for i, in := range inputs {
		start := time.Now()
		fmt.Fprintf(d.s.out, "[%d/%d] %-32s ", i+1, len(inputs), filepath.Base(in.name))
		row, result, err := d.issueOne(ctx, in)
		if err != nil {
			fmt.Fprintln(d.s.out)
			return fmt.Errorf("%s: %w", in.name, err)
		}
		d.rows = append(d.rows, row)
		d.sayf("%s (%.1f s)", result, time.Since(start).Seconds())
	}
	return nil
}

// issueOne takes one document all the way, or notes in its row why it stays with the clerk.
func (d *demo) issueOne(ctx context.Context, in demoInput) (*demoRow, string, error) {
	row := &demoRow{file: filepath.Base(in.name)}
	desk := &desk{in: d.in, s: d.s, said: d.said, flags: issueFlags{json: true, as: demoClerk}}
	p, err := d.proposed(ctx, desk, in, row)
	if err != nil {
		return row, "", err
	}
	if p != nil {
		res := &issueResult{}
		if err := desk.send(ctx, desk.actor(p.Agency), p, in.data, res); err != nil {
			if !row.left(err) {
				return row, "", err
			}
			// A number in use is the paper's fault; whatever else stops a document that was ready is ours.
			row.failed = !exchange.IsCode(err, exchange.CodeNumberTaken) && !exchange.IsCode(err, exchange.CodeSameFile)
			row.why = err
		}
		row.id = res.document
	}
	if err := d.spool(in, row); err != nil || row.id == 0 {
		return row, row.reason, err
	}
	st, err := d.in.exchange.Status(ctx, row.id)
	if err != nil {
		return row, "", err
	}
	d.addresses.Documents = append(d.addresses.Documents, demoDocument{st.Reference, st.Issuer})
	return row, fmt.Sprintf("%s: %d nơi nhận, %d bản", st.Reference, len(st.Lines), len(st.Dispatches)), nil
}

// proposed reads a document. No proposal comes back when it was issued before (the row has its id), or when it stays with the
// clerk (the row has the reason).
func (d *demo) proposed(ctx context.Context, desk *desk, in demoInput, row *demoRow) (*exchange.Proposal, error) {
	known, err := d.in.exchange.ByOriginal(ctx, in.data)
	if err != nil {
		return nil, err
	}
	if known != nil && known.State == exchange.Issued {
		row.id = known.ID
		return nil, nil
	}
	c, err := desk.propose(ctx, []uploaded{{in.name, in.data}}, said{})
	row.candidate = c
	if err != nil {
		if !row.left(err) {
			return nil, err
		}
		return nil, nil
	}
	p := c.p
	p.NotSecret = len(d.flags.pdf) > 0 // whoever names a file of his own here has answered; the guard has looked all the same
	if p.Secrecy != "" {
		row.reason = fmt.Sprintf("từ chối: văn bản %s, không lưu nội dung", p.Secrecy)
		return nil, d.in.exchange.RefuseSecret(ctx, desk.actor(p.Agency), p.Agency, p.Secrecy)
	}
	if err := errors.Join(c.apply(d.said, desk.actor(p.Agency)), p.Ready()); err != nil {
		if !row.left(err) {
			return nil, err
		}
		row.failed = d.said.names(p.Reference) // decisions that speak of a document are meant to let it go
		return nil, nil
	}
	return p, nil
}

// left notes why a document stays with the clerk; false for a fault of our own.
func (row *demoRow) left(err error) bool {
	var e *exchange.Error
	var p *intake.Problem
	var s *signing.InputError
	if !errors.As(err, &e) && !errors.As(err, &p) && !errors.As(err, &s) {
		return false
	}
	row.why = err
	text, hint := explain(err)
	row.reason = strings.TrimSpace("để lại cho văn thư: " + text + " " + hint)
	return true
}

// spool keeps a document that stays with the clerk, for "congvan issue --spool", and forgets one that was issued after all.
func (d *demo) spool(in demoInput, row *demoRow) error {
	files := []uploaded{{in.name, in.data}}
	spool := d.in.spool()
	if row.why == nil {
		if _, err := spool.note(spoolID(files)); err != nil {
			return nil // it never waited
		}
		return spool.drop(spoolID(files))
	}
	files[0].name = filepath.Base(in.name)
	e, err := spool.put(files, said{}, demoClerk)
	if err != nil {
		return err
	}
	res := &issueResult{}
	if row.candidate != nil && row.candidate.p != nil {
		res.take(row.candidate)
	}
	e.note.explain(res, row.why)
	d.waiting++
	return e.keep()
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

// people lets some units work with their mail, each by its habit, which follows from its place in the directory.
func (d *demo) people(ctx context.Context) error {
	conf, err := d.clientTLS()
	if err != nil {
		return err
	}
	named := map[string]bool{} // by address: whether there is something to do
	for _, row := range d.rows {
		if row.id == 0 {
			continue
		}
		st, err := d.in.exchange.Status(ctx, row.id)
		if err != nil {
			return err
		}
		for _, c := range st.Dispatches {
			named[c.Address] = named[c.Address] || c.Handling == exchange.Received
		}
	}
	i, worked := -1, 0
	for n, a := range d.addresses.Accounts {
		todo, got := named[a.Address]
		if !got {
			continue
		}
		i++ // counts every unit that got something, so that a second run finds the same habits
		if !todo {
			continue
		}
		h := []habit{movesMail, opens, repliesMail, leaves, movesMail}[i%5]
		if i == 3 {
			h = refusesMail
		}
		p := &person{address: a.Address, password: a.Password, imap: d.addresses.IMAP, submission: d.addresses.Submission, tls: conf, number: 100 * (n + 1)}
		read, err := p.work(h)
		if err != nil {
			return err
		}
		if len(read) > 0 {
			worked++
		}
		for _, c := range read {
			if status := d.verify(ctx, c.pdf); status != signing.Valid {
				return fmt.Errorf("%s: chữ ký của bản nhận được: %s", a.Address, status)
			}
			if r, err := d.in.mailKeys.verify(bytes.NewReader(c.raw)); err != nil || r.Status != signing.Valid {
				return errors.Join(err, fmt.Errorf("%s: chữ ký của thư nhận được: %s", a.Address, r.Reason))
			}
		}
	}
	d.sayf("Lần này %d đơn vị mở thư bằng IMAP; có đơn vị tiếp nhận bằng chuyển thư mục, bằng thư trả lời, có đơn vị từ chối.", worked)
	return nil
}

func (d *demo) clientTLS() (*tls.Config, error) {
	pem, err := os.ReadFile(d.addresses.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}, nil
}

// verify judges a PDF once, however many copies of it there are.
func (d *demo) verify(ctx context.Context, pdf []byte) signing.Status {
	sum := sha256.Sum256(pdf)
	key := hex.EncodeToString(sum[:])
	if s, ok := d.verified[key]; ok {
		return s
	}
	status := signing.Invalid
	if r, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: d.roots, TSARoots: d.roots}); err == nil {
		status = r.Overall()
	}
	d.verified[key] = status
	return status
}

// report prints the closing table and tells whether every document that could be issued arrived and verified.
func (d *demo) report(ctx context.Context) (bool, error) {
	ok := true
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "\nVăn bản\tNơi nhận\tĐơn vị\tBản\tĐã đến\tĐã mở\tTiếp nhận\tTừ chối\tĐể lại cho văn thư")
	var trouble []string
	for _, row := range d.rows {
		if row.id == 0 {
			fmt.Fprintf(t, "%s\t-\t-\t-\t-\t-\t-\t-\t%s\n", row.file, row.reason)
			ok = ok && !row.failed
			continue
		}
		st, err := d.in.exchange.Status(ctx, row.id)
		if err != nil {
			return false, err
		}
		bad, err := d.missing(ctx, st)
		if err != nil {
			return false, err
		}
		n := countCopies(st)
		arrived := 0
		for i := range st.Dispatches {
			if st.Dispatches[i].Transport == exchange.Delivered {
				arrived++
			}
		}
		units := map[string]bool{}
		for _, c := range st.Dispatches {
			units[c.Unit] = true
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", st.Reference, len(st.Lines), len(units), n.copies, arrived, n.opened, n.accepted, n.refused,
			strings.Join(append(decidedLines(st), bad...), "; "))
		trouble = append(trouble, bad...)
	}
	t.Flush()
	if d.waiting > 0 {
		d.sayf("\n%d văn bản nằm chờ văn thư: congvan spool list --data %s", d.waiting, d.flags.data)
	}
	if len(trouble) > 0 {
		ok = false
		sort.Strings(trouble)
		d.sayf("\nChưa đến nơi: %d bản.", len(trouble))
	}
	return ok, nil
}

// decidedLines says how many lines were open until the clerk's decisions settled them.
func decidedLines(st *exchange.Status) []string {
	n := 0
	for _, l := range st.Lines {
		if l.DecidedBy != "" {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d nơi nhận chưa rõ, văn thư đã quyết định", n)}
}

// missing lists the copies of a document that did not arrive with a valid signature. Copies in our mailboxes are read as
// they lie there, those outside from the files of the server that stands in for the world.
func (d *demo) missing(ctx context.Context, st *exchange.Status) ([]string, error) {
	var bad []string
	sealed, err := d.in.exchange.Bytes(st.Document.SealedPDF)
	if err != nil {
		return nil, err
	}
	if s := d.verify(ctx, sealed); s != signing.Valid {
		return []string{"chữ ký: " + s.Text()}, nil
	}
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		switch {
		case c.Dispatch.Way == exchange.ByOther:
			bad = append(bad, c.Name+": chưa có hộp thư")
		case c.Transport != exchange.Delivered:
			bad = append(bad, fmt.Sprintf("%s: %s, %s", c.Name, transportWords[c.Transport], lastWords(c)))
		case c.Dispatch.Way == exchange.ByMail && !d.cameOutside(c.Address, sealed):
			bad = append(bad, c.Name+": không thấy ở máy chủ bên ngoài")
		}
	}
	return bad, d.checkCopies(ctx, st, sealed, &bad)
}

// cameOutside looks for the sealed PDF among the files of the outside server.
func (d *demo) cameOutside(address string, sealed []byte) bool {
	files, _ := filepath.Glob(filepath.Join(d.flags.data, "outside", address, "*.eml"))
	return slices.ContainsFunc(files, func(f string) bool {
		raw, err := os.ReadFile(f)
		if err != nil {
			return false
		}
		got, _, _, err := openDocument(raw)
		return err == nil && bytes.Equal(got.pdf, sealed)
	})
}

// checkCopies reads the stored mail of every copy in a mailbox of ours and compares the PDF in it with the sealed one.
func (d *demo) checkCopies(ctx context.Context, st *exchange.Status, sealed []byte, bad *[]string) error {
	bodies := map[string]bool{} // digest of a mail's body: does it hold the sealed PDF
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		if c.Dispatch.Way != exchange.ByMailbox {
			continue
		}
		copies, err := d.in.mail.CopiesOf(ctx, fmt.Sprintf("dispatch:%d", c.Dispatch.ID))
		if err != nil {
			return err
		}
		if len(copies) != 1 {
			*bad = append(*bad, fmt.Sprintf("%s: %d bản trong hộp thư", c.Name, len(copies)))
			continue
		}
		digest := string(copies[0].Digest)
		if _, ok := bodies[digest]; !ok {
			bodies[digest] = d.holds(copies[0], sealed)
		}
		if !bodies[digest] {
			*bad = append(*bad, c.Name+": tệp trong hộp thư khác tệp đã ký")
		}
	}
	return nil
}

func (d *demo) holds(c mailcore.Stored, sealed []byte) bool {
	f, err := d.in.mail.Blobs().Open(c.Digest)
	if err != nil {
		return false
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return false
	}
	got, _, _, err := openDocument(raw)
	return err == nil && bytes.Equal(got.pdf, sealed)
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
