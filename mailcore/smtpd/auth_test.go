package smtpd_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/smtpd"

	"github.com/xdg-go/scram"
)

func (h *house) appPassword(t testing.TB, address mailcore.Address) string {
	t.Helper()
	a, err := h.store.Account(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := h.store.CreateAppPassword(ctx, a.ID, "Máy in")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// scramLogin logs in and returns the last reply.
func (h *house) scramLogin(t *testing.T, mech, user, secret string) string {
	t.Helper()
	c := call(t, h.submit)
	c.do("EHLO x", "250")
	c.startTLS(h.roots)
	c.do("EHLO x", "250 ")
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		t.Fatal(err)
	}
	talk := client.NewConversation()
	if mech == "SCRAM-SHA-256-PLUS" {
		state := c.conn.(*tls.Conn).ConnectionState()
		binding, err := scram.NewTLSExporterBinding(&state)
		if err != nil {
			t.Fatal(err)
		}
		talk = client.NewConversationWithChannelBinding(binding)
	}
	c.send("AUTH " + mech + "\r\n")
	said := ""
	for {
		reply, err := c.reply()
		if err != nil || !strings.HasPrefix(reply, "334") {
			return reply
		}
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(reply[3:]))
		if err != nil {
			t.Fatal(err)
		}
		if said, err = talk.Step(string(challenge)); err != nil {
			t.Fatalf("the client about %q: %v", challenge, err)
		}
		c.send(base64.StdEncoding.EncodeToString([]byte(said)) + "\r\n")
	}
}

func TestScramIsForAppPasswords(t *testing.T) {
	forEach(t, 1, nil, func(t *testing.T, h *house) {
		secret := h.appPassword(t, "a1@kontum.test")
		for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
			if got := h.scramLogin(t, mech, "a1@kontum.test", secret); !strings.HasPrefix(got, "235") {
				t.Errorf("%s: %q", mech, got)
			}
			if got := h.scramLogin(t, mech, "a1@kontum.test", password); !strings.HasPrefix(got, "535 5.7.8") {
				t.Errorf("%s with the account's own password: %q", mech, got)
			}
		}
		c := call(t, h.submit)
		c.do("EHLO x", "250")
		c.startTLS(h.roots)
		c.do("EHLO x", "250")
		c.do("AUTH PLAIN "+plain("a1@kontum.test", strings.ReplaceAll(secret, "-", "")), "235")
	})
}

func TestMsmtpAndSwaksLogInWithAnAppPassword(t *testing.T) {
	for _, name := range []string{"msmtp", "swaks"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(name + " is not installed (apt-get install --no-install-recommends msmtp swaks)")
			}
			t.Skip("SKIPPED, nothing tested: " + name + " is not installed (apt-get install --no-install-recommends msmtp swaks)")
		}
	}
	forEach(t, 1, nil, func(t *testing.T, h *house) {
		secret, dir := h.appPassword(t, "a1@kontum.test"), t.TempDir()
		host, port, _ := net.SplitHostPort(h.submit)
		ca := filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.leaf}), 0o600); err != nil {
			t.Fatal(err)
		}
		mechs := []string{"plain", "scram-sha-256", "on"}
		for _, mech := range mechs {
			rc := filepath.Join(dir, "msmtprc")
			config := fmt.Sprintf("account default\nhost %s\nport %s\nauth %s\nuser a1@kontum.test\npassword %s\nfrom a1@kontum.test\ntls on\ntls_starttls on\n"+
				"tls_trust_file %s\ntls_host_override mail.kontum.test\n", host, port, mech, secret, ca)
			if err := os.WriteFile(rc, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("msmtp", "-C", rc, "a1@kontum.test")
			cmd.Stdin = strings.NewReader("From: a1@kontum.test\nTo: a1@kontum.test\nSubject: " + mech + "\n\nThử.\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("msmtp with auth %s: %v\n%s", mech, err, out)
			}
		}
		for _, mech := range []string{"PLAIN", "LOGIN"} {
			out, err := exec.Command("swaks", "--server", host, "--port", port, "--tls", "--auth", mech, "--auth-user", "a1@kontum.test", "--auth-password", secret,
				"--from", "a1@kontum.test", "--to", "a1@kontum.test", "--h-Subject", "swaks "+mech).CombinedOutput()
			if err != nil {
				t.Errorf("swaks with %s: %v\n%s", mech, err, out)
			}
		}
		if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != len(mechs)+2 {
			t.Errorf("%d mails came", len(rows))
		}
	})
}

func TestCutEndsASubmission(t *testing.T) {
	forEach(t, 1, func(o *smtpd.Options) { o.MaxMessage = 50 << 20 }, func(t *testing.T, h *house) {
		idle, busy := h.loggedIn(t), h.loggedIn(t)
		busy.do("MAIL FROM:<a1@kontum.test>", "250")
		busy.do("RCPT TO:<a1@kontum.test>", "250")
		busy.do("DATA", "354")
		// So much does not lie in buffers: once it is sent, the body is being read.
		busy.send("From: a1@kontum.test\r\nSubject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 24<<20/72) + "half of")
		if err := h.store.CutAccount(ctx, "a1@kontum.test"); err != nil {
			t.Fatal(err)
		}
		idle.conn.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := idle.reply(); err == nil && !strings.HasPrefix(got, "421") {
			t.Errorf("the waiting session hears %q", got)
		}
		busy.conn.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := busy.reply(); err == nil {
			t.Errorf("the sending session hears %q", got)
		}
		if rows, _ := h.inbox(t, "a1@kontum.test"); len(rows) != 0 {
			t.Error("half a message was taken")
		}
	})
}

// loggedIn is a session of a1@ after AUTH.
func (h *house) loggedIn(t *testing.T) *caller {
	t.Helper()
	c := call(t, h.submit)
	c.do("EHLO x", "250")
	c.startTLS(h.roots)
	c.do("EHLO x", "250")
	c.do("AUTH PLAIN "+plain("a1@kontum.test", password), "235")
	return c
}

func TestOfficerMaySendAsTheUnitOfADelegation(t *testing.T) {
	forEach(t, 2, nil, func(t *testing.T, h *house) {
		const officer = "an.a1@kontum.test"
		if _, err := h.store.CreateAccounts(ctx, []mailcore.NewAccount{{Address: officer, Kind: mailcore.Officer, Name: "An", Password: password}}); err != nil {
			t.Fatal(err)
		}
		c := call(t, h.submit)
		c.do("EHLO x", "250")
		c.startTLS(h.roots)
		c.do("EHLO x", "250")
		c.do("AUTH PLAIN "+plain(officer, password), "235")
		send := func(sender, from, want string) {
			t.Helper()
			c.send("MAIL FROM:<" + sender + ">\r\n")
			if got, _ := c.reply(); !strings.HasPrefix(got, "250") {
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s as %s: %q", sender, from, got)
				}
				return
			}
			c.do("RCPT TO:<a2@kontum.test>", "250")
			c.do("DATA", "354")
			c.do("From: "+from+"\r\nSubject: x\r\n\r\nx\r\n.", want)
		}
		send(officer, officer, "250")
		send(officer, "a1@kontum.test", "550 5.7.1")
		send("a1@kontum.test", "a1@kontum.test", "550 5.7.1")
		d, err := h.store.Delegate(ctx, officer, "a1@kontum.test", "12/GUQ", "2020-01-01", "2126-12-31")
		if err != nil {
			t.Fatal(err)
		}
		send("a1@kontum.test", "a1@kontum.test", "250")
		send(officer, "Đơn vị <a1@kontum.test>", "250")
		send(officer, "a2@kontum.test", "550 5.7.1")
		if err := h.store.RevokeDelegation(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		send("a1@kontum.test", "a1@kontum.test", "550 5.7.1")
		for _, a := range h.arrivals(t) {
			if a.AuthAs != officer {
				t.Errorf("arrival %+v", a)
			}
		}
	})
}

func TestPlainLoginIsForThisMachineAndOnlyWhereAllowed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		h := onSQLite(t, 2, func(o *smtpd.Options) { o.PlainFromLoopback = allowed })
		c := call(t, h.submit)
		answer := c.do("EHLO may.tram.test", "250")
		if strings.Contains(answer, "AUTH PLAIN LOGIN") != allowed || !strings.Contains(answer, "STARTTLS") {
			t.Errorf("allowed %v: %q", allowed, answer)
		}
		if !allowed {
			c.do("AUTH PLAIN "+plain("a1@kontum.test", password), "523")
			c.do("MAIL FROM:<a1@kontum.test>", "530")
			continue
		}
		if strings.Contains(answer, "PLUS") {
			t.Errorf("binding without a channel: %q", answer)
		}
		c.do("AUTH PLAIN "+plain("a1@kontum.test", "sai"), "535")
		c.do("AUTH LOGIN", "334")
		c.do(b64("a1@kontum.test"), "334")
		c.do(b64(password), "235")
		c.do("MAIL FROM:<a1@kontum.test>", "250")
		mx := call(t, h.mx)
		if answer := mx.do("EHLO may.tram.test", "250"); strings.Contains(answer, "AUTH") {
			t.Errorf("the MX offers logins: %q", answer)
		}
	}
}
