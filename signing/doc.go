// Package signing seals PDF documents with an agency's certificate (ký số của cơ quan) and verifies such seals.
//
// It takes bytes and a key and returns bytes. It knows no database and no configuration, and can be lifted out whole. It
// uses the network only through a Timestamper or a RevocationSource that the caller hands in, and only to addresses that
// the caller or a certificate under a trusted root names.
//
// Seal appends one increment (ISO 32000-1 §7.5.6) to a PDF: a signature field, and what NĐ 30/2020 Phụ lục I wants to be
// seen with it. For an electronic copy of a paper document that is a line at the top right of page 1 (MarkText), for an
// annex in a file of its own another (AnnexText), for an electronic original the picture of the signature and of the seal
// (Picture). Texts are real text. Not one byte of the input is changed, so earlier signatures stay valid, and form fields
// stay. Signatures are PAdES baseline (ETSI EN 319 142-1): SubFilter ETSI.CAdES.detached, SHA-256, signing-certificate-v2,
// no signing-time. Keys are any crypto.Signer with RSA of 2048 bits or more, or ECDSA on P-256 or P-384.
//
// Levels. B-B is the signature alone. B-T adds a time stamp (RFC 3161), B-LT the certificates and the OCSP answers (RFC
// 6960) or revocation lists (RFC 5280) by which it can be judged without the network, B-LTA a document time stamp over all
// of it. Seal reaches a level at once or fails with nothing made; Extend raises a file later, and renews one whose last
// time stamp comes to its end (Report.RenewBy). When an authority is out of reach the error wraps ErrUnavailable, and
// trying again later is right.
//
// Keys. Sealer.With says how a key is used: level, signature policy, form of the copy. A FileKey is a key at somebody's
// desk; it is sent the whole file (ReadPrepared reads it there) and never a bare digest.
//
// Verify answers for every signature in a file, each question apart and with a reason: are the signed bytes intact; what
// came after them; who signed; does the certificate lead to a root that the caller trusts; at what time, and who says so;
// was it revoked by then. The outcome is valid, invalid or indeterminate, and indeterminate must never be shown as valid.
// Trust comes from the caller alone; the system's roots are never used. A certificate is judged at the time of the oldest
// trusted stamp over its signature, else now; the signer's own claim counts only against the signer. Evidence in the file
// comes before the network. Evidence counts only while its issuer was in force when the evidence is proven to exist;
// without a document time stamp that is now. What a signature without any revocation service is worth is the caller's
// choice, see RevocationPolicy.
//
// Not done: RSA-PSS for own seals, delta and indirect revocation lists, the question whether an OCSP responder was itself
// revoked, whether comments hide anything where a certification allows them (indeterminate).
//
// Hostile input costs bounded time and memory and gets an error; nothing here panics on it.
//
// The work is done by four inner packages: pdfdoc (revisions, increments, the document security store, over pdfcpu), cms
// (CAdES and time stamp tokens), revocation (OCSP and lists) and typeface (the mark's text).
package signing
