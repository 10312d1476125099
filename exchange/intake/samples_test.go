package intake_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"congvan/exchange/intake"
)

// testReader opens one reader for all tests of the package.
var testReader = sync.OnceValues(func() (*intake.Reader, error) {
	cache := filepath.Join(os.TempDir(), "congvan-test-wasm")
	return intake.Open(context.Background(), intake.Options{CacheDir: cache})
})

func openReader(t testing.TB) *intake.Reader {
	t.Helper()
	r, err := testReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readTruth reads the JSON file that says what must be found. Units and unknown lines are the resolver's.
func readTruth(t testing.TB, path string) intake.Record {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec intake.Record
	if err := json.Unmarshal(b, &rec); err != nil {
		t.Fatal(err)
	}
	rec.Units, rec.Unknown = []string{}, []string{}
	return rec
}

func TestSamplesAreReadAsTheirTruthSays(t *testing.T) {
	r := openReader(t)
	files, err := filepath.Glob("testdata/samples/*.pdf")
	if err != nil || len(files) < 11 {
		t.Fatalf("samples: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := readTruth(t, file[:len(file)-len(".pdf")]+".json")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := r.Read(t.Context(), filepath.Base(file), data)
			if err != nil {
				t.Fatal(err)
			}
			got := d.Record()
			got.File = ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("record differs (-want +got):\n%s", diff)
			}
		})
	}
}

func readSample(t *testing.T, name string) *intake.Draft {
	t.Helper()
	d, err := openReader(t).Read(t.Context(), name, sample(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestArticlesAreThoseOfTheDocumentNotOfItsAnnex(t *testing.T) {
	d := readSample(t, "01-quyet-dinh-22-2009")
	if len(d.Articles) != 3 {
		t.Errorf("%d articles: %v", len(d.Articles), d.Articles)
	}
	want := "Điều 3. Các ông (bà): Chánh Văn phòng Uỷ ban nhân dân tỉnh, Thủ trưởng các Sở, Ban, Ngành; Chủ tịch Uỷ ban nhân dân các huyện, " +
		"thị xã và các tổ chức, cá nhân có liên quan chịu trách nhiệm thi hành quyết định này./."
	if d.Articles[3] != want {
		t.Errorf("Điều 3 is %q", d.Articles[3])
	}
	req := d.Request("ubndtinh")
	if req.Date != "2009-03-18" || req.Issuer != "ubndtinh" || req.KinhGui != "" || !strings.HasPrefix(req.NoiNhan, "Nơi nhận:\n- Như Điều 3;\n") || req.Articles[3] != want {
		t.Errorf("request %+v", req)
	}
}

func TestPlacesAreWhereTheTextStands(t *testing.T) {
	d := readSample(t, "01-quyet-dinh-22-2009")
	block := d.Places[intake.FieldNoiNhan]
	if len(block) != 2 || block[0].Page != 1 || block[1].Page != 2 || block[0].Y0 < 700 || block[1].Y1 > 260 || block[1].X1 > 320 {
		t.Errorf("Nơi nhận stands at %+v", block)
	}
	for _, f := range []intake.FieldName{intake.FieldIssuer, intake.FieldNumber, intake.FieldDate, intake.FieldType, intake.FieldSubject, intake.FieldSigner} {
		p := d.Places[f]
		if len(p) != 1 || p[0].X0 >= p[0].X1 || p[0].Y0 >= p[0].Y1 || p[0].X1 > 595 {
			t.Errorf("%s stands at %+v", f, p)
		}
	}
	if n, date := d.Places[intake.FieldNumber][0], d.Places[intake.FieldDate][0]; n.X1 > date.X0 {
		t.Errorf("number %+v is not left of date %+v", n, date)
	}
}

func TestOldEncodingKeepsTheOriginal(t *testing.T) {
	d := readSample(t, "11-tcvn3-font-cu")
	if d.Encoding != "TCVN3" || !strings.Contains(d.Original, "c¸n bé, c«ng chøc") || strings.Contains(d.Original, "Kính gửi") {
		t.Errorf("encoding %q, original %q", d.Encoding, d.Original)
	}
}

func TestAWordOfTheTextIsNoMark(t *testing.T) {
	for _, name := range []string{"01-quyet-dinh-22-2009", "02-cong-van-stttt", "09-quyet-dinh-2024"} {
		if d := readSample(t, name); d.Secrecy != "" {
			t.Errorf("%s is taken for %s", name, d.Secrecy)
		}
	}
}
