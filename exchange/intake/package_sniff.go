package intake

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // for the size of pictures
	_ "image/jpeg"
	_ "image/png"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of one inspection, whatever the file says of itself. Half a gigabyte unpacks in some seconds; a package of
// documents that a clerk sends is a tenth of it.
const (
	maxUnpacked  = 512 << 20 // bytes unpacked in all
	maxEntry     = 64 << 20  // bytes of one entry that are held in memory
	maxEntries   = 5000      // files in a package, those of packages inside counted
	maxDepth     = 2         // packages inside one another that are opened: the file itself and those in it
	maxRatio     = 200       // times its size that a package may unpack to, once that is
	freeUnpacked = 64 << 20  // over this many bytes
	maxOfOneCode = 20        // findings of one code that are listed
	maxPicture   = 150_000_000
)

// An inspection is one file of a package being looked through.
type inspection struct {
	entries  []Entry
	findings []Finding
	counts   map[FindingCode]int
	unpack   int64 // bytes that may still be unpacked
	files    int   // entries that may still be looked at
}

func newInspection() *inspection {
	return &inspection{counts: make(map[FindingCode]int), unpack: maxUnpacked, files: maxEntries}
}

func (in *inspection) find(where string, code FindingCode, danger bool, message string) {
	if in.counts[code]++; in.counts[code] > maxOfOneCode {
		for i := range in.findings { // what is not listed any more still counts
			in.findings[i].Danger = in.findings[i].Danger || danger && in.findings[i].Code == code
		}
		return
	}
	in.findings = append(in.findings, Finding{Code: code, Path: where, Danger: danger, Message: message})
}

// file tells what the bytes are and looks into them. where is "" for the file itself.
func (in *inspection) file(name string, data []byte, depth int) Format {
	where := name
	if depth == 0 {
		where = ""
	}
	format := sniff(data)
	switch format {
	case FormatZIP:
		format = in.zip(where, data, depth)
	case FormatOLE:
		format = in.ole(where, data)
	case FormatPDF:
		in.pdf(where, data)
	case FormatHTML, FormatXML:
		in.page(where, data)
	case FormatRTF:
		if bytes.Contains(data, []byte(`\objdata`)) {
			in.find(where, FoundEmbedded, true, "Tệp RTF có nhúng tệp của chương trình khác. Hãy xuất lại thành PDF hoặc DOCX.")
		}
	case FormatJPEG, FormatPNG, FormatGIF:
		in.picture(where, data)
	case FormatProgram:
		in.find(where, FoundProgram, true, "Tệp là chương trình máy tính, không phải tài liệu. Không được gửi kèm văn bản.")
	case FormatRAR, Format7Z, FormatGZIP:
		in.find(where, FoundClosed, false, fmt.Sprintf("Gói nén %s không kiểm tra được bên trong. Hãy nén lại bằng ZIP, hoặc gửi từng tệp.", formatNames[format]))
	case FormatUnknown:
		in.find(where, FoundUnknown, false, "Không rõ tệp thuộc loại nào; nơi nhận có thể không mở được. Hãy chuyển thành PDF, DOCX hoặc XLSX.")
	}
	in.checkExtension(where, name, format)
	return format
}

// page looks for scripts in a web page or a drawing.
func (in *inspection) page(where string, data []byte) {
	low := bytes.ToLower(data[:min(len(data), 4<<20)])
	if bytes.Contains(low, []byte("<script")) || bytes.Contains(low, []byte("javascript:")) {
		in.find(where, FoundScript, true, "Trang web có mã lệnh bên trong. Hãy in ra PDF rồi gửi bản PDF.")
	}
}

// picture tells pictures that take more memory than any viewer has.
func (in *inspection) picture(where string, data []byte) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case err != nil:
		in.find(where, FoundDamage, true, "Tệp ảnh bị hỏng, không mở được. Hãy chụp hoặc quét lại.")
	case int64(c.Width)*int64(c.Height) > maxPicture:
		in.find(where, FoundBomb, true, fmt.Sprintf("Ảnh quá lớn (%d × %d điểm), nhiều máy không mở được. Hãy thu nhỏ lại.", c.Width, c.Height))
	}
}

// magics are the first bytes of formats.
var magics = []struct {
	at     int
	bytes  string
	format Format
}{
	{0, "PK\x03\x04", FormatZIP}, {0, "PK\x05\x06", FormatZIP}, {0, "PK\x07\x08", FormatZIP},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FormatOLE},
	{0, "Rar!\x1a\x07", FormatRAR}, {0, "7z\xbc\xaf\x27\x1c", Format7Z}, {0, "\x1f\x8b\x08", FormatGZIP},
	{0, "\xff\xd8\xff", FormatJPEG}, {0, "\x89PNG\r\n\x1a\n", FormatPNG}, {0, "GIF87a", FormatGIF}, {0, "GIF89a", FormatGIF},
	{0, "II*\x00", FormatTIFF}, {0, "MM\x00*", FormatTIFF}, {8, "WEBP", FormatWebP},
	{4, "ftypheic", FormatHEIC}, {4, "ftypheix", FormatHEIC}, {4, "ftypmif1", FormatHEIC}, {4, "ftyphevc", FormatHEIC},
	{0, "MZ", FormatProgram}, {0, "\x7fELF", FormatProgram}, {0, "#!", FormatProgram}, {0, "\xca\xfe\xba\xbe", FormatProgram},
	{0, "\xcf\xfa\xed\xfe", FormatProgram}, {0, "\xce\xfa\xed\xfe", FormatProgram}, {0, "\xfe\xed\xfa\xcf", FormatProgram},
	{0, "L\x00\x00\x00\x01\x14\x02\x00", FormatProgram}, {0, "dex\n", FormatProgram},
	{0, `{\rt`, FormatRTF},
}

// sniff tells the format by the bytes. Packages of all kinds are FormatZIP and FormatOLE here.
func sniff(data []byte) Format {
	for _, m := range magics {
		if len(data) >= m.at+len(m.bytes) && string(data[m.at:m.at+len(m.bytes)]) == m.bytes {
			return m.format
		}
	}
	if len(data) > 26 && data[0] == 'B' && data[1] == 'M' && bytes.Equal(data[6:10], make([]byte, 4)) {
		return FormatBMP
	}
	// ISO 32000-1 Annex H.3: readers accept the header anywhere in the first 1024 bytes.
	if bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")) {
		return FormatPDF
	}
	return sniffText(data)
}

// sniffText tells kinds of text apart: UTF-8, UTF-16 with its mark, or the 8-bit code pages of before.
func sniffText(data []byte) Format {
	head := data[:min(len(data), 64<<10)]
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		head = bytes.ReplaceAll(head[2:], []byte{0}, nil)
	}
	odd, high := 0, 0
	for _, b := range head {
		switch {
		case b < ' ' && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != 0x1b, b == 0x7f:
			odd++
		case b >= 0x80:
			high++
		}
	}
	if odd > 0 || len(head) == 0 || high*10 > len(head)*7 && !utf8.Valid(head[:validPrefix(head)]) {
		return FormatUnknown
	}
	low := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	switch {
	case bytes.HasPrefix(low, []byte("<!doctype html")), bytes.HasPrefix(low, []byte("<html")), bytes.HasPrefix(low, []byte("<head")),
		bytes.HasPrefix(low, []byte("<script")), bytes.Contains(low[:min(len(low), 2000)], []byte("<html")):
		return FormatHTML
	case bytes.HasPrefix(low, []byte("<?xml")), bytes.HasPrefix(low, []byte("<svg")):
		return FormatXML
	}
	return FormatText
}

// validPrefix is where the last whole character of a cut text may end.
func validPrefix(b []byte) int {
	for n := len(b); n > 0 && n > len(b)-utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n-1]) {
			return n - 1
		}
	}
	return 0
}

// formatNames are the names that people know.
var formatNames = map[Format]string{FormatPDF: "PDF", FormatDOCX: "Word (DOCX)", FormatDOCM: "Word có macro (DOCM)", FormatDOC: "Word 97–2003 (DOC)",
	FormatXLSX: "Excel (XLSX)", FormatXLSM: "Excel có macro (XLSM)", FormatXLSB: "Excel nhị phân (XLSB)", FormatXLS: "Excel 97–2003 (XLS)",
	FormatPPTX: "PowerPoint (PPTX)", FormatPPTM: "PowerPoint có macro (PPTM)", FormatPPT: "PowerPoint 97–2003 (PPT)", FormatODT: "OpenDocument (ODT)",
	FormatODS: "OpenDocument (ODS)", FormatODP: "OpenDocument (ODP)", FormatOLE: "tệp OLE", FormatOOXML: "tệp Office", FormatZIP: "gói nén ZIP",
	FormatRAR: "RAR", Format7Z: "7z", FormatGZIP: "GZIP", FormatJPEG: "ảnh JPEG", FormatPNG: "ảnh PNG", FormatGIF: "ảnh GIF", FormatTIFF: "ảnh TIFF",
	FormatBMP: "ảnh BMP", FormatWebP: "ảnh WebP", FormatHEIC: "ảnh HEIC", FormatText: "văn bản thô", FormatRTF: "RTF", FormatHTML: "trang web (HTML)",
	FormatXML: "XML", FormatProgram: "chương trình máy tính", FormatUnknown: "loại không rõ"}

// extensions lists the formats that files of a name may have.
var extensions = map[string][]Format{".pdf": {FormatPDF}, ".docx": {FormatDOCX}, ".dotx": {FormatDOCX}, ".docm": {FormatDOCM}, ".doc": {FormatDOC},
	".dot": {FormatDOC}, ".xlsx": {FormatXLSX}, ".xltx": {FormatXLSX}, ".xlsm": {FormatXLSM}, ".xlsb": {FormatXLSB}, ".xls": {FormatXLS},
	".pptx": {FormatPPTX}, ".ppsx": {FormatPPTX}, ".pptm": {FormatPPTM}, ".ppt": {FormatPPT}, ".pps": {FormatPPT}, ".odt": {FormatODT}, ".ods": {FormatODS},
	".odp": {FormatODP}, ".zip": {FormatZIP}, ".rar": {FormatRAR}, ".7z": {Format7Z}, ".gz": {FormatGZIP}, ".jpg": {FormatJPEG}, ".jpeg": {FormatJPEG},
	".png": {FormatPNG}, ".gif": {FormatGIF}, ".tif": {FormatTIFF}, ".tiff": {FormatTIFF}, ".bmp": {FormatBMP}, ".webp": {FormatWebP},
	".heic": {FormatHEIC}, ".txt": {FormatText}, ".csv": {FormatText}, ".rtf": {FormatRTF}, ".htm": {FormatHTML}, ".html": {FormatHTML},
	".xml": {FormatXML}, ".svg": {FormatXML}}

// programNames are the endings of files that Windows runs on a double click. Many of them are plain text inside.
var programNames = strings.Fields(`.exe .com .scr .pif .bat .cmd .vbs .vbe .js .jse .wsf .wsh .ps1 .psm1 .msi .msp .hta .cpl .lnk .url .reg .jar
	.chm .sct .inf .dll .sys .apk .scf .appref-ms .msc .gadget .iso .img .vhd .vhdx .settingcontent-ms .xll .ppam .xlam`)

// checkExtension compares the name's ending with what was found.
func (in *inspection) checkExtension(where, name string, format Format) {
	ext := strings.ToLower(path.Ext(strings.TrimRight(name, ". ")))
	switch {
	case slices.Contains(programNames, ext) && format != FormatProgram:
		in.find(where, FoundProgram, true, fmt.Sprintf("Tệp có đuôi %s, máy tính sẽ chạy như chương trình khi mở. Không được gửi kèm văn bản.", ext))
	case extensions[ext] != nil && !slices.Contains(extensions[ext], format) && !(format == FormatOOXML && isOffice(ext)):
		in.find(where, FoundMisnamed, format == FormatProgram,
			fmt.Sprintf("Tên tệp có đuôi %s nhưng nội dung là %s. Hãy kiểm tra lại tệp và đặt đúng tên.", ext, formatNames[format]))
	}
}

// isOffice says whether a name's ending is one of the Office formats of today.
func isOffice(ext string) bool {
	return slices.Contains([]string{".docx", ".docm", ".xlsx", ".xlsm", ".xlsb", ".pptx", ".pptm"}, ext)
}

// checkName tells names that deceive or that would leave the folder into which they are unpacked.
func (in *inspection) checkName(where, name string) {
	if strings.IndexFunc(name, deceiving) >= 0 || strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		in.find(where, FoundBadName, true, "Tên tệp có ký tự ẩn, có thể đánh lừa người đọc về loại tệp. Hãy đặt lại tên.")
	}
	if where == "" {
		return
	}
	slashed := strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(slashed, "/") || len(slashed) > 1 && slashed[1] == ':' || slices.Contains(strings.Split(slashed, "/"), "..") {
		in.find(where, FoundBadName, true, "Tệp trong gói có đường dẫn ra ngoài thư mục giải nén. Hãy nén lại gói.")
	}
	if len(name) > maxName {
		in.find(where, FoundBadName, false, "Tên tệp trong gói quá dài. Hãy đặt lại tên.")
	}
}
