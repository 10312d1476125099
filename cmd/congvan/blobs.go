package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"congvan/mailcore/blob"
)

// openBlobs opens the folder of blobs, or the bucket of the configuration with a cache in the data folder.
func (c *config) openBlobs(ctx context.Context) (blob.Store, error) {
	b := c.Blobs
	if b.Endpoint == "" {
		return blob.OpenDir(c.path("blobs"))
	}
	secret, err := readSecret(c.path(b.SecretFile))
	if err != nil {
		return nil, &hintError{fmt.Errorf("secret of the bucket: %w", err), "write it into " + c.path(b.SecretFile) + ", mode 0600"}
	}
	opt := blob.BucketOptions{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, Prefix: b.Prefix, AccessKey: b.AccessKey,
		SecretKey: strings.TrimSpace(secret), Insecure: b.Insecure, Cache: c.path("blob-cache"), CacheSize: b.CacheSize}
	if b.CA != "" {
		if opt.Transport, err = trusting(c.path(b.CA)); err != nil {
			return nil, fmt.Errorf("blobs.s3_ca: %w", err)
		}
	}
	store, err := blob.OpenBucket(ctx, opt)
	if err != nil {
		return nil, &hintError{err, "check [blobs] in " + c.path(configFile) + "; the bucket must exist"}
	}
	return store, nil
}

// trusting is a transport that trusts the authorities of a PEM file, and no others.
func trusting(path string) (http.RoundTripper, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New(path + " holds no certificate")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}
