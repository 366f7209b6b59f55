package identity_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// configFault spoils one field of a good configuration.
type configFault struct {
	name  string
	spoil func(*identity.Config)
	want  string // how the message names the field
}

func configFaults() []configFault {
	const good = "https://api.example"
	resource := func(r identity.Resource) func(*identity.Config) {
		return func(cfg *identity.Config) { cfg.Resource = r }
	}
	lookup := func(s string) func(*identity.Config) { return func(cfg *identity.Config) { cfg.TokenLookup = s } }
	clientID := func(s string) func(*identity.Config) { return func(cfg *identity.Config) { cfg.ClientID = s } }
	return []configFault{
		{"no tenants", func(cfg *identity.Config) { cfg.Tenants = nil }, "Config.Tenants: "},
		{"bad tenant", func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: "common"}) }, "Tenants[0].ID: "}, // D22
		// G9
		{"ClientID a name", clientID("orders"), "Config.ClientID: "},
		{"ClientID a URI", clientID("api://" + mockidp.API), "Config.ClientID: "},
		{"ClientID in braces", clientID("{" + mockidp.API + "}"), "Config.ClientID: "},
		{"ClientID with a blank", clientID(mockidp.API + " "), "Config.ClientID: "},
		{"audience empty", func(cfg *identity.Config) { cfg.Audiences = []string{""} }, "Config.Audiences[0]: "},
		{"audience wildcard", func(cfg *identity.Config) { cfg.Audiences = []string{"https://api.example", "*"} }, "Config.Audiences[1]: "},
		{"audience blank", func(cfg *identity.Config) { cfg.Audiences = []string{" "} }, "Config.Audiences[0]: "},
		{"audience with a blank", func(cfg *identity.Config) { cfg.Audiences = []string{" https://api.example"} }, "Config.Audiences[0]: "},
		{"no audience at all", clientID(""), "Config.Tenants: " + tenantA},
		{"no audience for one tenant", func(cfg *identity.Config) {
			cfg.ClientID = ""
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Audiences: []string{"api://x"}}, identity.Tenant{ID: tenantB, Name: "fabrikam"})
		}, "Config.Tenants: " + tenantB + " (fabrikam): "},
		{"AppKeys without ClientID", func(cfg *identity.Config) {
			cfg.ClientID, cfg.Audiences = "", []string{"https://api.example"}
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AppKeys: true})
		}, "AppKeys needs Config.ClientID"},
		{"AnyTenant without a function", func(cfg *identity.Config) { cfg.Tenants = identity.AnyTenant(nil) }, "Config.Tenants: AnyTenant: "}, // D26

		{"Leeway", func(cfg *identity.Config) { cfg.Leeway = 6 * time.Minute }, "Config.Leeway: "}, // H11
		{"TokenLookup unknown", lookup("header,body"), "Config.TokenLookup: "},
		{"TokenLookup as echo-jwt has it", lookup("header:Authorization:Bearer "), "Config.TokenLookup: "},
		{"TokenLookup twice", lookup("header,header"), "Config.TokenLookup: "},
		{"TokenLookup cookie without a name", lookup("cookie"), "Config.TokenLookup: "},
		{"TokenLookup empty entry", lookup("header,"), "Config.TokenLookup: "},
		// C27
		{"TTL", func(cfg *identity.Config) { cfg.Keys.TTL = time.Second }, "Config.Keys.TTL: "},
		{"TTL longer than a year", func(cfg *identity.Config) { cfg.Keys.TTL, cfg.Keys.MaxStale = 365*24*time.Hour+1, 365*24*time.Hour }, "Config.Keys.TTL: "},
		{"TTL negative", func(cfg *identity.Config) { cfg.Keys.TTL = -time.Hour }, "Config.Keys.TTL: "},
		{"MaxStale", func(cfg *identity.Config) { cfg.Keys.MaxStale = time.Minute }, "Config.Keys.MaxStale: "},
		{"Cooldown", func(cfg *identity.Config) { cfg.Keys.Cooldown = time.Millisecond }, "Config.Keys.Cooldown: "},
		{"Timeout", func(cfg *identity.Config) { cfg.Keys.Timeout = time.Hour }, "Config.Keys.Timeout: "},
		{"Timeout negative", func(cfg *identity.Config) { cfg.Keys.Timeout = -1 }, "Config.Keys.Timeout: "},
		{"MaxSets", func(cfg *identity.Config) { cfg.Keys.MaxSets = -1 }, "Config.Keys.MaxSets: "},

		{"Resource without URL", resource(identity.Resource{Name: "orders"}), "Config.Resource: URL: "},
		{"Resource over http", resource(identity.Resource{URL: "http://api.example"}), "Config.Resource: URL: "},
		{"Resource with a fragment", resource(identity.Resource{URL: "https://api.example/#x"}), "Config.Resource: URL: "},
		{"Resource with a query", resource(identity.Resource{URL: "https://api.example/?x"}), "Config.Resource: URL: "},
		{"Resource with an empty fragment", resource(identity.Resource{URL: "https://api.example/#"}), "Config.Resource: URL: "},
		{"Resource without a host", resource(identity.Resource{URL: "/orders"}), "Config.Resource: URL: "},
		{"Authorization server over http", resource(identity.Resource{URL: good, AuthorizationServers: []string{"https://login.example", "http://login.example"}}), "Config.Resource: AuthorizationServers[1]: "},
		{"Authorization server with a query", resource(identity.Resource{URL: good, AuthorizationServers: []string{"https://login.example?p=x"}}), "Config.Resource: AuthorizationServers[0]: "},
		{"Authorization server, only a name", resource(identity.Resource{URL: good, AuthorizationServers: []string{"contoso"}}), "Config.Resource: AuthorizationServers[0]: "},
		{"Scopes in one string", resource(identity.Resource{URL: good, Scopes: []string{"a", "b c"}}), "Config.Resource: Scopes[1]: "},
		{"Scope with a quote", resource(identity.Resource{URL: good, Scopes: []string{`a"`}}), "Config.Resource: Scopes[0]: "},
		{"Scope that is empty", resource(identity.Resource{URL: good, Scopes: []string{""}}), "Config.Resource: Scopes[0]: "},
		{"Documentation that is no page", resource(identity.Resource{URL: good, Documentation: "ftp://docs.example/orders"}), "Config.Resource: Documentation: "},
		{"Documentation that is no address", resource(identity.Resource{URL: good, Documentation: "javascript:alert(1)"}), "Config.Resource: Documentation: "},
	}
}

func goodConfig() identity.Config {
	return identity.Config{ClientID: mockidp.API, Tenants: workforceA()}
}

// Every fault is one of New, ToMiddleware and Middleware, and names its field.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, row := range configFaults() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := goodConfig()
			if _, err := identity.New(cfg); err != nil {
				t.Fatalf("before it is spoiled: %v", err)
			}
			row.spoil(&cfg)
			v, err := identity.New(cfg)
			if err == nil || v != nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("New: got=%v, want=%q", err, row.want)
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "identity: Config.") {
					t.Errorf("does not say where it belongs: %q", line)
				}
			}
			mw, again := cfg.ToMiddleware()
			if again == nil || mw != nil || again.Error() != err.Error() {
				t.Fatalf("ToMiddleware: got=%v, want=%v", again, err)
			}
			defer func() {
				if got, ok := recover().(error); !ok || got.Error() != err.Error() {
					t.Errorf("Middleware: panicked with %v, want %v", got, err)
				}
			}()
			identity.Middleware(cfg)
		})
	}
}

// All faults come in one message.
func TestConfigFaultsTogether(t *testing.T) {
	t.Parallel()
	_, err := identity.New(identity.Config{
		ClientID:    "orders",
		Audiences:   []string{"*", "https://api.example", ""},
		Tenants:     identity.NewRegistry(identity.Tenant{ID: "common", Version: 5}, identity.Tenant{ID: tenantA, Cloud: "http://h"}),
		TokenLookup: "body",
		Leeway:      time.Hour,
		Keys:        identity.KeyOptions{TTL: 1, MaxStale: -1, Cooldown: 1, Timeout: time.Hour, MaxSets: -1},
		Resource:    identity.Resource{URL: "http://api.example"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"Config.ClientID: ", "Config.Audiences[0]: ", "Config.Audiences[2]: ", "Tenants[0].ID: ", "Tenants[0].Version: ", "Tenants[1].Cloud: ",
		"Config.TokenLookup: ", "Config.Leeway: ", "Config.Keys.TTL: ", "Config.Keys.MaxStale: ", "Config.Keys.Cooldown: ", "Config.Keys.Timeout: ",
		"Config.Keys.MaxSets: ", "Config.Resource: ",
	}
	for _, field := range want {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q is missing in:\n%v", field, err)
		}
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Errorf("lines: got=%d, want=%d:\n%v", len(lines), len(want), err)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "identity: Config.") {
			t.Errorf("does not say where it belongs: %q", line)
		}
	}
}

// Limits are good values.
func TestConfigLimits(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*identity.Config){
		"zero": func(*identity.Config) {},
		"shortest": func(cfg *identity.Config) {
			cfg.Keys = identity.KeyOptions{TTL: time.Minute, Cooldown: time.Second, MaxSets: 1}
		},
		"MaxStale=TTL":  func(cfg *identity.Config) { cfg.Keys = identity.KeyOptions{TTL: time.Hour, MaxStale: time.Hour} },
		"long TTL":      func(cfg *identity.Config) { cfg.Keys.TTL = 48 * time.Hour },
		"longest TTL":   func(cfg *identity.Config) { cfg.Keys.TTL = 365 * 24 * time.Hour },
		"Timeout":       func(cfg *identity.Config) { cfg.Keys.Timeout = time.Minute },
		"TokenLookup":   func(cfg *identity.Config) { cfg.TokenLookup = "header, query,form,cookie:token,websocket:bearer." },
		"empty":         func(cfg *identity.Config) { cfg.Tenants = new(identity.Registry) },
		"only Audience": func(cfg *identity.Config) { cfg.ClientID, cfg.Audiences = "", []string{"https://api.example"} },
		"only tenant's": func(cfg *identity.Config) {
			cfg.ClientID, cfg.Tenants = "", identity.NewRegistry(identity.Tenant{ID: tenantA, Audiences: []string{"https://api.example"}})
		},
		"Resource on loopback": func(cfg *identity.Config) { cfg.Resource.URL = "http://localhost:8080/v1" },
		"Resource with all fields": func(cfg *identity.Config) {
			cfg.Resource = identity.Resource{
				URL: "https://api.example", Name: "Orders", Documentation: "https://docs.example/orders?v=1#sign-in",
				AuthorizationServers: []string{"https://login.microsoftonline.com/" + tenantA + "/v2.0", "http://127.0.0.1:8443/" + tenantB + "/v2.0"},
				Scopes:               []string{"api://x/Orders.Read", "openid", "!~"},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := goodConfig()
			change(&cfg)
			if _, err := identity.New(cfg); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// G9: a tenant that comes without audience at run time is not used.
func TestTenantWithoutAudience(t *testing.T) {
	t.Parallel()
	source := identity.TenantFunc(func(_ context.Context, iss identity.Issuer) (*identity.Tenant, error) {
		switch iss.TenantID {
		case tenantA:
			return &identity.Tenant{ID: tenantA, Audiences: []string{mockidp.API}}, nil
		case tenantB:
			return &identity.Tenant{ID: tenantB}, nil
		}
		return &identity.Tenant{ID: iss.TenantID, AppKeys: true, Audiences: []string{mockidp.API}}, nil
	})
	a := newAPI(t, func(cfg *identity.Config) { cfg.ClientID, cfg.Tenants = "", source })
	a.get(a.idp.Tenant(tenantB).Token()).refused(t, identity.ErrTenantInvalid)
	a.get(a.token(mockidp.Claim("iss", "https://login.microsoftonline.com/"+tenantX+"/v2.0"))).refused(t, identity.ErrTenantInvalid)
	requireNoFetch(t, a.idp)
	if log := a.log.String(); !strings.Contains(log, "no audience") || !strings.Contains(log, "AppKeys needs Config.ClientID") {
		t.Fatalf("the log does not say why: %s", log)
	}
	a.get(a.token()).accepted(t)
}

// What is configured is copied on entry.
func TestConfigCopies(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	client := idp.Client()
	audiences := []string{"https://api.example"}
	resource := identity.Resource{URL: "https://api.example", Scopes: []string{"api://x/read"}, AuthorizationServers: []string{"https://login.example"}}
	a := newAPIOn(t, idp, func(cfg *identity.Config) {
		cfg.ClientID, cfg.Audiences, cfg.Resource, cfg.Keys.HTTPClient = "", audiences, resource, client
	})
	audiences[0] = mockidp.API
	resource.Scopes[0], resource.AuthorizationServers[0] = "changed", "changed"
	client.Transport = refusingTransport{}

	a.get(a.token(mockidp.Audience(mockidp.API))).refused(t, identity.ErrAudience)
	a.get(a.token(mockidp.Audience("https://api.example"))).accepted(t)
	r := bearer("")
	r.Header.Del("Authorization")
	got := a.do(r)
	got.refused(t, identity.ErrTokenMissing)
	if challenge := got.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `scope="api://x/read"`) {
		t.Fatalf("challenge: got=%q, want the scope as it was", challenge)
	}
}

// refusingTransport stands for a transport that must not be used.
type refusingTransport struct{}

func (refusingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, http.ErrUseLastResponse
}
