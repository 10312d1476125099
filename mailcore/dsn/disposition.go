package dsn

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"congvan/mailcore"

	"github.com/emersion/go-message"
)

// A Disposition is a receipt by which a reader's program says what became of a mail (RFC 8098).
type Disposition struct {
	Final     mailcore.Address // who received the mail; "" when it cannot be read
	MessageID string           // of the mail, without <>
	Type      string           // displayed, deleted, dispatched, processed; others are nobody's business
	Automatic bool             // sent without asking the reader
}

// Displayed reports whether somebody had the mail before their eyes.
func (d *Disposition) Displayed() bool { return d.Type == "displayed" }

// Arrived reports whether the receipt proves that the mail was in the mailbox. The older words "denied"
// and "failed" prove nothing.
func (d *Disposition) Arrived() bool {
	return d.Displayed() || d.Type == "deleted" || d.Type == "dispatched" || d.Type == "processed"
}

// ParseDisposition reads a receipt. A message that is none gives ErrNone. Nothing in it is believed beyond what it says:
// whoever acts on it must know the address that it came to.
func ParseDisposition(r io.Reader) (*Disposition, error) {
	e, err := message.ReadWithOptions(io.LimitReader(r, maxReport), &message.ReadOptions{MaxHeaderBytes: maxOriginal})
	if e == nil || err != nil && !tolerable(err) {
		return nil, fmt.Errorf("read receipt: %w", errors.Join(ErrNone, err))
	}
	kind, params, _ := e.Header.ContentType()
	if !strings.EqualFold(kind, "multipart/report") || !strings.EqualFold(params["report-type"], "disposition-notification") {
		return nil, fmt.Errorf("read receipt: %w", ErrNone)
	}
	var d *Disposition
	parts := 0
	err = walk(e, 0, &parts, func(kind string, body io.Reader) (bool, error) {
		if d != nil || kind != "message/disposition-notification" && kind != "message/global-disposition-notification" {
			return d != nil, nil
		}
		text, err := io.ReadAll(io.LimitReader(body, maxStatusPart))
		if err != nil && len(text) == 0 {
			return true, nil
		}
		d = readDisposition(fieldsOf(text))
		return true, nil
	})
	if err == nil && (d == nil || d.Type == "") {
		err = ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	return d, nil
}

// readDisposition reads "manual-action/MDN-sent-manually; displayed/warning" (RFC 8098 §3.2.6).
func readDisposition(f map[string]string) *Disposition {
	mode, what, _ := strings.Cut(f["disposition"], ";")
	what, _, _ = strings.Cut(strings.TrimSpace(what), "/")
	return &Disposition{Final: typedAddress(f["final-recipient"]), MessageID: strings.Trim(f["original-message-id"], " <>"), Type: strings.ToLower(word(what)),
		Automatic: strings.Contains(strings.ToLower(mode), "mdn-sent-automatically")}
}
