package filter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxVerdict bounds rspamd's answer.
const maxVerdict = 1 << 20

// An Envelope is what rspamd wants to know beside the mail.
type Envelope struct {
	Remote, Helo, Sender string
	Rcpts                []string
}

// A Score is rspamd's opinion of a mail.
type Score struct {
	Action   string  `json:"action"` // "no action", "greylist", "add header", "rewrite subject", "soft reject", "reject"
	Score    float64 `json:"score"`
	Required float64 `json:"required_score"`
}

// Junk says whether the mail belongs with the junk. Greylisting is no opinion about one mail.
func (s Score) Junk() bool {
	return s.Action == "add header" || s.Action == "rewrite subject" || s.Action == "reject"
}

// An Rspamd judges by rspamd's HTTP protocol.
type Rspamd struct {
	URL        string        // of its normal worker: http://127.0.0.1:11333
	Controller string        // of its controller, for learning; "" when it shall not learn
	Password   string        // of the controller
	Timeout    time.Duration // for one mail; 20 s when zero
}

func (c *Rspamd) post(ctx context.Context, url string, mail io.Reader, set func(http.Header)) ([]byte, error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, mail)
	if err != nil {
		return nil, fmt.Errorf("rspamd: %w", err)
	}
	set(req.Header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("rspamd: %w: %w", ErrNotJudged, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxVerdict))
	if err != nil {
		return nil, fmt.Errorf("rspamd: %w: %w", ErrNotJudged, err)
	}
	switch {
	case res.StatusCode == http.StatusRequestEntityTooLarge:
		return nil, fmt.Errorf("rspamd: %w", ErrTooLarge)
	case res.StatusCode/100 != 2:
		return nil, fmt.Errorf("rspamd: %w: %s: %.200q", ErrNotJudged, res.Status, text)
	}
	return text, nil
}

// Check asks about a mail.
func (c *Rspamd) Check(ctx context.Context, e Envelope, mail io.Reader) (Score, error) {
	text, err := c.post(ctx, strings.TrimSuffix(c.URL, "/")+"/checkv2", mail, func(h http.Header) {
		set(h, "IP", e.Remote)
		set(h, "Helo", e.Helo)
		set(h, "From", e.Sender)
		for _, r := range e.Rcpts {
			h.Add("Rcpt", plain(r))
		}
	})
	if err != nil {
		return Score{}, err
	}
	var s Score
	if err := json.Unmarshal(text, &s); err != nil || s.Action == "" {
		return Score{}, fmt.Errorf("rspamd: %w: %.200q", ErrNotJudged, text)
	}
	return s, nil
}

// Learn tells rspamd that a person found a mail to be junk, or not to be.
func (c *Rspamd) Learn(ctx context.Context, junk bool, mail io.Reader) error {
	if c.Controller == "" {
		return nil
	}
	path := "/learnham"
	if junk {
		path = "/learnspam"
	}
	_, err := c.post(ctx, strings.TrimSuffix(c.Controller, "/")+path, mail, func(h http.Header) { set(h, "Password", c.Password) })
	return err
}

func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, plain(value))
	}
}

// plain keeps what a mail claims from adding fields to a request.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
