package pdfdoc

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Readers forgive different faults: of a key that stands twice some take the first value and some the last. Whoever may
// add to a signed file could make use of that, so what stands behind a signature is read a second time, by the letter of
// ISO 32000-1 §7.3, and both readings must agree.

// maxNesting bounds nested arrays and dictionaries.
const maxNesting = 100

// A stringToken is what value returns for a string; its bytes do not matter for the comparison.
type stringToken struct{ types.StringLiteral }

// value reads one direct object or reference.
func (l *lexer) value(depth int) (types.Object, error) {
	bad := fmt.Errorf("%w: object near %d", ErrDamaged, l.at)
	if depth > maxNesting {
		return nil, bad
	}
	switch t := l.token(); {
	case t == "":
		return nil, bad
	case t == "<<":
		return l.entries(depth)
	case t == "[":
		return l.elements(depth)
	case t == "(" || t == "<":
		return stringToken{}, nil
	case t[0] == '/':
		return types.Name(plainName(t[1:])), nil
	case t == "true" || t == "false":
		return types.Boolean(t == "true"), nil
	case t == "null":
		return nil, nil
	default:
		return l.numberOrReference(t)
	}
}

func plainName(s string) string {
	if n, err := types.DecodeName(s); err == nil {
		return n
	}
	return s
}

func (l *lexer) entries(depth int) (types.Object, error) {
	d := types.Dict{}
	seen := map[string]types.Object{}
	for {
		t := l.token()
		if t == ">>" {
			return d, nil
		}
		if t == "" || t[0] != '/' {
			return nil, fmt.Errorf("%w: dictionary near %d", ErrDamaged, l.at)
		}
		key := plainName(t[1:])
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if before, twice := seen[key]; twice && !sameScalar(before, v) {
			return nil, fmt.Errorf("%w: key %q stands twice", ErrDamaged, key)
		}
		seen[key] = v
		if v != nil { // null is the same as no entry
			d[key] = v
		}
	}
}

func (l *lexer) elements(depth int) (types.Object, error) {
	a := types.Array{}
	for {
		l.skipSpace()
		if l.has("]") {
			l.at++
			return a, nil
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
}

// sameScalar says whether a key that stands twice means the same to everybody. There are writers that repeat themselves.
func sameScalar(a, b types.Object) bool {
	switch a.(type) {
	case types.Name, types.Integer, types.Float, types.Boolean, types.IndirectRef:
		return a == b
	}
	return false
}

// numberOrReference looks ahead for "12 0 R".
func (l *lexer) numberOrReference(t string) (types.Object, error) {
	n, err := strconv.Atoi(t)
	if err != nil {
		f, err := strconv.ParseFloat(t, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%w: %q is no object", ErrDamaged, t)
		}
		return types.Float(f), nil
	}
	save := l.at
	if g, err := strconv.Atoi(l.word()); err == nil && n >= 0 && g >= 0 && l.word() == "R" {
		return *types.NewIndirectRef(n, g), nil
	}
	l.at = save
	return types.Integer(n), nil
}

// agree compares the strict reading with pdfcpu's. Strings count by their presence: pdfcpu has decrypted them.
func agree(strict, lenient types.Object) bool {
	switch s := strict.(type) {
	case types.Dict:
		var d types.Dict
		switch v := lenient.(type) {
		case types.Dict:
			d = v
		case types.StreamDict:
			d = v.Dict
		case types.ObjectStreamDict:
			d = v.Dict
		case types.XRefStreamDict:
			d = v.Dict
		default:
			return false
		}
		if len(s) != len(d) {
			return false
		}
		for k, v := range d {
			own, ok := s[plainName(k)]
			if !ok || !agree(own, v) {
				return false
			}
		}
		return true
	case types.Array:
		a, ok := lenient.(types.Array)
		if !ok || len(a) != len(s) {
			return false
		}
		for i := range s {
			if !agree(s[i], a[i]) {
				return false
			}
		}
		return true
	case stringToken:
		switch lenient.(type) {
		case types.StringLiteral, types.HexLiteral:
			return true
		}
		return false
	case types.Name:
		n, ok := lenient.(types.Name)
		return ok && plainName(string(n)) == string(s)
	case types.Integer, types.Float:
		a, okA := numeric(strict)
		b, okB := numeric(lenient)
		return okA && okB && math.Abs(a-b) <= 1e-6*max(1, math.Abs(a))
	}
	return strict == lenient // null, booleans, references
}

func numeric(o types.Object) (float64, bool) {
	switch v := o.(type) {
	case types.Integer:
		return float64(v), true
	case types.Float:
		return float64(v), true
	}
	return 0, false
}

// checkObjectStream reads the objects packed into a stream by the letter.
func checkObjectStream(sd types.ObjectStreamDict) error {
	bad := modified("structure", "object stream")
	if err := sd.DecodeWithLimit(sd.MaxDecodeBytes); err != nil {
		return bad
	}
	if sd.FirstObjOffset < 0 || sd.FirstObjOffset > len(sd.Content) {
		return bad
	}
	head := lexer{data: sd.Content[:sd.FirstObjOffset]}
	for range sd.ObjCount {
		_, err1 := strconv.Atoi(head.word())
		off, err2 := strconv.Atoi(head.word())
		if err1 != nil || err2 != nil || off < 0 || off > len(sd.Content)-sd.FirstObjOffset {
			return bad
		}
		l := lexer{data: sd.Content, at: sd.FirstObjOffset + off}
		if _, err := l.value(0); err != nil {
			return modified("structure", "object stream: %v", err)
		}
	}
	return nil
}
