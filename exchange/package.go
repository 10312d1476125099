package exchange

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"congvan/exchange/intake"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/signing"
)

// An ItemKind says what a file is in a document's package.
type ItemKind string

// The kinds of files in a package.
const (
	MainItem  ItemKind = "main"  // the document itself
	AnnexItem ItemKind = "annex" // phụ lục, tài liệu kèm theo
	ListItem  ItemKind = "list"  // the sealed list of all files, made where some cannot bear a seal of their own
)

// An Item is one file of a document's package.
type Item struct {
	Document   DocumentID  `db:"document_id" json:"-"`
	Ordinal    int         `db:"ordinal" json:"ordinal"`
	Kind       ItemKind    `db:"kind" json:"kind"`
	FileName   string      `db:"file_name" json:"file"`
	MediaType  string      `db:"media_type" json:"media_type"` // by content
	Size       int64       `db:"size" json:"size"`             // of the bytes as they came
	Pages      int         `db:"pages" json:"pages,omitempty"`
	Original   blob.Digest `db:"original" json:"original"`
	Sealed     blob.Digest `db:"sealed" json:"sealed,omitempty"` // "" before sealing, and for what cannot bear a seal
	Flags      string      `db:"flags" json:"-"`                 // codes of findings, one space between
	AcceptedBy string      `db:"accepted_by" json:"accepted_by,omitempty"`
	AcceptedAt *int64      `db:"accepted_at" json:"-"`
}

const itemColumns = `document_id, ordinal, kind, file_name, media_type, size, pages, original, sealed, flags, accepted_by, accepted_at`

// Travels is the digest of the bytes that recipients get.
func (it *Item) Travels() blob.Digest {
	if it.Sealed != "" {
		return it.Sealed
	}
	return it.Original
}

// flagUnsealable marks a PDF that no signature can be added to: it travels as it came, under the sealed list.
const flagUnsealable = "unsealable"

func (it *Item) sealable() bool {
	return it.MediaType == pdfType && !slices.Contains(strings.Fields(it.Flags), flagUnsealable)
}

const pdfType = "application/pdf"

// mediaTypes names the formats as mail does. What is missing here is sent as bytes.
var mediaTypes = map[intake.Format]string{
	intake.FormatPDF: pdfType, intake.FormatZIP: "application/zip", intake.FormatRAR: "application/vnd.rar", intake.Format7Z: "application/x-7z-compressed",
	intake.FormatGZIP: "application/gzip", intake.FormatDOC: "application/msword", intake.FormatXLS: "application/vnd.ms-excel",
	intake.FormatPPT:  "application/vnd.ms-powerpoint",
	intake.FormatDOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	intake.FormatXLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	intake.FormatPPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	intake.FormatDOCM: "application/vnd.ms-word.document.macroEnabled.12", intake.FormatXLSM: "application/vnd.ms-excel.sheet.macroEnabled.12",
	intake.FormatPPTM: "application/vnd.ms-powerpoint.presentation.macroEnabled.12", intake.FormatXLSB: "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
	intake.FormatODT: "application/vnd.oasis.opendocument.text", intake.FormatODS: "application/vnd.oasis.opendocument.spreadsheet",
	intake.FormatODP: "application/vnd.oasis.opendocument.presentation", intake.FormatJPEG: "image/jpeg", intake.FormatPNG: "image/png",
	intake.FormatGIF: "image/gif", intake.FormatTIFF: "image/tiff", intake.FormatBMP: "image/bmp", intake.FormatWebP: "image/webp",
	intake.FormatHEIC: "image/heic", intake.FormatRTF: "application/rtf", intake.FormatXML: "application/xml",
}

// MediaType is how mail names a format (RFC 2046). Text and HTML go as bytes, too: no server on the way shall recode them.
func MediaType(f intake.Format) string {
	if t := mediaTypes[f]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// A File is one file of a proposal's package, and what is known of it before anything is stored.
type File struct {
	Info       *intake.Item // what it is by its bytes, and what a clerk has to know about it
	Data       []byte
	Given      string // its name as the clerk's computer has it, whatever encoding that is; the event of the draft keeps it
	Unsealable string // Vietnamese: why a PDF cannot bear a seal; "" when it can
	Accepted   bool   // a person has let it go although it is flagged
}

// Doubts are the Vietnamese sentences that a person has to answer before the file goes.
func (f *File) Doubts() []string {
	var out []string
	for _, found := range f.Info.Findings {
		if found.Danger {
			text := found.Message
			if found.Path != "" {
				text = found.Path + ": " + text
			}
			out = append(out, text)
		}
	}
	if f.Unsealable != "" {
		out = append(out, f.Unsealable)
	}
	return out
}

func (f *File) flags() string {
	var codes []string
	for _, found := range f.Info.Findings {
		codes = append(codes, string(found.Code))
	}
	if f.Unsealable != "" {
		codes = append(codes, flagUnsealable)
	}
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), " ")
}

func (f *File) item(ordinal int, kind ItemKind, name string, by Actor, now time.Time) Item {
	it := Item{Ordinal: ordinal, Kind: kind, FileName: name, MediaType: MediaType(f.Info.Format), Size: f.Info.Size, Pages: f.Info.Pages,
		Original: blob.Digest(f.Info.SHA256), Flags: f.flags()}
	if f.Accepted && len(f.Doubts()) > 0 {
		at := now.UnixMicro()
		it.AcceptedBy, it.AcceptedAt = by.String(), &at
	}
	return it
}

// MaxAnnexes bounds a package: more files than anybody opens by hand belong into one ZIP.
const MaxAnnexes = 50

// checkPackage says what is wrong with the files of a proposal as a package.
func (p *Proposal) checkPackage() error {
	if len(p.Annexes) > MaxAnnexes {
		return &Error{Invalid, CodeTooManyFiles, fmt.Sprint(len(p.Annexes))}
	}
	seen := map[string]string{}
	for _, f := range p.files() {
		if other, ok := seen[f.Info.SHA256]; ok {
			return &Error{Conflict, CodeDoubleFile, f.Info.Name + " = " + other}
		}
		seen[f.Info.SHA256] = f.Info.Name
		if doubts := f.Doubts(); len(doubts) > 0 && !f.Accepted {
			return &Error{Conflict, CodeFlagged, f.Info.Name + ": " + strings.Join(doubts, " ")}
		}
	}
	return nil
}

func (p *Proposal) files() []*File {
	if p.Main == nil {
		return p.Annexes
	}
	return append([]*File{p.Main}, p.Annexes...)
}

// CheckFiles finds out, before anything is stored or numbered, whether the files can be sealed and sent: the main file must
// bear a seal; an annex that cannot is marked and waits for a person; all together must fit into one mail.
func (s *Store) CheckFiles(ctx context.Context, p *Proposal, pdf []byte) error {
	if err := s.fits(p, int64(len(pdf))); err != nil {
		return err
	}
	if err := trySeal(ctx, pdf); err != nil {
		return fmt.Errorf("try to seal %q: %w", p.FileName, err)
	}
	for _, f := range p.Annexes {
		if f.Info.Format != intake.FormatPDF || f.Unsealable != "" {
			continue
		}
		var in *signing.InputError
		if err := trySeal(ctx, f.Data); errors.As(err, &in) {
			f.Unsealable = "Tệp PDF này không ký số thêm được; nếu vẫn gửi, tệp đi nguyên vẹn và được bảo đảm bằng danh mục đã ký số."
		} else if err != nil {
			return fmt.Errorf("try to seal %q: %w", f.Info.Name, err)
		}
	}
	return nil
}

// trialKey seals what is thrown away: whether a file can be sealed must not need the agency's key, which may lie in a token
// that asks for a PIN each time.
var trialKey = sync.OnceValues(func() (*signing.Sealer, error) {
	ca, err := signing.NewAuthority(signing.Subject{Name: "trial"}, signing.P256)
	if err != nil {
		return nil, err
	}
	id, err := ca.Issue(signing.Subject{Name: "trial"}, signing.P256)
	if err != nil {
		return nil, err
	}
	return id.Sealer()
})

func trySeal(ctx context.Context, pdf []byte) error {
	key, err := trialKey()
	if err != nil {
		return err
	}
	_, err = key.Seal(ctx, pdf, signing.SealOptions{Mark: signing.AnnexText("1/TB", time.Now()), Name: "trial"})
	return err
}

// Room that sealing and the mail around the files need beyond the files, generously: a seal with its time stamp and
// revocation answers, its appearance with a subset of a font; the letter, an S/MIME signature.
const (
	sealRoom = 128 << 10
	mailRoom = 256 << 10
)

// fits says whether the package fits into one mail. Base64 makes four bytes of three, and lines of 76 (RFC 2045 §6.8).
func (s *Store) fits(p *Proposal, main int64) error {
	if s.MaxMessage <= 0 {
		return nil
	}
	size := encodedSize(main+sealRoom) + mailRoom
	for _, f := range p.Annexes {
		size += encodedSize(f.Info.Size + sealRoom)
	}
	if size > s.MaxMessage {
		const mb = 1 << 20
		return &Error{Invalid, CodePackageTooLarge, fmt.Sprintf("%.1f MB, giới hạn %.1f MB", float64(size)/mb, float64(s.MaxMessage)/mb)}
	}
	return nil
}

func encodedSize(n int64) int64 { return (n+2)/3*4 + (n+56)/57*2 }

// itemsOf makes the rows of a proposal's package. Names are made fit to be saved side by side.
func itemsOf(p *Proposal, by Actor, digest blob.Digest, size int64, now time.Time) []Item {
	main := Item{Kind: MainItem, FileName: p.FileName, MediaType: pdfType, Size: size, Pages: p.Pages, Original: digest}
	if p.Main != nil {
		main = p.Main.item(0, MainItem, p.FileName, by, now)
		main.Original, main.Size, main.Pages = digest, size, p.Pages
	}
	out := []Item{main}
	taken := map[string]bool{strings.ToLower(mainName(p.Reference)): true, strings.ToLower(listName): true}
	for i, f := range p.Annexes {
		out = append(out, f.item(i+1, AnnexItem, freeName(f.Info.Name, taken), by, now))
	}
	return out
}

// mainName is what recipients get the main file as.
func mainName(reference string) string { return strings.ReplaceAll(reference, "/", "-") + ".pdf" }

// freeName returns a name that no other file of the package has, and that every system can save.
func freeName(name string, taken map[string]bool) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, viettext.NFC(name))
	if strings.Trim(name, ". ") == "" {
		name = "phu-luc"
	}
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s (%d)%s", base, n, ext)
	}
	taken[strings.ToLower(name)] = true
	return name
}

func insertItems(ctx context.Context, tx *sqldb.Tx, id DocumentID, items []Item) error {
	rows := make([][]any, len(items))
	for i, it := range items {
		rows[i] = []any{id, it.Ordinal, it.Kind, it.FileName, it.MediaType, it.Size, it.Pages, it.Original, it.Sealed, it.Flags, it.AcceptedBy, it.AcceptedAt}
	}
	return tx.InsertRows(ctx, `INSERT INTO package_item (`+itemColumns+`)`, rows, "")
}

func items(ctx context.Context, tx *sqldb.Tx, id DocumentID) ([]Item, error) {
	var found []Item
	if err := tx.SelectContext(ctx, &found, `SELECT `+itemColumns+` FROM package_item WHERE document_id = $1 ORDER BY ordinal`, id); err != nil {
		return nil, fmt.Errorf("package of document %d: %w", id, err)
	}
	return found, nil
}

// Package returns the files of a document, in order.
func (s *Store) Package(ctx context.Context, id DocumentID) (list []Item, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		list, err = items(ctx, tx, id)
		return err
	})
	return list, err
}

// samePackage says whether a registered document has these annexes: the same files under one number, or something else.
func (s *Store) samePackage(ctx context.Context, doc *Document, p *Proposal) error {
	var want []string
	for _, f := range p.Annexes {
		want = append(want, f.Info.SHA256)
	}
	return s.sameAnnexes(ctx, doc, want)
}

// SameAnnexes says whether a registered document has these files as its annexes, in this order; else the error tells how many
// it has. It finds out, without reading anything, whether a document was registered before with all its files.
func (s *Store) SameAnnexes(ctx context.Context, doc *Document, annexes [][]byte) error {
	var want []string
	for _, data := range annexes {
		want = append(want, string(blob.Of(data)))
	}
	return s.sameAnnexes(ctx, doc, want)
}

func (s *Store) sameAnnexes(ctx context.Context, doc *Document, want []string) error {
	list, err := s.Package(ctx, doc.ID)
	if err != nil {
		return err
	}
	var have []string
	for _, it := range list {
		if it.Kind == AnnexItem {
			have = append(have, string(it.Original))
		}
	}
	if !slices.Equal(have, want) {
		return &Error{Conflict, CodePackageDiffers, fmt.Sprintf("%s: đã vào sổ với %d tệp kèm theo, lần này %d", doc.Reference, len(have), len(want))}
	}
	return nil
}

// givenNames are the names of a proposal's files as they were given, by ordinal, where they were changed on the way: decoded
// from an old encoding, made fit to be saved. Recipients see the names of the items; these are kept as evidence. A byte that
// is no UTF-8 stands as the code point of its number.
func givenNames(p *Proposal, list []Item) map[string]string {
	out := map[string]string{}
	for i, f := range p.files() {
		if p.Main == nil {
			i++
		}
		if i < len(list) && f.Given != "" && f.Given != list[i].FileName {
			out[fmt.Sprint(i)] = byteText(f.Given)
		}
	}
	return out
}

func byteText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// digests is what events keep of a package: the name and the digest of each file.
func digests(list []Item) []map[string]string {
	out := make([]map[string]string, len(list))
	for i, it := range list {
		out[i] = map[string]string{"file": it.FileName, "sha256": string(it.Travels())}
	}
	return out
}
