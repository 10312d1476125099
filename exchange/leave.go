package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// Events of accounts, in the gateway's chain.
const (
	EventLeft     = "left"     // somebody left, or a unit ended
	EventUnlocked = "unlocked" // an account, or an address that logs in, may try passwords again
)

// Codes of errors of leaving.
const (
	CodeLeft      = "left"       // the account is closed already
	CodeNoHeir    = "no_heir"    // who shall take over is no open account of the kind that leaves, or leaves itself
	CodeStillBusy = "still_busy" // something stands in the way: Detail says what
)

// A LeaveOrder says who leaves, and who takes over (QĐ 22/2009 Điều 6).
type LeaveOrder struct {
	Address mailcore.Address // of an officer or of a unit
	To      mailcore.Address // an officer of the same unit, or the unit that takes over; "": the head of the unit, or nobody
	Because string           // number and date of the written request
	Tell    bool             // senders are told of To from now on
}

// A Leave (thôi việc, chuyển đi, giải thể, sáp nhập) is what came of one: who has the work now, what ended, what is kept.
type Leave struct {
	Number   int64               `json:"number"` // from 1, of its event in the gateway's chain; 0 before it happened
	At       time.Time           `json:"at"`
	By       string              `json:"by"`
	Because  string              `json:"because"`
	Address  mailcore.Address    `json:"address"`
	Name     string              `json:"name"`
	Unit     recipients.UnitCode `json:"unit"`
	UnitName string              `json:"unit_name"`
	IsUnit   bool                `json:"is_unit"`
	To       mailcore.Address    `json:"to,omitempty"`
	ToName   string              `json:"to_name,omitempty"`
	Told     bool                `json:"told"` // senders are told of To
	Tasks    []LeftTask          `json:"tasks"`
	Ended    []string            `json:"ended"` // delegations
	Posts    []string            `json:"posts"` // in the directory
	Messages int                 `json:"messages"`
	Bytes    int64               `json:"bytes"` // kept, and shown to nobody
	Obstacle string              `json:"obstacle,omitempty"`
}

// A LeftTask is a copy that somebody else works on now.
type LeftTask struct {
	Dispatch  DispatchID       `json:"dispatch"`
	Reference string           `json:"reference"`
	Abstract  string           `json:"abstract"`
	Role      Role             `json:"role,omitempty"` // of the officer who left
	DueOn     string           `json:"due_on,omitempty"`
	To        mailcore.Address `json:"to"` // "": nobody yet, the unit has to give it out
	Returned  bool             `json:"returned,omitempty"`
}

// RoleText names in Vietnamese what the officer was for the copy.
func (t LeftTask) RoleText() string {
	return map[Role]string{Lead: "chủ trì", Support: "phối hợp"}[t.Role]
}

// A departure is a leave made ready: the steps of its one transaction, and the copies as they were.
type departure struct {
	*Leave
	account mailcore.Account
	steps   []departStep
	told    []*parcel
}

type departStep struct {
	id   DispatchID
	seen int64 // how many events the copy had
	o    order
}

// PlanLeave says what Leave would do; nothing changes. Obstacle is what would stop it.
func (s *Store) PlanLeave(ctx context.Context, o LeaveOrder) (*Leave, error) {
	d, err := s.departure(ctx, Gateway, o)
	if err != nil {
		return nil, err
	}
	return d.Leave, nil
}

// Leave closes the account of an officer who leaves or of a unit that ends, in one transaction: logins, app passwords, open connections
// and delegations end; an officer's open parts go to the successor, else to the head of the unit, else back to the unit, with mails
// and tasks for the calendar; a unit's open copies are forwarded to the unit that takes over; posts end, and a unit ends in the
// directory. What the mailbox holds stays. When somebody acts on one of these copies meanwhile, all begins again.
func (s *Store) Leave(ctx context.Context, by Actor, o LeaveOrder) (*Leave, error) {
	var err error
	for range 5 {
		var d *departure
		if d, err = s.departure(ctx, by, o); err != nil {
			return nil, err
		}
		if d.Obstacle != "" {
			return nil, &Error{Conflict, CodeStillBusy, d.Obstacle}
		}
		err = s.db.Write(ctx, func(tx *sqldb.Tx) error { return s.depart(ctx, tx, by, d) })
		if err == nil {
			s.Log.Info("account closed for good", "address", o.Address, "to", o.To, "copies", len(d.Tasks), "by", by.String())
			return d.Leave, nil
		}
		if !errors.Is(err, ErrStale) && !sqldb.IsUnique(err) {
			break
		}
	}
	return nil, fmt.Errorf("close %s for good: %w", o.Address, err)
}

// depart is the one transaction.
func (s *Store) depart(ctx context.Context, tx *sqldb.Tx, by Actor, d *departure) error {
	l := d.Leave
	ids, err := openWork(ctx, tx, l)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(ids, d.steps, func(id DispatchID, st departStep) bool { return id == st.id }) {
		return ErrStale
	}
	for _, st := range d.steps {
		r, err := receipt(ctx, tx, st.id)
		if err != nil {
			return err
		}
		if r.Dispatch.Events != st.seen {
			return ErrStale
		}
		if err := st.o.do(ctx, tx, r); err != nil {
			return err
		}
	}
	if err := s.post(ctx, tx, d.told...); err != nil {
		return err
	}
	movedTo := mailcore.Address("")
	if l.Told {
		movedTo = l.To
	}
	ended, err := s.Mail.LeaveTx(ctx, tx, l.Address, movedTo)
	if errors.Is(err, mailcore.ErrClosed) {
		return &Error{Conflict, CodeLeft, string(l.Address)}
	}
	if err != nil {
		return err
	}
	l.Ended, l.At, l.By = endedText(ended), tx.Now.UTC(), by.String()
	if err := endInDirectory(ctx, tx, l); err != nil {
		return err
	}
	e, err := recordChain(ctx, tx, gatewayChain, EventLeft, by, l)
	l.Number = e.Ordinal + 1
	return err
}

// endInDirectory ends posts, and the unit that ends.
func endInDirectory(ctx context.Context, tx *sqldb.Tx, l *Leave) error {
	address := string(l.Address)
	if l.IsUnit {
		address = ""
		heir, _, _ := strings.Cut(string(l.To), "@")
		if err := recipients.EndUnitTx(ctx, tx, l.Unit, recipients.UnitCode(heir), l.By, l.Because); err != nil {
			return err
		}
	}
	posts, err := recipients.EndPostsTx(ctx, tx, l.Unit, address, l.By, l.Because)
	l.Posts = []string{}
	for _, p := range posts {
		l.Posts = append(l.Posts, p.Name+", "+p.Role.Vietnamese())
	}
	return err
}

// openWork lists the copies that whoever leaves has to do something about.
func openWork(ctx context.Context, tx *sqldb.Tx, l *Leave) (ids []DispatchID, err error) {
	query, arg := `SELECT dispatch_id FROM assignment a JOIN dispatch d ON d.id = a.dispatch_id
		WHERE a.officer = $1 AND a.state IN ('assigned', 'in_progress') AND d.deadline > 0 ORDER BY dispatch_id`, string(l.Address)
	if l.IsUnit {
		query, arg = `SELECT id FROM dispatch WHERE unit = $1 AND owner = $1 AND deadline > 0 ORDER BY id`, string(l.Unit)
	}
	if err := tx.SelectContext(ctx, &ids, query, arg); err != nil {
		return nil, fmt.Errorf("open work of %s: %w", l.Address, err)
	}
	return ids, nil
}

// departure works out a leave.
func (s *Store) departure(ctx context.Context, by Actor, o LeaveOrder) (*departure, error) {
	a, err := s.Mail.Account(ctx, o.Address)
	if err != nil {
		return nil, err
	}
	if !a.ClosedAt.IsZero() {
		return nil, &Error{Conflict, CodeLeft, string(a.Address)}
	}
	if a.Kind != mailcore.Officer && a.Kind != mailcore.Unit {
		return nil, &Error{Invalid, CodeNoOfficer, string(a.Address)}
	}
	l := &Leave{Because: strings.Join(strings.Fields(viettext.NFC(o.Because)), " "), Address: a.Address, Name: a.Name, Unit: recipients.UnitCode(a.Unit), IsUnit: a.Kind == mailcore.Unit,
		To: o.To, Told: o.Tell && o.To != "", Tasks: []LeftTask{}, Ended: []string{}, Posts: []string{}}
	if l.Name == "" {
		l.Name = a.Address.Local()
	}
	if l.UnitName, err = s.unitName(ctx, l.Unit); err != nil {
		l.UnitName = string(l.Unit) // the directory forgot it first
	}
	d := &departure{Leave: l, account: a}
	if err := s.heir(ctx, d); err != nil {
		return nil, err
	}
	if err := s.kept(ctx, d); err != nil {
		return nil, err
	}
	var ids []DispatchID
	if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { ids, err = openWork(ctx, tx, l); return err }); err != nil {
		return nil, err
	}
	if l.IsUnit {
		return d, s.planUnitLeave(ctx, by, d, ids)
	}
	return d, s.planOfficerLeave(ctx, by, d, ids)
}

// heir makes sure that who takes over can.
func (s *Store) heir(ctx context.Context, d *departure) error {
	if d.To == "" {
		return nil
	}
	to, err := s.Mail.Account(ctx, d.To)
	if errors.Is(err, mailcore.ErrNoAccount) || err == nil && (to.Kind != d.account.Kind || !to.ClosedAt.IsZero() || to.ID == d.account.ID || to.Kind == mailcore.Officer && to.Unit != d.account.Unit) {
		return &Error{Invalid, CodeNoHeir, string(d.To)}
	}
	d.ToName = to.Name
	return err
}

// kept sums up what the mailboxes hold, and lists what would end.
func (s *Store) kept(ctx context.Context, d *departure) error {
	boxes, err := s.Mail.Mailboxes(ctx, d.account.ID)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		st, err := s.Mail.MailboxStatus(ctx, box.ID)
		if err != nil {
			return err
		}
		d.Messages += st.Messages
	}
	q, err := s.Mail.Quota(ctx, d.account.ID)
	if err != nil {
		return err
	}
	d.Bytes = q.Used
	all, err := s.Mail.ListDelegations(ctx)
	if err != nil {
		return err
	}
	today := CivilDate(s.db.Now())
	d.Ended = endedText(slices.DeleteFunc(all, func(g mailcore.Delegation) bool {
		return g.Officer != d.Address && g.Unit != d.Address || !g.RevokedAt.IsZero() || g.To < today
	}))
	if s.Posts == nil {
		return nil
	}
	posts, err := s.Posts(ctx, d.Unit)
	for _, p := range posts {
		if d.IsUnit || p.Address == string(d.Address) {
			d.Posts = append(d.Posts, p.Name+", "+p.Role.Vietnamese())
		}
	}
	return err
}

// planOfficerLeave gives every open part of an officer to the successor, else to the head.
func (s *Store) planOfficerLeave(ctx context.Context, by Actor, d *departure, ids []DispatchID) error {
	to := d.To
	if to == "" {
		var err error
		if to, err = s.headAccount(ctx, d.Leave); err != nil {
			return err
		}
	}
	unled := false
	for _, id := range ids {
		r, tasks, err := s.worked(ctx, id)
		if err != nil {
			return err
		}
		a := takenOver(tasks, d.Address, to)
		was := tasks[slices.IndexFunc(tasks, func(t Task) bool { return t.Officer == d.Address })]
		left := LeftTask{Dispatch: id, Reference: r.Document.Reference, Abstract: r.Document.Abstract, Role: was.Role, DueOn: was.DueOn, To: to}
		unled = unled || to == ""
		d.Tasks = append(d.Tasks, left)
		letters, err := s.taskLetters(ctx, r, a)
		if err != nil {
			return err
		}
		d.steps = append(d.steps, departStep{id, r.Dispatch.Events, order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			changed, err := assign(ctx, tx, r, by, a)
			if err != nil || !changed {
				return err
			}
			return s.post(ctx, tx, letters...)
		}}})
	}
	return s.tellLeft(ctx, d, unled)
}

// worked reads a copy with those who work on it.
func (s *Store) worked(ctx context.Context, id DispatchID) (r *Receipt, tasks []Task, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		if r, err = receipt(ctx, tx, id); err == nil {
			tasks, err = tasksOf(ctx, tx, id)
		}
		return err
	})
	return r, tasks, err
}

// headAccount is the mailbox of the head of an officer's unit, "" where the directory names none here or the head leaves.
func (s *Store) headAccount(ctx context.Context, l *Leave) (mailcore.Address, error) {
	if s.Posts == nil {
		return "", nil
	}
	posts, err := s.Posts(ctx, l.Unit)
	if err != nil {
		return "", err
	}
	for _, p := range posts {
		if p.Role != recipients.HeadRole || p.Address == "" || p.Address == string(l.Address) {
			continue
		}
		a, err := s.Mail.Account(ctx, mailcore.Address(p.Address))
		if err == nil && a.ClosedAt.IsZero() && a.Kind == mailcore.Officer && a.Unit == string(l.Unit) {
			return a.Address, nil
		}
		if err != nil && !errors.Is(err, mailcore.ErrNoAccount) {
			return "", err
		}
	}
	return "", nil
}

// takenOver is the assignment that stands, with one officer's part given to another, who leads where either did.
func takenOver(tasks []Task, from, to mailcore.Address) Assignment {
	a := Assignment{left: from}
	for _, t := range tasks {
		if t.State == TaskWithdrawn {
			continue
		}
		who := t.Officer
		if who == from {
			who = to
		}
		a.DueOn = t.DueOn
		if t.Role == Lead || a.Note == "" {
			a.Note = t.Note
		}
		switch {
		case who == "":
		case t.Role == Lead:
			a.Lead = who
		case !slices.Contains(a.Support, who):
			a.Support = append(a.Support, who)
		}
	}
	a.Support = slices.DeleteFunc(a.Support, func(s mailcore.Address) bool { return s == a.Lead })
	slices.Sort(a.Support)
	return a
}

// tellLeft writes to the unit of an officer who left.
func (s *Store) tellLeft(ctx context.Context, d *departure, unled bool) error {
	shown := *d.Leave
	shown.Tasks = slices.Clone(d.Tasks)
	for i := range shown.Tasks {
		shown.Tasks[i].DueOn = vietnameseDate(shown.Tasks[i].DueOn)
	}
	text, err := templates.Mail("left.txt", struct {
		Name, Address, Unit, Because string
		Tasks                        []LeftTask
		Unled                        bool
	}{d.Name, string(d.Address), d.UnitName, d.Because, shown.Tasks, unled})
	if err != nil {
		return err
	}
	p, err := s.parcel(ctx, &letter{from: mail.Address{Name: "Công Văn", Address: "postmaster@" + s.Domain}, to: s.clerkOf(d.Unit), subject: "Thôi việc, chuyển đi: " + d.Name, text: text,
		id: fmt.Sprintf("thoi-%d@%s", d.account.ID, s.Domain), automatic: true}, nil, mailcore.Address(s.clerkOf(d.Unit)))
	d.told = append(d.told, p)
	return err
}

// Unlock lets an account, or everybody at an IP address, try passwords again at once. It returns how many locks held.
func (s *Store) Unlock(ctx context.Context, by Actor, who, because string) (held int, err error) {
	err = s.writeGateway(ctx, func(tx *sqldb.Tx) error {
		if held, err = s.Mail.UnlockTx(ctx, tx, who); err != nil {
			return err
		}
		_, err := recordChain(ctx, tx, gatewayChain, EventUnlocked, by, map[string]any{"who": who, "because": because, "locks": held})
		return err
	})
	return held, err
}
