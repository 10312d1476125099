package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"

	"github.com/spf13/cobra"
)

const restoreLong = `Dựng lại cả hệ thống từ một thư mục sao lưu vào một thư mục mới. Mọi tệp được đối chiếu mã SHA-256 trước khi dùng; chép dở thì chạy lại là tiếp
tục. Cơ sở dữ liệu PostgreSQL phải trống: tạo cái mới bằng createdb, rồi chỉ ra bằng --database nếu khác tên cũ.

Sau đó hệ thống tự biết mình là bản sao lưu cũ: số đã cấp từ đó không được cấp lại, bản có thể đã gửi thì chờ người xem. Lệnh này in những gì
còn phải làm. Để diễn tập: thêm --drill, hệ thống dựng lại sẽ không gửi thư ra khỏi máy và không đụng tới nhật ký ở đường dẫn thứ hai.`

func restoreCommand(s *streams) *cobra.Command {
	r := &restorer{}
	c := &cobra.Command{Use: "restore THƯ-MỤC-SAO-LƯU --data THƯ-MỤC-MỚI", Args: cobra.ExactArgs(1), Short: "Dựng lại hệ thống từ bản sao lưu", Long: restoreLong,
		Example: "  congvan restore /backup/congvan --data /srv/congvan\n  congvan restore /backup/congvan --at 2026-11-24T18-15-00.120Z --data /tmp/dien-tap --drill",
		RunE: func(c *cobra.Command, args []string) error {
			if r.data == "" {
				return &usageError{errors.New("--data is missing"), "congvan restore " + args[0] + " --data THƯ-MỤC-MỚI"}
			}
			r.from = &backupFolder{dir: args[0], s: s}
			return r.run(c.Context())
		}}
	dataFlag(c, &r.data, "")
	c.Flags().StringVar(&r.at, "at", "", "bản sao lưu nào (congvan backup --list); bỏ trống: bản mới nhất")
	c.Flags().StringVar(&r.database, "database", "", "cơ sở dữ liệu khác với trong cấu hình đã sao lưu")
	c.Flags().BoolVar(&r.drill, "drill", false, "diễn tập: không gửi thư ra ngoài máy này, không dùng nhật ký ở đường dẫn thứ hai")
	return c
}

// A restorer makes an installation of a set.
type restorer struct {
	from               *backupFolder
	data, at, database string
	drill              bool
}

// run copies everything and the configuration last: what has one is an installation, and what has none can be filled again.
func (r *restorer) run(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.data, configFile)); err == nil {
		return &hintError{fmt.Errorf("%s đã là một hệ thống", r.data), "khôi phục vào một thư mục mới; nếu muốn thay, hãy đổi tên thư mục cũ trước"}
	}
	unlock, err := r.from.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m, err := r.choose()
	if err != nil {
		return err
	}
	if err := r.from.checkSet(m); err != nil {
		return &hintError{fmt.Errorf("bản sao lưu %s: %w", m.Name, err), "chọn bản khác bằng --at"}
	}
	cfg, text, err := r.configure(m)
	if err != nil {
		return err
	}
	if err := r.copyFiles(m); err != nil {
		return err
	}
	if err := r.copyBlobs(ctx, cfg, m); err != nil {
		return err
	}
	if err := r.loadDatabase(ctx, cfg, m); err != nil {
		return err
	}
	if err := r.resume(ctx, cfg); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(r.data, configFile), text, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(r.from.s.out, "Đã khôi phục bản %s vào %s. Tiếp theo: congvan check --data %[2]s; rồi congvan serve --data %[2]s\n", m.Name, r.data)
	return nil
}

// loadDatabase fills the database, unless an earlier try did so.
func (r *restorer) loadDatabase(ctx context.Context, cfg *config, m *manifest) error {
	err := sqldb.Load(ctx, cfg.dsn(), filepath.Join(r.from.dir, m.Name, databaseFile(m.Database)))
	if !errors.Is(err, sqldb.ErrNotEmpty) {
		return err
	}
	file, isFile := strings.CutPrefix(cfg.dsn(), "sqlite:")
	if !isFile {
		return &hintError{err, "tạo một cơ sở dữ liệu trống (createdb) và chỉ ra bằng --database"}
	}
	if have, err := describeFile(file); err == nil && have.SHA256 == m.database().SHA256 {
		return nil
	}
	return &hintError{err, "đổi tên hoặc xóa " + file + " rồi chạy lại"}
}

// choose finds the set that was asked for.
func (r *restorer) choose() (*manifest, error) {
	sets, err := r.from.sets()
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, &hintError{fmt.Errorf("trong %s không có bản sao lưu nào", r.from.dir), "chỉ đúng thư mục đã dùng với congvan backup"}
	}
	if r.at == "" {
		return sets[len(sets)-1], nil
	}
	if i := slices.IndexFunc(sets, func(m *manifest) bool { return m.Name == r.at }); i >= 0 {
		return sets[i], nil
	}
	return nil, &hintError{fmt.Errorf("không có bản sao lưu %s", r.at), "xem: congvan backup " + r.from.dir + " --list"}
}

// configure reads the saved configuration as it will stand in the new folder.
func (r *restorer) configure(m *manifest) (*config, []byte, error) {
	saved := filepath.Join(r.from.dir, m.Name, backupFiles, configFile)
	text, err := os.ReadFile(saved)
	if err != nil {
		return nil, nil, err
	}
	if r.database != "" {
		text = setKey(text, "", "database", fmt.Sprintf("%q", r.database))
	}
	if r.drill {
		text = setKey(setKey(text, "", "journal", `""`), "mail", "loopback_only", "true")
		text = setKey(text, "blobs", "s3_endpoint", `""`) // a sweep of the drill must not touch the bucket
	}
	cfg, err := decodeConfig(r.data, saved, text)
	if err != nil {
		return nil, nil, err
	}
	kind := string(sqldb.Postgres)
	if strings.HasPrefix(cfg.Database, "sqlite:") {
		kind = string(sqldb.SQLite)
	}
	if kind != m.Database {
		return nil, nil, &hintError{fmt.Errorf("bản sao lưu là của %s, cấu hình chỉ tới %s", m.Database, kind), "chỉ ra cơ sở dữ liệu cùng loại bằng --database"}
	}
	return cfg, text, nil
}

// setKey gives a key of a TOML text another value, in the place where it stands or at the beginning of its table.
func setKey(text []byte, table, key, value string) []byte {
	lines := strings.Split(string(text), "\n")
	line, start, in := key+" = "+value, 0, ""
	assigns := regexp.MustCompile(`^\s*` + regexp.QuoteMeta(key) + `\s*=`)
	for i, l := range lines {
		if t := strings.TrimSpace(l); strings.HasPrefix(t, "[") {
			name, _, _ := strings.Cut(strings.TrimPrefix(t, "["), "]")
			if in = strings.TrimSpace(name); in == table {
				start = i + 1
			}
			continue
		}
		if in == table && assigns.MatchString(l) {
			lines[i] = line
			return []byte(strings.Join(lines, "\n"))
		}
	}
	if table != "" && start == 0 {
		return []byte(strings.Join(append(lines, "["+table+"]", line, ""), "\n"))
	}
	return []byte(strings.Join(slices.Insert(lines, start, line), "\n"))
}

// copyFiles puts keys and certificates into their places.
func (r *restorer) copyFiles(m *manifest) error {
	for _, f := range m.Files {
		name, ok := strings.CutPrefix(f.Path, backupFiles+"/")
		if !ok || name == configFile {
			continue
		}
		to := filepath.Join(r.data, filepath.FromSlash(name))
		if have, err := describeFile(to); err == nil && have.SHA256 == f.SHA256 {
			continue
		}
		os.Remove(to) // half of an earlier try
		if err := copyFile(filepath.Join(r.from.dir, m.Name, filepath.FromSlash(f.Path)), to); err != nil {
			return fmt.Errorf("khôi phục %s: %w", name, err)
		}
	}
	return nil
}

func (r *restorer) copyBlobs(ctx context.Context, cfg *config, m *manifest) error {
	if err := os.MkdirAll(r.data, 0o700); err != nil {
		return err
	}
	saved, err := blob.OpenDir(filepath.Join(r.from.dir, backupBlobs))
	if err != nil {
		return err
	}
	store, err := cfg.openBlobs(ctx)
	if err != nil {
		return err
	}
	tell, n, bytes := r.from.teller("Đang khôi phục: %s thư và văn bản, %s…"), 0, int64(0)
	defer tell(-1, 0)
	return r.from.eachBlob(m, func(i blob.Info) error {
		n, bytes = n+1, bytes+i.Size
		tell(n, bytes)
		return cmp.Or(ctx.Err(), blob.Copy(ctx, saved, store, i.Digest))
	})
}

// resume opens the installation, which compares it with the journal; without a journal it is declared to be an old backup.
func (r *restorer) resume(ctx context.Context, cfg *config) error {
	s := r.from.s
	in, err := openInstallation(ctx, cfg, commandLog(s.err))
	if err != nil {
		return err
	}
	defer in.close()
	if in.journal == nil {
		if _, err := in.exchange.Resume(ctx, nil, true); err != nil {
			return err
		}
	}
	return (&restoredDesk{s: s}).show(ctx, in, nil)
}
