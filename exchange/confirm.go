package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/viettext"
	"congvan/signing"
)

// confirmLayout numbers how a confirmation is told and laid out. Whoever verifies a bundle writes its confirmation again and
// compares; a higher number says that a newer version of this program wrote it. Layout 1 does not tell of raised seals.
const confirmLayout = 2

// A confirmHead is what a confirmation says beyond the rows and events of its bundle.
type confirmHead struct {
	Layout int    `json:"layout"`
	At     int64  `json:"at"`     // when it was made, microseconds
	Agency string `json:"agency"` // name of who confirms
	Parent string `json:"parent"` // name of the unit above, "" for none
	Issuer string `json:"issuer"` // name of who issued the document
	Only   string `json:"only"`   // name of the one recipient whose copies it tells of; "" for all
	// The decision of the head by which the key signs unattended, "" where somebody watches.
	Decision  string `json:"decision,omitempty"`
	DecidedOn string `json:"decided_on,omitempty"`
}

// A confirmation (giấy xác nhận gửi, nhận văn bản điện tử) is what a bundle proves, for people. All of it follows from the
// bundle.
type confirmation struct {
	confirmHead
	Code      string // names this confirmation: of the document and the checkpoint
	Domain    string
	Reference string
	Kind      string
	IssuedOn  string // civil date
	Abstract  string
	Signer    string
	Place     string
	IssuedAt  string
	Until     string // the checkpoint's time
	Size      int64  // leaves under the checkpoint
	Root      string
	StampedAt string // by a third party, "" for none
	Files     []confirmedFile
	Copies    []confirmedCopy
	Counts    []string
}

type confirmedFile struct {
	Name, SHA256 string
	// What was added to its seal after the issue, and the digest of that form; "" for nothing.
	Raised       string `json:",omitempty"`
	RaisedSHA256 string `json:",omitempty"`
}

// A confirmedCopy is a row of the table: lines of its cells.
type confirmedCopy struct {
	Name, Address          string
	Sent, Arrived, Handled []string
}

// confirmTime is how times are told: the form of NĐ 30/2020 Phụ lục I mục II.14.
func confirmTime(at time.Time) string { return at.In(hanoi).Format("02/01/2006; 15:04:05 -07:00") }

func microTime(at int64) string { return confirmTime(time.UnixMicro(at)) }

// confirm tells what the events say. newest is the checkpoint that they were proven by.
func confirm(head confirmHead, record *bundleRecord, events []bundleEvent, newest *treeHead, stamped *time.Time) *confirmation {
	doc := record.Document
	c := &confirmation{confirmHead: head, Reference: doc["reference"], Kind: doc["kind"], IssuedOn: doc["issued_on"], Abstract: doc["abstract"],
		Signer: doc["signer"], Place: doc["place"], Until: confirmTime(newest.at), Size: newest.size, Root: newest.root.String()}
	if _, rest, ok := strings.Cut(newest.origin, "/"); ok {
		c.Domain, _, _ = strings.Cut(rest, "/")
	}
	c.Code = fmt.Sprintf("%d-%d", record.ID, newest.size)
	if stamped != nil {
		c.StampedAt = confirmTime(*stamped)
	}
	story := storyIn(events, record.ID)
	for _, it := range record.Items {
		f := confirmedFile{Name: it["file_name"], SHA256: it["sealed"]}
		if f.SHA256 == "" {
			f.SHA256 = it["original"]
		}
		if head.Layout > 1 {
			f.raised(&story, it["ordinal"])
		}
		c.Files = append(c.Files, f)
	}
	byChain := map[int64][]bundleEvent{}
	for _, e := range events {
		byChain[e.Chain] = append(byChain[e.Chain], e)
		if e.Chain == record.ID.chain() && e.Kind == string(Issued) {
			c.IssuedAt = microTime(e.At)
		}
	}
	var n standings
	for _, bd := range record.Dispatches {
		d := bd.dispatch(record.ID)
		c.Copies = append(c.Copies, tell(&d, byChain[int64(d.ID)]))
		n.add(&d)
	}
	c.Counts = n.words()
	return c
}

// raised tells what was last added to the file's seal.
func (f *confirmedFile) raised(story *sealStory, ordinal string) {
	n, _ := strconv.Atoi(ordinal)
	for _, r := range story.raises {
		for _, more := range r.Files {
			if more.Ordinal == n {
				f.Raised, f.RaisedSHA256 = fmt.Sprintf("được bổ sung lúc %s, nay ở mức %s; tệp đã gửi không đổi, bản đã bổ sung mở đầu bằng đúng tệp ấy", confirmTime(r.At), r.Level), string(more.SHA256)
			}
		}
	}
}

// standings counts copies by how far they came.
type standings struct {
	all, arrived, relayed, uncertain, queued, missing, ended int
	accepted, noted, refused, forwarded                      int
}

func (n *standings) add(d *Dispatch) {
	n.all++
	switch d.Transport {
	case Delivered, Settled:
		n.arrived++
	case Relayed:
		n.relayed++
	case Uncertain:
		n.uncertain++
	case Queued:
		n.queued++
	case Exception, Undelivered:
		n.missing++
	default:
		n.ended++
	}
	switch d.Handling {
	case Accepted, Assigned, InProgress, Completed:
		n.accepted++
	case Noted:
		n.noted++
	case Refused:
		n.refused++
	case Forwarded:
		n.forwarded++
	}
}

func (n *standings) words() []string {
	out := []string{fmt.Sprintf("%d bản gửi", n.all)}
	for _, x := range []struct {
		n    int
		what string
	}{{n.arrived, "đã đến"}, {n.relayed, "máy chủ bên nhận đã lấy"}, {n.uncertain, "có thể đã đến"}, {n.queued, "đang gửi"}, {n.missing, "chưa đến"},
		{n.ended, "đã hủy, thu hồi hoặc thay thế"}, {n.accepted, "đã tiếp nhận"}, {n.noted, "đã xem (để biết)"}, {n.refused, "bị từ chối"}, {n.forwarded, "được chuyển tiếp"}} {
		if x.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return out
}

// A told is what the details of events hold, whatever their kind.
type told struct {
	Host, Text, Reason, Proof, On, EML, Signer, From, Status string
	Reference, What, SHA256                                  string
	Number                                                   json.RawMessage
	Code, Mail, Opened                                       int64
}

// tell makes the row of one copy, and d what its events made of it.
func tell(d *Dispatch, events []bundleEvent) confirmedCopy {
	row := confirmedCopy{Name: d.Name, Address: d.Address}
	if row.Address == "" {
		row.Address = "(không có địa chỉ thư)"
	}
	for i, e := range events {
		var t told
		json.Unmarshal([]byte(e.Detail), &t) // what has another shape tells nothing more
		if i == 0 {
			row.Sent = []string{microTime(e.At)}
		}
		if line := d.tellTransport(e, &t, i == 0); line != "" {
			row.Arrived = append(row.Arrived, microTime(e.At)+"\n"+line)
		}
		if line := tellHandling(e, &t); line != "" {
			row.Handled = append(row.Handled, microTime(e.At)+"\n"+line)
		}
		if transport, handling, err := d.moved(e.Kind); err == nil {
			d.Transport, d.Handling = transport, handling
		}
	}
	if d.Way == ByOther {
		row.Sent = []string{"Không gửi bản điện tử"}
	}
	if d.Transport == Relayed {
		row.Arrived = append(row.Arrived, "Chưa có báo phát.")
	}
	if len(row.Arrived) == 0 {
		row.Arrived = []string{"Đang gửi"}
	}
	if len(row.Handled) == 0 {
		row.Handled = []string{"Chưa có phản hồi"}
	}
	row.Arrived, row.Handled = shortened(row.Arrived), shortened(row.Handled)
	return row
}

// shortened leaves the first and the last of many lines: a copy that was tried for days has hundreds.
func shortened(lines []string) []string {
	const keep = 4
	if len(lines) <= 2*keep {
		return lines
	}
	out := slices.Clone(lines[:keep])
	return append(append(out, fmt.Sprintf("(%d mốc nữa: xem bộ chứng cứ)", len(lines)-2*keep)), lines[len(lines)-keep:]...)
}

// tellTransport words an event of transport, "" where there is nothing to say.
func (d *Dispatch) tellTransport(e bundleEvent, t *told, first bool) string {
	switch Transport(e.Kind) {
	case Queued:
		if first {
			return ""
		}
		return "gửi lại"
	case Relayed:
		return "máy chủ bên nhận" + inParentheses(t.Host) + " đã lấy"
	case Uncertain:
		return "CÓ THỂ ĐÃ ĐẾN: mất kết nối với máy chủ bên nhận" + inParentheses(t.Host) + " sau khi đã gửi hết thư"
	case Delivered:
		return d.tellArrival(t, first)
	case Exception:
		return "CHƯA ĐẾN: " + why(t)
	case Settled:
		return reasoned("đã giao bằng cách khác", t.Reason)
	case Undelivered:
		return reasoned("KHÔNG GIAO ĐƯỢC, đã dừng", t.Reason)
	case Cancelled:
		return reasoned("đã hủy trước khi gửi", t.Reason)
	case Recalled:
		return reasoned("đã thu hồi", t.Reason)
	case Superseded:
		return reasoned("đã thay bằng văn bản khác", t.Reason)
	}
	if e.Kind == EventLater {
		return "chưa gửi được, sẽ gửi lại: " + why(t)
	}
	return ""
}

func (d *Dispatch) tellArrival(t *told, first bool) string {
	switch {
	case d.Way == ByMailbox && first:
		return "đã vào hộp thư của nơi nhận trong hệ thống"
	case t.Proof == "dsn":
		return "đã đến, theo báo phát của máy chủ bên nhận"
	case t.Proof == "act":
		return "đã đến, vì nơi nhận đã thao tác trên văn bản"
	}
	return "đã đến"
}

// why words what stood in a copy's way.
func why(t *told) string {
	switch {
	case t.Reason == "no mailbox":
		return "nơi nhận không có hộp thư điện tử"
	case t.Reason != "":
		return t.Reason
	case t.Proof == "dsn":
		return strings.TrimSpace("máy chủ bên nhận báo không phát được, mã " + t.Status + " " + lastWords(t.Text, 0))
	case t.Host != "" || t.Text != "":
		return "máy chủ bên nhận" + inParentheses(t.Host) + " trả lời: " + lastWords(t.Text, t.Code)
	}
	return "không rõ nguyên nhân"
}

// lastWords is what the other server said in the end: of a dialogue the line with the code that ended it, else the last one.
func lastWords(dialogue string, code int64) string {
	lines := strings.Split(strings.TrimSpace(dialogue), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	for _, line := range slices.Backward(lines) {
		text := strings.TrimSpace(strings.TrimPrefix(line, "<"))
		if code != 0 && strings.HasPrefix(text, fmt.Sprint(code)) {
			last = text
			break
		}
	}
	if r := []rune(oneLine(last)); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return oneLine(last)
}

// tellHandling words what the recipient did, "" where there is nothing to say.
func tellHandling(e bundleEvent, t *told) string {
	number := strings.Trim(string(t.Number), `"`)
	switch e.Kind {
	case EventOpened:
		return "mở xem" + doneBy(e, t)
	case string(Accepted):
		what := "ĐÃ TIẾP NHẬN, chờ số đến"
		if number != "" {
			what = "ĐÃ TIẾP NHẬN, số đến " + number
		}
		if t.On != "" {
			what += ", ngày đến " + dayMonthYear(t.On)
		}
		return what + doneBy(e, t)
	case EventNumbered:
		return "cho số đến " + number + doneBy(e, t)
	case string(Assigned):
		return "phân công giải quyết" + doneBy(e, t)
	case EventReassigned:
		return "phân công lại" + doneBy(e, t)
	case EventInspected:
		return "kiểm tra chữ ký số: " + signing.Status(t.Status).Text() + doneBy(e, t)
	case EventAnswered:
		return "trả lời bằng văn bản số " + oneLine(t.Reference) + doneBy(e, t)
	case EventDamaged:
		return "báo hỏng tệp: " + oneLine(t.What) + doneBy(e, t)
	case EventResent:
		return "gửi lại chính các tệp đó, mã kiểm tra " + shortDigest(t.SHA256)
	case string(InProgress):
		return "đang xử lý" + doneBy(e, t)
	case string(Completed):
		return "hoàn thành" + doneBy(e, t)
	case string(Noted):
		return "đã xem (văn bản để biết)"
	case string(Refused):
		return "TỪ CHỐI, lý do: " + oneLine(t.Reason) + doneBy(e, t)
	case string(Forwarded):
		return reasoned("chuyển tiếp", t.Reason) + doneBy(e, t)
	case EventRecallAsked:
		return "được đề nghị trả lại văn bản" + inParentheses(oneLine(t.Reason))
	case EventRecallRefused:
		return "KHÔNG ĐỒNG Ý trả lại, lý do: " + oneLine(t.Reason) + doneBy(e, t)
	case EventRecallAgreed:
		return "đồng ý trả lại" + doneBy(e, t)
	case EventFetched:
		return "lấy văn bản qua địa chỉ nhận" + inParentheses(e.Actor)
	case EventSigned:
		return "có thư trả lời ký số của " + t.Signer + inParentheses(t.From)
	case EventUnverified:
		return "có thư trả lời chưa xác thực được người gửi" + inParentheses(t.From)
	case EventDeleted:
		return "xóa khỏi hộp thư" + doneBy(e, t)
	}
	return ""
}

func shortDigest(digest string) string { return digest[:min(16, len(digest))] + "…" }

// doneBy tells who acted, and how it is known.
func doneBy(e bundleEvent, t *told) string {
	who := "; người ghi: " + e.Actor
	if strings.Contains(e.Actor, "@") {
		who = "; tài khoản " + e.Actor
	}
	switch {
	case t.EML != "":
		return who + ", bằng thư trả lời"
	case t.Mail > 0:
		return who + ", trong hộp thư"
	}
	return who
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return " (" + oneLine(s) + ")"
}

func reasoned(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + oneLine(reason)
}

// oneLine keeps what others wrote to one line of at most 2,000 letters.
func oneLine(s string) string {
	r := []rune(strings.Join(strings.Fields(viettext.NFC(s)), " "))
	if len(r) > 2000 {
		return string(r[:2000]) + "…"
	}
	return string(r)
}

// dayMonthYear writes a civil date as a clerk does.
func dayMonthYear(civil string) string {
	t, err := time.Parse(time.DateOnly, civil)
	if err != nil {
		return civil
	}
	return t.Format("02/01/2006")
}

// facts is everything that the confirmation says, by which its PDF names it.
func (c *confirmation) facts() (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return record{"confirmation": string(text)}.digest(), nil
}
