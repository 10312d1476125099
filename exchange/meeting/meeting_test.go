package meeting_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"congvan/exchange/meeting"

	"golang.org/x/text/unicode/norm"
)

type sample struct {
	ID, Issued, Text           string
	Day, At, Until, Last, Part string
	Place                      string
}

func samples(t testing.TB) (all []sample) {
	t.Helper()
	f, err := os.Open("testdata/meetings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// A time that is not surely meant is worse than none: wrong ones are never allowed, and the plain ones are read.
func TestTimesAreReadOrLeft(t *testing.T) {
	read, plain := 0, 0
	for _, s := range samples(t) {
		for _, text := range []string{s.Text, norm.NFD.String(s.Text), strings.ReplaceAll(s.Text, "\n", "\r\n")} {
			m, err := meeting.Read(text, s.Issued)
			switch {
			case s.Day == "" && err == nil:
				t.Errorf("%s: read as %+v: %q", s.ID, *m, s.Text)
			case err != nil && !errors.Is(err, meeting.ErrNone) && !errors.Is(err, meeting.ErrUnsure):
				t.Errorf("%s: %v", s.ID, err)
			case s.Day != "" && err != nil:
				t.Errorf("%s: %v: %q", s.ID, err, s.Text)
			case s.Day != "" && (m.Day != s.Day || m.At != s.At || m.Until != s.Until || m.Last != s.Last || m.Part != s.Part || m.Place != s.Place):
				t.Errorf("%s: %+v: %q", s.ID, *m, s.Text)
			case s.Day != "":
				read++
			}
		}
		if s.Day != "" {
			plain += 3
		}
	}
	if plain < 120 {
		t.Errorf("only %d plain texts", plain)
	}
	t.Logf("%d of %d plain ones read", read, plain)
}

// Other words anywhere in the passage take the answer away; they never change it.
func TestForeignWordsTakeTheAnswerAway(t *testing.T) {
	for _, s := range samples(t) {
		if s.Day == "" {
			continue
		}
		m, err := meeting.Read(s.Text, s.Issued)
		if err != nil {
			continue
		}
		fields := strings.Fields(m.Words)
		for i := range len(fields) + 1 {
			for _, word := range []string{"không", "trừ", "tuần", "9h15", "27/12/2026", "hoặc", "âm"} {
				text := strings.Join(append(append(append([]string{}, fields[:i]...), word), fields[i:]...), " ")
				got, err := meeting.When(text, s.Issued)
				if err == nil && got.Day != "" && word != "9h15" && word != "27/12/2026" {
					t.Errorf("%q is read as %+v", text, *got)
				}
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Text, s.Issued)
	}
	f.Fuzz(func(t *testing.T, text, issued string) {
		m, err := meeting.Read(text, issued)
		if err != nil {
			return
		}
		first, err1 := time.Parse(time.DateOnly, m.Day)
		last, err2 := time.Parse(time.DateOnly, m.Last)
		if err1 != nil || err2 != nil || last.Before(first) || last.Sub(first) > 31*24*time.Hour {
			t.Fatalf("%+v", *m)
		}
		for _, at := range []string{m.At, m.Until} {
			if _, err := time.Parse("15:04", at); at != "" && err != nil {
				t.Fatalf("%+v", *m)
			}
		}
		if m.At == "" && m.Until != "" || m.Day == m.Last && m.Until != "" && m.Until <= m.At || m.At != "" && m.Part != "" {
			t.Fatalf("%+v", *m)
		}
		again, err := meeting.When(m.Words, issued)
		if err != nil || again.Day != m.Day || again.At != m.At || again.Last != m.Last || again.Until != m.Until {
			t.Fatalf("%q is read as %+v at first, then as %+v, %v", m.Words, *m, again, err)
		}
	})
}
