package mailcore

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzToUnicode converts anything: an error or a message that can be read.
func FuzzToUnicode(f *testing.F) {
	for _, mail := range []string{
		"Subject: N\xaci nh\xcbn b\xb8o c\xb8o\r\n\r\nK\xddnh g\xf6i: S\xeb N\xe9i v\xf4 t\xd8nh Kon Tum\r\n",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=windows-1252\r\n\r\n<font face=.VnTime>S\xeb N\xe9i v\xf4 t\xd8nh</font>\r\n--x\r\n" +
			"Content-Disposition: attachment; filename=\"B\xb8o c\xb8o th\xb8ng.pdf\"\r\n\r\nx\r\n--x--\r\n",
		"Content-Type: text/plain; charset=viscii\r\nContent-Transfer-Encoding: base64\r\n\r\nTvVpIG5o\r\n",
		"Subject: =?windows-1258?Q?B=E1o_c=E1o?=\r\nContent-Type: multipart/signed; boundary=y\r\n\r\n--y\r\n\r\nx\r\n--y--\r\n",
	} {
		f.Add([]byte(mail))
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		sum, err := parseMessage(bytes.NewReader(mail))
		if err != nil {
			t.Fatal(err)
		}
		c := &converter{f: bytes.NewReader(mail), sealed: sealed(sum.Root)}
		if err := c.part(sum.Root, true); err != nil {
			if old := (*OldTextError)(nil); !errors.As(err, &old) {
				t.Fatal(err)
			}
			return
		}
		out, err := io.ReadAll(c.reader(int64(len(mail))))
		if err != nil || len(c.edits) == 0 && !bytes.Equal(out, mail) {
			t.Fatalf("%v\n%q\n%q", err, mail, out)
		}
		if _, err := parseMessage(bytes.NewReader(out)); err != nil {
			t.Fatal(err)
		}
	})
}
