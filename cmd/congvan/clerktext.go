package main

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"congvan/mailcore/viettext"

	"golang.org/x/text/encoding/unicode"
)

// clerkText is what a person typed, in Unicode NFC: terminals and keyboards of old encodings are still in use.
func clerkText(s string) string {
	text, _ := viettext.Recode(s)
	return strings.TrimSpace(text)
}

// unicodeFile makes UTF-8 of a file that an editor wrote: marks at its beginning and UTF-16 are understood, and bytes that are
// no UTF-8 become the code points of their numbers, which viettext.Recode decodes word by word later.
func unicodeFile(data []byte) []byte {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		if out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data); err == nil {
			return out
		}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if utf8.Valid(data) {
		return data
	}
	var b bytes.Buffer
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			r = rune(data[0])
		}
		b.WriteRune(r)
		data = data[n:]
	}
	return b.Bytes()
}
