package intake

import (
	"fmt"
	"strings"

	"congvan/mailcore/viettext"
)

// Said is what a clerk typed or a register holds about a document, to be compared with what its page says (tương ứng nội
// dung, QĐ 22/2009 Điều 10). What is empty was not said and is not compared, except the marks: no mark said means that the
// page must bear none.
type Said struct {
	Reference string   // số, ký hiệu: "22/2009/QĐ-UBND"
	Date      string   // ISO, or as people write it: "18/3/2009"
	Type      string   // loại văn bản, or its abbreviation
	Abstract  string   // trích yếu
	Issuer    string   // as printed or as usually written
	Signer    string   // full name
	Secrecy   string   // "", "Không", "Thường" for none
	Urgency   string   // the same
	KinhGui   []string // lines, in any order
	NoiNhan   []string
	Pages     int
	Annexes   []string // names or titles of the annexes that are said to belong to the document

	// What is there, for comparing annexes; both nil when nobody looked.
	Found []Annex  // in the same file, by Reader.Annexes
	Files []string // names of the further files of the package
}

// A Gravity says how much a difference matters.
type Gravity string

// The gravities.
const (
	GraveSpelling Gravity = "spelling" // the same text in another spelling: qui định and quy định, UBND and Ủy ban nhân dân
	GraveDoubt    Gravity = "doubt"    // the page could not be read well enough to tell: to be looked at
	GraveReal     Gravity = "real"     // they say different things
)

// The fields of a difference that have no place of their own in a draft.
const (
	FieldPages FieldName = "pages"
	FieldAnnex FieldName = "annexes"
)

// A Difference is one thing that was said otherwise than the page says it.
type Difference struct {
	Field   FieldName `json:"field"`
	Said    string    `json:"said"`
	Found   string    `json:"found"` // "" when the page has none, or none that could be read
	Gravity Gravity   `json:"gravity"`
	Message string    `json:"message"`          // Vietnamese, one sentence for the clerk
	Places  []Place   `json:"places,omitempty"` // where on the page to look; nil when the page has no such field
}

// Compare tells each difference between what was said and what the draft found on the page. Differences of case, spaces,
// dashes, punctuation at the ends, composed or decomposed letters, and of the place of a tone mark (Uỷ, Ủy) are none.
func Compare(draft *Draft, said Said) []Difference {
	t := &twin{draft: draft, scan: draft.Scan}
	t.reference(said.Reference)
	t.date(said.Date)
	t.kind(said.Type)
	t.text(FieldSubject, "Trích yếu", said.Abstract, draft.Heading.Subject)
	t.issuer(said.Issuer)
	t.signer(said.Signer)
	t.mark(FieldSecrecy, "Độ mật", said.Secrecy, first(draft.Secrecy, draft.Heading.Secrecy))
	t.mark(FieldUrgency, "Độ khẩn", said.Urgency, first(draft.Urgency, draft.Heading.Urgency))
	t.lines(FieldKinhGui, "Kính gửi", said.KinhGui, draft.KinhGui)
	t.lines(FieldNoiNhan, "Nơi nhận", said.NoiNhan, draft.NoiNhan)
	if said.Pages > 0 && draft.Pages > 0 && said.Pages != draft.Pages {
		t.add(FieldPages, fmt.Sprint(said.Pages), fmt.Sprint(draft.Pages), GraveReal,
			fmt.Sprintf("Số trang ghi %d, tệp có %d trang.", said.Pages, draft.Pages))
	}
	t.annexes(said)
	return t.out
}

// Alarms are the differences that are more than spelling.
func Alarms(list []Difference) []Difference {
	var out []Difference
	for _, d := range list {
		if d.Gravity != GraveSpelling {
			out = append(out, d)
		}
	}
	return out
}

// A twin is a comparison on its way.
type twin struct {
	draft *Draft
	scan  bool // the page was read by OCR, which mistakes letters
	out   []Difference
}

func (t *twin) add(field FieldName, said, found string, g Gravity, message string) {
	t.out = append(t.out, Difference{Field: field, Said: said, Found: found, Gravity: g, Message: message, Places: t.draft.Places[field]})
}

// differ words a difference of two texts.
func (t *twin) differ(field FieldName, label, said, found string, g Gravity) {
	message := fmt.Sprintf("%s ghi «%s», trên trang là «%s».", label, said, found)
	switch g {
	case GraveSpelling:
		message = fmt.Sprintf("%s ghi «%s», trên trang viết «%s» (chỉ khác cách viết).", label, said, found)
	case GraveDoubt:
		message = fmt.Sprintf("%s ghi «%s», máy đọc trên trang là «%s»; hãy nhìn lại trang.", label, said, found)
	}
	t.add(field, said, found, g, message)
}

// unread words a field that was said and not found.
func (t *twin) unread(field FieldName, label, said string) {
	t.add(field, said, "", GraveDoubt, fmt.Sprintf("%s ghi «%s», trên trang không đọc được; hãy nhìn lại trang.", label, said))
}

// text compares running text.
func (t *twin) text(field FieldName, label, said, found string) {
	said, found = oneLine(said), oneLine(found)
	switch {
	case said == "":
	case found == "":
		t.unread(field, label, said)
	default:
		if g, same := t.gravity(stripAbout(said), stripAbout(found)); !same {
			t.differ(field, label, said, found, g)
		}
	}
}

// gravity compares two texts that are not empty. same says that nothing is to be told.
func (t *twin) gravity(said, found string) (g Gravity, same bool) {
	switch {
	case sameText(said, found):
		return "", true
	case spelledAlike(said, found), writtenShort(said) == writtenShort(found), unmarked(said) && viettext.Fold(said) == viettext.Fold(found):
		return GraveSpelling, false
	case t.scan && nearly(said, found):
		return GraveDoubt, false
	}
	return GraveReal, false
}

// reference compares số, ký hiệu. A zero before the number is a habit; QD for QĐ, or HD for HĐ, is another symbol.
func (t *twin) reference(said string) {
	said, found := oneLine(said), t.draft.Heading.Reference
	s, f := bareReference(said), bareReference(found)
	switch {
	case said == "":
	case found == "":
		t.unread(FieldNumber, "Số, ký hiệu", said)
	case s == f:
	case t.draft.Heading.Number == "" && strings.HasSuffix(s, strings.TrimLeft(f, "/-")):
		t.add(FieldNumber, said, found, GraveDoubt, fmt.Sprintf("Số, ký hiệu ghi «%s», trên trang chưa có số hoặc không đọc được số; hãy nhìn lại trang.", said))
	case strings.TrimLeft(s, "0") == strings.TrimLeft(f, "0"):
		t.differ(FieldNumber, "Số, ký hiệu", said, found, GraveSpelling)
	case t.scan && digitsOf(s) == digitsOf(f) && viettext.Fold(s) == viettext.Fold(f):
		t.differ(FieldNumber, "Số, ký hiệu", said, found, GraveDoubt)
	default:
		t.differ(FieldNumber, "Số, ký hiệu", said, found, GraveReal)
	}
}

// bareReference is a reference without its label, spaces, and habits of writing.
func bareReference(s string) string {
	key := viettext.Key(s)
	key = strings.TrimPrefix(strings.TrimPrefix(key, "số"), ":")
	return strings.Trim(strings.ReplaceAll(key, " ", ""), ".,;:")
}

// date compares the dates; of one that is partly blank on the page, what is there.
func (t *twin) date(said string) {
	said = oneLine(said)
	iso, found := civilDate(said), t.draft.Heading.Date
	switch {
	case said == "":
	case found == "":
		t.unread(FieldDate, "Ngày văn bản", said)
	case iso == "":
		t.add(FieldDate, said, found, GraveDoubt, fmt.Sprintf("Ngày văn bản ghi «%s» không phải là ngày; trên trang là %s.", said, shownDate(found)))
	case iso == found:
	case strings.HasPrefix(iso, found+"-"):
		t.add(FieldDate, said, found, GraveDoubt, fmt.Sprintf("Ngày văn bản ghi %s, trên trang chỉ đọc được %s; hãy nhìn lại trang.", shownDate(iso), shownDate(found)))
	default:
		t.add(FieldDate, said, found, GraveReal, fmt.Sprintf("Ngày văn bản ghi %s, trên trang là %s.", shownDate(iso), shownDate(found)))
	}
}

// kind compares the type; its abbreviation is the same type.
func (t *twin) kind(said string) {
	said = oneLine(said)
	if full := symbolTypes[said]; full != "" {
		said = full
	}
	t.text(FieldType, "Loại văn bản", said, t.draft.Heading.Type)
	if n := len(t.out) - 1; n >= 0 && t.out[n].Field == FieldType && t.out[n].Places == nil {
		t.out[n].Places = t.draft.Places[FieldNumber] // a công văn has no title; its symbol says so
	}
}

// signer compares names; a title or rank before the name does not count.
func (t *twin) signer(said string) {
	if said = oneLine(said); said != "" {
		t.text(FieldSigner, "Người ký", cutTitle(said), cutTitle(first(t.draft.Signer, t.draft.Heading.Signer)))
	}
}

// issuer compares the issuing agency with its printed name and with its usual one. On paper the province is often left to
// the line above.
func (t *twin) issuer(said string) {
	said = oneLine(said)
	h := t.draft.Heading
	printed := first(h.Issuer, h.IssuerName)
	switch {
	case said == "":
		return
	case printed == "":
		t.unread(FieldIssuer, "Cơ quan ban hành", said)
		return
	}
	short := writtenShort(said)
	for _, name := range []string{h.Issuer, h.IssuerName, h.Issuer + " " + h.Superior, h.Superior + " " + h.Issuer} {
		if n := writtenShort(name); n != "" && (n == short || withoutPlace(n, h) == withoutPlace(short, h)) {
			return
		}
	}
	if g, same := t.gravity(said, printed); !same {
		t.differ(FieldIssuer, "Cơ quan ban hành", said, printed, g)
	}
}

// withoutPlace drops the place from the end of an agency's name when the page's head names that place.
func withoutPlace(name string, h Heading) string {
	for _, p := range []string{h.Place, placeOf(h.Superior)} {
		if p == "" {
			continue
		}
		for _, level := range []string{"tỉnh ", "thành phố ", "huyện ", "thị xã ", "xã ", "phường ", ""} {
			if cut, ok := strings.CutSuffix(name, " "+writtenShort(level+p)); ok && len(strings.Fields(cut)) > 1 {
				return cut
			}
		}
	}
	return name
}

// placeOf is the place in the name of the agency above: "Kon Tum" of "UBND TỈNH KON TUM".
func placeOf(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		switch viettext.Key(w) {
		case viettext.Key("tỉnh"), viettext.Key("huyện"), viettext.Key("phố"), viettext.Key("xã"), viettext.Key("phường"):
			return strings.Join(words[i+1:], " ")
		}
	}
	return ""
}

// mark compares độ mật or độ khẩn, where saying nothing says that there is none.
func (t *twin) mark(field FieldName, label, said, found string) {
	said = oneLine(said)
	if k := viettext.Fold(said); k == "khong" || k == "thuong" || k == "binh thuong" {
		said = ""
	}
	switch {
	case sameText(said, found), spelledAlike(said, found):
	case said == "":
		t.add(field, "", found, GraveReal, fmt.Sprintf("Trên trang có dấu %s «%s» nhưng chưa ghi.", strings.ToLower(label), found))
	case found == "":
		g, tail := GraveReal, "trên trang không có dấu này."
		if t.scan || len(t.draft.Unread) > 0 {
			g, tail = GraveDoubt, "trên trang không đọc thấy dấu này; hãy nhìn lại trang."
		}
		t.add(field, said, "", g, fmt.Sprintf("%s ghi «%s», %s", label, said, tail))
	default:
		t.differ(field, label, said, found, GraveReal)
	}
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
