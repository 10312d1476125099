package signing_test

import (
	"testing"

	"congvan/signing"
)

func TestSealedFileIsValid(t *testing.T) {
	for kind, s := range theIssuer().sealers {
		for _, name := range []string{"letter.pdf", "objectstreams.pdf", "scan.pdf"} {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				out := seal(t, s, read(t, name), marked())
				r := wantStatus(t, out, signing.Valid)
				if len(r.Signatures) != 1 || r.Signatures[0].Coverage.Code != "whole_file" || r.Signatures[0].SignerName != agency {
					t.Errorf("report: %+v", r)
				}
			})
		}
	}
}
