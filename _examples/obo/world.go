package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

const (
	gatewayScope = "api://" + mockidp.MiddleTier + "/access_as_user" // what clients ask for
	ordersScope  = "api://" + mockidp.API + "/Orders.Read"           // what the gateway asks for
)

// world is the gateway, the downstream API, and Microsoft, all in memory.
type world struct {
	idp     *mockidp.Server
	gateway http.Handler
	logger  *slog.Logger
	broken  atomic.Int32 // the status that the downstream API answers with, whoever asks; 0: it works
}

func newWorld(logger *slog.Logger) (*world, error) {
	w := &world{idp: mockidp.New(mockidp.WithDirectory(directory())), logger: logger}
	downstream, err := w.newOrders()
	if err != nil {
		return nil, err
	}
	verifier, err := identity.New(w.config(mockidp.MiddleTier))
	if err != nil {
		return nil, err
	}
	secret, err := confidential.NewCredFromSecret(mockidp.MiddleTierSecret) // in production, a certificate or a managed identity
	if err != nil {
		return nil, err
	}
	client, err := confidential.New("https://login.microsoftonline.com/"+mockidp.Contoso, mockidp.MiddleTier, secret,
		confidential.WithClientCapabilities([]string{"CP1"}), // this application understands claims challenges, too
		confidential.WithHTTPClient(w.idp.Client()))          // in production, leave this out
	if err != nil {
		return nil, err
	}
	w.gateway = newGateway(&gateway{
		verifier: verifier, msal: client, downstream: "https://orders.example", scopes: []string{ordersScope},
		http: &http.Client{Transport: inMemory{downstream}, Timeout: 10 * time.Second}, // in production, leave out the Transport
	})
	return w, nil
}

// directory is the mock's own, with a registration of the gateway whose tokens say which clients understand claims challenges.
func directory() mockidp.Directory {
	d := mockidp.DefaultDirectory()
	for i := range d.Tenants {
		for j := range d.Tenants[i].Applications {
			if app := &d.Tenants[i].Applications[j]; app.ID == mockidp.MiddleTier {
				app.OptionalClaims = []string{"xms_cc", "acrs", "idtyp"}
			}
		}
	}
	return d
}

// config is that of either API.
func (w *world) config(clientID string) identity.Config {
	return identity.Config{
		ClientID: clientID,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}, identity.Tenant{ID: mockidp.Fabrikam, Name: "fabrikam"}),
		Keys:     identity.KeyOptions{HTTPClient: w.idp.Client()}, // in production, leave this out,
		Observe:  identity.Observe{Logger: w.logger},              // and this
	}
}

// newOrders is the downstream API. It knows users, and that the gateway is their client; not who called the gateway.
func (w *world) newOrders() (http.Handler, error) {
	mw, err := w.config(mockidp.API).ToMiddleware()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if status := w.broken.Load(); status != 0 {
				c.Response().Header().Set("Retry-After", "7")
				return c.NoContent(int(status))
			}
			return next(c)
		}
	}, mw)
	tell := func(c echo.Context) error {
		p, _ := identity.From(c)
		return c.JSON(http.StatusOK, map[string]string{"what": c.Path(), "user": p.UserKey(), "client": p.ClientID})
	}
	e.GET("/orders", tell, identity.RequireScope("Orders.Read"))
	e.GET("/payroll", tell, identity.RequireScope("Orders.Read"), identity.RequireAuthContext("c1"))
	e.GET("/jobs", tell, identity.RequireScope("Jobs.Run")) // which the gateway does not ask for
	return e, nil
}

// inMemory is a transport to a handler.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	m.handler.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// signIn gets a user a token for the gateway. claims is the JSON of a claims challenge, or of what the client declares.
func (w *world) signIn(tenant, login, claims string) (string, error) {
	tokens, err := w.idp.Tenant(tenant).SignIn(mockidp.SignIn{
		Client: mockidp.NativeClient, Login: login, Scopes: []string{gatewayScope}, Claims: claims,
	})
	return tokens.AccessToken, err
}

// call calls the gateway.
func (w *world) call(path, token string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	w.gateway.ServeHTTP(answer, r)
	return answer.Result()
}
