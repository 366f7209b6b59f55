package identity

import (
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// KeyTransport is the transport of the default client, with another dialler for names. It does not ask the environment for a proxy.
func KeyTransport(names *net.Dialer) *http.Transport {
	transport := newKeyTransport(names)
	transport.Proxy = nil
	return transport
}

// PublicAddress is the check of every address that the default client dials.
func PublicAddress(network, address string, c syscall.RawConn) error {
	return publicAddress(network, address, c)
}

// ControlClock lets a test advance the clock of v where sockets, which stall the clock of a bubble, are needed. It must be called before
// v is used.
func ControlClock(v *Verifier) (advance func(time.Duration)) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	v.now, v.keys.now = now, now
	return func(d time.Duration) { ahead.Add(int64(d)) }
}

// SetTimeout changes how long the fetches of v take at most. None may be under way.
func SetTimeout(v *Verifier, timeout time.Duration) { v.keys.fetcher.timeout = timeout }
