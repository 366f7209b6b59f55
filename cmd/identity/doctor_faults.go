package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/echo-identity/identity"
)

// finding is something that is not as it should be: one sentence, and what to do about it.
type finding struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// whyFailed tells in plain words why a fetch failed: the engine's error, with what was seen of the request that failed, which may be nil.
func whyFailed(err error, x *exchange, kind string) finding {
	if errors.Is(err, context.Canceled) {
		return finding{"It was not checked to the end.", "Run it again."}
	}
	if x == nil {
		return finding{plainCause(err) + ".", "Look at the configuration."}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	u, parseErr := url.Parse(x.address)
	if parseErr != nil {
		return finding{plainCause(err) + ".", "Look at the configuration."}
	}
	switch {
	case x.status >= 300:
		return whyStatus(x, u, kind)
	case x.status == 0:
		if f, ok := whyTLS(x.err, u); ok {
			return f
		}
		return whyUnreachable(x, u, kind)
	case x.err != nil || errors.Is(err, io.ErrUnexpectedEOF):
		return finding{fmt.Sprintf("%s broke off in the middle of its answer.", u.Host), "Run it again. If it happens again, ask whoever runs the network, or a proxy in it."}
	}
	return whyUnusable(err, x, u, kind)
}

// plainCause is the text of the engine's error without its names for programs.
func plainCause(err error) string {
	if cause := errors.Unwrap(err); cause != nil && errors.As(err, new(*identity.Error)) {
		err = cause
	}
	text := strings.TrimPrefix(err.Error(), "identity: ")
	if text == "" {
		return "It failed"
	}
	if word, _, _ := strings.Cut(text, " "); !strings.Contains(word, "_") { // jwks_uri
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return printable(text)
}

// whyUnreachable is about everything before TLS.
func whyUnreachable(x *exchange, u *url.URL, kind string) finding {
	host := u.Host
	through := ""
	if proxy, variable := proxyName(x.proxy, u.Scheme); proxy != "" {
		host = x.proxy.Host
		through = fmt.Sprintf("The proxy of %s, %s, ", variable, proxy)
	}
	name, _, _ := strings.Cut(host, ":")
	resolver, isDNS := errors.AsType[*net.DNSError](x.err)
	op, isOp := errors.AsType[*net.OpError](x.err)
	_, isErrno := errors.AsType[syscall.Errno](x.err)
	switch {
	case isDNS && through != "":
		return finding{through + "has a name that cannot be found.", "Check the variable: the engine reads it as well."}
	case isDNS && resolver.IsNotFound:
		return finding{fmt.Sprintf("There is no host %s: the name service does not know the name.", name), checkName(name, kind)}
	case isDNS:
		return finding{fmt.Sprintf("The name service gave no answer for %s.", name), "Check what this machine asks for names (DNS), and its network."}
	case errors.Is(x.err, syscall.ECONNREFUSED) && through != "":
		return finding{through + "does not accept connections.", "Check the variable: the engine reads it as well."}
	case errors.Is(x.err, syscall.ECONNREFUSED):
		do := "Check the host and the port, and whether a firewall answers in its place."
		if isLoopback(name) {
			do = "Start what should listen there, such as identity mockidp, or check the port."
		}
		return finding{fmt.Sprintf("Nothing accepts connections at %s.", host), do}
	case errors.Is(x.err, syscall.ENETUNREACH) || errors.Is(x.err, syscall.EHOSTUNREACH):
		return finding{fmt.Sprintf("There is no way in the network to %s.", host), "Check the network of this machine, and whether it has to use a proxy (HTTPS_PROXY)."}
	case isTimeout(x.err):
		return whyTimeout(x, u, through)
	case isOp && op.Op == "dial" && !isErrno && len(x.resolved) > 0:
		// The engine's own rule, which a proxy is exempt from.
		return finding{fmt.Sprintf("%s resolves to %s, which is not a public address, so that the engine refuses to connect.", name, strings.Join(x.resolved, " and ")),
			"Look for an entry of your own for this name (hosts file, private DNS). If it is meant, set Keys.HTTPClient in code: with a client of your own the rule is yours."}
	case through != "":
		return finding{through + "refuses to connect to " + u.Host + ": " + printable(x.err.Error()) + ".", "Ask whoever runs the proxy to allow it, or name the host in NO_PROXY."}
	case errors.Is(x.err, syscall.ECONNRESET) || errors.Is(x.err, io.EOF) || errors.Is(x.err, io.ErrUnexpectedEOF):
		return finding{fmt.Sprintf("%s breaks the connection.", host), "Something between may do that, such as a firewall that does not know the host: ask whoever runs the network."}
	}
	return finding{plainCause(x.err) + ".", "Check the network of this machine."}
}

// whyTimeout says what was waited for.
func whyTimeout(x *exchange, u *url.URL, through string) finding {
	if through != "" {
		return finding{through + "does not answer in time.", "Check the variable, and ask whoever runs the proxy to allow " + u.Host + "."}
	}
	what := map[stage]string{
		begun: "does not answer in time", resolving: "is not found in time: the name service is slow", connecting: "does not accept a connection in time",
		handshaking: "does not finish the TLS handshake in time", waiting: "takes the request and does not answer in time", answering: "does not send its answer in time",
	}[x.stage]
	return finding{fmt.Sprintf("%s %s.", u.Host, what), "A firewall that drops packets looks like this: ask whoever runs the network. A slow server needs a longer Keys.Timeout."}
}

// whyTLS is about certificates and versions.
func whyTLS(err error, u *url.URL) (f finding, ok bool) {
	host := u.Host
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		names := "no name at all"
		if list := e.Certificate.DNSNames; len(list) > 0 {
			names = printable(strings.Join(list[:min(3, len(list))], ", "))
		}
		return finding{fmt.Sprintf("The certificate that %s shows is for %s.", host, names), "Something else answers in its place: check DNS, the port, and proxies that open TLS."}, true
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "an authority"
		if e.Cert != nil {
			issuer = printable(e.Cert.Issuer.String())
		}
		do := "If a proxy opens TLS here, its authority must be trusted by the system, where the API runs too. -ca-file FILE trusts one for this run."
		if isLoopback(u.Hostname()) {
			do = "For identity mockidp: -ca-file mockidp-ca.pem."
		}
		return finding{fmt.Sprintf("The certificate of %s was issued by %s, which this machine does not trust.", host, issuer), do}, true
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		const day = "2006-01-02 15:04 MST"
		return finding{fmt.Sprintf("The certificate of %s is valid from %s to %s, not now.", host, e.Cert.NotBefore.UTC().Format(day), e.Cert.NotAfter.UTC().Format(day)),
			"Check the clock of this machine. If it is right, whoever runs the server must renew the certificate."}, true
	}
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return finding{fmt.Sprintf("The certificate of %s is not valid: %s.", host, printable(err.Error())), "Check whether a proxy opens TLS here; else it is for whoever runs the server."}, true
	}
	if errors.As(err, new(tls.RecordHeaderError)) {
		return finding{fmt.Sprintf("%s does not speak TLS.", host), "Check the port. For a server on this machine without TLS write http:// in the configuration."}, true
	}
	if errors.As(err, new(tls.AlertError)) || err != nil && strings.HasPrefix(lastText(err), "tls: ") {
		return finding{fmt.Sprintf("TLS with %s fails: %s.", host, printable(lastText(err))), "The server must speak TLS 1.2 or later, as Microsoft's do: check what answers in its place."}, true
	}
	return finding{}, false
}

// lastText is the text of the innermost error: crypto/tls has no types for some.
func lastText(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// whyStatus is about an answer that is not 200.
func whyStatus(x *exchange, u *url.URL, kind string) finding {
	asked := "the discovery document"
	if !strings.HasSuffix(u.Path, "/.well-known/openid-configuration") {
		asked = "the keys"
	}
	f := finding{What: fmt.Sprintf("%s answers %d (%s) when asked for %s.", u.Host, x.status, http.StatusText(x.status), asked)}
	switch {
	case x.status < 400:
		f.What = fmt.Sprintf("%s redirects to %s, where the engine does not follow.", u.Host, printable(shorten(x.header.Get("Location"), 200)))
		f.Do = "Keys come from configured hosts only: name the host that it redirects to, if it is yours, or check what answers in its place."
	case x.status == http.StatusTooManyRequests || x.status == http.StatusServiceUnavailable:
		f.Do = "The server asks to be left alone: find out what else asks it from here, and run this again later."
		if after := x.header.Get("Retry-After"); after != "" {
			f.What += " Retry-After is " + printable(shorten(after, 40)) + "."
		}
	case x.status >= 500:
		f.Do = "The fault is the server's: run this again later, and look at its status page."
	case x.status == http.StatusProxyAuthRequired, x.status == http.StatusForbidden:
		f.Do = "Ask whoever runs the proxy or firewall to allow it."
	default:
		f.Do = "Check " + addressFields(kind) + ": there is no such directory or policy on this host."
	}
	return f
}

// whyUnusable is about a document that came, and that the engine does not take.
func whyUnusable(err error, x *exchange, u *url.URL, kind string) finding {
	if media, _, _ := mime.ParseMediaType(x.header.Get("Content-Type")); media == "text/html" || strings.HasPrefix(strings.TrimSpace(string(x.body[:min(len(x.body), 100)])), "<") {
		return finding{fmt.Sprintf("%s answers with a page instead of JSON.", u.Host), "A proxy or a sign-in page of the network answers in its place: ask whoever runs it to allow the host."}
	}
	if doc := x.discovery(); doc.Issuer != "" && doc.JWKSURI != "" { // or it is the key set
		do := "Check " + addressFields(kind) + "."
		if jwks, err := url.Parse(doc.JWKSURI); err == nil && jwks.Host != u.Host {
			do = fmt.Sprintf("It names %s for the keys. If that is a host of this directory, add it to Hosts.", printable(jwks.Host))
		}
		return finding{fmt.Sprintf("%s. It states the issuer %s.", plainCause(err), printable(shorten(doc.Issuer, 200))), do}
	}
	return finding{plainCause(err) + ".", "Check what " + u.Host + " serves: tokens of it cannot be verified."}
}

// addressFields are the fields that make the address of a tenant's documents.
func addressFields(kind string) string {
	switch kind {
	case kindB2C:
		return "ID, B2C.Domain, B2C.Hosts and B2C.Policies"
	case kindExternal:
		return "ID and External.Hosts"
	}
	return "Cloud, and ID for a tenant with AppKeys"
}

// checkName is what to do about a name that is not found.
func checkName(name, kind string) string {
	switch {
	case slices.Contains(cloudHosts, name):
		return "It is Microsoft's: check what this machine asks for names (DNS), and whether it has to use a proxy (HTTPS_PROXY)."
	case kind == kindB2C:
		return "Check B2C.Domain and B2C.Hosts, then what this machine asks for names (DNS)."
	case kind == kindExternal:
		return "Check ID and External.Hosts, then what this machine asks for names (DNS)."
	}
	return "Check Cloud, then what this machine asks for names (DNS)."
}

// cloudHosts are the login hosts of the named clouds.
var cloudHosts = []string{"login.microsoftonline.com", hostOf(string(identity.USGovernment)), hostOf(string(identity.China))}

// document is what matters of a discovery document.
type document struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

func (x *exchange) discovery() (doc document) {
	if json.Unmarshal(x.body, &doc) != nil {
		return document{}
	}
	return doc
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || ok && e.Timeout()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
