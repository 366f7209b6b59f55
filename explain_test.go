package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// ready are the good and the not quite so good tokens that the mock's pages offer, by kind of tenant.
var ready = map[mockidp.Kind]map[string][]mockidp.TokenOption{
	mockidp.Workforce: {
		"user": nil, "v1 user": {mockidp.V1()},
		"roles and groups": {mockidp.Roles("Orders.Approver"), mockidp.Groups("10000000-0000-4000-8000-000000000001")},
		"step-up":          {mockidp.Claim("acrs", []string{"c1"}), mockidp.Claim("xms_cc", []string{"cp1"})},
		"application":      {mockidp.AppOnly("Jobs.Run.All")}, "v1 application": {mockidp.V1(), mockidp.AppOnly("Jobs.Run.All")},
		"application without permissions": {mockidp.AppOnly(), mockidp.Without("idtyp")},
		"managed identity":                {mockidp.AppOnly("Jobs.Run.All"), mockidp.Claim("azpacr", "2")},
		"guest":                           {mockidp.Guest(tenantB)}, "v1 guest": {mockidp.V1(), mockidp.Guest(tenantB)},
		"guest with a personal account": {mockidp.Guest(mockidp.PersonalAccounts)},
		"overage":                       {mockidp.Overage()}, "v1 overage": {mockidp.V1(), mockidp.Overage()},
		"personal account": {mockidp.PersonalAccount()},
		"ID token":         {mockidp.IDToken()}, "v1 ID token": {mockidp.V1(), mockidp.IDToken()},
		"Graph": {mockidp.ForGraph()},
	},
	mockidp.B2C: {
		"user": nil, "custom policy": {mockidp.Policy("B2C_1A_custom")}, "sign-up": {mockidp.Claim("newUser", true), mockidp.Claim("idp", "google.com")},
		"policy in acr": {mockidp.ACRPolicy()}, "policy in the issuer": {mockidp.TFPIssuer()}, "application": {mockidp.AppOnly("app.read")},
		"ID token": {mockidp.IDToken()},
	},
	mockidp.External: {
		"user": nil, "social account": {mockidp.Claim("idp", "google.com")}, "roles": {mockidp.Roles("Orders.Approver")}, "v1 user": {mockidp.V1()},
		"application": {mockidp.AppOnly("Jobs.Run.All")}, "overage": {mockidp.Overage()}, "ID token": {mockidp.IDToken()},
	},
}

// explains requires that Explain says what Verify says, of a token that neither has seen before and of one that both have, and asks
// the network for nothing else but what the tokens within it need. It returns the first report.
func explains(t *testing.T, idp *mockidp.Server, change func(*identity.Config), raw string, within ...string) identity.Report {
	t.Helper()
	asked := func() (addresses []string) {
		for _, r := range idp.Requests() {
			addresses = append(addresses, r.Method+" "+r.Scheme+"://"+r.Host+r.Path+"?"+r.RawQuery)
		}
		idp.ResetCounts()
		return addresses
	}
	verifier, explainer := verifierOn(t, idp, change), verifierOn(t, idp, change)
	var first identity.Report
	for turn := range 2 {
		asked()
		_, err := verifier.Verify(t.Context(), raw)
		for _, token := range within {
			verifier.Verify(t.Context(), token) // the report goes into it too
		}
		want := asked()
		report := explainer.Explain(t.Context(), raw)
		if got := asked(); !slices.Equal(got, want) {
			t.Fatalf("turn %d: Explain asks for %v, Verify for %v", turn, got, want)
		}
		sameVerdict(t, report, err)
		if turn == 0 {
			first = report
		}
	}
	sameVerdict(t, verifier.Explain(t.Context(), raw), func() error { _, err := verifier.Verify(t.Context(), raw); return err }())
	return first
}

// sameVerdict requires that a report tells of the error that Verify returned, and that its steps agree with it.
func sameVerdict(t *testing.T, report identity.Report, err error) {
	t.Helper()
	var reached []identity.Outcome
	for _, step := range report.Steps {
		reached = append(reached, step.Outcome)
	}
	failed := slices.Index(reached, identity.Failed)
	if err == nil {
		passed := slices.Repeat([]identity.Outcome{identity.Passed}, len(reached))
		if report.Verdict != identity.Accepted || report.Reason != "" || report.Status != 0 || report.Err != nil || !slices.Equal(reached, passed) {
			t.Fatalf("got=%+v, want it accepted", report)
		}
		return
	}
	var e *identity.Error
	if !errors.As(err, &e) {
		t.Fatalf("got=%v, want an *identity.Error", err)
	}
	if report.Verdict != identity.Refused || report.Reason != e.Reason || report.Status != e.StatusCode() || report.Err.Reason != e.Reason {
		t.Fatalf("got=%+v, want=%v", report, e)
	}
	if got, want := report.Err.Header(), e.Header(); got.Get("WWW-Authenticate") != want.Get("WWW-Authenticate") {
		t.Fatalf("got=%v, want=%v", got, want)
	}
	if failed < 0 {
		t.Fatalf("got=%v, want one check that failed", reached)
	}
	for i, outcome := range reached {
		want := identity.Failed
		switch {
		case i < failed:
			want = identity.Passed
		case i > failed:
			want = identity.NotReached
		}
		if outcome != want {
			t.Fatalf("got=%v, want all passed before the one that failed, and none reached behind it", reached)
		}
	}
}

// stepOfCheck is the step of the pipeline that does a check of the catalogue.
var stepOfCheck = map[string]string{
	"size": "token", "shape": "token", "header": "token", "algorithm": "token", "type": "token", "kid": "token", "claims": "token",
	"version": "version", "audience": "audience", "time": "time", "policy": "policy", "key": "key", "key-issuer": "key",
	"signature": "signature", "binding": "binding", "permissions": "permissions",
}

// Every token of the mock's catalogue, and every ready one: the report's verdict is Verify's, at the check that the catalogue says.
func TestExplainIsVerify(t *testing.T) {
	t.Parallel()
	for _, broken := range mockidp.Broken() {
		t.Run(broken.Name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.New()
			tenant := idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind])
			report := explains(t, idp, everyKind, broken.Token(tenant))
			if string(report.Reason) != broken.Reason || report.Status != broken.Status {
				t.Fatalf("got=%d %s, want=%d %s", report.Status, report.Reason, broken.Status, broken.Reason)
			}
			// The catalogue counts an issuer that is not the tenant's as one of the issuer, and tid as one of the tenant.
			step := failedStep(t, report)
			switch want, ok := stepOfCheck[broken.Check]; {
			case ok && step.Name != want,
				broken.Check == "issuer" && step.Name != "issuer" && step.Name != "tenant",
				broken.Check == "tenant" && step.Name != "tenant" && step.Name != "tid":
				t.Fatalf("got=%s, want the check %s", step.Name, broken.Check)
			}
		})
	}
	for kind, tokens := range ready {
		for name, opts := range tokens {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				idp := mockidp.New()
				tenant := idp.TenantOf(kind, tenantOfKind[kind])
				for i, change := range []func(*identity.Config){everyKind, strict} {
					if report := explains(t, idp, change, tenant.Token(opts...)); i == 0 && len(opts) == 0 && report.Verdict != identity.Accepted {
						t.Fatalf("got=%+v, want it accepted", report)
					}
				}
			})
		}
	}
}

// strict trusts the tenants of everyKind under rules that most tokens break.
func strict(cfg *identity.Config) {
	nobody := []string{mockidp.ServicePrincipal}
	cfg.Tenants = identity.NewRegistry(
		identity.Tenant{ID: mockidp.Contoso, Version: 2, DenyGuests: true},
		identity.Tenant{ID: mockidp.Shop, Clients: nobody, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1A_custom"}, TFPIssuers: true}},
		identity.Tenant{ID: mockidp.Customers, Clients: nobody, External: &identity.External{Domain: "contosocx"}},
	)
}

func failedStep(t *testing.T, report identity.Report) identity.Step {
	t.Helper()
	i := slices.IndexFunc(report.Steps, func(s identity.Step) bool { return s.Outcome == identity.Failed })
	if i < 0 {
		t.Fatalf("got=%+v, want a check that failed", report)
	}
	return report.Steps[i]
}

// What is no fault of the token comes out the same too.
func TestExplainIsVerifyInTrouble(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		config func(*identity.Config)
		fault  mockidp.Fault
		want   error
	}{
		{name: "outage", fault: mockidp.Fault{Status: 500}, want: identity.ErrKeysUnavailable},
		{name: "reset", fault: mockidp.Fault{Reset: true}, want: identity.ErrKeysUnavailable},
		{name: "source", want: identity.ErrTenantsUnavailable, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { return errors.New("down") })
		}},
		{name: "source panics", want: identity.ErrInternal, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { panic("oops") })
		}},
		{name: "bad tenant", want: identity.ErrTenantInvalid, config: func(cfg *identity.Config) {
			cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { return new(identity.Tenant), nil })
		}},
		{name: "challenge", want: identity.ErrTokenMalformed, config: func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			idp := mockidp.New()
			raw := idp.Tenant(tenantA).Token()
			if row.want == identity.ErrTokenMalformed {
				raw += "="
			}
			if row.fault.Status != 0 || row.fault.Reset {
				defer idp.Inject(row.fault)()
			}
			if report := explains(t, idp, row.config, raw); !errors.Is(report.Err, row.want) {
				t.Fatalf("got=%v, want=%v", report.Err, row.want)
			}
		})
	}
}

// The attack suite: the report's verdict is Verify's.
func TestExplainAttacks(t *testing.T) {
	t.Parallel()
	for _, class := range attackClasses() {
		t.Run(class.name, func(t *testing.T) {
			t.Parallel()
			s := newSiege(t, class)
			for _, a := range slices.Concat(class.good, class.attacks) {
				raw := a.token(s)
				_, err := s.verifier.Verify(t.Context(), raw)
				sameVerdict(t, s.verifier.Explain(t.Context(), raw), err)
			}
		})
	}
}

// A report is no traffic: nothing is logged or traced, counted, or remembered, and the cache of verified tokens does not answer.
func TestExplainIsNoTraffic(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var log syncBuffer
	verified, hit := 0, 0
	v := verifierOn(t, idp, func(cfg *identity.Config) {
		cfg.Observe.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Observe.Trace.Verified = func(_ context.Context, info identity.VerifyInfo) {
			verified++
			if info.Cached {
				hit++
			}
		}
	})
	good, expired := idp.Tenant(tenantA).Token(), idp.Tenant(tenantA).Token(mockidp.ExpiresIn(-time.Hour))
	for range 3 {
		if report := v.Explain(t.Context(), good); report.Verdict != identity.Accepted || report.Remembered {
			t.Fatalf("got=%+v, want it accepted and not remembered", report)
		}
		if report := v.Explain(t.Context(), expired); report.Reason != "token_expired" {
			t.Fatalf("got=%+v, want it expired", report)
		}
	}
	if verified != 0 || strings.Contains(log.String(), "request refused") {
		t.Fatalf("got=%d verifications traced, log:\n%s", verified, log.String())
	}
	for _, hits := range []int{0, 1} {
		if _, err := v.Verify(t.Context(), good); err != nil || hit != hits {
			t.Fatalf("got=%d hits (%v), want=%d", hit, err, hits)
		}
	}
	if report := v.Explain(t.Context(), good); !report.Remembered || report.Verdict != identity.Accepted {
		t.Fatalf("got=%+v, want it remembered", report)
	}
	if report := v.Explain(t.Context(), good[:len(good)-40]+good[len(good)-40:]+"A"); report.Remembered {
		t.Fatalf("got=%+v, want only that very token to be remembered", report)
	}
	if report := verifierOn(t, idp, func(cfg *identity.Config) { cfg.TokenCache.MaxBytes = -1 }).Explain(t.Context(), good); report.Remembered {
		t.Fatal("remembered without a cache")
	}
}

// Unknown kids, in reports and in requests, share one cool-down.
func TestExplainSharesTheCooldown(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	v := verifierOn(t, idp, nil)
	if _, err := v.Verify(t.Context(), idp.Tenant(tenantA).Token()); err != nil {
		t.Fatal(err)
	}
	unknown := idp.Tenant(tenantA).Token(mockidp.KeyID("unknown"))
	idp.ResetCounts()
	for range 5 {
		if report := v.Explain(t.Context(), unknown); report.Reason != "key_not_found" {
			t.Fatalf("got=%+v", report)
		}
		if _, err := v.Verify(t.Context(), unknown); !errors.Is(err, identity.ErrKeyNotFound) {
			t.Fatal(err)
		}
	}
	if n := len(idp.Requests()); n != 2 {
		t.Fatalf("got=%d requests, want one fetch of two documents", n)
	}
}
