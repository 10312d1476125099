package imapd

import (
	"errors"
	"time"
)

var errLoggedOut = errors.New("logged out")

// plainPhase speaks with a client that has not begun TLS yet: it may ask what we are and must go over to TLS. Anything
// else, a password above all, is refused. Only of a program on this machine, where the configuration allows it, is a login handed on.
func (f *front) plainPhase() error {
	caps := "CAPABILITY IMAP4rev2 IMAP4rev1 SASL-IR ID LITERAL- STARTTLS LOGINDISABLED"
	if f.local {
		caps = "CAPABILITY IMAP4rev2 IMAP4rev1 SASL-IR ID QUOTA QUOTA=RES-STORAGE ENABLE IDLE LITERAL- STARTTLS AUTH=PLAIN AUTH=LOGIN AUTH=" + scramSHA
	}
	if err := f.say("* OK [%s] IMAP server ready", caps); err != nil {
		return err
	}
	for f.bad <= maxBadLines {
		f.SetReadDeadline(time.Now().Add(f.l.opt.LoginTimeout))
		line, err := f.readLine()
		if err != nil {
			return err
		}
		tag, name, ok := splitCommand(line)
		if !ok {
			return f.leave("Expected a tag and a command")
		}
		switch name {
		case "CAPABILITY":
			err = f.say("* %s\r\n%s OK CAPABILITY completed", caps, tag)
		case "NOOP":
			err = f.say("%s OK NOOP completed", tag)
		case "ID":
			err = f.answerID(tag, line)
		case "LOGOUT":
			f.say("* BYE Logging out\r\n%s OK LOGOUT completed", tag)
			return errLoggedOut
		case "STARTTLS":
			if f.in.Buffered() > 0 {
				// Bytes that came before the handshake were not protected by it (RFC 9051 §6.2.1).
				return f.leave("Nothing may follow STARTTLS before TLS begins")
			}
			f.local = false // from now on like everybody else
			return f.say("%s OK Begin TLS negotiation now", tag)
		case "LOGIN", "AUTHENTICATE":
			if f.local {
				f.again = true
				return nil
			}
			f.bad++
			err = f.refusePlain(tag, line)
		default: // a browser that was sent here (cross-protocol attack) gets no second line
			return f.leave("Unknown command")
		}
		if err != nil {
			return err
		}
	}
	return f.leave("Too many commands without TLS")
}

// refusePlain answers a login without TLS. A password that was sent in a literal all the same is thrown away.
func (f *front) refusePlain(tag string, line []byte) error {
	if h := parseHeader(line); h != nil && h.nonSync {
		if h.size > maxLiteral {
			return f.leave("[TOOBIG] Literal too long to be sent without waiting")
		}
		if err := f.skipCommand(h.size); err != nil {
			return err
		}
	}
	return f.say("%s NO [PRIVACYREQUIRED] TLS is required to authenticate", tag)
}
