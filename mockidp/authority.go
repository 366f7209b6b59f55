package mockidp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// authority signs certificates for any host, in memory.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	faults      handshakeFaults

	mu     sync.Mutex // guards leaves
	leaves map[string]*tls.Certificate
}

// maxLeaves bounds the certificates that are kept; a client chooses the names.
const maxLeaves = 1000

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("mockidp: authority: %v", err))
	}
	a := &authority{key: key, leaves: make(map[string]*tls.Certificate)}
	template := a.template("mockidp authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	a.certificate = a.sign(template, template)
	return a
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// template is valid in all years that a test's clock may show.
func (a *authority) template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(randomBytes(16)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (a *authority) sign(template, parent *x509.Certificate) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, a.key.Public(), a.key)
	if err != nil {
		panic(fmt.Sprintf("mockidp: certificate: %v", err))
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("mockidp: certificate: %v", err))
	}
	return certificate
}

// leaf is the certificate of a host; the loopback addresses are on every one.
func (a *authority) leaf(host string) *tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil {
		return c
	}
	template := a.template("mockidp")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	switch ip := net.ParseIP(host); {
	case ip != nil:
		template.IPAddresses = append(template.IPAddresses, ip)
	case host != "":
		template.DNSNames = append(template.DNSNames, host)
	}
	certificate := a.sign(template, a.certificate)
	c := &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: a.key, Leaf: certificate}
	if len(a.leaves) < maxLeaves {
		a.leaves[host] = c
	}
	return c
}

// serverConfig serves a certificate for whatever host the client names.
func (a *authority) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: a.spoil,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName != "" {
				return a.leaf(h.ServerName), nil
			}
			address, _, _ := net.SplitHostPort(h.Conn.LocalAddr().String()) // without SNI the client names an IP address
			return a.leaf(address), nil
		},
	}
}

// clientOf connects to one address only. The host of the URL decides about the certificate.
func (a *authority) clientOf(address string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12},
	}
}
