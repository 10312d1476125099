package ldapd

import (
	"context"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// NewTestDirectory returns a function that counts what a filter, as it came, finds.
func NewTestDirectory(t testing.TB, people func(context.Context) ([]Person, error)) func(filter []byte) int {
	list, err := people(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := newSnapshot("dc=kontum,dc=test", list)
	return func(text []byte) int {
		f, err := parseFilter(ber.DecodePacket(text))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range dir.entries {
			if f.match(&dir.entries[i]) == yes {
				n++
			}
		}
		return n
	}
}
