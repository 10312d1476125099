package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/signing"
)

// verify judges a PDF once, however many copies of it there are.
func (d *demo) verify(ctx context.Context, pdf []byte) signing.Status {
	sum := sha256.Sum256(pdf)
	key := hex.EncodeToString(sum[:])
	if s, ok := d.verified[key]; ok {
		return s
	}
	status := signing.Invalid
	if r, err := signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: d.roots, TSARoots: d.roots}); err == nil {
		status = r.Overall()
	}
	d.verified[key] = status
	return status
}

// report prints the closing table and tells whether every document that could be issued arrived and verified.
func (d *demo) report(ctx context.Context) (bool, error) {
	ok := true
	t := tabwriter.NewWriter(d.s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "\nVăn bản\tNơi nhận\tĐơn vị\tBản\tĐã đến\tĐã mở\tTiếp nhận\tTừ chối\tĐể lại cho văn thư")
	var trouble []string
	for _, row := range d.rows {
		if row.id == 0 {
			fmt.Fprintf(t, "%s\t-\t-\t-\t-\t-\t-\t-\t%s\n", row.file, row.reason)
			ok = ok && !row.failed
			continue
		}
		st, err := d.in.exchange.Status(ctx, row.id)
		if err != nil {
			return false, err
		}
		bad, err := d.missing(ctx, st)
		if err != nil {
			return false, err
		}
		n := countCopies(st)
		arrived := 0
		for i := range st.Dispatches {
			if st.Dispatches[i].Transport == exchange.Delivered {
				arrived++
			}
		}
		units := map[string]bool{}
		for _, c := range st.Dispatches {
			units[c.Unit] = true
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", st.Reference, len(st.Lines), len(units), n.copies, arrived, n.opened, n.accepted, n.refused,
			strings.Join(append(decidedLines(st), bad...), "; "))
		trouble = append(trouble, bad...)
	}
	t.Flush()
	if d.waiting > 0 {
		d.sayf("\n%d văn bản nằm chờ văn thư: congvan spool list --data %s", d.waiting, d.flags.data)
	}
	if len(trouble) > 0 {
		ok = false
		sort.Strings(trouble)
		d.sayf("\nChưa đến nơi: %d bản.", len(trouble))
	}
	return ok, nil
}

// decidedLines says how many lines were open until the clerk's decisions settled them.
func decidedLines(st *exchange.Status) []string {
	n := 0
	for _, l := range st.Lines {
		if l.DecidedBy != "" {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d nơi nhận chưa rõ, văn thư đã quyết định", n)}
}

// missing lists the copies of a document that did not arrive with a valid signature. Copies in our mailboxes are read as
// they lie there, those outside from the files of the server that stands in for the world.
func (d *demo) missing(ctx context.Context, st *exchange.Status) ([]string, error) {
	var bad []string
	sealed, err := d.in.exchange.Bytes(st.Document.SealedPDF)
	if err != nil {
		return nil, err
	}
	if s := d.verify(ctx, sealed); s != signing.Valid {
		return []string{"chữ ký: " + s.Text()}, nil
	}
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		switch {
		case c.Dispatch.Way == exchange.ByOther:
			bad = append(bad, c.Name+": chưa có hộp thư")
		case c.Transport != exchange.Delivered:
			bad = append(bad, fmt.Sprintf("%s: %s, %s", c.Name, transportWords[c.Transport], lastWords(c)))
		case c.Dispatch.Way == exchange.ByMail && !d.cameOutside(c.Address, sealed):
			bad = append(bad, c.Name+": không thấy ở máy chủ bên ngoài")
		}
	}
	return bad, d.checkCopies(ctx, st, sealed, &bad)
}

// cameOutside looks for the sealed PDF among the files of the outside server.
func (d *demo) cameOutside(address string, sealed []byte) bool {
	files, _ := filepath.Glob(filepath.Join(d.flags.data, "outside", address, "*.eml"))
	return slices.ContainsFunc(files, func(f string) bool {
		raw, err := os.ReadFile(f)
		if err != nil {
			return false
		}
		got, _, _, err := openDocument(raw)
		return err == nil && bytes.Equal(got.pdf, sealed)
	})
}

// checkCopies reads the stored mail of every copy in a mailbox of ours and compares the PDF in it with the sealed one.
func (d *demo) checkCopies(ctx context.Context, st *exchange.Status, sealed []byte, bad *[]string) error {
	bodies := map[string]bool{} // digest of a mail's body: does it hold the sealed PDF
	for i := range st.Dispatches {
		c := &st.Dispatches[i]
		if c.Dispatch.Way != exchange.ByMailbox {
			continue
		}
		copies, err := d.in.mail.CopiesOf(ctx, fmt.Sprintf("dispatch:%d", c.Dispatch.ID))
		if err != nil {
			return err
		}
		if len(copies) != 1 {
			*bad = append(*bad, fmt.Sprintf("%s: %d bản trong hộp thư", c.Name, len(copies)))
			continue
		}
		digest := string(copies[0].Digest)
		if _, ok := bodies[digest]; !ok {
			bodies[digest] = d.holds(copies[0], sealed)
		}
		if !bodies[digest] {
			*bad = append(*bad, c.Name+": tệp trong hộp thư khác tệp đã ký")
		}
	}
	return nil
}

func (d *demo) holds(c mailcore.Stored, sealed []byte) bool {
	f, err := d.in.mail.Blobs().Open(c.Digest)
	if err != nil {
		return false
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return false
	}
	got, _, _, err := openDocument(raw)
	return err == nil && bytes.Equal(got.pdf, sealed)
}
