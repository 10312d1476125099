package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore/sqldb"
)

// A database that was restored from an old backup goes on under a new epoch, and the clerk is told by "sequence" what a unit misses.
func TestRestoredDatabaseIsFoundOutByTheJournal(t *testing.T) {
	dir := newInstallation(t)
	config := filepath.Join(dir, "congvan.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(config, append([]byte("journal = \""+journal+"\"\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "register", "mode", "here", "--data", dir, "--unit", "stttt")
	first := mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	backup, err := os.ReadFile(filepath.Join(dir, "congvan.db"))
	if err != nil {
		t.Fatal(err)
	}
	second := mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	for _, name := range []string{"congvan.db-wal", "congvan.db-shm"} {
		os.Remove(filepath.Join(dir, name))
	}
	if err := os.WriteFile(filepath.Join(dir, "congvan.db"), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	third := mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	if !strings.HasPrefix(first, "01/") || !strings.HasPrefix(second, "02/") || !strings.HasPrefix(third, "03/") {
		t.Errorf("numbers %q %q, after the restore %q", first, second, third)
	}
	db, err := sqldb.Open(context.Background(), "sqlite:"+filepath.Join(dir, "congvan.db"), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var epoch int
	if err := db.Ask(context.Background(), func(tx *sqldb.Tx) error {
		return tx.GetContext(context.Background(), &epoch, `SELECT epoch FROM log_head`)
	}); err != nil || epoch != 2 {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	var out struct {
		Unit      string
		Sequences []any
	}
	if err := json.Unmarshal([]byte(mustRun(t, "", "sequence", "--data", dir, "--unit", "stttt", "--json")), &out); err != nil || out.Unit != "stttt" || len(out.Sequences) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

// Without a journal somebody must say that the database is a backup. Registers then wait for the last number of their paper.
func TestRestoredDatabaseWithoutAJournalIsDeclared(t *testing.T) {
	dir := newInstallation(t)
	mustRun(t, "", "register", "mode", "here", "--data", dir, "--unit", "stttt")
	mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt")
	if out := mustRun(t, "", "restored", "--data", dir); !strings.Contains(out, "Không còn gì phải làm") {
		t.Errorf("before: %s", out)
	}
	if out := mustRun(t, "", "restored", "--data", dir, "--declare"); !strings.Contains(out, "congvan restored last SỐ --unit stttt --book di") || !strings.Contains(out, "biết đến số 1)") {
		t.Errorf("declared: %s", out)
	}
	if code, _, errOut := congvan(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt"); code == 0 || !strings.Contains(errOut, "congvan restored last") {
		t.Errorf("a number was given: %d %s", code, errOut)
	}
	mustRun(t, "", "restored", "last", "215", "--data", dir, "--unit", "stttt")
	if got := mustRun(t, "", "register", "take", "STTTT-VP", "--data", dir, "--unit", "stttt"); !strings.HasPrefix(got, "216/") {
		t.Errorf("the next number is %q", got)
	}
	var left struct{ Documents, Registers []any }
	if err := json.Unmarshal([]byte(mustRun(t, "", "restored", "--data", dir, "--json")), &left); err != nil || len(left.Registers) != 0 || left.Documents == nil {
		t.Errorf("left %+v, %v", left, err)
	}
	if code, _, _ := congvan(t, "", "restored", "last", "x", "--data", dir, "--unit", "stttt"); code != 2 {
		t.Errorf("a bad number: exit %d", code)
	}
	mustRun(t, "", "check", "--data", dir)
}
