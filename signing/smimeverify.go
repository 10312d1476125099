package signing

import (
	"bufio"
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"congvan/signing/internal/cms"
)

// Bounds on a mail that is verified. The signed part of multipart/signed streams through and has none.
const (
	maxMailHeader = 256 << 10
	maxSignature  = 2 << 20
	mailBuffer    = 64 << 10
)

// VerifyMail answers for the signature of a mail, or of a mail without one, as it lies in a mailbox: detached (multipart/signed)
// or opaque (application/pkcs7-mime). Only a signature around the whole mail counts; one around a part of it vouches for that
// part alone and is reported as MailPart. An error means that the mail could not be read; bad mail is a report.
func VerifyMail(in io.Reader, opt MailOptions) (r *MailReport, err error) {
	if opt.At.IsZero() {
		opt.At = time.Now()
	}
	r = &MailReport{Form: MailUnsigned, Structure: unanswered, Intact: unanswered, Signer: unanswered, Address: unanswered,
		Chain: unanswered, Time: unanswered, Revocation: revocationNotChecked}
	defer func() { // a report stands whatever a stranger's bytes do to a parser
		if p := recover(); p != nil {
			r.Structure, err = failed("unreadable", "Không đọc được cấu trúc thư.", fmt.Errorf("%v", p)), nil
		}
		r.decide()
	}()
	br := bufio.NewReaderSize(in, mailBuffer)
	h, err := mailHeader(br)
	switch {
	case errors.Is(err, errMailHeader):
		r.Structure = unknown("header_unreadable", "Không đọc được phần đầu của thư.", err)
		return r, nil
	case err != nil:
		return r, fmt.Errorf("verify mail: %w", err)
	}
	kind, params, _ := mime.ParseMediaType(h.Get("Content-Type"))
	r.From = onlyAddress(h["From"])
	switch {
	case len(h["Content-Type"]) > 1 || len(h["Content-Transfer-Encoding"]) > 1:
		r.Structure = failed("header_twice", "Phần đầu thư ghi hai lần kiểu nội dung; không xác định được phần nào được ký.", errMailHeader)
		r.Form = MailDetached
	case kind == "multipart/signed":
		r.Form = MailDetached
		err = r.detached(br, params, opt)
	case kind == "application/pkcs7-mime" || kind == "application/x-pkcs7-mime":
		r.Form = MailOpaque
		r.opaque(br, h.Get("Content-Transfer-Encoding"), opt)
	default:
		r.Structure = Check{NotChecked, "unsigned", "Thư không có chữ ký số.", ""}
		var some bool
		if some, err = signedInside(br); some {
			r.Form = MailPart
			r.Structure = unknown("partly_signed", "Thư không được ký toàn bộ: chỉ một phần đính kèm có chữ ký số, phần còn lại không ai bảo đảm.", nil)
		}
	}
	if err != nil {
		return r, fmt.Errorf("verify mail: %w", err)
	}
	return r, nil
}

var errMailHeader = errors.New("mail header is not readable")

// mailHeader reads fields up to the empty line.
func mailHeader(br *bufio.Reader) (textproto.MIMEHeader, error) {
	var raw bytes.Buffer
	for {
		line, err := br.ReadSlice('\n')
		if raw.Len()+len(line) > maxMailHeader {
			return nil, fmt.Errorf("%w: over %d bytes", errMailHeader, maxMailHeader)
		}
		raw.Write(line)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	raw.WriteString("\r\n\r\n")
	h, err := textproto.NewReader(bufio.NewReader(&raw)).ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errMailHeader, err)
	}
	return h, nil
}

// onlyAddress is the address in From if there is exactly one, in exactly one field: with two, programs show now this one, now
// that one.
func onlyAddress(fields []string) string {
	if len(fields) != 1 {
		return ""
	}
	p := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: func(string, io.Reader) (io.Reader, error) { return strings.NewReader(""), nil }}}
	list, err := p.ParseList(fields[0])
	if err != nil || len(list) != 1 {
		return ""
	}
	return strings.ToLower(list[0].Address)
}

// A lineScanner gives lines without their ends, long ones in pieces.
type lineScanner struct {
	br *bufio.Reader
}

// next returns a piece of a line; whole says that the line ends with it.
func (l *lineScanner) next() (piece []byte, whole bool, err error) {
	b, err := l.br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		if b[len(b)-1] == '\r' { // perhaps the first half of CRLF: leave it for the next piece
			if err := l.br.UnreadByte(); err != nil {
				return nil, false, err
			}
			b = b[:len(b)-1]
		}
		return b, false, nil
	case err == io.EOF && len(b) > 0:
		return b, true, nil
	case err != nil:
		return nil, false, err
	}
	return bytes.TrimSuffix(b[:len(b)-1], []byte{'\r'}), true, nil
}

// part copies lines up to the delimiter to w, with CRLF between them (RFC 8551 §3.1.1): the end before the delimiter is the
// delimiter's. last says that it was the closing one.
func (l *lineScanner) part(delimiter string, w io.Writer) (last bool, err error) {
	started, fresh := false, true // fresh: at the start of a line
	for {
		piece, whole, err := l.next()
		if err != nil {
			return false, err
		}
		if fresh && whole {
			switch rest, ok := bytes.CutPrefix(piece, []byte(delimiter)); {
			case ok && len(bytes.TrimRight(rest, " \t")) == 0:
				return false, nil
			case ok && string(bytes.TrimRight(rest, " \t")) == "--":
				return true, nil
			}
		}
		if fresh && started {
			if _, err := w.Write([]byte("\r\n")); err != nil {
				return false, err
			}
		}
		if _, err := w.Write(piece); err != nil {
			return false, err
		}
		started, fresh = true, whole
	}
}

// hashes takes every digest that a signature may name and is not too weak.
type hashes map[cms.Hash]hash.Hash

func newHashes() hashes {
	out := hashes{}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		out[h] = h.New()
	}
	return out
}

func (h hashes) Write(p []byte) (int, error) {
	for _, one := range h {
		one.Write(p)
	}
	return len(p), nil
}

func (h hashes) sum(kind cms.Hash) []byte {
	if one := h[kind]; one != nil {
		return one.Sum(nil)
	}
	return nil
}

var errStructure = errors.New("not a signed mail of two parts")

func (r *MailReport) detached(br *bufio.Reader, params map[string]string, opt MailOptions) error {
	if p := strings.ToLower(params["protocol"]); p != "" && !strings.Contains(p, "pkcs7-signature") {
		r.Structure = unknown("not_smime", "Thư được ký bằng cách khác S/MIME, chưa hỗ trợ kiểm tra.", nil)
		return nil
	}
	boundary := params["boundary"]
	if boundary == "" || len(boundary) > 200 {
		r.Structure = failed("no_boundary", "Cấu trúc thư ký số sai: không có ranh giới phần được ký.", errStructure)
		return nil
	}
	lines, digests := &lineScanner{br}, newHashes()
	var der []byte
	last, err := lines.part("--"+boundary, io.Discard)
	if err == nil && !last {
		last, err = lines.part("--"+boundary, digests)
	}
	if err == nil && !last {
		sig := &limited{left: maxSignature}
		if last, err = lines.part("--"+boundary, sig); err == nil && last {
			der, err = signaturePart(sig.Bytes())
		} else if err == nil {
			err = fmt.Errorf("%w: more than two", errStructure)
		}
	} else if err == nil {
		err = errStructure
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errStructure) || errors.Is(err, errTooLong) {
		r.Structure = failed("structure", "Cấu trúc thư ký số sai: phải gồm đúng phần được ký và chữ ký.", err)
		return nil
	}
	if err != nil {
		return err
	}
	s, content, err := cms.ParseMail(der)
	if err == nil && content != nil {
		err = fmt.Errorf("%w: content inside a detached signature", cms.ErrSyntax)
	}
	r.readable(s, err, digests.sum, opt)
	return nil
}

func (r *MailReport) readable(s *cms.Signature, err error, digest func(cms.Hash) []byte, opt MailOptions) {
	r.Structure = Check{Passed, "whole_mail", "Chữ ký số bao trùm toàn bộ nội dung thư.", ""}
	if err != nil {
		r.Intact = cmsFailure(err)
		return
	}
	r.judge(s, digest, opt)
}

func signaturePart(raw []byte) ([]byte, error) {
	br := bufio.NewReader(bytes.NewReader(raw))
	h, err := mailHeader(br)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errStructure, err)
	}
	switch kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); kind {
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
	default:
		return nil, fmt.Errorf("%w: second part is %q", errStructure, kind)
	}
	return decoded(br, h.Get("Content-Transfer-Encoding"), maxSignature)
}

// decoded undoes a transfer encoding, of a bounded length.
func decoded(r io.Reader, encoding string, limit int64) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, &base64Only{r})
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %v", errStructure, err)
	case int64(len(b)) > limit:
		return nil, errTooLong
	}
	return b, nil
}

// base64Only drops white space, which relays add at will.
type base64Only struct{ r io.Reader }

func (b *base64Only) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		k := 0
		for _, c := range p[:n] {
			if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
				p[k] = c
				k++
			}
		}
		if k > 0 || err != nil || len(p) == 0 {
			return k, err
		}
	}
}

var errTooLong = errors.New("too long")

// A limited buffer refuses what goes beyond its bound.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}

// opaque reads a mail whose text is inside the signature.
func (r *MailReport) opaque(br *bufio.Reader, encoding string, opt MailOptions) {
	der, err := decoded(br, encoding, cms.MaxMail)
	if err != nil {
		r.Structure = unknown("too_long", "Thư ký số dạng gói kín quá lớn hoặc hỏng, chưa kiểm tra được.", err)
		return
	}
	s, content, err := cms.ParseMail(der)
	if err == nil && content == nil {
		err = fmt.Errorf("%w: no content inside", cms.ErrSyntax)
	}
	digests := newHashes()
	digests.Write(content)
	if r.readable(s, err, digests.sum, opt); err == nil {
		r.Content = content
	}
}

// signedInside looks for a signed part further in. It only words the answer: nothing is valid for it.
func signedInside(br *bufio.Reader) (bool, error) {
	lines, fresh := &lineScanner{br}, true
	for {
		piece, whole, err := lines.next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if low := bytes.ToLower(piece[:min(len(piece), 100)]); fresh && bytes.HasPrefix(low, []byte("content-type:")) {
			for _, kind := range []string{"multipart/signed", "application/pkcs7-mime", "application/x-pkcs7-mime"} {
				if bytes.Contains(low, []byte(kind)) {
					return true, nil
				}
			}
		}
		fresh = whole
	}
}
