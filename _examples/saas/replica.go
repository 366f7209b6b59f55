package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// settings are what all replicas are started with.
type settings struct {
	clientID, clientSecret string
	cloud                  identity.Cloud // the mock; leave it out for Microsoft
	url                    string         // where browsers reach the service
	key                    []byte         // seals what goes through the browser
	schema                 string         // of pgtenants
	logger                 *slog.Logger
}

// replica is one process of the service, in all but this: here several live in one process. They share nothing but the database.
type replica struct {
	name    string
	pool    *pgxpool.Pool
	store   *pgtenants.Store
	flow    *adminconsent.Flow
	signups signups
	orders  orders
	logger  *slog.Logger
	cloud   identity.Cloud
	e       *echo.Echo
}

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// newReplica takes over the pool.
func newReplica(ctx context.Context, name string, s settings, pool *pgxpool.Pool) (*replica, error) {
	store, err := pgtenants.New(pool, pgtenants.Options{Schema: s.schema, Logger: s.logger})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	flow, err := adminconsent.New(adminconsent.Config{
		ClientID: s.clientID, ClientSecret: s.clientSecret, Cloud: s.cloud,
		ConsentURI: s.url + "/consented", SignInURI: s.url + "/signed-in",
		Keys: [][]byte{s.key}, Used: usedAnswers{pool},
	})
	if err != nil {
		return nil, err
	}
	authenticate, err := identity.Config{
		ClientID: s.clientID,
		Tenants:  store,
		Observe:  identity.Observe{Logger: s.logger},
	}.ToMiddleware()
	if err != nil {
		return nil, err
	}
	r := &replica{name: name, pool: pool, store: store, flow: flow, signups: signups{pool}, orders: orders{pool}, logger: s.logger, cloud: s.cloud, e: echo.New()}
	r.e.HideBanner, r.e.HidePort = true, true
	r.e.Use(middleware.Recover(), r.named, secureHeaders, sameOrigin)

	api := r.e.Group("/api", authenticate, identity.RequireScope("Orders.Read"))
	api.GET("/orders", r.listOrders)
	api.POST("/orders", r.addOrder)

	r.e.GET("/", r.home)
	r.e.POST("/connect", r.connect)
	r.e.GET("/consented", r.consented)
	r.e.GET("/signed-in", r.signedIn)
	r.e.POST("/disconnect", r.disconnect) // the operator's: in production behind a sign-in of its own
	r.e.GET("/ready", r.ready)
	return r, nil
}

// run holds the tenants up to date until ctx ends.
func (r *replica) run(ctx context.Context) error { return r.store.Run(ctx) }

// named says which replica has answered.
func (r *replica) named(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("X-Replica", r.name)
		return next(c)
	}
}

// secureHeaders are for the pages.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		// No form-action: browsers hold the redirect to Microsoft after the form to it.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// sameOrigin refuses what pages of other sites post in the name of whoever looks at them.
func sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "This form belongs to another site.").SetInternal(err)
		}
		return next(c)
	}
}

// listOrders answers with the rows of the caller's tenant.
func (r *replica) listOrders(c echo.Context) error {
	p, _ := identity.From(c)
	list, err := r.orders.list(c.Request().Context(), p.TenantID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"replica": r.name, "tenant": p.Tenant().Name, "orders": list})
}

func (r *replica) addOrder(c echo.Context) error {
	p, _ := identity.From(c)
	var body struct {
		Item string `json:"item"`
	}
	if err := c.Bind(&body); err != nil {
		return err
	}
	if body.Item == "" || len(body.Item) > 200 {
		return echo.NewHTTPError(http.StatusBadRequest, "item has to have 1 to 200 bytes")
	}
	if err := r.orders.add(c.Request().Context(), p.TenantID, body.Item, fmt.Sprint(p.Claim("name"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusCreated)
}

// sessionCookie names who is signing up. Where the service has accounts, it is their session.
const sessionCookie = "__Host-signup"

func (r *replica) session(c echo.Context) string {
	if cookie, err := c.Cookie(sessionCookie); err == nil {
		return cookie.Value
	}
	return ""
}

// connect begins: it remembers who is about to connect, and sends the browser to Microsoft.
func (r *replica) connect(c echo.Context) error {
	company := strings.TrimSpace(c.FormValue("company"))
	if company == "" || len(company) > 100 {
		return r.refuse(c, http.StatusBadRequest, "The company needs a name.", nil)
	}
	id := rand.Text()
	if err := r.signups.add(c.Request().Context(), id, company); err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	c.SetCookie(&http.Cookie{Name: sessionCookie, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if err := r.flow.Begin(c.Response(), c.Request(), adminconsent.Start{For: id}); err != nil {
		return r.refuse(c, http.StatusInternalServerError, "Something went wrong here.", err)
	}
	return nil
}

// consented is where Microsoft answers the consent. Nothing is believed yet: the browser is sent to sign in.
func (r *replica) consented(c echo.Context) error {
	if err := r.flow.Continue(c.Response(), c.Request(), r.session(c)); err != nil {
		return r.refuseAnswer(c, err)
	}
	return nil
}

// signedIn is where Microsoft answers the sign-in, which proves the tenant. From here on it is served, by every replica.
func (r *replica) signedIn(c echo.Context) error {
	ctx := c.Request().Context()
	grant, err := r.flow.Finish(c.Response(), c.Request(), r.session(c))
	if err != nil {
		return r.refuseAnswer(c, err)
	}
	company, err := r.signups.company(ctx, grant.For)
	if err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	// A tenant that is connected already stays whose it is; here, an administrator of it may give it another name.
	err = r.store.Upsert(ctx, grant.Admin.UserKey(), identity.Tenant{ID: grant.TenantID, Name: company, Cloud: r.cloud})
	if err == nil {
		err = r.orders.add(ctx, grant.TenantID, "Welcome parcel for "+company, "the service")
	}
	if err == nil {
		err = r.store.Sync(ctx) // whoever comes next to this replica finds it
	}
	if err != nil {
		return r.refuse(c, http.StatusServiceUnavailable, "Something is down here. Please try again later.", err)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// refuseAnswer tells people what they can do about it, and the log what it was.
func (r *replica) refuseAnswer(c echo.Context, err error) error {
	switch {
	case errors.Is(err, adminconsent.ErrUnavailable):
		return r.refuse(c, http.StatusServiceUnavailable, "Microsoft cannot be reached just now. Please start again in a while.", err)
	case errors.Is(err, adminconsent.ErrDenied):
		return r.refuse(c, http.StatusForbidden, "Consent was not given. An administrator of your organization has to give it.", err)
	case errors.Is(err, adminconsent.ErrNotAdmin):
		return r.refuse(c, http.StatusForbidden, "You are not an administrator of your organization. Ask one to connect it.", err)
	case errors.Is(err, adminconsent.ErrExpired), errors.Is(err, adminconsent.ErrReplayed):
		return r.refuse(c, http.StatusBadRequest, "This took too long, or was done already. Please start again.", err)
	}
	return r.refuse(c, http.StatusBadRequest, "This answer does not belong to what was begun in this browser. Please start again.", err)
}

func (r *replica) refuse(c echo.Context, status int, text string, cause error) error {
	r.logger.WarnContext(c.Request().Context(), "refused", "replica", r.name, "status", status, "error", cause)
	return r.page(c, status, "refused.html", map[string]any{"Text": text, "Replica": r.name})
}

// disconnect cuts a tenant off: both replicas refuse it as soon as they have heard of it.
func (r *replica) disconnect(c echo.Context) error {
	ctx := c.Request().Context()
	err := r.store.Remove(ctx, "operator", c.FormValue("tenant"))
	if err == nil {
		err = r.store.Sync(ctx)
	}
	if err != nil && !errors.Is(err, pgtenants.ErrNotFound) {
		return r.refuse(c, http.StatusServiceUnavailable, "The tenant could not be removed.", err)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// home lists the tenants, for the operator, and lets customers connect theirs.
func (r *replica) home(c echo.Context) error {
	var connected []pgtenants.Row
	for row, err := range r.store.All(c.Request().Context()) {
		if err != nil {
			return err
		}
		connected = append(connected, row)
	}
	return r.page(c, http.StatusOK, "home.html", map[string]any{"Tenants": connected, "Replica": r.name})
}

func (r *replica) page(c echo.Context, status int, name string, data any) error {
	c.Response().Header().Set("Content-Type", "text/html; charset=utf-8")
	c.Response().WriteHeader(status)
	return pages.ExecuteTemplate(c.Response(), name, data)
}

// ready is for the proxy.
func (r *replica) ready(c echo.Context) error {
	if err := r.store.Ready(); err != nil {
		return echo.NewHTTPError(http.StatusServiceUnavailable, "not ready").SetInternal(err)
	}
	return c.String(http.StatusOK, "ready\n")
}
