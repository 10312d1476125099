package mailcore

import (
	"html"
	"io"
	"regexp"
	"strings"

	"congvan/mailcore/viettext"

	xhtml "golang.org/x/net/html"
)

var (
	metaCharset = regexp.MustCompile(`(?i)(charset\s*=\s*["']?)[\w.:-]+`)
	oldFont     = regexp.MustCompile(`(?i)(?:\.Vn[A-Za-z]+|VNI-[A-Za-z]+)(?: [A-Z][a-z]+)*`)
)

// apart stands between the texts of a page while they are judged together; no encoding has a letter there.
const apart = "\x1f"

// html converts the text of a page, tag by tag left as it is but for the charset and the names of fonts that hold old encodings.
// A page set in a font of capitals is not converted: its capitals are in the font alone.
func (c *converter) html(page string, labelled viettext.Encoding) (string, bool, error) {
	if strings.Contains(page, apart) {
		return "", false, nil
	}
	tokens, texts, fonts := tokens(latin(page))
	out, ok, err := c.judge(TextBody, strings.Join(texts, apart), labelled)
	if err != nil || !ok {
		return "", false, err
	}
	for _, f := range fonts {
		if _, capitals := viettext.FontEncoding(f); capitals {
			return "", false, &OldTextError{TextBody, viettext.TCVN3, c.sealed}
		}
	}
	now := strings.Split(out, apart)
	if len(now) != len(texts) {
		return "", false, &OldTextError{TextBody, c.done.Encoding, c.sealed}
	}
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; t.kind {
		case textToken:
			b.WriteString(html.EscapeString(now[t.text]))
		case tagToken:
			raw := oldFont.ReplaceAllString(t.raw, "Times New Roman")
			if strings.HasPrefix(strings.ToLower(raw), "<meta") {
				raw = metaCharset.ReplaceAllString(raw, "${1}utf-8")
			}
			b.WriteString(raw)
		default:
			b.WriteString(t.raw)
		}
	}
	return b.String(), true, nil
}

type htmlToken struct {
	kind int
	raw  string
	text int
}

const (
	otherToken = iota
	textToken
	tagToken
)

// tokens parts a page; texts are unescaped, fonts are the old ones that are named in it.
func tokens(page string) (all []htmlToken, texts, fonts []string) {
	z := xhtml.NewTokenizer(strings.NewReader(page))
	hidden := false // inside style or script, which are not read
	for {
		kind := z.Next()
		raw := string(z.Raw())
		if kind == xhtml.ErrorToken {
			if z.Err() == io.EOF && raw != "" {
				all = append(all, htmlToken{raw: raw})
			}
			return all, texts, fonts
		}
		t := htmlToken{raw: raw}
		switch kind {
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			name, _ := z.TagName()
			hidden = kind == xhtml.StartTagToken && (string(name) == "style" || string(name) == "script")
			t.kind = tagToken
			fonts = append(fonts, oldFont.FindAllString(raw, -1)...)
		case xhtml.TextToken:
			if hidden {
				t.kind = tagToken // style sheets name fonts
				fonts = append(fonts, oldFont.FindAllString(raw, -1)...)
			} else if strings.TrimSpace(raw) != "" {
				t.kind, t.text = textToken, len(texts)
				texts = append(texts, html.UnescapeString(raw))
			}
		}
		all = append(all, t)
	}
}
