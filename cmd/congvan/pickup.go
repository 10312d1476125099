package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/portal"
	"congvan/signing"
	"congvan/templates"

	"github.com/spf13/cobra"
)

// pickupPath is where people fetch documents that were not mailed to them.
const pickupPath = "/nhan/"

// pickupCookie binds addresses that were used to the browser that used them.
const pickupCookie = "__Host-nhan"

// pickupURL is where pick-up addresses begin, "" when no pages are served.
func (c *config) pickupURL() string {
	u, err := url.Parse(c.accountURL())
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + pickupPath
}

// A pickupDesk answers for the pages under pick-up addresses.
type pickupDesk struct {
	store  *exchange.Store
	domain string
	log    *slog.Logger
	judge  func(ctx context.Context, pdf []byte, at time.Time) (*signing.Report, error)
	gate   *visitGate
	busy   chan struct{} // files are judged in memory: few at a time

	mu       sync.Mutex
	verdicts map[blob.Digest]verdict
}

type verdict struct {
	status signing.Status
	text   string
	at     time.Time
}

// Bounds on what is kept of verdicts.
const (
	maxVerdicts  = 500
	verdictLife  = 10 * time.Minute
	fetchTimeout = time.Hour // of one file on a slow line
)

func (in *installation) newPickupDesk() *pickupDesk {
	return &pickupDesk{store: in.exchange, domain: in.cfg.Domain, log: in.log.With("service", "pickup"), judge: in.sealReport,
		gate: newVisitGate(time.Now), busy: make(chan struct{}, 2), verdicts: map[blob.Digest]verdict{}}
}

// handler is mounted at pickupPath, behind TLS.
func (d *pickupDesk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pickupPath+"{token}", d.guarded(d.show))
	mux.HandleFunc("GET "+pickupPath+"style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Write(templates.PortalStyle)
	})
	mux.HandleFunc("POST "+pickupPath+"{token}/{file}", d.guarded(d.fetch))
	mux.HandleFunc(pickupPath, func(w http.ResponseWriter, r *http.Request) { d.problem(w, r, pickupError(exchange.PickupUnknown)) })
	return portal.Secure(http.NewCrossOriginProtection().Handler(mux))
}

func pickupError(why string) error {
	return &exchange.Error{Class: exchange.Missing, Code: exchange.CodePickup, Detail: why}
}

// guarded lets nobody ask too often, and least who guesses.
func (d *pickupDesk) guarded(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Robots-Tag", "noindex, nofollow, noarchive")
		from := network(r.RemoteAddr)
		if !d.gate.enter(from) {
			w.Header().Set("Retry-After", "600")
			d.message(w, r, http.StatusTooManyRequests, "Thử quá nhiều lần", "Hãy đợi 10 phút rồi mở lại địa chỉ đã nhận.")
			return
		}
		if err := h(w, r); err != nil {
			if exchange.IsCode(err, exchange.CodePickup) {
				d.gate.guessed(from)
			}
			d.problem(w, r, err)
		}
	}
}

// pickupTexts words why an address shows nothing.
var pickupTexts = map[string][2]string{
	exchange.PickupUnknown: {"Không có địa chỉ này", "Địa chỉ gõ sai, hoặc đã có địa chỉ mới thay cho nó. Hãy so lại với thư hoặc phiếu đã nhận, hay hỏi cơ quan gửi."},
	exchange.PickupExpired: {"Địa chỉ đã hết hạn", "Hãy đề nghị cơ quan gửi cấp địa chỉ mới."},
	exchange.PickupFetched: {"Văn bản đã được lấy", "Địa chỉ này đã dùng ở một trình duyệt khác. Nếu không phải do nơi nhận lấy, hãy báo ngay cho cơ quan gửi và đề nghị cấp địa chỉ mới."},
	exchange.PickupGone:    {"Văn bản đã được thu hồi", "Cơ quan gửi đã thu hồi hoặc thay thế văn bản này, hoặc đang đề nghị thu hồi."},
	exchange.PickupOften:   {"Đã lấy quá nhiều lần", "Hãy đề nghị cơ quan gửi cấp địa chỉ mới."},
}

func (d *pickupDesk) problem(w http.ResponseWriter, r *http.Request, err error) {
	var e *exchange.Error
	switch {
	case errors.As(err, &e) && e.Code == exchange.CodePickup && pickupTexts[e.Detail][0] != "":
		status := http.StatusGone
		if e.Detail == exchange.PickupUnknown {
			status = http.StatusNotFound
		}
		d.message(w, r, status, pickupTexts[e.Detail][0], pickupTexts[e.Detail][1])
	case r.Context().Err() != nil:
	default:
		code := strings.ToUpper(rand.Text()[:6])
		d.log.Error("page", "code", code, "err", err)
		d.message(w, r, http.StatusInternalServerError, "Hệ thống gặp lỗi", "Hãy thử lại sau ít phút. Nếu vẫn lỗi, báo cơ quan gửi mã tra cứu "+code+".")
	}
}

type pickupPage struct{ Title, Domain, Text string }

func (d *pickupDesk) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	if err := d.render(w, status, "message.html", pickupPage{title, d.domain, text}); err != nil {
		d.log.Error("page", "err", err)
		http.Error(w, title, status)
	}
}

// render answers with a whole page or with an error, never with half a page.
func (d *pickupDesk) render(w http.ResponseWriter, status int, name string, data any) error {
	var b bytes.Buffer
	if err := templates.Pickup(&b, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	b.WriteTo(w) // who has gone away needs no page
	return nil
}

// A pickupFile is one file as the page shows it.
type pickupFile struct {
	Name, Size, SHA256, Action, Verdict string
	Status                              signing.Status
}

func (d *pickupDesk) show(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	v, err := d.store.Pickup(r.Context(), token, browserOf(r))
	if err != nil {
		return err
	}
	page := struct {
		pickupPage
		View  *exchange.PickupView
		Date  string
		Files []pickupFile
	}{pickupPage{Title: v.Document.Reference, Domain: d.domain}, v, civil(v.Document.IssuedOn), nil}
	for i := range v.Files {
		f := &v.Files[i]
		size, judged, err := d.judged(r.Context(), f)
		if err != nil {
			return err
		}
		page.Files = append(page.Files, pickupFile{f.FileName, sizeWords(size), string(f.Travels()), pickupPath + token + "/" + strconv.Itoa(f.Ordinal), judged.text, judged.status})
	}
	return d.render(w, http.StatusOK, "document.html", page)
}

// judged says what the signature of a file is worth, and how large the file is.
func (d *pickupDesk) judged(ctx context.Context, f *exchange.Item) (int64, verdict, error) {
	digest := f.Travels()
	in, err := d.store.Mail.Blobs().Open(digest)
	if err != nil {
		return 0, verdict{}, err
	}
	size := in.Size()
	in.Close()
	if f.Sealed == "" {
		return size, verdict{signing.Indeterminate, "Tệp không mang chữ ký số; mã kiểm tra của tệp nằm trong danh mục đã ký số kèm theo.", time.Time{}}, nil
	}
	d.mu.Lock()
	known, ok := d.verdicts[digest]
	d.mu.Unlock()
	if ok && time.Since(known.at) < verdictLife {
		return size, known, nil
	}
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-ctx.Done():
		return 0, verdict{}, ctx.Err()
	}
	data, err := d.store.Bytes(digest)
	if err != nil {
		return 0, verdict{}, err
	}
	judged := verdict{signing.Indeterminate, "Chưa kiểm tra được chữ ký số.", time.Now()}
	if report, err := d.judge(ctx, data, time.Now()); err != nil {
		d.log.Warn("a seal could not be judged", "digest", digest, "err", err)
	} else {
		judged.status, judged.text = report.Status, map[signing.Status]string{signing.Valid: "Chữ ký số hợp lệ. ", signing.Invalid: "CHỮ KÝ SỐ KHÔNG HỢP LỆ. ",
			signing.Indeterminate: "Chưa xác định được chữ ký số có hợp lệ hay không. "}[report.Status]+report.Reason
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.verdicts) >= maxVerdicts {
		clear(d.verdicts)
	}
	d.verdicts[digest] = judged
	return size, judged, nil
}

// fetch is the act: the button was pressed.
func (d *pickupDesk) fetch(w http.ResponseWriter, r *http.Request) error {
	ordinal, err := strconv.Atoi(r.PathValue("file"))
	if err != nil {
		return pickupError(exchange.PickupUnknown)
	}
	browser := browserOf(r)
	if browser == "" {
		browser = rand.Text()
	}
	remote := r.RemoteAddr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		remote = ap.Addr().Unmap().String()
	}
	file, err := d.store.FetchPickup(r.Context(), r.PathValue("token"), ordinal, exchange.Visitor{Browser: browser, Remote: remote, Agent: r.UserAgent()})
	if err != nil {
		return err
	}
	d.log.Info("document fetched", "document", file.Document, "file", file.Ordinal, "remote", remote)
	in, err := d.store.Mail.Blobs().Open(file.Travels())
	if err != nil {
		return err
	}
	defer in.Close()
	http.SetCookie(w, &http.Cookie{Name: pickupCookie, Value: browser, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(exchange.PickupLife / time.Second)})
	w.Header().Set("Content-Type", file.MediaType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.FileName}))
	w.Header().Set("Content-Length", strconv.FormatInt(in.Size(), 10))
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fetchTimeout)); err != nil {
		d.log.Debug("no deadline for a file", "err", err)
	}
	if _, err := io.Copy(w, in); err != nil {
		d.log.Info("a file was not fetched to its end", "document", file.Document, "err", err)
	}
	return nil
}

func browserOf(r *http.Request) string {
	if c, err := r.Cookie(pickupCookie); err == nil && len(c.Value) <= 100 {
		return c.Value
	}
	return ""
}

// sizeWords is a size as people read it.
func sizeWords(n int64) string {
	if n >= 1<<20 {
		return strings.Replace(fmt.Sprintf("%.1f MB", float64(n)/(1<<20)), ".", ",", 1)
	}
	return fmt.Sprintf("%d KB", (n+1023)>>10)
}

// A visitGate counts who asks and who guesses, by network, for ten minutes. It holds at most maxVisitors networks.
type visitGate struct {
	now   func() time.Time
	mu    sync.Mutex
	count map[string]*visits
}

type visits struct {
	since          time.Time
	asked, guessed int
}

const (
	visitTime   = 10 * time.Minute
	maxAsked    = 300
	maxGuessed  = 20
	maxVisitors = 20000
)

func newVisitGate(now func() time.Time) *visitGate {
	return &visitGate{now: now, count: map[string]*visits{}}
}

func (g *visitGate) of(network string) *visits {
	v := g.count[network]
	if v != nil && g.now().Sub(v.since) < visitTime {
		return v
	}
	if v == nil && len(g.count) >= maxVisitors {
		for k, old := range g.count {
			if g.now().Sub(old.since) >= visitTime {
				delete(g.count, k)
			}
		}
		if len(g.count) >= maxVisitors {
			clear(g.count) // a flood from everywhere: whoever comes now is counted anew
		}
	}
	v = &visits{since: g.now()}
	g.count[network] = v
	return v
}

func (g *visitGate) enter(network string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.of(network)
	v.asked++
	return v.asked <= maxAsked && v.guessed <= maxGuessed
}

func (g *visitGate) guessed(network string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(network).guessed++
}

// network is an address, or the /64 that one host of IPv6 has.
func network(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	a := ap.Addr().Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}

func pickupCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	days := 30
	c := &cobra.Command{
		Use:   "pickup SỐ-KÝ-HIỆU --for TÊN",
		Short: "Cấp địa chỉ nhận văn bản (dùng một lần, có hạn) cho nơi nhận ngoài hệ thống, công dân, doanh nghiệp",
		Long: `Cấp địa chỉ nhận cho một bản gửi ngoài hệ thống (Điều 10, Quyết định 22/2009/QĐ-UBND): nơi nhận mở địa chỉ trên trình duyệt, xem chữ ký số
có hợp lệ không rồi lấy văn bản. Lấy xong thì bản gửi được ghi là đã giao. Lệnh in phiếu để trao tay; --send gửi thư mang địa chỉ.
Địa chỉ chỉ hiện ra lần này; cấp lại thì địa chỉ trước không dùng được nữa.`,
		Example: "  congvan pickup 22/2009/QĐ-UBND --for \"Công ty X\" > phieu.txt\n  congvan pickup 22/2009/QĐ-UBND --for \"Bà Y\" --send bay@vidu.vn --days 10",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.unit == "":
				return &usageError{errors.New("chưa ghi --for"), "ghi tên nơi nhận như congvan status in ra, hoặc mã đơn vị"}
			case days < 1 || days > 365:
				return &usageError{fmt.Errorf("--days %d", days), "từ 1 đến 365 ngày"}
			}
			return o.run(func(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor) error {
				return o.pickup(ctx, in, doc, by, days)
			})(c, args)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.unit, "for", "", "nơi nhận: tên hoặc mã đơn vị (bắt buộc)")
	c.Flags().StringVar(&o.mail, "send", "", "gửi thư mang địa chỉ nhận tới địa chỉ thư này")
	c.Flags().IntVar(&days, "days", days, "địa chỉ dùng được trong bao nhiêu ngày")
	return c
}

func (o *recallOrder) pickup(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor, days int) error {
	base := in.cfg.pickupURL()
	if base == "" {
		return &hintError{errors.New("no pages are served"), "set listen.web or accounts.url in " + in.cfg.path(configFile)}
	}
	var to mailcore.Address
	if o.mail != "" {
		var err error
		if to, err = mailcore.ParseAddress(o.mail); err != nil {
			return &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeBadAddress, Detail: o.mail}
		}
	}
	st, err := in.exchange.Status(ctx, doc.ID)
	if err != nil {
		return err
	}
	who := clerkText(o.unit)
	for i := range st.Dispatches {
		if d := &st.Dispatches[i]; d.Unit == who || d.Name == who {
			offer, err := in.exchange.OfferPickup(ctx, by, d.Dispatch.ID, base, to, time.Duration(days)*24*time.Hour)
			if err != nil {
				return err
			}
			fmt.Fprint(o.s.out, strings.ReplaceAll(offer.Slip, "\r\n", "\n"))
			if to != "" {
				fmt.Fprintf(o.s.err, "Đã gửi địa chỉ nhận tới %s.\n", to)
			}
			return nil
		}
	}
	return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDispatch, Detail: who}
}
