// Package recipients owns the directory of the province (danh bạ): units, their names, aliases, groups, officers and
// addresses. It reads a block of recipients (Kính gửi, Nơi nhận) into entries and resolves each entry to units.
//
// It promises that nothing is guessed: an entry ends as resolved to the units that a careful clerk would be certain of,
// as excused with a reason, or as open with a reason and candidates (QĐ 22/2009 Điều 10, NĐ 30/2020 Phụ lục I II.9).
package recipients

// A UnitCode is the short name of a unit (đơn vị) in the directory, which is also the local part of its address
// (QĐ 22/2009 Điều 4).
type UnitCode string

// An EntryKind says what one entry of a block is.
type EntryKind string

// The kinds of entries.
const (
	EntryUnit        EntryKind = "unit"        // one or more named bodies
	EntryGroup       EntryKind = "group"       // a class of bodies or office-holders with no members named
	EntryPerson      EntryKind = "person"      // single office-holders or named people
	EntryReference   EntryKind = "reference"   // Như trên, Như Điều n, Như kính gửi
	EntryArchive     EntryKind = "archive"     // Lưu
	EntryPublication EntryKind = "publication" // Công báo, portals, newspapers, broadcasters
)

// An Entry is one recipient entry (nơi nhận) as it stands in a block.
type Entry struct {
	Text    string    `json:"text"` // without bullet and trailing separator, spaces collapsed, annotations kept
	Kind    EntryKind `json:"kind"`
	Purpose string    `json:"purpose"` // normalised: báo cáo, thực hiện, phối hợp, biết …; "" when none is written
	Units   []string  `json:"units"`   // the split names, head or tail given to each; empty for group, person, reference
	Copies  *int      `json:"copies"`  // copies kept or printed; nil when none is written
}

// A Result is how an entry ended.
type Result string

// The results of resolving an entry.
const (
	Resolved Result = "resolved" // to units of the directory, certain
	Excused  Result = "excused"  // needs no copy: archive, people and rooms of the issuer, publication without a mailbox
	Open     Result = "open"     // left to the clerk
)

// A Candidate is a unit that an open entry may mean.
type Candidate struct {
	Code UnitCode `json:"code"`
	Name string   `json:"name"`
	Why  string   `json:"why"` // Vietnamese, for the clerk
}

// A Line is an entry with what resolving made of it. An entry known in part gives one resolved line with the known codes
// and an open line "text: missing name" for each name that is not known.
type Line struct {
	Entry
	Block      string      `json:"block"` // "kinh_gui" or "noi_nhan"
	Result     Result      `json:"result"`
	Codes      []UnitCode  `json:"codes"`                // sorted; never groups, never the issuer
	Why        string      `json:"why"`                  // Vietnamese, for the clerk: name, alias, group, Điều 3 …
	Confidence float64     `json:"confidence"`           // 0 to 1
	Candidates []Candidate `json:"candidates,omitempty"` // at most three, best first; only for open lines
}

// A Request is one document's blocks to be resolved.
type Request struct {
	Date     string         // civil date 2009-03-18 of the document, "" when not known: names valid on that day are used
	Issuer   UnitCode       // "" when not known
	KinhGui  string         // block with or without its label, lines broken as printed; "" when there is none
	NoiNhan  string         // likewise
	Articles map[int]string // text of each Điều, for "Như Điều n"
	Body     string         // used for "Như Điều n" when Articles has no such article
}
