package intake

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// zip looks into a package and tells what it is: an Office file, an OpenDocument file, or a plain zip, whose entries it
// lists. Nothing is unpacked before the directory of the package has been judged.
func (in *inspection) zip(where string, data []byte, depth int) Format {
	// Each record of the directory begins with these bytes, so this bounds what the library allocates for it.
	if n := bytes.Count(data, []byte("PK\x01\x02")); n > maxEntries {
		in.find(where, FoundBomb, true, fmt.Sprintf("Gói nén có quá nhiều tệp (khoảng %d). Hãy chia nhỏ gói.", n))
		return FormatZIP
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		in.find(where, FoundDamage, true, "Gói nén bị hỏng hoặc thiếu phần cuối. Hãy nén lại, hoặc sao chép lại tệp.")
		return FormatZIP
	}
	office := officeKind(z)
	fits := in.fits(where, z, int64(len(data)), office != FormatZIP)
	if office != FormatZIP {
		if fits {
			in.office(where, z, office)
		}
		return office
	}
	if depth >= maxDepth {
		in.find(where, FoundBomb, true, "Gói nén lồng trong nhau quá nhiều lớp, không kiểm tra được. Hãy nén lại thành một lớp.")
		return FormatZIP
	}
	in.list(where, z, depth, fits)
	return FormatZIP
}

// fits says whether the package, by what its directory says, unpacks to a size that a document may have. What the
// directory hides is stopped when it is unpacked.
func (in *inspection) fits(where string, z *zip.Reader, packed int64, office bool) bool {
	var sum uint64
	for _, f := range z.File {
		if sum += f.UncompressedSize64; sum > 1<<60 || f.UncompressedSize64 > 1<<60 {
			sum = 1 << 60
			break
		}
	}
	limit, ratio := uint64(max(0, in.unpack)), uint64(maxRatio)
	if sum <= limit && (sum <= freeUnpacked || sum/uint64(max(1, packed)) <= ratio) {
		return true
	}
	what := "Gói nén"
	if office {
		what = "Tệp"
	}
	in.find(where, FoundBomb, true, fmt.Sprintf("%s bung ra tới %s, quá mức của tài liệu thường; có thể là tệp phá hoại. Không mở; hãy hỏi lại người gửi tệp.",
		what, megabytes(sum)))
	return false
}

// megabytes writes a size for people.
func megabytes(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GB", n>>30)
	}
	return fmt.Sprintf("%d MB", n>>20)
}

// list lists the files of a plain zip, and looks into each unless the whole is too large.
func (in *inspection) list(where string, z *zip.Reader, depth int, open bool) {
	locked := 0
	seen := make(map[string]bool)
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			continue
		}
		if in.files--; in.files < 0 {
			in.find(where, FoundBomb, true, fmt.Sprintf("Gói nén có hơn %d tệp; chỉ liệt kê phần đầu. Hãy chia nhỏ gói.", maxEntries))
			return
		}
		name := entryName(f)
		path := name
		if where != "" {
			path = where + "!" + name
		}
		in.checkName(path, f.Name)
		if key := strings.ToLower(f.Name); seen[key] {
			in.find(path, FoundBadName, true, "Gói nén có hai tệp cùng tên; mỗi máy có thể mở một tệp khác nhau. Hãy nén lại gói.")
		} else {
			seen[key] = true
		}
		e := Entry{Path: path, Format: FormatUnknown, Size: int64(min(f.UncompressedSize64, 1<<62))}
		switch {
		case f.Flags&1 != 0:
			locked++
		case open:
			in.entry(&e, f, depth)
		}
		in.entries = append(in.entries, e)
	}
	if locked > 0 {
		in.find(where, FoundEncryption, true, fmt.Sprintf("Gói nén có %d tệp đặt mật khẩu, nơi nhận không mở được và không kiểm tra được bên trong. Hãy nén lại không đặt mật khẩu.", locked))
	}
}

// entry unpacks one file, fills in what it is and looks into it.
func (in *inspection) entry(e *Entry, f *zip.File, depth int) {
	data, sum, size, err := in.read(f, maxEntry)
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		in.find(e.Path, FoundUnknown, false, "Tệp trong gói nén theo kiểu lạ, nhiều máy không mở được. Hãy nén lại bằng ZIP thường.")
		return
	case errors.Is(err, errBudget):
		in.find(e.Path, FoundBomb, true, "Gói nén bung ra quá lớn; có thể là tệp phá hoại. Hãy hỏi lại người gửi tệp.")
		return
	case err != nil:
		in.find(e.Path, FoundDamage, true, "Tệp trong gói bị hỏng, không giải nén được. Hãy nén lại gói.")
		return
	}
	e.Size, e.SHA256 = size, sum
	if size == 0 {
		e.Format = FormatText
		return
	}
	if size > int64(len(data)) {
		e.Format = sniff(data) // only its beginning is here
		in.find(e.Path, FoundClosed, false, "Tệp trong gói quá lớn nên chưa kiểm tra được bên trong. Hãy gửi thành tệp riêng.")
		return
	}
	e.Format = in.file(e.Path, data, depth+1)
}

var errBudget = errors.New("unpacks to too much")

// read unpacks a file, at most keep bytes of it into memory, to its end if the budget lasts. Sizes and checksums are those
// of the bytes, not of the directory.
func (in *inspection) read(f *zip.File, keep int64) (data []byte, sum string, size int64, err error) {
	rc, err := f.Open()
	if err != nil {
		return nil, "", 0, err
	}
	defer rc.Close()
	digest := sha256.New()
	src := io.TeeReader(io.LimitReader(rc, in.unpack+1), digest)
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(src, keep))
	if err == nil {
		var more int64
		more, err = io.Copy(io.Discard, src)
		n += more
	}
	in.unpack -= n
	switch {
	case in.unpack < 0:
		in.unpack = 0
		return nil, "", n, errBudget
	case err != nil:
		return nil, "", n, err
	}
	return buf.Bytes(), hex.EncodeToString(digest.Sum(nil)), n, nil
}

// part unpacks one part of an Office file, at most limit bytes; nil when it cannot be read.
func (in *inspection) part(f *zip.File, limit int64) []byte {
	rc, err := f.Open()
	if err != nil {
		return nil
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, min(limit, in.unpack)))
	in.unpack -= int64(len(b))
	if err != nil && len(b) == 0 {
		return nil
	}
	return b
}

// entryName is the path of an entry as people read it. Older programs write names in the code page of their country; an
// extra field may give the real name beside it.
func entryName(f *zip.File) string {
	name := f.Name
	if !utf8.ValidString(name) {
		if real := unicodeName(f); real != "" {
			name = real
		} else {
			name = viettext.NFC(latin(name))
		}
	}
	return cleanPath(strings.ReplaceAll(name, `\`, "/"))
}

// unicodeName reads the Info-ZIP Unicode Path extra field (APPNOTE.TXT §4.6.9).
func unicodeName(f *zip.File) string {
	for x := f.Extra; len(x) >= 4; {
		id, n := int(x[0])|int(x[1])<<8, int(x[2])|int(x[3])<<8
		if x = x[4:]; n > len(x) {
			return ""
		}
		if id == 0x7075 && n > 5 && utf8.Valid(x[5:n]) {
			crc := uint32(x[1]) | uint32(x[2])<<8 | uint32(x[3])<<16 | uint32(x[4])<<24
			if crc == crc32.ChecksumIEEE([]byte(f.Name)) {
				return string(x[5:n])
			}
		}
		x = x[n:]
	}
	return ""
}

// latin takes each byte for the character of that number, which is what the decoders of old Vietnamese fonts expect.
func latin(s string) string {
	rs := make([]rune, len(s))
	for i := range len(s) {
		rs[i] = rune(s[i])
	}
	return string(rs)
}
