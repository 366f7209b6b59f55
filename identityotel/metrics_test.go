package identityotel_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// wantPoints requires exactly these series of a metric.
func wantPoints(t *testing.T, metrics map[string]metricdata.Metrics, name, unit string, want map[string]float64) {
	t.Helper()
	m, ok := metrics[name]
	if !ok {
		t.Fatalf("%s is missing", name)
	}
	if m.Unit != unit || m.Description == "" {
		t.Errorf("%s: got=%q %q, want the unit %q and a description", name, m.Unit, m.Description, unit)
	}
	if got := points(t, m); !maps.Equal(got, want) {
		t.Errorf("%s:\n got=%v\nwant=%v", name, got, want)
	}
}

// Each metric, with every one of its series, after a few requests.
func TestMetrics(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	good := k.token()
	k.send(t, good, 204)
	k.send(t, good, 204)
	k.send(t, good, 204)
	k.send(t, k.of(mockidp.Shop, mockidp.Policy("B2C_1_susi")), 204)
	k.send(t, k.of(mockidp.Customers), 204)
	k.send(t, k.token(mockidp.ExpiresIn(-time.Hour)), 401)
	k.send(t, k.of(mockidp.Fabrikam), 401) // not registered
	k.send(t, k.token(mockidp.Scopes("Other")), 403)
	k.send(t, "", 401)
	k.idp.Inject(mockidp.Fault{Status: 500, Times: 1})
	k.send(t, k.token(mockidp.KeyID("unknown")), 503)

	metrics := k.collect(t)
	wantPoints(t, metrics, "identity.verifications", "{verification}", map[string]float64{
		"identity.cache.hit=false identity.result=accepted identity.tenant.kind=workforce":                           2,
		"identity.cache.hit=true identity.result=accepted identity.tenant.kind=workforce":                            2,
		"identity.cache.hit=false identity.result=accepted identity.tenant.kind=b2c":                                 1,
		"identity.cache.hit=false identity.result=accepted identity.tenant.kind=external":                            1,
		"error.type=token_expired identity.cache.hit=false identity.result=refused identity.tenant.kind=workforce":   1,
		"error.type=tenant_unknown identity.cache.hit=false identity.result=refused":                                 1,
		"error.type=keys_unavailable identity.cache.hit=false identity.result=failed identity.tenant.kind=workforce": 1,
	})
	wantPoints(t, metrics, "identity.verify.duration", "s", map[string]float64{
		"identity.cache.hit=false identity.result=accepted": 4,
		"identity.cache.hit=true identity.result=accepted":  2,
		"identity.cache.hit=false identity.result=refused":  2,
		"identity.cache.hit=false identity.result=failed":   1,
	})
	wantPoints(t, metrics, "identity.refusals", "{refusal}", map[string]float64{
		"error.type=token_expired": 1, "error.type=tenant_unknown": 1, "error.type=scope_missing": 1, "error.type=token_missing": 1,
		"error.type=keys_unavailable": 1,
	})
	fetches := map[string]float64{
		"identity.fetch.forced=false identity.tenant.kind=workforce":               1,
		"identity.fetch.forced=false identity.tenant.kind=b2c":                     1,
		"identity.fetch.forced=false identity.tenant.kind=external":                1,
		"error.type=500 identity.fetch.forced=true identity.tenant.kind=workforce": 1,
	}
	wantPoints(t, metrics, "identity.key.fetches", "{fetch}", fetches)
	wantPoints(t, metrics, "identity.key.fetch.duration", "s", fetches)
	if len(metrics) != 5 {
		t.Errorf("got=%d metrics, want 5: nothing is watched", len(metrics))
	}

	durations := metrics["identity.verify.duration"].Data.(metricdata.Histogram[float64])
	for _, p := range durations.DataPoints {
		if p.Bounds[0] != 1e-6 || p.Sum <= 0 || p.Sum > 60 {
			t.Errorf("got=%+v, want seconds in buckets from a microsecond on", p)
		}
	}
}

// Watch reports what verifiers hold, in sum, until stop is called.
func TestWatch(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	k.idp.Tenant(mockidp.Contoso).Keys().PublishRaw(map[string]any{"kty": "EC", "kid": "ec"})
	stop := k.telemetry.Watch(k.verifier)
	k.telemetry.Watch(k.verifier) // counts once
	k.send(t, k.token(), 204)
	k.send(t, k.of(mockidp.Customers), 204)
	stats := k.verifier.Stats()
	metrics := k.collect(t)
	wantPoints(t, metrics, "identity.key_set.count", "{key_set}", map[string]float64{"": 2})
	wantPoints(t, metrics, "identity.key.count", "{key}", map[string]float64{
		"identity.key.state=usable": float64(stats.Keys), "identity.key.state=skipped": 1,
	})
	wantPoints(t, metrics, "identity.token_cache.count", "{token}", map[string]float64{"": 2})
	wantPoints(t, metrics, "identity.token_cache.usage", "By", map[string]float64{"": float64(stats.CachedBytes)})
	if age := points(t, metrics["identity.key.age"]); metrics["identity.key.age"].Unit != "s" || len(age) != 1 || age[""] < 0 || age[""] > 60 {
		t.Errorf("got=%v, want seconds", age)
	}
	if stats.Keys == 0 || stats.CachedBytes == 0 {
		t.Errorf("got=%+v, want something to report", stats)
	}

	second, err := identity.New(identity.Config{
		ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys: identity.KeyOptions{HTTPClient: k.idp.Client()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Verify(t.Context(), k.token()); err != nil {
		t.Fatal(err)
	}
	stopSecond := k.telemetry.Watch(second)
	wantPoints(t, k.collect(t), "identity.key_set.count", "{key_set}", map[string]float64{"": 3})
	stop()
	wantPoints(t, k.collect(t), "identity.key_set.count", "{key_set}", map[string]float64{"": 1})
	stopSecond()
	if got := k.collect(t); len(got["identity.key_set.count"].Name) != 0 {
		t.Errorf("got=%v, want nothing once nothing is watched", points(t, got["identity.key_set.count"]))
	}
}

// The attributes of one's own are on every series.
func TestAttributes(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil, identityotel.WithAttributes(attribute.String("api", "orders")), identityotel.WithTenants(5))
	k.telemetry.Watch(k.verifier)
	k.send(t, k.token(), 204)
	k.send(t, "", 401)
	metrics := k.collect(t)
	if len(metrics) != 10 {
		t.Fatalf("got=%d metrics, want all ten", len(metrics))
	}
	for name, m := range metrics {
		for labels := range points(t, m) {
			if !strings.Contains(" "+labels+" ", " api=orders ") {
				t.Errorf("%s: got=%s, want api=orders", name, labels)
			}
		}
	}
	for _, span := range k.spans.Ended() {
		if value, ok := valueOf(span, "api"); !ok || value.AsString() != "orders" {
			t.Errorf("%s: got=%v, want api=orders", span.Name(), span.Attributes())
		}
	}
}

// Callbacks of the application's own are called too, each once.
func TestTraceTogether(t *testing.T) {
	t.Parallel()
	own := make(map[string]int)
	k := newKit(t, func(cfg *identity.Config) {
		telemetry, err := identityotel.New()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Observe.Trace = telemetry.Trace(
			counting(own, "first"),
			identity.Trace{}, // nothing to call
			identity.Trace{Refused: counting(own, "second").Refused},
			cfg.Observe.Trace,
		)
	})
	k.send(t, k.token(), 204)
	k.send(t, "a.b.c", 401)
	want := map[string]int{"first verified": 2, "first fetched": 1, "first refused": 1, "second refused": 1}
	if !maps.Equal(own, want) {
		t.Fatalf("got=%v, want=%v", own, want)
	}
	if got := points(t, k.collect(t)["identity.verifications"]); len(got) != 2 {
		t.Fatalf("got=%v, want what the last one counts too", got)
	}
}
