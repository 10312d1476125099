package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// raisedStep says what is wrong with one step of a raised file, "" for nothing: the file as raised last begins with each
// earlier form of it, so that one file proves all steps.
func raisedStep(f RaisedFile, from blob.Digest, newest []byte) string {
	switch {
	case f.From != from:
		return "does not go on from the file before"
	case f.Size <= 0 || f.Size > int64(len(newest)):
		return fmt.Sprintf("has %d bytes, the newest one %d", f.Size, len(newest))
	case blob.Of(newest[:f.Size]) != f.SHA256:
		return "is not the beginning of the newest one, or was changed"
	}
	return ""
}

// raised proves what events say of raised files and returns the newest form of each file by ordinal; a file that was never
// raised is not among them.
func (c *checker) raised(doc *Document, list []Item, story *sealStory) map[int][]byte {
	out := map[int][]byte{}
	for _, it := range list {
		newest := story.newest(it)
		if newest == it.Travels() {
			continue
		}
		what := fmt.Sprintf("document %d: raised file %d", doc.ID, it.Ordinal)
		data := c.bytes(what, newest)
		sent, from := c.bytes(fmt.Sprintf("document %d: file %d of its package", doc.ID, it.Ordinal), it.Travels()), it.Travels()
		if !bytes.HasPrefix(data, sent) {
			c.sayf("%s: does not begin with the bytes that were sent", what)
		}
		for i, n := range story.raises {
			for _, f := range n.Files {
				if f.Ordinal != it.Ordinal {
					continue
				}
				if wrong := raisedStep(f, from, data); wrong != "" {
					c.sayf("%s: step %d %s", what, i+1, wrong)
				}
				if from = f.SHA256; from != newest {
					c.bytes(fmt.Sprintf("%s, step %d", what, i+1), from)
				}
			}
		}
		out[it.Ordinal] = data
	}
	for _, n := range story.raises {
		for _, f := range n.Files {
			if !slices.ContainsFunc(list, func(it Item) bool { return it.Ordinal == f.Ordinal && it.Sealed != "" }) {
				c.sayf("document %d: an event raised file %d, which has no seal", doc.ID, f.Ordinal)
			}
		}
	}
	return out
}

// cares: a seal that has to be raised or renewed has its row, or nobody would do it.
func (c *checker) cares(ctx context.Context, tx *sqldb.Tx) error {
	var have []DocumentID
	if err := tx.SelectContext(ctx, &have, `SELECT document_id FROM seal_care`); err != nil {
		return err
	}
	known := map[DocumentID]bool{}
	for _, id := range have {
		known[id] = true
	}
	for id := range c.stories {
		story := c.stories[id]
		if story.open() && !known[id] {
			c.sayf("seal_care: the row of document %d was removed: nobody raises or renews its seal", id)
		}
	}
	return nil
}
