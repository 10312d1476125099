package exchange_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// handOver changes the head of a unit.
func (h *house) handOver(t testing.TB, unit recipients.UnitCode, to, password string) *exchange.Handover {
	t.Helper()
	got, err := h.HandOver(context.Background(), exchange.Actor{Name: "quản trị"}, exchange.HandoverOrder{Unit: unit, To: to, Request: "12/QĐ-UBND ngày 01/04/2009", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHandoverChangesHandsAtOnce(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		units := recipients.NewStore(h.db, domain)
		h.Posts = units.Posts
		if err := units.ImportPosts(ctx, []recipients.Post{{Unit: "stc", Role: recipients.HeadRole, Name: "Lê Văn Thử Cũ"}, {Unit: "snv", Role: recipients.HeadRole, Name: "Người Khác"}}, "quản trị", "01"); err != nil {
			t.Fatal(err)
		}
		for _, reference := range []string{"01/SNV-VP", "02/SNV-VP", "03/SNV-VP"} {
			h.issue(t, proposal(reference, "Sở Tài chính=stc"))
		}
		h.move(t, "stc", "Đã tiếp nhận")
		h.issue(t, proposal("04/SNV-VP", "Sở Tài chính=stc", "Sở Y tế=syt"))
		officer := h.officers(t, "stc", "an=Nguyễn An")[0]
		today := exchange.CivilDate(h.db.Now())
		if _, err := h.mail.Delegate(ctx, officer, "stc@"+domain, "03/GUQ-STC", today, "2126-01-01"); err != nil {
			t.Fatal(err)
		}
		old, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: "stc@" + domain, Password: "mật khẩu stc", Remote: netip.MustParseAddr("127.0.0.1")})
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		watch := h.mail.Watch(old, func(err error) { over <- err })
		defer watch.End()

		got := h.handOver(t, "stc", "Trần Thị Thử Mới", "mật khẩu giao lần đầu")

		if got.Messages != 7 || /* with the answers to three acts */ len(got.Folders) != 2 || len(got.Duties) != 4 || strings.Join(got.From, ",") != "Lê Văn Thử Cũ" || len(got.Ended) != 1 || !strings.HasPrefix(got.Ended[0], "03/GUQ-STC, an.stc@") {
			t.Errorf("handover %+v", got)
		}
		if _, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: "stc@" + domain, Password: "mật khẩu stc", Remote: netip.MustParseAddr("127.0.0.1")}); err == nil {
			t.Error("the old password still works")
		}
		now, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: "stc@" + domain, Password: "mật khẩu giao lần đầu", Remote: netip.MustParseAddr("127.0.0.1")})
		if !errors.Is(err, mailcore.ErrMustChange) || !now.Account.MustChange {
			t.Errorf("the new password: %+v, %v", now, err)
		}
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Error("the open login was not ended")
		}
		if held, err := h.mail.ActsFor(ctx, accountOf(t, h, officer).ID, h.db.Now()); err != nil || len(held) != 0 {
			t.Errorf("delegations still hold: %v, %v", held, err)
		}
		posts, err := units.Posts(ctx, "stc")
		if err != nil || len(posts) != 1 || posts[0].Name != "Trần Thị Thử Mới" || posts[0].From != today {
			t.Errorf("posts %+v, %v", posts, err)
		}
		h.inventoryIsTrue(t, got)
	})
}

func accountOf(t testing.TB, h *house, address mailcore.Address) mailcore.Account {
	t.Helper()
	a, err := h.mail.Account(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// inventoryIsTrue compares the inventory that is kept with what the mailbox holds.
func (h *house) inventoryIsTrue(t *testing.T, over *exchange.Handover) {
	t.Helper()
	ctx := context.Background()
	kept, data, err := h.Handover(ctx, over.Number)
	if err != nil || kept.Inventory != blob.Of(data) || kept.Inventory != over.Inventory || kept.To != over.To {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != over.Messages+1 {
		t.Fatalf("%d lines, %v", len(rows), err)
	}
	listed := map[string]bool{}
	for _, r := range rows[1:] {
		listed[r[0]+" "+r[1]+" "+r[6]] = true
	}
	boxes, err := h.mail.Mailboxes(ctx, accountOf(t, h, over.Mailbox).ID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, box := range boxes {
		all, _, err := h.mail.Rows(ctx, box.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			stored, err := h.mail.Load(ctx, box.ID, []mailcore.UID{r.UID})
			if err != nil {
				t.Fatal(err)
			}
			f, err := h.mail.Blobs().Open(stored[0].Digest)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, f.Size())
			f.ReadAt(body, 0)
			f.Close()
			n++
			if key := box.Name + " " + uidText(r.UID) + " " + string(blob.Of(body)); !listed[key] {
				t.Errorf("not listed: %s", key)
			}
		}
	}
	if n != len(listed) {
		t.Errorf("%d mails, %d listed", n, len(listed))
	}
}

func uidText(uid mailcore.UID) string { return fmt.Sprint(uint64(uid)) }

// Mail that comes between the inventory and the change of hands has the inventory made again: what is listed is what was there.
func TestHandoverListsWhatIsThere(t *testing.T) {
	forEachHouse(t, func(t *testing.T, h *house) {
		h.issue(t, proposal("01/SNV-VP", "Sở Tài chính=stc"))
		ctx := context.Background()
		a := accountOf(t, h, "stc@"+domain)
		listed, err := h.mail.Inventory(ctx, a.ID, func(mailcore.Holding) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		h.issue(t, proposal("02/SNV-VP", "Sở Tài chính=stc"))
		hash, err := h.mail.HashPassword(ctx, "mật khẩu mới của đơn vị")
		if err != nil {
			t.Fatal(err)
		}
		err = h.db.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := h.mail.HandOverTx(ctx, tx, a.Address, hash, listed)
			return err
		})
		if !errors.Is(err, mailcore.ErrChanged) {
			t.Errorf("handed over what was not listed: %v", err)
		}
		if _, err := h.mail.LogIn(ctx, mailcore.Attempt{Address: string(a.Address), Password: "mật khẩu stc", Remote: netip.MustParseAddr("127.0.0.1")}); err != nil {
			t.Errorf("half handed over: %v", err)
		}
		if over := h.handOver(t, "stc", "Trần Thị Thử Mới", "mật khẩu giao lần đầu"); over.Messages != 2 {
			t.Errorf("%d mails listed", over.Messages)
		}
	})
}

func TestHandoverIsPrinted(t *testing.T) {
	mailtest.Program(t, "pdftotext")
	h := newHouse(t, mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db")))
	for i := range 3 {
		h.issue(t, proposal(uidText(mailcore.UID(i+1))+"/SNV-VP", "Sở Tài chính=stc"))
	}
	over := h.handOver(t, "stc", "Trần Thị Thử Nghĩa", "mật khẩu giao lần đầu")
	kept, _, err := h.Handover(context.Background(), over.Number)
	if err != nil {
		t.Fatal(err)
	}
	one, err := over.PDF()
	if err != nil {
		t.Fatal(err)
	}
	if other, err := kept.PDF(); err != nil || !bytes.Equal(one, other) {
		t.Errorf("printed again it is another, %v", err)
	}
	file := filepath.Join(t.TempDir(), "bien-ban.pdf")
	if err := os.WriteFile(file, one, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("pdftotext", "-layout", file, "-").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BIÊN BẢN", "Trần Thị Thử Nghĩa", "theo 12/QĐ-UBND ngày", string(over.Inventory), "3/SNV-VP", "chưa tiếp nhận", "NGƯỜI CHỨNG KIẾN"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the page does not say %q:\n%s", want, out)
		}
	}
}
