package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

func start(t *testing.T) (*mockidp.Server, *http.Client) {
	t.Helper()
	idp := mockidp.New()
	handler, err := newHandler(idp.Client())
	if err != nil {
		t.Fatal(err)
	}
	client, stop := serve(handler)
	t.Cleanup(stop)
	return idp, client
}

// What the example prints is true, and it ends with an error otherwise.
func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a watcher's orders come once a second
		var out bytes.Buffer
		if err := show(&out); err != nil || !strings.Contains(out.String(), "orders of contoso") {
			t.Fatalf("%v\n%s", err, &out)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 81 && strings.Contains(strings.TrimSpace(line), " ") { // an address cannot be broken
				t.Errorf("wider than a terminal: %s", line)
			}
		}
	})
}

// A refusal says what a client needs: code, sentence, challenge; nothing of the token, and not the reason. Unary calls and streams
// are refused alike.
func TestRefusals(t *testing.T) {
	t.Parallel()
	idp, client := start(t)
	contoso := idp.Tenant(mockidp.Contoso)
	good := "Bearer " + contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Watcher"))
	const metadataAddress = `resource_metadata="https://orders.example/.well-known/oauth-protected-resource"`
	for name, row := range map[string]struct {
		values    []string
		code      connect.Code
		challenge string // begins so
	}{
		"none":      {nil, connect.CodeUnauthenticated, `Bearer ` + metadataAddress},
		"empty":     {[]string{""}, connect.CodeUnauthenticated, `Bearer ` + metadataAddress},
		"basic":     {[]string{"Basic eDp5"}, connect.CodeUnauthenticated, `Bearer ` + metadataAddress},
		"two":       {[]string{good, good}, connect.CodeUnauthenticated, `Bearer error="invalid_request"`},
		"bad first": {[]string{"Bearer a.b.c", good}, connect.CodeUnauthenticated, `Bearer error="invalid_request"`},
		"malformed": {[]string{"Bearer a.b.c"}, connect.CodeUnauthenticated, `Bearer error="invalid_token"`},
		"expired":   {[]string{"Bearer " + contoso.Token(mockidp.ExpiresIn(-time.Hour))}, connect.CodeUnauthenticated, `Bearer error="invalid_token"`},
		"scope":     {[]string{"Bearer " + contoso.Token()}, connect.CodePermissionDenied, `Bearer error="insufficient_scope"`},
	} {
		_, unary := call(t.Context(), client, list, row.values...)
		n, stream := follow(t.Context(), client, 1, row.values...)
		if n != 0 {
			t.Errorf("%s: got=%d orders", name, n)
		}
		for kind, err := range map[string]error{"unary": unary, "stream": stream} {
			own := new(connect.Error)
			if !errors.As(err, &own) || own.Code() != row.code || own.Message() == "" {
				t.Errorf("%s %s: got=%v, want=%v", name, kind, err, row.code)
				continue
			}
			challenge := strings.Join(own.Meta().Values("WWW-Authenticate"), "|")
			if !strings.HasPrefix(challenge, row.challenge) || !strings.HasSuffix(challenge, metadataAddress) {
				t.Errorf("%s %s: got=%s, want=%s", name, kind, challenge, row.challenge)
			}
			if row.code == connect.CodePermissionDenied && !strings.Contains(challenge, `scope="Orders.Read"`) {
				t.Errorf("%s %s: got=%s, want the scope to ask for", name, kind, challenge)
			}
			if all := own.Error() + challenge; strings.Contains(all, "identity:") || strings.Contains(all, contoso.Token()[:16]) {
				t.Errorf("%s %s: got=%s, want no cause and nothing of the token", name, kind, all)
			}
		}
	}
	if text, err := call(t.Context(), client, list, good); err != nil || text != "orders of contoso" {
		t.Fatalf("got=%q %v, want the orders", text, err)
	}
	if n, err := follow(t.Context(), client, 1, good); err != nil || n != 1 {
		t.Fatalf("got=%d %v, want an order", n, err)
	}
	if _, err := call(t.Context(), client, forgotten, good); codeOf(err) != connect.CodePermissionDenied {
		t.Fatalf("got=%v, want PermissionDenied for a procedure without a rule", err)
	}
}

// The status of HTTP is the one that any client of an API expects: Connect's unary calls are plain requests.
func TestStatusOfHTTP(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	handler, err := newHandler(idp.Client())
	if err != nil {
		t.Fatal(err)
	}
	contoso := idp.Tenant(mockidp.Contoso)
	for token, want := range map[string]int{
		"":              http.StatusUnauthorized,
		contoso.Token(): http.StatusForbidden,
		contoso.Token(mockidp.Scopes("Orders.Read")): http.StatusOK,
	} {
		r := httptest.NewRequest(http.MethodPost, list, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != want || (want != http.StatusOK) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("got=%d %v %s, want=%d", w.Code, w.Header(), w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"resource":"https://orders.example"`) {
		t.Fatalf("got=%d %s, want the document that the challenges name", w.Code, w.Body)
	}
}

// An outage is Unavailable, with the time to wait and without a challenge: the token may be good.
func TestOutage(t *testing.T) {
	t.Parallel()
	idp, client := start(t)
	good := "Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
	idp.Inject(mockidp.Fault{Reset: true})
	_, err := call(t.Context(), client, list, good)
	own := new(connect.Error)
	if !errors.As(err, &own) || own.Code() != connect.CodeUnavailable || own.Meta().Get("WWW-Authenticate") != "" || own.Meta().Get("Retry-After") == "" || len(own.Details()) != 1 {
		t.Fatalf("got=%v, want Unavailable without a challenge", err)
	}
	detail, err := own.Details()[0].Value()
	if retry, ok := detail.(*errdetails.RetryInfo); err != nil || !ok || retry.RetryDelay.AsDuration() <= 0 {
		t.Fatalf("got=%v %v, want when to come back", detail, err)
	}
}

// A stream ends with its token, and not before.
func TestStreamExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, client := start(t)
		watcher := func(life time.Duration) string {
			return "Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Watcher"), mockidp.ExpiresIn(life))
		}
		began := time.Now()
		n, err := follow(t.Context(), client, 1000, watcher(time.Minute))
		own := new(connect.Error)
		if !errors.As(err, &own) || own.Code() != connect.CodeUnauthenticated || n < 60 || n > 61 || time.Since(began) != time.Minute {
			t.Fatalf("got=%d orders in %v, %v, want those of a minute and Unauthenticated", n, time.Since(began), err)
		}
		if challenge := own.Meta().Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
			t.Fatalf("got=%q, want the challenge of an expired token", challenge)
		}
		if n, err := follow(t.Context(), client, 1000, watcher(2*time.Hour)); err != nil || n != 1000 {
			t.Fatalf("got=%d %v, want 1000 orders", n, err)
		}
	})
}
