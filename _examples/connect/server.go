package main

import (
	"log/slog"
	"net/http"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// newHandler is what a server of yours has: the interceptor of auth.go with a rule for each procedure, and the metadata that its
// challenges name.
func newHandler(client *http.Client) (http.Handler, error) {
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
	options := connect.WithHandlerOptions(connect.WithInterceptors(guard), connect.WithReadMaxBytes(1<<20))
	mux := http.NewServeMux()
	mux.Handle(verifier.ResourceMetadata())
	mux.Handle(list, connect.NewUnaryHandler(list, listOrders, options))
	mux.Handle(watch, connect.NewServerStreamHandler(watch, watchOrders, options))
	mux.Handle(forgotten, connect.NewUnaryHandler(forgotten, listOrders, options))
	return mux, nil
}
