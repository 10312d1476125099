package intake

import (
	"encoding/json"
	"strings"

	"congvan/mailcore/viettext"
)

// A Heading is what the head of a document says about it (thể thức, NĐ 30/2020 Điều 8, cells 1 to 5 and 10). A field that
// the text does not give, or that cannot be read, is "".
type Heading struct {
	Type       string // tên loại: "Quyết định", "Công văn"
	Reference  string // the whole số, ký hiệu: "22/2009/QĐ-UBND"
	Number     string // số: "22", "05", "12a"; "" while the place is blank
	Year       string // the year inside the reference, which only văn bản quy phạm pháp luật carry
	Symbol     string // ký hiệu without number and year: "QĐ-UBND"; "KL/TU" of a Party document
	Place      string // địa danh: "Kon Tum"
	Date       string // ISO; "2018-07" or "2018" where day or month is blank or illegible
	Subject    string // trích yếu, in one line
	Issuer     string // the issuing agency as printed, in one line
	Superior   string // the agency above it, as printed; "" when none is
	IssuerName string // the issuing agency as it is usually written: "UBND tỉnh Kon Tum", "Bộ Tài chính"
	Secrecy    string // độ mật: "Mật", "Tối mật", "Tuyệt mật"
	Urgency    string // độ khẩn: "Khẩn", "Thượng khẩn", "Hỏa tốc", "Hỏa tốc hẹn giờ"
	Signer     string // the name under the signature, when the text goes that far
}

// MarshalJSON writes the fields of congvan heading parse; what is absent is null, and issuer is IssuerName.
func (h Heading) MarshalJSON() ([]byte, error) {
	field := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	return json.Marshal(struct {
		Number  *string `json:"number"`
		Year    *string `json:"year"`
		Symbol  *string `json:"symbol"`
		Place   *string `json:"place"`
		Date    *string `json:"date"`
		Type    *string `json:"type"`
		Subject *string `json:"subject"`
		Issuer  *string `json:"issuer"`
	}{field(h.Number), field(h.Year), field(h.Symbol), field(h.Place), field(h.Date), field(h.Type), field(h.Subject), field(h.IssuerName)})
}

// ParseHeading reads the head of a document from its text: plain lines, Markdown with its tables, HTML, the output of OCR
// with the two columns run together. Old encodings are recoded first.
func ParseHeading(raw string) Heading {
	if len(raw) > maxHead {
		raw = strings.ToValidUTF8(raw[:maxHead], "")
	}
	text, enc := viettext.Recode(raw)
	t := newHeadText(strings.Map(noControl, text))
	var h Heading
	h.Secrecy, h.Urgency = t.marks()
	t.cutMotto()
	h.Place, h.Date = t.cutDate()
	ref := t.cutReference()
	h.Number, h.Year, h.Symbol = ref.number, ref.year, ref.symbol
	h.Reference = ref.String()

	lines := t.lines()
	if enc != viettext.Unicode {
		raiseOldFonts(lines)
	}
	title := findTitle(lines)
	about := findAbout(lines)
	switch {
	case title.at >= 0 && (about < 0 || title.at < about):
		h.Type = title.kind
		h.Subject = subjectAfter(lines, title)
	case about >= 0:
		h.Type = "Công văn"
		h.Subject = aboutSubject(lines, about)
	}
	if h.Type == "" {
		h.Type = typeOfReference(ref, lines)
	}
	if ref.kind != "" && (h.Type == "" || h.Type == "Công văn" && about < 0) {
		h.Type = ref.kind
	}
	if h.Subject == "" && title.at < 0 && about < 0 {
		h.Subject = looseSubject(lines)
	}
	if t.noisy || enc == viettext.Unicode && viettext.Plausible(text) < 0.9 {
		h.Subject = repairMarks(strings.TrimRight(h.Subject, " .,;'`"))
	}
	h.Superior, h.Issuer = issuerLines(lines, title)
	h.Superior, h.Issuer = repairIssuer(h.Superior), repairIssuer(h.Issuer)
	h.IssuerName = canonicalIssuer(h.Issuer, ref.symbol, h.Place)
	return h
}

// noControl leaves no control character but those of lines and columns: the parser marks places with others.
func noControl(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f {
		return ' '
	}
	return r
}

// raiseOldFonts gives the names of agencies and types their capitals back: fonts such as .VnTimeH show small letters as
// capitals, and the text alone does not tell.
func raiseOldFonts(lines []headLine) {
	for i, l := range lines {
		if findAbout(lines[i:i+1]) == 0 || strings.HasPrefix(l.low, "kinh gui") {
			return
		}
		if l.text == strings.ToLower(l.text) && (agencyHead.MatchString(l.low) || typeByKey[l.low] != "") {
			lines[i].text = strings.ToUpper(l.text)
		}
	}
}

// typeOfReference tells the type by the symbol alone. A symbol without one is a công văn's (NĐ 30/2020, Phụ lục III).
func typeOfReference(ref reference, lines []headLine) string {
	first, _, _ := strings.Cut(strings.TrimLeft(strings.ReplaceAll(ref.symbol, "/", "-"), "-"), "-")
	if kind := symbolTypes[first]; kind != "" {
		return kind
	}
	for _, l := range lines {
		if strings.HasPrefix(l.low, "kinh gui") {
			return "Công văn"
		}
	}
	if ref.symbol != "" && ref.kind == "" {
		return "Công văn"
	}
	return ""
}
