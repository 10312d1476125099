package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/signing"
)

const demoClerk = "văn thư (demo)"

// A demoInput is one document to issue.
type demoInput struct {
	name string
	data []byte
}

func (d *demo) inputs() ([]demoInput, error) {
	var out []demoInput
	if len(d.flags.pdf) > 0 {
		for _, file := range d.flags.pdf {
			data, err := readFile(file)
			if err != nil {
				return nil, err
			}
			out = append(out, demoInput{file, data})
		}
		return out, nil
	}
	entries, err := demoFiles.ReadDir("testdata/demo")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pdf") {
			out = append(out, demoInput{e.Name(), demoFile(e.Name())})
		}
	}
	return out, nil
}

func (d *demo) issueAll(ctx context.Context) error {
	inputs, err := d.inputs()
	if err != nil {
		return err
	}
	for i, in := range inputs {
		start := time.Now()
		fmt.Fprintf(d.s.out, "[%d/%d] %-32s ", i+1, len(inputs), filepath.Base(in.name))
		row, result, err := d.issueOne(ctx, in)
		if err != nil {
			fmt.Fprintln(d.s.out)
			return fmt.Errorf("%s: %w", in.name, err)
		}
		d.rows = append(d.rows, row)
		d.sayf("%s (%.1f s)", result, time.Since(start).Seconds())
	}
	return nil
}

// issueOne takes one document all the way, or notes in its row why it stays with the clerk.
func (d *demo) issueOne(ctx context.Context, in demoInput) (*demoRow, string, error) {
	row := &demoRow{file: filepath.Base(in.name)}
	desk := &desk{in: d.in, s: d.s, said: d.said, flags: issueFlags{json: true, as: demoClerk}}
	p, err := d.proposed(ctx, desk, in, row)
	if err != nil {
		return row, "", err
	}
	if p != nil {
		res := &issueResult{}
		if err := desk.send(ctx, desk.actor(p.Agency), p, in.data, res); err != nil {
			if !row.left(err) {
				return row, "", err
			}
			// A number in use is the paper's fault; whatever else stops a document that was ready is ours.
			row.failed = !exchange.IsCode(err, exchange.CodeNumberTaken) && !exchange.IsCode(err, exchange.CodeSameFile)
			row.why = err
		}
		row.id = res.document
	}
	if err := d.spool(in, row); err != nil || row.id == 0 {
		return row, row.reason, err
	}
	st, err := d.in.exchange.Status(ctx, row.id)
	if err != nil {
		return row, "", err
	}
	d.addresses.Documents = append(d.addresses.Documents, demoDocument{st.Reference, st.Issuer})
	return row, fmt.Sprintf("%s: %d nơi nhận, %d bản", st.Reference, len(st.Lines), len(st.Dispatches)), nil
}

// proposed reads a document. No proposal comes back when it was issued before (the row has its id), or when it stays with the
// clerk (the row has the reason).
func (d *demo) proposed(ctx context.Context, desk *desk, in demoInput, row *demoRow) (*exchange.Proposal, error) {
	known, err := d.in.exchange.ByOriginal(ctx, in.data)
	if err != nil {
		return nil, err
	}
	if known != nil && known.State == exchange.Issued {
		row.id = known.ID
		return nil, nil
	}
	c, err := desk.propose(ctx, []uploaded{{in.name, in.data}}, said{})
	row.candidate = c
	if err != nil {
		if !row.left(err) {
			return nil, err
		}
		return nil, nil
	}
	p := c.p
	p.NotSecret = len(d.flags.pdf) > 0 // whoever names a file of his own here has answered; the guard has looked all the same
	if p.Secrecy != "" {
		row.reason = fmt.Sprintf("từ chối: văn bản %s, không lưu nội dung", p.Secrecy)
		return nil, d.in.exchange.RefuseSecret(ctx, desk.actor(p.Agency), p.Agency, p.Secrecy)
	}
	if err := errors.Join(c.apply(d.said, desk.actor(p.Agency)), p.Ready()); err != nil {
		if !row.left(err) {
			return nil, err
		}
		row.failed = d.said.names(p.Reference) // decisions that speak of a document are meant to let it go
		return nil, nil
	}
	return p, nil
}

// left notes why a document stays with the clerk; false for a fault of our own.
func (row *demoRow) left(err error) bool {
	var e *exchange.Error
	var p *intake.Problem
	var s *signing.InputError
	if !errors.As(err, &e) && !errors.As(err, &p) && !errors.As(err, &s) {
		return false
	}
	row.why = err
	text, hint := explain(err)
	row.reason = strings.TrimSpace("để lại cho văn thư: " + text + " " + hint)
	return true
}

// spool keeps a document that stays with the clerk, for "congvan issue --spool", and forgets one that was issued after all.
func (d *demo) spool(in demoInput, row *demoRow) error {
	files := []uploaded{{in.name, in.data}}
	spool := d.in.spool()
	if row.why == nil {
		if _, err := spool.note(spoolID(files)); err != nil {
			return nil // it never waited
		}
		return spool.drop(spoolID(files))
	}
	files[0].name = filepath.Base(in.name)
	e, err := spool.put(files, said{}, demoClerk)
	if err != nil {
		return err
	}
	res := &issueResult{}
	if row.candidate != nil && row.candidate.p != nil {
		res.take(row.candidate)
	}
	e.note.explain(res, row.why)
	d.waiting++
	return e.keep()
}
