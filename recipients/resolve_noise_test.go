package recipients_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"congvan/recipients"
)

// confusions are letters that OCR takes for one another, and marks that it loses or makes up.
var confusions = strings.Fields("y:v v:y l:i i:l l:1 o:0 o:c c:e e:c h:b b:h n:u u:n m:rn t:l g:q đ:d d:đ ă:a â:a ê:e ô:o ơ:o ư:u á:a à:a ả:a ã:a ạ:a ế:ê ề:ê ệ:e ố:ô ộ:o ờ:ơ ợ:o ứ:ư ự:u " +
	"S:5 B:8 U:Ư Đ:D T:I H:II N:M á:ả à:ã ạ:ả ị:i ủ:ú ụ:u ỷ:ỳ ồ:ổ ẫ:ẩ ẩ:ấ")

// soil changes n places of a text as OCR may.
func soil(r *rand.Rand, text string, n int) string {
	rs := []rune(text)
	for ; n > 0; n-- {
		for try := 0; try < 40; try++ {
			from, to, _ := strings.Cut(confusions[r.IntN(len(confusions))], ":")
			at := r.IntN(len(rs))
			if string(rs[at]) != from {
				continue
			}
			rs = append(rs[:at:at], append([]rune(to), rs[at+1:]...)...)
			break
		}
	}
	return string(rs)
}

// TestNoiseMakesNobodyElse soils every name of the directory as OCR does, or changes a letter for any other: what is resolved is that
// unit, and what is not is open. Which share is found is logged; a copy to another unit fails.
func TestNoiseMakesNobodyElse(t *testing.T) {
	d := kontum(t)
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 1
	if os.Getenv("NOISE") != "" {
		rounds = 20
	}
	clean := func(text string) []recipients.UnitCode {
		return d.Resolve(recipients.Request{Issuer: "bvdk", NoiNhan: "- " + text + ";"})[0].Codes
	}
	tried, found, wrong := 0, 0, 0
	for _, u := range d.Units() {
		if u.Kind == recipients.KindGroup || u.Code == "bvdk" {
			continue
		}
		for _, n := range append([]recipients.DatedName{{Text: u.Name}}, u.Aliases...) {
			if codes := clean(n.Text); len([]rune(n.Text)) < 5 || len(codes) != 1 {
				continue
			}
			for round := range 3 * rounds {
				text := soil(r, n.Text, 1+round%2)
				if round%3 == 2 {
					text = anyLetter(r, n.Text)
				}
				tried++
				lines := d.Resolve(recipients.Request{Issuer: "bvdk", NoiNhan: "- " + text + ";"})
				for _, l := range lines {
					for _, code := range l.Codes {
						if code != u.Code {
							wrong++
							t.Logf("%q from %q is %s, not %s (%s)", text, n.Text, code, u.Code, l.Why)
						} else {
							found++
						}
					}
				}
			}
		}
	}
	t.Logf("of %d soiled names %d found, %d wrong", tried, found, wrong)
	if 1000*wrong > tried || found < tried/2 {
		t.Errorf("of %d soiled names %d found, %d wrong", tried, found, wrong)
	}
}

// anyLetter changes one letter for any other.
func anyLetter(r *rand.Rand, text string) string {
	rs := []rune(text)
	for {
		if at := r.IntN(len(rs)); rs[at] > 'A' {
			rs[at] = rune("abcdđeghiklmnoprstuvxy"[r.IntN(20)])
			return string(rs)
		}
	}
}
