package exchange

import (
	"encoding/json"
)

// children proves that every copy that joined later has one parent, which says so, and that every forward led to one copy. The
// events of all copies of the document are in journal.
func (c *checker) children(copies []Dispatch, journal map[int64][]Event) {
	byID := map[DispatchID]*Dispatch{}
	for i := range copies {
		byID[copies[i].ID] = &copies[i]
	}
	claimed := map[DispatchID]DispatchID{}
	for i := range copies {
		d := &copies[i]
		for _, e := range journal[int64(d.ID)] {
			if e.Kind != string(Forwarded) {
				continue
			}
			var f struct {
				To    string
				Child DispatchID
			}
			json.Unmarshal([]byte(e.Detail), &f)
			child := byID[f.Child]
			switch {
			case child == nil:
				c.sayf("dispatch %d: was forwarded to dispatch %d, which is not there", d.ID, f.Child)
			case child.Parent == nil || *child.Parent != d.ID || string(child.Unit) != f.To:
				c.sayf("dispatch %d: was forwarded to %s as dispatch %d, which is another's", d.ID, f.To, f.Child)
			case claimed[f.Child] != 0:
				c.sayf("dispatch %d: is the child of dispatches %d and %d", f.Child, claimed[f.Child], d.ID)
			}
			claimed[f.Child] = d.ID
		}
	}
	open := map[string]DispatchID{}
	for i := range copies {
		d := &copies[i]
		c.child(d, byID, journal[int64(d.ID)])
		if d.Unit == "" || d.Closed() {
			continue
		}
		if other := open[string(d.Unit)]; other != 0 {
			c.sayf("dispatch %d: %s has an open copy already, dispatch %d", d.ID, d.Unit, other)
		}
		open[string(d.Unit)] = d.ID
	}
}

// child compares a copy's parent with what its first event says.
func (c *checker) child(d *Dispatch, byID map[DispatchID]*Dispatch, events []Event) {
	if len(events) == 0 {
		return
	}
	var o origin
	json.Unmarshal([]byte(events[0].Detail), &o)
	switch {
	case d.Parent == nil && o.Parent != 0:
		c.sayf("dispatch %d: its first event says that it came of dispatch %d", d.ID, o.Parent)
	case d.Parent == nil:
	case o.Parent != *d.Parent || o.Why == "":
		c.sayf("dispatch %d: its parent is %d, its first event says %d, for %q", d.ID, *d.Parent, o.Parent, o.Why)
	case byID[*d.Parent] == nil || *d.Parent >= d.ID:
		c.sayf("dispatch %d: its parent %d is no earlier copy of the document", d.ID, *d.Parent)
	}
}
