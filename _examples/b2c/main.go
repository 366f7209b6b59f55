// B2C serves an Azure AD B2C directory with two policies and a custom domain, and shows which of its tokens are accepted.
// It ends with 0 only if every answer is the expected one.
//
//	go run ./b2c
package main

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

const customDomain = "login.contoso.example"

func main() {
	idp := mockidp.New(mockidp.WithTenants(mockidp.Tenant{
		ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Hosts: []string{customDomain},
		Policies: []string{"B2C_1_susi", "B2C_1A_custom", "B2C_1_test"},
	}))
	e := echo.New()
	e.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(identity.Tenant{
			ID: mockidp.Shop, Name: "shop",
			B2C: &identity.B2C{
				Domain:   "contosob2c",           // contosob2c.b2clogin.com
				Hosts:    []string{customDomain}, // and this one, at once
				Policies: []string{"B2C_1_susi", "B2C_1A_custom"},
			},
		}),
		Keys:    identity.KeyOptions{HTTPClient: idp.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}))
	e.GET("/tasks", func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.String(http.StatusOK, p.Policy)
	}, identity.RequireScope("tasks.read"))

	shop := idp.Tenant(mockidp.Shop)
	read := mockidp.Scopes("tasks.read")
	susi, custom := mockidp.Policy("B2C_1_susi"), mockidp.Policy("B2C_1A_custom")
	rows := []struct {
		what  string
		token string
		want  int
	}{
		{"user flow", shop.Token(read, susi), 200},
		{"custom policy", shop.Token(read, custom), 200},
		{"custom policy that writes acr instead of tfp", shop.Token(read, custom, mockidp.ACRPolicy()), 200},
		{"user flow on the custom domain", shop.Token(read, susi, mockidp.IssuedBy(customDomain)), 200},
		{"policy of the same directory that is not listed", shop.Token(read, mockidp.Policy("B2C_1_test")), 401},
		{"one policy's token with the other policy's key", shop.Token(read, susi, mockidp.SignedBy(shop.PolicyKeys("B2C_1A_custom").Signing())), 401},
		{"issuer in tfp form, which TFPIssuers would allow", shop.Token(read, susi, mockidp.TFPIssuer()), 401},
		{"another scope", shop.Token(susi, mockidp.Scopes("tasks.write")), 403},
	}
	wrong := 0
	for _, row := range rows {
		req := httptest.NewRequest(http.MethodGet, "/tasks", nil)
		req.Header.Set("Authorization", "Bearer "+row.token)
		res := httptest.NewRecorder()
		e.ServeHTTP(res, req)
		note := ""
		if res.Code != row.want {
			note = fmt.Sprintf("WRONG, want %d", row.want)
			wrong++
		}
		fmt.Printf("%-50s %d %s\n", row.what, res.Code, note)
	}
	if wrong > 0 {
		log.Fatalf("b2c: %d wrong answers", wrong)
	}
}
