package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"congvan/mailcore/viettext"
)

// errNoOCR says that the program or its Vietnamese model is not installed.
var errNoOCR = errors.New("no text recognition")

// ocrMemory bounds the address space of one tesseract, which needs 130 MB for an A4 page.
const ocrMemory = 1 << 30

// haveOCR says whether tesseract and the model are there. Only a yes is remembered, so that installing it takes effect.
func (r *Reader) haveOCR(ctx context.Context) error {
	r.mu.Lock()
	known := r.ocrReady
	r.mu.Unlock()
	if known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.opt.Tesseract, "--list-langs").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s --list-langs: %w", errNoOCR, r.opt.Tesseract, err)
	}
	for _, l := range strings.Fields(string(out)) {
		if l == r.opt.Language {
			r.mu.Lock()
			r.ocrReady = true
			r.mu.Unlock()
			return nil
		}
	}
	return fmt.Errorf("%w: tesseract has no model %q", errNoOCR, r.opt.Language)
}

// tesseract recognises a picture. The picture goes in and the table comes out by pipes: nothing of the document is written
// to disk. psm is the program's page segmentation mode.
func (r *Reader) tesseract(ctx context.Context, g *image.Gray, dpi float64, psm int) ([]ocrWord, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.PageTimeout)
	defer cancel()
	args := []string{"stdin", "stdout", "-l", r.opt.Language, "--psm", strconv.Itoa(psm), "--dpi", strconv.Itoa(int(dpi + 0.5)), "tsv"}
	name := r.opt.Tesseract
	if limiter, err := exec.LookPath("prlimit"); err == nil {
		args = append([]string{fmt.Sprintf("--as=%d", ocrMemory), "--core=0", name}, args...)
		name = limiter
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1"} // with its default threads it is 3 times slower
	if dir := os.Getenv("TESSDATA_PREFIX"); dir != "" {
		cmd.Env = append(cmd.Env, "TESSDATA_PREFIX="+dir)
	}
	cmd.WaitDelay = 2 * time.Second
	cmd.Stdin = netpbm(g)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("recognise page: %w", ctx.Err())
		}
		return nil, fmt.Errorf("recognise page: %w: %.200s", err, errs.String())
	}
	return parseTSV(out.String()), nil
}

// netpbm gives the picture as a PGM stream.
func netpbm(g *image.Gray) io.Reader {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	head := strings.NewReader(fmt.Sprintf("P5\n%d %d\n255\n", w, h))
	if g.Stride == w {
		return io.MultiReader(head, bytes.NewReader(g.Pix[:w*h]))
	}
	rows := make([]io.Reader, 0, h+1)
	rows = append(rows, head)
	for y := range h {
		rows = append(rows, bytes.NewReader(g.Pix[y*g.Stride:y*g.Stride+w]))
	}
	return io.MultiReader(rows...)
}

// An ocrWord is a row of tesseract's table: a word with its box in dots.
type ocrWord struct {
	text                     string
	left, top, width, height float64
	conf                     float64
}

// parseTSV reads the words out of tesseract's table. Its columns are level, page, block, paragraph, line, word, left, top,
// width, height, confidence, text; words have level 5.
func parseTSV(s string) []ocrWord {
	var out []ocrWord
	for row := range strings.SplitSeq(s, "\n") {
		f := strings.Split(row, "\t")
		if len(f) < 12 || f[0] != "5" {
			continue
		}
		var v [5]float64
		bad := false
		for i := range v {
			n, err := strconv.ParseFloat(f[6+i], 64)
			bad = bad || err != nil
			v[i] = n
		}
		text := viettext.NFC(strings.TrimSpace(f[11]))
		if bad || text == "" || noise(text, v[4]) {
			continue
		}
		out = append(out, ocrWord{text, v[0], v[1], v[2], v[3], v[4]})
	}
	return out
}

// noise says whether a word is what dust, seals and signatures leave: signs without a letter or digit that tesseract itself
// is not sure of. Bullets and punctuation that stand alone are kept when it is.
func noise(text string, conf float64) bool {
	if conf < 8 || conf < 35 && len([]rune(text)) == 1 {
		return true
	}
	if strings.ContainsAny(text, "-–—:") && len(text) <= 3 {
		return false
	}
	return conf < 70 && strings.IndexFunc(text, isLetterOrDigit) < 0
}
