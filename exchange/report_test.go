package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/exchange/worktime"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/migrations"
	"congvan/recipients"
	"congvan/signing"

	"github.com/xuri/excelize/v2"
)

var reportDir = flag.String("report-dir", "", "folder to leave the report of six months in, to be looked at")

// reportUnits are forty units of a province that does not exist.
const reportUnits = `ubnd|Ủy ban nhân dân tỉnh Thử|uy-ban-tinh|
vp|Văn phòng Ủy ban nhân dân tỉnh Thử|van-phong|ubnd
snv|Sở Nội vụ tỉnh Thử|so|ubnd
stp|Sở Tư pháp tỉnh Thử|so|ubnd
skhdt|Sở Kế hoạch và Đầu tư tỉnh Thử|so|ubnd
stc|Sở Tài chính tỉnh Thử|so|ubnd
sct|Sở Công Thương tỉnh Thử|so|ubnd
snn|Sở Nông nghiệp và Phát triển nông thôn tỉnh Thử|so|ubnd
sgtvt|Sở Giao thông vận tải tỉnh Thử|so|ubnd
sxd|Sở Xây dựng tỉnh Thử|so|ubnd
stnmt|Sở Tài nguyên và Môi trường tỉnh Thử|so|ubnd
stttt|Sở Thông tin và Truyền thông tỉnh Thử|so|ubnd
sld|Sở Lao động - Thương binh và Xã hội tỉnh Thử|so|ubnd
svh|Sở Văn hóa, Thể thao và Du lịch tỉnh Thử|so|ubnd
skhcn|Sở Khoa học và Công nghệ tỉnh Thử|so|ubnd
sgd|Sở Giáo dục và Đào tạo tỉnh Thử|so|ubnd
syt|Sở Y tế tỉnh Thử|so|ubnd
thanhtra|Thanh tra tỉnh Thử|so|ubnd
bdt|Ban Dân tộc tỉnh Thử|so|ubnd
bql|Ban Quản lý Khu kinh tế cửa khẩu quốc tế tỉnh Thử|ban-quan-ly|ubnd
`

// A reportHouse is a house of forty units whose clock the test turns.
type reportHouse struct {
	*house
	now   atomic.Int64
	rnd   *rand.Rand
	units []string
	count int
}

func newReportHouse(t testing.TB, dialect sqldb.Dialect) *reportHouse {
	t.Helper()
	p := &reportHouse{rnd: rand.New(rand.NewSource(2026))}
	p.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	if dialect == sqldb.Postgres {
		dsn = mailtest.NewPostgres(t)
	}
	ctx := context.Background()
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Logger: mailtest.Quiet, Now: func() time.Time { return time.UnixMicro(p.now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx, migrations.Files); err != nil {
		t.Fatal(err)
	}
	var csv strings.Builder
	csv.WriteString("code,name,kind,parent,aliases,address,mailbox\n")
	var accounts []mailcore.NewAccount
	add := func(code, name, kind, parent string) {
		fmt.Fprintf(&csv, "%s,%q,%s,%s,,,true\n", code, name, kind, parent)
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: name, Unit: code})
		p.units = append(p.units, code)
	}
	for _, line := range strings.Split(strings.TrimSpace(reportUnits), "\n") {
		f := strings.Split(line, "|")
		add(f[0], f[1], f[2], f[3])
	}
	for i := len(p.units); i < 40; i++ {
		add(fmt.Sprintf("huyen%02d", i-19), fmt.Sprintf("Ủy ban nhân dân huyện Thử Nghiệm %d", i-19), "huyen", "ubnd")
	}
	csv.WriteString("giay,Hội Người cao tuổi tỉnh Thử,hoi,,,,true\n")
	dir, err := recipients.ReadDirectory(strings.NewReader(csv.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p.house = &house{db: db, dir: dir, mail: mailcore.NewStore(db, blobs, mailtest.Quiet)}
	if _, err := p.mail.CreateAccounts(ctx, accounts); err != nil {
		t.Fatal(err)
	}
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := signing.NewAuthority(signing.Subject{Name: "Thử", From: from}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(signing.Subject{Name: "Tỉnh Thử", From: from, Until: from.AddDate(30, 0, 0)}, signing.P256)
	if err != nil {
		t.Fatal(err)
	}
	p.Store = exchange.NewStore(exchange.Options{DB: db, Mail: p.mail, Domain: domain, Log: mailtest.Quiet,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return id.Sealer() }})
	return p
}

func (p *reportHouse) at(day time.Time, hour float64) {
	p.now.Store(day.Add(time.Duration(hour * float64(time.Hour))).UnixMicro())
}

// A deed is something that a recipient does later.
type deed struct {
	at time.Time
	do func() error
}

// live lets the province work from a day on, for so many weeks.
func (p *reportHouse) live(t testing.TB, first time.Time, weeks int) {
	ctx := context.Background()
	cal, err := p.Calendar(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var later []deed
	for day := first; day.Before(first.AddDate(0, 0, 7*weeks)); day = day.AddDate(0, 0, 1) {
		halves := cal.HalfDays(day.Format(time.DateOnly), day.Format(time.DateOnly))
		if len(halves) > 0 {
			p.look(t, halves)
		}
		if len(halves) > 0 && p.rnd.Intn(3) > 0 {
			p.at(day, 8+float64(p.rnd.Intn(12))) // some in the evening
			later = append(later, p.send(t)...)
		}
		slices.SortStableFunc(later, func(a, b deed) int { return a.at.Compare(b.at) })
		for len(later) > 0 && later[0].at.Before(day.AddDate(0, 0, 1)) {
			p.now.Store(max(p.now.Load()+1, later[0].at.UnixMicro()))
			var gone *exchange.MoveError // it was taken back meanwhile
			var answered *exchange.Error
			if err := later[0].do(); err != nil && !errors.As(err, &gone) && !errors.As(err, &answered) {
				t.Fatal(err)
			}
			later = later[1:]
		}
	}
	p.at(first.AddDate(0, 0, 7*weeks), 30*24)
}

// send issues a document and says what its recipients will do.
func (p *reportHouse) send(t testing.TB) (later []deed) {
	t.Helper()
	ctx := context.Background()
	issuer := p.units[p.rnd.Intn(6)]
	var to []string
	for _, u := range p.units {
		if u != issuer && p.rnd.Intn(4) == 0 {
			to = append(to, u)
		}
	}
	p.count++
	q := proposal(fmt.Sprintf("%02d/%s-VP", p.count, strings.ToUpper(issuer)), "Các đơn vị="+strings.Join(append(to, "giay"), " "))
	q.Agency, q.IssuedOn = recipients.UnitCode(issuer), exchange.CivilDate(p.db.Now())
	by := exchange.Actor{Name: "văn thư", Unit: q.Agency}
	doc, err := p.Register(ctx, by, q, pdfOf(q.Reference))
	if err == nil {
		doc, err = p.Seal(ctx, by, doc.ID)
	}
	if err == nil {
		doc, err = p.Issue(ctx, by, doc.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	now := p.db.Now()
	for _, d := range p.status(t, doc.ID).Dispatches {
		who, id := exchange.Actor{Name: "văn thư " + d.Unit, Unit: recipients.UnitCode(d.Unit)}, d.Dispatch.ID
		after := now.Add(time.Duration(1+p.rnd.Intn(30)) * time.Hour)
		switch n := p.rnd.Intn(20); {
		case d.Unit == "giay" || n == 0:
		case n == 1:
			later = append(later, deed{after, func() error { _, err := p.Refuse(ctx, who, id, "gửi nhầm đơn vị"); return err }})
		case n == 3:
			to := recipients.UnitCode(p.units[p.rnd.Intn(40)])
			later = append(later, deed{after, func() error { _, err := p.Forward(ctx, who, id, to, ""); return err }})
		case n == 2:
			later = append(later, deed{after, func() error { _, err := p.Accept(ctx, who, id, ""); return err }},
				deed{after.Add(20 * time.Hour), func() error { _, err := p.Refuse(ctx, who, id, "tiếp nhận nhầm"); return err }})
		default:
			later = append(later, deed{after, func() error { _, err := p.Accept(ctx, who, id, ""); return err }})
		}
	}
	if p.rnd.Intn(6) == 0 {
		later = append(later, deed{now.Add(2 * time.Hour), func() error { _, err := p.Recall(ctx, by, doc.ID, "ban hành nhầm", false); return err }})
	}
	return slices.DeleteFunc(later, func(d deed) bool { return d.at.IsZero() })
}

// look has most units look after their mail, and lets the gateway stand still on two afternoons.
func (p *reportHouse) look(t testing.TB, halves []worktime.HalfDay) {
	t.Helper()
	ctx := context.Background()
	err := p.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, h := range halves {
			down := h.Half == worktime.Afternoon && (h.Day == "2026-03-11" || h.Day == "2026-05-20")
			if down {
				if _, err := tx.ExecContext(ctx, `INSERT INTO outage (from_at, to_at) VALUES ($1, $2)`, h.Start.UnixMicro(), h.End.Add(-30*time.Minute).UnixMicro()); err != nil {
					return err
				}
			}
			var rows [][]any
			for i, u := range p.units {
				if down && i%3 != 0 || p.rnd.Intn(10+i) < 2 {
					continue
				}
				how := []string{"opened", "acted", "console", "looked"}[p.rnd.Intn(4)]
				rows = append(rows, []any{u, h.Day, string(h.Half), how, h.Start.UnixMicro(), u + "@" + domain})
			}
			if err := tx.InsertRows(ctx, `INSERT INTO checked (unit, day, half, how, at, actor)`, rows, " ON CONFLICT (unit, day, half) DO NOTHING"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// recount counts the same from the bare events, in its own way: every event once, in order, with what it means.
func (p *reportHouse) recount(t testing.TB, from, to time.Time) map[string]exchange.Figures {
	t.Helper()
	ctx := context.Background()
	var events []struct {
		Chain int64  `db:"chain"`
		Kind  string `db:"kind"`
		At    int64  `db:"at"`
	}
	type copyOf struct{ unit, agency, way string }
	copies, agencies := map[int64]copyOf{}, map[int64]string{}
	err := p.db.Read(ctx, func(tx *sqldb.Tx) error {
		var rows []struct {
			ID     int64  `db:"id"`
			Unit   string `db:"unit"`
			Way    string `db:"way"`
			Agency string `db:"agency"`
		}
		if err := tx.SelectContext(ctx, &rows, `SELECT p.id, p.unit, p.way, d.agency FROM dispatch p, document d WHERE d.id = p.document_id`); err != nil {
			return err
		}
		for _, r := range rows {
			copies[r.ID] = copyOf{r.Unit, r.Agency, r.Way}
			agencies[r.ID>>20<<20] = r.Agency
		}
		return tx.SelectContext(ctx, &events, `SELECT chain, kind, at FROM event WHERE chain > 0 ORDER BY at, chain, ordinal`)
	})
	if err != nil {
		t.Fatal(err)
	}
	cal, err := p.Calendar(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]time.Time{} // when each working day closes
	for _, h := range cal.HalfDays("2026-01-01", "2026-12-31") {
		ends[h.Day] = h.End
	}
	closes := func(at time.Time) time.Time {
		for d := at; ; d = d.AddDate(0, 0, 1) {
			if end, ok := ends[exchange.CivilDate(d)]; ok && end.After(at) {
				return end
			}
		}
	}
	out := map[string]*exchange.Figures{}
	of := func(unit string) *exchange.Figures {
		if out[unit] == nil {
			out[unit] = &exchange.Figures{}
		}
		return out[unit]
	}
	arrived, dealt, accepted := map[int64]time.Time{}, map[int64]bool{}, map[int64]bool{}
	seen := map[int64]bool{}
	for _, e := range events {
		at := time.UnixMicro(e.At)
		if at.Before(from) || !at.Before(to) {
			continue
		}
		c, isCopy := copies[e.Chain]
		if !isCopy {
			if e.Kind == "issued" {
				of(agencies[e.Chain]).Documents++
				of(agencies[e.Chain]).Electronic++
			}
			continue
		}
		f := of(c.unit)
		if !seen[e.Chain] {
			if seen[e.Chain] = true; c.way == "other" {
				of(c.agency).Other++
			} else {
				of(c.agency).Copies++
			}
		}
		there := !arrived[e.Chain].IsZero()
		inTime := there && !at.After(closes(arrived[e.Chain]))
		settle := func() {
			if !dealt[e.Chain] && there && !inTime {
				f.Late++
			}
			dealt[e.Chain] = true
		}
		switch e.Kind {
		case "delivered":
			if c.way == "mailbox" {
				f.Received++
				arrived[e.Chain] = at
			}
		case "accepted":
			f.Accepted++
			if inTime {
				f.SameDay++
			}
			accepted[e.Chain] = true
			settle()
		case "refused":
			f.Refused++
			settle()
		case "noted":
			f.Noted++
			settle()
		case "forwarded":
			f.Forwarded++
			settle()
		case "recalled", "superseded":
			of(c.agency).Recalled++
			settle()
		case "recall_agreed":
			of(c.agency).Recalled++
		}
	}
	for id, at := range arrived {
		if !dealt[id] && to.After(closes(at)) {
			of(copies[id].unit).Late++
		}
	}
	result := map[string]exchange.Figures{}
	for unit, f := range out {
		result[unit] = *f
	}
	return result
}

// Six months of forty units on both databases: the figures are those of a count of its own over the events, the golden file holds
// them, and whoever makes the report again gets the same bytes.
func TestReportOfSixMonths(t *testing.T) {
	weeks := 26
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			p := newReportHouse(t, dialect)
			zone := time.FixedZone("+07", 7*3600)
			first := time.Date(2026, 1, 5, 0, 0, 0, 0, zone)
			p.live(t, first, weeks)
			q := exchange.ReportQuery{From: "2026-02-01", To: "2026-06-30"}
			r, err := p.Report(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			p.compare(t, r, time.Date(2026, 2, 1, 0, 0, 0, 0, zone), time.Date(2026, 7, 1, 0, 0, 0, 0, zone))
			p.countChecks(t, r)
			text, _ := json.MarshalIndent(r, "", " ")
			reportGolden(t, filepath.Join("testdata", "report-2026.json"), append(text, '\n'))
			again, err := p.Report(context.Background(), q)
			if err != nil || again.Digest != r.Digest {
				t.Errorf("made again: %s, before %s, %v", again.Digest, r.Digest, err)
			}
			var files [4]bytes.Buffer
			for i, write := range []func() error{func() error { return r.PDF(&files[0]) }, func() error { return again.PDF(&files[1]) }, func() error { return r.XLSX(&files[2]) }, func() error { return again.XLSX(&files[3]) }} {
				if err := write(); err != nil {
					t.Fatal(i, err)
				}
			}
			if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) || !bytes.Equal(files[2].Bytes(), files[3].Bytes()) {
				t.Error("written again they are other files")
			}
			if *reportDir != "" {
				os.WriteFile(filepath.Join(*reportDir, "report.pdf"), files[0].Bytes(), 0o644)
				os.WriteFile(filepath.Join(*reportDir, "report.xlsx"), files[2].Bytes(), 0o644)
			}
			checkReportFiles(t, r, files[0].Bytes(), files[2].Bytes())
		})
	}
}

func (p *reportHouse) compare(t *testing.T, r *exchange.Report, from, to time.Time) {
	t.Helper()
	want := p.recount(t, from, to)
	var total exchange.Figures
	for _, u := range r.Units {
		got, w := u.Figures, want[string(u.Unit)]
		got.HalfDays, got.Checked, got.Weak, got.Excused, got.Missed = 0, 0, 0, 0, 0
		if got != w {
			t.Errorf("%s\n got %+v\nwant %+v", u.Unit, got, w)
		}
		total.Received += w.Received
		total.Late += w.Late
	}
	if len(r.Units) != 40 || total.Received < 500 || total.Late == 0 || r.Total.Received != total.Received || r.Total.Refused == 0 || r.Total.Forwarded == 0 || r.Total.Recalled == 0 || r.Total.Other == 0 || r.Total.SameDay == 0 {
		t.Errorf("%d units, total %+v", len(r.Units), r.Total)
	}
}

// countChecks counts the half-days from the bare rows.
func (p *reportHouse) countChecks(t *testing.T, r *exchange.Report) {
	t.Helper()
	var total, down int
	p.get(t, &total, `SELECT count(*) FROM checked WHERE day BETWEEN $1 AND $2`, r.From, r.To)
	p.get(t, &down, `SELECT count(*) FROM checked WHERE half = 'pm' AND day IN ('2026-03-11', '2026-05-20')`)
	cal, err := p.Calendar(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	halves := len(cal.HalfDays(r.From, r.To))
	f := r.Total
	if r.HalfDays != halves || f.HalfDays != 40*halves || f.Checked != total || f.Excused != 2*40-down || f.Missed != f.HalfDays-f.Checked-f.Excused || f.Weak == 0 || f.Weak >= f.Checked {
		t.Errorf("%d half-days, %+v; %d rows, %d on outages", halves, f, total, down)
	}
	if len(r.Outages) != 2 {
		t.Errorf("outages %v", r.Outages)
	}
}

// reportGolden compares with a file, which -update rewrites.
func reportGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s says otherwise (%v); -update rewrites it. Now:\n%s", path, err, got)
	}
}

// checkReportFiles reads the files as other programs do.
func checkReportFiles(t *testing.T, r *exchange.Report, pdf, xlsx []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(mailtest.Program(t, "pdftotext"), "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{"CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Độc lập - Tự do - Hạnh phúc", "SỞ THÔNG TIN VÀ TRUYỀN", "BÁO CÁO", "Kính gửi: Ủy ban nhân dân tỉnh Thử", "/BC-STTTT", "Nơi nhận:",
		"- Lưu: VT.", "THỦ TRƯỞNG CƠ QUAN", r.Digest[:32], "Ủy ban nhân dân huyện Thử Nghiệm 20"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the PDF lacks %q", want)
		}
	}
	f, err := excelize.OpenReader(bytes.NewReader(xlsx))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, table := range r.Tables() {
		rows, err := f.GetRows(table.Sheet, excelize.Options{RawCellValue: true})
		if err != nil || len(rows) != 4+41 {
			t.Fatalf("sheet %s: %d rows, %v", table.Sheet, len(rows), err)
		}
		for i, row := range table.Rows {
			for k, v := range row {
				if got := rows[4+i][k]; got != fmt.Sprint(v) {
					t.Errorf("sheet %s row %d column %d: %q, want %v", table.Sheet, i, k, got, v)
				}
			}
		}
	}
}

func TestReportRefusesWhatCannotBeMeant(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		for _, c := range []struct {
			q    exchange.ReportQuery
			code string
		}{{exchange.ReportQuery{From: "2026-13-01", To: "2026-12-31"}, exchange.CodeBadDate}, {exchange.ReportQuery{From: "2026-06-30", To: "2026-01-01"}, exchange.CodeBadDate},
			{exchange.ReportQuery{From: "2999-01-01", To: "2999-06-30"}, exchange.CodeBadDate}, {exchange.ReportQuery{From: "2026-01-01", To: "2026-06-30", Unit: "lạ"}, exchange.CodeUnknownUnit},
			{exchange.ReportQuery{From: "2026-01-01", To: "2026-06-30", Unit: "bo"}, exchange.CodeNoMailbox}} {
			if _, err := h.Report(context.Background(), c.q); !exchange.IsCode(err, c.code) {
				t.Errorf("%+v: %v", c.q, err)
			}
		}
		h.issue(t, proposal("01/SNV-VP", "Sở Y tế=syt"))
		r, err := h.Report(context.Background(), exchange.ReportQuery{From: today(h), To: "2999-12-31", Unit: "syt"})
		if err != nil || len(r.Units) != 1 || r.Total.Received != 1 || r.Total.Accepted != 0 || r.To != today(h) || r.Reporter.Code != "syt" {
			t.Errorf("%+v %v", r, err)
		}
	})
}
