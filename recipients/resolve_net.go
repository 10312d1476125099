package recipients

import (
	"iter"
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
	loud := 0
	for _, e := range entries {
		read.WriteString(lettersOnly(e.Text))
		if allCapitals(e.Text) {
			loud++
		}
	}
	shouted := loud > 0 && 2*loud >= len(entries)-1 // the archive line may be in small letters
	var lines []Line
	for part, behind := range blockParts(block) {
		letters := lettersOnly(part)
		if letters == "" || len(part) > 200 || allCapitals(part) && !shouted || strings.Contains(read.String(), letters) {
			continue
		}
		if !r.surelyNames(part) && !(behind && mayBeBody(part)) {
			continue
		}
		read.WriteString(letters)
		e, ok := makeEntry(part)
		if !ok || e.Kind == EntryArchive {
			continue
		}
		line := r.open(e, where, part, part)
		line.Why = "đứng trong văn bản nhưng không rõ có phải nơi nhận"
		if lines = append(lines, line); len(lines) > 20 {
			break
		}
	}
	return lines
}

// maxParts bounds the parts of a block that are looked at: no list of recipients is longer.
const maxParts = 1000

// mayBeBody reports whether a text behind a semicolon may be a body's name, known or not: no person's, whose words all have capitals,
// and no office of a signer.
func mayBeBody(part string) bool {
	words := strings.Fields(part)
	if len(words) < 2 || isPerson(part) || signerTitle.MatchString(plainOf(part)) || signFor.MatchString(" "+part) {
		return false
	}
	return startsUpper(part) && slices.ContainsFunc(words, func(w string) bool { return len(w) > 2 && strings.ToLower(w) == w && lettersOnly(w) != "" })
}

// blockParts walks over what stands between bullets, line ends and semicolons of a block, before its archive line, and says whether
// something stands before it on the line.
func blockParts(block string) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		text := firstBytes(block, maxBlock)
		rows, _ := blockLines(strings.ToValidUTF8(text, " "))
		n := 0
		for _, row := range rows {
			row, _ = cutBullet(beforeGap(row))
			if archiveHead.MatchString(plainOf(firstBytes(row, 60))) {
				return
			}
			for i, part := range cutSemicolons(row) {
				if n++; n > maxParts || !yield(tidyEntry(part), i > 0) {
					return
				}
			}
		}
	}
}

// rejoin puts with the entry before it what belongs to it and reading let go: an exception that stands by itself ("- UBND các huyện;
// không gửi huyện Sa Thầy", "- Trừ Sở Y tế"), and a body's name behind a semicolon ("CĐ ngành Giáo dục; CĐ Viên chức tỉnh").
func (r *reader) rejoin(entries []Entry, block string) []Entry {
	var out []Entry
	for _, e := range entries {
		if n := len(out); n > 0 && leadsException(e.Text) {
			out[n-1].Text += " (" + e.Text + ")"
			continue
		}
		out = append(out, e)
	}
	letters := make([]string, len(out))
	for i, e := range out {
		letters[i] = lettersOnly(e.Text)
	}
	at := 0 // parts come in the order of the entries
	for part, behind := range blockParts(block) {
		own := lettersOnly(part)
		if own == "" || at == len(out) {
			continue
		}
		if leadsException(part) {
			if !strings.Contains(letters[at], own) {
				out[at].Text += " (" + part + ")"
				letters[at] += own
			}
			continue
		}
		near := letters[at:min(len(letters), at+8)]
		if i := slices.IndexFunc(near, func(l string) bool { return strings.Contains(l, own) }); i >= 0 {
			at += i
		} else if slices.ContainsFunc(near, func(l string) bool { return len(l) > 5 && strings.Contains(own, l) }) {
			continue // divided otherwise than here, but read
		} else if behind && upperFirst(part) && len(part) <= 200 && !allCapitals(part) && (mayBeBody(part) || r.surelyNames(part)) {
			if e, ok := makeEntry(out[at].Text + "; " + part); ok && out[at].Kind != EntryArchive && out[at].Kind != EntryReference {
				out[at] = e
				letters[at] += own
			}
		}
	}
	return out
}

// leadsException reports whether a text begins with "trừ", "không gửi" and names somebody behind it.
func leadsException(text string) bool {
	toks := scan(strings.TrimLeft(text, "(["))
	n := longest(toks, exceptWords)
	return n > 0 && n < len(toks) && len(text) < 500
}

// surelyNames reports whether a text has a unit's name as it stands in the directory, or a group's.
func (r *reader) surelyNames(text string) bool {
	return slices.ContainsFunc(r.list(nameIn(text)), func(p piece) bool {
		return p.verdict == known && (p.unit == nil || p.unit != r.issuer && p.conf >= sureMade)
	})
}
