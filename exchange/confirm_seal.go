package exchange

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

// confirmation writes and seals the confirmation of what was gathered, and adds what it is written from.
func (b *bundler) confirmation(ctx context.Context) ([]byte, error) {
	if b.record.State != Issued {
		return nil, &Error{Conflict, CodeNotIssued, b.record.Document["reference"]}
	}
	issuer := recipients.UnitCode(b.record.Document["agency"])
	by := cmp.Or(b.opt.SealAs, issuer)
	sealer, err := b.s.Sealer(ctx, by)
	if err != nil {
		return nil, err
	}
	at := b.s.db.Now()
	decision := sealer.Use().Decision
	head := confirmHead{Layout: confirmLayout, At: at.UnixMicro(), Decision: decision.Number, DecidedOn: decision.Date}
	if err := b.names(ctx, &head, by, issuer); err != nil {
		return nil, err
	}
	newest, err := openCheckpoint(b.last.Note, b.key.Known)
	if err != nil {
		return nil, err
	}
	c := confirm(head, &b.record, b.events, newest, stampTime(b.last.Note, b.last.Stamp))
	pdf, err := c.pdf()
	if err != nil {
		return nil, err
	}
	sealed, _, err := sealer.SealAsUsed(ctx, pdf, signing.SealOptions{Mark: confirmMark(head.Agency, at), Name: head.Agency, Reason: "Giấy xác nhận gửi, nhận văn bản điện tử", At: at})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	b.add(headName, text)
	return sealed, nil
}

// confirmMark is shown on the first page: who sealed it, and when.
func confirmMark(agency string, at time.Time) string {
	return "Ký số: " + agency + "; " + confirmTime(at)
}

// names takes the names of agencies from the directory of today.
func (b *bundler) names(ctx context.Context, head *confirmHead, by, issuer recipients.UnitCode) error {
	dir, err := b.s.Directory(ctx, "")
	if err != nil {
		return err
	}
	u, ok := dir.Unit(by)
	if !ok {
		return &Error{Missing, CodeUnknownUnit, string(by)}
	}
	head.Agency, head.Issuer = u.Name, string(issuer)
	if above, ok := dir.Unit(u.Parent); ok {
		head.Parent = above.Name
	}
	if i, ok := dir.Unit(issuer); ok {
		head.Issuer = i.Name
	}
	if (b.opt.Unit != "" || b.opt.Copy != 0) && len(b.record.Dispatches) > 0 {
		head.Only = b.record.Dispatches[0].Name
	}
	return nil
}

// stampTime is what a time stamp over a checkpoint says, whoever made it; nil for none that fits.
func stampTime(text string, stamp []byte) *time.Time {
	if stamp == nil {
		return nil
	}
	digest := sha256.Sum256([]byte(text))
	s, err := signing.VerifyTimestamp(stamp, digest[:], nil)
	if err != nil {
		return nil
	}
	return &s.Time
}

// maxPage bounds an inflated stream of a confirmation: a page, or a font.
const maxPage = 4 << 20

const confirmCheck = "Giấy xác nhận"

// confirmation verifies the seal of the bundle's confirmation, writes it anew from the events, and compares.
func (r *bundleReader) confirmation(ctx context.Context) {
	pdf, text := r.members[confirmName], r.members[headName]
	if pdf == nil && text == nil {
		return
	}
	var head confirmHead
	if err := json.Unmarshal(text, &head); err != nil || pdf == nil {
		r.failf(confirmCheck, "damaged", "Thiếu %s hoặc %s, hoặc tệp đã hỏng.", confirmName, headName)
		return
	}
	r.seal(ctx, confirmCheck, confirmName, pdf)
	layout, facts := confirmFacts(pdf)
	if layout != head.Layout || layout == 0 {
		r.failf(confirmCheck, "facts", "%s không phải là giấy lập cùng bộ chứng cứ này.", confirmName)
		return
	}
	if layout > confirmLayout {
		r.add(confirmCheck, signing.Unknown, "layout", "Giấy lập theo mẫu %d, chương trình này chỉ lập lại được đến mẫu %d: dùng đúng bản chương trình đã lập giấy để đối chiếu bảng trong giấy.", layout, confirmLayout)
		return
	}
	c := confirm(head, &r.record, r.events, r.newest, r.stamped)
	want, err := c.facts()
	if err != nil || want != facts {
		r.failf(confirmCheck, "facts", "Nội dung của %s khác với các sự kiện.", confirmName)
		return
	}
	again, err := c.pdf()
	if err != nil {
		r.failf(confirmCheck, "facts", "%v.", err)
		return
	}
	if !sameWriting(again, pdf) {
		r.failf(confirmCheck, "pages", "Các trang của %s khác với trang lập lại từ các sự kiện.", confirmName)
		return
	}
	r.add(confirmCheck, signing.Passed, "same", "%s đúng từng chữ như lập lại từ các sự kiện.", confirmName)
}

// sameWriting reports whether the sealed file begins with the pages written anew: byte for byte, or but for how they are
// compressed, which another release of Go may do otherwise.
func sameWriting(again, sealed []byte) bool {
	if bytes.HasPrefix(sealed, again) {
		return true
	}
	end := bytes.Index(sealed, []byte("%%EOF"))
	return end >= 0 && bytes.Equal(plainPDF(again), plainPDF(append(sealed[:end:end], "%%EOF\n"...)))
}

// plainPDF is a file as fpdf writes it, with its streams inflated and without the numbers outside of them, which tell lengths
// and places. A stream that cannot be inflated stays as it is.
func plainPDF(pdf []byte) []byte {
	var out []byte
	for {
		text, rest, found := bytes.Cut(pdf, []byte(">>\nstream\n"))
		for _, c := range text {
			if c < '0' || c > '9' {
				out = append(out, c)
			}
		}
		if !found {
			return out
		}
		data, after, _ := bytes.Cut(rest, []byte("\nendstream"))
		plain := data
		if z, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
			if b, err := io.ReadAll(io.LimitReader(z, maxPage)); err == nil {
				plain = b
			}
		}
		out, pdf = append(append(out, ">>\nstream\n"...), plain...), after
	}
}

// confirmFacts reads what a confirmation's PDF names itself by: its layout and the digest of what it says. 0 for none.
func confirmFacts(pdf []byte) (layout int, facts string) {
	_, rest, ok := bytes.Cut(pdf, []byte(confirmOpen))
	if !ok {
		return 0, ""
	}
	text, _, ok := bytes.Cut(rest[:min(len(rest), 200)], []byte(confirmClose))
	if !ok {
		return 0, ""
	}
	n, facts, _ := strings.Cut(string(text), " ")
	layout, _ = strconv.Atoi(n)
	return layout, facts
}

// Document is the document that the copy is of.
func (id DispatchID) Document() DocumentID { return DocumentID(id >> copyBits) }

// CopyNamed finds a copy by its number, or by the token that mails name it with, alone or in an address.
func (s *Store) CopyNamed(ctx context.Context, name string) (id DispatchID, err error) {
	token, _, _ := strings.Cut(name, "@")
	for _, box := range []string{ReplyMailbox, BounceMailbox} {
		token = strings.TrimPrefix(token, box+"+")
	}
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var d *Dispatch
		var err error
		if n, bad := strconv.ParseInt(token, 10, 64); bad == nil {
			d, err = dispatch(ctx, tx, DispatchID(n))
		} else {
			d, err = byToken(ctx, tx, token)
		}
		if err == nil {
			id = d.ID
		}
		return err
	})
	return id, err
}
