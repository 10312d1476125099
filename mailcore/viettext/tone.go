package viettext

// A toneMark is one of the five tone marks of Vietnamese (dấu thanh) as its combining character, or 0 for the level tone.
type toneMark rune

// The tone marks, in the order of dictionaries.
const (
	grave toneMark = '\u0300' // huyền
	hook  toneMark = '\u0309' // hỏi
	tilde toneMark = '\u0303' // ngã
	acute toneMark = '\u0301' // sắc
	dot   toneMark = '\u0323' // nặng
)

// tones lists the marks in the order of the columns of vowels.
var tones = [5]toneMark{grave, hook, tilde, acute, dot}

// vowels has one row for each vowel: the bare letter, then with grave, hook, tilde, acute and dot below.
var vowels = [][6]rune{
	{'a', 'à', 'ả', 'ã', 'á', 'ạ'}, {'ă', 'ằ', 'ẳ', 'ẵ', 'ắ', 'ặ'}, {'â', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ'},
	{'e', 'è', 'ẻ', 'ẽ', 'é', 'ẹ'}, {'ê', 'ề', 'ể', 'ễ', 'ế', 'ệ'}, {'i', 'ì', 'ỉ', 'ĩ', 'í', 'ị'},
	{'o', 'ò', 'ỏ', 'õ', 'ó', 'ọ'}, {'ô', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ'}, {'ơ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ'},
	{'u', 'ù', 'ủ', 'ũ', 'ú', 'ụ'}, {'ư', 'ừ', 'ử', 'ữ', 'ứ', 'ự'}, {'y', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ'},
}

type toned struct {
	base rune
	tone toneMark
}

// Both directions of the table of vowels; lower case only.
var (
	splitTable = map[rune]toned{}
	joinTable  = map[toned]rune{}
)

func init() {
	for _, row := range vowels {
		splitTable[row[0]] = toned{row[0], 0}
		joinTable[toned{row[0], 0}] = row[0]
		for i, t := range tones {
			splitTable[row[i+1]] = toned{row[0], t}
			joinTable[toned{row[0], t}] = row[i+1]
		}
	}
}

// isVowel reports whether r is a lower-case Vietnamese vowel, with or without a tone.
func isVowel(r rune) bool {
	_, ok := splitTable[r]
	return ok
}

// splitTone takes the tone off a lower-case vowel: ế gives ê and the acute. Any other rune comes back with tone 0.
func splitTone(r rune) (rune, toneMark) {
	if t, ok := splitTable[r]; ok {
		return t.base, t.tone
	}
	return r, 0
}

// joinTone is the inverse of splitTone for lower-case vowels.
func joinTone(base rune, tone toneMark) rune {
	if r, ok := joinTable[toned{base, tone}]; ok {
		return r
	}
	return base
}
