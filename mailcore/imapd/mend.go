package imapd

import (
	"bytes"
	"strconv"
	"strings"
)

// mendSearch rewrites "SMALLER n" as "NOT LARGER n-1", which means the same. The library forgets a SMALLER as soon as a
// date or a LARGER follows it (imap.SearchCriteria.And takes the 0 of the other side for the smaller size).
func mendSearch(line []byte) []byte {
	if !bytes.Contains(bytes.ToUpper(line), []byte("SMALLER ")) {
		return line
	}
	words := splitWords(string(line))
	for i := 2; i+1 < len(words); i++ {
		key := strings.TrimLeft(words[i], "(")
		end := strings.TrimRight(words[i+1], ")\r\n")
		n, err := strconv.ParseUint(end, 10, 63)
		if !strings.EqualFold(key, "SMALLER") || err != nil || takesText(words[i-1]) || takesText(words[i-2]) && isHeaderKey(words[i-2]) {
			continue
		}
		open, tail := words[i][:len(words[i])-len(key)], words[i+1][len(end):]
		if n == 0 {
			words[i], words[i+1] = open+"NOT", "ALL"+tail
			continue
		}
		words[i], words[i+1] = open+"NOT LARGER", strconv.FormatUint(n-1, 10)+tail
	}
	return []byte(strings.Join(words, " "))
}

// splitWords splits a line at the spaces outside quoted strings.
func splitWords(line string) []string {
	var words []string
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			words = append(words, line[start:i])
			start = i + 1
		}
	}
	return append(words, line[start:])
}

// takesText reports whether a search key is followed by a text, which may happen to be the word SMALLER.
func takesText(word string) bool {
	switch strings.ToUpper(strings.TrimLeft(word, "(")) {
	case "BCC", "BODY", "CC", "FROM", "HEADER", "KEYWORD", "SUBJECT", "TEXT", "TO", "UNKEYWORD":
		return true
	}
	return false
}

func isHeaderKey(word string) bool { return strings.EqualFold(strings.TrimLeft(word, "("), "HEADER") }
