package mailcore

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestThrottleIsBoundedAndForgets(t *testing.T) {
	now := time.Unix(1e9, 0)
	th := newThrottle()
	th.now = func() time.Time { return now }
	secret := 0
	fail := func(place string, account Address) (lock []string) {
		secret++
		_, lock = th.fail(suspect{place: place, account: account}, [32]byte{byte(secret), byte(secret >> 8), byte(secret >> 16)})
		return lock
	}
	allowed := func(place string, account Address) bool {
		return th.allow(suspect{place: place, account: account}, nil, true)
	}
	for i := range failsOfPair {
		if !allowed("192.0.2.1", "a@b.test") {
			t.Fatal("refused too early")
		}
		if lock := fail("192.0.2.1", "a@b.test"); (len(lock) == 1) != (i == failsOfPair-1) {
			t.Errorf("try %d locks %q", i, lock)
		}
	}
	if allowed("192.0.2.1", "a@b.test") {
		t.Error("the eleventh try is checked")
	}
	if !allowed("192.0.2.1", "c@b.test") || !allowed("192.0.2.2", "a@b.test") {
		t.Error("others are locked out")
	}
	known := suspect{place: "192.0.2.1", account: "a@b.test", known: true}
	if !th.allow(known, nil, true) || th.allow(known, nil, true) {
		t.Error("a known address goes on, but slowly")
	}
	now = now.Add(knownPace)
	if !th.allow(known, []string{"192.0.2.1", "192.0.2.1 a@b.test"}, true) {
		t.Error("a lock keeps a known address out")
	}
	now = now.Add(failWindow)
	if !allowed("192.0.2.1", "a@b.test") {
		t.Error("never forgets")
	}
	if th.allow(suspect{place: "192.0.2.1", account: "z@b.test"}, []string{"192.0.2.1"}, true) {
		t.Error("a lock of the address does nothing")
	}
	network := placeOf(netip.MustParseAddr("2001:db8::1"))
	for i := range failsOfPlace {
		fail(network, Address(fmt.Sprintf("a%d@b.test", i)))
	}
	if allowed(placeOf(netip.MustParseAddr("2001:db8::ffff")), "z@b.test") {
		t.Error("one network may guess at every account")
	}
	for i := range 3 * maxTries {
		fail(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "a@b.test")
	}
	if n := len(th.of); n > maxTries+3 {
		t.Errorf("%d entries", n)
	}
	if !allowed("198.51.100.1", "a@b.test") || allowed("198.51.100.2", "a@b.test") {
		t.Error("strangers at an account under attack are not slowed down")
	}
}

func TestPlaceOf(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64"} {
		if got := placeOf(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	if got := placeOf(netip.Addr{}); got != "?" {
		t.Errorf("none: %s", got)
	}
}

func TestAppPasswordIsReadHoweverItIsTyped(t *testing.T) {
	secret := newAppPassword()
	for _, typed := range []string{secret, secret[:6] + secret[7:13] + secret[14:20] + secret[21:], secret[:6] + " " + secret[7:13] + " " + secret[14:20] + " " + secret[21:],
		" " + secret + "\t"} {
		if got, ok := asAppPassword(typed); !ok || got != secret {
			t.Errorf("%q becomes %q", typed, got)
		}
	}
	for _, other := range []string{"", secret[1:], secret + "a", "mật khẩu của tôi dài đúng hai", "abcdef-ghijkl-mnopqr-stuvw1"} {
		if got, ok := asAppPassword(other); ok {
			t.Errorf("%q is taken for %q", other, got)
		}
	}
}
