package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/signing"
)

// readArrival reads a PDF that came to a unit from outside, for the exchange to propose. What lacks the head of an official
// document (số, ký hiệu; ngày; cơ quan ban hành) or its recipients is ordinary mail, and so is what cannot be read.
func (in *installation) readArrival(ctx context.Context, name string, pdf []byte) (*exchange.ArrivalDraft, error) {
	reader, err := in.intake(ctx)
	if err != nil {
		return nil, err
	}
	draft, err := reader.Read(ctx, name, pdf)
	var p *intake.Problem
	if errors.As(err, &p) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h := draft.Heading
	if draft.Secrecy != "" {
		return &exchange.ArrivalDraft{Secrecy: draft.Secrecy}, nil
	}
	if h.Reference == "" || h.Number == "" || h.Issuer == "" || len(h.Date) != len(time.DateOnly) || len(draft.NoiNhan)+len(draft.KinhGui) == 0 {
		return nil, nil
	}
	verdict, err := in.verdict(ctx, pdf)
	if err != nil {
		return nil, err
	}
	author := cmp.Or(h.IssuerName, h.Issuer)
	return &exchange.ArrivalDraft{Verdict: verdict, Entry: exchange.Entry{Document: h.Reference, Author: author, Kind: h.Type, Abstract: h.Subject,
		DatedOn: h.Date, Signer: draft.Signer}}, nil
}

// verdict words what the signatures of a PDF are worth; "valid" is said of nothing that is not.
func (in *installation) verdict(ctx context.Context, pdf []byte) (string, error) {
	roots, err := in.keys.roots()
	if err != nil {
		return "", err
	}
	stamps, err := in.keys.stampRoots()
	if err != nil {
		return "", err
	}
	report, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: roots, TSARoots: stamps})
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		_, text, _ := verifyTrouble(err)
		return text, nil
	}
	text := fmt.Sprintf("%s. %s", report.Overall().Text(), report.Reason)
	for _, g := range report.Signatures {
		if who := cmp.Or(g.SignerName, g.Organization); who != "" {
			text += " Người ký: " + who + "."
		}
	}
	return text, nil
}
