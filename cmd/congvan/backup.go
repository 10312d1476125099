package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"congvan/exchange/paper"
	"congvan/mailcore/blob"

	"github.com/spf13/cobra"
)

const backupLong = `Sao lưu cả hệ thống vào một thư mục, trong khi hệ thống vẫn chạy: cơ sở dữ liệu tại một thời điểm, mọi thư và văn bản, khóa, chứng thư và
cấu hình. Lần sau chỉ chép thêm những gì mới. Thư mục sao lưu chứa khóa ký: hãy để trên ổ đĩa khác và chỉ người quản trị đọc được.

Không sao lưu: văn bản đang chờ văn thư (spool), vì có thể là văn bản mật; nhật ký ở đường dẫn thứ hai (journal), vì nó phải mới hơn bản sao lưu.
Sao lưu hằng đêm, giữ 30 bản, bằng cron:  15 1 * * * congvan backup /backup/congvan --keep 30 --data /srv/congvan`

func backupCommand(s *streams) *cobra.Command {
	var data string
	var keep int
	var list, verify, asJSON bool
	c := &cobra.Command{Use: "backup THƯ-MỤC", Args: cobra.ExactArgs(1), Short: "Sao lưu cả hệ thống trong khi nó đang chạy; kiểm tra, liệt kê các bản sao lưu", Long: backupLong,
		Example: "  congvan backup /backup/congvan --keep 30\n  congvan backup /backup/congvan --list\n  congvan backup /backup/congvan --verify",
		RunE: func(c *cobra.Command, args []string) error {
			if keep < 0 || list && verify {
				return &usageError{errors.New("--keep phải là số dương; --list và --verify không đi cùng nhau"), "congvan backup --help"}
			}
			b := &backupFolder{dir: args[0], s: s}
			switch {
			case list:
				return b.list(asJSON)
			case verify:
				return b.verify(c.Context())
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				m, err := b.add(c.Context(), in)
				if err != nil {
					return err
				}
				if keep > 0 {
					if err := b.prune(c.Context(), keep); err != nil {
						return err
					}
				}
				if asJSON {
					return writeJSON(s.out, m)
				}
				fmt.Fprintf(s.out, "Đã sao lưu vào %s: %s thư và văn bản (%s), cơ sở dữ liệu %s.\n", filepath.Join(b.dir, m.Name), paper.Thousands(m.Blobs), sizeText(m.Bytes), sizeText(m.database().Size))
				return b.tellOmitted(in)
			})
		}}
	dataFlag(c, &data, ".")
	c.Flags().IntVar(&keep, "keep", 0, "sau đó chỉ giữ chừng này bản mới nhất; 0: giữ tất cả")
	c.Flags().BoolVar(&list, "list", false, "liệt kê các bản sao lưu")
	c.Flags().BoolVar(&verify, "verify", false, "đọc lại tất cả và đối chiếu mã SHA-256")
	c.Flags().BoolVar(&asJSON, "json", false, "in cho phần mềm")
	return c
}

// tellOmitted says what a restore will lack.
func (b *backupFolder) tellOmitted(in *installation) error {
	_, outside, err := in.cfg.ownFiles()
	for _, name := range outside {
		fmt.Fprintf(b.s.err, "Chú ý: %s nằm ngoài thư mục của hệ thống, không được sao lưu.\n", name)
	}
	waiting, spoolErr := in.spool().list()
	if n := len(waiting); n > 0 {
		fmt.Fprintf(b.s.err, "Chú ý: %d văn bản đang chờ văn thư không nằm trong bản sao lưu (congvan spool).\n", n)
	}
	if in.journal == nil {
		fmt.Fprintln(b.s.err, "Chú ý: chưa có nhật ký ở đường dẫn thứ hai (journal trong congvan.toml): khi khôi phục, mỗi sổ sẽ chờ văn thư cho biết số cuối cùng.")
	}
	return errors.Join(err, spoolErr)
}

func (b *backupFolder) list(asJSON bool) error {
	sets, err := b.sets()
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(b.s.out, sets)
	}
	if len(sets) == 0 {
		fmt.Fprintf(b.s.out, "Chưa có bản sao lưu nào trong %s.\n", b.dir)
	}
	for _, m := range sets {
		fmt.Fprintf(b.s.out, "%s  %s  %s thư và văn bản, %s\n", m.Name, m.Domain, paper.Thousands(m.Blobs), sizeText(m.Bytes))
	}
	return nil
}

// verify reads every set and every blob back.
func (b *backupFolder) verify(ctx context.Context) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	sets, err := b.sets()
	if err != nil {
		return err
	}
	store, err := blob.OpenDir(filepath.Join(b.dir, backupBlobs))
	if err != nil {
		return err
	}
	bad, seen := 0, map[blob.Digest]bool{}
	tell := b.teller("Đang đọc lại: %s thư và văn bản, %s…")
	var total int64
	for _, m := range sets {
		err := b.checkSet(m)
		if err == nil {
			err = b.eachBlob(m, func(i blob.Info) error {
				if seen[i.Digest] || ctx.Err() != nil {
					return ctx.Err()
				}
				seen[i.Digest] = true
				total += i.Size
				tell(len(seen), total)
				if err := checkBlob(store, i); err != nil {
					bad++
					fmt.Fprintf(b.s.err, "%s: %v\n", m.Name, err)
				}
				return nil
			})
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			bad++
			fmt.Fprintf(b.s.err, "%s: %v\n", m.Name, err)
		}
	}
	tell(-1, 0)
	if bad > 0 {
		return &hintError{fmt.Errorf("bản sao lưu hỏng: %d lỗi", bad), "sao lưu lại vào một thư mục mới, trên ổ đĩa khác"}
	}
	fmt.Fprintf(b.s.out, "%d bản sao lưu, %s thư và văn bản (%s): đều đúng.\n", len(sets), paper.Thousands(len(seen)), sizeText(total))
	return nil
}

// teller shows progress on a terminal, some ten times a second; a negative count ends it.
func (b *backupFolder) teller(text string) func(int, int64) {
	if !isTerminal(b.s.err) {
		return func(int, int64) {}
	}
	var last time.Time
	return func(n int, bytes int64) {
		if n < 0 {
			fmt.Fprint(b.s.err, clearLine)
			return
		}
		if now := time.Now(); now.Sub(last) > 100*time.Millisecond {
			last = now
			fmt.Fprintf(b.s.err, clearLine+text, paper.Thousands(n), sizeText(bytes))
		}
	}
}
