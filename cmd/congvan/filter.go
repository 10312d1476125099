package main

import (
	"context"
	"fmt"
	"log/slog"

	"congvan/mailcore"
	"congvan/mailcore/filter"
)

// filter asks the services of the configuration, nil when there are none.
func (c *config) filter(log *slog.Logger) *filter.Filter {
	f := &filter.Filter{Wait: c.Filter.WhenDown == "wait", Log: log}
	if c.Filter.Clamd != "" {
		f.Clamd = &filter.Clamd{Address: c.Filter.Clamd}
	}
	if c.Filter.Rspamd != "" {
		f.Rspamd = &filter.Rspamd{URL: c.Filter.Rspamd, Controller: c.Filter.RspamdController, Password: c.Filter.ControllerPassword}
	}
	if f.Clamd == nil && f.Rspamd == nil {
		return nil
	}
	return f
}

// A learner tells rspamd what people found to be junk, or not to be, one mail after another.
type learner struct {
	mail   *mailcore.Store
	rspamd *filter.Rspamd
	log    *slog.Logger
	work   chan lessonOfJunk
}

type lessonOfJunk struct {
	junk bool
	at   mailcore.MailboxID
	uids []mailcore.UID
}

// newLearner returns nil when nobody learns.
func newLearner(in *installation, f *filter.Filter) *learner {
	if f == nil || f.Rspamd == nil || f.Rspamd.Controller == "" {
		return nil
	}
	return &learner{in.mail, f.Rspamd, in.log, make(chan lessonOfJunk, 200)}
}

// hear takes a lesson; with too many waiting it is forgotten, for the mail is where its reader wants it anyway.
func (l *learner) hear(junk bool, at mailcore.MailboxID, uids []mailcore.UID) {
	select {
	case l.work <- lessonOfJunk{junk, at, uids}:
	default:
		l.log.Warn("too much to learn about junk, some is forgotten", "mails", len(uids))
	}
}

func (l *learner) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-l.work:
			if err := l.learn(ctx, w); err != nil && ctx.Err() == nil {
				l.log.Warn("learn about junk", "err", err)
			}
		}
	}
}

func (l *learner) learn(ctx context.Context, w lessonOfJunk) error {
	stored, err := l.mail.Load(ctx, w.at, w.uids)
	if err != nil {
		return err
	}
	for _, s := range stored {
		if s.Ref != "" {
			continue // a copy of ours is official, whoever threw it among the junk
		}
		f, err := l.mail.Blobs().Open(s.Digest)
		if err != nil {
			return err
		}
		err = l.rspamd.Learn(ctx, w.junk, f)
		f.Close()
		if err != nil {
			return fmt.Errorf("mail %s: %w", s.Digest, err)
		}
	}
	return nil
}
