//go:build pkcs11

package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/signing"
)

const softhsm = "/usr/lib/softhsm/libsofthsm2.so"

// softToken puts a key and its chain into a new SoftHSM2 token, and returns its address and the folder of the tokens.
func softToken(t *testing.T, id *signing.Identity, pin string) (uri, dir string) {
	t.Helper()
	root := t.TempDir()
	dir = filepath.Join(root, "tokens")
	conf := filepath.Join(root, "softhsm2.conf")
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{conf: []byte("directories.tokendir = " + dir + "\nlog.level = ERROR\n"),
		filepath.Join(root, "key.pem"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	do := func(name string, args ...string) {
		t.Helper()
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("apt-get install softhsm2 opensc: ", err)
		}
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	do("softhsm2-util", "--init-token", "--free", "--label", "van-thu", "--pin", pin, "--so-pin", "87654321")
	do("softhsm2-util", "--import", filepath.Join(root, "key.pem"), "--token", "van-thu", "--label", "dau", "--id", "01", "--pin", pin)
	for i, c := range id.Chain {
		der := filepath.Join(root, "c.der")
		if err := os.WriteFile(der, c.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		do("pkcs11-tool", "--module", softhsm, "--token-label", "van-thu", "--login", "--pin", pin, "--write-object", der, "--type", "cert",
			"--label", []string{"dau", "goc"}[i], "--id", []string{"01", "02"}[i])
	}
	return "pkcs11:token=van-thu;id=%01?module-path=" + softhsm, dir
}

// A clerk's token: paired without a PIN, pulled out while the document is shown, plugged in again, a wrong PIN, sealed.
func TestTokenDeskSignsWithSoftHSM(t *testing.T) {
	const pin = "86421357"
	h := newTokenHouse(t)
	uri, tokens := softToken(t, h.identity(t, signing.RSA3072), pin)
	if code, res, errOut := issue145(t, h.dir); code != 0 || res.State != exchange.Registered {
		t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
	}
	h.serve(t)
	join := startTerminal(t, "token", "join", h.address, "--home", h.home, "--key", uri, "--code", h.pairingCode(t))
	join.left(t, 0)

	desk := startTerminal(t, "token", "--home", h.home)
	desk.expect(t, "145/STTTT-CNTT")
	desk.expect(t, "Mã PIN")
	away := tokens + ".away"
	if err := os.Rename(tokens, away); err != nil {
		t.Fatal(err)
	}
	desk.typed(t, pin)
	desk.expect(t, "Chưa dùng được thiết bị ký số")
	if st := statusOf(t, h.dir, "145/STTTT-CNTT"); st.State != exchange.Registered || st.Seal != nil {
		t.Errorf("%+v", st)
	}
	mustRun(t, "", "check", "--data", h.dir)
	if err := os.Rename(away, tokens); err != nil {
		t.Fatal(err)
	}
	desk.expect(t, "145/STTTT-CNTT") // by itself
	desk.expect(t, "Mã PIN")
	desk.typed(t, "11111111")
	desk.expect(t, "Mã PIN của thiết bị ký số không đúng")
	desk.expect(t, "đã bị nhập sai mã PIN trước đó")
	desk.expect(t, "Mã PIN")
	desk.typed(t, pin)
	desk.expect(t, "Đã ký")
	h.issued(t)
	mustRun(t, "", "check", "--data", h.dir)
	for _, text := range []string{h.log.String(), desk.String(), join.String()} {
		if strings.Contains(text, pin) || strings.Contains(text, "11111111") {
			t.Errorf("a PIN is in\n%s", text)
		}
	}
	mustNotContain(t, h.dir, pin)
	mustNotContain(t, h.home, pin)
}

// A token on the server: the PIN from a file by the head's decision, and asked for where no file is.
func TestTokenOnTheServer(t *testing.T) {
	const pin = "86421357"
	h := newTokenHouse(t)
	uri, _ := softToken(t, h.identity(t, signing.P256), pin)
	secret := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(secret, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	agency := "[[seal.agency]]\nunit = \"stttt\"\nkey = \"" + uri + "\"\n"
	withSeal(t, h.dir, agency+"pin = \"file:"+secret+"\"\n")
	if code, res, _ := issue145(t, h.dir); code != 1 || res.Code != exchange.CodeNoDecision {
		t.Fatalf("exit %d: %+v", code, res)
	}
	withSeal(t, h.dir, agency) // nobody gives the PIN: issue --json asks nothing
	if code, res, errOut := issue145(t, h.dir); code != 0 || res.State != exchange.Registered || res.Waiting == "" {
		t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
	}
	if err := os.WriteFile(secret, []byte("11111111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withSeal(t, h.dir, decided+agency+"pin = \"file:"+secret+"\"\n")
	for range 2 { // the second time the token is left alone
		if code, res, errOut := issue145(t, h.dir); code != 0 || !strings.Contains(res.Waiting, "không nhận mã PIN") || strings.Contains(errOut, "11111111") {
			t.Fatalf("exit %d: %+v\n%s", code, res, errOut)
		}
	}
	if err := os.WriteFile(secret, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, res, _ := issue145(t, h.dir); res.State != exchange.Registered {
		t.Errorf("a token that has refused a PIN was tried unattended: %+v", res)
	}
	if out, err := exec.Command("pkcs11-tool", "--module", softhsm, "--token-label", "van-thu", "--login", "--pin", pin, "--list-objects").CombinedOutput(); err != nil {
		t.Fatalf("log in by hand: %v\n%s", err, out)
	}
	h.serve(t)
	h.log.expect(t, "document issued")
	if st := statusOf(t, h.dir, "145/STTTT-CNTT"); st.Seal == nil || st.Seal.Decision != "12/QĐ-STTTT" {
		t.Errorf("%+v", st.Seal)
	}
	h.stop()
	mustRun(t, "", "check", "--data", h.dir)
	mustNotContain(t, h.dir, pin)
	if strings.Contains(h.log.String(), pin) {
		t.Error("the PIN is in the log")
	}
}
