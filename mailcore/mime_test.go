package mailcore

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// crlf writes a message in a test with bare line ends.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func parse(t testing.TB, text string) *Summary {
	t.Helper()
	sum, err := parseMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	checkSummary(t, sum, text)
	return sum
}

// checkSummary checks what must hold for any bytes: every part lies inside its parent, header and body of the root are the
// whole message, and no part is one that IMAP servers or clients stumble over.
func checkSummary(t testing.TB, sum *Summary, text string) {
	t.Helper()
	if n := sum.Root.HeaderSize + sum.Root.BodySize; n != int64(len(text)) {
		t.Errorf("header and body are %d of %d bytes", n, len(text))
	}
	if sum.HeaderSize != sum.Root.HeaderSize {
		t.Errorf("header sizes %d and %d differ", sum.HeaderSize, sum.Root.HeaderSize)
	}
	checkPart(t, sum.Root, 0, int64(len(text)))
}

func checkPart(t testing.TB, p *Part, from, to int64) {
	t.Helper()
	if p.Offset < from || p.HeaderSize < 0 || p.BodySize < 0 || p.BodyOffset()+p.BodySize > to {
		t.Errorf("part %s/%s at %d+%d+%d is not inside %d–%d", p.Type, p.Subtype, p.Offset, p.HeaderSize, p.BodySize, from, to)
	}
	if p.Type == "" || p.Subtype == "" || p.Type == "multipart" && len(p.Children) == 0 || p.Type != "multipart" && len(p.Children) > 0 ||
		p.Type == "message" && p.Subtype == "rfc822" && p.Message == nil {
		t.Errorf("part %q/%q with %d children and message %v", p.Type, p.Subtype, len(p.Children), p.Message != nil)
	}
	if p.Lines > p.BodySize || p.Lines < 0 {
		t.Errorf("%d lines in %d bytes", p.Lines, p.BodySize)
	}
	at := p.BodyOffset()
	for _, c := range p.Children {
		checkPart(t, c, at, p.BodyOffset()+p.BodySize)
		at = c.BodyOffset() + c.BodySize
	}
	if p.Message != nil {
		checkPart(t, p.Message.Root, p.BodyOffset(), p.BodyOffset()+p.BodySize)
		if p.Message.Root.Offset != p.BodyOffset() || p.Message.HeaderSize+p.Message.Root.BodySize != p.BodySize {
			t.Errorf("enclosed message %d+%d+%d does not fill its part %d+%d", p.Message.Root.Offset, p.Message.HeaderSize, p.Message.Root.BodySize,
				p.BodyOffset(), p.BodySize)
		}
	}
}

// show prints a structure: type, lines and the body's bytes of every leaf.
func show(p *Part, text string) string {
	name := p.Type + "/" + p.Subtype
	switch {
	case len(p.Children) > 0:
		var inner []string
		for _, c := range p.Children {
			inner = append(inner, show(c, text))
		}
		return name + "[" + strings.Join(inner, " ") + "]"
	case p.Message != nil:
		return fmt.Sprintf("%s:%d{%s %s}", name, p.Lines, p.Message.Envelope.Subject, show(p.Message.Root, text))
	}
	return fmt.Sprintf("%s:%d%q", name, p.Lines, text[p.BodyOffset():p.BodyOffset()+p.BodySize])
}

func TestStructure(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty message", "", `text/plain:0""`},
		{"header only", "Subject: x\n", `text/plain:0""`},
		{"header without its end", "Subject: x", `text/plain:0""`},
		{"only an empty line", "\n", `text/plain:0""`},
		{"plain", "Subject: x\n\none\ntwo\n", `text/plain:2"one\ntwo\n"`},
		{"last line without an end", "Subject: x\n\none\ntwo", `text/plain:2"one\ntwo"`},
		{"no header", "\none\n", `text/plain:1"one\n"`},
		{"mbox line first", "From a@b Mon Nov 23 08:00:00 2026\nContent-Type: text/html\n\nx\n", `text/html:1"x\n"`},
		{"lines without a colon", "Subject: x\nthis is no field\nContent-Type: text/html\n\nx\n", `text/html:1"x\n"`},
		{"colon after a space", "Content-Type : text/html\n\nx", `text/html:1"x"`},
		{"folded type", "Content-Type: multipart/mixed;\n\tboundary=\n \"b\"\n\n--b\n\nx\n--b--\n", `multipart/mixed[text/plain:1"x"]`},
		{"two parts", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: text/plain\n\none\n\n--b\nContent-Type: text/html\n\ntwo\n--b--\nepilogue\n",
			`multipart/mixed[text/plain:1"one\n" text/html:1"two"]`},
		{"boundary line with spaces after it", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n", `multipart/mixed[text/plain:1"x"]`},
		{"part without the empty line", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b--\n", `multipart/mixed[text/html:0""]`},
		{"part with an empty body", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b--\n", `multipart/mixed[text/plain:0"" text/plain:0""]`},
		{"never closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\ny\n", `multipart/mixed[text/plain:2"x\ny\n"]`},
		{"inner never closed", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nx\n--o\n\ny\n--o--\n",
			`multipart/mixed[multipart/alternative[text/plain:1"x"] text/plain:1"y"]`},
		{"multipart without parts", "Content-Type: multipart/mixed; boundary=b\n\n", `text/plain:0""`},
		{"multipart closed at once", "Content-Type: multipart/mixed; boundary=b\n\n--b--\n", `text/plain:1"--b--\n"`},
		{"empty inner multipart", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/related; boundary=i\n\n--o--\n",
			`multipart/mixed[text/plain:0""]`},
		{"multipart without a boundary", "Content-Type: multipart/mixed\n\nx\n", `text/plain:1"x\n"`},
		{"multipart with an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\nx\n", `text/plain:2"--\nx\n"`},
		{"boundary that ends in dashes", "Content-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n\nx\n--b----\n", `multipart/mixed[text/plain:1"x"]`},
		{"one boundary for both levels", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n\ny\n--b--\n",
			`multipart/mixed[multipart/mixed[text/plain:1"x"] text/plain:1"y"]`},
		{"boundary that begins another", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
			`multipart/mixed[multipart/mixed[text/plain:1"x"]]`},
		{"type without subtype", "Content-Type: text\n\nx", `text/plain:1"x"`},
		{"type of an application without subtype", "Content-Type: pdf; name=a.pdf\n\nx", `application/octet-stream:1"x"`},
		{"type that is none", "Content-Type: ;;;\n\nx", `text/plain:1"x"`},
		{"type in capitals with comment", "Content-Type: TEXT/HTML (really); charset=UTF-8\n\nx", `text/html:1"x"`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b--\n", `multipart/digest[message/rfc822:3{in text/plain:1"x"}]`},
		{"enclosed message", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c\nContent-Type: text/html\n\ny\n--c--\n\n--b--\n",
			`multipart/mixed[message/rfc822:11{in multipart/mixed[text/plain:1"x" text/html:1"y"]}]`},
		{"message that is a message", "Content-Type: message/rfc822\n\nSubject: in\n\nx\n", `message/rfc822:3{in text/plain:1"x\n"}`},
		{"encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n", `application/octet-stream:1"U3ViamVjdDogeA==\n"`},
		{"report", "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nfailed\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n--b\nContent-Type: text/rfc822-headers\n\nSubject: x\n\n--b--\n",
			`multipart/report[text/plain:1"failed" message/delivery-status:1"Reporting-MTA: dns; x\n" text/rfc822-headers:1"Subject: x\n"]`},
		{"carriage returns inside a line", "Subject: x\n\na\rb\n", `text/plain:1"a\rb\n"`},
		{"NUL bytes", "Subject: a\x00b\n\n\x00\n", `text/plain:1"\x00\n"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := show(parse(t, c.text).Root, c.text); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			text := crlf(c.text)
			if got := strings.ReplaceAll(show(parse(t, text).Root, text), `\r\n`, `\n`); got != c.want {
				t.Errorf("with CRLF\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestMixedLineEnds(t *testing.T) {
	text := "Content-Type: multipart/mixed; boundary=b\n\r\n--b\r\n\none\r\n--b\n\r\ntwo\n--b--"
	if got, want := show(parse(t, text).Root, text), `multipart/mixed[text/plain:1"one" text/plain:1"two"]`; got != want {
		t.Errorf("got %s", got)
	}
}

// A line longer than the reader's buffer, with the buffer's end in every place around its CRLF.
func TestLineLongerThanTheBuffer(t *testing.T) {
	for n := 64<<10 - 40; n < 64<<10+40; n++ {
		head := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
		long := strings.Repeat("x", n-len(head))
		text := head + long + "\r\n--b\r\n\r\ny\r\n--b--\r\n"
		root := parse(t, text).Root
		if len(root.Children) != 2 || root.Children[0].BodySize != int64(len(long)) || root.Children[0].Lines != 1 {
			t.Fatalf("%d: %d children, first of %d bytes in %d lines", n, len(root.Children), root.Children[0].BodySize, root.Children[0].Lines)
		}
	}
}

func TestBoundsOfTheStructure(t *testing.T) {
	deep := &strings.Builder{}
	for i := range 200 {
		fmt.Fprintf(deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	deep.WriteString("\nx\n")
	depth := 0
	for p := parse(t, deep.String()).Root; len(p.Children) > 0; p = p.Children[0] {
		depth++
	}
	if depth != maxDepth {
		t.Errorf("%d levels", depth)
	}
	enclosed := strings.Repeat("Content-Type: message/rfc822\n\n", 200) + "x"
	depth = 0
	for p := parse(t, enclosed).Root; p.Message != nil; p = p.Message.Root {
		depth++
	}
	if depth != maxDepth {
		t.Errorf("%d enclosed messages", depth)
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 5000) + "--b--\n"
	if n := len(parse(t, many).Root.Children); n != maxParts-1 {
		t.Errorf("%d parts", n)
	}
	header := "Subject: first\n" + strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\n", 4000) + "Subject: last\nMessage-ID: <late@x>\n\nbody\n"
	sum := parse(t, header)
	if sum.Envelope.Subject != "first" || sum.Envelope.MessageID != "" || sum.Root.BodySize != 5 {
		t.Errorf("large header: %+v", sum.Envelope)
	}
}

// Memory does not grow with the message: 256 MB of body or header cost what one costs.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads half a gigabyte")
	}
	for _, head := range []string{"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n", "Subject: x\nX-Long: "} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		text := io.MultiReader(strings.NewReader(head), io.LimitReader(letters{}, 256<<20))
		if _, err := parseMessage(text); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%d MB allocated", n>>20)
		}
	}
}

// letters is an endless line.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestBrokenDiskIsAnError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("Subject: x\n\nhalf"), brokenReader{})
	if _, err := parseMessage(r); err == nil {
		t.Error("half a message was taken for the whole")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDecodedText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                          "plain",
		"Công văn số 15":                 "Công văn số 15",
		"=?UTF-8?B?Q8O0bmcgdsSDbg==?=":   "Công văn",
		"=?utf-8?q?C=C3=B4ng_v=C4=83n?=": "Công văn",
		"=?UTF-8?B?Q8O0bmcgdsSD?= =?UTF-8?B?biDEkcOibg==?=":  "Công văn đân",
		"=?UTF-8?B?Q8O0bmcgdsQ=?=\t=?UTF-8?B?g24=?=":         "Công văn", // a letter cut in two
		"Re: =?utf-8?q?C=C3=B4ng?= van":                      "Re: Công van",
		"=?utf-8?q?a?= b =?utf-8?q?c?=":                      "a b c",
		"=?windows-1258?Q?C=F4ng_v=E3n?=":                    "Công văn",
		"=?windows-1258?Q?Quy=EC_ti=EA=ECn?=":                "Quý tiến",
		"=?iso-8859-1?q?caf=E9?=":                            "café",
		"=?x-unknown?q?abc?=":                                "=?x-unknown?q?abc?=",
		"=?x-unknown?q?abc?= =?utf-8?q?C=C3=B4ng?=":          "=?x-unknown?q?abc?= Công",
		"=?viscii?Q?C=F4ng_v=E5n?=":                          "Công văn",
		"=?x-viet-tcvn5712?Q?C=ABng_v=A8n?=":                 "Công văn",
		"=?utf-8*vi?q?C=C3=B4ng?=":                           "Công",
		"=?utf-8?B?Q8O0bmc?=":                                "Công", // padding forgotten
		"=?utf-8?B?Q8O0 bmc=?=":                              "Công",
		"=?utf-8?x?abc?=":                                    "=?utf-8?x?abc?=",
		"=?utf-8?q?open":                                     "=?utf-8?q?open",
		"=?":                                                 "=?",
		"=?utf-8?q?=ZZ_=4?=":                                 "=ZZ =4",
		"C\xf4ng v\xe3n":                                     "Công văn", // bare windows-1258
		"a\x00b\tc\x1b[31m":                                  "ab c[31m",
		"Ủy ban nhân dân":                                    "Ủy ban nhân dân", // NFD
		"=?utf-8?q?" + strings.Repeat("=C3=B4", 2000) + "?=": strings.Repeat("ô", 2000),
		"=?gb2312?B?udzA7bDst6g=?=":                          "管理办法",
		" =?utf-8?q?_a_?= ":                                  "a",
	} {
		got := decodeText(in)
		if got != want {
			t.Errorf("%.80q: got %.80q, want %.80q", in, got, want)
		}
	}
}

func TestPeople(t *testing.T) {
	p := func(name, mailbox, host string) Person { return Person{name, mailbox, host} }
	for _, c := range []struct {
		in   string
		want []Person
	}{
		{"", nil},
		{"a@b.test", []Person{p("", "a", "b.test")}},
		{"Văn thư <vanthu@kontum.test>, b@c.test", []Person{p("Văn thư", "vanthu", "kontum.test"), p("", "b", "c.test")}},
		{`"Sở TT&TT, Kon Tum" <stttt@kontum.test>`, []Person{p("Sở TT&TT, Kon Tum", "stttt", "kontum.test")}},
		{`"a \"b\" c" <a@b.test>`, []Person{p(`a "b" c`, "a", "b.test")}},
		{"=?utf-8?q?V=C4=83n_th=C6=B0?= <a@b.test>", []Person{p("Văn thư", "a", "b.test")}},
		{"=?utf-8?q?A,_B?= <a@b.test>", []Person{p("A, B", "a", "b.test")}},
		{`"=?utf-8?q?V=C4=83n?=" <a@b.test>`, []Person{p("Văn", "a", "b.test")}},
		{"=?x-unknown?q?V=C4?= <a@b.test>, c@d.test", []Person{p("=?x-unknown?q?V=C4?=", "a", "b.test"), p("", "c", "d.test")}},
		{"a@b.test, bad@@x.test, c@d.test", []Person{p("", "a", "b.test"), p("", "bad@", "x.test"), p("", "c", "d.test")}},
		{"a@b.test,,  , c@d.test;", []Person{p("", "a", "b.test"), p("", "c", "d.test")}},
		{"a@b.test; c@d.test", []Person{p("", "a", "b.test"), p("", "c", "d.test")}},
		{"Nguyễn, Văn A <a@b.test>", []Person{p("Nguyễn, Văn A", "a", "b.test")}},
		{"undisclosed-recipients:;", nil},
		{"Các sở: a@b.test, c@d.test; e@f.test", []Person{p("", "a", "b.test"), p("", "c", "d.test"), p("", "e", "f.test")}},
		{"a@b.test (Văn thư (tổ 1))", []Person{p("Văn thư (tổ 1)", "a", "b.test")}},
		{"<@relay.test:a@b.test>", []Person{p("", "a", "b.test")}},
		{"<a@B.Test>", []Person{p("", "a", "b.test")}},
		{"Tên <a@b.test", []Person{p("Tên", "a", "b.test")}},
		{"Tên <a@b.test, c@d.test", []Person{p("Tên", "a", "b.test"), p("", "c", "d.test")}},
		{`"open <a@b.test>, c@d.test`, []Person{p("open", "a", "b.test"), p("", "c", "d.test")}},
		{"(open a@b.test", []Person{p("", "open a", "b.test")}},
		{"root", []Person{p("", "root", NoHost)}},
		{"root, a@b.test", []Person{p("", "root", NoHost), p("", "a", "b.test")}},
		{"MAILER-DAEMON <>", []Person{p("MAILER-DAEMON", "missing", NoHost)}},
		{"<>", nil},
		{`"a b"@c.test`, []Person{p("", `"a b"`, "c.test")}},
		{`"ab"@c.test`, []Person{p("", `ab`, "c.test")}},
		{"C\xf4ng <a@b.test>", []Person{p("Công", "a", "b.test")}},
		{"a @ b.test", []Person{p("", "a", "b.test")}},
	} {
		got := parsePeople(c.in)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%q\ngot  %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestParameters(t *testing.T) {
	for in, want := range map[string]string{
		`attachment; filename=a.pdf`:                                                     "a.pdf",
		`attachment; filename="Công văn số 15.pdf"`:                                      "Công văn số 15.pdf",
		`attachment; filename=Công văn 15.pdf; size=3`:                                   "Công văn 15.pdf",
		`attachment; filename="=?utf-8?q?C=C3=B4ng.pdf?="`:                               "Công.pdf",
		`attachment; filename==?utf-8?B?Q8O0bmcgdsSDbg==?=`:                              "Công văn",
		`attachment; filename*=utf-8''C%C3%B4ng%20v%C4%83n.pdf`:                          "Công văn.pdf",
		`attachment; filename=x.pdf; filename*=utf-8'vi'C%C3%B4ng.pdf`:                   "Công.pdf",
		`attachment; filename*0*=utf-8''C%C3%B4; filename*1=ng; filename*2*=%20v%C4%83n`: "Công văn",
		`attachment; filename*0="dài "; filename*1="lắm.pdf"`:                            "dài lắm.pdf",
		`attachment; filename*=windows-1258''C%F4ng%20v%E3n`:                             "Công văn",
		`attachment; filename*=x-none''abc`:                                              "abc",
		`attachment; filename="C:\Users\a.pdf"`:                                          `C:\Users\a.pdf`,
		`attachment; filename="a\"b.pdf"`:                                                `a"b.pdf`,
		`attachment; filename="open.pdf`:                                                 "open.pdf",
		`attachment; filename="open.pdf; size=3`:                                         "open.pdf",
		`attachment; filename=; size=3`:                                                  "",
		`attachment; ; ;filename = "a.pdf" ;`:                                            "a.pdf",
		`attachment; filename="a.pdf"; filename="b.pdf"`:                                 "a.pdf",
		`attachment; filename="a;b.pdf"; x`:                                              "a;b.pdf",
		`attachment; FileName=a.pdf (a comment)`:                                         "a.pdf",
		`attachment`:                                                                     "",
	} {
		value, raw := parseParams(in)
		if got := decodeParams(raw)["filename"]; got != want || value != "attachment" {
			t.Errorf("%q: got %q %q", in, value, got)
		}
	}
}

func TestDates(t *testing.T) {
	want := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for _, in := range []string{"Mon, 23 Nov 2026 08:00:00 +0700", "23 Nov 2026 08:00:00 +0700", "Mon, 23 Nov 2026 08:00:00 +0700 (ICT)",
		"Mon,  23 Nov 2026\t08:00:00 +0700", "Mon, 23 Nov 2026 01:00:00 GMT", "Mon, 23 Nov 2026 08:00:00 GMT+0700", "Mon Nov 23 01:00:00 2026",
		"Th 2, 23 Nov 2026 08:00:00 +0700", "2026-11-23T08:00:00+07:00", "2026-11-23 01:00:00", "23 Nov 26 08:00 +0700"} {
		if got := parseDate(in); !got.Equal(want) {
			t.Errorf("%q: %v", in, got)
		}
	}
	for _, in := range []string{"", "hôm qua", "Mon, 99 Nov 2026 08:00:00 +0700", "Mon, 23 Nov 0001 08:00:00 +0700"} {
		if got := parseDate(in); !got.IsZero() {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	text := crlf("Subject: =?utf-8?q?V/v_h=E1=BB=8Dp?=\nSubject: second\nFROM: A <a@b.test>\nTo: b@c.test\nTo: d@e.test\nCc: f@g.test\nReply-To: traloi+tok@kontum.test\n" +
		"Message-ID: \n <abc@kontum.test>\nIn-Reply-To: <x@y> <z@y>\nReferences: <1@y>\n <2@y> junk <open\nDate: Mon, 23 Nov 2026 08:00:00 +0700\n\nx")
	e := parse(t, text).Envelope
	if e.Subject != "V/v họp" || e.MessageID != "abc@kontum.test" || len(e.From) != 1 || len(e.To) != 2 || len(e.Cc) != 1 || len(e.ReplyTo) != 1 ||
		e.Sender != nil || strings.Join(e.InReplyTo, " ") != "x@y z@y" || strings.Join(e.References, " ") != "1@y 2@y" || e.Date.IsZero() ||
		e.DateRaw != "Mon, 23 Nov 2026 08:00:00 +0700" {
		t.Errorf("%+v", e)
	}
	long := parse(t, "Message-ID: <"+strings.Repeat("x", 10000)+"@y>\nSubject: "+strings.Repeat("ă", 20000)+"\n\n").Envelope
	if len(long.MessageID) > maxMessageID || len(long.Subject) > maxSubject || strings.ContainsRune(long.Subject, '\uFFFD') {
		t.Errorf("%d, %d bytes", len(long.MessageID), len(long.Subject))
	}
}

func TestPartFields(t *testing.T) {
	text := crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/PDF; name=\"a.pdf\"\nContent-Transfer-Encoding: BASE64 (x)\n" +
		"Content-ID: <1@x>\nContent-Description: =?utf-8?q?B=E1=BA=A3n?=\nContent-Disposition: ATTACHMENT; filename=a.pdf\nContent-Language: vi, en\n\nQQ==\n--b--\n")
	p := parse(t, text).Root.Children[0]
	if p.Encoding != "base64" || p.ID != "<1@x>" || p.Description != "Bản" || p.Disposition != "attachment" || p.DispositionParams["filename"] != "a.pdf" ||
		p.Params["name"] != "a.pdf" || strings.Join(p.Language, " ") != "vi en" || p.Subtype != "pdf" {
		t.Errorf("%+v", p)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: message/rfc822\n\nSubject: =?utf-8?q?x?=\nTo: a@b, \"c <d@e>\n\nx"))
	f.Add([]byte("Content-Type: multipart/digest; boundary=\"b\"\n\n--b\n\nFrom: (x\n--b\n--b--"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, err := parseMessage(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		checkSummary(t, sum, string(data))
	})
}
