package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"congvan/exchange"
)

// A spool is the folder where uploads lie until every page has passed the guard and a clerk has decided, outside stores and
// database (QĐ 22/2009 Điều 10: nothing of a secret document may stay). An entry is a folder: its files as 0, 1, 2 … and a
// note. It appears whole by a rename; what leaves it is overwritten. Whoever works on an entry holds its lock, which dies
// with the process: an entry that was being read by a process that died is erased by the next sweep, since the clerk still
// has the files.
type spool struct{ dir string }

func (in *installation) spool() spool { return spool{in.cfg.path("spool")} }

// States of an entry.
const (
	spoolReading = "reading" // a process has it and has not come to an end
	spoolWaiting = "waiting" // waits for the clerk
	spoolMailed  = "mailed"  // came by mail or from the scanner, and nobody has read it yet: it is the only copy
)

// A spoolNote is the sidecar of an entry.
type spoolNote struct {
	ID        string      `json:"id"`
	State     string      `json:"state"`
	At        time.Time   `json:"at"`
	By        string      `json:"by"`
	Files     []spoolFile `json:"files"` // the main file first
	Said      said        `json:"said"`
	Reference string      `json:"reference,omitempty"`
	Issuer    string      `json:"issuer,omitempty"`
	Error     string      `json:"error,omitempty"` // why it waits
	Code      string      `json:"code,omitempty"`
	Hint      string      `json:"hint,omitempty"`
	Mail      *spoolMail  `json:"mail,omitempty"` // of a paper that came by mail or from the scanner

	// What the clerk has to decide.
	Open        []string `json:"open,omitempty"`        // lines
	Differences []string `json:"differences,omitempty"` // fields …
	Messages    []string `json:"messages,omitempty"`    // … and what differs
	Unread      []int    `json:"unread,omitempty"`      // pages
	Suspects    []string `json:"suspects,omitempty"`    // files
	Flagged     []string `json:"flagged,omitempty"`     // files …
	Doubts      []string `json:"doubts,omitempty"`      // … and why
}

// explain notes why the entry waits.
func (n *spoolNote) explain(res *issueResult, err error) {
	*n = spoolNote{ID: n.ID, State: n.State, At: n.At, By: n.By, Files: n.Files, Said: n.Said, Mail: n.Mail, Reference: res.Reference, Issuer: res.Issuer,
		Open: res.Open, Unread: res.Unread, Suspects: res.Suspects}
	n.Error, n.Hint = explain(err)
	n.Code = codeOf(err)
	for _, d := range res.Differences {
		if !d.Confirmed {
			n.Differences, n.Messages = append(n.Differences, d.Field), append(n.Messages, d.Message)
		}
	}
	for _, f := range res.Package {
		file := exchange.File{Info: f.Item, Unsealable: f.Unsealable}
		if doubts := file.Doubts(); len(doubts) > 0 && !f.Accepted {
			n.Flagged, n.Doubts = append(n.Flagged, f.Name), append(n.Doubts, f.Name+": "+strings.Join(doubts, " "))
		}
	}
}

type spoolFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const noteName = "note.json"

// A spoolEntry is one upload, locked by this process.
type spoolEntry struct {
	dir  string
	lock *os.File
	note spoolNote
}

// An uploaded is one file as it was given.
type uploaded struct {
	name string
	data []byte
}

// lockDir takes the lock of a folder; wait says whether to wait for it.
func lockDir(dir string, wait bool) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, wait); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// spoolID names an upload by its bytes: the same files again are the same entry.
func spoolID(files []uploaded) string {
	h := sha256.New()
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		h.Write(sum[:])
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:5]))
}

// put takes an upload in, or opens the entry that these files have already.
func (s spool) put(files []uploaded, what said, by string) (*spoolEntry, error) {
	return s.take(files, spoolNote{State: spoolReading, By: by, Said: what})
}

// take is put with a note of one's own; ID, time and files are filled in.
func (s spool) take(files []uploaded, note spoolNote) (*spoolEntry, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	whole, err := lockDir(s.dir, true)
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	id := spoolID(files)
	if _, err := os.Stat(filepath.Join(s.dir, id)); err == nil {
		return s.reopen(id, files)
	}
	dir, err := os.MkdirTemp(s.dir, ".new-")
	if err != nil {
		return nil, err
	}
	note.ID, note.At = id, time.Now()
	e := &spoolEntry{dir: dir, note: note}
	if e.lock, err = lockDir(dir, false); err != nil {
		return nil, err
	}
	if err := e.fill(files, filepath.Join(s.dir, id)); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", id, err), e.erase())
	}
	return e, syncDir(s.dir)
}

// reopen opens the entry of the same bytes, which may have other names now.
func (s spool) reopen(id string, files []uploaded) (*spoolEntry, error) {
	e, err := s.open(id)
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		if i < len(e.note.Files) {
			e.note.Files[i].Name = byteName(f.name)
		}
	}
	return e, nil
}

// byteName keeps a name of any encoding in JSON: bytes that are no UTF-8 stand as the code points of their numbers, as
// viettext.Recode reads them.
func byteName(name string) string { return string(unicodeFile([]byte(name))) }

func (e *spoolEntry) fill(files []uploaded, dir string) error {
	for i, f := range files {
		sum := sha256.Sum256(f.data)
		e.note.Files = append(e.note.Files, spoolFile{byteName(f.name), int64(len(f.data)), hex.EncodeToString(sum[:])})
		if err := writeFile(filepath.Join(e.dir, fmt.Sprint(i)), f.data, 0o600); err != nil {
			return err
		}
	}
	if err := e.write(); err != nil {
		return err
	}
	if err := syncDir(e.dir); err != nil {
		return err
	}
	if err := os.Rename(e.dir, dir); err != nil {
		return err
	}
	e.dir = dir
	return nil
}

// write replaces the note as a whole and overwrites the one before: it may tell of what must not stay.
func (e *spoolEntry) write() error {
	data, err := json.MarshalIndent(e.note, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(e.dir, noteName)
	old, openErr := os.OpenFile(path, os.O_WRONLY, 0)
	if err := writeFile(path, data, 0o600); err != nil {
		return err
	}
	if openErr != nil {
		return nil // the first one
	}
	return errors.Join(overwrite(old), old.Close())
}

// keep leaves the entry to the clerk.
func (e *spoolEntry) keep() error {
	e.note.State = spoolWaiting
	return errors.Join(e.write(), e.lock.Close())
}

// condemn makes the entry one that the next sweep erases, should this process die now.
func (e *spoolEntry) condemn() error {
	if strings.HasPrefix(filepath.Base(e.dir), ".") {
		return nil
	}
	gone := filepath.Join(filepath.Dir(e.dir), ".gone-"+filepath.Base(e.dir)+"-"+strings.ToLower(rand.Text()[:8]))
	if err := os.Rename(e.dir, gone); err != nil {
		return err
	}
	e.dir = gone
	return syncDir(filepath.Dir(gone))
}

// erase overwrites and removes everything of the entry. A disk that writes elsewhere than it is told may keep old blocks: where
// that matters, the folder belongs on an encrypted disk.
func (e *spoolEntry) erase() error {
	err := e.condemn()
	files, readErr := os.ReadDir(e.dir)
	err = errors.Join(err, readErr)
	for _, f := range files {
		err = errors.Join(err, shred(filepath.Join(e.dir, f.Name())))
	}
	return errors.Join(err, os.Remove(e.dir), e.lock.Close(), syncDir(filepath.Dir(e.dir)))
}

// shred overwrites a file, has that written to the disk, and removes it.
func shred(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return errors.Join(overwrite(f), f.Close(), os.Remove(path))
}

func overwrite(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.NewOffsetWriter(f, 0), zeros{}, info.Size()); err != nil {
		return err
	}
	return f.Sync()
}

// zeros is an endless run of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// entry is the folder of an id, which comes from outside.
func (s spool) entry(id string) (string, error) {
	if id == "" || strings.ContainsAny(id, "./\\\x00") {
		return "", noEntry(id)
	}
	return filepath.Join(s.dir, id), nil
}

// open locks an entry.
func (s spool) open(id string) (*spoolEntry, error) {
	dir, err := s.entry(id)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(dir, false)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, noEntry(id)
	case errors.Is(err, errLocked):
		return nil, &hintError{fmt.Errorf("văn bản %s đang được xử lý ở một cửa sổ khác", id), "chờ cửa sổ kia xong rồi làm lại"}
	case err != nil:
		return nil, err
	}
	e := &spoolEntry{dir: dir, lock: lock}
	if !stillThere(dir, lock) {
		lock.Close()
		return nil, noEntry(id)
	}
	if e.note, err = readNote(dir); err != nil {
		lock.Close()
		return nil, &hintError{fmt.Errorf("bản chờ %s bị hỏng: %w", id, err), "xóa bằng: congvan spool drop " + id}
	}
	return e, nil
}

// stillThere says whether a locked folder has not been renamed or replaced before it was locked.
func stillThere(dir string, lock *os.File) bool {
	now, err := os.Stat(dir)
	if err != nil {
		return false
	}
	locked, err := lock.Stat()
	return err == nil && os.SameFile(now, locked)
}

func noEntry(id string) error {
	return &hintError{fmt.Errorf("không có bản chờ %q", id), "xem: congvan spool list"}
}

func readNote(dir string) (n spoolNote, err error) {
	data, err := os.ReadFile(filepath.Join(dir, noteName))
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(data, &n)
}

// files reads the upload back and makes sure that it is what was put.
func (e *spoolEntry) files() ([]uploaded, error) {
	var out []uploaded
	for i, f := range e.note.Files {
		data, err := os.ReadFile(filepath.Join(e.dir, fmt.Sprint(i)))
		if err != nil {
			return nil, fmt.Errorf("spool %s: %w", e.note.ID, err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.SHA256 {
			return nil, &hintError{fmt.Errorf("bản chờ %s: tệp %s bị hỏng", e.note.ID, f.Name), "nạp lại tệp gốc, rồi xóa bản chờ"}
		}
		out = append(out, uploaded{f.Name, data})
	}
	return out, nil
}

// list returns the notes of all entries, oldest first.
func (s spool) list() ([]spoolNote, error) {
	dirs, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []spoolNote
	for _, d := range dirs {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		n, err := readNote(filepath.Join(s.dir, d.Name()))
		if err != nil {
			n = spoolNote{ID: d.Name(), State: spoolWaiting, Error: "bản ghi bị hỏng"}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b spoolNote) int { return a.At.Compare(b.At) })
	return out, err
}

// sweep erases what processes left that died: folders not yet whole or half gone, and uploads that were being read.
func (s spool) sweep() (erased int, err error) {
	whole, err := lockDir(s.dir, true)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer whole.Close()
	dirs, err := os.ReadDir(s.dir)
	for _, d := range dirs {
		dir := filepath.Join(s.dir, d.Name())
		if !d.IsDir() {
			continue
		}
		note, noteErr := readNote(dir)
		if !strings.HasPrefix(d.Name(), ".") && (noteErr != nil || note.State != spoolReading) {
			continue
		}
		lock, lockErr := lockDir(dir, false)
		if lockErr != nil {
			continue // somebody works on it
		}
		err = errors.Join(err, (&spoolEntry{dir: dir, lock: lock}).erase())
		erased++
	}
	return erased, err
}

// drop erases an entry, a damaged one too.
func (s spool) drop(id string) error {
	dir, err := s.entry(id)
	if err != nil {
		return err
	}
	lock, err := lockDir(dir, false)
	if errors.Is(err, os.ErrNotExist) {
		return noEntry(id)
	}
	if err != nil {
		return &hintError{fmt.Errorf("văn bản %s đang được xử lý ở một cửa sổ khác", id), "chờ cửa sổ kia xong rồi làm lại"}
	}
	if !stillThere(dir, lock) {
		lock.Close()
		return noEntry(id)
	}
	return (&spoolEntry{dir: dir, lock: lock}).erase()
}

// watchSpool erases what dead processes left in the spool and logs how many documents have waited for long.
func (in *installation) watchSpool(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if n, err := in.spool().sweep(); err != nil {
			in.log.Error("sweep spool", "err", err)
		} else if n > 0 {
			in.log.Info("spool swept", "erased", n)
		}
		if list, err := in.spool().list(); err != nil {
			in.log.Error("list spool", "err", err)
		} else if old := len(slices.DeleteFunc(list, func(n spoolNote) bool { return !n.old(time.Now()) })); old > 0 {
			in.log.Warn("documents wait in the spool", "entries", old, "days", spoolDays)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
