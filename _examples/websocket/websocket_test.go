package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/echo-identity/identity/mockidp"
)

// attempts runs f with a client of a new server, on a clock of its own.
func attempts(t *testing.T, f func(t *testing.T, idp *mockidp.Server, try func(attempt) outcome)) {
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		handler, err := newHandler(idp.Client())
		if err != nil {
			t.Fatal(err)
		}
		client, stop := serve(handler)
		defer stop()
		f(t, idp, func(a attempt) outcome {
			t.Helper()
			o, err := a.run(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			return o
		})
	})
}

// What the example prints is true, and it ends with an error otherwise.
func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // orders come once a second
		var out bytes.Buffer
		if err := show(&out); err != nil || !strings.Contains(out.String(), "closed within 5 s: 1008") {
			t.Fatalf("%v\n%s", err, &out)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 81 {
				t.Errorf("wider than a terminal: %s", line)
			}
		}
	})
}

// A refused upgrade is an answer of HTTP: a status, a challenge, and no word of WebSocket or of the token.
func TestRefusedBeforeUpgrade(t *testing.T) {
	attempts(t, func(t *testing.T, idp *mockidp.Server, try func(attempt) outcome) {
		bad := idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour))
		for _, a := range []attempt{{}, {token: bad}, {cookie: bad}, {token: "a.b.c"}} {
			o := try(a)
			if o.status != http.StatusUnauthorized || !strings.HasPrefix(o.header.Get("WWW-Authenticate"), `Bearer realm=""`) {
				t.Fatalf("got=%d %v, want=401", o.status, o.header)
			}
			for _, name := range []string{"Upgrade", "Sec-WebSocket-Protocol", "Sec-WebSocket-Accept"} {
				if value := o.header.Get(name); value != "" {
					t.Fatalf("got %s: %s in a refusal", name, value)
				}
			}
		}
		good := idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))
		o := try(attempt{token: good, enough: 1})
		if chosen := o.header.Values("Sec-WebSocket-Protocol"); o.status != http.StatusSwitchingProtocols || len(chosen) != 1 || chosen[0] != protocol {
			t.Fatalf("got=%d %q, want=101 %s", o.status, chosen, protocol)
		}
	})
}

// The connection ends with its token to the second, and with the renewed one if there is one.
func TestExpiry(t *testing.T) {
	attempts(t, func(t *testing.T, idp *mockidp.Server, try func(attempt) outcome) {
		lives := func(life time.Duration) string {
			return idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(life))
		}
		for _, row := range []struct {
			client func() attempt
			lasts  time.Duration
		}{
			{func() attempt { return attempt{token: lives(time.Minute)} }, time.Minute},
			{func() attempt { return attempt{cookie: lives(2 * time.Minute)} }, 2 * time.Minute},
			{func() attempt { return attempt{token: lives(time.Minute), renew: lives(4 * time.Hour)} }, 4 * time.Hour},
		} {
			if o := try(row.client()); o.code != websocket.StatusPolicyViolation || o.reason != errExpired.Error() || o.lasted != row.lasts {
				t.Fatalf("got=%d %s after %v, want it closed after %v", o.code, o.reason, o.lasted, row.lasts)
			}
		}
	})
}

// A server that ends takes its WebSockets with it.
func TestServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		handler, err := newHandler(idp.Client())
		if err != nil {
			t.Fatal(err)
		}
		client, stop := serve(handler)
		ended := make(chan error)
		go func() {
			_, err := attempt{token: idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"))}.run(t.Context(), client)
			ended <- err
		}()
		began := time.Now()
		time.Sleep(10 * time.Second) // on a clock of its own
		stop()
		if err := <-ended; err == nil || time.Since(began) != 10*time.Second {
			t.Fatalf("got=%v after %v, want an error when the server ends", err, time.Since(began))
		}
	})
}
