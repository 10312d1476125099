package ldapd

import (
	ber "github.com/go-asn1-ber/asn1-ber"
)

// Result codes (RFC 4511 §4.1.9).
const (
	success             = 0
	operationsError     = 1
	protocolError       = 2
	timeLimitExceeded   = 3
	sizeLimitExceeded   = 4
	compareFalse        = 5
	compareTrue         = 6
	authNotSupported    = 7
	unavailableCritical = 12
	confidentiality     = 13
	noSuchAttribute     = 16
	noSuchObject        = 32
	invalidDNSyntax     = 34
	invalidCredentials  = 49
	insufficientAccess  = 50
	busy                = 51
	unavailable         = 52
	unwillingToPerform  = 53
	otherError          = 80
)

// A result ends an operation.
type result struct {
	code     int
	matched  string
	text     string
	name     string  // of an extended response
	value    *string // of an extended response
	controls []*ber.Packet
}

func (r result) packet(op ber.Tag) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(r.code), ""))
	p.AppendChild(octetString(r.matched))
	p.AppendChild(octetString(r.text))
	if r.name != "" {
		p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, r.name, ""))
	}
	if r.value != nil {
		p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 11, *r.value, ""))
	}
	return p
}

// reply writes the result of an operation.
func (x *session) reply(m *message, op ber.Tag, r result) error {
	return x.write(m.id, r.packet(op), r.controls...)
}

// disconnect says why the server ends the session.
func (x *session) disconnect(code int, text string) {
	if x.write(0, result{code: code, text: text, name: oidDisconnection}.packet(opExtendedResponse)) == nil {
		x.w.Flush()
	}
}

func (x *session) write(id int64, op *ber.Packet, controls ...*ber.Packet) error {
	p := sequence(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""), op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c)
		}
		p.AppendChild(list)
	}
	_, err := x.w.Write(p.Bytes())
	return err
}
