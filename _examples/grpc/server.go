package main

import (
	"log/slog"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/grpc"
)

// newServer is what a server of yours has: the interceptors of auth.go with a rule for each method. Reflection is not registered: it
// would be two methods more, without a rule. The document of Resource belongs on an HTTP server: [identity.Verifier.ResourceMetadata].
func newServer(client *http.Client) (*grpc.Server, error) {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Resource: identity.Resource{URL: "https://orders.example", Name: "Orders"},
		Keys:     identity.KeyOptions{HTTPClient: client},                 // in production, leave this out,
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	})
	if err != nil {
		return nil, err
	}
	guard := &auth{verifier: verifier, rules: map[string]identity.Rule{
		list:  identity.AllScopes("Orders.Read"),
		watch: identity.AllOf(identity.AllScopes("Orders.Read"), identity.AnyRole("Watcher")),
	}}
	server := grpc.NewServer(grpc.UnaryInterceptor(guard.unary), grpc.StreamInterceptor(guard.stream)) // and grpc.Creds, for TLS
	server.RegisterService(&description, orders{})
	return server, nil
}
