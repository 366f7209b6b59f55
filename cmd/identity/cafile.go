package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeCA writes the authority's certificate for clients to trust. Of files that are there already it replaces only its own.
func writeCA(path string, authority *x509.Certificate) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !writtenBefore(old, authority):
		return errors.New("is there, and is not a certificate of mockidp: name another file")
	}
	// Whole or not at all: clients may be reading it.
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it is renamed
	err = errors.Join(
		pem.Encode(temporary, &pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}),
		temporary.Chmod(0o644),
		temporary.Close(),
	)
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// writtenBefore tells whether a file holds the certificate of an authority of the same name, and nothing else.
func writtenBefore(text []byte, authority *x509.Certificate) bool {
	if len(text) == 0 {
		return true
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 || !bytes.HasPrefix(text, []byte("-----BEGIN CERTIFICATE-----")) {
		return false
	}
	old, err := x509.ParseCertificate(block.Bytes)
	return err == nil && old.IsCA && old.Subject.String() == authority.Subject.String()
}

// pinOf is what Chromium calls a certificate's key.
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
