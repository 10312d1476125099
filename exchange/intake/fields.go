package intake

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// A Field is one field of a draft with what a clerk needs to check it: where it stands and how sure the reading is.
type Field struct {
	Value      string  `json:"value"`
	Places     []Place `json:"places,omitempty"` // none when it stands nowhere: it was concluded from another field, or counted
	Confidence float64 `json:"confidence"`       // 0 to 1; under Sure somebody should look
	Doubt      string  `json:"doubt,omitempty"`  // Vietnamese, for the clerk: what makes it less sure
}

// A BlockLine is one entry of Kính gửi or Nơi nhận with its place: one rectangle a page. The confidence is of its letters;
// whom it means is for recipients to judge.
type BlockLine struct {
	Text       string  `json:"text"`
	Places     []Place `json:"places,omitempty"`
	Confidence float64 `json:"confidence"`
}

// Sure is the confidence from which on a reading needs no second look.
const Sure = 0.8

// How sure a reading is that nothing speaks against. A text layer may still be ordered wrongly; an old font is decoded by
// its letters, which are nearly always those of one encoding. Recognised words have the confidence tesseract gives.
const (
	sureText    = 0.99
	sureDecoded = 0.95
	corrected   = 0.8 // factor for a word that was corrected by its neighbours or was read differently at another time
	concluded   = 0.8 // factor for a value that does not stand on the page as it is given
)

// A stretch is a part of the letters of some lines: the words it touches, each from one share of its width to another.
type stretch []partOfWord

type partOfWord struct {
	word     word
	page     int
	from, to float64
}

// A spelling is the letters of some lines in their order, without white space, each with the word it stands in.
type spelling struct {
	runes []rune
	words []partOfWord
}

func spell(lines []line) spelling {
	var s spelling
	for _, l := range lines {
		for _, w := range l.words {
			all := []rune(w.text)
			for i, r := range all {
				n := float64(len(all))
				s.runes = append(s.runes, unicode.ToLower(r))
				s.words = append(s.words, partOfWord{w, l.page, float64(i) / n, float64(i+1) / n})
			}
		}
	}
	return s
}

// find gives the stretch in which a text stands at or after letter from, and the letter behind it; at is -1 when it stands
// nowhere.
func (s spelling) find(text string, from int) (st stretch, at, next int) {
	var want []rune
	for _, r := range text {
		if !unicode.IsSpace(r) {
			want = append(want, unicode.ToLower(r))
		}
	}
	if len(want) == 0 {
		return nil, -1, from
	}
	for i := from; i+len(want) <= len(s.runes); i++ {
		if slices.Equal(s.runes[i:i+len(want)], want) {
			return s.cut(i, i+len(want)), i, i + len(want)
		}
	}
	return nil, -1, from
}

// cut gives the letters from a to b, those of one word put together.
func (s spelling) cut(a, b int) stretch {
	var out stretch
	for _, p := range s.words[a:b] {
		if n := len(out) - 1; n >= 0 && p.from > 0 && out[n].page == p.page && math.Abs(out[n].to-p.from) < 1e-9 && out[n].word.x0 == p.word.x0 && out[n].word.y0 == p.word.y0 {
			out[n].to = p.to
			continue
		}
		out = append(out, p)
	}
	return out
}

// places gives the rectangle around the stretch on each page.
func (s stretch) places() []Place {
	lines := make([]line, len(s))
	for i, p := range s {
		wide := p.word.x1 - p.word.x0
		lines[i] = line{page: p.page, x0: p.word.x0 + p.from*wide, x1: p.word.x0 + p.to*wide, y0: p.word.y0, y1: p.word.y1}
	}
	return placesOf(lines)
}

// confidence is how sure the letters of a stretch are: between the mean over its letters and the worst word, because one
// wrong word makes the whole wrong.
func (s stretch) confidence() float64 {
	sum, n, worst := 0.0, 0.0, 1.0
	for _, p := range s {
		c := p.word.sure()
		k := (p.to - p.from) * float64(len([]rune(p.word.text)))
		sum, n = sum+k*c, n+k
		if strings.IndexFunc(p.word.text, isLetterOrDigit) >= 0 { // of a bullet tesseract is never sure
			worst = min(worst, c)
		}
	}
	if n == 0 {
		return 0
	}
	return (sum/n + worst) / 2
}

// sure is how sure a word is, from 0 to 1.
func (w word) sure() float64 {
	switch {
	case strings.ContainsRune(w.text, unknownRune):
		return 0.3
	case w.conf >= 100 && w.raw != "":
		return sureDecoded
	case w.conf >= 100:
		return sureText
	case w.unsure:
		return min(w.conf/100, sureText) * corrected
	}
	return min(w.conf/100, sureText)
}

// doubt words for the clerk why a stretch is not sure.
func (s stretch) doubt() string {
	worst := -1
	for i, p := range s {
		if worst < 0 || p.word.sure() < s[worst].word.sure() {
			worst = i
		}
	}
	if worst < 0 {
		return ""
	}
	w := s[worst].word
	switch {
	case strings.ContainsRune(w.text, unknownRune):
		return "Phông chữ của tệp không cho biết chữ."
	case w.unsure:
		return fmt.Sprintf("Chữ «%s» được máy sửa hoặc hai lần đọc khác nhau.", w.text)
	case w.conf < 100:
		return fmt.Sprintf("Chữ «%s» khó đọc.", w.text)
	}
	return ""
}

// field sets a field from the lines that it was read from.
func (d *Draft) field(name FieldName, value string, lines []line) {
	if value == "" {
		return
	}
	if len(lines) == 0 {
		d.Fields[name] = Field{Value: value, Confidence: concluded * 0.9, Doubt: "Máy suy ra, không thấy ghi rõ trên trang."}
		return
	}
	s := spell(lines)
	if len(s.runes) == 0 {
		d.Fields[name] = Field{Value: value, Places: d.Places[name], Confidence: 0.5, Doubt: "Đọc từ hình vẽ trên trang."}
		return
	}
	st, _, _ := s.find(value, 0)
	f := Field{Value: value}
	if st == nil {
		st = s.cut(0, len(s.runes))
		f.Confidence = st.confidence()
		if f.Doubt = st.doubt(); st.recognised() {
			f.Confidence *= concluded
			if f.Doubt == "" {
				f.Doubt = "Máy đã sửa so với chữ đọc được."
			}
		}
	} else {
		f.Confidence, f.Doubt = st.confidence(), st.doubt()
	}
	f.Places = st.places()
	d.Fields[name] = f.rounded()
}

// rounded gives the confidence two digits, and leaves no doubt told where it is Sure.
func (f Field) rounded() Field {
	f.Confidence = math.Round(f.Confidence*100) / 100
	if f.Confidence >= Sure {
		f.Doubt = ""
	}
	return f
}

// recognised says whether a part of the stretch is from OCR.
func (s stretch) recognised() bool {
	return slices.ContainsFunc(s, func(p partOfWord) bool { return p.word.conf < 100 })
}

// fillFields tells of every field where it stands and how sure it is.
func (d *Draft) fillFields(pages []page) {
	h := d.Heading
	for name, value := range map[FieldName]string{FieldIssuer: h.Issuer, FieldSuperior: h.Superior, FieldNumber: h.Reference, FieldSubject: h.Subject,
		FieldType: h.Type, FieldSigner: d.Signer, FieldSignFor: strings.Join(d.SignFor, "\n"), FieldSecrecy: d.Secrecy, FieldUrgency: d.Urgency} {
		d.field(name, value, d.lines[name])
	}
	d.fillReference()
	d.fillDate()
	if f, ok := d.Fields[FieldNumber]; ok && h.Type == "Công văn" && len(d.lines[FieldType]) == 0 { // it has no title: its symbol says so
		f.Value = h.Type
		d.Fields[FieldType] = f
	}
	if d.Pages > 0 {
		d.Fields[FieldPages] = Field{Value: fmt.Sprint(d.Pages), Confidence: 1}
	}
	d.fillAnnexes(pages)
	d.KinhGuiLines = entryLines(d.KinhGui, d.KinhGui, d.lines[FieldKinhGui])
	d.NoiNhanLines = entryLines(d.NoiNhan, d.printed, d.lines[FieldNoiNhan])
}

// fillReference gives number, year and symbol their own parts of the reference.
func (d *Draft) fillReference() {
	h, lines := d.Heading, d.lines[FieldNumber]
	s := spell(lines)
	_, at, end := s.find(h.Reference, 0)
	for _, f := range []struct {
		name  FieldName
		value string
	}{{FieldDigits, h.Number}, {FieldYear, h.Year}, {FieldSymbol, h.Symbol}} {
		d.field(f.name, f.value, lines)
		if at < 0 || f.value == "" {
			continue
		}
		if st, from, next := s.find(f.value, at); from >= 0 && next <= end {
			d.Fields[f.name] = Field{Value: f.value, Places: st.places(), Confidence: st.confidence(), Doubt: st.doubt()}.rounded()
			at = next
		}
	}
}

// fillDate parts the line of the date into the place and the date. A date with a blank in it has to be looked at.
func (d *Draft) fillDate() {
	h, lines := d.Heading, d.lines[FieldDate]
	d.field(FieldPlace, h.Place, lines)
	if h.Date == "" {
		return
	}
	s := spell(lines)
	_, at, _ := s.find("ngày", 0)
	st := s.cut(max(at, 0), len(s.runes))
	f := Field{Value: h.Date, Places: st.places(), Confidence: st.confidence(), Doubt: st.doubt()}
	if len(h.Date) < len("2006-01-02") {
		f.Confidence, f.Doubt = f.Confidence/2, "Ngày hoặc tháng để trống hoặc không đọc được."
	}
	d.Fields[FieldDate] = f.rounded()
}

// fillAnnexes lists the annexes in the same file. Of a file with pages that nobody read nothing is said.
func (d *Draft) fillAnnexes(pages []page) {
	last := d.lastOwnPage()
	if len(d.Unread) > 0 || len(pages) != d.Pages || last >= len(pages) {
		return
	}
	var names []string
	f := Field{Confidence: sureText}
	for _, a := range annexesOf(pages[max(1, last):], last > 0) {
		names = append(names, a.Name())
		f.Places = append(f.Places, a.Place)
		sure := sureText
		if pages[a.Page-1].ocr {
			sure = 0.9
		}
		if !a.Marked {
			sure = 0.6
			f.Doubt = "Có trang sau chữ ký mà không ghi là phụ lục."
		}
		f.Confidence = min(f.Confidence, sure)
	}
	if len(names) > 0 {
		f.Value = strings.Join(names, "; ")
		d.Fields[FieldAnnex] = f
	}
}

// entryLines finds each entry among the lines of its block. printed is the entries before they were tidied.
func entryLines(entries, printed []string, lines []line) []BlockLine {
	s := spell(lines)
	from := 0
	out := make([]BlockLine, len(entries))
	for i, e := range entries {
		out[i] = BlockLine{Text: e}
		text := e
		if i < len(printed) {
			text = printed[i]
		}
		st, at, next := s.find(text, from)
		if at < 0 {
			st = s.cut(min(from, len(s.runes)), len(s.runes)) // somewhere in what is left of the block
			out[i].Confidence = st.confidence() * concluded
		} else {
			from = next
			out[i].Confidence = st.confidence()
		}
		if text != e {
			out[i].Confidence *= corrected
		}
		out[i].Places = st.places()
		out[i].Confidence = math.Round(out[i].Confidence*100) / 100
	}
	return out
}
