package sqldb

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrClosed is returned to writers that wait while the database closes.
var ErrClosed = errors.New("database is closed")

// A job is a closure that waits to be committed with others.
type job struct {
	ctx      context.Context
	fn       func(*Tx) error
	err      error
	topics   []string
	panicked any
	done     chan struct{}
}

// call runs the closure in its part of a transaction and reports whether it may be kept. whole asks for the rows that it left
// for later, too.
func (j *job) call(tx *Tx, whole bool) bool {
	func() {
		defer func() { j.panicked, tx.fault = recover(), nil }()
		if j.err = j.fn(tx); j.err == nil && whole {
			j.err = tx.catchUp(j.ctx, "")
		}
	}()
	j.topics = tx.topics
	return j.err == nil && j.panicked == nil
}

// lines are the closures that wait, by key. Of each key one goroutine at a time takes as many as have come and runs them
// together, so that under load a commit, and the rows that it holds, cost many closures no more than one.
type lines struct {
	run     func([]*job) // commits them and says in each job what became of it
	most    int          // closures that run together
	mu      sync.Mutex
	waiting map[string][]*job // a key stands here while somebody runs its closures
	closed  bool
	working sync.WaitGroup
}

func newLines(most int, run func([]*job)) *lines {
	return &lines{run: run, most: most, waiting: map[string][]*job{}}
}

// do returns when it is known what became of fn.
func (l *lines) do(ctx context.Context, key string, fn func(*Tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if !l.join(key, j) {
		return ErrClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if l.leave(key, j) {
			return ctx.Err()
		}
		<-j.done // whether it was committed is known only now
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

func (l *lines) join(key string, j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	before, busy := l.waiting[key]
	l.waiting[key] = append(before, j)
	if !busy {
		l.working.Go(func() { l.work(key) })
	}
	return true
}

// leave reports whether the job was still waiting, and takes it out.
func (l *lines) leave(key string, j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting[key], j)
	if i >= 0 {
		l.waiting[key] = slices.Delete(l.waiting[key], i, i+1)
	}
	return i >= 0
}

func (l *lines) work(key string) {
	for batch := l.next(key); len(batch) > 0; batch = l.next(key) {
		l.run(batch)
		for _, j := range batch {
			close(j.done)
		}
	}
}

func (l *lines) next(key string) []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.waiting[key]
	n := min(len(all), l.most)
	if n == 0 {
		delete(l.waiting, key)
		return nil
	}
	l.waiting[key] = slices.Clone(all[n:])
	return all[:n]
}

// close lets what runs end and turns away what waits.
func (l *lines) close() {
	l.mu.Lock()
	l.closed = true
	for key, all := range l.waiting {
		for _, j := range all {
			j.err = ErrClosed
			close(j.done)
		}
		l.waiting[key] = nil
	}
	l.mu.Unlock()
	l.working.Wait()
}
