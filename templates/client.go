package templates

import (
	"embed"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/template"
)

//go:embed client/*
var clientFiles embed.FS

var client = template.Must(template.New("client").Option("missingkey=error").Funcs(template.FuncMap{"xml": escapeXML}).ParseFS(clientFiles, "client/*"))

// escapeXML is a text as XML bears it, between tags as in an attribute.
func escapeXML(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

// Client renders client/NAME, a file that mail clients read their settings from.
func Client(w io.Writer, name string, data any) error {
	if err := client.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("render %s for a mail client: %w", name, err)
	}
	return nil
}
