package mailtest

import (
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"congvan/mailcore/blob"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// An S3 is a server of the protocol, over TLS, that keeps its objects in memory.
type S3 struct {
	server *httptest.Server
	Memory *s3mem.Backend
}

// NewS3 starts a server with the bucket "congvan".
func NewS3(t testing.TB) *S3 {
	t.Helper()
	memory := s3mem.New()
	if err := memory.CreateBucket("congvan"); err != nil {
		t.Fatal(err)
	}
	s := &S3{httptest.NewTLSServer(gofakes3.New(memory, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()), memory}
	t.Cleanup(s.server.Close)
	return s
}

// Options are those of a node with a cache of its own.
func (s *S3) Options(t testing.TB) blob.BucketOptions {
	t.Helper()
	return blob.BucketOptions{Endpoint: strings.TrimPrefix(s.server.URL, "https://"), Region: "us-east-1", Bucket: "congvan", AccessKey: "thu", SecretKey: "bi-mat",
		Transport: s.server.Client().Transport, Cache: t.TempDir()}
}

// Close ends the server, as a node sees an outage.
func (s *S3) Close() { s.server.CloseClientConnections(); s.server.Close() }

// Address and Certificate are what a configuration says of the server.
func (s *S3) Address() string { return strings.TrimPrefix(s.server.URL, "https://") }

// Certificate is the server's own, in PEM.
func (s *S3) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
}
