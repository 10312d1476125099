package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/signing"
)

// A sealedItem is a file of a package on its way through sealing.
type sealedItem struct {
	Item
	travels int64 // size of the bytes that recipients get
}

func itemsIn(list []sealedItem) []Item {
	out := make([]Item, len(list))
	for i := range list {
		out[i] = list[i].Item
	}
	return out
}

// sealPackage seals what can bear a seal, stores it, and adds the sealed list where a file cannot.
func (s *Store) sealPackage(ctx context.Context, doc *Document) (*sealing, error) {
	sealer, err := s.Sealer(ctx, doc.Agency)
	if err != nil {
		return nil, err
	}
	name, err := s.unitName(ctx, doc.Agency)
	if err != nil {
		return nil, err
	}
	list, err := s.Package(ctx, doc.ID)
	if err != nil {
		return nil, err
	}
	ctx = signing.WithPaper(ctx, signing.Paper{Reference: doc.Reference, Abstract: doc.Abstract, Agency: name})
	j := &sealing{s: s, doc: doc, sealer: sealer, agency: name, at: s.db.Now()}
	for _, it := range list {
		if err := j.add(ctx, it); err != nil {
			return nil, fmt.Errorf("file %d of the package: %w", it.Ordinal, err)
		}
	}
	if slices.ContainsFunc(j.out, func(it sealedItem) bool { return it.Sealed == "" }) {
		if err := j.addList(ctx); err != nil {
			return nil, fmt.Errorf("list of the package: %w", err)
		}
	}
	return j, nil
}

// A sealing is one package while it is sealed: all its seals bear one time.
type sealing struct {
	s      *Store
	doc    *Document
	sealer *signing.Sealer
	agency string
	at     time.Time
	level  signing.Level // the lowest that was reached
	out    []sealedItem
}

// A SealNote is what the event of sealing tells about the seals of a package.
type SealNote struct {
	Level       signing.Level `json:"level"`            // the lowest that was reached
	Wanted      signing.Level `json:"wanted,omitempty"` // the level asked for, when a service was out of reach and a lower one was allowed
	Certificate string        `json:"certificate"`      // SHA-256
	Holder      string        `json:"holder"`
	Decision    string        `json:"decision,omitempty"`   // number of the head's decision by which the key signs unattended
	DecidedOn   string        `json:"decided_on,omitempty"` // its date
	Policy      string        `json:"policy,omitempty"`     // object identifier of the signature policy
}

func (j *sealing) note() SealNote {
	use, cert := j.sealer.Use(), j.sealer.Certificate()
	sum := sha256.Sum256(cert.Raw)
	n := SealNote{Level: j.level, Certificate: hex.EncodeToString(sum[:]), Holder: cert.Subject.CommonName, Decision: use.Decision.Number, DecidedOn: use.Decision.Date}
	if use.Level != "" && use.Level != j.level {
		n.Wanted = use.Level
	}
	if use.Policy != nil {
		n.Policy = use.Policy.ID.String()
	}
	return n
}

func (j *sealing) add(ctx context.Context, it Item) error {
	if !it.sealable() {
		j.out = append(j.out, sealedItem{it, it.Size})
		return nil
	}
	pdf, err := j.s.Bytes(it.Original)
	if err != nil {
		return err
	}
	return j.seal(ctx, it, pdf)
}

// seal signs one PDF: the document with the line of an electronic copy, an annex with the document's number and symbol
// (NĐ 30/2020 Phụ lục I).
func (j *sealing) seal(ctx context.Context, it Item, pdf []byte) error {
	use := j.sealer.Use()
	opt := signing.SealOptions{Mark: signing.AnnexText(j.doc.Reference, j.at), Name: j.agency, At: j.at, InPlace: true}
	switch {
	case it.Kind == MainItem && use.Picture != nil:
		opt.Mark, opt.Picture = "", use.Picture
	case it.Kind == MainItem:
		opt.Mark = signing.MarkText(cmp.Or(use.Kind, signing.FullCopy), j.agency, j.at)
	}
	sealed, level, err := j.sealer.SealAsUsed(ctx, pdf, opt)
	if err != nil {
		return err
	}
	if j.level == "" || j.level.AtLeast(level) {
		j.level = level
	}
	if it.Sealed, err = j.s.Mail.SaveBytes(ctx, sealed); err != nil {
		return err
	}
	j.out = append(j.out, sealedItem{it, int64(len(sealed))})
	return nil
}

// addList makes, seals and stores the list of the package's files.
func (j *sealing) addList(ctx context.Context) error {
	l := &PackageList{Reference: j.doc.Reference, Issuer: j.agency, Date: j.doc.IssuedOn}
	for _, it := range j.out {
		name := it.FileName
		if it.Kind == MainItem {
			name = mainName(j.doc.Reference)
		}
		l.Files = append(l.Files, ListEntry{File: name, Size: it.travels, SHA256: string(it.Travels()), Sealed: it.Sealed != ""})
	}
	pdf, err := WritePackageList(l, j.at)
	if err != nil {
		return err
	}
	original, err := j.s.Mail.SaveBytes(ctx, pdf)
	if err != nil {
		return err
	}
	return j.seal(ctx, Item{Document: j.doc.ID, Ordinal: len(j.out), Kind: ListItem, FileName: listName, MediaType: pdfType, Size: int64(len(pdf)), Original: original}, pdf)
}

// keepSeals writes the digests of the sealed files, and the row of the list.
func (s *Store) keepSeals(ctx context.Context, tx *sqldb.Tx, doc *Document, list []sealedItem) error {
	for _, it := range list {
		if it.Sealed == "" {
			continue
		}
		if err := s.Mail.PinTx(ctx, tx, it.Sealed, it.travels); err != nil {
			return err
		}
		switch it.Kind {
		case ListItem:
			if err := s.Mail.PinTx(ctx, tx, it.Original, it.Size); err != nil {
				return err
			}
			if err := insertItems(ctx, tx, doc.ID, []Item{it.Item}); err != nil {
				return err
			}
			continue
		case MainItem:
			doc.SealedPDF = it.Sealed
		}
		if ok, err := tx.ExecOne(ctx, `UPDATE package_item SET sealed = $1 WHERE document_id = $2 AND ordinal = $3 AND sealed = ''`, it.Sealed, doc.ID, it.Ordinal); err != nil {
			return fmt.Errorf("seal of file %d: %w", it.Ordinal, err)
		} else if !ok {
			return ErrStale
		}
	}
	return nil
}
