//go:build e2e

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"congvan/mailcore/mailtest"
)

// A postfix is Debian's Postfix as the mail server of another house (bo.test), with a configuration of its own, on loopback.
// It takes every recipient and finds out afterwards that some do not exist, so that it must send a bounce.
type postfix struct{ dir, addr string }

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = mx.bo.test
mydomain = bo.test
myorigin = bo.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = bo.test
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ { vanthu@bo.test = vanthu/ } }
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
virtual_minimum_uid = 1
transport_maps = inline:{ { thunghiem.test = smtp:[127.0.0.1]:%[4]s } }
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = mail.thunghiem.test
smtp_tls_CAfile = %[1]s/tinh.pem
smtp_tls_loglevel = 1
biff = no
`

const postfixMaster = `%s inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// newPostfix starts it beside a province. Postfix wants to be started by root, to give its parts to other users.
func newPostfix(t *testing.T, p *province, addr string) *postfix {
	t.Helper()
	program := mailtest.Program(t, "postfix")
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("postfix must be started by root")
		}
		t.Skip("SKIPPED: postfix must be started by root")
	}
	f := &postfix{openDir(t), addr}
	for _, sub := range []string{"queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(f.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(t, f.dir, "", "chown", "postfix", "data", "mail")
	command(t, f.dir, "", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mx.bo.test", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem")
	root, err := os.ReadFile(p.cert())
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := strings.TrimSpace(command(t, f.dir, "", "id", "-u", "postfix")), strings.TrimSpace(command(t, f.dir, "", "id", "-g", "postfix"))
	write(t, filepath.Join(f.dir, "tinh.pem"), string(root))
	write(t, filepath.Join(f.dir, "main.cf"), fmt.Sprintf(postfixMain, f.dir, uid, gid, portOf(p.smtp)))
	write(t, filepath.Join(f.dir, "master.cf"), fmt.Sprintf(postfixMaster, addr))
	command(t, f.dir, "", "chmod", "644", "main.cf", "master.cf", "tinh.pem")
	command(t, f.dir, "", "timeout", "60", program, "-c", f.dir, "start")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(f.dir, "log"))
			t.Logf("log of postfix:\n%s", log)
		}
		if out, err := try(f.dir, "", "timeout", "60", program, "-c", f.dir, "stop"); err != nil {
			t.Errorf("stop postfix: %v\n%s", err, out)
		}
	})
	await(t, "postfix listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return f
}

// mails are what lies in the mailbox of vanthu@bo.test and has all the words.
func (f *postfix) mails(words ...string) (out []string) {
	files, _ := filepath.Glob(filepath.Join(f.dir, "mail", "vanthu", "*", "*"))
next:
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // on its way from tmp to new
		}
		for _, w := range words {
			if !strings.Contains(string(text), w) {
				continue next
			}
		}
		out = append(out, string(text))
	}
	return out
}

func (f *postfix) one(t *testing.T, words ...string) string {
	t.Helper()
	var all []string
	await(t, fmt.Sprintf("a mail with %q at postfix", words), func() bool { all = f.mails(words...); return len(all) > 0 })
	if len(all) != 1 {
		t.Errorf("%d mails with %q", len(all), words)
	}
	return all[0]
}

func TestE2EPostfixAsAnotherHouse(t *testing.T) {
	p := prepareProvince(t, "testdata/e2e/units-outside.csv")
	outside := mailtest.FreePort(t)
	p.configure(t, `imaps       = ""`, fmt.Sprintf("imaps = %q", p.imaps), "[mail.routes]", fmt.Sprintf("[mail.routes]\n\"bo.test\" = %q\n", outside))
	p.serve(t)
	f := newPostfix(t, p, outside)
	snv := p.oracle(t, "snv")

	t.Run("in, with a report of success", func(t *testing.T) {
		mail := fmt.Sprintf("From: vanthu@bo.test\nTo: snv@thunghiem.test\nSubject: =?utf-8?q?Th=C6=B0_c=E1=BB=A7a?= postfix\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s", vietnamese)
		command(t, f.dir, mail, "sendmail", "-C", f.dir, "-i", "-f", "vanthu@bo.test", "-N", "success", "-V", "PF-1", "snv@thunghiem.test")
		arrived(t, snv, "INBOX", "Thư của postfix")
		for _, raw := range found(t, snv, "INBOX", "Thư của postfix") {
			if !strings.Contains(string(raw), "with ESMTPS id") {
				t.Errorf("it came in the clear:\n%.600s", raw)
			}
		}
		f.one(t, "Original-Envelope-Id: PF-1", "Action: delivered", "Final-Recipient: rfc822; snv@thunghiem.test", "Reporting-MTA: dns; mail.thunghiem.test")
	})
	t.Run("in, nobody there", func(t *testing.T) {
		command(t, f.dir, "Subject: x\n\nx\n", "sendmail", "-C", f.dir, "-i", "-f", "vanthu@bo.test", "-V", "PF-2", "khong-co-ai@thunghiem.test")
		f.one(t, "Original-Envelope-Id: PF-2", "Action: failed", "Status: 5.1.1")
	})
	t.Run("out", func(t *testing.T) {
		p.submit(t, "vanthu@bo.test", "Gửi ra ngoài")
		raw := f.one(t, "From: snv@thunghiem.test")
		if !strings.Contains(raw, "Đề nghị quý Sở") || !strings.Contains(raw, "using TLSv1.3") || !strings.Contains(raw, "DKIM-Signature:") {
			t.Errorf("postfix got:\n%s", raw)
		}
	})
	t.Run("out, bounced", func(t *testing.T) {
		p.submit(t, "khong-co@bo.test", "Gửi người không có")
		await(t, "the bounce is in the sender's mailbox", func() bool { return len(found(t, snv, "INBOX", "Undelivered Mail")) > 0 })
		if raw := string(found(t, snv, "INBOX", "Undelivered Mail")[0]); !strings.Contains(raw, "Final-Recipient: rfc822; khong-co@bo.test") || !strings.Contains(raw, "Action: failed") {
			t.Errorf("the bounce:\n%s", raw)
		}
	})
	t.Run("a document, its reports understood", func(t *testing.T) {
		out := command(t, p.dir, "không\ncó\n", p.bin, "issue", "--now", "--data", "tinh", letter(t, p.dir))
		if !strings.Contains(out, "Đã phát hành 05/SNV-VP: 3 bản") {
			t.Errorf("issue:\n%s", out)
		}
		for _, c := range []struct{ unit, want string }{{"ubnd", "delivered"}, {"btn", "exception"}, {"stc", "delivered"}} {
			got := ""
			await(t, c.unit+" is "+c.want, func() bool {
				for _, d := range p.status(t, "05/SNV-VP").Dispatches {
					if d.Unit == c.unit {
						got = d.Transport
					}
				}
				return got == c.want
			})
		}
	})
	command(t, p.dir, "", p.bin, "check", "--data", "tinh")
}

// submit sends a mail of snv by swaks.
func (p *province) submit(t *testing.T, to, subject string) {
	t.Helper()
	file := filepath.Join(p.dir, "submit.eml")
	write(t, file, p.eml(p.address("snv"), to, subject))
	command(t, p.dir, "", "swaks", "--server", p.submission, "--tls", "--auth", "PLAIN", "--auth-user", p.address("snv"), "--auth-password", p.passwords["snv"],
		"--from", p.address("snv"), "--to", to, "--data", "@"+file)
}
