package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"congvan/exchange"
	"congvan/exchange/reply"
	"congvan/mailcore/viettext"
)

// An answered is what somebody said by mail about a paper that waits to be issued.
type answered struct {
	yes, drop bool
	secrecy   string   // "" not said, "không", or the độ mật
	lines     []string // corrections, as written
	unknown   []string // lines that were not understood: then nothing of it counts
}

var (
	yesLine    = regexp.MustCompile(`^(?:dong y|phat hanh|dong y phat hanh|co|ok|duoc|xac nhan|dong y gui|da xem,? (?:dong y|phat hanh))(?: nhe| a)?$`)
	dropLine   = regexp.MustCompile(`^(?:huy|huy bo|bo|thoi|khong phat hanh|khong gui|huy phat hanh|xoa)$`)
	seenLine   = regexp.MustCompile(`^da xem\b`)
	flagLine   = regexp.MustCompile(`^van gui(?: tep| cac tep)?$`)
	asTyped    = regexp.MustCompile(`^(?:van )?ghi (?:theo )?(?:so|nhu da go)$`)
	lineAnswer = regexp.MustCompile(`^(?:dong|noi nhan)\s*(\d{1,4})\s*[:=\-]\s*(.+)$`)
	fieldWords = map[string]string{"so": "reference", "so ky hieu": "reference", "so, ky hieu": "reference", "ngay": "date", "trich yeu": "abstract",
		"co quan": "issuer", "co quan ban hanh": "issuer", "loai": "type", "loai van ban": "type", "nguoi ky": "signer", "do khan": "urgency"}
)

// readAnswer reads what stands above the quoted text, line by line. Politeness is passed over; one line that is not understood
// makes nothing of it count, since half an answer could send half of what was meant.
func readAnswer(text string) answered {
	var a answered
	for _, line := range reply.OwnLines(text) {
		line = strings.TrimSpace(strings.TrimRight(line, ".!;, "))
		folded := viettext.Fold(line)
		label, value, labelled := strings.Cut(folded, ":")
		switch label = strings.TrimSpace(label); {
		case folded == "" || courtesy.MatchString(folded):
		case yesLine.MatchString(folded):
			a.yes = true
			if seenLine.MatchString(folded) {
				a.lines = append(a.lines, "đã xem")
			}
		case dropLine.MatchString(folded):
			a.drop = true
		case labelled && label == "do mat":
			a.secrecy = secrecyWord(strings.TrimSpace(value))
			if a.secrecy == "" {
				a.unknown = append(a.unknown, line)
			}
		case seenLine.MatchString(folded), flagLine.MatchString(folded), asTyped.MatchString(folded), lineAnswer.MatchString(folded),
			labelled && fieldWords[label] != "" && strings.TrimSpace(value) != "":
			a.lines = append(a.lines, line)
		default:
			a.unknown = append(a.unknown, line)
		}
	}
	if a.secrecy == "không" {
		a.lines = append(a.lines, "độ mật: không")
	}
	return a
}

var courtesy = regexp.MustCompile(`^(?:kinh gui|kinh chao|xin chao|chao|thua|cam on|xin cam on|tran trong)\b`)

func secrecyWord(folded string) string {
	switch folded {
	case "khong", "k", "khong mat":
		return "không"
	case "mat":
		return "Mật"
	case "toi mat":
		return "Tối mật"
	case "tuyet mat":
		return "Tuyệt mật"
	}
	return ""
}

// problem says what in an answer cannot be meant.
func (a *answered) problem() string {
	switch {
	case len(a.unknown) > 0:
		return fmt.Sprintf("chưa hiểu dòng «%s»", shorten(a.unknown[0], 120))
	case a.yes && a.drop:
		return "thư vừa đồng ý vừa hủy"
	case !a.yes && !a.drop && a.secrecy == "" && len(a.lines) == 0:
		return "thư không có câu trả lời nào"
	}
	return ""
}

// typed are the fields among the corrections; the last word about one counts.
func typedIn(lines []string) (said, error) {
	var v said
	for _, line := range lines {
		label, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch fieldWords[viettext.Fold(strings.TrimSpace(label))] {
		case "reference":
			v.Reference = value
		case "date":
			v.Date = value
		case "abstract":
			v.Abstract = value
		case "issuer":
			v.Issuer = value
		case "type":
			v.Kind = value
		case "signer":
			v.Signer = value
		case "urgency":
			v.Urgency = value
		}
	}
	return v, v.clean()
}

// A badLine is a correction that cannot be: it is told, and nothing of the mail counts.
type badLine struct {
	line string
	err  error
}

func (e *badLine) Error() string {
	text, _ := explain(e.err)
	return fmt.Sprintf("«%s»: %s", e.line, text)
}

func (e *badLine) Unwrap() error { return e.err }

// correct applies the corrections to a candidate.
func (c *candidate) correct(_ context.Context, by exchange.Actor, lines []string) error {
	p := c.p
	for _, line := range lines {
		folded := viettext.Fold(line)
		switch {
		case folded == "do mat: khong":
			p.NotSecret = true
		case seenLine.MatchString(folded):
			p.Seen = true
		case flagLine.MatchString(folded):
			for _, f := range append([]*exchange.File{p.Main}, p.Annexes...) {
				if f != nil {
					f.Accepted = true
				}
			}
		case asTyped.MatchString(folded):
			for i := range p.Differences {
				p.Differences[i].Confirmed = true
			}
		default:
			if err := c.settle(by, line); err != nil {
				return &badLine{line, err}
			}
		}
	}
	return nil
}

// settle reads "dòng 3: stttt", with what askLine takes at a terminal after the colon.
func (c *candidate) settle(by exchange.Actor, line string) error {
	m := lineAnswer.FindStringSubmatch(viettext.Fold(line))
	if m == nil {
		return nil // a field: it was taken before the page was read
	}
	n, _ := strconv.Atoi(m[1])
	i := slices.IndexFunc(c.p.Lines, func(l exchange.Line) bool { return l.Ordinal == n })
	if i < 0 {
		return fmt.Errorf("văn bản không có dòng %d", n)
	}
	_, answer, _ := strings.Cut(strings.NewReplacer("=", ":", " - ", ":").Replace(line), ":")
	answer = strings.TrimSpace(answer)
	d, ok := parseAnswer(c.p.Lines[i], answer)
	if !ok {
		return errors.New("ghi mã đơn vị, hoặc «ngoài TÊN <địa chỉ>», hoặc «bỏ LÝ DO»")
	}
	return c.p.Decide(c.r.dir, by, []exchange.Decision{d})
}
