package intake

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/tetratelabs/wazero/experimental"
)

// setApart starts a child in a group of its own, so that a key pressed in a terminal reaches its parent alone, and has the
// kernel end it when the parent is gone, even in the midst of work.
func setApart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limitMemory bounds what this process may ever write to; beyond it ends.
func limitMemory(bytes int64) error {
	limit := syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // a dump would hold the document
}

// ownMemory gives instances memory from the kernel instead of Go's heap: it grows without a copy, is clean without being
// cleared, and goes back at once.
func ownMemory(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, max uint64) experimental.LinearMemory {
		b, err := syscall.Mmap(-1, 0, int(max), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
		if err != nil {
			panic(fmt.Sprintf("map %d bytes: %v", max, err)) // the interface knows no error; the child ends
		}
		return &mapped{b}
	}))
}

// A mapped is the memory of one instance, mapped whole; pages that are not used take no room.
type mapped struct{ all []byte }

func (m *mapped) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		return nil
	}
	return m.all[:size]
}

func (m *mapped) Free() {
	syscall.Munmap(m.all)
	m.all = nil
}

// memoryOf gives the memory of a process in bytes, now and at its peak; zeros when it is gone.
func memoryOf(pid int) (now, peak int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for ln := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(ln, ":")
		f := strings.Fields(rest)
		if len(f) == 0 || name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kb, _ := strconv.ParseInt(f[0], 10, 64)
		if name == "VmRSS" {
			now = kb << 10
		} else {
			peak = kb << 10
		}
	}
	return now, peak
}
