package filter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// A Filter asks every service that is set.
type Filter struct {
	Clamd  *Clamd  // nil: nobody looks for malware
	Rspamd *Rspamd // nil: nobody looks for junk
	Wait   bool    // what could not be judged for malware waits; else it is marked and taken
	Log    *slog.Logger
}

// A Finding is what the services said about one mail.
type Finding struct {
	Malware   string // name of what was found
	Junk      bool
	Score     Score
	Judged    bool // rspamd gave the score
	Unscanned bool // no scanner has looked at the mail
}

// Ask asks about a mail that open opens. Junk is asked about only when outside is set. The error is ErrNotJudged when the mail
// shall wait, or that of reading it.
func (f *Filter) Ask(ctx context.Context, e Envelope, outside bool, open func() (io.ReadCloser, error)) (*Finding, error) {
	out := &Finding{}
	if f.Clamd != nil {
		err := with(open, func(r io.Reader) (err error) { out.Malware, err = f.Clamd.Scan(ctx, r); return err })
		switch {
		case errors.Is(err, ErrTooLarge), errors.Is(err, ErrNotJudged) && !f.Wait:
			f.Log.Warn("mail was not scanned", "err", err)
			out.Unscanned = true
		case err != nil:
			return nil, err
		}
	}
	if f.Rspamd != nil && outside && out.Malware == "" {
		err := with(open, func(r io.Reader) (err error) { out.Score, err = f.Rspamd.Check(ctx, e, r); return err })
		switch {
		case errors.Is(err, ErrTooLarge), errors.Is(err, ErrNotJudged):
			f.Log.Warn("mail was not checked for junk", "err", err) // an unwanted mail is a nuisance, one that waits is a loss
		case err != nil:
			return nil, err
		default:
			out.Judged, out.Junk = true, out.Score.Junk()
		}
	}
	return out, nil
}

func with(open func() (io.ReadCloser, error), ask func(io.Reader) error) error {
	r, err := open()
	if err != nil {
		return fmt.Errorf("open the mail: %w", err)
	}
	defer r.Close()
	return ask(r)
}

// Field is the header field that shows the finding, ended by CRLF, or nothing.
func (f *Finding) Field() []byte {
	var out []byte
	if f.Unscanned {
		out = append(out, "X-Virus-Status: not scanned\r\n"...)
	}
	if f.Judged {
		flag := "no"
		if f.Junk {
			flag = "yes"
		}
		out = fmt.Appendf(out, "X-Spam-Status: %s, score=%.2f required=%.2f\r\n", flag, f.Score.Score, f.Score.Required)
	}
	return out
}
