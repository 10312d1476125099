package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed is the table of imports between packages of this module, test files left out: the upper imports the lower,
// never back. Package main wires everything and may import anything.
var allowed = map[string][]string{
	"exchange":           {"exchange/intake", "exchange/meeting", "exchange/paper", "exchange/reply", "exchange/worktime", "mailcore", "mailcore/blob", "mailcore/dsn", "mailcore/sqldb", "mailcore/viettext", "recipients", "signing", "templates"},
	"exchange/intake":    {"mailcore/viettext", "recipients"},
	"exchange/meeting":   {},
	"exchange/paper":     {"mailcore/viettext"},
	"exchange/reply":     {"mailcore/viettext"},
	"exchange/worktime":  {"mailcore/viettext"},
	"recipients":         {"mailcore", "mailcore/sqldb", "mailcore/viettext"},
	"signing":            {"signing/internal/*"},
	"signing/internal/*": {"signing/internal/*"},
	"mailcore":           {"mailcore/blob", "mailcore/sqldb", "mailcore/viettext"},
	"mailcore/blob":      {},
	"mailcore/imapd":     {"mailcore", "mailcore/blob", "mailcore/sqldb", "mailcore/viettext"},
	"mailcore/ldapd":     {"mailcore", "mailcore/viettext"},
	"mailcore/dsn":       {"mailcore"},
	"mailcore/mailauth":  {},
	"mailcore/filter":    {},
	"mailcore/smtpd":     {"mailcore", "mailcore/blob", "mailcore/dsn", "mailcore/filter", "mailcore/mailauth", "mailcore/sqldb", "mailcore/viettext"},
	"mailcore/portal":    {"mailcore", "templates"}, // pages are rendered where all that people read is
	"mailcore/queue":     {"mailcore", "mailcore/blob", "mailcore/dsn", "mailcore/mailauth", "mailcore/sqldb", "mailcore/viettext"},
	"mailcore/sqldb":     {},
	"mailcore/viettext":  {},
	"mailcore/mailtest":  {"mailcore/blob", "mailcore/sqldb", "migrations"}, // for tests
	"migrations":         {},
	"templates":          {},
}

// drivers are modules that one package alone may import.
var drivers = map[string]string{
	"modernc.org/sqlite": "mailcore/sqldb", "github.com/lib/pq": "mailcore/sqldb", "github.com/pressly/goose": "mailcore/sqldb",
	"github.com/pdfcpu/pdfcpu": "signing", "github.com/klippa-app/go-pdfium": "exchange/intake", "github.com/minio/minio-go": "mailcore/blob",
	"github.com/go-asn1-ber/asn1-ber": "mailcore/ldapd",
}

// testOnly may be imported by test files alone.
var testOnly = []string{"github.com/digitorus/pdfsign", "congvan/mailcore/mailtest", "github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak",
	"github.com/rogpeppe/go-internal", "github.com/miekg/dns", "github.com/go-ldap/ldap"}

func TestImportsGoOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := rule(filepath.ToSlash(dir))
		seen[pkg] = true
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			checkImport(t, pkg, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the table names %s, which is not there", pkg)
		}
	}
}

// rule is the key of the table for a folder.
func rule(dir string) string {
	if strings.HasPrefix(dir, "signing/internal/") {
		return "signing/internal/*"
	}
	return dir
}

func checkImport(t *testing.T, pkg, name string) {
	for _, m := range testOnly {
		if name == m || strings.HasPrefix(name, m+"/") {
			t.Errorf("%s imports %s, which is for tests", pkg, name)
		}
	}
	for m, owner := range drivers {
		if (name == m || strings.HasPrefix(name, m+"/")) && pkg != owner && !strings.HasPrefix(pkg, owner+"/internal/") && pkg != "mailcore/mailtest" {
			t.Errorf("%s imports %s, which belongs to %s", pkg, name, owner)
		}
	}
	ours, ok := strings.CutPrefix(name, "congvan/")
	if !ok || strings.HasPrefix(pkg, "cmd/") {
		return
	}
	edges, known := allowed[pkg]
	if !known {
		t.Errorf("package %s is not in the table of imports", pkg)
	} else if !slices.Contains(edges, rule(ours)) {
		t.Errorf("%s imports %s: not in the table of imports", pkg, ours)
	}
}
