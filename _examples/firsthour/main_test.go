package main

import (
	"net/http/httptest"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

func TestOrders(t *testing.T) {
	microsoft := mockidp.New()
	cfg := config()
	cfg.Keys.HTTPClient = microsoft.Client() // all that differs from production
	api := newAPI(cfg)

	contoso, fabrikam := microsoft.Tenant(mockidp.Contoso), microsoft.Tenant(mockidp.Fabrikam)
	for name, row := range map[string]struct {
		token string
		want  int
	}{
		"reader":         {contoso.Token(mockidp.Scopes("Orders.Read")), 200},
		"scope missing":  {contoso.Token(mockidp.Scopes("Orders.Write")), 403},
		"not registered": {fabrikam.Token(mockidp.Scopes("Orders.Read")), 401},
		"not a token":    {"x", 401},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "/orders", nil)
			req.Header.Set("Authorization", "Bearer "+row.token)
			res := httptest.NewRecorder()
			if api.ServeHTTP(res, req); res.Code != row.want {
				t.Errorf("got=%d %s, want=%d", res.Code, res.Body, row.want)
			}
		})
	}
}
