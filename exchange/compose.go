package exchange

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"congvan/exchange/meeting"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/signing"
	"congvan/templates"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
)

// compose makes the one mail that carries a sealed document to everybody and stores its bytes. It is made from the
// document's row alone, so doing it again gives the same bytes and the same digest.
func (s *Store) compose(ctx context.Context, doc *Document) (*mailcore.Body, error) {
	files, err := s.attachments(ctx, doc)
	if err != nil {
		return nil, err
	}
	name, err := s.unitName(ctx, doc.Agency)
	if err != nil {
		return nil, err
	}
	text, err := templates.Mail("document.txt", struct {
		*Document
		AgencyName, Date, SHA256 string
		Annexes                  []attached
		When                     *meeting.Meeting
	}{doc, name, vietnameseDate(doc.IssuedOn), string(doc.SealedPDF), files[1:], doc.Meeting()})
	if err != nil {
		return nil, err
	}
	date, err := s.sealedAt(ctx, doc)
	if err != nil {
		return nil, err
	}
	invitation, err := s.invitation(ctx, doc, name, date)
	if err != nil {
		return nil, err
	}
	m := letter{
		from: mail.Address{Name: name, Address: string(doc.Agency) + "@" + s.Domain}, to: "Nơi nhận", subject: documentSubject(doc),
		date: date, id: s.messageID(doc), text: text,
		files: append(files, invitation...), urgency: doc.Urgency,
	}
	return s.saveLetter(ctx, &m)
}

// sealedAt is when the document got its seal: the date of its mail, however often that is composed.
func (s *Store) sealedAt(ctx context.Context, doc *Document) (at time.Time, err error) {
	at = time.UnixMicro(doc.ChangedAt)
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		e, err := lastEvent(ctx, tx, doc.ID.chain(), string(Sealed))
		if e != nil {
			at = time.UnixMicro(e.At)
		}
		return err
	})
	return at, err
}

// An attached is one file of a letter.
type attached struct {
	Name, MediaType string
	data            []byte
	params          map[string]string // of the media type
}

// attachments reads the files of a document's package as recipients get them, the main file first.
func (s *Store) attachments(ctx context.Context, doc *Document) ([]attached, error) {
	list, err := s.Package(ctx, doc.ID)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].Kind != MainItem {
		return nil, fmt.Errorf("document %d: its package has no main file", doc.ID)
	}
	out := make([]attached, len(list))
	for i, it := range list {
		data, err := s.Bytes(it.Travels())
		if err != nil {
			return nil, fmt.Errorf("file %d of document %d: %w", it.Ordinal, doc.ID, err)
		}
		out[i] = attached{it.FileName, it.MediaType, data, nil}
	}
	out[0].Name = mainName(doc.Reference)
	return out, nil
}

// messageID names the mail that carries a document; answers refer to it.
func (s *Store) messageID(doc *Document) string {
	return fmt.Sprintf("vb-%d-%s@%s", doc.ID, doc.SealedPDF[:16], s.Domain)
}

func documentSubject(doc *Document) string {
	subject := doc.Reference
	if doc.Abstract != "" {
		subject += ": " + doc.Abstract
	}
	if doc.Urgency != "" {
		subject = "[" + strings.ToUpper(doc.Urgency) + "] " + subject
	}
	return subject
}

// vietnameseDate writes a civil date as documents do: leading zero for days under 10 and for months 1 and 2
// (NĐ 30/2020 Phụ lục I II.4).
func vietnameseDate(civil string) string {
	t, err := time.Parse(time.DateOnly, civil)
	if err != nil {
		return civil
	}
	month := fmt.Sprint(int(t.Month()))
	if t.Month() <= time.February {
		month = "0" + month
	}
	return fmt.Sprintf("ngày %02d tháng %s năm %d", t.Day(), month, t.Year())
}

// A letter is a mail that the gateway writes: UTF-8 NFC (TCVN 6909:2001), perhaps with files.
type letter struct {
	from      mail.Address
	to        string // an address, or the name of a group that stands for the hidden recipients
	subject   string
	date      time.Time
	id        string // Message-ID without <>
	inReplyTo string
	replyTo   string // where an answer to this letter is understood
	text      string
	files     []attached
	urgency   string
	automatic bool // an answer of the gateway: nobody's vacation notice shall answer it (RFC 3834 §5)
}

// saveLetter stores a letter's bytes, signed with the gateway's key of its sender where there is one. They stream into the
// store; composing again gives the same bytes as long as the key is the same.
func (s *Store) saveLetter(ctx context.Context, l *letter) (*mailcore.Body, error) {
	var signer *signing.MailSigner
	if s.MailSigner != nil {
		var err error
		if signer, err = s.MailSigner(ctx, mailcore.Address(l.from.Address), l.from.Name); err != nil {
			return nil, fmt.Errorf("compose %q: key of %s: %w", l.subject, l.from.Address, err)
		}
	}
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(l.write(w, signer))
	}()
	body, err := s.Mail.SaveBody(ctx, r, 0)
	r.Close() // ends the writer where the store gave up
	<-written
	if err != nil {
		return nil, fmt.Errorf("compose %q: %w", l.subject, err)
	}
	return body, nil
}

func (l *letter) header() mail.Header {
	var h mail.Header
	h.SetMessageID(l.id)
	if l.inReplyTo != "" {
		h.SetMsgIDList("In-Reply-To", []string{l.inReplyTo})
		h.SetMsgIDList("References", []string{l.inReplyTo})
	}
	if l.replyTo != "" {
		h.SetAddressList("Reply-To", []*mail.Address{{Address: l.replyTo}})
	}
	if l.automatic {
		h.Set("Auto-Submitted", "auto-replied")
	}
	if l.urgency != "" {
		h.Set("Importance", "high")
		h.Set("X-Priority", "1")
	}
	h.SetSubject(viettext.NFC(l.subject))
	if strings.Contains(l.to, "@") {
		h.SetAddressList("To", []*mail.Address{{Address: l.to}})
	} else { // an empty group (RFC 5322 §3.4): whoever else got the document stands in the document
		h.Set("To", mime.QEncoding.Encode("utf-8", viettext.NFC(l.to))+":;")
	}
	h.SetAddressList("From", []*mail.Address{{Name: viettext.NFC(l.from.Name), Address: l.from.Address}})
	h.SetDate(l.date.In(hanoi))
	h.Set("Mime-Version", "1.0")
	return h
}

// boundary is made from the id, so that composing again gives the same bytes.
func (l *letter) boundary(kind string) string {
	return "=_" + kind + strings.NewReplacer("@", "_", ".", "_").Replace(l.id)
}

// write writes the letter; with a signer as multipart/signed, whose entity is what an unsigned letter has below its header.
func (l *letter) write(w io.Writer, signer *signing.MailSigner) error {
	h := l.header()
	if signer == nil {
		return l.writeEntity(w, h.Header)
	}
	boundary := l.boundary("ky_")
	h.Set("Content-Type", signer.ContentType(boundary))
	if err := textproto.WriteHeader(w, h.Header.Header); err != nil {
		return err
	}
	return signer.Write(w, boundary, l.date, func(w io.Writer) error { return l.writeEntity(w, message.Header{}) })
}

// writeEntity writes text and files as 7-bit MIME under a header.
func (l *letter) writeEntity(out io.Writer, h message.Header) error {
	if len(l.files) == 0 {
		textHeader(&h)
		w, err := message.CreateWriter(out, h)
		if err != nil {
			return err
		}
		return copyAndClose(w, strings.NewReader(viettext.NFC(l.text)))
	}
	h.SetContentType("multipart/mixed", map[string]string{"boundary": l.boundary("")})
	w, err := message.CreateWriter(out, h)
	if err != nil {
		return err
	}
	var text message.Header
	textHeader(&text)
	if err := addPart(w, text, strings.NewReader(viettext.NFC(l.text))); err != nil {
		return err
	}
	for _, f := range l.files {
		if err := addPart(w, f.header(), bytes.NewReader(f.data)); err != nil {
			return err
		}
	}
	return w.Close()
}

func addPart(w *message.Writer, h message.Header, body io.Reader) error {
	pw, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	return copyAndClose(pw, body)
}

func (f *attached) header() (h message.Header) {
	h.SetContentType(f.MediaType, f.params)
	h.Set("Content-Transfer-Encoding", "base64")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": viettext.NFC(f.Name)}))
	return h
}

func textHeader(h *message.Header) {
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("Content-Transfer-Encoding", "quoted-printable")
}

func copyAndClose(w io.WriteCloser, r io.Reader) error {
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Close()
}
