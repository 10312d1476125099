package intake

import (
	"math"
	"slices"
	"strings"
)

// A label is a place where "Nơi nhận" stands as the head of a block.
type label struct {
	page  int // index of the page
	at    line
	tail  string // text behind the colon on the same line
	rest  line   // its words, without what is glued to the colon
	score int
}

// A distribution is the block Nơi nhận (ô 9b) with the column of the signer beside it.
type distribution struct {
	label   label
	entries []string
	lines   []line  // without the label
	right   []line  // the column beside the block, over the pages it was looked for
	archive bool    // the entry Lưu has been seen
	gap     bool    // between two recognised lines there is room for a third
	pitch   float64 // the widest distance of two lines so far, in font sizes
}

// findLabel gives the most likely head of the block: the first of those that look best. Annexes may have blocks of their
// own; the document's own comes first.
func findLabel(pages []page) *label {
	var best *label
	for i, p := range pages {
		for _, row := range linesOf(p.words, p.number) {
			for at := range row.words {
				l, ok := labelAt(p, row, at)
				if !ok {
					continue
				}
				l.page = i
				if best == nil || l.score > best.score {
					best = &l
				}
			}
		}
	}
	return best
}

// labelAt reads the words at a place in a row as the label. It begins a column, with a capital, and has a colon or stands
// alone: "nơi nhận" within a sentence has neither.
func labelAt(p page, row line, at int) (label, bool) {
	w := row.words
	if first := fold(w[at].text); !startsUpper(w[at].text) || first != "noi" && !(p.ocr && at == 0 && strings.HasSuffix(first, "oi") && len(first) < 5) {
		return label{}, false
	}
	if at+1 >= len(w) || p.ocr && w[at+1].x0-w[at].x1 > 2*row.size {
		return halfLabel(p, row, at) // the second word, bold and slanted, was not recognised
	}
	second := fold(w[at+1].text)
	end := at + 2
	glued := ""
	if i := strings.Index(w[at+1].text, ":"); i >= 0 && i+1 < len(w[at+1].text) {
		second, glued = fold(w[at+1].text[:i]), w[at+1].text[i+1:]
	}
	if second != "nhan" && !(p.ocr && (second == "nhăn" || second == "nham" || second == "nhàn")) {
		return label{}, false
	}
	if at > 0 && w[at].x0-w[at-1].x1 < 0.9*row.size && !ruleLine.MatchString(w[at-1].text) {
		return label{}, false
	}
	colon := strings.ContainsAny(w[at+1].text, ":;.")
	if end < len(w) && ruleLine.MatchString(w[end].text) && w[end].x0-w[end-1].x1 < row.size || end < len(w) && w[end].text == ":" {
		colon = true
		end++
	}
	l := label{score: 1}
	alone := end >= len(w) || w[end].x0-w[end-1].x1 > 0.9*row.size
	if !colon && !alone {
		return label{}, false
	}
	if colon {
		l.score++
	}
	if alone && glued == "" {
		l.score++
	}
	if w[at].x0 < 0.35*p.width {
		l.score++
	}
	head := line{words: w[at:end], base: row.base, size: w[at].size}
	head.finish(p.number)
	l.at = head
	if tail := inlineTail(w, end, row.size); len(tail) > 0 || glued != "" {
		t := line{words: tail, base: row.base, size: row.size}
		t.finish(p.number)
		l.rest = t
		l.tail = strings.TrimSpace(glued + " " + t.text())
	}
	return l, true
}

// halfLabel takes a lone "Nơi" at the left of a recognised page for the label.
func halfLabel(p page, row line, at int) (label, bool) {
	w := row.words[at]
	if !p.ocr || at > 0 || w.x0 > 0.35*p.width || fold(w.text) != "noi" {
		return label{}, false
	}
	head := line{words: []word{w}, base: w.base, size: min(w.size, 14)}
	head.finish(p.number)
	return label{at: head, score: 1}, true
}

// inlineTail gives the words that follow the label in the same column.
func inlineTail(w []word, end int, size float64) []word {
	i := end
	for i < len(w) && w[i].x0-w[i-1].x1 <= 0.9*size {
		i++
	}
	return w[end:i]
}

// readDistribution reads the block below the label, over the end of the page if it goes on there.
func readDistribution(pages []page, l label) *distribution {
	d := &distribution{label: l}
	prev := l.at
	if l.tail != "" {
		d.addInline(l.tail)
	}
	for i := l.page; i < len(pages) && i <= l.page+maxOverleaf; i++ {
		p := pages[i]
		top := math.Inf(-1)
		if i == l.page {
			top = l.at.base + 0.3*l.at.size
		}
		cut := columnEnd(p, l.at.x0, top)
		if i <= l.page+1 || prev.page == p.number-1 {
			d.right = append(d.right, rightColumn(p, cut, top-3.5*l.at.size)...)
		}
		if i > l.page && (d.finished() || prev.page != p.number-1) {
			break // on the next page nothing of it was found
		}
		prev = d.readColumns(p, cut, top, prev, i > l.page)
	}
	return d
}

// maxOverleaf is over how many pages a block may go on.
const maxOverleaf = 10

// readColumns reads the block's part of a page: one column, or two beside each other with bullets of their own.
func (d *distribution) readColumns(p page, cut, top float64, prev line, newPage bool) line {
	x := d.label.at.x0
	inner, ok := innerColumn(p, x, cut, top-2*d.label.at.size)
	if !ok {
		return d.walk(p, leftLines(p, x, cut, top), prev, newPage)
	}
	prev = d.walk(p, leftLines(p, x, inner, top), prev, newPage)
	second := leftLines(p, inner, cut, top-2*d.label.at.size)
	if len(second) == 0 {
		return prev
	}
	above := second[0]
	above.base -= above.size
	d.label.at.x0, d.archive = inner, false
	last := d.walk(p, second, above, false)
	d.label.at.x0 = x
	if last.base > prev.base {
		return last
	}
	return prev
}

// innerColumn finds where a second column of entries begins: bullets under each other, apart from what stands left of them.
func innerColumn(p page, x, cut, top float64) (float64, bool) {
	var starts []float64
	for _, row := range linesOf(below(p.words, top), p.number) {
		for _, piece := range row.pieces(0.85 * row.size) {
			if piece.x0 < x+0.12*p.width || piece.x0 > cut-20 {
				continue
			}
			if _, bullet := cutBullet(piece.text()); bullet {
				starts = append(starts, piece.x0)
			}
		}
	}
	for _, s := range starts {
		same := 0
		for _, o := range starts {
			if math.Abs(o-s) < 5 {
				same++
			}
		}
		if same >= 2 {
			return s - 3, true
		}
	}
	return 0, false
}

// goesOver says whether a page with a part of the block ends in it, so that the next may go on with it.
func goesOver(p page) bool {
	rows := linesOf(p.words, p.number)
	for i := len(rows) - 1; i >= 0; i-- {
		if isPageNumber(p, rows[i]) {
			continue
		}
		text := rows[i].pieces(0.85 * rows[i].size)[0].text()
		_, bullet := cutBullet(text)
		return bullet || strings.HasSuffix(text, ";")
	}
	return false
}

// finished says whether nothing can follow: the archive entry stands last and ends with a full stop (NĐ 30/2020 Phụ lục I
// II.9).
func (d *distribution) finished() bool {
	n := len(d.entries)
	return n > 0 && d.archive && strings.HasSuffix(d.entries[n-1], ".")
}

// columnEnd finds the x at which the column beside the block begins. Its lines are set around one middle, so a piece of
// text that stands apart on the right counts only when others share its middle or it stands far right alone.
func columnEnd(p page, x, top float64) float64 {
	var starts, middles []float64
	limit := p.height
	for _, row := range linesOf(below(p.words, top-3*12), p.number) {
		if row.base > limit {
			break
		}
		for _, piece := range row.pieces(0.85 * row.size)[min(1, len(row.pieces(0.85*row.size))-1):] {
			if _, bullet := cutBullet(piece.text()); bullet {
				continue // a second column of entries
			}
			if piece.x0 > x+0.18*p.width && piece.middle() > 0.4*p.width {
				starts = append(starts, piece.x0)
				middles = append(middles, piece.middle())
				break
			}
		}
	}
	if len(starts) == 0 {
		return 0.55 * p.width
	}
	sorted := slices.Clone(middles)
	slices.Sort(sorted)
	middle := sorted[len(sorted)/2]
	end := math.Inf(1)
	for i, m := range middles {
		if math.Abs(m-middle) < 0.09*p.width {
			end = min(end, starts[i])
		}
	}
	return end - 1
}

func below(words []word, y float64) []word {
	var out []word
	for _, w := range words {
		if w.base > y {
			out = append(out, w)
		}
	}
	return out
}

// leftLines are the lines of the block's own column below top.
func leftLines(p page, x, cut, top float64) []line {
	var words []word
	for _, w := range p.words {
		if w.base > top && w.x0 < cut && w.x0 > x-0.075*p.width {
			words = append(words, w)
		}
	}
	return linesOf(words, p.number)
}

// rightColumn are the lines right of cut below top, pieces of rows that reach over it from the left left out.
func rightColumn(p page, cut, top float64) []line {
	var words []word
	for _, row := range linesOf(below(p.words, top), p.number) {
		for _, piece := range row.pieces(0.85 * row.size) {
			if piece.x0 >= cut-0.01*p.width {
				words = append(words, piece.words...)
			}
		}
	}
	return linesOf(words, p.number)
}

// walk takes lines into the block until one does not belong to it. It returns the last line taken.
func (d *distribution) walk(p page, lines []line, prev line, newPage bool) line {
	for i, l := range lines {
		text := l.text()
		if newPage && i == 0 {
			if isPageNumber(p, l) {
				newPage = true
				lines[i] = line{}
				if i+1 < len(lines) {
					return d.walk(p, lines[i+1:], prev, true)
				}
				return prev
			}
			if !d.mayContinue(l, text) {
				return prev
			}
		} else if !d.belongs(p, l, prev, text) {
			return prev
		}
		if p.ocr && clipped(p, l, text) {
			continue
		}
		if l.page == prev.page {
			pitch := (l.base - prev.base) / max(l.size, prev.size)
			d.gap = d.gap || p.ocr && len(d.lines) > 1 && pitch > 1.7*d.pitch
			d.pitch = max(d.pitch, pitch)
		}
		d.add(l, text)
		prev = l
	}
	return prev
}

// clipped says whether a recognised line is no line: dirt, or what a page break left of one that stands whole overleaf.
func clipped(p page, l line, text string) bool {
	if strings.IndexFunc(text, isLetterOrDigit) < 0 {
		return true
	}
	return l.sureness() < 40 && (letters(l.words) < 4 || l.base > 0.87*p.height)
}

// mayContinue says whether the first line of the next page goes on with the block.
func (d *distribution) mayContinue(l line, text string) bool {
	if _, bullet := cutBullet(text); !bullet && len(d.entries) > 0 && endsEntry(d.entries[len(d.entries)-1]) {
		return isArchive(text)
	}
	return math.Abs(l.x0-d.label.at.x0) < 40 && upperShare(text) < 0.95 && l.size < 1.35*max(d.label.at.size, 11)
}

// belongs says whether a line under the block is part of it: near the line before, at the left edge of the column, in its
// small type, and not after the end.
func (d *distribution) belongs(p page, l, prev line, text string) bool {
	rest, bullet := cutBullet(text)
	pitch := (l.base - prev.base) / max(l.size, prev.size)
	room := 3.2
	if len(d.lines) > 0 { // no wider than the lines before, whose distance is the producer's
		room = max(2.1, 1.25*d.pitch)
		if bullet && p.ocr && !d.archive { // a line between them may not have been recognised
			room = max(3.6, 2.4*d.pitch)
		}
	}
	if pitch > room || l.x0 > d.label.at.x0+75 || l.size > 1.45*max(d.label.at.size, 11) || rest == "" || ruleLine.MatchString(text) {
		return false
	}
	if len(d.lines) > 1 && l.size > 1.2*d.lines[0].size && !bullet {
		return false
	}
	if articleRef.MatchString(text) || isNumberLine(text) && !bullet {
		return false
	}
	if d.archive && !bullet {
		last := d.entries[len(d.entries)-1]
		return pitch < max(1.6, 0.8*d.pitch) && !strings.HasSuffix(last, ".")
	}
	return true
}

// add puts a printed line into the entries.
func (d *distribution) add(l line, text string) {
	d.lines = append(d.lines, l)
	_, bullet := cutBullet(text)
	n := len(d.entries)
	if n > 0 && !bullet && !d.beginsEntry(text) {
		d.entries[n-1] += " " + text
		return
	}
	d.entries = append(d.entries, text)
	d.archive = d.archive || isArchive(text)
}

// beginsEntry says whether a line without a bullet begins an entry: the one before is complete, or is that of a block
// without any bullets whose line was not full.
func (d *distribution) beginsEntry(text string) bool {
	n := len(d.entries)
	last := d.entries[n-1]
	if strings.HasPrefix(text, "(") {
		return false
	}
	if endsEntry(last) || isArchive(text) {
		return true
	}
	if _, bullet := cutBullet(d.entries[0]); bullet || strings.HasSuffix(last, ",") {
		return false
	}
	if !startsUpper(text) || len(d.lines) < 2 {
		return false
	}
	if opensEntry(text) && !awaitsMore(last) {
		return true
	}
	widest := 0.0
	for _, l := range d.lines {
		widest = max(widest, l.x1)
	}
	before := d.lines[len(d.lines)-2]
	first := d.lines[len(d.lines)-1].words[0]
	return before.x1+first.x1-first.x0 < widest-1
}

// entryHeads are words that begin an entry of a block, besides those that begin the name of an agency.
var entryHeads = []string{"nhu ", "thuong truc ", "tt ", "chu tich ", "pho chu tich ", "lanh dao ", "cac ", "ct ", "pct ", "vp ", "vpub ", "don vi ",
	"dai bieu ", "mttq ", "ubmttq ", "ttr ", "cong bao ", "cong thong tin ", "website ", "trang tin ", "giam doc ", "chanh ", "nhung "}

// opensEntry says whether a line names a body of its own from its first word on.
func opensEntry(text string) bool {
	f := fold(text) + " "
	return (beginsName(text) || slices.ContainsFunc(entryHeads, func(h string) bool { return strings.HasPrefix(f, h) })) && startsUpper(text)
}

// awaitsMore says whether an entry cannot end where its line does: after "và", a comma, within brackets, or with a word
// that needs the name that follows ("Văn phòng / Ủy ban nhân dân tỉnh").
func awaitsMore(entry string) bool {
	rest, _ := cutBullet(entry)
	if opensName(rest) || strings.Count(rest, "(") > strings.Count(rest, ")") {
		return true
	}
	last := fold(rest)
	if i := strings.LastIndexByte(last, ' '); i >= 0 {
		last = last[i+1:]
	}
	return slices.Contains([]string{"va", "cua", "cac", "thuoc", "tai", "voi", "cung", "phong", "dao", "truc", "tich", "doc", "truong", "vien",
		"so", "ban", "gom", "la"}, last)
}

// addInline takes text that stands behind the label on its line: "Nơi nhận: Như trên; Lưu: VT."
func (d *distribution) addInline(text string) {
	for _, part := range strings.SplitAfter(text, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		d.entries = append(d.entries, part)
		d.archive = d.archive || isArchive(part)
	}
}

func isArchive(text string) bool {
	rest, _ := cutBullet(text)
	f := fold(rest)
	return f == "luu" || strings.HasPrefix(f, "luu ") || strings.HasPrefix(f, "luu:") || strings.HasPrefix(f, "luu,")
}

// isPageNumber says whether a line is the number of the page, which stands alone at its top or bottom.
func isPageNumber(p page, l line) bool {
	if l.base > 0.1*p.height && l.base < 0.9*p.height {
		return false
	}
	t := strings.Trim(l.text(), "-–— .")
	return t != "" && len(t) <= 4 && strings.Trim(t, "0123456789") == "" || strings.HasPrefix(fold(l.text()), "trang ") && len(t) < 15
}
