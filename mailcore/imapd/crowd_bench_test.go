package imapd_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/imapd"
)

const (
	crowdSize    = 200
	crowdAddress = "xau@kontum.test"
)

// A foe is what each connection of a crowd does, again and again. Those with a session are logged in and have a mailbox open.
type foe struct {
	name    string
	session bool
	act     func(c net.Conn)
}

func flood(command string) func(net.Conn) {
	return func(c net.Conn) {
		go io.Copy(io.Discard, c)
		for text := []byte(strings.Repeat("x "+command+"\r\n", 20)); ; {
			if _, err := c.Write(text); err != nil {
				return
			}
		}
	}
}

func trickle(c net.Conn, first string) {
	go io.Copy(io.Discard, c)
	for _, err := io.WriteString(c, first); err == nil; time.Sleep(50 * time.Millisecond) {
		_, err = c.Write([]byte{'x'})
	}
}

var crowd = []foe{
	{"slow-readers", true, func(c net.Conn) {
		io.WriteString(c, "x FETCH 1 BODY.PEEK[]\r\n")
		time.Sleep(time.Hour)
	}},
	{"half-open", false, func(net.Conn) { time.Sleep(time.Hour) }},
	{"endless-lines", true, func(c net.Conn) { io.Copy(c, endless{}) }},
	{"literal-bombs", true, func(c net.Conn) {
		io.WriteString(c, "x SEARCH BODY {4000000000}\r\ny LOGIN {4000000000+}\r\n")
		io.Copy(c, endless{})
	}},
	{"noop-flood", true, flood("NOOP")},
	{"fetch-flood", true, flood("FETCH 1:* (FLAGS ENVELOPE)")},
	{"search-flood", true, flood("SEARCH BODY \"khong co gi\"")},
	{"append-trickle", true, func(c net.Conn) { trickle(c, "x APPEND INBOX {100000}\r\n") }},
}

// BenchmarkCrowd is an honest client that logs in, opens its inbox and reads 300 KB, alone and beside a crowd of two hundred from the
// same address with another account. The crowd is another process, which lets the server
// have the processor first: it stands for machines elsewhere. One iteration is one honest session.
func BenchmarkCrowd(b *testing.B) {
	h := newHouse(b, sqlite(b), func(o *imapd.Options) { o.FailureDelay = time.Second })
	h.store.SetHashCost(mailcore.HashCost{Time: 1, Memory: 8})
	bad := h.newAccount(crowdAddress, mailcore.Unit, false)
	big := append(letter("Lớn", 0), bytes.Repeat([]byte("z\r\n"), 8<<20/3)...)
	h.deliver(mailcore.Inbox, append(letter("Văn bản", 0), bytes.Repeat([]byte("z\r\n"), 100_000)...), "", "dispatch:1")
	good := h.account
	h.account = bad
	h.deliver(mailcore.Inbox, big, "", "")
	fill(h, 500)
	h.account = good
	b.Run("alone", func(b *testing.B) { h.honest(b) })
	for _, f := range crowd {
		b.Run(f.name, func(b *testing.B) {
			end := h.crowd(b, f.name)
			h.honest(b)
			end()
			time.Sleep(8 * time.Second) // what it left behind is served to its end
		})
	}
}

// honest reports how long sessions take.
func (h *house) honest(b *testing.B) {
	took := make([]time.Duration, 0, b.N)
	conf := h.config()
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		c, err := tls.Dial("tcp", h.tls, conf)
		if err != nil {
			b.Fatal(err)
		}
		p := &peer{c, bufio.NewReader(c)}
		p.SetDeadline(start.Add(2 * time.Minute))
		p.until(b, `\* OK .*`)
		p.command(b, fmt.Sprintf("LOGIN %s %q", unitAddress, password))
		p.command(b, "SELECT INBOX")
		if got := p.command(b, "FETCH 1 (FLAGS BODY.PEEK[])"); len(got) < 300_000 {
			b.Fatalf("%d bytes came", len(got))
		}
		p.command(b, "NOOP")
		c.Close()
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// crowd begins what a foe does and returns what ends it.
func (h *house) crowd(b *testing.B, name string) func() {
	b.Helper()
	cmd := exec.Command("nice", "-n", "19", os.Args[0], "-test.run", "^TestCrowdProcess$")
	cmd.Env = append(os.Environ(), "CROWD="+name, "CROWD_ADDR="+h.tls, "CROWD_CA="+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.leaf})))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	expectLine(b, bufio.NewReader(out), "crowded")
	return func() {
		in.Close()
		cmd.Wait()
	}
}

// TestCrowdProcess is the crowd of BenchmarkCrowd, until its standard input ends.
func TestCrowdProcess(t *testing.T) {
	name := os.Getenv("CROWD")
	at := slices.IndexFunc(crowd, func(f foe) bool { return f.name == name })
	if at < 0 {
		t.Skip("only for the benchmark")
	}
	block, _ := pem.Decode([]byte(os.Getenv("CROWD_CA")))
	h := &house{t: t, tls: os.Getenv("CROWD_ADDR"), roots: pool(t, block.Bytes)}
	var ready sync.WaitGroup
	for range crowdSize {
		ready.Add(1)
		go func() {
			begun := sync.OnceFunc(ready.Done)
			time.AfterFunc(20*time.Second, begun) // who does not get in is part of the crowd too
			for {
				c, err := h.join(crowd[at])
				if begun(); err == nil {
					crowd[at].act(c)
					c.Close()
				}
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
	ready.Wait()
	fmt.Println("crowded")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func (h *house) join(f foe) (net.Conn, error) {
	if !f.session {
		return net.Dial("tcp", h.tls)
	}
	c, err := tls.Dial("tcp", h.tls, h.config())
	if err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintf(c, "a LOGIN %s %q\r\nb SELECT INBOX\r\n", crowdAddress, password); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(c, 512)
	for line := ""; !strings.HasPrefix(line, "b "); {
		if line, err = in.ReadString('\n'); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}
