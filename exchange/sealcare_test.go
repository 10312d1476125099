package exchange_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/recipients"
	"congvan/signing"
)

// services are a time stamp authority and an OCSP responder of openssl, which can be out of order.
type services struct {
	t        testing.TB
	dir      string
	http     *httptest.Server
	roots    *x509.CertPool
	source   *signing.RevocationSource
	stamper  *signing.Timestamper
	sealer   *signing.Sealer
	mu       sync.Mutex
	tsaDown  atomic.Bool
	ocspDown atomic.Bool
}

const servicesConf = `[ca]
default_ca = d
[d]
database = DIR/index.txt
new_certs_dir = DIR
serial = DIR/serial
certificate = DIR/root.pem
private_key = DIR/root.key
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
keyUsage = critical,digitalSignature,nonRepudiation
extendedKeyUsage = emailProtection
authorityInfoAccess = OCSP;URI:URL/ocsp
[tsa]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
authorityInfoAccess = OCSP;URI:URL/ocsp
[responder]
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
`

func newServices(t testing.TB) *services {
	t.Helper()
	mailtest.Program(t, "openssl")
	v := &services{t: t, dir: t.TempDir(), roots: x509.NewCertPool(), source: &signing.RevocationSource{}}
	v.http = httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(v.http.Close)
	for name, text := range map[string]string{"ca.cnf": strings.NewReplacer("DIR", v.dir, "URL", v.http.URL).Replace(servicesConf), "index.txt": "", "serial": "1000", "tsserial": "01"} {
		if err := os.WriteFile(v.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", v.file("root.key"), "-out", v.file("root.pem"),
		"-days", "7300", "-subj", "/CN=Root", "-config", v.file("ca.cnf"), "-extensions", "root")
	v.roots.AddCert(v.cert("root"))
	for name, days := range map[string]int{"responder": 700, "tsa": 700, "signer": 365} {
		v.issue(name, name, days)
	}
	key, err := x509.ParsePKCS8PrivateKey(v.der("signer.key"))
	if err != nil {
		t.Fatal(err)
	}
	if v.sealer, err = signing.NewSealer(key.(crypto.Signer), []*x509.Certificate{v.cert("signer"), v.cert("root")}); err != nil {
		t.Fatal(err)
	}
	v.use("tsa")
	return v
}

// use has time stamps made by the authority with this name.
func (v *services) use(tsa string) {
	v.stamper = &signing.Timestamper{URL: v.http.URL + "/" + tsa, Roots: v.roots}
}

func (v *services) file(name string) string { return filepath.Join(v.dir, name) }

func (v *services) openssl(args ...string) {
	v.t.Helper()
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		v.t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

func (v *services) issue(name, section string, days int) {
	v.t.Helper()
	v.openssl("req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", v.file(name+".key"), "-out", v.file(name+".csr"), "-subj", "/CN="+name, "-config", v.file("ca.cnf"))
	v.openssl("ca", "-batch", "-notext", "-config", v.file("ca.cnf"), "-extensions", section, "-days", fmt.Sprint(days), "-in", v.file(name+".csr"), "-out", v.file(name+".pem"))
}

func (v *services) der(file string) []byte {
	v.t.Helper()
	b, err := os.ReadFile(v.file(file))
	if err != nil {
		v.t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	return block.Bytes
}

func (v *services) cert(name string) *x509.Certificate {
	v.t.Helper()
	c, err := x509.ParseCertificate(v.der(name + ".pem"))
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

func (v *services) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	query, _ := io.ReadAll(r.Body)
	in, out := v.file("query"), v.file("reply")
	err := os.WriteFile(in, query, 0o600)
	args := []string{"ocsp", "-index", v.file("index.txt"), "-CA", v.file("root.pem"), "-rsigner", v.file("responder.pem"), "-rkey", v.file("responder.key"),
		"-reqin", in, "-respout", out, "-ndays", "7"}
	down := v.ocspDown.Load()
	if name := strings.TrimPrefix(r.URL.Path, "/"); name != "ocsp" {
		down = v.tsaDown.Load()
		conf := fmt.Sprintf("[tsa]\nserial=%s\nsigner_cert=%s\nsigner_key=%s\ndigests=sha256\ndefault_policy=1.2.3.4\nsigner_digest=sha256\ness_cert_id_alg=sha256\n",
			v.file("tsserial"), v.file(name+".pem"), v.file(name+".key"))
		err = errors.Join(err, os.WriteFile(v.file("tsa.cnf"), []byte(conf), 0o600))
		args = []string{"ts", "-reply", "-config", v.file("tsa.cnf"), "-section", "tsa", "-queryfile", in, "-out", out}
	}
	if !down && err == nil {
		_, err = exec.Command("openssl", args...).CombinedOutput()
	}
	reply, e := os.ReadFile(out)
	if err = errors.Join(err, e); down || err != nil {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	w.Write(reply)
}

// A careHouse is a house whose seals are looked after, with a clock that can be set forward.
type careHouse struct {
	*house
	sv    *services
	ahead atomic.Int64
	fail  func() error // asked before each statement that changes something, and after each commit
}

func forEachCareHouse(t *testing.T, fn func(t *testing.T, h *careHouse)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			h := newCareHouse(t, dialect)
			fn(t, h)
			h.mustBeSound(t)
		})
	}
}

func newCareHouse(t *testing.T, dialect sqldb.Dialect) *careHouse {
	t.Helper()
	h := &careHouse{sv: newServices(t), fail: func() error { return nil }}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	if dialect == sqldb.Postgres {
		dsn = mailtest.NewPostgres(t)
	}
	db, err := sqldb.Open(t.Context(), dsn, sqldb.Options{Logger: mailtest.Quiet, Fault: func(string) error { return h.fail() },
		Now: func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context(), migrations.Files); err != nil {
		t.Fatal(err)
	}
	h.house = newHouse(t, db)
	h.Sealer = func(context.Context, recipients.UnitCode) (*signing.Sealer, error) {
		return h.sv.sealer.With(signing.Use{Level: signing.LevelLTA, Lower: true, Timestamper: h.sv.stamper, Revocation: h.sv.source})
	}
	h.Extending = func(context.Context, recipients.UnitCode) (*signing.ExtendOptions, error) {
		return &signing.ExtendOptions{Timestamper: h.sv.stamper, Revocation: h.sv.source, Roots: h.sv.roots, TSARoots: h.sv.roots}, nil
	}
	h.Verify = func(ctx context.Context, pdf []byte) error {
		r, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: h.sv.roots, TSARoots: h.sv.roots})
		if err == nil && r.Overall() != signing.Valid {
			err = fmt.Errorf("is %s: %s", r.Overall(), r.Reason)
		}
		return err
	}
	return h
}

func (h *careHouse) forward(d time.Duration) { h.ahead.Add(int64(d)) }

// care lets the worker look once and wants so many documents raised.
func (h *careHouse) care(t *testing.T, want int) {
	t.Helper()
	if n, err := h.CareForSeals(context.Background()); err != nil || n != want {
		t.Fatalf("%d raised, want %d: %v", n, want, err)
	}
}

// issueLow issues a document with a sheet and a form while no service answers.
func (h *careHouse) issueLow(t *testing.T, reference string) *exchange.Status {
	t.Helper()
	h.sv.tsaDown.Store(true)
	h.sv.ocspDown.Store(true)
	p := proposal(reference, "Sở Y tế=syt", "Sở Tài chính=stc")
	p.Annexes = []*exchange.File{annex(t, "Phụ lục.xlsx", sheet(t, reference)), annex(t, "Biểu mẫu.pdf", pdfOf("biểu mẫu "+reference))}
	st := h.issue(t, p)
	if st.Seal == nil || st.Seal.Level != signing.LevelB || st.Seal.Wanted != signing.LevelLTA {
		t.Fatalf("%+v", st.Seal)
	}
	return st
}

func (h *careHouse) trust(t *testing.T) exchange.Trust {
	trust := bundleTrust(t)
	trust.Roots = h.sv.roots
	return trust
}

func (h *careHouse) bytes(t *testing.T, f exchange.RaisedFile) []byte {
	t.Helper()
	b, err := h.Bytes(f.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealIsRaisedAsServicesAnswerAndRenewedBeforeItEnds(t *testing.T) {
	forEachCareHouse(t, func(t *testing.T, h *careHouse) {
		st := h.issueLow(t, "90/SNV-VP")
		id, sent := st.Document.ID, st.Package
		h.care(t, 0)
		if st = h.status(t, id); st.SealWaits != exchange.WaitService || st.Raised != nil {
			t.Errorf("while both are down: waits for %q, %+v", st.SealWaits, st.Raised)
		}
		h.care(t, 0) // nobody asks again at once
		h.sv.tsaDown.Store(false)
		h.care(t, 0)
		h.forward(2 * time.Minute)
		h.care(t, 1)
		if st = h.status(t, id); len(st.Raised) != 1 || st.Raised[0].Level != signing.LevelT || len(st.Raised[0].Files) != 3 {
			t.Fatalf("time stamps alone: %+v", st.Raised)
		}
		h.sv.ocspDown.Store(false)
		h.forward(10 * time.Minute)
		h.care(t, 1)
		h.care(t, 0)
		st = h.status(t, id)
		if len(st.Raised) != 2 || st.Raised[1].Level != signing.LevelLTA || st.Raised[1].RenewBy == nil || !st.Raised[1].RenewBy.Equal(h.sv.cert("tsa").NotAfter) || st.SealWaits != "" {
			t.Fatalf("all services: %+v, waits for %q", st.Raised, st.SealWaits)
		}
		for i, it := range st.Package {
			if it.SHA256 != sent[i].SHA256 {
				t.Errorf("file %d travels as other bytes", i)
			}
		}
		h.wantLevel(t, st, 2)
		h.mustBeSound(t)
		h.wantBundle(t, id, true)

		ends := h.sv.cert("tsa").NotAfter
		h.forward(ends.Add(-61 * 24 * time.Hour).Sub(h.db.Now()))
		h.care(t, 0)
		h.forward(2 * 24 * time.Hour)
		h.care(t, 0) // the authority has no certificate that ends later
		h.issueCert(t)
		h.forward(25 * time.Hour)
		h.care(t, 1)
		h.forward(25 * time.Hour)
		h.care(t, 0)
		if st = h.status(t, id); len(st.Raised) != 3 || !st.Raised[2].RenewBy.Equal(h.sv.cert("tsa2").NotAfter) {
			t.Fatalf("renewed: %+v", st.Raised)
		}
		h.wantLevel(t, st, 2)
		h.wantBundle(t, id, false) // by then no seal is made any more
	})
}

// issueCert gives the authority a certificate that lasts.
func (h *careHouse) issueCert(t *testing.T) {
	h.sv.issue("tsa2", "tsa", 3000)
	h.sv.use("tsa2")
}

// wantLevel judges the newest form of each file without the network, long after the signer's certificate has ended.
func (h *careHouse) wantLevel(t *testing.T, st *exchange.Status, files int) {
	t.Helper()
	last := st.Raised[len(st.Raised)-1]
	if len(last.Files) < files {
		t.Fatalf("%+v", last)
	}
	for _, f := range last.Files {
		newest, sent := h.bytes(t, f), h.bytes(t, exchange.RaisedFile{SHA256: st.Package[f.Ordinal].SHA256})
		if !bytes.HasPrefix(newest, sent) {
			t.Errorf("file %d: the bytes that were sent are not its beginning", f.Ordinal)
		}
		r, err := signing.Verify(t.Context(), newest, signing.VerifyOptions{Roots: h.sv.roots, TSARoots: h.sv.roots, Revocation: signing.RevocationRequired, At: time.Now().AddDate(0, 18, 0)})
		if err != nil || r.Overall() != signing.Valid || r.Signatures[0].Level != signing.LevelLTA {
			t.Errorf("file %d: %v %+v", f.Ordinal, err, r)
		}
	}
}

// wantBundle exports the document's bundle with its confirmation, verifies it, and changes what tells of the raised files.
func (h *careHouse) wantBundle(t *testing.T, id exchange.DocumentID, confirmed bool) {
	t.Helper()
	good := h.export(t, id, exchange.ExportOptions{Confirm: confirmed})
	r := exchange.VerifyBundle(t.Context(), good, h.trust(t))
	if r.Status != signing.Valid || !strings.Contains(fmt.Sprint(r.Checks), "mở đầu bằng đúng tệp đã gửi") {
		t.Errorf("%s: %v", r.Status, checks(r))
	}
	bad := rezip(t, good, zip.Store, func(name string, b []byte) []byte {
		if strings.HasPrefix(name, "raised/") {
			b = bytes.Clone(b)
			b[len(b)-5] ^= 1
		}
		return b
	})
	if r := exchange.VerifyBundle(t.Context(), bad, h.trust(t)); r.Status != signing.Invalid {
		t.Errorf("a raised file was changed: %s", r.Status)
	}
}

// The nth statement or commit fails, as it does when the process is killed there: whatever was stored, the next look raises
// the seal once.
func TestRaisingRepeatsHarmlessly(t *testing.T) {
	h := newCareHouse(t, sqldb.SQLite)
	broken := errors.New("killed here")
	for n := 1; ; n++ {
		st := h.issueLow(t, fmt.Sprintf("%d/SNV-VP", 100+n))
		h.sv.tsaDown.Store(false)
		h.sv.ocspDown.Store(false)
		left := n
		h.fail = func() error {
			if left--; left == 0 {
				return broken
			}
			return nil
		}
		_, err := h.CareForSeals(t.Context())
		h.fail = func() error { return nil }
		h.forward(20 * time.Minute)
		if _, e := h.CareForSeals(t.Context()); e != nil {
			t.Fatal(n, e)
		}
		if st = h.status(t, st.Document.ID); len(st.Raised) != 1 || st.Raised[0].Level != signing.LevelLTA {
			t.Fatalf("failed at %d: %+v (%v)", n, st.Raised, err)
		}
		h.mustBeSound(t)
		if left > 0 {
			t.Logf("%d places to fail at", n-1)
			break
		}
	}
}

func TestForgeriesOfRaisedSealsAreNamed(t *testing.T) {
	forEachCareHouse(t, func(t *testing.T, h *careHouse) {
		st := h.issueLow(t, "95/SNV-VP")
		h.exec(t, `UPDATE seal_care SET next_at = next_at + 1000000`)
		id := int64(st.Document.ID)
		named := func(what, words string) {
			t.Helper()
			found, err := h.Check(context.Background())
			if err != nil || !strings.Contains(strings.Join(found, "\n"), words) {
				t.Errorf("%s: %q %v", what, found, err)
			}
		}
		h.exec(t, `DELETE FROM seal_care WHERE document_id = $1`, id)
		named("the work forgotten", "seal_care: the row of document")
		h.exec(t, `INSERT INTO seal_care (document_id, next_at) VALUES ($1, 0)`, id)
		h.sv.tsaDown.Store(false)
		h.sv.ocspDown.Store(false)
		h.care(t, 1)
		st = h.status(t, st.Document.ID)
		digest := st.Raised[0].Files[0].SHA256
		raised := h.pinned(t)[string(digest)]
		good := raised.read(t)
		changed := bytes.Clone(good)
		changed[len(changed)-9] ^= 1
		for _, c := range []struct {
			what string
			b    []byte
		}{{"changed", changed}, {"the sent file", h.bytes(t, exchange.RaisedFile{SHA256: st.Package[0].SHA256})}, {"empty", []byte{}}} {
			raised.write(t, c.b)
			named(c.what, "raised file 0")
		}
		raised.write(t, good)
		h.exec(t, `UPDATE blob SET pinned = FALSE WHERE digest = $1`, digest)
		named("no longer kept", "no longer kept for ever")
		h.exec(t, `UPDATE blob SET pinned = TRUE WHERE digest = $1`, digest)
	})
}
