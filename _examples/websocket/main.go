// Websocket guards a WebSocket: tokens in Sec-WebSocket-Protocol, or in a cookie; refused before the upgrade; closed when the token
// expires, unless the client renews in band. It ends with 0 only if every answer is the expected one. Everything happens in memory.
//
//	go run ./websocket
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("websocket: ", err)
	}
}

const (
	prefix  = "bearer."        // of the entry of Sec-WebSocket-Protocol
	cookie  = "__Host-orders"  // browsers take this name only with Secure, Path=/ and no Domain; set HttpOnly and SameSite too
	origin  = "orders.example" // the host
	address = "ws://" + origin // without TLS only because it is in memory
)

// newHandler is the server that the example is about.
func newHandler(idp *mockidp.Server) (http.Handler, error) {
	verifier, err := identity.New(identity.Config{
		ClientID:    mockidp.API,
		Tenants:     identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		TokenLookup: "websocket:" + prefix + ",cookie:" + cookie,
		Keys:        identity.KeyOptions{HTTPClient: idp.Client()},           // in production, leave this out,
		Observe:     identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	})
	if err != nil {
		return nil, err
	}
	rule := identity.AllScopes("Orders.Read")
	return verifier.Handler(rule.Handler(&socket{verifier, rule})), nil
}

// memory is a listener whose connections are pipes.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	close(m.closed)
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve serves in memory, and returns a client of it.
func serve(handler http.Handler) (client *http.Client, stop func()) {
	listener := &memory{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with Close
	}()
	transport := &http.Transport{DialContext: listener.dial}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		server.Close()
		<-done
	}
}

// attempt is a client on its way to a connection.
type attempt struct {
	token  string // in Sec-WebSocket-Protocol; empty: none
	cookie string // a token in the cookie; empty: none
	origin string // of the page; empty: no browser
	renew  string // the token to send when the connection stands; empty: none
	enough int    // orders after which the client leaves; zero: it stays as long as it may
}

// outcome is what came of it.
type outcome struct {
	status   int // of the answer to the upgrade
	header   http.Header
	protocol string // that the server chose
	orders   int
	code     websocket.StatusCode // with which the server closed; 0: the client left
	reason   string
	lasted   time.Duration
}

func (a attempt) run(ctx context.Context, client *http.Client) (o outcome, err error) {
	options := &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{protocol}, HTTPHeader: make(http.Header)}
	if a.token != "" {
		options.Subprotocols = append(options.Subprotocols, prefix+a.token)
	}
	if a.cookie != "" {
		options.HTTPHeader.Set("Cookie", cookie+"="+a.cookie)
	}
	if a.origin != "" {
		options.HTTPHeader.Set("Origin", a.origin)
	}
	began := time.Now()
	conn, response, err := websocket.Dial(ctx, address, options)
	if response == nil {
		return o, err
	}
	o.status, o.header = response.StatusCode, response.Header
	if err != nil {
		return o, nil // refused
	}
	defer conn.CloseNow()
	o.protocol = conn.Subprotocol()
	if a.renew != "" {
		if err := send(ctx, conn, message{Renew: a.renew}); err != nil {
			return o, err
		}
	}
	for a.enough == 0 || o.orders < a.enough {
		_, data, err := conn.Read(ctx)
		if err != nil {
			closed := websocket.CloseError{}
			if !errors.As(err, &closed) {
				return o, err
			}
			o.code, o.reason = closed.Code, closed.Reason
			break
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			return o, err
		}
		if m.Order > 0 {
			o.orders++
		}
	}
	o.lasted = time.Since(began)
	return o, nil
}

// row is an attempt of the demonstration, and what must come of it.
type row struct {
	what   string
	client func() attempt // made when its turn comes: some tokens live for seconds
	status int
	orders int // at least
	reason string
}

func rows(idp *mockidp.Server) []row {
	contoso := idp.Tenant(mockidp.Contoso)
	read := mockidp.Scopes("Orders.Read")
	good := contoso.Token(read)
	lives := func(seconds int) string {
		return contoso.Token(read, mockidp.ExpiresIn(time.Duration(seconds)*time.Second))
	}
	expired := "the token has expired"
	return []row{
		{"no token", func() attempt { return attempt{} }, 401, 0, ""},
		{"an expired token", func() attempt { return attempt{token: contoso.Token(read, mockidp.ExpiresIn(-time.Hour))} }, 401, 0, ""},
		{"two tokens", func() attempt { return attempt{token: good + ", " + prefix + good} }, 400, 0, ""},
		{"another scope", func() attempt { return attempt{token: contoso.Token(mockidp.Scopes("Orders.Write"))} }, 403, 0, ""},
		{"a good token, one order", func() attempt { return attempt{token: good, enough: 1} }, 101, 1, ""},
		{"a token for three seconds", func() attempt { return attempt{token: lives(3)} }, 101, 1, expired},
		{"the same, renewed with one for five", func() attempt { return attempt{token: lives(3), renew: lives(5)} }, 101, 3, expired},
		{"renewed with an expired token", func() attempt { return attempt{token: good, renew: contoso.Token(read, mockidp.ExpiresIn(-time.Hour))} }, 101, 0, "The access token has expired."},
		{"renewed with another user's token", func() attempt {
			return attempt{token: good, renew: contoso.Token(read, mockidp.ObjectID(mockidp.GuestUser))}
		}, 101, 0, "the token is another user's"},
		{"renewed with a token of another scope", func() attempt { return attempt{token: good, renew: contoso.Token(mockidp.Scopes("Orders.Write"))} }, 101, 0, "The access token lacks a required scope."},
		{"a cookie, from a page of this site", func() attempt { return attempt{cookie: good, origin: "https://" + origin, enough: 1} }, 101, 1, ""},
		{"a cookie, from a page of another site", func() attempt { return attempt{cookie: good, origin: "https://attacker.example"} }, 403, 0, ""},
	}
}

// check finds what is wrong with the outcome.
func (r row) check(a attempt, o outcome) error {
	switch {
	case o.status != r.status:
		return fmt.Errorf("want status %d", r.status)
	case o.orders < r.orders || o.reason != r.reason:
		return fmt.Errorf("want %d orders or more, closed with %q", r.orders, r.reason)
	case (o.reason != "") != (o.code == websocket.StatusPolicyViolation):
		return fmt.Errorf("want close code %d with a reason", websocket.StatusPolicyViolation)
	case o.status == http.StatusSwitchingProtocols && o.protocol != protocol:
		return fmt.Errorf("want subprotocol %s", protocol)
	case a.token != "" && strings.Contains(fmt.Sprint(o.header, o.reason), a.token[len(a.token)-16:]):
		return errors.New("the token came back")
	}
	return nil
}

// show makes the attempts and prints what comes of them.
func show(w io.Writer) error {
	idp := mockidp.New()
	handler, err := newHandler(idp)
	if err != nil {
		return err
	}
	client, stop := serve(handler)
	defer stop()
	wrong := 0
	all := rows(idp)
	for _, r := range all {
		a := r.client()
		o, err := a.run(context.Background(), client)
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		text := o.header.Get("WWW-Authenticate")
		if o.status == http.StatusSwitchingProtocols {
			text = fmt.Sprintf("%s: %d orders", o.protocol, o.orders)
			if o.code != 0 {
				text += fmt.Sprintf(", closed after %.0f s: %d %s", o.lasted.Seconds(), o.code, o.reason)
			}
		}
		note := ""
		if err := r.check(a, o); err != nil {
			note = "  WRONG, " + err.Error()
			wrong++
		}
		fmt.Fprintf(w, "%-38s %d %s%s\n", r.what, o.status, text, note)
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(w, "%d clients, every answer as expected\n", len(all))
	return nil
}
