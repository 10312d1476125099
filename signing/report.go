package signing

import (
	"time"
)

// A Status is the outcome for a signature or a file. There are three, and only Valid may be shown as valid.
type Status string

// The outcomes.
const (
	Valid         Status = "valid"
	Invalid       Status = "invalid"       // proven wrong
	Indeterminate Status = "indeterminate" // not enough is known to call it valid
)

// Text is the outcome in Vietnamese.
func (s Status) Text() string {
	switch s {
	case Valid:
		return "Hợp lệ"
	case Invalid:
		return "Không hợp lệ"
	}
	return "Chưa đủ căn cứ để xác nhận"
}

// An Answer is the answer to one question about a signature.
type Answer string

// The answers. Failed makes the signature invalid, Unknown indeterminate; NotChecked says honestly that the question
// was not looked at, and decides nothing.
const (
	Passed     Answer = "passed"
	Failed     Answer = "failed"
	Unknown    Answer = "unknown"
	NotChecked Answer = "not_checked"
)

// A Check is one question answered.
type Check struct {
	Answer Answer `json:"answer"`
	Code   string `json:"code"`   // short word for programs
	Reason string `json:"reason"` // one sentence in Vietnamese
	Detail string `json:"detail,omitempty"`
}

// A TimeSource says where the time comes from at which a certificate was judged.
type TimeSource string

// The sources of time. The signer's own claim is shown but never used to judge a certificate.
const (
	TimeOfCheck         TimeSource = "verification"       // the moment of verifying
	TimeOfStamp         TimeSource = "timestamp"          // a time stamp in the signature
	TimeOfDocumentStamp TimeSource = "document_timestamp" // a time stamp over the file
)

// A SignatureReport answers the questions about one signature.
type SignatureReport struct {
	Field     string `json:"field"`
	Kind      string `json:"kind"` // "signature" or "timestamp" (a document time stamp)
	SubFilter string `json:"sub_filter"`
	Status    Status `json:"status"`
	Reason    string `json:"reason"` // of the status, in Vietnamese

	Intact     Check `json:"intact"`     // the signed bytes are unchanged and the value matches the key
	Coverage   Check `json:"coverage"`   // what the signature covers and what came after
	Signer     Check `json:"signer"`     // the certificate is the one that the signature names
	Chain      Check `json:"chain"`      // it leads to a trusted root
	Time       Check `json:"time"`       // at the time of TimeSource it was in force
	Revocation Check `json:"revocation"` // it was not revoked at that time; see RevocationPolicy
	Timestamp  Check `json:"timestamp"`  // its time stamp, or the document time stamp itself

	Level     Level `json:"level,omitempty"`     // the PAdES level that it fulfils as far as was checked, empty for other formats
	Certified int   `json:"certified,omitempty"` // what a certifying signature allows afterwards (DocMDP): 1 nothing, 2 forms and signatures, 3 comments too

	Changes []string `json:"changes,omitempty"` // what came after: "signature", "timestamp", "dss", "form_fill", "metadata", "comment"

	SignerName   string     `json:"signer_name,omitempty"` // common name in the certificate
	Organization string     `json:"organization,omitempty"`
	Issuer       string     `json:"issuer,omitempty"`
	Serial       string     `json:"serial,omitempty"` // hexadecimal
	NotBefore    *time.Time `json:"not_before,omitempty"`
	NotAfter     *time.Time `json:"not_after,omitempty"`

	ClaimedTime *time.Time `json:"claimed_time,omitempty"` // what the signer says, unproven
	StampedTime *time.Time `json:"stamped_time,omitempty"` // what the time stamp says, when Timestamp has passed
	StampedBy   string     `json:"stamped_by,omitempty"`   // its authority
	UsedTime    time.Time  `json:"used_time"`
	TimeSource  TimeSource `json:"time_source"`

	Name            string `json:"name,omitempty"`              // texts of the signature field, unproven until Status is valid
	ReasonOfSigning string `json:"reason_of_signing,omitempty"` // likewise
	Location        string `json:"location,omitempty"`          // likewise

	signer string    // SHA-256 of the certificate, hexadecimal
	until  time.Time // of a document time stamp: when its certificate or its algorithm ends
}

// A Report is the outcome for one file.
type Report struct {
	Status     Status            `json:"status"`
	Code       string            `json:"code"`
	Reason     string            `json:"reason"` // in Vietnamese
	Signatures []SignatureReport `json:"signatures"`

	// RenewBy is when the certificate of the newest valid document time stamp, or its algorithm, ends. Until then the file must get another
	// (Extend with LevelLTA), or what it proves is lost.
	RenewBy *time.Time `json:"renew_by,omitempty"`
}

// Overall is the outcome for the file: valid when it has signatures and each of them is valid, invalid when one is,
// indeterminate otherwise, and also when it has none.
func (r *Report) Overall() Status {
	status := Indeterminate
	for i := range r.Signatures {
		s := &r.Signatures[i]
		switch {
		case s.Status == Invalid:
			return Invalid
		case s.Kind == "timestamp" && (s.Status == Valid || s.Timestamp.Answer == NotChecked && s.Intact.Answer == Passed):
			// One that was not asked about, or whose authority has ended, takes nothing from what it follows.
		case s.Status == Indeterminate:
			return r.worst(Indeterminate)
		default:
			status = Valid
		}
	}
	return status
}

// worst is Invalid if any signature is, else the status given.
func (r *Report) worst(s Status) Status {
	for i := range r.Signatures {
		if r.Signatures[i].Status == Invalid {
			return Invalid
		}
	}
	return s
}

func (r *Report) conclude() {
	r.Status = r.Overall()
	switch {
	case len(r.Signatures) == 0:
		r.Code, r.Reason = "no_signature", "Tệp không có chữ ký số."
	case r.Status == Valid:
		r.Code, r.Reason = "valid", "Mọi chữ ký số trong tệp đều hợp lệ."
	case r.Status == Invalid:
		r.Code, r.Reason = "invalid_signature", "Tệp có chữ ký số không hợp lệ."
	default:
		r.Code, r.Reason = "indeterminate_signature", "Chưa đủ căn cứ để xác nhận chữ ký số trong tệp."
	}
}

// decide derives the status of a signature from its answers, the worst first.
func (s *SignatureReport) decide() {
	checks := []*Check{&s.Intact, &s.Coverage, &s.Signer, &s.Chain, &s.Time, &s.Revocation, &s.Timestamp}
	for _, want := range []struct {
		answer Answer
		status Status
	}{{Failed, Invalid}, {Unknown, Indeterminate}} {
		for _, c := range checks {
			if c.Answer == want.answer {
				s.Status, s.Reason = want.status, c.Reason
				return
			}
		}
	}
	// Nothing failed: every question that decides must really have been answered.
	for _, c := range checks[:5] {
		if c.Answer != Passed {
			s.Status, s.Reason = Indeterminate, c.Reason
			return
		}
	}
	s.Status, s.Reason = Valid, "Chữ ký số hợp lệ; nội dung không thay đổi kể từ khi ký."
}
