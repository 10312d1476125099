// Package templates holds and renders the texts that people read: mails of the gateway, later pages and printed forms.
// All are Vietnamese, parsed when the program starts; a broken one stops it.
package templates

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed mail/*.txt form/*.txt
var files embed.FS

var (
	mails = template.Must(template.ParseFS(files, "mail/*.txt"))
	forms = template.Must(template.ParseFS(files, "form/*.txt")).Option("missingkey=error")
)

// Mail renders mail/NAME with data. Lines end in CRLF (RFC 5322 §2.1).
func Mail(name string, data any) (string, error) {
	var b strings.Builder
	if err := mails.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render mail %s: %w", name, err)
	}
	return strings.ReplaceAll(b.String(), "\n", "\r\n"), nil
}

// Form renders a named paragraph of a printed form with data.
func Form(name string, data any) (string, error) {
	var b strings.Builder
	if err := forms.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render paragraph %s of a form: %w", name, err)
	}
	return b.String(), nil
}
