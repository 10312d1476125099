package exchange_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
)

// evidence lists the tables that are evidence, with their keys. A column that is free may change without a word: the reason
// stands beside it.
var evidence = []struct {
	table, key string
	free       map[string]string
	only       string // which rows are evidence; "" for all
	extra      string // why a row more proves nothing; "" where Check names it
}{
	{"document", "id", nil, "", ""},
	{"recipient_line", "id", map[string]string{"id": "nothing refers to it; lines go by document and ordinal"}, "", ""},
	{"package_item", "document_id, ordinal", nil, "", ""},
	{"dispatch", "id", map[string]string{"owner": "who must act next: recomputed by whoever reminds", "deadline": "likewise",
		"calendar": "likewise", "rung": "likewise", "alarm": "likewise"}, "", ""},
	{"event", "chain, ordinal", nil, "", ""},
	{"copy_sequence", "agency, recipient", nil, "", ""},
	{"pickup", "id", map[string]string{"browser": "which browser fetched: its own cookie, told to nobody else"}, "", ""},
	{"incoming", "id", map[string]string{"id": "nothing refers to it; arrivals go by dispatch"}, "", ""},
	{"assignment", "dispatch_id, officer", nil, "", ""},
	{"answer", "dispatch_id, document_id", nil, "", ""},
	{"fault", "id", map[string]string{"token": "secret of an address", "mail_event": "the event is swept"}, "", ""},
	{"refusal", "id", nil, "", ""},
	{"register_series", "id", nil, "", ""},
	{"register_number", "series_id, reference", nil, "", ""},
	{"register_entry", "series_id, reference", nil, "", ""},
	{"attempt", "id", map[string]string{"id": "nothing refers to it", "at": "the queue's own clock; the event says when its end was learnt", "ended_at": "likewise",
		"phase": "for operators; how it ended and the words are kept", "dotted": "compared with the journal after a restore"}, "", ""},
	{"blob", "digest", map[string]string{"touched_at": "the sweep's clock"}, "WHERE pinned", ""},
	{"checkpoint", "epoch, size", nil, "", ""},
	{"log_batch", "first", nil, "", ""},
	{"log_tile", "level, n", nil, "", ""},
	{"log_queue", "id", map[string]string{"id": "order of taking, free"}, "", ""},
	{"log_head", "id", map[string]string{"id": "CHECK (id = 1)", "holder": "lease", "lease_until": "lease", "epoch": "grows when a restore begins one; the next checkpoint says so"}, "",
		"there is one row; CHECK (id = 1)"},
}

// noEvidence lists the other tables, and why nobody has to prove their rows.
var noEvidence = map[string]string{
	"restored_document": "what a restored backup was told by the journal, until it is registered again",
	"restored_copy":     "likewise, until it is sent again",
	"restored_arrival":  "likewise, until it is accepted again",
	"series_blocked":    "registers that wait for a clerk after a restore",
	"goose_db_version":  "which migrations have run",
	"outbox":            "a queue: to whom a copy went stands in the dispatch, what came of it in events and attempts",
	"mail_event":        "a queue between two rooms; what it told is in the events, and it is swept",
	"blob_bytes":        "bytes of small bodies: those of pinned blobs are proven like files by TestEveryChangedFileIsNamed, the others are ordinary mail",
	"message":           "bodies in mailboxes, made again from the blob that names them; a copy's files are evidence by their digests",
	"mailbox":           "people make, rename and delete their folders",
	"mailbox_message":   "people move and delete their mail; that each copy lies somewhere is proven by its ref",
	"vanished":          "what other sessions must be told",
	"account":           "who may log in; events name the address that acted",
	"app_password":      "likewise",
	"web_session":       "likewise",
	"vacation":          "an officer's notice of absence",
	"vacation_reply":    "who was told of an absence, and when",
	"login_place":       "shown to the account's owner",
	"login_lock":        "places that may not try passwords for a while",
	"mailbox_visit":     "when a mailbox was looked at: counted for reminders",
	"delegation":        "events name the delegation that an act was done under",
	"unit":              "the directory of today; the names and addresses that a copy went to stand in its dispatch",
	"unit_name":         "likewise",
	"unit_alias":        "likewise",
	"group_member":      "likewise",
	"directory_change":  "the directory's own journal",
	"calendar_day":      "what decides over the rules about working time; each change is an event of the gateway",
	"office_hours":      "likewise",
	"calendar_change":   "likewise",
	"bell":              "which half-days were rung: work in hand",
	"reminder":          "that somebody was told once; the event says who and what",
	"checked":           "what clients showed of a unit's visits; opening and acts are events",
	"call_item":         "whom to call; that it was listed and called stands in the copy's events",
	"outage":            "when the gateway did not run, as it saw itself",
	"heartbeat":         "likewise",
	"post":              "the directory of today",
	"posted":            "that a letter was told, so that it is told once",
	"seal_care":         "work in hand: which seals are looked after; a missing row is named, what was done is events",
	"outside_mail":      "mail from outside that was looked at; what was entered of it is an event of the register",
}

// Whoever adds a table says whether its rows must be provable.
func TestEveryTableIsEvidenceOrSaysWhyNot(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
		if h.db.Dialect() == sqldb.Postgres {
			query = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
		}
		var tables []string
		if err := h.db.Read(ctx, func(tx *sqldb.Tx) error { return tx.SelectContext(ctx, &tables, query) }); err != nil {
			t.Fatal(err)
		}
		known := maps.Clone(noEvidence)
		for _, e := range evidence {
			known[e.table] = "evidence"
		}
		for _, name := range tables {
			if known[name] == "" {
				t.Errorf("table %s: add it to evidence in this file where Check can prove its rows, else to noEvidence with the reason", name)
			}
			delete(known, name)
		}
		for name := range known {
			t.Errorf("there is no table %s", name)
		}
	})
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
				t.Run(e.table, func(t *testing.T) { h.forge(t, f, e.table, e.key, e.only, e.extra, e.free) })
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
	if _, err := h.TakeNumberFor(ctx, clerk, "stc", 2009, "", "STC-VP", "Về việc thử"); err != nil {
		t.Fatal(err)
	}
	if err := h.VoidNumber(ctx, clerk, "stc", 2009, "", "02/STC-VP", "in hỏng"); err != nil {
		t.Fatal(err)
	}
	for _, e := range []exchange.Entry{{Reference: "03/STC-VP", DatedOn: "2009-03-17", Kind: "Công văn", Abstract: "Về việc gửi giấy", Recipients: "Bộ Thử", Signer: "Nguyễn Thử", Filed: "VT", Copies: 3, Note: "gửi bưu điện"},
		{Reference: "04/STC-VP", DatedOn: "2009-03-18"}} {
		if _, err := h.Enter(ctx, clerk, "stc", exchange.OutgoingBook, e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Enter(ctx, clerk, "giay", exchange.IncomingBook, exchange.Entry{Author: "Bộ Thử", Document: "12/BT-VP", DatedOn: "2009-03-10", DueOn: "2009-04-01"}); err != nil {
		t.Fatal(err)
	}
	for _, secrecy := range []string{"MẬT", "TUYỆT MẬT", "MẬT"} {
		if err := h.RefuseSecret(ctx, clerk, "snv", secrecy); err != nil {
			t.Fatal(err)
		}
	}
	h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt", "Sở Tài chính, UBND=stc ubnd", "Trung tâm X>Trung tâm X <vt@x.test>", "Lưu!lưu"))
	h.move(t, "syt", "Đã tiếp nhận")
	h.move(t, "stc", "Hoàn thành")
	h.log(t)
	h.issue(t, proposal("02/SNV-VP", "Sở Y tế (để biết)=syt", "UBND=ubnd"))
	h.move(t, "ubnd", "Đang xử lý")
	h.log(t)
	out := h.issue(t, proposal("04/SNV-VP", "X>Trạm X <vt@x.test>", "Y>Trạm Y <vt@y.test>"))
	h.try(t, mailcore.Outcome{State: mailcore.AttemptLater, Host: "mx.x.test", Phase: "rcpt", Code: 451, Enhanced: "4.3.0", Dialogue: "< 451 4.3.0 bận"})
	h.exec(t, `UPDATE outbox SET next_at = 0 WHERE state = 'queued'`)
	h.try(t, mailcore.Outcome{State: mailcore.AttemptSent, Host: "mx.x.test", Phase: "done", Code: 250, Enhanced: "2.0.0", Dialogue: "< 250 2.0.0 Ok"})
	h.handle(t)
	h.reply(t, copyTo(t, h.issue(t, proposal("05/SNV-VP", "Sở Tài chính=stc")), "stc"), "stc", "Từ chối: gửi nhầm")
	if d := copyTo(t, h.status(t, out.Document.ID), "Trạm X"); d.Transport != exchange.Relayed {
		t.Fatalf("%+v", d)
	}
	h.log(t)
	h.handOut(t)
	h.complain(t)
	h.takeBack(t)
	h.issue(t, proposal("03/SNV-VP", "Sở Y tế=syt")) // waits for the log
}

// takeBack leaves rows of what is done to issued documents: an answer to a recall, an added copy, addresses used and unused, and one
// document that is due.
func (h *house) takeBack(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	st := h.issue(t, proposal("40/SNV-VP", "Sở Y tế=syt", "Ông X>Ông X", "Ông Z>Ông Z"))
	if _, err := h.FetchPickup(ctx, h.offer(t, copyTo(t, st, "Ông Z").Dispatch.ID), 0, exchange.Visitor{Browser: "b", Remote: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	h.offer(t, copyTo(t, st, "Ông X").Dispatch.ID)
	h.offer(t, h.added(t, st.Document.ID))
	h.fetch(t, "syt", true)
	h.recall(t, st.Document.ID)
	if _, err := h.AnswerRecall(ctx, exchange.Actor{Unit: "syt"}, copyTo(t, st, "syt").Dispatch.ID, false, "đã thi hành"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Schedule(ctx, clerk, h.sealed(t, proposal("41/SNV-VP", "Sở Y tế=syt")).ID); err != nil {
		t.Fatal(err)
	}
	h.handle(t)
}

// added is a copy that was sent after the issue.
func (h *house) added(t *testing.T, id exchange.DocumentID) exchange.DispatchID {
	t.Helper()
	d, err := h.Supplement(context.Background(), clerk, id, exchange.Forgotten{Name: "Ông Y"}, "bỏ sót")
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// try lets the queue try everything that is due once, with this outcome.
func (h *house) try(t testing.TB, o mailcore.Outcome) {
	t.Helper()
	ctx := context.Background()
	jobs, err := h.mail.ClaimOutbox(ctx, 100, time.Minute)
	if err != nil || len(jobs) == 0 {
		t.Fatal(len(jobs), err)
	}
	for _, j := range jobs {
		id, err := h.mail.BeginAttempt(ctx, j.ID, o.Host)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.mail.MarkDot(ctx, id); err != nil {
			t.Fatal(err)
		}
		if err := h.mail.FinishAttempt(ctx, j.ID, id, o); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *house) forge(t *testing.T, f *forger, table, key, only, extra string, free map[string]string) {
	columns, rows := f.rows(t, table+" "+only, key)
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	// Damage that keeps Check from reading on is an error, which must name the place as well.
	named := func(what string) {
		t.Helper()
		found, err := h.Check(context.Background())
		if table == "blob" {
			more, e := h.mail.Check(context.Background())
			found, err = append(found, more...), cmp.Or(err, e)
		}
		said := strings.Join(found, "\n")
		if err != nil {
			said += "\n" + err.Error()
		}
		if said == "" || !slices.ContainsFunc(places[table], func(p string) bool { return strings.Contains(said, p) }) {
			t.Errorf("%s: not named: %s", what, said)
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
			switch column {
			case "stamp":
				changed[c] = []byte("x")
			case "pinned":
				changed[c] = false
			}
			update(row, column, changed[c], row)
			named(fmt.Sprintf("row %d: %s changed from %v", i, column, row[c]))
			update(changed, column, row[c], changed)
		}
		if extra != "" {
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
	if len(rows) > 1 && !slices.Contains(unordered, table) {
		h.exchangeRows(t, f, table, key, columns, rows[0], rows[1], named)
	}
}

// unordered tables have rows that differ in free columns alone, besides the key that would be exchanged.
var unordered = []string{"log_head", "log_queue", "attempt", "blob"}

// places are words of which one must stand in what Check says about a table.
var places = map[string][]string{"document": {"document", "dispatch"}, "recipient_line": {"recipient_line"}, "package_item": {"package_item", "package"},
	"dispatch": {"dispatch"}, "event": {"event", "document", "dispatch", "register_series"}, "incoming": {"incoming"}, "pickup": {"pickup"}, "assignment": {"assignment"}, "answer": {"answer"}, "fault": {"fault"}, "refusal": {"refusal"}, "register_series": {"series"},
	"register_number": {"register_number", "series"}, "register_entry": {"register_entry"}, "attempt": {"attempt", "outbox"}, "copy_sequence": {"copy_sequence"}, "blob": {"blob", "digest"}, "checkpoint": {"checkpoint"}, "log_batch": {"log_batch", "leaf", "log:"},
	"log_tile": {"log_tile"}, "log_queue": {"log_queue", "waiting"}, "log_head": {"log_head", "checkpoint", "leaves"}}

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

// Every file of evidence in the blob store: changed by a byte, cut, taken away, or exchanged with another's.
func TestEveryChangedFileIsNamed(t *testing.T) {
	h := newHouseAt(t, sqldb.SQLite)
	h.busy(t)
	f := h.pinned(t)
	rows := 0
	for _, p := range f {
		if p.path == "" {
			rows++
		}
	}
	if len(f) < 10 || rows == 0 || rows == len(f) {
		t.Fatalf("%d pinned blobs, %d of them in rows", len(f), rows)
	}
	named := func(what, digest string) {
		t.Helper()
		found, err := h.Check(context.Background())
		if said := strings.Join(found, "\n"); err != nil || !strings.Contains(said, "document") && !strings.Contains(said, "dispatch") {
			t.Errorf("%s %s: %q %v", what, digest, said, err)
		}
	}
	for _, digest := range slices.Sorted(maps.Keys(f)) {
		bytes := f[digest]
		good := bytes.read(t)
		changed := slices.Clone(good)
		changed[len(changed)/2] ^= 1
		for _, c := range []struct {
			what  string
			other []byte
		}{{"changed", changed}, {"cut", good[:len(good)-1]}, {"empty", []byte{}}, {"another's", []byte("%PDF-1.4")}} {
			bytes.write(t, c.other)
			named(c.what, digest)
		}
		bytes.remove(t)
		named("taken away", digest)
		bytes.write(t, good)
	}
	h.mustBeSound(t)
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	os.Chmod(path, 0o600)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A pinnedBlob is where the bytes of a pinned blob lie: in a file, or in a row when path is empty.
type pinnedBlob struct {
	h            *house
	digest, path string
}

// pinned are the pinned blobs by digest.
func (h *house) pinned(t *testing.T) map[string]pinnedBlob {
	t.Helper()
	var rows []struct {
		Digest string `db:"digest"`
		Small  bool   `db:"small"`
	}
	err := h.db.Read(context.Background(), func(tx *sqldb.Tx) error {
		return tx.SelectContext(context.Background(), &rows, `SELECT b.digest, y.digest IS NOT NULL AS small FROM blob b LEFT JOIN blob_bytes y ON y.digest = b.digest WHERE b.pinned`)
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]pinnedBlob{}
	for _, r := range rows {
		p := pinnedBlob{h: h, digest: r.Digest}
		if !r.Small {
			p.path = filepath.Join(h.blobDir, r.Digest[:2], r.Digest)
		}
		out[r.Digest] = p
	}
	return out
}

func (p pinnedBlob) read(t *testing.T) (data []byte) {
	t.Helper()
	var err error
	if p.path != "" {
		data, err = os.ReadFile(p.path)
	} else {
		err = p.h.db.Read(context.Background(), func(tx *sqldb.Tx) error {
			return tx.GetContext(context.Background(), &data, `SELECT bytes FROM blob_bytes WHERE digest = $1`, p.digest)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// write puts other bytes there, or the first ones again after remove.
func (p pinnedBlob) write(t *testing.T, data []byte) {
	t.Helper()
	if p.path != "" {
		write(t, p.path, data)
		return
	}
	p.change(t, `INSERT INTO blob_bytes (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes`, p.digest, data)
}

func (p pinnedBlob) remove(t *testing.T) {
	t.Helper()
	if p.path == "" {
		p.change(t, `DELETE FROM blob_bytes WHERE digest = $1`, p.digest)
	} else if err := os.Remove(p.path); err != nil {
		t.Fatal(err)
	}
}

func (p pinnedBlob) change(t *testing.T, query string, args ...any) {
	t.Helper()
	err := p.h.db.Write(context.Background(), func(tx *sqldb.Tx) error { _, err := tx.ExecContext(context.Background(), query, args...); return err })
	if err != nil {
		t.Fatal(err)
	}
}
