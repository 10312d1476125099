package intake

import "strings"

// isKinhGui says whether a line begins the block Kính gửi (ô 9a).
func isKinhGui(text string) bool {
	f := fold(text)
	return (strings.HasPrefix(f, "kinh gui") || strings.HasPrefix(f, "kinh trinh")) && startsUpper(strings.TrimLeft(text, " "+bullets)) ||
		strings.HasPrefix(squeeze(text), "kinhgui:")
}

// An addressees block is where the Kính gửi lines of a page stand.
type addressees struct {
	entries []string
	lines   []line
	next    int // the first line of the rest after the block
}

// readAddressees reads the block Kính gửi among the lines below the head.
func readAddressees(p page, rest []line) *addressees {
	for i, l := range rest[:min(len(rest), 14)] {
		if isKinhGui(l.text()) {
			return collectAddressees(p, rest, i)
		}
		if articleRef.MatchString(l.text()) {
			break
		}
	}
	return nil
}

func collectAddressees(p page, rest []line, at int) *addressees {
	from := beside(rest, at)
	a := &addressees{lines: rest[at : at+1], next: at + 1}
	for _, l := range rest[from:at] {
		a.add(l.text())
	}
	first, content := cutLabel(rest[at])
	if first != "" {
		a.add(first)
	}
	for a.next < len(rest) && a.goesOn(p, rest, content) {
		a.add(rest[a.next].text())
		a.next++
	}
	a.lines = rest[from:a.next]
	return a
}

// beside goes up from the label over the lines that stand right of it: in a table the label may be level with the middle of
// the list.
func beside(rest []line, at int) int {
	label := rest[at]
	end := label.x1
	for i, w := range label.words {
		if strings.HasSuffix(w.text, ":") || strings.HasPrefix(fold(w.text), "gui") {
			end = label.words[i].x1
			break
		}
	}
	from := at
	for from > 0 && rest[from-1].x0 > end-2 && rest[from].base-rest[from-1].base < 2.6*label.size {
		from--
	}
	return from
}

// cutLabel gives what stands behind "Kính gửi:" on its line and the x where that begins (or the label ends).
func cutLabel(l line) (text string, x float64) {
	for i, w := range l.words {
		if !strings.HasSuffix(w.text, ":") && !strings.HasPrefix(fold(w.text), "gui") && !strings.HasPrefix(fold(w.text), "trinh") {
			continue
		}
		i++
		if i < len(l.words) && strings.Trim(l.words[i].text, ":.") == "" {
			i++
		}
		if i >= len(l.words) {
			return "", l.x1
		}
		tail := line{words: l.words[i:], base: l.base, size: l.size}
		return tail.text(), l.words[i].x0
	}
	return "", l.x1
}

// goesOn says whether the next line still names addressees. What ends the block is a full stop, or a line that begins like
// a paragraph: at the left edge or its indent, running to the right edge.
func (a *addressees) goesOn(p page, rest []line, content float64) bool {
	l, prev := rest[a.next], rest[a.next-1]
	text := l.text()
	_, bullet := cutBullet(text)
	if len(a.entries) == 0 {
		return true // the label stands alone: addressees follow whatever they look like
	}
	if a.next-len(a.lines) > 60 || l.base-prev.base > 3*max(l.size, prev.size) {
		return false
	}
	last := a.entries[len(a.entries)-1]
	left, right := textArea(p)
	paragraph := l.x0 < left+0.13*p.width && (l.x1 > right-0.04*p.width || startsBody(text))
	label := a.lines[0].x0
	switch {
	case bullet:
		return !strings.HasSuffix(last, ".") || strings.HasSuffix(last, "…") || l.x0 > label
	case strings.HasSuffix(last, "."):
		return false
	case strings.HasSuffix(last, ";"), strings.HasSuffix(last, ","):
		return !paragraph || l.x0 > label
	case startsBody(text) && l.x0 < label:
		return false
	}
	// the line before was full, and this one stands under it or in the middle
	wrapped := prev.x1 > right-0.12*p.width || l.x0 >= content-3
	return wrapped && !paragraph && (l.x0 > left+0.1*p.width || l.x0 >= label)
}

// add puts a printed line into the entries: a new one after a bullet or the end of the one before, else its wrapped rest.
func (a *addressees) add(text string) {
	rest, bullet := cutBullet(text)
	n := len(a.entries)
	if n > 0 && !bullet && !endsEntry(a.entries[n-1]) {
		a.entries[n-1] += " " + rest
		return
	}
	a.entries = append(a.entries, rest)
}

func endsEntry(s string) bool {
	return strings.HasSuffix(s, ";") || strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "TP.") && !strings.HasSuffix(s, "Tp.")
}
