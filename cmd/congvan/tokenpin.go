package main

import (
	"errors"
	"fmt"
	"os"

	"congvan/signing"

	"golang.org/x/term"
)

// errNoPIN means that nobody gave a PIN: an empty one is never tried, for it would count as a wrong one.
var errNoPIN = errors.New("no PIN was given")

// pinAsker asks for a token's PIN at the terminal, unseen; nil when nobody sits there.
func (s *streams) pinAsker() func(signing.PINRequest) (string, error) {
	f, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(r signing.PINRequest) (string, error) {
		if r.Low {
			fmt.Fprintf(s.err, "Lưu ý: thiết bị %q đã bị nhập sai mã PIN trước đó.\n", r.Token)
		}
		if r.Last {
			fmt.Fprintln(s.err, "CHỈ CÒN MỘT LẦN THỬ: nhập sai nữa thiết bị sẽ bị khóa.")
		}
		fmt.Fprintf(s.err, "Mã PIN của %q (không hiện ra; để trống là thôi): ", r.Token)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		if err != nil {
			return "", err
		}
		if len(b) == 0 {
			return "", fmt.Errorf("%w: %w: %w", signing.ErrUnavailable, signing.ErrToken, errNoPIN)
		}
		return string(b), nil
	}
}
