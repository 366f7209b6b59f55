package behaviour

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// request is a request of the extraction tests. Places that are empty hold nothing.
type request struct {
	authorization []string // TOKEN stands for a good token, in all places
	query         string
	form          string
	cookies       []string // of the name t, but for entries with a name of their own
	protocols     []string // values of Sec-WebSocket-Protocol
	method        string   // default GET, POST with a form
}

func (row request) build(token string) *http.Request {
	fill := func(s string) string { return strings.ReplaceAll(s, "TOKEN", token) }
	method, body := http.MethodGet, fill(row.form)
	if body != "" {
		method = http.MethodPost
	}
	if row.method != "" {
		method = row.method
	}
	r := httptest.NewRequest(method, "/?"+fill(row.query), strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	for _, value := range row.authorization {
		r.Header.Add("Authorization", fill(value))
	}
	for _, cookie := range row.cookies {
		if !strings.Contains(cookie, "=") {
			cookie = "t=" + cookie
		}
		r.Header.Add("Cookie", fill(cookie))
	}
	for _, value := range row.protocols {
		r.Header.Add("Sec-WebSocket-Protocol", fill(value))
	}
	return r
}

// extraction is one request and what comes of it: with sentinel nil it is accepted.
type extraction struct {
	row      string
	lookup   string // Config.TokenLookup
	request  request
	sentinel error
}

func header(values ...string) request { return request{authorization: values} }

var extractions = []extraction{
	{"A1 no header", "", request{}, identity.ErrTokenMissing},
	{"A1 header", "", header("Bearer TOKEN"), nil},

	{"A2 lower case", "", header("bearer TOKEN"), nil},
	{"A2 upper case", "", header("BEARER TOKEN"), nil},
	{"A2 mixed case", "", header("bEaReR TOKEN"), nil},

	{"A3 blanks between", "", header("Bearer    TOKEN"), nil},
	{"A3 blanks around", "", header("  Bearer TOKEN  "), nil},

	{"A4 nothing", "", header(""), identity.ErrTokenMissing},
	{"A4 blanks", "", header("   "), identity.ErrTokenMissing},
	{"A4 scheme alone", "", header("Bearer"), identity.ErrRequestInvalid},
	{"A4 scheme and blank", "", header("Bearer "), identity.ErrRequestInvalid},
	{"A4 scheme and blanks", "", header("bearer     "), identity.ErrRequestInvalid},

	{"A5 a third part", "", header("Bearer TOKEN x"), identity.ErrRequestInvalid},
	{"A5 two tokens in one", "", header("Bearer TOKEN, Bearer TOKEN"), identity.ErrRequestInvalid},
	{"A5 a tab instead of the blank", "", header("Bearer\tTOKEN"), identity.ErrRequestInvalid},
	{"A5 a tab behind the blank", "", header("Bearer \tTOKEN"), identity.ErrRequestInvalid},
	{"A5 a tab behind the token", "", header("Bearer TOKEN\tx"), identity.ErrRequestInvalid},

	{"A6 basic", "", header("Basic TOKEN"), identity.ErrTokenMissing},
	{"A6 token", "", header("Token TOKEN"), identity.ErrTokenMissing},
	{"A6 longer scheme", "", header("Bearers TOKEN"), identity.ErrTokenMissing},
	{"A6 no blank", "", header("BearerTOKEN"), identity.ErrTokenMissing},
	{"A6 no scheme", "", header("TOKEN"), identity.ErrTokenMissing},

	{"A7 good first", "", header("Bearer TOKEN", "Bearer x.y.z"), identity.ErrRequestInvalid},
	{"A7 good last", "", header("Bearer x.y.z", "Bearer TOKEN"), identity.ErrRequestInvalid},
	{"A7 twice the same", "", header("Bearer TOKEN", "Bearer TOKEN"), identity.ErrRequestInvalid},
	{"A7 another scheme", "", header("Basic x", "Bearer TOKEN"), identity.ErrRequestInvalid},

	{"A8 query", "", request{query: "access_token=TOKEN"}, identity.ErrTokenMissing},
	{"A8 form", "", request{form: "access_token=TOKEN"}, identity.ErrTokenMissing},
	{"A8 cookie", "", request{cookies: []string{"TOKEN"}}, identity.ErrTokenMissing},
	{"A8 query, opted in", "header,query", request{query: "access_token=TOKEN"}, nil},
	{"A8 form, opted in", "header, form", request{form: "access_token=TOKEN"}, nil},
	{"A8 query and header, not opted in", "", request{authorization: []string{"Bearer TOKEN"}, query: "access_token=x"}, nil},
	{"A8 empty query", "header,query", request{query: "access_token="}, identity.ErrTokenMissing},
	{"A8 other names", "header,query,form", request{query: "token=TOKEN&Access_Token=TOKEN", form: "bearer=TOKEN"}, identity.ErrTokenMissing},
	{"A8 form in a body without a form's method", "form", request{form: "access_token=TOKEN", method: http.MethodGet}, identity.ErrTokenMissing},
	{"A8 a form value in the query", "form", request{query: "access_token=TOKEN", form: "x=y"}, identity.ErrTokenMissing},
	{"A8 broken form", "form", request{form: "access_token=TOKEN&%zz"}, identity.ErrRequestInvalid},

	{"A9 header and query", "header,query,form", request{authorization: []string{"Bearer TOKEN"}, query: "access_token=TOKEN"}, identity.ErrRequestInvalid},
	{"A9 header and form", "header,query,form", request{authorization: []string{"Bearer TOKEN"}, form: "access_token=TOKEN"}, identity.ErrRequestInvalid},
	{"A9 query and form", "header,query,form", request{query: "access_token=TOKEN", form: "access_token=TOKEN"}, identity.ErrRequestInvalid},
	{"A9 good and bad", "header,query,form", request{authorization: []string{"Bearer TOKEN"}, query: "access_token=x"}, identity.ErrRequestInvalid},
	{"A9 twice in the query", "header,query", request{query: "access_token=TOKEN&access_token=TOKEN"}, identity.ErrRequestInvalid},
	{"A9 twice in the form", "header,form", request{form: "access_token=TOKEN&access_token=x"}, identity.ErrRequestInvalid},
	{"A9 one of three", "header,query,form", request{form: "access_token=TOKEN"}, nil},
	{"A9 another scheme and query", "header,query", request{authorization: []string{"Basic x"}, query: "access_token=TOKEN"}, nil},

	{"A10 present", "cookie:t", request{cookies: []string{"TOKEN"}}, nil},
	{"A10 empty", "cookie:t", request{cookies: []string{"t="}}, identity.ErrTokenMissing},
	{"A10 absent", "cookie:t", request{}, identity.ErrTokenMissing},
	{"A10 another name", "cookie:t", request{cookies: []string{"u=TOKEN", "T=TOKEN"}}, identity.ErrTokenMissing},
	{"A10 twice", "cookie:t", request{cookies: []string{"TOKEN", "x"}}, identity.ErrRequestInvalid},
	{"A10 not the header", "cookie:t", header("Bearer TOKEN"), identity.ErrTokenMissing},

	{"A11 among others", "websocket:bearer.", request{protocols: []string{"chat, bearer.TOKEN"}}, nil},
	{"A11 in a second header", "websocket:bearer.", request{protocols: []string{"chat", "bearer.TOKEN"}}, nil},
	{"A11 no entry", "websocket:bearer.", request{protocols: []string{"chat, TOKEN"}}, identity.ErrTokenMissing},
	{"A11 no entry, header next", "websocket:bearer.,header", request{protocols: []string{"chat"}, authorization: []string{"Bearer TOKEN"}}, nil},
	{"A11 prefix alone, header next", "websocket:bearer.,header", request{protocols: []string{"bearer."}, authorization: []string{"Bearer TOKEN"}}, nil},
	{"A11 two", "websocket:bearer.", request{protocols: []string{"bearer.TOKEN, bearer.TOKEN"}}, identity.ErrRequestInvalid},

	{"A12 bad cookie, good header", "cookie:t,header", request{cookies: []string{"a.b.c"}, authorization: []string{"Bearer TOKEN"}}, identity.ErrTokenMalformed},
	{"A12 good cookie, bad header", "cookie:t,header", request{cookies: []string{"TOKEN"}, authorization: []string{"Bearer a.b.c"}}, nil},
	{"A12 bad header, good cookie", "header,cookie:t", request{cookies: []string{"TOKEN"}, authorization: []string{"Bearer a.b.c"}}, identity.ErrTokenMalformed},
	{"A12 good header, bad cookie", "header,cookie:t", request{cookies: []string{"a.b.c"}, authorization: []string{"Bearer TOKEN"}}, nil},
	{"A12 good header, two cookies", "header,cookie:t", request{cookies: []string{"a.b.c", "d.e.f"}, authorization: []string{"Bearer TOKEN"}}, nil},
	{"A12 two bad sockets behind a good cookie", "cookie:t,websocket:b.", request{cookies: []string{"TOKEN"}, protocols: []string{"b.x, b.y"}}, nil},
	{"A12 bad socket, good cookie", "websocket:b.,cookie:t", request{cookies: []string{"TOKEN"}, protocols: []string{"b.a.b.c"}}, identity.ErrTokenMalformed},
	{"A12 empty cookie, good header", "cookie:t,header", request{cookies: []string{"t="}, authorization: []string{"Bearer TOKEN"}}, nil},
	{"A12 other cookie, good one", "cookie:s,cookie:t", request{cookies: []string{"TOKEN"}}, nil},
	{"A12 two of three behind a cookie", "cookie:t,header,query", request{cookies: []string{"TOKEN"}, authorization: []string{"Bearer x"}, query: "access_token=x"}, identity.ErrRequestInvalid},
}

// A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12
func testExtraction[M any](t *testing.T, f Framework[M]) {
	idp := mockidp.New()
	for _, row := range extractions {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, f, setup[M]{idp: idp, config: func(cfg *identity.Config) { cfg.TokenLookup = row.lookup }}, nil)
			got := a.do(row.request.build(a.token()))
			if row.sentinel == nil {
				got.accepted(t)
				return
			}
			got.refused(t, row.sentinel)
			if row.sentinel == identity.ErrTokenMissing && got.header.Get("WWW-Authenticate") != Bare {
				t.Fatalf("got=%s, want=%s and no more", got.header.Get("WWW-Authenticate"), Bare)
			}
		})
	}
}

// A6, A18, A19: optional mode lets pass who brings no token, and nobody who brings a bad one.
func testOptional[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.Optional = true }}, nil)
	for _, anonymous := range []request{{}, header(""), header("Basic abc"), header("Token x"), {query: "access_token=TOKEN"}} {
		a.do(anonymous.build(a.token())).anonymous(t)
	}
	if log := a.log.String(); log != "" {
		t.Fatalf("got=%s, want nothing in the log of anonymous requests", log)
	}
	for _, bad := range []struct {
		request  request
		sentinel error
	}{
		{header("Bearer x.y.z"), identity.ErrTokenMalformed},
		{header("Bearer"), identity.ErrRequestInvalid},
		{header("Bearer TOKEN x"), identity.ErrRequestInvalid},
		{header("Bearer TOKEN", "Bearer TOKEN"), identity.ErrRequestInvalid},
	} {
		a.do(bad.request.build(a.token())).refused(t, bad.sentinel)
	}
	a.get(a.token(mockidp.ExpiresIn(-time.Hour))).refused(t, identity.ErrExpired)
	a.get(a.token()).accepted(t)
}

// A17
func testSkipper[M any](t *testing.T, f Framework[M]) {
	if f.NoHooks {
		t.Skip("the adapter has no Skipper")
	}
	a := newAPI(t, f, setup[M]{hooks: Hooks{Skip: func(r *http.Request) bool { return r.URL.Query().Get("public") != "" }}}, nil)
	a.do(request{query: "public=1", authorization: []string{"Bearer TOKEN"}}.build(a.token())).anonymous(t)
	a.do(request{}.build("")).refused(t, identity.ErrTokenMissing)
	a.do(header("Bearer TOKEN").build(a.token())).accepted(t)
}

// A17
func testSkipPreflight[M any](t *testing.T, f Framework[M]) {
	if f.NoHooks {
		t.Skip("the adapter has no Skipper")
	}
	a := newAPI(t, f, setup[M]{hooks: Hooks{Preflight: true}}, nil)
	for _, row := range []struct {
		method, origin, asked string
		passes                bool
	}{
		{http.MethodOptions, "https://spa.example", "PUT", true},
		{http.MethodOptions, "https://spa.example", "", false},
		{http.MethodOptions, "", "PUT", false},
		{http.MethodGet, "https://spa.example", "PUT", false},
	} {
		r := httptest.NewRequest(row.method, "/", nil)
		if row.origin != "" {
			r.Header.Set("Origin", row.origin)
		}
		if row.asked != "" {
			r.Header.Set("Access-Control-Request-Method", row.asked)
		}
		if got := a.do(r); row.passes {
			got.anonymous(t)
		} else {
			got.refused(t, identity.ErrTokenMissing)
		}
	}
}

// The handler can still read a form that the token was looked for in.
func testFormStaysReadable[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.TokenLookup = "form" }}, map[string]func(Call) error{
		"/form": func(c Call) error {
			_, err := c.W.Write([]byte(c.R.FormValue("order")))
			return err
		},
	})
	r := httptest.NewRequest(http.MethodPost, "/form", strings.NewReader(url.Values{"access_token": {a.token()}, "order": {"42"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := a.do(r); got.status != http.StatusOK || got.body != "42" {
		t.Fatalf("got=%d %s %v, want=200 42", got.status, got.body, got.err)
	}
}

// What is wrong with a form shows in optional mode as in the other, and with a Skipper that has read it: it is read once.
func testFormIsReadOnce[M any](t *testing.T, f Framework[M]) {
	for name, s := range map[string]setup[M]{
		"":         {},
		"optional": {config: func(cfg *identity.Config) { cfg.Optional = true }},
		"skipper":  {hooks: Hooks{Skip: func(*http.Request) bool { return false }}},
	} {
		if s.hooks.Skip != nil && f.NoHooks {
			continue
		}
		change := s.config
		s.config = func(cfg *identity.Config) {
			cfg.TokenLookup = "header,form"
			if change != nil {
				change(cfg)
			}
		}
		a := newAPI(t, f, s, nil)
		post := func(body, authorization string) *answer {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			return a.do(r)
		}
		token := a.token()
		t.Run(name, func(t *testing.T) {
			post("access_token=%zz", "").refused(t, identity.ErrRequestInvalid)
			post("access_token="+token+"&x=%zz", "").refused(t, identity.ErrRequestInvalid)
			post("access_token="+token+"&x="+strings.Repeat("x", 11<<20), "Bearer "+token).refused(t, identity.ErrRequestInvalid)
			post("access_token="+token, "Bearer "+token).refused(t, identity.ErrRequestInvalid)
			post("access_token="+token+"&x=1", "").accepted(t)
			post("x=1", "Bearer "+token).accepted(t)
		})
	}
}

// A refused upgrade gets a plain answer: nothing is hijacked, and the connection does not speak WebSocket. Neither answer names the
// subprotocol that the token stands in.
// A13, K12
func testWebSocketRefusal[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{config: func(cfg *identity.Config) { cfg.TokenLookup = "websocket:bearer.,header" }}, map[string]func(Call) error{
		"/ws": func(c Call) error { // as much of an upgrade as this test needs
			conn, _, err := http.NewResponseController(c.W).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n\r\n"))
			return err
		},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r) }))
	defer server.Close()
	upgrade := func(protocols string) *http.Response {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", protocols)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	if got := upgrade("chat, bearer." + a.token()); got.StatusCode != http.StatusSwitchingProtocols || got.Header.Get("Sec-WebSocket-Protocol") != "chat" {
		t.Fatalf("got=%s %v, want=101", got.Status, got.Header)
	}
	for protocols, challenge := range map[string]string{
		"chat":               Bare,
		"chat, bearer.a.b.c": BadToken.Challenge,
		"bearer.x, bearer.y": BadRequest.Challenge,
		"bearer." + a.token(mockidp.ExpiresIn(-time.Hour)): BadToken.Challenge,
	} {
		got := upgrade(protocols)
		if got.StatusCode < 400 || got.StatusCode > 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), challenge) || got.Header.Get("Upgrade") != "" {
			t.Fatalf("%.20s: got=%s %v, want a refusal with %s", protocols, got.Status, got.Header, challenge)
		}
		if echoed := got.Header.Values("Sec-WebSocket-Protocol"); len(echoed) > 0 {
			t.Fatalf("%.20s: got=%q, want no subprotocol in a refusal", protocols, echoed)
		}
	}
}
