package mailcore

import (
	"strconv"
	"strings"
)

// parseParams splits a value with parameters (Content-Type, Content-Disposition). Parameters are as they came, but for
// quotes; the first of two with one name counts. What mime.ParseMediaType refuses (spaces and letters in a bare file name,
// a missing value, a doubled parameter) is read as it was meant.
func parseParams(s string) (value string, params map[string]string) {
	value, rest, _ := strings.Cut(s, ";")
	value = strings.TrimSpace(dropComments(value))
	params = map[string]string{}
	for rest != "" && len(params) < maxParams {
		rest = strings.TrimLeft(rest, "; \t")
		i := strings.IndexAny(rest, "=;")
		if i < 0 {
			break
		}
		if rest[i] == ';' {
			rest = rest[i:]
			continue
		}
		name := strings.ToLower(strings.TrimSpace(dropComments(rest[:i])))
		var v string
		v, rest = paramValue(strings.TrimLeft(rest[i+1:], " \t"))
		if _, double := params[name]; !double && name != "" && len(name) <= 100 {
			params[name] = cut8(v, maxParam)
		}
	}
	return value, params
}

func cut8(s string, limit int) string { return s[:min(len(s), limit)] }

// paramValue takes one value. A backslash counts only before a quote or a backslash: file names of Windows have others.
func paramValue(s string) (v, rest string) {
	if !strings.HasPrefix(s, `"`) {
		v, rest, _ = strings.Cut(s, ";")
		v, _, _ = strings.Cut(v, " (")
		return strings.TrimSpace(v), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '"':
			_, rest, _ = strings.Cut(s[i+1:], ";")
			return b.String(), rest
		default:
			b.WriteByte(c)
		}
	}
	v, rest, _ = strings.Cut(s[1:], ";") // never closed
	return strings.TrimSpace(v), rest
}

// decodeParams joins and decodes parameters (RFC 2231; encoded words, which RFC 2047 §5 forbids here and everybody sends).
func decodeParams(raw map[string]string) map[string]string {
	out := map[string]string{}
	for name, v := range raw {
		base, _, extended := strings.Cut(name, "*")
		if !extended {
			if _, have := out[name]; !have {
				out[name] = decodeText(v)
			}
			continue
		}
		if text, ok := joinExtended(raw, base); ok {
			out[base] = text // wins over a plain one beside it (RFC 6266 §4.3)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// joinExtended puts name*, or name*0, name*1*, … together.
func joinExtended(raw map[string]string, base string) (string, bool) {
	if v, ok := raw[base+"*"]; ok {
		cs, data := splitExtended(v)
		return decodeExtended(cs, data), true
	}
	var data []byte
	cs := ""
	for i := range maxParams {
		name := base + "*" + strconv.Itoa(i)
		if v, ok := raw[name+"*"]; ok {
			var piece []byte
			if i == 0 {
				cs, piece = splitExtended(v)
			} else {
				piece = unpercent(v)
			}
			data = append(data, piece...)
		} else if v, ok := raw[name]; ok {
			data = append(data, v...)
		} else {
			return decodeExtended(cs, data), i > 0
		}
	}
	return decodeExtended(cs, data), true
}

func decodeExtended(cs string, data []byte) string {
	text, ok := decodeCharset(cs, data)
	if !ok {
		text = guess8bit(string(data))
	}
	return decodeText(text)
}

// splitExtended splits charset'language'value.
func splitExtended(v string) (cs string, data []byte) {
	if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
		return parts[0], unpercent(parts[2])
	}
	return "", unpercent(v)
}

func unpercent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
