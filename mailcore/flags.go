package mailcore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The system flags (RFC 9051 §2.3.2).
const (
	FlagSeen     = `\Seen`
	FlagAnswered = `\Answered`
	FlagFlagged  = `\Flagged`
	FlagDeleted  = `\Deleted`
	FlagDraft    = `\Draft`
)

// ErrBadFlag says that a text cannot be a flag.
var ErrBadFlag = errors.New("not a flag")

// maxFlags and maxFlag bound what one client can make every other one read.
const (
	maxFlags = 100
	maxFlag  = 100
)

// parseFlags returns flags as they are stored: system flags in their one spelling, none twice in another case, sorted.
// \Recent is left out: it belongs to a session.
func parseFlags(flags []string) ([]string, error) {
	var out []string
	for _, f := range flags {
		if strings.EqualFold(f, `\Recent`) {
			continue
		}
		name, err := flagName(f)
		if err != nil {
			return nil, err
		}
		if flagIndex(out, name) < 0 {
			out = append(out, name)
		}
	}
	if len(out) > maxFlags {
		return nil, fmt.Errorf("%d flags: %w", len(out), ErrBadFlag)
	}
	slices.Sort(out)
	return out, nil
}

func flagName(f string) (string, error) {
	if strings.HasPrefix(f, `\`) {
		for _, known := range []string{FlagSeen, FlagAnswered, FlagFlagged, FlagDeleted, FlagDraft} {
			if strings.EqualFold(f, known) {
				return known, nil
			}
		}
		return "", fmt.Errorf("%q: %w", f, ErrBadFlag)
	}
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) } // RFC 9051 §9, atom
	if f == "" || len(f) > maxFlag || strings.ContainsFunc(f, bad) {
		return "", fmt.Errorf("%q: %w", f, ErrBadFlag)
	}
	return f, nil
}

// flagIndex finds a flag in any case.
func flagIndex(flags []string, name string) int {
	return slices.IndexFunc(flags, func(f string) bool { return strings.EqualFold(f, name) })
}

// hasFlag looks for a system flag in a stored list.
func hasFlag(stored, name string) bool { return slices.Contains(strings.Fields(stored), name) }

// apply returns the stored list after an operation.
func (op FlagOp) apply(stored string, flags []string) string {
	if op == FlagsSet {
		return strings.Join(flags, " ")
	}
	out := strings.Fields(stored)
	for _, f := range flags {
		switch i := flagIndex(out, f); {
		case op == FlagsAdd && i < 0 && len(out) < maxFlags:
			out = append(out, f)
		case op == FlagsRemove && i >= 0:
			out = slices.Delete(out, i, i+1)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
