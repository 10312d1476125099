package signing_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/signing"
)

func TestTokenAddresses(t *testing.T) {
	u, err := signing.ParseTokenURI("pkcs11:token=V%C4%83n%20th%C6%B0;object=d%E1%BA%A5u;id=%01%02;type=private?module-path=/usr/lib/x.so")
	if err != nil || u.Token != "Văn thư" || u.Object != "dấu" || string(u.ID) != "\x01\x02" || u.Module != "/usr/lib/x.so" {
		t.Errorf("%+v, %v", u, err)
	}
	for address, want := range map[string]string{
		"/usr/lib/x.so": "no pkcs11: address",
		"pkcs11:token=a;object=b?module-path=/x.so&pin-value=4711": "with a PIN",
		"pkcs11:token=a;object=b":                                  "without module-path",
		"pkcs11:object=b?module-path=/x.so":                        "without token",
		"pkcs11:token=a?module-path=/x.so":                         "without object",
		"pkcs11:tokn=a;object=b?module-path=/x.so":                 "unknown attribute",
		"pkcs11:token=a%2;object=b?module-path=/x.so":              "badly encoded",
		"pkcs11:token=%zz;object=b?module-path=/x.so":              "badly encoded",
		"pkcs11:token=;serial=;id=%01?module-path=/x.s":            "without token",
	} {
		_, err := signing.ParseTokenURI(address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: want %q, got %v", address, want, err)
		}
	}
}

func TestSecretsOfOthersAreNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want error
	}{{"4711\r\nrest", 0o600, nil}, {"4711", 0o640, signing.ErrPermissions}, {"4711", 0o604, signing.ErrPermissions}, {"\n", 0o600, os.ErrInvalid}} {
		if err := errors.Join(os.WriteFile(path, []byte(c.text), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		pin, err := signing.ReadSecret(path)
		switch {
		case c.want == nil && (err != nil || pin != "4711"):
			t.Errorf("%q: %q, %v", c.text, pin, err)
		case c.want == signing.ErrPermissions && !errors.Is(err, c.want), c.want != nil && (err == nil || pin != ""):
			t.Errorf("%q, mode %o: %q, %v", c.text, c.mode, pin, err)
		}
	}
	if _, err := signing.ReadSecret(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.WriteFile(path, []byte("4711"), 0o600), os.Chown(path, 12345, -1)); err != nil {
			t.Fatal(err)
		}
		if _, err := signing.ReadSecret(path); !errors.Is(err, signing.ErrPermissions) {
			t.Errorf("file of another user: %v", err)
		}
	}
}
