package imapd_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/xdg-go/scram"
)

func (h *house) appPassword(account mailcore.AccountID) string {
	h.t.Helper()
	secret, err := h.store.CreateAppPassword(context.Background(), account, "Điện thoại")
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// scramLogin logs in over a TLS connection of its own and returns the last line.
func (h *house) scramLogin(mech, user, secret string, initial bool) string {
	h.t.Helper()
	conn := h.dialTLS().(*tls.Conn)
	in := bufio.NewReader(conn)
	in.ReadString('\n')
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		h.t.Fatal(err)
	}
	talk := client.NewConversation()
	if mech == "SCRAM-SHA-256-PLUS" {
		state := conn.ConnectionState()
		binding, err := scram.NewTLSExporterBinding(&state)
		if err != nil {
			h.t.Fatal(err)
		}
		talk = client.NewConversationWithChannelBinding(binding)
	}
	b64 := base64.StdEncoding
	said, err := talk.Step("")
	if err != nil {
		h.t.Fatal(err)
	}
	if initial {
		fmt.Fprintf(conn, "a AUTHENTICATE %s %s\r\n", mech, b64.EncodeToString([]byte(said)))
	} else {
		fmt.Fprintf(conn, "a AUTHENTICATE %s\r\n", mech)
		if line, _ := in.ReadString('\n'); line != "+ \r\n" {
			return line
		}
		fmt.Fprintf(conn, "%s\r\n", b64.EncodeToString([]byte(said)))
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "+ ") {
			return strings.TrimSpace(line)
		}
		challenge, err := b64.DecodeString(strings.TrimSpace(line[2:]))
		if err != nil {
			h.t.Fatal(err)
		}
		if said, err = talk.Step(string(challenge)); err != nil {
			h.t.Fatalf("the client about %q: %v", challenge, err)
		}
		fmt.Fprintf(conn, "%s\r\n", b64.EncodeToString([]byte(said)))
	}
}

func TestScramIsForAppPasswords(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		secret := h.appPassword(h.account.ID)
		for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
			for _, initial := range []bool{true, false} {
				if got := h.scramLogin(mech, unitAddress, secret, initial); !strings.HasPrefix(got, "a OK") {
					t.Errorf("%s: %q", mech, got)
				}
			}
			if got := h.scramLogin(mech, unitAddress, password, true); !strings.HasPrefix(got, "a NO [AUTHENTICATIONFAILED]") {
				t.Errorf("%s with the account's own password: %q", mech, got)
			}
		}
		c, err := imapclient.DialTLS(h.tls, &imapclient.Options{TLSConfig: h.config()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Login(unitAddress, secret).Wait(); err != nil {
			t.Errorf("LOGIN with the app password: %v", err)
		}
	})
}

// mbsync takes the best mechanism that Cyrus SASL knows.
func TestMbsyncLogsInByScram(t *testing.T) {
	if _, err := exec.LookPath("mbsync"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mbsync is not installed (apt-get install --no-install-recommends isync libsasl2-modules)")
		}
		t.Skip("SKIPPED, nothing tested: mbsync is not installed (apt-get install --no-install-recommends isync libsasl2-modules)")
	}
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		m := newMaildir(t, h, h.appPassword(h.account.ID), "SCRAM-SHA-256")
		h.deliver(mailcore.Inbox, letter("Thư", 1), "", "")
		if out := m.sync(t); !strings.Contains(out, "SASL mechanism SCRAM-SHA-256") {
			t.Errorf("mbsync says\n%s", out)
		}
		if got := m.count(t, "INBOX"); got != 1 {
			t.Errorf("%d messages came", got)
		}
	})
}

// A password that leaked: whoever sits in the mailbox by it is put out at once, idling or not.
func TestCutEndsOpenConnections(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		h := newHouse(t, db)
		begin := func() *bufio.Reader {
			c := h.dialTLS()
			in := bufio.NewReader(c)
			in.ReadString('\n')
			fmt.Fprintf(c, "a LOGIN %s %s\r\nb SELECT INBOX\r\nc IDLE\r\n", unitAddress, `"`+password+`"`)
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, "+ ") {
					c.SetReadDeadline(time.Now().Add(deadline))
					return in
				}
			}
		}
		idle := begin()
		start := time.Now()
		if err := h.store.SetPassword(context.Background(), unitAddress, "một mật khẩu khác hẳn", false); err != nil {
			t.Fatal(err)
		}
		line, err := idle.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "* BYE Logged out") {
			t.Errorf("the idling client hears %q, %v", line, err)
		}
		t.Logf("BYE came %v after the change of the password", time.Since(start).Round(time.Millisecond))
		if line, err := idle.ReadString('\n'); err == nil {
			t.Errorf("and then %q", line)
		}
	})
}
