package recipients

import (
	"cmp"
	"slices"

	"congvan/mailcore/viettext"
)

// A likeness is how much a unit's name is like a text.
type likeness struct {
	u     *Unit
	score float64
	name  string
	begun bool // the text is the beginning of the name, or its initials
}

// candidates returns the up to three units that a text may mean, best first: those whose name or initials begin so, then those
// whose letters and first words are most like it.
func (r *reader) candidates(text string) []Candidate {
	name, _ := stripAnnotation(firstBytes(text, 300))
	begun := map[*Unit]bool{}
	for _, m := range r.d.names.find(scan(name), 1) {
		begun[m.unit] = true
	}
	want, words := bigrams(name), foldWords(name)
	var all []likeness
	for i := range r.d.units {
		u := &r.d.units[i]
		if u == r.issuer || u.Kind == KindGroup {
			continue
		}
		best := likeness{u: u, name: u.Name, begun: begun[u] && len(begun) <= 8}
		for j, grams := range r.d.names.grams[i] {
			if s := dice(want, grams) + 0.1*float64(sharedStart(words, r.d.names.words[i][j])); s > best.score {
				best.score, best.name = s, r.d.names.texts[i][j]
			}
		}
		if best.begun {
			best.score += 0.6
		}
		if best.score >= 0.6 || best.score >= 0.5 && sharesFirst(foldWords(best.name), words) {
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b likeness) int { return cmp.Compare(b.score, a.score) })
	var cands []Candidate
	for _, s := range all[:min(3, len(all))] {
		why := "giống tên “" + s.name + "”"
		if s.begun {
			why = "tên hoặc chữ viết tắt bắt đầu như vậy"
		}
		cands = append(cands, Candidate{Code: s.u.Code, Name: s.u.Name, Why: why})
	}
	return cands
}

func sharesFirst(a, b []string) bool { return len(a) > 0 && len(b) > 0 && a[0] == b[0] }

// sharedStart counts the words that two names begin with in common, up to three; the first alone says only the class.
func sharedStart(a, b []string) int {
	n := 0
	for n < min(len(a), len(b), 4) && a[n] == b[n] {
		n++
	}
	return max(0, n-1)
}

// bigrams returns the sorted pairs of letters in a folded text.
func bigrams(s string) []string {
	s = viettext.Fold(s)
	if len(s) < 2 {
		return nil
	}
	if len(s) > 300 {
		s = s[:300]
	}
	pairs := make([]string, 0, len(s)-1)
	for i := 0; i+2 <= len(s); i++ {
		pairs = append(pairs, s[i:i+2])
	}
	slices.Sort(pairs)
	return pairs
}

// dice counts what two sorted lists share.
func dice(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch c := cmp.Compare(a[i], b[j]); {
		case c == 0:
			both++
			i++
			j++
		case c < 0:
			i++
		default:
			j++
		}
	}
	return 2 * float64(both) / float64(len(a)+len(b))
}
