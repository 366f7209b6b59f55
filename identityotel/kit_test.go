package identityotel_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// kit is an Echo application behind the middleware, that reports to a meter and a tracer of its own. GET / needs the scope
// Orders.Read.
type kit struct {
	idp       *mockidp.Server
	telemetry *identityotel.Telemetry
	verifier  *identity.Verifier
	reader    *sdkmetric.ManualReader
	spans     *tracetest.SpanRecorder
	tracers   *sdktrace.TracerProvider
	handler   http.Handler
}

func newKit(t testing.TB, change func(*identity.Config), opts ...identityotel.Option) *kit {
	t.Helper()
	k := &kit{idp: mockidp.New(), reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	k.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(k.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.reader))
	var err error
	opts = append([]identityotel.Option{identityotel.WithMeterProvider(meters), identityotel.WithTracerProvider(k.tracers)}, opts...)
	if k.telemetry, err = identityotel.New(opts...); err != nil {
		t.Fatal(err)
	}
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso, Name: "contoso"},
			identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}},
			identity.Tenant{ID: mockidp.Customers, Name: "customers", External: &identity.External{Domain: "contosocx"}},
		),
		Keys:    identity.KeyOptions{HTTPClient: k.idp.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler), Trace: k.telemetry.Trace()},
	}
	if change != nil {
		change(&cfg)
	}
	if k.verifier, err = identity.New(cfg); err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.Use(k.verifier.Middleware())
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, identity.RequireScope("Orders.Read"))
	k.handler = e
	return k
}

// token is a good token of Contoso, changed by opts.
func (k *kit) token(opts ...mockidp.TokenOption) string { return k.of(mockidp.Contoso, opts...) }

func (k *kit) of(tenant string, opts ...mockidp.TokenOption) string {
	return k.idp.Tenant(tenant).Token(append([]mockidp.TokenOption{mockidp.Scopes("Orders.Read")}, opts...)...)
}

// send sends a token and requires the status of the answer.
func (k *kit) send(t testing.TB, token string, want int) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	if k.handler.ServeHTTP(w, r); w.Code != want {
		t.Fatalf("got=%d %s, want=%d", w.Code, w.Body, want)
	}
}

// collect reads the metrics, by name.
func (k *kit) collect(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := k.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	metrics := make(map[string]metricdata.Metrics)
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != identityotel.ScopeName || scope.Scope.SchemaURL == "" || scope.Scope.Version == "" {
			t.Fatalf("got=%+v, want a scope of this module with its version and the address of its schema", scope.Scope)
		}
		for _, m := range scope.Metrics {
			metrics[m.Name] = m
		}
	}
	return metrics
}

// points are the values of a metric by their labels: of a histogram the number of measurements.
func points(t testing.TB, m metricdata.Metrics) map[string]float64 {
	t.Helper()
	values := make(map[string]float64)
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			values[labels(p.Attributes)] = float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			values[labels(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			values[labels(p.Attributes)] = float64(p.Count)
		}
	default:
		t.Fatalf("%s: got=%T, want a sum, gauge or histogram", m.Name, m.Data)
	}
	return values
}

func labels(set attribute.Set) string {
	var texts []string
	for _, a := range set.ToSlice() {
		texts = append(texts, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// judged runs a rule as a guard does.
func judged(ctx context.Context, rule identity.Rule) error {
	w := httptest.NewRecorder()
	passed := false
	handler := rule.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }))
	handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if passed {
		return nil
	}
	return fmt.Errorf("answered with %d", w.Code)
}

// rebuilt is a token with other claims and its old signature.
func rebuilt(token, claims string) string {
	segments := strings.Split(token, ".")
	segments[1] = base64.RawURLEncoding.EncodeToString([]byte(claims))
	return strings.Join(segments, ".")
}
