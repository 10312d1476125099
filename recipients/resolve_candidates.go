package recipients

import (
	"cmp"
	"slices"

	"congvan/mailcore/viettext"
)

// candidates returns the up to three units whose names are most like a text, best first.
func (r *reader) candidates(text string) []Candidate {
	name, _ := stripAnnotation(text)
	type scored struct {
		u     *Unit
		score float64
		name  string
	}
	var all []scored
	want := bigrams(name)
	for i := range r.d.units {
		u := &r.d.units[i]
		if u == r.issuer {
			continue
		}
		best := scored{u: u}
		for j, grams := range r.d.names.grams[i] {
			if s := dice(want, grams); s > best.score {
				best.score, best.name = s, r.d.names.texts[i][j]
			}
		}
		if best.score >= 0.5 && u.Kind != KindGroup {
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var cands []Candidate
	for _, s := range all[:min(3, len(all))] {
		cands = append(cands, Candidate{Code: s.u.Code, Name: s.u.Name, Why: "giống tên “" + s.name + "”"})
	}
	return cands
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
