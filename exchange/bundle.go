package exchange

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A bundle (bộ chứng cứ) is a ZIP file whose members are stored, not compressed, in the order of the manifest, with the time
// of the checkpoint; the same document at the same checkpoint gives the same bytes, but for a confirmation, which says when it
// was made. Its members:
//
//	MANIFEST           a signed note of the log's key: "congvan evidence bundle 1", "document REFERENCE", "checkpoint EPOCH
//	                   SIZE", then for every other member a line "SHA256  LENGTH  NAME"
//	record.json        the rows: document, lines, files, dispatches (bundleRecord); of a token only its secret's SHA-256
//	events.jsonl       one bundleEvent a line, by chain and ordinal, each with its leaf and inclusion proof (RFC 6962 §2.1.1)
//	checkpoints.jsonl  one bundleCheckpoint a line, by size: for every event the first that covers it, and the newest, to
//	                   which all others have a consistency proof (RFC 6962 §2.1.2)
//	files/NN-NAME      the package as recipients got it
//	raised/NN-NAME     of files whose seals were raised or renewed after the issue the newest form: it begins with the one that
//	                   recipients got and with every form between, which the events name by size and digest
//	seal.json          what the seals were found to be when the bundle was made
//	mail.json          attempts to send copies out, with the servers' words
//	eml/DIGEST.eml     replies and reports that acts came by; their events name the digests
//	GIAY-XAC-NHAN.pdf  the confirmation that a person reads, sealed, and confirmation.json (confirmHead), from which with the
//	                   members above it can be written again; where they were asked for
//	log.pub            names and hashes of the log's keys: to compare with those one has from elsewhere, never to be trusted by themselves
//	HUONG-DAN.txt      how to verify it, in Vietnamese
const (
	bundleTitle    = "congvan evidence bundle 1"
	manifestName   = "MANIFEST"
	recordName     = "record.json"
	eventsName     = "events.jsonl"
	checkpointName = "checkpoints.jsonl"
	sealName       = "seal.json"
	mailName       = "mail.json"
	confirmName    = "GIAY-XAC-NHAN.pdf"
	headName       = "confirmation.json"
	keyName        = "log.pub"
	guideName      = "HUONG-DAN.txt"
)

// A bundleRecord is what record.json holds.
type bundleRecord struct {
	Document   record           `json:"document"`
	ID         DocumentID       `json:"id"`
	State      State            `json:"state"`
	Sealed     string           `json:"sealed"`
	Lines      []record         `json:"lines"`
	Items      []record         `json:"items"`
	Dispatches []bundleDispatch `json:"dispatches"`
}

// A bundleDispatch is the half of a dispatch that never changes: what its genesis covers.
type bundleDispatch struct {
	ID      DispatchID          `json:"id"`
	Unit    recipients.UnitCode `json:"unit"`
	Name    string              `json:"name"`
	Address string              `json:"address"`
	Way     Way                 `json:"way"`
	Line    int                 `json:"line"`
	Purpose string              `json:"purpose"`
	Parent  *DispatchID         `json:"parent,omitempty"`
	Secret  []byte              `json:"secret_sha256"`
}

// A bundleEvent is an event with its place in the log.
type bundleEvent struct {
	Chain   int64            `json:"chain"`
	Ordinal int64            `json:"ordinal"`
	Kind    string           `json:"kind"`
	At      int64            `json:"at"` // microseconds since 1970
	Actor   string           `json:"actor"`
	Detail  string           `json:"detail"`
	Digest  []byte           `json:"digest"`
	Epoch   int64            `json:"epoch"`
	Leaf    int64            `json:"leaf"`
	Proof   tlog.RecordProof `json:"proof"` // to the newest checkpoint
}

// A bundleCheckpoint is a checkpoint with its proof.
type bundleCheckpoint struct {
	Note  string         `json:"note"`
	Stamp []byte         `json:"stamp,omitempty"`
	Proof tlog.TreeProof `json:"proof,omitempty"` // that the newest one continues it; none for the newest
}

// ExportOptions say what goes into a bundle.
type ExportOptions struct {
	Unit recipients.UnitCode // only this recipient's copies; "" for all
	Copy DispatchID          // only this copy; 0 for all
	// Confirm adds the confirmation (giấy xác nhận), which the agency SealAs seals, "" for the issuing one.
	Confirm bool
	SealAs  recipients.UnitCode
	// SealReport judges a sealed file at a time, for the record; nil leaves that out.
	SealReport func(ctx context.Context, pdf []byte, at time.Time) (*signing.Report, error)
}

// Exported says what was written.
type Exported struct {
	Copies, Events int
	Checkpoint     *Checkpoint // the evidence goes as far as this one
}

type member struct {
	name string
	data []byte
}

// Export writes a document's bundle at the newest checkpoint, after taking waiting events into the log and signing it.
func (s *Store) Export(ctx context.Context, w io.Writer, id DocumentID, opt ExportOptions) (*Exported, error) {
	b, err := s.gather(ctx, id, opt)
	if err != nil {
		return nil, fmt.Errorf("export evidence of document %d: %w", id, err)
	}
	if err := b.attach(ctx); err != nil {
		return nil, fmt.Errorf("export evidence of document %d: %w", id, err)
	}
	if opt.Confirm {
		pdf, err := b.confirmation(ctx)
		if err != nil {
			return nil, fmt.Errorf("export evidence of document %d: %w", id, err)
		}
		b.add(confirmName, pdf)
	}
	b.add(keyName, []byte(publicKeys(b.key)))
	b.add(guideName, []byte(guide))
	manifest, err := note.Sign(&note.Note{Text: manifestText(b.record.Document["reference"], b.last.Epoch, b.last.Size, b.members)}, b.key.Signer)
	if err != nil {
		return nil, err
	}
	b.members = slices.Insert(b.members, 0, member{manifestName, manifest})
	return b.exported(), writeZip(w, b.members, time.UnixMicro(b.last.At))
}

// Confirm writes the confirmation of a document's copies alone (giấy xác nhận gửi, nhận văn bản điện tử), a sealed PDF.
func (s *Store) Confirm(ctx context.Context, w io.Writer, id DocumentID, opt ExportOptions) (*Exported, error) {
	b, err := s.gather(ctx, id, opt)
	if err != nil {
		return nil, fmt.Errorf("confirm document %d: %w", id, err)
	}
	pdf, err := b.confirmation(ctx)
	if err != nil {
		return nil, fmt.Errorf("confirm document %d: %w", id, err)
	}
	_, err = w.Write(pdf)
	return b.exported(), err
}

// gather brings the log to its newest checkpoint and reads what is proven by it.
func (s *Store) gather(ctx context.Context, id DocumentID, opt ExportOptions) (*bundler, error) {
	if _, err := s.Document(ctx, id); err != nil { // before anything is signed for nothing
		return nil, err
	}
	key, err := s.logKey()
	if err != nil || key.Signer == nil {
		return nil, errors.Join(&Error{Missing, CodeNoLogKey, ""}, err)
	}
	if _, err := s.Sequence(ctx); err != nil {
		return nil, err
	}
	last, err := s.Checkpoint(ctx)
	if errors.Is(err, ErrStale) { // another node signed meanwhile
		last, err = s.Checkpoint(ctx)
	}
	if err != nil {
		return nil, err
	}
	if last == nil {
		return nil, errors.New("the log is empty")
	}
	b := &bundler{s: s, opt: opt, key: key, last: last}
	return b, s.db.Read(ctx, func(tx *sqldb.Tx) error { return b.read(ctx, tx, id) })
}

func (b *bundler) exported() *Exported {
	return &Exported{len(b.record.Dispatches), len(b.events), b.last}
}

// publicKeys names the keys by name and hash, as notes do.
func publicKeys(k *LogKey) string {
	var out strings.Builder
	for _, v := range k.Known {
		fmt.Fprintf(&out, "%s+%08x\n", v.Name(), v.KeyHash())
	}
	return out.String()
}

func manifestText(reference string, epoch, size int64, members []member) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s\ndocument %s\ncheckpoint %d %d\n", bundleTitle, reference, epoch, size)
	for _, m := range members {
		fmt.Fprintf(&t, "%x  %d  %s\n", sha256.Sum256(m.data), len(m.data), m.name)
	}
	return t.String()
}

// writeZip writes members so that equal ones give equal bytes.
func writeZip(w io.Writer, members []member, at time.Time) error {
	z := zip.NewWriter(w)
	for _, m := range members {
		f, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Store, Modified: at.UTC().Truncate(2 * time.Second)})
		if err != nil {
			return err
		}
		if _, err := f.Write(m.data); err != nil {
			return err
		}
	}
	return z.Close()
}

// A bundler gathers one bundle.
type bundler struct {
	s       *Store
	opt     ExportOptions
	key     *LogKey
	last    *Checkpoint
	record  bundleRecord
	events  []bundleEvent
	items   []Item
	secrets []string // of tokens
	members []member
}

func (b *bundler) add(name string, data []byte) { b.members = append(b.members, member{name, data}) }

func (b *bundler) addLines(name string, n int, line func(int) any) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for i := range n {
		if err := e.Encode(line(i)); err != nil {
			return err
		}
	}
	b.add(name, out.Bytes())
	return nil
}

// read takes rows, events and proofs from one snapshot, as far as the checkpoint goes.
func (b *bundler) read(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	doc, err := document(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := b.rows(ctx, tx, doc); err != nil {
		return err
	}
	if err := b.journal(ctx, tx, id); err != nil {
		return err
	}
	t := newTiles(tx)
	for i := range b.events {
		e := &b.events[i]
		if e.Proof, err = tlog.ProveRecord(b.last.Size, e.Leaf, t.reader(ctx)); err != nil {
			return err
		}
	}
	if err := b.addLines(recordName, 1, func(int) any { return b.record }); err != nil {
		return err
	}
	if err := b.addLines(eventsName, len(b.events), func(i int) any { return b.events[i] }); err != nil {
		return err
	}
	return b.checkpoints(ctx, tx, t)
}

func (b *bundler) rows(ctx context.Context, tx *sqldb.Tx, doc *Document) error {
	b.record = bundleRecord{ID: doc.ID, State: doc.State, Sealed: string(doc.SealedPDF), Dispatches: []bundleDispatch{}}
	docs, err := records(ctx, tx, documentMoves, `SELECT * FROM document WHERE id = $1`, doc.ID)
	if err != nil {
		return err
	}
	b.record.Document = docs[0]
	if b.record.Lines, err = records(ctx, tx, lineKeys, `SELECT * FROM recipient_line WHERE document_id = $1 ORDER BY ordinal`, doc.ID); err != nil {
		return err
	}
	if b.record.Items, err = records(ctx, tx, itemKeys, `SELECT * FROM package_item WHERE document_id = $1 ORDER BY ordinal`, doc.ID); err != nil {
		return err
	}
	if b.items, err = items(ctx, tx, doc.ID); err != nil {
		return err
	}
	var copies []Dispatch
	least, greatest := doc.ID.span()
	err = tx.SelectContext(ctx, &copies, `SELECT `+dispatchColumns+` FROM dispatch WHERE id BETWEEN $1 AND $2 AND ($3 = '' OR unit = $3)
		AND ($4 = 0 OR id = $4) ORDER BY id`, least, greatest, string(b.opt.Unit), int64(b.opt.Copy))
	for _, d := range copies {
		secret := sha256.Sum256([]byte(d.Secret))
		b.secrets = append(b.secrets, d.Secret)
		b.record.Dispatches = append(b.record.Dispatches, bundleDispatch{d.ID, d.Unit, d.Name, d.Address, d.Way, d.Line, d.Purpose, d.Parent, secret[:]})
	}
	if err == nil && len(copies) == 0 && (b.opt.Unit != "" || b.opt.Copy != 0) {
		return &Error{Missing, CodeNoDispatch, cmp.Or(string(b.opt.Unit), fmt.Sprint(int64(b.opt.Copy)))}
	}
	return err
}

// journal reads the events under the checkpoint and finds their leaves.
func (b *bundler) journal(ctx context.Context, tx *sqldb.Tx, id DocumentID) error {
	chains := map[int64]bool{id.chain(): true}
	for _, d := range b.record.Dispatches {
		chains[int64(d.ID)] = true
	}
	var events []Event
	_, greatest := id.span()
	err := tx.SelectContext(ctx, &events, `SELECT chain, ordinal, kind, at, actor, detail, digest FROM event WHERE chain BETWEEN $1 AND $2
		ORDER BY chain, ordinal`, id.chain(), greatest)
	if err != nil {
		return err
	}
	type place struct{ epoch, leaf int64 }
	places := map[eventKey]place{}
	rows, err := tx.QueryxContext(ctx, `SELECT first, epoch, runs FROM log_batch WHERE first < $1 ORDER BY first`, b.last.Size)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var leaf, epoch int64
		var packed []byte
		if err := rows.Scan(&leaf, &epoch, &packed); err != nil {
			return err
		}
		runs, err := decodeRuns(packed)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r.Chain <= greatest && r.Chain+r.Chains > id.chain() {
				at := leaf
				r.each(func(chain, ordinal int64) error {
					places[eventKey{chain, ordinal}] = place{epoch, at}
					at++
					return nil
				})
			}
			leaf += r.len()
		}
	}
	for _, e := range events {
		p, ok := places[eventKey{e.Chain, e.Ordinal}]
		if ok && p.leaf < b.last.Size && chains[e.Chain] {
			b.events = append(b.events, bundleEvent{e.Chain, e.Ordinal, e.Kind, e.At, e.Actor, e.Detail, e.Digest, p.epoch, p.leaf, nil})
		}
	}
	return rows.Err()
}

// checkpoints adds the first checkpoint over each event, and the newest.
func (b *bundler) checkpoints(ctx context.Context, tx *sqldb.Tx, t *tiles) error {
	var all []Checkpoint
	err := tx.SelectContext(ctx, &all, `SELECT `+checkpointColumns+` FROM checkpoint WHERE size <= $1 ORDER BY size, epoch`, b.last.Size)
	if err != nil {
		return err
	}
	want := map[int64]bool{b.last.Size: true}
	for _, e := range b.events {
		i, _ := slices.BinarySearchFunc(all, e.Leaf+1, func(c Checkpoint, n int64) int { return int(min(1, max(-1, c.Size-n))) })
		if i < len(all) {
			want[all[i].Size] = true
		}
	}
	var out []bundleCheckpoint
	for _, c := range all {
		if !want[c.Size] {
			continue
		}
		bc := bundleCheckpoint{Note: c.Note, Stamp: c.Stamp}
		if c.Size < b.last.Size {
			if bc.Proof, err = tlog.ProveTree(b.last.Size, c.Size, t.reader(ctx)); err != nil {
				return err
			}
		}
		out = append(out, bc)
	}
	return b.addLines(checkpointName, len(out), func(i int) any { return out[i] })
}

// attach adds what lies outside the database: files, mails, and the words of other servers.
func (b *bundler) attach(ctx context.Context) error {
	reports := map[string]*signing.Report{}
	story := storyIn(b.events, b.record.ID)
	for _, it := range b.items {
		data, err := b.s.Bytes(it.Travels())
		if err != nil {
			return err
		}
		name := fileMember(it.Ordinal, it.FileName)
		b.add(name, data)
		if newest := story.newest(it); newest != it.Travels() {
			if data, err = b.s.Bytes(newest); err != nil {
				return err
			}
			name = raisedMember(it.Ordinal, it.FileName)
			b.add(name, data)
		}
		if b.opt.SealReport != nil && it.Sealed != "" {
			if reports[name], err = b.opt.SealReport(ctx, data, time.UnixMicro(b.last.At)); err != nil {
				return err
			}
		}
	}
	if err := b.addLines(sealName, 1, func(int) any { return reports }); err != nil {
		return err
	}
	tries, err := b.tries(ctx)
	if err != nil {
		return err
	}
	if err := b.addLines(mailName, 1, func(int) any { return tries }); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range b.events {
		digest := emlOf(e.Detail)
		if digest == "" || seen[digest] {
			continue
		}
		seen[digest] = true
		data, err := b.s.Bytes(blob.Digest(digest))
		if err != nil {
			return fmt.Errorf("mail of event %d of chain %d: %w", e.Ordinal, e.Chain, err)
		}
		b.add("eml/"+digest+".eml", data)
	}
	return nil
}

// tries are the attempts to send copies out, without the secrets that vouch for replies.
func (b *bundler) tries(ctx context.Context) ([]mailcore.Try, error) {
	var ids []mailcore.OutboxID
	for _, e := range b.events {
		var v struct{ Outbox mailcore.OutboxID }
		if json.Unmarshal([]byte(e.Detail), &v) == nil && v.Outbox > 0 {
			ids = append(ids, v.Outbox)
		}
	}
	slices.Sort(ids)
	tries, err := b.s.Mail.TriesOf(ctx, slices.Compact(ids), b.last.At)
	for i := range tries {
		for _, secret := range b.secrets {
			tries[i].Dialogue = strings.ReplaceAll(tries[i].Dialogue, secret, masked)
		}
	}
	return tries, err
}

func emlOf(detail string) string {
	var v struct{ EML string }
	if json.Unmarshal([]byte(detail), &v) != nil || len(v.EML) != 64 {
		return ""
	}
	if _, err := hex.DecodeString(v.EML); err != nil {
		return ""
	}
	return v.EML
}

// fileMember is the name of a file of the package inside the bundle.
func fileMember(ordinal int, name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == '/' || r == '\\' || r == ':' {
			return '-'
		}
		return r
	}, name)
	return fmt.Sprintf("files/%02d-%s", ordinal, name)
}

// raisedMember is the name of the newest form of a file whose seal was raised.
func raisedMember(ordinal int, name string) string {
	return raisedFolder + strings.TrimPrefix(fileMember(ordinal, name), "files/")
}

const raisedFolder = "raised/"

// storyIn is what a bundle's events tell of the document's seals.
func storyIn(events []bundleEvent, id DocumentID) sealStory {
	var own []Event
	for _, e := range events {
		if e.Chain == id.chain() {
			own = append(own, Event{Kind: e.Kind, At: e.At, Detail: e.Detail})
		}
	}
	return sealStoryOf(own)
}

const guide = `BỘ CHỨNG CỨ GỬI, NHẬN VĂN BẢN ĐIỆN TỬ

Kiểm tra không cần mạng, trên máy bất kỳ có chương trình congvan:

    congvan verify TỆP.zip --roots CHỨNG-THƯ-GỐC.pem --log-key KHÓA-NHẬT-KÝ.pub

Chứng thư gốc và khóa công khai của nhật ký phải lấy từ cơ quan có thẩm quyền, không lấy từ trong tệp này: ai sửa được
tệp thì cũng thay được khóa nằm trong tệp.

  MANIFEST            danh mục các tệp, có chữ ký của nhật ký
  record.json         văn bản, nơi nhận, các bản gửi
  events.jsonl        các sự kiện, mỗi sự kiện kèm chứng minh nằm trong nhật ký
  checkpoints.jsonl   các điểm chốt của nhật ký đã ký số, kèm dấu thời gian nếu có
  files/              văn bản và phụ lục đúng như nơi nhận đã nhận
  raised/             các tệp ấy có thêm dấu thời gian, dữ liệu xác minh bổ sung sau khi phát hành (nếu có)
  seal.json           kết quả kiểm tra chữ ký số lúc lập bộ chứng cứ
  mail.json           lời trao đổi giữa các máy chủ thư
  GIAY-XAC-NHAN.pdf   giấy xác nhận gửi, nhận để đọc và in, có ký số của cơ quan
  eml/                thư trả lời và báo phát, nguyên văn
`

// dispatch makes a Dispatch of what the bundle tells, to fold its events over.
func (d *bundleDispatch) dispatch(doc DocumentID) Dispatch {
	return Dispatch{ID: d.ID, Document: doc, Unit: d.Unit, Name: d.Name, Address: d.Address, Way: d.Way, Line: d.Line, Purpose: d.Purpose, Parent: d.Parent}
}
