package imapd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-imap/v2/imapclient"
	"go.uber.org/goleak"
)

const (
	unitAddress = "snv@kontum.test"
	password    = "Mật khẩu của đơn vị"
	deadline    = time.Minute // for anything that is waited for
)

// house is a server with one unit's account, on both ports.
type house struct {
	t          testing.TB
	store      *mailcore.Store
	account    mailcore.Account
	plain, tls string // addresses
	roots      *x509.CertPool
	leaf       []byte // the server's certificate
	stop       func() // and wait
}

// newHouse starts a server that ends with the test; nothing of it may stay.
func newHouse(t testing.TB, db *sqldb.DB, change ...func(*imapd.Options)) *house {
	t.Helper()
	before := goleak.IgnoreCurrent()
	blobs, err := blob.OpenDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: mailcore.NewStore(db, blobs, mailtest.Quiet)}
	h.account = h.newAccount(unitAddress, mailcore.Unit, false)
	cert, roots := certificate(t)
	h.roots, h.leaf = roots, cert.Certificate[0]
	opt := imapd.Options{Store: h.store, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Logger: mailtest.Quiet,
		FailureDelay: time.Millisecond, Grace: 2 * time.Second}
	for _, c := range change {
		c(&opt)
	}
	server := imapd.New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	h.plain = listen(t, func(ln net.Listener) { ended <- server.Serve(ctx, ln) })
	h.tls = listen(t, func(ln net.Listener) { ended <- server.ServeTLS(ctx, ln) })
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("serve: %v", err)
				}
			case <-time.After(deadline):
				t.Fatal("server did not end")
			}
		}
	}
	t.Cleanup(func() {
		h.stop()
		ignore := []goleak.Option{before}
		for _, f := range []string{"database/sql.(*DB).connectionOpener", "database/sql.(*Tx).awaitDone", "github.com/lib/pq.(*ListenerConn).listenerConnMain",
			"github.com/lib/pq.(*Listener).listenerMain", "github.com/lib/pq.(*conn).watchCancel.func1"} { // of the database, which outlives the server
			ignore = append(ignore, goleak.IgnoreAnyFunction(f))
		}
		if err := goleak.Find(ignore...); err != nil {
			t.Error(err)
		}
		if faults, err := h.store.Check(context.Background()); err != nil || len(faults) > 0 {
			t.Errorf("check of the store: %v %v", faults, err)
		}
	})
	return h
}

func listen(t testing.TB, serve func(net.Listener)) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serve(ln)
	return ln.Addr().String()
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool(t, der)
}

func pool(t testing.TB, der []byte) *x509.CertPool {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return roots
}

func (h *house) newAccount(addr string, kind mailcore.AccountKind, mustChange bool) mailcore.Account {
	h.t.Helper()
	made, err := h.store.CreateAccounts(context.Background(), []mailcore.NewAccount{
		{Address: mailcore.Address(addr), Kind: kind, Name: "Sở Nội vụ", Unit: "SNV", Password: password, MustChange: mustChange}})
	if err != nil {
		h.t.Fatal(err)
	}
	return made[0]
}

// deliver puts a message into a mailbox of the unit, as the exchange does: with a prefix and a Ref.
func (h *house) deliver(mailbox string, data []byte, prefix, ref string) mailcore.UID {
	h.t.Helper()
	ctx := context.Background()
	body, err := h.store.SaveBody(ctx, bytes.NewReader(data), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	mb, err := h.store.Mailbox(ctx, h.account.ID, mailbox)
	if err != nil {
		h.t.Fatal(err)
	}
	placed, err := h.store.Deliver(ctx, body, []mailcore.Copy{{Account: h.account.ID, Mailbox: mb.ID, Prefix: []byte(prefix), Ref: ref}})
	if err != nil {
		h.t.Fatal(err)
	}
	return placed[0].UID
}

// events returns the kinds of the events of a Ref, in order.
func (h *house) events(ref string) string {
	h.t.Helper()
	all, err := h.store.PendingEvents(context.Background(), 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var kinds []string
	for _, e := range all {
		if e.Ref == ref {
			kinds = append(kinds, e.Kind)
		}
	}
	return strings.Join(kinds, " ")
}

func (h *house) config() *tls.Config { return &tls.Config{RootCAs: h.roots, ServerName: "localhost"} }

// client is a logged-in client of the library, over STARTTLS.
func (h *house) client(opt *imapclient.Options) *imapclient.Client {
	h.t.Helper()
	if opt == nil {
		opt = &imapclient.Options{}
	}
	opt.TLSConfig = h.config()
	c, err := imapclient.DialStartTLS(h.plain, opt)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	if err := c.Login(unitAddress, password).Wait(); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) dialTLS() net.Conn {
	h.t.Helper()
	c, err := tls.Dial("tcp", h.tls, h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return c
}

// eml reads a message from testdata, lines ended by CRLF as on the wire.
func eml(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return crlf(data)
}

func crlf(data []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// letter is a small message with a subject.
func letter(subject string, n int) []byte {
	return crlf(fmt.Appendf(nil, "From: UBND <ubnd@kontum.test>\nTo: %s\nSubject: %s %d\nDate: Mon, 23 Nov 2026 08:00:00 +0700\n"+
		"Message-ID: <%d@kontum.test>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nThân gửi, thư số %d.\n", unitAddress, subject, n, n, n))
}

// waitFor polls until ok, for what has no signal of its own.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal(errors.New("waited too long for " + what))
}
