package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
)

// stsPath is where other houses look for the policy of a domain (RFC 8461 §3.3).
const stsPath = "/.well-known/mta-sts.txt"

// The values of mail.mta_sts.
const (
	stsEnforce = "enforce"
	stsTesting = "testing"
	stsOff     = ""
)

// stsAge is how long others keep the policy: a week, so that a mistake is over in a week.
const stsAge = "604800"

// stsHost is the name that the policy must be reachable under, by HTTPS with a certificate that everybody trusts.
func (c *config) stsHost() string { return "mta-sts." + c.Domain }

// stsPolicy is our own policy: mail for the domain comes to this host over verified TLS.
func (c *config) stsPolicy() string {
	return "version: STSv1\r\nmode: " + c.Mail.MTASTS + "\r\nmx: " + c.Hostname + "\r\nmax_age: " + stsAge + "\r\n"
}

// stsRecord is the TXT record that names the policy; it changes when the policy does.
func (c *config) stsRecord() string {
	sum := sha256.Sum256([]byte(c.stsPolicy()))
	return "v=STSv1; id=" + hex.EncodeToString(sum[:10])
}

// serveSTS answers with the policy, under its own name alone: another name's page is no policy of the domain.
func (c *config) serveSTS(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if c.Mail.MTASTS == stsOff || !strings.EqualFold(strings.TrimSuffix(host, "."), c.stsHost()) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write([]byte(c.stsPolicy()))
}
