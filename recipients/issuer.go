package recipients

import "strings"

// Issuer returns the unit that bears the name in the head of a document (ô 2), "" when the directory does not know it or
// knows several.
func (d *Directory) Issuer(name string) UnitCode {
	name = strings.Join(strings.Fields(strings.NewReplacer(";", " ", "\n", " ").Replace(name)), " ")
	if name == "" {
		return ""
	}
	lines := d.Resolve(Request{NoiNhan: "- " + name + "."})
	if len(lines) != 1 || lines[0].Result != Resolved || len(lines[0].Codes) != 1 {
		return ""
	}
	return lines[0].Codes[0]
}
