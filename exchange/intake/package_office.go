package intake

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
)

// contentTypes tell Office formats by the type of their main part (ECMA-376 Part 1, [Content_Types].xml). Those with
// macros come first.
var contentTypes = []struct {
	text   string
	format Format
}{
	{"ms-word.document.macroenabled.main", FormatDOCM}, {"ms-word.template.macroenabledtemplate.main", FormatDOCM},
	{"ms-excel.sheet.macroenabled.main", FormatXLSM}, {"ms-excel.template.macroenabled.main", FormatXLSM}, {"ms-excel.addin.macroenabled.main", FormatXLSM},
	{"ms-excel.sheet.binary.macroenabled.main", FormatXLSB},
	{"ms-powerpoint.presentation.macroenabled.main", FormatPPTM}, {"ms-powerpoint.slideshow.macroenabled.main", FormatPPTM},
	{"ms-powerpoint.template.macroenabled.main", FormatPPTM}, {"ms-powerpoint.addin.macroenabled.main", FormatPPTM},
	{"wordprocessingml.document.main+xml", FormatDOCX}, {"wordprocessingml.template.main+xml", FormatDOCX},
	{"spreadsheetml.sheet.main+xml", FormatXLSX}, {"spreadsheetml.template.main+xml", FormatXLSX},
	{"presentationml.presentation.main+xml", FormatPPTX}, {"presentationml.slideshow.main+xml", FormatPPTX},
	{"presentationml.template.main+xml", FormatPPTX},
}

// openTypes tell OpenDocument formats by the entry "mimetype" (ODF 1.2 Part 3 §3.3).
var openTypes = map[string]Format{"application/vnd.oasis.opendocument.text": FormatODT, "application/vnd.oasis.opendocument.text-template": FormatODT,
	"application/vnd.oasis.opendocument.spreadsheet": FormatODS, "application/vnd.oasis.opendocument.spreadsheet-template": FormatODS,
	"application/vnd.oasis.opendocument.presentation": FormatODP, "application/vnd.oasis.opendocument.presentation-template": FormatODP}

// officeKind tells which document format a zip is; FormatZIP when it is none.
func officeKind(z *zip.Reader) Format {
	if f := entryNamed(z, "mimetype"); f != nil {
		if kind := openTypes[strings.TrimSpace(string(firstBytes(f, 200)))]; kind != "" {
			return kind
		}
	}
	f := entryNamed(z, "[content_types].xml")
	if f == nil {
		return FormatZIP
	}
	types := flatText(firstBytes(f, 1<<20))
	for _, t := range contentTypes {
		if bytes.Contains(types, []byte(t.text)) {
			return t.format
		}
	}
	if bytes.Contains(types, []byte("openxmlformats")) {
		return FormatOOXML
	}
	return FormatZIP
}

func entryNamed(z *zip.Reader, name string) *zip.File {
	for _, f := range z.File {
		if strings.EqualFold(strings.TrimLeft(strings.ReplaceAll(f.Name, `\`, "/"), "/"), name) {
			return f
		}
	}
	return nil
}

// firstBytes unpacks the first bytes of an entry.
func firstBytes(f *zip.File, limit int64) []byte {
	in := inspection{unpack: limit}
	return in.part(f, limit)
}

// flatText makes XML fit to be searched for plain words: small letters, UTF-16 without its zero bytes.
func flatText(b []byte) []byte {
	return bytes.ToLower(bytes.ReplaceAll(b, []byte{0}, nil))
}

// An officeScan is what the parts of an Office file give away.
type officeScan struct {
	macros, sheets4, embedded, packaged, remote, locked, damaged bool
}

// office looks through the parts of an Office or OpenDocument file.
func (in *inspection) office(where string, z *zip.Reader, kind Format) {
	var s officeScan
	s.macros = kind == FormatDOCM || kind == FormatXLSM || kind == FormatPPTM
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if f.Flags&1 != 0 {
			s.locked = true
			continue
		}
		s.byName(name)
		if err := s.look(in, f, name); errors.Is(err, errBudget) {
			in.find(where, FoundBomb, true, "Tệp bung ra quá lớn; có thể là tệp phá hoại. Hãy hỏi lại người gửi tệp.")
			break
		} else if err != nil {
			s.damaged = true
		}
	}
	in.tell(where, s)
}

// byName takes what the name of a part says.
func (s *officeScan) byName(name string) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case strings.HasPrefix(base, "vbaproject") || strings.HasPrefix(base, "vbadata"):
		s.macros = true
	case strings.Contains(name, "/macrosheets/"):
		s.sheets4 = true
	case strings.Contains(name, "/activex/"):
		s.packaged = true
	case strings.HasPrefix(name, "basic/") && strings.HasSuffix(base, ".xml") && !strings.HasPrefix(base, "script-l") && !strings.HasPrefix(base, "dialog-l"),
		strings.HasPrefix(name, "scripts/") && base != "":
		s.macros = true
	case base == "encrypted-package":
		s.locked = true
	case strings.Contains(name, "/embeddings/") && base != "":
		s.embedded = true
	}
}

// look unpacks a part, so that damage is seen, and takes what its bytes say. Parts may have any name: a macro project is
// known by being a compound file with a VBA storage.
func (s *officeScan) look(in *inspection, f *zip.File, name string) error {
	data, _, _, err := in.read(f, 1<<20)
	if err != nil {
		return err
	}
	switch {
	case sniff(data[:min(len(data), 64)]) == FormatOLE:
		c := readCompound(data)
		switch {
		case c.macros():
			s.macros = true
		case c.has("\x01ole10native"):
			s.packaged = true
		default:
			s.embedded = true
		}
	case sniff(data[:min(len(data), 64)]) == FormatProgram && !strings.HasSuffix(name, ".xml"):
		s.packaged = true
	case strings.HasSuffix(name, ".rels"):
		rels := flatText(data)
		s.remote = s.remote || bytes.Contains(rels, []byte(`targetmode="external"`)) &&
			(bytes.Contains(rels, []byte("/attachedtemplate")) || bytes.Contains(rels, []byte("/oleobject")) || bytes.Contains(rels, []byte("/frame")))
		s.macros = s.macros || bytes.Contains(rels, []byte("/vbaproject"))
	case name == "[content_types].xml":
		types := flatText(data)
		s.macros = s.macros || bytes.Contains(types, []byte("ms-office.vbaproject"))
		s.sheets4 = s.sheets4 || bytes.Contains(types, []byte("ms-excel.macrosheet")) || bytes.Contains(types, []byte("ms-excel.intlmacrosheet"))
	case name == "meta-inf/manifest.xml":
		s.locked = s.locked || bytes.Contains(flatText(data), []byte("encryption-data"))
	}
	return nil
}

func (in *inspection) tell(where string, s officeScan) {
	if s.macros || s.sheets4 {
		in.find(where, FoundMacros, true, macroText)
	}
	if s.locked {
		in.find(where, FoundEncryption, true, lockedText)
	}
	if s.packaged {
		in.find(where, FoundEmbedded, true, "Tệp có nhúng chương trình hoặc tệp của chương trình khác. Hãy bỏ phần nhúng, hoặc xuất ra PDF.")
	} else if s.embedded {
		in.find(where, FoundEmbedded, false, "Tệp có nhúng tài liệu khác (bảng tính, công thức…); nơi nhận nên được báo, hoặc hãy xuất ra PDF.")
	}
	if s.remote {
		in.find(where, FoundRemote, true, "Tệp tự tải mẫu hoặc dữ liệu từ nơi khác khi mở. Hãy xuất ra PDF rồi gửi bản PDF.")
	}
	if s.damaged {
		in.find(where, FoundDamage, true, "Tệp bị hỏng một phần, có thể không mở được. Hãy lưu lại từ chương trình soạn thảo.")
	}
}

const (
	macroText  = "Tệp có macro (mã lệnh chạy khi mở). Hãy lưu lại dạng không có macro (DOCX, XLSX) hoặc xuất ra PDF."
	lockedText = "Tệp có đặt mật khẩu, nơi nhận không mở được và không kiểm tra được bên trong. Hãy gỡ mật khẩu rồi chọn lại tệp."
)
