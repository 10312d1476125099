package intake

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// An Annex is a part of a document's own file that follows its signature: a Phụ lục, or what the document puts into force
// (Quy định, Quy chế … "ban hành kèm theo").
type Annex struct {
	Number   string // as printed: "I", "01", "2A"; "" for the only one, and for what is not called Phụ lục
	Title    string // in one line; "" when none was found
	Page     int    // its first page, from 1
	LastPage int
	Place    Place // of its heading
	Marked   bool  // a heading says that this is an annex; else pages follow the signature and nothing says what they are
}

// Name is what people call the annex: "Phụ lục I", or its title.
func (a Annex) Name() string {
	switch {
	case a.Number != "":
		return "Phụ lục " + a.Number
	case a.Title != "":
		return a.Title
	case a.Marked:
		return "Phụ lục"
	}
	return fmt.Sprintf("Phần sau chữ ký, từ trang %d", a.Page)
}

// Annexes finds the annexes in the file of a draft, which has to be given again because a draft does not carry the text of
// pages after the signature. Only those pages are read. When some of them cannot be read, what was found comes with a
// *Problem that says which.
func (r *Reader) Annexes(ctx context.Context, d *Draft, data []byte) ([]Annex, error) {
	last := d.lastOwnPage()
	from := max(1, last)
	if from >= d.Pages {
		return nil, nil
	}
	pages, cause, err := r.pagesAfter(ctx, data, from)
	if err != nil {
		return nil, fmt.Errorf("find annexes of %q: %w", d.Name, err)
	}
	list := annexesOf(pages, last > 0)
	for i := range list {
		if i == len(list)-1 {
			list[i].LastPage = d.Pages
		}
	}
	var unread []int
	for _, p := range pages {
		if p.unread {
			unread = append(unread, p.number)
		}
	}
	for n := from + len(pages) + 1; n <= d.Pages; n++ {
		unread = append(unread, n)
	}
	if len(unread) > 0 {
		return list, unreadPages(unread, cause)
	}
	return list, nil
}

// lastOwnPage is the page on which the document itself ends: with the signature or its list of recipients, which may break
// over. 0 when neither was found.
func (d *Draft) lastOwnPage() int {
	last := 0
	for _, name := range []FieldName{FieldSigner, FieldSignFor, FieldNoiNhan} {
		for _, p := range d.Places[name] {
			last = max(last, p.Page)
		}
	}
	return last
}

// pagesAfter reads the pages after page first (from 1), as many as a reader reads in full.
func (r *Reader) pagesAfter(ctx context.Context, data []byte, first int) (pages []page, cause, err error) {
	j := &job{reader: r, draft: &Draft{}, key: cacheKey(data, r.opt.Language)}
	err = r.withPDF(ctx, data, func(ctx context.Context, f *document) error {
		j.file = f
		for i := first; i < f.pages && len(j.list) < r.opt.MaxPages; i++ {
			j.list = append(j.list, i)
		}
		if err := j.readText(ctx); err != nil {
			return err
		}
		return j.recognise(ctx)
	})
	return j.pages, j.cause, err
}

// annexesOf finds the annexes on pages that follow a document. signed says that the pages are known to follow it, so that
// pages without a heading are something too.
func annexesOf(pages []page, signed bool) []Annex {
	var out []Annex
	for k, p := range pages {
		lines := contentLines(p)
		found := pageAnnexes(p, lines)
		if len(found) == 0 && k == 0 && signed && len(lines) > 0 {
			title, _ := annexTitle(p, lines, 0, "")
			found = []Annex{{Title: title, Page: p.number, Place: lines[0].place()}}
		}
		for _, a := range found {
			if n := len(out) - 1; n >= 0 {
				out[n].LastPage = max(out[n].Page, a.Page-1)
				if onPage := a.Place.Y0 > 0.3*p.height; onPage {
					out[n].LastPage = a.Page
				}
			}
			a.LastPage = p.number
			out = append(out, a)
		}
	}
	if n := len(out) - 1; n >= 0 {
		out[n].LastPage = pages[len(pages)-1].number
	}
	return out
}

// contentLines are the lines of a page without its number and without rules.
func contentLines(p page) []line {
	var out []line
	for _, l := range linesOf(p.words, p.number) {
		if !isPageNumber(p, l) && !ruleLine.MatchString(l.text()) {
			out = append(out, l)
		}
	}
	return out
}

// pageAnnexes finds the headings of annexes on a page: "PHỤ LỤC …" wherever it stands alone, "(kèm theo …)" under a title
// at the top.
func pageAnnexes(p page, lines []line) []Annex {
	var out []Annex
	for i, l := range lines {
		h, ok := headingAt(p, lines, i)
		if !ok {
			continue
		}
		title, _ := annexTitle(p, lines, i+1, h.rest)
		out = append(out, Annex{Number: h.number, Title: title, Page: p.number, Place: l.place(), Marked: true})
	}
	if len(out) > 0 {
		return out
	}
	for i, l := range lines[:min(len(lines), 12)] {
		if i > 0 && isAttached(l.text()) {
			from := titleAbove(lines, i)
			if from == i {
				continue
			}
			return []Annex{{Title: clip(joinLines(lines[from:i])), Page: p.number, Place: placesOf(lines[from:i])[0], Marked: true}}
		}
	}
	return nil
}

// An annexHeading is a line "PHỤ LỤC I: DANH MỤC …" in its parts.
type annexHeading struct{ number, rest string }

var (
	annexNumber = regexp.MustCompile(`^(?:[IVXLC]{1,7}[a-z]?|\d{1,3}[A-Za-z]?|[A-ZĐ]\d{0,2})(?:[.\-/](?:\d{1,2}|[A-ZĐa-zđ]{1,3}))?$`)
	dotLeader   = regexp.MustCompile(`\.{4,}|…{2,}|(?:\. ){4,}`)
	attachWords = regexp.MustCompile(`^\(?\s*(ban hanh )?(gui )?(dinh )?kem theo\b|^\(?\s*(duoc )?ban hanh kem\b`)
)

// headingAt reads line i as the heading of an annex. In running text "Phụ lục I" is a reference, so a heading has capitals,
// is bold, stands in the middle, or opens the page; and nothing but a title follows the number.
func headingAt(p page, lines []line, i int) (annexHeading, bool) {
	l := lines[i]
	h, ok := parseHeadingLine(l.text())
	if !ok {
		return h, false
	}
	words := strings.Fields(l.text())
	capital := upperShare(words[0]+words[1]) == 1
	centred := math.Abs(l.middle()-p.width/2) < 0.07*p.width
	top := i < 3
	separated := strings.HasPrefix(h.rest, "(") || strings.ContainsAny(h.rest[:min(1, len(h.rest))], ":.-") || strings.HasPrefix(h.rest, "–") || strings.HasPrefix(h.rest, "—")
	switch {
	case dotLeader.MatchString(h.rest):
		return h, false // a table of contents
	case h.rest == "":
		ok = capital || centred || l.bold() || top
	case isAttached(h.rest):
		ok = top || capital || centred && l.bold()
	case upperShare(h.rest) > 0.9:
		ok = true
	case separated:
		ok = capital || l.bold() || top && centred
	default:
		ok = top && (capital || l.bold() && centred)
	}
	if i > 0 && ok && !capital && !l.bold() { // the second line of a sentence may begin with "Phụ lục I"
		prev := strings.TrimRight(lines[i-1].text(), " ")
		ok = strings.HasSuffix(prev, ".") || strings.HasSuffix(prev, ")") || top || l.base-lines[i-1].base > 1.9*l.size
	}
	h.rest = strings.TrimLeft(h.rest, " :.–—-")
	return h, ok
}

// parseHeadingLine parts "Phụ lục số 01. Danh mục" into number and rest, whatever marks OCR lost.
func parseHeadingLine(text string) (annexHeading, bool) {
	words := strings.Fields(text)
	if len(words) < 2 || !startsUpper(words[0]) || fold(words[0]) != "phu" || fold(words[1]) != "luc" {
		return annexHeading{}, false
	}
	var h annexHeading
	tail := strings.TrimLeft(words[1], "PHỤLCphụlcuU")
	words = words[2:]
	if len(words) > 0 && fold(words[0]) == "so" {
		words = words[1:]
	}
	if tail == "" && len(words) > 0 {
		bare := strings.TrimRight(words[0], ".:–—-")
		if annexNumber.MatchString(bare) {
			h.number = bare
			tail = strings.TrimPrefix(words[0], bare)
			words = words[1:]
		}
	}
	h.rest = strings.TrimSpace(tail + " " + strings.Join(words, " "))
	return h, true
}

// isAttached says whether a line is the phrase that ties an annex to its document: "(Kèm theo Công văn số …)".
func isAttached(text string) bool { return attachWords.MatchString(strings.TrimLeft(fold(text), "( ")) }

// titleAbove goes up from the phrase to the first line of the title over it.
func titleAbove(lines []line, i int) int {
	from := i
	for from > 0 && i-from < 6 {
		l := lines[from-1]
		text := l.text()
		if upperShare(text) < 0.9 && !l.bold() || isNation(text) || isMotto(text) || lines[from].base-l.base > 3*l.size || datePhrase.MatchString(text) ||
			len(l.pieces(2.5*l.size)) > 1 {
			break
		}
		from--
	}
	return from
}

// annexTitle reads the title from line i on: capitals or bold, over or under the phrase in brackets. It returns the line
// after the title.
func annexTitle(p page, lines []line, i int, first string) (string, int) {
	title, bracket := first, false
	if isAttached(first) {
		title, bracket = "", strings.HasPrefix(strings.TrimSpace(first), "(") && !strings.Contains(first, ")")
	}
	for end := min(len(lines), i+10); i < end; i++ {
		l := lines[i]
		text := l.text()
		if bracket { // the phrase goes on over the line's end
			bracket = !strings.Contains(text, ")")
			continue
		}
		if isAttached(text) {
			bracket = strings.HasPrefix(text, "(") && !strings.Contains(text, ")")
			if title != "" && !bracket {
				break
			}
			if title != "" {
				break
			}
			continue
		}
		if !titleLine(p, l, text, title == "") {
			break
		}
		title = strings.TrimSpace(title + " " + text)
	}
	return clip(title), i
}

// titleLine says whether a line can be part of an annex's title.
func titleLine(p page, l line, text string, first bool) bool {
	if isNation(text) || isMotto(text) || articleRef.MatchString(text) || tableHead(text) || len(l.pieces(2.5*l.size)) > 1 || isNumberLine(text) {
		return false
	}
	if _, ok := parseHeadingLine(text); ok {
		return false
	}
	centred := math.Abs(l.middle()-p.width/2) < 0.06*p.width && l.x1-l.x0 < 0.85*p.width
	if sectionHead.MatchString(text) && !centred {
		return false
	}
	if upperShare(text) > 0.9 && (centred || first) {
		return true
	}
	return centred && (l.bold() || first && !startsBody(text) && startsUpper(text))
}

var sectionHead = regexp.MustCompile(`^([IVX]{1,5}|\d{1,2}|[A-Z])[.)]\s`)

// tableHead says whether a line opens a table.
func tableHead(text string) bool {
	first, _, _ := strings.Cut(fold(text), " ")
	return first == "stt" || first == "tt" || first == "so" && strings.HasPrefix(fold(text), "so tt")
}

// clip bounds a title that is none.
func clip(s string) string {
	const most = 400
	if rs := []rune(s); len(rs) > most {
		return strings.TrimSpace(string(rs[:most])) + "…"
	}
	return s
}
