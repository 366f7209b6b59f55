package identity_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// edited changes a text in the discovery document.
func edited(old, new string) mockidp.Fault {
	return mockidp.Fault{Endpoint: mockidp.Discovery, Edit: func(body []byte) []byte {
		if !bytes.Contains(body, []byte(old)) {
			panic(fmt.Sprintf("the document does not hold %s: %s", old, body))
		}
		return bytes.ReplaceAll(body, []byte(old), []byte(new))
	}}
}

// customDomains is the default directory with two custom domains for B2C, and one for External ID.
func customDomains() (*mockidp.Server, *identity.Registry) {
	shop, app := shopTenant, appTenant
	shop.Hosts = []string{"login.contoso.example", "signin.contoso.example:8443"}
	app.Hosts = []string{"id.contoso.example"}
	return mockidp.New(mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso"}, shop, app)), identity.NewRegistry(
		identity.Tenant{ID: tenantA},
		identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Hosts: shop.Hosts, Policies: shop.Policies}},
		identity.Tenant{ID: mockidp.Customers, External: &identity.External{Domain: "contosocx", Hosts: app.Hosts}},
	)
}

// C15: the key set is asked for on the discovery host or on another host of the same tenant, over https, and nowhere else.
func TestAddressOfTheKeySet(t *testing.T) {
	t.Parallel()
	const (
		entra = "login.microsoftonline.com"
		shop  = "contosob2c.b2clogin.com"
		app   = mockidp.Customers + ".ciamlogin.com"
	)
	tests := []struct {
		name   string
		tenant string
		host   string // of the discovery document, to be replaced in jwks_uri
		origin string // what replaces https://host
		ok     bool
	}{
		{"itself", tenantA, entra, "https://" + entra, true},
		{"default port", tenantA, entra, "https://" + entra + ":443", true},
		{"http", tenantA, entra, "http://" + entra, false},
		{"another host", tenantA, entra, "https://keys.example", false},
		{"another Microsoft host", tenantA, entra, "https://login.microsoftonline.us", false},
		{"another tenant's host", tenantA, entra, "https://" + shop, false},
		{"subdomain", tenantA, entra, "https://x." + entra, false},
		{"suffix", tenantA, entra, "https://" + entra + ".example", false},
		{"user", tenantA, entra, "https://user@" + entra, false},
		{"host as user", tenantA, entra, "https://" + entra + "@keys.example", false},
		{"another port", tenantA, entra, "https://" + entra + ":8443", false},
		{"link-local", tenantA, entra, "http://169.254.169.254", false},
		{"link-local https", tenantA, entra, "https://169.254.169.254", false},
		{"loopback", tenantA, entra, "http://127.0.0.1:8080", false},
		{"loopback https", tenantA, entra, "https://localhost", false},
		{"IPv6 loopback", tenantA, entra, "https://[::1]", false},
		{"relative", tenantA, entra, "", false},
		{"no scheme", tenantA, entra, "//" + entra, false},
		{"file", tenantA, entra, "file://", false},
		{"opaque", tenantA, entra, "https:", false},
		{"B2C itself", mockidp.Shop, shop, "https://" + shop, true},
		{"B2C custom domain", mockidp.Shop, shop, "https://login.contoso.example", true},
		{"B2C custom domain and port", mockidp.Shop, shop, "https://signin.contoso.example:8443", true},
		{"B2C custom domain, other port", mockidp.Shop, shop, "https://signin.contoso.example", false},
		{"B2C, host of another tenant", mockidp.Shop, shop, "https://id.contoso.example", false},
		{"B2C, Entra's host", mockidp.Shop, shop, "https://" + entra, false},
		{"External ID name host", mockidp.Customers, app, "https://contosocx.ciamlogin.com", true},
		{"External ID custom domain", mockidp.Customers, app, "https://id.contoso.example", true},
		{"External ID, another directory", mockidp.Customers, app, "https://fabrikam.ciamlogin.com", false},
		{"External ID, Entra's host", mockidp.Customers, app, "https://" + entra, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idp, tenants := customDomains()
			a := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = tenants })
			idp.Inject(edited(`"jwks_uri":"https://`+tt.host, `"jwks_uri":"`+tt.origin))
			keys := idp.Tenant(tt.tenant).Keys()
			keys.Use(keys.NewKey().WithIssuer("")) // the mock binds the keys of External ID to the host that was asked
			keys.Publish(keys.Signing())
			got := a.get(idp.Tenant(tt.tenant).Token())
			if tt.ok {
				got.accepted(t)
				a.fetched(t, 1, 1)
				return
			}
			got.refused(t, identity.ErrKeysUnavailable)
			a.fetched(t, 1, 0) // not even tried
		})
	}
}

// C16: a redirect may change the path on the same host, a few times, and nothing else.
func TestRedirects(t *testing.T) {
	t.Parallel()
	const there = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
	tests := []struct {
		name  string
		to    string
		times int
		ok    bool
	}{
		{"same host", there, 1, true},
		{"relative", "/common/v2.0/.well-known/openid-configuration", 1, true},
		{"three", there, 3, true},
		{"four", there, 4, false},
		{"for ever", there, 0, false},
		{"to http", strings.Replace(there, "https", "http", 1), 1, false},
		{"another host of the cloud", strings.Replace(there, "login.microsoftonline.com", "login.windows.net", 1), 1, false},
		{"another port", strings.Replace(there, ".com", ".com:443", 1), 1, false},
		{"loopback", "http://127.0.0.1/", 1, false},
		{"metadata service", "http://169.254.169.254/latest/meta-data", 1, false},
		{"no address", "https://", 1, false},
	}
	for _, tt := range tests {
		for _, endpoint := range []mockidp.Endpoint{mockidp.Discovery, mockidp.JWKS} {
			t.Run(fmt.Sprint(tt.name, " ", endpoint), func(t *testing.T) {
				t.Parallel()
				a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
					// A client of the caller's that would follow anything: our rule replaces its own.
					client := *cfg.Keys.HTTPClient
					client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
					cfg.Keys.HTTPClient = &client
				})
				to := tt.to
				if endpoint == mockidp.JWKS {
					to = strings.Replace(to, "/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys", 1)
				}
				a.idp.Inject(mockidp.Fault{Endpoint: endpoint, Redirect: to, Times: tt.times})
				got := a.get(a.token())
				if tt.ok {
					got.accepted(t)
				} else {
					got.refused(t, identity.ErrKeysUnavailable)
				}
				for _, r := range a.idp.Requests() {
					if r.Scheme != "https" || r.Host != "login.microsoftonline.com" {
						t.Fatalf("asked %s://%s%s", r.Scheme, r.Host, r.Path)
					}
				}
				if n := a.idp.Count(endpoint); n > 4 {
					t.Fatalf("requests: got=%d, want at most 4", n)
				}
			})
		}
	}
}

// manyKeys adds entries to a key set until it has n.
func manyKeys(n int) mockidp.Fault {
	return mockidp.Fault{Endpoint: mockidp.JWKS, Edit: func(body []byte) []byte {
		more := strings.Repeat(`{"kty":"EC"},`, n-bytes.Count(body, []byte(`"kty"`)))
		return bytes.Replace(body, []byte(`"keys":[`), []byte(`"keys":[`+more), 1)
	}}
}

// C17: documents that are too large, and sets of too many keys, are failures. The set that is held stays.
func TestLargeDocuments(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	tests := []struct {
		name  string
		fault mockidp.Fault
		ok    bool
	}{
		{"discovery of 1 MiB", mockidp.Fault{Endpoint: mockidp.Discovery, PadTo: mebibyte}, true},
		{"discovery of 1 MiB and a byte", mockidp.Fault{Endpoint: mockidp.Discovery, PadTo: mebibyte + 1}, false},
		{"keys of 1 MiB", mockidp.Fault{Endpoint: mockidp.JWKS, PadTo: mebibyte}, true},
		{"keys of 1 MiB and a byte", mockidp.Fault{Endpoint: mockidp.JWKS, PadTo: mebibyte + 1}, false},
		{"keys and 1 MiB of blanks", mockidp.Fault{Endpoint: mockidp.JWKS, Edit: func(body []byte) []byte {
			return append(body, bytes.Repeat([]byte(" "), mebibyte)...)
		}}, false},
		{"gzip", mockidp.Fault{Gzip: true}, true},
		{"gzip of 1 MiB", mockidp.Fault{Gzip: true, PadTo: mebibyte}, true},
		{"gzip bomb", mockidp.Fault{Endpoint: mockidp.JWKS, Gzip: true, PadTo: 4 * mebibyte}, false},
		{"gzip bomb for discovery", mockidp.Fault{Endpoint: mockidp.Discovery, Gzip: true, PadTo: 4 * mebibyte}, false},
		{"1,000 keys", manyKeys(1000), true},
		{"1,001 keys", manyKeys(1001), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newKeyAPI(t, mockidp.New(), nil)
			remove := a.idp.Inject(tt.fault)
			if got := a.get(a.token()); tt.ok {
				got.accepted(t)
				return
			} else {
				got.refused(t, identity.ErrKeysUnavailable)
			}
			remove()
			b := newKeyAPI(t, a.idp, nil)
			b.get(b.token()).accepted(t)
			a.idp.Inject(tt.fault)
			b.get(b.token(mockidp.KeyID("unknown"))).refused(t, identity.ErrKeysUnavailable)
			b.get(b.token()).accepted(t)
		})
	}
}

// C18: the discovery document has to be the one that was meant.
func TestIssuerOfTheDocument(t *testing.T) {
	t.Parallel()
	const template = "https://login.microsoftonline.com/{tenantid}/v2.0"
	tests := []struct {
		name     string
		tenant   string
		old, new string
		ok       bool
	}{
		{"common: template", tenantA, template, template, true},
		{"common: literal", tenantA, template, "https://login.microsoftonline.com/" + tenantA + "/v2.0", false},
		{"common: another cloud", tenantA, template, "https://login.microsoftonline.us/{tenantid}/v2.0", false},
		{"common: v1 template", tenantA, template, "https://sts.windows.net/{tenantid}/", false},
		{"common: empty", tenantA, template, "", false},
		{"B2C: itself", mockidp.Shop, "x-nothing", "x-nothing", true},
		{"B2C: another tenant", mockidp.Shop, mockidp.Shop + "/v2.0/\"", tenantX + "/v2.0/\"", false},
		{"B2C: no slash", mockidp.Shop, mockidp.Shop + "/v2.0/\"", mockidp.Shop + "/v2.0\"", false},
		{"B2C: another host", mockidp.Shop, "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/\"", "https://fabrikamb2c.b2clogin.com/" + mockidp.Shop + "/v2.0/\"", false},
		{"B2C: custom domain of the tenant", mockidp.Shop, "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/v2.0/\"", "https://login.contoso.example/" + mockidp.Shop + "/v2.0/\"", true},
		{"External ID: another tenant", mockidp.Customers, mockidp.Customers + "/v2.0\"", tenantX + "/v2.0\"", false},
		{"External ID: Entra", mockidp.Customers, "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0\"", "https://login.microsoftonline.com/" + mockidp.Customers + "/v2.0\"", false},
		{"External ID: itself", mockidp.Customers, "x-nothing", "x-nothing", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idp, tenants := customDomains()
			a := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = tenants })
			if tt.old != tt.new {
				idp.Inject(edited(tt.old, tt.new))
			}
			got := a.get(idp.Tenant(tt.tenant).Token())
			if tt.ok {
				got.accepted(t)
				return
			}
			got.refused(t, identity.ErrKeysUnavailable)
			a.fetched(t, 1, 0)
		})
	}
}

// The time-out is for the whole exchange: both documents, to the last byte.
func TestFetchTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		timeout time.Duration
		fault   mockidp.Fault
		takes   time.Duration
		ok      bool
	}{
		{"both in time", 0, mockidp.Fault{Delay: 2499 * time.Millisecond}, 4998 * time.Millisecond, true},
		{"together too late", 0, mockidp.Fault{Delay: 2501 * time.Millisecond}, 5 * time.Second, false},
		{"silence", 0, mockidp.Fault{Silence: true}, 5 * time.Second, false},
		{"a byte at a time", 0, mockidp.Fault{Drip: 100 * time.Millisecond}, 5 * time.Second, false},
		{"keys, a byte at a time", 0, mockidp.Fault{Endpoint: mockidp.JWKS, Drip: 100 * time.Millisecond}, 5 * time.Second, false},
		{"own time-out", 500 * time.Millisecond, mockidp.Fault{Silence: true}, 500 * time.Millisecond, false},
		{"own time-out, in time", 500 * time.Millisecond, mockidp.Fault{Delay: 249 * time.Millisecond}, 498 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(cfg *identity.Config) { cfg.Keys.Timeout = tt.timeout }, func(t *testing.T, a *keyAPI) {
				a.idp.Inject(tt.fault)
				good := a.good()
				took(t, tt.takes, func() {
					got := a.get(good)
					if tt.ok {
						got.accepted(t)
					} else {
						got.refused(t, identity.ErrKeysUnavailable)
					}
				})
			})
		})
	}
}
