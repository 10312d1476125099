package mailcore

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of RFC 5321 §4.5.3.1: a path has 256 octets with its brackets.
const (
	maxLocal   = 64
	maxAddress = 254
)

// An Address is a mail address "local@domain": lower case, composed (NFC), the domain in ASCII. The empty Address is the
// null sender of bounces.
type Address string

// An AddressError says why a text is no address.
type AddressError struct {
	Text   string
	Reason string
}

func (e *AddressError) Error() string { return fmt.Sprintf("address %q: %s", e.Text, e.Reason) }

// ParseAddress reads an addr-spec without display name or angle brackets. A quoted local part that needs no quotes loses
// them. The error is an *AddressError.
func ParseAddress(s string) (Address, error) {
	refuse := func(reason string) (Address, error) { return "", &AddressError{s, reason} }
	text := strings.TrimSpace(s)
	if !utf8.ValidString(text) {
		return refuse("is not UTF-8")
	}
	text = norm.NFC.String(strings.ToLower(norm.NFC.String(text)))
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return refuse("has no @")
	}
	local, reason := parseLocal(text[:at])
	if reason != "" {
		return refuse(reason)
	}
	domain := strings.TrimSuffix(text[at+1:], ".")
	if reason := checkDomain(domain); reason != "" {
		return refuse(reason)
	}
	if len(local) > maxLocal || len(local)+1+len(domain) > maxAddress {
		return refuse("is too long")
	}
	return Address(local + "@" + domain), nil
}

// parseLocal returns the local part in its shortest form, or why it is none.
func parseLocal(s string) (local, reason string) {
	if s == "" {
		return "", "has nothing before the @"
	}
	if !strings.HasPrefix(s, `"`) {
		if !isDotAtom(s) {
			return "", "has a character before the @ that needs quotes"
		}
		return s, ""
	}
	if len(s) < 2 || !strings.HasSuffix(s, `"`) {
		return "", "has an open quote"
	}
	var b strings.Builder
	for i, inner := 0, s[1:len(s)-1]; i < len(inner); i++ {
		c := inner[i]
		if c == '\\' && i+1 < len(inner) {
			i++
			c = inner[i]
		} else if c == '"' || c == '\\' {
			return "", "has a quote inside the quotes"
		}
		if c < ' ' || c == 0x7f {
			return "", "has a control character"
		}
		b.WriteByte(c)
	}
	if text := b.String(); isDotAtom(text) {
		return text, ""
	}
	return s, ""
}

// isDotAtom reports whether s is dot-separated atoms (RFC 5322 §3.2.3), letters of RFC 6532 included.
func isDotAtom(s string) bool {
	for _, atom := range strings.Split(s, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;@\,"`, r) || r > 0x7f && !unicode.IsPrint(r) {
				return false
			}
		}
	}
	return true
}

func checkDomain(s string) (reason string) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner = strings.TrimPrefix(strings.TrimSuffix(inner, "]"), "ipv6:")
		if _, err := netip.ParseAddr(inner); err != nil || !strings.HasSuffix(s, "]") {
			return "has a bad address literal"
		}
		return ""
	}
	if s == "" {
		return "has nothing after the @"
	}
	if len(s) > 253 {
		return "has a domain that is too long"
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "has a bad domain"
		}
		for _, r := range label {
			if r > 0x7f {
				return "has a domain that is not ASCII (write it as xn--…)"
			}
			if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
				return "has a bad domain"
			}
		}
	}
	return ""
}

// Local is the part before the @.
func (a Address) Local() string {
	if i := strings.LastIndexByte(string(a), '@'); i >= 0 {
		return string(a[:i])
	}
	return string(a)
}

// Domain is the part after the @, "" for the null sender.
func (a Address) Domain() string {
	if i := strings.LastIndexByte(string(a), '@'); i >= 0 {
		return string(a[i+1:])
	}
	return ""
}

func (a Address) String() string { return string(a) }
