package smtpd

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
)

const (
	maxHeader   = 1 << 20 // no honest header is larger, and it is held in memory
	maxReceived = 50      // RFC 5321 §6.3
)

// A header is the header section of a message: its bytes, the empty line included, and what submission must know of it.
type header struct {
	raw       []byte
	received  int
	from      []string // values of the From fields
	sender    []string
	messageID string
	date      bool
}

// readHeader reads up to and with the empty line, or to the end when there is none.
func readHeader(r *bufio.Reader) (*header, error) {
	var h header
	var field []byte // unfolded so far
	for start := true; ; {
		line, err := r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !full && err != io.EOF {
			return nil, err
		}
		if len(h.raw)+len(line) > maxHeader {
			return nil, errBigHeader
		}
		end := err == io.EOF || start && len(bytes.TrimRight(line, "\r\n")) == 0
		if start && !end && line[0] != ' ' && line[0] != '\t' || end {
			h.note(field)
			field = field[:0]
		}
		if end && err == io.EOF && len(line) > 0 { // a last line without an end
			h.note(append(field, line...))
		}
		h.raw, field = append(h.raw, line...), append(field, line...)
		if end {
			return &h, nil
		}
		start = !full
	}
}

// unfold takes line ends out of a field's value.
var unfold = strings.NewReplacer("\r", "", "\n", "")

func (h *header) note(field []byte) {
	name, value, ok := strings.Cut(string(field), ":")
	if !ok {
		return
	}
	value = strings.TrimSpace(unfold.Replace(value))
	switch strings.ToLower(strings.TrimRight(name, " \t")) {
	case "received":
		h.received++
	case "from":
		h.from = append(h.from, value)
	case "sender":
		h.sender = append(h.sender, value)
	case "message-id":
		h.messageID = value
	case "date":
		h.date = true
	}
}

// speaksAs checks that the message claims to be from nobody but own, the account that logged in, or another that it may send as.
func (h *header) speaksAs(own mailcore.Address, allowed []mailcore.Address) error {
	if len(h.from) != 1 || len(h.sender) > 1 {
		return notYours(550, "Thư phải có đúng một dòng From, và người gửi (From)", own)
	}
	for _, value := range append(h.from, h.sender...) {
		list, err := addressParser.ParseList(value)
		if err != nil || len(list) == 0 {
			return notYours(550, "Người gửi (From)", own)
		}
		for _, a := range list {
			if addr, err := mailcore.ParseAddress(a.Address); err != nil || !slices.Contains(allowed, addr) {
				return notYours(550, "Người gửi (From)", own)
			}
		}
	}
	return nil
}

// author is the one address in From, "" when there are none or several.
func (h *header) author() mailcore.Address {
	if len(h.from) != 1 {
		return ""
	}
	list, err := addressParser.ParseList(h.from[0])
	if err != nil || len(list) != 1 {
		return ""
	}
	a, err := mailcore.ParseAddress(list[0].Address)
	if err != nil {
		return ""
	}
	return a
}

// remove takes the fields of a name out whose value is not wanted.
func (h *header) remove(name string, unwanted func(value string) bool) {
	var kept []byte
	for rest := h.raw; len(rest) > 0; {
		n := mailcore.FieldLength(rest)
		field := rest[:n]
		rest = rest[n:]
		if got, value, ok := strings.Cut(string(field), ":"); ok && strings.EqualFold(strings.TrimRight(got, " \t"), name) && unwanted(value) {
			continue
		}
		kept = append(kept, field...)
	}
	h.raw = kept
}

// addressParser reads names in any charset: only the addresses matter here.
var addressParser = mail.AddressParser{WordDecoder: &mime.WordDecoder{
	CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil },
}}

// complete adds the Date and Message-ID that a client left out (RFC 6409 §8.2, §8.3).
func (h *header) complete(now time.Time, hostname string) {
	var add strings.Builder
	if !h.date {
		fmt.Fprintf(&add, "Date: %s\r\n", now.Format(dateLayout))
	}
	if h.messageID == "" {
		fmt.Fprintf(&add, "Message-ID: <%s@%s>\r\n", strings.ToLower(rand.Text()), hostname)
	}
	h.raw = append([]byte(add.String()), h.raw...)
}

const dateLayout = "Mon, 2 Jan 2006 15:04:05 -0700"

// hoChiMinh is the civil time of the province; it has no summer time.
var hoChiMinh = time.FixedZone("+07", 7*3600)
