package signing

import (
	"crypto/x509"
	"fmt"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/revocation"
)

// A MailForm is how a mail is signed.
type MailForm string

// The forms of RFC 8551 §3.5, and what is none.
const (
	MailUnsigned MailForm = "unsigned"
	MailDetached MailForm = "detached" // multipart/signed
	MailOpaque   MailForm = "opaque"   // application/pkcs7-mime
	MailPart     MailForm = "part"     // something inside is signed, the mail itself is not
)

// MailOptions say whom to trust for mail and when.
type MailOptions struct {
	Roots *x509.CertPool // nil trusts nobody
	CRLs  [][]byte       // revocation lists in DER; those of other issuers are passed over
	At    time.Time      // the time to judge at, now when zero
}

// A MailReport answers the questions about the signature of a mail. Indeterminate must never be shown as valid.
type MailReport struct {
	Form   MailForm `json:"form"`
	Status Status   `json:"status"`
	Code   string   `json:"code"`
	Reason string   `json:"reason"` // of the status, in Vietnamese

	Structure  Check `json:"structure"`  // one signed entity and its signature, and nothing beside them
	Intact     Check `json:"intact"`     // not changed on the way
	Signer     Check `json:"signer"`     // the certificate is one for signing mail, and the one that the signature names
	Address    Check `json:"address"`    // it is for the address in From
	Chain      Check `json:"chain"`      // it leads to a trusted root
	Time       Check `json:"time"`       // it was in force at At
	Revocation Check `json:"revocation"` // it is in no list of revoked ones

	From       string     `json:"from"` // the only address in From, "" when there is not exactly one
	SignerName string     `json:"signer_name,omitempty"`
	Addresses  []string   `json:"addresses,omitempty"` // in the certificate
	Issuer     string     `json:"issuer,omitempty"`
	Serial     string     `json:"serial,omitempty"`
	NotAfter   *time.Time `json:"not_after,omitempty"`
	SignedAt   *time.Time `json:"signed_at,omitempty"` // the signer's own claim

	Content []byte `json:"-"` // the entity that an opaque mail carries; nil when Structure failed
}

func (r *MailReport) checks() []*Check {
	return []*Check{&r.Structure, &r.Intact, &r.Signer, &r.Address, &r.Chain, &r.Time, &r.Revocation}
}

func (r *MailReport) decide() {
	if r.Form == MailUnsigned || r.Form == MailPart {
		r.Status, r.Code, r.Reason = Indeterminate, r.Structure.Code, r.Structure.Reason
		return
	}
	for _, want := range []struct {
		answer Answer
		status Status
	}{{Failed, Invalid}, {Unknown, Indeterminate}} {
		for _, c := range r.checks() {
			if c.Answer == want.answer {
				r.Status, r.Code, r.Reason = want.status, c.Code, c.Reason
				return
			}
		}
	}
	for _, c := range r.checks()[:6] {
		if c.Answer != Passed {
			r.Status, r.Code, r.Reason = Indeterminate, c.Code, c.Reason
			return
		}
	}
	r.Status, r.Code, r.Reason = Valid, "valid", "Thư có chữ ký số hợp lệ của "+r.From+"; nội dung không thay đổi kể từ khi ký."
}

// judge answers everything but the structure.
func (r *MailReport) judge(s *cms.Signature, digest func(cms.Hash) []byte, opt MailOptions) {
	if err := s.CheckStrong(); err != nil && s.Signer != nil { // mails have no proof of their time
		r.Intact = cmsFailure(err)
	} else if err := s.CheckDigest(digest(s.Hash)); err != nil {
		r.Intact = cmsFailure(err)
	} else if err := s.CheckSignature(); err != nil {
		r.Intact = cmsFailure(err)
	} else {
		r.Intact = Check{Passed, "intact", "Nội dung được ký còn nguyên vẹn.", ""}
	}
	if !s.SigningTime.IsZero() {
		t := s.SigningTime.UTC()
		r.SignedAt = &t
	}
	if s.Signer == nil {
		return
	}
	c := s.Signer
	until := c.NotAfter.UTC()
	r.SignerName, r.Addresses, r.Issuer, r.Serial, r.NotAfter = c.Subject.CommonName, certAddresses(c), c.Issuer.CommonName, c.SerialNumber.Text(16), &until
	r.Signer = mailSigner(s)
	switch {
	case r.From == "":
		r.Address = failed("from_not_one", "Dòng From không có đúng một địa chỉ người gửi.", fmt.Errorf("From"))
	case !hasAddress(c, r.From):
		r.Address = failed("other_address", "Chứng thư số không phải của địa chỉ người gửi "+r.From+".", fmt.Errorf("certificate is for %q", r.Addresses))
	default:
		r.Address = Check{Passed, "same_address", "Địa chỉ người gửi đúng là địa chỉ trong chứng thư số.", ""}
	}
	r.trust(s, opt)
}

// mailSigner looks at the certificate. Mail programs seldom bind it to the signature (RFC 5035); where they do, it must fit.
func mailSigner(s *cms.Signature) Check {
	if err := mailCertificate(s.Signer); err != nil {
		return failed("key_usage", "Chứng thư số không được cấp để ký thư điện tử.", err)
	}
	if s.Bound() {
		if err := s.CheckBinding(); err != nil {
			return failed("signer_mismatch", "Chứng thư số không phải của người đã ký.", err)
		}
	}
	return Check{Passed, "signer", "Chứng thư số được cấp để ký thư điện tử.", ""}
}

func (r *MailReport) trust(s *cms.Signature, opt MailOptions) {
	c, when := s.Signer, opt.At
	r.Time = Check{Passed, "in_force", "Chứng thư số còn hiệu lực tại thời điểm kiểm tra.", ""}
	switch {
	case when.After(c.NotAfter):
		r.Time, when = unknown("expired", "Chứng thư số đã hết hạn.", nil), c.NotAfter
	case when.Before(c.NotBefore):
		r.Time, when = unknown("not_yet_valid", "Chứng thư số chưa có hiệu lực.", nil), c.NotBefore
	}
	found, err := paths(c, s.Certificates, opt.Roots, when, x509.ExtKeyUsageEmailProtection)
	if err != nil {
		r.Chain = chainFailure(err)
		return
	}
	r.Chain = Check{Passed, "trusted", "Chứng thư số do đơn vị được tin cậy cấp.", ""}
	r.Revocation = listed(found[0], opt)
}

// listed looks the chain up in the revocation lists. Of an issuer that gives none nothing is known, and nothing is claimed.
func listed(chain []*x509.Certificate, opt MailOptions) Check {
	out := revocationNotChecked
	for i, c := range chain[:len(chain)-1] {
		var answers []*revocation.Answer
		for _, der := range opt.CRLs {
			list, err := revocation.ParseCRL(der)
			if err != nil {
				continue
			}
			if a, err := list.Answer(c, chain[i+1]); err == nil {
				answers = append(answers, a)
			}
		}
		if len(answers) == 0 {
			continue
		}
		switch status, chosen := revocation.Decide(answers, opt.At, c); {
		case chosen == nil:
			return unknown("list_out_of_date", "Danh sách chứng thư số bị thu hồi đã quá hạn.", nil)
		case status == revocation.Revoked:
			return failed("revoked", "Chứng thư số đã bị thu hồi.", fmt.Errorf("revoked at %s", chosen.RevokedAt.Format(time.RFC3339)))
		}
		out = Check{Passed, "not_revoked", "Chứng thư số không bị thu hồi.", ""}
	}
	return out
}
