package mailcore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"

	"congvan/mailcore/viettext"

	"golang.org/x/text/unicode/norm"
)

// MinPassword is how many letters a password that a person chooses has at least.
const MinPassword = 12

// maxPassword bounds what is hashed.
const maxPassword = 200

// Why a password is not taken.
var (
	ErrPasswordShort   = errors.New("the password is too short")
	ErrPasswordLong    = errors.New("the password is too long")
	ErrPasswordOld     = errors.New("the password is the old one")
	ErrPasswordAddress = errors.New("the password is made of the address or the name")
	ErrPasswordWeak    = errors.New("the password is easy to guess")
)

// A Strength says how hard a password is to guess.
type Strength int

// The strengths; Weak is refused.
const (
	Weak Strength = iota
	Fair
	Strong
)

// well-known beginnings of guesses, folded.
var guessed = []string{"password", "matkhau", "qwerty", "abcdef", "123456", "654321", "iloveyou", "anhyeuem", "emyeuanh", "vietnam", "kontum", "congvan",
	"ubnd", "admin", "letmein", "welcome", "asdfgh", "zxcvbn", "1q2w3e", "111111", "000000", "888888", "999999"}

// JudgePassword says how strong a password is, and why it cannot be the account's: nil, or one of the errors above.
func JudgePassword(a Account, password string) (Strength, error) {
	password = norm.NFKC.String(password)
	runes := []rune(password)
	switch {
	case len(runes) < MinPassword:
		return Weak, ErrPasswordShort
	case len(runes) > maxPassword:
		return Weak, ErrPasswordLong
	}
	folded := lettersOf(password)
	rest := folded
	for _, part := range append(strings.FieldsFunc(string(a.Address), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), strings.Fields(a.Name)...) {
		if part = lettersOf(part); len(part) >= 3 {
			rest = strings.ReplaceAll(rest, part, "")
		}
	}
	if len(rest) < len(folded) && len(rest) < 8 {
		return Weak, ErrPasswordAddress
	}
	for _, g := range guessed {
		rest = strings.ReplaceAll(rest, g, "*")
	}
	return strengthOf(password, rest)
}

// lettersOf is a text without marks, capitals and everything that is no letter or digit.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, viettext.Fold(s))
}

// strengthOf estimates the bits of a password: each letter that goes not on from the one before (as in aaaa, abcd, 4321) by
// the kinds of letters that are used; rest is the password without what anybody would guess first. It is an estimate from
// above, so the bounds are generous; length is what counts.
func strengthOf(password, rest string) (Strength, error) {
	kinds := map[int]bool{}
	for _, r := range password {
		switch {
		case unicode.IsDigit(r):
			kinds[10] = true
		case unicode.IsUpper(r):
			kinds[27] = true
		case r < unicode.MaxASCII && unicode.IsLetter(r):
			kinds[26] = true
		case unicode.IsLetter(r):
			kinds[40] = true
		default:
			kinds[20] = true
		}
	}
	size := 0
	for n := range kinds {
		size += n
	}
	fresh, distinct := 0, map[rune]bool{}
	var last, step rune
	for i, r := range rest {
		distinct[r] = true
		if d := r - last; i == 0 || d != step && d != 0 {
			fresh++
			step = d
		}
		last = r
	}
	bits := math.Log2(float64(max(size, 2))) * float64(min(fresh, 3*len(distinct)))
	switch {
	case bits < 40 || len(distinct) < 5:
		return Weak, ErrPasswordWeak
	case bits < 80:
		return Fair, nil
	}
	return Strong, nil
}

// ChangePassword is SetPassword by the account's owner: current must be the password so far, and next is judged first.
// Everything that is logged in ends, the caller's own session too.
func (s *Store) ChangePassword(ctx context.Context, a Account, current, next string) error {
	if _, err := s.Authenticate(ctx, a.Address, current); err != nil && !errors.Is(err, ErrMustChange) {
		return fmt.Errorf("change password of %s: %w", a.Address, err)
	}
	if norm.NFKC.String(current) == norm.NFKC.String(next) {
		return ErrPasswordOld
	}
	if _, err := JudgePassword(a, next); err != nil {
		return err
	}
	return s.SetPassword(ctx, a.Address, next, false)
}
