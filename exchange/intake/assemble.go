package intake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"congvan/mailcore/viettext"
)

// assemble makes the draft out of the pages that were read.
func assemble(d *Draft, pages []page) {
	if len(pages) == 0 {
		return
	}
	old := d.Encoding != ""
	d.Original = original(pages)
	at := headPage(pages)
	first := pages[at]
	h := readHead(first, old)
	d.fillHead(h, old)
	h.marks = append(h.marks, laterMarks(first, h.rest, old)...)
	start := 0
	if a := readAddressees(first, h.rest); a != nil {
		d.KinhGui = a.entries
		d.place(FieldKinhGui, a.lines)
		start = a.next
	}
	for i, p := range pages {
		h.marks = append(append(h.marks, turnedMarks(p)...), p.stamps...)
		if i != at {
			h.marks = append(h.marks, laterMarks(p, linesOf(p.words, p.number), old)...)
		}
	}
	d.fillMarks(h.marks)
	l := findLabel(pages)
	d.fillBody(pages, at, h.rest[start:], l)
	if l == nil {
		d.fillSignature(signatureAlone(pages))
		return
	}
	block := readDistribution(pages, *l)
	d.NoiNhan, d.printed = block.entries, slices.Clone(block.entries)
	if pages[l.page].ocr {
		for i, e := range d.NoiNhan {
			d.NoiNhan[i] = tidyEntry(e)
		}
		for _, ln := range block.lines {
			if ln.sureness() < 65 {
				d.Warnings = append(d.Warnings, fmt.Sprintf("Nơi nhận có dòng khó đọc: «%s». Hãy so với bản quét.", ln.text()))
			}
		}
	}
	if block.gap {
		d.Warnings = append(d.Warnings, "Trong Nơi nhận có chỗ trống giữa hai dòng, có thể thiếu một dòng. Hãy so với bản quét.")
	}
	d.place(FieldNoiNhan, append([]line{l.at}, block.lines...))
	d.lines[FieldNoiNhan] = append([]line{l.at, l.rest}, block.lines...)
	d.fillSignature(readSignature(block.right))
}

// headPage is the index of the first page with text: some producers leave an empty one before it. A page that nobody could
// read is not empty.
func headPage(pages []page) int {
	for i, p := range pages {
		if len(p.words) > 0 || p.text != "" || p.unread {
			return i
		}
	}
	return 0
}

// original gives the lines that were decoded as they stood in the file.
func original(pages []page) string {
	var lines []string
	for _, p := range pages {
		if p.encoding == "" {
			continue
		}
		for _, l := range linesOf(p.words, p.number) {
			if raw := l.raw(); raw != l.text() {
				lines = append(lines, raw)
			}
		}
	}
	return strings.Join(lines, "\n")
}

func (d *Draft) place(name FieldName, lines []line) {
	if len(lines) > 0 {
		d.Places[name] = placesOf(lines)
		d.lines[name] = lines
	}
}

// fillHead hands the text of the cells to ParseHeading, and keeps what only the place tells: issuer, trích yếu, type.
func (d *Draft) fillHead(h head, old bool) {
	raise := func(s string) string { return s }
	if old { // ô 2 and ô 3 are always in capitals; old fonts for capitals do not say so in the file
		raise = strings.ToUpper
	}
	var raw []string
	superior, issuer := raise(joinLines(h.superior)), raise(joinLines(h.issuer))
	for _, s := range []string{superior, issuer} {
		if s != "" {
			raw = append(raw, s)
		}
	}
	if h.number != nil {
		raw = append(raw, raiseReference(h.number.text(), old))
		d.place(FieldNumber, []line{*h.number})
	}
	about := joinLines(h.about)
	if about != "" {
		raw = append(raw, about)
		d.place(FieldSubject, h.about)
	}
	if h.date != nil {
		raw = append(raw, h.date.text())
		d.place(FieldDate, []line{*h.date})
	}
	title, subject := "", joinLines(h.subject)
	if len(h.title) > 0 {
		title = h.title[0].text()
		raw = append(raw, "", raise(title), subject)
		d.place(FieldType, h.title)
		d.place(FieldSubject, h.subject)
	}
	d.place(FieldIssuer, h.issuer)
	d.place(FieldSuperior, h.superior)
	d.Heading = ParseHeading(strings.Join(raw, "\n"))
	d.overrule(superior, issuer, title, subject, about, old)
}

// overrule sets what the place on the page decides better than the words.
func (d *Draft) overrule(superior, issuer, title, subject, about string, old bool) {
	hd := &d.Heading
	hd.Superior, hd.Issuer = superior, issuer
	switch {
	case title != "":
		if hd.Type = titleType(title, old); hd.Type == "" {
			hd.Type = sentenceCase(strings.TrimRight(title, " :.*"))
		}
		hd.Subject = subject
	case about != "" || d.Heading.Number != "":
		hd.Type = "Công văn"
		hd.Subject = strings.TrimSpace(strings.TrimSuffix(aboutLine.ReplaceAllString(about, ""), ")"))
	}
	hd.Subject = viettext.NFC(strings.Join(strings.Fields(hd.Subject), " "))
}

// raiseReference gives the letters of a number and symbol back their capitals where an old font hid them.
func raiseReference(text string, old bool) string {
	label, ref, ok := strings.Cut(text, ":")
	if !old || !ok || ref != strings.ToLower(ref) {
		return text
	}
	return label + ":" + strings.ToUpper(ref)
}

// fillMarks takes the strongest mark of each kind. Two different ones are a doubt to be told.
func (d *Draft) fillMarks(marks []mark) {
	rank := map[string]int{"Mật": 1, "Tối mật": 2, "Tuyệt mật": 3, "Khẩn": 1, "Thượng khẩn": 2, "Hỏa tốc": 3, "Hỏa tốc hẹn giờ": 4}
	var doubts []int // pages
	for _, m := range marks {
		if m.doubt {
			doubts = append(doubts, m.line.page)
			continue
		}
		if rank[m.secrecy] > rank[d.Secrecy] {
			d.Secrecy = m.secrecy
			d.place(FieldSecrecy, []line{m.line})
		}
		if rank[m.urgency] > rank[d.Urgency] {
			d.Urgency = m.urgency
			d.place(FieldUrgency, []line{m.line})
		}
	}
	if len(doubts) > 0 && d.Secrecy == "" && d.Problem(MaybeSecret) == nil {
		d.Problems = append(d.Problems, maybeSecret(doubts))
	}
}

func (d *Draft) fillSignature(s signature) {
	if s.at != nil && s.at.words[0].conf < 100 && strings.HasPrefix(s.name, "V ") { // no family name, but Y is one
		s.name = "Y " + s.name[2:]
	}
	d.Signer, d.SignFor = s.name, s.above
	if s.at != nil {
		d.place(FieldSigner, []line{*s.at})
	}
	if n := len(s.above); n > 0 {
		d.place(FieldSignFor, s.lines[:min(n, len(s.lines))])
	}
}

// fillBody collects the text between the head and the block Nơi nhận, and the Điều in it. What follows the block is an
// annex with Điều of its own.
func (d *Draft) fillBody(pages []page, head int, rest []line, l *label) {
	var texts []string
	for i, p := range pages {
		lines := rest
		if i != head {
			lines = linesOf(p.words, p.number)
		}
		for ln := range strings.Lines(p.text) {
			texts = append(texts, strings.Join(strings.Fields(ln), " "))
		}
		for _, ln := range lines {
			if l != nil && i == l.page && ln.base > l.at.base-0.3*ln.size {
				break
			}
			if i != head && isPageNumber(p, ln) {
				continue
			}
			texts = append(texts, ln.text())
		}
		if l != nil && i == l.page {
			break
		}
	}
	d.Body = strings.Join(texts, "\n")
	d.Articles = articlesOf(texts)
}

// articlesOf parts the lines of a body into its Điều. The first of a number counts.
func articlesOf(lines []string) map[int]string {
	out := make(map[int]string)
	current := 0
	for _, text := range lines {
		if m := articleRef.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			if out[n] != "" {
				current = 0
				continue
			}
			current, out[n] = n, text
			continue
		}
		if current > 0 {
			out[current] += " " + text
		}
	}
	return out
}
