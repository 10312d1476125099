package exchange

import (
	"slices"
	"strings"

	"congvan/mailcore"
)

// A unit that has nothing but a mail client acts by moving mail. Clients do that in many ways, so one table says what each
// means; moves_act.go does what it says, and ARCHITECTURE.md shows it.
//
// COPY counts as MOVE does: an older client moves by COPY, \Deleted and EXPUNGE, and nobody knows at the COPY whether the rest
// will follow. Taking away one of several copies is therefore nothing, and such a move is one act.

// A folder is what a mailbox is to the table.
type folder string

// The folders, and the two places that are none.
const (
	inInbox     folder = "INBOX"
	inAccepted  folder = mailcore.FolderAccepted
	inProgress  folder = mailcore.FolderInProgress
	inCompleted folder = mailcore.FolderCompleted
	inRefused   folder = mailcore.FolderRefused
	inArchive   folder = `\Archive`
	inTrash     folder = `\Trash`
	inJunk      folder = mailcore.JunkUse
	inOther     folder = "other folder" // made by the unit, or for what it sends
	outside     folder = "elsewhere"    // a client's disk, or another account
	nowhere     folder = "gone"
)

// workflow are the folders whose names are acts, in the order of handling; a folder below one of them counts as it.
var workflow = []folder{inAccepted, inProgress, inCompleted, inRefused}

// folderOf says what a mailbox of this name and special use is; "" is none.
func folderOf(name, use string) folder {
	top, _, _ := strings.Cut(name, "/")
	switch f := folder(top); {
	case name == "":
		return outside
	case slices.Contains(workflow, f):
		return f
	case name == mailcore.Inbox:
		return inInbox
	case slices.Contains([]folder{inArchive, inTrash, inJunk}, folder(use)):
		return folder(use)
	}
	return inOther
}

// A way is what a client did.
type way string

// The ways. The last three need no event of mail to be handled: nothing is gone and nothing has come to lie elsewhere.
const (
	byMove    way = "MOVE"
	byCopy    way = "COPY"
	byAppend  way = "APPEND"             // of the bytes of the copy, or COPY and MOVE of them out of another account
	byForgery way = "APPEND other bytes" // under the copy's Message-ID
	byExpunge way = "EXPUNGE"            // after \Deleted
	byDelete  way = "DELETE folder"
	byFlag    way = `\Deleted`      // set, or taken back
	byRename  way = "RENAME folder" //
)

// An effect is what a move is.
type effect string

// The effects.
const (
	isNothing  effect = "nothing"
	isAccept   effect = "accepts"
	isProgress effect = "is in progress"
	isComplete effect = "completes"
	isAsked    effect = "asks for a reason" // by letter; the state stays until the unit answers
	isKept     effect = "notice"            // the state stays, and a letter says so and what to do
	isGone     effect = "noted"             // the copy is gone; nobody needs it any more
	isRestored effect = "comes back"        // the same bytes, with a letter
	isDenied   effect = "NO"                // the server refuses the command
)

// Notices: why a move changed no state, in the detail of the event "kept".
const (
	keptStands  = "stands"  // what was recorded is not undone by moving mail
	keptClosed  = "closed"  // nobody may act on it any more
	keptJunk    = "junk"    // it is official mail
	keptAltered = "altered" // it is another mail than the copy
)

// ended stands, among the states of handling, for a copy whose transport is closed: recalled, superseded, settled otherwise.
const ended Handling = "ended"

// standing is the state of a dispatch as the table has it.
func standing(d *Dispatch) Handling {
	if closed := (&Dispatch{Transport: d.Transport}); closed.Closed() {
		return ended
	}
	return d.Handling
}

// States by what may still come of them.
var (
	openStates   = []Handling{Received, Accepted, Assigned, InProgress}
	closedStates = []Handling{Completed, Noted, Refused, Forwarded, ended}
	refusable    = refusableStates()
)

// refusableStates follows the table of handling.
func refusableStates() (all []Handling) {
	for _, h := range openStates {
		if slices.Contains(handlings[h], Refused) {
			all = append(all, h)
		}
	}
	return all
}

// A moveRule is a row of the table. An empty list is any; the first row that fits counts.
type moveRule struct {
	ways     []way
	from, to []folder
	states   []Handling
	spare    bool // another copy lies in the mailbox
	do       effect
	notice   string // of isKept
	why      string
}

// moveRules is the table of mail moves. Nothing else decides what a move means.
var moveRules = []moveRule{
	{ways: []way{byFlag}, do: isNothing, why: "nothing is gone yet; undelete works"},
	{ways: []way{byRename, byDelete}, from: append([]folder{inInbox}, workflow...), do: isDenied, why: "names that are acts stay"},
	{ways: []way{byRename}, do: isNothing, why: "the copies go along"},
	{ways: []way{byForgery}, do: isKept, notice: keptAltered, why: "not the copy, whatever its header says; for another unit it is no more than any mail"},

	{ways: []way{byExpunge, byDelete, byMove}, to: []folder{nowhere, outside}, spare: true, do: isNothing, why: "another copy lies in the mailbox: the second half of a move"},
	{ways: []way{byExpunge, byDelete, byMove}, to: []folder{nowhere, outside}, states: openStates, do: isRestored, why: "an open copy is never lost: back into the folder of its state"},
	{ways: []way{byExpunge, byDelete, byMove}, to: []folder{nowhere, outside}, states: closedStates, do: isGone, why: "nobody needs it any more"},
	{ways: []way{byCopy}, to: []folder{outside}, do: isNothing, why: "it means nothing elsewhere"},

	{to: []folder{inAccepted}, states: []Handling{Received}, do: isAccept, why: "the move is the act"},
	{to: []folder{inProgress}, states: []Handling{Received, Accepted, Assigned}, do: isProgress, why: "the move is the act; codes left out are written too"},
	{to: []folder{inCompleted}, states: openStates, do: isComplete, why: "likewise"},
	{to: []folder{inRefused}, states: refusable, do: isAsked, why: "refusing needs a reason (QĐ 28/2018 Điều 5); until then nothing changes"},

	{to: []folder{inAccepted}, states: []Handling{Accepted, Assigned}, do: isNothing, why: "done before"},
	{to: []folder{inProgress}, states: []Handling{InProgress}, do: isNothing, why: "done before"},
	{to: []folder{inCompleted}, states: []Handling{Completed}, do: isNothing, why: "done before"},
	{to: []folder{inRefused}, states: []Handling{Refused}, do: isNothing, why: "done before"},
	{to: []folder{inAccepted, inProgress, inRefused}, states: openStates, do: isKept, notice: keptStands, why: "the furthest act counts; the letter tells who did it"},
	{to: []folder{inAccepted, inProgress, inCompleted, inRefused}, states: closedStates, do: isKept, notice: keptClosed, why: "a closed copy never opens again; the letter tells who closed it"},

	{from: workflow, to: []folder{inInbox}, states: []Handling{Accepted, Assigned, InProgress}, do: isKept, notice: keptStands, why: "dragged back: the act stands, the letter says how to correct it"},
	{from: []folder{inAccepted, inProgress, inCompleted}, to: []folder{inInbox}, states: closedStates, do: isKept, notice: keptClosed, why: "likewise"},
	{to: []folder{inJunk}, states: openStates, do: isKept, notice: keptJunk, why: "official mail is no junk; the filter does not learn from it"},

	{do: isNothing, why: "tidying: an open copy stays open and its deadline runs"},
}

// A mailMove is a cell of the table.
type mailMove struct {
	way      way
	from, to folder
	state    Handling
	spare    bool
}

// ruleFor is the row of the table that a cell falls under.
func ruleFor(m mailMove) *moveRule {
	for i := range moveRules {
		if moveRules[i].fits(m) {
			return &moveRules[i]
		}
	}
	return nil // the last row fits everything
}

func (r *moveRule) fits(m mailMove) bool {
	return anyOf(r.ways, m.way) && anyOf(r.from, m.from) && anyOf(r.to, m.to) && anyOf(r.states, m.state) && (!r.spare || m.spare)
}

func anyOf[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }
