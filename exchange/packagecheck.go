package exchange

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
)

// pack proves a document's package: it begins with the document's own file, every file's bytes are there as their digest
// says, every seal verifies, and what has none stands with its digest in the sealed list.
func (c *checker) pack(ctx context.Context, doc *Document) error {
	list, err := c.s.Package(ctx, doc.ID)
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].Kind != MainItem || list[0].Original != doc.Original || list[0].Sealed != doc.SealedPDF {
		c.sayf("document %d: its package does not begin with its own file", doc.ID)
		return nil
	}
	sealed := doc.State == Sealed || doc.State == Issued
	var listed *PackageList
	story := c.stories[doc.ID]
	raised := c.raised(doc, list, &story)
	for i, it := range list {
		if it.Ordinal != i || it.Kind == MainItem && i > 0 || it.Kind == ListItem && i != len(list)-1 {
			c.sayf("document %d: file %d of its package is out of order", doc.ID, it.Ordinal)
		}
		data := c.file(doc, it)
		if sealed && it.sealable() {
			newest := data
			if more := raised[it.Ordinal]; more != nil { // it has the same seal, and what later proves it by
				newest = more
			}
			c.seal(ctx, doc, it, newest)
		}
		if it.Kind == ListItem {
			listed = FindPackageList(data)
		}
	}
	if sealed {
		c.listed(doc, list, listed)
	}
	return nil
}

// file reads a file as it came and as it travels, compares both with their digests, and returns the latter.
func (c *checker) file(doc *Document, it Item) []byte {
	what := fmt.Sprintf("document %d: file %d of its package", doc.ID, it.Ordinal)
	data := c.bytes(what, it.Travels())
	if it.Original != it.Travels() {
		c.bytes(what+", as it came", it.Original)
	}
	return data
}

// bytes reads a blob and compares it with its digest.
func (c *checker) bytes(what string, digest blob.Digest) []byte {
	data, err := c.s.Bytes(digest)
	if err != nil {
		c.sayf("%s: %v", what, err)
		return nil
	}
	if blob.Of(data) != digest {
		c.sayf("%s has other bytes than its digest says", what)
	}
	return data
}

// kept: the sweep leaves a document's files, and the mails that acts came by, alone.
func (c *checker) kept(ctx context.Context, tx *sqldb.Tx, doc *Document, events []Event) error {
	list, err := items(ctx, tx, doc.ID)
	if err != nil {
		return err
	}
	var digests []blob.Digest
	for _, it := range list {
		digests = append(digests, it.Original)
		if it.Sealed != "" {
			digests = append(digests, it.Sealed)
		}
	}
	for _, n := range c.stories[doc.ID].raises {
		for _, f := range n.Files {
			digests = append(digests, f.SHA256)
		}
	}
	for _, e := range events {
		if d := blob.Digest(emlOf(e.Detail)); d != "" {
			c.mails[d] = fmt.Sprintf("mail of event %d of %s", e.Ordinal, chainName(e.Chain))
			digests = append(digests, d)
		}
	}
	loose, err := c.s.Mail.UnpinnedTx(ctx, tx, digests)
	for _, d := range loose {
		c.sayf("blob %s of document %d: its row was removed, or is no longer kept for ever", d, doc.ID)
	}
	return err
}

// mailBytes: mails that acts came by are there, byte for byte.
func (c *checker) mailBytes() {
	for _, d := range slices.Sorted(maps.Keys(c.mails)) {
		c.bytes(c.mails[d], d)
	}
}

func (c *checker) seal(ctx context.Context, doc *Document, it Item, data []byte) {
	if it.Sealed == "" {
		c.sayf("document %d: file %d of its package has no seal", doc.ID, it.Ordinal)
		return
	}
	if c.s.Verify == nil {
		return
	}
	if err := c.s.Verify(ctx, data); err != nil {
		c.sayf("document %d: seal of file %d: %v", doc.ID, it.Ordinal, err)
	}
}

// listed: there is a list exactly where a file has no seal of its own, and it names every file by its digest.
func (c *checker) listed(doc *Document, list []Item, l *PackageList) {
	bare := slices.ContainsFunc(list, func(it Item) bool { return it.Sealed == "" })
	if bare != (l != nil) {
		c.sayf("document %d: files without a seal: %t, a list of files: %t", doc.ID, bare, l != nil)
		return
	}
	if l == nil {
		return
	}
	for _, it := range list {
		if it.Kind != ListItem && !slices.ContainsFunc(l.Files, func(e ListEntry) bool { return e.SHA256 == string(it.Travels()) }) {
			c.sayf("document %d: file %d of its package is not in the list", doc.ID, it.Ordinal)
		}
	}
}
