package sqldb

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// channel is the one PostgreSQL channel of all nodes; payloads are topics, one a line.
const channel = "congvan"

// maxPayload keeps under PostgreSQL's 8000 bytes for a notification.
const maxPayload = 7000

// wakes joins committed topics to listeners, in this process and, over PostgreSQL, in the other nodes.
type wakes struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]struct{}
	out       chan []string // PostgreSQL: topics to tell the other nodes
	stop      context.CancelFunc
	ended     sync.WaitGroup
}

func newWakes() *wakes {
	return &wakes{listeners: map[string]map[chan struct{}]struct{}{}, stop: func() {}}
}

// Listen returns a channel that gets a value soon after a transaction woke topic, and a function that ends it. Values
// coalesce. Whoever listens polls the database when it starts, at each value, and now and then besides.
func (db *DB) Listen(topic string) (<-chan struct{}, func()) {
	w, c := db.wakes, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listeners[topic] == nil {
		w.listeners[topic] = map[chan struct{}]struct{}{}
	}
	w.listeners[topic][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners[topic], c)
		if len(w.listeners[topic]) == 0 {
			delete(w.listeners, topic)
		}
	}
}

func (w *wakes) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.listeners) > 0
}

func (w *wakes) wake(topics []string) {
	if len(topics) == 0 {
		return
	}
	w.local(topics)
	if w.out != nil {
		select {
		case w.out <- topics:
		default: // the other nodes poll anyway
		}
	}
}

func (w *wakes) local(topics []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range topics {
		for c := range w.listeners[t] {
			poke(c)
		}
	}
}

func (w *wakes) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, set := range w.listeners {
		for c := range set {
			poke(c)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *wakes) startPostgres(dsn string, pool *sqlx.DB, log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.out = stop, make(chan []string, 1024)
	w.ended.Add(2)
	go func() { defer w.ended.Done(); w.tellOthers(ctx, pool, log) }()
	go func() { defer w.ended.Done(); w.hearOthers(ctx, dsn, log) }()
}

func (w *wakes) close() {
	w.stop()
	w.ended.Wait()
}

// tellOthers sends what has piled up as few notifications.
func (w *wakes) tellOthers(ctx context.Context, pool *sqlx.DB, log *slog.Logger) {
	for {
		var topics []string
		select {
		case <-ctx.Done():
			return
		case topics = <-w.out:
		}
		topics = w.drain(topics)
		for _, payload := range payloads(topics) {
			if _, err := pool.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, payload); err != nil && ctx.Err() == nil {
				log.Warn("wake other nodes", "err", err)
			}
		}
	}
}

func (w *wakes) drain(topics []string) []string {
	for {
		select {
		case more := <-w.out:
			topics = append(topics, more...)
		default:
			return topics
		}
	}
}

// payloads joins distinct topics into texts that fit a notification.
func payloads(topics []string) []string {
	var out []string
	var b strings.Builder
	seen := map[string]bool{}
	for _, t := range topics {
		if seen[t] {
			continue
		}
		seen[t] = true
		if b.Len() > 0 && b.Len()+len(t) >= maxPayload {
			out = append(out, b.String())
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(t)
	}
	return append(out, b.String())
}

// hearOthers listens on a connection of its own. After a broken line anything may have been missed: everybody is woken.
func (w *wakes) hearOthers(ctx context.Context, dsn string, log *slog.Logger) {
	l := pq.NewListener(dsn, 100*time.Millisecond, 10*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil && ctx.Err() == nil {
			log.Warn("listen to other nodes", "err", err)
		}
	})
	defer l.Close()
	go func() {
		if err := l.Listen(channel); err != nil && ctx.Err() == nil {
			log.Warn("listen to other nodes", "err", err)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-l.Notify:
			if n == nil {
				w.wakeAll()
			} else {
				w.local(strings.Split(n.Extra, "\n"))
			}
		}
	}
}
