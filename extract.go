package identity

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// tokenLookup is where a request may carry its token, in order. It finds at most one.
type tokenLookup []place

// place is one of the configured places.
type place struct {
	find func(r *http.Request, name string) (token string, err error)
	name string // of the cookie, or prefix of the protocol
	// method is the name that RFC 9728 §2 has for the place, if it is one of the three of RFC 6750 §2. A client must use only
	// one of those.
	method string
}

func (p place) exclusive() bool { return p.method != "" }

// methods are the ways to send a token that RFC 6750 knows and this API takes, in order. They are never nil.
func (l tokenLookup) methods() []string {
	methods := []string{}
	for _, place := range l {
		if place.exclusive() {
			methods = append(methods, place.method)
		}
	}
	return methods
}

// parseLookup reads Config.TokenLookup.
func parseLookup(s string) (tokenLookup, error) {
	if s == "" {
		s = "header"
	}
	var places tokenLookup
	seen := make(map[string]bool)
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		kind, name, named := strings.Cut(entry, ":")
		if seen[entry] {
			return nil, fmt.Errorf("%q stands twice", entry)
		}
		seen[entry] = true
		switch {
		case kind == "header" && !named:
			places = append(places, place{find: fromHeader, method: "header"})
		case kind == "query" && !named:
			places = append(places, place{find: fromQuery, method: "query"})
		case kind == "form" && !named:
			places = append(places, place{find: fromForm, method: "body"})
		case kind == "cookie" && name != "":
			places = append(places, place{find: fromCookie, name: name})
		case kind == "websocket" && name != "":
			places = append(places, place{find: fromWebSocket, name: name})
		default:
			return nil, fmt.Errorf("%q is none of header, query, form, cookie:{name} and websocket:{prefix}", entry)
		}
	}
	return places, nil
}

var (
	errTwoTokens = errors.New("the request carries more than one token")
	errJunk      = errors.New("the Authorization header is not Bearer, blanks, and one token")
	errForm      = errors.New("the form cannot be read")
)

// token returns the one token of a request, or ErrTokenMissing or ErrRequestInvalid.
func (l tokenLookup) token(r *http.Request) (string, error) {
	if len(l) == 1 {
		token, err := l[0].find(r, l[0].name)
		if err == nil && token == "" {
			err = newError(ErrTokenMissing, nil)
		}
		return token, err
	}
	found, decided, exclusive := "", false, 0
	for _, place := range l {
		if decided && !place.exclusive() {
			continue // whatever it holds, sound or not, does not count
		}
		token, err := place.find(r, place.name)
		if err != nil {
			return "", err
		}
		if token == "" {
			continue
		}
		if place.exclusive() {
			if exclusive++; exclusive > 1 {
				return "", newError(ErrRequestInvalid, errTwoTokens)
			}
		}
		if !decided {
			found, decided = token, true
		}
	}
	if !decided {
		return "", newError(ErrTokenMissing, nil)
	}
	return found, nil
}

// fromHeader reads Authorization: Bearer (RFC 6750 §2.1). The scheme is compared regardless of case (RFC 9110 §11.1); other
// schemes are no token of ours.
func fromHeader(r *http.Request, _ string) (string, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", newError(ErrRequestInvalid, errTwoTokens)
	}
	const scheme = "Bearer"
	value := strings.Trim(values[0], " ")
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", nil
	}
	rest := value[len(scheme):]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", nil // another scheme that begins alike
	}
	token := strings.TrimLeft(rest, " ")
	if token == "" || strings.IndexByte(token, ' ') >= 0 || strings.IndexByte(token, '\t') >= 0 {
		return "", newError(ErrRequestInvalid, errJunk)
	}
	return token, nil
}

const parameter = "access_token" // RFC 6750 §2.2, §2.3

func onlyOne(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", newError(ErrRequestInvalid, errTwoTokens)
}

func fromQuery(r *http.Request, _ string) (string, error) {
	if r.URL.RawQuery == "" {
		return "", nil
	}
	return onlyOne(r.URL.Query()[parameter])
}

// fromForm reads a form body (RFC 6750 §2.2), which stays readable for the handler. net/http limits it to 10 MB.
func fromForm(r *http.Request, _ string) (string, error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return "", nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return "", nil
	}
	if err := r.ParseForm(); err != nil {
		return "", newError(ErrRequestInvalid, errForm)
	}
	return onlyOne(r.PostForm[parameter])
}

func fromCookie(r *http.Request, name string) (string, error) {
	var values []string
	for _, cookie := range r.CookiesNamed(name) {
		if cookie.Value != "" {
			values = append(values, cookie.Value)
		}
	}
	return onlyOne(values)
}

// fromWebSocket reads the list of subprotocols (RFC 6455 §11.3.4), the only header that a browser lets a page set on a WebSocket.
func fromWebSocket(r *http.Request, prefix string) (string, error) {
	var tokens []string
	for _, value := range r.Header.Values("Sec-WebSocket-Protocol") {
		for entry := range strings.SplitSeq(value, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(entry), prefix); ok && token != "" {
				tokens = append(tokens, token)
			}
		}
	}
	return onlyOne(tokens)
}
