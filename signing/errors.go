package signing

import (
	"errors"
	"fmt"

	"congvan/signing/internal/cms"
	"congvan/signing/internal/pdfdoc"
	"congvan/signing/internal/typeface"
)

// Errors that a caller may branch on with errors.Is. What Seal and Verify return for bad input is an *InputError that
// wraps one of them.
var (
	ErrNotPDF      = errors.New("not a PDF file")
	ErrEncrypted   = errors.New("PDF needs a password")
	ErrDamaged     = errors.New("damaged PDF file")
	ErrTooLarge    = errors.New("file too large")
	ErrTimeout     = errors.New("file takes too long to read")
	ErrXFA         = errors.New("document shows a dynamic form (XFA)")
	ErrNoChanges   = errors.New("document is certified against changes")
	ErrMark        = errors.New("mark cannot be set")
	ErrKey         = errors.New("key cannot seal")
	ErrCertificate = errors.New("certificate cannot seal")
	ErrPermissions = errors.New("key file is open to others")
	ErrPassword    = errors.New("wrong password for the key file")
	ErrRevoked     = errors.New("certificate is revoked")
	ErrUnavailable = errors.New("authority cannot be reached") // a time stamp or revocation service; trying later may help
	ErrTimestamp   = errors.New("time stamp is not usable")
	ErrLevel       = errors.New("level cannot be reached")
)

// An InputError says that a file cannot be taken as it is. Code is a short word for programs: "empty", "not_pdf",
// "encrypted", "damaged", "too_large", "timeout", "no_changes", "xfa" or "mark".
type InputError struct {
	Code string
	Err  error // one of the errors above, with detail
}

// Error gives the detail in English.
func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap leads to the sentinel.
func (e *InputError) Unwrap() error { return e.Err }

// inputErrors translates what the inner packages report.
var inputErrors = []struct {
	inner, outer error
	code         string
}{
	{pdfdoc.ErrEmpty, ErrNotPDF, "empty"},
	{pdfdoc.ErrNotPDF, ErrNotPDF, "not_pdf"},
	{pdfdoc.ErrEncrypted, ErrEncrypted, "encrypted"},
	{pdfdoc.ErrTimeout, ErrTimeout, "timeout"},
	{pdfdoc.ErrNoChanges, ErrNoChanges, "no_changes"},
	{pdfdoc.ErrXFA, ErrXFA, "xfa"},
	{pdfdoc.ErrDamaged, ErrDamaged, "damaged"},
	{pdfdoc.ErrNoPlace, ErrMark, "mark"},
	{typeface.ErrGlyph, ErrMark, "mark"},
}

// inputError turns an inner error into an *InputError where it is about the input.
func inputError(err error) error {
	var known *InputError
	if errors.As(err, &known) {
		return err
	}
	for _, e := range inputErrors {
		if errors.Is(err, e.inner) {
			return &InputError{e.code, fmt.Errorf("%w: %w", e.outer, err)}
		}
	}
	if errors.Is(err, cms.ErrKey) {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	return err
}
