package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// What the API is registered as. In B2C a scope usually begins with the address of the directory instead:
// https://contosob2c.onmicrosoft.com/orders/Orders.Read.
const (
	apiID      = "cccccccc-3333-4333-8333-cccccccccccc"
	ordersRead = "Orders.Read"
	jobsRun    = "Jobs.Run"
	apiURI     = "api://" + apiID + "/"
)

// apiSettings are what differs between this example and production, which needs neither microsoft (and so no Cloud and no Hosts) nor
// client.
type apiSettings struct {
	page      string       // the origin of the page, the only one whose scripts may call
	microsoft string       // the origin of the mock
	client    *http.Client // trusts the mock's certificate
	logger    *slog.Logger
}

// answer is what the page shows of a call.
type answer struct {
	User   string   `json:"user"` // tenant and object ID: what to store, never a name
	Tenant string   `json:"tenant"`
	Policy string   `json:"policy,omitempty"`
	Orders []string `json:"orders,omitempty"`
	Job    string   `json:"job,omitempty"`
}

func newAPI(s apiSettings) (*echo.Echo, error) {
	authenticate, err := identity.Config{
		ClientID: apiID,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: contoso.ID, Name: contoso.Name, Cloud: identity.Cloud(s.microsoft)},
			identity.Tenant{ID: fabrikam.ID, Name: fabrikam.Name, Cloud: identity.Cloud(s.microsoft)},
			identity.Tenant{ID: shop.ID, Name: shop.Name, B2C: &identity.B2C{
				Domain: "contosob2c", Hosts: []string{s.microsoft}, Policies: []string{shop.policy},
			}},
		),
		// CORS below answers every preflight request before it comes here. Where somebody moves it behind authentication, or to a
		// group, this keeps browsers from a 401 that no page can read.
		Skipper: identity.SkipPreflight,
		Keys:    identity.KeyOptions{HTTPClient: s.client},
		Observe: identity.Observe{Logger: s.logger},
	}.ToMiddleware()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	// CORS comes before identity, so that the page can read refusals, too. The token is in a header, so cookies stay out of it
	// (AllowCredentials). Without ExposeHeaders a script does not see which scope is missing, nor when to come back.
	e.Use(middleware.Recover(), middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  []string{s.page},
		AllowMethods:  []string{http.MethodGet, http.MethodPost},
		AllowHeaders:  []string{echo.HeaderAuthorization},
		ExposeHeaders: []string{echo.HeaderWWWAuthenticate, echo.HeaderRetryAfter},
		MaxAge:        int(time.Hour.Seconds()),
	}), noStore, authenticate)
	e.GET("/orders", listOrders, identity.RequireScope(ordersRead))
	e.POST("/jobs", runJob, identity.RequireScope(jobsRun))
	return e, nil
}

// orders are by tenant ID, in place of a database.
var orders = map[string][]string{
	contoso.ID:  {"12 chairs", "A desk"},
	fabrikam.ID: {"40 m of linen"},
	shop.ID:     {"A teapot", "Two cups"},
}

func listOrders(c echo.Context) error {
	p, _ := identity.From(c)
	a := answerTo(p)
	a.Orders = orders[p.TenantID]
	return c.JSON(http.StatusOK, a)
}

func runJob(c echo.Context) error {
	p, _ := identity.From(c)
	a := answerTo(p)
	a.Job = "accepted"
	return c.JSON(http.StatusAccepted, a)
}

func answerTo(p *identity.Principal) answer {
	return answer{User: p.UserKey(), Tenant: p.Tenant().Name, Policy: p.Policy}
}

// noStore keeps answers out of caches: they are one user's.
func noStore(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		return next(c)
	}
}
