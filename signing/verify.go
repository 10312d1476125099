package signing

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
)

// VerifyOptions says whom to trust and when.
type VerifyOptions struct {
	Roots         *x509.CertPool      // trusted roots; nil trusts nobody, and the system's roots are never used
	TSARoots      *x509.CertPool      // roots of time stamp authorities; with nil no time stamp proves anything
	Intermediates []*x509.Certificate // known in addition to those in the file
	At            time.Time           // the time to judge at where no time stamp proves an earlier one, now when zero
	Revocation    RevocationPolicy    // what must be known about revocation
	Online        *RevocationSource   // asked where the file has no evidence; nil stays off the network
}

// verifyTimeout bounds one call of Verify.
const verifyTimeout = 60 * time.Second

// Verify answers for every signature in a PDF. A file that cannot be read gives an *InputError; a file without
// signatures gives a report that says so.
func Verify(ctx context.Context, in []byte, opt VerifyOptions) (*Report, error) {
	if opt.At.IsZero() {
		opt.At = time.Now()
	}
	if len(in) > MaxSealedSize {
		return nil, &InputError{"too_large", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(in))}
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	report, err := verify(ctx, in, opt)
	if err != nil {
		return nil, inputError(fmt.Errorf("verify PDF: %w", err))
	}
	return report, nil
}

func verify(ctx context.Context, in []byte, opt VerifyOptions) (report *Report, err error) {
	// Hostile objects may panic in pdfcpu or under the hand; such a file is damaged, never valid.
	defer func() {
		if p := recover(); p != nil {
			report, err = nil, fmt.Errorf("%w: %v", pdfdoc.ErrDamaged, p)
		}
	}()
	doc, err := pdfdoc.Open(ctx, in)
	if err != nil {
		return nil, err
	}
	list, err := doc.Signatures()
	if err != nil {
		return nil, err
	}
	v := newVerifier(ctx, doc, list, opt)
	return v.report(list), nil
}

// A verifier holds what the signatures of one file share.
type verifier struct {
	ctx      context.Context
	doc      *pdfdoc.Doc
	opt      VerifyOptions
	evidence *evidence
	known    proof // since when the revision looked at is proven to exist
	revised  map[int]*pdfdoc.Doc

	needed map[string]pdfdoc.Evidence // what the answers rest on, by VRIKey; nil when nobody wants to know
}

func newVerifier(ctx context.Context, doc *pdfdoc.Doc, list []*pdfdoc.Signature, opt VerifyOptions) *verifier {
	v := &verifier{ctx: ctx, doc: doc, opt: opt, revised: map[int]*pdfdoc.Doc{}, known: proof{at: opt.At, source: TimeOfCheck}}
	v.evidence = v.readEvidence(list)
	return v
}

// report goes from the newest signature to the oldest, because a document time stamp proves what came before it.
func (v *verifier) report(list []*pdfdoc.Signature) *Report {
	report := &Report{Signatures: make([]SignatureReport, len(list))}
	for i, s := range slices.Backward(list) {
		r := v.signature(s)
		report.Signatures[i] = r
		if r.Kind == "timestamp" && r.Status == Valid {
			if report.RenewBy == nil {
				until := r.until.UTC()
				report.RenewBy = &until
			}
			v.known = proof{at: *r.StampedTime, source: TimeOfDocumentStamp}
			if doc, err := v.revision(s.End); err == nil {
				v.evidence.prove(doc.DSS(), v.known.at)
			}
		}
	}
	report.conclude()
	return report
}

// revision reads the file as it was at the end of a signed revision.
func (v *verifier) revision(end int) (*pdfdoc.Doc, error) {
	if end == len(v.doc.Data) {
		return v.doc, nil
	}
	if d := v.revised[end]; d != nil {
		return d, nil
	}
	d, err := pdfdoc.Open(v.ctx, v.doc.Data[:end:end])
	if err == nil {
		v.revised[end] = d
	}
	return d, err
}

var unanswered = Check{NotChecked, "not_checked", "Chưa kiểm tra được vì bước trước không đạt.", ""}

func (v *verifier) signature(s *pdfdoc.Signature) SignatureReport {
	r := SignatureReport{
		Field: s.Field, Kind: "signature", SubFilter: s.SubFilter, Name: s.Name, ReasonOfSigning: s.Reason,
		Location: s.Location, UsedTime: v.known.at.UTC(), TimeSource: v.known.source,
		Intact: unanswered, Coverage: unanswered, Signer: unanswered, Chain: unanswered, Time: unanswered,
		Revocation: revocationNotChecked, Certified: s.Certified,
	}
	if s.Timestamp {
		r.Kind = "timestamp"
	}
	if !s.Claimed.IsZero() {
		t := s.Claimed.UTC()
		r.ClaimedTime = &t
	}
	v.answer(s, &r)
	r.decide()
	return r
}

// answer goes through the questions in order. One that fails leaves the later ones that need it unanswered.
func (v *verifier) answer(s *pdfdoc.Signature, r *SignatureReport) {
	r.Timestamp = Check{NotChecked, "no_timestamp", "Chữ ký không kèm dấu thời gian.", ""}
	switch {
	case errors.Is(s.Malformed, pdfdoc.ErrOrphan):
		r.Coverage = failed("orphan_signature", "Chữ ký không thuộc trường ký nào của tài liệu.", s.Malformed)
		return
	case s.Malformed != nil:
		r.Coverage = failed("byte_range", "Phạm vi ký ghi trong tệp sai cấu trúc.", s.Malformed)
		return
	}
	if !supported(s) {
		r.Intact = unknown("sub_filter_unsupported", "Chữ ký thuộc loại chưa hỗ trợ.", nil)
		return
	}
	sig, err := cms.Parse(s.Contents)
	if err != nil {
		r.Intact = cmsFailure(err)
		return
	}
	if r.ClaimedTime == nil && !sig.SigningTime.IsZero() {
		t := sig.SigningTime.UTC()
		r.ClaimedTime = &t
	}
	describe(r, sig.Signer)
	r.Intact = v.intact(s, sig)
	if r.Intact.Answer == Failed {
		return
	}
	r.Signer = v.signer(s, sig)
	r.Coverage, r.Changes = v.coverage(s)
	if sig.Signer == nil {
		return
	}
	if s.Timestamp {
		v.documentStamp(s, sig, r)
		return
	}
	v.prove(s, sig, r)
}

// supported are the encodings of ISO 32000-2 §12.8.3 that are not withdrawn.
func supported(s *pdfdoc.Signature) bool {
	if s.Timestamp {
		return s.SubFilter == "ETSI.RFC3161"
	}
	return s.SubFilter == "ETSI.CAdES.detached" || s.SubFilter == "adbe.pkcs7.detached"
}

func failed(code, reason string, err error) Check { return Check{Failed, code, reason, err.Error()} }

func unknown(code, reason string, err error) Check {
	c := Check{Unknown, code, reason, ""}
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}

func describe(r *SignatureReport, c *x509.Certificate) {
	if c == nil {
		return
	}
	r.SignerName, r.Issuer = c.Subject.CommonName, c.Issuer.CommonName
	r.Organization = strings.Join(c.Subject.Organization, ", ")
	r.Serial = c.SerialNumber.Text(16)
	r.signer = fmt.Sprintf("%x", sha256.Sum256(c.Raw))
	from, until := c.NotBefore.UTC(), c.NotAfter.UTC()
	r.NotBefore, r.NotAfter = &from, &until
}

// cmsFailure words what went wrong inside the CMS.
func cmsFailure(err error) Check {
	switch {
	case errors.Is(err, cms.ErrUnsupported):
		return unknown("cms_unsupported", "Chữ ký thuộc loại chưa hỗ trợ.", err)
	case errors.Is(err, cms.ErrWeak):
		return unknown("weak_algorithm", "Chữ ký dùng thuật toán hoặc khóa quá yếu.", err)
	case errors.Is(err, cms.ErrNoSigner):
		return unknown("no_signer_certificate", "Chữ ký không kèm chứng thư số của người ký.", err)
	case errors.Is(err, cms.ErrDigest):
		return failed("digest_mismatch", "Nội dung đã bị thay đổi sau khi ký.", err)
	case errors.Is(err, cms.ErrSignature):
		return failed("signature_mismatch", "Giá trị chữ ký không khớp với khóa của người ký.", err)
	}
	return failed("cms_unreadable", "Không đọc được chữ ký số.", err)
}

// intact compares the digest of the signed bytes and checks the signature value.
func (v *verifier) intact(s *pdfdoc.Signature, sig *cms.Signature) Check {
	var err error
	switch {
	case s.Timestamp:
		err = sig.CheckImprint(func(h cms.Hash) []byte { return v.doc.Digest(s, h) })
	case sig.Content != nil: // a time stamp token in the place of a signature
		err = cms.ErrSyntax
	default:
		err = sig.CheckDigest(v.doc.Digest(s, sig.Hash))
	}
	if err == nil {
		err = sig.CheckSignature()
	}
	if err != nil {
		return cmsFailure(err)
	}
	return Check{Passed, "intact", "Nội dung được ký còn nguyên vẹn.", ""}
}

// signer asks whether the signed attributes name the certificate, so that no other can be put in its place.
func (v *verifier) signer(s *pdfdoc.Signature, sig *cms.Signature) Check {
	err := sig.CheckBinding()
	switch {
	case err == nil, errors.Is(err, cms.ErrWeakBinding): // Weakness tells
		if s.Timestamp && stampsOnly(sig.Signer) || !s.Timestamp && maySign(sig.Signer) {
			return Check{Passed, "signer_bound", "Chứng thư số đúng là của người ký.", ""}
		}
		return failed("key_usage", "Chứng thư số không được dùng để ký.", errors.New("key usage"))
	case errors.Is(err, cms.ErrNoSigner):
		return cmsFailure(err)
	case errors.Is(err, cms.ErrUnbound) && s.SubFilter != "ETSI.CAdES.detached":
		// ISO 32000-1 does not ask for the attribute in adbe.pkcs7.detached; without it nothing ties the certificate.
		return unknown("signer_unbound", "Chữ ký không ràng buộc với chứng thư số của người ký.", err)
	}
	return failed("signer_mismatch", "Chứng thư số không phải của người đã ký.", err)
}

// coverage asks what came after the signed revision.
func (v *verifier) coverage(s *pdfdoc.Signature) (Check, []string) {
	if s.End == len(v.doc.Data) {
		return Check{Passed, "whole_file", "Chữ ký bao trùm toàn bộ tệp.", ""}, nil
	}
	signed, err := v.revision(s.End)
	if err != nil {
		return v.uncovered(err), nil
	}
	changes, err := pdfdoc.Compare(v.ctx, signed, v.doc, s)
	if err != nil {
		return v.uncovered(err), nil
	}
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = string(c)
	}
	if slices.Contains(changes, pdfdoc.AddedComment) {
		c := unknown("comments_added", "Sau khi ký, tệp được thêm chú thích mà người ký cho phép; cần người xem xét chú thích có che nội dung hay không.", nil)
		c.Detail = strings.Join(names, ",")
		return c, names
	}
	return Check{Passed, "allowed_changes", "Sau khi ký, tệp chỉ được bổ sung những phần được phép.", strings.Join(names, ",")}, names
}

// changedParts words what was changed.
var changedParts = map[string]string{
	"page":       "Nội dung trang đã bị thay đổi sau khi ký.",
	"annotation": "Chú thích trên trang đã bị thêm hoặc sửa sau khi ký.",
	"form":       "Biểu mẫu đã bị thay đổi ngoài phạm vi cho phép sau khi ký.",
	"signature":  "Trường ký đã bị thay đổi sau khi ký.",
	"metadata":   "Thông tin mô tả của tệp đã bị thay đổi sau khi ký.",
	"catalog":    "Cấu trúc tài liệu đã bị thay đổi sau khi ký.",
	"structure":  "Sau phần được ký có dữ liệu không thuộc tài liệu.",
}

func (v *verifier) uncovered(err error) Check {
	var m *pdfdoc.ModifiedError
	switch {
	case errors.As(err, &m):
		reason := changedParts[m.Part]
		if reason == "" {
			reason = changedParts["catalog"]
		}
		return failed("modified_"+m.Part, reason, err)
	case errors.Is(err, pdfdoc.ErrTimeout), v.ctx.Err() != nil:
		return unknown("timeout", "Tệp quá phức tạp, chưa so sánh được với bản đã ký.", err)
	}
	return failed("revision_unreadable", "Không đọc được bản tại thời điểm ký.", err)
}
