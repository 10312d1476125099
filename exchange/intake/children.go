package intake

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	childIdle  = 2 * time.Minute // then a child without work is ended
	childStart = 2 * time.Minute // a first start compiles PDFium, which takes seconds on a quiet machine
	childEnd   = 5 * time.Second // for a child to go when its pipe is closed
	childLarge = 300 << 20       // bytes; a child that kept more after a file is replaced
)

// children are the processes that hold PDFium. Each works on one file at a time; it is killed when that file's time is over
// and replaced when it is next needed.
type children struct {
	opt   Options
	slots chan struct{} // one for each child that may work

	mu     sync.Mutex
	idle   []*child            // the last one used is the last
	all    map[*child]struct{} // idle or at work
	closed bool
	peak   int64 // most memory of the child that was used last, in bytes
	ending sync.WaitGroup
}

// A child is one process. It is used from one goroutine, except that any may kill it.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said *lastWords
	gone chan struct{} // closed when the process has ended
	err  error         // how it ended
	wake *time.Timer   // ends it when it was idle too long
}

func newChildren(opt Options) *children {
	return &children{opt: opt, slots: make(chan struct{}, opt.Workers), all: make(map[*child]struct{})}
}

// with opens a file in a child for work.
func (cs *children) with(ctx context.Context, data []byte, work func(*document) error) error {
	c, err := cs.borrow(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errWait, err)
	}
	stop := context.AfterFunc(ctx, func() {
		cs.measure(c)
		c.kill()
	})
	var broken error
	ask := func(q question) (answer, error) {
		if broken != nil {
			return answer{}, broken
		}
		a, failure, err := c.ask(q)
		if err != nil {
			broken = cs.lost(ctx, c, err)
			return answer{}, broken
		}
		return a, failure
	}
	err = caught(func() error {
		a, err := ask(question{about: askOpen, data: data})
		if err != nil {
			return err
		}
		return work(&document{pages: a.pages, ask: ask})
	})
	if !stop() || broken != nil { // ctx has ended, or the child has
		c.kill()
		<-cs.slots
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	cs.giveBack(c)
	return err
}

// lost words why a child does not answer any more.
func (cs *children) lost(ctx context.Context, c *child, err error) error {
	c.kill()
	<-c.gone
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cs.opt.Log.Warn("a reading child was lost", "err", err, "ended", c.err, "said", c.said.first())
	return fmt.Errorf("pdfium's process ended (%v, %q): %w", c.err, c.said.first(), err)
}

// borrow waits for a child that may work, the one used last or a new one. A new one that is ready too late for ctx serves
// the next.
func (cs *children) borrow(ctx context.Context) (*child, error) {
	select {
	case cs.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := cs.pop(); c != nil {
		return c, nil
	}
	type started struct {
		c   *child
		err error
	}
	ready := make(chan started)
	cs.ending.Add(1)
	go func() {
		defer cs.ending.Done()
		c, err := startChild(cs.opt)
		if err == nil {
			cs.watch(c)
		}
		select {
		case ready <- started{c, err}:
		case <-ctx.Done():
			<-cs.slots
			if err == nil {
				cs.push(c)
			}
		}
	}()
	select {
	case s := <-ready:
		if s.err != nil {
			<-cs.slots
		}
		return s.c, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// watch keeps a child on the list of those that run until it has ended.
func (cs *children) watch(c *child) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.all[c] = struct{}{}
	cs.ending.Go(func() {
		<-c.gone
		cs.mu.Lock()
		defer cs.mu.Unlock()
		delete(cs.all, c)
	})
}

// pop takes the child that was used last; nil when none is idle.
func (cs *children) pop() *child {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for len(cs.idle) > 0 {
		n := len(cs.idle) - 1
		c := cs.idle[n]
		cs.idle = cs.idle[:n]
		c.wake.Stop()
		select {
		case <-c.gone:
		default:
			return c
		}
	}
	return nil
}

// push sets a child aside until it is needed or was idle too long.
func (cs *children) push(c *child) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		cs.end(c)
		return
	}
	c.wake = time.AfterFunc(childIdle, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		if i := slices.Index(cs.idle, c); i >= 0 {
			cs.idle = slices.Delete(cs.idle, i, i+1)
			cs.end(c)
		}
	})
	cs.idle = append(cs.idle, c)
}

// giveBack ends work on a file. A child that became large is replaced.
func (cs *children) giveBack(c *child) {
	defer func() { <-cs.slots }()
	if cs.measure(c) > childLarge || sendQuestion(c.in, question{about: askNothing}) != nil {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.end(c)
		return
	}
	cs.push(c)
}

// measure notes the most memory that a child has had.
func (cs *children) measure(c *child) int64 {
	_, peak := memoryOf(c.cmd.Process.Pid)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.peak = peak
	return peak
}

// end lets a child go, by force when it does not go by itself. The caller holds the lock.
func (cs *children) end(c *child) {
	cs.ending.Go(func() {
		c.in.Close()
		select {
		case <-c.gone:
		case <-time.After(childEnd):
			c.kill()
			<-c.gone
		}
	})
}

// close ends all children. None may be at work.
func (cs *children) close() error {
	cs.mu.Lock()
	cs.closed = true
	for _, c := range cs.idle {
		c.wake.Stop()
		cs.end(c)
	}
	cs.idle = nil
	cs.mu.Unlock()
	cs.ending.Wait()
	return nil
}

// startChild starts this program again and waits until its PDFium is ready.
func startChild(opt Options) (*child, error) {
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	set := childSettings{memoryPages: int(opt.MemoryPages), maxBytes: int(opt.MaxBytes)}
	if opt.CacheDir != "" {
		if set.cacheDir, err = filepath.Abs(opt.CacheDir); err != nil {
			return nil, fmt.Errorf("find compilation cache: %w", err)
		}
	}
	c := &child{said: &lastWords{}, gone: make(chan struct{}), cmd: &exec.Cmd{Path: program, Args: []string{"congvan-pdfium"},
		Env: []string{childVariable + "=pdfium"}}} // nothing else: the environment may hold secrets
	c.cmd.Stderr = c.said
	setApart(c.cmd)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a child for pdfium: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a child for pdfium: %w", err)
	}
	c.out = bufio.NewReaderSize(out, 64<<10)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child for pdfium: %w", err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.gone)
	}()
	late := time.AfterFunc(childStart, c.kill)
	defer late.Stop()
	w := wire{write: true}
	w.settings(&set)
	err = writeFrame(c.in, w.b)
	if err == nil {
		_, _, err = receiveAnswer(c.out) // it is ready
	}
	if err != nil {
		c.kill()
		<-c.gone
		return nil, fmt.Errorf("start a child for pdfium: %w (%v, %q)", err, c.err, c.said.first())
	}
	return c, nil
}

// ask sends one question and waits for the answer. err says that the child is of no more use.
func (c *child) ask(q question) (a answer, failure, err error) {
	if err := sendQuestion(c.in, q); err != nil {
		return answer{}, nil, err
	}
	return receiveAnswer(c.out)
}

func (c *child) kill() { c.cmd.Process.Kill() }

// lastWords keeps the beginning of what a process says before it dies.
type lastWords struct {
	mu sync.Mutex
	b  []byte
}

func (l *lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b[:min(len(b), 2048-len(l.b))]...)
	return len(b), nil
}

// first is the first line, cut short: what a program says when it ends for want of memory.
func (l *lastWords) first() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, _, _ := strings.Cut(string(l.b), "\n")
	return shortened(line)
}
