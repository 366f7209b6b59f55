package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// The registrations, as they would be in Microsoft's portal, and who signs in.
const (
	apiID     = mockidp.API
	appIDURI  = "api://" + apiID
	docsID    = mockidp.Client
	jobID     = mockidp.Daemon
	jobSecret = "a-secret-of-the-example" // in production from a vault, or none: a managed identity
	closeAll  = "Orders.Close.All"
	user      = "jo@contoso.example"
	colleague = "pat@contoso.example"
)

// world is the API, and a stand-in for Microsoft.
type world struct {
	url    string
	idp    *mockidp.Server
	server *http.Server
	ended  chan error
}

// newWorld starts both on loopback.
func newWorld(addr string, logger *slog.Logger) (*world, error) {
	socket, err := loopback(addr)
	if err != nil {
		return nil, err
	}
	w := &world{url: fmt.Sprintf("http://localhost:%d", socket.Addr().(*net.TCPAddr).Port), ended: make(chan error, 1)}
	w.idp, err = mockidp.Listen(mockidp.Listening{Plain: true}, mockidp.WithDirectory(directory(w.url+redirectPath)))
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	e, err := newServer(config{
		url: w.url, clientID: apiID, appIDURI: appIDURI, docsID: docsID, logger: logger,
		tenant: identity.Tenant{ID: mockidp.Contoso, Name: "contoso", Cloud: identity.Cloud(w.idp.URL)}, // in production without Cloud
	})
	if err != nil {
		return nil, errors.Join(err, socket.Close(), w.idp.Shutdown(context.Background()))
	}
	w.server = &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	go func() { w.ended <- w.server.Serve(socket) }()
	return w, nil
}

// directory is what the stand-in for Microsoft knows.
func directory(redirect string) mockidp.Directory {
	return mockidp.Directory{Tenants: []mockidp.Tenant{
		{
			ID: mockidp.Contoso, Domain: "contoso",
			Users: []mockidp.Account{
				{ID: mockidp.User, Name: "Jo Doe", Login: user},
				{ID: mockidp.PasswordUser, Name: "Pat Poe", Login: colleague},
			},
			Applications: []mockidp.Application{
				{
					ID: apiID, Name: "Orders", TokenVersion: 2, Scopes: []string{"Orders.Read", "Orders.Write"},
					AppRoles: []mockidp.AppRole{{Value: closeAll, AllowedMemberTypes: []string{"applications"}}}, OptionalClaims: []string{"idtyp"},
				},
				{
					ID: docsID, Name: "Swagger UI of Orders", PublicClient: true, RedirectURIs: mockidp.RedirectURIs{SPA: []string{redirect}},
					Permissions: []mockidp.Permission{{API: apiID, Scopes: []string{"Orders.Read", "Orders.Write"}}},
				},
				{
					ID: jobID, Name: "Nightly job", Secrets: []string{jobSecret},
					Permissions: []mockidp.Permission{{API: apiID, Roles: []string{closeAll}}},
				},
			},
		},
		{ID: mockidp.Fabrikam, Domain: "fabrikam"}, // not in the API's registry
	}}
}

// loopback listens, and nowhere else: whoever reaches the stand-in for Microsoft can sign in as anybody.
func loopback(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not on loopback", addr)
	}
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
}

// close ends both.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := errors.Join(w.server.Shutdown(ctx), w.idp.Shutdown(ctx))
	if ended := <-w.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
