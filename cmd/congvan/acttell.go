package main

import (
	"context"
	"fmt"
	"strings"

	"congvan/exchange"
)

// An actRecord is what stands recorded about a copy after an act; its JSON is the contract of "congvan act --json".
type actRecord struct {
	Reference     string                 `json:"reference"`
	Issuer        string                 `json:"issuer"`
	Unit          string                 `json:"unit"`
	Copy          exchange.DispatchID    `json:"copy"`
	Changed       bool                   `json:"changed"` // false: it had been recorded before
	Transport     exchange.Transport     `json:"transport"`
	Handling      exchange.Handling      `json:"handling"`
	ArrivalNumber string                 `json:"arrival_number"`
	ArrivedOn     string                 `json:"arrived_on"`
	DueOn         string                 `json:"due_on"`
	Owner         string                 `json:"owner"`
	Tasks         []exchange.StatusTask  `json:"assignments"`
	Answers       []exchange.Answer      `json:"answered_by"`
	ForwardedTo   []string               `json:"forwarded_to"` // units that got a copy through this one
	Note          string                 `json:"note,omitempty"`
	Events        []exchange.StatusEvent `json:"events"`
}

// tell prints what is recorded about the copy by now.
func (d *actDesk) tell(ctx context.Context, r *exchange.Receipt, what string) error {
	st, err := d.in.exchange.Status(ctx, r.Document.ID)
	if err != nil {
		return err
	}
	rec := actRecord{Reference: st.Reference, Issuer: st.Issuer, Copy: r.Dispatch.ID, Changed: r.Changed, Note: r.Note, ForwardedTo: []string{}}
	name := ""
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		if c.Parent == r.Dispatch.ID {
			rec.ForwardedTo = append(rec.ForwardedTo, c.Unit)
		}
		if c.Dispatch.ID != r.Dispatch.ID {
			continue
		}
		name = c.Name
		rec.Unit, rec.Transport, rec.Handling, rec.ArrivalNumber, rec.ArrivedOn = c.Unit, c.Transport, c.Handling, c.ArrivalNumber, c.Dispatch.ArrivedOn
		rec.DueOn, rec.Owner, rec.Tasks, rec.Answers, rec.Events = c.Dispatch.DueOn, c.Owner, c.Tasks, c.Answers, c.Events
	}
	if d.json {
		return writeJSON(d.s.out, rec)
	}
	word := "Đã ghi"
	if !rec.Changed {
		word = "Đã ghi từ trước"
	}
	fmt.Fprintf(d.s.out, "%s: %s - %s văn bản %s.\n", word, name, what, rec.Reference)
	for _, line := range rec.lines() {
		fmt.Fprintf(d.s.out, "  %s\n", line)
	}
	return nil
}

func (rec *actRecord) lines() []string {
	lines := []string{"Trạng thái: " + handlingWords[rec.Handling]}
	if rec.ArrivalNumber != "" {
		number := fmt.Sprintf("Số đến: %s, ngày đến %s", rec.ArrivalNumber, rec.ArrivedOn)
		if rec.Handling == exchange.Refused {
			number += " (đã hủy, không dùng lại)"
		}
		lines = append(lines, number)
	} else if rec.Handling == exchange.Accepted {
		lines = append(lines, "Chờ số đến: ghi bằng congvan act accept … --number SỐ")
	}
	if rec.DueOn != "" {
		lines = append(lines, "Hạn giải quyết: "+rec.DueOn)
	}
	for _, t := range rec.Tasks {
		if t.State != exchange.TaskWithdrawn {
			lines = append(lines, taskLine(t))
		}
	}
	for _, a := range rec.Answers {
		lines = append(lines, fmt.Sprintf("Trả lời bằng văn bản %s (%s)", a.Reference, stateWords[a.State]))
	}
	if len(rec.ForwardedTo) > 0 {
		lines = append(lines, "Chuyển đến: "+strings.Join(rec.ForwardedTo, ", "))
	}
	if rec.Note != "" {
		lines = append(lines, rec.Note)
	}
	return lines
}

var roleWords = map[exchange.Role]string{exchange.Lead: "Chủ trì", exchange.Support: "Phối hợp"}

var taskWords = map[exchange.TaskState]string{exchange.TaskAssigned: "chưa làm", exchange.TaskInProgress: "đang xử lý", exchange.TaskCompleted: "hoàn thành", exchange.TaskWithdrawn: "đã giao người khác"}

// taskLine words one officer's part, also for "congvan status".
func taskLine(t exchange.StatusTask) string {
	line := fmt.Sprintf("%s: %s, %s", roleWords[t.Role], t.Officer, taskWords[t.State])
	if t.DueOn != "" {
		line += ", hạn " + t.DueOn
	}
	if t.Overdue {
		line += ", QUÁ HẠN"
	}
	return line
}

// handlingLines tell below a copy of "congvan status" who works on it, what answers it and where it came from.
func handlingLines(st *exchange.Status, c *exchange.StatusDispatch) []string {
	var lines []string
	for i := range st.Dispatches {
		if from := &st.Dispatches[i]; c.Parent != 0 && from.Dispatch.ID == c.Parent {
			lines = append(lines, "do "+from.Name+" chuyển đến")
		}
	}
	for _, t := range c.Tasks {
		if t.State != exchange.TaskWithdrawn {
			lines = append(lines, taskLine(t))
		}
	}
	for _, a := range c.Answers {
		if a.State != exchange.Withdrawn {
			lines = append(lines, "trả lời bằng văn bản "+a.Reference)
		}
	}
	return lines
}
