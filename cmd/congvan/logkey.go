package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"congvan/exchange"
	"congvan/signing"
)

// Files of the log's key in the folder of keys. Every node has the same ones; the public one may hold older keys, too.
const (
	logKeyFile    = "log.key"
	logPublicFile = "log.pub"
)

// logKey reads the key that signs the log of events, and makes it where there is none.
func (k *keyring) logKey(domain string) (*exchange.LogKey, error) {
	private, err := readSecret(filepath.Join(k.dir, logKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		if private, err = k.makeLogKey(domain); err != nil {
			return nil, fmt.Errorf("make the key of the log: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	public, err := os.ReadFile(filepath.Join(k.dir, logPublicFile))
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	return exchange.ParseLogKey(private, string(public))
}

// readSecret refuses a file that others may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", &hintError{fmt.Errorf("%s: others may read it (mode %04o)", path, info.Mode().Perm()), "chmod 600 " + path}
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// makeLogKey writes a new pair. The private half comes last and only once: of two processes that start together one wins.
func (k *keyring) makeLogKey(domain string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(k.dir, logKeyFile)
	if old, err := readSecret(path); err == nil {
		return old, nil
	}
	private, public, err := exchange.NewLogKey(domain)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(k.dir, logPublicFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", &hintError{err, "another process is making the key: try again; if " + logKeyFile + " was lost, restore it from its copy"}
	}
	_, err = f.WriteString(public + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return private, writeFile(path, []byte(private+"\n"), 0o600)
}

// stamper asks the time stamp authority of the configuration, nil where there is none.
func (c *config) stamper() (*signing.Timestamper, error) {
	if c.Evidence.TSA == "" {
		return nil, nil
	}
	file := c.path(c.Evidence.TSARoots)
	roots, err := signing.LoadRoots(file)
	if err != nil {
		return nil, &hintError{fmt.Errorf("evidence.tsa_roots: %w", err), "put the authority's root certificate (PEM) into " + file + ", or leave evidence.tsa empty"}
	}
	return &signing.Timestamper{URL: c.Evidence.TSA, Roots: roots}, nil
}
