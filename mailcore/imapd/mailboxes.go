package imapd

import (
	"errors"
	"slices"
	"strings"

	"congvan/mailcore"
	"congvan/mailcore/viettext"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// delim parts the levels of a mailbox's name.
const delim = '/'

// mailbox returns a mailbox by the name a client gave: of the account, or of a unit that it acts for.
func (s *session) mailbox(name string) (place, error) {
	name = mailboxName(name)
	if s.isShared(name) {
		return s.shared(name)
	}
	mb, err := s.l.store.Mailbox(s.ctx, s.account.ID, name)
	if err != nil {
		return place{}, s.problem("look up mailbox", err)
	}
	return place{mb, nil}, nil
}

// target is mailbox for APPEND, COPY and MOVE, whose refusal invites the client to create it.
func (s *session) target(name string) (place, error) {
	mb, err := s.mailbox(name)
	if isNonExistent(err) && !s.isShared(mailboxName(name)) {
		return mb, no(imap.ResponseCodeTryCreate, "No such mailbox")
	}
	return mb, err
}

// mailboxName composes a name: some clients send "Đã gửi" decomposed, as their file system has it.
func mailboxName(name string) string { return viettext.NFC(name) }

// Create implements imapserver.Session.
func (s *session) Create(name string, options *imap.CreateOptions) error {
	use := ""
	switch len(options.SpecialUse) {
	case 0:
	case 1:
		use = string(options.SpecialUse[0])
		known := []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}
		if !slices.Contains(known, use) {
			return no("USEATTR", "This special use is not supported")
		}
	default:
		return no("USEATTR", "One special use at most")
	}
	// A trailing separator only announces children (RFC 9051 §6.3.4).
	name = strings.TrimSuffix(mailboxName(name), string(delim))
	if err := s.ownOnly(name); err != nil {
		return err
	}
	_, err := s.l.store.CreateMailbox(s.ctx, s.account.ID, name, use)
	if err != nil {
		return s.problem("create mailbox", err)
	}
	return nil
}

// Delete implements imapserver.Session.
func (s *session) Delete(name string) error {
	if err := s.ownOnly(mailboxName(name)); err != nil {
		return err
	}
	if err := s.l.store.DeleteMailbox(s.ctx, s.account, s.account.ID, mailboxName(name)); err != nil {
		return s.problem("delete mailbox", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view != nil && s.view.mailbox.Name == mailboxName(name) {
		s.view = nil // nothing is selected any more, whatever the library thinks
	}
	return nil
}

// Rename implements imapserver.Session.
func (s *session) Rename(from, to string, _ *imap.RenameOptions) error {
	to = strings.TrimSuffix(mailboxName(to), string(delim))
	if err := s.ownOnly(mailboxName(from), to); err != nil {
		return err
	}
	if err := s.l.store.RenameMailbox(s.ctx, s.account.ID, mailboxName(from), to); err != nil {
		return s.problem("rename mailbox", err)
	}
	return nil
}

// Subscribe implements imapserver.Session.
func (s *session) Subscribe(name string) error {
	if s.isShared(mailboxName(name)) {
		_, err := s.mailbox(name) // always subscribed
		return err
	}
	if err := s.l.store.SubscribeMailbox(s.ctx, s.account.ID, mailboxName(name), true); err != nil {
		return s.problem("subscribe", err)
	}
	return nil
}

// Unsubscribe implements imapserver.Session. Clients unsubscribe from what they have just deleted.
func (s *session) Unsubscribe(name string) error {
	if err := s.ownOnly(mailboxName(name)); err != nil {
		return err
	}
	err := s.l.store.SubscribeMailbox(s.ctx, s.account.ID, mailboxName(name), false)
	if err != nil && !errors.Is(err, mailcore.ErrNoMailbox) {
		return s.problem("unsubscribe", err)
	}
	return nil
}

// Status implements imapserver.Session.
func (s *session) Status(name string, _ *imap.StatusOptions) (*imap.StatusData, error) {
	mb, err := s.mailbox(name)
	if err != nil {
		return nil, err
	}
	counted, err := s.l.count(s.ctx, []mailcore.Mailbox{mb.Mailbox})
	if err != nil {
		return nil, s.problem("count mailbox", err)
	}
	t, ok := counted[mb.ID]
	if !ok { // deleted meanwhile
		return nil, no(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	return s.statusData(&mb.Mailbox, t), nil
}

// List implements imapserver.Session, for LSUB too.
func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	if len(patterns) == 0 { // asks for the separator only
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delim})
	}
	all, err := s.l.store.Mailboxes(s.ctx, s.account.ID)
	if err != nil {
		return s.problem("list mailboxes", err)
	}
	all = slices.DeleteFunc(all, func(mb mailcore.Mailbox) bool { return s.isShared(mb.Name) }) // the name is taken since
	units, err := s.sharedMailboxes()
	if err != nil {
		return err
	}
	all = append(all, units...)
	lines := slices.DeleteFunc(folders(all), func(f *folder) bool {
		return !matchesAny(f.name, mailboxName(ref), patterns) || !f.wanted(options)
	})
	var counted map[mailcore.MailboxID]tally
	if options.ReturnStatus != nil {
		if counted, err = s.l.count(s.ctx, mailboxesOf(lines)); err != nil {
			return s.problem("count mailboxes", err)
		}
	}
	for _, f := range lines {
		data := f.listData(options)
		if options.ReturnStatus != nil && f.mailbox != nil {
			t, ok := counted[f.mailbox.ID]
			if !ok {
				continue // deleted meanwhile
			}
			data.Status = s.statusData(f.mailbox, t)
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

func mailboxesOf(lines []*folder) []mailcore.Mailbox {
	var out []mailcore.Mailbox
	for _, f := range lines {
		if f.mailbox != nil {
			out = append(out, *f.mailbox)
		}
	}
	return out
}

// A folder is a line of LIST: a mailbox, or a level above mailboxes that is none itself.
type folder struct {
	name          string
	mailbox       *mailcore.Mailbox
	children      bool
	subscribedSub bool // some mailbox below it is subscribed
}

// folders returns the tree of mailboxes, levels without a mailbox included, in the order given.
func folders(all []mailcore.Mailbox) []*folder {
	byName := map[string]*folder{}
	var out []*folder
	get := func(name string) *folder {
		f := byName[name]
		if f == nil {
			f = &folder{name: name}
			byName[name] = f
			out = append(out, f)
		}
		return f
	}
	for i := range all {
		mb := &all[i]
		for at, r := range mb.Name {
			if r == delim && at > 0 {
				above := get(mb.Name[:at])
				above.children = true
				above.subscribedSub = above.subscribedSub || mb.Subscribed
			}
		}
		get(mb.Name).mailbox = mb
	}
	return out
}

// wanted applies LIST's selection options (RFC 5258 §3.1, RFC 6154 §3).
func (f *folder) wanted(o *imap.ListOptions) bool {
	if o.SelectRemote && !o.SelectSubscribed && !o.SelectSpecialUse {
		return f.mailbox != nil
	}
	if o.SelectSpecialUse && (f.mailbox == nil || f.mailbox.SpecialUse == "") {
		return false
	}
	if o.SelectSubscribed {
		return f.mailbox != nil && f.mailbox.Subscribed || o.SelectRecursiveMatch && f.subscribedSub
	}
	return true
}

func (f *folder) listData(o *imap.ListOptions) *imap.ListData {
	data := &imap.ListData{Mailbox: f.name, Delim: delim}
	if f.mailbox == nil {
		data.Attrs = []imap.MailboxAttr{imap.MailboxAttrNonExistent, imap.MailboxAttrNoSelect}
	} else {
		data.Attrs = attrs(*f.mailbox)
		if f.mailbox.Subscribed && (o.ReturnSubscribed || o.SelectSubscribed) {
			data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
		}
	}
	if f.children {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasChildren)
	} else {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasNoChildren)
	}
	if o.SelectRecursiveMatch && f.subscribedSub {
		data.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
	}
	return data
}

// attrs is the mailbox's special use, told in every LIST because most clients never ask for it by RFC 6154's options.
func attrs(mb mailcore.Mailbox) []imap.MailboxAttr {
	if mb.SpecialUse == "" {
		return nil
	}
	return []imap.MailboxAttr{imap.MailboxAttr(mb.SpecialUse)}
}

func matchesAny(name, ref string, patterns []string) bool {
	for _, p := range patterns {
		if matchName(name, ref+mailboxName(p)) {
			return true
		}
	}
	return false
}

// matchName matches "*" with anything and "%" with anything but the separator, in time proportional to the product of the
// lengths: the library's own matcher goes back for every combination, which a client can make last for ever.
func matchName(name, pattern string) bool {
	if strings.EqualFold(pattern, mailcore.Inbox) {
		pattern = mailcore.Inbox
	}
	// at[j]: the pattern so far matches name[:j]
	at := make([]bool, len(name)+1)
	at[0] = true
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '*' || c == '%' {
			for j := 1; j <= len(name); j++ {
				at[j] = at[j] || at[j-1] && (c == '*' || name[j-1] != delim)
			}
			continue
		}
		for j := len(name); j > 0; j-- {
			at[j] = at[j-1] && name[j-1] == c
		}
		at[0] = false
	}
	return at[len(name)]
}
