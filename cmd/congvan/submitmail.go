package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"congvan/exchange"
	"congvan/exchange/reply"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // or every text that is not UTF-8 comes back raw
	"github.com/emersion/go-message/mail"
)

// A mailedPaper is what a mail to be issued holds: the text that its sender wrote, and the files, the document first.
type mailedPaper struct {
	text  string
	files []uploaded
}

// Bounds of the parts of such a mail.
const (
	maxMailParts = 100
	maxMailText  = 256 << 10
)

var errNoPaper = &hintError{errors.New("thư không có tệp PDF nào đính kèm"), "Đính kèm bản quét của văn bản (PDF) rồi gửi lại; các tệp kèm theo để trong cùng thư, đúng thứ tự."}

// readMailed takes a mail apart. The first PDF is the document, what else is attached are its annexes in their order. Pictures that
// the text shows, as signatures have them, are left out.
func readMailed(data []byte) (*mailedPaper, error) {
	e, err := message.Read(bytes.NewReader(data))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return nil, &hintError{errors.New("thư bị hỏng, không đọc được"), "Gửi lại thư."}
	}
	out := &mailedPaper{}
	var page string
	r := mail.NewReader(e)
	for n := 0; n < maxMailParts; n++ {
		p, err := r.NextPart()
		if p == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			break
		}
		name, kind := partName(p.Header)
		switch {
		case name != "":
			data, err := io.ReadAll(p.Body)
			if err != nil {
				return nil, &hintError{fmt.Errorf("tệp %s trong thư bị hỏng", clerkName(name)), "Gửi lại thư."}
			}
			out.files = append(out.files, uploaded{name, data})
		case (kind == "text/plain" || kind == "") && out.text == "":
			b, _ := io.ReadAll(io.LimitReader(p.Body, maxMailText))
			out.text = string(b)
		case kind == "text/html" && page == "":
			b, _ := io.ReadAll(io.LimitReader(p.Body, maxMailText))
			page = string(b)
		}
	}
	if strings.TrimSpace(out.text) == "" {
		out.text = reply.PlainText(page)
	}
	return out, nil
}

// partName is the name of an attached file, "" of what belongs to the text.
func partName(h mail.PartHeader) (name, kind string) {
	disposition, params, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	kind, typed, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if a, ok := h.(*mail.AttachmentHeader); ok {
		name, _ = a.Filename()
	}
	if name == "" {
		name = params["filename"]
	}
	if name == "" {
		name = typed["name"]
	}
	shown := disposition != "attachment" && (strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "text/"))
	switch {
	case shown, strings.HasPrefix(kind, "multipart/"), strings.HasSuffix(kind, "-signature"), kind == "application/pgp-keys":
		return "", kind
	case name != "":
		return name, kind
	case kind == "application/pdf":
		return "van-ban.pdf", kind
	case disposition == "attachment":
		return "tep-kem-theo", kind
	}
	return "", kind
}

// paper puts the document before its annexes and says what no answer could mend.
func (m *mailedPaper) paper() ([]uploaded, error) {
	main := -1
	total := 0
	seen := map[[sha256.Size]byte]string{}
	for i, f := range m.files {
		sum := sha256.Sum256(f.data)
		if other, ok := seen[sum]; ok {
			return nil, &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeDoubleFile, Detail: clerkName(f.name) + " = " + other}
		}
		seen[sum] = clerkName(f.name)
		if main < 0 && bytes.Contains(f.data[:min(len(f.data), 1024)], []byte("%PDF-")) {
			main = i
		}
		total += len(f.data)
	}
	switch {
	case main < 0:
		return nil, errNoPaper
	case len(m.files)-1 > exchange.MaxAnnexes:
		return nil, &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeTooManyFiles, Detail: fmt.Sprint(len(m.files) - 1)}
	case total > maxUpload:
		return nil, &exchange.Error{Class: exchange.Invalid, Code: exchange.CodePackageTooLarge, Detail: fmt.Sprintf("hơn %d MB", maxUpload>>20)}
	}
	files := []uploaded{m.files[main]}
	for i, f := range m.files {
		if i != main {
			files = append(files, f)
		}
	}
	return files, nil
}
