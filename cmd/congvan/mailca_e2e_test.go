//go:build e2e

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judgeMail lets openssl, NSS and our own verifier speak about a mail as IMAP gave it, whole and changed.
func (p *province) judgeMail(t *testing.T, raw []byte) {
	t.Helper()
	raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	ca := filepath.Join(p.data, mailTrustDir, mailRootFile)
	good, bad := filepath.Join(p.dir, "good.eml"), filepath.Join(p.dir, "bad.eml")
	write(t, good, string(raw))
	write(t, bad, strings.Replace(string(raw), "text/plain", "text/html", 1))
	command(t, p.dir, "", "openssl", "cms", "-verify", "-in", good, "-CAfile", ca, "-purpose", "smimesign", "-out", os.DevNull)
	if out, err := try(p.dir, "", "openssl", "cms", "-verify", "-in", bad, "-CAfile", ca, "-out", os.DevNull); err == nil {
		t.Errorf("openssl takes a changed mail: %s", out)
	}
	if out := command(t, p.dir, "", p.bin, "verify", "--data", "tinh", good); !strings.Contains(out, "good.eml: Hợp lệ.") {
		t.Errorf("verify:\n%s", out)
	}
	if out, err := try(p.dir, "", p.bin, "verify", "--data", "tinh", bad); err == nil || !strings.Contains(out, "Không hợp lệ") {
		t.Errorf("verify takes a changed mail:\n%s", out)
	}
	nss := filepath.Join(p.dir, "nss-mail")
	if err := os.MkdirAll(nss, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, p.dir, "", "certutil", "-N", "-d", "sql:"+nss, "--empty-password")
	command(t, p.dir, "", "certutil", "-A", "-d", "sql:"+nss, "-n", "ca", "-t", ",C,", "-i", ca)
	entity, der := filepath.Join(p.dir, "entity"), filepath.Join(p.dir, "smime.p7s")
	_, rest, _ := strings.Cut(string(raw), "\r\n\r\n--")
	delimiter, rest, _ := strings.Cut(rest, "\r\n")
	text, _, _ := strings.Cut(rest, "\r\n--"+delimiter)
	write(t, entity, text)
	pkcs7 := command(t, p.dir, "", "openssl", "smime", "-pk7out", "-in", good)
	command(t, p.dir, pkcs7, "openssl", "pkcs7", "-outform", "DER", "-out", der)
	command(t, p.dir, "", "cmsutil", "-D", "-d", "sql:"+nss, "-c", entity, "-i", der, "-o", os.DevNull)
	write(t, entity, text+" ")
	if out, err := try(p.dir, "", "cmsutil", "-D", "-d", "sql:"+nss, "-c", entity, "-i", der, "-o", os.DevNull); err == nil {
		t.Errorf("NSS takes a changed mail: %s", out)
	}
}
