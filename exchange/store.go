package exchange

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// Local parts of the gateway's own mailboxes; a copy's token follows after "+".
const (
	ReplyMailbox  = "traloi" // replies to copies
	BounceMailbox = "tralai" // reports about copies
)

// Options are what a Store works with.
type Options struct {
	DB     *sqldb.DB
	Mail   *mailcore.Store
	Domain string // of the province's mail, such as kontum.gov.vn
	Log    *slog.Logger
	// Directory returns the directory as it was on a civil date, "" for today.
	Directory func(ctx context.Context, date string) (*recipients.Directory, error)
	// Sealer returns the key of an agency. Keys lie in files or tokens that only the configuration knows.
	Sealer func(ctx context.Context, agency recipients.UnitCode) (*signing.Sealer, error)
	// Extending returns by what the seals of an agency are raised and renewed after the issue: services and trusted roots; no key
	// is needed for that. nil leaves seals as they were made.
	Extending func(ctx context.Context, agency recipients.UnitCode) (*signing.ExtendOptions, error)
	// RenewBefore is how long before its end an archive time stamp is renewed; 60 days when zero.
	RenewBefore time.Duration
	// MailSigner returns the gateway's key that signs mails from an address of ours; nil, or a nil signer, leaves them unsigned.
	MailSigner func(ctx context.Context, address mailcore.Address, name string) (*signing.MailSigner, error)
	// VerifyMail judges the signature of a mail that came in; nil counts none.
	VerifyMail func(r io.Reader) (*signing.MailReport, error)
	// Doubt is how long a copy stays uncertain before it is sent again with the same ids; 4 h when zero.
	Doubt time.Duration
	// LogKey returns the key of the log of events, which lies in a file. nil: the log grows without signed checkpoints.
	LogKey func() (*LogKey, error)
	// Stamper time-stamps the checkpoints of the log; nil leaves that out.
	Stamper *signing.Timestamper
	// MaxMessage bounds the mail that carries a document, in bytes; 0 for none.
	MaxMessage int64
	// Journal is kept on another path than the database's, for the day that a backup is restored; nil keeps none.
	Journal *Journal
	// Posts returns who leads a unit today, for reminders; nil knows nobody.
	Posts func(ctx context.Context, unit recipients.UnitCode) ([]recipients.Post, error)
	// SealReport judges the signatures of a sealed PDF at a time, for recipients; nil leaves every verdict indeterminate.
	SealReport func(ctx context.Context, pdf []byte, at time.Time) (*signing.Report, error)
	// ReadArrival reads a PDF that came to a unit by mail from outside; nil for one that is no official document. Not set: mail
	// from outside is left alone.
	ReadArrival func(ctx context.Context, name string, pdf []byte) (*ArrivalDraft, error)
	// FaultUnit answers what users tell of faults, leaks and spam (Sở TT&TT); "" leaves it to the administrator.
	FaultUnit recipients.UnitCode
	// Verify checks a sealed PDF; Check calls it. nil leaves that out.
	Verify func(ctx context.Context, pdf []byte) error
}

// A Store holds documents and dispatches. It is safe for concurrent use, on any number of nodes.
type Store struct {
	Options
	verdicts sync.Map // of main files, by digest: what letters tell about their seals
	arrivals readOnce
	db       *sqldb.DB

	clock tended
}

// NewStore returns a Store over an open, migrated database.
func NewStore(opt Options) *Store {
	if opt.Doubt == 0 {
		opt.Doubt = doubtPatience
	}
	s := &Store{Options: opt, db: opt.DB}
	if opt.Journal != nil {
		opt.DB.OnTold(s.noteTold)
	}
	return s
}
