package exchange

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/templates"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// FaultMailbox is the local part of the address that faults, leaks and spam are told to (QĐ 22/2009 Điều 7, 14).
const FaultMailbox = "baosuco"

// Events of faults, in the gateway's own chain.
const (
	EventFault         = "fault"          // somebody told of one
	EventFaultAnswered = "fault_answered" // its state changed
)

// CodeNoFault says that no fault has this number; CodeFaultEmpty that nothing is told, CodeFaultNoAnswer that an answer is missing.
const (
	CodeNoFault       = "no_fault"
	CodeFaultEmpty    = "fault_empty"
	CodeFaultNoAnswer = "fault_no_answer"
)

const (
	maxFaultSubject = 200
	maxFaultWords   = 4000
)

// A FaultKind is what somebody complains about.
type FaultKind string

// The kinds.
const (
	Fault FaultKind = "fault" // sự cố: something does not work
	Leak  FaultKind = "leak"  // lộ mật khẩu, lộ thông tin
	Spam  FaultKind = "spam"  // thư rác, lừa đảo, mã độc
)

// Vietnamese names the kind.
func (k FaultKind) Vietnamese() string {
	return map[FaultKind]string{Fault: "sự cố", Leak: "lộ mật khẩu, thông tin", Spam: "thư rác, lừa đảo"}[k]
}

// A FaultState is how far a fault has come.
type FaultState string

// The states.
const (
	FaultNew        FaultState = "new"
	FaultInProgress FaultState = "in_progress"
	FaultAnswered   FaultState = "answered"
)

// Vietnamese names the state.
func (s FaultState) Vietnamese() string {
	return map[FaultState]string{FaultNew: "mới", FaultInProgress: "đang xử lý", FaultAnswered: "đã trả lời"}[s]
}

// faultMoves lists every move of a fault. An answer may be corrected.
var faultMoves = map[FaultState][]FaultState{
	FaultNew:        {FaultInProgress, FaultAnswered},
	FaultInProgress: {FaultAnswered},
	FaultAnswered:   {FaultAnswered},
}

// A FaultReport is one complaint and what became of it.
type FaultReport struct {
	ID        int64            `db:"id" json:"id"`
	At        int64            `db:"at" json:"at"` // microseconds
	Kind      FaultKind        `db:"kind" json:"kind"`
	Reporter  mailcore.Address `db:"reporter" json:"reporter"`
	Unit      string           `db:"unit" json:"unit"`
	Subject   string           `db:"subject" json:"subject"`
	Words     string           `db:"words" json:"words"`
	Token     string           `db:"token" json:"-"`
	State     FaultState       `db:"state" json:"state"`
	Answer    string           `db:"answer" json:"answer"`
	ChangedAt int64            `db:"changed_at" json:"changed_at"` // microseconds
	ChangedBy string           `db:"changed_by" json:"changed_by"`
}

const faultColumns = `id, at, kind, reporter, unit, subject, words, token, state, answer, changed_at, changed_by`

// kindOf finds the kind in what somebody wrote: by the words that people use.
func kindOf(text string) FaultKind {
	folded := " " + viettext.Fold(text) + " "
	for _, w := range []string{"lo mat khau", "mat mat khau", "lo thong tin", "bi hack", "bi chiem", "nguoi la dang nhap", "dang nhap la", "lo lot"} {
		if strings.Contains(folded, w) {
			return Leak
		}
	}
	for _, w := range []string{"thu rac", "spam", "lua dao", "gia mao", "ma doc", "virus", "quang cao"} {
		if strings.Contains(folded, w) {
			return Spam
		}
	}
	return Fault
}

// ReportFault takes what somebody with an account tells, by the form. kind "" is found in the words.
func (s *Store) ReportFault(ctx context.Context, account mailcore.Account, kind FaultKind, subject, words string) (*FaultReport, error) {
	return s.reportFault(ctx, account, kind, subject, words, 0)
}

func (s *Store) reportFault(ctx context.Context, account mailcore.Account, kind FaultKind, subject, words string, event mailcore.EventID) (*FaultReport, error) {
	f := &FaultReport{Kind: kind, Reporter: account.Address, Unit: account.Unit, Subject: cut(oneLine(subject), maxFaultSubject),
		Words: cut(strings.TrimSpace(viettext.NFC(words)), maxFaultWords), Token: newSecret(), State: FaultNew}
	if f.Words == "" && f.Subject == "" {
		return nil, &Error{Invalid, CodeFaultEmpty, ""}
	}
	if f.Subject == "" {
		f.Subject = cut(oneLine(f.Words), 80)
	}
	if f.Kind == "" {
		f.Kind = kindOf(f.Subject + "\n" + f.Words)
	}
	err := s.writeGateway(ctx, func(tx *sqldb.Tx) error {
		var known []FaultReport
		if event != 0 {
			if err := tx.SelectContext(ctx, &known, `SELECT `+faultColumns+` FROM fault WHERE mail_event = $1`, event); err != nil {
				return err
			}
		}
		if len(known) > 0 {
			*f = known[0]
			return nil
		}
		f.At, f.ChangedAt, f.ChangedBy = tx.Now.UnixMicro(), tx.Now.UnixMicro(), string(account.Address)
		var from any
		if event != 0 {
			from = event
		}
		if err := tx.GetContext(ctx, &f.ID, `INSERT INTO fault (at, kind, reporter, unit, subject, words, token, mail_event, state, changed_at, changed_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id`, f.At, f.Kind, f.Reporter, f.Unit, f.Subject, f.Words, f.Token, from, f.State, f.ChangedAt, f.ChangedBy); err != nil {
			return err
		}
		_, err := recordChain(ctx, tx, gatewayChain, EventFault, Actor{Address: account.Address}, f.told())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("report fault of %s: %w", account.Address, err)
	}
	return f, s.tellFault(ctx, f)
}

// A faultDetail is what events keep of a fault.
type faultDetail struct {
	ID       int64            `json:"fault"`
	Kind     FaultKind        `json:"kind"`
	Reporter mailcore.Address `json:"reporter"`
	Unit     string           `json:"unit,omitempty"`
	Subject  string           `json:"subject"`
	Words    string           `json:"words"`
	State    FaultState       `json:"state"`
	Answer   string           `json:"answer,omitempty"`
}

func (f *FaultReport) told() faultDetail {
	return faultDetail{f.ID, f.Kind, f.Reporter, f.Unit, f.Subject, f.Words, f.State, f.Answer}
}

// tellFaults writes the letters about faults whose process died before it had written them.
func (s *Store) tellFaults(ctx context.Context) error {
	var untold []FaultReport
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &untold, `SELECT `+faultColumns+` FROM fault f WHERE f.state = 'new' AND NOT EXISTS
			(SELECT 1 FROM posted p WHERE p.letter = 'fault-' || f.id || '-' || $1) ORDER BY f.id LIMIT 100`, faultTold)
	})
	for i := range untold {
		err = errors.Join(err, s.tellFault(ctx, &untold[i]))
	}
	return err
}

// faultTold is the letter to the IT department, the last of the two.
const faultTold = "faulttold.txt"

// tellFault writes to whoever told and to the IT department, each once.
func (s *Store) tellFault(ctx context.Context, f *FaultReport) error {
	desk, err := s.faultDesk(ctx)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		template, head string
		to             mailcore.Address
		from, replyTo  string
	}{
		{"faulttaken.txt", "Đã nhận báo", f.Reporter, FaultMailbox, ""},
		{faultTold, "Báo " + f.Kind.Vietnamese(), desk, FaultMailbox, FaultMailbox + "+" + fmt.Sprintf("%d.%s", f.ID, f.Token)},
	} {
		text, err := templates.Mail(l.template, s.faultData(f))
		if err != nil {
			return err
		}
		if _, err := s.Post(ctx, Post{Key: fmt.Sprintf("fault-%d-%s", f.ID, l.template), To: l.to, From: l.from, ReplyTo: l.replyTo,
			Subject: fmt.Sprintf("%s (SC-%d): %s", l.head, f.ID, f.Subject), Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// A faultLetter is what the templates show.
type faultLetter struct {
	FaultReport
	KindName, When, Domain string
	IsLeak                 bool
}

func (s *Store) faultData(f *FaultReport) faultLetter {
	return faultLetter{*f, f.Kind.Vietnamese(), time.UnixMicro(f.At).In(hanoi).Format("15:04 02/01/2006"), s.Domain, f.Kind == Leak}
}

// faultDesk is who answers faults: the unit that is set, where it has a mailbox here, else the administrator's.
func (s *Store) faultDesk(ctx context.Context) (mailcore.Address, error) {
	accounts, err := s.accounts(ctx)
	if err != nil {
		return "", err
	}
	if a := mailcore.Address(s.clerkOf(s.FaultUnit)); s.FaultUnit != "" && accounts[a] != 0 {
		return a, nil
	}
	return mailcore.Address("postmaster@" + s.Domain), nil
}

// handleFault takes a mail to the address of faults: a complaint, or an answer of the IT department to one.
func (s *Store) handleFault(ctx context.Context, ev mailcore.Event, arrival mailcore.Arrival, token string) error {
	f, err := s.openMail(ctx, ev)
	if err != nil {
		return err
	}
	defer f.Close()
	subject, text, automatic := mailWords(f)
	if arrival.AuthAs == "" || automatic { // told by nobody of ours: the junk of the world is no fault
		s.Log.Info("mail to the address of faults not taken", "from", arrival.Sender, "automatic", automatic)
		return s.finish(ctx, ev, nil)
	}
	account, err := s.Mail.Account(ctx, arrival.AuthAs)
	if err != nil {
		return err
	}
	if token != "" {
		err = s.answeredByMail(ctx, account, token, text)
	} else {
		_, err = s.reportFault(ctx, account, "", subject, text, ev.ID)
	}
	if err != nil {
		if err = s.puzzledFault(ctx, ev, account.Address, err); err != nil {
			return err
		}
	}
	return s.finish(ctx, ev, nil)
}

// puzzledFault tells whoever mailed why that changed nothing; errors of our own go back to the caller.
func (s *Store) puzzledFault(ctx context.Context, ev mailcore.Event, to mailcore.Address, cause error) error {
	var e *Error
	var m *MoveError
	if !errors.As(cause, &e) && !errors.As(cause, &m) {
		return cause
	}
	problem := "báo này đã được trả lời; muốn nói thêm thì viết câu trả lời mới"
	switch {
	case IsCode(cause, CodeFaultEmpty):
		problem = "thư không có nội dung; hãy ghi chuyện gì xảy ra, từ khi nào, với địa chỉ nào"
	case IsCode(cause, CodeFaultNoAnswer):
		problem = "thư không có câu trả lời; hãy viết câu trả lời phía trên phần trích"
	case IsCode(cause, CodeNoFault):
		problem = "địa chỉ nhận không phải của báo nào; hãy bấm trả lời trong chính thư báo"
	case IsCode(cause, CodeNotEntitled):
		problem = "chỉ bộ phận phụ trách trả lời được báo này; muốn báo việc mới thì gửi tới " + FaultMailbox + "@" + s.Domain
	}
	s.Log.Info("mail about a fault changes nothing", "from", to, "err", cause)
	_, err := s.Post(ctx, Post{Key: fmt.Sprintf("fault-mail-%d", ev.ID), To: to, From: FaultMailbox, Subject: "Chưa ghi nhận thư báo sự cố", Text: "Hệ thống chưa ghi nhận thư của anh, chị: " + problem + ".\n"})
	return err
}

// answeredByMail takes a reply of the IT department: "Đang xử lý" as the first line says that somebody is at it, anything else is the
// answer.
func (s *Store) answeredByMail(ctx context.Context, account mailcore.Account, token, text string) error {
	number, secret, _ := strings.Cut(token, ".")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return &Error{Missing, CodeNoFault, token}
	}
	f, err := s.FaultReport(ctx, id)
	if err != nil {
		return err
	}
	desk, err := s.faultDesk(ctx)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(f.Token)) != 1 || account.Address != desk && account.Unit != string(s.FaultUnit) {
		return &Error{Forbidden, CodeNotEntitled, string(account.Address)}
	}
	to := FaultAnswered
	if strings.HasPrefix(viettext.Fold(text), "dang xu ly") && !strings.Contains(text, "\n") {
		to = FaultInProgress
	}
	_, err = s.AnswerFault(ctx, Actor{Address: account.Address}, id, to, text)
	return err
}

// AnswerFault moves a fault on. The answer goes to whoever told of it.
func (s *Store) AnswerFault(ctx context.Context, by Actor, id int64, to FaultState, answer string) (*FaultReport, error) {
	answer = cut(strings.TrimSpace(viettext.NFC(answer)), maxFaultWords)
	if to == FaultAnswered && answer == "" {
		return nil, &Error{Invalid, CodeFaultNoAnswer, ""}
	}
	var f *FaultReport
	changed := false
	err := s.writeGateway(ctx, func(tx *sqldb.Tx) (err error) {
		if f, err = faultReport(ctx, tx, id); err != nil {
			return err
		}
		if changed = f.State != to || f.Answer != answer && to == FaultAnswered; !changed {
			return nil
		}
		if !slices.Contains(faultMoves[f.State], to) {
			return &MoveError{string(f.State), string(to)}
		}
		was := f.ChangedAt
		f.State, f.Answer, f.ChangedAt, f.ChangedBy = to, answer, tx.Now.UnixMicro(), by.String()
		ok, err := tx.ExecOne(ctx, `UPDATE fault SET state = $1, answer = $2, changed_at = $3, changed_by = $4 WHERE id = $5 AND changed_at = $6`,
			f.State, f.Answer, f.ChangedAt, f.ChangedBy, id, was)
		if err == nil && !ok {
			err = ErrStale
		}
		if err == nil {
			_, err = recordChain(ctx, tx, gatewayChain, EventFaultAnswered, by, f.told())
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("answer fault %d: %w", id, err)
	}
	if f.State != FaultAnswered {
		return f, nil
	}
	text, err := templates.Mail("faultanswered.txt", s.faultData(f))
	if err != nil {
		return nil, err
	}
	_, err = s.Post(ctx, Post{Key: fmt.Sprintf("fault-%d-answer-%d", f.ID, f.ChangedAt), To: f.Reporter, From: FaultMailbox,
		Subject: fmt.Sprintf("Trả lời (SC-%d): %s", f.ID, f.Subject), Text: text})
	return f, err
}

// FaultReport returns one.
func (s *Store) FaultReport(ctx context.Context, id int64) (f *FaultReport, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		f, err = faultReport(ctx, tx, id)
		return err
	})
	return f, err
}

func faultReport(ctx context.Context, tx *sqldb.Tx, id int64) (*FaultReport, error) {
	var found []FaultReport
	if err := tx.SelectContext(ctx, &found, `SELECT `+faultColumns+` FROM fault WHERE id = $1`, id); err != nil {
		return nil, fmt.Errorf("fault %d: %w", id, err)
	}
	if len(found) == 0 {
		return nil, &Error{Missing, CodeNoFault, fmt.Sprint(id)}
	}
	return &found[0], nil
}

// FaultReports lists the newest first; with open, those that nobody has answered, the oldest first.
func (s *Store) FaultReports(ctx context.Context, open bool, limit int) (out []FaultReport, err error) {
	query := `SELECT ` + faultColumns + ` FROM fault ORDER BY id DESC LIMIT $1`
	if open {
		query = `SELECT ` + faultColumns + ` FROM fault WHERE state <> 'answered' ORDER BY at, id LIMIT $1`
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.SelectContext(ctx, &out, query, limit) })
	if err != nil {
		return nil, fmt.Errorf("list faults: %w", err)
	}
	return out, nil
}

// faults compares what users told with the events about it.
func (c *checker) faults(ctx context.Context, tx *sqldb.Tx, events []Event) error {
	told := map[int64]*FaultReport{}
	for _, e := range events {
		if e.Chain != gatewayChain || e.Kind != EventFault && e.Kind != EventFaultAnswered {
			continue
		}
		var d faultDetail
		if err := json.Unmarshal([]byte(e.Detail), &d); err != nil {
			c.sayf("gateway: event %d: %v", e.Ordinal, err)
			continue
		}
		f := told[d.ID]
		if f == nil {
			f = &FaultReport{At: e.At}
			told[d.ID] = f
		}
		*f = FaultReport{ID: d.ID, At: f.At, Kind: d.Kind, Reporter: d.Reporter, Unit: d.Unit, Subject: d.Subject, Words: d.Words, State: d.State, Answer: d.Answer, ChangedAt: e.At, ChangedBy: e.Actor}
	}
	var rows []FaultReport
	if err := tx.SelectContext(ctx, &rows, `SELECT `+faultColumns+` FROM fault ORDER BY id`); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	for _, r := range rows {
		r.Token = ""
		if f := told[r.ID]; f == nil || *f != r {
			c.sayf("fault %d: differs from its events", r.ID)
		}
		delete(told, r.ID)
	}
	for id := range told {
		c.sayf("fault %d: its events stand, the row is missing", id)
	}
	return nil
}

// maxFaultMail bounds how much of a mail about a fault is read.
const maxFaultMail = 1 << 20

// mailWords returns the subject of a mail, what its sender wrote himself, and whether a machine wrote it.
func mailWords(f io.Reader) (subject, text string, automatic bool) {
	data, err := io.ReadAll(io.LimitReader(f, maxFaultMail))
	if err != nil {
		return "", "", false
	}
	if e, _ := message.Read(bytes.NewReader(data)); e != nil {
		h := mail.Header{Header: e.Header}
		subject, _ = h.Text("Subject")
	}
	text, automatic = reply.Text(bytes.NewReader(data))
	return subject, strings.Join(reply.OwnLines(text), "\n"), automatic
}
