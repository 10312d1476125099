package exchange

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"congvan/exchange/reply"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// replyDamage is a reply that asks for the same bytes once more. Its line is nobody's refusal, so reply.Parse leaves it.
const replyDamage reply.Act = "damage"

// replyAnswer is a reply that names the document of the unit that answers the copy.
const replyAnswer reply.Act = "answer"

var (
	damageLine = regexp.MustCompile(`^(?:bao hong|bao loi|hong|tep|file|van ban|khong mo duoc|khong doc duoc|khong xem duoc|(?:de nghi|xin|kinh de nghi|vui long) gui lai)\b`)
	answerLine = regexp.MustCompile(`^(?:(?:da )?(?:hoan thanh|xu ly xong|giai quyet xong)[ ,.;:]+)?(?:don vi )?(?:da )?(?:tra loi|phuc dap|bao cao) (?:bang |tai )?(?:cong van|van ban|bao cao|to trinh|cv|vb)(?: so)?:? [0-9]+[a-z]?/[^ ]+(?: ngay [0-9/.-]+)?[ .!]*$`)
	namedIn    = regexp.MustCompile(`[0-9]+\pL?/[^\s,;]*[\pL0-9]`)
)

// understood adds to a reply what the parser leaves out: a report of damage, and that a document of the unit answers.
func understood(said reply.Reply, text string) reply.Reply {
	line := reply.FirstLine(text)
	folded := viettext.Fold(line)
	if said.Act != reply.None || strings.Contains(folded, "?") {
		return said
	}
	if answerLine.MatchString(folded) {
		said.Act, said.Reference = replyAnswer, namedIn.FindString(viettext.NFC(line))
	} else if code, _ := RefusalOf(line); code == Unreadable && damageLine.MatchString(folded) {
		said.Act, said.Reason = replyDamage, line
	}
	return said
}

// alone reports whether an act is of one copy even where several share the mail.
func alone(a reply.Act) bool {
	return a == reply.Forward || a == reply.Assign || a == replyDamage || a == replyAnswer
}

// ofTask reports whether an officer who was given a part says this of that part.
func ofTask(a reply.Act) bool { return a == reply.InProgress || a == reply.Complete }

var replyGoals = map[reply.Act]Handling{reply.InProgress: InProgress, reply.Complete: Completed}

// order is what a reply or a move asks for.
func (s *Store) order(ctx context.Context, ev mailcore.Event, id DispatchID, by Actor, said reply.Reply) (order, error) {
	mail := int64(ev.ID)
	switch said.Act {
	case reply.Accept:
		return order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			return accept(ctx, tx, r, by, said.Number, mail)
		}}, nil
	case reply.InProgress, reply.Complete:
		return order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			return advance(ctx, tx, r, by, replyGoals[said.Act], mail)
		}}, nil
	case reply.Refuse:
		return s.refusing(by, said.Reason), nil
	case replyAnswer:
		return s.answeringBy(by, said.Reference), nil
	case replyDamage:
		return s.reportingDamage(by, said.Reason), nil
	case reply.Forward, reply.Assign:
		return s.handOn(ctx, id, by, said)
	case reply.RecallAgree, reply.RecallRefuse:
		return order{do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			return s.answerRecall(ctx, tx, r, by, said.Act == reply.RecallAgree, said.Reason, mail)
		}}, nil
	}
	return order{}, &Error{Invalid, CodeWrongState, string(said.Act)}
}

func (s *Store) actOne(ctx context.Context, ev mailcore.Event, id DispatchID, by Actor, said reply.Reply) (*letter, error) {
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return nil, err
	}
	var r *Receipt
	o, err := s.order(ctx, ev, id, by, said)
	if err == nil {
		o.mail = int64(ev.ID)
		o.keep = func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error { return proof.keepTx(ctx, tx, s, r) }
		r, err = s.carryOut(ctx, by, id, o)
	}
	if err == nil {
		if done, e := s.cameBy(ctx, id, ev.ID); !r.Changed && (e != nil || !done) && said.Number == "" && proof.digest == "" {
			return nil, e // moved again: one answer is enough; who writes again is told what was recorded the first time
		}
		return s.receiptLetter(ctx, r, said)
	}
	return s.problemLetter(ctx, id, err)
}

// taskReply does what an officer says of the part that was given to them, and answers the officer.
func (s *Store) taskReply(ctx context.Context, ev mailcore.Event, id DispatchID, by Actor, said reply.Reply) error {
	proof, err := s.proofOf(ctx, ev)
	if err != nil {
		return err
	}
	o := s.advancingTask(by, replyGoals[said.Act])
	o.mail = int64(ev.ID)
	o.keep = func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error { return proof.keepTx(ctx, tx, s, r) }
	r, err := s.carryOut(ctx, by, id, o)
	var l *letter
	if err == nil {
		l, err = s.receiptLetter(ctx, r, said)
	} else {
		l, err = s.problemLetter(ctx, id, err)
	}
	if err != nil {
		return err
	}
	l.to = string(by.Address)
	return s.finish(ctx, ev, []*letter{l})
}

// handOn reads to whom a copy shall go: officers of the unit work on it from now on, another unit gets it.
func (s *Store) handOn(ctx context.Context, id DispatchID, by Actor, said reply.Reply) (order, error) {
	var r *Receipt
	if err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = receipt(ctx, tx, id); return err }); err != nil {
		return order{}, err
	}
	a, unit, err := s.Addressees(ctx, r.Dispatch.Unit, said.To)
	if err != nil {
		return order{}, err
	}
	if unit != "" {
		return s.forwarding(by, unit, said.Reason), nil
	}
	a.DueOn, a.Note = said.Deadline, said.Reason
	return s.assigning(by, *a), nil
}

var (
	addresseeBreak = regexp.MustCompile(`\s*[,;]\s*|\s+và\s+|\s+va\s+`)
	supportMark    = regexp.MustCompile(`(?i)\(?\s*(?:để\s+)?(?:phối hợp|phoi hop)\s*:?\s*\)?`)
	leadMark       = regexp.MustCompile(`(?i)\(?\s*(?:chủ trì|chu tri)\s*:?\s*\)?`)
	courtesy       = regexp.MustCompile(`(?i)^(?:cho|đến|tới|sang|về|đ/c|đc|đồng chí|dong chi|ông|bà|anh|chị|cô|chú)\s+`)
)

// Addressees reads to whom somebody of a unit hands a copy: officers of the unit (the first leads, unless another is called chủ
// trì), by address, its part before @, or full name; or one other unit, by code, address or name.
func (s *Store) Addressees(ctx context.Context, unit recipients.UnitCode, text string) (*Assignment, recipients.UnitCode, error) {
	text = strings.TrimSpace(viettext.NFC(text))
	if to, err := s.unitNamed(ctx, text); err != nil || to != "" {
		return nil, to, err
	}
	a := &Assignment{}
	support := false // "phối hợp: a, b" holds for all that follow
	for _, piece := range addresseeBreak.Split(text, -1) {
		who := strings.TrimSpace(piece)
		leads := leadMark.MatchString(who)
		switch mark := supportMark.FindString(who); {
		case leads:
			support = false
		case strings.Contains(mark, ":") || mark != "" && strings.HasPrefix(who, mark):
			support = true
		}
		helps := support || supportMark.MatchString(who)
		who = strings.TrimSpace(leadMark.ReplaceAllString(supportMark.ReplaceAllString(who, ""), ""))
		if who == "" {
			continue
		}
		officer, err := s.officerNamed(ctx, unit, courtesy.ReplaceAllString(who, ""))
		if err != nil {
			return nil, "", err
		}
		switch {
		case leads && a.Lead != "":
			a.Support, a.Lead = append(a.Support, a.Lead), officer
		case a.Lead == "" && !helps:
			a.Lead = officer
		default:
			a.Support = append(a.Support, officer)
		}
	}
	if a.Lead == "" {
		return nil, "", &Error{Invalid, CodeNoLead, text}
	}
	return a, "", nil
}

// unitNamed returns the unit that a text names, by code, address or name; "" for none.
func (s *Store) unitNamed(ctx context.Context, text string) (recipients.UnitCode, error) {
	dir, err := s.Directory(ctx, "")
	if err != nil {
		return "", err
	}
	local, at, _ := strings.Cut(strings.ToLower(text), "@")
	if u, ok := dir.Unit(recipients.UnitCode(local)); ok && (at == "" || at == s.Domain) && u.Kind != recipients.KindGroup {
		return u.Code, nil
	}
	if strings.Contains(text, "@") {
		for _, u := range dir.Units() {
			if u.Address != "" && strings.EqualFold(u.Address, text) {
				return u.Code, nil
			}
		}
		return "", nil
	}
	if !strings.Contains(text, " ") {
		return "", nil // one word that is no code is somebody's account, never a guess at a unit
	}
	return dir.Issuer(text), nil
}

// officerNamed returns the address of the officer of the unit that a text names.
func (s *Store) officerNamed(ctx context.Context, unit recipients.UnitCode, text string) (mailcore.Address, error) {
	if !strings.Contains(text, " ") {
		address := strings.ToLower(text)
		if !strings.Contains(address, "@") {
			address += "@" + s.Domain
		}
		a, err := s.Mail.Account(ctx, mailcore.Address(address))
		switch {
		case err == nil && a.Kind == mailcore.Officer && a.Unit == string(unit):
			return a.Address, nil
		case err != nil && !errors.Is(err, mailcore.ErrNoAccount):
			return "", err
		}
		return "", &Error{Invalid, CodeNoOfficer, text}
	}
	all, err := s.Mail.ListAccounts(ctx)
	if err != nil {
		return "", err
	}
	named := slices.DeleteFunc(all, func(a mailcore.Account) bool {
		return a.Kind != mailcore.Officer || a.Unit != string(unit) || viettext.Fold(a.Name) != viettext.Fold(text)
	})
	if len(named) != 1 {
		return "", &Error{Invalid, CodeVague, text}
	}
	return named[0].Address, nil
}

func (s *Store) receiptLetter(ctx context.Context, r *Receipt, said reply.Reply) (*letter, error) {
	data, name, head := s.letterData(ctx, r), "done.txt", ""
	switch said.Act {
	case reply.Accept:
		name, head = "accepted.txt", "Đã tiếp nhận"
		data.Verdict, data.SHA256 = s.verdictOf(ctx, r.Document), string(r.Document.SealedPDF)
		if data.Number != "" {
			head += ", số đến " + data.Number
		}
	case reply.InProgress:
		data.What, head = "đang xử lý", "Đang xử lý"
	case reply.Complete:
		data.What, head = "đã hoàn thành", "Hoàn thành"
	case replyAnswer:
		data.What, data.Reason, head = "đã hoàn thành", "trả lời bằng văn bản số "+said.Reference, "Hoàn thành"
	case reply.Refuse:
		_, text := RefusalOf(said.Reason)
		data.What, data.Reason, head = "từ chối tiếp nhận", text, "Từ chối"
	case reply.RecallAgree:
		data.What, head = "đồng ý thu hồi", "Đồng ý thu hồi"
	case reply.RecallRefuse:
		data.What, data.Reason, head = "không đồng ý thu hồi", said.Reason, "Không đồng ý thu hồi"
	case replyDamage:
		name, head = "resent.txt", "Đã gửi lại"
		data.SHA256 = string(r.Document.SealedPDF)
	case reply.Forward, reply.Assign:
		name, head = "handed.txt", "Đã chuyển"
		data.To, data.Deadline = s.handedTo(ctx, r), vietnameseDate(r.Dispatch.DueOn)
	}
	return s.answer(r, name, head, data)
}

// handedTo words where a copy went.
func (s *Store) handedTo(ctx context.Context, r *Receipt) string {
	var tasks []Task
	var child []string
	least, greatest := r.Document.ID.span()
	s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		if tasks, err = tasksOf(ctx, tx, r.Dispatch.ID); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &child, `SELECT name FROM dispatch WHERE id BETWEEN $1 AND $2 AND parent = $3 ORDER BY id`, least, greatest, r.Dispatch.ID)
	})
	if r.Dispatch.Handling == Forwarded {
		return strings.Join(child, ", ")
	}
	var out []string
	for _, t := range tasks {
		switch {
		case t.State == TaskWithdrawn:
		case t.Role == Lead:
			out = append([]string{string(t.Officer) + " (chủ trì)"}, out...)
		default:
			out = append(out, string(t.Officer)+" (phối hợp)")
		}
	}
	return strings.Join(out, ", ")
}

// Words says in Vietnamese what came in the way of an act and what to do; "" where the error is none that a recipient can mend.
func Words(err error) string {
	var e *Error
	var m *MoveError
	if errors.As(err, &m) {
		return wrongState
	}
	if !errors.As(err, &e) {
		return ""
	}
	if text, ok := actProblems[e.Code]; ok {
		if strings.Contains(text, "%s") {
			return fmt.Sprintf(text, e.Detail)
		}
		return text
	}
	if e.Code == CodeWrongState {
		return wrongState
	}
	return ""
}

const wrongState = "văn bản đang ở trạng thái không cho phép việc này"

var actProblems = map[string]string{
	CodeArrivalTaken:    "số đến %s đã dùng cho văn bản khác trong sổ của đơn vị",
	CodeNotEntitled:     "tài khoản gửi không thuộc đơn vị nhận",
	CodeHasCopy:         "đơn vị %s đã có bản của văn bản này; nếu không phải việc của đơn vị mình, hãy từ chối với lý do gửi nhầm",
	CodeForwardLoop:     "văn bản đã qua đơn vị %s hoặc đơn vị đó đã từ chối, đã chuyển đi; hãy từ chối với lý do gửi nhầm để cơ quan ban hành gửi lại",
	CodeForwardToIssuer: "không chuyển ngược về cơ quan ban hành %s; muốn trả lại thì từ chối, ghi rõ lý do",
	CodeUnknownUnit:     "danh bạ không có đơn vị \"%s\"; hãy ghi mã, địa chỉ hoặc tên đầy đủ của đơn vị",
	CodeNoOfficer:       "\"%s\" không phải tài khoản của cán bộ thuộc đơn vị, cũng không phải mã của một đơn vị; hãy ghi như nvan.syt, hoặc tên đầy đủ của đơn vị",
	CodeVague:           "chưa rõ \"%s\" là ai; hãy ghi tài khoản của cán bộ (như nvan.syt) hoặc mã, tên đầy đủ của đơn vị",
	CodeNoLead:          "phải có đúng một người chủ trì, và mỗi người chỉ ghi một lần",
	CodeBadDeadline:     "hạn %s đã qua hoặc không phải là ngày",
	CodeNotAssigned:     "tài khoản này không được phân công văn bản",
	CodeBadAnswer:       "văn bản trả lời %s không có, chưa vào sổ, hoặc không phải của đơn vị mình",
	CodeDamagedHere:     "bản lưu của hệ thống cũng hỏng (%s), gửi lại không có ích; hãy báo cơ quan ban hành",
}

// problemLetter answers what could not be done; errors of our own go back to the caller.
func (s *Store) problemLetter(ctx context.Context, id DispatchID, cause error) (*letter, error) {
	var e *Error
	problem := Words(cause)
	switch {
	case problem != "":
	case errors.As(cause, &e):
		problem = wrongState
	default:
		return nil, cause
	}
	var r *Receipt
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) { r, err = receipt(ctx, tx, id); return err })
	if err != nil {
		return nil, err
	}
	data, name, head := s.letterData(ctx, r), "puzzled.txt", "Chưa ghi nhận"
	var m *MoveError
	data.Problem = problem
	switch {
	case IsCode(cause, CodeNoReason):
		name, head = "asked.txt", "Cần lý do từ chối"
	case IsCode(cause, CodeNoRecallReason):
		name, head = "recallasked.txt", "Cần lý do không đồng ý thu hồi"
	case r.Dispatch.Transport == Recalled:
		data.Problem = "cơ quan ban hành đã thu hồi văn bản này"
	case r.Dispatch.Transport == Superseded:
		data.Problem = "văn bản này đã được thay bằng văn bản khác"
	case errors.As(cause, &m) && r.Dispatch.Recall == RecallAsked:
		data.Problem = "cơ quan ban hành đang đề nghị thu hồi văn bản này; hãy trả lời \"Đồng ý\" hoặc \"Không đồng ý: <lý do>\" trước"
	}
	return s.answer(r, name, head, data)
}
