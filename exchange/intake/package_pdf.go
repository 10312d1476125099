package intake

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/klippa-app/go-pdfium/requests"
)

// Limits of the search through a PDF's objects: bytes read as objects, in multiples of the file's size, and bytes that
// object streams unpack to.
const (
	maxLexed    = 6
	maxObject   = 4 << 20
	maxUnzipped = 64 << 20
	maxObjStm   = 16 << 20
)

// A pdfSearch is what a PDF's objects give away without opening the file as a viewer does. Objects are found wherever they
// stand, also those that no cross-reference names: a later revision, or another reader, may use them.
type pdfSearch struct {
	encrypt, script, launch, files, forms, media bool
	version                                      string // of the catalog, "" when it says none

	left     int64 // bytes that may still be read as objects
	unzipped int64
}

var objectStart = regexp.MustCompile(`\d\s+\d+\s+obj\b|\btrailer\b`)

// searchPDF reads every object of the file once.
func searchPDF(data []byte) pdfSearch {
	s := pdfSearch{left: maxLexed*int64(len(data)) + 1<<20, unzipped: maxUnzipped}
	for at := 0; at < len(data) && s.left > 0; {
		m := objectStart.FindIndex(data[at:])
		if m == nil {
			break
		}
		start := at + m[1]
		at = start
		o := lexObject(data[start:min(len(data), start+maxObject)])
		s.left -= int64(o.read)
		s.judge(o)
		if o.stream > 0 && o.is("Type", "ObjStm") && o.value("Filter") != "" {
			s.objectStream(data[start+o.stream:])
		}
	}
	return s
}

// A pdfObject is the tokens of one object up to its stream or its end.
type pdfObject struct {
	tokens []pdfToken
	stream int // offset of the stream's bytes, 0 without one
	read   int
	open   bool // it ends inside a string
}

// A pdfToken is a name without its slash, or the kind of another token: "(" a string, "<<", "[", "0" a number, "w" a word.
type pdfToken struct {
	kind byte // '/' name, '(' string, '<' begin of a dictionary, '0' number, 'w' word, other signs themselves
	text string
}

const maxTokens = 200_000

// lexObject splits bytes into tokens (ISO 32000-1 §7.2) until endobj, a stream, or the end.
func lexObject(b []byte) pdfObject {
	var o pdfObject
	i := 0
	for i < len(b) && len(o.tokens) < maxTokens {
		c := b[i]
		switch {
		case isPDFSpace(c):
			i++
		case c == '%':
			for i < len(b) && b[i] != '\n' && b[i] != '\r' {
				i++
			}
		case c == '(':
			n, closed := skipString(b[i:])
			o.open = o.open || !closed
			i += n
			o.tokens = append(o.tokens, pdfToken{kind: '('})
		case c == '<' && i+1 < len(b) && b[i+1] == '<':
			i += 2
			o.tokens = append(o.tokens, pdfToken{kind: '<'})
		case c == '<':
			n := bytes.IndexByte(b[i:], '>')
			if n < 0 {
				o.open, n = true, len(b)-i-1
			}
			i += n + 1
			o.tokens = append(o.tokens, pdfToken{kind: '('})
		case c == '/':
			n := wordEnd(b[i+1:])
			o.tokens = append(o.tokens, pdfToken{'/', pdfName(b[i+1 : i+1+n])})
			i += n + 1
		case bytes.IndexByte([]byte(">[]{})"), c) >= 0:
			i++
			o.tokens = append(o.tokens, pdfToken{kind: c})
		default:
			n := max(1, wordEnd(b[i:]))
			word := string(b[i : i+min(n, 20)])
			i += n
			switch {
			case word == "stream":
				o.stream, o.read = i, i
				return o
			case word == "endobj" || word == "obj" || word == "startxref":
				o.read = i
				return o
			case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
				o.tokens = append(o.tokens, pdfToken{'0', word})
			default:
				o.tokens = append(o.tokens, pdfToken{'w', word})
			}
		}
	}
	o.read = i
	return o
}

func isPDFSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func wordEnd(b []byte) int {
	for i, c := range b {
		if isPDFSpace(c) || bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 {
			return i
		}
	}
	return len(b)
}

// skipString gives the length of a literal string with its nested parentheses.
func skipString(b []byte) (n int, closed bool) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}

// pdfName decodes the #xx of a name, with which words are hidden from a plain search.
func pdfName(b []byte) string {
	if len(b) > 127 {
		b = b[:127]
	}
	if bytes.IndexByte(b, '#') < 0 {
		return string(b)
	}
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '#' && i+2 < len(b) {
			if c, err := hex.DecodeString(string(b[i+1 : i+3])); err == nil {
				out = append(out, c[0])
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}

// value gives the name that follows the name key, also as the first of an array; "" when another token follows.
func (o *pdfObject) value(key string) string {
	for i, t := range o.tokens[:max(0, len(o.tokens)-1)] {
		if t.kind != '/' || t.text != key {
			continue
		}
		next := o.tokens[i+1]
		if next.kind == '[' && i+2 < len(o.tokens) {
			next = o.tokens[i+2]
		}
		if next.kind == '/' {
			return next.text
		}
	}
	return ""
}

func (o *pdfObject) is(key, value string) bool {
	for i, t := range o.tokens[:max(0, len(o.tokens)-1)] {
		if t.kind == '/' && t.text == key && o.tokens[i+1].kind == '/' && o.tokens[i+1].text == value {
			return true
		}
	}
	return false
}

// judge looks at each name of an object with what follows it.
func (s *pdfSearch) judge(o pdfObject) {
	catalog := o.is("Type", "Catalog")
	for i, t := range o.tokens[:max(0, len(o.tokens)-1)] {
		if t.kind != '/' {
			continue
		}
		next := o.tokens[i+1]
		holds := next.kind == '<' || next.kind == '0' || next.kind == '(' || next.kind == '['
		switch t.text {
		case "JS":
			s.script = s.script || holds && next.kind != '['
		case "S":
			s.script = s.script || next.kind == '/' && next.text == "JavaScript"
			s.launch = s.launch || next.kind == '/' && next.text == "Launch"
		case "EF":
			s.files = s.files || next.kind == '<' || next.kind == '0'
		case "Type":
			s.files = s.files || next.kind == '/' && next.text == "EmbeddedFile"
		case "XFA":
			s.forms = s.forms || holds
		case "Subtype":
			s.media = s.media || next.kind == '/' && (next.text == "RichMedia" || next.text == "3D" || next.text == "Movie" || next.text == "Sound")
		case "Encrypt":
			s.encrypt = s.encrypt || next.kind == '<' || next.kind == '0'
		case "Version":
			if catalog && next.kind == '/' && next.text > s.version && len(next.text) == 3 {
				s.version = next.text
			}
		}
	}
}

// objectStream unpacks a stream of objects (ISO 32000-1 §7.5.7) and looks at those.
func (s *pdfSearch) objectStream(b []byte) {
	b = bytes.TrimPrefix(bytes.TrimPrefix(b, []byte("\r")), []byte("\n"))
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return
	}
	defer z.Close()
	plain, _ := io.ReadAll(io.LimitReader(z, min(maxObjStm, s.unzipped))) // what comes before damage counts
	s.unzipped -= int64(len(plain))
	for at := 0; at < len(plain); {
		o := lexObject(plain[at:])
		at += max(1, o.read)
		s.judge(o)
		if o.open { // a string without an end hides what follows it, so look for the words alone
			s.script = s.script || bytes.Contains(plain, []byte("/JS")) || bytes.Contains(plain, []byte("/JavaScript"))
			s.launch = s.launch || bytes.Contains(plain, []byte("/Launch"))
		}
	}
}

// pdf tells what is in a PDF besides pages.
func (in *inspection) pdf(where string, data []byte) {
	s := searchPDF(data)
	if p := checkBytes(data); p != nil {
		in.find(where, FoundDamage, true, p.Error())
	}
	if s.encrypt {
		in.find(where, FoundEncryption, true, "Tệp PDF có đặt mật khẩu hoặc hạn chế quyền, không ký số được. Hãy gỡ bảo mật rồi chọn lại tệp.")
	}
	if s.script || s.launch {
		what := "mã JavaScript"
		if s.launch {
			what = "lệnh mở chương trình khác"
		}
		in.find(where, FoundScript, true, fmt.Sprintf("Tệp PDF có %s bên trong. Hãy in lại ra PDF mới rồi chọn lại.", what))
	}
	if s.forms {
		in.find(where, FoundScript, true, "Tệp PDF là biểu mẫu động (XFA), nhiều máy không xem được. Hãy in lại ra PDF mới rồi chọn lại.")
	}
	if s.files {
		in.find(where, FoundAttachment, true, "Tệp PDF có tệp khác đính kèm bên trong. Hãy tách ra thành phụ lục riêng để nơi nhận thấy được.")
	}
	if s.media {
		in.find(where, FoundEmbedded, false, "Tệp PDF có âm thanh, phim hoặc hình 3D bên trong; nhiều máy không mở được.")
	}
	if s.left <= 0 {
		in.find(where, FoundDamage, true, "Tệp PDF có cấu trúc bất thường, không kiểm tra hết được. Hãy in lại ra PDF mới rồi chọn lại.")
	}
}

// pdfFacts is what PDFium knows of an open file.
type pdfFacts struct {
	pages    int
	files    []string // names of attachments
	scripts  int
	security bool // encrypted, though no password is needed to read
	version  string
}

func (f *pdfFile) facts() pdfFacts {
	out := pdfFacts{pages: f.pages, version: f.version()}
	if n, err := f.pdf.FPDFDoc_GetAttachmentCount(&requests.FPDFDoc_GetAttachmentCount{Document: f.doc}); err == nil {
		for i := range min(n.AttachmentCount, 50) {
			name := "?"
			if a, err := f.pdf.FPDFDoc_GetAttachment(&requests.FPDFDoc_GetAttachment{Document: f.doc, Index: i}); err == nil {
				if res, err := f.pdf.FPDFAttachment_GetName(&requests.FPDFAttachment_GetName{Attachment: a.Attachment}); err == nil {
					name = cleanName(res.Name)
				}
			}
			out.files = append(out.files, name)
		}
	}
	if n, err := f.pdf.FPDFDoc_GetJavaScriptActionCount(&requests.FPDFDoc_GetJavaScriptActionCount{Document: f.doc}); err == nil {
		out.scripts = n.JavaScriptActionCount
	}
	if rev, err := f.pdf.FPDF_GetSecurityHandlerRevision(&requests.FPDF_GetSecurityHandlerRevision{Document: f.doc}); err == nil {
		out.security = rev.SecurityHandlerRevision > 0
	}
	return out
}

// addFacts corrects the findings by what PDFium saw.
func (it *Item) addFacts(facts pdfFacts) {
	it.Pages = facts.pages
	if facts.scripts > 0 && !it.Has(FoundScript) {
		it.find(FoundScript, true, "Tệp PDF có mã JavaScript bên trong. Hãy in lại ra PDF mới rồi chọn lại.")
	}
	if len(facts.files) > 0 && !it.Has(FoundAttachment) {
		it.find(FoundAttachment, true, "")
	}
	if facts.security && !it.Has(FoundEncryption) {
		it.find(FoundEncryption, true, "")
	}
	for i := range it.Findings {
		switch f := &it.Findings[i]; {
		case f.Code == FoundAttachment && len(facts.files) > 0:
			f.Message = fmt.Sprintf("Tệp PDF có %d tệp khác đính kèm bên trong: %s. Hãy tách ra thành phụ lục riêng để nơi nhận thấy được.",
				len(facts.files), strings.Join(facts.files, "; "))
		case f.Code == FoundEncryption:
			f.Message = "Tệp PDF đọc được nhưng có hạn chế quyền, không ký số được. Hãy in lại ra PDF mới rồi chọn lại."
		}
	}
}
