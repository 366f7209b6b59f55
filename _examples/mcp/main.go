// Mcp guards an MCP server, and signs in to it with a client that knows nothing but its address: the 401 names the metadata (RFC 9728),
// they name the authority, and a token is got there by authorization code with PKCE. It ends with 0 only if every answer is the expected
// one. Microsoft is mockidp, in memory; the server listens on the loopback interface; no other network, no account.
//
//	go run .
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
	"net/url"
	"os"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("mcp: ", err)
	}
}

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
		listener.Close()
		return nil, err
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with Close
	}()
	sockets := &http.Transport{}
	w.transport = byHost{listener.Addr().String(), sockets, idp.Client().Transport}
	w.stop = func() {
		sockets.CloseIdleConnections()
		server.Close()
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

// agentOf is a client in front of which somebody sits. In production, browser opens one, and waits at the redirect URI.
func (w *world) agentOf(login string, pages *int) *agent {
	return &agent{
		clientID: mockidp.NativeClient, redirect: "http://localhost", issuer: issuer, api: api, transport: w.transport,
		browser: func(_ context.Context, address string) (url.Values, error) {
			*pages++
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

// call calls a tool, and returns its answer in JSON.
func call(ctx context.Context, session *mcp.ClientSession, tool string) (string, error) {
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(result.StructuredContent)
	if result.IsError {
		err = errors.New("the tool has failed")
	}
	return string(text), err
}

// show makes the calls and prints what comes of them.
func show(out io.Writer) error {
	ctx := context.Background()
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.stop()
	wrong := 0
	row := func(what, got string, right bool) {
		note := ""
		if !right {
			wrong++
			note = "  WRONG"
		}
		fmt.Fprintf(out, "%s\n    %s%s\n", what, got, note)
	}

	resp, _, err := w.post(ctx, "", "whoami", nil)
	if err != nil {
		return err
	}
	challenge := resp.Header.Get("WWW-Authenticate")
	row("A call without a token: the challenge names the metadata", resp.Status+" "+challenge,
		resp.StatusCode == http.StatusUnauthorized && strings.Contains(challenge, "resource_metadata="))
	resp, _, err = w.post(ctx, w.idp.Tenant(mockidp.Fabrikam).Token(mockidp.Scopes("access_as_user")), "whoami", nil)
	if err != nil {
		return err
	}
	row("A token of a tenant that is not trusted", resp.Status, resp.StatusCode == http.StatusUnauthorized)

	for _, user := range []struct{ login, key string }{
		{"jo@contoso.example", mockidp.Contoso + "." + mockidp.User},
		{"pat@contoso.example", mockidp.Contoso + "." + mockidp.PasswordUser},
	} {
		pages := 0
		session, err := w.agentOf(user.login, &pages).connect(ctx, w.endpoint)
		if err != nil {
			return err
		}
		defer session.Close()
		for _, step := range []struct{ tool, want string }{{"whoami", user.key}, {"list_orders", "an order of contoso"}} {
			answer, err := call(ctx, session, step.tool)
			if err != nil {
				answer = err.Error()
			}
			row(fmt.Sprintf("%s calls %s, after signing in %d times", user.login, step.tool, pages), answer, err == nil && strings.Contains(answer, step.want))
		}
		_, err = call(ctx, session, "forgotten")
		row(user.login+" calls forgotten, a tool without a rule", fmt.Sprint(err), err != nil)
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintln(out, "every answer as expected")
	return nil
}
