package mailcore

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// A Summary is what IMAP needs to know of a body without reading it again. Texts are decoded and composed; offsets count
// bytes from the beginning of the stored body.
type Summary struct {
	Envelope   Envelope `json:"e"`
	Root       *Part    `json:"r"`
	HeaderSize int64    `json:"h,omitempty"` // with the empty line that ends the header
}

// An Envelope is the header fields that IMAP's ENVELOPE shows.
type Envelope struct {
	Date       time.Time `json:"d,omitzero"` // zero when there is none, or none that can be read
	DateRaw    string    `json:"dr,omitempty"`
	Subject    string    `json:"s,omitempty"`
	From       []Person  `json:"f,omitempty"`
	Sender     []Person  `json:"sn,omitempty"` // empty when the header has none: the reader falls back to From
	ReplyTo    []Person  `json:"rt,omitempty"` // likewise
	To         []Person  `json:"t,omitempty"`
	Cc         []Person  `json:"c,omitempty"`
	Bcc        []Person  `json:"b,omitempty"`
	InReplyTo  []string  `json:"i,omitempty"` // message ids without <>
	References []string  `json:"rf,omitempty"`
	MessageID  string    `json:"m,omitempty"`
}

// A Person is one entry of an address header: what could be read of it, never checked. Host is NoHost when the entry has
// no domain.
type Person struct {
	Name    string `json:"n,omitempty"`
	Mailbox string `json:"m,omitempty"`
	Host    string `json:"h,omitempty"`
}

// NoHost stands for a missing domain: IMAP reads an empty one as the beginning of a group (RFC 9051 §2.3.5.1).
const NoHost = "missing.invalid"

// A Part is one node of the MIME structure. Its header begins at Offset, its body follows the header.
type Part struct {
	Type              string            `json:"t"` // lower case
	Subtype           string            `json:"s"` // lower case, never empty
	Params            map[string]string `json:"p,omitempty"`
	ID                string            `json:"i,omitempty"` // Content-ID with its <>
	Description       string            `json:"d,omitempty"`
	Encoding          string            `json:"e,omitempty"` // lower case, "" when the header has none (7bit)
	Disposition       string            `json:"ds,omitempty"`
	DispositionParams map[string]string `json:"dp,omitempty"`
	Language          []string          `json:"l,omitempty"`
	Offset            int64             `json:"o,omitempty"`
	HeaderSize        int64             `json:"hs,omitempty"` // with the empty line that ends the header
	BodySize          int64             `json:"bs,omitempty"`
	Lines             int64             `json:"ln,omitempty"` // of the body
	Children          []*Part           `json:"c,omitempty"`  // of a multipart; a multipart without parts is shown as text/plain
	Message           *Summary          `json:"m,omitempty"`  // of a message/rfc822; its offsets count from the same beginning
}

// IsMultipart reports whether the part has children.
func (p *Part) IsMultipart() bool { return len(p.Children) > 0 }

// BodyOffset is where the part's body begins.
func (p *Part) BodyOffset() int64 { return p.Offset + p.HeaderSize }

// ParseSummary reads what SaveBody wrote.
func ParseSummary(data []byte) (*Summary, error) {
	var s Summary
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	if s.Root == nil {
		return nil, fmt.Errorf("read summary: no structure in it")
	}
	return &s, nil
}

// Bounds of the summaries that are kept parsed, in bytes of their text.
const (
	parsedLargest = 4 << 10
	parsedAll     = 1 << 20
)

// A parsed keeps summaries by their text: what goes to many is asked for by each of them. Nobody changes what they point to.
type parsed struct {
	mu   sync.Mutex
	kept map[string]*Summary
	size int
}

// summary is ParseSummary; its caller may change the Summary itself, and nothing that it points to.
func (p *parsed) summary(data []byte) (*Summary, error) {
	p.mu.Lock()
	known := p.kept[string(data)]
	p.mu.Unlock()
	if known != nil {
		own := *known
		return &own, nil
	}
	s, err := ParseSummary(data)
	if err != nil || len(data) > parsedLargest {
		return s, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil || p.size+len(data) > parsedAll {
		p.kept, p.size = map[string]*Summary{}, 0
	}
	kept := *s
	p.kept[string(data)] = &kept
	p.size += len(data)
	return s, nil
}
