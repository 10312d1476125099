package recipients_test

import (
	"strings"
	"testing"

	"congvan/recipients"
)

// A quote that is out of place in the first cell of a line is told by its line; the CSV reader has no record then.
func TestBrokenQuoteIsToldByItsLine(t *testing.T) {
	for name, read := range map[string]func(string) error{
		"units": func(s string) error { _, err := recipients.ReadDirectory(strings.NewReader(s), nil); return err },
		"posts": func(s string) error { _, err := recipients.ReadPosts(strings.NewReader(s)); return err },
	} {
		for _, line := range []string{"a\"b", "\"a", "\"a\"b\"\n", "\xf4\"\x81n"} {
			header := map[string]string{"units": "code,name,kind,parent,aliases\n", "posts": "unit,role,name\n"}[name]
			if err := read(header + line); err == nil || !strings.Contains(err.Error(), "sai định dạng CSV") {
				t.Errorf("%s: %q: %v", name, line, err)
			}
		}
	}
}
