package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/oapi"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	echomiddleware "github.com/oapi-codegen/echo-middleware"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config codegen.yaml openapi.yaml

// The names of the schemes in openapi.yaml.
const (
	userScheme        = "user"
	applicationScheme = "application"
)

// scopes are what the API publishes, with a sentence for people.
var scopes = map[string]string{
	"Orders.Read":  "See the orders of your company",
	"Orders.Write": "Order something for your company",
}

// config is what differs from one deployment to the next.
type config struct {
	url      string          // where browsers reach the API
	clientID string          // the API's registration
	appIDURI string          // api://{clientID} in most registrations
	docsID   string          // the registration of Swagger UI, with a redirect URI of the single-page platform
	tenant   identity.Tenant // whose users and applications may call
	logger   *slog.Logger
}

// newServer is what the example is about: the generated routes, behind the security that the document asks for. A document that
// requires what could not be enforced is an error, now and not with the first request.
func newServer(cfg config) (*echo.Echo, error) {
	document, err := newDocument(cfg)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.New(identity.Config{
		ClientID: cfg.clientID,
		Tenants:  identity.NewRegistry(cfg.tenant),
		Observe:  identity.Observe{Logger: cfg.logger},
	})
	if err != nil {
		return nil, err
	}
	authenticate, err := oapi.New(verifier, document, oapi.Options{AppIDURI: cfg.appIDURI})
	if err != nil {
		return nil, err
	}

	e := echo.New()
	e.Use(middleware.Recover(), middleware.BodyLimit("1M")) // the validator reads bodies whole
	api := e.Group("", echomiddleware.OapiRequestValidatorWithOptions(document, &echomiddleware.Options{
		Options: openapi3filter.Options{AuthenticationFunc: authenticate},
	}))
	RegisterHandlers(api, &orders{byTenant: make(map[string][]Order)})

	e.GET("/openapi.json", func(c echo.Context) error { return c.JSON(http.StatusOK, document) })
	if err := addDocs(e, cfg); err != nil {
		return nil, err
	}
	return e, nil
}

// newDocument is openapi.yaml with the security schemes: where to sign in.
func newDocument(cfg config) (*openapi3.T, error) {
	document, err := GetSpec()
	if err != nil {
		return nil, err
	}
	authority, err := oapi.Authority(cfg.tenant, "") // for the users of many tenants: https://login.microsoftonline.com/organizations
	if err != nil {
		return nil, err
	}
	err = oapi.AddSchemes(document, oapi.Description{
		Authority: authority, AppIDURI: cfg.appIDURI, Scopes: scopes, Name: userScheme, Application: applicationScheme,
	})
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return document, nil
}
