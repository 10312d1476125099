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
)

// A Role is what an officer does for a copy.
type Role string

// Roles. A copy that is given out has one lead.
const (
	Lead    Role = "lead"    // chủ trì
	Support Role = "support" // phối hợp
)

// A TaskState is how far an officer's own part has come.
type TaskState string

// States of a task.
const (
	TaskAssigned   TaskState = "assigned"
	TaskInProgress TaskState = "in_progress"
	TaskCompleted  TaskState = "completed"
	TaskWithdrawn  TaskState = "withdrawn" // given to somebody else; may be given again
)

// taskMoves lists every move of a task.
var taskMoves = map[TaskState][]TaskState{
	TaskAssigned:   {TaskInProgress, TaskCompleted, TaskWithdrawn},
	TaskInProgress: {TaskCompleted, TaskWithdrawn},
	TaskCompleted:  {TaskWithdrawn},
	TaskWithdrawn:  {TaskAssigned},
}

// A Task is what one officer (CBCC) was given to do about a copy (phân công).
type Task struct {
	Dispatch   DispatchID       `db:"dispatch_id" json:"-"`
	Officer    mailcore.Address `db:"officer" json:"officer"`
	Role       Role             `db:"role" json:"role"`
	State      TaskState        `db:"state" json:"state"`
	DueOn      string           `db:"due_on" json:"due_on"` // civil, "" for none
	Note       string           `db:"note" json:"note,omitempty"`
	AssignedAt int64            `db:"assigned_at" json:"-"`
	AssignedBy string           `db:"assigned_by" json:"assigned_by"`
	ChangedAt  int64            `db:"changed_at" json:"-"`
}

const taskColumns = `dispatch_id, officer, role, state, due_on, note, assigned_at, assigned_by, changed_at`

// Overdue reports whether the task should have been done before today.
func (t *Task) Overdue(today string) bool {
	return t.DueOn != "" && t.DueOn < today && (t.State == TaskAssigned || t.State == TaskInProgress)
}

// An Assignment says who works on a copy from now on. Whoever is not named any more is released.
type Assignment struct {
	Lead    mailcore.Address   // chủ trì
	Support []mailcore.Address // phối hợp
	DueOn   string             // hạn giải quyết, civil; "" keeps the one that stands
	Note    string             // ý kiến chỉ đạo

	left mailcore.Address // who left, and whose part others get; "" for nobody
}

// Kinds of events of tasks that move no copy.
const (
	EventReassigned   = "reassigned"       // others work on the copy, or until another day
	EventTaskProgress = "task_in_progress" // an officer began with a part
	EventTaskDone     = "task_completed"   // and has done it
)

// Assign gives a copy to officers of the unit (phân công): one leads, others support, until a day. A copy that is not accepted yet is
// accepted thereby. Said again otherwise it is given to others. The officers get a mail from the unit with the task for their
// calendar, those who are released one that takes it back.
func (s *Store) Assign(ctx context.Context, by Actor, id DispatchID, a Assignment) (*Receipt, error) {
	return s.carryOut(ctx, by, id, s.assigning(by, a))
}

func (s *Store) assigning(by Actor, a Assignment) order {
	var told []*parcel
	a.Support = slices.Clone(a.Support)
	a.Note = strings.TrimSpace(viettext.NFC(a.Note))
	return order{
		prepare: func(ctx context.Context, r *Receipt) (err error) {
			if err := s.officers(ctx, r, &a); err != nil {
				return err
			}
			told, err = s.taskLetters(ctx, r, a)
			return err
		},
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			changed, err := assign(ctx, tx, r, by, a)
			if err != nil || !changed {
				return err
			}
			return s.post(ctx, tx, told...)
		},
	}
}

// officers makes sure that everybody named is an officer of the recipient's unit with an open account, once.
func (s *Store) officers(ctx context.Context, r *Receipt, a *Assignment) error {
	if a.Lead == "" {
		return &Error{Invalid, CodeNoLead, ""}
	}
	seen := map[mailcore.Address]bool{}
	for _, officer := range append([]mailcore.Address{a.Lead}, a.Support...) {
		o, err := s.Mail.Account(ctx, officer)
		if errors.Is(err, mailcore.ErrNoAccount) || err == nil && (o.Kind != mailcore.Officer || o.Unit != string(r.Dispatch.Unit) || o.Unit == "" || !o.ClosedAt.IsZero()) {
			return &Error{Invalid, CodeNoOfficer, string(officer)}
		}
		if err != nil {
			return err
		}
		if seen[officer] {
			return &Error{Invalid, CodeNoLead, string(officer)}
		}
		seen[officer] = true
	}
	slices.Sort(a.Support)
	return nil
}

// A handout is the detail of an assignment's event.
type handout struct {
	Tasks []handed `json:"tasks"`
	DueOn string   `json:"due_on,omitempty"`
	Note  string   `json:"note,omitempty"`
	Mail  int64    `json:"mail,omitempty"`
	EML   string   `json:"eml,omitempty"`

	Left mailcore.Address `json:"left,omitempty"` // who left
}

type handed struct {
	Officer mailcore.Address `json:"officer"`
	Role    Role             `json:"role"`
}

func (a *Assignment) tasks() []handed {
	out := []handed{}
	if a.Lead != "" { // nobody leads where somebody left and no one took over
		out = append(out, handed{a.Lead, Lead})
	}
	for _, officer := range a.Support {
		out = append(out, handed{officer, Support})
	}
	return out
}

func assign(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, a Assignment) (changed bool, err error) {
	d := r.Dispatch
	if d.Closed() {
		return false, &Error{Conflict, CodeWrongState, string(d.Handling)}
	}
	have, err := tasksOf(ctx, tx, d.ID)
	if err != nil {
		return false, err
	}
	if a.DueOn == "" {
		a.DueOn = d.DueOn
	}
	if sameTasks(have, a) {
		return false, nil
	}
	if a.DueOn != d.DueOn && !dayFrom(a.DueOn, CivilDate(tx.Now)) {
		return false, &Error{Invalid, CodeBadDeadline, a.DueOn}
	}
	if d.Handling == "" || d.Handling == Received {
		if err := accept(ctx, tx, r, by, "", r.mail); err != nil {
			return false, err
		}
	}
	kind := EventReassigned
	if d.Handling == Accepted {
		kind = string(Assigned)
	}
	detail := handout{Tasks: a.tasks(), DueOn: a.DueOn, Note: a.Note, Mail: r.mail, EML: r.eml, Left: a.left}
	if err := r.act(ctx, tx, kind, by, detail, func(d *Dispatch) { d.DueOn = a.DueOn }); err != nil {
		return false, err
	}
	for _, t := range afterHandout(have, d.ID, detail, by.String(), tx.Now.UnixMicro()) {
		if err := saveTask(ctx, tx, t); err != nil {
			return false, err
		}
	}
	return true, moveIncoming(ctx, tx, d)
}

// release takes a copy back from all who work on it: it goes to another unit.
func release(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor) error {
	have, err := tasksOf(ctx, tx, r.Dispatch.ID)
	a := Assignment{DueOn: r.Dispatch.DueOn}
	if err != nil || sameTasks(have, a) {
		return err
	}
	_, err = assign(ctx, tx, r, by, a)
	return err
}

// dayFrom reports whether day is a civil date that is not over.
func dayFrom(day, today string) bool {
	_, err := time.Parse(time.DateOnly, day)
	return err == nil && day >= today
}

// sameTasks reports whether an assignment says what stands already.
func sameTasks(have []Task, a Assignment) bool {
	want := map[mailcore.Address]Role{}
	for _, t := range a.tasks() {
		want[t.Officer] = t.Role
	}
	n := 0
	for _, t := range have {
		if t.State == TaskWithdrawn {
			continue
		}
		n++
		if want[t.Officer] != t.Role || t.DueOn != a.DueOn || t.Note != a.Note {
			return false
		}
	}
	return n == len(want)
}

// afterHandout is what the tasks of a copy are after an assignment: those named stand or are given anew, the others are withdrawn.
// Only tasks that change are returned, withdrawn ones first, so that there is never more than one lead.
func afterHandout(have []Task, id DispatchID, h handout, by string, at int64) []Task {
	var out []Task
	was := map[mailcore.Address]Task{}
	for _, t := range have {
		was[t.Officer] = t
		named := slices.ContainsFunc(h.Tasks, func(n handed) bool { return n.Officer == t.Officer })
		if !named && t.State != TaskWithdrawn {
			t.State, t.ChangedAt = TaskWithdrawn, at
			out = append(out, t)
		}
	}
	named := slices.Clone(h.Tasks)
	slices.Reverse(named) // the lead last: whoever led before is by then nobody or supports
	for _, n := range named {
		t, ok := was[n.Officer]
		if !ok || t.State == TaskWithdrawn {
			t = Task{Dispatch: id, Officer: n.Officer, State: TaskAssigned, AssignedAt: at, AssignedBy: by}
		}
		t.Role, t.DueOn, t.Note, t.ChangedAt = n.Role, h.DueOn, h.Note, at
		out = append(out, t)
	}
	return out
}

func tasksOf(ctx context.Context, tx *sqldb.Tx, id DispatchID) ([]Task, error) {
	var tasks []Task
	if err := tx.SelectContext(ctx, &tasks, `SELECT `+taskColumns+` FROM assignment WHERE dispatch_id = $1 ORDER BY officer`, id); err != nil {
		return nil, fmt.Errorf("tasks of dispatch %d: %w", id, err)
	}
	return tasks, nil
}

func saveTask(ctx context.Context, tx *sqldb.Tx, t Task) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO assignment (`+taskColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (dispatch_id, officer) DO UPDATE SET role = excluded.role, state = excluded.state, due_on = excluded.due_on, note = excluded.note,
		assigned_at = excluded.assigned_at, assigned_by = excluded.assigned_by, changed_at = excluded.changed_at`,
		t.Dispatch, t.Officer, t.Role, t.State, t.DueOn, t.Note, t.AssignedAt, t.AssignedBy, t.ChangedAt)
	if err != nil {
		return fmt.Errorf("task of %s on dispatch %d: %w", t.Officer, t.Dispatch, err)
	}
	return nil
}

// AdvanceTask tells, by the officer's own login, that an officer works on a part of a copy (InProgress) or has done it (Completed).
// What the lead says holds for the whole.
func (s *Store) AdvanceTask(ctx context.Context, by Actor, id DispatchID, to Handling) (*Receipt, error) {
	return s.carryOut(ctx, by, id, s.advancingTask(by, to))
}

func (s *Store) advancingTask(by Actor, to Handling) order {
	return order{
		entitled: func(r *Receipt, by Actor) bool { return by.Address != "" }, // whose task it is stands in the table
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			return advanceTask(ctx, tx, r, by, to)
		},
	}
}

func advanceTask(ctx context.Context, tx *sqldb.Tx, r *Receipt, by Actor, to Handling) error {
	state, kind := TaskInProgress, EventTaskProgress
	switch to {
	case InProgress:
	case Completed:
		state, kind = TaskCompleted, EventTaskDone
	default:
		return &MoveError{string(r.Dispatch.Handling), string(to)}
	}
	tasks, err := tasksOf(ctx, tx, r.Dispatch.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tasks, func(t Task) bool { return t.Officer == by.Address && t.State != TaskWithdrawn })
	if i < 0 {
		return &Error{Forbidden, CodeNotAssigned, string(by.Address)}
	}
	t := tasks[i]
	if t.State != state && slices.Contains(taskMoves[t.State], state) {
		if err := r.act(ctx, tx, kind, by, cause(map[string]any{"officer": t.Officer, "mail": r.mail}, r), nil); err != nil {
			return err
		}
		t.State, t.ChangedAt = state, tx.Now.UnixMicro()
		if err := saveTask(ctx, tx, t); err != nil {
			return err
		}
	}
	if t.Role != Lead || r.Dispatch.Closed() {
		return nil
	}
	return advance(ctx, tx, r, by, to, r.mail)
}

// hasTask reports whether an account works on a copy.
func (s *Store) hasTask(ctx context.Context, id DispatchID, officer mailcore.Address) (bool, error) {
	var n int
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.GetContext(ctx, &n, `SELECT count(*) FROM assignment WHERE dispatch_id = $1 AND officer = $2 AND state <> 'withdrawn'`, id, officer)
	})
	return n > 0, err
}

// ListTasks lists what an officer was given to do and has not done, of copies that are still open, the most urgent first; of every
// officer where none is named.
func (s *Store) ListTasks(ctx context.Context, officer mailcore.Address) (tasks []Task, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &tasks, `SELECT `+taskColumns+` FROM assignment WHERE ($1 = '' OR officer = $1) AND state IN ('assigned', 'in_progress')
			AND EXISTS (SELECT 1 FROM dispatch d WHERE d.id = assignment.dispatch_id AND d.deadline > 0) ORDER BY due_on = '', due_on, dispatch_id, officer`, officer)
	})
	return tasks, err
}
