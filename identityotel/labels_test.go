package identityotel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const hostile = 10_000

func guid(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", i) }

// seriesIn counts the series of all metrics together, a histogram's as one.
func seriesIn(t *testing.T, metrics map[string]metricdata.Metrics) (n int) {
	for _, m := range metrics {
		n += len(points(t, m))
	}
	return n
}

// Tokens of ten thousand tenants that nobody trusts make no more series than one of them, also where the tenant is a label.
func TestHostileTenants(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil, identityotel.WithTenants(5))
	k.send(t, k.token(), 204)
	token := k.of(mockidp.Fabrikam)
	k.send(t, token, 401)
	before := seriesIn(t, k.collect(t))
	for i := range hostile {
		claims := fmt.Sprintf(`{"iss":"https://login.microsoftonline.com/%s/v2.0"}`, guid(i))
		k.send(t, rebuilt(token, claims), 401)
	}
	metrics := k.collect(t)
	if after := seriesIn(t, metrics); after != before {
		t.Fatalf("got=%d series, want=%d", after, before)
	}
	const unknown = "error.type=tenant_unknown identity.cache.hit=false identity.result=refused"
	if got := points(t, metrics["identity.verifications"])[unknown]; got != hostile+1 {
		t.Fatalf("got=%v, want all of them counted as %s", got, unknown)
	}
}

// Whoever can make tenants that are admitted gets as many series as the application allows, and then one for all others. A refused token
// does not use any of them up.
func TestTenantBound(t *testing.T) {
	t.Parallel()
	const most = 5
	k := newKit(t, nil, identityotel.WithTenants(most))
	verified := k.telemetry.Trace().Verified
	info := func(i int) identity.VerifyInfo { return identity.VerifyInfo{TenantID: guid(i), Kind: "workforce"} }
	refused := func(i int) identity.VerifyInfo {
		refusal := info(i)
		refusal.Reason, refusal.Err = "token_expired", identity.ErrExpired
		return refusal
	}
	for i := range hostile {
		verified(t.Context(), refused(i))
	}
	for i := range hostile {
		verified(t.Context(), info(hostile-1-i))
	}
	verified(t.Context(), refused(hostile-1)) // one that has a value by now
	const (
		ok  = "identity.cache.hit=false identity.result=accepted identity.tenant.id=%s identity.tenant.kind=workforce"
		bad = "error.type=token_expired identity.cache.hit=false identity.result=refused identity.tenant.id=%s identity.tenant.kind=workforce"
	)
	want := map[string]float64{
		fmt.Sprintf(ok, "_OTHER"): hostile - most, fmt.Sprintf(bad, "_OTHER"): hostile, fmt.Sprintf(bad, guid(hostile-1)): 1,
	}
	for i := range most {
		want[fmt.Sprintf(ok, guid(hostile-1-i))] = 1
	}
	metrics := k.collect(t)
	wantPoints(t, metrics, "identity.verifications", "{verification}", want)
	wantPoints(t, metrics, "identity.verify.duration", "s", map[string]float64{
		"identity.cache.hit=false identity.result=accepted": hostile, "identity.cache.hit=false identity.result=refused": hostile + 1,
	})
}

// Without the option the tenant is no label.
func TestNoTenantLabel(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	for i := range 100 {
		k.telemetry.Trace().Verified(t.Context(), identity.VerifyInfo{TenantID: guid(i), Kind: "workforce"})
	}
	wantPoints(t, k.collect(t), "identity.verifications", "{verification}", map[string]float64{
		"identity.cache.hit=false identity.result=accepted identity.tenant.kind=workforce": 100,
	})
}

// However many an application asks for, a thousand tenants are the most.
func TestTenantCap(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil, identityotel.WithTenants(1<<30))
	for i := range 3000 {
		k.telemetry.Trace().Verified(t.Context(), identity.VerifyInfo{TenantID: guid(i), Kind: "b2c"})
	}
	if got := len(points(t, k.collect(t)["identity.verifications"])); got != 1001 {
		t.Fatalf("got=%d series, want=1001", got)
	}
}

// The reasons that an application's own rule makes up are one series.
func TestOwnReasons(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	rule := identity.Rule(func(context.Context, *identity.Principal) error {
		return &identity.Error{Status: 400 + rand.IntN(200), Reason: identity.Reason(fmt.Sprint("made up ", rand.Int()))}
	})
	p, err := k.verifier.Verify(t.Context(), k.token())
	if err != nil {
		t.Fatal(err)
	}
	ctx := identity.NewContext(t.Context(), p)
	for range hostile {
		if err := judged(ctx, rule); err == nil {
			t.Fatal("the rule let it pass")
		}
	}
	wantPoints(t, k.collect(t), "identity.refusals", "{refusal}", map[string]float64{"error.type=rule_refused": hostile})
}

// Callbacks that are told nonsense, by whatever calls them, make a bounded number of series.
func TestHostileCallbacks(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil, identityotel.WithTenants(3))
	trace := k.telemetry.Trace()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range hostile / 4 {
				n := worker*hostile + i
				reason := identity.Reason(fmt.Sprint("reason ", n))
				trace.Verified(t.Context(), identity.VerifyInfo{Reason: reason, Err: errors.New("no"), TenantID: guid(n), Kind: fmt.Sprint("kind ", n)})
				trace.Refused(t.Context(), identity.RefuseInfo{Reason: reason, Status: n})
				fetch := identity.FetchInfo{Status: n + 1, Err: errors.New("no"), Kind: fmt.Sprint("kind ", n)}
				fetch.Metadata = "https://" + guid(n) + ".example/"
				trace.KeysFetched(t.Context(), fetch)
			}
		})
	}
	group.Wait()
	metrics := k.collect(t)
	for name, most := range map[string]int{
		"identity.verifications": 1, "identity.refusals": 1, "identity.verify.duration": 1,
		"identity.key.fetches": 33, "identity.key.fetch.duration": 33,
	} {
		got := points(t, metrics[name])
		total := 0.0
		for _, n := range got {
			total += n
		}
		if len(got) != most || total != hostile {
			t.Errorf("%s: got=%d series of %v, want=%d of %d", name, len(got), total, most, hostile)
		}
	}
}

// Every reason of the closed list has a series of its own, also after a flood of others.
func TestEveryReason(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	for i := range hostile {
		k.telemetry.Trace().Refused(t.Context(), identity.RefuseInfo{Reason: identity.Reason(fmt.Sprint(i))})
	}
	want := map[string]float64{"error.type=_OTHER": hostile}
	for _, reason := range identity.Reasons() {
		k.telemetry.Trace().Refused(t.Context(), identity.RefuseInfo{Reason: reason})
		want["error.type="+string(reason)] = 1
	}
	if len(want) < 40 {
		t.Fatalf("got=%d reasons, want all", len(want))
	}
	wantPoints(t, k.collect(t), "identity.refusals", "{refusal}", want)
}
