package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOwnMTASTSPolicy(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "", "init", "--data", dir, "--domain", "tinh.test")
	if out := mustRun(t, "", "dns", "--data", dir); strings.Contains(out, "mta-sts") {
		t.Errorf("a policy that nobody asked for is published:\n%s", out)
	}
	path := filepath.Join(dir, configFile)
	set := func(old, new string) *config {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "mta_sts       = "+old) {
			t.Fatalf("no mta_sts = %s in the configuration, %v", old, err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "mta_sts       = "+old, "mta_sts       = "+new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := loadConfig(dir)
		if (err == nil) != (new != `"maybe"`) {
			t.Fatalf("mta_sts = %s: %v", new, err)
		}
		return c
	}
	get := func(c *config, host string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "https://"+host+stsPath, nil)
		c.serveSTS(w, r)
		return w.Code, w.Body.String()
	}
	testing := set(`""`, `"testing"`)
	code, body := get(testing, "MTA-STS.tinh.test:443")
	if want := "version: STSv1\r\nmode: testing\r\nmx: mail.tinh.test\r\nmax_age: 604800\r\n"; code != 200 || body != want {
		t.Errorf("%d %q", code, body)
	}
	for _, host := range []string{"mail.tinh.test", "mta-sts.khac.test", "tinh.test"} {
		if code, _ := get(testing, host); code != 404 {
			t.Errorf("%s: %d", host, code)
		}
	}
	zone := mustRun(t, "", "dns", "--data", dir)
	if !strings.Contains(zone, "mta-sts.tinh.test.\t3600\tIN\tCNAME\tmail.tinh.test.") || !strings.Contains(zone, `"`+testing.stsRecord()+`"`) {
		t.Errorf("the records:\n%s", zone)
	}
	record := dnsRecord{Type: "TXT", Value: testing.stsRecord()}
	if enforce := set(`"testing"`, `"enforce"`); enforce.stsRecord() == testing.stsRecord() {
		t.Error("another policy has the same id")
	} else if record.is(enforce.stsRecord()) || !record.is(testing.stsRecord()+";") {
		t.Error("the check of the record")
	}
	off := set(`"enforce"`, `""`)
	if code, _ := get(off, "mta-sts.tinh.test"); code != 404 {
		t.Errorf("switched off: %d", code)
	}
	set(`""`, `"maybe"`)
}
