package imapd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// A header is the end of a line that announces a literal, "{12}" or "{12+}".
type header struct {
	size    int64
	nonSync bool
	message bool // of an APPEND: streamed, up to MaxMessage
}

// Read implements net.Conn for the library: it hands on one line of a command, or a piece of a literal, at a time. When it
// is called for the next line the library has dealt with everything before it, so what the library wrote meanwhile tells
// whether it took the literal that the last line announced.
func (f *front) Read(p []byte) (int, error) {
	if err := f.endCommand(); err != nil {
		return 0, err
	}
	for {
		if f.over {
			return 0, io.EOF
		}
		if len(f.line) > 0 {
			n := copy(p, f.line)
			if f.line = f.line[n:]; len(f.line) == 0 && f.wants {
				f.takeTurn()
			}
			return n, nil
		}
		if err := f.flush(); err != nil {
			return 0, err
		}
		if f.literal > 0 {
			return f.readLiteral(p)
		}
		if err := f.nextLine(); err != nil {
			return 0, err
		}
	}
}

// endCommand sends what a command had to say, as part of its turn.
func (f *front) endCommand() (err error) {
	if f.atWork.Load() {
		err = f.flush()
		f.endTurn()
	}
	return err
}

func (f *front) readLiteral(p []byte) (int, error) {
	f.SetReadDeadline(time.Now().Add(literalIdle))
	n, err := f.in.Read(p[:min(int64(len(p)), f.literal)])
	f.literal -= int64(n)
	if err != nil {
		return n, f.ended(err)
	}
	return n, nil
}

// nextLine decides about a literal that was announced, then reads the next line and prepares what is handed on.
func (f *front) nextLine() error {
	f.mu.Lock()
	asked, h, stopping := f.asked, f.header, f.stopText
	f.asked, f.header = false, nil
	f.mu.Unlock()
	switch {
	case stopping != "":
		return f.leave(stopping)
	case h != nil && asked:
		f.literal, f.inside, f.appended = h.size, true, h.message
		if f.literal > 0 {
			return nil
		}
	case h != nil:
		// The library refused the command at the literal or before it. Whoever did not wait has sent it all the same.
		f.inside = false
		if h.nonSync {
			if err := f.skipCommand(h.size); err != nil {
				return err
			}
		}
	}
	var line []byte
	var err error
	if f.again {
		line, f.again = f.buf, false
	} else if line, err = f.readLine(); err != nil {
		return err
	}
	switch {
	case asked && h == nil: // DONE, or an answer of SASL
		f.line, f.wants = line, false
		return nil
	case f.inside:
		return f.goOn(line)
	}
	return f.command(line)
}

// readLine returns the next line with its end, at most maxLine bytes. The bytes are valid until the next call.
func (f *front) readLine() ([]byte, error) {
	f.buf = f.buf[:0]
	if cap(f.buf) > 4096 {
		f.buf = nil
	}
	for {
		part, err := f.in.ReadSlice('\n')
		if len(f.buf)+len(part) > maxLine {
			return nil, f.punish("[TOOBIG] Command line too long")
		}
		f.buf = append(f.buf, part...)
		switch {
		case err == nil && bytes.IndexByte(f.buf, 0) >= 0:
			return nil, f.punish("NUL is not allowed in commands")
		case err == nil:
			return f.buf, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, f.ended(err)
		}
	}
}

// command looks at the first line of a command.
func (f *front) command(line []byte) error {
	tag, name, ok := splitCommand(line)
	if !ok {
		if f.bad++; f.bad > maxBadLines {
			return f.punish("Too many lines that are no commands")
		}
		if tag == "" {
			tag = "*"
		}
		return f.say("%s BAD Expected a tag and a command", tag)
	}
	f.commands.Add(1)
	f.mu.Lock()
	f.cmd = name
	f.mu.Unlock()
	f.appended = false
	switch name {
	case "ID":
		return f.answerID(tag, line)
	case "GETQUOTA", "GETQUOTAROOT", "SETQUOTA":
		return f.answerQuota(tag, name, line)
	case "STARTTLS":
		return f.say("%s BAD It is too late for STARTTLS", tag)
	case "SEARCH", "UID SEARCH":
		line = mendSearch(line)
	}
	return f.handOn(tag, name, line)
}

// goOn looks at the line behind a literal.
func (f *front) goOn(line []byte) error {
	f.inside = false
	if f.appended {
		f.appended = false
		// The library would take the message and then never answer a second one (RFC 3502, not announced).
		if rest := bytes.TrimSpace(line); len(rest) > 0 && !bytes.Equal(rest, []byte(")")) {
			return f.leave("Only one message in an APPEND")
		}
	}
	f.mu.Lock()
	name := f.cmd
	f.mu.Unlock()
	return f.handOn("", name, line)
}

// handOn gives a line to the library; a literal that it announces is checked first. tag is empty inside a command.
func (f *front) handOn(tag, name string, line []byte) error {
	h := parseHeader(line)
	f.wants = name != "IDLE"
	if h == nil {
		f.line = line
		return nil
	}
	// The first literal of an APPEND may be the mailbox's name, right behind the command; any other is the message.
	h.message = name == "APPEND" && (tag == "" || len(bytes.Fields(line[:bytes.LastIndexByte(line, '{')])) > 2)
	if h.nonSync && h.size > maxLiteral {
		return f.punish("[TOOBIG] Literal too long to be sent without waiting")
	}
	f.mu.Lock()
	authed := f.authed
	f.mu.Unlock()
	if h.size > maxLiteral && !(h.message && authed) {
		if tag == "" {
			return f.punish("[TOOBIG] Literal too long")
		}
		return f.say("%s NO [TOOBIG] Literal too long for this command", tag)
	}
	if h.nonSync { // the library must ask for it, so that we learn whether it takes it
		line = dropPlus(line)
	}
	f.mu.Lock()
	f.header = h
	f.mu.Unlock()
	f.line = line
	return nil
}

// skipCommand throws away the literal of a refused command and whatever else belongs to that command.
func (f *front) skipCommand(size int64) error {
	for {
		f.SetReadDeadline(time.Now().Add(literalIdle))
		if _, err := io.CopyN(io.Discard, f.in, size); err != nil {
			return f.ended(err)
		}
		line, err := f.readLine()
		if err != nil {
			return err
		}
		h := parseHeader(line)
		if h == nil || !h.nonSync {
			return nil // whoever waits for our word has got a refusal
		}
		if h.size > maxLiteral {
			return f.punish("[TOOBIG] Literal too long to be sent without waiting")
		}
		size = h.size
	}
}

// answerID answers ID (RFC 2971), which the library does not know and, before the login, would punish. What the client
// says of itself is read and forgotten.
func (f *front) answerID(tag string, line []byte) error {
	if _, _, err := f.words(line, 1024); err != nil { // RFC 2971 §3.3: values of 1024 octets
		return err
	}
	return f.say("* ID (\"name\" \"congvan\")\r\n%s OK ID completed", tag)
}

// splitCommand returns the tag and the upper-case name of a command; UID comes with what follows it.
func splitCommand(line []byte) (tag, name string, ok bool) {
	words := strings.Fields(string(line[:min(len(line), 256)]))
	if len(words) == 0 || !isTag(words[0]) {
		return "", "", false
	}
	if len(words) == 1 || line[0] == ' ' {
		return words[0], "", false
	}
	name = strings.ToUpper(words[1])
	if name == "UID" && len(words) > 2 {
		name += " " + strings.ToUpper(words[2])
	}
	return words[0], name, true
}

// isTag follows RFC 9051 §9: an ASTRING without "+".
func isTag(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\+`, c) >= 0 {
			return false
		}
	}
	return len(s) <= 64
}

// parseHeader returns the literal that a line announces at its end, or nil.
func parseHeader(line []byte) *header {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) < 3 || line[len(line)-1] != '}' {
		return nil
	}
	at := bytes.LastIndexByte(line, '{')
	if at < 0 {
		return nil
	}
	digits, nonSync := strings.CutSuffix(string(line[at+1:len(line)-1]), "+")
	if len(digits) == 0 || len(digits) > 19 || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return nil
	}
	return &header{size: size, nonSync: nonSync}
}

// dropPlus makes "{12+}" at the end of a line "{12}".
func dropPlus(line []byte) []byte {
	at := bytes.LastIndex(line, []byte("+}"))
	return append(line[:at], line[at+1:]...)
}
