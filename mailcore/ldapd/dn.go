package ldapd

import (
	"strings"
	"unicode/utf8"

	"congvan/mailcore/viettext"
)

// maxDN bounds a name that is looked at.
const maxDN = 2000

// baseDN is the name of a mail domain (RFC 2247 §2).
func baseDN(domain string) string { return "dc=" + strings.ReplaceAll(domain, ".", ",dc=") }

// escapeRDN writes a value into a name (RFC 4514 §2.4).
func escapeRDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		if strings.ContainsRune(`,+"\<>;=`, r) || i == 0 && (r == '#' || r == ' ') || i == len(s)-1 && r == ' ' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// An rdn is one step of a name: attribute type in lower case, value folded for comparing.
type rdn struct{ kind, value string }

// parseDN reads a name, from the lowest step up. Steps of several values, and values in hexadecimal, stand for nothing here.
func parseDN(s string) ([]rdn, bool) {
	if strings.TrimSpace(s) == "" {
		return nil, true
	}
	if len(s) > maxDN || !utf8.ValidString(s) {
		return nil, false
	}
	var out []rdn
	for rest, more := s, true; more; {
		var kind, value string
		var ok bool
		if kind, rest, ok = strings.Cut(rest, "="); !ok {
			return nil, false
		}
		if value, rest, more, ok = dnValue(rest); !ok {
			return nil, false
		}
		kind = strings.ToLower(strings.TrimSpace(kind))
		if kind == "" || strings.ContainsAny(kind, ",;+\\\"") {
			return nil, false
		}
		out = append(out, rdn{kind, viettext.Fold(value)})
	}
	return out, true
}

// dnValue reads a value to the comma that ends it; more says that there was one.
func dnValue(s string) (value, rest string, more, ok bool) {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "#") {
		return "", "", false, false
	}
	quoted := strings.HasPrefix(s, `"`)
	var b strings.Builder
	i, kept := 0, 0 // kept: bytes of the value up to the last that is no space at the end
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			kept = b.Len()
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			kept = b.Len()
		case c == '\\':
			return "", "", false, false
		case quoted && c == '"':
			after := strings.TrimLeft(s[i+1:], " ")
			if after == "" {
				return b.String(), "", false, true
			}
			return b.String(), after[1:], true, after[0] == ',' || after[0] == ';'
		case !quoted && (c == ',' || c == ';'):
			return b.String()[:kept], s[i+1:], true, true
		case !quoted && (c == '+' || c == '"'):
			return "", "", false, false
		default:
			if b.WriteByte(c); c != ' ' || quoted {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept], "", false, !quoted && utf8.ValidString(b.String())
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
