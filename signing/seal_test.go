package signing_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"congvan/signing"
)

// shapes are the kinds of PDF that offices send: producers, cross reference kinds, encryption without a password.
var shapes = []string{
	"letter.pdf", "objectstreams.pdf", "scan.pdf", "libreoffice.pdf", "chromium.pdf", "chromium-objstm.pdf",
	"chromium-linear.pdf", "chromium-linear-objstm.pdf", "encrypted-aes128.pdf", "encrypted-aes256.pdf",
	"encrypted-rc4.pdf", "encrypted-objstm.pdf",
}

func TestSealedFileIsValid(t *testing.T) {
	for _, name := range shapes {
		for kind, s := range theIssuer().sealers {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				out := seal(t, s, read(t, name), marked())
				r := wantStatus(t, out, signing.Valid)
				got := r.Signatures[0]
				if len(r.Signatures) != 1 || got.Coverage.Code != "whole_file" || got.SignerName != agency ||
					got.ReasonOfSigning != "Sao y (bản chính)" || got.Organization != "Nguyễn Trọng Nghĩa" {
					t.Errorf("report: %+v", r)
				}
				if grown := len(out) - len(read(t, name)); grown > 16<<10 {
					t.Errorf("grew by %d bytes", grown)
				}
			})
		}
	}
}

func TestSecondSealKeepsTheFirst(t *testing.T) {
	is := theIssuer()
	for _, name := range append(shapes, "form") {
		t.Run(name, func(t *testing.T) {
			in := build(withForm())
			if name != "form" {
				in = read(t, name)
			}
			out := in
			for i, kind := range []signing.KeyKind{signing.P256, signing.RSA3072, signing.P384} {
				out = seal(t, is.sealers[kind], out, marked())
				r := wantStatus(t, out, signing.Valid)
				if len(r.Signatures) != i+1 {
					t.Fatalf("%d signatures after %d", len(r.Signatures), i+1)
				}
				for j, s := range r.Signatures {
					if want := map[bool]string{true: "whole_file", false: "allowed_changes"}[j == i]; s.Coverage.Code != want {
						t.Errorf("signature %d: %+v", j, s.Coverage)
					}
				}
			}
		})
	}
}

func wantInputError(t *testing.T, err error, want error, code string) {
	t.Helper()
	var in *signing.InputError
	if !errors.Is(err, want) || !errors.As(err, &in) || in.Code != code {
		t.Errorf("got %v, want %v with code %q", err, want, code)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	letter := read(t, "letter.pdf")
	for name, c := range map[string]struct {
		in   []byte
		want error
		code string
	}{
		"empty":         {nil, signing.ErrNotPDF, "empty"},
		"text":          {[]byte("Kính gửi: các Sở, Ban, Ngành"), signing.ErrNotPDF, "not_pdf"},
		"zip":           {append([]byte("PK\x03\x04"), make([]byte, 5000)...), signing.ErrNotPDF, "not_pdf"},
		"only a header": {[]byte("%PDF-1.7\n"), signing.ErrDamaged, "damaged"},
		"truncated":     {letter[:len(letter)*2/3], signing.ErrDamaged, "damaged"},
		"last line cut": {letter[:len(letter)-12], signing.ErrDamaged, "damaged"},
		"junk in front": {append([]byte("junk\n"), letter...), signing.ErrDamaged, "damaged"},
		"junk behind":   {append(append([]byte{}, letter...), make([]byte, 4096)...), signing.ErrDamaged, "damaged"},
		"password":      {read(t, "password.pdf"), signing.ErrEncrypted, "encrypted"},
		"too large":     {make([]byte, signing.MaxSealedSize+1), signing.ErrTooLarge, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := theIssuer().sealers[signing.P256].Seal(context.Background(), c.in, signing.SealOptions{})
			wantInputError(t, err, c.want, c.code)
			_, err = signing.Verify(context.Background(), c.in, signing.VerifyOptions{})
			wantInputError(t, err, c.want, c.code)
		})
	}
}

func TestMarkMustHaveGlyphs(t *testing.T) {
	_, err := theIssuer().sealers[signing.P256].Seal(context.Background(), tiny(), signing.SealOptions{Mark: "印"})
	wantInputError(t, err, signing.ErrMark, "mark")
}

func TestMarkText(t *testing.T) {
	at := time.Date(2009, 3, 18, 1, 5, 30, 0, time.UTC)
	for kind, want := range map[signing.CopyKind]string{
		signing.FullCopy:   "SAO Y; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00",
		signing.CopyOfCopy: "SAO LỤC; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00",
		signing.Extract:    "TRÍCH SAO; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00",
	} {
		if got := signing.MarkText(kind, " Ủy ban nhân dân  tỉnh Kon Tum", at); got != want {
			t.Errorf("got %q", got)
		}
	}
}

func TestSealRefusesOutsideTheCertificatesTime(t *testing.T) {
	s := theIssuer().sealers[signing.P256]
	for _, at := range []time.Time{time.Now().AddDate(-1, 0, 0), time.Now().AddDate(9, 0, 0)} {
		if _, err := s.Seal(context.Background(), tiny(), signing.SealOptions{At: at}); !errors.Is(err, signing.ErrCertificate) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestExpiredCertificateIsIndeterminate(t *testing.T) {
	r, err := signing.Verify(context.Background(), sealedTiny(t),
		signing.VerifyOptions{Roots: theIssuer().roots, At: time.Now().AddDate(6, 0, 0)})
	if err != nil || r.Status != signing.Indeterminate || r.Signatures[0].Time.Code != "expired" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestFieldNamesDoNotCollide(t *testing.T) {
	s := theIssuer().sealers[signing.P256]
	out := seal(t, s, tiny(), signing.SealOptions{FieldName: "Dấu cơ quan"})
	if _, err := s.Seal(context.Background(), out, signing.SealOptions{FieldName: "Dấu cơ quan"}); err == nil {
		t.Error("a second field of the same name was made")
	}
	r := wantStatus(t, out, signing.Valid)
	if r.Signatures[0].Field != "Dấu cơ quan" {
		t.Errorf("field %q", r.Signatures[0].Field)
	}
}

func TestSealObeysItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := theIssuer().sealers[signing.P256].Seal(ctx, tiny(), signing.SealOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	is, dir := theIssuer(), t.TempDir()
	if err := is.authority.Save(dir, "mật khẩu"); err != nil {
		t.Fatal(err)
	}
	for kind, id := range is.ids {
		path := filepath.Join(dir, string(kind)+".p12")
		if err := id.Save(path, "mật khẩu"); err != nil {
			t.Fatal(err)
		}
		got, err := signing.LoadIdentity(path, "mật khẩu")
		if err != nil || !got.Chain[0].Equal(id.Chain[0]) || len(got.Chain) != 2 {
			t.Fatalf("%s: %v", kind, err)
		}
		wantStatus(t, seal(t, must(got.Sealer()), tiny(), signing.SealOptions{}), signing.Valid)
		if _, err := signing.LoadIdentity(path, "sai"); !errors.Is(err, signing.ErrPassword) {
			t.Errorf("wrong password: %v", err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := signing.LoadIdentity(path, "mật khẩu"); !errors.Is(err, signing.ErrPermissions) {
			t.Errorf("readable by others: %v", err)
		}
	}
	again, err := signing.LoadAuthority(filepath.Join(dir, "authority.p12"), "mật khẩu")
	if err != nil {
		t.Fatal(err)
	}
	id := must(again.Issue(signing.Subject{Name: "Sở Thông tin và Truyền thông"}, signing.P256))
	roots, err := signing.LoadRoots(filepath.Join(dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := signing.Verify(context.Background(), seal(t, must(id.Sealer()), tiny(), marked()), signing.VerifyOptions{Roots: roots})
	if err != nil || r.Status != signing.Valid {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := signing.ParseIdentity([]byte("no key"), ""); !errors.Is(err, signing.ErrKey) {
		t.Errorf("no PKCS#12: %v", err)
	}
}

func TestSealerRefusesWhatDoesNotFit(t *testing.T) {
	is := theIssuer()
	if _, err := signing.NewSealer(is.ids[signing.P384].Key, is.ids[signing.P256].Chain); !errors.Is(err, signing.ErrCertificate) {
		t.Errorf("foreign key: %v", err)
	}
	if _, err := signing.NewSealer(nil, nil); !errors.Is(err, signing.ErrKey) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := signing.LoadAuthority(write(t, "x.p12", nil), ""); err == nil {
		t.Error("an empty file is an authority")
	}
}
