package ldapd

import (
	"cmp"
	"slices"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/viettext"
)

// A Person is a unit or an officer of the directory, as clients see it.
type Person struct {
	Address      mailcore.Address
	Name         string   // shown: "Sở Nội vụ", "Nguyễn Văn An"
	Officer      bool     // a person of flesh and blood: the name has a surname
	Unit         string   // name of the unit that an officer belongs to, or the unit itself
	Organization string   // name of what the unit belongs to
	Title        string   // position (chức vụ)
	Phone        string   // of the office
	Found        []string // other names it is found by: abbreviations
}

// An attribute is one of an entry's.
type attribute struct {
	name   string
	values []string
	keys   []string // the values folded, and what else finds it
	words  bool     // names: a filter's beginning matches at each word
}

// An entry is a Person, ready to be searched.
type entry struct {
	dn    string
	key   string // its address: the order of entries and their name
	attrs []attribute
}

// A snapshot is the directory at one time, in the order of addresses. It does not change.
type snapshot struct {
	entries []entry
	byKey   map[string]int
}

// newSnapshot prepares people for searching; of two with one address the first counts.
func newSnapshot(base string, people []Person) *snapshot {
	s := &snapshot{byKey: make(map[string]int, len(people))}
	for _, p := range people {
		if p.Address != "" && p.Name != "" {
			s.entries = append(s.entries, newEntry(base, p))
		}
	}
	slices.SortStableFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	s.entries = slices.CompactFunc(s.entries, func(a, b entry) bool { return a.key == b.key })
	for i, e := range s.entries {
		s.byKey[e.key] = i
	}
	return s
}

var personClasses = []string{"top", "person", "organizationalPerson", "inetOrgPerson"}

func newEntry(base string, p Person) entry {
	e := entry{dn: "mail=" + escapeRDN(string(p.Address)) + "," + base, key: viettext.Fold(string(p.Address))}
	surname, given := p.Name, ""
	if first, rest, ok := strings.Cut(p.Name, " "); ok && p.Officer {
		surname, given = first, rest // họ stands first
	}
	e.add("objectClass", false, personClasses...)
	e.add("cn", true, p.Name)
	e.find("cn", p.Found...)
	e.add("sn", true, surname)
	e.add("givenName", true, given)
	e.add("displayName", true, p.Name)
	e.find("displayName", p.Found...)
	e.add("mail", false, string(p.Address))
	e.add("uid", false, p.Address.Local())
	e.add("ou", true, p.Unit)
	e.add("o", true, p.Organization)
	e.add("title", true, p.Title)
	e.add("telephoneNumber", false, p.Phone)
	return e
}

// add gives the entry an attribute; values that are empty do not count.
func (e *entry) add(name string, words bool, values ...string) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	if len(values) == 0 {
		return
	}
	a := attribute{name: name, words: words, values: values}
	for _, v := range values {
		a.keys = append(a.keys, viettext.Fold(v))
	}
	e.attrs = append(e.attrs, a)
}

// find lets the entry be found by more than an attribute's values.
func (e *entry) find(name string, values ...string) {
	a := e.attribute(name)
	for _, v := range values {
		if key := viettext.Fold(v); a != nil && key != "" && !slices.Contains(a.keys, key) {
			a.keys = append(a.keys, key)
		}
	}
}

// synonyms are other names of attributes (RFC 4519 §2, RFC 4524 §2.16), in lower case.
var synonyms = map[string]string{"commonname": "cn", "surname": "sn", "gn": "givenName", "organizationname": "o", "organizationalunitname": "ou",
	"rfc822mailbox": "mail", "userid": "uid", "2.5.4.3": "cn", "2.5.4.4": "sn", "2.5.4.42": "givenName", "2.5.4.10": "o", "2.5.4.11": "ou", "2.5.4.12": "title",
	"2.5.4.20": "telephoneNumber", "0.9.2342.19200300.100.1.3": "mail", "0.9.2342.19200300.100.1.1": "uid", "2.5.4.0": "objectClass", "2.16.840.1.113730.3.1.241": "displayName"}

// attribute returns one by any of its names, nil when the entry has none. What has options (RFC 4512 §2.5) is another one.
func (e *entry) attribute(name string) *attribute {
	if s, ok := synonyms[strings.ToLower(name)]; ok {
		name = s
	}
	for i := range e.attrs {
		if strings.EqualFold(e.attrs[i].name, name) {
			return &e.attrs[i]
		}
	}
	return nil
}
