package devpage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/devpage"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// api is an API that a page watches.
type api struct {
	idp  *mockidp.Server
	e    *echo.Echo
	page *devpage.Page
}

func newAPI(t *testing.T, o devpage.Options) *api {
	t.Helper()
	a := &api{idp: mockidp.New(), e: echo.New(), page: devpage.New(o)}
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     identity.KeyOptions{HTTPClient: a.idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}
	a.page.Watch(&cfg.Observe)
	a.e.GET("/debug/refusals", echo.WrapHandler(a.page))
	orders := a.e.Group("/orders", identity.Middleware(cfg))
	orders.GET("", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, identity.RequireScope("access_as_user"))
	return a
}

// order asks the API with a token.
func (a *api) order(t *testing.T, token string, want int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Request-Id", "req-4711")
	w := httptest.NewRecorder()
	a.e.ServeHTTP(w, r)
	if w.Code != want {
		t.Fatalf("got=%d, want=%d", w.Code, want)
	}
}

func (a *api) token(opts ...mockidp.TokenOption) string {
	return a.idp.Tenant(mockidp.Contoso).Token(opts...)
}

// here is a request from this machine, changed by change.
func here(target string, change func(r *http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "localhost:8080"
	local, _ := net.ResolveTCPAddr("tcp", "127.0.0.1:8080")
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
	if change != nil {
		change(r)
	}
	return r
}

func (a *api) see(t *testing.T, r *http.Request, want int) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	a.e.ServeHTTP(w, r)
	if w.Code != want {
		t.Fatalf("got=%d %s, want=%d", w.Code, w.Body, want)
	}
	return w
}

// shownJSON is what ?format=json returns.
type shownJSON struct {
	Total    int
	Refusals []devpage.Refusal
}

func (a *api) json(t *testing.T) (got shownJSON) {
	t.Helper()
	w := a.see(t, here("/debug/refusals?format=json", nil), http.StatusOK)
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatal(err, w.Header())
	}
	return got
}

// The page shows refusals by checks and by guards, newest first, and nothing of accepted requests.
func TestPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t, devpage.Options{})
	if got := a.see(t, here("/debug/refusals", nil), http.StatusOK).Body.String(); !strings.Contains(got, "Nothing has been refused so far") {
		t.Fatalf("got=%s, want an empty page", got)
	}
	expired, scopeless := a.token(mockidp.ExpiresIn(-7*time.Minute)), a.token(mockidp.Scopes("other"))
	a.order(t, expired, 401)
	a.order(t, a.token(), 200)
	a.order(t, scopeless, 403)
	got := a.json(t)
	if got.Total != 2 || len(got.Refusals) != 2 || got.Refusals[0].Report.Reason != "scope_missing" || got.Refusals[1].Report.Reason != "token_expired" ||
		got.Refusals[0].RequestID != "req-4711" {
		t.Fatalf("got=%+v, want both refusals, newest first", got)
	}
	w := a.see(t, here("/debug/refusals", nil), http.StatusOK)
	text := w.Body.String()
	for _, want := range []string{"scope_missing", "token_expired", "The token expired 7 minutes ago", "req-4711", "access_as_user", "scopes other"} {
		if !strings.Contains(text, want) {
			t.Errorf("got=%s, want %q in it", text, want)
		}
	}
	for _, token := range []string{expired, scopeless} {
		signature := token[strings.LastIndexByte(token, '.')+1:]
		for i := 0; i+12 <= len(signature); i++ {
			if strings.Contains(text, signature[i:i+12]) {
				t.Fatalf("the page shows %q of the signature", signature[i:i+12])
			}
		}
	}
	if strings.Contains(text, mockidp.User) || strings.Contains(text, "contoso.example") {
		t.Fatalf("got=%s, want nothing of the user", text)
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("got=%s, want %s", policy, want)
		}
	}
	if strings.Contains(text, "<script") || strings.Contains(policy, "unsafe") || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("got=%v, want no script, nothing unsafe and nothing stored", w.Header())
	}
}

// A token cannot write into the page.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, devpage.Options{})
	a.order(t, a.token(mockidp.Audience(`"><script>alert(1)</script>`)), 401)
	if got := a.see(t, here("/debug/refusals", nil), http.StatusOK).Body.String(); strings.Contains(got, "<script") || !strings.Contains(got, "&lt;script&gt;") {
		t.Fatalf("got=%s, want the audience escaped", got)
	}
}

// Only this machine sees the page, by its own names, and not through a proxy.
func TestOnlyFromHere(t *testing.T) {
	t.Parallel()
	open := newAPI(t, devpage.Options{InsecureAllowRemote: true, Logger: slog.New(slog.DiscardHandler)})
	a := newAPI(t, devpage.Options{})
	a.order(t, a.token(mockidp.ForGraph()), 401)
	at := func(address string) func(*http.Request) {
		return func(r *http.Request) {
			local, _ := net.ResolveTCPAddr("tcp", address)
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
		}
	}
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	from := func(address string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = address } }
	header := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, "127.0.0.1") }
	}
	for name, change := range map[string]func(*http.Request){
		"itself": nil, "IPv6": from("[::1]:50000"), "IPv4 in IPv6": from("[::ffff:127.0.0.1]:50000"), "IPv6 listener": at("[::1]:8080"),
		"host 127.0.0.1": host("127.0.0.1:8080"), "host [::1]": host("[::1]:8080"), "host [::1] without a port": host("[::1]"),
		"host without a port": host("localhost"), "host in capitals": host("LOCALHOST:8080"), "another loopback": host("127.1.2.3"),
	} {
		t.Run(name, func(t *testing.T) {
			if got := a.see(t, here("/debug/refusals", change), http.StatusOK).Body.String(); !strings.Contains(got, "token_for_other_resource") {
				t.Fatalf("got=%s, want the refusal", got)
			}
		})
	}
	for name, change := range map[string]func(*http.Request){
		"another machine": from("192.0.2.1:50000"), "the private network": from("10.0.0.1:50000"), "link-local": from("[fe80::1%eth0]:50000"),
		"no address": from(""), "a socket": from("@"), "listener of the network": at("192.0.2.7:8080"), "every address": at("0.0.0.0:8080"),
		"unknown listener": func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, nil))
		},
		"rebound name": host("attacker.example:8080"), "name that begins alike": host("localhost.attacker.example"), "name that ends alike": host("notlocalhost"),
		"rebound nip.io": host("127.0.0.1.nip.io"), "no host": host(""), "address of the machine": host("192.0.2.7:8080"), "final dot": host("localhost.:8080"),
		"X-Forwarded-For": header("X-Forwarded-For"), "Forwarded": header("Forwarded"), "X-Real-IP": header("X-Real-Ip"), "Via": header("Via"),
		"X-Forwarded-Host": header("X-Forwarded-Host"), "X-Forwarded-Proto": header("X-Forwarded-Proto"), "X-Forwarded-Server": header("X-Forwarded-Server"),
		"nginx": func(r *http.Request) { r.Proto, r.ProtoMinor, r.Close = "HTTP/1.0", 0, true },
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/debug/refusals", "/debug/refusals?format=json"} {
				if got := a.see(t, here(target, change), http.StatusForbidden).Body.String(); strings.Contains(got, "token_") {
					t.Fatalf("got=%s, want nothing of the refusals", got)
				}
				open.see(t, here(target, change), http.StatusOK)
			}
		})
	}
}

// A web site that the developer visits can send requests here, and the API's CORS middleware may let it read the answers of them all.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	for _, o := range []devpage.Options{{}, {InsecureAllowRemote: true, Logger: slog.New(slog.DiscardHandler)}} {
		a := newAPI(t, o)
		a.e.Pre(middleware.CORS())
		a.order(t, a.token(mockidp.ForGraph()), 401)
		for _, target := range []string{"/debug/refusals", "/debug/refusals?format=json"} {
			for _, origin := range []string{"https://attacker.example", "null", ""} {
				w := a.see(t, here(target, func(r *http.Request) { r.Header.Set("Origin", origin) }), http.StatusForbidden)
				if strings.Contains(w.Body.String(), "token_") {
					t.Fatalf("got=%v %s, want nothing of the refusals", w.Header(), w.Body)
				}
			}
			a.see(t, here(target, nil), http.StatusOK)
		}
	}
}

// Over a real socket on loopback, with what net/http itself tells about the connection.
func TestRealSocket(t *testing.T) {
	t.Parallel()
	a := newAPI(t, devpage.Options{})
	s := httptest.NewServer(a.e)
	defer s.Close()
	get := func(host string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/debug/refusals", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	if got := get(""); got != http.StatusOK {
		t.Fatalf("got=%d, want=200", got)
	}
	if got := get("attacker.example"); got != http.StatusForbidden {
		t.Fatalf("got=%d, want=403", got)
	}
}

// The insecure option says so when it is used; the safe one is silent.
func TestInsecureIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	devpage.New(devpage.Options{Logger: logger})
	if log.Len() > 0 {
		t.Fatalf("got=%s, want nothing", &log)
	}
	devpage.New(devpage.Options{Logger: logger, InsecureAllowRemote: true})
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "InsecureAllowRemote") {
		t.Fatalf("got=%s, want a warning", got)
	}
}

// The page changes nothing, so it answers nothing that would.
func TestMethods(t *testing.T) {
	t.Parallel()
	a := newAPI(t, devpage.Options{})
	w := httptest.NewRecorder()
	a.page.ServeHTTP(w, here("/", func(r *http.Request) { r.Method = http.MethodPost }))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Fatalf("got=%d %v, want=405", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	a.page.ServeHTTP(w, here("/", func(r *http.Request) { r.Method = http.MethodHead }))
	if w.Code != http.StatusOK {
		t.Fatalf("got=%d, want=200", w.Code)
	}
}

// Neither many refusals nor a flood of them makes the page grow, or the API slow.
func TestBounds(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int]int{0: 50, -1: 50, 3: 3, 10_000: 1000} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t, devpage.Options{Last: asked})
			for i := range want + 25 {
				if i%20 == 0 {
					time.Sleep(time.Second)
				}
				a.order(t, fmt.Sprintf("a.b.%d", i), 401)
			}
			got := a.json(t)
			if got.Total != want+25 || len(got.Refusals) != want {
				t.Fatalf("got=%d of %d, want=%d of %d", len(got.Refusals), got.Total, want, want+25)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, devpage.Options{})
		for range 1000 {
			a.order(t, "a.b.c", 401)
		}
		if got := a.json(t); got.Total != 1000 || len(got.Refusals) != 20 {
			t.Fatalf("got=%d of %d, want=20 of 1000", len(got.Refusals), got.Total)
		}
		time.Sleep(time.Second)
		a.order(t, "a.b.c", 401)
		if got := a.json(t); len(got.Refusals) != 21 {
			t.Fatalf("got=%d, want one more", len(got.Refusals))
		}
	})
}

// Whoever observed refusals before goes on doing so.
func TestWatchKeepsTheOther(t *testing.T) {
	t.Parallel()
	var o identity.Observe
	seen := 0
	o.Trace.Refused = func(context.Context, identity.RefuseInfo) { seen++ }
	page := devpage.New(devpage.Options{})
	page.Watch(&o)
	idp := mockidp.New()
	o.Logger = slog.New(slog.DiscardHandler)
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys: identity.KeyOptions{HTTPClient: idp.Client()}, Observe: o,
	})
	if err != nil {
		t.Fatal(err)
	}
	v.Verify(t.Context(), "a.b.c")
	w := httptest.NewRecorder()
	page.ServeHTTP(w, here("/", nil))
	if seen != 1 || !strings.Contains(w.Body.String(), "token_malformed") {
		t.Fatalf("got=%d, %s, want both to have seen it", seen, w.Body)
	}
}
