package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// The routes, by what they ask for.
const (
	ordersPath = "/orders" // a scope
	jobsPath   = "/jobs"   // a scope or an application permission
	anyPath    = "/any"    // any token
)

const reasonHeader = "X-Reason"

// newApp is an API as the README has it. It tells its clients, in a header of its own, why it refuses them, and in the body who they are.
func newApp(cfg identity.Config) (*echo.Echo, *identity.Verifier, error) {
	verifier, err := identity.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if refusal, ok := errors.AsType[*identity.Error](err); ok {
			c.Response().Header().Set(reasonHeader, string(refusal.Reason))
		}
		e.DefaultHTTPErrorHandler(err, c)
	}
	e.Use(noteArrival, verifier.Middleware())
	e.GET(ordersPath, whoIsIt, identity.RequireScope("Orders.Read"))
	e.GET(jobsPath, whoIsIt, identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"}))
	e.GET(anyPath, whoIsIt)
	return e, verifier, nil
}

// noteArrival puts the time into the context, where a fetch of keys that the request leads to finds it.
func noteArrival(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), arrivedKey{}, time.Now())))
		return next(c)
	}
}

func whoIsIt(c echo.Context) error {
	p, ok := identity.From(c)
	if !ok {
		return c.String(http.StatusInternalServerError, "no principal")
	}
	return c.String(http.StatusOK, p.UserKey())
}

// serve listens on the loopback interface until stop.
func serve(handler http.Handler) (url string, stop func(context.Context) error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 256 << 10} // tokens of 70 KB have to reach us
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // until it is shut down
	}()
	return "http://" + listener.Addr().String(), func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		<-done
		return err
	}, nil
}

// keyOptions are the quickest that there are. The cool-down and the time to live are the least that the module accepts.
func keyOptions(idp *mockidp.Server) identity.KeyOptions {
	return identity.KeyOptions{HTTPClient: idp.Client(), TTL: time.Minute, Cooldown: cooldown, Timeout: time.Second}
}

const cooldown = time.Second
