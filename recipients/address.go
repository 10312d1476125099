package recipients

import (
	"net/mail"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

// ValidAddress reports whether s is one plain mail address, local@domain, without a name and without quotes.
func ValidAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	return len(local) <= 64 && strings.Contains(domain, ".") && !strings.ContainsAny(s, "\" <>()[]")
}

// MailAddress returns where mail for the unit goes: its outside address, else its mailbox of this installation at domain
// (QĐ 22/2009 Điều 4), else "".
func (u Unit) MailAddress(domain string) string {
	switch {
	case u.Address != "":
		return u.Address
	case u.Mailbox:
		return string(u.Code) + "@" + domain
	}
	return ""
}

// validDate reports whether s is empty or a civil date 2009-03-18.
func validDate(s string) bool {
	if s == "" {
		return true
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// OfficerLocalpart returns the local part of an officer's address, hovaten.tendonvi (QĐ 22/2009 Điều 4): the initials of the
// family and middle names, the given name in full, a dot, the unit. The first one that taken does not report is used, with
// 2, 3, 4 … behind the name. Addresses of people who left stay taken: old mail and receipts point to them. It returns ""
// for a name without a letter.
func OfficerLocalpart(name string, unit UnitCode, taken func(local string) bool) string {
	var words []string
	for _, w := range strings.FieldsFunc(viettext.Fold(name), func(r rune) bool { return r == ' ' || isDash(r) }) {
		w = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r
			}
			return -1
		}, w)
		if w != "" {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return ""
	}
	var b strings.Builder
	last := len(words) - 1
	for _, w := range words[:last] {
		b.WriteByte(w[0])
	}
	b.WriteString(words[last])
	for n := 1; ; n++ {
		local := b.String()
		if n > 1 {
			local += strconv.Itoa(n)
		}
		local += "." + string(unit)
		if taken == nil || !taken(local) {
			return local
		}
	}
}

func isDash(r rune) bool {
	switch r {
	case '-', '‐', '‑', '‒', '–', '—', '−':
		return true
	}
	return false
}
