package exchange

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"congvan/exchange/intake"
	"congvan/mailcore/viettext"
)

// maxOfficeText bounds what the guard unpacks of an office file.
const maxOfficeText = 32 << 20

// secrecyWords are the stamps of secret documents, folded, as they stand alone in a paragraph or a cell.
var secrecyWords = []string{"mat", "toi mat", "tuyet mat", "bi mat nha nuoc", "tai lieu thu hoi", "chi nguoi co ten moi duoc boc bi"}

// GuardOffice looks through the text of an office file (DOCX, XLSX, PPTX, ODT, ODS, ODP) for paragraphs and cells that are
// nothing but a mark of secrecy. Such a file has no places that tell a stamp from a word in a table, so what it finds is for a
// person to judge. known is false for a format that it cannot read, or a file that it could not read whole.
func GuardOffice(format intake.Format, data []byte) (found string, known bool) {
	wanted := officeTexts[format]
	if wanted == nil {
		return "", false
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", false
	}
	left := int64(maxOfficeText)
	seen := false
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if !slices.ContainsFunc(wanted, func(pattern string) bool { ok, _ := filepath.Match(pattern, name); return ok }) {
			continue
		}
		seen = true
		r, err := f.Open()
		if err != nil {
			return "", false
		}
		in := &io.LimitedReader{R: r, N: left + 1}
		found, err := markedParagraph(in)
		r.Close()
		if found != "" {
			return found, true
		}
		if left = in.N - 1; err != nil || left < 0 {
			return "", false
		}
	}
	return "", seen
}

var officeTexts = map[intake.Format][]string{
	intake.FormatDOCX: {"word/document*.xml", "word/header*.xml", "word/footer*.xml", "word/footnotes.xml"},
	intake.FormatXLSX: {"xl/sharedstrings.xml", "xl/worksheets/*.xml", "xl/drawings/drawing*.xml"},
	intake.FormatPPTX: {"ppt/slides/*.xml"},
	intake.FormatODT:  {"content.xml", "styles.xml"}, intake.FormatODS: {"content.xml"}, intake.FormatODP: {"content.xml"},
}

// markedParagraph returns the first paragraph or cell that is a mark and nothing else.
func markedParagraph(r io.Reader) (string, error) {
	d := xml.NewDecoder(r)
	var text strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		switch v := token.(type) {
		case xml.CharData:
			if text.Len() < 200 { // longer is no mark
				text.Write(v)
			}
		case xml.StartElement:
			if block(v.Name.Local) {
				text.Reset()
			}
		case xml.EndElement:
			if !block(v.Name.Local) {
				continue
			}
			if isMark(text.String()) {
				return strings.TrimSpace(text.String()), nil
			}
			text.Reset()
		}
	}
}

// block says whether an element holds one paragraph or one cell's text.
func block(name string) bool { return name == "p" || name == "si" || name == "is" || name == "h" }

func isMark(text string) bool {
	text, _ = viettext.Recode(strings.Join(strings.Fields(text), " "))
	if strings.ContainsAny(text, "ẶẮẲẴẰặắẳẵằ") { // mặt, mắt fold the same
		return false
	}
	folded := strings.Trim(viettext.Fold(text), " .:;-–*[]()|\"'")
	if label, rest, ok := strings.Cut(folded, ":"); ok && (label == "do mat" || label == "muc do mat") {
		folded = strings.TrimSpace(rest)
	}
	return slices.Contains(secrecyWords, folded)
}
