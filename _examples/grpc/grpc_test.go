package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func start(t *testing.T) (*mockidp.Server, *grpc.ClientConn) {
	t.Helper()
	idp := mockidp.New()
	server, err := newServer(idp.Client())
	if err != nil {
		t.Fatal(err)
	}
	conn, stop, err := serve(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return idp, conn
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

// A refusal says what a client needs: code, sentence, challenge; nothing of the token, and not the reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	idp, conn := start(t)
	contoso := idp.Tenant(mockidp.Contoso)
	read := mockidp.Scopes("Orders.Read")
	good := "Bearer " + contoso.Token(read)
	const metadataAddress = `resource_metadata="https://orders.example/.well-known/oauth-protected-resource"`
	for name, row := range map[string]struct {
		values    []string
		code      codes.Code
		challenge string // begins so
	}{
		"none":      {nil, codes.Unauthenticated, `Bearer ` + metadataAddress},
		"empty":     {[]string{""}, codes.Unauthenticated, `Bearer ` + metadataAddress},
		"basic":     {[]string{"Basic eDp5"}, codes.Unauthenticated, `Bearer ` + metadataAddress},
		"two":       {[]string{good, good}, codes.Unauthenticated, `Bearer error="invalid_request"`},
		"bad first": {[]string{"Bearer a.b.c", good}, codes.Unauthenticated, `Bearer error="invalid_request"`},
		"junk":      {[]string{good + " x"}, codes.Unauthenticated, `Bearer error="invalid_request"`},
		"malformed": {[]string{"Bearer a.b.c"}, codes.Unauthenticated, `Bearer error="invalid_token"`},
		"expired":   {[]string{"Bearer " + contoso.Token(mockidp.ExpiresIn(-time.Hour))}, codes.Unauthenticated, `Bearer error="invalid_token"`},
		"scope":     {[]string{"Bearer " + contoso.Token()}, codes.PermissionDenied, `Bearer error="insufficient_scope"`},
	} {
		var trailer metadata.MD
		text, err := call(t.Context(), conn, list, &trailer, row.values...)
		s := status.Convert(err)
		challenge := strings.Join(trailer.Get("www-authenticate"), "|")
		if text != "" || s.Code() != row.code || !strings.HasPrefix(challenge, row.challenge) || !strings.HasSuffix(challenge, metadataAddress) || s.Message() == "" {
			t.Errorf("%s: got=%v %s, want=%s %s", name, s, challenge, row.code, row.challenge)
		}
		if row.code == codes.PermissionDenied && !strings.Contains(challenge, `scope="Orders.Read"`) {
			t.Errorf("%s: got=%s, want the scope to ask for", name, challenge)
		}
		if all := s.String() + challenge; strings.Contains(all, "identity:") || strings.Contains(all, contoso.Token()[:16]) {
			t.Errorf("%s: got=%s, want no cause and nothing of the token", name, all)
		}
	}
	if text, err := call(t.Context(), conn, list, new(metadata.MD), good); err != nil || text != "orders of contoso" {
		t.Fatalf("got=%q %v, want the orders", text, err)
	}
	var trailer metadata.MD
	if _, err := call(t.Context(), conn, forgotten, &trailer, good); status.Code(err) != codes.PermissionDenied || len(trailer.Get("www-authenticate")) > 0 {
		t.Fatalf("got=%v %v, want PermissionDenied for a method without a rule", err, trailer)
	}
}

// An outage is Unavailable, with the time to wait and without a challenge: the token may be good.
func TestOutage(t *testing.T) {
	t.Parallel()
	idp, conn := start(t)
	good := "Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
	remove := idp.Inject(mockidp.Fault{Reset: true})
	var trailer metadata.MD
	_, err := call(t.Context(), conn, list, &trailer, good)
	s := status.Convert(err)
	if s.Code() != codes.Unavailable || len(trailer.Get("www-authenticate")) > 0 || len(s.Details()) != 1 {
		t.Fatalf("got=%v %v, want Unavailable without a challenge", s, trailer)
	}
	retry, ok := s.Details()[0].(*errdetails.RetryInfo)
	if !ok || retry.RetryDelay.AsDuration() <= 0 {
		t.Fatalf("got=%v, want when to come back", s.Details())
	}
	remove()
	idp, conn = start(t)
	good = "Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
	if _, err := call(t.Context(), conn, list, &trailer, good); err != nil {
		t.Fatal(err)
	}
}

// A stream ends with its token, and not before.
func TestStreamExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, conn := start(t)
		watcher := func(life time.Duration) string {
			return "Bearer " + idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Watcher"), mockidp.ExpiresIn(life))
		}
		var trailer metadata.MD
		began := time.Now()
		n, err := follow(t.Context(), conn, &trailer, 1000, watcher(time.Minute))
		if status.Code(err) != codes.Unauthenticated || n < 60 || n > 61 || time.Since(began) != time.Minute {
			t.Fatalf("got=%d orders in %v, %v, want those of a minute and Unauthenticated", n, time.Since(began), err)
		}
		if challenge := trailer.Get("www-authenticate"); len(challenge) != 1 || !strings.Contains(challenge[0], `error="invalid_token"`) {
			t.Fatalf("got=%q, want the challenge of an expired token", challenge)
		}
		if n, err := follow(t.Context(), conn, &trailer, 1000, watcher(2*time.Hour)); err != nil || n != 1000 {
			t.Fatalf("got=%d %v, want 1000 orders", n, err)
		}
	})
}
