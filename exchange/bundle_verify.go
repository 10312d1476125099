package exchange

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/signing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Bounds on a bundle from outside. Members are stored, so a small file cannot grow.
const (
	maxBundle  = 512 << 20
	maxMembers = 10000
)

// Trust is what the verifier of a bundle brings along; nothing in the bundle is trusted by itself.
type Trust struct {
	Roots    *x509.CertPool  // of seals and time stamps
	TSARoots *x509.CertPool  // of time stamps alone, beside Roots; may be nil
	LogKeys  []note.Verifier // of the log
}

// A BundleReport says what a bundle proves.
type BundleReport struct {
	Kind       string         `json:"kind"` // "evidence"
	Status     signing.Status `json:"status"`
	Reason     string         `json:"reason"`
	Reference  string         `json:"reference,omitempty"`
	Issuer     string         `json:"issuer,omitempty"`
	Checkpoint int64          `json:"checkpoint,omitempty"` // leaves of the log
	StampedAt  *time.Time     `json:"stamped_at,omitempty"` // by a trusted time stamp authority: all of this existed by then
	Checks     []BundleCheck  `json:"checks"`
	Copies     []BundleCopy   `json:"copies"`
	NotProven  []string       `json:"not_proven"`
}

// A BundleCheck is one question answered.
type BundleCheck struct {
	Name string `json:"name"` // Vietnamese
	signing.Check
}

// A BundleCopy is how far a copy had come, by its events.
type BundleCopy struct {
	Unit      string    `json:"unit"`
	Name      string    `json:"name"`
	Transport Transport `json:"transport"`
	Handling  Handling  `json:"handling"`
}

func (r *BundleReport) add(name string, answer signing.Answer, code, format string, args ...any) {
	r.Checks = append(r.Checks, BundleCheck{name, signing.Check{Answer: answer, Code: code, Reason: fmt.Sprintf(format, args...)}})
}

func (r *BundleReport) failf(name, code, format string, args ...any) {
	r.add(name, signing.Failed, code, format, args...)
}

// conclude: one failed check makes the bundle invalid, one unknown indeterminate.
func (r *BundleReport) conclude() {
	r.Status, r.Reason = signing.Valid, "Bộ chứng cứ nguyên vẹn và khớp với nhật ký đã ký số."
	for _, c := range r.Checks {
		switch {
		case c.Answer == signing.Failed:
			r.Status, r.Reason = signing.Invalid, c.Name+": "+c.Reason
			return
		case c.Answer != signing.Passed && r.Status == signing.Valid:
			r.Status, r.Reason = signing.Indeterminate, c.Name+": "+c.Reason
		}
	}
}

// IsBundle reports whether the bytes begin like a bundle.
func IsBundle(data []byte) bool {
	return len(data) > 38 && string(data[:4]) == "PK\x03\x04" && string(data[30:38]) == manifestName
}

// A bundleReader is a bundle being verified.
type bundleReader struct {
	*BundleReport
	trust   Trust
	members map[string][]byte
	record  bundleRecord
	events  []bundleEvent
	newest  *treeHead
	stamped *time.Time // by the newest checkpoint's stamp, whoever made it
	proofAt time.Time  // when the seals are judged
}

// VerifyBundle answers what a bundle proves, offline. It never fails: what cannot be read is a failed check.
func VerifyBundle(ctx context.Context, data []byte, trust Trust) *BundleReport {
	r := &bundleReader{BundleReport: &BundleReport{Kind: "evidence", Checks: []BundleCheck{}, Copies: []BundleCopy{}, NotProven: notProven}, trust: trust}
	if r.open(data) && r.readMembers() && r.checkpoints() {
		r.journal()
		r.rows()
		r.files(ctx)
		r.mails()
		r.confirmation(ctx)
	}
	r.conclude()
	return r.BundleReport
}

// notProven is said with every bundle.
var notProven = []string{
	"\"Máy chủ bên nhận đã lấy\" chỉ chứng minh máy chủ thư bên nhận đã nhận thư, không chứng minh có người đã đọc.",
	"Việc của nơi nhận được ghi theo tài khoản và mật khẩu của đơn vị; bộ chứng cứ không chứng minh ai ngồi trước máy.",
	"Giờ của từng sự kiện là giờ của cổng trao đổi; dấu thời gian, nếu có, chỉ chứng minh mọi việc đã xảy ra trước giờ đó.",
}

const containerCheck = "Tệp chứng cứ"

// open reads the ZIP, takes its one way of being written only, and compares all members with the signed manifest.
func (r *bundleReader) open(data []byte) bool {
	members, at, err := readZip(data)
	if err != nil {
		r.failf(containerCheck, "damaged", "Không phải bộ chứng cứ, hoặc đã hỏng: %v.", err)
		return false
	}
	n, err := note.Open(members[0].data, note.VerifierList(r.trust.LogKeys...))
	var unknown *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unknown):
		n = unknown.Note
		r.add("Chữ ký của danh mục", signing.Unknown, "unknown_key", "Chưa chỉ định khóa công khai của nhật ký, hoặc danh mục do khóa khác ký; không tin khóa nằm trong tệp.")
	case err != nil:
		r.failf("Chữ ký của danh mục", "signature", "%s đã bị sửa: %v.", manifestName, err)
		return false
	default:
		r.add("Chữ ký của danh mục", signing.Passed, "signed", "Danh mục do khóa %s ký.", n.Sigs[0].Name)
	}
	r.members = map[string][]byte{}
	want := map[string]bool{}
	for line := range strings.Lines(n.Text) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), "  ", 3); len(f) == 3 {
			want[f[2]] = true
		}
	}
	good := true
	for _, m := range members[1:] {
		r.members[m.name] = m.data
		line := fmt.Sprintf("\n%x  %d  %s\n", sha256.Sum256(m.data), len(m.data), m.name)
		if !strings.Contains(n.Text, line) {
			r.failf(containerCheck, "member_changed", "Tệp %q đã bị sửa hoặc được thêm vào.", m.name)
			good = false
		}
		delete(want, m.name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		r.failf(containerCheck, "member_missing", "Thiếu tệp %q.", name)
		good = false
	}
	var again bytes.Buffer
	if err := writeZip(&again, members, at); good && (err != nil || !bytes.Equal(again.Bytes(), data)) {
		r.failf(containerCheck, "container", "Vỏ tệp ZIP đã bị sửa (các tệp bên trong còn nguyên).")
		good = false
	}
	if good {
		r.add(containerCheck, signing.Passed, "intact", "Đủ %d tệp, đúng như danh mục.", len(members))
	}
	return good
}

func readZip(data []byte) ([]member, time.Time, error) {
	if len(data) > maxBundle {
		return nil, time.Time{}, fmt.Errorf("lớn hơn %d MB", maxBundle>>20)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, time.Time{}, errors.New("vỏ tệp ZIP không đọc được")
	}
	if len(z.File) == 0 || len(z.File) > maxMembers || z.File[0].Name != manifestName {
		return nil, time.Time{}, errors.New("thiếu " + manifestName)
	}
	seen, total := map[string]bool{}, 0
	var out []member
	for _, f := range z.File {
		if f.Method != zip.Store || f.UncompressedSize64 > uint64(len(data)) || seen[f.Name] {
			return nil, time.Time{}, fmt.Errorf("tệp %q được nén, trùng tên hoặc quá lớn", f.Name)
		}
		seen[f.Name] = true
		rc, err := f.Open()
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("không đọc được tệp %q", f.Name)
		}
		b, err := io.ReadAll(io.LimitReader(rc, int64(len(data))))
		rc.Close()
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("tệp %q đã bị sửa", f.Name)
		}
		if total += len(b); total > len(data) {
			return nil, time.Time{}, errors.New("các tệp chồng lên nhau")
		}
		out = append(out, member{f.Name, b})
	}
	return out, z.File[0].Modified, nil
}

// readMembers parses what is checked further.
func (r *bundleReader) readMembers() bool {
	if err := json.Unmarshal(r.members[recordName], &r.record); err != nil {
		r.failf(containerCheck, "damaged", "%s: %v.", recordName, err)
		return false
	}
	d := json.NewDecoder(bytes.NewReader(r.members[eventsName]))
	for d.More() {
		var e bundleEvent
		if err := d.Decode(&e); err != nil {
			r.failf(containerCheck, "damaged", "%s: %v.", eventsName, err)
			return false
		}
		r.events = append(r.events, e)
	}
	r.Reference, r.Issuer = r.record.Document["reference"], r.record.Document["agency"]
	return true
}

const checkpointCheck = "Điểm chốt của nhật ký"

// checkpoints verifies signatures, that each goes on where the ones before ended, and time stamps.
func (r *bundleReader) checkpoints() bool {
	var all []bundleCheckpoint
	d := json.NewDecoder(bytes.NewReader(r.members[checkpointName]))
	for d.More() {
		var c bundleCheckpoint
		if err := d.Decode(&c); err != nil {
			r.failf(checkpointCheck, "damaged", "%s: %v.", checkpointName, err)
			return false
		}
		all = append(all, c)
	}
	heads := make([]*treeHead, len(all))
	signed := true
	for i, c := range all {
		h, err := openCheckpoint(c.Note, r.trust.LogKeys)
		if h == nil || err != nil && !errors.Is(err, errUnknownKey) {
			r.failf(checkpointCheck, "signature", "Điểm chốt thứ %d: chữ ký sai hoặc đã bị sửa.", i+1)
			return false
		}
		signed, heads[i] = signed && err == nil, h
	}
	if len(heads) == 0 {
		r.failf(checkpointCheck, "missing", "Không có điểm chốt nào.")
		return false
	}
	r.newest = heads[len(heads)-1]
	r.stamped = stampTime(all[len(all)-1].Note, all[len(all)-1].Stamp)
	r.Checkpoint, r.proofAt = r.newest.size, time.Now()
	for i, h := range heads[:len(heads)-1] {
		if next := heads[i+1]; next.size < h.size || next.size == h.size && next.origin == h.origin {
			r.failf(checkpointCheck, "order", "Điểm chốt thứ %d lặp lại hoặc sai thứ tự.", i+2)
			return false
		}
		if err := tlog.CheckTree(all[i].Proof, r.newest.size, r.newest.root, h.size, h.root); err != nil {
			r.failf(checkpointCheck, "consistency", "Điểm chốt %d không phải là phần đầu của nhật ký tại điểm chốt %d.", h.size, r.newest.size)
			return false
		}
	}
	if signed {
		r.add(checkpointCheck, signing.Passed, "signed", "%d điểm chốt đã ký, điểm sau nối tiếp điểm trước; điểm cuối có %d sự kiện.", len(heads), r.newest.size)
	} else {
		r.add(checkpointCheck, signing.Unknown, "unknown_key", "Chưa chỉ định khóa công khai của nhật ký, hoặc điểm chốt do khóa khác ký.")
	}
	r.stamps(all)
	return true
}

// stamps looks for the earliest trusted time stamp over a checkpoint that covers all events.
func (r *bundleReader) stamps(all []bundleCheckpoint) {
	some := false
	for _, c := range slices.Backward(all) {
		if c.Stamp == nil {
			continue
		}
		some = true
		digest := sha256.Sum256([]byte(c.Note))
		s, err := signing.VerifyTimestamp(c.Stamp, digest[:], r.trust.Roots)
		if err == nil && !s.Trusted && r.trust.TSARoots != nil {
			s, err = signing.VerifyTimestamp(c.Stamp, digest[:], r.trust.TSARoots)
		}
		if err != nil {
			r.failf("Dấu thời gian", "stamp", "Dấu thời gian không khớp với điểm chốt: %v.", err)
			return
		}
		if s.Trusted {
			r.StampedAt, r.proofAt = &s.Time, s.Time
			r.add("Dấu thời gian", signing.Passed, "stamped", "%s xác nhận nhật ký đã có lúc %s.", s.Authority, s.Time.In(hanoi).Format("15:04:05 ngày 02/01/2006"))
			return
		}
	}
	if some {
		r.add("Dấu thời gian", signing.Unknown, "untrusted", "Có dấu thời gian, nhưng chứng thư của nơi cấp không thuộc các chứng thư gốc được chỉ định.")
	} else {
		r.NotProven = append(slices.Clone(r.NotProven), "Không có dấu thời gian của bên thứ ba: thời điểm chỉ theo đồng hồ của cổng trao đổi.")
	}
}

const eventCheck = "Sự kiện"

// journal verifies the chains, the leaves and the moves.
func (r *bundleReader) journal() {
	byChain := map[int64][]bundleEvent{}
	for i, e := range r.events {
		if i > 0 && cmp.Or(cmp.Compare(r.events[i-1].Chain, e.Chain), cmp.Compare(r.events[i-1].Ordinal, e.Ordinal)) >= 0 {
			r.failf(eventCheck, "order", "Sự kiện %d của %s lặp lại hoặc sai thứ tự.", e.Ordinal, chainWords(e.Chain))
			return
		}
		if err := tlog.CheckRecord(e.Proof, r.newest.size, r.newest.root, e.Leaf, leafHash(e.Epoch, e.Chain, e.Ordinal, e.Digest)); err != nil {
			r.failf(eventCheck, "not_in_log", "Sự kiện %d của %s không nằm trong nhật ký.", e.Ordinal, chainWords(e.Chain))
			return
		}
		byChain[e.Chain] = append(byChain[e.Chain], e)
	}
	prev, issue := make([]byte, 32), []byte(nil)
	own := byChain[r.record.ID.chain()]
	for i, e := range own {
		if !e.follows(int64(i), prev) {
			r.failf(eventCheck, "chain", "Chuỗi sự kiện của văn bản đứt ở sự kiện %d.", i)
			return
		}
		if prev = e.Digest; e.Kind == string(Issued) {
			issue = e.Digest
		}
	}
	delete(byChain, r.record.ID.chain())
	for _, d := range r.record.Dispatches {
		if !r.copyEvents(d, byChain[int64(d.ID)], issue) {
			return
		}
		delete(byChain, int64(d.ID))
	}
	if len(byChain) > 0 || len(own) == 0 {
		r.failf(eventCheck, "stray", "Có sự kiện của bản gửi không có trong %s, hoặc thiếu sự kiện của văn bản.", recordName)
		return
	}
	r.add(eventCheck, signing.Passed, "in_log", "%d sự kiện, nối thành chuỗi, đều nằm trong nhật ký.", len(r.events))
}

func (e *bundleEvent) follows(ordinal int64, prev []byte) bool {
	x := Event{e.Chain, e.Ordinal, e.Kind, e.At, e.Actor, e.Detail, nil}
	return e.Ordinal == ordinal && bytes.Equal(x.digest(prev), e.Digest)
}

func (r *bundleReader) copyEvents(bd bundleDispatch, events []bundleEvent, issue []byte) bool {
	d := bd.dispatch(r.record.ID)
	prev := d.genesisOf(issue, bd.Secret)
	for i, e := range events {
		if !e.follows(int64(i), prev) {
			r.failf(eventCheck, "chain", "Bản gửi %s (%s): thông tin nơi nhận hoặc sự kiện %d đã bị sửa.", d.Unit, d.Name, i)
			return false
		}
		var err error
		if d.Transport, d.Handling, err = d.moved(e.Kind); err == nil {
			d.Recall, err = d.recallAfter(e.Kind)
		}
		if err != nil {
			r.failf(eventCheck, "move", "Bản gửi %s (%s): sự kiện %d không thể xảy ra: %v.", d.Unit, d.Name, i, err)
			return false
		}
		prev = e.Digest
	}
	r.Copies = append(r.Copies, BundleCopy{string(d.Unit), d.Name, d.Transport, d.Handling})
	return true
}

const rowCheck = "Văn bản và nơi nhận"

// rows compares the record with what the event of registering keeps.
func (r *bundleReader) rows() {
	state, sealed := "", ""
	var kept bool
	for _, e := range r.events {
		if e.Chain != r.record.ID.chain() {
			continue
		}
		s := saidBy(Event{Detail: e.Detail})
		if isState(e.Kind) {
			state = e.Kind
		}
		if e.Kind == string(Sealed) {
			sealed = s.SHA256
		}
		if s.Record != nil {
			kept = true
			lines := map[string]string{}
			json.Unmarshal(s.Lines, &lines)
			if !maps.Equal(s.Record, r.record.Document) || !sameDigests(lines, r.record.Lines) {
				r.failf(rowCheck, "changed", "%s khác với những gì đã ghi lúc vào sổ.", recordName)
				return
			}
		}
		if s.Items != nil && !sameDigests(s.Items, r.record.Items) {
			r.failf(rowCheck, "changed", "Danh sách tệp của văn bản khác với lúc phát hành.")
			return
		}
	}
	if state != string(r.record.State) || sealed != r.record.Sealed {
		r.failf(rowCheck, "changed", "Trạng thái hoặc mã băm của bản ký số khác với sự kiện.")
		return
	}
	if !kept {
		r.add(rowCheck, signing.Unknown, "not_kept", "Văn bản vào sổ trước khi hệ thống ghi đủ dữ liệu này vào sự kiện.")
		return
	}
	r.add(rowCheck, signing.Passed, "kept", "Dữ liệu văn bản và %d dòng nơi nhận đúng như đã ghi lúc vào sổ.", len(r.record.Lines))
}

func sameDigests(want map[string]string, rows []record) bool {
	if len(want) != len(rows) {
		return false
	}
	for _, row := range rows {
		ordinal := row["ordinal"]
		if ordinal == "" {
			ordinal = "0"
		}
		if want[ordinal] != row.digest() {
			return false
		}
	}
	return true
}

// files compares the package's bytes with its digests and judges the seals.
func (r *bundleReader) files(ctx context.Context) {
	story := storyIn(r.events, r.record.ID)
	want := map[string]bool{}
	for _, it := range r.record.Items {
		ordinal, _ := strconv.Atoi(it["ordinal"])
		name := fileMember(ordinal, it["file_name"])
		digest := it["sealed"]
		if digest == "" {
			digest = it["original"]
		}
		data := r.members[name]
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != digest || ordinal == 0 && digest != r.record.Sealed && r.record.Sealed != "" {
			r.failf("Tệp văn bản", "bytes", "%q không phải là tệp đã gửi.", name)
			return
		}
		if it["sealed"] == "" {
			r.add("Tệp văn bản", signing.Passed, "bytes", "%q đúng từng byte như đã gửi (không mang chữ ký số riêng).", name)
			continue
		}
		if more := raisedMember(ordinal, it["file_name"]); story.newestOf(ordinal) != "" {
			want[more] = true
			newest := r.members[more]
			if !r.raised(&story, ordinal, more, blob.Digest(digest), data, newest) {
				return
			}
			name, data = more, newest // it has the same seal, and what later proves it by
		}
		r.seal(ctx, "Chữ ký số của văn bản", name, data)
	}
	for name := range r.members {
		if strings.HasPrefix(name, raisedFolder) && !want[name] {
			r.failf(raisedCheck, "stray", "Không sự kiện nào nói đến tệp %q.", name)
		}
	}
}

const raisedCheck = "Nâng mức chữ ký số"

// raised proves by the newest form of a file every step that events tell of, and that nothing of what was sent changed.
func (r *bundleReader) raised(story *sealStory, ordinal int, name string, from blob.Digest, sent, newest []byte) bool {
	if !bytes.HasPrefix(newest, sent) {
		r.failf(raisedCheck, "prefix", "%q thiếu, hoặc không mở đầu bằng đúng tệp đã gửi.", name)
		return false
	}
	var last Raised
	for _, n := range story.raises {
		for _, f := range n.Files {
			if f.Ordinal != ordinal {
				continue
			}
			if wrong := raisedStep(f, from, newest); wrong != "" {
				r.failf(raisedCheck, "step", "%q khác với sự kiện nâng mức lúc %s.", name, confirmTime(n.At))
				return false
			}
			from, last = f.SHA256, n
			if f.SHA256 == story.newestOf(ordinal) && f.Size != int64(len(newest)) {
				r.failf(raisedCheck, "step", "%q dài hơn tệp mà sự kiện nâng mức lúc %s đã ghi.", name, confirmTime(n.At))
				return false
			}
		}
	}
	r.add(raisedCheck, signing.Passed, "raised", "%q mở đầu bằng đúng tệp đã gửi; chữ ký số ở mức %s từ %s.", name, last.Level, confirmTime(last.At))
	return true
}

func (r *bundleReader) seal(ctx context.Context, check, name string, data []byte) {
	opt := signing.VerifyOptions{Roots: r.trust.Roots, TSARoots: r.trust.Roots, At: r.proofAt}
	report, err := signing.Verify(ctx, data, opt)
	if err == nil && report.Overall() == signing.Indeterminate && r.trust.TSARoots != nil { // its time stamp may be of that authority
		opt.TSARoots = r.trust.TSARoots
		if again, e := signing.Verify(ctx, data, opt); e == nil && again.Overall() == signing.Valid {
			report = again
		}
	}
	switch {
	case err != nil:
		r.failf(check, "unreadable", "%q: %v.", name, err)
	case report.Overall() == signing.Valid:
		r.add(check, signing.Passed, "valid", "%q: %s", name, report.Reason)
	case report.Overall() == signing.Invalid:
		r.failf(check, report.Code, "%q: %s", name, report.Reason)
	default:
		r.add(check, signing.Unknown, report.Code, "%q: %s", name, report.Reason)
	}
}

const mailCheck = "Thư trả lời và lời máy chủ"

// mails compares the replies and reports with the digests in the events, and the dialogues with what events say of them.
func (r *bundleReader) mails() {
	want := map[string]bool{}
	for _, e := range r.events {
		if d := emlOf(e.Detail); d != "" {
			want[d] = true
		}
	}
	for d := range want {
		if fmt.Sprintf("%x", sha256.Sum256(r.members["eml/"+d+".eml"])) != d {
			r.failf(mailCheck, "bytes", "Thiếu hoặc sai thư eml/%s.eml.", d)
			return
		}
	}
	for name := range r.members {
		if d, ok := strings.CutPrefix(name, "eml/"); ok && !want[strings.TrimSuffix(d, ".eml")] {
			r.failf(mailCheck, "stray", "Không sự kiện nào nói đến thư %s.", name)
			return
		}
	}
	var tries []mailcore.Try
	if err := json.Unmarshal(r.members[mailName], &tries); err != nil {
		r.failf(mailCheck, "damaged", "%s: không đọc được.", mailName)
		return
	}
	for _, e := range r.events {
		if a := askedOf(Event{Kind: e.Kind, Detail: e.Detail}); a != nil && !a.take(&tries) {
			r.failf(mailCheck, "dialogue", "%s khác với lời máy chủ mà sự kiện %d của %s đã ghi.", mailName, e.Ordinal, chainWords(e.Chain))
			return
		}
	}
	if len(want) > 0 {
		r.add(mailCheck, signing.Passed, "bytes", "%d thư trả lời, báo phát đúng nguyên văn.", len(want))
	}
}

// chainWords tells whoever verifies whose chain it is.
func chainWords(chain int64) string {
	if chain == chain>>copyBits<<copyBits {
		return "văn bản"
	}
	return fmt.Sprintf("bản gửi %d", chain)
}
