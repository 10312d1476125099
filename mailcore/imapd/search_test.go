package imapd_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// keys are searches of which the row, the heading or only the content decides.
var searchKeys = []string{"SEEN", "FLAGGED", "UID 1:17", `SUBJECT "cong van 1"`, `SUBJECT "QUYẾT ĐỊNH"`, `FROM "ủy ban"`, `FROM "uy ban nhan dan"`, "CC nguyen",
	"SENTSINCE 20-Nov-2026", "SENTON 23-Nov-2026", `HEADER X-Loai "cong van"`, "HEADER X-Loai {0+}\r\n", "HEADER MESSAGE-ID <3@", `BODY "thư số 2"`, `BODY "thu so"`,
	`TEXT "quyet dinh"`, `TEXT "subject: cong"`, `TEXT "thu so 5"`, "LARGER 300", "NOT SEEN", `CC "văn thư"`}

// Whatever decides a message, its row, its heading or its content, a search of several keys finds what the keys find one by one.
func TestSearchOfManyKeysFindsWhatEachFinds(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		r := rand.New(rand.NewPCG(4, 38))
		const n = 40
		for i := range n {
			text := string(letter([]string{"Công văn", "Quyết định", "Tờ trình"}[r.IntN(3)], i))
			text = strings.Replace(text, "From: UBND", "From: "+[]string{"UBND", "Ủy ban nhân dân", "UỶ BAN NHÂN DÂN"}[r.IntN(3)], 1)
			text = strings.Replace(text, "23 Nov", fmt.Sprintf("%d Nov", 10+r.IntN(15)), 1)
			if r.IntN(2) == 0 {
				text = "X-Loai: =?utf-8?q?C=C3=B4ng_v=C4=83n?=\r\nCc: =?utf-8?q?V=C4=83n_th=C6=B0?= <vt@kontum.test>, nguyen <n@x.test>\r\n" + text
			}
			h.deliver(mailcore.Inbox, []byte(text), "", "")
		}
		p := h.session()
		p.command(t, "SELECT INBOX")
		for range 10 {
			p.command(t, fmt.Sprintf(`STORE %d +FLAGS (%s)`, 1+r.IntN(n), []string{`\Seen`, `\Flagged`}[r.IntN(2)]))
		}
		alone := map[string][]string{}
		for _, k := range searchKeys {
			alone[k] = p.found(t, k)
			if len(alone[k]) == 0 || len(alone[k]) == n && !strings.HasPrefix(k, `BODY "thu so"`) {
				t.Errorf("%s decides nothing: %q", k, alone[k])
			}
		}
		for range 150 {
			query, want := tree(r, alone, n, 3)
			if got := p.found(t, query); !slices.Equal(got, want) {
				t.Fatalf("%s finds %v, want %v", query, got, want)
			}
		}
	})
}

var searchLine = regexp.MustCompile(`\* SEARCH ?([0-9 ]*)\r\n`)

func (p *peer) found(t *testing.T, query string) []string {
	t.Helper()
	answer := p.command(t, "SEARCH CHARSET UTF-8 "+query)
	m := searchLine.FindStringSubmatch(answer)
	if m == nil {
		t.Fatalf("%s: %q", query, answer)
	}
	return strings.Fields(m[1])
}

// tree makes a search of keys and what it must find.
func tree(r *rand.Rand, alone map[string][]string, n, depth int) (string, []string) {
	if depth == 0 || r.IntN(4) == 0 {
		k := searchKeys[r.IntN(len(searchKeys))]
		return k, alone[k]
	}
	a, x := tree(r, alone, n, depth-1)
	b, y := tree(r, alone, n, depth-1)
	query, ok := "("+a+" "+b+")", func(u, v bool) bool { return u && v }
	switch r.IntN(3) {
	case 0:
		query, ok = "OR "+a+" "+b, func(u, v bool) bool { return u || v }
	case 1:
		query, ok = "("+a+" NOT "+b+")", func(u, v bool) bool { return u && !v }
	}
	want := []string{}
	for i := 1; i <= n; i++ {
		if s := fmt.Sprint(i); ok(slices.Contains(x, s), slices.Contains(y, s)) {
			want = append(want, s)
		}
	}
	return query, want
}
