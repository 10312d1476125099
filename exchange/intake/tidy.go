package intake

import (
	"regexp"
	"slices"
	"strings"
)

// What tesseract makes of the small signs in a block, again and again: they are no letters of names.
var (
	ocrArticle  = regexp.MustCompile(`(?i)^(- )?\p{L}?n[hn][uư]\s+[^ ]{0,3}[eêềéèế]u\s+(\d{1,2})([^\d].*)?$`) // Như Điều n, and nothing else
	ocrFor      = regexp.MustCompile(`\(\s*đ[ếeêểẻ]\s`)
	ocrReport   = regexp.MustCompile(`\(\s*(để\s+)?[bB]\s*/\s*[cC©e€¢G]?\s*\)`)
	ocrDo       = regexp.MustCompile(`\(\s*(để\s+)?[tT]\s*/\s*[hHb]\s*\)`)
	ocrJoin     = regexp.MustCompile(`\(\s*(để\s+)?[pP]\s*/\s*[hHb]\s*\)`)
	ocrDo2      = regexp.MustCompile(`\(\s*th\s*\)`)
	ocrClerks   = regexp.MustCompile(`^(\W*Lưu\s*:?\s*)V\p{L}{1,2}([,.;]?)(\s|$)`) // "VT," runs together
	ocrChairman = regexp.MustCompile(`^(\W*)C[\p{L};.,]+\s+((các )?PCT\b)`)        // so does "CT,"
	spaceBefore = regexp.MustCompile(`\s+([;,.:)])`)
	ocrDesk     = regexp.MustCompile(`\b(TH|VX|KT|NC|NN|CN|TC|NL|XD|KG)[Il]\b`) // desks of an office are numbered: TH1, VX3
	mixedComma  = regexp.MustCompile(`[;.]\s*,`)
	doubleMark  = regexp.MustCompile(`([;,.:])[;,.:'’‘"“”]+$`)
)

// tidyEntry mends an entry of a recognised block: bullets, purposes in brackets, the end mark.
func tidyEntry(s string) string {
	if rest, ok := cutBullet(s); ok {
		s = "- " + rest
	}
	s = ocrArticle.ReplaceAllString(s, "${1}Như Điều $2$3")
	s = ocrFor.ReplaceAllString(s, "(để ")
	s = ocrReport.ReplaceAllString(s, "(${1}b/c)")
	s = ocrDo.ReplaceAllString(s, "(${1}t/h)")
	s = ocrJoin.ReplaceAllString(s, "(${1}p/h)")
	s = ocrDo2.ReplaceAllString(s, "(t/h)")
	s = spaceBefore.ReplaceAllString(s, "$1")
	s = mixedComma.ReplaceAllString(s, ",")
	s = doubleMark.ReplaceAllString(s, "$1")
	s = ocrChairman.ReplaceAllString(s, "${1}CT, $2")
	if m := ocrClerks.FindStringSubmatchIndex(s); m != nil {
		mark := ", "
		if m[1] == len(s) {
			mark = "."
		}
		s = s[:m[3]] + "VT" + mark + s[m[1]:]
	}
	if isArchive(s) { // its codes are parted by commas
		body, end := s[:max(0, len(s)-1)], s[max(0, len(s)-1):]
		s = ocrDesk.ReplaceAllString(strings.ReplaceAll(body, ";", ","), "${1}1") + end
	}
	return s
}

// dropEdge drops what tesseract reads into the dark edge of a bound or crooked page: words it is not sure of that begin at
// the edge of the sheet, where nothing is printed, and what goes on from them.
func (p *page) dropEdge() {
	const sure, edge = 55, 0.025
	bad := map[[2]float64]bool{} // by place
	for _, l := range linesOf(p.words, p.number) {
		words := l.words
		if len(words) > 0 && words[0].x0 < edge*p.width && words[0].conf < sure {
			n := 1
			for n < len(words) && words[n].conf < sure {
				n++
			}
			for _, w := range words[:n] {
				bad[[2]float64{w.x0, w.y0}] = true
			}
		}
	}
	if len(bad) > 0 {
		p.words = slices.DeleteFunc(p.words, func(w word) bool { return bad[[2]float64{w.x0, w.y0}] })
	}
}
