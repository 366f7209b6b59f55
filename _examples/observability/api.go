package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// example is an API and all that is around it.
type example struct {
	idp     *mockidp.Server
	handler http.Handler // the API, and /metrics
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
}

// newExample makes the API. Spans and metrics are written to w too; metrics once a minute, and when they are flushed.
func newExample(w io.Writer) (*example, error) {
	e := &example{idp: mockidp.New()}
	registry := prometheus.NewRegistry()
	if err := e.providers(registry, w); err != nil {
		return nil, err
	}

	// This is all that there is to it.
	telemetry, err := identityotel.New(
		identityotel.WithMeterProvider(e.meters), identityotel.WithTracerProvider(e.tracers), // without these, the global ones
		identityotel.WithTenants(100), // a service with more customers than that leaves it out
	)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso, Name: "contoso"},
			identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}},
		),
		Keys: identity.KeyOptions{
			HTTPClient: e.idp.Client(), // the stand-in for Microsoft
			Cooldown:   time.Second,    // so that an unknown key is asked for more often than in production
		},
		Observe: identity.Observe{
			Logger: slog.New(slog.DiscardHandler), // this example is about the rest
			Trace:  telemetry.Trace(),
		},
	})
	if err != nil {
		return nil, err
	}
	telemetry.Watch(verifier)

	api := echo.New()
	api.Use(verifier.Middleware())
	api.GET("/orders", func(c echo.Context) error { return c.JSON(http.StatusOK, []string{"4711"}) }, identity.RequireScope("Orders.Read"))

	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/", otelhttp.NewHandler(api, "api", otelhttp.WithTracerProvider(e.tracers), otelhttp.WithMeterProvider(e.meters)))
	e.handler = mux
	return e, nil
}

// providers are what every program with OpenTelemetry has: one for spans, one for metrics, each with its exporters.
func (e *example) providers(registry *prometheus.Registry, w io.Writer) error {
	scraped, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		return err
	}
	printed, err := stdoutmetric.New(stdoutmetric.WithWriter(w), stdoutmetric.WithoutTimestamps())
	if err != nil {
		return err
	}
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w))
	if err != nil {
		return err
	}
	e.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(scraped), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(printed)))
	e.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) // in production WithBatcher
	return nil
}

// flush exports what has not been yet.
func (e *example) flush(ctx context.Context) error {
	return errors.Join(e.tracers.ForceFlush(ctx), e.meters.ForceFlush(ctx))
}

// breakKeyServer makes every request for keys fail until mend is called.
func (e *example) breakKeyServer() (mend func()) {
	return e.idp.Inject(mockidp.Fault{Status: http.StatusInternalServerError})
}
