package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"congvan/mailcore/blob"
	"congvan/mailcore/sqldb"
	"congvan/signing"
)

// EventInspected tells that a recipient looked at the seal and the digest of its copy.
const EventInspected = "inspected"

// An Inspection is what a recipient should know of a copy before it accepts it.
type Inspection struct {
	Status signing.Status  `json:"status"` // of all files together: the worst
	Reason string          `json:"reason"` // Vietnamese
	Files  []InspectedFile `json:"files"`
}

// An InspectedFile is one file of the package as it is stored.
type InspectedFile struct {
	Name   string         `json:"name"`
	SHA256 blob.Digest    `json:"sha256"` // that was issued
	Intact bool           `json:"intact"` // the stored bytes have this digest
	Status signing.Status `json:"status,omitempty"`
	Signer string         `json:"signer,omitempty"`
	Reason string         `json:"reason,omitempty"`
}

// Inspect checks the files of a copy for whoever is about to accept it: their digests, and the signatures of those that bear
// one. It leaves an event; despite is why the copy is accepted although the verdict is against it, "" for no such word.
func (s *Store) Inspect(ctx context.Context, by Actor, id DispatchID, despite string) (*Inspection, *Receipt, error) {
	var in *Inspection
	r, err := s.carryOut(ctx, by, id, order{
		prepare: func(ctx context.Context, r *Receipt) (err error) { in, err = s.inspect(ctx, r.Document); return err },
		do: func(ctx context.Context, tx *sqldb.Tx, r *Receipt) error {
			var last []Event
			err := tx.SelectContext(ctx, &last, `SELECT actor, detail FROM event WHERE chain = $1 AND kind = $2 ORDER BY ordinal DESC LIMIT 1`, id, EventInspected)
			if err != nil {
				return err
			}
			detail := map[string]any{"sha256": r.Document.SealedPDF, "status": in.Status}
			if despite != "" {
				detail["despite"] = despite
			}
			if text, _ := json.Marshal(detail); len(last) == 1 && last[0].Actor == by.String() && last[0].Detail == string(text) {
				return nil
			}
			return r.act(ctx, tx, EventInspected, by, detail, nil)
		},
	})
	return in, r, err
}

func (s *Store) inspect(ctx context.Context, doc *Document) (*Inspection, error) {
	list, err := s.Package(ctx, doc.ID)
	if err != nil {
		return nil, err
	}
	in := &Inspection{Status: signing.Indeterminate}
	for i, it := range list {
		f := InspectedFile{Name: it.FileName, SHA256: it.Travels()}
		data, err := s.Bytes(it.Travels())
		f.Intact = err == nil && blob.Of(data) == it.Travels()
		switch {
		case !f.Intact:
			f.Status, f.Reason = signing.Invalid, "tệp lưu không khớp mã kiểm tra"
		case it.MediaType == "application/pdf":
			s.judge(ctx, &f, data)
		}
		if i == 0 {
			in.Status, in.Reason = f.Status, f.Reason
		} else if f.Status == signing.Invalid || f.Status == signing.Indeterminate && in.Status == signing.Valid {
			in.Status, in.Reason = f.Status, f.Name+": "+f.Reason
		}
		in.Files = append(in.Files, f)
	}
	return in, nil
}

// judge asks whether the signatures of a PDF hold; what nobody could judge is indeterminate, never valid.
func (s *Store) judge(ctx context.Context, f *InspectedFile, data []byte) {
	f.Status, f.Reason = signing.Indeterminate, "chưa kiểm tra được chữ ký số"
	if s.SealReport == nil {
		return
	}
	report, err := s.SealReport(ctx, data, s.db.Now())
	if err != nil {
		s.Log.Warn("a seal that could not be judged", "file", f.SHA256, "err", err)
		return
	}
	f.Status, f.Reason = report.Overall(), report.Reason
	for i := range report.Signatures {
		g := &report.Signatures[i]
		f.Signer = cmp.Or(f.Signer, g.SignerName, g.Organization)
	}
}

// verdictLife is how long a verdict is told again without a new look: revocations show within it.
const verdictLife = 10 * time.Minute

// A verdict is what was found of a document's main file.
type verdict struct {
	text string
	at   time.Time
}

// verdictOf words what is known of the main file's seal, for letters. Many units accept the same document within minutes.
func (s *Store) verdictOf(ctx context.Context, doc *Document) string {
	if s.SealReport == nil || doc.SealedPDF == "" {
		return ""
	}
	now := s.db.Now()
	if v, ok := s.verdicts.Load(doc.SealedPDF); ok && now.Sub(v.(verdict).at).Abs() < verdictLife {
		return v.(verdict).text
	}
	f := InspectedFile{SHA256: doc.SealedPDF}
	data, err := s.Bytes(doc.SealedPDF)
	if err != nil || blob.Of(data) != doc.SealedPDF {
		f.Status = signing.Invalid
	} else {
		s.judge(ctx, &f, data)
	}
	text := f.Status.Text()
	if f.Signer != "" {
		text += ", người ký: " + f.Signer
	}
	s.verdicts.Range(func(k, v any) bool { // forget what is old, so that the memory stays small
		if now.Sub(v.(verdict).at).Abs() >= verdictLife {
			s.verdicts.Delete(k)
		}
		return true
	})
	s.verdicts.Store(doc.SealedPDF, verdict{strings.TrimSpace(text), now})
	return text
}
