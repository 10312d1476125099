package intake

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// Limits of a compound file that is read: entries of its directory, and bytes of a stream.
const (
	maxCompound = 20_000
	maxStream   = 256 << 10
	endOfChain  = 0xFFFFFFF9 // this and above are no sectors ([MS-CFB] §2.1)
)

// An oleFile is the directory of a compound file, the container of Office 97–2003 ([MS-CFB]). Its reader follows chains
// no longer than the file and answers what it could read of a damaged one.
type oleFile struct {
	data    []byte
	sector  int64
	fat     []uint32
	mini    []uint32
	root    oleEntry // its stream holds the small streams
	entries []oleEntry
}

type oleEntry struct {
	name  string // small letters
	kind  byte   // 1 storage, 2 stream, 5 root
	start uint32
	size  int64
}

// readCompound reads the directory; what cannot be read is left out.
func readCompound(data []byte) oleFile {
	c := oleFile{data: data}
	if len(data) < 512 {
		return c
	}
	le := binary.LittleEndian
	switch le.Uint16(data[30:]) {
	case 9:
		c.sector = 512
	case 12:
		c.sector = 4096
	default:
		return c
	}
	c.readFAT(le.Uint32(data[68:]))
	for _, s := range c.chain(c.fat, le.Uint32(data[48:]), maxCompound/4) {
		c.readEntries(c.at(s))
	}
	for _, s := range c.chain(c.fat, le.Uint32(data[60:]), maxCompound) {
		c.mini = append(c.mini, words32(c.at(s))...)
	}
	return c
}

// at gives the bytes of a sector, fewer at the end of the file, none outside.
func (c *oleFile) at(sector uint32) []byte {
	from := (int64(sector) + 1) * c.sector
	if from < 0 || from >= int64(len(c.data)) {
		return nil
	}
	return c.data[from:min(from+c.sector, int64(len(c.data)))]
}

func words32(b []byte) []uint32 {
	out := make([]uint32, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, binary.LittleEndian.Uint32(b))
	}
	return out
}

// readFAT gathers the sectors that hold the allocation table: 109 of them named in the header, the rest in a chain.
func (c *oleFile) readFAT(next uint32) {
	most := int64(len(c.data))/c.sector + 1
	sectors := words32(c.data[76:512])
	for n := int64(0); next < endOfChain && n < most; n++ {
		list := words32(c.at(next))
		if len(list) == 0 {
			break
		}
		sectors = append(sectors, list[:len(list)-1]...)
		next = list[len(list)-1]
	}
	for _, s := range sectors {
		if s < endOfChain && int64(len(c.fat)) < most+c.sector/4 {
			c.fat = append(c.fat, words32(c.at(s))...)
		}
	}
}

// chain lists the sectors of a chain, at most limit.
func (c *oleFile) chain(table []uint32, start uint32, limit int) []uint32 {
	var out []uint32
	for s := start; s < endOfChain && int(s) < len(table) && len(out) < min(limit, len(table)); s = table[s] {
		out = append(out, s)
	}
	return out
}

func (c *oleFile) readEntries(b []byte) {
	le := binary.LittleEndian
	for ; len(b) >= 128 && len(c.entries) < maxCompound; b = b[128:] {
		n := int(le.Uint16(b[64:]))
		if n < 2 || n > 64 || b[66] == 0 {
			continue
		}
		units := make([]uint16, 0, 31)
		for i := 0; i+2 < n; i += 2 {
			units = append(units, le.Uint16(b[i:]))
		}
		e := oleEntry{name: strings.ToLower(string(utf16.Decode(units))), kind: b[66], start: le.Uint32(b[116:]), size: int64(le.Uint32(b[120:]))}
		if e.kind == 5 {
			c.root = e
		}
		c.entries = append(c.entries, e)
	}
}

// has says whether a storage or stream of this name (small letters) is anywhere in the file.
func (c *oleFile) has(name string) bool {
	for _, e := range c.entries {
		if e.name == name {
			return true
		}
	}
	return false
}

// macros says whether there is a VBA project: [MS-OVBA] §2.2.1 wants the storage VBA and the stream _VBA_PROJECT in it.
func (c *oleFile) macros() bool {
	return c.has("_vba_project") || c.has("_vba_project_cur") || c.has("vba") || c.has("macros")
}

// stream gives the first bytes of a stream.
func (c *oleFile) stream(name string, limit int) []byte {
	for _, e := range c.entries {
		if e.kind == 2 && e.name == name {
			n := int(min(e.size, int64(limit), int64(len(c.data))))
			if e.size < 4096 {
				return c.small(e, n)
			}
			return c.large(e.start, n)
		}
	}
	return nil
}

func (c *oleFile) large(start uint32, n int) []byte {
	out := make([]byte, 0, n)
	for _, s := range c.chain(c.fat, start, n/int(c.sector)+1) {
		out = append(out, c.at(s)...)
	}
	return out[:min(n, len(out))]
}

// small reads a stream under 4096 bytes, which lies in sectors of 64 bytes inside the root's stream.
func (c *oleFile) small(e oleEntry, n int) []byte {
	sectors := c.chain(c.fat, c.root.start, len(c.fat))
	var out []byte
	for _, s := range c.chain(c.mini, e.start, n/64+1) {
		from := int64(s) * 64
		k := from / c.sector
		if k >= int64(len(sectors)) {
			break
		}
		b := c.at(sectors[k])
		off := from % c.sector
		if off >= int64(len(b)) {
			break
		}
		out = append(out, b[off:min(off+64, int64(len(b)))]...)
	}
	return out[:min(n, len(out))]
}

// ole tells which kind of file a compound file is, and what is in it.
func (in *inspection) ole(where string, data []byte) Format {
	c := readCompound(data)
	if len(c.entries) == 0 {
		in.find(where, FoundDamage, true, "Tệp bị hỏng, không mở được. Hãy lưu lại từ chương trình soạn thảo.")
		return FormatOLE
	}
	var s officeScan
	kind := FormatOLE
	switch {
	case c.has("encryptedpackage"):
		kind, s.locked = FormatOOXML, true
	case c.has("worddocument"):
		kind = FormatDOC
		// [MS-DOC] §2.5.2: bit 8 of the flags at 10 is fEncrypted.
		if fib := c.stream("worddocument", 12); len(fib) == 12 && fib[11]&1 != 0 {
			s.locked = true
		}
	case c.has("workbook"), c.has("book"):
		kind = FormatXLS
		s.workbook(append(c.stream("workbook", maxStream), c.stream("book", maxStream)...))
	case c.has("powerpoint document"):
		kind = FormatPPT
		s.locked = c.has("encryptedsummary")
	default:
		in.find(where, FoundUnknown, true, "Tệp không phải loại tài liệu quen dùng, có thể là bộ cài hoặc thư đã lưu. Hãy chuyển thành PDF.")
	}
	s.macros = c.macros()
	s.packaged = c.has("\x01ole10native")
	s.embedded = c.has("objectpool") && c.has("\x01ole")
	for _, e := range c.entries {
		s.embedded = s.embedded || e.kind == 1 && strings.HasPrefix(e.name, "mbd0")
	}
	in.tell(where, s)
	return kind
}

// workbook walks the records that open an Excel 97–2003 stream ([MS-XLS] §2.1.4): FilePass says encrypted, BoundSheet8 of
// type 1 is a sheet of Excel 4 macros.
func (s *officeScan) workbook(b []byte) {
	for len(b) >= 4 {
		id, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		body := b[:min(n, len(b))]
		switch id {
		case 0x002F:
			s.locked = true
			return // what follows is not to be read
		case 0x0085:
			s.sheets4 = s.sheets4 || len(body) > 5 && body[5] == 1
		case 0x000A:
			return
		}
		b = b[len(body):]
	}
}
