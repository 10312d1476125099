package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/exchange/intake"
)

// A guard looks for marks of secrecy in the annexes of a document (QĐ 22/2009 Điều 10). What it cannot read is for a person
// to look at.
type guard struct {
	reader   *intake.Reader
	secrecy  string   // a mark that counts by its place and form
	suspects []string // Vietnamese: what a person has to look at
	warnings []string
	files    int
	bytes    int64
}

// Bounds of what is guarded in a package, and unpacked of its ZIPs. What is beyond them a person has to look at.
const (
	guardTime  = 10 * time.Minute
	guardFiles = 200
	guardBytes = 128 << 20
	guardDepth = 2
)

// foundDocument marks an annex that looks like a document of its own: given together by mistake, it would reach the
// recipients of another one.
const foundDocument intake.FindingCode = "document"

func (g *guard) doubt(name, format string, args ...any) {
	g.suspects = append(g.suspects, fmt.Sprintf("«%s»: ", name)+fmt.Sprintf(format, args...))
}

// file guards one file. info is what Inspect told of it; findings of an annex itself are added there.
func (g *guard) file(ctx context.Context, info *intake.Item, name string, data []byte, depth int) error {
	format := info.Format
	switch format {
	case intake.FormatPDF:
		return g.pdf(ctx, info, name, data, depth)
	case intake.FormatZIP:
		return g.zip(ctx, name, data, depth)
	case intake.FormatDOCM:
		format = intake.FormatDOCX
	case intake.FormatXLSM:
		format = intake.FormatXLSX
	case intake.FormatPPTM:
		format = intake.FormatPPTX
	}
	switch found, known := exchange.GuardOffice(format, data); {
	case found != "":
		g.doubt(name, "có chỗ chỉ ghi «%s», có thể là dấu mật.", found)
	case !known:
		g.doubt(name, "máy không tìm được dấu mật trong tệp loại này.")
	}
	return nil
}

func (g *guard) pdf(ctx context.Context, info *intake.Item, name string, data []byte, depth int) error {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		g.doubt(name, "máy chưa kịp đọc tệp này.")
		return nil
	}
	draft, err := g.reader.Read(ctx, name, data)
	var p *intake.Problem
	if errors.As(err, &p) {
		g.doubt(name, "%s", p.Message)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case draft.Secrecy != "":
		g.secrecy = draft.Secrecy
		return nil
	case len(draft.Unread) > 0:
		g.doubt(name, "chưa đọc được trang %s.", exchange.Ranges(draft.Unread))
	case draft.Problem(intake.MaybeSecret) != nil:
		g.doubt(name, "có thể có dấu mật.")
	}
	if depth == 0 && draft.Heading.Reference != "" && len(draft.NoiNhan) > 0 {
		info.Findings = append(info.Findings, intake.Finding{Code: foundDocument, Danger: true, Message: fmt.Sprintf(
			"Tệp này là một văn bản riêng, số %s, có nơi nhận riêng. Nếu phải phát hành riêng, hãy bỏ tệp này ra.", draft.Heading.Reference)})
	}
	if depth == 0 && draft.Scan && ctx.Err() == nil {
		report, err := g.reader.CheckScan(ctx, data)
		if err != nil && !errors.As(err, &p) {
			return err
		}
		if err == nil {
			for _, w := range report.Warnings {
				g.warnings = append(g.warnings, fmt.Sprintf("«%s»: %s %s", name, w.Message, w.Hint))
			}
		}
	}
	return nil
}

// zip guards every file of a package; what Inspect found dangerous in it is told apart.
func (g *guard) zip(ctx context.Context, name string, data []byte, depth int) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || depth >= guardDepth {
		g.doubt(name, "máy không xem được các tệp bên trong.")
		return nil
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		inner := name + "!" + clerkText(f.Name)
		if g.files++; g.files > guardFiles {
			g.doubt(name, "có quá nhiều tệp, máy chỉ xem %d tệp đầu.", guardFiles)
			return nil
		}
		part, ok := g.unpack(f)
		if !ok {
			g.doubt(inner, "máy không xem được tệp này.")
			continue
		}
		if len(part) == 0 {
			continue
		}
		info, err := intake.Inspect(f.Name, part)
		if err != nil {
			g.doubt(inner, "máy không xem được tệp này.")
			continue
		}
		if err := g.file(ctx, info, inner, part, depth+1); err != nil || g.secrecy != "" {
			return err
		}
	}
	return nil
}

func (g *guard) unpack(f *zip.File) ([]byte, bool) {
	r, err := f.Open()
	if err != nil {
		return nil, false
	}
	defer r.Close()
	left := guardBytes - g.bytes
	data, err := io.ReadAll(io.LimitReader(r, left+1))
	g.bytes += int64(len(data))
	return data, err == nil && int64(len(data)) <= left
}
