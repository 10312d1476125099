package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/BurntSushi/toml"
)

// emptyPostgres is a database without a table.
func emptyPostgres(t *testing.T) string {
	t.Helper()
	dsn := mailtest.NewPostgres(t)
	db, err := sqldb.Open(context.Background(), dsn, sqldb.Options{Logger: mailtest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{`DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`} {
		if err := db.Write(context.Background(), func(tx *sqldb.Tx) error { _, err := tx.ExecContext(context.Background(), statement); return err }); err != nil {
			t.Fatal(err)
		}
	}
	return dsn
}

// issue77 issues 77/TB-SNV and returns what status says of it.
func issue77(t *testing.T, dir string, more ...string) string {
	t.Helper()
	tmp := t.TempDir()
	said := put(t, tmp, "a.toml", []byte(said77))
	if code, res := issued(t, "--data", dir, put(t, tmp, "a.pdf", letter77(t, more...)), "--decisions", said); code != 0 || res.State != exchange.Issued {
		t.Fatalf("exit %d, %+v", code, res)
	}
	return mustRun(t, "", "status", "77/TB-SNV", "--json", "--data", dir)
}

// makeBackup backs up and returns the set.
func makeBackup(t *testing.T, dir, to string, more ...string) *manifest {
	t.Helper()
	m := &manifest{}
	if err := json.Unmarshal([]byte(mustRun(t, "", append([]string{"backup", to, "--json", "--data", dir}, more...)...)), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// What was backed up is there again elsewhere, on both databases, and is checked; what was waiting for the clerk is not in the backup.
func TestBackupIsRestored(t *testing.T) {
	forEachInstallation(t, func(t *testing.T, dir string) {
		before, tmp, to := issue77(t, dir), t.TempDir(), filepath.Join(t.TempDir(), "backup")
		waiting := page(t, "SỞ NỘI VỤ", "Nội dung chưa ai xem.", "Nơi nhận:", "- Sở Y tế;", "- Lưu: VT.")
		if code, res := issued(t, "--data", dir, put(t, tmp, "b.pdf", waiting)); code == 0 || res.Spool == "" {
			t.Fatalf("exit %d, %+v", code, res)
		}
		m := makeBackup(t, dir, to)
		if m.Blobs == 0 || m.Bytes == 0 || m.Domain != "kontum.test" {
			t.Errorf("%+v", m)
		}
		if found := holding(t, to, waiting[len(waiting)/2:][:200]); len(found) > 0 {
			t.Errorf("a paper that nobody has looked at is in %v", found)
		}
		if out := mustRun(t, "", "backup", to, "--verify"); !strings.Contains(out, "đều đúng") {
			t.Errorf("verify: %s", out)
		}
		again := filepath.Join(t.TempDir(), "moi")
		args := []string{"restore", to, "--data", again}
		if m.Database == string(sqldb.Postgres) {
			if code, _, errOut := congvan(t, "", args...); code != 1 || !strings.Contains(errOut, "createdb") {
				t.Errorf("into a database that is used: exit %d, %s", code, errOut)
			}
			args = append(args, "--database", emptyPostgres(t))
		}
		out := mustRun(t, "", args...)
		if !strings.Contains(out, "Đã khôi phục") || !strings.Contains(out, "congvan restored last SỐ --unit snv --book di") && !strings.Contains(out, "Không còn gì phải làm") {
			t.Errorf("restore: %s", out)
		}
		if after := mustRun(t, "", "status", "77/TB-SNV", "--json", "--data", again); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		mustRun(t, "", "check", "--data", again)
		if code, _, errOut := congvan(t, "", args...); code != 1 || !strings.Contains(errOut, "đã là một hệ thống") {
			t.Errorf("over an installation: exit %d, %s", code, errOut)
		}
		keys, err := os.ReadDir(filepath.Join(dir, "keys"))
		if err != nil || len(keys) == 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, e := range keys {
			want, err := describeFile(filepath.Join(dir, "keys", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := describeFile(filepath.Join(again, "keys", e.Name())); err != nil || got != want {
				t.Errorf("keys/%s: %+v, want %+v: %v", e.Name(), got, want, err)
			}
		}
	})
}

// Sets share their bytes; what no kept set needs goes.
func TestBackupsArePruned(t *testing.T) {
	dir, to := newInstallation(t), filepath.Join(t.TempDir(), "backup")
	issue77(t, dir)
	first := makeBackup(t, dir, to)
	stray := filepath.Join(to, ".new-2020-01-01T00-00-00Z")
	if err := os.Mkdir(stray, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := blob.OpenDir(filepath.Join(to, backupBlobs))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Stage(context.Background(), strings.NewReader("nobody needs this"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Keep(); err != nil {
		t.Fatal(err)
	}
	second := makeBackup(t, dir, to, "--keep", "1")
	if first.Name == second.Name || first.Blobs != second.Blobs {
		t.Errorf("%+v, then %+v", first, second)
	}
	var sets []manifest
	if err := json.Unmarshal([]byte(mustRun(t, "", "backup", to, "--list", "--json")), &sets); err != nil || len(sets) != 1 || sets[0].Name != second.Name {
		t.Errorf("kept %+v, %v", sets, err)
	}
	n := 0
	if err := store.Walk(context.Background(), func(blob.Info) error { n++; return nil }); err != nil || n != second.Blobs {
		t.Errorf("%d blobs left, want %d: %v", n, second.Blobs, err)
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("what a dead backup left is still there")
	}
	mustRun(t, "", "backup", to, "--verify")
}

// Damage is found by --verify and stops a restore; so is a list or a database that is not the manifest's.
func TestDamagedBackupIsNotRestored(t *testing.T) {
	dir := newInstallation(t)
	issue77(t, dir)
	for _, c := range []struct {
		name   string
		damage func(to string, m *manifest) string
	}{
		{"blob", func(to string, m *manifest) string {
			files, _ := filepath.Glob(filepath.Join(to, backupBlobs, "*", "*"))
			return files[0]
		}},
		{"database", func(to string, m *manifest) string { return filepath.Join(to, m.Name, databaseFile(m.Database)) }},
		{"list", func(to string, m *manifest) string { return filepath.Join(to, m.Name, backupList) }},
		{"key", func(to string, m *manifest) string { return filepath.Join(to, m.Name, m.Files[len(m.Files)-1].Path) }},
	} {
		to := filepath.Join(t.TempDir(), "backup")
		path := c.damage(to, makeBackup(t, dir, to))
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			t.Fatalf("%s: %v", c.name, err)
		}
		data[len(data)/2] ^= 1
		os.Chmod(path, 0o600)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errOut := congvan(t, "", "backup", to, "--verify"); code != 1 || !strings.Contains(errOut, "hỏng") {
			t.Errorf("%s: verify: exit %d, %s", c.name, code, errOut)
		}
		again := filepath.Join(t.TempDir(), "moi")
		if code, _, errOut := congvan(t, "", "restore", to, "--data", again); code != 1 || !strings.Contains(errOut, "damaged") {
			t.Errorf("%s: restore: exit %d, %s", c.name, code, errOut)
		}
		if _, err := os.Stat(filepath.Join(again, configFile)); err == nil {
			t.Errorf("%s: an installation was made", c.name)
		}
	}
}

// A drill neither sends anything out nor touches the journal, and a restore with a journal finds out what it lacks.
func TestDrillAndRestoreWithAJournal(t *testing.T) {
	dir := newInstallation(t)
	journal := filepath.Join(t.TempDir(), "journal")
	config := filepath.Join(dir, configFile)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = setKey(setKey(text, "", "journal", fmt.Sprintf("%q", journal)), "mail", "loopback_only", "false")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "register", "mode", "here", "--data", dir, "--unit", "stttt")
	mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	to := filepath.Join(t.TempDir(), "backup")
	makeBackup(t, dir, to)
	mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	known, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}

	drill := filepath.Join(t.TempDir(), "dien-tap")
	mustRun(t, "", "restore", to, "--data", drill, "--drill")
	cfg, err := loadConfig(drill)
	if err != nil || !cfg.Mail.LoopbackOnly || cfg.Journal != "" || cfg.Domain != "kontum.test" {
		t.Errorf("the drill's configuration: %+v, %v", cfg, err)
	}
	if after, _ := os.ReadFile(journal); string(after) != string(known) {
		t.Error("the drill wrote into the journal")
	}

	again := filepath.Join(t.TempDir(), "moi")
	mustRun(t, "", "restore", to, "--data", again)
	if got := mustRun(t, "", "register", "take", "STTTT-VP", "--data", again, "--unit", "stttt"); !strings.HasPrefix(got, "03/") {
		t.Errorf("the next number is %q", got)
	}
	mustRun(t, "", "check", "--data", again)
}

func TestRestoreSaysWhatItCannotDo(t *testing.T) {
	dir, to := newInstallation(t), filepath.Join(t.TempDir(), "backup")
	makeBackup(t, dir, to)
	again := filepath.Join(t.TempDir(), "moi")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"restore", to}, 2, "--data"},
		{[]string{"restore", filepath.Join(to, "none"), "--data", again}, 1, "thư mục"},
		{[]string{"restore", t.TempDir(), "--data", again}, 1, "không có bản sao lưu nào"},
		{[]string{"restore", to, "--at", "2020-01-01T00-00-00Z", "--data", again}, 1, "không có bản sao lưu 2020"},
		{[]string{"restore", to, "--database", "host=/nowhere", "--data", again}, 1, "cùng loại"},
		{[]string{"backup", to, "--list", "--verify"}, 2, "--list"},
	} {
		if code, _, errOut := congvan(t, "", c.args...); code != c.code || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: exit %d, %s", c.args, code, errOut)
		}
	}
	if left, _ := os.ReadDir(again); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestSetKey(t *testing.T) {
	for _, c := range []struct{ text, table, key, value string }{
		{"a = 1\n[mail]\nb = 2\n", "", "a", "7"}, {"a = 1\n[mail]\nb = 2\n", "mail", "b", "7"}, {"[mail]\nb = 2\n", "", "a", "7"}, {"[mail]\nb = 2\n", "mail", "a", "7"},
		{"a = 1", "mail", "b", "7"}, {"a = 1\n[ mail ] # thư\n  b=2\n[mail.routes]\nb = 3\n", "mail", "b", "7"}, {"", "", "a", "7"},
	} {
		var out map[string]any
		if _, err := toml.Decode(string(setKey([]byte(c.text), c.table, c.key, c.value)), &out); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if c.table != "" {
			out, _ = out[c.table].(map[string]any)
		}
		if fmt.Sprint(out[c.key]) != c.value {
			t.Errorf("%q: %v", c.text, out)
		}
	}
}
