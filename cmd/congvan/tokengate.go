package main

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"congvan/recipients"
	"congvan/signing"

	"golang.org/x/sync/errgroup"
)

const (
	deskDir     = "desks" // in the folder of keys: the gateway's own key, pairings that wait, and paired desks
	deskKeyFile = "gateway.pem"
	// deskPatience is how long a person has for one signature; then the document waits on.
	deskPatience = 10 * time.Minute
	// deskSnooze is how long a document is not offered again that the clerk did not want to sign.
	deskSnooze = 15 * time.Minute
	maxDesks   = 256
)

// A pairing waits for the desk that knows its code. Key is made of the code, which is kept nowhere.
type pairing struct {
	Unit  recipients.UnitCode `json:"unit"`
	Key   []byte              `json:"key"`
	Until time.Time           `json:"until"`
}

// A pairedDesk is a clerk's computer that may sign for a unit.
type pairedDesk struct {
	Unit        recipients.UnitCode `json:"unit"`
	Name        string              `json:"name"`
	Fingerprint string              `json:"fingerprint"`
	Chain       [][]byte            `json:"chain"`
	At          time.Time           `json:"at"`
}

func (d *pairedDesk) chain() ([]*x509.Certificate, error) { return parseChain(d.Chain) }

func parseChain(list [][]byte) ([]*x509.Certificate, error) {
	if len(list) == 0 || len(list) > 8 {
		return nil, fmt.Errorf("chain of %d certificates", len(list))
	}
	out := make([]*x509.Certificate, len(list))
	for i, der := range list {
		var err error
		if out[i], err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A deskGate is the gateway's side: it knows which desks are paired and which are connected.
type deskGate struct {
	dir   string
	log   *slog.Logger
	roots func() (*x509.CertPool, error)
	name  func(context.Context, recipients.UnitCode) (string, error) // of a unit
	wake  chan struct{}                                              // a desk has connected

	mu    sync.Mutex
	conns map[recipients.UnitCode]*deskConn
}

func (in *installation) newDeskGate() *deskGate {
	g := &deskGate{dir: filepath.Join(in.keys.dir, deskDir), log: in.log, roots: in.keys.roots, wake: make(chan struct{}, 1), conns: map[recipients.UnitCode]*deskConn{},
		name: func(ctx context.Context, code recipients.UnitCode) (string, error) {
			dir, err := in.units.Directory(ctx, "")
			if err != nil {
				return "", err
			}
			u, ok := dir.Unit(code)
			if !ok {
				return "", fmt.Errorf("no unit %q", code)
			}
			return u.Name, nil
		}}
	in.keys.desk = g.identity
	return g
}

// A deskConn is a connected desk. It signs one file at a time.
type deskConn struct {
	w    *wire
	desk pairedDesk
	gone chan struct{}
	job  chan struct{} // holds one token: whoever has it may send a job

	mu       sync.Mutex
	pending  map[string]chan frame
	declined map[string]time.Time // by digest of the document: not to be offered again before
	next     int
}

// serve takes desks until ctx ends.
func (g *deskGate) serve(ctx context.Context, l net.Listener) error {
	own, err := wireKey(filepath.Join(g.dir, deskKeyFile), "congvan")
	if err != nil {
		return fmt.Errorf("key for desks: %w", err)
	}
	conf := wireConfig(own, "")
	var group errgroup.Group
	group.SetLimit(maxDesks)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer group.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		group.Go(func() error {
			conn := tls.Server(c, conf)
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := g.greet(ctx, &wire{conn: conn}); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
				g.log.Info("desk left", "peer", c.RemoteAddr().String(), "err", err)
			}
			return nil
		})
	}
}

func (g *deskGate) greet(ctx context.Context, w *wire) error {
	w.conn.SetDeadline(time.Now().Add(greetingTime))
	if err := w.conn.HandshakeContext(ctx); err != nil {
		return err
	}
	f, err := w.receive(0, greetingTime)
	if err != nil {
		return err
	}
	refuse := func(err error, reason string) error {
		return errors.Join(err, w.send(frame{Type: "refused", Reason: reason}))
	}
	if f.Version != tokenVersion {
		return refuse(fmt.Errorf("desk of version %d", f.Version), "Bản congvan ở máy này khác bản của máy chủ; hãy cài cùng một bản.")
	}
	switch f.Type {
	case "pair":
		if err := g.pair(ctx, w, f); err != nil {
			return refuse(err, "Chưa ghép đôi được: "+reasonOf(err))
		}
		return nil
	case "hello":
		desk, err := g.paired(w)
		if err != nil {
			return refuse(err, "Máy này chưa ghép đôi với máy chủ, hoặc đã bị bỏ ghép. Chạy lại: congvan token join.")
		}
		return g.attend(ctx, w, desk)
	}
	return refuse(fmt.Errorf("unknown greeting %.20q", f.Type), "Không hiểu yêu cầu.")
}

// reasonOf is what a person at the desk is told of an error.
func reasonOf(err error) string {
	var h *hintError
	if t := keyTrouble(err); t != nil {
		return t.text
	} else if errors.As(err, &h) {
		return h.Error()
	}
	return "máy chủ gặp lỗi, xem nhật ký của máy chủ"
}

var errPairing = &hintError{errors.New("mã ghép đôi sai, đã dùng hoặc đã quá 15 phút"), "congvan token pair"}

// pair takes a desk that proves to know a code. The code is gone after one try, good or bad.
func (g *deskGate) pair(ctx context.Context, w *wire, f frame) error {
	id, err := hex.DecodeString(f.ID)
	if err != nil || len(id) != 8 {
		return errPairing
	}
	path := filepath.Join(g.dir, "pairing-"+hex.EncodeToString(id)+".json")
	b, err := readSecret(path)
	if err != nil {
		return errPairing
	}
	if err := os.Remove(path); err != nil {
		return errPairing // somebody else has just used it
	}
	var p pairing
	if err := json.Unmarshal([]byte(b), &p); err != nil || time.Now().After(p.Until) {
		return errPairing
	}
	peer, err := w.peer()
	if err != nil {
		return err
	}
	want, err := pairingProof(p.Key, w.conn, "desk", append([][]byte{[]byte(peer), []byte(f.Name)}, f.Chain...)...)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, f.Proof) {
		return errPairing
	}
	if err := g.judgeChain(f.Chain); err != nil {
		return err
	}
	agency, err := g.name(ctx, p.Unit)
	if err != nil {
		return err
	}
	desk := pairedDesk{Unit: p.Unit, Name: f.Name, Fingerprint: peer, Chain: f.Chain, At: time.Now()}
	if b, err := json.Marshal(desk); err != nil {
		return err
	} else if err := writeFile(g.deskFile(peer), b, 0o600); err != nil {
		return err
	}
	g.log.Info("desk paired", "unit", p.Unit, "desk", f.Name, "key", peer)
	answer := frame{Type: "welcome", Unit: string(p.Unit), Agency: agency}
	if answer.Proof, err = pairingProof(p.Key, w.conn, "gateway", []byte(answer.Unit), []byte(agency)); err != nil {
		return err
	}
	return w.send(answer)
}

// judgeChain wants a certificate that may seal and that whoever checks the seals here will trust.
func (g *deskGate) judgeChain(list [][]byte) error {
	chain, err := parseChain(list)
	if err != nil {
		return &hintError{fmt.Errorf("không đọc được chứng thư số: %w", err), ""}
	}
	if _, err := signing.NewSealer(&deskKey{pub: chain[0].PublicKey}, chain); err != nil {
		return err
	}
	roots, err := g.roots()
	if err != nil {
		return err
	}
	above := x509.NewCertPool()
	for _, c := range chain[1:] {
		above.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return &hintError{fmt.Errorf("chứng thư số của %q không được máy chủ tin cậy (%w); đặt chứng thư gốc vào thư mục trust", chain[0].Subject.CommonName, err), ""}
	}
	return nil
}

func (g *deskGate) deskFile(fingerprint string) string {
	return filepath.Join(g.dir, "desk-"+fingerprint[:32]+".json")
}

// paired finds who is at the other end.
func (g *deskGate) paired(w *wire) (pairedDesk, error) {
	peer, err := w.peer()
	if err != nil {
		return pairedDesk{}, err
	}
	desk, err := readDesk(g.deskFile(peer))
	if err != nil || desk.Fingerprint != peer {
		return desk, errors.Join(errStranger, err)
	}
	return desk, nil
}

func readDesk(path string) (d pairedDesk, err error) {
	b, err := readSecret(path)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal([]byte(b), &d)
}

// listDesks reads all paired desks.
func listDesks(dir string) (out []pairedDesk, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "desk-*.json"))
	for _, f := range files {
		d, e := readDesk(f)
		if errors.Is(e, fs.ErrNotExist) {
			continue
		}
		if e != nil {
			return out, fmt.Errorf("%s: %w", f, e)
		}
		out = append(out, d)
	}
	return out, err
}

// attend keeps a desk connected and brings its answers to whoever waits for them.
func (g *deskGate) attend(ctx context.Context, w *wire, desk pairedDesk) error {
	agency, err := g.name(ctx, desk.Unit)
	if err != nil {
		return err
	}
	if err := w.send(frame{Type: "welcome", Unit: string(desk.Unit), Agency: agency}); err != nil {
		return err
	}
	c := &deskConn{w: w, desk: desk, gone: make(chan struct{}), job: make(chan struct{}, 1), pending: map[string]chan frame{}, declined: map[string]time.Time{}}
	g.join(c)
	defer g.leave(c)
	g.log.Info("desk connected", "unit", desk.Unit, "desk", desk.Name)
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	go func() {
		for {
			select {
			case <-c.gone:
				return
			case <-pings.C:
				if _, err := g.paired(w); err != nil || w.send(frame{Type: "ping"}) != nil { // unpaired meanwhile, or gone
					w.conn.Close()
					return
				}
			}
		}
	}()
	for {
		f, err := w.receive(0, silence)
		if err != nil {
			return err
		}
		switch f.Type {
		case "ready":
			g.wakeUp()
		case "signature", "declined":
			c.mu.Lock()
			answer := c.pending[f.ID]
			delete(c.pending, f.ID)
			c.mu.Unlock()
			if answer != nil {
				answer <- f // has room for one
			}
		}
	}
}

// join makes this the desk of its unit; the one before, if any, has been left open by mistake.
func (g *deskGate) join(c *deskConn) {
	g.mu.Lock()
	old := g.conns[c.desk.Unit]
	g.conns[c.desk.Unit] = c
	g.mu.Unlock()
	if old != nil {
		old.w.conn.Close()
	}
	g.wakeUp()
}

// wakeUp has documents looked at that wait.
func (g *deskGate) wakeUp() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *deskGate) leave(c *deskConn) {
	close(c.gone)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns[c.desk.Unit] == c {
		delete(g.conns, c.desk.Unit)
	}
}

// identity is the key at the connected desk of a unit; nil when none is.
func (g *deskGate) identity(unit recipients.UnitCode) *signing.Identity {
	g.mu.Lock()
	c := g.conns[unit]
	g.mu.Unlock()
	if c == nil {
		return nil
	}
	chain, err := c.desk.chain()
	if err != nil {
		g.log.Error("certificates of a desk", "unit", unit, "err", err)
		return nil
	}
	return &signing.Identity{Key: &deskKey{c, chain[0].PublicKey}, Chain: chain}
}

// A deskKey signs at the desk.
type deskKey struct {
	c   *deskConn
	pub crypto.PublicKey
}

func (k *deskKey) Public() crypto.PublicKey { return k.pub }

// Sign without the file is what a desk never does.
func (k *deskKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, fmt.Errorf("%w: a desk signs whole files alone", signing.ErrKey)
}

// away is an error for which the document waits.
func away(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %w", signing.ErrUnavailable, signing.ErrToken, fmt.Errorf(format, args...))
}

// SignFile sends the file to the desk and waits for the person there.
func (k *deskKey) SignFile(ctx context.Context, prepared []byte, policy *signing.SignaturePolicy) ([]byte, error) {
	p, err := signing.ReadPrepared(ctx, prepared)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, deskPatience)
	defer cancel()
	select {
	case k.c.job <- struct{}{}:
		defer func() { <-k.c.job }()
	case <-k.c.gone:
		return nil, away("the desk has left")
	case <-ctx.Done():
		return nil, away("the desk is busy")
	}
	document := hex.EncodeToString(p.SHA256[:])
	if until, ok := k.c.declined[document]; ok && time.Now().Before(until) {
		return nil, away("the clerk did not want to sign; offered again after %s", until.Format(time.TimeOnly))
	}
	paper := signing.PaperOf(ctx)
	job := frame{Type: "job", Paper: &paper, Digest: hex.EncodeToString(p.Digest[:]), body: prepared}
	if policy != nil {
		job.Policy = &policyConfig{OID: policy.ID.String(), SHA256: hex.EncodeToString(policy.SHA256[:]), URI: policy.URI}
	}
	f, err := k.c.ask(ctx, job)
	switch {
	case err != nil:
		return nil, err
	case f.Type == "declined":
		if f.Later {
			k.c.declined[document] = time.Now().Add(deskSnooze)
		}
		return nil, away("not signed at the desk: %.200q", f.Reason)
	}
	return f.Signature, nil
}

// ask sends a job and waits for its answer.
func (c *deskConn) ask(ctx context.Context, job frame) (frame, error) {
	answer := make(chan frame, 1)
	c.mu.Lock()
	c.next++
	job.ID = strconv.Itoa(c.next)
	c.pending[job.ID] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.pending, job.ID)
	}()
	if err := c.w.send(job); err != nil {
		c.w.conn.Close() // half a frame may be out
		return frame{}, away("send to the desk: %w", err)
	}
	select {
	case f := <-answer:
		return f, nil
	case <-c.gone:
		return frame{}, away("the desk has left")
	case <-ctx.Done():
		c.w.send(frame{Type: "cancel", ID: job.ID})
		return frame{}, away("nobody signed at the desk: %w", ctx.Err())
	}
}
