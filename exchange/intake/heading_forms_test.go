package intake_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"congvan/exchange/intake"
)

var tableHead = regexp.MustCompile(`^\| (.*?) \| (.*?) \|\n\|---\|---\|\n\| (.*?) \| (.*?) \|(?s:\n*(.*))$`)

// cells are the parts of a head that stood in a Markdown table.
type cells struct{ agency, motto, number, about, date, rest string }

// headForms set the same head as other sources do.
var headForms = map[string]func(c cells) string{
	"stacked": func(c cells) string {
		return strings.Join([]string{c.agency, c.motto, c.number, wrap(c.about, 40, "\n"), c.date, "", c.rest}, "\n")
	},
	"left column first": func(c cells) string {
		return strings.Join([]string{c.agency, c.number, wrap(c.about, 40, "\n"), "", c.motto, c.date, "", c.rest, "", "Kính gửi: Các đơn vị"}, "\n")
	},
	"html": func(c cells) string {
		return fmt.Sprintf("<table><tr><td><p><b>%s</b></p></td><td><p>%s</p></td></tr><tr><td>%s<br/>%s</td><td><i>%s</i></td></tr></table>\n<p>%s</p>",
			c.agency, c.motto, c.number, c.about, c.date, strings.ReplaceAll(c.rest, "\n\n", "</p><p>"))
	},
	"wide columns": func(c cells) string {
		about := strings.Split(wrap(c.about, 34, "\n"), "\n")
		rows := []string{pad(c.agency) + c.motto, pad(c.number) + c.date}
		if about[0] != "" {
			rows = []string{pad(c.agency) + c.motto, c.number, pad(about[0]) + c.date}
			rows = append(rows, about[1:]...)
		}
		return strings.Join(rows, "\n") + "\n\n" + c.rest
	},
	"columns run together": func(c cells) string {
		return c.agency + " " + c.motto + "\n" + c.number + " " + c.date + "\n" + wrap(c.about, 40, "\n") + "\n\n" + wrap(c.rest, 80, "\n")
	},
	"bold markdown": func(c cells) string {
		return "**" + c.agency + "**\n\n**" + c.motto + "**\n\n" + c.number + "\n\n" + c.about + "\n\n*" + c.date + "*\n\n**" +
			strings.ReplaceAll(c.rest, "\n\n", "**\n\n**") + "**\n\n*Căn cứ Luật Tổ chức chính quyền địa phương;*"
	},
	"no line breaks kept": func(c cells) string {
		return strings.Join(strings.Fields(c.agency+" "+c.motto+" "+c.number+" "+c.about+"  "+c.date), " ") + "\n" + c.rest
	},
}

func pad(s string) string { return fmt.Sprintf("%-48s", s) }

// wrap breaks s at spaces into lines of at most n bytes, paragraphs kept.
func wrap(s string, n int, by string) string {
	var out []string
	for _, para := range strings.Split(s, "\n") {
		line := ""
		for _, w := range strings.Fields(para) {
			if line != "" && len(line)+len(w) >= n {
				out = append(out, line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + w)
		}
		out = append(out, line)
	}
	return strings.Join(out, by)
}

// TestHeadingsInOtherForms sets the heads that stood in tables in the forms of other sources; what is read must not change.
func TestHeadingsInOtherForms(t *testing.T) {
	aboutPart := regexp.MustCompile(`^(.*?)( V/v.*)?$`)
	for name, form := range headForms {
		t.Run(name, func(t *testing.T) {
			right, n := make(map[string]int), 0
			for _, row := range headerRows(t, "headers.jsonl") {
				m := tableHead.FindStringSubmatch(row.RawHeader)
				if m == nil {
					continue
				}
				n++
				a := aboutPart.FindStringSubmatch(m[3])
				raw := form(cells{strings.Trim(m[1], " -"), strings.TrimRight(m[2], " -"), a[1], strings.TrimSpace(a[2]), m[4], m[5]})
				data, err := json.Marshal(intake.ParseHeading(raw))
				if err != nil {
					t.Fatal(err)
				}
				got := fieldsOf(t, data)
				for _, f := range headerFields {
					if got[f] == row.Fields[f] || f == "subject" && ratio(got[f], row.Fields[f]) >= 0.97 {
						right[f]++
					} else {
						t.Logf("%s %s: %q, want %q", row.ID, f, got[f], row.Fields[f])
					}
				}
			}
			for _, f := range headerFields {
				if n < 30 || 100*right[f] < 95*n {
					t.Errorf("%s right in %d of %d", f, right[f], n)
				}
			}
		})
	}
}
