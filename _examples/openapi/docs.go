package main

import (
	"encoding/json"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// docsPath is where Swagger UI is; redirectPath, below it, where the answer of a sign-in goes. That page comes with Swagger UI
// (whole since swgui 1.8.7), and its address is a redirect URI of the registration, of the single-page platform: pages may redeem
// codes of no other (AADSTS9002326).
const (
	docsPath     = "/docs/"
	redirectPath = docsPath + "oauth2-redirect.html"
)

// addDocs serves Swagger UI, whose files are in the program. Anybody may read the document; nobody calls an operation without a token.
func addDocs(e *echo.Echo, cfg config) error {
	var preselected []string
	for name := range scopes {
		preselected = append(preselected, cfg.appIDURI+"/"+name)
	}
	slices.Sort(preselected)
	oauth, err := json.Marshal(map[string]any{
		"clientId":                          cfg.docsID,
		"scopes":                            preselected,
		"usePkceWithAuthorizationCodeGrant": true, // a page has no secret to prove itself with
	})
	if err != nil {
		return err
	}
	redirect, err := json.Marshal(cfg.url + redirectPath)
	if err != nil {
		return err
	}
	page := echo.WrapHandler(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Orders", SwaggerJSON: "/openapi.json", BasePath: docsPath,
		SettingsUI: map[string]string{
			"oauth2RedirectUrl": string(redirect),
			"onComplete":        "function() { window.ui.initOAuth(" + string(oauth) + ") }",
		},
	}))
	e.GET(docsPath+"*", page)
	return nil
}
