//go:build e2e

package main

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"
)

// ldapsearch and ldapmodify of OpenLDAP ask the running gateway's directory, as Thunderbird and Outlook do: over STARTTLS and over
// TLS at once, with the certificate checked; by the address, since libldap makes the machine's own name of "localhost".
func TestE2ELdapsearch(t *testing.T) {
	mailtest.Program(t, "ldapsearch")
	p := prepareProvince(t, "testdata/e2e/units.csv")
	starttls, ldaps := mailtest.FreePort(t), mailtest.FreePort(t)
	p.configure(t, `ldap        = ""`, fmt.Sprintf("ldap = %q", starttls), `ldaps       = ""`, fmt.Sprintf("ldaps = %q", ldaps))
	p.serve(t)
	t.Setenv("LDAPTLS_CACERT", p.cert())
	t.Setenv("LDAPTLS_REQCERT", "demand")
	server := map[string][]string{
		"STARTTLS": {"-ZZ", "-H", "ldap://" + starttls},
		"TLS":      {"-H", "ldaps://" + ldaps},
	}
	login := []string{"-x", "-D", p.address("snv"), "-w", p.passwords["snv"]}
	for _, name := range []string{"STARTTLS", "TLS"} {
		at := server[name]
		for _, c := range []struct{ filter, want string }{
			{"(cn=Sở Tài chính)", "stc@thunghiem.test"},                        // by one of its names
			{"(cn=so tai chinh)", "stc@thunghiem.test"},                        // as it is typed without marks
			{"(cn=Sở Tài*)", "stc@thunghiem.test"},                             // completed as people type
			{"(|(cn=so*)(mail=so*))", "snv@thunghiem.test stc@thunghiem.test"}, // likewise, as Thunderbird asks
			{"(mail=ubnd*)", "ubnd@thunghiem.test"},                            //
			{"(&(cn=so*)(!(cn=nội*)))", "stc@thunghiem.test"},                  //
			{"(cn=khong co ai)", ""},                                           //
		} {
			out := command(t, p.dir, "", "ldapsearch", slices.Concat(at, login, []string{"-LLL", "-o", "ldif-wrap=no", "-b", "dc=thunghiem,dc=test", c.filter, "mail", "cn"})...)
			if got := strings.Join(ldifValues(t, out, "mail"), " "); got != c.want {
				t.Errorf("%s: %s finds %q, want %q:\n%s", name, c.filter, got, c.want, out)
			}
			if names := ldifValues(t, out, "cn"); c.want == "stc@thunghiem.test" && !slices.Contains(names, "Sở Tài chính tỉnh Thử Nghiệm") {
				t.Errorf("%s: %s shows the name as %q", name, c.filter, names)
			}
		}
		if out, err := try(p.dir, "dn: mail=stc@thunghiem.test,dc=thunghiem,dc=test\nchangetype: modify\nreplace: cn\ncn: khac\n", "ldapmodify", slices.Concat(at, login)...); err == nil ||
			!strings.Contains(out, "unwilling") && !strings.Contains(out, "nsufficient access") {
			t.Errorf("%s: a change is answered %v\n%s", name, err, out)
		}
		refused(t, p, "nobody without a login searches", slices.Concat(at, []string{"-x"}))
		refused(t, p, "a wrong password", slices.Concat(at, []string{"-x", "-D", p.address("snv"), "-w", "sai mat khau"}))
	}
	refused(t, p, "a password in clear", slices.Concat(server["STARTTLS"][1:], login))
}

// refused runs a search that must end in an error and show nobody.
func refused(t *testing.T, p *province, what string, args []string) {
	t.Helper()
	out, err := try(p.dir, "", "ldapsearch", append(args, "-LLL", "-b", "dc=thunghiem,dc=test", "(cn=so*)", "mail")...)
	if err == nil || strings.Contains(out, "@thunghiem.test") {
		t.Errorf("%s: %v\n%s", what, err, out)
	}
}

// ldifValues returns what an attribute has in LDIF, in order; "::" stands before base64.
func ldifValues(t *testing.T, ldif, name string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(ldif) {
		v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":")
		if !ok {
			continue
		}
		if coded, ok := strings.CutPrefix(v, ":"); ok {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(coded))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			v = string(raw)
		}
		out = append(out, strings.TrimSpace(v))
	}
	slices.Sort(out)
	return out
}
