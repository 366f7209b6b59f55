package identity_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// fault is one thing that can be wrong with the victim's key server.
type fault struct {
	name  string
	begin func(n *network) (lift func())
	cause string        // what the log says about it
	slow  bool          // a fetch fails by its time-out
	pause time.Duration // what the server asks for, as far as that is honoured
}

// spoilt is a fault of the answers.
func spoilt(f mockidp.Fault) func(*network) func() {
	f.Host = victimHost
	return func(n *network) func() { return n.idp.Inject(f) }
}

// unshaken is a fault of the TLS handshake.
func unshaken(f mockidp.HandshakeFault) func(*network) func() {
	f.Host = victimHost
	return func(n *network) func() { return n.idp.InjectHandshake(f) }
}

// misled leads the victim's host to another address.
func misled(address string) func(*network) func() {
	return func(n *network) func() { return n.lead(victimHost, address) }
}

// keysAt replaces the address of the key set.
func keysAt(address string) func(*network) func() {
	return spoilt(edited(`"jwks_uri":"https://`+victimHost+`/common/discovery/v2.0/keys"`, `"jwks_uri":"`+address+`"`))
}

// status is a failure, with a Retry-After that is not empty.
func status(code int, endpoint mockidp.Endpoint, retryAfter string) func(*network) func() {
	f := mockidp.Fault{Endpoint: endpoint, Status: code}
	if retryAfter != "" {
		f.Header = http.Header{"Retry-After": {retryAfter}}
	}
	return spoilt(f)
}

// in is a date for Retry-After.
func in(code int, d time.Duration) func(*network) func() {
	return func(n *network) func() {
		return status(code, mockidp.AnyEndpoint, time.Now().Add(d).UTC().Format(http.TimeFormat))(n)
	}
}

// bomb is 256 MiB of blanks, packed. A gzip file may be made of many.
var bomb = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(bytes.Repeat([]byte(" "), 1<<20))
	w.Close()
	return bytes.Repeat(packed.Bytes(), 256)
})

func bombed(endpoint mockidp.Endpoint) func(*network) func() {
	return func(n *network) func() {
		return spoilt(mockidp.Fault{Endpoint: endpoint, Body: bomb(), Header: http.Header{"Content-Encoding": {"gzip"}}})(n)
	}
}

const page = `<!doctype html><title>Down for maintenance</title>`

var html = http.Header{"Content-Type": {"text/html; charset=utf-8"}}

// badKeys are a key of another kind, one that is too short, one for encryption, one with no exponent, and no key at all.
var badKeys = []byte(`{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"AQ","y":"AQ"},{"kty":"RSA","kid":"b","e":"AQAB","n":"` + strings.Repeat("A", 170) +
	`"},{"kty":"RSA","use":"enc","kid":"c","e":"AQAB","n":"` + strings.Repeat("w", 342) + `"},{"kty":"RSA","kid":"d","n":"` + strings.Repeat("w", 342) + `"},{}]}`)

// faults are what a key server, and the network before it, can do to us.
var faults = append(unstated, statuses()...)

// unstated are those that the server does not state.
var unstated = []fault{
	{name: "connection refused", begin: misled("127.0.0.1:1"), cause: "connection refused"},
	{name: "reset in the handshake", begin: unshaken(mockidp.HandshakeFault{Reset: true}), cause: "connection reset"},
	{name: "reset instead of an answer", begin: spoilt(mockidp.Fault{Reset: true}), cause: "connection reset"},
	{name: "reset amid discovery", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, Reset: true, Truncate: true}), cause: "connection reset"},
	{name: "reset amid the keys", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Reset: true, Truncate: true}), cause: "connection reset"},
	{name: "silence in the handshake", begin: unshaken(mockidp.HandshakeFault{Silence: true}), slow: true, cause: "deadline exceeded"},
	{name: "silence instead of discovery", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, Silence: true}), slow: true, cause: "deadline exceeded"},
	{name: "silence instead of the keys", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Silence: true}), slow: true, cause: "deadline exceeded"},
	{name: "silence amid the keys", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Silence: true, Truncate: true}), slow: true, cause: "deadline exceeded"},
	{name: "a minute late", begin: spoilt(mockidp.Fault{Delay: time.Minute}), slow: true, cause: "deadline exceeded"},
	{name: "a byte a second", begin: spoilt(mockidp.Fault{Drip: time.Second}), slow: true, cause: "deadline exceeded"},
	{name: "keys, a byte a second", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Drip: time.Second}), slow: true, cause: "deadline exceeded"},

	{name: "unknown authority", begin: unshaken(mockidp.HandshakeFault{Untrusted: true}), cause: "unknown authority"},
	{name: "expired certificate", begin: unshaken(mockidp.HandshakeFault{Expired: true}), cause: "expired"},
	{name: "certificate of another host", begin: unshaken(mockidp.HandshakeFault{OtherHost: true}), cause: "certificate is valid for"},
	{name: "TLS 1.0 only", begin: unshaken(mockidp.HandshakeFault{MaxVersion: tls.VersionTLS10}), cause: "protocol version"},
	{name: "TLS 1.1 only", begin: unshaken(mockidp.HandshakeFault{MaxVersion: tls.VersionTLS11}), cause: "protocol version"},

	{name: "discovery cut off", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, Truncate: true}), cause: "unexpected EOF"},
	{name: "keys cut off", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Truncate: true}), cause: "unexpected EOF"},
	{name: "HTML instead of discovery", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, Body: []byte(page), Header: html}), cause: "not JSON"},
	{name: "HTML instead of the keys", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Body: []byte(page), Header: html}), cause: "not JSON"},
	{name: "HTML that is called JSON", begin: spoilt(mockidp.Fault{Body: []byte(page)}), cause: "not JSON"},
	{name: "nothing", begin: spoilt(mockidp.Fault{Body: []byte{}}), cause: "not JSON"},
	{name: "empty set", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Body: []byte(`{"keys":[]}`)}), cause: "no usable RSA key"},
	{name: "only bad keys", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Body: badKeys}), cause: "in the set; of \"a\": kty is not RSA"},
	{name: "20,000 keys", begin: spoilt(manyKeys(20_000)), cause: "has 20000 keys"},
	{name: "discovery of 256 MiB", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, PadTo: 256 << 20}), cause: "larger than"},
	{name: "keys of 256 MiB", begin: spoilt(mockidp.Fault{Endpoint: onKeys, PadTo: 256 << 20}), cause: "larger than"},
	{name: "gzip bomb for discovery", begin: bombed(onDiscovery), cause: "larger than"},
	{name: "gzip bomb for keys", begin: bombed(onKeys), cause: "larger than"},
	{name: "gzip that is none", begin: spoilt(mockidp.Fault{Header: http.Header{"Content-Encoding": {"gzip"}}}), cause: "gzip"},
	{name: "a megabyte of headers", begin: spoilt(mockidp.Fault{Header: http.Header{"X-Pad": {strings.Repeat("x", 1<<20)}}}), cause: "response headers exceeded"},

	{name: "redirect to another host", begin: spoilt(mockidp.Fault{Redirect: "https://" + neighbourHost + "/"}), cause: "redirect to another host"},
	{name: "redirect to http", begin: spoilt(mockidp.Fault{Redirect: "http://" + victimHost + "/"}), cause: "redirect to another host or scheme"},
	{name: "redirect of the keys to the metadata service", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Redirect: "http://169.254.169.254/latest/meta-data"}), cause: "redirect to another host"},
	{name: "redirects for ever", begin: spoilt(mockidp.Fault{Redirect: "/common" + discoveryPath}), cause: "too many redirects"},
	{name: "redirect without an address", begin: spoilt(mockidp.Fault{Status: 302}), cause: "302"},
	{name: "foreign jwks_uri", begin: keysAt("https://" + neighbourHost + "/keys"), cause: "jwks_uri"},
	{name: "link-local jwks_uri", begin: keysAt("http://169.254.169.254/latest/meta-data"), cause: "jwks_uri"},
	{name: "link-local jwks_uri, IPv6", begin: keysAt("https://[fe80::1]/keys"), cause: "jwks_uri"},
	{name: "another issuer", begin: spoilt(edited(`"issuer":"https://`+victimHost, `"issuer":"https://login.example`)), cause: "another issuer"},
}

// statuses are failures that the server states. Only 429 and 503 may say when to come again, and never later than in 5 minutes; what
// else a Retry-After may hold is TestRetryAfter's.
func statuses() []fault {
	var all []fault
	add := func(code int, what string, begin func(*network) func(), pause time.Duration) {
		all = append(all, fault{name: fmt.Sprint(code, what), begin: begin, cause: fmt.Sprint("answered ", code), pause: pause})
	}
	for _, code := range []int{204, 304, 400, 401, 403, 404, 429, 500, 502, 503} {
		add(code, " for discovery", status(code, onDiscovery, ""), 0)
	}
	for _, code := range []int{404, 429, 500, 503} {
		add(code, " for keys", status(code, onKeys, ""), 0)
	}
	for _, code := range []int{429, 503} {
		add(code, ", in 120 s", status(code, onKeys, "120"), 2*time.Minute)
		add(code, ", in two minutes by date", in(code, 2*time.Minute), 2*time.Minute)
		add(code, ", in a day", status(code, onDiscovery, "86400"), 5*time.Minute)
	}
	add(429, ", in a year by date", in(429, 365*24*time.Hour), 5*time.Minute)
	add(503, ", a date in the past", in(503, -time.Hour), 0)
	add(500, ", in 120 s", status(500, onKeys, "120"), 0)
	add(502, ", in 120 s", status(502, onKeys, "120"), 0)
	return all
}

// harmless is what looks like a fault.
var harmless = []fault{
	{name: "wrong Content-Type", begin: spoilt(mockidp.Fault{Header: html})},
	{name: "no Content-Type", begin: spoilt(mockidp.Fault{Header: http.Header{"Content-Type": nil}})},
	{name: "redirect of discovery on the host", begin: spoilt(mockidp.Fault{Endpoint: onDiscovery, Redirect: "https://" + victimHost + "/common" + discoveryPath, Times: 3})},
	{name: "redirect of keys on the host", begin: spoilt(mockidp.Fault{Endpoint: onKeys, Redirect: "/common/discovery/v2.0/keys", Times: 1, Status: 308})},
	{name: "gzip", begin: spoilt(mockidp.Fault{Gzip: true})},
	{name: "a mebibyte", begin: spoilt(mockidp.Fault{PadTo: 1 << 20})},
	{name: "TLS 1.2 only", begin: unshaken(mockidp.HandshakeFault{MaxVersion: tls.VersionTLS12})},
	{name: "cookies", begin: spoilt(mockidp.Fault{Header: http.Header{"Set-Cookie": {"a=b"}}})},
	{name: "Retry-After of a good answer", begin: spoilt(mockidp.Fault{Header: http.Header{"Retry-After": {"300"}}})},
	{name: "a connection that closes", begin: spoilt(mockidp.Fault{Header: http.Header{"Connection": {"close"}}})},
}
