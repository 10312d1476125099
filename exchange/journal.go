package exchange

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A Journal is a small file on another path than the database's. It holds what a restored backup cannot know: numbers taken,
// documents registered and issued, arrivals accepted, copies past DATA, heads of the log. Each line is a CRC-32, a blank and JSON;
// what a crash tore is no line, and readers pass over it. A line is on disk before the act that it tells of is answered.
type Journal struct {
	mu      sync.Mutex
	f       *os.File
	written int64

	syncing sync.Mutex
	synced  int64
}

// A JournalEntry is one line of it.
type JournalEntry struct {
	Kind      string              `json:"k"` // number, document, issued, accepted, copied, dot, head
	At        int64               `json:"at"`
	Agency    recipients.UnitCode `json:"agency,omitempty"` // whose register
	Year      int                 `json:"year,omitempty"`
	Book      Book                `json:"book,omitempty"`
	Name      string              `json:"name,omitempty"`
	Mode      Mode                `json:"mode,omitempty"`
	Reference string              `json:"ref,omitempty"`
	Number    int64               `json:"n,omitempty"`
	Document  DocumentID          `json:"doc,omitempty"`
	Original  blob.Digest         `json:"file,omitempty"`
	Copies    []journalCopy       `json:"copies,omitempty"`
	Dispatch  DispatchID          `json:"d,omitempty"`
	Told      string              `json:"told,omitempty"` // số đến
	On        string              `json:"on,omitempty"`
	By        string              `json:"by,omitempty"`
	Epoch     int64               `json:"epoch,omitempty"`
	Size      int64               `json:"size,omitempty"`
	Root      string              `json:"root,omitempty"` // note of a checkpoint, signed
	Parent    DispatchID          `json:"parent,omitempty"`
	To        string              `json:"to,omitempty"`
	Secret    string              `json:"s,omitempty"`
	Sequence  int64               `json:"q,omitempty"`
	Why       string              `json:"why,omitempty"`
}

// Kinds of entries.
const (
	journalNumber   = "number"
	journalDocument = "document"
	journalIssued   = "issued"
	journalAccepted = "accepted"
	journalCopied   = "copied" // one copy more: forwarded, or added after issue
	journalDot      = "dot"
	journalHead     = "head"
)

// OpenJournal opens the journal for writing, or makes it. Several processes may have it open. After a line that a crash tore a new
// one begins.
func OpenJournal(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	last := []byte("\n")
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > 0 {
		_, err = f.ReadAt(last, size-1)
		if err == nil && last[0] != '\n' {
			_, err = f.WriteString("\n")
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("open journal %s: %w", path, err)
		}
	}
	return &Journal{f: f}, nil
}

// ReadJournal reads every whole line of a journal, and counts those that are damaged: a crash tears at most one.
func ReadJournal(path string) (entries []JournalEntry, damaged int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	entries, r := []JournalEntry{}, bufio.NewReader(f)
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return entries, damaged, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read journal: %w", err)
		}
		sum, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var e JournalEntry
		if sum != checksum(text) || json.Unmarshal([]byte(text), &e) != nil {
			damaged++
			continue
		}
		entries = append(entries, e)
	}
}

func checksum(text string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text))) }

// Note appends entries and returns when they are on disk. Callers who wait at the same time share one sync.
func (j *Journal) Note(entries ...JournalEntry) error {
	var b strings.Builder
	for _, e := range entries {
		text, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		fmt.Fprintf(&b, "%s %s\n", checksum(string(text)), text)
	}
	j.mu.Lock()
	_, err := j.f.WriteString(b.String())
	j.written++
	mine := j.written
	j.mu.Unlock()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= mine {
		return nil
	}
	j.mu.Lock()
	upTo := j.written
	j.mu.Unlock()
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.synced = upTo
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// journal notes what an act did, after its transaction and before its answer. An installation whose journal cannot be written
// goes on: the second path must not stop the first. What would be lost by a restore then stands in the log.
func (s *Store) journal(entries ...JournalEntry) {
	if s.Journal == nil || len(entries) == 0 {
		return
	}
	for i := range entries {
		entries[i].At = s.db.Now().UnixMicro()
	}
	if err := s.Journal.Note(entries...); err != nil {
		s.Log.Error("journal: a restored backup would not know this", "kind", entries[0].Kind, "reference", entries[0].Reference, "err", err)
	}
}

// journalRegistered notes a registered document and its number.
func (s *Store) journalRegistered(doc *Document) {
	n, _ := strconv.ParseInt(doc.Number, 10, 64)
	s.journal(JournalEntry{Kind: journalDocument, Document: doc.ID, Agency: doc.Agency, Year: doc.Year, Book: OutgoingBook, Reference: doc.Reference, Number: n, Original: doc.Original})
}

// journalIssue notes an issued document with what its copies are known by.
func (s *Store) journalIssue(doc *Document, all []Dispatch) {
	s.journal(JournalEntry{Kind: journalIssued, Document: doc.ID, Agency: doc.Agency, Reference: doc.Reference, Original: doc.Original, Copies: journalCopies(doc, all)})
}

func journalCopies(doc *Document, all []Dispatch) []journalCopy {
	copies := make([]journalCopy, len(all))
	for i := range all {
		d := &all[i]
		copies[i] = journalCopy{Number: int64(d.ID) - doc.ID.chain(), Recipient: d.recipient(), Secret: d.Secret, Sequence: d.Sequence}
	}
	return copies
}

// copied is what the journal keeps of one copy more.
func (d *Dispatch) copied(agency recipients.UnitCode, by, why string) JournalEntry {
	e := JournalEntry{Kind: journalCopied, Document: d.Document, Agency: agency, Dispatch: d.ID, To: d.recipient(), Secret: d.Secret, Sequence: d.Sequence, By: by, Why: why}
	if d.Parent != nil {
		e.Parent = *d.Parent
	}
	return e
}

// tellArrival has the journal note an acceptance and its số đến.
func tellArrival(tx *sqldb.Tx, d *Dispatch, book Mode, by Actor) {
	if d.Unit != "" {
		tx.Tell(JournalEntry{Kind: journalAccepted, Agency: d.Unit, Year: yearOf(d.ArrivedOn), Book: IncomingBook, Mode: book, Dispatch: d.ID, Told: d.ArrivalNumber, On: d.ArrivedOn, By: by.String()})
	}
}

// noteTold notes what a transaction told.
func (s *Store) noteTold(all []any) {
	var entries []JournalEntry
	for _, what := range all {
		if e, ok := what.(JournalEntry); ok {
			entries = append(entries, e)
		}
	}
	s.journal(entries...)
}

func yearOf(date string) int {
	year, _ := strconv.Atoi(date[:min(4, len(date))])
	return year
}

// PastData notes that the final dot of the copies that a ref names leaves now; mailcore's SetPastData makes the mail store call it.
func (s *Store) PastData(ref string) {
	var entries []JournalEntry
	for _, id := range refIDs(ref) {
		entries = append(entries, JournalEntry{Kind: journalDot, Dispatch: id})
	}
	s.journal(entries...)
}
