package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The address goes on a slip, people and their mail programs look at it, and whoever presses the button has the sealed file.
func TestPickupPages(t *testing.T) {
	dir := newInstallation(t)
	said := filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "issue", "--data", dir, "--json", "--decisions", said, "testdata/demo/02-cong-van-stttt.pdf")
	mustRun(t, "", "supplement", "--data", dir, "145/STTTT-CNTT", "--name", "Công ty X", "--reason", "có đề nghị")
	slip := mustRun(t, "", "pickup", "--data", dir, "145/STTTT-CNTT", "--for", "Công ty X", "--days", "10")
	address := regexp.MustCompile(`https://\S+/nhan/(\S+)`).FindStringSubmatch(slip)
	if address == nil || !strings.Contains(slip, "Công ty X") {
		t.Fatal(slip)
	}
	cfg, err := loadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	in, err := openInstallation(context.Background(), cfg, commandLog(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	srv := httptest.NewTLSServer(in.newPickupDesk().handler())
	defer srv.Close()
	page := srv.URL + pickupPath + address[1]
	ask := func(c *http.Client, method, url string, from string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", "Trình duyệt thử")
		if from != "" {
			r.Header.Set("Origin", from)
		}
		answer, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body), answer.Header
	}
	preview := srv.Client()
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		code, body, h := ask(preview, method, page, "")
		if code != 200 || !strings.Contains(h.Get("X-Robots-Tag"), "noindex") || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", method, code, h)
		}
		if method == http.MethodGet {
			for _, want := range []string{"145/STTTT-CNTT", "Chữ ký số hợp lệ", "Công ty X", "Lấy tệp này"} {
				if !strings.Contains(body, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
		}
	}
	status := func() string { return mustRun(t, "", "status", "--data", dir, "145/STTTT-CNTT") }
	if strings.Contains(status(), "đã giao cách khác") {
		t.Error("looking counted as fetching")
	}
	button := regexp.MustCompile(`action="(` + pickupPath + `[^"]+)"`).FindStringSubmatch(func() string { _, b, _ := ask(preview, "GET", page, ""); return b }())
	if button == nil {
		t.Fatal("no button")
	}
	if code, _, _ := ask(preview, http.MethodPost, srv.URL+button[1], "https://evil.test"); code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", code)
	}
	look(t, page)
	person := *srv.Client()
	person.Jar, _ = cookiejar.New(nil)
	code, file, h := ask(&person, http.MethodPost, srv.URL+button[1], srv.URL)
	sum := sha256.Sum256([]byte(file))
	if code != 200 || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(file, "%PDF") {
		t.Fatalf("%d %v", code, h)
	}
	if _, body, _ := ask(&person, http.MethodGet, page, ""); !strings.Contains(body, hex.EncodeToString(sum[:])) || !strings.Contains(body, "đã được lấy bằng trình duyệt này") {
		t.Error("the page does not show what was fetched")
	}
	if code, body, _ := ask(preview, http.MethodGet, page, ""); code != http.StatusGone || !strings.Contains(body, "đã được lấy") {
		t.Errorf("another browser: %d", code)
	}
	if !strings.Contains(status(), "đã giao cách khác") {
		t.Error("fetching settled nothing")
	}
	for range maxGuessed + 1 {
		code, _, _ = ask(preview, http.MethodGet, page+"x", "")
	}
	if code != http.StatusNotFound && code != http.StatusTooManyRequests {
		t.Errorf("a guess: %d", code)
	}
	if code, _, h := ask(preview, http.MethodGet, page, ""); code != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("after many guesses: %d", code)
	}
	mustRun(t, "", "check", "--data", dir)
}

// look keeps a picture of the page where CONGVAN_PICTURES names a folder, for people to judge.
func look(t *testing.T, page string) {
	t.Helper()
	folder := os.Getenv("CONGVAN_PICTURES")
	if folder == "" {
		return
	}
	for name, size := range map[string]string{"nhan.png": "1000,900", "nhan-dien-thoai.png": "420,900"} {
		out, err := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--hide-scrollbars", "--window-size="+size,
			"--screenshot="+filepath.Join(folder, name), page).CombinedOutput()
		if err != nil {
			t.Logf("chromium: %v\n%s", err, out)
		}
	}
}

func TestVisitGateForgetsAndIsBounded(t *testing.T) {
	now := time.Now()
	g := newVisitGate(func() time.Time { return now })
	for range maxGuessed + 1 {
		g.guessed("192.0.2.1")
	}
	if g.enter("192.0.2.1") || !g.enter("192.0.2.2") {
		t.Error("who guesses goes on, or others do not")
	}
	now = now.Add(visitTime)
	if !g.enter("192.0.2.1") {
		t.Error("never forgiven")
	}
	for i := range 2 * maxVisitors {
		g.enter(strings.Repeat("x", i%7) + time.Duration(i).String())
	}
	if len(g.count) > maxVisitors {
		t.Errorf("%d networks kept", len(g.count))
	}
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1:2]:80": "2001:db8::/64", "[::ffff:192.0.2.1]:80": "192.0.2.1"} {
		if got := network(remote); got != want {
			t.Errorf("%s: %s", remote, got)
		}
	}
}
