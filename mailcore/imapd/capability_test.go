package imapd_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"congvan/mailcore"
)

// shown has, for every capability that is announced after a login, commands that need it and what must be among their answers. A
// command that waits ends in "…"; what follows ends it.
var shown = map[string][][2]string{
	"IMAP4rev1":          {{"LSUB \"\" INBOX", `\* LSUB .* INBOX`}, {"FETCH 1 RFC822.SIZE", `\* 1 FETCH \(RFC822.SIZE \d+\)`}},
	"IMAP4rev2":          {{"ENABLE IMAP4rev2", `\* ENABLED IMAP4rev2`}},
	"SASL-IR":            {}, // before the login: TestScramIsForAppPasswords
	"ID":                 {{`ID ("name" "Thunderbird")`, `\* ID \("name" "congvan"\)`}},
	"QUOTA":              {{"GETQUOTAROOT INBOX", `\* QUOTAROOT "INBOX" "snv@kontum.test"`}},
	"QUOTA=RES-STORAGE":  {{"GETQUOTA snv@kontum.test", `\* QUOTA "snv@kontum.test" \(STORAGE \d+ 1024\)`}, {"STATUS INBOX (DELETED-STORAGE)", `\* STATUS INBOX \(DELETED-STORAGE 0\)`}},
	"LITERAL-":           {{"STATUS {5+}\r\nINBOX (MESSAGES)", `\* STATUS INBOX \(MESSAGES 3\)`}},
	"ENABLE":             {{"ENABLE X-NOTHING", `\* ENABLED`}},
	"UTF8=ACCEPT":        {{"ENABLE UTF8=ACCEPT", `\* ENABLED UTF8=ACCEPT`}, {`LIST "" "Đã gửi"`, `\* LIST \(.*\) "/" "Đã gửi"`}},
	"IDLE":               {{"IDLE…", `\+ .*`}, {"DONE", ""}},
	"NAMESPACE":          {{"NAMESPACE", `\* NAMESPACE \(\("" "/"\)\) NIL NIL`}},
	"CHILDREN":           {{`LIST "" INBOX`, `\* LIST \(.*\\HasNoChildren.*\) "/" INBOX`}},
	"SPECIAL-USE":        {{`LIST (SPECIAL-USE) "" *`, `\* LIST \(\\Sent \\HasNoChildren\) "/" .*`}},
	"CREATE-SPECIAL-USE": {{`CREATE Kho (USE (\Archive))`, ""}, {`LIST "" Kho`, `\* LIST \(\\Archive .*\) "/" "?Kho"?`}},
	"LIST-EXTENDED":      {{`LIST (SUBSCRIBED) "" (INBOX Kho*) RETURN (CHILDREN)`, `\* LIST \(\\Subscribed .*\) "/" INBOX`}},
	"LIST-STATUS":        {{`LIST "" INBOX RETURN (STATUS (MESSAGES UNSEEN))`, `\* STATUS INBOX \(MESSAGES 3 UNSEEN 3\)`}},
	"STATUS=SIZE":        {{"STATUS INBOX (SIZE)", `\* STATUS INBOX \(SIZE [1-9]\d+\)`}},
	"APPENDLIMIT=":       {{"STATUS INBOX (APPENDLIMIT)", `\* STATUS INBOX \(APPENDLIMIT 67108864\)`}, {"APPEND INBOX {67108865}", `x NO \[TOOBIG\] .*`}},
	"UIDPLUS": {{"APPEND Kho (\\Deleted) {12+}\r\nSubject: a\r\n", `x OK \[APPENDUID \d+ 1\] .*`}, {"COPY 1 Kho", `x OK \[COPYUID \d+ 1 2\] .*`},
		{"UID EXPUNGE 999", ""}},
	"ESEARCH":   {{"SEARCH RETURN (MIN COUNT) ALL", `\* ESEARCH \(TAG "x"\) MIN 1 COUNT 3`}},
	"SEARCHRES": {{"SEARCH RETURN (SAVE) 2", ""}, {"FETCH $ UID", `\* 2 FETCH \(UID 2\)`}},
	"BINARY":    {{"FETCH 2 BINARY.PEEK[1]", `\* 2 FETCH \(BINARY\[1\] .*`}, {"FETCH 2 BINARY.SIZE[1]", `\* 2 FETCH \(BINARY.SIZE\[1\] \d+\)`}},
	"MOVE":      {{"MOVE 3 Kho", `\* OK \[COPYUID \d+ 3 3\] .*`}, {"NOOP", ""}},
	"UNSELECT":  {{"UNSELECT", ""}},
}

// order is that of commands which need what others did.
var order = []string{"CREATE-SPECIAL-USE", "UIDPLUS", "MOVE", "UNSELECT", "UTF8=ACCEPT", "IMAP4rev2"}

// Whatever is announced works, and nothing is announced that this table does not try.
func TestEveryCapabilityIsShown(t *testing.T) {
	h := newHouse(t, sqlite(t))
	for i := range 3 {
		h.deliver(mailcore.Inbox, eml(t, "official.eml"), "", fmt.Sprintf("dispatch:%d", i))
	}
	if err := h.store.SetQuota(t.Context(), unitAddress, 1<<20); err != nil {
		t.Fatal(err)
	}
	p := h.session()
	announced := map[string]bool{}
	_, list, _ := strings.Cut(strings.TrimSpace(p.command(t, "CAPABILITY")), "CAPABILITY ")
	for _, c := range strings.Fields(list) {
		if name, _, ok := strings.Cut(c, "="); ok && name == "APPENDLIMIT" {
			c = "APPENDLIMIT="
		}
		announced[c] = true
		if _, ok := shown[c]; !ok {
			t.Errorf("%s is announced and nobody tries it", c)
		}
	}
	last := map[string]int{}
	for i, c := range order {
		last[c] = i + 1
	}
	p.command(t, "SELECT INBOX")
	for step := range len(order) + 1 {
		for c, commands := range shown {
			if last[c] != step {
				continue
			}
			if !announced[c] {
				t.Errorf("%s is not announced", c)
			}
			for _, x := range commands {
				p.shows(t, c, x[0], x[1])
			}
		}
	}
}

// shows sends a command and looks for an answer among those up to its end.
func (p *peer) shows(t *testing.T, capability, command, want string) {
	t.Helper()
	text, waits := strings.CutSuffix(command, "…")
	tag := "x "
	if text == "DONE" {
		tag = ""
	}
	fmt.Fprintf(p, "%s%s\r\n", tag, text)
	re, found := regexp.MustCompile("^(?:"+want+")\r\n$"), want == ""
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %s: want %q, %v", capability, command, want, err)
		}
		found = found || re.MatchString(line)
		switch {
		case waits && found:
			return
		case strings.HasPrefix(line, "x "):
			if !found || !strings.HasPrefix(line, "x OK") && !strings.HasPrefix(want, "x NO") {
				t.Errorf("%s: %s: want %q, ended in %q", capability, command, want, line)
			}
			return
		}
	}
}
