package recipients

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A nameIndex finds the units whose name a run of words is. It is a tree of folded words; abbreviations walk it by
// initials, and words written together walk several nodes at once.
type nameIndex struct {
	root   *nameNode
	level  []string // the words for the province's level: "tinh"
	prov   []string // and for its name: "kon", "tum"
	groups []groupReading
	texts  [][]string   // every name of each unit …
	grams  [][][]string // … its pairs of letters, for candidates …
	words  [][][]string // … and its words
}

type nameNode struct {
	word     string
	code     bool // the word stands abbreviated in the name: its own first letter is no initial
	children []*nameNode
	ends     []nameEnd
}

// A nameEnd says that a name of a unit ends at a node.
type nameEnd struct {
	unit *Unit
	bare bool // the name without the words for the province that it officially carries
	made bool // a form built from a name of the directory, not one that stands there

	alias   bool          // an alias and no official name
	learned *LearnedAlias // a clerk's decision made it one
}

// rank orders the ways in which one run of words is a unit's name: officially, by an alias, by a decision, by a form built.
func (e nameEnd) rank() int {
	switch {
	case e.made:
		return 3
	case e.learned != nil:
		return 2
	case e.alias:
		return 1
	}
	return 0
}

// A nameMatch is a unit that a run of words names.
type nameMatch struct {
	unit    *Unit
	bare    bool
	made    bool
	abbrev  bool // some word was read by initials
	partial bool // the words are only the beginning of the name
	fuzzy   int  // letters that had to be taken for others

	alias   bool          // an alias of the directory, no official name
	learned *LearnedAlias // the decision that made it one
}

// tier orders matches by how certain they are: a name as written in the directory, one built from it, one read by initials,
// one without its tail.
func (m nameMatch) tier() int {
	switch {
	case m.fuzzy > 0:
		return 4
	case m.bare:
		return 3
	case m.abbrev:
		return 2
	case m.made:
		return 1
	}
	return 0
}

func newNameIndex(d *Directory) *nameIndex {
	level, prov := d.province()
	x := &nameIndex{root: &nameNode{}, level: level, prov: prov}
	for i := range d.units {
		u := &d.units[i]
		if u.Kind == KindGroup {
			continue
		}
		names := u.allNames()
		for j, name := range names {
			x.add(nameWords(name), nameEnd{unit: u, alias: j > len(u.Names), learned: u.learnedAs(name)})
		}
		if u.Kind == KindCentral || u.Kind == KindDistrict {
			continue
		}
		for _, name := range names {
			for _, words := range shorter(nameWords(name)) {
				x.addForms(words, u, level, prov)
			}
		}
	}
	x.groups = d.groupReadings(x)
	for i := range d.units {
		names := d.units[i].allNames()
		grams, words := make([][]string, len(names)), make([][]string, len(names))
		for j, name := range names {
			grams[j], words[j] = bigrams(name), foldWords(name)
		}
		x.texts, x.grams, x.words = append(x.texts, names), append(x.grams, grams), append(x.words, words)
	}
	return x
}

// addForms adds a name of the province's own body with each way of naming the province behind it: none, "tỉnh", "tỉnh Kon
// Tum", "Kon Tum".
func (x *nameIndex) addForms(words []string, u *Unit, level, prov []string) {
	core, hadTail := cutTail(words, level, prov)
	if len(core) == 0 {
		return
	}
	full := slices.Concat(level, prov)
	for _, tail := range [][]string{level, full, prov} {
		if len(tail) > 0 {
			x.add(slices.Concat(core, tail), nameEnd{unit: u, made: true})
		}
	}
	if hadTail {
		x.add(core, nameEnd{unit: u, made: true, bare: true})
	}
	if n := len(core); n > 2 && core[n-2] == "chi" && core[n-1] == "nhanh" {
		x.add(core[:n-2], nameEnd{unit: u, made: true, bare: true})
		x.add(slices.Concat(core[:n-2], level), nameEnd{unit: u, made: true})
		x.add(slices.Concat(core[:n-2], full), nameEnd{unit: u, made: true})
	}
}

// shorter returns a name with the forms that leave words out which go without saying: "Việt Nam" in the middle, and "nhân dân"
// in the name of the committee's office (VPUB).
func shorter(words []string) [][]string {
	forms := [][]string{words}
	for i := 1; i+2 < len(words); i++ {
		if words[i] == "viet" && words[i+1] == "nam" {
			forms = append(forms, slices.Concat(words[:i], words[i+2:]))
		}
	}
	if startsWithWords(words, "van", "phong", "uy", "ban", "nhan", "dan") {
		forms = append(forms, slices.Concat(words[:4], words[6:]))
	}
	return forms
}

// cutTail takes the words for the province off the end of a name.
func cutTail(words, level, prov []string) (core []string, cut bool) {
	for _, tail := range [][]string{slices.Concat(level, prov), level, prov} {
		if n := len(words) - len(tail); len(tail) > 0 && n > 0 && slices.Equal(words[n:], tail) {
			return words[:n], true
		}
	}
	return words, false
}

// nameWords splits a name into folded words; those that stand abbreviated in it ("TN&MT") are in capitals.
func nameWords(name string) []string {
	var words []string
	loud := allCapitals(name) && carriesTone(name)
	for _, t := range scan(flatten(name)) {
		if t.abbrev && !loud {
			t.word = strings.ToUpper(t.word)
		}
		if t.word != "" {
			words = append(words, t.word)
		}
	}
	return words
}

func (x *nameIndex) add(words []string, end nameEnd) {
	n := x.root
	for _, w := range words {
		word := strings.ToLower(w)
		code := w != word
		i := slices.IndexFunc(n.children, func(c *nameNode) bool { return c.word == word && c.code == code })
		if i < 0 {
			n.children = append(n.children, &nameNode{word: word, code: code})
			i = len(n.children) - 1
		}
		n = n.children[i]
	}
	if n == x.root {
		return
	}
	for i, e := range n.ends {
		if e.unit == end.unit {
			best := e
			if end.rank() < e.rank() {
				best = end
			}
			best.bare = e.bare && end.bare
			n.ends[i] = best
			return
		}
	}
	n.ends = append(n.ends, end)
}

// A walk is one search in the tree.
type walk struct {
	toks    []token
	budget  int // letters that may be taken for others
	matches []nameMatch
	steps   int // bounds the work on hostile input
}

const maxSteps = 20000

// find returns the units that the tokens name in full or in part. Each unit stands once for full and once for partial, with
// its best match.
func (x *nameIndex) find(toks []token, budget int) []nameMatch {
	if len(toks) == 0 || len(toks) > 24 {
		return nil
	}
	w := &walk{toks: toks, budget: budget}
	w.step(x.root, 0, 0, nameMatch{})
	if w.steps > maxSteps {
		return nil // a rival may not have been seen
	}
	return w.matches
}

// step goes on at node n with byte offset off of token i.
func (w *walk) step(n *nameNode, i, off int, m nameMatch) {
	if w.steps++; w.steps > maxSteps {
		return
	}
	if i == len(w.toks) {
		w.arrive(n, m)
		return
	}
	rest := w.toks[i].word[off:]
	if off == 2 && w.toks[i].word == "ttr" {
		w.step(n, i+1, 0, m) // TTr is also written for Thường trực and Thanh tra
	}
	for _, c := range n.children {
		w.words(c, i, off, rest, m)
		if w.toks[i].abbrev && !c.code && rest[0] == c.word[0] {
			am := m
			am.abbrev = true
			w.advance(c, i, off+1, am)
		}
		if c.word == "cac" && n.word != "" && rest != "cac" {
			w.step(c, i, off, m) // "BQL KCN" for "BQL các KCN"
		}
	}
}

// words reads the child's word at the front of the rest of a token, whole or written together with what follows.
func (w *walk) words(c *nameNode, i, off int, rest string, m nameMatch) {
	switch {
	case rest == c.word:
		w.step(c, i+1, 0, m)
	case len(c.word) > 1 && len(rest) > len(c.word) && rest[:len(c.word)] == c.word:
		w.step(c, i, off+len(c.word), m)
	case off == 0 && m.fuzzy < w.budget && (oneEdit(rest, c.word) || confused(rest, c.word)):
		m.fuzzy++
		w.step(c, i+1, 0, m)
	}
}

// advance moves inside token i, and to the next one at its end.
func (w *walk) advance(n *nameNode, i, off int, m nameMatch) {
	if off >= len(w.toks[i].word) {
		i, off = i+1, 0
	}
	w.step(n, i, off, m)
}

// arrive records the units whose name ends here, and as partial those whose name goes on.
func (w *walk) arrive(n *nameNode, m nameMatch) {
	for _, e := range n.ends {
		em := m
		em.unit, em.bare, em.made, em.alias, em.learned = e.unit, e.bare, e.made, e.alias, e.learned
		w.record(em)
	}
	for _, c := range n.children {
		w.below(c, m)
	}
}

func (w *walk) below(n *nameNode, m nameMatch) {
	m.partial = true
	for _, e := range n.ends {
		em := m
		em.unit = e.unit
		w.record(em)
	}
	for _, c := range n.children {
		w.below(c, m)
	}
}

func (w *walk) record(m nameMatch) {
	for i, old := range w.matches {
		if old.unit == m.unit && old.partial == m.partial {
			if m.tier() < old.tier() || m.tier() == old.tier() && m.fuzzy < old.fuzzy {
				w.matches[i] = m
			}
			return
		}
	}
	w.matches = append(w.matches, m)
}

// oneEdit reports whether two long words differ by one letter: OCR's doing. Short words are too alike for that.
func oneEdit(a, b string) bool {
	if spelling(a) == spelling(b) {
		return true
	}
	if len(a) < 5 || len(b) < 5 || len(a)-len(b) > 1 || len(b)-len(a) > 1 || !utf8.ValidString(a) {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) == len(b):
		return i < len(a) && a[i+1:] == b[i+1:]
	case len(a) > len(b):
		return a[i+1:] == b[i:]
	}
	return a[i:] == b[i+1:]
}

// confused reports whether two short words of the same length differ by one letter that OCR takes for the other, and by which they
// are no two words of a name: "Sa Thầv", "Tai chinb".
func confused(a, b string) bool {
	if len(a) != len(b) || len(a) < 2 {
		return false
	}
	at := -1
	for i := range len(a) {
		if a[i] == b[i] {
			continue
		}
		if at >= 0 {
			return false
		}
		at = i
	}
	return at >= 0 && (strings.Contains(confusedLetters, a[at:at+1]+b[at:at+1]) || strings.Contains(confusedLetters, b[at:at+1]+a[at:at+1]))
}

// confusedLetters lists pairs, with a space between.
const confusedLetters = "yv ce il lt hb un gq i1 l1 o0 oc ij"

// spelling unifies the i and y that end a syllable of a place's name either way: Ray, Rai.
func spelling(s string) string { return strings.ReplaceAll(s, "y", "i") }

// flatten takes the brackets away and leaves what stands in them.
func flatten(s string) string {
	rs := []rune(s)
	for i, r := range rs {
		if r == '(' || r == ')' || r == '[' || r == ']' {
			rs[i] = ' '
		}
	}
	return string(rs)
}
