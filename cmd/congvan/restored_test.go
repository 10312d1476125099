package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// program runs congvan in a process of its own.
func program(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), runEnv+"="+strings.Join(args, "\n"))
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		t.Fatalf("congvan %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errOut)
	}
	return out.String()
}

// copiesIn lists every copy with what must come back after a restore.
func copiesIn(t *testing.T, dir string) (list []string) {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "congvan.db"), sqldb.Options{Logger: mailtest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows []struct {
		ID, Sequence  int64
		Name, Token   string
		ArrivalNumber string `db:"arrival_number"`
	}
	if err := db.Ask(ctx, func(tx *sqldb.Tx) error {
		return tx.SelectContext(ctx, &rows, `SELECT id, name, token, sequence, arrival_number FROM dispatch ORDER BY id`)
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		list = append(list, fmt.Sprintf("%d %s %s, thứ %d, số đến %q", r.ID, r.Name, r.Token, r.Sequence, r.ArrivalNumber))
	}
	return list
}

// A data folder is copied, work goes on, the disk dies, the copy is put back; the journal lay elsewhere. The program finds out by itself, says
// what people have to do, and when they have done it every unit holds every copy under the ids, places and numbers of arrival that it had.
func TestOldDataFolderIsPutRightAtTheCommandLine(t *testing.T) {
	dir, tmp := newInstallation(t), t.TempDir()
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, configFile, setKey(config, "", "journal", fmt.Sprintf("%q", filepath.Join(tmp, "journal"))))
	at := func(args ...string) string { t.Helper(); return program(t, append(args, "--data", dir)...) }
	for _, unit := range []string{"stc", "syt", "bantongiao", "dakto"} {
		at("account", "add", "--unit", unit)
	}
	at("register", "mode", "here", "--unit", "syt")
	first := []string{"issue", "--json", "--decisions", put(t, tmp, "77.toml", []byte(said77)), put(t, tmp, "77.pdf", letter77(t))}
	second := []string{"issue", "--json", "--decisions", put(t, tmp, "145.toml", []byte(settle145)), "testdata/demo/02-cong-van-stttt.pdf"}
	at(first...)
	at("act", "accept", "77/TB-SNV", "--unit", "stc")

	backup := filepath.Join(tmp, "copy")
	copied := func(from, to string) {
		t.Helper()
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%s %v", out, err)
		}
	}
	copied(dir, backup)
	at(second...)
	at("act", "accept", "145/STTTT-CNTT", "--unit", "stc")
	at("act", "forward", "145/STTTT-CNTT", "--unit", "syt", "--to", "bantongiao", "--reason", "đúng việc của Ban")
	at("supplement", "77/TB-SNV", "--to", "dakto", "--reason", "sót nơi nhận")
	if got := at("register", "take", "SYT-VP", "--unit", "syt"); !strings.HasPrefix(got, "01/") {
		t.Fatalf("number %q", got)
	}
	want := copiesIn(t, dir)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copied(backup, dir)
	if out := at("restored"); !strings.Contains(out, "145/STTTT-CNTT") || !strings.Contains(out, "nhập lại") || strings.Contains(out, "77/TB-SNV") {
		t.Errorf("what is to be done: %s", out)
	}
	if out := at("sequence", "--unit", "stc"); !strings.Contains(out, "stttt: có 0 trên 1 bản; thiếu bản thứ 1") || !strings.Contains(out, "snv: đủ 1 bản") {
		t.Errorf("before the paper was taken in again: %s", out)
	}
	if got := at("register", "take", "SYT-VP", "--unit", "syt"); !strings.HasPrefix(got, "02/") {
		t.Errorf("the next number is %q", got)
	}
	if out := at("sequence", "--unit", "dakto", "--from", "snv"); !strings.Contains(out, "snv: đủ 1 bản") {
		t.Errorf("the copy that was added: %s", out)
	}
	at("check")
	at(second...)
	if out := at("restored"); !strings.Contains(out, "Không còn gì phải làm") {
		t.Errorf("left: %s", out)
	}
	for _, unit := range []string{"stc", "syt", "bantongiao", "dakto"} {
		var got struct {
			Sequences []exchange.Sequence
			Healed    []exchange.MissingCopy
		}
		if err := json.Unmarshal([]byte(at("sequence", "--unit", unit, "--heal", "--json")), &got); err != nil {
			t.Fatal(err)
		}
		for _, q := range got.Sequences {
			if len(q.Missing) > 0 || q.Held != q.Last {
				t.Errorf("%s: %+v", unit, q)
			}
		}
		if len(got.Sequences) == 0 || len(got.Healed) > 0 { // issuing again has brought everything
			t.Errorf("%s: %+v", unit, got)
		}
	}
	if got := copiesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("copies\n%s\nwere\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	at("check")
}
