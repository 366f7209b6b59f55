package main

import (
	"log/slog"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

const customDomain = "login.contoso.example"

// newAPI is an API for a B2C directory: for tokens of the policies that are listed, whichever of its hosts issued them.
func newAPI(client *http.Client) (*echo.Echo, error) {
	authenticate, err := identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(identity.Tenant{
			ID: mockidp.Shop, Name: "shop",
			B2C: &identity.B2C{
				Domain:   "contosob2c",           // contosob2c.b2clogin.com
				Hosts:    []string{customDomain}, // and this one, at once
				Policies: []string{"B2C_1_susi", "B2C_1A_custom"},
			},
		}),
		Keys:    identity.KeyOptions{HTTPClient: client},                 // in production, leave this out,
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
	}.ToMiddleware()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(authenticate)
	e.GET("/tasks", listTasks, identity.RequireScope("tasks.read"))
	return e, nil
}

func listTasks(c echo.Context) error {
	p, _ := identity.From(c)
	return c.JSON(http.StatusOK, map[string]string{"user": p.UserKey(), "policy": p.Policy})
}
