package mailauth_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// dkimInput takes a signed mail apart as RFC 6376 §3.7 says and returns the signature and the bytes that it signs, relaxed.
func dkimInput(t *testing.T, mail string) (signature []byte, signed string) {
	t.Helper()
	head, _, _ := strings.Cut(mail, "\r\n\r\n")
	var fields []string
	for _, line := range strings.Split(head, "\r\n") {
		if line[0] == ' ' || line[0] == '\t' {
			fields[len(fields)-1] += " " + line
		} else {
			fields = append(fields, line)
		}
	}
	tags := map[string]string{}
	_, value, _ := strings.Cut(fields[0], ":")
	for _, tag := range strings.Split(value, ";") {
		name, v, _ := strings.Cut(tag, "=")
		tags[strings.TrimSpace(name)] = strings.Join(strings.Fields(v), "")
	}
	used := map[int]bool{}
	var b strings.Builder
	for _, name := range strings.Split(tags["h"], ":") {
		for i := len(fields) - 1; i > 0; i-- {
			got, _, _ := strings.Cut(fields[i], ":")
			if !used[i] && strings.EqualFold(got, name) {
				used[i] = true
				b.WriteString(relaxed(fields[i]) + "\r\n")
				break
			}
		}
	}
	empty := regexp.MustCompile(`(;\s*b=)[^;]*`).ReplaceAllString(fields[0], "$1")
	b.WriteString(relaxed(empty))
	sig, err := base64.StdEncoding.DecodeString(tags["b"])
	if err != nil {
		t.Fatal(err)
	}
	return sig, b.String()
}

func relaxed(field string) string {
	name, value, _ := strings.Cut(field, ":")
	return strings.ToLower(strings.TrimSpace(name)) + ":" + strings.Join(strings.Fields(value), " ")
}
