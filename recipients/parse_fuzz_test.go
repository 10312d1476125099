package recipients

import (
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// FuzzParseBlock holds what every block must give, however broken: no panic, valid composed texts, known kinds, units only
// where a kind has them, and no entry without words.
func FuzzParseBlock(f *testing.F) {
	for _, b := range loadBlocks(f, "testdata/noi-nhan.dev.jsonl") {
		if len(b.Raw) < 1500 {
			f.Add(b.Raw)
		}
	}
	for _, s := range []string{"", "Nơi nhận:", "- Lưu: VT (", "(((((", "|||||\n|-|-|", "Nơi nhận: - ; - ; -", "- Như Điều 999999999999999999999 (3b", "<td><p>- A;", "\xff\xfe- B",
		"- Các Sở: , , và ;", "- UBND các huyện: ", "Kính gửi: |", "- VPCP: ;(b/c)", "- \u0301\u0323;", "- Sở . Bộ . Cục . ;", strings.Repeat("- a;", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, e := range ParseBlock(raw) {
			checkEntry(t, e)
		}
		name, notes := stripAnnotation(raw)
		_ = notes
		for _, n := range splitNames(name) {
			if strings.TrimSpace(n) == "" && strings.TrimSpace(name) != "" {
				t.Errorf("splitNames(%q) gives an empty name", name)
			}
		}
	})
}

func checkEntry(t *testing.T, e Entry) {
	t.Helper()
	for _, s := range append([]string{e.Text, e.Purpose}, e.Units...) {
		if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) {
			t.Errorf("%q is no composed text", s)
		}
	}
	if lettersOnly(e.Text) == "" || e.Text != strings.TrimSpace(e.Text) || strings.ContainsAny(e.Text, "\n\t") {
		t.Errorf("bad text %q", e.Text)
	}
	switch e.Kind {
	case EntryUnit, EntryPublication, EntryArchive:
	case EntryGroup, EntryPerson, EntryReference:
		if len(e.Units) > 0 {
			t.Errorf("%s %q has units %q", e.Kind, e.Text, e.Units)
		}
	default:
		t.Errorf("unknown kind %q", e.Kind)
	}
	if e.Units == nil {
		t.Errorf("units of %q are nil", e.Text)
	}
	if e.Copies != nil && *e.Copies < 0 {
		t.Errorf("copies of %q: %d", e.Text, *e.Copies)
	}
}

// TestParseBlockIsLinear reads a megabyte of each pathological shape and a quarter of it; a real block has a few kilobytes. Four
// times as much may take some four times as long; were it quadratic it would take sixteen times.
func TestParseBlockIsLinear(t *testing.T) {
	const size = 1 << 20
	for name, part := range map[string]string{
		"one entry a line": "- Sở Kế hoạch và Đầu tư (để b/c);\n", "one line": "- UBND tỉnh; ", "no separator": "- Sở Y tế - Lưu: VT ", "semicolons": ";", "brackets": "(",
		"closed brackets": "(a)", "pairs": "()", "closing": ")", "dashes": " - ", "commas": "A, ", "and": " và ", "colons": "Các Sở: ", "pipes": "|", "cells": "| - a; ", "stars": "*", "tags": "<td>",
		"open tags": "<p ", "letters apart": "T h ", "words": "Văn phòng ", "no space": "Ủy", "capitals": "PHÓ CHỦ TỊCH ", "blank lines": "\n", "spaces": " ", "tabs": "\t", "reference": "Như trên ",
		"archive": "Lưu: VT, ", "archive lines": "- Lưu: VT (3b),\n", "wrapped": "và các\n", "stops": ". ", "labels": "Nơi nhận: ", "marks": "\u0301", "entities": "&amp;", "notes": "- a; (b/c) ",
		"open notes": "- a (để b/c;\n", "numbers": "1, 2. ", "quotes": "> ", "backslashes": `\-`,
		"title lines": "- Sở Y tế; KT. GIÁM ĐỐC PHÓ GIÁM ĐỐC\n", "name lines": "- Sở Y tế; Nguyễn Văn A\n", "signed": "(ký)", "signed lines": strings.Repeat("(ký)", 800) + "\n",
		"long lines of titles": strings.Repeat("PHÓ CHỦ TỊCH ", 200) + "\n", "long lines of names": strings.Repeat("Trần Văn Thị ", 200) + "\n", "long lines of specks": strings.Repeat("ì , ", 600) + "\n",
		"long lines of semicolons": strings.Repeat("Sở; ", 600) + "\n", "leaders": strings.Repeat("...", 1000) + "a\n", "colons apart": strings.Repeat(" : ab", 600) + "\n",
	} {
		took := func(size int) time.Duration {
			raw := "Nơi nhận: - Như trên; - " + strings.Repeat(part, size/len(part))
			start := processorTime(t)
			ParseBlock(raw)
			return processorTime(t) - start
		}
		var few, many time.Duration
		for range 5 { // whatever else the machine does at one time, it does not each time
			few, many = took(size/4), took(size)
			if many < 10*max(few, 10*time.Millisecond) {
				break
			}
		}
		if many >= 10*max(few, 10*time.Millisecond) {
			t.Errorf("%s: %v for %d bytes, %v for a quarter", name, many, size, few)
		}
	}
}

// processorTime is what this process has used of the processor, which a busy machine does not change.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkParseBlock(b *testing.B) {
	blocks := loadBlocks(b, "testdata/noi-nhan.dev.jsonl")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ParseBlock(blocks[i%len(blocks)].Raw)
	}
}
