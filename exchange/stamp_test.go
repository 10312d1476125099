package exchange_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/sqldb"
	"congvan/signing"
)

// A tsa is a time stamp authority of openssl on loopback.
type tsa struct {
	t     testing.TB
	dir   string
	http  *httptest.Server
	roots *x509.CertPool
	down  atomic.Bool
	asked atomic.Int64
	mu    sync.Mutex
}

const tsaConf = `
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[stamp]
serial = DIR/serial
signer_cert = DIR/tsa.pem
signer_key = DIR/tsa.key
digests = sha256
default_policy = 1.2.3.4
signer_digest = sha256
ess_cert_id_alg = sha256
`

func newTSA(t testing.TB) *tsa {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not here")
	}
	a := &tsa{t: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	conf := a.file("tsa.cnf")
	for name, text := range map[string]string{"tsa.cnf": strings.ReplaceAll(tsaConf, "DIR", a.dir), "serial": "01"} {
		if err := os.WriteFile(a.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", conf, "-x509", "-days", "700"}
	a.openssl(append([]string{"req", "-keyout", a.file("root.key"), "-out", a.file("root.pem"), "-subj", "/CN=Root", "-extensions", "root"}, key...)...)
	a.openssl(append([]string{"req", "-keyout", a.file("tsa.key"), "-out", a.file("tsa.pem"), "-subj", "/CN=Dau thoi gian", "-extensions", "tsa",
		"-CA", a.file("root.pem"), "-CAkey", a.file("root.key")}, key...)...)
	b, err := os.ReadFile(a.file("root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(root)
	a.http = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.http.Close)
	return a
}

func (a *tsa) file(name string) string { return filepath.Join(a.dir, name) }

func (a *tsa) openssl(args ...string) {
	a.t.Helper()
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		a.t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

func (a *tsa) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked.Add(1)
	query, err := io.ReadAll(r.Body)
	if a.down.Load() || err != nil || os.WriteFile(a.file("query"), query, 0o600) != nil {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	out, err := exec.Command("openssl", "ts", "-reply", "-config", a.file("tsa.cnf"), "-section", "stamp", "-queryfile", a.file("query"), "-out", a.file("reply")).CombinedOutput()
	if err != nil {
		http.Error(w, string(out), http.StatusInternalServerError)
		return
	}
	http.ServeFile(w, r, a.file("reply"))
}

func (a *tsa) stamper() *signing.Timestamper {
	return &signing.Timestamper{URL: a.http.URL, Roots: a.roots}
}

// A checkpoint waits for no authority: without one it stands unstamped, that is said, and the stamp follows.
func TestCheckpointsAreTimeStampedWhenTheAuthorityAnswers(t *testing.T) {
	a := newTSA(t)
	forEachHouse(t, func(t *testing.T, h *house) {
		var said bytes.Buffer
		h.Log = slog.New(slog.NewTextHandler(&said, nil))
		h.Stamper = a.stamper()
		a.down.Store(true)
		st := h.issue(t, proposal("50/SNV-VP", "Sở Y tế=syt", "B>Trạm B <vt@b.test>"))
		if c := h.log(t); c.Stamp != nil || !strings.Contains(said.String(), "checkpoint has no time stamp yet") {
			t.Errorf("stamp of %d bytes; said %s", len(c.Stamp), said.String())
		}
		text := pdfText(t, h.confirm(t, st.Document.ID, exchange.ExportOptions{}))
		if !strings.Contains(text, "Điểm chốt không có dấu thời gian của bên thứ ba") {
			t.Error("the confirmation does not say that there is no stamp")
		}
		a.down.Store(false)
		c := h.log(t)
		if c.Stamp == nil {
			t.Fatal("not asked again")
		}
		asked := a.asked.Load()
		if h.log(t); a.asked.Load() != asked {
			t.Error("asked twice for one checkpoint")
		}
		bundle := h.export(t, st.Document.ID, exchange.ExportOptions{Confirm: true})
		trust := bundleTrust(t)
		trust.TSARoots = a.roots
		r := exchange.VerifyBundle(context.Background(), bundle, trust)
		if r.Status != signing.Valid || r.StampedAt == nil || !hasCheck(r, "Dấu thời gian") {
			t.Errorf("%s %v", r.Status, checks(r))
		}
		if r := exchange.VerifyBundle(context.Background(), bundle, bundleTrust(t)); r.Status != signing.Indeterminate || r.StampedAt != nil {
			t.Errorf("who does not trust the authority gets %s: %v", r.Status, checks(r))
		}
		text = pdfText(t, membersOf(t, bundle)["GIAY-XAC-NHAN.pdf"])
		if !strings.Contains(text, "Điểm chốt có dấu thời gian của bên thứ ba, lúc") {
			t.Error("the confirmation does not tell of the stamp")
		}
		h.forgeStamps(t, bundle, trust)
	})
}

// forgeStamps: a stamp that is changed, taken away or put on another checkpoint is found, also by Check.
func (h *house) forgeStamps(t *testing.T, bundle []byte, trust exchange.Trust) {
	t.Helper()
	lines := strings.SplitAfter(strings.TrimSpace(string(membersOf(t, bundle)["checkpoints.jsonl"])), "\n")
	var last map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	stamp := last["stamp"].(string)
	for _, c := range []struct{ what, forged string }{{"changed", stamp[:len(stamp)-24] + "AAAA" + stamp[len(stamp)-20:]}, {"cut", stamp[:len(stamp)/8*4]}, {"taken away", ""}} {
		last["stamp"] = c.forged
		if c.forged == "" {
			delete(last, "stamp")
		}
		text, err := json.Marshal(last)
		if err != nil {
			t.Fatal(err)
		}
		bad := resigned(t, edit(t, bundle, map[string][]byte{"checkpoints.jsonl": []byte(strings.Join(lines[:len(lines)-1], "") + string(text) + "\n")}))
		if r := exchange.VerifyBundle(context.Background(), bad, trust); r.Status != signing.Invalid {
			t.Errorf("a stamp %s: %s %v", c.what, r.Status, checks(r))
		}
	}
	for _, c := range []struct{ what, query string }{{"taken away", `UPDATE checkpoint SET stamp = NULL`}, {"changed", `UPDATE checkpoint SET stamp = $1`}} {
		var was []byte
		ctx := context.Background()
		if err := h.db.Read(ctx, func(tx *sqldb.Tx) error {
			return tx.GetContext(ctx, &was, `SELECT stamp FROM checkpoint ORDER BY size DESC LIMIT 1`)
		}); err != nil {
			t.Fatal(err)
		}
		args := []any{}
		if strings.Contains(c.query, "$1") {
			args = append(args, append(bytes.Clone(was[:len(was)-1]), was[len(was)-1]^1))
		}
		h.exec(t, c.query, args...)
		if found, err := h.Check(ctx); err != nil || !strings.Contains(strings.Join(found, " "), "checkpoint") {
			t.Errorf("a stamp %s in the database: %v %v", c.what, found, err)
		}
		h.exec(t, `UPDATE checkpoint SET stamp = $1`, was)
	}
}

// An authority that nobody trusts gives no stamp.
func TestAStampOfAnUntrustedAuthorityIsNotKept(t *testing.T) {
	a, other := newTSA(t), newTSA(t)
	forEachHouse(t, func(t *testing.T, h *house) {
		h.Stamper = &signing.Timestamper{URL: a.http.URL, Roots: other.roots}
		h.issue(t, proposal("51/SNV-VP", "Sở Y tế=syt"))
		if c := h.log(t); c.Stamp != nil {
			t.Error("kept")
		}
	})
}
