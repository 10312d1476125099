package exchange

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	onceKept = 64               // results at most
	onceFor  = 10 * time.Minute // a signature may be judged otherwise later
)

// A readOnce remembers what was read lately: what a ministry sends out comes to each unit in a mail of its own.
type readOnce struct {
	mu     sync.Mutex
	lately map[[sha256.Size]byte]readResult
}

type readResult struct {
	draft *ArrivalDraft // nil: no document
	until time.Time
}

func (o *readOnce) get(sum [sha256.Size]byte, now time.Time) (readResult, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.lately[sum]
	return r, ok && now.Before(r.until)
}

func (o *readOnce) put(sum [sha256.Size]byte, r readResult) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lately == nil || len(o.lately) >= onceKept {
		o.lately = map[[sha256.Size]byte]readResult{}
	}
	o.lately[sum] = r
}

// readArrival reads a PDF unless it was read lately. A mark of secrecy is not remembered: nothing of such a document is.
func (s *Store) readArrival(ctx context.Context, pdf attached) (*ArrivalDraft, error) {
	sum, now := sha256.Sum256(pdf.data), s.db.Now()
	r, known := s.arrivals.get(sum, now)
	if !known {
		draft, err := s.ReadArrival(ctx, pdf.Name, pdf.data)
		if err != nil {
			return nil, err
		}
		if r = (readResult{draft, now.Add(onceFor)}); draft == nil || draft.Secrecy == "" {
			s.arrivals.put(sum, r)
		}
	}
	if r.draft == nil {
		return nil, nil
	}
	d := *r.draft // the caller's own
	d.File = pdf.Name
	return &d, nil
}
