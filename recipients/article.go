package recipients

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	articleStart = regexp.MustCompile(`(?i)(?:^|\n)[ \t]*Điều[ \t]+(\d{1,3})[ \t]*[.:)]`)
	// articleNumbers finds the numbers of "Như Điều 2, 3" in the folded text.
	articleNumbers = regexp.MustCompile(`\d{1,3}`)
	// articleDuty ends the names of those who carry a decision out.
	articleDuty = regexp.MustCompile(`(?i)\s*(?:căn cứ quyết định|có trách nhiệm|chịu trách nhiệm|căn cứ|phối hợp tổ chức)`)
	articleLead = regexp.MustCompile(`(?i)^(?:các\s+)?(?:ông\s*[,/]?\s*\(?\s*bà\s*\)?|đồng chí|đ/c)\s*:?\s*`)
)

// Articles cuts a text into its Điều. The first of two with the same number counts: annexes begin anew.
func Articles(body string) map[int]string {
	articles := map[int]string{}
	marks := articleStart.FindAllStringSubmatchIndex(body, -1)
	for i, m := range marks {
		end := len(body)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		n, err := strconv.Atoi(body[m[2]:m[3]])
		if _, ok := articles[n]; err == nil && !ok {
			articles[n] = strings.TrimSpace(body[m[1]:end])
		}
	}
	return articles
}

// dutyBearers returns the words of an article that name who carries it out, "" when it names nobody.
func dutyBearers(article string) string {
	if m := articleStart.FindStringIndex(article); m != nil && m[0] == 0 {
		article = article[m[1]:]
	}
	article = strings.Join(strings.Fields(article), " ")
	m := articleDuty.FindStringIndex(article)
	if m == nil {
		return ""
	}
	names := article[:m[0]]
	for {
		i := strings.Index(names, ". ")
		if i < 0 || !endsSentence(names[:i]) {
			break
		}
		names = names[i+2:]
	}
	return strings.TrimSpace(articleLead.ReplaceAllString(strings.TrimSpace(names), ""))
}

// endsSentence reports whether the text before a full stop is a sentence and no abbreviation such as "TP".
func endsSentence(s string) bool {
	words := strings.Fields(s)
	return len(words) > 3 && len(words[len(words)-1]) > 2
}

// articleText returns the text of the article with this number, "" when it is not at hand.
func articleText(req Request, number string) string {
	n, err := strconv.Atoi(number)
	if err != nil {
		return ""
	}
	if text, ok := req.Articles[n]; ok {
		return text
	}
	return Articles(decode(req.Body))[n]
}
