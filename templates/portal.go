package templates

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed portal/*.html portal/style.css
var portalFiles embed.FS

// PortalStyle is the style sheet of the account pages.
//
//go:embed portal/style.css
var PortalStyle []byte

var portal = template.Must(template.New("portal").Funcs(template.FuncMap{"when": when}).ParseFS(portalFiles, "portal/*.html"))

// Portal renders portal/NAME, a page of an account.
func Portal(w io.Writer, name string, data any) error {
	if err := portal.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	return nil
}

// when is an instant as people here write it.
func when(t time.Time) string {
	return t.In(time.FixedZone("+07", 7*3600)).Format("15:04 ngày 02/01/2006")
}
