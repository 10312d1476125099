package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/recipients"
)

// A RestoredDocument is one that was registered, and perhaps issued, after the backup that the database was restored from. Its
// paper must be taken in again; it gets its old id and number, and its copies theirs.
type RestoredDocument struct {
	ID        DocumentID          `db:"id" json:"id"`
	Agency    recipients.UnitCode `db:"agency" json:"issuer"`
	Reference string              `db:"reference" json:"reference"`
	Original  blob.Digest         `db:"original" json:"sha256"` // of its file
	Copies    string              `db:"copies" json:"-"`        // of an issued one
}

// A journalCopy is one copy of an issued document: enough to send it again under the same ids.
type journalCopy struct {
	Number    int64  `json:"n"`
	Recipient string `json:"to"`
	Secret    string `json:"s"`
	Sequence  int64  `json:"q"`
	Dot       bool   `json:"dot,omitempty"` // it had gone past DATA
}

func (d *RestoredDocument) list() (copies []journalCopy, err error) {
	if d.Copies != "" {
		err = json.Unmarshal([]byte(d.Copies), &copies)
	}
	return copies, err
}

// Restored lists the documents that still have to be taken in again after a restore.
func (s *Store) Restored(ctx context.Context) (list []RestoredDocument, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error { list, err = restoredDocuments(ctx, tx); return err })
	return list, err
}

func restoredDocuments(ctx context.Context, tx *sqldb.Tx) (list []RestoredDocument, err error) {
	if err := tx.SelectContext(ctx, &list, `SELECT id, agency, reference, original, copies FROM restored_document WHERE again_at IS NULL ORDER BY id`); err != nil {
		return nil, fmt.Errorf("documents known from the journal: %w", err)
	}
	return list, nil
}

// restoredPlaces counts the places that such documents hold in the rows of copies, by issuer and recipient.
func restoredPlaces(ctx context.Context, tx *sqldb.Tx) (map[string]int64, error) {
	list, err := restoredDocuments(ctx, tx)
	out := map[string]int64{}
	for i := range list {
		copies, err := list[i].list()
		if err != nil {
			return nil, err
		}
		for _, c := range copies {
			out[string(list[i].Agency)+" "+c.Recipient]++
		}
	}
	return out, err
}
