package recipients

import (
	"slices"
	"strings"
)

// missed is the net under the reading of a block: names of the directory that stand in it before the archive line and went into no
// entry. A careful clerk would ask why; so each is left open. What is in capitals may be the signer's.
func (r *reader) missed(block string, kind blockKind, entries []Entry) []Line {
	where := "noi_nhan"
	if kind == kinhGui {
		where = "kinh_gui"
	}
	var read strings.Builder
	for _, e := range entries {
		read.WriteString(lettersOnly(e.Text))
	}
	var lines []Line
	text := firstBytes(decode(block), maxBlock)
	rows, _ := blockLines(strings.ToValidUTF8(text, " "))
	for _, row := range rows {
		row, _ = cutBullet(beforeGap(row))
		if archiveHead.MatchString(plainOf(firstBytes(row, 60))) || len(lines) > 20 {
			break
		}
		for _, part := range cutSemicolons(row) {
			part = tidyEntry(part)
			letters := lettersOnly(part)
			if letters == "" || len(part) > 200 || allCapitals(part) || strings.Contains(read.String(), letters) || !r.surelyNames(part) {
				continue
			}
			read.WriteString(letters)
			e, ok := makeEntry(part)
			if !ok || e.Kind == EntryArchive {
				continue
			}
			line := r.open(e, where, part, part)
			line.Why = "đứng trong văn bản nhưng không rõ có phải nơi nhận"
			lines = append(lines, line)
		}
	}
	return lines
}

// surelyNames reports whether a text has a unit's name as it stands in the directory.
func (r *reader) surelyNames(text string) bool {
	return slices.ContainsFunc(r.list(nameIn(text)), func(p piece) bool {
		return p.verdict == known && p.unit != nil && p.unit != r.issuer && p.conf > 0.95
	})
}
