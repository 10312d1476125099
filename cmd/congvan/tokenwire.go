package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"congvan/signing"
)

// The wire between a gateway and a clerk's desk: TLS 1.3, both sides known by the keys that they showed when they were paired.
// A frame is a JSON head after its length in 4 bytes, big-endian, and then as many bytes as the head's size says. The desk
// says pair or hello, the gateway welcome or refused. From then on the gateway sends jobs, pings and cancels; the desk answers
// a job with signature or declined, says ready when a missing token is back, and pong every so often.
type frame struct {
	Type      string         `json:"type"`
	Version   int            `json:"version,omitempty"`
	ID        string         `json:"id,omitempty"`     // of a job, or of a pairing
	Reason    string         `json:"reason,omitempty"` // Vietnamese, shown to a person
	Later     bool           `json:"later,omitempty"`  // declined by a person: not to be offered again at once
	Unit      string         `json:"unit,omitempty"`
	Agency    string         `json:"agency,omitempty"`
	Name      string         `json:"name,omitempty"` // of the desk
	Proof     []byte         `json:"proof,omitempty"`
	Chain     [][]byte       `json:"chain,omitempty"`
	Paper     *signing.Paper `json:"paper,omitempty"`
	Digest    string         `json:"digest,omitempty"` // of what is to be signed; the desk works it out itself and compares
	Policy    *policyConfig  `json:"policy,omitempty"`
	Signature []byte         `json:"signature,omitempty"`
	Size      int            `json:"size,omitempty"` // of the body
	body      []byte
}

const (
	tokenVersion = 1
	maxHead      = 256 << 10
	pingEvery    = 15 * time.Second
	silence      = 3 * pingEvery // after which the other side counts as gone
	pairingLife  = 15 * time.Minute
	greetingTime = 20 * time.Second
)

// A wire is one connection. One goroutine reads; any may send.
type wire struct {
	conn *tls.Conn
	mu   sync.Mutex // of writing
}

func (w *wire) send(f frame) error {
	f.Size = len(f.body)
	head, err := json.Marshal(f)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn.SetWriteDeadline(time.Now().Add(silence + time.Duration(len(f.body)>>16)*time.Second)) // 64 KiB a second is slow enough
	_, err = w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...))
	if err == nil && len(f.body) > 0 {
		_, err = w.conn.Write(f.body)
	}
	return err
}

// receive reads the next frame, with a body of at most limit bytes.
func (w *wire) receive(limit int, wait time.Duration) (f frame, err error) {
	w.conn.SetReadDeadline(time.Now().Add(wait))
	var n [4]byte
	if _, err := io.ReadFull(w.conn, n[:]); err != nil {
		return f, err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > maxHead {
		return f, fmt.Errorf("frame head of %d bytes", size)
	}
	head := make([]byte, size)
	if _, err := io.ReadFull(w.conn, head); err != nil {
		return f, err
	}
	if err := json.Unmarshal(head, &f); err != nil {
		return f, fmt.Errorf("frame head: %w", err)
	}
	if f.Size < 0 || f.Size > limit {
		return f, fmt.Errorf("frame %.20q with a body of %d bytes, %d allowed", f.Type, f.Size, limit)
	}
	for len(f.body) < f.Size { // in steps, so that what is announced and not sent costs nothing
		step := make([]byte, min(f.Size-len(f.body), 1<<20))
		w.conn.SetReadDeadline(time.Now().Add(silence))
		if _, err := io.ReadFull(w.conn, step); err != nil {
			return f, err
		}
		f.body = append(f.body, step...)
	}
	return f, nil
}

// fingerprint is SHA-256 of a certificate's public key: by it the other side is known again.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

var errStranger = errors.New("the other side is not the one that was paired")

// peer is the fingerprint of the other side of a connection.
func (w *wire) peer() (string, error) {
	certs := w.conn.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return "", errStranger
	}
	return fingerprint(certs[0]), nil
}

// wireConfig is TLS for both sides: each shows a key of its own, and nobody else's word counts. With pin, the other side must
// show that very key.
func wireConfig(own tls.Certificate, pin string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
		InsecureSkipVerify: true, // the key itself is compared below, or its proof when pairing
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || pin != "" && fingerprint(s.PeerCertificates[0]) != pin {
				return errStranger
			}
			return nil
		}}
}

// dialWire connects to a gateway.
func dialWire(address string, conf *tls.Config) (*wire, error) {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: greetingTime}, Config: conf}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn.(*tls.Conn)}, nil
}

// wireKey loads one side's own key, or makes it.
func wireKey(path, name string) (tls.Certificate, error) {
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeWireKey(path, name); err != nil {
			return tls.Certificate{}, err
		}
		secret, err = readSecret(path)
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair([]byte(secret), []byte(secret))
}

func makeWireKey(path, name string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	// The certificate only carries the key; its dates mean nothing here.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return saveOnce(path, func(tmp string) error { return writeFile(tmp, text, 0o600) })
}

// A pairingCode is told by one person to another: eighty random bits in four groups.
type pairingCode string

func newPairingCode() pairingCode {
	s := rand.Text()[:16]
	return pairingCode(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:])
}

// parsePairingCode takes it as people type it.
func parsePairingCode(s string) (pairingCode, error) {
	s = strings.NewReplacer("-", "", " ", "", "0", "O", "1", "I", "8", "B").Replace(strings.ToUpper(strings.TrimSpace(s)))
	if len(s) != 16 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", &hintError{errors.New("mã ghép đôi không đúng"), "gõ lại mã gồm bốn nhóm bốn ký tự như congvan token pair in ra"}
	}
	return pairingCode(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]), nil
}

func (c pairingCode) derive(what string) []byte {
	m := hmac.New(sha256.New, []byte(c))
	m.Write([]byte("congvan token " + what))
	return m.Sum(nil)
}

// id names the pairing without telling its code.
func (c pairingCode) id() string { return hex.EncodeToString(c.derive("id")[:8]) }

// pairingProof shows the other side that one knows the code, on this very connection: somebody in the middle has two
// connections, and neither proof holds on the other. side is "desk" or "gateway"; said is what the proof vouches for.
func pairingProof(key []byte, conn *tls.Conn, side string, said ...[]byte) ([]byte, error) {
	state := conn.ConnectionState()
	bound, err := state.ExportKeyingMaterial("EXPORTER-congvan-pairing", nil, 32)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	for _, part := range append([][]byte{[]byte(side), bound}, said...) {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		m.Write(part)
	}
	return m.Sum(nil), nil
}
