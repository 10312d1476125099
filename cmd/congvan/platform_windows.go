package main

import (
	"errors"
	"os"
)

// keepPrivate: Windows keeps rights by the folder, and a user's own is private.
func keepPrivate() {}

var errLocked = errors.New("locked by another process")

// lockFile: a gateway does not run on Windows, where congvan token and reading are used.
func lockFile(*os.File, bool) error {
	return errors.New("a gateway does not run on Windows; congvan token does")
}
