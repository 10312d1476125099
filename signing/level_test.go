package signing_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/signing"
	"congvan/signing/internal/cms"
)

var levels = []signing.Level{signing.LevelB, signing.LevelT, signing.LevelLT, signing.LevelLTA}

func TestEachLevelIsReachedAndJudgedOffline(t *testing.T) {
	p := newPKI(t)
	for _, key := range []string{"p256", "rsa:3072"} {
		s := p.sealer("unit-"+key[:3], "signer", key)
		for _, name := range []string{"letter.pdf", "chromium-objstm.pdf", "encrypted-aes256.pdf", "scan.pdf"} {
			for _, level := range levels {
				t.Run(key+"/"+name+"/"+string(level), func(t *testing.T) {
					opt := p.options(level)
					opt.Mark = marked().Mark
					out := seal(t, s, read(t, name), opt)
					before := p.calls.Load()
					r, err := signing.Verify(t.Context(), out, p.offline())
					if err != nil {
						t.Fatal(err)
					}
					want := signing.Valid
					if !level.AtLeast(signing.LevelLT) {
						want = signing.Indeterminate // nothing is known about revocation, and the policy asks for it
					}
					if r.Status != want || r.Signatures[0].Level != level && level.AtLeast(signing.LevelLT) {
						t.Errorf("%s, level %q: %s", r.Status, r.Signatures[0].Level, explain(r))
					}
					if p.calls.Load() != before {
						t.Error("verifying used the network")
					}
					lax := p.offline()
					lax.Revocation = signing.RevocationIfKnown
					if got := judge(t, out, lax, signing.Valid).Signatures[0].Level; got != level {
						t.Errorf("level %q, want %q", got, level)
					}
					if got := judge(t, out, p.online(), signing.Valid).Signatures[0].Level; got != level {
						t.Errorf("online: level %q, want %q", got, level)
					}
					t.Logf("%s: %d bytes more than the input", level, len(out)-len(read(t, name)))
				})
			}
		}
	}
}

func TestTimeOfAStampOutlivesTheCertificate(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	later := p.offline()
	later.At = time.Now().AddDate(0, 18, 0) // the signer's certificate has ended, the authority's not yet
	lax := later
	lax.Revocation = signing.RevocationIfKnown
	for level, want := range map[signing.Level]signing.Status{
		signing.LevelB: signing.Indeterminate, signing.LevelT: signing.Valid, signing.LevelLT: signing.Valid, signing.LevelLTA: signing.Valid,
	} {
		out := seal(t, s, tiny(), p.options(level))
		r := judge(t, out, lax, want)
		if level.AtLeast(signing.LevelT) && (r.Signatures[0].TimeSource != signing.TimeOfStamp || r.Signatures[0].StampedTime == nil) {
			t.Errorf("%s: time from %s", level, r.Signatures[0].TimeSource)
		}
		if level.AtLeast(signing.LevelLT) {
			judge(t, out, later, signing.Valid)
		}
	}
}

func TestRenewalCarriesOverTheEndOfTheAuthority(t *testing.T) {
	p := newPKI(t)
	p.issue("tsa2", "tsa", "p256", 3000)
	s := p.sealer("unit", "signer", "rsa:3072")
	once := seal(t, s, read(t, "letter.pdf"), p.options(signing.LevelLTA))
	r := judge(t, once, p.offline(), signing.Valid)
	if r.RenewBy == nil || !r.RenewBy.Equal(p.cert("tsa").NotAfter) {
		t.Errorf("renew by %v", r.RenewBy)
	}
	renewed := must(p.extend(once, signing.LevelLTA, "tsa2"))
	if !bytes.HasPrefix(renewed, once) {
		t.Fatal("renewal changed the file")
	}
	r = judge(t, renewed, p.offline(), signing.Valid)
	if r.RenewBy == nil || !r.RenewBy.Equal(p.cert("tsa2").NotAfter) || r.Signatures[0].Level != signing.LevelLTA {
		t.Errorf("renew by %v, level %s", r.RenewBy, r.Signatures[0].Level)
	}
	later := p.offline()
	later.At = time.Now().AddDate(4, 0, 0) // the first authority's certificate and the signer's have ended
	judge(t, once, later, signing.Indeterminate)
	r = judge(t, renewed, later, signing.Valid)
	if len(r.Signatures) != 3 || r.Signatures[0].Level != signing.LevelLTA {
		t.Errorf("level %q", r.Signatures[0].Level)
	}
	later.At = time.Now().AddDate(9, 0, 0) // nobody renewed in time
	judge(t, renewed, later, signing.Indeterminate)
	// A file that lost its last stamp falls back to what is left.
	judge(t, once, p.offline(), signing.Valid)
}

func TestExtendRaisesOneLevelAfterTheOther(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	out := seal(t, s, read(t, "libreoffice.pdf"), signing.SealOptions{Mark: marked().Mark})
	for _, level := range levels[1:] {
		next, err := p.extend(out, level, "tsa")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(next, out) {
			t.Fatal("not an increment")
		}
		opt := p.offline()
		if level == signing.LevelT {
			opt.Revocation = signing.RevocationIfKnown
		}
		if r := judge(t, next, opt, signing.Valid); r.Signatures[0].Level != level || r.Signatures[0].TimeSource != signing.TimeOfDocumentStamp {
			t.Errorf("level %q by %s, want %q", r.Signatures[0].Level, r.Signatures[0].TimeSource, level)
		}
		again, err := p.extend(next, level, "tsa")
		if err != nil || level != signing.LevelLTA && !bytes.Equal(again, next) {
			t.Errorf("%s twice: %v, %d bytes more", level, err, len(again)-len(next))
		}
		out = next
	}
	// A further seal on an extended file, and extending both.
	two := seal(t, p.sealer("other", "signer", "rsa:2048"), out, signing.SealOptions{Mark: marked().Mark})
	two = must(p.extend(two, signing.LevelLTA, "tsa"))
	r := judge(t, two, p.offline(), signing.Valid)
	for _, s := range r.Signatures {
		if s.Kind == "signature" && s.Level != signing.LevelLTA {
			t.Errorf("%s at %q", s.Field, s.Level)
		}
	}
}

// A signer that counts what it is asked for.
type countingSigner struct {
	crypto.Signer
	n int
}

func (c *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.n++
	return c.Signer.Sign(r, digest, opts)
}

func TestAuthoritiesOutOfReachLeaveNothingSigned(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	cases := map[string]struct {
		level signing.Level
		set   func()
		want  error
	}{
		"time stamps down":            {signing.LevelT, func() { p.tsaDown.Store(true) }, signing.ErrUnavailable},
		"revocation down":             {signing.LevelLT, func() { p.ocspDown.Store(true); p.crlDown.Store(true) }, signing.ErrUnavailable},
		"answers are noise":           {signing.LevelT, func() { p.mangle = func(string, []byte) []byte { return []byte("hello") } }, signing.ErrTimestamp},
		"stamp damaged":               {signing.LevelT, func() { p.mangle = flipIn("/tsa") }, signing.ErrTimestamp},
		"answers of revocation noise": {signing.LevelLT, func() { p.mangle = onlyNot("/tsa", []byte("x")) }, nil},
		"too long":                    {signing.LevelT, func() { p.mangle = func(string, []byte) []byte { return make([]byte, 1<<20) } }, signing.ErrUnavailable},
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		t.Run(name, func(t *testing.T) {
			defer func() {
				p.ocspDown.Store(false)
				p.crlDown.Store(false)
				p.tsaDown.Store(false)
				p.mangle = nil
			}()
			key := &countingSigner{Signer: p.key("unit")}
			counted := must(signing.NewSealer(key, append(s.Chain(), p.root)[:2]))
			c.set()
			out, err := counted.Seal(t.Context(), tiny(), p.options(c.level))
			if err == nil || out != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%d bytes, %v", len(out), err)
			}
			if key.n != 0 {
				t.Errorf("the key was used %d times", key.n)
			}
		})
	}
	// The list stands in for the responder.
	p.ocspDown.Store(true)
	out := seal(t, s, tiny(), p.options(signing.LevelLT))
	p.ocspDown.Store(false)
	if r := judge(t, out, p.offline(), signing.Valid); r.Signatures[0].Level != signing.LevelLT || !bytes.Contains(out, []byte("/CRLs")) {
		t.Errorf("level %q", r.Signatures[0].Level)
	}
}

func flipIn(path string) func(string, []byte) []byte {
	return func(at string, b []byte) []byte {
		if at == path {
			b[len(b)-9] ^= 1 // in the value of the signature
		}
		return b
	}
}

func onlyNot(path string, other []byte) func(string, []byte) []byte {
	return func(at string, b []byte) []byte {
		if at == path {
			return b
		}
		return other
	}
}

func TestStampOfAnotherRequestIsRefused(t *testing.T) {
	p := newPKI(t)
	ts := p.stamper("tsa")
	digest := func(s string) []byte { return must(hex.DecodeString(strings.Repeat(s, 32))) }
	var first []byte
	p.mangle = func(_ string, b []byte) []byte {
		if first == nil {
			first = b
		}
		return first
	}
	if _, err := ts.Timestamp(t.Context(), digest("01")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		d    []byte
	}{{"replayed", digest("01")}, {"for other bytes", digest("02")}} {
		if _, err := ts.Timestamp(t.Context(), c.d); !errors.Is(err, signing.ErrTimestamp) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	p.mangle = nil
	ts.Roots = theIssuer().roots
	if _, err := ts.Timestamp(t.Context(), digest("01")); !errors.Is(err, signing.ErrTimestamp) {
		t.Errorf("untrusted authority: %v", err)
	}
	ts.Roots = nil
	if _, err := ts.Timestamp(t.Context(), digest("01")); !errors.Is(err, signing.ErrTimestamp) {
		t.Errorf("no roots: %v", err)
	}
	slow := p.stamper("tsa")
	slow.Client = &http.Client{Timeout: time.Millisecond}
	if _, err := slow.Timestamp(t.Context(), digest("01")); !errors.Is(err, signing.ErrUnavailable) {
		t.Errorf("slow authority: %v", err)
	}
}

func TestRevocationCountsAtTheProvenTime(t *testing.T) {
	p := newPKI(t)
	plain := p.sealer("unit", "signer", "p256")
	b := seal(t, plain, tiny(), p.options(signing.LevelB))
	st := seal(t, plain, tiny(), p.options(signing.LevelT))
	lt := seal(t, plain, tiny(), p.options(signing.LevelLT))
	judge(t, b, p.online(), signing.Valid)

	p.revoke("unit", time.Now().Add(time.Hour), "superseded") // after all stamps; the responder says it already
	future := p.online()
	judge(t, st, future, signing.Valid)
	judge(t, lt, future, signing.Valid)

	p2 := newPKI(t)
	late := p2.sealer("unit", "signer", "p256")
	b, st = seal(t, late, tiny(), p2.options(signing.LevelB)), seal(t, late, tiny(), p2.options(signing.LevelT))
	old := seal(t, late, tiny(), signing.SealOptions{At: time.Now().Add(-2 * time.Minute)})
	p2.revoke("unit", time.Now().Add(-time.Minute), "keyCompromise") // before the stamps
	r := judge(t, st, p2.online(), signing.Invalid)
	if r.Signatures[0].Revocation.Code != "revoked" {
		t.Errorf("%+v", r.Signatures[0].Revocation)
	}
	judge(t, b, p2.online(), signing.Invalid) // its own claim is later than the revocation
	r = judge(t, old, p2.online(), signing.Indeterminate)
	if r.Signatures[0].Revocation.Code != "revoked_unproven" {
		t.Errorf("%+v", r.Signatures[0].Revocation)
	}
	judge(t, b, signing.VerifyOptions{Roots: p2.roots}, signing.Valid) // nobody was asked
	if _, err := late.Seal(t.Context(), tiny(), p2.options(signing.LevelLT)); !errors.Is(err, signing.ErrRevoked) {
		t.Errorf("sealing with a revoked certificate: %v", err)
	}
	if _, err := p2.extend(st, signing.LevelLT, "tsa"); err == nil {
		t.Error("a seal of a revoked certificate was extended")
	}
	// The list says the same when the responder is down.
	p2.ocspDown.Store(true)
	judge(t, st, p2.online(), signing.Invalid)
}

func TestSilenceAboutRevocation(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	silent := p.sealer("silent", "silent", "p256")
	file, mute := seal(t, s, tiny(), p.options(signing.LevelB)), seal(t, silent, tiny(), signing.SealOptions{})
	roots := signing.VerifyOptions{Roots: p.roots}
	asked := roots
	asked.Online = &signing.RevocationSource{}
	required := asked
	required.Revocation = signing.RevocationRequired

	code := func(in []byte, opt signing.VerifyOptions, want signing.Status) string {
		t.Helper()
		return judge(t, in, opt, want).Signatures[0].Revocation.Code
	}
	for _, c := range []struct {
		in   []byte
		opt  signing.VerifyOptions
		want signing.Status
		code string
	}{
		{file, roots, signing.Valid, "revocation_not_checked"},
		{file, asked, signing.Valid, "not_revoked"},
		{mute, asked, signing.Valid, "revocation_not_checked"}, // there is nobody to ask
		{mute, required, signing.Indeterminate, "revocation_unknown"},
	} {
		if got := code(c.in, c.opt, c.want); got != c.code {
			t.Errorf("code %q, want %q", got, c.code)
		}
	}
	p.ocspDown.Store(true)
	p.crlDown.Store(true)
	asked.Online = &signing.RevocationSource{}
	if got := code(file, asked, signing.Indeterminate); got != "revocation_unavailable" {
		t.Errorf("down: %q", got)
	}
	p.ocspDown.Store(false)
	p.forget("unit")
	asked.Online = &signing.RevocationSource{}
	if got := code(file, asked, signing.Indeterminate); got != "revocation_unknown" {
		t.Errorf("unknown to the responder: %q", got)
	}
	if _, err := silent.Seal(t.Context(), tiny(), p.options(signing.LevelLT)); !errors.Is(err, signing.ErrLevel) {
		t.Errorf("certificate without addresses: %v", err)
	}
}

func TestAnswersAreRemembered(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	opt := p.options(signing.LevelLT)
	seal(t, s, tiny(), opt)
	before := p.calls.Load()
	for range 3 {
		seal(t, s, tiny(), opt)
	}
	if n := p.calls.Load() - before; n != 3 { // a time stamp each
		t.Errorf("%d calls for 3 seals", n)
	}
}

func TestWhatALevelNeedsIsSaid(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	full := p.options(signing.LevelLT)
	for name, opt := range map[string]signing.SealOptions{
		"unknown level":    {Level: "B-X"},
		"no authority":     {Level: signing.LevelT},
		"no revocation":    {Level: signing.LevelLT, Timestamper: full.Timestamper},
		"nothing for most": {Level: signing.LevelLTA},
	} {
		if _, err := s.Seal(t.Context(), tiny(), opt); !errors.Is(err, signing.ErrLevel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out := seal(t, s, tiny(), signing.SealOptions{Timestamper: full.Timestamper}) // the default with an authority
	lax := p.offline()
	lax.Revocation = ""
	if r := judge(t, out, lax, signing.Valid); r.Signatures[0].Level != signing.LevelT {
		t.Errorf("level %q", r.Signatures[0].Level)
	}
	if _, err := signing.Extend(t.Context(), tiny(), signing.ExtendOptions{Level: signing.LevelT, Timestamper: full.Timestamper}); !errors.Is(err, signing.ErrLevel) {
		t.Errorf("no signature: %v", err)
	}
	if _, err := signing.Extend(t.Context(), []byte("x"), signing.ExtendOptions{Level: signing.LevelT}); !errors.Is(err, signing.ErrNotPDF) {
		t.Errorf("no PDF: %v", err)
	}
	// Without the root in the chain nobody can be asked.
	short := must(signing.NewSealer(p.key("unit"), s.Chain()[:1]))
	if _, err := short.Seal(t.Context(), tiny(), full); !errors.Is(err, signing.ErrLevel) {
		t.Errorf("short chain: %v", err)
	}
}

func TestCertificatesForOtherPurposesMayNotSign(t *testing.T) {
	p := newPKI(t)
	for _, section := range []string{"server", "tsa", "responder"} {
		p.issue("x-"+section, section, "p256", 365)
		if _, err := signing.NewSealer(p.key("x-"+section), append(theChain(p, "x-"+section), p.root)); !errors.Is(err, signing.ErrCertificate) {
			t.Errorf("%s: %v", section, err)
		}
		// And when somebody did so nevertheless.
		file := seal(t, p.sealer("unit-"+section, "signer", "p256"), tiny(), signing.SealOptions{})
		r := byteRange(file)
		digest := crypto.SHA256.New()
		digest.Write(file[:r[1]])
		digest.Write(file[r[2]:])
		der := must(cms.Build(p.key("x-"+section), theChain(p, "x-"+section), digest.Sum(nil), nil))
		copy(file[r[1]+1:r[2]-1], bytes.Repeat([]byte("0"), r[2]-r[1]-2))
		copy(file[r[1]+1:], hex.EncodeToString(der))
		judge(t, file, signing.VerifyOptions{Roots: p.roots}, signing.Invalid)
	}
}

func TestOtherProgramsAcceptTheLevels(t *testing.T) {
	p := newPKI(t)
	tool(t, "certutil")
	tool(t, "pdfsig")
	nss := t.TempDir()
	mustRun(t, "certutil", "-N", "-d", "sql:"+nss, "--empty-password")
	mustRun(t, "certutil", "-A", "-d", "sql:"+nss, "-n", "root", "-t", "CT,C,C", "-i", p.file("root.pem"))
	s := p.sealer("unit", "signer", "rsa:3072")
	for name, in := range variants(t) {
		for _, level := range levels {
			if level != signing.LevelLTA && name != "letter.pdf" && name != "chromium-objstm.pdf" {
				continue
			}
			t.Run(name+"/"+string(level), func(t *testing.T) {
				opt := p.options(level)
				opt.Mark = marked().Mark
				out := seal(t, s, in, opt)
				path := write(t, "sealed.pdf", out)
				report := mustRun(t, "pdfsig", "-no-ocsp", "-nssdir", "sql:"+nss, path)
				if strings.Count(report, "Signature is Valid.") != 1 || strings.Count(report, "Certificate is Trusted.") != 1 {
					t.Errorf("pdfsig: %s", report) // it knows nothing of document time stamps
				}
				if out := mustRun(t, "qpdf", "--check", path); strings.Contains(strings.ToLower(out), "warning") {
					t.Errorf("qpdf: %s", out)
				}
				// mutool calls any increment behind a signature an edit, and does not know document time stamps.
				word := map[bool]string{true: "unchanged since signing.", false: "The signature is valid but"}[!level.AtLeast(signing.LevelLT)]
				if out, _ := run(t, "mutool", "sign", "-v", path); !strings.Contains(out, word) {
					t.Errorf("mutool: %s", out)
				}
				if level.AtLeast(signing.LevelT) {
					checkTokens(t, p, out)
				}
			})
		}
	}
}

// checkTokens hands every time stamp of a file to openssl.
func checkTokens(t *testing.T, p *pki, file []byte) {
	t.Helper()
	tokens := 0
	verify := func(token, data []byte) {
		tokens++
		out := mustRun(t, "openssl", "ts", "-verify", "-data", write(t, "data", data), "-in", write(t, "token", token), "-token_in",
			"-CAfile", p.file("root.pem"))
		if !strings.Contains(out, "Verification: OK") {
			t.Errorf("openssl: %s", out)
		}
	}
	for _, m := range regexp.MustCompile(`/ByteRange\s*\[0 (\d+) (\d+) (\d+)\s*\]`).FindAllSubmatch(file, -1) {
		before, from, n := atoi(m[1]), atoi(m[2]), atoi(m[3])
		contents := must(hex.DecodeString(string(file[before+1 : from-1])))
		sig := must(cms.Parse(contents))
		if sig.Content != nil {
			verify(trimDER(contents), append(bytes.Clone(file[:before]), file[from:from+n]...))
		}
		for _, token := range sig.Timestamps {
			verify(token, signatureValue(t, contents))
		}
	}
	if tokens == 0 {
		t.Error("no time stamp found")
	}
	if os.Getenv("KEEP_PDF") != "" {
		os.WriteFile(os.Getenv("KEEP_PDF")+"/"+strings.ReplaceAll(t.Name(), "/", "_")+".pdf", file, 0o600)
	}
}

func TestLevelsAtTheSameTime(t *testing.T) {
	p := newPKI(t)
	s := p.sealer("unit", "signer", "p256")
	opt := p.options(signing.LevelLTA)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 2 {
				judge(t, seal(t, s, tiny(), opt), p.offline(), signing.Valid)
			}
		})
	}
	wg.Wait()
}
