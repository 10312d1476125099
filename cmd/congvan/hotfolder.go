package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"congvan/exchange/intake"
	"congvan/mailcore"
	"congvan/recipients"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// A hotFolder is a folder that a scanner writes to, one file for each document of one unit. A file is taken when it is complete:
// its size and time have not changed for a while and a PDF's end stands at its end. It moves into the spool (durable there first,
// then overwritten and removed here), and goes on as a paper that the unit had mailed to phathanh@. What is no PDF, or stays
// half, is told once and stays where it is.
type hotFolder struct {
	desk *mailDesk
	dir  string
	unit recipients.UnitCode
	seen map[string]sighting
}

// A sighting is how a file looked, and since when it has looked so.
type sighting struct {
	size  int64
	mod   time.Time
	since time.Time
}

const (
	hotEvery   = 2 * time.Second
	hotSettle  = 6 * time.Second // without a change: scanners write page by page
	hotHalf    = 2 * time.Minute // after which a file without an end is told
	hotMost    = 500             // files that are looked at in one pass
	hotBadName = "Khong-phat-hanh-duoc"
)

func newHotFolder(desk *mailDesk, dir string, unit recipients.UnitCode) *hotFolder {
	return &hotFolder{desk: desk, dir: dir, unit: unit, seen: map[string]sighting{}}
}

// run looks again and again until ctx ends.
func (h *hotFolder) run(ctx context.Context) error {
	tick := time.NewTicker(hotEvery)
	defer tick.Stop()
	broken := ""
	for {
		err := h.look(ctx, time.Now())
		if err != nil && ctx.Err() == nil && err.Error() != broken { // said once, not every two seconds
			h.desk.log.Error("hot folder", "folder", h.dir, "unit", h.unit, "err", err)
			broken = err.Error()
		} else if err == nil {
			broken = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look takes every complete file; one that cannot be taken does not keep the others.
func (h *hotFolder) look(ctx context.Context, now time.Time) error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range entries[:min(len(entries), hotMost)] {
		if passing(e.Name()) || e.IsDir() || ctx.Err() != nil {
			continue
		}
		there[e.Name()] = true
		info, statErr := e.Info()
		if errors.Is(statErr, fs.ErrNotExist) || statErr == nil && !info.Mode().IsRegular() {
			continue
		}
		if statErr == nil {
			statErr = h.one(ctx, filepath.Join(h.dir, e.Name()), info, now)
		}
		err = errors.Join(err, statErr)
	}
	for name := range h.seen {
		if !there[name] {
			delete(h.seen, name)
		}
	}
	return err
}

// passing are names of files that somebody is still writing, or that are none of ours.
func passing(name string) bool {
	lower := strings.ToLower(name)
	for _, end := range []string{".part", ".tmp", ".temp", ".crdownload", ".filepart", ".lock", ".ini", ".db"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")
}

// one decides about one file.
func (h *hotFolder) one(ctx context.Context, path string, info fs.FileInfo, now time.Time) error {
	name := filepath.Base(path)
	was, known := h.seen[name]
	if !known || was.size != info.Size() || !was.mod.Equal(info.ModTime()) {
		h.seen[name] = sighting{info.Size(), info.ModTime(), now}
		return nil
	}
	quiet := now.Sub(was.since)
	if quiet < hotSettle {
		return nil
	}
	data, err := readWhole(path, info)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errChanging):
		return nil
	case err != nil:
		return h.bad(ctx, path, info, err)
	}
	if pdf := bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")); pdf && !bytes.Contains(data[max(0, len(data)-2048):], []byte("%%EOF")) || len(data) == 0 {
		if quiet < hotHalf {
			return nil // the scanner may pause between pages
		}
		return h.bad(ctx, path, info, &hintError{errors.New("tệp chưa được ghi hết: thiếu phần cuối"), "Quét lại, hoặc kiểm tra đĩa và đường mạng của máy quét."})
	}
	reader, err := h.desk.in.intake(ctx)
	if err != nil {
		return err
	}
	item, err := reader.Inspect(ctx, clerkName(name), data)
	if err == nil && item.Format != intake.FormatPDF {
		err = &hintError{fmt.Errorf("tệp không phải là PDF (%s)", formatWord(item.Format)), "Đặt máy quét ghi ra PDF, mỗi văn bản một tệp."}
	}
	if err != nil {
		return h.bad(ctx, path, info, err)
	}
	return h.take(path, info, data)
}

var errChanging = errors.New("the file changes")

// readWhole reads a file that must not change meanwhile.
func readWhole(path string, info fs.FileInfo) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxUpload {
		return nil, &hintError{errors.New("tệp lớn hơn 100 MB"), "Quét lại ở 200-300 dpi, hoặc tách phụ lục ra tệp riêng."}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxUpload+1))
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(now, info) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) || int64(len(data)) != now.Size() {
		return nil, errChanging
	}
	return data, nil
}

// take moves a file into the spool. A process that dies before the file is gone finds it again, and the spool knows the bytes.
func (h *hotFolder) take(path string, info fs.FileInfo, data []byte) error {
	note := spoolMail{From: h.address(), Token: newToken(), Folder: h.dir}
	err := h.desk.takeFiles([]uploaded{{filepath.Base(path), data}}, note)
	if err != nil {
		return err
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(now, info) || !now.ModTime().Equal(info.ModTime()) {
		return err // another file by now: it has its own turn
	}
	if err := shred(path); err != nil {
		return err
	}
	delete(h.seen, filepath.Base(path))
	h.desk.log.Info("scan taken", "folder", h.dir, "unit", h.unit, "size", len(data))
	h.desk.wakeUp()
	return syncDir(h.dir)
}

func (h *hotFolder) address() mailcore.Address {
	return mailcore.Address(string(h.unit) + "@" + h.desk.in.cfg.Domain)
}

// bad tells the unit once of a file that stays.
func (h *hotFolder) bad(ctx context.Context, path string, info fs.FileInfo, cause error) error {
	text, hint, ok := mendable(cause)
	if !ok {
		return fmt.Errorf("%s: %w", path, cause)
	}
	key := fmt.Sprintf("scan-%x", sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d", path, info.Size(), info.ModTime().UnixNano())))
	return h.desk.tell(ctx, key, spoolMail{From: h.address()}, "Bản quét chưa phát hành được: "+clerkName(path), letterEnd{
		Head:   fmt.Sprintf("Tệp %s trong thư mục máy quét không lấy vào để phát hành được. Tệp vẫn nằm nguyên ở đó.", clerkName(path)),
		Reason: text + ".", Hint: hint})
}

// putBack returns the files of a scan that cannot be issued to a folder beside those that wait to be taken.
func (n *spoolMail) putBack(id string, files []uploaded) (where string, err error) {
	dir := filepath.Join(n.Folder, hotBadName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, f := range files {
		name := filepath.Base(filepath.Clean("/" + f.name))
		if err := writeFile(filepath.Join(dir, id+"-"+name), f.data, 0o600); err != nil {
			return "", err
		}
	}
	return dir, syncDir(dir)
}

const hotLong = `Theo dõi một thư mục mà máy quét ghi vào, mỗi văn bản một tệp PDF, của một đơn vị. Tệp ghi xong được chuyển vào
chỗ chờ, được đọc, và đơn vị nhận thư hỏi như khi gửi tới phathanh@: trả lời «Phát hành» là phát hành. Tệp không phải PDF
hoặc dở dang thì đơn vị được báo và tệp nằm nguyên.

congvan serve tự theo dõi các thư mục ghi trong congvan.toml:

  [hotfolder]
  snv = "/srv/quet/snv"`

func hotfolderCommand(s *streams) *cobra.Command {
	var data, unit string
	var once bool
	c := &cobra.Command{
		Use:     "hotfolder DIR",
		Short:   "Theo dõi thư mục của máy quét",
		Long:    hotLong,
		Example: "  congvan hotfolder /srv/quet/snv --unit snv",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if unit == "" {
				return &usageError{errors.New("chưa ghi thư mục này của đơn vị nào"), "thêm --unit MÃ"}
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				return watchFolder(c.Context(), s, in, absolute(args[0]), recipients.UnitCode(strings.ToLower(unit)), once)
			})
		},
	}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&unit, "unit", "", "mã đơn vị có văn bản được quét vào đây")
	c.Flags().BoolVar(&once, "once", false, "chỉ lấy các tệp đang có, đã ghi xong, rồi thôi")
	return c
}

// watchFolder watches one folder from the command line. Reading and asking is shared with a server that may be running: entries of
// the spool are locked by whoever works on them.
func watchFolder(ctx context.Context, s *streams, in *installation, dir string, unit recipients.UnitCode, once bool) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &hintError{fmt.Errorf("không có thư mục %s", dir), "kiểm tra đường dẫn và quyền đọc"}
	}
	desk := in.newMailDesk()
	h := newHotFolder(desk, dir, unit)
	if _, err := in.mail.Account(ctx, h.address()); err != nil {
		return &hintError{fmt.Errorf("đơn vị %s chưa có hộp thư %s để hỏi", unit, h.address()), "mở hộp thư: congvan account add --unit " + string(unit)}
	}
	if once {
		now := time.Now()
		if err := h.look(ctx, now); err != nil {
			return err
		}
		select { // a second look shows what is still being written
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(hotEvery):
		}
		err := h.look(ctx, now.Add(hotHalf+hotSettle))
		desk.pass(ctx)
		return err
	}
	fmt.Fprintf(s.err, "Đang theo dõi %s cho %s. Dừng: Ctrl+C.\n", dir, unit)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.run(ctx) })
	group.Go(func() error { return desk.run(ctx) })
	return group.Wait()
}
