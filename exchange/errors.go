package exchange

import (
	"errors"
	"fmt"
)

// A Class says what kind of mistake an Error is, so that every edge answers alike.
type Class string

// The classes of errors that people may cause.
const (
	Invalid   Class = "invalid"   // the input cannot be right
	Forbidden Class = "forbidden" // the actor may not
	Conflict  Class = "conflict"  // it clashes with what is there
	Missing   Class = "missing"   // what is named does not exist
)

// An Error is one that a person caused and can mend. Code is what edges word by ("secret", "open_lines"); Detail names
// the thing.
type Error struct {
	Class  Class
	Code   string
	Detail string
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return fmt.Sprintf("%s: %q", e.Code, e.Detail)
}

// Codes of Error.
const (
	CodeSecret        = "secret"          // the document bears a mark of secrecy
	CodeSecrecyAsked  = "secrecy_unasked" // nobody has said that the document is not secret
	CodeUnreadPages   = "unread_pages"    // pages could not be read, and nobody has looked at them
	CodeOpenLines     = "open_lines"      // lines are left for the clerk
	CodeNoRecipients  = "no_recipients"   // neither Kính gửi nor Nơi nhận was found
	CodeNoUnits       = "no_units"        // every line is excused: nobody would get a copy
	CodeUnknownIssuer = "unknown_issuer"  // the issuing agency is not in the directory
	CodeIssuerDiffers = "issuer_differs"  // the page names another issuing agency than the clerk
	CodeSameFile      = "same_file"       // another agency has issued these very bytes
	CodeNoReference   = "no_reference"    // số, ký hiệu could not be read
	CodeNumberTaken   = "number_taken"    // another document has this number
	CodeSeriesBlocked = "series_blocked"  // after a restore nobody has told the register's last number yet
	CodeNotTakenHere  = "not_taken_here"  // the series is numbered here and this number was not taken from it
	CodeUnknownUnit   = "unknown_unit"    // a decision names a unit that the directory does not have
	CodeBadAddress    = "bad_address"     // a decision gives an address that is none
	CodeNoSuchLine    = "no_such_line"    // a decision names a line that the document does not have
	CodeNotOnPage     = "not_on_page"     // a recipient was typed for a document whose recipients could be read
	CodeUnseenFiles   = "unseen_files"    // annexes may bear a mark of secrecy, or cannot be read, and nobody has looked at them
	CodeDiffers       = "differs"         // what was typed differs from the page, and nobody has confirmed it
	CodeFlagged       = "flagged_file"    // a file has macros, a password, a script …, and nobody has let it go
	CodeDoubleFile    = "double_file"     // the same file twice in a package
	CodeTooManyFiles  = "too_many_files"  // more annexes than a package may have
	CodeNotLearnt     = "not_learnt"      // a text that names no single unit cannot become an alias
	CodeNoDocument    = "no_document"
	CodeNoDispatch    = "no_dispatch"
	CodeNoMailbox     = "no_mailbox" // the unit is ours and has no mailbox
	CodeWrongState    = "wrong_state"
	CodeNotEntitled   = "not_entitled" // the actor does not act for this unit
	CodeNoReason      = "no_reason"
	CodeHasNumbers    = "has_numbers"   // the register of that year has numbers: its scheme stays
	CodeNumberNeeded  = "number_needed" // the unit numbers its book itself: a number must be told
	CodeBadDate       = "bad_date"      // no civil date
	CodeArrivalTaken  = "arrival_taken" // the unit's register has this arrival number already
	CodeNoKey         = "no_key"        // the agency has no certificate to seal with
	CodeNoLogKey      = "no_log_key"    // the private key of the log is not on this machine
	CodeNotIssued     = "not_issued"    // nothing was sent yet that could be confirmed
	CodeBadDay        = "bad_day"       // a day or the kind of a day that the calendar does not know
	CodeBadHours      = "bad_hours"     // office hours that are none
	CodeNoSource      = "no_source"     // a change of the calendar that names no document
	CodeNotListed     = "not_listed"    // nobody has to call about this copy
	CodeNoDecision    = "no_decision"   // the key would sign unattended, and no decision of the head allows it

	CodeHasCopy         = "has_copy"          // the unit has a copy that it works on or has completed
	CodeForwardLoop     = "forward_loop"      // the copy came from there, or the unit gave it away already
	CodeForwardToIssuer = "forward_to_issuer" // back to the issuing agency a copy goes by refusing it
	CodeNoOfficer       = "no_officer"        // no officer of the unit has this address
	CodeNoLead          = "no_lead"           // an assignment needs exactly one chủ trì
	CodeBadDeadline     = "bad_deadline"      // no civil date, or one that is over
	CodeNotAssigned     = "not_assigned"      // the officer does not work on this copy
	CodeBadAnswer       = "bad_answer"        // the document cannot be the answer to this copy
	CodeDamagedHere     = "damaged_here"      // the stored bytes are not those that were issued: sending them again helps nobody
	CodeVague           = "vague"             // a name that could be several units or officers, or none

	CodePackageTooLarge = "package_too_large" // all files together do not fit into one mail
	CodePackageDiffers  = "package_differs"   // the same main file was registered with other annexes
)

// ErrStale says that somebody else changed the row first; the step may be tried again from the start.
var ErrStale = errors.New("somebody else changed it first")

// A MoveError is a move that the table of moves does not have.
type MoveError struct{ From, To string }

func (e *MoveError) Error() string { return fmt.Sprintf("no move from %q to %q", e.From, e.To) }

// IsCode reports whether err is an Error with this code.
func IsCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
