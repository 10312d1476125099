package ldapd

import (
	"strings"

	"congvan/mailcore/viettext"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// A truth is what a filter says of an entry (RFC 4511 §4.5.1.7).
type truth int8

const (
	no truth = iota
	undefined
	yes
)

// A filter is the condition of a search.
type filter interface {
	match(e *entry) truth
}

type (
	andFilter     []filter
	orFilter      []filter
	notFilter     struct{ of filter }
	presentFilter string
	equalFilter   struct{ name, key string }
	orderFilter   struct {
		name, key string
		atLeast   bool
	}
	substringFilter struct {
		name           string
		initial, final string
		any            []string
	}
	unknownFilter struct{}
)

func (f andFilter) match(e *entry) truth {
	out := yes // of nothing: true (RFC 4526 §2)
	for _, part := range f {
		if out = min(out, part.match(e)); out == no {
			return no
		}
	}
	return out
}

func (f orFilter) match(e *entry) truth {
	out := no
	for _, part := range f {
		if out = max(out, part.match(e)); out == yes {
			return yes
		}
	}
	return out
}

func (f notFilter) match(e *entry) truth { return yes - f.of.match(e) }

func (f presentFilter) match(e *entry) truth {
	if e.attribute(string(f)) != nil {
		return yes
	}
	return no
}

func (f equalFilter) match(e *entry) truth {
	return anyKey(e, f.name, func(key string, _ bool) bool { return key == f.key })
}

func (f orderFilter) match(e *entry) truth {
	return anyKey(e, f.name, func(key string, _ bool) bool { return f.atLeast && key >= f.key || !f.atLeast && key <= f.key })
}

func (f substringFilter) match(e *entry) truth {
	return anyKey(e, f.name, f.in)
}

func (f substringFilter) in(key string, words bool) bool {
	if f.initial == "" {
		return f.rest(key)
	}
	for {
		if strings.HasPrefix(key, f.initial) && f.rest(key[len(f.initial):]) {
			return true
		}
		space := strings.IndexByte(key, ' ')
		if space < 0 || !words {
			return false
		}
		key = key[space+1:]
	}
}

// rest matches what comes after the beginning.
func (f substringFilter) rest(key string) bool {
	for _, part := range f.any {
		_, after, ok := strings.Cut(key, part)
		if !ok {
			return false
		}
		key = after
	}
	return strings.HasSuffix(key, f.final)
}

func (unknownFilter) match(*entry) truth { return undefined }

func anyKey(e *entry, name string, is func(key string, words bool) bool) truth {
	a := e.attribute(name)
	if a == nil {
		return no
	}
	for _, key := range a.keys {
		if is(key, a.words) {
			return yes
		}
	}
	return no
}

// The choices of a filter, by their tags.
const (
	filterAnd = iota
	filterOr
	filterNot
	filterEqual
	filterSubstrings
	filterGreater
	filterLess
	filterPresent
	filterApprox
	filterExtensible
)

// parseFilter reads a filter; its depth is bounded by that of the message.
func parseFilter(p *ber.Packet) (filter, error) {
	if p.ClassType != ber.ClassContext {
		return nil, malformed("no filter")
	}
	if constructed := p.TagType == ber.TypeConstructed; constructed == (p.Tag == filterPresent) {
		return nil, malformed("a filter of the wrong form")
	}
	switch p.Tag {
	case filterAnd, filterOr:
		var parts []filter
		for _, c := range p.Children {
			part, err := parseFilter(c)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if p.Tag == filterAnd {
			return andFilter(parts), nil
		}
		return orFilter(parts), nil
	case filterNot:
		if len(p.Children) != 1 {
			return nil, malformed("not of %d filters", len(p.Children))
		}
		of, err := parseFilter(p.Children[0])
		return notFilter{of}, err
	case filterPresent:
		return presentFilter(p.Data.String()), nil
	case filterSubstrings:
		return parseSubstrings(p)
	case filterEqual, filterApprox, filterGreater, filterLess: // folded: more is equal than in RFC 4517 §4.2
		name, value, err := assertion(p)
		if err != nil || p.Tag == filterEqual || p.Tag == filterApprox {
			return equalFilter{name, viettext.Fold(value)}, err
		}
		return orderFilter{name, viettext.Fold(value), p.Tag == filterGreater}, nil
	case filterExtensible:
		return unknownFilter{}, nil
	}
	return nil, malformed("a filter of kind %d", p.Tag)
}

// assertion reads an attribute's name and a value.
func assertion(p *ber.Packet) (name, value string, err error) {
	if len(p.Children) != 2 {
		return "", "", malformed("a comparison of %d parts", len(p.Children))
	}
	n, ok1 := octets(p.Children[0])
	v, ok2 := octets(p.Children[1])
	if !ok1 || !ok2 {
		return "", "", malformed("no comparison")
	}
	return string(n), string(v), nil
}

func parseSubstrings(p *ber.Packet) (filter, error) {
	if len(p.Children) != 2 || !isSequence(p.Children[1]) || len(p.Children[1].Children) == 0 {
		return nil, malformed("no substrings")
	}
	name, ok := octets(p.Children[0])
	if !ok {
		return nil, malformed("no substrings")
	}
	f := substringFilter{name: string(name)}
	parts := p.Children[1].Children
	for i, part := range parts {
		if part.ClassType != ber.ClassContext || part.TagType != ber.TypePrimitive {
			return nil, malformed("no substring")
		}
		key := viettext.Fold(part.Data.String())
		switch {
		case part.Tag == 0 && i == 0:
			f.initial = key
		case part.Tag == 1:
			f.any = append(f.any, key)
		case part.Tag == 2 && i == len(parts)-1:
			f.final = key
		default:
			return nil, malformed("substrings out of order")
		}
	}
	return f, nil
}
