package exchange_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// evidence lists the tables that are evidence, with their keys. A column that is free may change without a word: the reason
// stands beside it.
var evidence = []struct {
	table, key string
	free       map[string]string
}{
	{"document", "id", nil},
	{"recipient_line", "id", map[string]string{"id": "nothing refers to it; lines go by document and ordinal"}},
	{"package_item", "document_id, ordinal", nil},
	{"dispatch", "id", map[string]string{"owner": "who must act next: recomputed by whoever reminds", "deadline": "likewise"}},
	{"event", "chain, ordinal", nil},
	{"incoming", "id", map[string]string{"id": "nothing refers to it; arrivals go by dispatch"}},
	{"register_series", "id", nil},
	{"register_number", "series_id, reference", map[string]string{"abstract": "what was typed when the number was taken; compared with the page, not kept"}},
	{"checkpoint", "epoch, size", nil},
	{"log_batch", "first", nil},
	{"log_tile", "level, n", nil},
	{"log_queue", "id", map[string]string{"id": "order of taking, free"}},
	{"log_head", "id", map[string]string{"id": "CHECK (id = 1)", "holder": "lease", "lease_until": "lease", "epoch": "grows when a restore begins one; the next checkpoint says so", "old_series": "told apart from a copy by nothing; only lets old registers pass"}},
}

// A forger has the database to himself: no constraint hinders him.
type forger struct {
	db     *sql.DB
	sqlite bool
}

func newForger(t *testing.T, dialect sqldb.Dialect, dsn string) *forger {
	t.Helper()
	driver, address := "postgres", dsn
	if dialect == sqldb.SQLite {
		driver, address = "sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	f := &forger{db, dialect == sqldb.SQLite}
	if !f.sqlite {
		f.exec(t, `SET session_replication_role = replica`)
		rows, err := db.Query(`SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`)
		if err != nil {
			t.Fatal(err)
		}
		var drops []string
		for rows.Next() {
			var table, name string
			if err := rows.Scan(&table, &name); err != nil {
				t.Fatal(err)
			}
			drops = append(drops, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", table, name))
		}
		rows.Close()
		for _, d := range drops {
			f.exec(t, d)
		}
	}
	return f
}

func (f *forger) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := f.db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// rows reads a whole table.
func (f *forger) rows(t *testing.T, table, key string) (columns []string, rows [][]any) {
	t.Helper()
	r, err := f.db.Query("SELECT * FROM " + table + " ORDER BY " + key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	columns, _ = r.Columns()
	for r.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return columns, rows
}

func (f *forger) where(columns []string, key string, row []any, from int) (string, []any) {
	var parts []string
	var args []any
	for _, k := range strings.Split(key, ", ") {
		parts = append(parts, fmt.Sprintf("%s = $%d", k, from+len(args)))
		args = append(args, row[slices.Index(columns, k)])
	}
	return strings.Join(parts, " AND "), args
}

func (f *forger) insert(t *testing.T, table string, columns []string, row []any) {
	t.Helper()
	places := make([]string, len(row))
	for i := range row {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	f.exec(t, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(places, ", ")), row...)
}

func (f *forger) remove(t *testing.T, table, key string, columns []string, row []any) {
	t.Helper()
	where, args := f.where(columns, key, row, 1)
	f.exec(t, "DELETE FROM "+table+" WHERE "+where, args...)
}

// other is a value like v that is another one.
func other(v any) any {
	switch v := v.(type) {
	case int64:
		return v + 1000003
	case float64:
		return v + 0.25
	case bool:
		return !v
	case string:
		return v + "x"
	case []byte:
		b := slices.Clone(v)
		if len(b) == 0 {
			return []byte{7}
		}
		b[len(b)/2] ^= 4
		return b
	default:
		return int64(1000003) // NULL
	}
}

// Every row of evidence removed, every column changed, every two rows' values exchanged, every row doubled under another
// key: Check names it, and is content again when it is put back.
func TestEveryForgeryIsNamed(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			dsn := "sqlite:" + t.TempDir() + "/x.db"
			if dialect == sqldb.Postgres {
				dsn = mailtest.NewPostgres(t)
			}
			h := newHouse(t, mailtest.Open(t, dsn))
			h.busy(t)
			h.mustBeSound(t)
			f := newForger(t, dialect, dsn)
			for _, e := range evidence {
				t.Run(e.table, func(t *testing.T) { h.forge(t, f, e.table, e.key, e.free) })
			}
			h.mustBeSound(t)
		})
	}
}

// busy leaves real rows in every table of evidence.
func (h *house) busy(t *testing.T) {
	ctx := context.Background()
	if err := h.SetMode(ctx, "stc", 2009, "outgoing", "", "issued"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := h.TakeNumber(ctx, clerk, "stc", 2009, "", "STC-VP"); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.VoidNumber(ctx, clerk, "stc", 2009, "", "02/STC-VP", "in hỏng"); err != nil {
		t.Fatal(err)
	}
	h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt", "Sở Tài chính, UBND=stc ubnd", "Trung tâm X>Trung tâm X <vt@x.test>", "Lưu!lưu"))
	h.move(t, "syt", "Đã tiếp nhận")
	h.move(t, "stc", "Hoàn thành")
	h.log(t)
	h.issue(t, proposal("02/SNV-VP", "Sở Y tế (để biết)=syt", "UBND=ubnd"))
	h.move(t, "ubnd", "Đang xử lý")
	h.log(t)
	h.issue(t, proposal("03/SNV-VP", "Sở Y tế=syt")) // waits for the log
}

func (h *house) forge(t *testing.T, f *forger, table, key string, free map[string]string) {
	columns, rows := f.rows(t, table, key)
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	named := func(what string) {
		t.Helper()
		found, err := h.Check(context.Background())
		if err == nil && len(found) == 0 {
			t.Errorf("%s: not named", what)
		}
	}
	update := func(row []any, column string, value any, at []any) {
		where, args := f.where(columns, key, at, 2)
		f.exec(t, fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s", table, column, where), append([]any{value}, args...)...)
	}
	few := rows
	if len(few) > 3 {
		few = [][]any{rows[0], rows[len(rows)/2], rows[len(rows)-1]}
	}
	for i, row := range few {
		f.remove(t, table, key, columns, row)
		named(fmt.Sprintf("row %d removed", i))
		f.insert(t, table, columns, row)
		for c, column := range columns {
			if free[column] != "" {
				continue
			}
			changed := slices.Clone(row)
			changed[c] = other(row[c])
			if column == "stamp" {
				changed[c] = []byte("x")
			}
			update(row, column, changed[c], row)
			named(fmt.Sprintf("row %d: %s changed from %v", i, column, row[c]))
			update(changed, column, row[c], changed)
		}
		if table == "log_head" {
			continue
		}
		double := slices.Clone(row)
		for _, k := range strings.Split(key, ", ") {
			c := slices.Index(columns, k)
			double[c] = other(row[c])
		}
		for _, unique := range []string{"dispatch_id", "ordinal", "original", "reference", "book", "unit"} {
			if c := slices.Index(columns, unique); c >= 0 {
				double[c] = other(row[c])
			}
		}
		f.insert(t, table, columns, double)
		named(fmt.Sprintf("row %d doubled", i))
		f.remove(t, table, key, columns, double)
	}
	if len(rows) > 1 && !slices.Contains([]string{"log_head", "log_queue"}, table) {
		h.exchangeRows(t, f, table, key, columns, rows[0], rows[1], named)
	}
}

// exchangeRows gives each of two rows the other's place.
func (h *house) exchangeRows(t *testing.T, f *forger, table, key string, columns []string, a, b []any, named func(string)) {
	switch table {
	case "recipient_line":
		key = "document_id, ordinal"
	case "incoming":
		key = "dispatch_id"
	}
	swap := func(x, y []any) []any {
		out := slices.Clone(y)
		for _, k := range strings.Split(key, ", ") {
			c := slices.Index(columns, k)
			out[c] = x[c]
		}
		return out
	}
	ab, ba := swap(a, b), swap(b, a)
	for _, row := range [][]any{a, b} {
		f.remove(t, table, key, columns, row)
	}
	for _, row := range [][]any{ab, ba} {
		f.insert(t, table, columns, row)
	}
	named("two rows exchanged")
	for _, row := range [][]any{ab, ba} {
		f.remove(t, table, key, columns, row)
	}
	for _, row := range [][]any{a, b} {
		f.insert(t, table, columns, row)
	}
}
