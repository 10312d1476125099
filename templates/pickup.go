package templates

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed pickup/*.html
var pickupFiles embed.FS

var pickup = template.Must(template.New("pickup").Funcs(template.FuncMap{"when": when}).ParseFS(pickupFiles, "pickup/*.html"))

// Pickup renders pickup/NAME, a page for who fetches a document.
func Pickup(w io.Writer, name string, data any) error {
	if err := pickup.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	return nil
}
