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
