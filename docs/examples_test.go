// Package docs_test holds the code of the pages in this folder: what stands there stands here, and runs.
package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// The examples run against an offline stand-in for Microsoft. In production, leave Keys and Observe out.
var (
	microsoft = mockidp.New()
	keys      = identity.KeyOptions{HTTPClient: microsoft.Client()}
	quiet     = identity.Observe{Logger: slog.New(slog.DiscardHandler)}
)

const clientID = mockidp.API

// call sends a request with a token and prints the answer's status and body.
func call(api http.Handler, method, path, token string) {
	req := httptest.NewRequest(method, path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	fmt.Println(strings.TrimSpace(fmt.Sprint(res.Code, " ", res.Body)))
}

func get(api http.Handler, path, token string) { call(api, http.MethodGet, path, token) }

// mustVerifier is for examples that are about something else.
func mustVerifier(cfg identity.Config) *identity.Verifier {
	cfg.Keys, cfg.Observe = keys, quiet
	v, err := identity.New(cfg)
	if err != nil {
		panic(err)
	}
	return v
}

func Example_allowList() {
	tenants := identity.NewRegistry(
		identity.Tenant{ID: mockidp.Contoso, Name: "contoso"},
		identity.Tenant{ID: mockidp.Fabrikam, Name: "fabrikam", DenyGuests: true},
	)
	api := mustVerifier(identity.Config{ClientID: clientID, Tenants: tenants})
	fmt.Println(tenants.Len(), "tenants")

	tenants.Remove(mockidp.Fabrikam) // counts from the next request on
	_, err := api.Verify(context.Background(), microsoft.Tenant(mockidp.Fabrikam).Token())
	fmt.Println(errors.Is(err, identity.ErrUnknownTenant))
	// Output:
	// 2 tenants
	// true
}

// customers stands for the application's own table of tenants.
type customers struct{ names map[string]string }

func (c customers) find(_ context.Context, tenantID string) (name string, paid bool, err error) {
	name, paid = c.names[tenantID]
	return name, paid, nil
}

func Example_cachedTenants() {
	db := customers{map[string]string{mockidp.Contoso: "contoso"}}

	source := identity.TenantFunc(func(ctx context.Context, issuer identity.Issuer) (*identity.Tenant, error) {
		name, paid, err := db.find(ctx, issuer.TenantID)
		switch {
		case err != nil:
			return nil, err // 503: nobody is signed out by an outage of the database
		case !paid:
			return nil, identity.ErrUnknownTenant // 401
		}
		return &identity.Tenant{ID: issuer.TenantID, Name: name}, nil
	})
	tenants := identity.CachedTenants(source, time.Minute) // a removal counts within the minute
	// tenants.Forget(tenantID) makes it immediate, in this process

	e := echo.New()
	e.Use(mustVerifier(identity.Config{ClientID: clientID, Tenants: tenants}).Middleware())
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	get(e, "/", microsoft.Tenant(mockidp.Contoso).Token())
	get(e, "/", microsoft.Tenant(mockidp.Fabrikam).Token())
	// Output:
	// 204
	// 401 {"error":"invalid_token","message":"The issuer of the access token is not trusted."}
}

func Example_anyTenant() {
	var mu sync.Mutex
	blocked := map[string]bool{mockidp.Fabrikam: true}

	tenants := identity.AnyTenant(func(_ context.Context, issuer identity.Issuer) error {
		mu.Lock()
		defer mu.Unlock()
		if blocked[issuer.TenantID] {
			return identity.ErrUnknownTenant
		}
		return nil // anybody's tenant: a stranger can make one in minutes
	})
	e := echo.New()
	e.Use(mustVerifier(identity.Config{ClientID: clientID, Tenants: tenants}).Middleware())
	e.GET("/", func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.String(http.StatusOK, "data of tenant "+p.TenantID+" and of no other")
	})
	get(e, "/", microsoft.Tenant(mockidp.Contoso).Token())
	get(e, "/", microsoft.Tenant(mockidp.Fabrikam).Token())
	// Output:
	// 200 data of tenant aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa and of no other
	// 401 {"error":"invalid_token","message":"The issuer of the access token is not trusted."}
}

func Example_b2c() {
	shop := identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{
		Domain:   "contosob2c",
		Policies: []string{"B2C_1_susi", "B2C_1A_custom"}, // a policy that is not listed is refused
	}}
	app := identity.Tenant{ID: mockidp.Customers, Name: "app", External: &identity.External{Domain: "contosocx"}}

	e := echo.New()
	e.Use(mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(shop, app)}).Middleware())
	e.GET("/", func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.String(http.StatusOK, p.Tenant().Name+" "+p.Policy)
	})
	get(e, "/", microsoft.Tenant(mockidp.Shop).Token(mockidp.Policy("B2C_1_susi")))
	get(e, "/", microsoft.Tenant(mockidp.Shop).Token(mockidp.Policy("B2C_1_test")))
	get(e, "/", microsoft.Tenant(mockidp.Customers).Token())
	// Output:
	// 200 shop B2C_1_susi
	// 401 {"error":"invalid_token","message":"The policy of the access token is not accepted."}
	// 200 app
}

func Example_permissions() {
	v := mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso})})
	ok := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

	e := echo.New()
	e.Use(v.Middleware())
	e.GET("/orders", ok, identity.RequireScope("Orders.Read"))
	e.POST("/jobs", ok, identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	e.GET("/admin", ok, identity.RequireRole("Admin"))

	contoso := microsoft.Tenant(mockidp.Contoso)
	call(e, "POST", "/jobs", contoso.Token(mockidp.Scopes("Jobs.Run")))                             // a user
	call(e, "POST", "/jobs", contoso.Token(mockidp.AppOnly("Jobs.Run.All")))                        // a daemon
	call(e, "POST", "/jobs", contoso.Token(mockidp.Scopes("Other"), mockidp.Roles("Jobs.Run.All"))) // a user's role is no permission of an application
	get(e, "/admin", contoso.Token(mockidp.Roles("Admin")))
	// Output:
	// 204
	// 204
	// 403 {"error":"insufficient_scope","message":"The access token lacks a required permission."}
	// 204
}

func Example_groups() {
	const payroll = "99999999-4444-4444-8444-999999999999"
	graph := func(_ context.Context, p *identity.Principal) ([]string, error) {
		// Ask Microsoft Graph, with a token of this API's own or on behalf of the user; remember the answer for a while.
		return []string{payroll}, nil
	}
	e := echo.New()
	e.Use(mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso})}).Middleware())
	e.GET("/payroll", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, identity.RequireGroup(graph, payroll))

	contoso := microsoft.Tenant(mockidp.Contoso)
	get(e, "/payroll", contoso.Token(mockidp.Groups(payroll)))
	get(e, "/payroll", contoso.Token(mockidp.Overage())) // too many groups for a token
	get(e, "/payroll", contoso.Token(mockidp.Groups("88888888-4444-4444-8444-888888888888")))
	// Output:
	// 204
	// 204
	// 403 {"message":"The caller is not in a required group."}
}

// A rule of the application's own: nobody works on the data of another tenant, whatever the URL says.
func sameTenant(tenantOf func(ctx context.Context) string) identity.Rule {
	return func(ctx context.Context, p *identity.Principal) error {
		if tenantOf(ctx) != p.TenantID {
			return errors.New("the data of another tenant") // 403; the text is for the log
		}
		return nil
	}
}

func Example_ownRule() {
	rule := sameTenant(func(context.Context) string { return mockidp.Fabrikam })
	e := echo.New()
	e.Use(mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso})}).Middleware())
	e.GET("/", func(c echo.Context) error { return nil }, identity.Require(rule))
	get(e, "/", microsoft.Tenant(mockidp.Contoso).Token())
	// Output:
	// 403 {"message":"The request is not allowed."}
}

func Example_explain() {
	v := mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Version: 2})})
	report := v.Explain(context.Background(), microsoft.Tenant(mockidp.Contoso).Token(mockidp.V1()))
	fmt.Println(report.Verdict, report.Reason)
	// Output:
	// refused version_not_allowed
}

func Example_operating() {
	v := mustVerifier(identity.Config{ClientID: clientID, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso})})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := v.Warm(ctx); err != nil {
		slog.Warn("some keys are not there yet; they are fetched when they are needed", "cause", err)
	}
	stats := v.Stats()
	fmt.Println(stats.KeySets, "key set,", stats.FailedFetches, "failed fetches")
	// Output:
	// 1 key set, 0 failed fetches
}

func Example_logger() {
	// One's own logger, on one's own level.
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg := identity.Config{
		ClientID: clientID,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Observe:  identity.Observe{Logger: logger},
	}
	_, err := identity.New(cfg)
	fmt.Println(err)
	// Output:
	// <nil>
}
