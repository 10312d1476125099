package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"congvan/mailcore/viettext"
)

// A Format is what the bytes of a file are, whatever its name says.
type Format string

// The formats that are told apart. Those of macros are formats of their own: their programs run what is inside.
const (
	FormatPDF     Format = "pdf"
	FormatDOCX    Format = "docx"
	FormatDOCM    Format = "docm" // Word with macros, templates of that kind included
	FormatDOC     Format = "doc"
	FormatXLSX    Format = "xlsx"
	FormatXLSM    Format = "xlsm" // Excel with macros
	FormatXLSB    Format = "xlsb"
	FormatXLS     Format = "xls"
	FormatPPTX    Format = "pptx"
	FormatPPTM    Format = "pptm"
	FormatPPT     Format = "ppt"
	FormatODT     Format = "odt"
	FormatODS     Format = "ods"
	FormatODP     Format = "odp"
	FormatOLE     Format = "ole"   // a compound file that is none of the above: an old .msi, .msg, …
	FormatOOXML   Format = "ooxml" // an Office file of another kind, or one whose kind a password hides
	FormatZIP     Format = "zip"
	FormatRAR     Format = "rar"
	Format7Z      Format = "7z"
	FormatGZIP    Format = "gzip"
	FormatJPEG    Format = "jpeg"
	FormatPNG     Format = "png"
	FormatGIF     Format = "gif"
	FormatTIFF    Format = "tiff"
	FormatBMP     Format = "bmp"
	FormatWebP    Format = "webp"
	FormatHEIC    Format = "heic"
	FormatText    Format = "text"
	FormatRTF     Format = "rtf"
	FormatHTML    Format = "html"
	FormatXML     Format = "xml"
	FormatProgram Format = "program" // something that a computer would run
	FormatUnknown Format = "unknown"
)

// A FindingCode names one thing about a file of a package that a clerk has to know.
type FindingCode string

// The codes of findings.
const (
	FoundMacros     FindingCode = "macros"     // VBA or Excel 4 macros
	FoundEncryption FindingCode = "encryption" // a password is needed, or was set against changes
	FoundScript     FindingCode = "script"     // JavaScript or a command to start programs, inside a PDF or web page
	FoundAttachment FindingCode = "attachment" // files inside a PDF
	FoundEmbedded   FindingCode = "embedded"   // objects of other programs inside an Office file
	FoundRemote     FindingCode = "remote"     // an Office file that loads its template from elsewhere
	FoundProgram    FindingCode = "program"    // something that a computer would run
	FoundBomb       FindingCode = "bomb"       // unpacks to more than any document needs, or nests too deep
	FoundDamage     FindingCode = "damage"     // parts that cannot be read
	FoundMisnamed   FindingCode = "misnamed"   // the name says another format than the bytes
	FoundBadName    FindingCode = "bad_name"   // a name that deceives, or that leads out of the folder when unpacked
	FoundUnknown    FindingCode = "unknown"    // a format that recipients may not be able to open
	FoundClosed     FindingCode = "closed"     // a package that is not looked into here (RAR, 7z)
)

// A Finding is one thing about a file that a clerk has to know, worded for the clerk.
type Finding struct {
	Code    FindingCode `json:"code"`
	Path    string      `json:"path,omitempty"` // the entry inside a package; "" for the file itself
	Danger  bool        `json:"danger"`         // could harm who opens it, or cannot be opened: not to be sent as it is
	Message string      `json:"message"`        // Vietnamese: what is there, and what to do
}

// An Entry is one file inside a package.
type Entry struct {
	Path   string `json:"path"` // folders parted by /; of a package inside the package, its own path and ! before
	Format Format `json:"format"`
	Size   int64  `json:"size"`             // unpacked; as the package says when it was not unpacked
	SHA256 string `json:"sha256,omitempty"` // hex; "" when it was not unpacked
}

// An Item is one file of a document's package: the main PDF or an annex (phụ lục).
type Item struct {
	Name     string    `json:"name"` // as it was given, without folders, NFC
	Format   Format    `json:"format"`
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`            // hex
	Pages    int       `json:"pages,omitempty"`   // of a PDF; only Reader.Inspect counts them
	Entries  []Entry   `json:"entries,omitempty"` // of a zip
	Findings []Finding `json:"findings,omitempty"`
}

// Has says whether there is a finding of this code, in the file or anywhere inside it.
func (it *Item) Has(code FindingCode) bool {
	for _, f := range it.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// Dangerous says whether there is a finding that should keep the file from being sent as it is.
func (it *Item) Dangerous() bool {
	for _, f := range it.Findings {
		if f.Danger {
			return true
		}
	}
	return false
}

// Inspect tells what a file of a package is, by its bytes, and what a clerk has to know about it before it is sent. It
// looks into zip packages down to zips inside zips, bounded in entries, bytes and time, and takes nothing out. What is
// wrong with a file is a finding; the only error is a *Problem for a file without content.
func Inspect(name string, data []byte) (*Item, error) {
	if len(data) == 0 {
		return nil, &Problem{Code: EmptyFile, Message: problemTexts[EmptyFile][0], Hint: "Hãy chọn lại tệp."}
	}
	in := newInspection()
	sum := sha256.Sum256(data)
	it := &Item{Name: cleanName(name), Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	in.checkName("", name)
	it.Format = in.file(it.Name, data, 0)
	it.Entries, it.Findings = in.entries, in.findings
	return it, nil
}

// Inspect does what the function of this name does, and opens a PDF besides: it counts pages, names the attachments, and
// knows whether a password is needed to read. A PDF that does not open is a finding.
func (r *Reader) Inspect(ctx context.Context, name string, data []byte) (*Item, error) {
	if int64(len(data)) > r.opt.MaxBytes {
		return nil, tooLarge(r.opt.MaxBytes)
	}
	it, err := Inspect(name, data)
	if err != nil || it.Format != FormatPDF {
		return it, err
	}
	var facts pdfFacts
	err = r.withPDF(ctx, data, func(_ context.Context, f *document) (err error) {
		facts, err = f.facts()
		return err
	})
	var p *Problem
	switch {
	case err == nil:
		it.addFacts(facts)
	case errors.As(err, &p) && p.Code == Encrypted:
		if !it.Has(FoundEncryption) {
			it.find(FoundEncryption, true, p.Error())
		}
	case errors.As(err, &p):
		it.find(FoundDamage, true, p.Error())
	default:
		return nil, fmt.Errorf("inspect %q: %w", name, err)
	}
	return it, nil
}

// withPDF opens a file for work, with the reader's time limit.
func (r *Reader) withPDF(ctx context.Context, data []byte, work func(context.Context, *document) error) error {
	if p := checkBytes(data); p != nil {
		return p
	}
	if err := r.begin(); err != nil {
		return err
	}
	defer r.busy.Done()
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	err := r.files.with(ctx, data, func(f *document) error { return work(ctx, f) })
	if err != nil {
		return slow(ctx, memory(err))
	}
	return nil
}

func (it *Item) find(code FindingCode, danger bool, message string) {
	it.Findings = append(it.Findings, Finding{Code: code, Danger: danger, Message: message})
}

// cleanName makes a file name fit to be shown: its last part, decoded from old encodings, without invisible characters.
func cleanName(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if i := strings.LastIndexByte(strings.TrimRight(name, "/"), '/'); i >= 0 {
		name = name[i+1:]
	}
	return cleanPath(name)
}

// maxName is the longest name that is kept, in bytes. Longer ones are no names.
const maxName = 512

func cleanPath(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || deceiving(r) {
			return -1
		}
		return r
	}, name)
	text, _ := viettext.Recode(name)
	return strings.TrimSpace(text)
}

// deceiving says whether r turns the reading direction of a name or hides in it: "phụ lục fdp.exe" written backwards.
func deceiving(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r >= '\u200b' && r <= '\u200f' || r == '\ufeff'
}
