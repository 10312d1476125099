package intake

import (
	"fmt"
	"os"
	"testing"
)

// working lists the children of a reader that run, at work or idle.
func (r *Reader) working() []*child {
	cs := r.files.(*children)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var out []*child
	for c := range cs.all {
		out = append(out, c)
	}
	return out
}

// KillChildren kills every child of a reader, tells how many, and waits until they are gone.
func (r *Reader) KillChildren() int {
	list := r.working()
	for _, c := range list {
		c.kill()
		<-c.gone
	}
	return len(list)
}

// ChildEnvironment is the environment of a reader's one child.
func (r *Reader) ChildEnvironment(t testing.TB) string {
	list := r.working()
	if len(list) != 1 {
		t.Fatalf("%d children", len(list))
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", list[0].cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ChildPeak is the most memory, in MB, of the child that was used last.
func (r *Reader) ChildPeak() float64 {
	cs := r.files.(*children)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return float64(cs.peak) / (1 << 20)
}
