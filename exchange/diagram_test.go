package exchange

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the diagram of states into ARCHITECTURE.md")

// The diagram in ARCHITECTURE.md is printed from the tables of moves.
func TestDiagramShowsTheTables(t *testing.T) {
	const path = "../ARCHITECTURE.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), "<!-- states -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- /states -->")
	if !ok1 || !ok2 {
		t.Fatal("ARCHITECTURE.md has no place for the states")
	}
	want := head + "<!-- states -->\n" + diagram() + "<!-- /states -->" + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the diagram is not what the tables say: go test ./exchange -run Diagram -update")
	}
}

func diagram() string {
	var b strings.Builder
	b.WriteString("```\nDocument\n")
	for _, from := range []State{Draft, Registered, Sealed} {
		fmt.Fprintf(&b, "  %-12s → %s\n", from, join(states[from]))
	}
	b.WriteString("\nDispatch, transport\n")
	for _, from := range allTransports {
		if to := transports[from]; len(to) > 0 {
			fmt.Fprintf(&b, "  %-12s → %s\n", nameOr(from), join(to))
		}
	}
	b.WriteString("\nDispatch, handling\n")
	for _, from := range allHandlings {
		if to := handlings[from]; len(to) > 0 {
			fmt.Fprintf(&b, "  %-12s → %s\n", nameOr(from), join(to))
		}
	}
	b.WriteString("\nDispatch, asked to be given back\n")
	for _, from := range []RecallState{"", RecallAsked} {
		fmt.Fprintf(&b, "  %-12s → %s\n", nameOr(from), join(recalls[from]))
	}
	b.WriteString("```\n")
	return b.String()
}

func nameOr[S ~string](s S) string {
	if s == "" {
		return "(new)"
	}
	return string(s)
}

func join[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
