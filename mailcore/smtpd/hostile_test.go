package smtpd_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore/smtpd"
)

// smuggled is what an attacker hides behind an end of data that only one of two servers takes for one.
const smuggled = "MAIL FROM:<sep@kontum.test>\r\nRCPT TO:<a2@kontum.test>\r\nDATA\r\nFrom: sep@kontum.test\r\nSubject: gia mao\r\n\r\nx\r\n.\r\n"

// No spelling of the end of data but CRLF.CRLF ends a message, and none that could be one elsewhere is passed on (RFC 5321
// §2.3.8): each variant, at both ports, by DATA and by BDAT.
func TestNoVariantSmugglesAMessage(t *testing.T) {
	var variants []string
	ends := []string{"\n", "\r", "\r\n", "\r\r\n", "\n\r", "\r\n\x00", "\x00\r\n", "\x0b", "\x0c", "\u0085", "\u2028"}
	for _, before := range ends {
		for _, after := range ends {
			for _, dot := range []string{".", "..", ". ", "\x00."} {
				if v := before + dot + after; !strings.Contains(v, "\r\n.\r\n") {
					variants = append(variants, v)
				}
			}
		}
	}
	h := onSQLite(t, 2, nil)
	refused, kept := 0, 0
	for _, port := range []string{"mx", "submission"} {
		var c *caller
		begin := func() {
			if c != nil {
				c.conn.Close()
			}
			if port == "submission" {
				c = h.login(t)
			} else {
				c = call(t, h.mx)
				c.do("EHLO bo.test", "250")
			}
		}
		begin()
		from := map[string]string{"mx": "x@bo.test", "submission": "a1@kontum.test"}[port]
		for i, v := range variants {
			body := "From: " + from + "\r\nSubject: vo hai\r\n\r\nx" + v + smuggled[:len(smuggled)-len("\r\n.\r\n")]
			chunked := i%2 == 1
			c.do("MAIL FROM:<"+from+">", "250")
			c.do("RCPT TO:<a1@kontum.test>", "250")
			if chunked {
				c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), body))
			} else {
				c.do("DATA", "354")
				c.send(body + "\r\n.\r\n")
			}
			got, err := c.reply()
			switch {
			case err != nil:
				t.Fatalf("%s, %q: %v", port, v, err)
			case strings.HasPrefix(got, "250"):
				kept++
			case strings.HasPrefix(got, "5"):
				refused++
			default:
				t.Errorf("%s, %q: answer %q", port, v, got)
			}
			c.send("NOOP\r\n") // the next answer is to this, not to what was hidden
			if got, err := c.reply(); err != nil || !strings.HasPrefix(got, "250") || strings.Contains(got, "2.1.0") {
				begin() // a server may also hang up after refusing
			}
			if i%10 == 0 {
				if rows, _ := h.inbox(t, "a2@kontum.test"); len(rows) != 0 {
					t.Fatalf("%s, before %q: the hidden message arrived", port, v)
				}
			}
		}
	}
	if rows, _ := h.inbox(t, "a2@kontum.test"); len(rows) != 0 {
		t.Fatal("a hidden message arrived")
	}
	rows, bodies := h.inbox(t, "a1@kontum.test")
	if len(rows) != kept {
		t.Errorf("%d messages for %d answers 250", len(rows), kept)
	}
	for _, body := range bodies { // what is kept goes on to others and must mean the same to them
		if bare := strings.ReplaceAll(body, "\r\n", ""); strings.ContainsAny(bare, "\r\n\x00") {
			t.Errorf("a message with a bare line end or NUL was kept: %q", body)
		}
	}
	t.Logf("%d variants at two ports: %d refused, %d kept as one message with canonical lines", len(variants), refused, kept)
	h.stop()
	h.check(t)
}

// A foe does one bad thing again and again until stop is closed, and counts how often the server put an end to it.
type foe struct {
	name  string
	count int
	act   func(c net.Conn, stop chan struct{})
}

func wait(stop chan struct{}, d time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// drip writes text in small pieces with pauses.
func drip(c net.Conn, text string, stop chan struct{}) {
	for i := range len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil || !wait(stop, 20*time.Millisecond) {
			return
		}
	}
}

func foes() []foe {
	letter := "EHLO x.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<a1@kontum.test>\r\nDATA\r\n"
	return []foe{
		{"half-open", 40, func(_ net.Conn, stop chan struct{}) { <-stop }},
		{"slow writer", 20, func(c net.Conn, stop chan struct{}) {
			drip(c, strings.Repeat("EHLO a-rather-long-name.test\r\n", 50), stop)
		}},
		{"dripping body", 20, func(c net.Conn, stop chan struct{}) {
			io.WriteString(c, letter)
			drip(c, strings.Repeat("x", 5000), stop)
		}},
		{"slow reader, pipelining flood", 10, func(c net.Conn, stop chan struct{}) {
			io.WriteString(c, strings.Repeat("NOOP\r\n", 50000))
			<-stop
		}},
		{"endless line", 5, func(c net.Conn, _ chan struct{}) { io.WriteString(c, strings.Repeat("x", 8<<20)) }},
		{"NULs", 5, func(c net.Conn, _ chan struct{}) { io.WriteString(c, letter+strings.Repeat("\x00", 1<<20)+"\r\n.\r\n") }},
		{"chunk bomb", 5, func(c net.Conn, stop chan struct{}) {
			io.WriteString(c, strings.Replace(letter, "DATA\r\n", "BDAT 9223372036854775807\r\n", 1)+strings.Repeat("y", 4<<20))
			wait(stop, time.Second)
		}},
		{"STARTTLS with commands behind", 5, func(c net.Conn, stop chan struct{}) {
			io.WriteString(c, "EHLO x.test\r\nSTARTTLS\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<a1@kontum.test>\r\n")
			wait(stop, 100*time.Millisecond)
		}},
	}
}

// honest sends n mails one after another and tells how long each took.
func honest(t *testing.T, h *house, n int) (times []time.Duration) {
	t.Helper()
	for i := range n {
		start := time.Now()
		c := call(t, h.mx)
		c.do("EHLO bo.test", "250")
		c.do("MAIL FROM:<x@bo.test>", "250")
		c.do("RCPT TO:<a2@kontum.test>", "250")
		c.do("DATA", "354")
		c.send(fmt.Sprintf("Subject: %d\r\n\r\n%d\r\n.\r\n", i, i))
		c.expect("250")
		c.conn.Close()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times
}

func TestFoesDoNotDelayAnHonestClient(t *testing.T) {
	const mails = 40
	h := onSQLite(t, 2, func(o *smtpd.Options) { o.BodyIdle, o.IdleTimeout = 5*time.Second, 10*time.Second })
	alone := honest(t, h, mails)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, f := range foes() {
		for range f.count {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for again := true; again; again = wait(stop, 200*time.Millisecond) {
					c, err := net.Dial("tcp", h.mx)
					if err != nil {
						continue
					}
					ended := make(chan struct{})
					go func() { // ends writes that nobody takes
						select {
						case <-stop:
						case <-ended:
						}
						c.Close()
					}()
					f.act(c, stop)
					close(ended)
				}
			}()
		}
	}
	time.Sleep(500 * time.Millisecond) // they are all at it
	crowded := honest(t, h, mails)
	close(stop)
	wg.Wait()
	p := func(d []time.Duration) string {
		return fmt.Sprintf("p50 %v, worst %v", d[len(d)/2].Round(time.Microsecond), d[len(d)-1].Round(time.Microsecond))
	}
	total := 0
	for _, f := range foes() {
		total += f.count
		t.Logf("%3d × %s", f.count, f.name)
	}
	t.Logf("a whole session with one mail: alone %s; beside %d foes %s", p(alone), total, p(crowded))
	h.stop()
	if rows, _ := h.inbox(t, "a2@kontum.test"); len(rows) != 2*mails {
		t.Errorf("%d of %d honest mails arrived", len(rows), 2*mails)
	}
	if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 0 {
		t.Errorf("%d mails of foes arrived", len(rows))
	}
	h.check(t)
}

// Ten thousand recipients in one message: as many as the limit are taken, the others refused one by one; ten thousand that do
// not exist end the session soon.
func TestTenThousandRecipients(t *testing.T) {
	h := onSQLite(t, 1, nil)
	ask := func(address func(int) string) (taken, refused int, ended bool) {
		c := call(t, h.mx)
		c.do("EHLO bo.test", "250")
		c.do("MAIL FROM:<x@bo.test>", "250")
		go func() {
			w := bufio.NewWriter(c.conn)
			for i := range 10000 {
				fmt.Fprintf(w, "RCPT TO:<%s>\r\n", address(i))
			}
			w.Flush()
		}()
		for range 10000 {
			got, err := c.reply()
			switch {
			case err != nil:
				return taken, refused, true
			case strings.HasPrefix(got, "250"):
				taken++
			default:
				refused++
			}
		}
		return taken, refused, false
	}
	start := time.Now()
	taken, refused, ended := ask(func(i int) string { return fmt.Sprintf("traloi+%d@kontum.test", i) })
	t.Logf("10,000 recipients that exist: %d taken, %d refused, hung up: %v, in %v", taken, refused, ended, time.Since(start).Round(time.Millisecond))
	if taken == 0 || taken > 1000 {
		t.Errorf("%d recipients taken, the limit is 1000", taken)
	}
	start = time.Now()
	taken, refused, ended = ask(func(i int) string { return fmt.Sprintf("ai%d@kontum.test", i) })
	t.Logf("10,000 that do not exist: %d taken, %d refused, hung up: %v, in %v", taken, refused, ended, time.Since(start).Round(time.Millisecond))
	if taken != 0 || !ended || refused > 60 {
		t.Errorf("%d taken, %d refused, hung up: %v", taken, refused, ended)
	}
}
