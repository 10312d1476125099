package mailcore_test

import (
	"net"
	"testing"

	"congvan/mailcore"
)

type between struct {
	net.Conn
	from, to net.Addr
}

func (b between) RemoteAddr() net.Addr { return b.from }
func (b between) LocalAddr() net.Addr  { return b.to }

func TestOnlyLoopbackToLoopbackIsThisMachine(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 25} }
	for _, c := range []struct {
		from, to net.Addr
		want     bool
	}{
		{tcp("127.0.0.1"), tcp("127.0.0.1"), true},
		{tcp("127.0.0.9"), tcp("127.0.0.1"), true},
		{tcp("::ffff:127.0.0.1"), tcp("127.0.0.1"), true},
		{tcp("::1"), tcp("::1"), true},
		{tcp("::1"), tcp("127.0.0.1"), false},
		{tcp("10.0.0.5"), tcp("10.0.0.5"), false},
		{tcp("10.0.0.5"), tcp("127.0.0.1"), false}, // forwarded by something that keeps the sender's address
		{tcp("127.0.0.1"), tcp("10.0.0.5"), false},
		{&net.UnixAddr{Name: "@", Net: "unix"}, &net.UnixAddr{Name: "/run/x", Net: "unix"}, false},
	} {
		if got := mailcore.FromThisMachine(between{from: c.from, to: c.to}); got != c.want {
			t.Errorf("%v to %v: %v", c.from, c.to, got)
		}
	}
}
