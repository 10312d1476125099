package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"congvan/signing"
)

// verifyFile prints the verdict on one file and reports whether it is valid.
func verifyFile(ctx context.Context, s *streams, file string, opt signing.VerifyOptions, asJSON bool) bool {
	data, err := readFile(file)
	var report *signing.Report
	if err == nil {
		report, err = signing.Verify(ctx, data, opt)
	}
	if err != nil {
		text, hint := explain(err)
		if asJSON {
			writeJSON(s.out, map[string]any{"file": filepath.Base(file), "status": signing.Indeterminate, "error": text})
		} else {
			fmt.Fprintf(s.out, "%s: %s\n", file, text)
			if hint != "" {
				fmt.Fprintf(s.out, "  %s\n", hint)
			}
		}
		return false
	}
	if asJSON {
		writeJSON(s.out, struct {
			File string `json:"file"`
			*signing.Report
		}{filepath.Base(file), report})
	} else {
		showReport(s, file, report)
	}
	return report.Overall() == signing.Valid
}

func showReport(s *streams, file string, r *signing.Report) {
	fmt.Fprintf(s.out, "%s: %s. %s\n", file, r.Overall().Text(), r.Reason)
	for i := range r.Signatures {
		g := &r.Signatures[i]
		fmt.Fprintf(s.out, "  Chữ ký %d: %s - %s\n", i+1, g.Status.Text(), cmp.Or(g.SignerName, g.Organization))
		for _, q := range []struct {
			name  string
			check signing.Check
		}{{"Toàn vẹn", g.Intact}, {"Phạm vi", g.Coverage}, {"Người ký", g.Signer}, {"Chuỗi tin cậy", g.Chain}, {"Thời hạn", g.Time},
			{"Thu hồi", g.Revocation}, {"Dấu thời gian", g.Timestamp}} {
			fmt.Fprintf(s.out, "    %-14s %s\n", q.name, q.check.Reason)
		}
	}
}
