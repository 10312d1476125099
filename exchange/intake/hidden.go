package intake

import "unicode"

// bare says whether a text has far fewer marks than Vietnamese has, where a quarter of the letters bear one: copiers put a
// layer of text under their scans that they read as English.
func bare(words []word) bool {
	letters, marked := 0, 0
	for _, w := range words {
		for _, r := range w.text {
			if !unicode.IsLetter(r) {
				continue
			}
			letters++
			if r > unicode.MaxASCII {
				marked++
			}
		}
	}
	return letters > 0 && marked*100 < letters*13
}
