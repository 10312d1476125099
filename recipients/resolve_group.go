package recipients

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A classPhrase is a run of words that names classes of bodies: "Các Sở, ban, ngành", "UBND 09 huyện, thành phố".
type classPhrase struct {
	atoms     []string // sorted: "ban", "nganh", "so"
	count     int      // the number written, 0 for none
	plural    bool     // "các", "tất cả" or a number stands in it
	committee bool     // "UBND" stands before the classes
}

// A groupReading is one group of the directory with every set of classes that its name and aliases write.
type groupReading struct {
	unit  *Unit
	sets  []map[string]bool
	vocab map[string]bool
}

// groupReadings reads the names of the directory's groups into sets of classes.
func (d *Directory) groupReadings(x *nameIndex) []groupReading {
	var all []groupReading
	for i := range d.units {
		u := &d.units[i]
		if u.Kind != KindGroup {
			continue
		}
		g := groupReading{unit: u, vocab: map[string]bool{}}
		for _, name := range u.allNames() {
			p := x.classes(scan(flatten(name)))
			set := map[string]bool{}
			for _, a := range p.atoms {
				set[a] = true
				g.vocab[a] = true
			}
			if len(set) > 0 {
				g.sets = append(g.sets, set)
			}
		}
		all = append(all, g)
	}
	return all
}

// classes reads tokens as a phrase of classes. Words that only say "all of the province's" are dropped.
func (x *nameIndex) classes(toks []token) classPhrase {
	var p classPhrase
	toks = dropLeading(toks, headWords)
	var atom []string
	flush := func() {
		p.atoms = append(p.atoms, x.atom(atom, &p)...)
		atom = nil
	}
	for i, t := range toks {
		if i > 0 && t.before&(sepStrong|sepAnd|sepDot) != 0 {
			flush()
		}
		switch n, err := strconv.Atoi(t.word); {
		case t.word == "cac":
			p.plural = true
		case err == nil:
			p.plural, p.count = true, n
		default:
			atom = append(atom, expandClass(t)...)
		}
	}
	flush()
	slices.Sort(p.atoms)
	p.atoms = slices.Compact(p.atoms)
	return p
}

// expandClass writes the abbreviations of class words out.
func expandClass(t token) []string {
	switch t.word {
	case "ubnd":
		return []string{"uy", "ban", "nhan", "dan"}
	case "tp":
		return []string{"thanh", "pho"}
	case "tx":
		return []string{"thi", "xa"}
	case "ctxh":
		return []string{"chinh", "tri", "xa", "hoi"}
	case "ct", "xh":
		if t.word == "ct" {
			return []string{"chinh", "tri"}
		}
		return []string{"xa", "hoi"}
	case "vp":
		return []string{"van", "phong"}
	case "cm":
		return []string{"chuyen", "mon"}
	case "xdd":
		return []string{"xay", "dung", "dang"}
	}
	return []string{t.word}
}

// atom turns the words between two separators into classes; "ban ngành" is two.
func (x *nameIndex) atom(words []string, p *classPhrase) []string {
	s := " " + strings.Join(words, " ") + " "
	if rest, ok := strings.CutPrefix(s, " uy ban nhan dan "); ok && strings.TrimSpace(rest) != "" {
		p.committee, s = true, " "+rest
	}
	lv := strings.Join(x.level, " ")
	for _, tail := range []string{" " + lv + " " + strings.Join(x.prov, " ") + " ", " " + lv + " "} {
		s = strings.TrimSuffix(s, tail[1:])
	}
	if rest, ok := strings.CutSuffix(strings.TrimRight(s, " "), " thuoc uy ban nhan dan"); ok {
		s = rest + " "
	}
	for _, w := range fillers {
		s = strings.ReplaceAll(s, " "+w+" ", " ")
	}
	switch s = strings.TrimSpace(s); s {
	case "":
		return nil
	case "ban nganh":
		return []string{"ban", "nganh"}
	case "so nganh":
		return []string{"so", "nganh"}
	case "so ban nganh":
		return []string{"so", "ban", "nganh"}
	case "to chuc chinh tri xa hoi", "doan the chinh tri xa hoi", "to chuc doan the", "to chuc doan the chinh tri xa hoi":
		return []string{"doan the"}
	}
	return []string{s}
}

// fillers are the words of a class phrase that say nothing about which class.
var fillers = []string{"tren dia ban toan", "tren dia ban", "tren toan", "tat ca", "toan the", "cap", "thuoc", "cua", "trong", "toan", "quy"}

// headWords are the offices whose holders stand for their bodies in front of a class: "Thủ trưởng các Sở, ban, ngành".
var headWords = [][]string{
	{"dong", "chi"}, {"ong"}, {"ba"}, {"thu", "truong"}, {"lanh", "dao"}, {"nguoi", "dung", "dau"}, {"giam", "doc"}, {"pho", "giam", "doc"},
	{"pho", "chu", "tich"}, {"chu", "tich"}, {"ct"}, {"pct"}, {"gd"}, {"truong"},
}

// dropLeading takes phrases off the front of tokens, "các" between them too, as long as a class follows.
func dropLeading(toks []token, phrases [][]string) []token {
	for {
		n := 0
		for _, ph := range phrases {
			if len(ph) < len(toks)-1 && startsWith(toks, ph) {
				n = max(n, len(ph))
			}
		}
		if n == 0 {
			return toks
		}
		if n < len(toks)-2 && toks[n].word == "cac" && hasPhrase(toks[n+1:], phrases) {
			n++
		}
		toks = toks[n:]
	}
}

func hasPhrase(toks []token, phrases [][]string) bool {
	return slices.ContainsFunc(phrases, func(ph []string) bool { return startsWith(toks, ph) })
}

func startsWith(toks []token, words []string) bool {
	if len(toks) < len(words) {
		return false
	}
	for i, w := range words {
		if toks[i].word != w {
			return false
		}
	}
	return true
}

// A groupMatch is what a class phrase stands for.
type groupMatch struct {
	codes  []UnitCode
	groups []*Unit
	empty  bool // a group without a list of members
}

// matchGroups finds the groups that a class phrase writes: their sets of classes must cover it and name nothing else.
func (d *Directory) matchGroups(p classPhrase) (groupMatch, bool) {
	var m groupMatch
	if len(p.atoms) == 0 {
		return m, false
	}
	covered := map[string]bool{}
	codes := map[UnitCode]bool{}
	for _, g := range d.names.groups {
		if !slices.ContainsFunc(g.sets, func(set map[string]bool) bool { return subset(set, p.atoms) }) {
			continue
		}
		for _, a := range p.atoms {
			if g.vocab[a] {
				covered[a] = true
			}
		}
		m.groups = append(m.groups, g.unit)
		members, ok := d.Members(g.unit.Code)
		m.empty = m.empty || !ok || len(members) == 0
		for _, c := range members {
			codes[c] = true
		}
	}
	if len(m.groups) == 0 || len(covered) != len(p.atoms) {
		return groupMatch{}, false
	}
	m.codes = slices.Sorted(maps.Keys(codes))
	return m, true
}

func subset(set map[string]bool, of []string) bool {
	for a := range set {
		if !slices.Contains(of, a) {
			return false
		}
	}
	return true
}

// districtClass returns the districts whose names begin with one of the classes ("huyện", "thị xã"): what "UBND các huyện"
// means beside a line for the town.
func (d *Directory) districtClass(classes []string) []UnitCode {
	var codes []UnitCode
	for i := range d.units {
		u := &d.units[i]
		if u.Kind == KindDistrict && slices.ContainsFunc(u.allNames(), func(name string) bool { return slices.Contains(classes, districtClassOf(name)) }) {
			codes = append(codes, u.Code)
		}
	}
	slices.Sort(codes)
	return codes
}

// districtClassOf returns the class word in the name of a district: huyen, thi xa, thanh pho, quan.
func districtClassOf(name string) string {
	words := foldWords(name)
	if startsWithWords(words, "uy", "ban", "nhan", "dan") {
		words = words[4:]
	} else if startsWithWords(words, "ubnd") {
		words = words[1:]
	}
	return leadingClass(words)
}

func leadingClass(words []string) string {
	switch {
	case len(words) == 0:
		return ""
	case startsWithWords(words, "thi", "xa"), startsWithWords(words, "thanh", "pho"):
		return words[0] + " " + words[1]
	case words[0] == "huyen", words[0] == "quan":
		return words[0]
	}
	return ""
}

func startsWithWords(words []string, prefix ...string) bool {
	return len(words) >= len(prefix) && slices.Equal(words[:len(prefix)], prefix)
}
