package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var cited = regexp.MustCompile(`\b(?:RFC \d+|NĐ \d+/\d{4}|QĐ \d+/\d{4}|TT \d+/\d{4}|TCVN \d+:\d{4}|QCVN \d+:\d{4}|ETSI EN \d+ \d+-\d+|ISO \d+(?:-\d+)?)`)

// Every law and standard that code cites stands in ARCHITECTURE.md as yes, partial or no.
func TestEveryStandardCitedIsListed(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) > 3 {
			if verdict := strings.TrimSpace(cells[2]); verdict == "yes" || verdict == "partial" || verdict == "no" {
				listed[strings.TrimSpace(cells[1])] = true
			}
		}
	}
	if len(listed) < 20 {
		t.Fatalf("only %d standards listed", len(listed))
	}
	seen := map[string]bool{}
	err = filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range cited.FindAllString(string(source), -1) {
			if seen[name] = true; !listed[name] {
				t.Errorf("%s cites %s, which ARCHITECTURE.md does not list", path, name)
				listed[name] = true // once is enough
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !seen["NĐ 30/2020"] {
		t.Error("found no citation at all: the search is broken")
	}
}
