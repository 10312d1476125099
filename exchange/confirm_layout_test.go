package exchange

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
)

// fixed is a confirmation that never changes.
func fixed() *confirmation {
	return &confirmation{confirmHead: confirmHead{Layout: confirmLayout, At: 1_258_000_000_000_000, Agency: "Sở Nội vụ tỉnh Thử", Parent: "Ủy ban nhân dân tỉnh Thử", Issuer: "Sở Nội vụ tỉnh Thử"},
		Code: "7-1234", Domain: "tinh.test", Reference: "22/2009/QĐ-UBND", Kind: "Quyết định", IssuedOn: "2009-03-18", Abstract: "ban hành Quy định gửi, nhận văn bản",
		Signer: "Nguyễn Trọng Nghĩa", Place: "Thử", IssuedAt: "18/03/2009; 08:05:30 +07:00", Until: "19/03/2009; 08:05:30 +07:00", Size: 1234, Root: "cm9vdA==",
		Files: []confirmedFile{{Name: "22-QD.pdf", SHA256: strings.Repeat("ab", 32), Raised: "được bổ sung lúc 18/03/2009; 09:05:30 +07:00, nay ở mức B-LTA", RaisedSHA256: strings.Repeat("ef", 32)},
			{Name: "Phụ lục.xlsx", SHA256: strings.Repeat("cd", 32)}},
		Copies: []confirmedCopy{{"Sở Y tế", "syt@tinh.test", []string{"18/03/2009; 08:05:30 +07:00"}, []string{"18/03/2009; 08:05:30 +07:00\nđã đến"}, []string{"Chưa có phản hồi"}}},
		Counts: []string{"1 bản gửi", "1 đã đến"}}
}

// fixedIn is the fixed confirmation as a layout tells it.
func fixedIn(layout int) *confirmation {
	c := fixed()
	c.Layout = layout
	if layout < 2 {
		c.Files[0].Raised, c.Files[0].RaisedSHA256 = "", ""
	}
	return c
}

// layouts are the digests of the fixed confirmation's pages by confirmLayout. When the pages or the words change, so that
// bundles of today could not be compared any more, confirmLayout gets the next number, and this list the next digest.
var layouts = map[int]string{
	1: "c9f8346810b65c6c37f420173dbfd5491a0554308373d01feb990ed5f8b60851",
	2: "aa317679f65e5d8ee7c3402df59a64ac3fd43b5576a419227f1b8d2619be966a",
}

func TestAChangedConfirmationHasANewLayoutNumber(t *testing.T) {
	for layout := 1; layout <= confirmLayout; layout++ { // bundles of earlier programs are compared, too
		pdf, err := fixedIn(layout).pdf()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(plainPDF(pdf))); got != layouts[layout] {
			t.Errorf("layout %d is now %s", layout, got)
		}
	}
	pdf, err := fixed().pdf()
	if err != nil {
		t.Fatal(err)
	}
	again, err := fixed().pdf()
	if err != nil || !bytes.Equal(pdf, again) {
		t.Errorf("written again it is another file: %v", err)
	}
}

// Another release of Go may compress otherwise; the page is the same. One letter more is not.
func TestPagesAreComparedWhateverTheirCompression(t *testing.T) {
	pdf, err := fixed().pdf()
	if err != nil {
		t.Fatal(err)
	}
	if other := recompressed(t, pdf, nil); bytes.Equal(other, pdf) || !sameWriting(pdf, append(other, "\nsealed"...)) {
		t.Error("the same page compressed otherwise is taken for another")
	}
	c := fixed()
	c.Copies[0].Handled = []string{"Đã tiếp nhận"}
	lie, err := c.pdf()
	if err != nil {
		t.Fatal(err)
	}
	if sameWriting(pdf, lie) {
		t.Error("another page is taken for the same")
	}
	if sameWriting(pdf, recompressed(t, pdf, func(b []byte) []byte { return bytes.Replace(b, []byte(" Td "), []byte(" Td  "), 1) })) {
		t.Error("a page that was drawn on is taken for the same")
	}
	for _, bad := range [][]byte{nil, []byte("%PDF-1.4"), pdf[:len(pdf)/2]} {
		if sameWriting(pdf, bad) {
			t.Errorf("%d bytes are taken for the page", len(bad))
		}
	}
}

// recompressed writes a file with its streams compressed at another level.
func recompressed(t *testing.T, pdf []byte, change func([]byte) []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for {
		text, rest, found := bytes.Cut(pdf, []byte(">>\nstream\n"))
		out.Write(text)
		if !found {
			return out.Bytes()
		}
		data, after, _ := bytes.Cut(rest, []byte("\nendstream"))
		out.WriteString(">>\nstream\n")
		if z, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			if change != nil {
				plain = change(plain)
			}
			w, _ := zlib.NewWriterLevel(&out, zlib.BestCompression)
			w.Write(plain)
			w.Close()
		} else {
			out.Write(data)
		}
		out.WriteString("\nendstream")
		pdf = after
	}
}

// What others wrote may be of any length and of any letters: the table goes on over pages, and ends.
func TestConfirmationTakesAnyText(t *testing.T) {
	for name, text := range map[string]string{"no spaces": strings.Repeat("x", 5000), "one row over pages": strings.Repeat("lý do rất dài ", 2000), "emoji": "😀 \U0001F600 中文 \x00\x07 \u202e", "decomposed": "Nguye\u0302\u0303n",
		"empty": "", "invalid": "\xff\xfe"} {
		c := fixed()
		for range 3 {
			c.Copies = append(c.Copies, confirmedCopy{Name: text, Address: text, Sent: []string{text}, Arrived: []string{text}, Handled: []string{text, text}})
		}
		c.Abstract, c.Agency = text, text[:min(len(text), 300)]
		pdf, err := c.pdf()
		if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
			t.Errorf("%s: %v", name, err)
		}
		if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages == 0 || pages > 200 {
			t.Errorf("%s: %d pages", name, pages)
		}
	}
}
