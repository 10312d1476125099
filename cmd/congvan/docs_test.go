package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cited is a law or standard as code names it; hidden is a list of numbers behind one "RFC", where no search finds the second.
var (
	cited  = regexp.MustCompile(`\b(?:RFC \d+|NĐ \d+/\d{4}|QĐ \d+/\d{4}|TT \d+/\d{4}|TCVN \d+:\d{4}|QCVN \d+:\d{4}|ETSI EN \d+ \d+-\d+|ISO \d+(?:-\d+)?)`)
	hidden = regexp.MustCompile(`\bRFCs? \d+(?: §[\d.]+)?(?:,| and| or) \d{3,}`)
)

// A standard is a row of the table in ARCHITECTURE.md.
type standard struct{ verdict, what string }

func listedStandards(t *testing.T) map[string]standard {
	t.Helper()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Standards\n")
	listed := map[string]standard{}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 || strings.HasPrefix(cells[2], "---") || strings.TrimSpace(cells[1]) == "standard" {
			continue
		}
		name, s := strings.TrimSpace(cells[1]), standard{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])}
		if _, twice := listed[name]; twice {
			t.Errorf("%s is listed twice", name)
		}
		if cited.FindString(name) != name {
			t.Errorf("%s is not the name of a standard as code cites it", name)
		}
		switch s.verdict {
		case "yes":
		case "partial", "no":
			if len(strings.Fields(s.what)) < 4 && s.verdict == "no" || s.what == "" {
				t.Errorf("%s: %s, and it does not say what is missing or why", name, s.verdict)
			}
		default:
			t.Errorf("%s is neither yes, partial nor no: %q", name, s.verdict)
		}
		listed[name] = s
	}
	if len(listed) < 20 {
		t.Fatalf("only %d standards listed", len(listed))
	}
	return listed
}

// Citations of the whole code: by name the first place in code itself, in a package comment, and in a test.
type citations struct{ done, told, tried map[string]string }

func allCitations(t *testing.T) citations {
	t.Helper()
	c := citations{map[string]string{}, map[string]string{}, map[string]string{}}
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".sql") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(source)
		if found := hidden.FindString(text); found != "" {
			t.Errorf("%s cites %q: write RFC before each number", path, found)
		}
		head, body := "", text
		if at := strings.Index("\n"+text, "\npackage "); at >= 0 && strings.HasSuffix(path, ".go") {
			head, body = text[:at], text[at:]
		}
		if strings.HasSuffix(path, "_test.go") {
			note(c.tried, text, path)
			return nil
		}
		note(c.told, head, path)
		note(c.done, body, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.done["NĐ 30/2020"] == "" || c.told["RFC 9051"] == "" {
		t.Error("found no citation at all: the search is broken")
	}
	return c
}

func note(places map[string]string, text, path string) {
	for _, name := range cited.FindAllString(text, -1) {
		if places[name] == "" {
			places[name] = path
		}
	}
}

// Every law and standard that code cites stands in ARCHITECTURE.md as yes, partial or no.
func TestEveryStandardCitedIsListed(t *testing.T) {
	listed, c := listedStandards(t), allCitations(t)
	for _, places := range []map[string]string{c.done, c.told, c.tried} {
		for name, path := range places {
			if _, ok := listed[name]; !ok {
				t.Errorf("%s cites %s, which ARCHITECTURE.md does not list", path, name)
			}
		}
	}
}

// What ARCHITECTURE.md calls done is cited where it is done: a list in a package comment, or a test, is not that place. What it
// calls not done is named at least where a package says what it is not.
func TestEveryStandardListedIsCited(t *testing.T) {
	c := allCitations(t)
	for name, s := range listedStandards(t) {
		switch {
		case c.done[name] != "":
		case s.verdict != "no":
			t.Errorf("ARCHITECTURE.md says %q of %s, and no code cites it where it is done", s.verdict, name)
		case c.told[name] == "":
			t.Errorf("ARCHITECTURE.md says no to %s, and no package says so", name)
		}
	}
}
