package identityotel_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// setUps are what costs are compared of. The allocations are those that a verification has more than without this package: one from
// the cache, and one that is refused.
var setUps = []struct {
	name            string
	opts            func() []identityotel.Option // nil: without this package
	cached, refused float64
}{
	{name: "none"},
	{name: "noop", opts: func() []identityotel.Option {
		return []identityotel.Option{
			identityotel.WithMeterProvider(metricnoop.NewMeterProvider()), identityotel.WithTracerProvider(tracenoop.NewTracerProvider()),
		}
	}},
	{name: "global", opts: func() []identityotel.Option { return nil }, refused: 5}, // what New finds in a program without an SDK
	{name: "metrics", opts: func() []identityotel.Option {
		return []identityotel.Option{withSDKMetrics(), identityotel.WithTracerProvider(tracenoop.NewTracerProvider())}
	}},
	{name: "metrics_by_tenant", opts: func() []identityotel.Option {
		return []identityotel.Option{
			withSDKMetrics(), identityotel.WithTracerProvider(tracenoop.NewTracerProvider()), identityotel.WithTenants(100),
		}
	}},
	{name: "metrics_and_spans", opts: func() []identityotel.Option {
		return []identityotel.Option{withSDKMetrics(), identityotel.WithTracerProvider(sdktrace.NewTracerProvider())}
	}, refused: 11}, // of the SDK: a span that is recorded
}

func withSDKMetrics() identityotel.Option {
	return identityotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
}

// verifierOf returns a verifier of a set-up that has its keys, a token that it remembers, and one that it refuses after most checks.
func verifierOf(t testing.TB, opts func() []identityotel.Option) (v *identity.Verifier, good, bad string) {
	t.Helper()
	idp := mockidp.New()
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}
	if opts != nil {
		telemetry, err := identityotel.New(opts()...)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Observe.Trace = telemetry.Trace()
	}
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	good, bad = idp.Tenant(mockidp.Contoso).Token(), idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour))
	verify(t, v, good, bad)
	return v, good, bad
}

func verify(t testing.TB, v *identity.Verifier, good, bad string) {
	if _, err := v.Verify(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(context.Background(), bad); !errors.Is(err, identity.ErrExpired) {
		t.Fatalf("got=%v, want=%v", err, identity.ErrExpired)
	}
}

// Whoever does not use it pays nothing, and whoever counts pays no allocation. Not parallel: it counts allocations.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	var without [2]float64
	for _, set := range setUps {
		v, good, bad := verifierOf(t, set.opts)
		cached := testing.AllocsPerRun(500, func() { v.Verify(context.Background(), good) })
		refused := testing.AllocsPerRun(500, func() { v.Verify(context.Background(), bad) })
		if set.opts == nil {
			without = [2]float64{cached, refused}
		}
		if cached -= without[0]; cached != set.cached {
			t.Errorf("%s, from the cache: got=%v allocations more, want=%v", set.name, cached, set.cached)
		}
		if refused -= without[1]; refused != set.refused {
			t.Errorf("%s, refused: got=%v allocations more, want=%v", set.name, refused, set.refused)
		}
	}
	if without[0] == 0 || without[1] == 0 {
		t.Fatalf("got=%v allocations, want what a verification costs", without)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, set := range setUps {
		v, good, bad := verifierOf(b, set.opts)
		b.Run("cached/"+set.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(context.Background(), good); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("refused/"+set.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(context.Background(), bad); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
