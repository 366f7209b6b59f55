package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const (
	issuer = "https://login.microsoftonline.com/" + mockidp.Contoso + "/v2.0"
	api    = "api://" + mockidp.API
)

// world is a server and what it needs.
type world struct {
	idp       *mockidp.Server
	endpoint  string // of the server
	transport http.RoundTripper
	stop      func()
}

func newWorld() (*world, error) {
	idp := mockidp.New()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{idp: idp, endpoint: "http://" + listener.Addr().String() + "/mcp"} // loopback only: a token travels over TLS
	handler, err := newHandler(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Resource: identity.Resource{
			URL: w.endpoint, AuthorizationServers: []string{issuer}, Scopes: []string{api + "/access_as_user"}, Name: "Orders",
		},
		Keys:    identity.KeyOptions{HTTPClient: idp.Client()},           // in production, leave this out,
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ErrServerClosed, unless a test fails anyway
	}()
	sockets := &http.Transport{}
	w.transport = byHost{listener.Addr().String(), sockets, idp.Client().Transport}
	w.stop = func() {
		sockets.CloseIdleConnections()
		_ = server.Close()
		<-done
	}
	return w, nil
}

// byHost reaches the server over the loopback interface, and Microsoft in memory.
type byHost struct {
	host              string
	server, elsewhere http.RoundTripper
}

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == b.host {
		return b.server.RoundTrip(r)
	}
	return b.elsewhere.RoundTrip(r)
}

// agentOf is a client in front of which somebody sits. signIns counts how often they are asked. In production, browser opens one, and
// waits at the redirect URI.
func (w *world) agentOf(login string, signIns *int) *agent {
	return &agent{
		clientID: mockidp.NativeClient, redirect: "http://localhost", issuer: issuer, api: api, transport: w.transport,
		browser: func(_ context.Context, address string) (url.Values, error) {
			*signIns++
			redirect, err := w.idp.Walk(address, login)
			if err != nil {
				return nil, err
			}
			if code := redirect.Values.Get("error"); code != "" {
				return nil, fmt.Errorf("%s: %s", code, redirect.Values.Get("error_description"))
			}
			return redirect.Values, nil
		},
	}
}

// post sends a call without an SDK. headers are those of version 2026-07-28, or none.
func (w *world) post(ctx context.Context, token, tool string, headers map[string]string) (*http.Response, string, error) {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.endpoint, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	resp, err := w.transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}
