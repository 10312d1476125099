package signing

import (
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// A CopyKind is the form of an electronic copy (hình thức sao, NĐ 30/2020 Điều 25), as it is printed.
type CopyKind string

// The three forms of a copy.
const (
	FullCopy   CopyKind = "SAO Y"     // whole copy of an original
	CopyOfCopy CopyKind = "SAO LỤC"   // whole copy of a copy
	Extract    CopyKind = "TRÍCH SAO" // part of an original
)

// vietnam is the time zone of all marks. It is fixed, so no time zone data are needed.
var vietnam = time.FixedZone("+07", 7*60*60)

// MarkText is the line that NĐ 30/2020 Phụ lục I mục II.14 prescribes for an electronic copy of a paper document:
// "SAO Y; Ủy ban nhân dân tỉnh Kon Tum; 18/03/2009; 08:05:30 +07:00". The decree names ISO 8601 for the time, so the
// offset is shown.
func MarkText(kind CopyKind, agency string, at time.Time) string {
	agency = strings.Join(strings.Fields(norm.NFC.String(agency)), " ")
	return string(kind) + "; " + agency + "; " + at.In(vietnam).Format("02/01/2006; 15:04:05 -07:00")
}

// AnnexText is the line for an annex that travels as a file of its own (NĐ 30/2020 Phụ lục I mục II.8):
// "Số: 22/2009/QĐ-UBND; 18/03/2009; 08:05:30 +07:00". reference is the number and symbol of the document it belongs to.
func AnnexText(reference string, at time.Time) string {
	reference = strings.Join(strings.Fields(norm.NFC.String(reference)), " ")
	return "Số: " + reference + "; " + at.In(vietnam).Format("02/01/2006; 15:04:05 -07:00")
}
