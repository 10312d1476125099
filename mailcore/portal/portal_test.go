package portal_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/portal"
	"congvan/mailcore/sqldb"
)

var ctx = context.Background()

const (
	address = "an.snv@kontum.test"
	issued  = "mat-khau-duoc-cap-1"
	chosen  = "trưa nay ăn cơm gà"
)

// A house is a store with an officer who has the issued password, and the pages over TLS.
type house struct {
	t      *testing.T
	store  *mailcore.Store
	srv    *httptest.Server
	faults []string // told by the form
}

func forEach(t *testing.T, fn func(h *house)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		blobs, err := blob.OpenDir(filepath.Join(t.TempDir(), "blobs"))
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, store: mailcore.NewStore(db, blobs, mailtest.Quiet)}
		h.store.SetHashCost(mailcore.HashCost{Time: 1, Memory: 64})
		if _, err := h.store.CreateAccounts(ctx, []mailcore.NewAccount{{Address: address, Kind: mailcore.Officer, Name: "Nguyễn Văn <An>", Unit: "snv",
			Password: issued, MustChange: true}, {Address: "snv@kontum.test", Kind: mailcore.Unit, Name: "Sở Nội vụ", Unit: "snv", Password: chosen}}); err != nil {
			t.Fatal(err)
		}
		h.srv = httptest.NewTLSServer(portal.New(portal.Options{Store: h.store, Domain: "kontum.test", Logger: mailtest.Quiet, FailDelay: time.Millisecond,
			AccountURL: "https://mail.kontum.test/account",
			Servers: []portal.MailServer{{Protocol: portal.IMAP, Host: "mail.kontum.test", Port: 993, TLS: true}, {Protocol: portal.IMAP, Host: "mail.kontum.test", Port: 143},
				{Protocol: portal.SMTP, Host: "mail.kontum.test", Port: 587},
				{Protocol: portal.LDAP, Host: "mail.kontum.test", Port: 636, TLS: true}},
			Report: func(_ context.Context, a mailcore.Account, kind, words string) (string, error) {
				h.faults = append(h.faults, string(a.Address)+" "+kind+": "+words)
				return "SC-1", nil
			}}))
		t.Cleanup(h.srv.Close)
		fn(h)
	})
}

// A browser keeps cookies and follows redirects.
type browser struct {
	*house
	client *http.Client
	page   string // the last one
	path   string // of it
	status int
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{house: h, client: &http.Client{Transport: h.srv.Client().Transport, Jar: jar}}
}

func (b *browser) take(resp *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page, b.path, b.status, b.header = html.UnescapeString(string(body)), resp.Request.URL.Path, resp.StatusCode, resp.Header
}

func (b *browser) get(path string) {
	b.t.Helper()
	b.take(b.client.Get(b.srv.URL + path))
}

// post sends a form as the browser would: with the hidden token of the page it is on.
func (b *browser) post(path string, fields ...string) {
	b.t.Helper()
	form := url.Values{}
	if m := regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`).FindStringSubmatch(b.page); m != nil {
		form.Set("csrf", m[1])
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	b.take(b.client.PostForm(b.srv.URL+path, form))
}

func (b *browser) want(status int, path string, texts ...string) {
	b.t.Helper()
	if b.status != status || b.path != path {
		b.t.Errorf("%d at %s, want %d at %s", b.status, b.path, status, path)
	}
	for _, text := range texts {
		if !strings.Contains(b.page, text) {
			b.t.Errorf("%s does not say %q:\n%s", b.path, text, b.page)
		}
	}
}

func (b *browser) login(password string) {
	b.t.Helper()
	b.get("/account/login")
	b.post("/account/login", "address", "an.snv", "password", password)
}

func (h *house) imap(password string) error {
	_, err := h.store.LogIn(ctx, mailcore.Attempt{Address: address, Password: password, Service: mailcore.ServiceIMAP, Remote: netip.MustParseAddr("198.51.100.7")})
	return err
}

func TestIssuedPasswordIsChangedBeforeAnythingElse(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		b.get("/account")
		b.want(200, "/account/login", "Đăng nhập")
		b.login("sai mật khẩu rồi")
		b.want(401, "/account/login", "Sai địa chỉ hoặc mật khẩu")
		b.login(issued)
		b.want(200, "/account/password", "Mật khẩu được cấp chỉ dùng một lần")
		b.get("/account")
		b.want(200, "/account/password")
		b.post("/account/apps", "name", "Điện thoại")
		b.want(200, "/account/password")
		for _, c := range [][4]string{
			{issued, chosen, chosen + "x", "không giống nhau"}, {"không phải", chosen, chosen, "mật khẩu hiện nay không đúng"},
			{issued, issued, issued, "trùng mật khẩu cũ"}, {issued, "ngắn", "ngắn", "từ 12 ký tự"}, {issued, "an.snv@kontum.test", "an.snv@kontum.test", "địa chỉ thư của bạn"},
			{issued, "123456789012", "123456789012", "dễ đoán"},
		} {
			b.post("/account/password", "current", c[0], "next", c[1], "again", c[2])
			b.want(422, "/account/password", c[3])
			for _, secret := range c[:3] {
				if secret != address && strings.Contains(b.page, `"`+secret+`"`) {
					h.t.Errorf("the page gives %q back", secret)
				}
			}
		}
		b.post("/account/password", "current", issued, "next", chosen, "again", chosen)
		b.want(200, "/account", "Đã đặt mật khẩu mới. Độ mạnh: tốt", "Nguyễn Văn <An>", "mail.kontum.test, cổng 993")
		if err := h.imap(chosen); err != nil {
			h.t.Errorf("IMAP with the new password: %v", err)
		}
		if err := h.imap(issued); err == nil {
			h.t.Error("IMAP with the issued password")
		}
	})
}

func (h *house) changed() *browser {
	h.t.Helper()
	if err := h.store.SetPassword(ctx, address, chosen, false); err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	b.login(chosen)
	b.want(200, "/account")
	return b
}

func TestAppPasswordIsShownOnce(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.changed()
		b.post("/account/apps", "name", "  ")
		b.want(422, "/account/apps", "Hãy ghi tên máy")
		b.post("/account/apps", "name", `Điện  thoại "A" & <B>`)
		b.want(200, "/account/apps", `Điện thoại "A" & <B>`)
		m := regexp.MustCompile(`[a-z2-7]{6}(-[a-z2-7]{6}){3}`).FindString(b.page)
		if m == "" {
			h.t.Fatalf("no password on\n%s", b.page)
		}
		if got := b.header.Get("Cache-Control"); got != "no-store" {
			h.t.Errorf("Cache-Control %q", got)
		}
		b.get("/account")
		b.want(200, "/account", "Điện thoại", "chưa dùng")
		if err := h.imap(m); err != nil {
			h.t.Errorf("IMAP with the app password: %v", err)
		}
		if strings.Contains(b.page, m) {
			h.t.Error("it is shown again")
		}
		b.get("/account")
		b.want(200, "/account", "từ 198.51.100.7", "mật khẩu ứng dụng “Điện thoại", "Đọc thư (IMAP)")
		other := h.browser()
		other.login(m)
		other.want(401, "/account/login", "Sai địa chỉ hoặc mật khẩu")
		id := regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(b.page)
		b.post("/account/apps/revoke", "id", id[1])
		b.want(200, "/account", "Đã hủy mật khẩu ứng dụng")
		if err := h.imap(m); err == nil {
			h.t.Error("a revoked app password still opens mail")
		}
	})
}

func TestSessionsArePutOut(t *testing.T) {
	forEach(t, func(h *house) {
		here, there, third := h.changed(), h.browser(), h.browser()
		there.login(chosen)
		third.login(chosen)
		here.get("/account")
		here.want(200, "/account", "máy này")
		id := regexp.MustCompile(`name="id" value="([0-9a-f]{16})"`).FindAllStringSubmatch(here.page, -1)
		if len(id) != 2 {
			h.t.Fatalf("%d other sessions", len(id))
		}
		here.post("/account/sessions/close", "id", id[0][1])
		here.want(200, "/account", "Đã đăng xuất phiên đó")
		open := 0
		for _, b := range []*browser{there, third} {
			if b.get("/account"); b.path == "/account" {
				open++
			}
		}
		if open != 1 {
			h.t.Errorf("%d of two sessions are open", open)
		}
		here.post("/account/sessions/end")
		here.want(200, "/account/login")
		for _, b := range []*browser{here, there, third} {
			b.get("/account")
			b.want(200, "/account/login")
		}
		b := h.browser()
		b.login(chosen)
		b.post("/account/logout")
		b.want(200, "/account/login")
		b.get("/account")
		b.want(200, "/account/login")
	})
}

func TestFormsOfOthersAreRefused(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.changed()
		page := b.page
		b.page = strings.ReplaceAll(page, `name="csrf"`, `name="x"`)
		b.post("/account/apps", "name", "Của người khác")
		b.want(403, "/account/apps", "Trang đã cũ")
		stranger := h.changed()
		b = h.browser()
		b.login(chosen)
		b.page = stranger.page // another session's token
		b.post("/account/sessions/end")
		b.want(403, "/account/sessions/end", "Trang đã cũ")
		req, err := http.NewRequest("POST", h.srv.URL+"/account/login", strings.NewReader("address=a&password=b"))
		if err != nil {
			h.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		b.take(b.client.Do(req))
		b.want(403, "/account/login")
		b.post("/account/login", "address", strings.Repeat("a", 20000), "password", "b")
		b.want(403, "/account/login", "Trang đã cũ")
		b.get("/account/khong-co")
		b.want(404, "/account/khong-co", "Không có trang này")
	})
}

func TestHeadersAreStrict(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		for _, path := range []string{"/account/login", "/account/style.css", "/account/khong-co"} {
			b.get(path)
			for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'; style-src 'self'", "X-Content-Type-Options": "nosniff",
				"Strict-Transport-Security": "max-age=", "Referrer-Policy": "no-referrer"} {
				if got := b.header.Get(name); !strings.HasPrefix(got, want) {
					h.t.Errorf("%s: %s %q", path, name, got)
				}
			}
		}
		client := *h.srv.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := client.PostForm(h.srv.URL+"/account/login", url.Values{"address": {address}, "password": {issued}})
		if err != nil {
			h.t.Fatal(err)
		}
		resp.Body.Close()
		set := resp.Header.Get("Set-Cookie")
		for _, attribute := range []string{"__Host-account=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"} {
			if !strings.Contains(set, attribute) {
				h.t.Errorf("cookie %q lacks %s", set, attribute)
			}
		}
	})
}

func TestGuessingIsThrottledHereToo(t *testing.T) {
	forEach(t, func(h *house) {
		b := h.browser()
		for i := range 10 {
			b.login(fmt.Sprint("đoán lần ", i))
		}
		b.login(issued)
		b.want(401, "/account/login", "Đăng nhập sai quá nhiều lần")
		if err := h.imap(issued); err == nil || !strings.Contains(err.Error(), "must be changed") {
			h.t.Errorf("from another address: %v", err)
		}
	})
}
