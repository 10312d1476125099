package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
	"congvan/mailcore/viettext"
	"congvan/recipients"
)

// A candidate is an upload on its way to be issued: what was read of it, and what the clerk has yet to decide.
type candidate struct {
	r        *reading
	p        *exchange.Proposal
	decided  []decidedDocument // what the decisions file says of it
	warnings []string          // Vietnamese: doubtful, but nothing that has to be decided
	annexes  []intake.Annex    // in the main file itself, after the signature
	lessons  []lesson
	learnt   []string
}

// propose reads the files of one document and compares the page with what was typed, written or reserved. A candidate comes
// back with an error where there is something to show of it.
func (d *desk) propose(ctx context.Context, files []uploaded, typed said) (*candidate, error) {
	name := clerkName(files[0].name)
	done := d.busy("Đang đọc " + name)
	defer done()
	reader, err := d.in.intake(ctx)
	if err != nil {
		return nil, err
	}
	r, err := readDocument(ctx, reader, d.in.units.Directory, name, files[0].data, "")
	if err != nil {
		return nil, err
	}
	c := &candidate{r: r, warnings: slices.Clone(r.draft.Warnings)}
	c.decided = d.said.about(name, r.draft.Heading.Reference, typed.Reference)
	if p := r.draft.Problem(intake.NeedsManual); p != nil && !slices.ContainsFunc(c.decided, func(doc decidedDocument) bool { return doc.typed() }) {
		return nil, p
	}
	if !d.said.empty() && len(c.decided) == 0 && r.draft.Secrecy == "" {
		c.warnings = append(c.warnings, fmt.Sprintf("Tệp quyết định không nói gì về văn bản này: không có mục nào ghi reference = %q hoặc file = %q.", r.draft.Heading.Reference, name))
	}
	for i := range c.decided {
		typed = typed.over(c.decided[i].said())
	}
	if err := c.settleIssuer(ctx, d.in.units, typed); err != nil {
		return nil, err
	}
	c.p = r.proposal()
	c.p.FileName = name
	if c.p.Secrecy != "" {
		return c, nil // nothing more of it is looked at
	}
	if err := c.compare(ctx, d.in.exchange, typed); err != nil {
		return c, err
	}
	if err := c.setMeeting(typed); err != nil {
		return c, err
	}
	if err := c.pack(ctx, reader, files); err != nil || c.p.Secrecy != "" {
		return c, err
	}
	return c, d.in.exchange.CheckFiles(ctx, c.p, files[0].data)
}

// settleIssuer joins the page's issuing agency with the one that was typed. A page that names another unit of the directory is
// never sealed by the one that was typed.
func (c *candidate) settleIssuer(ctx context.Context, units *recipients.Store, typed said) error {
	h := c.r.draft.Heading
	if h.Date == "" && typed.Date != "" {
		dir, err := units.Directory(ctx, typed.Date)
		if err != nil {
			return err
		}
		c.r.dir, c.r.issuer = dir, dir.Issuer(h.Issuer)
	}
	if typed.Issuer != "" {
		code := recipients.UnitCode(strings.ToLower(typed.Issuer))
		u, ok := c.r.dir.Unit(code)
		if !ok {
			if u, ok = c.r.dir.Unit(c.r.dir.Issuer(typed.Issuer)); !ok {
				return &exchange.Error{Class: exchange.Invalid, Code: exchange.CodeUnknownUnit, Detail: typed.Issuer}
			}
		}
		if c.r.issuer != "" && c.r.issuer != u.Code {
			return &exchange.Error{Class: exchange.Conflict, Code: exchange.CodeIssuerDiffers,
				Detail: fmt.Sprintf("%s%s, không phải %s [%s]", h.Issuer, whereOnPage(c.r.draft.Places[intake.FieldIssuer]), u.Name, u.Code)}
		}
		c.r.issuer = u.Code
	}
	req := c.r.draft.Request(c.r.issuer)
	if req.Date == "" {
		req.Date = typed.Date
	}
	c.r.resolved = c.r.dir.Resolve(req)
	return nil
}

// compare holds what was typed, or told when the number was taken, against the page (tương ứng nội dung, QĐ 22/2009 Điều 10).
// Where they differ, the register gets what was typed, once a person has confirmed it.
func (c *candidate) compare(ctx context.Context, store *exchange.Store, typed said) error {
	p, draft := c.p, c.r.draft
	if typed.Abstract == "" {
		reference, date := orElse(typed.Reference, p.Reference), orElse(typed.Date, p.IssuedOn)
		if year, err := strconv.Atoi(date[:min(4, len(date))]); err == nil && p.Agency != "" {
			if typed.Abstract, err = store.ReservedAbstract(ctx, p.Agency, year, reference); err != nil {
				return err
			}
		}
	}
	what := intake.Said{Reference: typed.Reference, Date: typed.Date, Abstract: typed.Abstract, Type: typed.Kind, Signer: typed.Signer,
		Secrecy: draft.Secrecy, Urgency: orElse(typed.Urgency, draft.Urgency)}
	if u, ok := c.r.dir.Unit(p.Agency); ok && typed.Issuer != "" && c.r.dir.Issuer(draft.Heading.Issuer) != p.Agency {
		what.Issuer = u.Name
	}
	for _, found := range intake.Alarms(intake.Compare(draft, what)) {
		c.differ(found)
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// differ takes one difference in: a real one waits for the clerk, a doubt of reading is told. The register gets what was typed.
func (c *candidate) differ(found intake.Difference) {
	where := whereOnPage(found.Places)
	message := strings.TrimSuffix(found.Message, ".") + where + "."
	if found.Gravity == intake.GraveDoubt {
		c.warnings = append(c.warnings, message)
	} else {
		c.p.Differences = append(c.p.Differences, exchange.Difference{Field: string(found.Field), Said: found.Said, Found: found.Found,
			Place: strings.Trim(where, " ()"), Message: message})
	}
	p := c.p
	switch found.Field {
	case intake.FieldNumber:
		p.Reference = found.Said
		h := intake.ParseHeading("Số: " + found.Said)
		if p.Number, p.Symbol = h.Number, h.Symbol; p.Number == "" {
			p.Number, p.Symbol, _ = strings.Cut(found.Said, "/")
		}
	case intake.FieldDate:
		p.IssuedOn = found.Said
	case intake.FieldSubject:
		p.Abstract = found.Said
	case intake.FieldType:
		p.Kind = found.Said
	case intake.FieldSigner:
		p.Signer = found.Said
	case intake.FieldUrgency:
		p.Urgency = found.Said
		if k := viettext.Fold(p.Urgency); k == "khong" || k == "thuong" {
			p.Urgency = ""
		}
	}
}

// whereOnPage tells a person where to look: " (trang 1, phần trên, bên phải)"; "" for nowhere. Places are in points, and pages
// of documents are A4 (NĐ 30/2020 Phụ lục I).
func whereOnPage(places []intake.Place) string {
	if len(places) == 0 {
		return ""
	}
	at := places[0]
	height, middle := (at.Y0+at.Y1)/2/842, (at.X0+at.X1)/2/595
	row, column := "giữa trang", "ở giữa"
	switch {
	case height < 0.36:
		row = "phần trên"
	case height > 0.64:
		row = "phần dưới"
	}
	switch {
	case middle < 0.4:
		column = "bên trái"
	case middle > 0.6:
		column = "bên phải"
	}
	return fmt.Sprintf(" (trang %d, %s, %s)", at.Page, row, column)
}

// apply settles what the decisions file says of the candidate.
func (c *candidate) apply(all *decisions, by exchange.Actor) error {
	for i := range c.decided {
		doc := &c.decided[i]
		if err := doc.apply(all.path, c.r.dir, by, c.p); err != nil {
			return err
		}
		c.lessons = append(c.lessons, doc.lessons()...)
	}
	return nil
}

// pack looks at every file of the package by its content, and has the guard look through them.
func (c *candidate) pack(ctx context.Context, reader *intake.Reader, files []uploaded) error {
	guarding, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	g := &guard{reader: reader}
	defer func() {
		c.p.Suspects, c.warnings = append(c.p.Suspects, g.suspects...), append(c.warnings, g.warnings...)
	}()
	for i, f := range files {
		info, err := reader.Inspect(ctx, clerkName(f.name), f.data)
		if err != nil {
			return fmt.Errorf("%s: %w", clerkName(f.name), err)
		}
		file := &exchange.File{Info: info, Data: f.data, Given: filepath.Base(f.name)}
		if i == 0 {
			c.p.Main = file
			if err := c.findAnnexes(ctx, reader, f.data); err != nil {
				return err
			}
			continue
		}
		c.p.Annexes = append(c.p.Annexes, file)
		if err := g.file(guarding, info, info.Name, f.data, 0); err != nil {
			return err
		}
		if g.secrecy != "" {
			c.p.Secrecy = g.secrecy
			return nil
		}
	}
	return nil
}

// findAnnexes lists the annexes that lie in the same file as the document. Pages that cannot be read are a doubt, no more: the
// guard has its own list of them.
func (c *candidate) findAnnexes(ctx context.Context, reader *intake.Reader, data []byte) (err error) {
	var p *intake.Problem
	if c.annexes, err = reader.Annexes(ctx, c.r.draft, data); errors.As(err, &p) {
		c.warnings = append(c.warnings, p.Message)
		return nil
	}
	return err
}

// A foundAnnex is an annex inside the main file, in JSON.
type foundAnnex struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Page     int    `json:"page"`
	LastPage int    `json:"last_page"`
}

func (c *candidate) foundAnnexes() (out []foundAnnex) {
	for _, a := range c.annexes {
		one := foundAnnex{a.Name(), a.Title, a.Page, a.LastPage}
		if one.Name == one.Title {
			one.Title = ""
		}
		out = append(out, one)
	}
	return out
}

// A packageFile is one file of a package in JSON.
type packageFile struct {
	*intake.Item
	MediaType  string `json:"media_type"`
	Unsealable string `json:"unsealable,omitempty"`
	Accepted   bool   `json:"accepted,omitempty"`
}

func packageOf(p *exchange.Proposal) (out []packageFile) {
	files := p.Annexes
	if p.Main != nil {
		files = append([]*exchange.File{p.Main}, files...)
	}
	for _, f := range files {
		out = append(out, packageFile{f.Info, exchange.MediaType(f.Info.Format), f.Unsealable, f.Accepted})
	}
	return out
}

// old says whether an entry has waited for so long that people are told.
func (n *spoolNote) old(now time.Time) bool { return now.Sub(n.At) > spoolDays*24*time.Hour }

// spoolDays is after how many days a waiting document is told at every issue: a paper that was stamped has to go out the same
// day or the next (NĐ 30/2020 Điều 18.1).
const spoolDays = 3
