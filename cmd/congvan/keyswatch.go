package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/viettext"
	"congvan/recipients"
	"congvan/signing"
	"congvan/templates"
)

// endings are how many days before the end of a certificate it is told; 0 is when it has ended.
var endings = []int{60, 30, 7, 0}

// watchEvery is how often serve looks at the certificates.
const watchEvery = 6 * time.Hour

// A watched certificate is one that this installation works with.
type watched struct {
	what string              // Vietnamese: what it is for
	todo string              // Vietnamese: what to do before it ends
	unit recipients.UnitCode // told beside the province's IT; "" for none
	cert *x509.Certificate
}

// An ending is a watched certificate that is about to end, has ended, or is not in force yet.
type ending struct {
	watched
	days  int // left, rounded down; negative when it has ended
	level int // of endings
	early bool
}

func (e *ending) line() string {
	until := e.cert.NotAfter.In(vietnamTime).Format("02/01/2006")
	switch {
	case e.early:
		return fmt.Sprintf("%s (%s) chưa có hiệu lực: từ ngày %s. Kiểm tra đồng hồ của máy chủ.", e.what, e.cert.Subject.CommonName, e.cert.NotBefore.In(vietnamTime).Format("02/01/2006"))
	case e.days < 0:
		return fmt.Sprintf("%s (%s) ĐÃ HẾT HẠN ngày %s. %s", e.what, e.cert.Subject.CommonName, until, e.todo)
	}
	return fmt.Sprintf("%s (%s) hết hạn ngày %s, còn %d ngày. %s", e.what, e.cert.Subject.CommonName, until, e.days, e.todo)
}

// vietnamTime is the zone of dates that people read; it has no summer time.
var vietnamTime = time.FixedZone("+07", 7*60*60)

// atEnd judges a certificate at a time; nil while there is nothing to say.
func (w watched) atEnd(now time.Time) *ending {
	e := &ending{watched: w, days: int(w.cert.NotAfter.Sub(now).Hours() / 24)}
	switch {
	case now.Before(w.cert.NotBefore):
		e.early = true
		return e
	case now.After(w.cert.NotAfter):
		e.days = -1
		return e
	case e.days > endings[0]:
		return nil
	}
	for _, level := range endings {
		if e.days <= level && level > 0 {
			e.level = level
		}
	}
	return e
}

// certificates lists what is watched. What cannot be read is a problem of its own, in words.
func (in *installation) certificates(ctx context.Context) (list []watched, problems []string, err error) {
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	add := func(what, todo string, unit recipients.UnitCode, certs []*x509.Certificate, err error) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			text, hint := explain(err)
			problems = append(problems, strings.TrimSpace(fmt.Sprintf("%s: %s %s", what, text, hint)))
		case len(certs) > 0:
			list = append(list, watched{what, todo, unit, certs[0]})
		}
	}
	const renewSeal = "Xin gia hạn hoặc cấp chứng thư số mới cho cơ quan trước ngày đó; hết hạn thì không đóng dấu văn bản được."
	for _, u := range dir.Units() {
		certs, err := in.keys.certificate(u)
		add("Chứng thư số đóng dấu của "+u.Name, renewSeal, u.Code, certs, err)
	}
	desks, err := listDesks(filepath.Join(in.keys.dir, deskDir))
	if err != nil {
		problems = append(problems, "máy của văn thư: "+err.Error())
	}
	for _, d := range desks {
		chain, err := d.chain()
		add("Chứng thư số của thiết bị ký ở máy "+d.Name, renewSeal+" Sau đó ghép đôi lại máy (congvan token join).", d.Unit, chain, err)
	}
	root, err := signing.LoadChain(filepath.Join(in.keys.dir, "root.pem"))
	add("Chứng thư gốc của dấu do hệ thống tự tạo", "Thay bằng chứng thư số chuyên dùng công vụ.", "", root, err)
	root, err = signing.LoadChain(filepath.Join(in.mailKeys.trust, mailRootFile))
	add("Chứng thư gốc ký thư điện tử", "Chuyển keys/mail-authority.p12 và trust/mail/mail-ca.pem ra nơi lưu, khởi động lại để tạo chứng thư gốc mới, rồi gửi tệp gốc mới cho các đơn vị.", "", root, err)
	mails, wrong := in.mailKeys.certificates()
	list, problems = append(list, mails...), append(problems, wrong...)
	cert := in.cfg.path("tls", "cert.pem")
	todo := "Xóa tls/cert.pem và tls/key.pem rồi khởi động lại để tạo chứng thư mới."
	if in.cfg.TLS.Certificate != "" {
		cert, todo = in.cfg.path(in.cfg.TLS.Certificate), "Thay tệp ở tls.certificate và tls.key."
	}
	chain, err := signing.LoadChain(cert)
	add("Chứng thư TLS của máy chủ", todo, "", chain, err)
	return list, problems, nil
}

// certificate reads the certificate of a unit's seal where it has a key; nothing is made, and no PIN is asked for. A token
// that is not connected now is looked at another time.
func (k *keyring) certificate(u recipients.Unit) ([]*x509.Certificate, error) {
	a := k.cfg.Seal.agency(string(u.Code))
	switch {
	case a.Key == keyToken:
		return nil, nil // its desk is watched
	case a.Certificate != "":
		return signing.LoadChain(k.cfg.path(a.Certificate))
	case strings.HasPrefix(a.Key, "pkcs11:"):
		uri, err := signing.ParseTokenURI(a.Key)
		if err != nil {
			return nil, err
		}
		id, err := signing.OpenToken(uri, signing.TokenOptions{})
		if errors.Is(err, signing.ErrToken) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return id.Chain, nil
	}
	if _, err := os.Stat(k.cfg.path(a.Key)); err != nil {
		return nil, err
	}
	password, err := k.secret(a.Password)
	if err != nil {
		return nil, err
	}
	id, err := signing.LoadIdentity(k.cfg.path(a.Key), password)
	if err != nil {
		return nil, err
	}
	return id.Chain, nil
}

// certificates lists the gateway's own certificates for mail.
func (m *mailKeys) certificates() (list []watched, problems []string) {
	files, _ := filepath.Glob(filepath.Join(m.dir, mailKeyPrefix+"*.p12")) // the pattern is a good one
	if len(files) == 0 {
		return nil, nil
	}
	password, err := m.password()
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, f := range files {
		if filepath.Base(f) == mailAuthorityFile {
			continue
		}
		id, err := signing.LoadIdentity(f, password)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		local := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), mailKeyPrefix), ".p12")
		list = append(list, watched{"Chứng thư ký thư điện tử của " + local + "@" + m.domain, "Máy tự gia hạn ở thư gửi đi tiếp theo; nếu vẫn báo, kiểm tra keys/mail-authority.p12.", "", id.Chain[0]})
	}
	return list, problems
}

// lookAtCertificates finds what is about to end at a time.
func (in *installation) lookAtCertificates(ctx context.Context, now time.Time) (list []*ending, problems []string, err error) {
	all, problems, err := in.certificates(ctx)
	for _, w := range all {
		if e := w.atEnd(now); e != nil {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b *ending) int { return a.cert.NotAfter.Compare(b.cert.NotAfter) })
	return list, problems, err
}

// watchCertificates logs and tells what is about to end, once at each threshold, until ctx ends.
func (in *installation) watchCertificates(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if err := in.tellEndings(ctx, in.db.Now()); err != nil && ctx.Err() == nil {
			in.log.Error("watch certificates", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (in *installation) tellEndings(ctx context.Context, now time.Time) error {
	list, problems, err := in.lookAtCertificates(ctx, now)
	if err != nil {
		return err
	}
	for _, p := range problems {
		in.log.Warn("certificate cannot be looked at", "problem", p)
	}
	for _, e := range list {
		in.log.Warn("certificate ends", "what", e.what, "holder", e.cert.Subject.CommonName, "until", e.cert.NotAfter.Format(time.DateOnly), "days", e.days, "not_yet", e.early)
		if e.early {
			continue
		}
		n, err := in.notice(e)
		if err != nil {
			return err
		}
		if _, err := in.exchange.Tell(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// notice writes the letter about an ending.
func (in *installation) notice(e *ending) (exchange.Notice, error) {
	sum := sha256.Sum256(e.cert.Raw)
	until := e.cert.NotAfter.In(vietnamTime).Format("02/01/2006")
	n := exchange.Notice{Key: fmt.Sprintf("certificate %s %d", hex.EncodeToString(sum[:]), e.level), Subject: fmt.Sprintf("%s hết hạn ngày %s", e.what, until)}
	if to := in.cfg.Seal.Notify; strings.Contains(to, "@") {
		n.To = append(n.To, mailcore.Address(to))
	} else if to != "" {
		n.To = append(n.To, mailcore.Address(to+"@"+in.cfg.Domain))
	}
	if own := mailcore.Address(string(e.unit) + "@" + in.cfg.Domain); e.unit != "" && !slices.Contains(n.To, own) {
		n.To = append(n.To, own)
	}
	var err error
	n.Text, err = templates.Mail("certificate.txt", struct {
		What, Until, Holder, Issuer, Serial, Todo string
		Days                                      int
		Over                                      bool
	}{e.what, until, viettext.NFC(e.cert.Subject.CommonName), viettext.NFC(e.cert.Issuer.CommonName), fmt.Sprintf("%x", e.cert.SerialNumber), e.todo, e.days, e.days < 0})
	return n, err
}

// showEndings prints what is about to end, for check and status.
func (in *installation) showEndings(ctx context.Context, w io.Writer) error {
	list, problems, err := in.lookAtCertificates(ctx, in.db.Now())
	for _, p := range problems {
		fmt.Fprintf(w, "lưu ý: %s\n", p)
	}
	for _, e := range list {
		fmt.Fprintf(w, "lưu ý: %s\n", e.line())
	}
	return err
}
