package intake

import (
	"fmt"
	"image"
)

// A document is an open file as the rest of the package sees it. PDFium, which holds it, works in a process of its own or in
// this one; in both cases it is asked one question after the other, from one goroutine.
type document struct {
	pages int
	ask   func(question) (answer, error)
}

// A subject is what a question to an open file is about.
type subject byte

const (
	askOpen     subject = iota + 1 // the bytes follow: how many pages?
	askPage                        // the text of a page
	askPicture                     // a page as a picture
	askDrawings                    // the same without what the text layer gives
	askSuspects                    // what on the page may be a mark and is no text
	askScan                        // the measures of a page as a scan
	askFacts                       // what the file is besides its pages
	askNothing                     // the file is not needed any more; has no answer
)

// A question is one request. Which fields count depends on its subject.
type question struct {
	about subject
	page  int     // from 0
	fonts bool    // askPage: with fonts
	dpi   float64 // askPicture, askDrawings
	data  []byte  // askOpen
}

// An answer is what came of a question. Which fields are set depends on what was asked.
type answer struct {
	pages    int
	page     page
	scan     bool
	picture  *image.RGBA
	dpi      float64 // of the picture
	suspects []suspect
	measures ScanPage
	facts    pdfFacts
}

// answer does what a question asks for.
func (f *pdfFile) answer(q question) (a answer, err error) {
	switch q.about {
	case askPage:
		a.page, a.scan, err = f.readPage(q.page, q.fonts)
	case askPicture, askDrawings:
		a.picture, a.dpi, err = f.picture(q.page, &a.page, q.dpi, q.about == askDrawings)
	case askSuspects:
		a.suspects, err = f.suspects(q.page)
	case askScan:
		a.measures, a.scan = f.measure(q.page)
	case askFacts:
		a.facts = f.facts()
	default:
		err = fmt.Errorf("question %d to pdfium is not known", q.about)
	}
	return a, err
}

// readPage reads the text layer of page i, from 0; scan says that the page shows something that its text layer does not give.
func (d *document) readPage(i int, fonts bool) (p page, scan bool, err error) {
	a, err := d.ask(question{about: askPage, page: i, fonts: fonts})
	if err == nil && a.page.number != i+1 {
		err = fmt.Errorf("asked for page %d, answered %d", i+1, a.page.number)
	}
	return a.page, a.scan, err
}

// picture renders page i at dpi, or at less where that would be too large, and measures it. The dpi used is the second result.
func (d *document) picture(i int, p *page, dpi float64) (*image.RGBA, float64, error) {
	a, err := d.ask(question{about: askPicture, page: i, dpi: dpi})
	if err == nil && a.picture == nil {
		err = fmt.Errorf("page %d without a picture", i+1)
	}
	if err != nil {
		return nil, 0, err
	}
	p.width, p.height = a.page.width, a.page.height
	return a.picture, a.dpi, nil
}

// drawings is picture without the letters of the text layer.
func (d *document) drawings(i int, dpi float64) (*image.RGBA, float64, error) {
	a, err := d.ask(question{about: askDrawings, page: i, dpi: dpi})
	if err == nil && a.picture == nil {
		err = fmt.Errorf("page %d without a picture", i+1)
	}
	return a.picture, a.dpi, err
}

// suspects lists what on page i may be a mark and is no text.
func (d *document) suspects(i int) ([]suspect, error) {
	a, err := d.ask(question{about: askSuspects, page: i})
	return a.suspects, err
}

// measure measures page i and says whether it is a scan.
func (d *document) measure(i int) (ScanPage, bool, error) {
	a, err := d.ask(question{about: askScan, page: i})
	return a.measures, a.scan, err
}

// facts tells what the file is besides its pages.
func (d *document) facts() (pdfFacts, error) {
	a, err := d.ask(question{about: askFacts})
	return a.facts, err
}
