package mailcore_test

import (
	"errors"
	"strings"
	"testing"

	"congvan/mailcore"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"stttt@kontum.test":          "stttt@kontum.test",
		" STTTT@KonTum.Test. ":       "stttt@kontum.test",
		`"stttt"@kontum.test`:        "stttt@kontum.test",
		`"so tttt"@kontum.test`:      `"so tttt"@kontum.test`,
		"văn.thư@kontum.test":        "văn.thư@kontum.test",
		"VĂN.THƯ@kontum.test":        "văn.thư@kontum.test",
		"traloi+AbC@kontum.test":     "traloi+abc@kontum.test",
		"a@[127.0.0.1]":              "a@[127.0.0.1]",
		"a@[IPv6:::1]":               "a@[ipv6:::1]",
		"a@xn--vn-abc.test":          "a@xn--vn-abc.test",
		`"a@b"@kontum.test`:          `"a@b"@kontum.test`,
		"o'neil!#$%@a-b.kontum.test": "o'neil!#$%@a-b.kontum.test",
	} {
		got, err := mailcore.ParseAddress(in)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
		if again, err := mailcore.ParseAddress(string(got)); err != nil || again != got {
			t.Errorf("%q is not its own form: %q, %v", got, again, err)
		}
	}
	a, _ := mailcore.ParseAddress("Nguyen.Van.A@stttt.kontum.test")
	if a.Local() != "nguyen.van.a" || a.Domain() != "stttt.kontum.test" {
		t.Errorf("parts %q %q", a.Local(), a.Domain())
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, in := range []string{"", "@", "a", "a@", "@b.test", "a b@c.test", "a@b c", "a..b@c.test", ".a@c.test", "a@-b.test", "a@b..test", "a@kontum.tỉnh",
		"<a@b.test>", "a@[300.1.1.1]", "a@[127.0.0.1", `"a@b.test`, `"a"b"@c.test`, "a@b@c.test", "a\x00@b.test", "a\n@b.test", "a\xff@b.test",
		strings.Repeat("a", 65) + "@b.test", "a@" + strings.Repeat("b", 64) + ".test", "a,b@c.test", "a@b.test, c@d.test"} {
		got, err := mailcore.ParseAddress(in)
		var bad *mailcore.AddressError
		if !errors.As(err, &bad) || got != "" {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add(`"a b"@kontum.test`)
	f.Add("văn.thư@[ipv6:::1]")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mailcore.ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := mailcore.ParseAddress(string(a)); err != nil || again != a {
			t.Errorf("%q gives %q, which gives %q, %v", s, a, again, err)
		}
		if strings.ContainsAny(string(a), "\r\n\x00<>") && !strings.HasPrefix(string(a), `"`) {
			t.Errorf("%q would break a protocol line", a)
		}
	})
}
