package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/blob"

	"github.com/BurntSushi/toml"
)

// A folder of backups holds the bytes once, in "blobs", and for each backup a set: a folder named by its time, with the database,
// the files of the configuration, the list of blobs that belong to it and, written last, the manifest. A set appears by renaming,
// so it is whole or not there.
const (
	backupBlobs    = "blobs"
	backupManifest = "manifest.json"
	backupList     = "blobs.txt"
	backupFiles    = "files"
	backupTime     = "2006-01-02T15-04-05.000Z"
	backupFormat   = 1
)

// A manifest says what a set holds.
type manifest struct {
	Format   int          `json:"format"`
	Name     string       `json:"name"`
	MadeAt   time.Time    `json:"made_at"`
	Domain   string       `json:"domain"`
	Database string       `json:"database"` // sqlite or postgres
	Blobs    int          `json:"blobs"`
	Bytes    int64        `json:"bytes"` // of the blobs
	Files    []backupFile `json:"files"`
}

// A backupFile is a file of a set, named relative to it.
type backupFile struct {
	Path   string      `json:"path"`
	Size   int64       `json:"size"`
	SHA256 blob.Digest `json:"sha256"`
	Mode   fs.FileMode `json:"mode"`
}

// A backupFolder is a folder of backups.
type backupFolder struct {
	dir string
	s   *streams
}

// lock keeps a second backup, or a restore that would read what this one prunes, off the folder.
func (b *backupFolder) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(b.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &hintError{fmt.Errorf("thư mục sao lưu %s: %w", b.dir, err), "tạo thư mục đó và cho phép ghi"}
	}
	if err := lockFile(f, false); err != nil {
		f.Close()
		return nil, &hintError{fmt.Errorf("thư mục %s đang được dùng để sao lưu hoặc khôi phục", b.dir), "chờ lần kia xong"}
	}
	return func() { f.Close() }, nil
}

// add makes one more set.
func (b *backupFolder) add(ctx context.Context, in *installation) (*manifest, error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := b.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	now := in.db.Now()
	m := &manifest{Format: backupFormat, Name: now.Format(backupTime), MadeAt: now, Domain: in.cfg.Domain, Database: string(in.db.Dialect())}
	if _, err := os.Stat(filepath.Join(b.dir, m.Name)); err == nil {
		return nil, fmt.Errorf("bản sao lưu %s đã có", m.Name)
	}
	b.removeUnfinished()
	set := filepath.Join(b.dir, ".new-"+m.Name)
	if err := os.MkdirAll(filepath.Join(set, backupFiles), 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(set)
	if err := in.db.Dump(ctx, filepath.Join(set, databaseFile(m.Database))); err != nil {
		return nil, err
	}
	if err := b.copyBlobs(ctx, in, set, m); err != nil {
		return nil, err
	}
	names, _, err := in.cfg.ownFiles()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := copyFile(in.cfg.path(name), filepath.Join(set, backupFiles, name)); err != nil {
			return nil, fmt.Errorf("sao lưu %s: %w", name, err)
		}
	}
	return m, b.seal(set, m)
}

// databaseFile is the name of the dump in a set.
func databaseFile(kind string) string { return "congvan." + kind }

func (m *manifest) database() backupFile {
	i := slices.IndexFunc(m.Files, func(f backupFile) bool { return f.Path == databaseFile(m.Database) })
	return m.Files[max(i, 0)]
}

// copyBlobs copies what is new and writes the list of all. It comes after the dump.
func (b *backupFolder) copyBlobs(ctx context.Context, in *installation, set string, m *manifest) error {
	store, err := blob.OpenDir(filepath.Join(b.dir, backupBlobs))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(set, backupList))
	if err != nil {
		return err
	}
	defer f.Close()
	w, tell := bufio.NewWriter(f), b.teller("Đang sao lưu: %s thư và văn bản, %s…")
	err = in.mail.CopyBlobs(ctx, store, func(i blob.Info) error {
		m.Blobs++
		m.Bytes += i.Size
		tell(m.Blobs, m.Bytes)
		_, err := fmt.Fprintf(w, "%s %d\n", i.Digest, i.Size)
		return err
	})
	tell(-1, 0)
	return errors.Join(err, w.Flush(), f.Sync())
}

// seal writes the manifest over everything in the set and gives the set its name.
func (b *backupFolder) seal(set string, m *manifest) error {
	err := filepath.WalkDir(set, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return syncDir(path)
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(set, path)
		if err != nil {
			return err
		}
		f, err := describeFile(path)
		f.Path = filepath.ToSlash(name)
		m.Files = append(m.Files, f)
		return err
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(set, backupManifest), append(text, '\n'), 0o600); err != nil {
		return err
	}
	return errors.Join(syncDir(set), os.Rename(set, filepath.Join(b.dir, m.Name)), syncDir(b.dir))
}

// ownFiles lists what an installation cannot run without beside its database and its blobs: the configuration, keys, certificates,
// and whatever file the configuration names inside the data folder. outside are those that it names elsewhere, which are not
// saved. It is a list of what goes along, since the data folder also holds papers that may be secret.
func (c *config) ownFiles() (inside, outside []string, err error) {
	var text map[string]any
	if _, err := toml.DecodeFile(c.path(configFile), &text); err != nil {
		return nil, nil, err
	}
	delete(text, "database")
	delete(text, "journal")
	delete(text, "hotfolder")
	inside = []string{configFile}
	for _, dir := range []string{"keys", "tls", mailTrustDir, c.Seal.Trust} {
		if !filepath.IsLocal(dir) {
			continue
		}
		err := filepath.WalkDir(c.path(dir), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && e.Type().IsRegular() {
				name, relErr := filepath.Rel(c.dir, path)
				inside, err = append(inside, name), relErr
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	eachString(text, func(value string) {
		name := strings.TrimPrefix(value, "file:")
		info, err := os.Stat(c.path(name))
		switch {
		case name == "" || err != nil || !info.Mode().IsRegular():
		case filepath.IsLocal(name):
			inside = append(inside, filepath.Clean(name))
		default:
			outside = append(outside, name)
		}
	})
	slices.Sort(inside)
	return slices.Compact(inside), outside, nil
}

// eachString calls fn for every text in decoded TOML.
func eachString(v any, fn func(string)) {
	switch v := v.(type) {
	case string:
		fn(v)
	case []any:
		for _, e := range v {
			eachString(e, fn)
		}
	case []map[string]any:
		for _, e := range v {
			eachString(e, fn)
		}
	case map[string]any:
		for _, e := range v {
			eachString(e, fn)
		}
	}
}

// sets lists the sets, oldest first. A folder without a readable manifest is told of and left alone.
func (b *backupFolder) sets() ([]*manifest, error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, &hintError{fmt.Errorf("thư mục sao lưu: %w", err), "chỉ đúng thư mục đã dùng với congvan backup"}
	}
	var out []*manifest
	for _, e := range entries {
		if _, err := time.Parse(backupTime, e.Name()); err != nil || !e.IsDir() {
			continue
		}
		m := &manifest{}
		text, err := os.ReadFile(filepath.Join(b.dir, e.Name(), backupManifest))
		if err == nil {
			err = json.Unmarshal(text, m)
		}
		if err == nil && (m.Format != backupFormat || m.Name != e.Name()) {
			err = fmt.Errorf("định dạng %d, tên %q", m.Format, m.Name)
		}
		if err != nil {
			fmt.Fprintf(b.s.err, "Bỏ qua %s: không đọc được %s: %v\n", e.Name(), backupManifest, err)
			continue
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *manifest) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// checkBlob reads a blob against its digest.
func checkBlob(store blob.Store, i blob.Info) error {
	f, err := store.Open(i.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != string(i.Digest) {
		return fmt.Errorf("blob %s: bytes are damaged", i.Digest)
	}
	return nil
}

// checkSet reads the files of a set against its manifest.
func (b *backupFolder) checkSet(m *manifest) error {
	for _, want := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(want.Path)) {
			return fmt.Errorf("%q is no name of a file in a backup", want.Path)
		}
		have, err := describeFile(filepath.Join(b.dir, m.Name, filepath.FromSlash(want.Path)))
		if err != nil {
			return err
		}
		if have.SHA256 != want.SHA256 {
			return fmt.Errorf("%s is damaged", want.Path)
		}
	}
	return nil
}

// eachBlob calls fn for the blobs of a set.
func (b *backupFolder) eachBlob(m *manifest, fn func(blob.Info) error) error {
	f, err := os.Open(filepath.Join(b.dir, m.Name, backupList))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, size, _ := strings.Cut(lines.Text(), " ")
		digest, err := blob.ParseDigest(name)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", backupList, err)
		}
		if err := fn(blob.Info{Digest: digest, Size: n}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// prune keeps the newest sets and what they need. Where a kept set cannot be read nothing is removed.
func (b *backupFolder) prune(ctx context.Context, keep int) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	sets, err := b.sets()
	if err != nil || len(sets) <= keep {
		return err
	}
	old, kept := sets[:len(sets)-keep], sets[len(sets)-keep:]
	needed := map[blob.Digest]bool{}
	for _, m := range kept {
		if err := b.eachBlob(m, func(i blob.Info) error { needed[i.Digest] = true; return nil }); err != nil {
			return fmt.Errorf("bản sao lưu %s: %w", m.Name, err)
		}
	}
	for _, m := range old {
		gone := filepath.Join(b.dir, ".old-"+m.Name)
		if err := errors.Join(os.Rename(filepath.Join(b.dir, m.Name), gone), os.RemoveAll(gone)); err != nil {
			return err
		}
	}
	store, err := blob.OpenDir(filepath.Join(b.dir, backupBlobs))
	if err != nil {
		return err
	}
	return store.Walk(ctx, func(i blob.Info) error {
		if needed[i.Digest] {
			return nil
		}
		return store.Remove(i.Digest)
	})
}

// removeUnfinished removes what backups that died have left.
func (b *backupFolder) removeUnfinished() {
	for _, pattern := range []string{".new-*", ".old-*"} {
		left, _ := filepath.Glob(filepath.Join(b.dir, pattern))
		for _, dir := range left {
			os.RemoveAll(dir)
		}
	}
}

// describeFile reads a file's size, mode and digest.
func describeFile(path string) (backupFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return backupFile{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return backupFile{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return backupFile{Size: n, Mode: info.Mode().Perm(), SHA256: blob.Digest(hex.EncodeToString(sum.Sum(nil)))}, err
}

// copyFile copies a file with its mode, synced, and makes its folder.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
