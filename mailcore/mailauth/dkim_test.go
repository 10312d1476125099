package mailauth_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// headerFields parts a mail's header into its fields, each on one line.
func headerFields(mail string) (fields []string) {
	head, _, _ := strings.Cut(mail, "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		if len(fields) > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			fields[len(fields)-1] += " " + line
		} else {
			fields = append(fields, line)
		}
	}
	return fields
}

// fromOf returns what the caller of Check knows of a mail's From.
func fromOf(mail string) (from []string) {
	for _, f := range headerFields(mail) {
		if value, ok := strings.CutPrefix(f, "From:"); ok {
			from = append(from, value)
		}
	}
	return from
}

// dkimInput takes a signed mail apart as RFC 6376 §3.7 says and returns the signature and the bytes that it signs, relaxed.
func dkimInput(t *testing.T, mail string) (signature []byte, signed string) {
	t.Helper()
	fields := headerFields(mail)
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
