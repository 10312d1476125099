package mailcore

import (
	"net"
	"net/netip"
)

// FromThisMachine reports whether both ends of a connection are this machine's loopback, in one address family: what it carries no
// other machine can hear.
func FromThisMachine(c net.Conn) bool {
	remote, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return false
	}
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return false
	}
	r, l := remote.Addr().Unmap(), local.Addr().Unmap()
	return r.IsLoopback() && l.IsLoopback() && r.Is4() == l.Is4()
}
