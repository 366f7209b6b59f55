package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
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

// service is an API and what it reports with.
type service struct {
	handler http.Handler // the API, and /metrics
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
}

// newService makes the API. Spans and metrics are written to w too; metrics once a minute, and when they are flushed.
func newService(cfg identity.Config, w io.Writer) (*service, error) {
	s := new(service)
	registry := prometheus.NewRegistry()
	if err := s.providers(registry, w); err != nil {
		return nil, err
	}

	// This is all that there is to it.
	telemetry, err := identityotel.New(
		identityotel.WithMeterProvider(s.meters), identityotel.WithTracerProvider(s.tracers), // without these, the global ones
		identityotel.WithTenants(100), // a service with more customers than that leaves it out
	)
	if err != nil {
		return nil, err
	}
	cfg.Observe.Trace = telemetry.Trace()
	verifier, err := identity.New(cfg)
	if err != nil {
		return nil, err
	}
	telemetry.Watch(verifier)

	api := echo.New()
	api.Use(verifier.Middleware())
	api.GET("/orders", listOrders, identity.RequireScope("Orders.Read"))

	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{})) // in production at an address that callers cannot reach
	mux.Handle("/", otelhttp.NewHandler(api, "api", otelhttp.WithTracerProvider(s.tracers), otelhttp.WithMeterProvider(s.meters)))
	s.handler = mux
	return s, nil
}

func listOrders(c echo.Context) error { return c.JSON(http.StatusOK, []string{"4711"}) }

// providers are what every program with OpenTelemetry has: one for spans, one for metrics, each with its exporters.
func (s *service) providers(registry *prometheus.Registry, w io.Writer) error {
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
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(scraped), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(printed)))
	s.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) // in production WithBatcher
	return nil
}

// flush exports what has not been yet.
func (s *service) flush(ctx context.Context) error {
	return errors.Join(s.tracers.ForceFlush(ctx), s.meters.ForceFlush(ctx))
}

// shutdown exports what has not been yet, and ends. Whoever forgets it loses the last minute of metrics, and the spans of the last batch.
func (s *service) shutdown(ctx context.Context) error {
	return errors.Join(s.tracers.Shutdown(ctx), s.meters.Shutdown(ctx))
}
