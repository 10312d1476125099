package intake

import (
	"encoding/json"
	"fmt"
)

// A Record is a draft in the form of congvan read --json. Units and Unknown are for the caller, who has a directory.
type Record struct {
	File      string   `json:"file,omitempty"`
	Type      string   `json:"type"`
	Number    string   `json:"number"`
	Date      *string  `json:"date"`
	Place     *string  `json:"place"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Signer    *string  `json:"signer"`
	Secrecy   *string  `json:"secrecy"`
	Urgency   *string  `json:"urgency"`
	KinhGui   []string `json:"kinh_gui"`
	NoiNhan   []string `json:"noi_nhan"`
	Reference string   `json:"reference"`
	Year      *string  `json:"year"`
	Symbol    string   `json:"symbol"`
	Scan      bool     `json:"scan"`
	Units     []string `json:"units"`
	Unknown   []string `json:"unknown"`
}

// Record gives the draft's fields for programs; what is not known is null.
func (d *Draft) Record() Record {
	h := d.Heading
	return Record{File: d.Name, Type: h.Type, Number: h.Number, Date: orNil(h.Date), Place: orNil(h.Place), Issuer: h.Issuer, Subject: h.Subject,
		Signer: orNil(d.Signer), Secrecy: orNil(d.Secrecy), Urgency: orNil(d.Urgency), KinhGui: d.KinhGui, NoiNhan: d.NoiNhan,
		Reference: h.Reference, Year: orNil(h.Year), Symbol: h.Symbol, Scan: d.Scan, Units: []string{}, Unknown: []string{}}
}

// MarshalJSON writes the draft's Record.
func (d *Draft) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(d.Record())
	if err != nil {
		return nil, fmt.Errorf("write draft of %q: %w", d.Name, err)
	}
	return b, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
