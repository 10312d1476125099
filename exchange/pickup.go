package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// PickupLife is how long a pick-up address is good, where nobody says otherwise.
const PickupLife = 30 * 24 * time.Hour

// maxFetches bounds how often files are fetched from one address: each is an event.
const maxFetches = 100

// maxAgent bounds what is kept of a browser's name.
const maxAgent = 200

// Events of a copy that is fetched from an address of its own.
const (
	EventPickup  = "pickup_offered" // the issuing agency made an address for it
	EventFetched = "fetched"        // its recipient pressed the button and got a file
)

// Details of an Error with CodePickup, for the page.
const (
	PickupUnknown = "unknown" // nobody made this address, or a newer one took its place
	PickupExpired = "expired"
	PickupFetched = "fetched" // from another browser
	PickupGone    = "gone"    // the document was taken back or replaced
	PickupClosed  = "closed"  // the copy needs no address
	PickupOften   = "often"   // fetched too often
)

// A pickupDetail is the detail of both events. Of the address only the SHA-256 of its secret is kept.
type pickupDetail struct {
	Pickup  int64  `json:"pickup"`
	Secret  string `json:"secret_sha256,omitempty"`
	Expires int64  `json:"expires,omitempty"`
	To      string `json:"to,omitempty"` // whom the address was mailed to
	File    string `json:"file,omitempty"`
	SHA256  string `json:"file_sha256,omitempty"`
	Remote  string `json:"remote,omitempty"`
	Agent   string `json:"agent,omitempty"`
}

// A pickupRow is one address.
type pickupRow struct {
	ID        int64      `db:"id"`
	Dispatch  DispatchID `db:"dispatch_id"`
	Secret    []byte     `db:"secret"`
	CreatedAt int64      `db:"created_at"`
	ExpiresAt int64      `db:"expires_at"`
	FetchedAt int64      `db:"fetched_at"`
	Browser   []byte     `db:"browser"`
}

// A PickupOffer is a new address for one copy. It is told once: the database cannot tell it again.
type PickupOffer struct {
	Dispatch  *Dispatch
	Document  *Document
	URL       string
	ExpiresAt time.Time
	Slip      string // to be printed, Vietnamese
}

// OfferPickup makes a one-time address under which the recipient of a copy without a mailbox here fetches it (QĐ 22/2009 Điều 10:
// "cung cấp địa chỉ"). base is where the pages are ("https://HOST/nhan/"). to is a mail address that gets the letter with it, "" for a
// printed slip alone. An earlier address of the copy is good no more.
func (s *Store) OfferPickup(ctx context.Context, by Actor, id DispatchID, base string, to mailcore.Address, life time.Duration) (*PickupOffer, error) {
	var r *Receipt
	if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = receipt(ctx, tx, id); return err }); err != nil {
		return nil, err
	}
	secret := strings.ToLower(rand.Text())
	o := &PickupOffer{Dispatch: r.Dispatch, Document: r.Document, URL: base + strconv.FormatInt(int64(id), 36) + "." + secret, ExpiresAt: s.db.Now().Add(life)}
	l, err := s.pickupLetter(ctx, o, to)
	if err != nil {
		return nil, err
	}
	var body *mailcore.Body
	var account mailcore.AccountID
	if to != "" {
		if to.Domain() == s.Domain {
			a, err := s.Mail.Account(ctx, to)
			if err != nil {
				return nil, err
			}
			account = a.ID
		}
		if body, err = s.saveLetter(ctx, l); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256([]byte(secret))
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if r, err = receipt(ctx, tx, id); err != nil {
			return err
		}
		if err := r.mayOffer(by); err != nil {
			return err
		}
		var row int64
		if err := tx.GetContext(ctx, &row, `INSERT INTO pickup (dispatch_id, secret, created_at, expires_at) VALUES ($1, $2, $3, $4) RETURNING id`,
			id, sum[:], tx.Now.UnixMicro(), o.ExpiresAt.UnixMicro()); err != nil {
			return err
		}
		detail := pickupDetail{Pickup: row, Secret: hex.EncodeToString(sum[:]), Expires: o.ExpiresAt.UnixMicro(), To: string(to)}
		if err := r.act(ctx, tx, EventPickup, by, detail, nil); err != nil || body == nil {
			return err
		}
		return s.mailTo(ctx, tx, r.Document, body, to, account)
	})
	if err != nil {
		return nil, fmt.Errorf("pick-up address of dispatch %d: %w", id, err)
	}
	s.Log.Info("pick-up address made", "dispatch", id, "reference", r.Document.Reference, "mailed", to != "", "by", by.String())
	return o, nil
}

// mayOffer reports whether the copy is one that is fetched.
func (r *Receipt) mayOffer(by Actor) error {
	d := r.Dispatch
	switch {
	case by.Unit != r.Document.Agency:
		return &Error{Forbidden, CodeNotEntitled, by.String()}
	case d.Way == ByMailbox, d.Closed(), d.Recall != "":
		return &Error{Conflict, CodePickup, d.Name}
	}
	return nil
}

func (s *Store) pickupLetter(ctx context.Context, o *PickupOffer, to mailcore.Address) (*letter, error) {
	agency, err := s.unitName(ctx, o.Document.Agency)
	if err != nil {
		return nil, err
	}
	data := struct{ Agency, Reference, Date, Name, URL, Until string }{agency, o.Document.Reference, vietnameseDate(o.Document.IssuedOn), o.Dispatch.Name, o.URL,
		o.ExpiresAt.In(hanoi).Format("15:04 ngày 02/01/2006")}
	if o.Slip, err = templates.Mail("slip.txt", data); err != nil {
		return nil, err
	}
	text, err := templates.Mail("pickup.txt", data)
	return &letter{from: mail.Address{Name: agency, Address: s.clerkOf(o.Document.Agency)}, to: string(to), subject: "Nhận văn bản " + o.Document.Reference, text: text,
		date: s.db.Now(), id: newSecret() + "@" + s.Domain, inReplyTo: s.messageID(o.Document), urgency: o.Document.Urgency}, err
}

// mailTo sends a letter of the agency to one address, of this account or outside.
func (s *Store) mailTo(ctx context.Context, tx *sqldb.Tx, doc *Document, body *mailcore.Body, to mailcore.Address, account mailcore.AccountID) error {
	if account != 0 {
		_, err := s.Mail.DeliverTx(ctx, tx, body, []mailcore.Copy{{Account: account}})
		return err
	}
	_, err := s.Mail.EnqueueTx(ctx, tx, body, []mailcore.Outgoing{{Sender: mailcore.Address(s.clerkOf(doc.Agency)), Rcpt: to, Urgency: urgencyLane(doc.Urgency), Life: outboxLife}})
	return err
}

// A PickupView is what the page under an address shows.
type PickupView struct {
	Document  *Document
	Agency    string
	Name      string // of the recipient
	Files     []Item
	ExpiresAt time.Time
	Fetched   bool // by this browser
}

// Pickup finds what an address stands for. Looking is no event: link previews and scanners of mail look, too. browser is the cookie
// of who asks, "" for none.
func (s *Store) Pickup(ctx context.Context, token, browser string) (*PickupView, error) {
	v := &PickupView{}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		p, r, err := pickup(ctx, tx, token, browser)
		if err != nil {
			return err
		}
		v.Document, v.Name, v.ExpiresAt, v.Fetched = r.Document, r.Dispatch.Name, time.UnixMicro(p.ExpiresAt), p.FetchedAt != 0
		v.Files, err = items(ctx, tx, r.Document.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Agency, err = s.unitName(ctx, v.Document.Agency)
	return v, err
}

// pickup finds the newest address of a copy, if the token's secret is its, and it is still good for this browser.
func pickup(ctx context.Context, tx *sqldb.Tx, token, browser string) (*pickupRow, *Receipt, error) {
	number, secret, _ := strings.Cut(token, ".")
	id, _ := strconv.ParseInt(number, 36, 64)
	var rows []pickupRow
	err := tx.SelectContext(ctx, &rows, `SELECT id, dispatch_id, secret, created_at, expires_at, fetched_at, browser FROM pickup WHERE dispatch_id = $1
		ORDER BY id DESC LIMIT 1`, id)
	if err != nil {
		return nil, nil, fmt.Errorf("pick-up address: %w", err)
	}
	sum := sha256.Sum256([]byte(secret))
	p := pickupRow{Secret: make([]byte, len(sum))}
	if len(rows) > 0 {
		p = rows[0]
	}
	if subtle.ConstantTimeCompare(sum[:], p.Secret) != 1 {
		return nil, nil, &Error{Missing, CodePickup, PickupUnknown}
	}
	r, err := receipt(ctx, tx, p.Dispatch)
	if err != nil {
		return nil, nil, err
	}
	theirs := sha256.Sum256([]byte(browser))
	switch {
	case r.Dispatch.Transport == Recalled, r.Dispatch.Transport == Superseded, r.Dispatch.Transport == Cancelled, r.Dispatch.Recall == RecallAsked, r.Dispatch.Recall == RecallAgreed:
		return nil, nil, &Error{Conflict, CodePickup, PickupGone}
	case p.FetchedAt != 0 && (browser == "" || subtle.ConstantTimeCompare(theirs[:], p.Browser) != 1):
		return nil, nil, &Error{Conflict, CodePickup, PickupFetched}
	case p.ExpiresAt <= tx.Now.UnixMicro():
		return nil, nil, &Error{Conflict, CodePickup, PickupExpired}
	}
	return &p, r, nil
}

// A Visitor is who pressed the button.
type Visitor struct {
	Browser string // secret of the browser's cookie
	Remote  string // address
	Agent   string // as the browser names itself
}

// FetchPickup records that a file was fetched under an address, and returns it: the first time settles the copy and binds the address to
// this browser. Which file is told by its ordinal in the package.
func (s *Store) FetchPickup(ctx context.Context, token string, ordinal int, who Visitor) (*Item, error) {
	var file *Item
	err := s.insist(ctx, func(tx *sqldb.Tx) error {
		p, r, err := pickup(ctx, tx, token, who.Browser)
		if err != nil {
			return err
		}
		files, err := items(ctx, tx, r.Document.ID)
		if err != nil {
			return err
		}
		file = nil
		for i := range files {
			if files[i].Ordinal == ordinal {
				file = &files[i]
			}
		}
		if file == nil {
			return &Error{Missing, CodePickup, PickupUnknown}
		}
		return s.fetched(ctx, tx, p, r, file, who)
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (s *Store) fetched(ctx context.Context, tx *sqldb.Tx, p *pickupRow, r *Receipt, file *Item, who Visitor) error {
	d := r.Dispatch
	if p.FetchedAt == 0 {
		browser := sha256.Sum256([]byte(who.Browser))
		ok, err := tx.ExecOne(ctx, `UPDATE pickup SET fetched_at = $1, browser = $2 WHERE id = $3 AND fetched_at = 0`, tx.Now.UnixMicro(), browser[:], p.ID)
		if err != nil {
			return err
		}
		if !ok {
			return ErrStale
		}
	}
	var n int
	if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM event WHERE chain = $1 AND kind = $2`, d.ID, EventFetched); err != nil {
		return err
	}
	if n >= maxFetches {
		return &Error{Conflict, CodePickup, PickupOften}
	}
	by := Actor{Name: "địa chỉ nhận, từ " + cut(who.Remote, 60)}
	detail := pickupDetail{Pickup: p.ID, File: file.FileName, SHA256: string(file.Travels()), Remote: cut(who.Remote, 60), Agent: cut(oneLine(who.Agent), maxAgent)}
	if err := r.act(ctx, tx, EventFetched, by, detail, nil); err != nil {
		return err
	}
	how := map[string]any{"proof": "pickup", "pickup": p.ID, "reason": "đã lấy qua địa chỉ nhận"}
	switch d.Transport {
	case Exception:
		return r.act(ctx, tx, string(Settled), by, how, nil)
	case Queued, Relayed, Uncertain:
		if _, _, err := s.Mail.CancelRefTx(ctx, tx, refOf([]*Dispatch{d})); err != nil {
			return err
		}
		return r.act(ctx, tx, string(Delivered), by, how, nil)
	}
	return nil
}

func cut(s string, n int) string {
	r := []rune(s)
	return string(r[:min(len(r), n)])
}

// pickups collects what events say of addresses.
func (c *checker) pickups(d *Dispatch, events []Event) {
	for _, e := range events {
		var p pickupDetail
		if e.Kind != EventPickup && e.Kind != EventFetched || json.Unmarshal([]byte(e.Detail), &p) != nil {
			continue
		}
		row := c.offered[p.Pickup]
		if e.Kind == EventPickup {
			row = pickupRow{ID: p.Pickup, Dispatch: d.ID, CreatedAt: e.At, ExpiresAt: p.Expires}
			row.Secret, _ = hex.DecodeString(p.Secret)
		} else if row.FetchedAt == 0 {
			row.FetchedAt = e.At
		}
		c.offered[p.Pickup] = row
	}
}

// pickupRows compares the addresses with what the events say.
func (c *checker) pickupRows(ctx context.Context, tx *sqldb.Tx) error {
	var rows []pickupRow
	if err := tx.SelectContext(ctx, &rows, `SELECT id, dispatch_id, secret, created_at, expires_at, fetched_at, browser FROM pickup`); err != nil {
		return fmt.Errorf("pick-up addresses: %w", err)
	}
	for _, r := range rows {
		want, ok := c.offered[r.ID]
		same := want.Dispatch == r.Dispatch && bytes.Equal(want.Secret, r.Secret) && want.CreatedAt == r.CreatedAt && want.ExpiresAt == r.ExpiresAt && want.FetchedAt == r.FetchedAt
		switch {
		case !ok:
			c.sayf("pickup %d: no event tells of it: the row was added or moved", r.ID)
		case !same:
			c.sayf("pickup %d: is not what the events of dispatch %d say", r.ID, want.Dispatch)
		}
		delete(c.offered, r.ID)
	}
	for id := range c.offered {
		c.sayf("pickup %d: the row was removed or moved", id)
	}
	return nil
}
