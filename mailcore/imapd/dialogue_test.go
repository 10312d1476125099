package imapd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"congvan/mailcore/imapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// The dialogues in testdata/*.txt, one connection or several:
//
//	> text       send a line ("2>" on connection 2; "|>" without the line's end; \xNN and \n stand for bytes)
//	< regexp     the next line must match as a whole
//	<* regexp    lines are skipped until one matches
//	<! regexp    the rest of the dialogue must not have a line that matches
//	<EOF         the server closes
//	= plain      the connections begin without TLS; = local, first, likewise, and may log in so; = deliver MAILBOX FILE REF, = events REF KINDS…, = quota BYTES
//
// $USER and $PASS stand for the account.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 9 {
		t.Fatalf("dialogues: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) { play(t, db, file) })
		})
	}
}

type dialogue struct {
	h     *house
	plain bool
	conns map[string]*peer
	never []*regexp.Regexp
	place string
}

type peer struct {
	net.Conn
	in *bufio.Reader
}

func play(t *testing.T, db *sqldb.DB, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	local := strings.HasPrefix(string(data), "= local")
	d := &dialogue{h: newHouse(t, db, func(o *imapd.Options) { o.PlainFromLoopback = local }), conns: map[string]*peer{}}
	for n, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		d.place = fmt.Sprintf("%s:%d", file, n+1)
		d.step(t, line)
	}
}

var stepForm = regexp.MustCompile(`^([2-9]?)(\|>|>|<EOF|<\*|<!|<|=) ?(.*)$`)

func (d *dialogue) step(t *testing.T, line string) {
	m := stepForm.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%s: what is %q?", d.place, line)
	}
	text := strings.NewReplacer("$USER", unitAddress, "$PASS", password).Replace(m[3])
	switch m[2] {
	case "=":
		d.act(t, strings.Fields(text))
		return
	case "<!":
		d.never = append(d.never, regexp.MustCompile("^(?:"+text+")$"))
		return
	}
	p := d.peer(t, m[1])
	p.SetDeadline(time.Now().Add(deadline))
	switch m[2] {
	case ">", "|>":
		text = strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(text)
		if m[2] == ">" {
			text += "\r\n"
		}
		if _, err := io.WriteString(p, text); err != nil {
			t.Fatalf("%s: send: %v", d.place, err)
		}
	case "<EOF":
		if line, err := p.in.ReadString('\n'); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Fatalf("%s: want the end, got %q, %v", d.place, line, err)
		}
	default:
		d.expect(t, p, text, m[2] == "<*")
	}
}

func (d *dialogue) expect(t *testing.T, p *peer, text string, skip bool) {
	want, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		t.Fatalf("%s: %v", d.place, err)
	}
	for {
		line, err := p.in.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if err != nil {
			t.Fatalf("%s: want %q, got %q, %v", d.place, text, line, err)
		}
		for _, never := range d.never {
			if never.MatchString(line) {
				t.Fatalf("%s: got %q, which must not be", d.place, line)
			}
		}
		if want.MatchString(line) {
			return
		}
		if !skip {
			t.Fatalf("%s: want %q, got %q", d.place, text, line)
		}
	}
}

func (d *dialogue) peer(t *testing.T, n string) *peer {
	if p := d.conns[n]; p != nil {
		return p
	}
	var c net.Conn
	if d.plain {
		var err error
		if c, err = net.Dial("tcp", d.h.plain); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	} else {
		c = d.h.dialTLS()
	}
	p := &peer{c, bufio.NewReader(c)}
	d.conns[n] = p
	return p
}

func (d *dialogue) act(t *testing.T, words []string) {
	switch words[0] {
	case "plain", "local":
		d.plain = true
	case "deliver":
		ref := ""
		if len(words) > 3 {
			ref = words[3]
		}
		d.h.deliver(strings.ReplaceAll(words[1], "_", " "), eml(t, words[2]), "Return-Path: <>\r\nReply-To: traloi+k7f3@kontum.test\r\n", ref)
	case "quota":
		limit, err := strconv.ParseInt(words[1], 10, 64)
		if err == nil {
			err = d.h.store.SetQuota(context.Background(), unitAddress, limit)
		}
		if err != nil {
			t.Fatalf("%s: %v", d.place, err)
		}
	case "events":
		if got, want := d.h.events(words[1]), strings.Join(words[2:], " "); got != want {
			t.Fatalf("%s: events of %s: %q, want %q", d.place, words[1], got, want)
		}
	default:
		t.Fatalf("%s: unknown act %q", d.place, words[0])
	}
}
