package recipients

import (
	"regexp"
	"slices"
	"strings"
)

var (
	articleStart = regexp.MustCompile(`(?i)(?:^|\n)[ \t]*Điều[ \t]+(\d{1,3}|[IVX]{1,4})[ \t]*[.:)]`)
	// articleDuty ends the names of those who carry a decision out.
	articleDuty = regexp.MustCompile(`(?i)\s*(?:căn cứ quyết định|có trách nhiệm|chịu trách nhiệm|căn cứ|phối hợp tổ chức)`)
	// articleCharge begins an article that charges somebody, articleVerb what they are to do, articleWith those who help them.
	articleCharge = regexp.MustCompile(`^(?:Giao|Yêu cầu|Đề nghị|Uỷ quyền|Ủy quyền)(?: trách nhiệm)?(?: cho)?:?\s+`)
	articleVerb   = regexp.MustCompile(`[,;]?\s+(?:chủ trì|phối hợp|hướng dẫn|tổ chức|triển khai|thực hiện|thi hành|kiểm tra|theo dõi|căn cứ|chịu trách nhiệm|có trách nhiệm|` +
		`chỉ đạo|thông báo|tham mưu|đôn đốc|rà soát|báo cáo|quản lý)(?:\s|[,;.]|$)`)
	articleWith = regexp.MustCompile(`(?:^|\s)(?:phối hợp với|phối hợp cùng|cùng với|với)\s+`)
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
		number := body[m[2]:m[3]]
		n := articleNumber(token{word: number, raw: strings.ToUpper(number)})
		if _, ok := articles[n]; n > 0 && !ok {
			articles[n] = strings.TrimSpace(body[m[1]:end])
		}
	}
	return articles
}

// dutyBearers returns the words of an article that name who carries it out, "" when it names nobody: "Giám đốc Sở A chịu trách
// nhiệm thi hành", "Giao Sở A chủ trì, phối hợp với Sở B hướng dẫn".
func dutyBearers(article string) string {
	if m := articleStart.FindStringIndex(article); m != nil && m[0] == 0 {
		article = article[m[1]:]
	}
	article = strings.Join(strings.Fields(strings.ToValidUTF8(firstBytes(article, maxArticle), " ")), " ")
	var names []string
	if m := articleCharge.FindStringIndex(article); m != nil {
		var charged []string
		charged, article = chargedIn(article[m[1]:])
		names = append(names, charged...)
	}
	if m := articleDuty.FindStringIndex(article); m != nil {
		names = append(names, lastSentence(article[:m[0]]))
	}
	for i := range names {
		names[i] = strings.Trim(articleLead.ReplaceAllString(strings.TrimSpace(names[i]), ""), " ,;.")
	}
	return strings.Join(slices.DeleteFunc(names, func(n string) bool { return n == "" }), "; ")
}

// maxArticle bounds the bytes of an article that are read: those who carry it out stand in a few lines.
const maxArticle = 8 << 10

// chargedIn reads who is charged in the sentence behind "Giao", those who take part too, and returns what follows it.
func chargedIn(text string) (names []string, rest string) {
	for at := 0; ; {
		m := articleVerb.FindStringIndex(text[at:])
		stop := sentenceEnd(text[at:])
		if m == nil || stop >= 0 && m[0] > stop {
			break
		}
		names = append(names, text[at:at+m[0]])
		at += m[1]
		with := articleWith.FindStringIndex(text[at:])
		stop = sentenceEnd(text[at:])
		if with == nil || stop >= 0 && with[0] > stop {
			text = text[at:]
			break
		}
		at += with[1]
	}
	if stop := sentenceEnd(text); stop >= 0 {
		return names, text[stop+1:]
	}
	return names, ""
}

// sentenceEnd is the offset of the full stop that ends the first sentence, -1 when it ends the text.
func sentenceEnd(text string) int {
	for at := 0; ; {
		i := strings.Index(text[at:], ". ")
		if i < 0 {
			return -1
		}
		if endsSentence(text[:at+i]) {
			return at + i
		}
		at += i + 2
	}
}

// lastSentence drops whole sentences in front of the last one.
func lastSentence(text string) string {
	for {
		i := strings.Index(text, ". ")
		if i < 0 || !endsSentence(text[:i]) {
			return text
		}
		text = text[i+2:]
	}
}

// endsSentence reports whether the text before a full stop is a sentence and no abbreviation such as "TP".
func endsSentence(s string) bool {
	words := strings.Fields(s)
	return len(words) > 3 && len(words[len(words)-1]) > 2
}

// articleText returns the text of the article with this number, "" when it is not at hand.
func articleText(req Request, n int) string {
	if text, ok := req.Articles[n]; ok {
		return text
	}
	return Articles(decode(req.Body))[n]
}
