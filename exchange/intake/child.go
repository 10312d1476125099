package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/klippa-app/go-pdfium"
)

// childVariable tells a program that it was started by itself to hold PDFium.
const childVariable = "CONGVAN_READS_FOR"

// startable is set once Child was called: the program knows what to do when it is started again.
var startable atomic.Bool

// Child has to be called first in main by a program whose Readers are to keep PDFium in processes of their own. In such a
// process it works and never returns; in any other it returns at once. Where it was not called, Readers keep PDFium in
// their own process: to start a program that does not expect it would run it twice.
//
// A child reads files that a stranger made. It gets them over a pipe and nothing else: no environment, no file but PDFium's
// compiled code and the machine's fonts, bounded memory. It ends when its parent does.
func Child() {
	if os.Getenv(childVariable) == "" {
		startable.Store(true)
		return
	}
	if err := serveChild(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func canStart() bool { return startable.Load() }

// childSettings are the first thing that a child is told.
type childSettings struct {
	cacheDir    string
	memoryPages int
	maxBytes    int
}

func (w *wire) settings(s *childSettings) {
	w.text(&s.cacheDir)
	w.count(&s.memoryPages)
	w.count(&s.maxBytes)
}

// childHeap is what a child may use besides PDFium's memory: the file, the bitmap of a page and its copy, and the compiler
// when there is no compiled code yet.
const childHeap = 768 << 20

// serveChild answers questions until its input ends.
func serveChild(in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // meant for the parent, which says when it needs us no more
	b, err := readFrame(in, maxQuery+int64(maxPath))
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	w := wire{b: b}
	var set childSettings
	if w.settings(&set); w.bad {
		return fmt.Errorf("read settings: %w", errWire)
	}
	debug.SetMemoryLimit(childHeap / 2)
	if err := limitMemory(int64(set.memoryPages)<<16 + childHeap); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	e, err := startEngine(ownMemory(context.Background()), engineOptions{cacheDir: set.cacheDir, memoryPages: uint32(set.memoryPages), instances: 1})
	if err != nil {
		return err
	}
	c := &childReader{engine: e, out: bufio.NewWriterSize(out, 64<<10)}
	if err := c.renew(); err != nil {
		return err
	}
	if err := c.say(answer{}, nil); err != nil {
		return err
	}
	questions := make(chan question)
	go listen(bufio.NewReaderSize(in, 64<<10), int64(set.maxBytes), questions)
	for q := range questions {
		if err := c.serve(q); err != nil {
			return err
		}
	}
	return nil
}

// maxPath bounds the name of the folder of compiled code.
const maxPath = 4096

// listen hands on what comes in. At its end the process ends, whatever it is busy with: nobody waits for it any more.
func listen(in io.Reader, maxBytes int64, questions chan<- question) {
	for {
		q, err := receiveQuestion(in, maxBytes)
		if errors.Is(err, io.EOF) {
			os.Exit(0)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "read question: %v\n", err)
			os.Exit(1)
		}
		questions <- q
	}
}

// A childReader is the one file that a child has open. Each file gets an instance of PDFium to itself, which is made before
// the file comes.
type childReader struct {
	engine *engine
	inst   pdfium.Pdfium
	file   *pdfFile
	out    *bufio.Writer
}

func (c *childReader) renew() (err error) {
	if c.inst != nil {
		c.file = nil
		c.inst.Kill() // without tidying up: its memory goes as a whole
	}
	c.inst, err = c.engine.pool.GetInstanceWithContext(context.Background())
	if err != nil {
		return fmt.Errorf("start an instance of pdfium: %w", err)
	}
	return nil
}

// serve answers one question.
func (c *childReader) serve(q question) error {
	if q.about == askNothing {
		return c.renew()
	}
	var a answer
	err := caught(func() (err error) {
		switch {
		case q.about == askOpen && c.file != nil:
			return errors.New("a file is open already")
		case q.about == askOpen:
			if c.file, err = openPDF(c.inst, q.data); err == nil {
				a.pages = c.file.pages
			}
		case c.file == nil:
			return errors.New("no file is open")
		default:
			a, err = c.file.answer(q)
		}
		return err
	})
	return c.say(a, err)
}

func (c *childReader) say(a answer, failure error) error {
	if err := errors.Join(sendAnswer(c.out, a, failure), c.out.Flush()); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// ownProgram is the file this process runs, even when it was replaced by a newer one since.
func ownProgram() (string, error) {
	if path := "/proc/self/exe"; exists(path) {
		return path, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	return filepath.Clean(path), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
