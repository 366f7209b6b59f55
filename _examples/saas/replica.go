package main

import (
	"context"
	"log/slog"
	"net/http"

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

// newReplica takes over the pool, unless it fails.
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
	r := &replica{
		name: name, pool: pool, store: store, flow: flow, signups: signups{pool}, orders: orders{pool}, logger: s.logger, cloud: s.cloud, e: echo.New(),
	}
	r.routes(authenticate)
	return r, nil
}

func (r *replica) routes(authenticate echo.MiddlewareFunc) {
	r.e.Use(middleware.Recover(), middleware.BodyLimit("64K"), r.named, secureHeaders, sameOrigin)
	r.e.GET("/ready", r.ready)

	// The API, for the applications of customers.
	api := r.e.Group("/api", authenticate, identity.RequireScope("Orders.ReadWrite"))
	api.GET("/orders", r.listOrders)
	api.POST("/orders", r.addOrder)

	// The on-boarding, for browsers. Who is not signed in anywhere may begin: in production, limit how often.
	r.e.POST("/connect", r.connect)
	r.e.GET("/consented", r.consented)
	r.e.GET("/signed-in", r.signedIn)

	// The operator's: in production behind a sign-in of its own. Here anybody sees who is a customer, and may remove one.
	r.e.GET("/", r.home)
	r.e.POST("/disconnect", r.disconnect)
}

// run holds the tenants up to date until ctx ends.
func (r *replica) run(ctx context.Context) error { return r.store.Run(ctx) }

// ready is for the proxy.
func (r *replica) ready(c echo.Context) error {
	if err := r.store.Ready(); err != nil {
		return echo.NewHTTPError(http.StatusServiceUnavailable, "not ready").SetInternal(err)
	}
	return c.String(http.StatusOK, "ready\n")
}

// named says which replica has answered.
func (r *replica) named(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("X-Replica", r.name)
		return next(c)
	}
}
