package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// parseOrigin puts a host or an origin into one form: scheme and lower-case host, without a default port or final slash.
func parseOrigin(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("is not a host or an origin")
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return "", fmt.Errorf("%q: must be a host or an origin, without user, path, query or fragment", u.Redacted())
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	if !validHost(host) {
		return "", fmt.Errorf("%q: is not a valid host", u.Host)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(host)) {
		return "", fmt.Errorf("%q: must be https, or http on loopback", u.Redacted())
	}
	return u.Scheme + "://" + host, nil
}

// validHost reports whether s is a lower-case host name or address in its one spelling, with at most one port.
func validHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		addr, err := netip.ParseAddr(s[1:end])
		return err == nil && addr.Is6() && addr.Zone() == "" && addr.String() == s[1:end] && validPort(s[end+1:])
	}
	name, port := s, ""
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		name, port = s[:colon], s[colon:]
	}
	return validName(name) && validPort(port)
}

// validName checks the letters-digits-hyphen rule of RFC 1123 §2.1, label by label.
func validName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for len(s) > 0 {
		label, rest, more := strings.Cut(s, ".")
		if !validLabel(label) || more && rest == "" {
			return false
		}
		s = rest
	}
	return true
}

func validLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validPort accepts nothing, or a colon and a port without leading zeros.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	digits := s[1:]
	if s[0] != ':' || digits == "" || len(digits) > 5 || digits[0] == '0' {
		return false
	}
	port := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
		port = port*10 + int(digits[i]-'0')
	}
	return port <= 65535
}

// loopback reports whether a host, with or without a port, is this machine by its very name.
func loopback(host string) bool {
	name := hostname(host)
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// hostname is a host without its port and brackets.
func hostname(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
	}
	name, _, _ := strings.Cut(host, ":")
	return name
}
