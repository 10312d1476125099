package recipients

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// isAbove reports whether an entry refers to Kính gửi.
func isAbove(text string) bool {
	toks := scan(text)
	return len(toks) > 1 && toks[0].word == "nhu" && (likeTren(toks[1].word) || slices.ContainsFunc(toks[1:], func(t token) bool { return t.word == "kinh" }))
}

// likeTren reads "trên" also when OCR took one of its letters for another.
func likeTren(word string) bool {
	return len(word) == 4 && word[:2] == "tr" && word[3] == 'n' || word == "tren"
}

// isArticle reports whether an entry refers to articles of the document.
func isArticle(text string) bool {
	toks := scan(text)
	return len(toks) > 2 && toks[0].word == "nhu" && (toks[1].word == "dieu" || toks[1].word == "cac" && toks[2].word == "dieu")
}

// referenceEnd is the token behind "Như trên", "Như kính gửi", "Như Điều 2, 3 và 4".
func referenceEnd(toks []token) int {
	i := 2
	if !likeTren(toks[1].word) && toks[1].word != "dieu" && toks[1].word != "cac" {
		for i < len(toks) && toks[i].before&sepStrong == 0 && toks[i-1].word != "gui" {
			i++
		}
		return i
	}
	for i < len(toks) && !likeTren(toks[1].word) && (toks[i].word == "dieu" || articleNumber(toks[i]) > 0) {
		i++
	}
	return i
}

// articleNumber reads the number of a Điều, in Arabic or Roman figures; 0 for none.
func articleNumber(t token) int {
	if n, err := strconv.Atoi(t.word); err == nil && len(t.word) <= 3 {
		return n
	}
	return romanFigures[t.raw]
}

var romanFigures = map[string]int{"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10}

// beside resolves what stands in an entry behind its reference: "Như trên, Sở Y tế".
func (r *reader) beside(text string) outcome {
	toks := scan(text)
	k := referenceEnd(toks)
	if k >= len(toks) || toks[k].before&(sepStrong|sepAnd) == 0 {
		return outcome{conf: 1}
	}
	rest := text[toks[k].pos:]
	if _, ok := readPurpose(rest); ok {
		return outcome{conf: 1}
	}
	return r.sum(r.list(nameIn(rest)))
}

// above resolves "Như trên": every entry of Kính gửi.
func (r *reader) above(e Entry, to []Entry) []Line {
	if len(to) == 0 {
		line := r.open(e, "noi_nhan", e.Text, "")
		line.Why = "văn bản không có phần Kính gửi để hiểu “" + e.Text + "”"
		return []Line{line}
	}
	var o outcome
	o.conf = 1
	for _, k := range to {
		ko := r.sum(r.names(k))
		if len(ko.codes) == 0 && len(ko.missing) > 0 {
			ko.missing = []string{nameIn(k.Text)}
		}
		o.add(ko)
	}
	o.add(r.beside(e.Text))
	if !r.except(&o, e.Text) {
		return []Line{r.open(e, "noi_nhan", e.Text, "")}
	}
	return r.reference(e, o, "Kính gửi")
}

// add joins another entry's outcome.
func (o *outcome) add(p outcome) {
	for _, c := range p.codes {
		if !slices.Contains(o.codes, c) {
			o.codes = append(o.codes, c)
		}
	}
	slices.Sort(o.codes)
	o.missing = append(o.missing, p.missing...)
	o.whys = append(o.whys, p.whys...)
	o.conf = min(o.conf, p.conf)
	o.excused = cmp.Or(o.excused, p.excused)
	o.pieces = append(o.pieces, p.pieces...)
	o.aside = append(o.aside, p.aside...)
}

// reference turns what a reference stands for into lines.
func (r *reader) reference(e Entry, o outcome, what string) []Line {
	var lines []Line
	if len(o.codes) > 0 {
		whys := slices.Compact(o.whys)
		lines = append(lines, Line{Entry: e, Block: "noi_nhan", Result: Resolved, Codes: o.codes,
			Why: what + ": " + strings.Join(whys, "; "), Confidence: o.conf})
	}
	for _, name := range o.missing {
		lines = append(lines, r.open(e, "noi_nhan", e.Text+": "+name, name))
	}
	if len(lines) > 0 {
		return append(lines, excusedAside(e, "noi_nhan", o)...)
	}
	if len(lines) == 0 {
		lines = append(lines, Line{Entry: e, Block: "noi_nhan", Result: Excused,
			Why: cmp.Or(o.excused, what+" không nêu đơn vị nào khác"), Confidence: 0.9})
	}
	return lines
}

// articles resolves "Như Điều n" by reading the articles. One that names nobody, or that is not at hand, is left open beside those
// that do.
func (r *reader) articles(e Entry, req Request) []Line {
	o := outcome{conf: 1}
	ar := &reader{d: r.d, issuer: r.issuer, article: true}
	toks := scan(e.Text)
	var numbers, unread []string
	for _, t := range toks[:referenceEnd(toks)] {
		n := articleNumber(t)
		if n == 0 {
			continue
		}
		numbers = append(numbers, strconv.Itoa(n))
		names := dutyBearers(decode(articleText(req, n)))
		if names == "" {
			unread = append(unread, strconv.Itoa(n))
			continue
		}
		o.add(ar.sum(ar.list(expandPolite(names))))
	}
	o.add(r.beside(e.Text))
	if !r.except(&o, e.Text) {
		return []Line{r.open(e, "noi_nhan", e.Text, "")}
	}
	what := "Điều " + strings.Join(numbers, ", ")
	if len(numbers) == len(unread) && len(o.pieces) == 0 || len(numbers) == 0 {
		return []Line{r.unread(e, e.Text, cmp.Or(strings.TrimPrefix(what, "Điều "), "được nêu"))}
	}
	lines := r.reference(e, o, what)
	if len(unread) > 0 && len(lines) == 1 && lines[0].Result == Excused {
		lines = nil
	}
	for _, n := range unread {
		lines = append(lines, r.unread(e, e.Text+": Điều "+n, n))
	}
	return lines
}

// except takes out what a reference leaves out, "Như trên (trừ Sở Y tế)"; false when it does not say whom.
func (r *reader) except(o *outcome, text string) bool {
	for _, t := range scan(text) {
		except := exceptionOf(t.notes)
		if except == "" {
			continue
		}
		left, _, ok := r.without(o.codes, except, classPhrase{})
		if !ok {
			return false
		}
		o.codes = left
	}
	return true
}

// unread is the open line for an article that says nobody's name.
func (r *reader) unread(e Entry, text, number string) Line {
	e.Text = text
	line := r.open(e, "noi_nhan", e.Text, "")
	line.Why = "không đọc được ai thi hành tại Điều " + number
	return line
}
