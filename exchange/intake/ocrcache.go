package intake

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// An ocrCache keeps what was recognised of documents, by the digest of the file. Only documents that the guard has passed
// come in: Read stores nothing of one that bears a mark of secrecy, that may bear one, or of which a page is not known.
type ocrCache struct {
	mu      sync.Mutex
	limit   int64
	size    int64
	clock   int64
	entries map[string]*cacheEntry

	dir      string // "" keeps nothing on disk
	dirLimit int64
}

type cacheEntry struct {
	data []byte
	used int64
}

// A cachedPage is a page as it was recognised, in a form that can be written.
type cachedPage struct {
	Number        int
	Width, Height float64
	Words         []cachedWord
}

type cachedWord struct {
	Text                             string
	X0, Y0, X1, Y1, Base, Size, Conf float64
	Apart, Unsure                    bool
}

// maxCached bounds what one entry may unpack to: a file in the folder may have been changed by somebody.
const maxCached = 32 << 20

// cacheKey names what was recognised of a file. The first part changes when recognition changes so much that old
// results must not be used any more.
func cacheKey(data []byte, language string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "ocr 1 %s\n", language)
	sum.Write(data)
	return hex.EncodeToString(sum.Sum(nil))
}

// get gives the recognised pages of a file by their number; nil when nothing is kept.
func (c *ocrCache) get(key string) map[int]page {
	c.mu.Lock()
	c.clock++
	e := c.entries[key]
	var data []byte
	if e != nil {
		e.used = c.clock
		data = e.data
	}
	c.mu.Unlock()
	if data == nil && c.dir != "" {
		data, _ = readLimited(c.file(key)) // what cannot be read is recognised anew
	}
	if data == nil {
		return nil
	}
	list, err := unpackPages(data)
	if err != nil {
		c.drop(key)
		return nil
	}
	if e == nil {
		c.keep(key, data)
	}
	out := make(map[int]page, len(list))
	for _, p := range list {
		out[p.Number] = p.page()
	}
	return out
}

// put stores the recognised pages of a file. An error is that of the folder; in memory they are kept all the same.
func (c *ocrCache) put(key string, pages []page) error {
	data, err := packPages(pages)
	if err != nil {
		return err
	}
	c.keep(key, data)
	if c.dir == "" {
		return nil
	}
	if err := c.write(key, data); err != nil {
		return err
	}
	return c.prune()
}

func (c *ocrCache) keep(key string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(len(data)) > c.limit {
		return
	}
	if old := c.entries[key]; old != nil {
		c.size -= int64(len(old.data))
	}
	if c.entries == nil {
		c.entries = make(map[string]*cacheEntry)
	}
	c.clock++
	c.entries[key] = &cacheEntry{data, c.clock}
	c.size += int64(len(data))
	for c.size > c.limit {
		oldest := ""
		for k, e := range c.entries {
			if oldest == "" || e.used < c.entries[oldest].used {
				oldest = k
			}
		}
		c.size -= int64(len(c.entries[oldest].data))
		delete(c.entries, oldest)
	}
}

// drop forgets a file, in memory and on disk.
func (c *ocrCache) drop(key string) error {
	c.mu.Lock()
	if e := c.entries[key]; e != nil {
		c.size -= int64(len(e.data))
		delete(c.entries, key)
	}
	c.mu.Unlock()
	if c.dir == "" {
		return nil
	}
	if err := os.Remove(c.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget what was recognised: %w", err)
	}
	return nil
}

func (c *ocrCache) file(key string) string { return filepath.Join(c.dir, key+".ocr") }

func (c *ocrCache) write(key string, data []byte) error {
	f, err := os.CreateTemp(c.dir, "new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep what was recognised: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.file(key))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep what was recognised: %w", err)
	}
	return nil
}

// prune removes the oldest files of the folder until it is within its limit.
func (c *ocrCache) prune() error {
	names, err := filepath.Glob(filepath.Join(c.dir, "*.ocr"))
	if err != nil {
		return fmt.Errorf("list what was recognised: %w", err)
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, n := range names {
		if info, err := os.Stat(n); err == nil {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for _, f := range files {
		if total <= c.dirLimit {
			break
		}
		if err := os.Remove(filepath.Join(c.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was recognised: %w", err)
		}
		total -= f.Size()
	}
	return nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCached))
}

func packPages(pages []page) ([]byte, error) {
	list := make([]cachedPage, len(pages))
	for i, p := range pages {
		list[i] = cachedPage{Number: p.number, Width: p.width, Height: p.height}
		for _, w := range p.words {
			list[i].Words = append(list[i].Words, cachedWord{w.text, w.x0, w.y0, w.x1, w.y1, w.base, w.size, w.conf, w.apart, w.unsure})
		}
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := errors.Join(gob.NewEncoder(z).Encode(list), z.Close()); err != nil {
		return nil, fmt.Errorf("pack what was recognised: %w", err)
	}
	return out.Bytes(), nil
}

func unpackPages(data []byte) ([]cachedPage, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpack what was recognised: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxCached+1)) // to the end, so that the check sum is compared
	if err != nil || len(plain) > maxCached {
		return nil, fmt.Errorf("unpack what was recognised: %d bytes: %w", len(plain), err)
	}
	var list []cachedPage
	if err := gob.NewDecoder(bytes.NewReader(plain)).Decode(&list); err != nil {
		return nil, fmt.Errorf("unpack what was recognised: %w", err)
	}
	return list, nil
}

func (c cachedPage) page() page {
	p := page{number: c.Number, width: c.Width, height: c.Height, ocr: true}
	for _, w := range c.Words {
		p.words = append(p.words, word{text: w.Text, x0: w.X0, y0: w.Y0, x1: w.X1, y1: w.Y1, base: w.Base, size: w.Size, conf: w.Conf, apart: w.Apart, unsure: w.Unsure})
	}
	return p
}

// Forget drops what was recognised of a file from memory and from disk: a person found it secret after the guard had let
// it pass.
func (r *Reader) Forget(data []byte) error { return r.memo.drop(cacheKey(data, r.opt.Language)) }
