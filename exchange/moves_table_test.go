package exchange

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore/sqldb"
)

var (
	allFolders = []folder{inInbox, inAccepted, inProgress, inCompleted, inRefused, inArchive, inTrash, inJunk, inOther}
	allStates  = append(slices.Clone(openStates), closedStates...)
)

// cells are all that a client can do: every way between the places that it joins, in every state.
func cells() (all []mailMove) {
	add := func(w way, from, to folder) {
		for _, state := range allStates {
			for _, spare := range []bool{false, true} {
				all = append(all, mailMove{w, from, to, state, spare})
			}
		}
	}
	for _, from := range allFolders {
		for _, to := range append(slices.Clone(allFolders), outside) {
			if from != to { // COPY within one folder is not even told
				add(byMove, from, to)
				add(byCopy, from, to)
			}
		}
		for _, w := range []way{byExpunge, byDelete} {
			add(w, from, nowhere)
		}
		for _, w := range []way{byFlag, byRename} {
			add(w, from, from)
		}
		for _, w := range []way{byAppend, byForgery} {
			add(w, outside, from)
		}
	}
	return all
}

// A MoveCell is a cell of the table with what it says.
type MoveCell struct {
	Way, From, To string
	State         Handling
	Spare         bool
	Does, Notice  string
}

// MoveCells lets the tests outside walk the table.
func MoveCells() (all []MoveCell) {
	for _, m := range cells() {
		r := ruleFor(m)
		all = append(all, MoveCell{string(m.way), string(m.from), string(m.to), m.state, m.spare, string(r.do), r.notice})
	}
	return all
}

// Standing is the state of a dispatch as the table has it.
func Standing(d *Dispatch) Handling { return standing(d) }

// PutInto brings a received copy into a state, by events alone.
func (s *Store) PutInto(ctx context.Context, id DispatchID, state Handling) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := receipt(ctx, tx, id)
		if err != nil {
			return err
		}
		by := Actor{Unit: r.Dispatch.Unit, Name: "văn thư"}
		switch state {
		case Received:
			return nil
		case Assigned:
			err = accept(ctx, tx, r, by, "", 0)
		case Accepted:
			return accept(ctx, tx, r, by, "", 0)
		case InProgress, Completed:
			return advance(ctx, tx, r, by, state, 0)
		case ended:
			state = Handling(Superseded)
		}
		if err != nil {
			return err
		}
		return r.act(ctx, tx, string(state), by, nil, nil)
	})
}

// What the table must never say, told without the table.
func TestTableOfMailMovesKeepsItsPromises(t *testing.T) {
	used := map[*moveRule]int{}
	for _, m := range cells() {
		r := ruleFor(m)
		if r == nil {
			t.Fatalf("no row for %+v", m)
		}
		used[r]++
		open := slices.Contains(openStates, m.state)
		leaves := m.to == nowhere || m.to == outside && m.way == byMove
		fixed := m.from == inInbox || slices.Contains(workflow, m.from)
		if r.do != isDenied && leaves && open && !m.spare && r.do != isRestored {
			t.Errorf("an open copy is lost: %+v is %q", m, r.do)
		}
		if (r.do == isDenied) != (fixed && (m.way == byRename || m.way == byDelete)) {
			t.Errorf("%+v is %q", m, r.do)
		}
		acts := map[effect]Handling{isAccept: Accepted, isProgress: InProgress, isComplete: Completed}
		if goal, ok := acts[r.do]; ok {
			if !open || !slices.Contains([]way{byMove, byCopy, byAppend}, m.way) || folderFor[goal] != m.to {
				t.Errorf("%+v is an act: %q", m, r.do)
			}
			if reached(m.state) >= reached(goal) {
				t.Errorf("%+v goes back: %q", m, r.do)
			}
		} else if open && folderFor[InProgress] == m.to && m.way != byForgery && m.way != byRename && m.way != byFlag && m.way != byDelete && reached(m.state) < reached(InProgress) && m.to != m.from {
			t.Errorf("%+v is no act: %q", m, r.do)
		}
		if r.do == isAsked && (m.to != inRefused || !slices.Contains(handlings[m.state], Refused)) {
			t.Errorf("%+v asks for a reason", m)
		}
		if (r.do == isKept) != (r.notice != "") {
			t.Errorf("%+v: notice %q of %q", m, r.notice, r.do)
		}
		if twin := m; m.way == byMove && m.to != outside {
			if twin.way = byCopy; ruleFor(twin) != r {
				t.Errorf("%+v: COPY is something else", m)
			}
		}
	}
	for i := range moveRules {
		if used[&moveRules[i]] == 0 {
			t.Errorf("row %d (%s) is never reached", i, moveRules[i].why)
		}
	}
	t.Logf("%d cells, %d rows", len(cells()), len(moveRules))
}

var folderFor = map[Handling]folder{Accepted: inAccepted, InProgress: inProgress, Completed: inCompleted}

func reached(h Handling) int {
	return slices.Index([]Handling{Received, Accepted, Assigned, InProgress, Completed}, h)
}

// The table in ARCHITECTURE.md is printed from the code.
func TestDiagramShowsTheTableOfMailMoves(t *testing.T) {
	const path, begin, end = "../ARCHITECTURE.md", "<!-- moves -->\n", "<!-- /moves -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("ARCHITECTURE.md has no place for the table of mail moves")
	}
	want := head + begin + movesTable() + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the table is not what the code says: go test ./exchange -run Diagram -update")
	}
}

func movesTable() string {
	var b strings.Builder
	b.WriteString("| way | from | to | state | is | because |\n|---|---|---|---|---|---|\n")
	for _, r := range moveRules {
		state := anyOr(r.states)
		switch {
		case slices.Equal(r.states, openStates):
			state = "open"
		case slices.Equal(r.states, closedStates):
			state = "closed"
		}
		if r.spare {
			state += ", another copy is there"
		}
		do := string(r.do)
		if r.notice != "" {
			do += " (" + r.notice + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", anyOr(r.ways), anyOr(r.from), anyOr(r.to), state, do, r.why)
	}
	return b.String()
}

func anyOr[S ~string](list []S) string {
	if len(list) == 0 {
		return "any"
	}
	return join(list)
}
