package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
	"congvan/signing"
)

const domain = "tinh.test"

// testDirectory is a small province: two issuers, units with and without mailboxes, one outside, two that share a mailbox.
const testDirectory = `code,name,kind,parent,aliases,address,mailbox
ubnd,Ủy ban nhân dân tỉnh Thử,uy-ban-tinh,,UBND tỉnh,,true
snv,Sở Nội vụ tỉnh Thử,so,ubnd,Sở Nội vụ,,true
stc,Sở Tài chính tỉnh Thử,so,ubnd,Sở Tài chính,,true
syt,Sở Y tế tỉnh Thử,so,ubnd,Sở Y tế,,true
tthd,Thường trực HĐND tỉnh Thử,hdnd,,TT HĐND tỉnh,vphd@tinh.test,true
vphd,Văn phòng HĐND tỉnh Thử,hdnd,,VP HĐND tỉnh,,true
giay,Hội Người cao tuổi tỉnh Thử,hoi,,Hội NCT tỉnh,,true
bo,Bộ Thử,trung-uong,,,vanthu@bo.test,false
`

// A house is an exchange with its rooms, over one database.
type house struct {
	*exchange.Store
	mail *mailcore.Store
	db   *sqldb.DB
	dir  *recipients.Directory

	blobDir string
}

var testKey = sync.OnceValues(func() (*signing.Sealer, error) {
	ca, err := signing.NewAuthority(signing.Subject{Name: "Thử"}, signing.P256)
	if err != nil {
		return nil, err
	}
	testRoots.AddCert(ca.Certificate())
	id, err := ca.Issue(signing.Subject{Name: "Sở Nội vụ"}, signing.P256)
	if err != nil {
		return nil, err
	}
	return id.Sealer()
})

func newHouse(t testing.TB, db *sqldb.DB) *house {
	t.Helper()
	ctx := context.Background()
	blobDir := t.TempDir()
	blobs, err := blob.OpenDir(blobDir)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := recipients.ReadDirectory(strings.NewReader(testDirectory), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{db: db, dir: dir, mail: mailcore.NewStore(db, blobs, mailtest.Quiet), blobDir: blobDir}
	var accounts []mailcore.NewAccount
	for _, code := range []string{"ubnd", "snv", "stc", "syt", "vphd"} {
		u, _ := dir.Unit(recipients.UnitCode(code))
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: u.Name, Unit: code, Password: "mật khẩu " + code})
	}
	for _, local := range []string{exchange.ReplyMailbox, exchange.BounceMailbox} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(local + "@" + domain), Kind: mailcore.System, Name: local})
	}
	if _, err := h.mail.CreateAccounts(ctx, accounts); err != nil {
		t.Fatal(err)
	}
	h.Store = exchange.NewStore(exchange.Options{DB: db, Mail: h.mail, Domain: domain, Log: mailtest.Quiet,
		Directory: func(context.Context, string) (*recipients.Directory, error) { return dir, nil },
		Sealer:    func(context.Context, recipients.UnitCode) (*signing.Sealer, error) { return testKey() },
		LogKey:    testLogKey})
	return h
}

// forEachHouse runs fn on both databases and proves the invariants at the end.
func forEachHouse(t *testing.T, fn func(t *testing.T, h *house)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		fn(t, h)
		h.mustBeSound(t)
	})
}

// year is the registers' today: it begins at 17:00 UTC on 31 December.
func (h *house) year() int {
	year, _ := strconv.Atoi(exchange.CivilDate(h.db.Now())[:4])
	return year
}

func (h *house) mustBeSound(t *testing.T) {
	t.Helper()
	for name, check := range map[string]func(context.Context) ([]string, error){"exchange": h.Check, "mail": h.mail.Check} {
		found, err := check(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s: %s", name, f)
		}
	}
}

var clerk = exchange.Actor{Name: "văn thư", Unit: "snv"}

var testPDF = sync.OnceValue(func() []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "document.pdf"))
	if err != nil {
		panic(err)
	}
	return b
})

// pdfOf returns a document of its own for each name: bytes after the end of a PDF change nothing but its digest.
func pdfOf(name string) []byte { return append(bytes.Clone(testPDF()), []byte("\n% "+name+"\n")...) }

// proposal is a document of Sở Nội vụ with these lines; each line is "text=code code", "text>name <address>" or "text!reason".
func proposal(reference string, lines ...string) *exchange.Proposal {
	number, symbol, _ := strings.Cut(reference, "/")
	p := &exchange.Proposal{Agency: "snv", Reference: reference, Number: number, Symbol: symbol, Kind: "Công văn", Abstract: "về việc thử nghiệm",
		IssuedOn: "2009-03-18", Place: "Thử", Signer: "Nguyễn Thử Nghĩa", NotSecret: true, Pages: 1, FileName: reference + ".pdf"}
	for i, l := range lines {
		line := exchange.Line{Ordinal: i + 1, Block: "noi_nhan", Kind: "unit", Outcome: exchange.Open, Text: l}
		if text, codes, ok := strings.Cut(l, "="); ok {
			line.Text, line.Units, line.Outcome = text, codes, exchange.Resolved
		} else if text, to, ok := strings.Cut(l, ">"); ok {
			name, address, _ := strings.Cut(to, " <")
			line.Text, line.Name, line.Address, line.Outcome = text, name, strings.TrimSuffix(address, ">"), exchange.OffSystem
		} else if text, why, ok := strings.Cut(l, "!"); ok {
			line.Text, line.Why, line.Outcome = text, why, exchange.Excused
		}
		if strings.Contains(line.Text, "(để biết)") {
			line.Purpose = "biết"
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}

// issue takes a proposal all the way.
func (h *house) issue(t testing.TB, p *exchange.Proposal) *exchange.Status {
	t.Helper()
	ctx := context.Background()
	doc, err := h.Register(ctx, clerk, p, pdfOf(p.Reference))
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = h.Seal(ctx, clerk, doc.ID); err != nil {
		t.Fatal(err)
	}
	if doc, err = h.Issue(ctx, clerk, doc.ID); err != nil {
		t.Fatal(err)
	}
	return h.status(t, doc.ID)
}

func (h *house) status(t testing.TB, id exchange.DocumentID) *exchange.Status {
	t.Helper()
	st, err := h.Status(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// copyTo finds the copy of a unit.
func copyTo(t testing.TB, st *exchange.Status, unit string) *exchange.StatusDispatch {
	t.Helper()
	for i := range st.Dispatches {
		if st.Dispatches[i].Unit == unit {
			return &st.Dispatches[i]
		}
	}
	t.Fatalf("no copy to %s", unit)
	return nil
}

func (h *house) inbox(t testing.TB, unit string) (mailcore.Account, mailcore.Mailbox, []mailcore.Row) {
	t.Helper()
	ctx := context.Background()
	a, err := h.mail.Account(ctx, mailcore.Address(unit+"@"+domain))
	if err != nil {
		t.Fatal(err)
	}
	box, err := h.mail.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := h.mail.Rows(ctx, box.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a, box, rows
}

func TestCopiesAreExactlyTheUnitsNamed(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("01/SNV-VP", "Như trên=stc syt", "Sở Tài chính=stc", "UBND tỉnh (b/c)=ubnd", "Bộ Thử=bo",
			"Trung tâm X>Trung tâm X <vt@x.test>", "Giám đốc Sở!người của cơ quan ban hành", "Sở Nội vụ=snv"))
		got := []string{}
		for _, d := range st.Dispatches {
			got = append(got, fmt.Sprintf("%s %s %s %s", d.Unit, d.Dispatch.Way, d.Transport, d.Handling))
		}
		want := "stc mailbox delivered received|syt mailbox delivered received|ubnd mailbox delivered received|bo mail queued |Trung tâm X mail queued "
		if strings.Join(got, "|") != want {
			t.Errorf("copies\n got %s\nwant %s", strings.Join(got, "|"), want)
		}
		for _, unit := range []string{"stc", "syt", "ubnd"} {
			if _, _, rows := h.inbox(t, unit); len(rows) != 1 {
				t.Errorf("%s has %d mails", unit, len(rows))
			}
		}
		if _, _, rows := h.inbox(t, "snv"); len(rows) != 0 {
			t.Errorf("the issuer got a copy of its own")
		}
	})
}

func TestUnitsThatShareAMailboxGetOneMailAndEachADispatch(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("02/SNV-VP", "TT HĐND tỉnh, VP HĐND tỉnh=tthd vphd"))
		if _, _, rows := h.inbox(t, "vphd"); len(rows) != 1 || len(st.Dispatches) != 2 {
			t.Fatalf("%d mails, %d dispatches", len(rows), len(st.Dispatches))
		}
		h.move(t, "vphd", "Đã tiếp nhận")
		for _, unit := range []string{"tthd", "vphd"} {
			if d := copyTo(t, h.status(t, st.Document.ID), unit); d.Handling != exchange.Accepted || d.ArrivalNumber != "1" {
				t.Errorf("%s: %s, số đến %q", unit, d.Handling, d.ArrivalNumber)
			}
		}
	})
}

// move moves everything in the unit's inbox as its client would, and lets the exchange see it.
func (h *house) move(t testing.TB, unit, folder string) {
	t.Helper()
	ctx := context.Background()
	a, box, rows := h.inbox(t, unit)
	to, err := h.mail.Mailbox(ctx, a.ID, folder)
	if err != nil {
		t.Fatal(err)
	}
	var uids []mailcore.UID
	for _, r := range rows {
		uids = append(uids, r.UID)
	}
	if _, err := h.mail.MoveMessages(ctx, a, box.ID, uids, to.ID); err != nil {
		t.Fatal(err)
	}
	h.handle(t)
}

func (h *house) handle(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	if _, err := h.HandleMail(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := h.mail.PendingEvents(ctx, 10); err != nil || len(left) > 0 {
		t.Fatalf("mail events left: %v %v", left, err)
	}
}

func TestUnitWithoutMailboxStaysInSightAsAnException(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		st := h.issue(t, proposal("03/SNV-VP", "Hội NCT tỉnh=giay", "Sở Y tế=syt"))
		d := copyTo(t, st, "giay")
		if d.Dispatch.Way != exchange.ByOther || d.Transport != exchange.Exception || d.Owner != "snv" || d.Deadline == nil {
			t.Errorf("%+v", d)
		}
	})
}

func TestWhatIsNotReadyIsNotRegisteredAndLeavesNothing(t *testing.T) {
	secret := proposal("04/SNV-VP", "Sở Y tế=syt")
	secret.Secrecy = "Mật"
	unasked := proposal("05/SNV-VP", "Sở Y tế=syt")
	unasked.NotSecret = false
	nobody := proposal("06/SNV-VP", "Sở Y tế=syt")
	nobody.Agency = ""
	nameless := proposal("", "Sở Y tế=syt")
	cases := map[string]*exchange.Proposal{exchange.CodeSecret: secret, exchange.CodeSecrecyAsked: unasked, exchange.CodeUnknownIssuer: nobody,
		exchange.CodeNoReference: nameless, exchange.CodeOpenLines: proposal("07/SNV-VP", "Ban lạ", "Sở Y tế=syt"),
		exchange.CodeNoRecipients: proposal("08/SNV-VP"), exchange.CodeNoUnits: proposal("09/SNV-VP", "Lưu: VT!lưu")}
	forEachHouse(t, func(t *testing.T, h *house) {
		for _, code := range slices.Sorted(maps.Keys(cases)) {
			if _, err := h.Register(context.Background(), clerk, cases[code], pdfOf(code)); !exchange.IsCode(err, code) {
				t.Errorf("%s: got %v", code, err)
			}
		}
		docs, err := h.ListDocuments(context.Background(), "", "")
		if err != nil || len(docs) != 0 {
			t.Errorf("%d documents, %v", len(docs), err)
		}
		stored := 0
		h.mail.Blobs().Walk(context.Background(), func(blob.Info) error { stored++; return nil })
		if stored != 0 {
			t.Errorf("%d files stored", stored)
		}
	})
}

func TestNumberTakenByAnotherDocument(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.issue(t, proposal("10/SNV-VP", "Sở Y tế=syt"))
		_, err := h.Register(ctx, clerk, proposal("10/SNV-VP", "Sở Tài chính=stc"), pdfOf("khác"))
		if !exchange.IsCode(err, exchange.CodeNumberTaken) {
			t.Errorf("got %v", err)
		}
		if gaps, err := h.Gaps(ctx, "snv", 2009, exchange.OutgoingBook, ""); err != nil || len(gaps) != 9 {
			t.Errorf("gaps %v, %v", gaps, err)
		}
	})
}

func TestSameFileAgainIsTheSameDocument(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		var wg sync.WaitGroup
		ids := make([]exchange.DocumentID, 8)
		for i := range ids {
			wg.Go(func() {
				p := proposal("11/SNV-VP", "Sở Y tế=syt")
				doc, err := h.Register(ctx, clerk, p, pdfOf("11"))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err = h.Seal(ctx, clerk, doc.ID); err != nil {
					t.Error(err)
				}
				if _, err = h.Issue(ctx, clerk, doc.ID); err != nil {
					t.Error(err)
				}
				ids[i] = doc.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("documents %v", ids)
			}
		}
		if _, _, rows := h.inbox(t, "syt"); len(rows) != 1 {
			t.Errorf("%d mails", len(rows))
		}
	})
}

func TestSeriesIssuedHereHasNoGap(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		if err := h.SetMode(ctx, "snv", 2009, exchange.OutgoingBook, "", exchange.IssuedHere); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := h.TakeNumber(ctx, clerk, "snv", 2009, "", "SNV-VP"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		next, err := h.TakeNumber(ctx, clerk, "snv", 2009, "", "SNV-VP")
		if err != nil || next != "21/SNV-VP" {
			t.Errorf("next is %q, %v", next, err)
		}
		if _, err := h.Register(ctx, clerk, proposal("99/SNV-VP", "Sở Y tế=syt"), pdfOf("99")); !exchange.IsCode(err, exchange.CodeNotTakenHere) {
			t.Errorf("a number that nobody took: %v", err)
		}
		h.issue(t, proposal("07/SNV-VP", "Sở Y tế=syt"))
		if _, err := h.Register(ctx, clerk, proposal("07/SNV-VP", "Sở Y tế=syt"), pdfOf("7 khác")); !exchange.IsCode(err, exchange.CodeNumberTaken) {
			t.Errorf("a number in use: %v", err)
		}
		if err := h.VoidNumber(ctx, clerk, "snv", 2009, "", "08/SNV-VP", "in hỏng"); err != nil {
			t.Error(err)
		}
	})
}

func forEachHouseUnchecked(t *testing.T, fn func(t *testing.T, h *house)) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) { fn(t, newHouse(t, db)) })
}
