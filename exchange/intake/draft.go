package intake

import (
	"strings"

	"congvan/recipients"
)

// A Place is a rectangle on a page, in points from the top left corner of the page as it is shown.
type Place struct {
	Page int     `json:"page"` // from 1
	X0   float64 `json:"x0"`
	Y0   float64 `json:"y0"`
	X1   float64 `json:"x1"`
	Y1   float64 `json:"y1"`
}

// A FieldName names a field or block of a draft that has places on the page.
type FieldName string

// The fields that may have places.
const (
	FieldIssuer   FieldName = "issuer"
	FieldSuperior FieldName = "superior"
	FieldNumber   FieldName = "reference"
	FieldDate     FieldName = "date"
	FieldType     FieldName = "type"
	FieldSubject  FieldName = "subject"
	FieldSecrecy  FieldName = "secrecy"
	FieldUrgency  FieldName = "urgency"
	FieldSigner   FieldName = "signer"
	FieldSignFor  FieldName = "sign_for"
	FieldKinhGui  FieldName = "kinh_gui"
	FieldNoiNhan  FieldName = "noi_nhan"

	// Parts of the reference and of the line of the date.
	FieldDigits FieldName = "number"
	FieldYear   FieldName = "year"
	FieldSymbol FieldName = "symbol"
	FieldPlace  FieldName = "place" // địa danh
)

// A Draft is what intake makes of one document file. Its texts are Unicode NFC.
type Draft struct {
	Name     string         // the file's name as it was given
	Heading  Heading        // number, date, type, issuer and the rest of the page's head
	KinhGui  []string       // the addressees as printed, without bullets; nil when there is no Kính gửi
	NoiNhan  []string       // the entries as printed, one string each even where it wrapped; nil when there is no block
	Articles map[int]string // the text of each Điều of the document itself, for "Như Điều n"
	Body     string         // the text between heading and Nơi nhận, one printed line a line
	Signer   string         // the full name under the signature; "" when not found
	SignFor  []string       // the lines above the name: TM. ỦY BAN NHÂN DÂN, KT. CHỦ TỊCH, PHÓ CHỦ TỊCH
	Secrecy  string         // "Mật", "Tối mật", "Tuyệt mật" as marked in ô 10a; "" without a mark
	Urgency  string         // "Khẩn", "Thượng khẩn", "Hỏa tốc", "Hỏa tốc hẹn giờ"; "" without a mark
	Pages    int            // pages of the file
	Scan     bool           // the first page has no usable text layer
	Encoding string         // the old encoding that was decoded: "TCVN3", "VNI"; "" for Unicode
	Original string         // text of the lines that were decoded, as they stood in the file
	Places   map[FieldName][]Place

	// Fields holds every field that was found, with its place on the page and how sure it is.
	Fields       map[FieldName]Field
	KinhGuiLines []BlockLine // one for each of KinhGui, in the same order
	NoiNhanLines []BlockLine // one for each of NoiNhan

	Unread   []int      // pages, from 1, whose text is not known: no guard has seen them
	Warnings []string   // Vietnamese, for the clerk: what is doubtful
	Problems []*Problem // what kept parts of the document from being read

	lines   map[FieldName][]line // behind Places
	printed []string             // NoiNhan before what OCR made of small signs was tidied
}

// Problem gives the problem with this code, nil when there is none.
func (d *Draft) Problem(code ProblemCode) *Problem {
	for _, p := range d.Problems {
		if p.Code == code {
			return p
		}
	}
	return nil
}

// NeedsManual says whether somebody has to type the fields, because the file is a scan that nothing here can read.
func (d *Draft) NeedsManual() bool { return d.Problem(NeedsManual) != nil }

// Request gives the draft's blocks in the form that recipients resolves. The issuer is "" when it is not known.
func (d *Draft) Request(issuer recipients.UnitCode) recipients.Request {
	req := recipients.Request{Date: d.Heading.Date, Issuer: issuer, Articles: d.Articles, Body: d.Body}
	if d.KinhGui != nil {
		req.KinhGui = "Kính gửi:\n" + bulleted(d.KinhGui)
	}
	if d.NoiNhan != nil {
		req.NoiNhan = "Nơi nhận:\n" + strings.Join(d.NoiNhan, "\n")
	}
	return req
}

// bulleted sets "- " before each line when there are several, as they are printed.
func bulleted(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return "- " + strings.Join(lines, "\n- ")
}
