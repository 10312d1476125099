package signing_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/signing"
)

const mailDomain = "tinh.test"

type mailHouse struct {
	ca     *signing.Authority
	id     *signing.Identity
	signer *signing.MailSigner
	roots  *x509.CertPool
}

var mailOnce = sync.OnceValues(func() (*mailHouse, error) {
	ca, err := signing.NewMailAuthority(signing.Subject{Name: "Thư điện tử tỉnh"}, mailDomain)
	if err != nil {
		return nil, err
	}
	id, err := ca.IssueMail(signing.Subject{Name: "Sở Nội vụ"}, "snv@"+mailDomain)
	if err != nil {
		return nil, err
	}
	signer, err := signing.NewMailSigner(id, "snv@"+mailDomain)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())
	return &mailHouse{ca, id, signer, roots}, err
})

func newMailHouse(t testing.TB) *mailHouse {
	t.Helper()
	h, err := mailOnce()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// entities are signed parts in every transfer encoding that the gateway writes.
func entities(t testing.TB) map[string]string {
	big := make([]byte, 5<<20)
	rand.Read(big)
	var folded strings.Builder
	for text := base64.StdEncoding.EncodeToString(big); len(text) > 0; {
		n := min(76, len(text))
		folded.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return map[string]string{
		"7bit":             "Content-Type: text/plain\r\n\r\nKinh gui\r\n\r\n",
		"no end of line":   "Content-Type: text/plain\r\n\r\nKinh gui",
		"empty":            "Content-Type: text/plain\r\n\r\n",
		"quoted-printable": "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nS=E1=BB=9F N=E1=BB=99i v=E1=BB=A5=20\r\n",
		"base64 5 MB": "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nxin\r\n--b1\r\n" +
			"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + folded.String() + "\r\n--b1--\r\n",
	}
}

func (h *mailHouse) mail(t testing.TB, from, entity string) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: =?utf-8?q?S=E1=BB=9F?= <%s>\r\nSubject: =?utf-8?q?V=E1=BB=81?=\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n", from, h.signer.ContentType("=_outer"))
	err := h.signer.Write(&b, "=_outer", time.Now(), func(w io.Writer) error { _, err := io.WriteString(w, entity); return err })
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (h *mailHouse) verify(t testing.TB, mail string, opt ...func(*signing.MailOptions)) *signing.MailReport {
	t.Helper()
	o := signing.MailOptions{Roots: h.roots}
	for _, f := range opt {
		f(&o)
	}
	r, err := signing.VerifyMail(strings.NewReader(mail), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMailIsAcceptedByOpenSSLAndNSS(t *testing.T) {
	h := newMailHouse(t)
	for _, name := range []string{"openssl", "cmsutil", "certutil"} {
		tool(t, name)
	}
	dir := t.TempDir()
	if err := h.ca.Save(dir, "mật khẩu"); err != nil {
		t.Fatal(err)
	}
	ca, nss := filepath.Join(dir, "root.pem"), "sql:"+dir
	mustRun(t, "certutil", "-N", "-d", nss, "--empty-password")
	mustRun(t, "certutil", "-A", "-d", nss, "-n", "ca", "-t", ",C,", "-i", ca)
	for name, entity := range entities(t) {
		t.Run(name, func(t *testing.T) {
			mail := h.mail(t, "snv@"+mailDomain, entity)
			if r := h.verify(t, mail); r.Status != signing.Valid || r.Form != signing.MailDetached {
				t.Fatalf("ours: %+v", r)
			}
			eml, p7, content := filepath.Join(dir, "m.eml"), filepath.Join(dir, "m.p7s"), filepath.Join(dir, "m.txt")
			save(t, eml, mail)
			save(t, content, entity)
			mustRun(t, "openssl", "cms", "-verify", "-in", eml, "-CAfile", ca, "-purpose", "smimesign", "-out", os.DevNull)
			mustRun(t, "openssl", "smime", "-verify", "-in", eml, "-CAfile", ca, "-out", os.DevNull)
			save(t, p7, signatureOf(t, mail))
			mustRun(t, "cmsutil", "-D", "-d", nss, "-c", content, "-i", p7, "-o", os.DevNull)
			save(t, content, entity+"x")
			if out, err := exec.Command("cmsutil", "-D", "-d", nss, "-c", content, "-i", p7, "-o", os.DevNull).CombinedOutput(); err == nil {
				t.Errorf("NSS takes a changed text: %s", out)
			}
		})
	}
}

// What openssl signs, detached and opaque, DER and BER (-stream), is read by us.
func TestMailOfOthersIsVerified(t *testing.T) {
	h := newMailHouse(t)
	tool(t, "openssl")
	dir := t.TempDir()
	keyPEM, certPEM := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	p12 := filepath.Join(dir, "id.p12")
	if err := h.id.Save(p12, "x"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "openssl", "pkcs12", "-in", p12, "-passin", "pass:x", "-nodes", "-nocerts", "-out", keyPEM)
	mustRun(t, "openssl", "pkcs12", "-in", p12, "-passin", "pass:x", "-nokeys", "-clcerts", "-out", certPEM)
	in := filepath.Join(dir, "in.txt")
	save(t, in, "Content-Type: text/plain\r\n\r\nDa tiep nhan, so den 12\r\n")
	for name, c := range map[string]struct {
		args []string
		want signing.Status
		code string
	}{
		"detached":       {[]string{"-md", "sha256"}, signing.Valid, "valid"},
		"sha384":         {[]string{"-md", "sha384"}, signing.Valid, "valid"},
		"stream":         {[]string{"-md", "sha256", "-stream"}, signing.Valid, "valid"},
		"opaque":         {[]string{"-md", "sha256", "-nodetach"}, signing.Valid, "valid"},
		"opaque, stream": {[]string{"-md", "sha256", "-nodetach", "-stream"}, signing.Valid, "valid"},
		"cades":          {[]string{"-md", "sha256", "-cades"}, signing.Valid, "valid"},
		"sha1":           {[]string{"-md", "sha1"}, signing.Indeterminate, "weak_algorithm"},
		"md5":            {[]string{"-md", "md5"}, signing.Indeterminate, "weak_algorithm"},
		"no attributes":  {[]string{"-md", "sha256", "-noattr"}, signing.Indeterminate, "cms_unsupported"},
		"no certificate": {[]string{"-md", "sha256", "-nocerts"}, signing.Indeterminate, "no_signer_certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"cms", "-sign", "-in", in, "-binary", "-signer", certPEM, "-inkey", keyPEM, "-from", "snv@" + mailDomain}, c.args...)
			out, err := exec.Command("openssl", args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			r := h.verify(t, string(out))
			if r.Status != c.want || r.Code != c.code {
				t.Errorf("%s %s, want %s %s: %+v", r.Status, r.Code, c.want, c.code, r)
			}
			if r.Form == signing.MailOpaque && !bytes.Contains(r.Content, []byte("so den 12")) {
				t.Errorf("content %q", r.Content)
			}
		})
	}
}

func TestForgedMailIsNotValid(t *testing.T) {
	h := newMailHouse(t)
	const from = "snv@" + mailDomain
	entity := "Content-Type: text/plain\r\n\r\nHoan thanh\r\n"
	good := h.mail(t, from, entity)
	attacker, err := signing.NewMailAuthority(signing.Subject{Name: "Thư điện tử tỉnh"}, mailDomain)
	if err != nil {
		t.Fatal(err)
	}
	forged := h.signedBy(t, attacker, from, entity)
	for name, c := range map[string]struct{ mail, code string }{
		"text changed":         {strings.Replace(good, "Hoan", "Chua", 1), "digest_mismatch"},
		"line added":           {strings.Replace(good, "thanh\r\n", "thanh\r\n\r\n", 1), "digest_mismatch"},
		"other From":           {strings.Replace(good, "<"+from+">", "<stc@"+mailDomain+">", 1), "other_address"},
		"name looks like it":   {strings.Replace(good, "=?utf-8?q?S=E1=BB=9F?= <"+from+">", `"`+from+`" <ke.xau@ngoai.test>`, 1), "other_address"},
		"two addresses":        {strings.Replace(good, "<"+from+">", "<"+from+">, <x@ngoai.test>", 1), "from_not_one"},
		"two From":             {"From: x@ngoai.test\r\n" + good, "from_not_one"},
		"two Content-Type":     {"Content-Type: text/plain\r\n" + good, "header_twice"},
		"attacker's authority": {forged, "untrusted"},
		"third part":           {strings.Replace(good, "\r\n--=_outer--", "\r\n--=_outer\r\n\r\nthem\r\n--=_outer--", 1), "structure"},
		"no signature":         {good[:strings.Index(good, "Content-Type: application/pkcs7-signature")], "structure"},
		"signed part inside": {"From: " + from + "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nchen vao\r\n--m\r\n" +
			good[strings.Index(good, "Content-Type: multipart"):] + "\r\n--m--\r\n", "partly_signed"},
		"unsigned": {"From: " + from + "\r\n\r\nHoan thanh\r\n", "unsigned"},
	} {
		r := h.verify(t, c.mail)
		if r.Status == signing.Valid || r.Code != c.code {
			t.Errorf("%s: %s %s, want %s (%s)", name, r.Status, r.Code, c.code, r.Reason)
		}
	}
	if r := h.verify(t, strings.ReplaceAll(good, "\r\n", "\n")); r.Status != signing.Valid {
		t.Errorf("line ends of a file: %+v", r) // RFC 8551 §3.1.1: the canonical form is what counts
	}
	if r := h.verify(t, good, func(o *signing.MailOptions) { o.At = time.Now().AddDate(3, 0, 0) }); r.Status != signing.Indeterminate || r.Code != "expired" {
		t.Errorf("expired: %s %s", r.Status, r.Code)
	}
	if r := h.verify(t, good, func(o *signing.MailOptions) { o.Roots = nil }); r.Status != signing.Indeterminate {
		t.Errorf("no roots: %s", r.Status)
	}
}

func (h *mailHouse) signedBy(t testing.TB, ca *signing.Authority, address, entity string) string {
	t.Helper()
	id, err := ca.IssueMail(signing.Subject{Name: "Sở Nội vụ"}, address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewMailSigner(id, address)
	if err != nil {
		t.Fatal(err)
	}
	return (&mailHouse{signer: s}).mail(t, address, entity)
}

// The authority may certify its own domain alone, and a seal's certificate or another address signs no mail.
func TestMailCertificates(t *testing.T) {
	h := newMailHouse(t)
	abroad := h.signedBy(t, h.ca, "snv@ngoai.test", "Content-Type: text/plain\r\n\r\nx\r\n")
	if r := h.verify(t, abroad); r.Status == signing.Valid {
		t.Errorf("an address of another domain: %+v", r)
	}
	if _, err := signing.NewMailSigner(h.id, "stc@"+mailDomain); err == nil {
		t.Error("signs for another address")
	}
	seals, err := signing.NewAuthority(signing.Subject{Name: "Con dấu"}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := seals.Issue(signing.Subject{Name: "Sở Nội vụ"}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signing.NewMailSigner(seal, "snv@"+mailDomain); err == nil {
		t.Error("a seal signs mail")
	}
	if _, err := h.ca.IssueMail(signing.Subject{Name: "x"}, "sở@"+mailDomain); err == nil {
		t.Error("an address that is not ASCII")
	}
}

// A list in the trust folder revokes: good before, invalid after, indeterminate when the list is out of date.
func TestRevokedMailCertificate(t *testing.T) {
	h := newMailHouse(t)
	mail := h.mail(t, "snv@"+mailDomain, "Content-Type: text/plain\r\n\r\nx\r\n")
	other, err := signing.NewMailAuthority(signing.Subject{Name: "Thư điện tử tỉnh"}, mailDomain)
	if err != nil {
		t.Fatal(err)
	}
	list := func(ca *signing.Authority, next time.Time, revoked ...*big.Int) []byte {
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: next}
		for _, n := range revoked {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: n, RevocationTime: time.Now().Add(-time.Minute)})
		}
		id := ca.Identity()
		return must(x509.CreateRevocationList(rand.Reader, template, id.Chain[0], id.Key))
	}
	serial, later := h.id.Chain[0].SerialNumber, time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		crl    []byte
		status signing.Status
		code   string
	}{
		"good":             {list(h.ca, later), signing.Valid, "valid"},
		"revoked":          {list(h.ca, later, serial), signing.Invalid, "revoked"},
		"out of date":      {list(h.ca, time.Now().Add(-time.Minute)), signing.Indeterminate, "list_out_of_date"},
		"of somebody else": {list(other, later, serial), signing.Valid, "valid"},
		"damaged":          {[]byte("x"), signing.Valid, "valid"},
	} {
		r := h.verify(t, mail, func(o *signing.MailOptions) { o.CRLs = [][]byte{c.crl} })
		if r.Status != c.status || r.Code != c.code {
			t.Errorf("%s: %s %s, want %s %s", name, r.Status, r.Code, c.status, c.code)
		}
	}
}

// What is huge, deep or endless costs bounded memory and time, and is never valid.
func TestHostileMail(t *testing.T) {
	h := newMailHouse(t)
	head := "From: snv@" + mailDomain + "\r\nContent-Type: "
	b64 := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	deep := bytes.Repeat([]byte{0x30, 0x80}, 100_000)
	for name, mail := range map[string]string{
		"empty":          "",
		"no header end":  strings.Repeat("X: y\r\n", 100_000),
		"long line":      "From: " + strings.Repeat("a", 1<<20),
		"no boundary":    head + "multipart/signed\r\n\r\nx",
		"deep BER":       head + "application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(deep),
		"huge CMS":       head + "application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("A", 48<<20),
		"huge signature": head + "multipart/signed; boundary=b\r\n\r\n--b\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n" + strings.Repeat("A", 4<<20) + "\r\n--b--\r\n",
		"no CMS":         head + "multipart/signed; boundary=b\r\n\r\n--b\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nabc\r\n--b--\r\n",
		"long boundary":  head + "multipart/signed; boundary=" + strings.Repeat("b", 5000) + "\r\n\r\n",
	} {
		if r := h.verify(t, mail); r.Status == signing.Valid {
			t.Errorf("%s: valid", name)
		}
	}
}

// Every single byte of the signed part changed, and of the signature: never valid with another text.
func TestEveryByteOfAMailCounts(t *testing.T) {
	h := newMailHouse(t)
	mail := h.mail(t, "snv@"+mailDomain, "Content-Type: text/plain\r\n\r\nHoan thanh\r\n")
	start := strings.Index(mail, "--=_outer\r\n") + len("--=_outer\r\n")
	end := strings.Index(mail, "\r\n--=_outer\r\nContent-Type: application/pkcs7")
	for i := start; i < end; i++ {
		if mail[i] == '\r' || mail[i] == '\n' {
			continue // line ends are brought back to CRLF before they are judged
		}
		changed := mail[:i] + string(mail[i]^1) + mail[i+1:]
		if r := h.verify(t, changed); r.Status == signing.Valid {
			t.Errorf("byte %d changed: valid", i)
		}
	}
	der, root := []byte(signatureOf(t, mail)), h.ca.Certificate().Raw
	carried := bytes.Index(der, root) // of no weight: the root that counts is the trusted one
	for i := range der {
		if carried >= 0 && i >= carried && i < carried+len(root) {
			continue
		}
		changed := bytes.Clone(der)
		changed[i] ^= 0x01
		text := mail[:end] + "\r\n--=_outer\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString(changed) + "\r\n--=_outer--\r\n"
		if r := h.verify(t, text); r.Status == signing.Valid {
			t.Errorf("byte %d of the signature changed: valid (%#x)", i, der[i])
		}
	}
}

func TestUnsafeEntityIsNotSigned(t *testing.T) {
	h := newMailHouse(t)
	for name, entity := range map[string]string{
		"8bit": "\r\nSở", "bare LF": "\r\na\nb", "bare CR": "\r\na\rb", "CR at the end": "\r\na\r", "long": "\r\n" + strings.Repeat("x", 999),
		"boundary": "\r\n--=_outer\r\n", "NUL": "\r\na\x00",
	} {
		err := h.signer.Write(io.Discard, "=_outer", time.Now(), func(w io.Writer) error { _, err := io.WriteString(w, entity); return err })
		if err == nil {
			t.Errorf("%s is signed", name)
		}
	}
}

func FuzzVerifyMail(f *testing.F) {
	h := newMailHouse(f)
	f.Add([]byte(h.mail(f, "snv@"+mailDomain, "Content-Type: text/plain\r\n\r\nx\r\n")))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := signing.VerifyMail(bytes.NewReader(in), signing.MailOptions{Roots: h.roots}); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkSignMail(b *testing.B) {
	h := newMailHouse(b)
	for b.Loop() {
		if _, err := h.signer.SignDigest([32]byte{1}, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func signatureOf(t testing.TB, mail string) string {
	t.Helper()
	_, rest, _ := strings.Cut(mail, "Content-Type: application/pkcs7-signature")
	_, rest, _ = strings.Cut(rest, "\r\n\r\n")
	text, _, _ := strings.Cut(rest, "\r\n--")
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\r\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

func save(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
