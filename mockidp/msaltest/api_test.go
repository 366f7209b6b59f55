package msaltest

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// caller is what the API says about who called it.
type caller struct {
	Tenant  string   `json:"tenant"`
	User    string   `json:"user"` // object ID
	Client  string   `json:"client"`
	Policy  string   `json:"policy"`
	Scopes  []string `json:"scopes"`
	Roles   []string `json:"roles"`
	Version string   `json:"version"`
	AppOnly bool     `json:"appOnly"`
	Guest   bool     `json:"guest"`
}

// startAPI starts the Echo API that all tokens are for. It trusts every tenant of the server, as a private deployment at the
// address that clients use.
func startAPI(t *testing.T, w *world) string {
	t.Helper()
	cloud := identity.Cloud(w.origin)
	return serveAPI(t, identity.Config{
		ClientID:  mockidp.API,
		Audiences: []string{freshAPI, "api://" + oldAPI},
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso, Cloud: cloud},
			identity.Tenant{ID: mockidp.Fabrikam, Cloud: cloud},
			identity.Tenant{ID: mockidp.PersonalAccounts, Cloud: cloud},
			identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Hosts: []string{w.origin}, Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
			identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx", Hosts: []string{w.origin}}},
		),
		Skipper: identity.SkipPreflight,
		Keys:    identity.KeyOptions{HTTPClient: w.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))},
	})
}

// productionAPI trusts a tenant of each kind at Microsoft's own addresses: its configuration has no trace of a mock but the HTTP client.
func productionAPI(t *testing.T, w *world) string {
	t.Helper()
	return serveAPI(t, identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso},
			identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
			identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx"}},
		),
		Skipper: identity.SkipPreflight,
		Keys:    identity.KeyOptions{HTTPClient: w.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))},
	})
}

func serveAPI(t *testing.T, cfg identity.Config) string {
	t.Helper()
	e := echo.New()
	e.Use(middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{"*"}, AllowHeaders: []string{"Authorization"}}))
	e.Use(tellReason, identity.Middleware(cfg))
	me := func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.JSON(http.StatusOK, caller{
			Tenant: p.TenantID, User: p.ObjectID, Client: p.ClientID, Policy: p.Policy, Scopes: p.Scopes, Roles: p.Roles, Version: p.Version,
			AppOnly: p.AppOnly(), Guest: p.Guest(),
		})
	}
	e.GET("/me", me)
	e.GET("/orders", me, identity.RequireScope("Orders.Read"))
	e.GET("/jobs", me, identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

// tellReason tells tests why a token is refused, which an API would keep to its log.
func tellReason(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if refusal, ok := errors.AsType[*identity.Error](err); ok {
			c.Response().Header().Set("Reason", string(refusal.Reason))
		}
		return err
	}
}

// call calls a route of the API and wants 200.
func (w *world) call(t *testing.T, path, token string) caller {
	t.Helper()
	status, body := get(t, w.api+path, token)
	if status != http.StatusOK {
		t.Fatalf("GET %s: got=%d %s, want=200; token %v", path, status, body, claimsOf(t, token))
	}
	var who caller
	if err := json.Unmarshal(body, &who); err != nil {
		t.Fatal(err)
	}
	return who
}

// forbidden calls a route of the API that the token is not enough for.
func (w *world) forbidden(t *testing.T, path, token string) {
	t.Helper()
	if status, body := get(t, w.api+path, token); status != http.StatusForbidden {
		t.Fatalf("GET %s: got=%d %s, want=403", path, status, body)
	}
}

func get(t *testing.T, address, token string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
