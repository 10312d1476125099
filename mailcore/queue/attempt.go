package queue

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"congvan/mailcore"
)

// maxPerConnection bounds the mails sent over one connection: many servers cut it at a hundred.
const maxPerConnection = 80

// storeLimit bounds one question to the store, also while the queue stops: what is known of a try must be kept.
const storeLimit = 30 * time.Second

// A worker sends one lane's mails one after another, over one connection while the server likes it.
type worker struct {
	q    *Queue
	lane *lane
	c    *client
}

func (q *Queue) work(ctx, hard context.Context, l *lane, j mailcore.Job) {
	defer q.ended.Done()
	w := &worker{q: q, lane: l}
	for served, ok := 1, true; ok; served++ {
		w.try(hard, j)
		q.done(j.ID)
		j, ok = q.next(ctx, l, served)
	}
	w.hangUp(true)
}

func (w *worker) hangUp(polite bool) {
	if w.c != nil {
		w.c.close(polite)
		w.c = nil
	}
}

// try sends one mail and notes how it went.
func (w *worker) try(ctx context.Context, j mailcore.Job) {
	q := w.q
	log := q.log.With("outbox", j.ID, "rcpt", j.Rcpt, "ref", j.Ref, "try", j.Tries)
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	attempt, err := q.store.BeginAttempt(store, j.ID, w.lane.key)
	if err != nil {
		if !errors.Is(err, mailcore.ErrStale) {
			log.Error("begin to send", "err", err) // the lease runs out, and it is claimed again
		}
		return
	}
	d := &dialogue{}
	var out mailcore.Outcome
	if until := q.rest(w.lane); !until.IsZero() && j.Urgency < Flash && w.c == nil {
		d.add("*", "not tried: %s could not be reached before and is left alone until %s", w.lane.key, until.Format(time.RFC3339))
		out = mailcore.Outcome{State: mailcore.AttemptLater, Host: w.lane.key, Phase: "connect", Enhanced: "4.4.1", NextAt: until}
	} else {
		out = w.send(ctx, j, attempt, d)
	}
	q.schedule(j, &out, d)
	out.Dialogue = d.b.String()
	if err := q.tell(ctx, j, out, w.c); err != nil {
		log.Error("report to the sender", "sender", j.Sender, "outcome", out.State, "err", err)
		if out.State == mailcore.AttemptFailed { // the row stays open until its sender can be told
			out.State, out.NextAt = mailcore.AttemptLater, q.opt.Now().Add(q.pause(j))
		}
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	if err := q.store.FinishAttempt(finish, j.ID, attempt, out); err != nil {
		log.Error("note the try", "outcome", out.State, "err", err)
		return
	}
	log.Info("outgoing mail", "outcome", out.State, "host", out.Host, "phase", out.Phase, "code", out.Code, "enhanced", out.Enhanced)
}

// send runs one try. A connection that the server closed while it was idle is no fault of the mail: one new one is made.
func (w *worker) send(ctx context.Context, j mailcore.Job, attempt int64, d *dialogue) mailcore.Outcome {
	m, err := w.mail(ctx, j, attempt)
	if err != nil {
		d.add("*", "%v", err)
		return outcome(w.lane.key, answer{}, err)
	}
	reused := w.c != nil
	if reused && w.c.used >= maxPerConnection {
		w.hangUp(true)
		reused = false
	}
	for {
		if w.c == nil {
			if w.c, err = w.connect(ctx, d); err != nil {
				return outcome(w.lane.key, answer{}, err)
			}
		} else {
			w.c.log = d
			d.add("*", "connection to %s goes on", w.c.name)
		}
		host := w.c.name
		w.c.used++
		a, err := w.c.send(m)
		if again := reused && idleClosed(err); again {
			w.hangUp(false)
			reused = false
			continue
		}
		w.afterwards(a, err)
		return outcome(host, a, err)
	}
}

// idleClosed reports whether a reused connection had ended before this mail.
func idleClosed(err error) bool {
	var cut *lineError
	var said *answerError
	return errors.As(err, &cut) && cut.phase == "mail" || errors.As(err, &said) && said.phase == "mail" && said.code == 421
}

// afterwards leaves the connection ready for the next mail, or closes it.
func (w *worker) afterwards(a answer, err error) {
	if err == nil {
		return
	}
	var said *answerError
	var refused *refusal
	switch {
	case errors.As(err, &said) && said.code != 421 && said.code >= 400, errors.As(err, &refused):
		w.c.log = &dialogue{}
		if _, err := w.c.cmd("reset", 2, "RSET"); err == nil {
			return
		}
	}
	w.hangUp(false)
}

// mail prepares what one transaction sends.
func (w *worker) mail(ctx context.Context, j mailcore.Job, attempt int64) (*mail, error) {
	q := w.q
	utf8, err := q.utf8Header(j)
	if err != nil {
		return nil, err
	}
	if err := q.sign(&j); err != nil {
		return nil, err
	}
	return &mail{
		from: j.Sender.String(), to: j.Rcpt.String(), envID: j.EnvID, notify: notify(j), ret: cmp.Or(j.Wishes.Ret, "HDRS"), original: j.Wishes.Original,
		size: int64(len(j.Prefix)) + j.BodySize, utf8: utf8,
		eightBit: func() (bool, error) { return q.eightBit(j) },
		open:     func() (io.ReadCloser, error) { return q.content(j) },
		beforeTheDot: func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stop before the final dot: %w", err)
			}
			mark, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
			defer cancel()
			if err := q.store.MarkDot(mark, attempt); err != nil {
				return fmt.Errorf("note the final dot: %w", err)
			}
			return nil
		},
	}, nil
}

// notify is what the other server is asked to tell: what the sender asked for, else what the kind of mail wants.
func notify(j mailcore.Job) string {
	switch {
	case j.Sender == "": // RFC 3461 §4.1: nobody could be told
		return "NEVER"
	case j.Wishes.Notify != "":
		return j.Wishes.Notify
	case j.Ref == "":
		return "FAILURE,DELAY"
	}
	return "SUCCESS,FAILURE,DELAY"
}

// sign puts a DKIM signature before the prefix. It is made for each try: the prefix differs from row to row and is signed, too.
func (q *Queue) sign(j *mailcore.Job) error {
	if q.opt.Signer == nil {
		return nil
	}
	r, err := q.content(*j)
	if err != nil {
		return err
	}
	defer r.Close()
	field, err := q.opt.Signer.Sign(r)
	if err != nil {
		return err
	}
	j.Prefix = append(field, j.Prefix...)
	return nil
}

// content is the bytes that go out: this row's prefix, then the stored body.
func (q *Queue) content(j mailcore.Job) (io.ReadCloser, error) {
	f, err := q.store.Blobs().Open(j.Digest)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(j.Prefix), f), f}, nil
}

// utf8Header reports whether the header has letters that are not ASCII: they want SMTPUTF8.
func (q *Queue) utf8Header(j mailcore.Job) (bool, error) {
	header, err := q.header(j)
	return !isASCII(string(header)), err
}

// eightBit reports whether any line has; few servers make it necessary to look.
func (q *Queue) eightBit(j mailcore.Job) (bool, error) {
	r, err := q.content(j)
	if err != nil {
		return false, err
	}
	defer r.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if !isASCII(string(buf[:n])) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read the stored message: %w", err)
		}
	}
}

// connect finds a server of the lane that answers.
func (w *worker) connect(ctx context.Context, d *dialogue) (*client, error) {
	found, err := w.q.endpoints(ctx, w.lane.destination)
	if err != nil {
		d.add("*", "%v", err)
		var r *refusal
		if !errors.As(err, &r) || !r.permanent {
			w.q.connected(w.lane, false)
		}
		return nil, err
	}
	var last error
	policy := w.q.sts(ctx, w.lane.destination)
	for i, e := range found {
		if i == maxTried || ctx.Err() != nil {
			break
		}
		c, err := w.connectUnder(ctx, policy, e, d)
		if err == nil {
			w.q.connected(w.lane, true)
			return c, nil
		}
		d.add("*", "%v", err)
		if last == nil || errors.Is(last, errNoAnswer) {
			last = err // what a server said, or refused, tells more than silence
		}
		var said *answerError
		if errors.As(err, &said) && said.code == 521 { // RFC 7504 §3: this host never takes mail
			w.q.connected(w.lane, true)
			return nil, &refusal{true, "connect", cmp.Or(said.enhanced, "5.3.2"), said.text}
		}
	}
	w.q.connected(w.lane, false)
	if last == nil {
		last = notNow("4.4.1", "stopped before a connection was made")
	}
	return nil, notPermanent(last)
}

// errNoAnswer is an address that nobody listens at.
var errNoAnswer = errors.New("no connection")

// notPermanent takes what a server says about itself for what it is: no judgement of the mail.
func notPermanent(err error) error {
	var said *answerError
	if errors.As(err, &said) && said.code >= 500 {
		return &refusal{false, "connect", "4.3.2", "the server takes no mail now: " + said.answer.String()}
	}
	return err
}

// connectUnder connects as the lane's mode and the domain's policy want. What a policy that is only tested would have refused
// goes to the log (RFC 8461 §5).
func (w *worker) connectUnder(ctx context.Context, policy stsPolicy, e endpoint, d *dialogue) (*client, error) {
	switch {
	case policy.mode == stsEnforce && !policy.allows(e.name):
		return nil, &refusal{false, "connect", "4.7.0", "the domain's MTA-STS policy does not name the server " + e.name}
	case policy.mode == stsEnforce:
		return w.connectTo(ctx, e, d, Verified)
	case policy.mode == stsTesting && w.lane.mode != Verified:
		if !policy.allows(e.name) {
			w.q.log.Warn("MTA-STS in testing: the policy does not name the server", "domain", w.lane.domain, "server", e.name)
		} else if c, err := w.connectTo(ctx, e, &dialogue{}, Verified); err == nil {
			c.log = d
			d.add("*", "connected to %s with a verified certificate", e.name)
			return c, nil
		} else if !errors.Is(err, errNoAnswer) {
			w.q.log.Warn("MTA-STS in testing: the connection would be refused", "domain", w.lane.domain, "server", e.name, "err", err)
		}
	}
	return w.connectTo(ctx, e, d, w.lane.mode)
}

// connectTo connects to one address and turns TLS on as the mode wants.
func (w *worker) connectTo(ctx context.Context, e endpoint, d *dialogue, mode TLSMode) (*client, error) {
	c, err := w.open(ctx, e, d)
	if err != nil {
		return nil, err
	}
	_, offered := c.ext["STARTTLS"]
	if !offered {
		if mode != Opportunistic {
			c.close(true)
			return nil, &refusal{false, "starttls", "4.7.4", "the server offers no TLS, and this destination needs it"}
		}
		return c, nil
	}
	err = c.startTLS(w.q.tlsConfig(mode, e.name), w.q.opt.Hostname)
	if err == nil {
		return c, nil
	}
	c.close(false)
	if mode != Opportunistic {
		return nil, err
	}
	d.add("*", "TLS did not work, once more in the clear") // RFC 7435 §3: better than not sending
	return w.open(ctx, e, d)
}

func (w *worker) open(ctx context.Context, e endpoint, d *dialogue) (*client, error) {
	d.add("*", "connect to %s (%s)", e.name, e.addr)
	conn, err := w.q.dial(ctx, e.addr)
	if err != nil {
		d.add("*", "%v", err)
		var r *refusal
		if errors.As(err, &r) {
			return nil, r
		}
		return nil, fmt.Errorf("%w (%s)", errNoAnswer, e.addr)
	}
	c := newClient(ctx, conn, e.name, d)
	c.limit, c.dot = w.q.opt.CommandTimeout, w.q.opt.DotTimeout
	if err := c.greet(w.q.opt.Hostname); err != nil {
		c.close(false)
		return nil, err
	}
	return c, nil
}

func (q *Queue) tlsConfig(mode TLSMode, name string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if q.opt.TLS != nil {
		config = q.opt.TLS.Clone()
	}
	config.ServerName = name
	config.InsecureSkipVerify = mode != Verified
	return config
}

// outcome says what an attempt's error means for the mail.
func outcome(host string, a answer, err error) mailcore.Outcome {
	o := mailcore.Outcome{State: mailcore.AttemptLater, Host: host, Code: a.code, Enhanced: a.enhanced}
	var said *answerError
	var cut *lineError
	var refused *refusal
	switch {
	case err == nil:
		o.State, o.Phase = mailcore.AttemptSent, "done"
	case errors.Is(err, errDotGone):
		o.State, o.Phase = mailcore.AttemptUncertain, "dot"
	case errors.As(err, &said):
		o.Phase, o.Code, o.Enhanced = said.phase, said.code, said.enhanced
		if said.code >= 500 {
			o.State = mailcore.AttemptFailed
		} else if said.code < 400 && said.phase == "dot" {
			o.State = mailcore.AttemptUncertain
		}
	case errors.As(err, &refused):
		o.Phase, o.Enhanced = refused.phase, refused.enhanced
		if refused.permanent {
			o.State = mailcore.AttemptFailed
		}
	case errors.As(err, &cut):
		o.Phase, o.Enhanced = cut.phase, "4.4.2"
	case errors.Is(err, errNoAnswer):
		o.Phase, o.Enhanced = "connect", "4.4.1"
	default: // our own store, or we are stopping
		o.Phase, o.Enhanced = "data", "4.3.0"
	}
	return o
}

// schedule sets when a mail is tried again, or ends its life.
func (q *Queue) schedule(j mailcore.Job, o *mailcore.Outcome, d *dialogue) {
	now := q.opt.Now()
	switch o.State {
	case mailcore.AttemptUncertain:
		o.NextAt = now.Add(q.opt.Uncertain)
	case mailcore.AttemptLater:
		if !now.Before(j.ExpiresAt) {
			d.add("*", "its time is over: accepted for sending %s, given up %s", j.CreatedAt.Format(time.RFC3339), now.Format(time.RFC3339))
			o.State, o.Enhanced = mailcore.AttemptFailed, "4.4.7"
			return
		}
		next := now.Add(q.pause(j))
		if o.NextAt.After(next) {
			next = o.NextAt // the destination is left alone until then
		}
		if at := q.warnAt(j); at.After(now) && next.After(at) {
			next = at // once more before the sender is told of the delay
		}
		if next.After(j.ExpiresAt) {
			next = j.ExpiresAt // once more at the end
		}
		o.NextAt = next
	}
}

// pause is how long a mail waits after this try.
func (q *Queue) pause(j mailcore.Job) time.Duration {
	pauses := q.opt.Backoff
	if j.Urgency >= Flash {
		pauses = q.opt.FlashBackoff
	}
	return pauses[min(max(j.Tries-1, 0), len(pauses)-1)]
}
