package exchange_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// membersOf reads a bundle's members by name.
func membersOf(t testing.TB, bundle []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// resigned gives a bundle a manifest that fits its members, as only the holder of the log's key can: what is inside must
// give a forgery away.
func resigned(t testing.TB, bundle []byte) []byte {
	t.Helper()
	key, err := testLogKey()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	members := membersOf(t, bundle)
	text := strings.Join(strings.SplitAfter(string(members["MANIFEST"]), "\n")[:3], "")
	for _, f := range z.File[1:] {
		text += fmt.Sprintf("%x  %d  %s\n", sha256.Sum256(members[f.Name]), len(members[f.Name]), f.Name)
	}
	manifest, err := note.Sign(&note.Note{Text: text}, key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return rezip(t, bundle, zip.Store, func(name string, b []byte) []byte {
		if name == "MANIFEST" {
			return manifest
		}
		return b
	})
}
