package imapd

import (
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
)

// A flagSet is a set of flags by its place in a table that all sessions share: mailboxes have few different ones.
type flagSet uint16

// maxFlagSets bounds the table; sets beyond it are shown with their system flags only.
const maxFlagSets = 1 << 16

var flagSets = struct {
	sync.RWMutex
	byText map[string]flagSet
	lists  [][]imap.Flag
}{byText: map[string]flagSet{"": 0}, lists: [][]imap.Flag{{}}}

// internFlags returns the set of flags, which are sorted. Those that cannot be written to a client are left out.
func internFlags(flags []string) flagSet { return internText([]byte(strings.Join(flags, " "))) }

// internText is internFlags for flags with one space between.
func internText(key []byte) flagSet {
	if len(key) == 0 {
		return 0
	}
	t := &flagSets
	t.RLock()
	f, ok := t.byText[string(key)]
	t.RUnlock()
	if ok {
		return f
	}
	t.Lock()
	defer t.Unlock()
	if f, ok := t.byText[string(key)]; ok {
		return f
	}
	flags := strings.Fields(string(key))
	if len(t.lists) >= maxFlagSets {
		return t.byText[systemOnly(flags)]
	}
	list := make([]imap.Flag, 0, len(flags))
	for _, s := range flags {
		if validFlag(s) {
			list = append(list, imap.Flag(s))
		}
	}
	f = flagSet(len(t.lists))
	t.byText[string(key)], t.lists = f, append(t.lists, list)
	return f
}

func systemOnly(flags []string) string {
	var kept []string
	for _, s := range flags {
		if strings.HasPrefix(s, `\`) {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}

// list returns the flags; it must not be changed.
func (f flagSet) list() []imap.Flag {
	flagSets.RLock()
	defer flagSets.RUnlock()
	return flagSets.lists[f]
}

// has reports whether a flag is set; keywords compare without case (RFC 9051 §2.3.2).
func (f flagSet) has(flag imap.Flag) bool {
	for _, x := range f.list() {
		if strings.EqualFold(string(x), string(flag)) {
			return true
		}
	}
	return false
}

// A flagTest asks many sets for one flag and remembers their answers.
type flagTest struct {
	flag  imap.Flag
	known []int8 // by set: 0 was not asked, 1 has it, -1 has it not
}

func flagTests(flags []imap.Flag) []*flagTest {
	out := make([]*flagTest, len(flags))
	for i, f := range flags {
		out[i] = &flagTest{flag: f}
	}
	return out
}

// in reports whether the flag is in a set.
func (t *flagTest) in(f flagSet) bool {
	if n := int(f) + 1 - len(t.known); n > 0 {
		t.known = append(t.known, make([]int8, n)...)
	}
	if t.known[f] == 0 {
		t.known[f] = -1
		if f.has(t.flag) {
			t.known[f] = 1
		}
	}
	return t.known[f] > 0
}

// validFlag reports whether s can stand on the wire as a flag.
func validFlag(s string) bool {
	name := strings.TrimPrefix(s, `\`)
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return name != "" && len(s) <= 100
}

// flagsInUse are the system flags and every keyword that a message bears.
func (v *view) flagsInUse() []imap.Flag {
	flags := []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}
	seen, sets := map[string]bool{}, []flagSet{}
	for _, f := range flags {
		seen[strings.ToLower(string(f))] = true
	}
	for i := range v.msgs {
		set := v.msgs[i].flags
		if i > 0 && set == v.msgs[i-1].flags || slices.Contains(sets, set) {
			continue
		}
		sets = append(sets, set)
		for _, f := range set.list() {
			if key := strings.ToLower(string(f)); !seen[key] {
				seen[key] = true
				flags = append(flags, f)
			}
		}
	}
	return flags
}
