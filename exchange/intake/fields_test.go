package intake_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"congvan/exchange/intake"
)

// inside says whether a place is a rectangle of an A4 page.
func inside(p intake.Place, pages int) bool {
	return p.Page >= 1 && p.Page <= pages && p.X0 < p.X1 && p.Y0 < p.Y1 && p.X0 > -1 && p.Y0 > -1 && max(p.X1, p.Y1) < 900
}

// TestEveryFieldHasAPlaceAndAConfidence of a text layer: all stand somewhere and none has to be looked at.
func TestEveryFieldHasAPlaceAndAConfidence(t *testing.T) {
	d := readSample(t, "01-quyet-dinh-22-2009")
	for name, want := range map[intake.FieldName]string{"issuer": d.Heading.Issuer, "reference": "22/2009/QĐ-UBND", "number": "22", "year": "2009", "symbol": "QĐ-UBND",
		"place": "Kon Tum", "date": "2009-03-18", "type": "Quyết định", "subject": d.Heading.Subject, "signer": d.Signer, "pages": "7"} {
		f, ok := d.Fields[name]
		if !ok || f.Value != want || f.Confidence < intake.Sure || f.Confidence > 1 || f.Doubt != "" {
			t.Errorf("%s is %+v, want %q", name, f, want)
		}
		if name == "pages" {
			continue
		}
		if len(f.Places) == 0 || !inside(f.Places[0], d.Pages) {
			t.Errorf("%s stands at %+v", name, f.Places)
		}
	}
	number, year, symbol, place, date := d.Fields["number"].Places[0], d.Fields["year"].Places[0], d.Fields["symbol"].Places[0], d.Fields["place"].Places[0], d.Fields["date"].Places[0]
	if number.X1 > year.X0 || year.X1 > symbol.X0 || symbol.X1 > place.X0 || place.X1 > date.X0 {
		t.Errorf("parts overlap: %v %v %v %v %v", number, year, symbol, place, date)
	}
	if f := d.Fields["annexes"]; f.Value == "" || len(f.Places) == 0 || f.Places[0].Page < 2 {
		t.Errorf("annexes: %+v", f)
	}
}

// TestEveryEntryHasItsOwnPlace: entries stand under each other, over the page break.
func TestEveryEntryHasItsOwnPlace(t *testing.T) {
	for _, name := range []string{"01-quyet-dinh-22-2009", "02-cong-van-stttt", "10-cong-van-nhieu-don-vi"} {
		d := readSample(t, name)
		for field, entries := range map[intake.FieldName][]intake.BlockLine{intake.FieldKinhGui: d.KinhGuiLines, intake.FieldNoiNhan: d.NoiNhanLines} {
			texts := map[intake.FieldName][]string{intake.FieldKinhGui: d.KinhGui, intake.FieldNoiNhan: d.NoiNhan}[field]
			if len(entries) != len(texts) {
				t.Fatalf("%s: %d places of %d entries", name, len(entries), len(texts))
			}
			page, y := 0, 0.0
			for i, e := range entries {
				if e.Text != texts[i] || e.Confidence < 0.9 || len(e.Places) == 0 || !inside(e.Places[0], d.Pages) {
					t.Fatalf("%s: entry %+v of %q", name, e, texts[i])
				}
				p := e.Places[0]
				if p.Page < page || p.Page == page && p.Y0 < y-2 {
					t.Errorf("%s: entry %q stands above the one before: %+v", name, e.Text, p)
				}
				page, y = p.Page, p.Y0
			}
		}
	}
}

// TestDecodedTextIsLessSure than a text layer in Unicode, and needs no look all the same.
func TestDecodedTextIsLessSure(t *testing.T) {
	d := readSample(t, "11-tcvn3-font-cu")
	if f := d.Fields["subject"]; f.Confidence >= 0.99 || f.Confidence < intake.Sure {
		t.Errorf("trích yếu: %+v", f)
	}
}

// TestConfidenceTellsRightFromWrong reads bad scans: what is wrong is less sure in the mean than what is right.
func TestConfidenceTellsRightFromWrong(t *testing.T) {
	needOCR(t)
	r := openReader(t)
	hows := []scanner{{dpi: 100, degrees: 1.5, blur: 1, noise: 12, grey: true, quality: 50, light: corner}}
	names := []string{"02-cong-van-stttt", "05-bao-cao-ubnd-huyen", "10-cong-van-nhieu-don-vi"}
	var right, wrong []float64
	told := 0
	for _, how := range hows {
		for _, name := range names {
			file := "testdata/samples/" + name + ".pdf"
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := r.Read(t.Context(), name, data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Read(t.Context(), name, how.scan(t, file))
			if err != nil {
				t.Fatal(err)
			}
			judge := func(what, text, truth string, sure float64) {
				if text == truth {
					right = append(right, sure)
					return
				}
				wrong = append(wrong, sure)
				if sure < intake.Sure {
					told++
				}
				t.Logf("%.2f %s %q, not %q", sure, what, text, truth)
			}
			for field, f := range got.Fields {
				judge(string(field), f.Value, want.Fields[field].Value, f.Confidence)
			}
			known := map[string]bool{}
			for _, e := range append(want.KinhGui, want.NoiNhan...) {
				known[strings.TrimPrefix(e, "- ")] = true // the clerk's list shows no bullets
			}
			for _, e := range append(got.KinhGuiLines, got.NoiNhanLines...) {
				truth := ""
				if known[strings.TrimPrefix(e.Text, "- ")] {
					truth = e.Text
				}
				judge("entry", e.Text, truth, e.Confidence)
			}
		}
	}
	t.Logf("%d right, mean %.3f; %d wrong, mean %.3f, %d of them told", len(right), mean(right), len(wrong), mean(wrong), told)
	if len(right) < 10 || len(wrong) < 3 {
		t.Fatalf("%d right and %d wrong readings show nothing", len(right), len(wrong))
	}
	if !(mean(wrong) < mean(right)-0.05) {
		t.Errorf("wrong readings are as sure as right ones: %.3f, %.3f", mean(wrong), mean(right))
	}
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / math.Max(1, float64(len(list)))
}
