package ldapd

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Bounds of a message, far above what clients send.
const (
	maxMessage  = 64 << 10
	maxDepth    = 40
	maxElements = 2000
)

// errMalformed says that what came is no LDAP message: the connection ends (RFC 4511 §4.1.1).
var errMalformed = errors.New("no LDAP message")

func malformed(why string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(why, args...))
}

// A message is one request.
type message struct {
	id       int64
	op       *ber.Packet
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte
}

// readMessage reads the bytes of one message. begun is called when its first byte is there.
func readMessage(r *bufio.Reader, begun func()) ([]byte, error) {
	first, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	begun()
	if first[0] != 0x30 { // SEQUENCE
		return nil, malformed("begins with %#x", first[0])
	}
	for n := 2; ; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return nil, unexpected(err)
		}
		size, used, err := length(head[1:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if size > maxMessage {
			return nil, malformed("%d bytes long", size)
		}
		data := make([]byte, 1+used+size)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, unexpected(err)
		}
		return data, nil
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// length reads a definite length (RFC 4511 §5.1 has no other); used counts its bytes.
func length(b []byte) (size, used int, err error) {
	if len(b) == 0 {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n := int(b[0] & 0x7f)
	if n == 0 || n > 8 { // some clients always write four or eight bytes
		return 0, 0, malformed("a length of %d bytes", n)
	}
	if len(b) < 1+n {
		return 0, 0, io.ErrUnexpectedEOF
	}
	for _, c := range b[1 : 1+n] {
		if size > maxMessage {
			return 0, 0, malformed("an element over %d bytes", maxMessage)
		}
		size = size<<8 | int(c)
	}
	return size, 1 + n, nil
}

// inspect walks through the elements of a message before anything is built of them: kinds, lengths, depth and count.
func inspect(data []byte) error {
	left := maxElements
	return inspectElements(data, 0, &left)
}

func inspectElements(data []byte, depth int, left *int) error {
	if depth > maxDepth {
		return malformed("deeper than %d", maxDepth)
	}
	for len(data) > 0 {
		if *left--; *left < 0 {
			return malformed("more than %d elements", maxElements)
		}
		tag := data[0]
		if tag&0x1f == 0x1f {
			return malformed("a long tag")
		}
		size, used, err := length(data[1:])
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && size > len(data)-1-used {
			return malformed("an element ends after its parent")
		}
		if err != nil {
			return err
		}
		content := data[1+used : 1+used+size]
		if !known(tag, size) {
			return malformed("an element of kind %#x with %d bytes", tag, size)
		}
		if tag&0x20 != 0 {
			if err := inspectElements(content, depth+1, left); err != nil {
				return err
			}
		}
		data = data[1+used+size:]
	}
	return nil
}

// known says whether LDAP uses an element of this kind and size.
func known(tag byte, size int) bool {
	if tag&0xc0 != 0 {
		return true // of LDAP's own
	}
	switch tag {
	case 0x01: // BOOLEAN
		return size == 1
	case 0x02, 0x0a: // INTEGER, ENUMERATED
		return size >= 1 && size <= 8
	case 0x04, 0x30, 0x31: // OCTET STRING, SEQUENCE, SET
		return true
	}
	return false
}

// decode makes a message of its bytes.
func decode(data []byte) (*message, error) {
	if err := inspect(data); err != nil {
		return nil, err
	}
	p, err := ber.DecodePacketErr(data)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if len(p.Children) < 2 || len(p.Children) > 3 {
		return nil, malformed("%d parts", len(p.Children))
	}
	m := &message{op: p.Children[1]}
	var ok bool
	if m.id, ok = number(p.Children[0], ber.TagInteger); !ok || m.id < 0 || m.id > 1<<31-1 {
		return nil, malformed("no message ID")
	}
	if m.op.ClassType != ber.ClassApplication {
		return nil, malformed("no operation")
	}
	if len(p.Children) == 3 {
		if m.controls, err = controls(p.Children[2]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func controls(p *ber.Packet) (out []control, err error) {
	if p.ClassType != ber.ClassContext || p.Tag != 0 || p.TagType != ber.TypeConstructed {
		return nil, malformed("no controls")
	}
	for _, c := range p.Children {
		if !isSequence(c) || len(c.Children) < 1 || len(c.Children) > 3 {
			return nil, malformed("no control")
		}
		var x control
		for i, part := range c.Children {
			text, isText := octets(part)
			switch {
			case i == 0 && isText:
				x.oid = string(text)
			case i == 1 && isKind(part, ber.TagBoolean):
				x.critical = part.Data.Bytes()[0] != 0
			case i > 0 && i == len(c.Children)-1 && isText:
				x.value = text
			default:
				return nil, malformed("no control")
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func isKind(p *ber.Packet, tag ber.Tag) bool {
	return p.ClassType == ber.ClassUniversal && p.Tag == tag && p.TagType == ber.TypePrimitive
}

func isSequence(p *ber.Packet) bool {
	return p.ClassType == ber.ClassUniversal && p.Tag == ber.TagSequence && p.TagType == ber.TypeConstructed
}

// octets is the content of an OCTET STRING.
func octets(p *ber.Packet) ([]byte, bool) { return p.Data.Bytes(), isKind(p, ber.TagOctetString) }

// number is an INTEGER or ENUMERATED.
func number(p *ber.Packet, tag ber.Tag) (int64, bool) {
	n, ok := p.Value.(int64)
	return n, ok && isKind(p, tag)
}

func octetString(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func sequence(parts ...*ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	for _, c := range parts {
		p.AppendChild(c)
	}
	return p
}
