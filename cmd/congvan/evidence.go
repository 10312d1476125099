package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
)

func evidenceCommand(s *streams) *cobra.Command {
	var data, issuer, unit, out string
	export := &cobra.Command{
		Use:   "export REFERENCE -o FILE.zip",
		Short: "Write all evidence of a document into one file, which congvan verify checks offline",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				doc, err := in.oneDocument(c.Context(), recipients.UnitCode(issuer), args[0])
				if err != nil {
					return err
				}
				return exportEvidence(c.Context(), s, in, doc, recipients.UnitCode(unit), out)
			})
		},
	}
	export.Flags().StringVar(&unit, "unit", "", "code of a recipient: only its copies")
	export.Flags().StringVarP(&out, "output", "o", "", "file to write (required)")
	export.MarkFlagRequired("output")
	for _, c := range []*cobra.Command{export} {
		dataFlag(c, &data, ".")
		c.Flags().StringVar(&issuer, "issuer", "", "code of the issuing agency, when several issued under this reference")
	}
	return parent("evidence", "What proves that a document was sent and received (chứng cứ)", export)
}

// oneDocument finds the one document with this reference.
func (in *installation) oneDocument(ctx context.Context, issuer recipients.UnitCode, reference string) (*exchange.Document, error) {
	docs, err := in.exchange.ListDocuments(ctx, issuer, reference)
	switch {
	case err != nil:
		return nil, err
	case len(docs) == 0:
		return nil, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeNoDocument, Detail: reference}
	case len(docs) > 1:
		return nil, &hintError{fmt.Errorf("%d văn bản có số, ký hiệu %s", len(docs), reference), "chỉ rõ cơ quan ban hành bằng --issuer MÃ"}
	}
	return &docs[0], nil
}

func exportEvidence(ctx context.Context, s *streams, in *installation, doc *exchange.Document, unit recipients.UnitCode, out string) error {
	opt := exchange.ExportOptions{Unit: unit, SealReport: in.sealReport}
	err := writeWhole(out, func(f *os.File) error { return in.exchange.Export(ctx, f, doc.ID, opt) })
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã ghi %s. Kiểm tra ở máy khác, không cần mạng:\n\n  congvan verify %s --roots root.pem --log-key %s\n\n", out, filepath.Base(out), logPublicFile)
	fmt.Fprintf(s.out, "Chứng thư gốc và khóa công khai của nhật ký (%s) giao cho người kiểm tra bằng đường khác.\n", in.cfg.path("keys", logPublicFile))
	return nil
}

// sealReport judges a sealed file at a time.
func (in *installation) sealReport(ctx context.Context, pdf []byte, at time.Time) (*signing.Report, error) {
	roots, err := in.keys.roots()
	if err != nil {
		return nil, err
	}
	return signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: roots, TSARoots: roots, At: at})
}

// writeWhole writes a file beside its place and moves it there when it is whole.
func writeWhole(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// maxEvidence bounds a bundle that is read.
const maxEvidence = 512 << 20

// readBundle returns a file's bytes when it is a bundle, nil otherwise.
func readBundle(path string) ([]byte, error) {
	if filepath.Ext(path) != ".zip" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxEvidence {
		return nil, &hintError{fmt.Errorf("%s: lớn hơn %d MB", path, maxEvidence>>20), "bộ chứng cứ không bao giờ lớn như vậy"}
	}
	return os.ReadFile(path)
}

// logKeys reads the public keys of the log, none where no file is named and the installation has none.
func logKeys(file, data string) (*exchange.LogKey, error) {
	public, err := os.ReadFile(cmp.Or(file, filepath.Join(data, "keys", logPublicFile)))
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		return &exchange.LogKey{}, nil
	}
	if err != nil {
		return nil, err
	}
	k, err := exchange.ParseLogKey("", string(public))
	if err != nil {
		return nil, &hintError{err, "a key is one line: NAME+HASH+KEY, as in keys/" + logPublicFile}
	}
	return k, nil
}

// verifyBundle prints what a bundle proves and reports whether all of it is valid.
func verifyBundle(ctx context.Context, s *streams, file string, data []byte, roots *x509.CertPool, key *exchange.LogKey, asJSON bool) bool {
	r := exchange.VerifyBundle(ctx, data, exchange.Trust{Roots: roots, LogKeys: key.Known})
	if asJSON {
		writeJSON(s.out, struct {
			File string `json:"file"`
			*exchange.BundleReport
		}{filepath.Base(file), r})
		return r.Status == signing.Valid
	}
	fmt.Fprintf(s.out, "%s: %s. %s\n", file, r.Status.Text(), r.Reason)
	if r.Reference != "" {
		fmt.Fprintf(s.out, "  Văn bản %s của %s\n", r.Reference, r.Issuer)
	}
	marks := map[signing.Answer]string{signing.Passed: "đạt", signing.Failed: "KHÔNG ĐẠT"}
	for _, c := range r.Checks {
		fmt.Fprintf(s.out, "  [%s] %s: %s\n", cmp.Or(marks[c.Answer], "chưa rõ"), c.Name, c.Reason)
	}
	for _, c := range r.Copies {
		fmt.Fprintf(s.out, "  Nơi nhận %s: %s, %s\n", c.Name, transportWords[c.Transport], cmp.Or(handlingWords[c.Handling], "chưa có phản hồi"))
	}
	fmt.Fprintln(s.out, "  Không chứng minh được:")
	for _, n := range r.NotProven {
		fmt.Fprintf(s.out, "    - %s\n", n)
	}
	return r.Status == signing.Valid
}
