package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	maxDocument   = 1 << 20 // bytes, unpacked
	maxRedirects  = 3
	maxRetryAfter = 5 * time.Minute
	dialTime      = 2 * time.Second
)

// statusError is an answer other than 200.
type statusError struct {
	status int
	after  time.Duration // when to come again, if it said so
}

func (e *statusError) Error() string { return fmt.Sprintf("the key server answered %d", e.status) }

// keyFetcher fetches discovery documents and key sets. Whatever it is sent, it is done in bounded time and memory and has
// asked no host but the request's.
type keyFetcher struct {
	client  *http.Client
	timeout time.Duration
}

// NewKeyClient makes a client like the one that a nil [KeyOptions.HTTPClient] means: it honours the proxy environment, refuses to
// connect to private addresses, and bounds what it waits for. It is for a client that adds to this one and keeps the rest: its
// Transport is an [*http.Transport] of its own, to be given a certificate authority or to be wrapped before its first request.
func NewKeyClient() *http.Client {
	return &http.Client{Transport: newKeyTransport(&net.Dialer{Timeout: dialTime, Control: publicAddress})}
}

// newKeyFetcher copies the client, so that what the caller changes later has no effect, and puts its own redirect rule in.
func newKeyFetcher(client *http.Client, timeout time.Duration) *keyFetcher {
	if client == nil {
		client = NewKeyClient()
	}
	c := *client
	c.CheckRedirect = sameHost
	c.Jar = nil
	return &keyFetcher{client: &c, timeout: timeout}
}

// unverified reports whether a client takes any certificate, as far as that can be told. Whoever is between could then hand in keys of
// their own, and sign with them.
func unverified(client *http.Client) bool {
	if client == nil {
		return false
	}
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	t, ok := transport.(*http.Transport)
	return ok && t.TLSClientConfig != nil && t.TLSClientConfig.InsecureSkipVerify
}

// sameHost lets a redirect change the path and nothing else of the origin.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if first := via[0].URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host || req.URL.User != nil {
		return errors.New("a redirect to another host or scheme is not followed")
	}
	return nil
}

// timeoutGrace is what a transport may take to notice that its context has ended.
const timeoutGrace = time.Second

var errDeaf = errors.New("the key server did not answer in time, and the transport does not honour the end of its context")

// fetch gets the key set of r. Keys that old holds too stay the same objects; the others date from now. It ends in time even if
// the caller's transport does not; that one is left to itself.
func (f *keyFetcher) fetch(ctx context.Context, r keyRequest, now time.Time, old *keySet) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	type outcome struct {
		set *keySet
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		set, err := f.exchange(ctx, r, now, old)
		done <- outcome{set, err}
	}()
	patience := time.NewTimer(f.timeout + timeoutGrace)
	defer patience.Stop()
	select {
	case o := <-done:
		return o.set, o.err
	case <-patience.C:
		return nil, errDeaf
	}
}

// exchange asks for the two documents.
func (f *keyFetcher) exchange(ctx context.Context, r keyRequest, now time.Time, old *keySet) (set *keySet, err error) {
	defer recovered(&err) // the transport may be the caller's

	document, _, err := f.get(ctx, r.metadata)
	if err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	var doc struct {
		Issuer        string `json:"issuer"`
		JWKSURI       string `json:"jwks_uri"`
		CloudInstance string `json:"cloud_instance_name"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("the discovery document is not JSON: %w", err)
	}
	if !r.accepts(doc.Issuer) {
		return nil, errors.New("the discovery document is of another issuer")
	}
	if err := r.checkKeyAddress(doc.JWKSURI); err != nil {
		return nil, err
	}
	document, clock, err := f.get(ctx, doc.JWKSURI)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if set, err = parseKeySet(document, doc.CloudInstance, now, old); err != nil {
		return nil, err
	}
	set.clock = clock
	return set, nil
}

func (f *keyFetcher) get(ctx context.Context, address string) (document []byte, clock serverClock, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, clock, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return nil, clock, err
	}
	defer res.Body.Close()
	clock = serverClockOf(res.Header, time.Now())
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return nil, clock, &statusError{res.StatusCode, retryAfter(res.Header.Get("Retry-After"))}
	default:
		return nil, clock, &statusError{status: res.StatusCode}
	}
	document, err = io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, clock, err
	}
	if len(document) > maxDocument {
		return nil, clock, fmt.Errorf("the document is larger than %d bytes", maxDocument)
	}
	return document, clock, nil
}

// serverClock is what an answer tells of the clock of its server. It decides nothing: it is for whoever asks why a token has expired.
type serverClock struct {
	known bool
	ahead time.Duration // of this machine's, negative if behind; to the second
}

// serverClockOf reads Date (RFC 9110 §6.6.1), which a cache on the way has let grow old by Age (RFC 9111 §5.1).
func serverClockOf(header http.Header, now time.Time) serverClock {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return serverClock{}
	}
	age, err := strconv.ParseUint(header.Get("Age"), 10, 31)
	if err != nil {
		age = 0
	}
	return serverClock{known: true, ahead: date.Add(time.Duration(age) * time.Second).Sub(now.Truncate(time.Second))}
}

// retryAfter reads the header (RFC 9110 §10.2.3), capped so that one answer cannot silence us for a day.
func retryAfter(header string) time.Duration {
	if text := strings.TrimSpace(header); text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, _ := strconv.ParseInt(text, 10, 32) // out of range it is the greatest: who asks for ages does not ask for nothing
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}

// newKeyTransport is the default transport: it honours the proxy environment, and dials names through checked, which looks at every
// address, so that a configured name that resolves into the private network is refused (SSRF by DNS).
func newKeyTransport(checked *net.Dialer) *http.Transport {
	var proxies sync.Map // addresses of proxies that the operator named: these are dialled unchecked
	unchecked := &net.Dialer{Timeout: dialTime}
	// With HTTP/2 all fetches from a host share a connection. One that the network has lost would take every attempt with it, and
	// other tenants' too, until it is idle for a while; an attempt over HTTP/1.1 takes its connection along when it fails.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			proxy, err := http.ProxyFromEnvironment(r)
			if proxy != nil {
				proxies.Store(proxyAddress(proxy), true)
			}
			return proxy, err
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			// An address, and localhost, can only stand in the configuration itself, since no other host is ever asked.
			_, proxy := proxies.Load(address)
			if _, err := netip.ParseAddr(host); proxy || err == nil || host == "localhost" {
				return unchecked.DialContext(ctx, network, address)
			}
			return checked.DialContext(ctx, network, address)
		},
		Protocols:              protocols,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    dialTime,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// proxyAddress is what net/http dials for a proxy.
func proxyAddress(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// publicAddress refuses to connect to an address that is not on the public internet.
func publicAddress(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("") // no prefix contains an address with a zone
	inside := func(p netip.Prefix) bool { return p.Contains(ip) }
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(notPublic, inside) {
		return errors.New("the key server's name resolves to a private address")
	}
	return nil
}

// notPublic are the ranges that [netip.Addr] does not tell: those of the IANA special-purpose address registries (RFC 6890, RFC 8190),
// as of 9 October 2025, the globally reachable ones too, since no key server is in them; and ranges that once held IPv4 addresses
// or site-local ones.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' NAT (RFC 6598), private in all but name
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocols
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.31.196.0/24"), // AS112
	netip.MustParsePrefix("192.52.193.0/24"), // AMT
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4 and 6a44
	netip.MustParsePrefix("192.175.48.0/24"), // AS112
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),             // IPv4-compatible (RFC 4291 §2.5.5.1): an IPv4 address inside, perhaps a private one
	netip.MustParsePrefix("::ffff:0:0:0/96"),   // IPv4-translated (RFC 2765 §2.1), likewise
	netip.MustParsePrefix("64:ff9b::/96"),      // NAT64, likewise
	netip.MustParsePrefix("64:ff9b:1::/48"),    // NAT64 of a network's own, likewise
	netip.MustParsePrefix("100::/64"),          // thrown away
	netip.MustParsePrefix("100:0:0:1::/64"),    // dummy
	netip.MustParsePrefix("2001::/23"),         // IETF protocols: Teredo, likewise, benchmarks, ORCHID and more
	netip.MustParsePrefix("2001:db8::/32"),     // documentation
	netip.MustParsePrefix("2002::/16"),         // 6to4, likewise
	netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
	netip.MustParsePrefix("3fff::/20"),         // documentation
	netip.MustParsePrefix("5f00::/16"),         // segment routing
	netip.MustParsePrefix("fec0::/10"),         // site-local (RFC 3879)
}
