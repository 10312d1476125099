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
	"strings"
	"time"
	"unicode"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
)

// An evidenceOrder is what one command line asks for.
type evidenceOrder struct {
	data, issuer, unit, out, sealAs string
	bare                            bool
}

func evidenceCommand(s *streams) *cobra.Command {
	o := &evidenceOrder{}
	confirmation := &cobra.Command{
		Use:     "confirmation VĂN-BẢN…",
		Aliases: []string{"certificate"},
		Short:   "Lập giấy xác nhận gửi, nhận văn bản điện tử: tệp PDF có ký số, để đọc, in và nộp",
		Long: `Lập giấy xác nhận gửi, nhận văn bản điện tử: văn bản nào, gửi cho ai, lúc nào, đến lúc nào và căn cứ vào đâu, ai tiếp nhận.

VĂN-BẢN là số, ký hiệu (22/2009/QĐ-UBND), hoặc một bản gửi: số của bản gửi, hay địa chỉ trả lời ghi trong thư
(traloi+…@…); khi đó giấy chỉ nói về bản gửi ấy.`,
		Example: "  congvan evidence confirmation 22/2009/QĐ-UBND\n  congvan evidence confirmation 22/2009/QĐ-UBND --unit stc -o stc.pdf",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.each(c.Context(), s, args, "xac-nhan-", ".pdf", o.confirm)
		},
	}
	export := &cobra.Command{
		Use:   "export VĂN-BẢN…",
		Short: "Ghi bộ chứng cứ của văn bản vào một tệp ZIP mà congvan verify kiểm tra được ở máy khác, không cần mạng",
		Long: `Ghi bộ chứng cứ của văn bản vào một tệp ZIP: các tệp đã gửi, mọi sự kiện kèm chứng minh nằm trong nhật ký, điểm chốt đã ký số,
lời trao đổi giữa các máy chủ thư, thư trả lời, giấy xác nhận. VĂN-BẢN như ở lệnh confirmation.`,
		Example: "  congvan evidence export 22/2009/QĐ-UBND -o chung-cu.zip\n  congvan verify chung-cu.zip --roots root.pem --log-key log.pub",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.each(c.Context(), s, args, "chung-cu-", ".zip", o.export)
		},
	}
	export.Flags().BoolVar(&o.bare, "no-confirmation", false, "không kèm giấy xác nhận (khi không có khóa ký số của cơ quan trên máy này)")
	for _, c := range []*cobra.Command{confirmation, export} {
		c.Flags().StringVar(&o.data, "data", ".", "thư mục của hệ thống")
		c.Flags().StringVar(&o.issuer, "issuer", "", "mã cơ quan ban hành, khi nhiều cơ quan có văn bản cùng số, ký hiệu")
		c.Flags().StringVar(&o.unit, "unit", "", "mã đơn vị nhận: chỉ các bản gửi đến đơn vị này")
		c.Flags().StringVarP(&o.out, "output", "o", "", "tệp sẽ ghi, hoặc thư mục có sẵn; mặc định đặt tên theo số, ký hiệu")
		c.Flags().StringVar(&o.sealAs, "seal-as", "", "mã cơ quan ký số giấy xác nhận; mặc định theo cấu hình, rồi cơ quan ban hành")
	}
	return parent("evidence", "Chứng cứ gửi, nhận văn bản: giấy xác nhận và bộ chứng cứ kiểm tra được", confirmation, export)
}

// A subject is what evidence is wanted about.
type subject struct {
	doc  *exchange.Document
	copy exchange.DispatchID // 0 for all copies
}

// each writes one file for each thing named.
func (o *evidenceOrder) each(ctx context.Context, s *streams, args []string, head, tail string,
	write func(context.Context, *streams, *installation, subject, string) error) error {
	return withInstallation(ctx, s, o.data, func(in *installation) error {
		folder := ""
		if info, err := os.Stat(o.out); err == nil && info.IsDir() {
			folder = o.out
		} else if len(args) > 1 && o.out != "" {
			return &hintError{fmt.Errorf("-o %s: có %d văn bản, cần một thư mục có sẵn", o.out, len(args)), "tạo thư mục đó trước, hoặc bỏ -o"}
		}
		for _, arg := range args {
			about, err := in.subject(ctx, recipients.UnitCode(o.issuer), arg)
			if err != nil {
				return err
			}
			file := o.out
			if folder != "" || file == "" {
				file = filepath.Join(folder, head+fileSafe(about)+tail)
			}
			if err := write(ctx, s, in, about, file); err != nil {
				return err
			}
		}
		return nil
	})
}

// fileSafe names a document or a copy so that every file system takes it.
func fileSafe(a subject) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' {
			return r
		}
		return '-'
	}, a.doc.Reference)
	if a.copy != 0 {
		name += fmt.Sprintf("-ban-%d", a.copy)
	}
	return name
}

// subject finds what is named: a document by its reference, or a copy by its number or by the address that its mail names
// for replies.
func (in *installation) subject(ctx context.Context, issuer recipients.UnitCode, name string) (subject, error) {
	doc, err := in.oneDocument(ctx, issuer, name)
	if !exchange.IsCode(err, exchange.CodeNoDocument) {
		return subject{doc, 0}, err
	}
	id, e := in.exchange.CopyNamed(ctx, name)
	if e != nil {
		if exchange.IsCode(e, exchange.CodeNoDispatch) {
			return subject{}, err
		}
		return subject{}, e
	}
	doc, err = in.exchange.Document(ctx, id.Document())
	return subject{doc, id}, err
}

func (o *evidenceOrder) options(in *installation, about subject) exchange.ExportOptions {
	return exchange.ExportOptions{Unit: recipients.UnitCode(o.unit), Copy: about.copy, Confirm: !o.bare, SealReport: in.sealReport,
		SealAs: recipients.UnitCode(cmp.Or(o.sealAs, in.cfg.Evidence.SealAs))}
}

func (o *evidenceOrder) confirm(ctx context.Context, s *streams, in *installation, about subject, file string) error {
	var done *exchange.Exported
	err := writeWhole(file, func(f *os.File) (err error) {
		done, err = in.exchange.Confirm(ctx, f, about.doc.ID, o.options(in, about))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã ghi %s: giấy xác nhận %d bản gửi của văn bản %s, theo điểm chốt %d%s.\n", file, done.Copies, about.doc.Reference, done.Checkpoint.Size,
		stampWords(done))
	return nil
}

func (o *evidenceOrder) export(ctx context.Context, s *streams, in *installation, about subject, file string) error {
	var done *exchange.Exported
	err := writeWhole(file, func(f *os.File) (err error) {
		done, err = in.exchange.Export(ctx, f, about.doc.ID, o.options(in, about))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã ghi %s: bộ chứng cứ %d bản gửi, %d sự kiện của văn bản %s, theo điểm chốt %d%s.\n", file, done.Copies, done.Events,
		about.doc.Reference, done.Checkpoint.Size, stampWords(done))
	fmt.Fprintf(s.out, "Kiểm tra ở máy khác, không cần mạng:\n\n  congvan verify %s --roots root.pem --log-key %s\n\n", filepath.Base(file), logPublicFile)
	fmt.Fprintf(s.out, "Chứng thư gốc và khóa công khai của nhật ký (%s) giao cho người kiểm tra bằng đường khác.\n", in.cfg.path("keys", logPublicFile))
	return nil
}

func stampWords(done *exchange.Exported) string {
	if done.Checkpoint.Stamp == nil {
		return " (chưa có dấu thời gian của bên thứ ba)"
	}
	return ", có dấu thời gian"
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

// sealReport judges a sealed file at a time.
func (in *installation) sealReport(ctx context.Context, pdf []byte, at time.Time) (*signing.Report, error) {
	roots, err := in.keys.roots()
	if err != nil {
		return nil, err
	}
	stamps, err := in.keys.stampRoots()
	if err != nil {
		return nil, err
	}
	return signing.Verify(ctx, pdf, signing.VerifyOptions{Roots: roots, TSARoots: stamps, At: at})
}

// writeWhole writes a file beside its place and moves it there when it is whole.
func writeWhole(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return &hintError{fmt.Errorf("không ghi được %s: %w", path, err), "kiểm tra thư mục có sẵn và được quyền ghi"}
	}
	defer os.Remove(f.Name())
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return &hintError{fmt.Errorf("không ghi được %s: %w", path, err), "chọn tên tệp khác bằng -o"}
	}
	return nil
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

// tsaRoots reads the roots that time stamps are judged by beside those of seals: nil where there are none.
func tsaRoots(file, data string) (*x509.CertPool, error) {
	roots, err := signing.LoadRoots(cmp.Or(file, filepath.Join(data, "keys", "tsa-root.pem")))
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		return nil, nil
	}
	return roots, err
}

// verifyBundle prints what a bundle proves and reports whether all of it is valid.
func verifyBundle(ctx context.Context, s *streams, file string, data []byte, trust exchange.Trust, asJSON bool) bool {
	r := exchange.VerifyBundle(ctx, data, trust)
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
