package exchange

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/exchange/paper"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// EventHandover tells that a unit's mailbox was handed over to its new head.
const EventHandover = "handover"

// CodeNoHandover says that no handover has this number.
const CodeNoHandover = "no_handover"

// handoverTries is how often an inventory is made again because mail came while it was.
const handoverTries = 5

// A Handover (bàn giao) is the change of a unit's head in one ceremony: what the mailbox holds, with digests, which duties are open,
// which delegations ended, and who gave it to whom on which paper (QĐ 22/2009 Điều 8).
type Handover struct {
	Number    int64               `json:"number"` // from 1, of its event in the gateway's chain; 0 before it happened
	At        time.Time           `json:"at"`
	By        string              `json:"by"`
	Request   string              `json:"request"` // number and date of the written decision
	Unit      recipients.UnitCode `json:"unit"`
	UnitName  string              `json:"unit_name"`
	Parent    string              `json:"parent,omitempty"` // name of the unit above
	Mailbox   mailcore.Address    `json:"mailbox"`
	From      []string            `json:"from"` // names of those who led it until now; from the directory unless told
	To        string              `json:"to"`
	ToAddress string              `json:"to_address,omitempty"` // the new head's own
	Folders   []HandoverFolder    `json:"folders"`
	Duties    []HandoverDuty      `json:"duties"`
	Ended     []string            `json:"ended"`     // delegations: "03/GUQ-STC, nvan.stc@…, until 2026-12-31"
	Inventory blob.Digest         `json:"inventory"` // of a CSV with a line for each mail
	Messages  int                 `json:"messages"`
	Bytes     int64               `json:"bytes"`
}

// A HandoverFolder sums up a folder.
type HandoverFolder struct {
	Name     string    `json:"name"`
	Messages int       `json:"messages"`
	Bytes    int64     `json:"bytes"`
	Oldest   time.Time `json:"oldest"`
	Newest   time.Time `json:"newest"`
}

// A HandoverDuty is a copy that the unit has to do something about.
type HandoverDuty struct {
	Dispatch  DispatchID `db:"id" json:"dispatch"`
	Reference string     `db:"reference" json:"reference"`
	Abstract  string     `db:"abstract" json:"abstract"`
	Agency    string     `db:"agency" json:"agency"`
	Unit      string     `db:"unit" json:"unit"`
	Transport Transport  `db:"transport" json:"transport"`
	Handling  Handling   `db:"handling" json:"handling"`
	Arrival   string     `db:"arrival_number" json:"arrival_number"`
	Deadline  int64      `db:"deadline" json:"deadline"` // microseconds
	Officers  string     `db:"-" json:"officers,omitempty"`
}

// State says in Vietnamese what the unit has to do.
func (d *HandoverDuty) State() string {
	text := map[Handling]string{Received: "chưa tiếp nhận", Accepted: "đã tiếp nhận, chưa xử lý", Assigned: "đã phân công", InProgress: "đang xử lý"}[d.Handling]
	if d.Transport == Exception || d.Transport == Queued || d.Transport == Relayed || d.Transport == Uncertain {
		text = "văn bản đi, chưa tới nơi nhận"
	}
	if d.Officers != "" {
		text += ": " + d.Officers
	}
	return text
}

// A HandoverOrder is who takes over from whom.
type HandoverOrder struct {
	Unit      recipients.UnitCode
	From      string // name; "" is whom the directory has as head
	To        string
	ToAddress mailcore.Address // "" for none
	Phone     string
	Request   string // number and date of the written decision
	Password  string // the new one, which must be changed before anything else
}

// PlanHandover lists what would be handed over; nothing changes.
func (s *Store) PlanHandover(ctx context.Context, o HandoverOrder) (*Handover, error) {
	h, _, _, err := s.handover(ctx, o)
	return h, err
}

// HandOver changes the head of a unit: in one transaction the mailbox gets a new password and loses everything that was logged in,
// delegations end, the post changes hands in the directory, and an event keeps the digest of the inventory. Mail that comes while the
// inventory is made has it made again, so that it is what was handed over.
func (s *Store) HandOver(ctx context.Context, by Actor, o HandoverOrder) (*Handover, error) {
	if strings.TrimSpace(o.To) == "" || strings.TrimSpace(o.Request) == "" {
		return nil, &Error{Invalid, CodeNoReason, "to, request"}
	}
	hash, err := s.Mail.HashPassword(ctx, o.Password)
	if err != nil {
		return nil, err
	}
	for range handoverTries {
		h, e := s.handOverOnce(ctx, by, o, hash)
		if !errors.Is(e, mailcore.ErrChanged) {
			return h, e
		}
		err = e
	}
	return nil, err
}

func (s *Store) handOverOnce(ctx context.Context, by Actor, o HandoverOrder, hash mailcore.PasswordHash) (*Handover, error) {
	h, inventory, listed, err := s.handover(ctx, o)
	if err != nil {
		return nil, err
	}
	if h.Inventory, err = s.Mail.SaveBytes(ctx, inventory); err != nil {
		return nil, fmt.Errorf("store inventory: %w", err)
	}
	err = s.writeGateway(ctx, func(tx *sqldb.Tx) error {
		ended, err := s.Mail.HandOverTx(ctx, tx, h.Mailbox, hash, listed)
		if err != nil {
			return err
		}
		h.Ended = endedText(ended)
		next := recipients.Post{Unit: o.Unit, Name: o.To, Address: string(o.ToAddress), Phone: o.Phone}
		if _, err := recipients.ChangeHeadTx(ctx, tx, next, by.String(), o.Request); err != nil {
			return err
		}
		if h.Duties, err = openDuties(ctx, tx, o.Unit); err != nil {
			return err
		}
		if err := s.Mail.PinTx(ctx, tx, h.Inventory, int64(len(inventory))); err != nil {
			return err
		}
		h.At, h.By = tx.Now.UTC(), by.String()
		e, err := recordChain(ctx, tx, gatewayChain, EventHandover, by, h)
		h.Number = e.Ordinal + 1
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hand over %s: %w", o.Unit, err)
	}
	s.Log.Info("unit handed over", "unit", o.Unit, "to", o.To, "messages", h.Messages, "duties", len(h.Duties), "by", by.String())
	return h, nil
}

// handover lists what a unit has, and its mails as CSV.
func (s *Store) handover(ctx context.Context, o HandoverOrder) (*Handover, []byte, mailcore.Listed, error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return nil, nil, nil, err
	}
	u, ok := dir.Unit(o.Unit)
	if !ok {
		return nil, nil, nil, &Error{Missing, CodeUnknownUnit, string(o.Unit)}
	}
	h := &Handover{Request: o.Request, From: []string{}, Folders: []HandoverFolder{}, Duties: []HandoverDuty{}, Ended: []string{}, Unit: o.Unit, To: o.To, ToAddress: string(o.ToAddress), Mailbox: mailcore.Address(s.clerkOf(o.Unit))}
	h.UnitName, h.Parent = unitAndParent(dir, o.Unit)
	account, err := s.Mail.Account(ctx, h.Mailbox)
	if err != nil {
		return nil, nil, nil, err
	}
	if h.From = []string{o.From}; o.From == "" {
		if h.From, err = s.heads(ctx, u.Code); err != nil {
			return nil, nil, nil, err
		}
	}
	inventory, listed, err := s.inventory(ctx, h, account.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		h.Duties, err = openDuties(ctx, tx, o.Unit)
		return err
	})
	return h, inventory, listed, err
}

func (s *Store) heads(ctx context.Context, unit recipients.UnitCode) (names []string, err error) {
	names = []string{}
	if s.Posts == nil {
		return names, nil
	}
	posts, err := s.Posts(ctx, unit)
	for _, p := range posts {
		if p.Role == recipients.HeadRole {
			names = append(names, p.Name)
		}
	}
	return names, err
}

// inventory writes a line for each mail: folder, UID, time of arrival, sender, subject, size, SHA-256 of the stored bytes.
func (s *Store) inventory(ctx context.Context, h *Handover, account mailcore.AccountID) ([]byte, mailcore.Listed, error) {
	var out bytes.Buffer
	out.WriteString("\ufeff") // or spreadsheets take it for an old encoding
	w := csv.NewWriter(&out)
	w.Write([]string{"Thư mục", "UID", "Ngày đến", "Người gửi", "Trích yếu", "Số byte", "SHA-256"})
	listed, err := s.Mail.Inventory(ctx, account, func(m mailcore.Holding) error {
		if n := len(h.Folders); n == 0 || h.Folders[n-1].Name != m.Folder {
			h.Folders = append(h.Folders, HandoverFolder{Name: m.Folder, Oldest: m.ReceivedAt, Newest: m.ReceivedAt})
		}
		f := &h.Folders[len(h.Folders)-1]
		f.Messages, f.Bytes = f.Messages+1, f.Bytes+m.Size
		if m.ReceivedAt.Before(f.Oldest) {
			f.Oldest = m.ReceivedAt
		}
		if m.ReceivedAt.After(f.Newest) {
			f.Newest = m.ReceivedAt
		}
		h.Messages, h.Bytes = h.Messages+1, h.Bytes+m.Size
		return w.Write([]string{m.Folder, strconv.FormatUint(uint64(m.UID), 10), m.ReceivedAt.In(hanoi).Format("2006-01-02 15:04:05"), asText(m.From), asText(m.Subject),
			strconv.FormatInt(m.Size, 10), string(m.Digest)})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("inventory of %s: %w", h.Mailbox, err)
	}
	w.Flush()
	return out.Bytes(), listed, w.Error()
}

// asText keeps a spreadsheet from reading what outsiders wrote as a formula.
func asText(s string) string {
	s = paper.Printable(s)
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// openDuties lists what a unit owns, the most urgent first.
func openDuties(ctx context.Context, tx *sqldb.Tx, unit recipients.UnitCode) ([]HandoverDuty, error) {
	out := []HandoverDuty{}
	err := tx.SelectContext(ctx, &out, `SELECT d.id, o.reference, o.abstract, o.agency, d.unit, d.transport, d.handling, d.arrival_number, d.deadline
		FROM dispatch d JOIN document o ON o.id = d.document_id WHERE d.owner = $1 AND d.deadline > 0 ORDER BY d.deadline, d.id`, unit)
	if err != nil {
		return nil, fmt.Errorf("open duties of %s: %w", unit, err)
	}
	var held []struct {
		Dispatch DispatchID `db:"dispatch_id"`
		Officer  string     `db:"officer"`
	}
	err = tx.SelectContext(ctx, &held, `SELECT a.dispatch_id, a.officer FROM assignment a JOIN dispatch d ON d.id = a.dispatch_id
		WHERE d.owner = $1 AND d.deadline > 0 AND a.state IN ('assigned', 'in_progress') ORDER BY a.role, a.officer`, unit)
	if err != nil {
		return nil, fmt.Errorf("assignments of %s: %w", unit, err)
	}
	officers := map[DispatchID][]string{}
	for _, a := range held {
		officers[a.Dispatch] = append(officers[a.Dispatch], a.Officer)
	}
	for i := range out {
		out[i].Officers = strings.Join(officers[out[i].Dispatch], ", ")
	}
	return out, nil
}

func endedText(ended []mailcore.Delegation) []string {
	out := []string{}
	for _, d := range ended {
		out = append(out, fmt.Sprintf("%s, %s, từ %s đến %s", d.Number, d.Officer, dayMonthYear(d.From), dayMonthYear(d.To)))
	}
	return out
}

// Handovers lists the handovers of a unit, the newest first; those of all for "".
func (s *Store) Handovers(ctx context.Context, unit recipients.UnitCode) ([]*Handover, error) {
	var events []Event
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &events, `SELECT ordinal, detail FROM event WHERE chain = $1 AND kind = $2 ORDER BY ordinal DESC`, gatewayChain, EventHandover)
	})
	if err != nil {
		return nil, fmt.Errorf("handovers: %w", err)
	}
	var out []*Handover
	for _, e := range events {
		h := &Handover{}
		if err := json.Unmarshal([]byte(e.Detail), h); err != nil {
			return nil, fmt.Errorf("handover %d: %w", e.Ordinal, err)
		}
		if h.Number = e.Ordinal + 1; unit == "" || h.Unit == unit {
			out = append(out, h)
		}
	}
	return out, nil
}

// Handover returns one with its inventory.
func (s *Store) Handover(ctx context.Context, number int64) (*Handover, []byte, error) {
	all, err := s.Handovers(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	for _, h := range all {
		if h.Number == number {
			data, err := s.Bytes(h.Inventory)
			return h, data, err
		}
	}
	return nil, nil, &Error{Missing, CodeNoHandover, fmt.Sprint(number)}
}
