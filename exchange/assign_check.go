package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
)

// tasks proves that the tasks of a document's copies, and the documents that answer them, are what events say.
func (c *checker) tasks(ctx context.Context, tx *sqldb.Tx, id DocumentID, copies []Dispatch, journal map[int64][]Event) error {
	var rows []Task
	least, greatest := id.span()
	if err := tx.SelectContext(ctx, &rows, `SELECT `+taskColumns+` FROM assignment WHERE dispatch_id BETWEEN $1 AND $2`, least, greatest); err != nil {
		return err
	}
	links, err := answersOf(ctx, tx, id)
	if err != nil {
		return err
	}
	have := map[DispatchID]map[mailcore.Address]Task{}
	for _, t := range rows {
		if have[t.Dispatch] == nil {
			have[t.Dispatch] = map[mailcore.Address]Task{}
		}
		have[t.Dispatch][t.Officer] = t
	}
	for i := range copies {
		d := &copies[i]
		c.tasksOf(d, foldTasks(d.ID, journal[int64(d.ID)]), have[d.ID], led(journal[int64(d.ID)]))
		c.answersTo(d, journal[int64(d.ID)], links[d.ID])
	}
	return nil
}

func (c *checker) tasksOf(d *Dispatch, want, have map[mailcore.Address]Task, led bool) {
	names := maps.Clone(want)
	maps.Copy(names, have)
	leads := 0
	for _, officer := range slices.Sorted(maps.Keys(names)) {
		w, told := want[officer]
		h, there := have[officer]
		switch {
		case !told:
			c.sayf("assignment: %s on dispatch %d: no event tells of it: the row was added or moved", officer, d.ID)
		case !there:
			c.sayf("assignment: %s on dispatch %d: the row was removed or moved", officer, d.ID)
		case w != h:
			c.sayf("assignment: %s on dispatch %d is %+v, the events say %+v", officer, d.ID, h, w)
		}
		if h.Role == Lead && h.State != TaskWithdrawn {
			leads++
		}
	}
	if leads > 1 || leads == 0 && led && d.Handling == Assigned {
		c.sayf("assignment: dispatch %d has %d leads", d.ID, leads)
	}
}

// led reports whether a copy was given to somebody who leads; nobody does where the lead left.
func led(events []Event) bool {
	for _, e := range slices.Backward(events) {
		if e.Kind == string(Assigned) || e.Kind == EventReassigned {
			var h handout
			json.Unmarshal([]byte(e.Detail), &h)
			return slices.ContainsFunc(h.Tasks, func(t handed) bool { return t.Role == Lead })
		}
	}
	return true
}

// foldTasks is what the events of a copy make of its tasks.
func foldTasks(id DispatchID, events []Event) map[mailcore.Address]Task {
	tasks := map[mailcore.Address]Task{}
	for _, e := range events {
		switch e.Kind {
		case string(Assigned), EventReassigned:
			var h handout
			json.Unmarshal([]byte(e.Detail), &h)
			for _, t := range afterHandout(slices.Collect(maps.Values(tasks)), id, h, e.Actor, e.At) {
				tasks[t.Officer] = t
			}
		case EventTaskProgress, EventTaskDone:
			var v struct{ Officer mailcore.Address }
			json.Unmarshal([]byte(e.Detail), &v)
			t := tasks[v.Officer]
			t.State, t.ChangedAt = TaskInProgress, e.At
			if e.Kind == EventTaskDone {
				t.State = TaskCompleted
			}
			tasks[v.Officer] = t
		}
	}
	return tasks
}

func (c *checker) answersTo(d *Dispatch, events []Event, links []Answer) {
	want := map[DocumentID]Answer{}
	for _, e := range events {
		if e.Kind != EventAnswered {
			continue
		}
		var v struct{ Document DocumentID }
		json.Unmarshal([]byte(e.Detail), &v)
		want[v.Document] = Answer{LinkedAt: e.At, LinkedBy: e.Actor}
	}
	for _, a := range links {
		w, ok := want[a.Document]
		if !ok || w.LinkedAt != a.LinkedAt || w.LinkedBy != a.LinkedBy {
			c.sayf("answer: document %d to dispatch %d: no event tells of it so: the row was added, changed or moved", a.Document, d.ID)
		}
		if ok && a.State == Issued && !d.Closed() {
			c.sayf("answer: dispatch %d is answered by document %d, which is issued, and still open", d.ID, a.Document)
		}
		delete(want, a.Document)
	}
	for id := range want {
		c.sayf("answer: document %d to dispatch %d: the row was removed or moved", id, d.ID)
	}
}

// handlingStrays finds rows of copies or documents that are not there.
var handlingStrays = []struct{ table, query string }{
	{"assignment of dispatch", `SELECT dispatch_id FROM assignment a WHERE NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.id = a.dispatch_id)`},
	{"answer to dispatch", `SELECT dispatch_id FROM answer a WHERE NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.id = a.dispatch_id)
		OR NOT EXISTS (SELECT 1 FROM document d WHERE d.id = a.document_id)`},
}

func (c *checker) handling(ctx context.Context, tx *sqldb.Tx) error {
	for _, q := range handlingStrays {
		var ids []int64
		if err := tx.SelectContext(ctx, &ids, q.query); err != nil {
			return fmt.Errorf("rows of %s: %w", q.table, err)
		}
		for _, id := range ids {
			c.sayf("%s %d: belongs to nothing that is there: a row was removed, added or moved", q.table, id)
		}
	}
	return nil
}
