package main

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/recipients"

	"github.com/go-ldap/ldap/v3"
)

// Mail programs find the units of today by all their names, and the officers; not groups, nor who has left.
func TestDirectoryIsShownToMailPrograms(t *testing.T) {
	cfg := defaults(t.TempDir())
	cfg.Domain = "tinh.test"
	cfg.Listen.LDAP = "127.0.0.1:0"
	if err := cfg.validate("congvan.toml"); err != nil {
		t.Fatal(err)
	}
	in, err := openInstallation(t.Context(), cfg, mailtest.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	dir, err := recipients.ReadDirectory(strings.NewReader("code,name,kind,parent,aliases,address\nubnd,Ủy ban nhân dân tỉnh,uy-ban-tinh,,UBND tỉnh,\nsnv,Sở Nội vụ,so,ubnd,,\n"+
		"bnv,Bộ Nội vụ,trung-uong,,,vanthu@bnv.test\ncacso,Các sở,nhom,,,\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.units.Import(t.Context(), dir, "test", "15/SNV-VP 01/03/2009"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.mail.CreateAccounts(t.Context(), []mailcore.NewAccount{{Address: "an.snv@tinh.test", Kind: mailcore.Officer, Name: "Nguyễn Văn An", Unit: "snv", Password: "trưa nay ăn cơm gà"},
		{Address: "cu.snv@tinh.test", Kind: mailcore.Officer, Name: "Trần Văn Cũ", Unit: "snv"}}); err != nil {
		t.Fatal(err)
	}
	if err := in.mail.CloseAccount(t.Context(), "cu.snv@tinh.test"); err != nil {
		t.Fatal(err)
	}
	c := directoryClient(t, in)
	for filter, want := range map[string]string{"(mail=*)": "an.snv@tinh.test ubnd@tinh.test snv@tinh.test vanthu@bnv.test", "(cn=ubnd*)": "ubnd@tinh.test", "(cn=*noi vu*)": "snv@tinh.test vanthu@bnv.test",
		"(&(o=uy ban nhan dan tinh)(ou=so noi vu)(sn=nguyen))": "an.snv@tinh.test"} {
		res, err := c.Search(ldap.NewSearchRequest("dc=tinh,dc=test", ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"mail"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range res.Entries {
			got = append(got, e.GetAttributeValue("mail"))
		}
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s finds %v, want %v", filter, got, wanted)
		}
	}
}

// directoryClient serves the installation's directory and logs in to it.
func directoryClient(t *testing.T, in *installation) *ldap.Conn {
	t.Helper()
	g, err := in.listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.newDirectoryServer().Serve(ctx, g.listeners["ldap"]) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c, err := ldap.DialURL("ldap://" + g.listeners["ldap"].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind("an.snv", "trưa nay ăn cơm gà"); err != nil {
		t.Fatal(err)
	}
	return c
}
