package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/labstack/echo/v4"
)

var errNotBuilt = errors.New("the page is not built; with Node 20.19 or later, in a clone of the repository,\n\n" +
	"\tnpm --prefix _examples/spa/page start\n\nbuilds and serves it")

// pageConfig is what the page reads when it starts, so that one build works for every address. Nothing in it is secret.
type pageConfig struct {
	ClientID         string            `json:"clientId"`
	KnownAuthorities []string          `json:"knownAuthorities"` // hosts that MSAL need not ask Microsoft about
	Authorities      []authority       `json:"authorities"`
	API              string            `json:"api"`
	Scopes           map[string]string `json:"scopes"`
}

type authority struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Policy string `json:"policy,omitempty"`
}

func newPageConfig(microsoft, api string) pageConfig {
	c := pageConfig{
		ClientID: pageID, API: api, KnownAuthorities: []string{strings.TrimPrefix(microsoft, "https://")},
		Scopes: map[string]string{"orders": apiURI + ordersRead, "jobs": apiURI + jobsRun},
	}
	for _, d := range directories {
		c.Authorities = append(c.Authorities, authority{Name: d.Name, URL: microsoft + "/" + d.path, Policy: d.policy})
	}
	return c
}

// newPage serves what Vite has built, and its configuration.
func newPage(dist string, config pageConfig, microsoft string) (*echo.Echo, error) {
	root := os.DirFS(dist)
	for _, name := range []string{"index.html", "redirect.html"} {
		if _, err := fs.Stat(root, name); err != nil {
			return nil, fmt.Errorf("%w (%w)", errNotBuilt, err)
		}
	}
	// Scripts of nobody else, and requests to nobody but the API and the sign-in: a token cannot be sent anywhere else. Hidden
	// frames are how MSAL renews without a refresh token; redirect.html ends in them, so that the page may frame itself.
	policy := fmt.Sprintf("default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' %s %s; "+
		"frame-src 'self' %s; frame-ancestors 'self'; base-uri 'none'; form-action 'none'", config.API, microsoft, microsoft)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set(echo.HeaderContentSecurityPolicy, policy)
			h.Set(echo.HeaderXContentTypeOptions, "nosniff")
			h.Set(echo.HeaderReferrerPolicy, "no-referrer")
			h.Set(echo.HeaderCacheControl, "no-cache") // names of assets change with their content; this is for the rest
			return next(c)
		}
	})
	e.GET("/config.json", func(c echo.Context) error { return c.JSON(http.StatusOK, config) })
	e.StaticFS("/", root)
	return e, nil
}
