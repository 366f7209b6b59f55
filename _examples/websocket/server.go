package main

import (
	"log/slog"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const (
	prefix = "bearer."       // of the entry of Sec-WebSocket-Protocol that holds the token
	cookie = "__Host-orders" // browsers take this name only with Secure, Path=/ and no Domain; set HttpOnly and SameSite too
)

// newHandler is what a server of yours has. This configuration is for the WebSocket alone: browsers send a cookie with requests from
// pages of any site, and only the upgrade is guarded against that (see ServeHTTP). Other routes take tokens from the header, as they
// do without TokenLookup.
func newHandler(client *http.Client) (http.Handler, error) {
	verifier, err := identity.New(identity.Config{
		ClientID:    mockidp.API,
		Tenants:     identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		TokenLookup: "websocket:" + prefix + ",cookie:" + cookie,
		Keys:        identity.KeyOptions{HTTPClient: client},                 // in production, leave this out,
		Observe:     identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	})
	if err != nil {
		return nil, err
	}
	rule := identity.AllScopes("Orders.Read")
	return verifier.Handler(rule.Handler(&socket{verifier, rule})), nil
}
