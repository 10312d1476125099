package recipients

import (
	"slices"
	"strings"

	"congvan/mailcore/viettext"
)

// Resolve reads a document's blocks and says of each entry which units it means. The lines stand in the order of the
// document: those of Kính gửi first, unless Nơi nhận refers to them by "Như trên", then those of Nơi nhận. What a careful
// clerk would not be certain of is open, with the reason and up to three candidates. An entry known in part gives a resolved
// line and an open one for each name that is not known.
func (d *Directory) Resolve(req Request) []Line {
	d = d.At(req.Date)
	req.KinhGui, req.NoiNhan = decode(req.KinhGui), decode(req.NoiNhan)
	r := &reader{d: d, issuer: d.unit(req.Issuer)}
	to := r.rejoin(parseBlock(req.KinhGui, kinhGui), req.KinhGui)
	entries := r.rejoin(parseBlock(req.NoiNhan, noiNhan), req.NoiNhan)
	r.ministries = slices.ContainsFunc(slices.Concat(to, entries), allMinistries)
	refers := slices.ContainsFunc(entries, func(e Entry) bool { return isAbove(e.Text) })
	var lines []Line
	if !refers {
		for _, e := range to {
			lines = append(lines, r.entry(e, "kinh_gui")...)
		}
	}
	for _, e := range entries {
		switch {
		case isAbove(e.Text):
			lines = append(lines, r.above(e, to)...)
		case isArticle(e.Text):
			lines = append(lines, r.articles(e, req)...)
		default:
			lines = append(lines, r.entry(e, "noi_nhan")...)
		}
	}
	lines = append(lines, r.missed(req.KinhGui, kinhGui, to)...)
	lines = append(lines, r.missed(req.NoiNhan, noiNhan, entries)...)
	for i := range lines {
		if lines[i].Codes == nil {
			lines[i].Codes = []UnitCode{} // an empty list in JSON
		}
	}
	return lines
}

// allMinistries reports whether an entry stands for the ministries as a class.
func allMinistries(e Entry) bool {
	return e.Kind == EntryGroup && strings.Contains(" "+strings.Join(foldWords(firstBytes(e.Text, 300)), " ")+" ", " co quan ngang bo ")
}

// decode puts a text in an old encoding right and composes it. A text that has letters which only Unicode has is in it, and a wrong
// mark in it OCR's doing ("Ban Dân tôc"); of such a text only lines are put right that have none of those, but signs that old
// encodings put for letters.
func decode(text string) string {
	text = viettext.NFC(text)
	if !strings.ContainsFunc(text, onlyUnicode) {
		text, _ = viettext.Recode(text)
		return viettext.NFC(text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.ContainsFunc(line, onlyUnicode) && strings.ContainsFunc(line, func(r rune) bool { return r > 0xa0 && r < 0xc0 }) {
			line, _ = viettext.Recode(line)
			lines[i] = viettext.NFC(line)
		}
	}
	return strings.Join(lines, "\n")
}

// onlyUnicode reports whether a letter of Vietnamese is in no old table read as Latin-1.
func onlyUnicode(r rune) bool {
	return r >= 0x1ea0 && r <= 0x1ef9 || strings.ContainsRune("ăđơưĂĐƠƯ", r)
}

// entry resolves one entry that stands for itself.
func (r *reader) entry(e Entry, block string) []Line {
	if e.Kind == EntryArchive {
		return []Line{{Entry: e, Block: block, Result: Excused, Why: "lưu tại cơ quan ban hành", Confidence: 1}}
	}
	return r.lines(e, block, r.sum(r.names(e)))
}

// names reads the list in an entry.
func (r *reader) names(e Entry) []piece {
	r.report = strings.HasPrefix(e.Purpose, "báo cáo")
	return r.list(nameIn(e.Text))
}

// nameIn is the text of an entry without its purpose.
func nameIn(text string) string {
	text = expandPolite(text)
	if namesList(text) {
		return text
	}
	name, _ := stripPurpose(text)
	if excepts(text) && !excepts(name) {
		return text // "(để thực hiện, trừ huyện A)"
	}
	return name
}

// excepts reports whether a bracket in a text leaves somebody out.
func excepts(text string) bool {
	return slices.ContainsFunc(scan(text), func(t token) bool { return exceptionOf(t.notes) != "" })
}

// expandPolite writes "đ/c" out, whose stroke would divide the list.
func expandPolite(s string) string {
	return politeReplacer.Replace(s)
}

var politeReplacer = strings.NewReplacer("Đ/c", "đồng chí", "đ/c", "đồng chí", "Đ/C", "đồng chí", "đ/C", "đồng chí", "Đ.c ", "đồng chí ", "đ.c ", "đồng chí ")

// An outcome is what the pieces of an entry come to.
type outcome struct {
	codes   []UnitCode
	missing []string
	excused string // why, when a part needs no copy
	whys    []string
	conf    float64
	pieces  []piece
	aside   []piece // names that need no copy beside others that do
}

// sum adds up the pieces of a list.
func (r *reader) sum(pieces []piece) outcome {
	o := outcome{conf: 1, pieces: pieces}
	settleHouse(pieces)
	var gone []UnitCode
	for _, p := range pieces {
		gone = append(gone, p.gone...)
	}
	for _, p := range pieces {
		switch p.verdict {
		case known:
			for _, c := range p.codes {
				if p.unit == nil && slices.Contains(gone, c) {
					continue // "Các sở, ban, ngành; UBND các huyện (trừ Sở Y tế)"
				}
				if (r.issuer == nil || c != r.issuer.Code) && !slices.Contains(o.codes, c) {
					o.codes = append(o.codes, c)
				}
			}
			if !slices.Contains(o.whys, p.why) {
				o.whys = append(o.whys, p.why)
			}
			o.conf = min(o.conf, p.conf)
		case inHouse:
			if o.excused == "" {
				o.excused = p.why
			}
			if p.said {
				o.aside = append(o.aside, p)
			}
		case unknown:
			o.missing = append(o.missing, p.text)
		}
	}
	slices.Sort(o.codes)
	return o
}

// settleHouse lets what stands beside the house's people need no copy either: marks of rooms and desks ("CVP, KTN, NC"), and
// the name of somebody whose room follows ("bà Y Ngọc, chuyên viên Phòng Quản lý ngân sách").
func settleHouse(pieces []piece) {
	house := slices.ContainsFunc(pieces, func(p piece) bool { return p.verdict == inHouse })
	for i := range pieces {
		if !house || pieces[i].verdict != unknown {
			continue
		}
		toks := scan(pieces[i].text)
		switch {
		case allCodes(toks):
			pieces[i].verdict, pieces[i].why = inHouse, "phòng, bộ phận của cơ quan ban hành"
		case hasPhrase(toks, [][]string{w("ong"), w("ba"), w("dong chi")}) && i+1 < len(pieces) && pieces[i+1].verdict == inHouse && !upperFirst(pieces[i+1].text):
			pieces[i].verdict, pieces[i].why = inHouse, pieces[i+1].why
		}
	}
}

// lines turns the outcome of an entry into its lines.
func (r *reader) lines(e Entry, block string, o outcome) []Line {
	line := Line{Entry: e, Block: block}
	switch {
	case len(o.codes) > 0:
		line.Result, line.Codes, line.Why, line.Confidence = Resolved, o.codes, strings.Join(o.whys, "; "), o.conf
		lines := []Line{line}
		for _, name := range o.missing {
			lines = append(lines, r.open(e, block, e.Text+": "+name, name))
		}
		return append(lines, excusedAside(e, block, o)...)
	case len(o.missing) > 0 || len(o.pieces) == 0:
		return append([]Line{r.open(e, block, e.Text, e.Text)}, excusedAside(e, block, o)...)
	case o.excused != "":
		line.Result, line.Why, line.Confidence = Excused, o.excused, 0.95
	default:
		line.Result, line.Why, line.Confidence = Excused, "không còn đơn vị nào ngoài cơ quan ban hành", 0.9
	}
	return []Line{line}
}

// excusedAside makes the lines for the names in an entry that need no copy while others do, so that each is accounted for.
func excusedAside(e Entry, block string, o outcome) []Line {
	var lines []Line
	text := e.Text
	for _, p := range o.aside {
		e.Text = text + ": " + p.text
		lines = append(lines, Line{Entry: e, Block: block, Result: Excused, Why: p.why, Confidence: 0.9})
	}
	return lines
}

// open makes the open line for a name that is not known.
func (r *reader) open(e Entry, block, text, name string) Line {
	e.Text = text
	cands := r.candidates(name)
	why := "không có trong danh bạ"
	if len(cands) > 0 {
		why = "không chắc là đơn vị nào trong danh bạ"
	}
	return Line{Entry: e, Block: block, Result: Open, Why: why, Candidates: cands}
}
