package queue_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"

	"congvan/mailcore"
	"congvan/mailcore/mailauth"
	"congvan/mailcore/mailtest"
	"congvan/mailcore/queue"
)

// A published key is a DNS that has one TXT record.
type published struct{ name, text string }

func (p published) LookupTXT(_ context.Context, name string) ([]string, error) {
	switch strings.TrimSuffix(name, ".") {
	case p.name:
		return []string{p.text}, nil
	case "_dmarc.kontum.test":
		return []string{"v=DMARC1; p=reject"}, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (published) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (published) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (published) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func TestWhatLeavesIsSigned(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := mailauth.NewSigner("kontum.test", "s1", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := signer.Record()
	if err != nil {
		t.Fatal(err)
	}
	forEach(t, func(t *testing.T, h *house) {
		p := mailtest.NewPeer(t, mailtest.PeerScript{})
		stop := h.run(func(o *queue.Options) { to(p)(o); o.Signer = signer })
		defer stop()
		h.enqueue(mailcore.Outgoing{Ref: "dispatch:7"})
		got := p.WaitMails(t, 1)[0].Data
		check := mailauth.Checker{Resolver: published{name, text}, Hostname: "mx.bo.test"}
		res, err := check.Check(ctx, mailauth.Origin{From: []string{"a1@kontum.test"}}, strings.NewReader(got))
		if err != nil || !res.Aligned() {
			t.Errorf("the receiver finds %+v, %v\n%s", res, err, got)
		}
		if res, err = check.Check(ctx, mailauth.Origin{From: []string{"a1@kontum.test"}}, strings.NewReader(strings.Replace(got, "hết", "hết rồi", 1))); err != nil || res.Aligned() {
			t.Errorf("a changed mail passes: %+v, %v", res, err)
		}
	})
}
