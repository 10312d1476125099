package intake

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"
	"strings"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"

	"congvan/mailcore/viettext"
)

// Limits of one page. A page over maxChars is a bomb, not a document; maxPixels bounds the bitmap of one page (A3 at
// 300 dpi is 17 million).
const (
	maxChars  = 150_000
	maxPixels = 24_000_000
)

// A pdfFile is an open document in one instance of PDFium. It is for one goroutine.
type pdfFile struct {
	pdf   pdfium.Pdfium
	doc   references.FPDF_DOCUMENT
	pages int
	head  *pageHandle // the first page, kept open when it has text: it is looked at again
}

// checkBytes finds what is wrong with a file before PDFium sees it.
func checkBytes(data []byte) *Problem {
	if len(data) == 0 {
		return problem(EmptyFile, nil)
	}
	// ISO 32000-1 Annex H.3: readers accept the header anywhere in the first 1024 bytes.
	if !bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")) {
		if len(bytes.Trim(data[:min(len(data), 4096)], "\x00 \t\r\n")) == 0 {
			return problem(EmptyFile, nil)
		}
		return problem(NotPDF, nil)
	}
	// The end mark may be followed by junk, but by no more than a transfer leaves behind.
	if !bytes.Contains(data[max(0, len(data)-4096):], []byte("%%EOF")) {
		return problem(Truncated, nil)
	}
	return nil
}

// openPDF opens the document of the bytes.
func openPDF(pdf pdfium.Pdfium, data []byte) (*pdfFile, error) {
	opened, err := pdf.OpenDocument(&requests.OpenDocument{File: &data})
	if err != nil {
		if errors.Is(err, pdferrors.ErrPassword) || errors.Is(err, pdferrors.ErrSecurity) {
			return nil, problem(Encrypted, err)
		}
		for _, known := range []error{pdferrors.ErrUnknown, pdferrors.ErrFile, pdferrors.ErrFormat, pdferrors.ErrPage, pdferrors.ErrSuccess, pdferrors.ErrUnexpected} {
			if errors.Is(err, known) {
				return nil, problem(Damaged, err)
			}
		}
		return nil, fmt.Errorf("open document: %w", err) // PDFium did not come to judge it: no memory, or a trap
	}
	count, err := pdf.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: opened.Document})
	if err != nil {
		return nil, problem(Damaged, err)
	}
	if count.PageCount <= 0 {
		return nil, problem(NoPages, nil)
	}
	return &pdfFile{pdf: pdf, doc: opened.Document, pages: count.PageCount}, nil
}

// A geometry turns PDFium's page coordinates (origin bottom left, before rotation) into those of the shown page.
type geometry struct {
	left, bottom, right, top float64
	rotation                 int // quarter turns clockwise
}

func (g geometry) size() (width, height float64) {
	if g.rotation%2 == 1 {
		return g.top - g.bottom, g.right - g.left
	}
	return g.right - g.left, g.top - g.bottom
}

// box turns a rectangle of the page into one of the shown page.
func (g geometry) box(l, b, r, t float64) (x0, y0, x1, y1 float64) {
	switch g.rotation % 4 {
	case 1:
		return b - g.bottom, l - g.left, t - g.bottom, r - g.left
	case 2:
		return g.right - r, b - g.bottom, g.right - l, t - g.bottom
	case 3:
		return g.top - t, g.right - r, g.top - b, g.right - l
	}
	return l - g.left, g.top - t, r - g.left, g.top - b
}

// A pageHandle is one loaded page.
type pageHandle struct {
	ref  requests.Page
	geom geometry
	free func()
}

// load opens page i (from 0). Annotations are drawn into the page first: the number, the date and the seal of many signed
// documents stand in the appearance of signature fields, not in the page.
func (f *pdfFile) load(i int) (*pageHandle, error) {
	if i == 0 && f.head != nil {
		return &pageHandle{ref: f.head.ref, geom: f.head.geom, free: func() {}}, nil
	}
	loaded, err := f.pdf.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: f.doc, Index: i})
	if err != nil {
		return nil, fmt.Errorf("load page %d: %w", i+1, err)
	}
	ref := requests.Page{ByReference: &loaded.Page}
	if n, err := f.pdf.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: ref}); err == nil && n.Count > 0 {
		if _, err := f.pdf.FPDFPage_Flatten(&requests.FPDFPage_Flatten{Page: ref}); err == nil {
			f.pdf.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
			if loaded, err = f.pdf.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: f.doc, Index: i}); err != nil {
				return nil, fmt.Errorf("load page %d again: %w", i+1, err)
			}
			ref = requests.Page{ByReference: &loaded.Page}
		}
	}
	h := &pageHandle{ref: ref, free: func() { f.pdf.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page}) }}
	if h.geom, err = f.geometry(ref); err != nil {
		h.free()
		return nil, fmt.Errorf("measure page %d: %w", i+1, err)
	}
	return h, nil
}

func (f *pdfFile) geometry(ref requests.Page) (geometry, error) {
	box, err := f.pdf.FPDF_GetPageBoundingBox(&requests.FPDF_GetPageBoundingBox{Page: ref})
	if err != nil {
		return geometry{}, err
	}
	g := geometry{left: float64(box.Rect.Left), bottom: float64(box.Rect.Bottom), right: float64(box.Rect.Right),
		top: float64(box.Rect.Top)}
	rot, err := f.pdf.FPDFPage_GetRotation(&requests.FPDFPage_GetRotation{Page: ref})
	if err != nil {
		return geometry{}, err
	}
	g.rotation = int(rot.PageRotation)
	if w, h := g.size(); !(w > 1 && h > 1 && w < 1e6 && h < 1e6) {
		return geometry{}, fmt.Errorf("page of %g x %g points", w, h)
	}
	return g, nil
}

// A textPage is the text layer of a loaded page.
type textPage struct {
	ref   references.FPDF_TEXTPAGE
	chars int
	free  func()
}

// openText finds the characters of a page. It refuses a page with more than any document has.
func (f *pdfFile) openText(h *pageHandle) (*textPage, error) {
	text, err := f.pdf.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: h.ref})
	if err != nil {
		return nil, fmt.Errorf("load text: %w", err)
	}
	t := &textPage{ref: text.TextPage}
	t.free = func() { f.pdf.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: t.ref}) }
	n, err := f.pdf.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: t.ref})
	if err != nil {
		t.free()
		return nil, fmt.Errorf("count characters: %w", err)
	}
	if n.Count > maxChars {
		t.free()
		return nil, problem(TooComplex, fmt.Errorf("%d characters on one page", n.Count))
	}
	t.chars = n.Count
	return t, nil
}

// glyphs gives the characters of the text layer with their places, and the angles at which they stand on the shown page.
func (f *pdfFile) glyphs(h *pageHandle) (out []glyph, angles []float64, err error) {
	res, err := f.pdf.GetPageTextStructured(&requests.GetPageTextStructured{Page: h.ref, Mode: requests.GetPageTextStructuredModeChars})
	if err != nil {
		return nil, nil, fmt.Errorf("read text: %w", err)
	}
	out, angles = make([]glyph, len(res.Chars)), make([]float64, len(res.Chars))
	for i, c := range res.Chars {
		g := &out[i]
		for _, r := range c.Text {
			g.r = r
		}
		p := c.PointPosition
		g.x0, g.y0, g.x1, g.y1 = h.geom.box(p.Left, p.Bottom, p.Right, p.Top)
		up, down := letterShape(c.Text)
		g.size = (g.y1 - g.y0) / (up + down)
		angles[i] = math.Mod(c.Angle-float64(h.geom.rotation)*math.Pi/2+4*math.Pi, 2*math.Pi)
	}
	return out, angles, nil
}

// byAngle gives the characters that stand upright, and those that lean. Watermarks, stamps and marginal notes run across the
// lines.
func byAngle(glyphs []glyph, angles []float64) (upright []glyph, leans []leaning) {
	upright = make([]glyph, 0, len(glyphs))
	for i, g := range glyphs {
		angle := angles[i]
		if angle > 0.06 && angle < 2*math.Pi-0.06 {
			leans = append(leans, leaning{g, angle})
		}
		if angle <= 0.3 || angle >= 2*math.Pi-0.3 {
			upright = append(upright, g)
		}
	}
	return upright, leans
}

// plainText gives the text of a page in one piece, without places.
func (f *pdfFile) plainText(t *textPage) (string, error) {
	if t.chars == 0 {
		return "", nil
	}
	res, err := f.pdf.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: t.ref, StartIndex: 0, Count: t.chars})
	if err != nil {
		return "", fmt.Errorf("read plain text: %w", err)
	}
	return viettext.NFC(strings.Trim(res.Text, "\x00")), nil
}

// render draws the page at dpi, or at less where it would pass maxPixels, and returns a grey copy and the dpi used.
func (f *pdfFile) render(h *pageHandle, dpi float64) (*image.RGBA, float64, error) {
	w, ht := h.geom.size()
	if px := w * ht * dpi * dpi / (72 * 72); px > maxPixels {
		dpi *= math.Sqrt(maxPixels / px)
	}
	res, err := f.pdf.RenderPageInPixels(&requests.RenderPageInPixels{Page: h.ref, Width: int(w * dpi / 72),
		Height: int(ht * dpi / 72), Document: &f.doc})
	if err != nil {
		return nil, 0, fmt.Errorf("render page: %w", err)
	}
	defer res.Cleanup()
	src, ok := res.Result.RenderedImage.(*image.RGBA)
	if !ok {
		return nil, 0, fmt.Errorf("render page: picture of type %T", res.Result.RenderedImage)
	}
	out := &image.RGBA{Pix: bytes.Clone(src.Pix), Stride: src.Stride, Rect: src.Rect}
	return out, float64(src.Rect.Dx()) * 72 / w, nil
}

// readPage reads the text layer of page i, from 0. scan says that the page shows something that its text layer, if any,
// does not give. Fonts are asked for on the first page, where bold tells the issuer from its superior, around the block Nơi
// nhận, whose type is smaller, and where the text is not good Vietnamese as it stands.
//
// Where nothing hangs on places the plain text does, in a tenth of the time: on pages in the middle without a label or a
// mark.
func (f *pdfFile) readPage(i int, fonts bool) (p page, scan bool, err error) {
	p = page{number: i + 1}
	h, err := f.load(i)
	if err != nil {
		p.unread = true
		return p, false, nil // one bad page does not take the others with it
	}
	defer func() {
		if i == 0 && f.head == nil && err == nil && !scan {
			f.head = h // closed with the file
			return
		}
		h.free()
	}()
	p.width, p.height = h.geom.size()
	if scan, err = f.readLayer(h, &p, fonts); err == nil && !scan {
		p.drawn = f.draws(h)
	}
	return p, scan, err
}

// readLayer reads the text layer of a page that is loaded.
func (f *pdfFile) readLayer(h *pageHandle, p *page, fonts bool) (scan bool, err error) {
	t, err := f.openText(h)
	if err != nil {
		return false, err
	}
	defer t.free()
	if !fonts {
		text, err := f.plainText(t)
		if err != nil {
			return false, err
		}
		if t.chars >= 300 && ordinary(text) {
			p.text = text
			return false, nil
		}
	}
	if err := f.readWords(h, t, p, fonts); err != nil {
		return false, err
	}
	letters, good := usable(p.words)
	foreign := bare(p.words)
	if good && letters >= 300 && !foreign {
		return false, nil
	}
	cover := f.pictureCover(h)
	switch {
	case foreign && letters >= 300 && cover > 0.8: // the hidden text of a scan, read as another language
	case good && cover < 0.5:
		return false, nil
	case letters == 0 && cover == 0 && !f.shows(h):
		return false, nil // an empty page
	case letters > 0 && cover == 0 && letters < 20:
		return false, nil // a page number
	}
	p.words, p.encoding = nil, ""
	return true, nil
}

// readWords builds the words of a page and decodes them.
func (f *pdfFile) readWords(h *pageHandle, t *textPage, p *page, fonts bool) error {
	glyphs, angles, err := f.glyphs(h)
	if err != nil {
		return err
	}
	for {
		if fonts {
			(&fontReader{file: f, text: t.ref}).set(glyphs)
		}
		upright, leans := byAngle(glyphs, angles)
		p.turned = turnedTexts(leans)
		p.words = wordsOf(upright)
		if !fonts && (!plain(p.words) || findLabel([]page{*p}) != nil) {
			fonts = true
			continue
		}
		p.encoding = decodePage(p.words)
		return nil
	}
}

// picture renders page i, and measures it; bare leaves out what the text layer gives.
func (f *pdfFile) picture(i int, p *page, dpi float64, bare bool) (*image.RGBA, float64, error) {
	h, err := f.load(i)
	if err != nil {
		return nil, 0, err
	}
	defer h.free()
	p.width, p.height = h.geom.size()
	if bare {
		f.withoutText(h)
	}
	return f.render(h, dpi)
}

// maxObjects bounds how many objects of a page are looked at one by one.
const maxObjects = 400

// shows says whether anything can be seen on the page: some producers paint an empty page white.
func (f *pdfFile) shows(h *pageHandle) bool {
	n, err := f.pdf.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: h.ref})
	if err == nil && n.Count == 0 {
		return false
	}
	const dpi = 50 // a hairline is grey then, not white
	img, _, err := f.render(h, dpi)
	if err != nil {
		return true
	}
	for i, v := range img.Pix {
		if i%4 != 3 && v < 245 {
			return true
		}
	}
	return false
}

// pictures yields the bounds of the pictures and form objects among the first limit objects of a page.
func (f *pdfFile) pictures(h *pageHandle, limit int) iter.Seq[*responses.FPDFPageObj_GetBounds] {
	return func(yield func(*responses.FPDFPageObj_GetBounds) bool) {
		n, err := f.pdf.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: h.ref})
		if err != nil {
			return // a page whose objects cannot be counted has none that we can look at
		}
		for i := range min(n.Count, limit) {
			obj, err := f.pdf.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: h.ref, Index: i})
			if err != nil {
				continue
			}
			kind, err := f.pdf.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: obj.PageObject})
			if err != nil || kind.Type != enums.FPDF_PAGEOBJ_IMAGE && kind.Type != enums.FPDF_PAGEOBJ_FORM {
				continue
			}
			b, err := f.pdf.FPDFPageObj_GetBounds(&requests.FPDFPageObj_GetBounds{PageObject: obj.PageObject})
			if err == nil && !yield(b) {
				return
			}
		}
	}
}

// pictureCover is the share of the page that the largest picture on it covers. A scan is a page of one picture, which may
// carry a little text: the line of a digital signature, a stamp of the incoming mail.
func (f *pdfFile) pictureCover(h *pageHandle) float64 {
	w, ht := h.geom.size()
	cover := 0.0
	for b := range f.pictures(h, maxObjects) {
		area := math.Abs(float64(b.Right-b.Left) * float64(b.Top-b.Bottom))
		cover = max(cover, min(1, area/(w*ht)))
	}
	return cover
}
