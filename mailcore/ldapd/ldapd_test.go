package ldapd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/blob"
	"congvan/mailcore/ldapd"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/go-ldap/ldap/v3"
)

const (
	base     = "dc=kontum,dc=test"
	officer  = "an.snv@kontum.test"
	password = "trưa nay ăn cơm gà"
)

var people = []ldapd.Person{
	{Address: "ubnd@kontum.test", Name: "Ủy ban nhân dân tỉnh Kon Tum", Unit: "Ủy ban nhân dân tỉnh Kon Tum", Found: []string{"UBND tỉnh", "UBND tỉnh Kon Tum"}},
	{Address: "snv@kontum.test", Name: "Sở Nội vụ", Unit: "Sở Nội vụ", Organization: "Ủy ban nhân dân tỉnh Kon Tum"},
	{Address: "stttt@kontum.test", Name: "Sở Thông tin và Truyền thông", Unit: "Sở Thông tin và Truyền thông", Organization: "Ủy ban nhân dân tỉnh Kon Tum", Found: []string{"Sở TT&TT"}},
	{Address: officer, Name: "Nguyễn Văn An", Officer: true, Unit: "Sở Nội vụ", Organization: "Ủy ban nhân dân tỉnh Kon Tum", Title: "Chuyên viên", Phone: "0260 3862 100"},
	{Address: "ybinh.snv@kontum.test", Name: "Y Bình Niê Kđăm", Officer: true, Unit: "Sở Nội vụ"},
}

// A house is a store with an officer, and the directory on two ports.
type house struct {
	t       *testing.T
	store   *mailcore.Store
	plain   string
	secure  string
	roots   *x509.CertPool
	caFile  string
	options *ldapd.Options
}

func newHouse(t *testing.T, db *sqldb.DB, change func(o *ldapd.Options)) *house {
	t.Helper()
	blobs, err := blob.OpenDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: mailcore.NewStore(db, blobs, mailtest.Quiet)}
	h.store.SetHashCost(mailcore.HashCost{Time: 1, Memory: 64})
	if _, err := h.store.CreateAccounts(t.Context(), []mailcore.NewAccount{{Address: officer, Kind: mailcore.Officer, Name: "Nguyễn Văn An", Unit: "snv", Password: password},
		{Address: "moi.snv@kontum.test", Kind: mailcore.Officer, Name: "Lê Thị Mới", Unit: "snv", Password: password, MustChange: true}}); err != nil {
		t.Fatal(err)
	}
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	h.roots = x509.NewCertPool()
	h.roots.AddCert(cert.Certificate())
	h.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(h.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	h.options = &ldapd.Options{Store: h.store, TLS: &tls.Config{Certificates: cert.TLS.Certificates}, Logger: mailtest.Quiet, Domain: "kontum.test",
		People: func(context.Context) ([]ldapd.Person, error) { return people, nil }, AccountURL: "https://mail.kontum.test/account", FailDelay: time.Millisecond}
	cert.Close()
	if change != nil {
		change(h.options)
	}
	h.serve(ldapd.New(*h.options))
	return h
}

func (h *house) serve(s *ldapd.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for i, address := range []*string{&h.plain, &h.secure} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			h.t.Fatal(err)
		}
		*address = ln.Addr().String()
		go func() { done <- []func(context.Context, net.Listener) error{s.Serve, s.ServeTLS}[i](ctx, ln) }()
	}
	h.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				h.t.Error(err)
			}
		}
	})
}

func (h *house) dial() *ldap.Conn {
	h.t.Helper()
	c, err := ldap.DialURL("ldaps://"+h.secure, ldap.DialWithTLSConfig(&tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}))
	if err != nil {
		h.t.Fatal(err)
	}
	c.SetTimeout(2 * time.Minute)
	h.t.Cleanup(func() { c.Close() })
	return c
}

func (h *house) bound() *ldap.Conn {
	h.t.Helper()
	c := h.dial()
	if err := c.Bind(officer, password); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// find returns the addresses that a filter finds, sorted.
func (h *house) find(c *ldap.Conn, filter string) string {
	h.t.Helper()
	res, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"mail"}, nil))
	if err != nil {
		h.t.Errorf("%s: %v", filter, err)
		return ""
	}
	var out []string
	for _, e := range res.Entries {
		local, _, _ := strings.Cut(e.GetAttributeValue("mail"), "@")
		out = append(out, local)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func one(t *testing.T) *sqldb.DB {
	return mailtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db"))
}

// Filters as mail programs send them find people with and without diacritics.
func TestPeopleAreFound(t *testing.T) {
	h := newHouse(t, one(t), nil)
	c := h.bound()
	thunderbird := func(s string) string {
		return strings.ReplaceAll("(|(mail=*@@*)(|(givenName=*@@*)(|(sn=*@@*)(|(cn=*@@*)(displayName=*@@*)))))", "@@", s)
	}
	outlook := func(s string) string {
		return strings.ReplaceAll("(&(mail=*)(|(mail=@@*)(|(cn=@@*)(|(sn=@@*)(givenName=@@*)))))", "@@", s)
	}
	for filter, want := range map[string]string{
		thunderbird("nội vụ"):            "snv",
		thunderbird("noi vu"):            "snv",
		thunderbird("NỘI VỤ"):            "snv", // decomposed
		thunderbird("ubnd"):              "ubnd",
		thunderbird("uy ban nhan"):       "ubnd",
		thunderbird("tt&tt"):             "stttt",
		thunderbird("kdam"):              "ybinh.snv",
		outlook("an"):                    "an.snv",
		outlook("nguyen van"):            "an.snv",
		outlook("thông"):                 "stttt",
		outlook("y b"):                   "ybinh.snv",
		"(mail=AN.SNV@kontum.test)":      "an.snv",
		"(&(o=*kon tum)(!(title=*)))":    "snv stttt",
		"(&(objectClass=inetOrgPerson))": "an.snv snv stttt ubnd ybinh.snv",
		"(&)":                            " an.snv snv stttt ubnd ybinh.snv", // the base, too
		"(|)":                            "",
		"(!(mail=*))":                    "", // the base has none: next line
		"(telephoneNumber=0260*)":        "an.snv",
		"(title=chuyen vien)":            "an.snv",
		"(title~=Chuyên viên)":           "an.snv",
		"(ou=Sở Nội vụ)":                 "an.snv snv ybinh.snv",
		"(uid>=t)":                       "ubnd ybinh.snv",
		"(uid<=an.snv)":                  "an.snv",
		"(cn:dn:2.4.6.8.10:=an)":         "",
		"(!(cn:2.4.6.8.10:=an))":         "", // undefined is not true
		"(userPassword=*)":               "",
		"(cn;lang-vi=Sở Nội vụ)":         "",
		"(cn=s*n*v*)":                    "snv stttt",
		"(cn=*vu*noi*)":                  "",
		"(cn=so noi vu*vu)":              "",
		`(mail=\2a)`:                     "",
	} {
		if got := h.find(c, filter); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s finds %q, want %q", filter, got, want)
		}
	}
}

func TestEntryBearsWhatClientsShow(t *testing.T) {
	h := newHouse(t, one(t), nil)
	c := h.bound()
	get := func(attrs ...string) string {
		t.Helper()
		res, err := c.Search(ldap.NewSearchRequest("MAIL=an.snv@kontum.test, DC=Kontum,dc=test", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", attrs, nil))
		if err != nil || len(res.Entries) != 1 {
			t.Fatalf("%v, %+v", err, res)
		}
		var b strings.Builder
		fmt.Fprint(&b, res.Entries[0].DN)
		for _, a := range res.Entries[0].Attributes {
			fmt.Fprintf(&b, "|%s=%s", a.Name, strings.Join(a.Values, ","))
		}
		return b.String()
	}
	all := "mail=an.snv@kontum.test,dc=kontum,dc=test|objectClass=top,person,organizationalPerson,inetOrgPerson|cn=Nguyễn Văn An|sn=Nguyễn|givenName=Văn An|" +
		"displayName=Nguyễn Văn An|mail=an.snv@kontum.test|uid=an.snv|ou=Sở Nội vụ|o=Ủy ban nhân dân tỉnh Kon Tum|title=Chuyên viên|telephoneNumber=0260 3862 100"
	for _, attrs := range [][]string{nil, {"*"}, {"*", "+"}} {
		if got := get(attrs...); got != all {
			t.Errorf("%v: %s", attrs, got)
		}
	}
	for attrs, want := range map[string]string{"1.1": "", "CN": "|cn=Nguyễn Văn An", "surname 2.5.4.12 description": "|sn=Nguyễn|title=Chuyên viên"} {
		if got := get(strings.Fields(attrs)...); got != "mail=an.snv@kontum.test,dc=kontum,dc=test"+want {
			t.Errorf("%s: %s", attrs, got)
		}
	}
}

func TestScopesAndBases(t *testing.T) {
	h := newHouse(t, one(t), nil)
	c := h.bound()
	for _, x := range []struct {
		base  string
		scope int
		n     int
		code  uint16
	}{
		{base, ldap.ScopeBaseObject, 1, 0}, {base, ldap.ScopeSingleLevel, 5, 0}, {base, ldap.ScopeWholeSubtree, 6, 0},
		{"", ldap.ScopeBaseObject, 1, 0}, {"", ldap.ScopeSingleLevel, 1, 0}, {"", ldap.ScopeWholeSubtree, 6, 0},
		{"mail=snv@kontum.test," + base, ldap.ScopeBaseObject, 1, 0}, {"mail=snv@kontum.test," + base, ldap.ScopeSingleLevel, 0, 0},
		{"mail=snv@kontum.test," + base, ldap.ScopeWholeSubtree, 1, 0}, {`mail="snv@kontum.test" ; DC=kontum , dc=\74est`, ldap.ScopeBaseObject, 1, 0},
		{"mail=xyz@kontum.test," + base, ldap.ScopeBaseObject, 0, 32}, {"dc=test", ldap.ScopeWholeSubtree, 0, 32}, {"ou=a," + base, ldap.ScopeWholeSubtree, 0, 32},
		{"no name", ldap.ScopeWholeSubtree, 0, 34}, {`dc=\`, ldap.ScopeBaseObject, 0, 34}, {"mail=a+sn=b," + base, ldap.ScopeBaseObject, 0, 34},
	} {
		res, err := c.Search(ldap.NewSearchRequest(x.base, x.scope, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		if x.code != 0 != ldap.IsErrorWithCode(err, x.code) || x.code == 0 && err != nil || len(res.Entries) != x.n {
			t.Errorf("%q %d: %v, %d entries; want %d, code %d", x.base, x.scope, err, len(res.Entries), x.n, x.code)
		}
	}
}

// Nobody sees a name before a login, and no password is taken in clear; anonymous reading is a setting.
func TestWhoMaySearch(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db, nil)
		everything := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", nil, nil)
		plain, err := ldap.DialURL("ldap://" + h.plain)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		want := func(what string, err error, code uint16) {
			t.Helper()
			if !ldap.IsErrorWithCode(err, code) {
				t.Errorf("%s: %v, want code %d", what, err, code)
			}
		}
		want("in clear", plain.Bind(officer, password), ldap.LDAPResultConfidentialityRequired)
		_, err = plain.Search(everything)
		want("no login", err, ldap.LDAPResultInsufficientAccessRights)
		_, err = plain.Compare("mail=snv@kontum.test,"+base, "cn", "Sở Nội vụ")
		want("no login", err, ldap.LDAPResultInsufficientAccessRights)
		if err := plain.StartTLS(&tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{officer, "an.snv", `KONTUM\an.snv`, "mail=an.snv@kontum.test," + base, "uid=An.SNV,ou=x"} {
			if err := plain.Bind(name, password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if who, err := plain.WhoAmI(nil); err != nil || who.AuthzID != "u:"+officer {
			t.Errorf("%+v, %v", who, err)
		}
		if res, err := plain.Search(everything); err != nil || len(res.Entries) != 6 {
			t.Errorf("%v", err)
		}
		if err := plain.UnauthenticatedBind(""); err != nil { // logs out
			t.Error(err)
		}
		_, err = plain.Search(everything)
		want("logged out", err, ldap.LDAPResultInsufficientAccessRights)
		want("empty password", plain.UnauthenticatedBind(officer), ldap.LDAPResultUnwillingToPerform)
		err = plain.Bind("moi.snv", password)
		want("issued password", err, ldap.LDAPResultInvalidCredentials)
		if !strings.Contains(fmt.Sprint(err), "https://mail.kontum.test/account") {
			t.Errorf("does not say where: %v", err)
		}
		want("wrong", plain.Bind(officer, "sai"), ldap.LDAPResultInvalidCredentials)
		want("unknown", plain.Bind("ai@khac.test", "sai"), ldap.LDAPResultInvalidCredentials)
		if err := plain.Bind(officer, password); err == nil {
			t.Error("a fourth try on one connection")
		}
		// a password that is cut ends its connections
		c := h.bound()
		if err := h.store.CutAccount(t.Context(), officer); err != nil {
			t.Fatal(err)
		}
		for i := 0; err == nil || !ldap.IsErrorWithCode(err, ldap.ErrorNetwork); i++ {
			if _, err = c.Search(everything); i > 500 {
				t.Fatalf("still there: %v", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	t.Run("anonymous", func(t *testing.T) {
		h := newHouse(t, one(t), func(o *ldapd.Options) { o.Anonymous = true })
		if got := h.find(h.dial(), "(cn=*noi vu*)"); got != "snv" {
			t.Error(got)
		}
	})
}

// Whatever would write, and what is not spoken here, is refused by its own code, and the connection goes on.
func TestNothingIsWritten(t *testing.T) {
	h := newHouse(t, one(t), nil)
	c := h.bound()
	dn := "mail=snv@kontum.test," + base
	mod := ldap.NewModifyRequest(dn, nil)
	mod.Replace("cn", []string{"x"})
	add := ldap.NewAddRequest("mail=x@kontum.test,"+base, nil)
	add.Attribute("cn", []string{"x"})
	for what, err := range map[string]error{"modify": c.Modify(mod), "add": c.Add(add), "delete": c.Del(ldap.NewDelRequest(dn, nil)),
		"rename": c.ModifyDN(ldap.NewModifyDNRequest(dn, "mail=y", true, ""))} {
		if !ldap.IsErrorWithCode(err, ldap.LDAPResultUnwillingToPerform) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.PasswordModify(ldap.NewPasswordModifyRequest("", "a", "b")); !ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError) {
		t.Errorf("password: %v", err)
	}
	if err := c.ExternalBind(); !ldap.IsErrorWithCode(err, ldap.LDAPResultAuthMethodNotSupported) {
		t.Errorf("SASL: %v", err)
	}
	if err := c.Bind(officer, password); err != nil { // the failed bind logged out
		t.Fatal(err)
	}
	critical := ldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(cn=*)", nil, []ldap.Control{ldap.NewControlString("1.2.3.4", true, "")})
	if _, err := c.Search(critical); !ldap.IsErrorWithCode(err, ldap.LDAPResultUnavailableCriticalExtension) {
		t.Errorf("critical control: %v", err)
	}
	critical.Controls = []ldap.Control{ldap.NewControlString("1.2.3.4", false, "")}
	if _, err := c.Search(critical); err != nil {
		t.Errorf("control: %v", err)
	}
	for value, want := range map[string]bool{"so noi vu": true, "Sở Tài chính": false} {
		if got, err := c.Compare(dn, "cn", value); got != want || err != nil {
			t.Errorf("compare %s: %t, %v", value, got, err)
		}
	}
	if _, err := c.Compare(dn, "title", "x"); !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchAttribute) {
		t.Errorf("compare: %v", err)
	}
	if _, err := c.Compare("mail=x,"+base, "cn", "x"); !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		t.Errorf("compare: %v", err)
	}
}

func many(n int) func(context.Context) ([]ldapd.Person, error) {
	list := make([]ldapd.Person, n)
	for i := range list {
		list[i] = ldapd.Person{Address: mailcore.Address(fmt.Sprintf("u%d@kontum.test", i)), Name: fmt.Sprintf("Đơn vị số %d", i)}
	}
	return func(context.Context) ([]ldapd.Person, error) { return list, nil }
}

func TestAnswersAreBoundedAndPaged(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) { o.People, o.MaxEntries = many(1234), 100 })
	c := h.bound()
	search := func(size int, controls ...ldap.Control) (int, error) {
		res, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeSingleLevel, 0, size, 0, false, "(cn=don vi*)", nil, controls))
		return len(res.Entries), err
	}
	for size, want := range map[int]int{0: 100, 30: 30, 5000: 100} {
		if n, err := search(size); n != want || !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			t.Errorf("size %d: %d, %v", size, n, err)
		}
	}
	for _, page := range []uint32{7, 100, 1000, 1234} {
		res, err := c.SearchWithPaging(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", []string{"mail"}, nil), page)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range res.Entries {
			seen[e.DN] = true
		}
		if len(res.Entries) != 1235 || len(seen) != 1235 {
			t.Errorf("pages of %d: %d entries, %d different", page, len(res.Entries), len(seen))
		}
	}
	p := ldap.NewControlPaging(40)
	total := 0
	for range 10 {
		res, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeSingleLevel, 0, 90, 0, false, "(cn=*)", nil, []ldap.Control{p}))
		total += len(res.Entries)
		if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p.SetCookie(ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie)
	}
	if total != 90 {
		t.Errorf("a wish for 90 in pages: %d", total)
	}
	p.SetCookie([]byte("x"))
	if _, err := search(0, p); err == nil {
		t.Error("took a cookie that is none of ours")
	}
}

// Debian's own client, over ldaps and STARTTLS.
func TestLdapsearch(t *testing.T) {
	h := newHouse(t, one(t), func(o *ldapd.Options) { o.MaxEntries = 3 })
	program := mailtest.Program(t, "ldapsearch")
	ask := func(wantCode int, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"-x", "-LLL", "-o", "ldif-wrap=no", "-o", "nettimeout=20", "-D", officer, "-w", password, "-b", base}, args...)...)
		cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+h.caFile)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != wantCode {
			t.Errorf("%v: %v, want exit %d\n%s%s", args, err, wantCode, out.String(), errOut.String())
		}
		return out.String()
	}
	_, port, _ := net.SplitHostPort(h.plain)
	for _, how := range [][]string{{"-H", "ldaps://" + h.secure}, {"-ZZ", "-H", "ldap://127.0.0.1:" + port}} {
		if out := ask(0, append(how, "(|(cn=*noi vu*)(mail=*noi vu*))", "mail", "cn")...); !strings.Contains(out, "mail: snv@kontum.test") || strings.Count(out, "dn:") != 1 {
			t.Errorf("%v:\n%s", how, out)
		}
		if out := ask(4, append(how, "(cn=*)", "mail")...); strings.Count(out, "mail: ") != 3 {
			t.Errorf("%v:\n%s", how, out)
		}
		if out := ask(0, append(how, "-E", "pr=2/noprompt", "(cn=*)", "mail")...); strings.Count(out, "mail: ") != 5 {
			t.Errorf("%v:\n%s", how, out)
		}
		if out := ask(0, append(how, "-s", "base", "-b", "", "+")...); !strings.Contains(out, "namingContexts: "+base) || !strings.Contains(out, "supportedLDAPVersion: 3") {
			t.Errorf("%v:\n%s", how, out)
		}
		ask(49, append(how, "-w", "sai mật khẩu", "(cn=*)")...)
	}
	ask(13, "-H", "ldap://"+h.plain, "(cn=*)") // in clear
}
