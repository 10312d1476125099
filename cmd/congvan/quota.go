package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/templates"

	"github.com/emersion/go-message/mail"
)

// quotaEvery is how often it is looked whether mailboxes fill up.
const quotaEvery = 5 * time.Minute

// accountQuota shows an account's quota, or sets it first.
func accountQuota(ctx context.Context, s *streams, in *installation, args []string) error {
	address, err := mailcore.ParseAddress(args[0])
	if err != nil {
		return err
	}
	if len(args) == 2 {
		limit, err := parseSize(args[1])
		if err != nil {
			return err
		}
		if err := in.mail.SetQuota(ctx, address, limit); err != nil {
			return err
		}
	}
	a, err := in.mail.Account(ctx, address)
	if err != nil {
		return err
	}
	q, err := in.mail.Quota(ctx, a.ID)
	if err != nil {
		return err
	}
	source := "đặt riêng"
	if a.Quota == mailcore.DefaultQuota {
		source = "theo cấu hình"
	}
	if q.Limit == 0 {
		fmt.Fprintf(s.out, "%s  đang giữ %s, không giới hạn (%s)\n", a.Address, sizeText(q.Used), source)
		return nil
	}
	fmt.Fprintf(s.out, "%s  đang giữ %s trong %s, %d%% (%s)\n", a.Address, sizeText(q.Used), sizeText(q.Limit), q.Percent(), source)
	return nil
}

// parseSize reads 500M, 2G, 1048576, or the word for the configured default.
func parseSize(text string) (int64, error) {
	bad := &hintError{fmt.Errorf("%q is no size", text), "500M, 2G, a number of bytes, 0 for no limit, or macdinh"}
	t := strings.ToLower(strings.TrimSpace(text))
	if t == "macdinh" || t == "mặc định" {
		return mailcore.DefaultQuota, nil
	}
	t = strings.TrimSuffix(t, "b")
	unit := int64(1)
	for suffix, u := range map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40} {
		if number, ok := strings.CutSuffix(t, suffix); ok {
			t, unit = number, u
			break
		}
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(t, ",", "."), 64)
	if err != nil || !(n >= 0 && n*float64(unit) < math.MaxInt64/1000) {
		return 0, bad
	}
	return int64(n * float64(unit)), nil
}

// sizeText writes bytes as people read them here, with a decimal comma.
func sizeText(n int64) string {
	size, units := float64(n), []string{"byte", "KB", "MB", "GB", "TB"}
	i := 0
	for ; size >= 1024 && i < len(units)-1; i++ {
		size /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d byte", n)
	}
	return strings.ReplaceAll(strconv.FormatFloat(math.Round(size*10)/10, 'f', -1, 64), ".", ",") + " " + units[i]
}

// fullLetter writes the warning to the owner of an account that fills up.
func (in *installation) fullLetter(w mailcore.QuotaWarning) ([]byte, error) {
	text, err := templates.Mail("quota.txt", struct {
		Name, Used, Limit string
		Percent           int64
		Full              bool
	}{w.Account.Name, sizeText(w.Used), sizeText(w.Limit), w.Percent(), !w.Fits(1)})
	if err != nil {
		return nil, err
	}
	var h mail.Header
	h.SetAddressList("From", []*mail.Address{{Name: "Công Văn", Address: "postmaster@" + in.cfg.Domain}})
	h.SetAddressList("To", []*mail.Address{{Name: w.Account.Name, Address: string(w.Account.Address)}})
	h.SetSubject(fmt.Sprintf("Hộp thư đã dùng %d%% dung lượng", w.Percent()))
	h.SetDate(in.db.Now().In(vietnamTime))
	h.SetMessageID(strings.ToLower(rand.Text()) + "@" + in.cfg.Domain)
	h.Set("Auto-Submitted", "auto-generated")
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	var out bytes.Buffer
	b, err := mail.CreateSingleInlineWriter(&out, h)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(b, text)
	return out.Bytes(), errors.Join(err, b.Close())
}
