//go:build unix

package main

import (
	"os"
	"syscall"
)

// keepPrivate makes what this process writes nobody else's: data, logs and passwords.
func keepPrivate() { syscall.Umask(0o077) }

var errLocked error = syscall.EWOULDBLOCK

// lockFile locks an open file or folder until it is closed or the process dies. Without wait, a lock of somebody else is
// errLocked.
func lockFile(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	return syscall.Flock(int(f.Fd()), how)
}
