package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/recipients"
	"congvan/signing"
)

// A catchKey takes the file that it is asked to sign.
type catchKey struct {
	signerOf
	file []byte
}

func (k *catchKey) SignFile(_ context.Context, prepared []byte, _ *signing.SignaturePolicy) ([]byte, error) {
	k.file = bytes.Clone(prepared)
	return nil, errors.New("caught")
}

// preparedFile is a file that waits for a signature in this agency's name.
func preparedFile(t *testing.T, id *signing.Identity, agency string) []byte {
	t.Helper()
	k := &catchKey{signerOf: signerOf{id}}
	s, err := signing.NewSealer(k, id.Chain)
	if err != nil {
		t.Fatal(err)
	}
	s.Seal(t.Context(), demoFile("02-cong-van-stttt.pdf"), signing.SealOptions{Name: agency, Mark: "SAO Y"})
	if k.file == nil {
		t.Fatal("no file came to the key")
	}
	return k.file
}

func testAuthority(t *testing.T, agency string) (*signing.Authority, *signing.Identity) {
	t.Helper()
	ca, err := signing.NewAuthority(signing.Subject{Name: "CA thử"}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(signing.Subject{Name: agency}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	return ca, id
}

func TestDeskSignsNothingThatIsNotTheFileShown(t *testing.T) {
	const agency = "Sở Thông tin và Truyền thông"
	_, id := testAuthority(t, agency)
	key := filepath.Join(t.TempDir(), "dau.p12")
	if err := id.Save(key, "mật khẩu"); err != nil {
		t.Fatal(err)
	}
	file, strange := preparedFile(t, id, agency), preparedFile(t, id, "Sở Nội vụ")
	digest := func(b []byte) string {
		p, err := signing.ReadPrepared(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(p.Digest[:])
	}
	changed := bytes.Clone(file)
	changed[bytes.IndexByte(file[5:], '%')+6] ^= 1 // in the comment of the second line
	whole := sha256.Sum256(file)
	paper := &signing.Paper{Agency: agency, Reference: "145/STTTT-CNTT", Abstract: "về việc thử"}
	for name, c := range map[string]struct {
		job  frame
		want string // "" for a signature
	}{
		"the file":               {frame{Paper: paper, Digest: digest(file), body: file}, ""},
		"digest of another file": {frame{Paper: paper, Digest: digest(strange), body: file}, "không phải của tệp này"},
		"digest of the whole":    {frame{Paper: paper, Digest: hex.EncodeToString(whole[:]), body: file}, "không phải của tệp này"},
		"no digest":              {frame{Paper: paper, body: file}, "không phải của tệp này"},
		"file changed":           {frame{Paper: paper, Digest: digest(file), body: changed}, "không phải của tệp này"},
		"another agency":         {frame{Paper: paper, Digest: digest(strange), body: strange}, "người đóng dấu"},
		"no document named":      {frame{Digest: digest(file), body: file}, "không nói văn bản nào"},
		"no PDF":                 {frame{Paper: paper, Digest: digest(file), body: []byte("x")}, "PDF"},
		"nothing":                {frame{Paper: paper, Digest: digest(file)}, "PDF"},
		"waits for nothing":      {frame{Paper: paper, Digest: digest(file), body: demoFile("02-cong-van-stttt.pdf")}, "không chờ đúng một chữ ký"},
		"bad policy":             {frame{Paper: paper, Digest: digest(file), body: file, Policy: &policyConfig{OID: "1.2"}}, "go together"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			var out bytes.Buffer
			d := &signingDesk{home: t.TempDir(), s: &streams{nil, &out, &out}, set: deskSettings{Agency: agency, Key: key},
				pin: func(signing.PINRequest) (string, error) { asked++; return "mật khẩu", nil }}
			c.job.ID = "1"
			answer := d.handle(t.Context(), c.job)
			if c.want == "" {
				if answer.Type != "signature" || len(answer.Signature) == 0 || asked != 1 {
					t.Errorf("%+v, asked %d\n%s", answer, asked, &out)
				}
				if !strings.Contains(out.String(), "145/STTTT-CNTT") || !strings.Contains(out.String(), "về việc thử") {
					t.Errorf("shown:\n%s", &out)
				}
			} else if answer.Type != "declined" || answer.Signature != nil || asked != 0 || !strings.Contains(answer.Reason, c.want) {
				t.Errorf("%+v, the PIN was asked for %d times", answer, asked)
			}
			if left, _ := filepath.Glob(filepath.Join(d.home, deskShowDir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// testGate is a gateway's side alone, for Sở Thông tin và Truyền thông.
func testGate(t *testing.T) (*deskGate, *signing.Identity, string) {
	t.Helper()
	ca, id := testAuthority(t, "Sở Thông tin và Truyền thông")
	dir := t.TempDir()
	if err := ca.Save(dir, "x"); err != nil {
		t.Fatal(err)
	}
	cfg := defaults(dir)
	k := newKeyring(cfg)
	k.dir = dir
	g := &deskGate{dir: filepath.Join(dir, deskDir), log: slog.New(slog.NewTextHandler(io.Discard, nil)), roots: k.roots, wake: make(chan struct{}, 1),
		conns: map[recipients.UnitCode]*deskConn{}, name: func(context.Context, recipients.UnitCode) (string, error) {
			return "Sở Thông tin và Truyền thông", nil
		}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g, id, l.Addr().String()
}

// pairing lays a code ready.
func (g *deskGate) ready(t *testing.T, until time.Time) pairingCode {
	t.Helper()
	code := newPairingCode()
	text := `{"unit":"stttt","key":"` + b64(code.derive("pairing")) + `","until":"` + until.Format(time.RFC3339) + `"}`
	if err := errors.Join(os.MkdirAll(g.dir, 0o700), os.WriteFile(filepath.Join(g.dir, "pairing-"+code.id()+".json"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return code
}

func testDesk(t *testing.T, id *signing.Identity, address string) *signingDesk {
	t.Helper()
	home := t.TempDir()
	key := filepath.Join(home, "dau.p12")
	if err := id.Save(key, "mật khẩu"); err != nil {
		t.Fatal(err)
	}
	own, err := wireKey(filepath.Join(home, deskOwnKeyFile), "máy thử")
	if err != nil {
		t.Fatal(err)
	}
	return &signingDesk{home: home, own: own, s: &streams{nil, io.Discard, io.Discard}, set: deskSettings{Gateway: address, Key: key},
		pin: func(signing.PINRequest) (string, error) { return "mật khẩu", nil }}
}

func TestPairingNeedsTheCodeOnceAndInTime(t *testing.T) {
	g, id, address := testGate(t)
	soon := time.Now().Add(time.Minute)
	if err := testDesk(t, id, address).join(newPairingCode()); err == nil || !strings.Contains(err.Error(), "mã ghép đôi sai") {
		t.Errorf("a code that nobody made: %v", err)
	}
	if err := testDesk(t, id, address).join(g.ready(t, time.Now().Add(-time.Second))); err == nil {
		t.Error("an old code is good")
	}
	_, strange := testAuthority(t, "Sở Thông tin và Truyền thông")
	if err := testDesk(t, strange, address).join(g.ready(t, soon)); err == nil || !strings.Contains(err.Error(), "không được máy chủ tin cậy") {
		t.Errorf("a certificate of somebody else's: %v", err)
	}
	code := g.ready(t, soon)
	d := testDesk(t, id, address)
	if err := d.join(code); err != nil || d.set.Unit != "stttt" || d.set.Pin == "" {
		t.Fatalf("%+v, %v", d.set, err)
	}
	if err := testDesk(t, id, address).join(code); err == nil {
		t.Error("a code is good twice")
	}
	typed, err := parsePairingCode(strings.ToLower(strings.ReplaceAll(string(code), "-", " ")))
	if err != nil || typed != code {
		t.Errorf("typed otherwise: %q, %v", typed, err)
	}
	for _, bad := range []string{"", "ABCD", strings.Repeat("A", 17), "ABCD-ABCD-ABCD-ABC!"} {
		if _, err := parsePairingCode(bad); err == nil {
			t.Errorf("%q is taken for a code", bad)
		}
	}
}

// Somebody in the middle, who forwards what both sides say and has a key of his own on either side, is found out: the proof
// holds on one connection alone.
func TestPairingThroughSomebodyElseFails(t *testing.T) {
	g, id, address := testGate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	evil, err := wireKey(filepath.Join(t.TempDir(), "evil.pem"), "evil")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		left := &wire{conn: tlsServer(c, evil)}
		defer left.conn.Close()
		f, err := left.receive(0, greetingTime)
		if err != nil {
			return
		}
		right, err := dialWire(address, wireConfig(evil, ""))
		if err != nil {
			return
		}
		defer right.conn.Close()
		right.send(f)
		if f, err = right.receive(0, greetingTime); err == nil {
			f.Type = "welcome"
			left.send(f)
		}
	}()
	d := testDesk(t, id, l.Addr().String())
	if err := d.join(g.ready(t, time.Now().Add(time.Minute))); err == nil || !strings.Contains(err.Error(), "không biết mã ghép đôi") {
		t.Errorf("paired through somebody else: %v", err)
	}
	if all, err := listDesks(g.dir); err != nil || len(all) != 0 {
		t.Errorf("desks %v, %v", all, err)
	}
}

func TestDeskKnowsItsGatewayByItsKey(t *testing.T) {
	g, id, address := testGate(t)
	d := testDesk(t, id, address)
	if err := d.join(g.ready(t, time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	_, _, other := testGate(t)
	d.set.Gateway = other
	if err := d.run(t.Context()); err == nil || !strings.Contains(err.Error(), "không phải máy chủ đã ghép đôi") {
		t.Errorf("another gateway: %v", err)
	}
	stranger := testDesk(t, id, address)
	stranger.set.Pin = d.set.Pin
	if err := stranger.run(t.Context()); err == nil || !strings.Contains(err.Error(), "chưa ghép đôi") {
		t.Errorf("another desk: %v", err)
	}
}

func TestWireRefusesWhatIsTooLarge(t *testing.T) {
	_, id, address := testGate(t)
	d := testDesk(t, id, address)
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"head", binary.BigEndian.AppendUint32(nil, maxHead+1)},
		{"not JSON", append(binary.BigEndian.AppendUint32(nil, 3), "xyz"...)},
		{"body", append(binary.BigEndian.AppendUint32(nil, 38), `{"type":"hello","version":1,"size":99}`...)},
		{"negative", append(binary.BigEndian.AppendUint32(nil, 38), `{"type":"hello","version":1,"size":-9}`...)},
	} {
		w, err := dialWire(address, wireConfig(d.own, ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.conn.Write(c.raw); err != nil {
			t.Fatal(err)
		}
		if f, err := w.receive(0, time.Minute); err == nil {
			t.Errorf("%s: answered %+v", c.name, f)
		}
		w.conn.Close()
	}
}

func tlsServer(c net.Conn, own tls.Certificate) *tls.Conn { return tls.Server(c, wireConfig(own, "")) }

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// signerOf is the public half of an identity as a key.
type signerOf struct{ id *signing.Identity }

func (s signerOf) Public() crypto.PublicKey { return s.id.Key.Public() }

func (s signerOf) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.id.Key.Sign(r, digest, opts)
}
