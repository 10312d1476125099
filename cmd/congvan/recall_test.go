package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/exchange"
)

// A watcher tells when something was written to it.
type watcher struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen func()
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if w.seen != nil && strings.Contains(w.text.String(), w.want) {
		w.seen()
		w.seen = nil
	}
	return n, err
}

// The clerk gives the word, sees the countdown and presses Ctrl-C; or another window undoes it. Nobody gets anything. Issued again
// with --now the document goes out, and can be taken back, supplemented and shown.
func TestIssueWaitsAndIsUndone(t *testing.T) {
	dir := newInstallation(t)
	file, said := "testdata/demo/02-cong-van-stttt.pdf", filepath.Join(t.TempDir(), "said.toml")
	if err := os.WriteFile(said, []byte(settle145), 0o600); err != nil {
		t.Fatal(err)
	}
	state := func() (st statusJSONForTest) {
		t.Helper()
		if err := json.Unmarshal([]byte(mustRun(t, "", "status", "--data", dir, "--json", "145/STTTT-CNTT")), &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	wait := func(seen func(stop context.CancelFunc)) (int, string) {
		ctx, stop := context.WithTimeout(context.Background(), 4*exchange.UndoTime)
		defer stop()
		var start time.Time
		w := &watcher{want: "được phát hành sau 30 giây", seen: func() { start = time.Now(); seen(stop) }}
		code := run(ctx, []string{"issue", "--data", dir, "--decisions", said, file}, strings.NewReader("có\ncó\ncó\ncó\n"), w, w)
		if gone := time.Since(start); gone > exchange.UndoTime { // of the countdown; reading and sealing before it take what they take
			t.Errorf("undoing waited to the end: %s", gone)
		}
		return code, w.text.String()
	}
	code, out := wait(func(stop context.CancelFunc) { stop() })
	if st := state(); code != 1 || !strings.Contains(out, "đã hoàn tác") || st.State != "sealed" || len(st.Dispatches) != 0 {
		t.Fatalf("exit %d, %s with %d copies\n%s", code, st.State, len(st.Dispatches), out)
	}
	code, out = wait(func(context.CancelFunc) {
		go func() { // another window
			if code, _, errOut := congvan(t, "", "undo", "--data", dir, "145/STTTT-CNTT"); code != 0 {
				t.Errorf("undo: %s", errOut)
			}
		}()
	})
	if st := state(); code != 1 || !strings.Contains(out, "đã hoàn tác") || st.State != "sealed" {
		t.Fatalf("exit %d, %s\n%s", code, st.State, out)
	}
	if code, _, errOut := congvan(t, "", "undo", "--data", dir, "145/STTTT-CNTT"); code != 1 || !strings.Contains(errOut, "không có gì để hoàn tác") {
		t.Errorf("undone twice: exit %d, %s", code, errOut)
	}
	if out := mustRun(t, "", "issue", "--now", "--data", dir, file); !strings.Contains(out, "Đã phát hành 145/STTTT-CNTT: 35 bản") {
		t.Fatal(out)
	}
	out = mustRun(t, "", "supplement", "--data", dir, "145/STTTT-CNTT", "--name", "Công ty X", "--mail", "vanthu@x.test", "--reason", "bỏ sót")
	if !strings.Contains(out, "Đã gửi bổ sung 145/STTTT-CNTT cho Công ty X: đang gửi") {
		t.Error(out)
	}
	if code, _, _ := congvan(t, "", "recall", "--data", dir, "145/STTTT-CNTT"); code != 2 {
		t.Errorf("a recall without a reason: exit %d", code)
	}
	if out := mustRun(t, "", "recall", "--data", dir, "145/STTTT-CNTT", "--map"); !strings.Contains(out, "145/STTTT-CNTT chưa thu hồi.") {
		t.Error(out)
	}
	out = mustRun(t, "", "recall", "--data", dir, "145/STTTT-CNTT", "--reason", "nhầm phụ lục")
	for _, want := range []string{"Đã thu hồi 145/STTTT-CNTT", "nhầm phụ lục", "chưa giao, đã hủy", "đã hủy, chưa gửi"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	var m exchange.RecallMap
	if err := json.Unmarshal([]byte(mustRun(t, "", "recall", "--data", dir, "145/STTTT-CNTT", "--map", "--json")), &m); err != nil || !m.Recalled || len(m.Copies) != 36 {
		t.Errorf("%v %+v", err, m)
	}
	mustRun(t, "", "check", "--data", dir)
}
