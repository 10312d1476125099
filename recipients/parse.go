package recipients

import (
	"strings"
	"unicode"

	"congvan/mailcore/viettext"
)

// ParseBlock reads a Kính gửi or Nơi nhận block, with or without its label, into its entries in their order. Lines may be
// broken as printed, stand in one line, in a Markdown table or in HTML, lack bullets or separators, and have fragments of
// the signer's column beside them; those fragments, and what follows the block, are left out. Texts come back in NFC. Old
// encodings are the caller's to decode. A block has a few kilobytes; of a text longer than 256 KiB, which is none, only the
// beginning is read.
func ParseBlock(raw string) []Entry {
	return parseBlock(raw, noLabel)
}

// parseBlock is ParseBlock for a block that is known to be of a kind when no label says so.
func parseBlock(raw string, assumed blockKind) []Entry {
	lines, kind, titled := titledLines(viettext.NFC(strings.ToValidUTF8(firstBytes(raw, maxBlock), " ")))
	if kind == noLabel {
		kind = assumed
	}
	texts := gather(lines, kind, titled)
	entries := make([]Entry, 0, len(texts))
	for _, t := range texts {
		if e, ok := makeEntry(t); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// maxBlock bounds the bytes that are read.
const maxBlock = 256 << 10

// makeEntry reads the text of one entry.
func makeEntry(text string) (Entry, bool) {
	text = tidyEntry(text)
	if lettersOnly(text) == "" {
		return Entry{}, false
	}
	e := Entry{Units: []string{}}
	if isArchive(text) {
		e.Kind = EntryArchive
		e.Text, e.Units, e.Copies = readArchive(text)
		e.Text = strings.TrimSpace(e.Text)
		return e, true
	}
	e.Text = text
	var name string
	name, e.Purpose = stripPurpose(text)
	e.Kind = classify(name)
	e.Copies = copiesOf(text)
	if e.Kind == EntryUnit || e.Kind == EntryPublication {
		short, _ := stripAnnotation(name)
		e.Units = splitNames(short)
	}
	return e, true
}

// tidyEntry collapses the spaces of an entry and drops separators and scraps at its ends.
func tidyEntry(s string) string {
	s = collapse(s)
	s = strings.TrimLeftFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("([“", r)
	})
	for {
		t := strings.TrimRightFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(")]”", r)
		})
		if rest := s[len(t):]; strings.Contains(rest, "...") || strings.Contains(rest, ". . .") { // illegible or left blank
			return t + " ..."
		}
		if t == s {
			return t
		}
		s = t
	}
}

func isSpacedArchive(text string) bool {
	return strings.HasPrefix(lettersOnly(firstBytes(text, 40)), "luuv") && strings.HasPrefix(strings.ToUpper(text), "L")
}
