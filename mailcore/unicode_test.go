package mailcore_test

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/sqldb"
	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

// bytesOf makes bytes of an old encoding of its code points.
func bytesOf(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

const (
	abcSubject = "V/v h\u00adíng dÉn thùc hiÖn chÕ ®é b¸o c¸o"
	subject    = "V/v hướng dẫn thực hiện chế độ báo cáo"
	abcText    = "KÝnh göi: Së Néi vô tØnh Kon Tum.\r\n\r\nñy ban nh©n d©n huyÖn ®Ò nghÞ quý Së xem xÐt, gi¶i quyÕt.\r\n"
	goodText   = "Kính gửi: Sở Nội vụ tỉnh Kon Tum.\r\n\r\nủy ban nhân dân huyện đề nghị quý Sở xem xét, giải quyết.\r\n"
	vniText    = "Kính göûi: Sôû Noäi vuï tænh Kon Tum.\r\nUÛy ban nhaân daân huyeän ñeà nghò.\r\n"
	vniRead    = "Kính gửi: Sở Nội vụ tỉnh Kon Tum.\r\nỦy ban nhân dân huyện đề nghị.\r\n"
)

type oldMail struct {
	name, mail, subject string
	text                string // decoded text of the first leaf, "" for untouched
	file                string // name of the attachment
}

func lines(s ...string) string { return strings.Join(s, "\r\n") }

var oldMails = []oldMail{
	{"bare bytes without MIME", lines("From: a@kontum.test", "Subject: "+bytesOf(abcSubject), "", bytesOf(abcText)), subject, goodText, ""},
	{"bytes called Latin-1, base64", lines("From: a@kontum.test", "Subject: =?iso-8859-1?B?"+base64.StdEncoding.EncodeToString([]byte(bytesOf(abcSubject)))+"?=",
		"MIME-Version: 1.0", "Content-Type: text/plain; charset=iso-8859-1; format=flowed", "Content-Transfer-Encoding: base64", "",
		base64.StdEncoding.EncodeToString([]byte(bytesOf(abcText)))), subject, goodText, ""},
	{"code points in UTF-8", lines("From: a@kontum.test", "Subject: "+mime.QEncoding.Encode("utf-8", abcSubject), "Content-Type: text/plain; charset=utf-8", "", abcText), subject, goodText, ""},
	{"VNI", lines("From: a@kontum.test", "Subject: bao cao", "Content-Type: text/plain; charset=windows-1252", "Content-Transfer-Encoding: 8bit", "", bytesOf(vniText)), "bao cao", vniRead, ""},
	{"bytes called UTF-8", lines("From: a@kontum.test", "Subject: x", "Content-Type: text/plain; charset=UTF-8", "", bytesOf(abcText)), "x", goodText, ""},
	{"misread UTF-8", lines("From: a@kontum.test", "Subject: x", "Content-Type: text/plain; charset=UTF-8", "", "KÃ\u00adnh gá»\u00adi: Sá»Ÿ Ná»™i vá»¥ tá»‰nh Kon Tum"), "x", "Kính gửi: Sở Nội vụ tỉnh Kon Tum", ""},
	{"windows-1258 that is told truly", lines("From: a@kontum.test", "Subject: =?windows-1258?Q?B=E1o_c=E1o_n=E3m_2026?=", "Content-Type: text/plain; charset=windows-1258", "Content-Transfer-Encoding: quoted-printable", "",
		"B=E1o c=E1o, \xf0i=EA=F2n tho=E1i"), "Báo cáo năm 2026", "Báo cáo, điện thoái", ""},
	{"attachment", lines("From: a@kontum.test", "Subject: bc", `Content-Type: multipart/mixed; boundary="xx"`, "", "trước", "--xx", "Content-Type: text/plain; charset=iso-8859-1", "", bytesOf(abcText), "--xx",
		`Content-Type: application/pdf; name="`+bytesOf("B¸o c¸o th¸ng 5 n¨m 2009.pdf")+`"`, "Content-Transfer-Encoding: base64", "Content-Disposition: attachment;",
		"\tfilename*=iso-8859-1''B%B8o%20c%B8o%20th%B8ng%205%20n%A8m%202009.pdf", "", "JVBERi0=", "--xx", "Content-Type: text/plain; charset=iso-8859-1; name=ds.txt", "", bytesOf(abcText), "--xx--", "sau", ""),
		"bc", goodText, "Báo cáo tháng 5 năm 2009.pdf"},
	{"page", lines("From: a@kontum.test", "Subject: p", "Content-Type: text/html; charset=windows-1252", "", `<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1252">`+
		`<style>p { font-family: ".VnTime" }</style></head><body><p><font face=".VnTime">`+bytesOf("KÝnh göi: <b>Së Néi vô</b> tØnh Kon Tum &amp; c¸c huyÖn")+` n&#168;m 2009</font></p><a href="http://x.test/?a=1&b=2">x</a></body></html>`),
		"p", `<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style>p { font-family: "Times New Roman" }</style></head><body><p><font face="Times New Roman">` +
			`Kính gửi: <b>Sở Nội vụ</b> tỉnh Kon Tum &amp; các huyện năm 2009</font></p><a href="http://x.test/?a=1&b=2">x</a></body></html>`, ""},
}

func saved(t *testing.T, s *mailcore.Store, mail string) *mailcore.Body {
	t.Helper()
	b, err := s.SaveBody(ctx, strings.NewReader(mail), 0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func bodyBytes(t *testing.T, s *mailcore.Store, b *mailcore.Body) string {
	t.Helper()
	f, err := s.OpenBody(b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// firstText decodes the first leaf and finds the first file name.
func firstText(t *testing.T, mail string, sum *mailcore.Summary) (text, file string) {
	t.Helper()
	p := sum.Root
	for _, c := range p.Children {
		if f := c.DispositionParams["filename"]; f != "" && file == "" {
			if file = f; c.Params["name"] != f {
				t.Errorf("two names: %q, %q", f, c.Params["name"])
			}
		}
	}
	for p.IsMultipart() {
		p = p.Children[0]
	}
	if !strings.EqualFold(p.Params["charset"], "utf-8") || p.Encoding != "quoted-printable" {
		t.Errorf("%s, %v", p.Encoding, p.Params)
	}
	r := mailtest.QuotedPrintable(t, mail[p.BodyOffset():p.BodyOffset()+p.BodySize])
	return r, file
}

func TestOldEncodingsOfSubmissionsBecomeUnicode(t *testing.T) {
	mailtest.ForEachDB(t, func(t *testing.T, db *sqldb.DB) {
		s := newStore(t, db)
		for _, m := range oldMails {
			before := saved(t, s, m.mail)
			after, recoded, err := s.ToUnicode(ctx, before, 0)
			if err != nil || recoded == nil {
				t.Errorf("%s: %v, %+v", m.name, err, recoded)
				continue
			}
			raw := bodyBytes(t, s, after)
			sum, err := mailcore.ParseSummary(after.Summary)
			if err != nil {
				t.Fatal(err)
			}
			text, file := firstText(t, raw, sum)
			if after.Subject != m.subject || text != m.text || file != m.file {
				t.Errorf("%s: %q, %q, %q\n%s", m.name, after.Subject, text, file, raw)
			}
			if !norm.NFC.IsNormalString(text) || !strings.HasPrefix(raw, "X-CongVan-Recoded: ") {
				t.Errorf("%s:\n%s", m.name, raw)
			}
			for i := range raw {
				if raw[i] == '\n' && (i == 0 || raw[i-1] != '\r') {
					t.Errorf("%s: a bare line feed at %d", m.name, i)
				}
			}
			if again, twice, err := s.ToUnicode(ctx, after, 0); err != nil || twice != nil || again.Digest != after.Digest {
				t.Errorf("%s is converted again: %v, %+v", m.name, err, twice)
			}
		}
		// an attached file is nobody's to change
		m := oldMails[7]
		after, _, err := s.ToUnicode(ctx, saved(t, s, m.mail), 0)
		if err != nil {
			t.Fatal(err)
		}
		if raw := bodyBytes(t, s, after); !strings.Contains(raw, "name=ds.txt\r\n\r\n"+bytesOf(abcText)) || !strings.Contains(raw, "\r\ntrước\r\n--xx") || !strings.HasSuffix(raw, "--xx--\r\nsau\r\n") {
			t.Errorf("the rest was touched:\n%s", raw)
		}
	})
}

// What is Unicode, or no Vietnamese, or not ours to change, stays byte for byte.
func TestGoodSubmissionsStayAsTheyAre(t *testing.T) {
	s := newStore(t, mailtest.Open(t, "sqlite:"+t.TempDir()+"/congvan.db"))
	signed := "-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\n"
	for _, c := range []struct{ name, mail string }{
		{"Vietnamese", lines("Subject: "+mime.BEncoding.Encode("utf-8", subject), "Content-Type: text/plain; charset=utf-8", "", goodText)},
		{"decomposed", lines("Subject: "+norm.NFD.String(subject), "Content-Type: text/plain; charset=utf-8", "", norm.NFD.String(goodText))},
		{"undeclared UTF-8", lines("Subject: "+subject, "", goodText)},
		{"English", lines("Subject: Re: meeting", "", "Dear colleagues,\r\nplease find the résumé attached.\r\n")},
		{"French Latin-1", lines("Subject: =?iso-8859-1?Q?R=E9union_=E0_l'h=F4tel?=", "Content-Type: text/plain; charset=iso-8859-1", "", bytesOf("Chère Noëlle, ça va très bien à Orléans, l'été s'achève. Où êtes-vous?"))},
		{"names", lines("Subject: "+mime.BEncoding.Encode("utf-8", "Y Bình Niê Kđăm, Hơ Ñŏ, A Ƀok"), "Content-Type: text/plain; charset=utf-8", "", "Y Blăñ, Ia H'Drai, Đăk Tô, Krông Pắk")},
		{"quoting", lines("Subject: x", "Content-Type: text/plain; charset=utf-8", "", "Thư anh gửi tôi thấy thế này, anh xem lại:\r\n> N¬i nhËn: ñy ban nh©n d©n tØnh\r\n")},
		{"enclosed", lines("Subject: Fwd", `Content-Type: multipart/mixed; boundary=y`, "", "--y", "Content-Type: message/rfc822", "", "Subject: "+bytesOf(abcSubject), "", bytesOf(abcText), "--y--", "")},
		{"encrypted", lines("Subject: x", "Content-Type: application/pkcs7-mime; name=smime.p7m", "", "AAAA")},
		{"PGP", lines("Subject: x", "Content-Type: text/plain; charset=iso-8859-1", "", signed+bytesOf(abcText))},
		{"unknown charset", lines("Subject: x", "Content-Type: text/plain; charset=x-nobody", "", bytesOf(abcText))},
		{"broken base64", lines("Subject: x", "Content-Type: text/plain", "Content-Transfer-Encoding: base64", "", "####")},
		{"binary", lines("Subject: x", "", string([]byte{0x80, 0x81, 0xfe, 0xff, 0x90}))},
		{"nothing", ""},
		{"no header's end", "Subject: x"},
		{"other Vietnamese", lines("Subject: Hà Nội", "", "Bé, Hà, Bình")},
		{"signed Vietnamese", lines("Subject: "+subject, `Content-Type: multipart/signed; boundary=z; protocol="application/pkcs7-signature"`, "", "--z", "Content-Type: text/plain; charset=utf-8", "", goodText, "--z", "Content-Type: application/pkcs7-signature", "", "AAAA", "--z--", "")},
	} {
		before := saved(t, s, c.mail)
		after, recoded, err := s.ToUnicode(ctx, before, 0)
		if err != nil || recoded != nil || after.Digest != before.Digest {
			got := ""
			if after != nil {
				got = bodyBytes(t, s, after)
			}
			t.Errorf("%s: %v, %+v\n%s", c.name, err, recoded, got)
		}
	}
}

// What should be converted and cannot be is refused, by place and reason.
func TestOldEncodingsThatCannotBeConverted(t *testing.T) {
	s := newStore(t, mailtest.Open(t, "sqlite:"+t.TempDir()+"/congvan.db"))
	signed := func(subject, text string) string {
		return lines("Subject: "+subject, `Content-Type: multipart/signed; boundary=z; protocol="application/pkcs7-signature"`, "", "--z", "Content-Type: text/plain; charset=utf-8", "", text, "--z",
			"Content-Type: application/pkcs7-signature; name=smime.p7s", "", "AAAA", "--z--", "")
	}
	for _, c := range []struct {
		name string
		mail string
		want mailcore.OldTextError
	}{
		{"signed text", signed("x", abcText), mailcore.OldTextError{Where: mailcore.TextBody, Encoding: viettext.TCVN3, Signed: true}},
		{"signed subject", signed(abcSubject, goodText), mailcore.OldTextError{Where: mailcore.TextSubject, Encoding: viettext.TCVN3, Signed: true}},
		{"lost horns", lines("Subject: V/v híng dÉn thùc hiÖn chÕ ®é b¸o c¸o", "", "x"), mailcore.OldTextError{Where: mailcore.TextSubject, Encoding: viettext.TCVN3}},
		{"lost letters", lines("Subject: x", "", "KÝnh göi: S\ufffd Néi vô tØnh, \ufffdy ban nh©n d©n huyÖn ®Ò nghÞ"), mailcore.OldTextError{Where: mailcore.TextBody, Encoding: viettext.TCVN3}},
		{"capitals in a font", lines("Subject: x", "Content-Type: text/html; charset=iso-8859-1", "", `<font face=".VnTimeH">`+bytesOf("céng hßa x· héi chñ nghÜa viÖt nam")+`</font>`),
			mailcore.OldTextError{Where: mailcore.TextBody, Encoding: viettext.TCVN3}},
	} {
		_, _, err := s.ToUnicode(ctx, saved(t, s, c.mail), 0)
		var old *mailcore.OldTextError
		if !errors.As(err, &old) || *old != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, &c.want)
		}
	}
}
