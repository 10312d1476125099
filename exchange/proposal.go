package exchange

import (
	"slices"
	"strings"

	"congvan/exchange/meeting"
	"congvan/mailcore"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// A Proposal is a document as the reader understood it, before it is registered. The clerk decides what is open in it.
type Proposal struct {
	Agency    recipients.UnitCode `json:"agency"`
	Reference string              `json:"reference"`
	Number    string              `json:"number"`
	Symbol    string              `json:"symbol"`
	Kind      string              `json:"type"`
	Abstract  string              `json:"subject"`
	IssuedOn  string              `json:"date"`
	Place     string              `json:"place"`
	Signer    string              `json:"signer"`
	Urgency   string              `json:"urgency"`
	Secrecy   string              `json:"secrecy"`    // the mark of secrecy that the reader saw
	NotSecret bool                `json:"not_secret"` // a person has answered "độ mật: không"
	Unread    []int               `json:"unread"`     // pages that no guard has seen
	Seen      bool                `json:"seen"`       // a person has looked at those pages: no mark of secrecy
	Pages     int                 `json:"pages"`
	FileName  string              `json:"file"`
	Lines     []Line              `json:"lines"`

	Meeting *meeting.Meeting `json:"meeting,omitempty"` // when and where it asks people to come; nil for none, or where nobody is sure

	Main        *File        `json:"-"`           // what is known of the main file; nil when nobody looked
	Annexes     []*File      `json:"-"`           // further files of the package, in order
	Suspects    []string     `json:"suspects"`    // files and pages, in Vietnamese, that may bear a mark of secrecy or that no guard can read; Seen answers for them
	Differences []Difference `json:"differences"` // what was typed or registered otherwise than the page says
}

// A Difference is one thing that was typed or registered otherwise than the page says it (tương ứng nội dung, QĐ 22/2009
// Điều 10).
type Difference struct {
	Field     string `json:"field"`
	Said      string `json:"said"`            // typed by the clerk, or told when the number was taken
	Found     string `json:"found"`           // on the page; "" when the page has none
	Place     string `json:"place,omitempty"` // where on the page, in Vietnamese
	Message   string `json:"message"`         // Vietnamese, with the place on the page
	Confirmed bool   `json:"confirmed"`
}

// A Decision is what a clerk says of one line: exactly one of Units, OffSystem and Excused.
type Decision struct {
	Text      string                // the line, or "line: name" for a name missing in it
	Units     []recipients.UnitCode // it means these units
	OffSystem string                // it means this agency outside the directory …
	Address   string                // … with this mail address, "" for paper or pick-up
	Excused   string                // it needs no copy, for this reason
}

// SetLines takes over what the resolver made of the blocks.
func (p *Proposal) SetLines(resolved []recipients.Line) {
	p.Lines = nil
	for i, r := range resolved {
		p.Lines = append(p.Lines, Line{Ordinal: i + 1, Block: r.Block, Text: r.Text, Kind: string(r.Kind), Purpose: r.Purpose,
			Outcome: Outcome(r.Result), Why: r.Why, Confidence: r.Confidence, Units: joinCodes(r.Codes), Candidates: r.Candidates})
	}
}

// OpenLines returns the lines that are left to the clerk.
func (p *Proposal) OpenLines() []Line {
	var open []Line
	for _, l := range p.Lines {
		if l.Outcome == Open {
			open = append(open, l)
		}
	}
	return open
}

// Decide settles lines as a person said. A decision for a line that is not there is an error: it would be a silent skip.
func (p *Proposal) Decide(dir *recipients.Directory, by Actor, decisions []Decision) error {
	for _, d := range decisions {
		if err := p.decide(dir, by, d); err != nil {
			return err
		}
	}
	return nil
}

func (p *Proposal) decide(dir *recipients.Directory, by Actor, d Decision) error {
	i := p.lineOf(d.Text)
	if i < 0 {
		return &Error{Missing, CodeNoSuchLine, d.Text}
	}
	l := &p.Lines[i]
	l.Units, l.Name, l.Address, l.Candidates = "", "", "", nil
	switch {
	case len(d.Units) > 0:
		for _, code := range d.Units {
			if _, ok := dir.Unit(code); !ok {
				return &Error{Invalid, CodeUnknownUnit, string(code)}
			}
		}
		l.Outcome, l.Units, l.Why = Resolved, joinCodes(slices.DeleteFunc(slices.Clone(d.Units), func(c recipients.UnitCode) bool { return c == p.Agency })), "văn thư chọn"
	case d.OffSystem != "":
		if d.Address != "" {
			if _, err := mailcore.ParseAddress(d.Address); err != nil {
				return &Error{Invalid, CodeBadAddress, d.Address}
			}
		}
		l.Outcome, l.Name, l.Address, l.Why = OffSystem, viettext.NFC(d.OffSystem), strings.ToLower(d.Address), "ngoài hệ thống, văn thư chọn"
	case d.Excused != "":
		l.Outcome, l.Why = Excused, viettext.NFC(d.Excused)
	default:
		return &Error{Invalid, CodeNoReason, d.Text}
	}
	l.Confidence, l.DecidedBy = 1, by.String()
	return nil
}

// AddLine adds a line that a person typed because the page gave none that could be read. Where a list of recipients was read
// whole nothing is added: nobody gets a copy who is not named on the paper (QĐ 22/2009 Điều 10).
func (p *Proposal) AddLine(text string) error {
	if p.lineOf(text) >= 0 {
		return nil
	}
	if len(p.Unread) == 0 && slices.ContainsFunc(p.Lines, func(l Line) bool { return l.Block == "noi_nhan" && l.Kind != typedLine }) {
		return &Error{Conflict, CodeNotOnPage, text}
	}
	p.Lines = append(p.Lines, Line{Ordinal: len(p.Lines) + 1, Block: "noi_nhan", Text: viettext.NFC(text), Kind: typedLine, Outcome: Open, Why: "văn thư gõ"})
	return nil
}

// typedLine is the kind of a line that was typed, not read.
const typedLine = "typed"

// lineOf finds the line that a person wrote down, -1 for none. Text that came from TCVN3 may have a ư too many or too few
// where a soft hyphen was lost and put back: such a line counts where only one can be meant.
func (p *Proposal) lineOf(text string) int {
	key := viettext.Key(text)
	if i := slices.IndexFunc(p.Lines, func(l Line) bool { return viettext.Key(l.Text) == key }); i >= 0 {
		return i
	}
	bare := func(s string) string { return strings.ReplaceAll(viettext.Key(s), "ư", "") }
	found := -1
	for i, l := range p.Lines {
		if bare(l.Text) != bare(text) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// Ready says why the proposal cannot be registered yet; nil when it can.
func (p *Proposal) Ready() error {
	switch {
	case p.Secrecy != "":
		return &Error{Forbidden, CodeSecret, p.Secrecy}
	case p.Agency == "":
		return &Error{Missing, CodeUnknownIssuer, ""}
	case p.Reference == "" || p.IssuedOn == "":
		return &Error{Invalid, CodeNoReference, p.FileName}
	case len(p.Lines) == 0:
		return &Error{Invalid, CodeNoRecipients, p.FileName}
	case len(p.OpenLines()) > 0:
		return &Error{Conflict, CodeOpenLines, p.OpenLines()[0].Text}
	case len(p.Unread) > 0 && !p.Seen:
		return &Error{Conflict, CodeUnreadPages, Ranges(p.Unread)}
	case len(p.Suspects) > 0 && !p.Seen:
		return &Error{Conflict, CodeUnseenFiles, strings.Join(p.Suspects, " ")}
	case !p.NotSecret:
		return &Error{Conflict, CodeSecrecyAsked, p.FileName}
	case !slices.ContainsFunc(p.Lines, func(l Line) bool { return l.Units != "" || l.Outcome == OffSystem }):
		return &Error{Invalid, CodeNoUnits, p.FileName}
	}
	for _, d := range p.Differences {
		if !d.Confirmed {
			return &Error{Conflict, CodeDiffers, d.Message}
		}
	}
	return p.checkPackage()
}
