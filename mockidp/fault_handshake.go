package mockidp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// HandshakeFault is something that goes wrong with a TLS connection before there is a request on it. Host and Times say with which
// one; of the rest, one says what happens.
type HandshakeFault struct {
	// Host is the name that the client wants to reach. Empty means any, and any IP address.
	Host string
	// Times is how many connections are hit. Zero means all, until the fault is removed.
	Times int

	// Expired presents a certificate whose time is over.
	Expired bool
	// OtherHost presents a certificate for another name.
	OtherHost bool
	// Untrusted presents a certificate of an authority that nobody knows.
	Untrusted bool
	// MaxVersion is the newest version of TLS that the server speaks, such as [tls.VersionTLS10]. Zero changes nothing.
	MaxVersion uint16
	// Reset resets the connection when the client has sent its first message.
	Reset bool
	// Silence accepts the connection and never says a word. It ends when the client gives up, or with the server.
	Silence bool
}

// handshakeFaults are those of a server, oldest first.
type handshakeFaults struct {
	mu     sync.Mutex // guards active
	active []*activeHandshakeFault
}

type activeHandshakeFault struct {
	HandshakeFault
	left int // how many times more; meaningless when Times is zero
}

// InjectHandshake makes TLS connections fail. One fault hits a connection: of several that match, the one injected first, until it
// is used up or removed. remove may be called more than once. Connections that are established go on. It panics on a server that
// does not serve certificates of its own, as one made by [New]: there, no connection is made.
func (s *Server) InjectHandshake(f HandshakeFault) (remove func()) {
	if s.authority == nil {
		panic("mockidp: InjectHandshake: this server makes no TLS connections of its own")
	}
	faults := &s.authority.faults
	a := &activeHandshakeFault{HandshakeFault: f, left: f.Times}
	faults.mu.Lock()
	defer faults.mu.Unlock()
	faults.active = append(faults.active, a)
	return func() {
		faults.mu.Lock()
		defer faults.mu.Unlock()
		faults.active = slices.DeleteFunc(faults.active, func(other *activeHandshakeFault) bool { return other == a })
	}
}

// take finds the fault that hits a connection and counts it.
func (f *handshakeFaults) take(host string) (HandshakeFault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.active {
		if a.Host != "" && !strings.EqualFold(a.Host, host) {
			continue
		}
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				f.active = slices.Delete(f.active, i, i+1)
			}
		}
		return a.HandshakeFault, true
	}
	return HandshakeFault{}, false
}

var errHandshakeFault = errors.New("mockidp: a fault ended the handshake")

// spoil is the configuration of a connection that a fault hits, nil for all others.
func (a *authority) spoil(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	fault, hit := a.faults.take(hello.ServerName)
	if !hit {
		return nil, nil
	}
	switch {
	case fault.Silence:
		io.Copy(io.Discard, hello.Conn) // until the client closes it, or Shutdown
		return nil, errHandshakeFault
	case fault.Reset:
		if tcp, ok := hello.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		hello.Conn.Close()
		return nil, errHandshakeFault
	}
	config := a.serverConfig()
	config.GetConfigForClient = nil
	if fault.MaxVersion != 0 {
		config.MinVersion, config.MaxVersion = min(config.MinVersion, fault.MaxVersion), fault.MaxVersion
	}
	if good := config.GetCertificate; fault.Expired || fault.OtherHost || fault.Untrusted {
		config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := good(hello)
			if err != nil {
				return nil, err
			}
			return a.spoilt(c, fault), nil
		}
	}
	return config, nil
}

// spoilt is a certificate with one thing wrong.
func (a *authority) spoilt(c *tls.Certificate, fault HandshakeFault) *tls.Certificate {
	leaf, signer := *c.Leaf, a
	switch {
	case fault.Expired:
		leaf.NotAfter = time.Date(1991, 1, 1, 0, 0, 0, 0, time.UTC)
	case fault.OtherHost:
		leaf.DNSNames, leaf.IPAddresses = []string{"another.example"}, nil
	case fault.Untrusted:
		signer = newAuthority()
	}
	certificate := signer.sign(&leaf, signer.certificate)
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: signer.key, Leaf: certificate}
}
