package typeface_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"congvan/signing/internal/typeface"

	"github.com/go-fonts/liberation/liberationserifregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// vietnamese has every letter of the alphabet with every tone mark, in both cases.
const vietnamese = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵđ" +
	"AÀẢÃÁẠĂẰẲẴẮẶÂẦẨẪẤẬEÈẺẼÉẸÊỀỂỄẾỆIÌỈĨÍỊOÒỎÕÓỌÔỒỔỖỐỘƠỜỞỠỚỢUÙỦŨÚỤƯỪỬỮỨỰYỲỶỸÝỴĐ0123456789;:/+.,()–-"

func load(t testing.TB) *typeface.Face {
	t.Helper()
	f, err := typeface.Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSubsetDrawsWhatTheFontDraws(t *testing.T) {
	text, err := load(t).Set([]string{vietnamese})
	if err != nil {
		t.Fatal(err)
	}
	full, err := sfnt.Parse(liberationserifregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := sfnt.Parse(withTables(text.Font))
	if err != nil {
		t.Fatal(err)
	}
	var a, b sfnt.Buffer
	for i, r := range []rune(vietnamese) {
		g, _ := full.GlyphIndex(&a, r)
		want, err1 := full.LoadGlyph(&a, g, fixed.I(2048), nil)
		got, err2 := cut.LoadGlyph(&b, sfnt.GlyphIndex(text.Lines[0].Glyphs[i]), fixed.I(2048), nil)
		if err1 != nil || err2 != nil || !slices.Equal(want, got) {
			t.Errorf("%q is drawn differently: %v, %v", r, err1, err2)
		}
		adv, _ := full.GlyphAdvance(&a, g, fixed.I(2048), font.HintingNone)
		if w := text.Widths[text.Lines[0].Glyphs[i]]; w != adv.Round()*1000/2048 {
			t.Errorf("%q is %d wide, want %d", r, w, adv.Round()*1000/2048)
		}
		if text.Runes[text.Lines[0].Glyphs[i]] != r {
			t.Errorf("%q would be copied as %q", r, text.Runes[text.Lines[0].Glyphs[i]])
		}
	}
}

func TestSubsetIsSmall(t *testing.T) {
	text, err := load(t).Set([]string{"SAO Y; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00"})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(text.Font); n > 10<<10 {
		t.Errorf("%d bytes", n)
	}
}

func TestDecomposedTextIsComposed(t *testing.T) {
	a, err1 := load(t).Set([]string{"Nghĩa ủy"})
	b, err2 := load(t).Set([]string{"Nghi\u0303a u\u0309y"})
	if err1 != nil || err2 != nil || !slices.Equal(a.Lines[0].Glyphs, b.Lines[0].Glyphs) {
		t.Error("NFC and NFD differ", err1, err2)
	}
}

func TestUnknownCharacterIsAnError(t *testing.T) {
	if _, err := load(t).Set([]string{"漢"}); !errors.Is(err, typeface.ErrGlyph) {
		t.Errorf("got %v", err)
	}
}

func TestWrap(t *testing.T) {
	f := load(t)
	for _, c := range []struct {
		text  string
		limit float64
		want  string
	}{
		{"SAO Y; Sở Nội vụ; 18/03/2009; 08:05:30 +07:00", 400, "SAO Y; Sở Nội vụ; 18/03/2009; 08:05:30 +07:00"},
		{"SAO Y; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00", 255,
			"SAO Y; Ủy ban nhân dân tỉnh Kon Tum;|18/03/2009; 08:05:30 +07:00"},
		{strings.Repeat("x", 100), 50, strings.Repeat("x", 100)},
		{"", 100, ""},
	} {
		lines := f.Wrap(c.text, 10, c.limit)
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("%q", got)
		}
	}
	long := "TRÍCH SAO; Ban Chỉ đạo phòng, chống tham nhũng, lãng phí, tiêu cực và cải cách hành chính tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00"
	for _, line := range f.Wrap(long, 10, 255) {
		if w := f.Width(line) * 10; w > 255 {
			t.Errorf("%q is %.0f points wide", line, w)
		}
	}
}

// withTables adds to a cut font the tables that the font library wants and PDF does not.
func withTables(ttf []byte) []byte {
	be := binary.BigEndian
	type table struct {
		tag  string
		data []byte
	}
	tables := func(ttf []byte) (all []table) {
		for i := range int(be.Uint16(ttf[4:])) {
			rec := ttf[12+16*i:]
			all = append(all, table{string(rec[:4]), ttf[be.Uint32(rec[8:]):][:be.Uint32(rec[12:])]})
		}
		return all
	}
	all := tables(ttf)
	for _, t := range tables(liberationserifregular.TTF) {
		switch t.tag {
		case "cmap", "name", "OS/2":
			all = append(all, t)
		case "post":
			head := slices.Clone(t.data[:32])
			be.PutUint32(head, 0x00030000) // without names
			all = append(all, table{t.tag, head})
		}
	}
	slices.SortFunc(all, func(a, b table) int { return strings.Compare(a.tag, b.tag) })
	out := be.AppendUint16(slices.Clone(ttf[:4]), uint16(len(all)))
	out = append(out, make([]byte, 6)...)
	at := 12 + 16*len(all)
	var body []byte
	for _, t := range all {
		out = append(out, t.tag...)
		out = be.AppendUint32(out, 0)
		out = be.AppendUint32(out, uint32(at+len(body)))
		out = be.AppendUint32(out, uint32(len(t.data)))
		body = append(body, t.data...)
		body = append(body, make([]byte, -len(body)&3)...)
	}
	return append(out, body...)
}
