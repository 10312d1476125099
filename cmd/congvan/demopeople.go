package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/signing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// people lets some units work with their mail, each by its habit, which follows from its place in the directory.
func (d *demo) people(ctx context.Context) error {
	conf, err := d.clientTLS()
	if err != nil {
		return err
	}
	named := map[string]bool{} // by address: whether there is something to do
	for _, row := range d.rows {
		if row.id == 0 {
			continue
		}
		st, err := d.in.exchange.Status(ctx, row.id)
		if err != nil {
			return err
		}
		for _, c := range st.Dispatches {
			named[c.Address] = named[c.Address] || c.Handling == exchange.Received
		}
	}
	i, worked := -1, 0
	for n, a := range d.addresses.Accounts {
		todo, got := named[a.Address]
		if !got {
			continue
		}
		i++ // counts every unit that got something, so that a second run finds the same habits
		if !todo {
			continue
		}
		h := []habit{movesMail, opens, repliesMail, leaves, movesMail}[i%5]
		if i == 3 {
			h = refusesMail
		}
		p := &person{address: a.Address, password: a.Password, imap: d.addresses.IMAP, submission: d.addresses.Submission, tls: conf, number: 100 * (n + 1)}
		read, err := p.work(h)
		if err != nil {
			return err
		}
		if len(read) > 0 {
			worked++
		}
		for _, c := range read {
			if status := d.verify(ctx, c.pdf); status != signing.Valid {
				return fmt.Errorf("%s: chữ ký của bản nhận được: %s", a.Address, status)
			}
			if r, err := d.in.mailKeys.verify(bytes.NewReader(c.raw)); err != nil || r.Status != signing.Valid {
				return errors.Join(err, fmt.Errorf("%s: chữ ký của thư nhận được: %s", a.Address, r.Reason))
			}
		}
	}
	d.sayf("Lần này %d đơn vị mở thư bằng IMAP; có đơn vị tiếp nhận bằng chuyển thư mục, bằng thư trả lời, có đơn vị từ chối.", worked)
	return nil
}

func (d *demo) clientTLS() (*tls.Config, error) {
	pem, err := os.ReadFile(d.addresses.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}, nil
}

// A habit is how a unit of the demonstration deals with its mail.
type habit int

// The habits.
const (
	leaves      habit = iota // looks at nothing
	opens                    // opens and leaves it at that
	movesMail                // accepts by moving the mail to "Đã tiếp nhận"
	repliesMail              // accepts by a reply with the number of its own book
	refusesMail              // refuses one by a reply, with a reason, and accepts the rest by moving it
)

// A person is a unit's clerk with an ordinary mail client: it knows nothing but addresses, a password, IMAP and SMTP.
type person struct {
	address, password string
	imap, submission  string
	tls               *tls.Config
	number            int // next số đến in the unit's own book
}

// A copyRead is one document as its recipient's client got it.
type copyRead struct {
	subject string
	pdf     []byte
	raw     []byte // the whole mail
}

// work reads the inbox and deals with every document that is new, by habit. It returns what it opened.
func (p *person) work(h habit) ([]copyRead, error) {
	if h == leaves {
		return nil, nil
	}
	c, err := imapclient.DialStartTLS(p.imap, &imapclient.Options{TLSConfig: p.tls})
	if err != nil {
		return nil, fmt.Errorf("%s: connect: %w", p.address, err)
	}
	defer c.Close()
	if err := c.Login(p.address, p.password).Wait(); err != nil {
		return nil, fmt.Errorf("%s: log in: %w", p.address, err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return nil, fmt.Errorf("%s: select: %w", p.address, err)
	}
	uids, err := p.documents(c)
	if err != nil {
		return nil, err
	}
	var read []copyRead
	for _, uid := range uids {
		got, err := p.deal(c, uid, h)
		if err != nil {
			return read, fmt.Errorf("%s: %w", p.address, err)
		}
		read = append(read, got)
		if h == refusesMail {
			h = movesMail
		}
	}
	return read, c.Logout().Wait()
}

// documents lists the mails in the inbox that carry a document and were not answered.
func (p *person) documents(c *imapclient.Client) ([]imap.UID, error) {
	list, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagAnswered},
		Header: []imap.SearchCriteriaHeaderField{{Key: "Reply-To", Value: "traloi+"}}}, nil).Wait()
	if err != nil {
		return nil, fmt.Errorf("%s: search: %w", p.address, err)
	}
	return list.AllUIDs(), nil
}

func (p *person) deal(c *imapclient.Client, uid imap.UID, h habit) (copyRead, error) {
	raw, err := fetchBody(c, uid)
	if err != nil {
		return copyRead{}, err
	}
	got, replyTo, id, err := openDocument(raw)
	got.raw = raw
	if err != nil {
		return got, err
	}
	set := imap.UIDSetNum(uid)
	switch h {
	case movesMail:
		_, err = c.Move(set, "Đã tiếp nhận").Wait()
	case repliesMail, refusesMail:
		line := "Từ chối: gửi nhầm đơn vị"
		if h == repliesMail {
			p.number++
			line = fmt.Sprintf("Đã tiếp nhận, số đến %d", p.number)
		}
		if err = p.reply(replyTo, got.subject, id, line); err == nil {
			err = c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagAnswered}}, nil).Close()
		}
	}
	return got, err
}

// fetchBody reads a whole mail, which marks it as seen.
func fetchBody(c *imapclient.Client, uid imap.UID) ([]byte, error) {
	section := &imap.FetchItemBodySection{}
	msgs, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return nil, fmt.Errorf("fetch %d: %w", uid, err)
	}
	if len(msgs) != 1 {
		return nil, fmt.Errorf("fetch %d: %d messages", uid, len(msgs))
	}
	return msgs[0].FindBodySection(section), nil
}

// openDocument takes the PDF out of a mail, as a client saves an attachment.
func openDocument(raw []byte) (got copyRead, replyTo, id string, err error) {
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return got, "", "", fmt.Errorf("read mail: %w", err)
	}
	got.subject, _ = r.Header.Subject()
	id, _ = r.Header.MessageID()
	if list, err := r.Header.AddressList("Reply-To"); err == nil && len(list) == 1 {
		replyTo = list[0].Address
	}
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return got, replyTo, id, errors.New("mail has no PDF")
		}
		if err != nil {
			return got, replyTo, id, fmt.Errorf("read mail: %w", err)
		}
		if a, ok := part.Header.(*mail.AttachmentHeader); ok {
			if kind, _, _ := a.ContentType(); kind == "application/pdf" {
				got.pdf, err = io.ReadAll(part.Body)
				return got, replyTo, id, err
			}
		}
	}
}

// reply submits a reply over STARTTLS with the unit's own login.
func (p *person) reply(to, subject, id, line string) error {
	var h mail.Header
	h.SetAddressList("From", []*mail.Address{{Address: p.address}})
	h.SetAddressList("To", []*mail.Address{{Address: to}})
	h.SetSubject("Re: " + subject)
	h.SetMsgIDList("In-Reply-To", []string{id})
	h.SetDate(time.Now())
	h.SetMessageID(fmt.Sprintf("%d.%s", time.Now().UnixNano(), p.address))
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	var b bytes.Buffer
	w, err := mail.CreateSingleInlineWriter(&b, h)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, line+"\r\n\r\n> "+subject+"\r\n"); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	c, err := smtp.DialStartTLS(p.submission, p.tls)
	if err != nil {
		return fmt.Errorf("connect to submit: %w", err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", p.address, p.password)); err != nil {
		return fmt.Errorf("log in to submit: %w", err)
	}
	if err := c.SendMail(p.address, []string{to}, strings.NewReader(b.String())); err != nil {
		return fmt.Errorf("submit a reply: %w", err)
	}
	return c.Quit()
}
