package exchange

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"congvan/exchange/paper"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationserifbold"
	"github.com/go-fonts/liberation/liberationserifregular"
)

// listName is the file name of the list of a package's files.
const listName = "Danh mục tệp kèm theo.pdf"

// A PackageList is what the sealed list of a package says: a page for people, and the same for programs inside.
type PackageList struct {
	Reference string      `json:"reference"`
	Issuer    string      `json:"issuer"` // name of the agency
	Date      string      `json:"date"`
	Files     []ListEntry `json:"files"`
}

// A ListEntry is one file of a PackageList.
type ListEntry struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Sealed bool   `json:"sealed"` // bears a seal of its own
}

const (
	listOpen  = "<congvan:package>"
	listClose = "</congvan:package>"
	maxList   = 1 << 20
)

// FindPackageList reads the list out of a PDF made by WritePackageList; nil when it is none. Whether it may be believed is
// for the signature over the whole file to say.
func FindPackageList(pdf []byte) *PackageList {
	_, rest, ok := bytes.Cut(pdf, []byte(listOpen))
	if !ok {
		return nil
	}
	text, _, ok := bytes.Cut(rest[:min(len(rest), maxList)], []byte(listClose))
	if !ok {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil
	}
	var l PackageList
	if json.Unmarshal(data, &l) != nil || len(l.Files) == 0 {
		return nil
	}
	return &l
}

// WritePackageList makes the PDF of a list: a table that people read, and in its metadata the same for programs.
func WritePackageList(l *PackageList, at time.Time) ([]byte, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes("serif", "", liberationserifregular.TTF)
	pdf.AddUTF8FontFromBytes("serif", "B", liberationserifbold.TTF)
	pdf.SetMargins(20, 25, 15)
	pdf.SetAutoPageBreak(true, 20)
	pdf.SetCreationDate(at)
	pdf.SetModificationDate(at)
	pdf.SetTitle("Danh mục tệp kèm theo văn bản "+paper.Printable(l.Reference), true)
	pdf.SetXmpMetadata([]byte(`<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:congvan="urn:congvan:1">` +
		listOpen + base64.StdEncoding.EncodeToString(data) + listClose + `</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`))
	pdf.AddPage()
	pdf.SetFont("serif", "B", 14)
	pdf.MultiCell(0, 7, "DANH MỤC TỆP KÈM THEO VĂN BẢN", "", "C", false)
	pdf.SetFont("serif", "", 12)
	pdf.MultiCell(0, 6, paper.Printable(fmt.Sprintf("Số %s, %s\n%s", l.Reference, vietnameseDate(l.Date), l.Issuer)), "", "C", false)
	pdf.Ln(4)
	listRow(pdf, "B", "STT", "Tên tệp", "Dung lượng", "Ký số", "Mã kiểm tra SHA-256")
	for i, f := range l.Files {
		sealed := "không"
		if f.Sealed {
			sealed = "có"
		}
		listRow(pdf, "", fmt.Sprint(i+1), f.File, fmt.Sprintf("%d byte", f.Size), sealed, f.SHA256)
	}
	pdf.Ln(4)
	pdf.SetFont("serif", "", 11)
	pdf.MultiCell(0, 5.5, "Tệp \"không\" ký số đi nguyên vẹn như cơ quan ban hành đã gửi; chữ ký số của danh mục này bảo đảm tệp qua mã kiểm tra. Kiểm tra: congvan verify.", "", "L", false)
	var b bytes.Buffer
	if err := pdf.Output(&b); err != nil {
		return nil, fmt.Errorf("write list of %q: %w", l.Reference, err)
	}
	return b.Bytes(), nil
}

var listWidths = []float64{11, 62, 27, 16, 59}

// listRow prints one row of the table, each cell over as many lines as it needs, and whole on its page.
func listRow(pdf *fpdf.Fpdf, style string, cells ...string) {
	pdf.SetFont("serif", style, 10)
	lines, most := make([][]string, len(cells)), 1
	for i, c := range cells {
		lines[i] = paper.Wrap(pdf, paper.Printable(c), listWidths[i]-2)
		most = max(most, len(lines[i]))
	}
	const height = 5.0
	if _, page := pdf.GetPageSize(); pdf.GetY()+float64(most)*height > page-20 {
		pdf.AddPage()
	}
	x, y := pdf.GetXY()
	for i := range cells {
		pdf.Rect(x, y, listWidths[i], float64(most)*height, "D")
		for n, line := range lines[i] {
			pdf.SetXY(x, y+float64(n)*height)
			pdf.CellFormat(listWidths[i], height, line, "", 0, "L", false, 0, "")
		}
		x += listWidths[i]
	}
	left, _, _, _ := pdf.GetMargins()
	pdf.SetXY(left, y+float64(most)*height)
}
