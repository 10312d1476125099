// Package signing seals PDF documents with an agency's certificate (ký số của cơ quan) and verifies such seals.
//
// It takes bytes and a key and returns bytes. It knows no database, no configuration and no network, and can be lifted
// out whole.
//
// Seal appends one increment (ISO 32000-1 §7.5.6) to a PDF: a signature field, and at the top right of page 1 the line
// that NĐ 30/2020 Phụ lục I prescribes for an electronic copy of a paper document, as real text. Not one byte of the
// input is changed, so earlier signatures stay valid, and form fields stay. The signature is PAdES baseline B-B
// (ETSI EN 319 142-1): SubFilter ETSI.CAdES.detached, SHA-256, signing-certificate-v2, no signing-time. Keys are any
// crypto.Signer with RSA of 2048 bits or more, or ECDSA on P-256 or P-384.
//
// Verify answers for every signature in a file, each question apart and with a reason: are the signed bytes intact; what
// came after them; who signed; does the certificate lead to a root that the caller trusts; at what time. The outcome is
// valid, invalid or indeterminate, and indeterminate must never be shown as valid. Trust comes from the caller alone;
// the system's roots are never used.
//
// Not done yet, and reported as "not checked": revocation, time stamps and their authorities, long-term validation data.
//
// Hostile input costs bounded time and memory and gets an error; nothing here panics on it.
//
// The work is done by three inner packages: pdfdoc (revisions and increments, over pdfcpu), cms (CAdES) and typeface
// (the mark's text).
package signing
