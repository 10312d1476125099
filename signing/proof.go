package signing

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
	"congvan/signing/internal/revocation"
)

// A proof is a time at which something is known to have existed already.
type proof struct {
	at     time.Time
	source TimeSource
}

// stamped says whether an authority answers for the time.
func (p proof) stamped() bool { return p.source != TimeOfCheck }

// precedes says that what is known since then was made before anybody could forge it.
func (p proof) precedes(w cms.Weakness) bool {
	return w.Name == "" || p.stamped() && p.at.Before(w.Ended)
}

func weakCheck(w cms.Weakness) Check {
	return unknown("weak_algorithm", "Chữ ký dùng thuật toán "+w.Name+", từ "+w.Ended.Format("02/01/2006")+" không còn an toàn; không có dấu thời gian chứng minh chữ ký được tạo trước ngày đó.",
		fmt.Errorf("%w: %s", cms.ErrWeak, w.Name))
}

// maxPaths bounds the ways to a root that are looked at.
const maxPaths = 8

var (
	errNoRoots   = errors.New("no trusted roots")
	errPSSKey    = errors.New("a key for RSA-PSS alone has signed otherwise")
	errWeakChain = errors.New("a certificate is signed by a broken digest")
)

// weaklySigned says that anybody might have made the certificate; a root, which is trusted by itself, does not matter here.
func weaklySigned(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return !bytes.Equal(c.RawIssuer, c.RawSubject)
	}
	return false
}

// paths returns the ways from a certificate to a trusted root, the certificate first and the root last.
func paths(leaf *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, at time.Time, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	if roots == nil {
		return nil, errNoRoots
	}
	opts := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage},
	}
	for _, c := range others {
		opts.Intermediates.AddCert(c)
	}
	found, err := leaf.Verify(opts)
	if found = slices.DeleteFunc(found, func(c []*x509.Certificate) bool { return !cms.FollowsPSS(c) }); len(found) == 0 && err == nil {
		err = errPSSKey
	}
	if err != nil && slices.ContainsFunc(append(others, leaf), weaklySigned) {
		err = fmt.Errorf("%w: %w", errWeakChain, err)
	}
	return found[:min(len(found), maxPaths)], err
}

// prove answers the questions that need a time: where it comes from, whether the signer's certificate leads to a root and
// was in force then, and whether it was revoked. The signer's own claim of the time proves nothing.
func (v *verifier) prove(s *pdfdoc.Signature, sig *cms.Signature, r *SignatureReport) {
	known, stampLevel := v.signatureStamps(s, sig, r)
	if s.SubFilter == "ETSI.CAdES.detached" && r.Signer.Answer == Passed {
		r.Level = LevelB
	}
	r.UsedTime, r.TimeSource = known.at.UTC(), known.source
	if w := sig.Weakness(); !known.precedes(w) {
		r.Intact = weakCheck(w)
	}
	v.evidence.addCarried(sig.Revocations, v.known.at, v.known.stamped())
	var chains [][]*x509.Certificate
	chains, r.Chain, r.Time = v.chain(sig, known)
	if r.Chain.Answer != Passed {
		return
	}
	f := v.notRevoked(chains, question{
		at: known.at, together: known.source == TimeOfStamp, claimed: r.ClaimedTime, expected: s.Listed(v.evidence.vri),
	})
	r.Revocation = f.check
	v.need(s, sig, f)
	if r.Level != "" {
		r.Level = f.level(known, stampLevel)
	}
}

// chain builds the ways from the signer's certificate to a trusted root at the proven time.
func (v *verifier) chain(sig *cms.Signature, known proof) (found [][]*x509.Certificate, chain, at Check) {
	if v.opt.Roots == nil {
		return nil, unknown("no_roots", "Chưa khai báo chứng thư số gốc được tin cậy.", nil), unanswered
	}
	leaf, when := sig.Signer, known.at
	inForce := Check{Passed, "in_force", "Chứng thư số còn hiệu lực tại thời điểm kiểm tra.", ""}
	if known.stamped() {
		inForce.Reason = "Chứng thư số còn hiệu lực tại thời điểm của dấu thời gian."
	}
	switch {
	case when.After(leaf.NotAfter) && known.stamped():
		inForce = unknown("expired", "Chứng thư số đã hết hạn trước thời điểm của dấu thời gian.", nil)
		when = leaf.NotAfter
	case when.After(leaf.NotAfter):
		// Whether it was in force when it signed could only be told by a time stamp.
		inForce = unknown("expired", "Chứng thư số đã hết hạn; chưa có căn cứ về thời điểm ký.", nil)
		when = leaf.NotAfter
	case when.Before(leaf.NotBefore):
		inForce = unknown("not_yet_valid", "Chứng thư số chưa có hiệu lực.", nil)
		when = leaf.NotBefore
	}
	others := slices.Concat(sig.Certificates, v.opt.Intermediates, v.evidence.certs)
	found, err := paths(leaf, others, v.opt.Roots, when, x509.ExtKeyUsageAny)
	if err != nil {
		return nil, chainFailure(err), inForce
	}
	return found, Check{Passed, "trusted", "Chứng thư số do đơn vị được tin cậy cấp.", ""}, inForce
}

func chainFailure(err error) Check {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return unknown("issuer_expired", "Chứng thư số của đơn vị cấp đã hết hạn.", err)
	}
	if errors.Is(err, errWeakChain) {
		return unknown("weak_chain", "Chứng thư số, hoặc chứng thư của đơn vị cấp, được ký bằng thuật toán đã bị phá (MD5, SHA-1) nên không xác nhận được.", err)
	}
	return unknown("untrusted", "Chứng thư số không do đơn vị được tin cậy cấp.", err)
}

// signatureStamps looks at the time stamps in a signature and returns the time since when the signature is known. full
// says that the evidence about the stamp's authority is in the file too.
func (v *verifier) signatureStamps(s *pdfdoc.Signature, sig *cms.Signature, r *SignatureReport) (known proof, full stampEvidence) {
	known, full = v.known, stampEvidence{embedded: true, stamped: true}
	if len(sig.Timestamps) == 0 {
		return known, full
	}
	for _, token := range sig.Timestamps {
		check, st, f := v.signatureStamp(s, token, sig)
		// The worst of several is told; each good one counts for the time.
		if r.Timestamp.Code == "no_timestamp" || severity(check.Answer) > severity(r.Timestamp.Answer) {
			r.Timestamp = check
		}
		if check.Answer != Passed || st.Time.After(known.at) && known.stamped() {
			continue
		}
		t := st.Time
		r.StampedTime, r.StampedBy = &t, st.sig.Signer.Subject.CommonName
		known, full = proof{at: t, source: TimeOfStamp}, f.evidence()
		v.need(s, st.sig, f)
	}
	return known, full
}

func severity(a Answer) int { return slices.Index([]Answer{Passed, NotChecked, Unknown, Failed}, a) }

func (v *verifier) signatureStamp(s *pdfdoc.Signature, token []byte, sig *cms.Signature) (Check, *stamp, finding) {
	st, err := readStamp(token, sig.ValueDigest)
	if err != nil {
		return brokenStamp(err), nil, finding{}
	}
	check, f := v.trustStamp(st, s.Listed(v.evidence.vri))
	return check, st, f
}

// brokenStamp words what is wrong with a token itself.
func brokenStamp(err error) Check {
	switch {
	case errors.Is(err, errPurpose):
		return unknown("timestamp_purpose", "Chứng thư số cấp dấu thời gian không đúng mục đích sử dụng.", err)
	case errors.Is(err, cms.ErrUnsupported), errors.Is(err, cms.ErrWeak), errors.Is(err, cms.ErrNoSigner), errors.Is(err, cms.ErrUnbound):
		return unknown("timestamp_unsupported", "Dấu thời gian thuộc loại chưa hỗ trợ.", err)
	case errors.Is(err, cms.ErrDigest):
		return failed("timestamp_mismatch", "Dấu thời gian không phải của chữ ký này.", err)
	}
	return failed("timestamp_broken", "Dấu thời gian bị hỏng.", err)
}

// trustStamp asks whether the authority of an intact token is trusted at the time since when the token is known.
func (v *verifier) trustStamp(st *stamp, expected bool) (Check, finding) {
	if v.opt.TSARoots == nil {
		return Check{NotChecked, "timestamp_not_checked", "Có dấu thời gian nhưng chưa kiểm tra: chưa khai báo đơn vị cấp dấu thời gian được tin cậy.", ""}, finding{}
	}
	if w := st.sig.Weakness(); !v.known.precedes(w) {
		c := weakCheck(w)
		return unknown("timestamp_weak", "Dấu thời gian dùng thuật toán "+w.Name+", từ "+w.Ended.Format("02/01/2006")+" không còn an toàn, nên không chứng minh được thời điểm.", errors.New(c.Detail)), finding{}
	}
	tsa, when := st.sig.Signer, v.known.at
	expired := false
	switch {
	case st.Time.After(when.Add(stampSkew)):
		return unknown("timestamp_order", "Dấu thời gian ghi thời điểm muộn hơn thời điểm đã được chứng minh.", nil), finding{}
	case st.Time.Before(tsa.NotBefore), st.Time.After(tsa.NotAfter):
		return unknown("timestamp_out_of_force", "Chứng thư số cấp dấu thời gian không có hiệu lực vào lúc cấp.", nil), finding{}
	case when.After(tsa.NotAfter):
		expired, when = true, tsa.NotAfter
	case when.Before(tsa.NotBefore): // within the skew
		when = tsa.NotBefore
	}
	others := slices.Concat(st.sig.Certificates, v.opt.Intermediates, v.evidence.certs)
	found, err := paths(tsa, others, v.opt.TSARoots, when, x509.ExtKeyUsageTimeStamping)
	switch {
	case err != nil:
		return unknown("timestamp_untrusted", "Dấu thời gian không do đơn vị được tin cậy cấp.", err), finding{}
	case expired:
		// It proves nothing any more, and takes nothing from a signature whose certificate is in force.
		return Check{NotChecked, "timestamp_expired", "Chứng thư số cấp dấu thời gian đã hết hạn, dấu thời gian không còn giá trị chứng minh.", ""}, finding{}
	}
	f := v.notRevoked(found, question{at: when, since: st.Time, expected: expected})
	if f.check.Answer == Failed || f.check.Answer == Unknown {
		reason := "Chưa xác định được chứng thư số cấp dấu thời gian có bị thu hồi hay không."
		if f.check.Code == "revoked" || f.check.Code == "revoked_unproven" {
			reason = "Chứng thư số cấp dấu thời gian đã bị thu hồi."
		}
		return Check{Unknown, "timestamp_" + f.check.Code, reason, f.check.Detail}, f
	}
	return Check{Passed, "timestamp_trusted", "Dấu thời gian do đơn vị được tin cậy cấp.", ""}, f
}

// documentStamp answers for a time stamp over the file (ETSI EN 319 142-1 §5.4.3).
func (v *verifier) documentStamp(s *pdfdoc.Signature, sig *cms.Signature, r *SignatureReport) {
	info, err := sig.Stamp()
	if err != nil {
		r.Timestamp = brokenStamp(err)
		return
	}
	var f finding
	r.Timestamp, f = v.trustStamp(&stamp{info, sig}, s.Listed(v.evidence.vri))
	switch r.Timestamp.Answer {
	case Passed:
		t := info.Time
		r.StampedTime, r.StampedBy, r.until = &t, sig.Signer.Subject.CommonName, sig.Until()
		r.Chain = Check{Passed, "trusted", "Chứng thư số do đơn vị được tin cậy cấp.", ""}
		r.Time = Check{Passed, "in_force", "Chứng thư số còn hiệu lực.", ""}
		r.Revocation = f.check
		v.need(s, sig, f)
	default:
		r.Chain = Check{Unknown, r.Timestamp.Code, r.Timestamp.Reason, ""}
		if f.check.Code != "" {
			r.Revocation = f.check
		}
	}
}

// A question is what is asked about the revocation of a chain.
type question struct {
	at       time.Time  // it must not have been revoked until then
	since    time.Time  // evidence for this earlier time is enough where there is none for at; for stamps only
	together bool       // the time stamp was made with the signature
	claimed  *time.Time // what the signer says
	expected bool       // the file lists evidence for this
}

// A finding is what is known about the revocation of a chain, and from whom.
type finding struct {
	check     Check
	chain     []*x509.Certificate
	witnesses []*witness
}

// stampEvidence says where the evidence about an authority comes from.
type stampEvidence struct{ embedded, stamped bool }

func (f finding) evidence() stampEvidence {
	e := stampEvidence{embedded: f.check.Answer == Passed, stamped: f.check.Answer == Passed}
	for _, w := range f.witnesses {
		e.embedded, e.stamped = e.embedded && w.embedded, e.stamped && w.stamped
	}
	return e
}

// level is the highest level whose conditions are met.
func (f finding) level(known proof, stamp stampEvidence) Level {
	own := f.evidence()
	switch {
	case !known.stamped():
		return LevelB
	case !own.embedded || !stamp.embedded:
		return LevelT
	case !own.stamped || !stamp.stamped:
		return LevelLT
	}
	return LevelLTA
}

var revocationNotChecked = Check{NotChecked, "revocation_not_checked", "Chưa kiểm tra chứng thư số có bị thu hồi hay không.", ""}

// notRevoked asks about every certificate of a chain but the root, which is trusted by itself. Of several chains the best
// counts.
func (v *verifier) notRevoked(chains [][]*x509.Certificate, q question) finding {
	var best finding
	for i, c := range chains {
		f := v.chainStatus(c, q)
		if i == 0 || severity(f.check.Answer) < severity(best.check.Answer) {
			best = f
		}
		if best.check.Answer == Passed {
			break
		}
	}
	return best
}

func (v *verifier) chainStatus(chain []*x509.Certificate, q question) finding {
	f := finding{chain: chain, check: Check{Passed, "not_revoked", "Chứng thư số không bị thu hồi.", ""}}
	if len(chain) == 1 { // the signer's certificate is itself trusted
		return f
	}
	for i := range chain[:len(chain)-1] {
		check, w := v.certificateStatus(chain[i], chain[i+1], q)
		if w != nil {
			f.witnesses = append(f.witnesses, w)
		}
		if severity(check.Answer) > severity(f.check.Answer) {
			f.check = check
		}
	}
	return f
}

// decide asks for the later time first: a revocation known by then counts. Without news the status at the time of the
// stamp stands, or no file could be judged without the network once its answers are a week old.
func (q question) decide(answers []*revocation.Answer, cert *x509.Certificate) (revocation.Status, *revocation.Answer) {
	status, chosen := revocation.Decide(answers, q.at, cert)
	if chosen == nil && !q.since.IsZero() {
		return revocation.Decide(answers, q.since, cert)
	}
	return status, chosen
}

// oldest is, of the witnesses that say the same as the chosen one, the one that is proven for the longest: a younger
// signature may carry a newer answer about an older one, which must not cost that its level.
func (q question) oldest(answers []*revocation.Answer, from map[*revocation.Answer]*witness, chosen *revocation.Answer, cert *x509.Certificate) *witness {
	best := from[chosen]
	for _, a := range answers {
		w := from[a]
		if s, _ := q.decide([]*revocation.Answer{a}, cert); s != revocation.Good {
			continue
		}
		if w.stamped && !best.stamped || w.embedded && !best.embedded && w.stamped == best.stamped {
			best = w
		}
	}
	return best
}

// certificateStatus looks into the file first and asks online only where that says nothing.
func (v *verifier) certificateStatus(cert, issuer *x509.Certificate, q question) (Check, *witness) {
	answers, from := v.evidence.answers(cert, issuer)
	status, chosen := q.decide(answers, cert)
	var problem error
	if (chosen == nil || status == revocation.Unknown) && v.opt.Online != nil {
		src, err := v.opt.Online.ask(v.ctx, cert, issuer)
		problem = err
		if err == nil {
			w := v.remember(src)
			if a, err := src.Answer(cert, issuer); err == nil {
				answers, from[a] = append(answers, a), w
				status, chosen = q.decide(answers, cert)
			}
		}
	}
	name := cert.Subject.CommonName
	switch {
	case chosen == nil:
		return v.noAnswer(name, q, problem), nil
	case status == revocation.Good:
		return Check{Passed, "not_revoked", "Chứng thư số không bị thu hồi.", ""}, q.oldest(answers, from, chosen, cert)
	case status == revocation.Unknown:
		return unknown("revocation_unknown", "Đơn vị cấp không xác nhận tình trạng của chứng thư số.", fmt.Errorf("certificate %q", name)), nil
	}
	return revokedCheck(name, chosen, q), from[chosen]
}

// remember keeps an answer from outside for the other signatures of the file.
func (v *verifier) remember(src revocation.Source) *witness {
	for _, w := range v.evidence.witnesses {
		if bytes.Equal(w.DER(), src.DER()) {
			return w
		}
	}
	w := &witness{Source: src, seen: time.Now()}
	v.evidence.witnesses = append(v.evidence.witnesses, w)
	return w
}

// noAnswer says what silence means, see RevocationPolicy.
func (v *verifier) noAnswer(name string, q question, problem error) Check {
	detail := fmt.Errorf("certificate %q", name)
	switch {
	case v.evidence.damaged != nil:
		return unknown("evidence_damaged", "Dữ liệu xác minh kèm theo tệp bị hỏng.", v.evidence.damaged)
	case problem != nil && !errors.Is(problem, errNoAddress):
		return unknown("revocation_unavailable", "Chưa hỏi được đơn vị cấp về tình trạng thu hồi của chứng thư số.", problem)
	case q.expected:
		return unknown("evidence_insufficient", "Dữ liệu xác minh kèm theo tệp không đủ để kết luận về việc thu hồi chứng thư số.", detail)
	case v.opt.Revocation != RevocationIfKnown:
		return unknown("revocation_unknown", "Chưa có căn cứ để kết luận chứng thư số không bị thu hồi.", detail)
	}
	return revocationNotChecked
}

// revokedCheck says what a revocation means. It proves a signature wrong when the signature is known to be younger: by its
// own claim, or because its time stamp, which is made with it, is. Without any proof of the time it may still be older.
func revokedCheck(name string, a *revocation.Answer, q question) Check {
	detail := fmt.Errorf("certificate %q revoked at %s, reason %d", name, a.RevokedAt.Format(time.RFC3339), a.Reason)
	day := a.RevokedAt.In(vietnam).Format("02/01/2006 15:04:05")
	if q.together || q.claimed != nil && !q.claimed.Before(a.RevokedAt) {
		return failed("revoked", "Chứng thư số đã bị thu hồi lúc "+day+", trước khi ký.", detail)
	}
	return unknown("revoked_unproven", "Chứng thư số đã bị thu hồi lúc "+day+"; không có căn cứ rằng chữ ký được tạo trước đó.", detail)
}

// need notes what an answer rests on, for whoever wants to put it into the file.
func (v *verifier) need(s *pdfdoc.Signature, sig *cms.Signature, f finding) {
	if v.needed == nil {
		return
	}
	e := v.needed[s.VRIKey()]
	for _, c := range f.chain {
		if !slices.ContainsFunc(sig.Certificates, c.Equal) {
			e.Certs = appendNew(e.Certs, c.Raw)
		}
	}
	for _, w := range f.witnesses {
		switch w.Source.(type) {
		case *revocation.OCSP:
			e.OCSPs = appendNew(e.OCSPs, w.DER())
		case *revocation.CRL:
			e.CRLs = appendNew(e.CRLs, w.DER())
		}
	}
	v.needed[s.VRIKey()] = e
}

func appendNew(list [][]byte, b []byte) [][]byte {
	if slices.ContainsFunc(list, func(o []byte) bool { return bytes.Equal(o, b) }) {
		return list
	}
	return append(list, b)
}
