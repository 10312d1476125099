package signing_test

import (
	"context"
	"testing"

	"congvan/signing"
)

func BenchmarkSeal(b *testing.B) {
	for _, kind := range []signing.KeyKind{signing.P256, signing.RSA3072} {
		for _, name := range []string{"letter.pdf", "scan.pdf"} {
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				in, s, opt := read(b, name), theIssuer().sealers[kind], marked()
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Seal(context.Background(), in, opt); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, seals := range map[string]int{"one": 1, "three": 3} {
		b.Run(name, func(b *testing.B) {
			file := read(b, "scan.pdf")
			for range seals {
				file = seal(b, theIssuer().sealers[signing.P256], file, marked())
			}
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				wantStatus(b, file, signing.Valid)
			}
		})
	}
}

func BenchmarkVerifyLevels(b *testing.B) {
	p := newPKI(b)
	s := p.sealer("unit", "signer", "rsa:3072")
	for _, level := range levels {
		b.Run(string(level), func(b *testing.B) {
			file := read(b, "scan.pdf")
			for range 5 {
				file = seal(b, s, file, p.options(level))
			}
			opt := p.offline()
			opt.Revocation = signing.RevocationIfKnown
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				judge(b, file, opt, signing.Valid)
			}
		})
	}
}
