package intake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange/intake"
)

// marksTruth says what each document of testdata/marks bears: its secrecy, its urgency, and whether it is to be doubted.
var marksTruth = map[string]struct {
	secrecy, urgency string
	doubt            bool
}{
	"askew":                     {secrecy: "Tuyệt mật"},
	"below-the-signature":       {secrecy: "Tuyệt mật"},
	"doubt-cell":                {doubt: true},
	"doubt-end-of-about":        {doubt: true},
	"doubt-recall":              {doubt: true},
	"next-page":                 {secrecy: "Mật"},
	"picture":                   {secrecy: "Tối mật"},
	"picture-askew":             {secrecy: "Tối mật"},
	"plain-logo":                {},
	"plain-words":               {},
	"secret-file-above":         {secrecy: "Tối mật"},
	"small-letters-top-right":   {secrecy: "Tối mật"},
	"small-letters-under-about": {secrecy: "Tuyệt mật"},
	"two-in-one-line":           {secrecy: "Tối mật", urgency: "Hỏa tốc"},
	"upright-on-its-side":       {secrecy: "Mật"},
	"with-a-label":              {secrecy: "Mật"},
}

func readFile(t *testing.T, path string) *intake.Draft {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openReader(t).Read(t.Context(), filepath.Base(path), data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestMarksOfSecrecy reads documents with marks in all forms and places, and some with words that are no marks.
func TestMarksOfSecrecy(t *testing.T) {
	files, err := filepath.Glob("testdata/marks/*.pdf")
	if err != nil || len(files) < len(marksTruth) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			name, _, _ := strings.Cut(filepath.Base(file), ".")
			want, ok := marksTruth[name]
			if !ok {
				t.Fatal("nobody says what it bears")
			}
			if strings.HasPrefix(name, "picture") {
				needOCR(t)
			}
			d := readFile(t, file)
			if d.Secrecy != want.secrecy || d.Urgency != want.urgency || (d.Problem(intake.MaybeSecret) != nil) != want.doubt {
				t.Errorf("secrecy %q, urgency %q, problems %v", d.Secrecy, d.Urgency, d.Problems)
			}
			if p := d.Places[intake.FieldSecrecy]; want.secrecy != "" && (len(p) != 1 || p[0].X1 <= p[0].X0 || p[0].Page < 1) {
				t.Errorf("the mark stands at %v", p)
			}
			subject := "rà soát quy hoạch"
			switch name {
			case "plain-words":
				subject = "phổ biến Luật Bảo vệ bí mật nhà nước"
			case "doubt-end-of-about":
				subject = "giải mật tài liệu Mật, Tối mật"
			}
			if d.Heading.Subject != subject || d.Heading.Reference != "31/SXD-QH" {
				t.Errorf("heading %+v", d.Heading)
			}
		})
	}
}

// TestPictureThatNobodyReadsIsADoubt: without text recognition a picture of a stamp's shape may be a mark.
func TestPictureThatNobodyReadsIsADoubt(t *testing.T) {
	r, err := intake.Open(t.Context(), intake.Options{CacheDir: filepath.Join(os.TempDir(), "congvan-test-wasm"), Workers: 1, Tesseract: "tesseract-that-is-not-there"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, doubt := range map[string]bool{"picture": true, "plain-logo": false, "plain-words": false} {
		data, err := os.ReadFile("testdata/marks/" + name + ".chromium.pdf")
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Read(t.Context(), name, data)
		if err != nil {
			t.Fatal(err)
		}
		if p := d.Problem(intake.MaybeSecret); (p != nil) != doubt || p != nil && !strings.Contains(p.Error(), "Có thể có dấu mật ở trang 1.") {
			t.Errorf("%s: problems %v", name, d.Problems)
		}
	}
}
