package pdfdoc

import "bytes"

// Prepared is the whole file with its empty signature. It must not be changed.
func (u *Unsigned) Prepared() []byte { return u.data }

// Empty says that the value of the signature is still to come.
func (s *Signature) Empty() bool { return len(bytes.Trim(s.Contents, "\x00")) == 0 }

// Before is the file without its last increment, and without the line end that was put between the two.
func (d *Doc) Before() ([]byte, error) {
	at := bytes.LastIndex(d.Data[:d.xrefAt], []byte("%%EOF"))
	if at < 0 {
		return nil, ErrDamaged
	}
	return d.Data[:at+len("%%EOF")], nil
}
