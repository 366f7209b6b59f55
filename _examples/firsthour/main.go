// Firsthour is the API of docs/first-hour.md: one tenant, one route, one scope. Its test needs no network and no account.
//
//	go test ./firsthour
package main

import (
	"log"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

func config() identity.Config {
	return identity.Config{
		ClientID: "cccccccc-3333-4333-8333-cccccccccccc", // this API's application ID
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa", Name: "contoso"},
		),
	}
}

func newAPI(cfg identity.Config) *echo.Echo {
	e := echo.New()
	e.Use(identity.Middleware(cfg)) // panics if cfg is bad; cfg.ToMiddleware() returns the error
	e.GET("/orders", func(c echo.Context) error {
		p, _ := identity.From(c) // never nil behind the middleware
		return c.String(http.StatusOK, "orders of "+p.UserKey())
	}, identity.RequireScope("Orders.Read"))
	return e
}

func main() { log.Fatal(newAPI(config()).Start("localhost:8080")) }
