package cms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"congvan/signing/internal/cms"
)

func certify(t testing.TB, key crypto.Signer, serial int64, more ...time.Duration) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Sở Nội vụ"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	for _, d := range more {
		c.NotAfter = c.NotAfter.Add(d)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	out := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = k
	}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = k
	}
	return out
}

func TestEveryKindOfKey(t *testing.T) {
	digest := sha256.Sum256([]byte("văn bản"))
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			chain := []*x509.Certificate{certify(t, key, 1), certify(t, key, 2)}
			limit, err := cms.MaxLen(chain)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 { // ECDSA values differ in length
				der, err := cms.Build(key, chain, digest[:], nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(der) > limit {
					t.Fatalf("%d bytes, reserved %d", len(der), limit)
				}
				s, err := cms.Parse(append(der, make([]byte, 40)...))
				if err != nil {
					t.Fatal(err)
				}
				if !s.Signer.Equal(chain[0]) || len(s.Certificates) != 2 || !s.SigningTime.IsZero() {
					t.Errorf("parsed %+v", s)
				}
				if err := errors.Join(s.CheckDigest(digest[:]), s.CheckSignature(), s.CheckBinding()); err != nil {
					t.Error(err)
				}
				if err := s.CheckDigest(make([]byte, 32)); !errors.Is(err, cms.ErrDigest) {
					t.Errorf("other digest: %v", err)
				}
			}
		})
	}
}

func TestSmallKeysAreRefused(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cms.MaxSignatureLen(p224.Public()); !errors.Is(err, cms.ErrKey) {
		t.Errorf("P-224: %v", err)
	}
	short := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	if _, err := cms.MaxSignatureLen(short); !errors.Is(err, cms.ErrKey) {
		t.Errorf("RSA-1024: %v", err)
	}
}

// Two certificates for one key: sid and signing-certificate-v2 must name the same.
func TestExchangedCertificateIsNoticed(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // its certificates are all of one length
	if err != nil {
		t.Fatal(err)
	}
	mine, other := certify(t, key, 7), certify(t, key, 7, time.Hour) // same issuer and serial, other bytes
	digest := sha256.Sum256(nil)
	der, err := cms.Build(key, []*x509.Certificate{mine}, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	swapped, ok := exchange(der, mine.Raw, other.Raw)
	if !ok {
		t.Fatal("certificates of different length")
	}
	s, err := cms.Parse(swapped)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckSignature(); err != nil {
		t.Errorf("the key is the same: %v", err)
	}
	if err := s.CheckBinding(); !errors.Is(err, cms.ErrBinding) {
		t.Errorf("got %v", err)
	}
}

func exchange(in, old, new []byte) ([]byte, bool) {
	if len(old) != len(new) {
		return nil, false
	}
	for i := range in {
		if len(in)-i >= len(old) && string(in[i:i+len(old)]) == string(old) {
			return append(append(append([]byte{}, in[:i]...), new...), in[i+len(old):]...), true
		}
	}
	return nil, false
}

func TestWhatIsNotASignature(t *testing.T) {
	deep := []byte{}
	for range 5000 {
		deep = append(deep, 0x30, 0x82, 0xff, 0xff)
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 100), "ber": {0x30, 0x80, 0, 0}, "deep": deep, "huge": make([]byte, 2<<20),
		"integer": {2, 1, 1}, "oid only": must(asn1.Marshal(struct{ A asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 2, 3}})),
	} {
		if _, err := cms.Parse(der); !errors.Is(err, cms.ErrSyntax) && !errors.Is(err, cms.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzParse(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	der, err := cms.Build(key, []*x509.Certificate{certify(f, key, 1)}, digest[:], nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := cms.Parse(in)
		if err != nil {
			return
		}
		_ = s.CheckBinding()
		_ = s.CheckSignature()
		_ = s.CheckImprint(func(cms.Hash) []byte { return nil })
	})
}
