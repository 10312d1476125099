//go:build unix

package signing

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign says that a file belongs to neither us nor root: its owner may change it.
func foreign(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
