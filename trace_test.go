package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// refusals keeps what Trace.Refused was told.
type refusals struct {
	mu    sync.Mutex
	infos []identity.RefuseInfo
}

func (r *refusals) config(cfg *identity.Config) {
	cfg.Observe.Trace.Refused = func(_ context.Context, info identity.RefuseInfo) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.infos = append(r.infos, info)
	}
}

// Trace.Refused is told of every refusal once, wherever it happens, and of nothing else.
func TestTraceRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		guard  identity.Rule
		send   func(a *api) *answer
		reason identity.Reason
		status int
	}{
		"no token":    {send: func(a *api) *answer { return a.do(httptest.NewRequest(http.MethodGet, "/", nil)) }, reason: "token_missing", status: 401},
		"junk":        {send: func(a *api) *answer { return a.get("a b") }, reason: "request_invalid", status: 400},
		"bad token":   {send: func(a *api) *answer { return a.get(a.token(mockidp.ExpiresIn(-time.Hour))) }, reason: "token_expired", status: 401},
		"guard":       {guard: identity.AllScopes("other"), reason: "scope_missing", status: 403},
		"rule":        {guard: refuseWith(errors.New("no")), reason: "rule_refused", status: 403},
		"own Error":   {guard: refuseWith(&identity.Error{Status: 418, Reason: "teapot"}), reason: "rule_refused", status: 418},
		"own reason":  {guard: renamed, reason: "scope_missing", status: 403},
		"panic":       {guard: func(context.Context, *identity.Principal) error { panic("oops") }, reason: "internal", status: 500},
		"no refusals": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen refusals
			guard := row.guard
			if guard == nil {
				guard = identity.AllScopes("access_as_user")
			}
			a := newAPI(t, seen.config, identity.Require(guard))
			if row.send == nil {
				row.send = func(a *api) *answer { return a.get(a.token()) }
			}
			got := row.send(a)
			if row.reason == "" {
				got.accepted(t)
				if len(seen.infos) != 0 {
					t.Fatalf("got=%+v, want none", seen.infos)
				}
				return
			}
			if len(seen.infos) != 1 {
				t.Fatalf("got=%+v, want one", seen.infos)
			}
			info := seen.infos[0]
			if info.Reason != row.reason || info.Status != row.status || got.status != row.status || !errors.Is(got.err, info.Err) {
				t.Fatalf("got=%+v and an answer of %d, want=%s %d", info, got.status, row.reason, row.status)
			}
		})
	}
}

// renamed refuses with an Error of this package whose reason it has changed.
func renamed(ctx context.Context, p *identity.Principal) error {
	err := identity.AllScopes("other")(ctx, p)
	if e, ok := errors.AsType[*identity.Error](err); ok {
		e.Reason = identity.Reason(fmt.Sprint("of ", time.Now()))
	}
	return err
}

// K4: a panic of the callback is logged, and the refusal stands.
func TestTraceRefusedPanics(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Observe.Trace.Refused = func(context.Context, identity.RefuseInfo) { panic("oops") }
	}, identity.RequireScope("other"))
	a.get(a.token(mockidp.ExpiresIn(-time.Hour))).refused(t, identity.ErrExpired)
	a.get(a.token()).refused(t, identity.ErrScope)
	if log := a.log.String(); strings.Count(log, "Trace.Refused") != 2 || !strings.Contains(log, "trace_test.go") {
		t.Fatalf("got=%s, want the panics and their stacks", log)
	}
}

// The kind of tenant is told from the moment on that the tenant source has answered for the issuer, from the cache too.
func TestTraceKind(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var infos []identity.VerifyInfo
	var fetches []identity.FetchInfo
	v := newVerifier(t, idp, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso},
			identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}},
			identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx"}},
		)
		cfg.Observe.Trace.Verified = func(_ context.Context, info identity.VerifyInfo) { infos = append(infos, info) }
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) { fetches = append(fetches, info) }
	})
	for _, row := range []struct {
		token, kind, tenant string
		cached              bool
		fetches             int
	}{
		{idp.Tenant(mockidp.Contoso).Token(), "workforce", mockidp.Contoso, false, 1},
		{idp.Tenant(mockidp.Shop).Token(mockidp.Policy("B2C_1_susi")), "b2c", mockidp.Shop, false, 1},
		{idp.Tenant(mockidp.Customers).Token(), "external", mockidp.Customers, false, 1},
		{idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour)), "workforce", mockidp.Contoso, false, 0},
		{idp.Tenant(mockidp.Fabrikam).Token(), "", mockidp.Fabrikam, false, 0},
		{"a.b.c", "", "", false, 0},
	} {
		for again := range 2 {
			infos, fetches = nil, nil
			_, err := v.Verify(t.Context(), row.token)
			if len(infos) != 1 || infos[0].Kind != row.kind || infos[0].TenantID != row.tenant || infos[0].Cached != (err == nil && again == 1) {
				t.Fatalf("got=%+v, want=%+v", infos, row)
			}
			if want := row.fetches * (1 - again); len(fetches) != want || want == 1 && fetches[0].Kind != row.kind {
				t.Fatalf("got=%+v, want %d of kind %s", fetches, want, row.kind)
			}
		}
	}
}

// Stats.KeyAge is that of the keys in use. It passes the TTL only where refreshes fail, and forgets a set that nobody needs.
func TestKeyAge(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		want := func(age time.Duration) {
			t.Helper()
			if got := a.verifier.Stats().KeyAge; got < age-time.Second || got > age {
				t.Fatalf("got=%v, want=%v", got, age)
			}
		}
		if err := a.verifier.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		want(0) // fetched, and needed by nobody so far
		good := a.idp.Tenant(tenantA).Token(mockidp.ExpiresIn(24 * time.Hour))
		a.get(good).accepted(t)
		want(30 * time.Minute)
		time.Sleep(10 * time.Minute)
		want(30 * time.Minute) // nobody has asked since
		remove := a.idp.Inject(mockidp.Fault{Status: 500})
		for range 20 {
			time.Sleep(10 * time.Minute)
			a.get(good).accepted(t)
		}
		want(240 * time.Minute) // the outage shows
		synctest.Wait()
		remove()
		time.Sleep(time.Minute)
		a.get(good).accepted(t) // begins the refresh
		time.Sleep(time.Minute)
		a.get(good).accepted(t)
		want(time.Minute)
		time.Sleep(30 * time.Minute)
		a.get(good).accepted(t)
		want(31 * time.Minute)
		time.Sleep(59 * time.Minute)
		want(31 * time.Minute)
		time.Sleep(time.Minute)
		want(0) // an idle service alarms nobody
	})
}
