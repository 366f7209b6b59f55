package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/echo-identity/identity/mockidp"
)

// target is what a peer is set up for: the tokens of one tenant for one API. Most libraries know one issuer, and it is to their
// advantage: nobody has to choose among tenants.
type target struct {
	tenant *mockidp.TenantHandle
	client *http.Client
	keySet string // where the keys are published
}

func newTarget(idp *mockidp.Server, tenant *mockidp.TenantHandle) (*target, error) {
	t := &target{tenant: tenant, client: idp.Client()}
	response, err := t.client.Get(tenant.DiscoveryURL())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var document struct {
		KeySet string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		return nil, fmt.Errorf("%s: %w", tenant.DiscoveryURL(), err)
	}
	t.keySet = document.KeySet
	return t, nil
}

// verify lets a token in, or says why not.
type verify func(raw string) error

// setUp makes a verifier. What it starts ends with ctx.
type setUp func(ctx context.Context, t *target) (verify, error)

// peer is a library in two set-ups: as its documentation shows it to a beginner, and with every strictness that it offers.
type peer struct {
	name       string
	documented setUp
	strict     setUp // nil where there is nothing more to switch on
	givenKeys  bool  // its user reads the key set, so that it cannot be blamed for what is in there
}

// peers stand in the order of the table. The last one must let nothing in.
var peers = []peer{
	{name: "echo-jwt", documented: echoJWT, strict: strictEchoJWT, givenKeys: true},
	{name: "keyfunc", documented: keyfuncV3, strict: strictKeyfunc},
	{name: "jwx", documented: jwxV3, strict: strictJWX},
	{name: "go-oidc", documented: goOIDC},
	{name: "identity", documented: withIdentity},
}

// measuredModules are those whose version matters.
var measuredModules = []string{
	"github.com/MicahParks/jwkset", "github.com/MicahParks/keyfunc/v3", "github.com/coreos/go-oidc/v3", "github.com/go-jose/go-jose/v4",
	"github.com/golang-jwt/jwt/v5", "github.com/labstack/echo-jwt/v4", "github.com/labstack/echo/v4", "github.com/lestrrat-go/jwx/v3",
}
