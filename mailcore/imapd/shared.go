package imapd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"congvan/mailcore"

	"github.com/emersion/go-imap/v2"
)

// sharedRoot is the level above the mailboxes of units that an officer acts for by delegation: "Hộp thư đơn vị/Sở Nội vụ" is
// the unit's INBOX, and its other mailboxes stand below that.
const (
	sharedRoot     = "Hộp thư đơn vị"
	sharedRootUTF7 = "H&Htk-p th&AbA- &AREBoQ-n v&Hss-" // as IMAP4rev1 writes it (RFC 3501 §5.1.3)
)

// A place is a mailbox under the name that this client knows it by.
type place struct {
	mailcore.Mailbox
	under *mailcore.Delegation // by which it is open to an officer; nil for a mailbox of the account's own
}

// by is who acts on a mailbox that is open by a delegation, or by nobody's leave.
func (s *session) by(under *mailcore.Delegation) mailcore.Account {
	a := s.account
	if under != nil {
		a.Under = under.Number
	}
	return a
}

// isShared reports whether a name belongs to what others share with this account.
func (s *session) isShared(name string) bool {
	return s.account.Kind == mailcore.Officer && (name == sharedRoot || strings.HasPrefix(name, sharedRoot+string(delim)))
}

// A sharedUnit is a unit under the name of its level.
type sharedUnit struct {
	mailcore.Delegation
	level string
}

// sharedUnits are the units that the account acts for today. Units of one name are told apart by their codes.
func (s *session) sharedUnits() ([]sharedUnit, error) {
	if s.account.Kind != mailcore.Officer {
		return nil, nil
	}
	list, err := s.l.store.ActsFor(s.ctx, s.account.ID, s.l.store.DB().Now())
	if err != nil {
		return nil, s.problem("list delegations", err)
	}
	units, times := make([]sharedUnit, len(list)), map[string]int{}
	for i, d := range list {
		units[i] = sharedUnit{d, levelName(d.UnitName)}
		times[units[i].level]++
	}
	for i := range units {
		if u := &units[i]; times[u.level] > 1 || u.level == "" {
			u.level = strings.TrimSpace(fmt.Sprintf("%s (%s)", u.level, u.Unit.Local()))
		}
	}
	return units, nil
}

// levelName makes one level of a mailbox's name of a unit's name.
func levelName(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == delim:
			return '-'
		case r < ' ' || r == '%' || r == '*' || r == 0x7f:
			return -1
		}
		return r
	}, mailboxName(name)))
}

// shared returns a mailbox of a unit by the name that this client gave.
func (s *session) shared(name string) (place, error) {
	units, err := s.sharedUnits()
	if err != nil {
		return place{}, err
	}
	for i, u := range units {
		rest, ok := strings.CutPrefix(name, sharedRoot+string(delim)+u.level)
		inner := mailcore.Inbox
		switch {
		case !ok, rest == string(delim)+mailcore.Inbox: // the INBOX has one name
			continue
		case strings.HasPrefix(rest, string(delim)):
			inner = rest[1:]
		case rest != "":
			continue
		}
		mb, err := s.l.store.Mailbox(s.ctx, u.UnitID, inner)
		if err != nil {
			return place{}, s.problem("look up mailbox", err)
		}
		mb.Name = name
		return place{mb, &units[i].Delegation}, nil
	}
	return place{}, no(imap.ResponseCodeNonExistent, "No such mailbox")
}

// sharedMailboxes lists the mailboxes of units for LIST: subscribed, and without special uses, of which clients expect one.
func (s *session) sharedMailboxes() ([]mailcore.Mailbox, error) {
	units, err := s.sharedUnits()
	if err != nil {
		return nil, err
	}
	var out []mailcore.Mailbox
	for _, u := range units {
		all, err := s.l.store.Mailboxes(s.ctx, u.UnitID)
		if err != nil {
			return nil, s.problem("list mailboxes", err)
		}
		for _, mb := range all {
			name := sharedRoot + string(delim) + u.level
			if mb.Name != mailcore.Inbox {
				name += string(delim) + mb.Name
			}
			mb.Name, mb.SpecialUse, mb.Subscribed = name, "", true
			out = append(out, mb)
		}
	}
	return out, nil
}

// ownOnly refuses to make, rename or delete mailboxes of units: whose folders they are is the unit's own business.
func (s *session) ownOnly(names ...string) error {
	for _, name := range names {
		if s.isShared(name) {
			return no("NOPERM", "Mailboxes of units are made and changed by the unit alone")
		}
	}
	return nil
}

// opened notes that a mailbox was selected: who ends a delegation ends this, and looking into an inbox that holds nothing new
// is a visit (QĐ 22/2009 Điều 11).
func (s *session) opened(p place, readOnly, nothingNew bool) {
	id := mailcore.DelegationID(0)
	if p.under != nil {
		id = p.under.ID
		s.l.store.NoteVisit(s.login, p.Account, mailcore.VisitConnected)
	}
	s.watch.ActUnder(id)
	inbox := p.Name == mailcore.Inbox || p.under != nil && strings.Count(p.Name, string(delim)) == 1
	if inbox && !readOnly && nothingNew {
		s.l.store.NoteVisit(s.login, p.Account, mailcore.VisitLooked)
	}
}

// expired reports whether the delegation that a view is open by has ended by the calendar.
func (v *view) expired(now time.Time) bool {
	return v.under != nil && v.under.To < mailcore.CivilDate(now)
}

// namespace is where mailboxes of others stand, in the writing that the client has enabled.
func (s *session) namespace() *imap.NamespaceData {
	data := &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: delim}}}
	if s.account.Kind != mailcore.Officer {
		return data
	}
	prefix := sharedRootUTF7
	if caps := s.conn.EnabledCaps(); caps.Has(imap.CapIMAP4rev2) || caps.Has(imap.CapUTF8Accept) {
		prefix = sharedRoot
	}
	data.Shared = []imap.NamespaceDescriptor{{Prefix: prefix + string(delim), Delim: delim}}
	return data
}

// isNonExistent reports whether a refusal says that there is no such mailbox.
func isNonExistent(err error) bool {
	var refused *imap.Error
	return errors.As(err, &refused) && refused.Code == imap.ResponseCodeNonExistent
}
