package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"congvan/mailcore/viettext"
)

// A job is one document on its way through PDFium and tesseract.
type job struct {
	reader *Reader
	call   Call
	draft  *Draft
	file   *document
	key    string // of the cache
	list   []int  // pages to read, from 0
	pages  []page // in the order of list
	scans  []int  // indices in list of pages without a usable text layer
	ready  bool   // every text layer has been read

	mu    sync.Mutex // guards what follows, and pages while scans are recognised
	cause error      // why pages stayed unread
	done  int        // scans that were tried
	early bool       // the early draft was given
	fresh bool       // something was recognised that the cache has not
}

func newDraft(name string) *Draft {
	return &Draft{Name: viettext.NFC(name), Places: make(map[FieldName][]Place), Fields: make(map[FieldName]Field), lines: make(map[FieldName][]line)}
}

// run reads the document. When the time limit ends while scans are recognised, the pages that are done count.
func (j *job) run(ctx context.Context, data []byte) error {
	j.tell(PhaseOpen, 0, 1)
	err := j.reader.files.with(ctx, data, func(f *document) error { return j.read(ctx, f) })
	if err == nil && ctx.Err() == context.Canceled {
		err = context.Canceled // who gave up gets no draft, also where everything was read by then
	}
	if err != nil && !(j.ready && errors.Is(err, context.DeadlineExceeded)) {
		return memory(err)
	}
	j.finish(err)
	j.draft.build(j.pages)
	j.remember()
	j.tell(PhaseDone, 1, 1)
	return nil
}

// read does what needs the open file.
func (j *job) read(ctx context.Context, f *document) error {
	j.draft.Pages, j.file = f.pages, f
	j.list = choosePages(j.draft, j.reader.opt.MaxPages)
	if err := j.readText(ctx); err != nil {
		return err
	}
	j.tell(PhaseMarks, 0, 1)
	if err := j.readStamps(ctx); err != nil {
		return err
	}
	return j.recognise(ctx)
}

func (j *job) tell(phase Phase, done, total int) {
	if j.call.Progress != nil {
		j.call.Progress(Progress{phase, done, total})
	}
}

// readText reads the text layers, which are fast, and lists the pages that have none.
func (j *job) readText(ctx context.Context) error {
	j.pages = make([]page, len(j.list))
	block, found := true, false // block: the page before has the label, and the block may go on
	blank := true               // no page before shows anything
	for k, i := range j.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, scan, err := j.file.readPage(i, block || blank || !found && k == len(j.list)-1)
		if err != nil {
			return err
		}
		if blank && scan {
			j.draft.Scan = true
		}
		blank = blank && !scan && len(p.words) == 0
		block = findLabel([]page{p}) != nil || block && goesOver(p)
		found = found || block
		if scan {
			p.unread = true
			j.scans = append(j.scans, k)
		}
		if p.encoding != "" && j.draft.Encoding == "" {
			j.draft.Encoding = p.encoding
		}
		j.pages[k] = p
		j.tell(PhaseText, k+1, len(j.list))
	}
	j.ready = true
	return nil
}

// recognise renders the scans one after the other, and has as many recognised at once as there are slots. The heading
// stands on the first page and the recipients on one of the last, so those come first.
func (j *job) recognise(ctx context.Context) error {
	todo := j.recall()
	if len(todo) == 0 {
		return nil
	}
	if err := j.reader.haveOCR(ctx); err != nil {
		j.cause = err
		return ctx.Err()
	}
	j.tell(PhaseRecognise, j.done, len(j.scans))
	var running sync.WaitGroup
	defer running.Wait()
	for _, k := range outerFirst(todo) {
		select {
		case j.reader.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		p := page{number: j.list[k] + 1}
		img, dpi, err := j.file.picture(j.list[k], &p, ocrDPI)
		if err != nil {
			<-j.reader.slots
			j.recognised(k, nil, err)
			continue
		}
		running.Go(func() {
			err := caught(func() error { return j.reader.recognise(ctx, &p, img, dpi) })
			<-j.reader.slots
			j.recognised(k, &p, err)
		})
	}
	return nil
}

// caught runs work and turns a panic into an error: a picture that upsets us must not take the process with it.
func caught(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return work()
}

// recognised takes the result for scan k and tells the caller, one page after the other.
func (j *job) recognised(k int, p *page, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done++
	if err != nil {
		j.cause = fmt.Errorf("page %d: %w", j.list[k]+1, err)
	} else {
		j.pages[k], j.fresh = *p, true
	}
	j.tell(PhaseRecognise, j.done, len(j.scans))
	if !j.early && j.call.Early != nil && j.done < len(j.scans) && j.enough() {
		j.early = true
		j.call.Early(j.partial())
	}
}

// recall takes the pages that were recognised before, and lists those that were not.
func (j *job) recall() (todo []int) {
	if len(j.scans) == 0 {
		return nil
	}
	known := j.reader.memo.get(j.key)
	for _, k := range j.scans {
		p, ok := known[j.list[k]+1]
		if !ok {
			todo = append(todo, k)
			continue
		}
		j.pages[k] = p
		j.done++
	}
	return todo
}

// remember keeps what was recognised, once the guard has seen every page and doubts none: nothing of a document that is or
// may be secret is kept.
func (j *job) remember() {
	d := j.draft
	if !j.fresh || d.Secrecy != "" || len(d.Unread) > 0 || d.Problem(MaybeSecret) != nil {
		return
	}
	var pages []page
	for _, k := range j.scans {
		pages = append(pages, j.pages[k])
	}
	if err := j.reader.memo.put(j.key, pages); err != nil {
		j.reader.opt.Log.Warn("recognised text is not kept", "err", err)
	}
}

// outerPages is how many of the scans come before all others: the first page and the last three.
const outerPages = 4

// enough says whether the pages that were recognised give an early draft: the heading, and the recipients unless they
// stand on none of the pages that come first.
func (j *job) enough() bool {
	if k := headPage(j.pages); j.pages[k].unread {
		return false
	}
	if l := findLabel(j.pages); l != nil {
		next := l.page + 1 // the block may go on there
		return next >= len(j.pages) || !j.pages[next].unread || readDistribution(j.pages, *l).finished()
	}
	return j.done >= outerPages
}

// partial is a draft of the pages that are read so far.
func (j *job) partial() *Draft {
	d := newDraft(j.draft.Name)
	d.Pages, d.Scan, d.Encoding, d.Unread = j.draft.Pages, j.draft.Scan, j.draft.Encoding, slices.Clone(j.draft.Unread)
	pages := slices.Clone(j.pages)
	for i, p := range pages {
		pages[i].words = slices.Clone(p.words)
		if p.unread {
			d.Unread = append(d.Unread, p.number)
		}
	}
	slices.Sort(d.Unread)
	d.build(pages)
	return d
}

// build makes the draft out of the pages that were read.
func (d *Draft) build(pages []page) {
	assemble(d, pages)
	d.fillFields(pages)
	d.conclude()
}

// outerFirst orders pages: the first, the last three from the end, then the others.
func outerFirst(scans []int) []int {
	n := len(scans)
	if n < 3 {
		return scans
	}
	tail := min(outerPages-1, n-1)
	out := []int{scans[0]}
	for i := n - 1; i >= n-tail; i-- {
		out = append(out, scans[i])
	}
	return append(out, scans[1:n-tail]...)
}

// finish tells the draft which pages nobody has read, and why.
func (j *job) finish(err error) {
	var unread []int
	for _, p := range j.pages {
		if p.unread {
			unread = append(unread, p.number)
		}
	}
	if len(unread) == 0 {
		return
	}
	d := j.draft
	d.Unread = append(d.Unread, unread...)
	slices.Sort(d.Unread)
	cause := errors.Join(err, j.cause)
	switch {
	case errors.Is(cause, errNoOCR) && d.Scan:
		d.Problems = append(d.Problems, problem(NeedsManual, cause))
	case errors.Is(cause, errNoOCR):
		p := unreadPages(unread, cause)
		p.Hint = problemTexts[NeedsManual][1]
		d.Problems = append(d.Problems, p)
	default:
		d.Problems = append(d.Problems, unreadPages(unread, cause))
	}
}

// choosePages lists the pages to read, from 0: all, or the first third and the last of what is allowed. The heading stands
// first, the block on the last pages before annexes.
func choosePages(d *Draft, limit int) []int {
	var list []int
	if d.Pages <= limit {
		for i := range d.Pages {
			list = append(list, i)
		}
		return list
	}
	first := (limit + 1) / 2
	last := limit - first
	for i := range d.Pages {
		if i < first || i >= d.Pages-last {
			list = append(list, i)
		} else {
			d.Unread = append(d.Unread, i+1)
		}
	}
	d.Problems = append(d.Problems, tooManyPages(d.Pages, first, last))
	return list
}

// conclude tells what is missing or doubtful.
func (d *Draft) conclude() {
	if d.NoiNhan == nil && !d.NeedsManual() {
		d.Problems = append(d.Problems, problem(NoRecipients, nil))
	}
	warn := func(missing bool, text string) {
		if missing {
			d.Warnings = append(d.Warnings, text)
		}
	}
	warn(d.Heading.Issuer == "", "Chưa rõ cơ quan ban hành.")
	warn(d.Heading.Number == "", "Chưa rõ số văn bản.")
	warn(d.Heading.Date == "", "Chưa rõ ngày ban hành.")
	warn(d.Heading.Subject == "", "Chưa rõ trích yếu.")
	warn(d.Signer == "", "Chưa rõ người ký.")
}
