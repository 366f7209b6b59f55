package mockidp

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// platform is what a redirect URI is registered as.
type platform int

const (
	webPlatform platform = iota
	spaPlatform
	nativePlatform
)

// maxURI is the longest redirect URI that can be registered.
const maxURI = 256

// checkRedirectURI tells what is wrong with a URI that is to be registered.
func checkRedirectURI(uri string, native bool) error {
	u, err := url.Parse(uri)
	switch {
	case uri == "":
		return errors.New("is empty")
	case len(uri) > maxURI:
		return errors.New("has more than 256 characters")
	case err != nil || u.Scheme == "" || strings.ContainsFunc(uri, isBlank):
		return errors.New("is not an absolute URI")
	case strings.Contains(uri, "#"):
		return errors.New("has a fragment")
	case strings.Contains(uri, "*"):
		return errors.New("has a wildcard")
	case isActive(u.Scheme):
		return errors.New("would run in the browser")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("is http, which only loopback may be")
	case u.Scheme != "http" && u.Scheme != "https" && !native:
		return errors.New("is neither https nor http on loopback")
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host == "":
		return errors.New("has no host")
	case u.User != nil:
		return errors.New("has a user name")
	}
	return nil
}

// isActive: schemes that a browser acts on itself.
func isActive(scheme string) bool {
	return slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file", "about", "filesystem"}, strings.ToLower(scheme))
}

// redirect finds the platform of a redirect URI, and whether it is registered at all. A URI that is registered as it stands
// wins; then installed applications, whose loopback port is never the registered one.
func (a *application) redirect(uri string) (platform, bool) {
	lists := []struct {
		platform platform
		uris     []string
	}{{nativePlatform, a.RedirectURIs.Native}, {spaPlatform, a.RedirectURIs.SPA}, {webPlatform, a.RedirectURIs.Web}}
	for _, same := range []func(registered, uri string) bool{sameURI, sameLoopback} {
		for _, l := range lists {
			if slices.ContainsFunc(l.uris, func(registered string) bool { return same(registered, uri) }) {
				return l.platform, true
			}
		}
	}
	if !a.Lenient.AnyRedirectURI || checkRedirectURI(uri, true) != nil && !isPlainHTTP(uri) {
		return 0, false
	}
	switch {
	case len(a.Secrets)+len(a.Certificates) > 0:
		return webPlatform, true
	case len(a.RedirectURIs.SPA) > 0:
		return spaPlatform, true
	}
	return nativePlatform, true
}

// isWeb tells http and https from the schemes of installed applications.
func isWeb(uri string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(uri), ":")
	return scheme == "http" || scheme == "https"
}

// isPlainHTTP is what may be redirected to but not registered.
func isPlainHTTP(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "http" && u.Host != "" && !strings.Contains(uri, "#") && u.User == nil && !strings.ContainsFunc(uri, isBlank)
}

// sameURI compares scheme and host without case and the rest exactly; an empty path is the root. Letters that only fold to ASCII, as
// the long s does, are others: they have another length.
func sameURI(registered, uri string) bool {
	if registered == uri {
		return true
	}
	a, b, ok := parsePair(registered, uri)
	return ok && len(a.Host) == len(b.Host) && strings.EqualFold(a.Host, b.Host) && sameRest(a, b)
}

// sameLoopback leaves out the port of http on loopback (RFC 8252 §7.3).
func sameLoopback(registered, uri string) bool {
	a, b, ok := parsePair(registered, uri)
	return ok && a.Scheme == "http" && isLoopback(a.Hostname()) && a.Hostname() == strings.ToLower(b.Hostname()) && sameRest(a, b)
}

func parsePair(registered, uri string) (a, b *url.URL, ok bool) {
	a, err := url.Parse(registered)
	if err != nil {
		return nil, nil, false
	}
	if b, err = url.Parse(uri); err != nil || strings.Contains(uri, "#") || b.User != nil || b.Opaque != "" {
		return nil, nil, false
	}
	return a, b, a.Scheme == b.Scheme && a.Host != "" && (a.Scheme == "http" || a.Scheme == "https")
}

func sameRest(a, b *url.URL) bool {
	root := func(path string) string {
		if path == "" {
			return "/"
		}
		return path
	}
	return root(a.EscapedPath()) == root(b.EscapedPath()) && a.RawQuery == b.RawQuery && a.ForceQuery == b.ForceQuery
}

// authorizeResponse is what an application gets back from the authorize endpoint.
type authorizeResponse struct {
	redirectURI, mode string
	values            []pageField
}

func (a *authorizeResponse) add(name, value string) {
	if value != "" {
		a.values = append(a.values, pageField{name, value})
	}
}

// location is where the browser goes; with form_post, where it posts to.
func (a *authorizeResponse) location() string {
	pairs := make([]string, len(a.values))
	for i, v := range a.values {
		pairs[i] = v.Name + "=" + strings.ReplaceAll(url.QueryEscape(v.Value), "+", "%20")
	}
	text := strings.Join(pairs, "&")
	switch {
	case a.mode == "form_post":
		return a.redirectURI
	case a.mode == "fragment":
		return withRoot(a.redirectURI) + "#" + text
	case strings.Contains(a.redirectURI, "?"):
		return a.redirectURI + "&" + text
	}
	return withRoot(a.redirectURI) + "?" + text
}

// withRoot adds the slash that a browser would.
func withRoot(uri string) string {
	if u, err := url.Parse(uri); err == nil && u.Host != "" && u.Path == "" && u.RawQuery == "" {
		return uri + "/"
	}
	return uri
}

func (a *authorizeResponse) answer() answer {
	if a.mode == "form_post" {
		return pageAnswer(200, formPostPage{Action: a.redirectURI, Fields: a.values})
	}
	return redirectTo(a.location())
}
