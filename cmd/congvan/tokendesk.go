package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"congvan/mailcore/viettext"
	"congvan/signing"
)

// Files of a desk: whom it is paired with, its own key for the connection, and what is being signed, to look at.
const (
	deskSettingsFile = "token.json"
	deskOwnKeyFile   = "connection.pem"
	deskShowDir      = "cho-ky"
)

// deskSettings are what a desk keeps. The key that signs stays where it is; its PIN or password is asked for each time.
type deskSettings struct {
	Gateway string   `json:"gateway"` // host:port
	Pin     string   `json:"pin"`     // fingerprint of the gateway's key
	Unit    string   `json:"unit"`
	Agency  string   `json:"agency"`
	Key     string   `json:"key"` // "pkcs11:…", or a PKCS#12 file
	Chain   [][]byte `json:"chain"`
}

// A signingDesk is the clerk's computer: congvan token.
type signingDesk struct {
	home string
	s    *streams
	set  deskSettings
	own  tls.Certificate
	pin  func(signing.PINRequest) (string, error)
}

func openSigningDesk(home string, s *streams) (*signingDesk, error) {
	d := &signingDesk{home: home, s: s, pin: s.pinAsker()}
	if d.pin == nil {
		return nil, &hintError{errors.New("không có màn hình để nhập mã PIN"), "chạy congvan token trong cửa sổ dòng lệnh"}
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	name, _ := os.Hostname()
	var err error
	if d.own, err = wireKey(filepath.Join(home, deskOwnKeyFile), name); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *signingDesk) load() error {
	b, err := readSecret(filepath.Join(d.home, deskSettingsFile))
	if err == nil {
		err = json.Unmarshal([]byte(b), &d.set)
	}
	if err != nil {
		return &hintError{fmt.Errorf("máy này chưa ghép đôi với máy chủ (%w)", err), "hỏi quản trị mã ghép đôi (congvan token pair), rồi chạy: congvan token join MÁYCHỦ:CỔNG --key KHÓA"}
	}
	return nil
}

// identity opens the signing key. A PKCS#12 file needs its password at once; a token asks when it signs.
func (d *signingDesk) identity() (*signing.Identity, error) {
	if strings.HasPrefix(d.set.Key, "pkcs11:") {
		uri, err := signing.ParseTokenURI(d.set.Key)
		if err != nil {
			return nil, err
		}
		opt := signing.TokenOptions{PIN: d.pin}
		if len(d.set.Chain) > 0 {
			if opt.Chain, err = parseChain(d.set.Chain); err != nil {
				return nil, err
			}
		}
		return signing.OpenToken(uri, opt)
	}
	password, err := d.pin(signing.PINRequest{Token: filepath.Base(d.set.Key)})
	if err != nil {
		return nil, err
	}
	return signing.LoadIdentity(d.set.Key, password)
}

// join pairs this desk with a gateway by the code that its administrator told.
func (d *signingDesk) join(code pairingCode) error {
	id, err := d.identity()
	if err != nil {
		return err
	}
	d.set.Chain = nil
	for _, c := range id.Chain {
		d.set.Chain = append(d.set.Chain, c.Raw)
	}
	w, err := dialWire(d.set.Gateway, wireConfig(d.own, ""))
	if err != nil {
		return &hintError{fmt.Errorf("không nối được tới %s: %w", d.set.Gateway, err), "kiểm tra địa chỉ, và listen.token trong congvan.toml của máy chủ"}
	}
	defer w.conn.Close()
	name, _ := os.Hostname()
	own, err := parseChain(d.own.Certificate[:1])
	if err != nil {
		return err
	}
	key := code.derive("pairing")
	f := frame{Type: "pair", Version: tokenVersion, ID: code.id(), Name: name, Chain: d.set.Chain}
	if f.Proof, err = pairingProof(key, w.conn, "desk", append([][]byte{[]byte(fingerprint(own[0])), []byte(name)}, f.Chain...)...); err != nil {
		return err
	}
	if err := w.send(f); err != nil {
		return err
	}
	answer, err := w.receive(0, greetingTime)
	if err != nil {
		return fmt.Errorf("answer of the gateway: %w", err)
	}
	if answer.Type != "welcome" {
		return &hintError{errors.New(answer.Reason), "lấy mã mới: congvan token pair"}
	}
	want, err := pairingProof(key, w.conn, "gateway", []byte(answer.Unit), []byte(answer.Agency))
	if err != nil {
		return err
	}
	if !hmac.Equal(want, answer.Proof) {
		return &hintError{fmt.Errorf("%s không biết mã ghép đôi: đây không phải máy chủ của tỉnh", d.set.Gateway), "không ghép đôi; báo quản trị"}
	}
	if d.set.Pin, err = w.peer(); err != nil {
		return err
	}
	d.set.Unit, d.set.Agency = answer.Unit, answer.Agency
	b, err := json.MarshalIndent(d.set, "", " ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(d.home, deskSettingsFile), b, 0o600)
}

// reconnectAfter is how long a desk waits before it tries again.
const reconnectAfter = 5 * time.Second

// run keeps the desk connected until ctx ends or the gateway does not know it.
func (d *signingDesk) run(ctx context.Context) error {
	for {
		err := d.attend(ctx)
		var h *hintError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &h):
			return err
		case errors.Is(err, errStranger):
			return &hintError{fmt.Errorf("%s không phải máy chủ đã ghép đôi", d.set.Gateway), "không ký gì; báo quản trị, rồi ghép đôi lại nếu máy chủ đã thay khóa"}
		}
		fmt.Fprintf(d.s.err, "Mất kết nối với %s (%v); tự nối lại.\n", d.set.Gateway, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reconnectAfter):
		}
	}
}

// lookForToken is how often a desk looks whether a missing token has been plugged in.
const lookForToken = 2 * time.Second

// present says whether the token is there. A file always is: what is wrong with it comes up when it is used.
func (d *signingDesk) present() bool {
	if !strings.HasPrefix(d.set.Key, "pkcs11:") {
		return true
	}
	_, err := d.identity()
	return err == nil
}

// A deskQueue is what one connection has brought and the clerk has not answered.
type deskQueue struct {
	mu   sync.Mutex
	jobs []frame
	more chan struct{}
}

func (q *deskQueue) put(f frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, f)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *deskQueue) drop(id string) (had bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.jobs {
		if q.jobs[i].ID == id {
			q.jobs = append(q.jobs[:i], q.jobs[i+1:]...)
			return true
		}
	}
	return false
}

func (q *deskQueue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = nil
}

func (q *deskQueue) first() (frame, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) == 0 {
		return frame{}, false
	}
	return q.jobs[0], true
}

// attend is one connection: one goroutine reads and one says that the desk is there while the clerk looks at a document.
func (d *signingDesk) attend(ctx context.Context) error {
	w, err := dialWire(d.set.Gateway, wireConfig(d.own, d.set.Pin))
	if err != nil {
		return err
	}
	defer w.conn.Close()
	defer context.AfterFunc(ctx, func() { w.conn.Close() })()
	if err := w.send(frame{Type: "hello", Version: tokenVersion}); err != nil {
		return err
	}
	f, err := w.receive(0, greetingTime)
	if err != nil {
		return err
	}
	if f.Type != "welcome" {
		return &hintError{errors.New(f.Reason), "hỏi quản trị"}
	}
	fmt.Fprintf(d.s.out, "Đã kết nối với %s, chờ văn bản của %s. Bấm Ctrl+C để thôi.\n", d.set.Gateway, f.Agency)
	q := &deskQueue{more: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() {
		err := d.read(w, q)
		q.clear() // nobody waits for these any more
		ended <- err
	}()
	left := make(chan struct{})
	defer close(left)
	go w.heartbeat(left)
	return d.work(ctx, w, q, ended)
}

// heartbeat says that the desk is there: a large file may be on its way for longer than the gateway bears silence.
func (w *wire) heartbeat(left <-chan struct{}) {
	alive := time.NewTicker(pingEvery)
	defer alive.Stop()
	for {
		select {
		case <-left:
			return
		case <-alive.C:
			if w.send(frame{Type: "pong"}) != nil {
				return // the reader learns it, too
			}
		}
	}
}

// work has the clerk answer one document after the other, until the connection ends.
func (d *signingDesk) work(ctx context.Context, w *wire, q *deskQueue, ended <-chan error) error {
	look := time.NewTicker(lookForToken)
	defer look.Stop()
	absent := false // the token was not there when it was wanted
	for {
		select {
		case err := <-ended:
			return err
		case <-look.C:
			if !absent || !d.present() {
				continue
			}
			absent = false
			if err := w.send(frame{Type: "ready"}); err != nil {
				return err
			}
		case <-q.more:
		}
		for job, ok := q.first(); ok; job, ok = q.first() {
			answer := d.handle(ctx, job)
			absent = answer.Type == "declined" && !answer.Later
			if !q.drop(job.ID) {
				fmt.Fprintln(d.s.out, "Văn bản này đã quá giờ hoặc máy chủ đã thôi chờ; chưa ký gì.")
				continue
			}
			if err := w.send(answer); err != nil {
				return err
			}
		}
	}
}

func (d *signingDesk) read(w *wire, q *deskQueue) error {
	for {
		f, err := w.receive(signing.MaxSealedSize, silence)
		if err != nil {
			return err
		}
		switch f.Type {
		case "job":
			q.put(f)
		case "cancel":
			q.drop(f.ID)
		}
	}
}

// handle shows one document and asks for the PIN. Whatever goes wrong ends in a refusal: nothing is signed that was not
// looked at.
func (d *signingDesk) handle(ctx context.Context, job frame) frame {
	sig, err := d.sign(ctx, job)
	if err == nil {
		fmt.Fprintln(d.s.out, "Đã ký, gửi chữ ký về máy chủ.")
		return frame{Type: "signature", ID: job.ID, Signature: sig}
	}
	text := describe(err)
	fmt.Fprintf(d.s.out, "Chưa ký: %s\n", text)
	absent := errors.Is(err, signing.ErrToken) && !errors.Is(err, errNoPIN)
	return frame{Type: "declined", ID: job.ID, Reason: text, Later: !absent}
}

// describe words an error for the clerk.
func describe(err error) string {
	t := keyTrouble(err)
	switch {
	case errors.Is(err, errNoPIN):
		return "văn thư thôi không ký"
	case t != nil:
		return t.text + " " + t.hint
	}
	text, hint := explain(err)
	return strings.TrimSpace(text + " " + hint)
}

// press lets the person sign: the key is opened and the PIN asked for. A wrong one is asked for again, by the person's own
// decision; an empty answer ends it.
func (d *signingDesk) press(p *signing.Prepared, policy *signing.SignaturePolicy) ([]byte, error) {
	for {
		var sig []byte
		id, err := d.identity()
		if err == nil {
			sig, err = p.Sign(id, policy)
		}
		if !errors.Is(err, signing.ErrPIN) && !errors.Is(err, signing.ErrPassword) {
			return sig, err
		}
		fmt.Fprintln(d.s.out, describe(err))
	}
}

// sign makes sure that the digest belongs to the file and the file to the document that was named, shows it, and signs.
func (d *signingDesk) sign(ctx context.Context, job frame) ([]byte, error) {
	p, err := signing.ReadPrepared(ctx, job.body)
	if in := (*signing.InputError)(nil); err != nil && !errors.As(err, &in) {
		return nil, fmt.Errorf("tệp không chờ đúng một chữ ký; không ký, báo quản trị (%w)", err)
	}
	if err != nil {
		return nil, err
	}
	if job.Digest != hex.EncodeToString(p.Digest[:]) {
		return nil, errors.New("giá trị cần ký không phải của tệp này; không ký, báo quản trị")
	}
	if job.Paper == nil || job.Paper.Reference == "" {
		return nil, errors.New("máy chủ không nói văn bản nào; không ký")
	}
	if viettext.NFC(p.Name) != viettext.NFC(d.set.Agency) {
		return nil, fmt.Errorf("tệp ghi người đóng dấu là %q, không phải %q; không ký", p.Name, d.set.Agency)
	}
	var policy *signing.SignaturePolicy
	if job.Policy != nil {
		if policy, err = job.Policy.parse(); err != nil {
			return nil, err
		}
	}
	shown, err := d.show(job)
	if err != nil {
		return nil, err
	}
	defer os.Remove(shown)
	sum := sha256.Sum256(job.body)
	fmt.Fprintf(d.s.out, `
ĐÓNG DẤU VĂN BẢN
  Cơ quan        %s
  Số, ký hiệu    %s
  Trích yếu      %s
  Tệp            %s (%d KB, %d chữ ký có trước)
  SHA-256        %x
Mở tệp để xem. Nhập mã PIN là đồng ý đóng dấu.
`, job.Paper.Agency, job.Paper.Reference, job.Paper.Abstract, shown, (len(job.body)+1023)>>10, p.Earlier, sum)
	if policy != nil {
		fmt.Fprintf(d.s.out, "  Chính sách chữ ký: %s %s\n", policy.ID, policy.URI)
	}
	return d.press(p, policy)
}

// show puts the file where the clerk can look at it, under a name that cannot lead elsewhere.
func (d *signingDesk) show(job frame) (string, error) {
	dir := filepath.Join(d.home, deskShowDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, viettext.Fold(job.Paper.Reference))
	path := filepath.Join(dir, fmt.Sprintf("%.60s-%s.pdf", name, job.ID))
	return path, writeFile(path, job.body, 0o600)
}
