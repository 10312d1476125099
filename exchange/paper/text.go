package paper

import (
	"strconv"
	"strings"

	"congvan/mailcore/viettext"

	"codeberg.org/go-pdf/fpdf"
)

// WrapWords breaks a text at spaces, and a word that is too long at any letter. The first line is shorter by indent.
func WrapWords(pdf *fpdf.Fpdf, text string, width, indent float64) []string {
	var out []string
	space := pdf.GetStringWidth(" ")
	room := width - indent
	for paragraph := range strings.SplitSeq(text, "\n") {
		line, used := "", 0.0
		for _, word := range strings.Fields(paragraph) {
			w := pdf.GetStringWidth(word)
			if line != "" && used+space+w <= room {
				line, used = line+" "+word, used+space+w
				continue
			}
			if line != "" {
				out, room = append(out, line), width
			}
			line, used = word, w
			if w > room {
				parts := Wrap(pdf, word, room)
				out, room = append(out, parts[:len(parts)-1]...), width
				line = parts[len(parts)-1]
				used = pdf.GetStringWidth(line)
			}
		}
		out, room = append(out, line), width
	}
	return out
}

// Wrap breaks a text at any letter: names of files and digests have no spaces to break at.
func Wrap(pdf *fpdf.Fpdf, text string, width float64) []string {
	var out []string
	line := ""
	for _, r := range text {
		if line != "" && pdf.GetStringWidth(line+string(r)) > width {
			out, line = append(out, line), ""
		}
		line += string(r)
	}
	return append(out, line)
}

// Printable leaves what the font has letters for: others would print as nothing, and beyond the first plane fail.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r < ' ' || r > 0x2fff:
			return '?'
		}
		return r
	}, viettext.NFC(s))
}

// Thousands writes a number with dots between thousands: 12.345.
func Thousands(n int) string {
	text := strconv.Itoa(n)
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteRune(c)
	}
	return b.String()
}
