package identity_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// cloudRow is a token of tenant A, which lives in a cloud.
type cloudRow struct {
	name  string
	cloud identity.Cloud // as configured
	mock  mockidp.Cloud  // where the mock has the tenant
	opts  []mockidp.TokenOption
	want  error
	host  string // that is asked for keys
}

func (row cloudRow) run(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso", Cloud: row.mock}))
	a := newAPIOn(t, idp, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Cloud: row.cloud})
	})
	got := a.get(a.token(row.opts...))
	if row.want != nil {
		got.refused(t, row.want)
		requireNoFetch(t, idp)
		return
	}
	got.accepted(t)
	for _, r := range idp.Requests() {
		if r.Host != row.host {
			t.Fatalf("asked %s%s, want=%s", r.Host, r.Path, row.host)
		}
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	const (
		us, cn = identity.USGovernment, identity.China
		usHost = "login.microsoftonline.us"
		cnHost = "login.partner.microsoftonline.cn"
		public = "login.microsoftonline.com"
	)
	iss := func(text string) mockidp.TokenOption { return mockidp.Claim("iss", text) }
	for _, row := range []cloudRow{
		{name: "D28", cloud: us, mock: mockidp.USGovernment, host: usHost},
		{name: "D28 v1", cloud: us, mock: mockidp.USGovernment, opts: options(mockidp.V1()), host: usHost},
		{name: "D28 public host", cloud: us, mock: mockidp.USGovernment, opts: options(mockidp.IssuedBy(public)), want: identity.ErrIssuer},
		{name: "D28 token of the public cloud", cloud: us, want: identity.ErrIssuer},
		{name: "D28 reversed", mock: mockidp.USGovernment, want: identity.ErrIssuer},

		{name: "D29 v1", cloud: cn, mock: mockidp.China, opts: options(mockidp.V1(), iss("https://sts.chinacloudapi.cn/"+tenantA+"/")), host: cnHost},
		{name: "D29 v2", cloud: cn, mock: mockidp.China, opts: options(iss("https://login.partner.microsoftonline.cn/" + tenantA + "/v2.0")), host: cnHost},
		{name: "D29 as the mock issues", cloud: cn, mock: mockidp.China, host: cnHost},
		{name: "D29 v1 of the other clouds", cloud: cn, mock: mockidp.China, opts: options(mockidp.V1(), iss("https://sts.windows.net/"+tenantA+"/")), want: identity.ErrIssuer},
		{name: "D29 old login host", cloud: cn, mock: mockidp.China, opts: options(mockidp.IssuedBy("login.chinacloudapi.cn")), want: identity.ErrIssuer},
		{name: "D29 reversed v1", mock: mockidp.China, opts: options(mockidp.V1()), want: identity.ErrIssuer},
		{name: "D29 reversed v2", mock: mockidp.China, want: identity.ErrIssuer},

		{name: "D30 final slash", cloud: us + "/", mock: mockidp.USGovernment, host: usHost},
		{name: "D30 upper case", cloud: "HTTPS://LOGIN.MicrosoftOnline.US", mock: mockidp.USGovernment, host: usHost},
		{name: "D30 host alone", cloud: usHost, mock: mockidp.USGovernment, host: usHost},
		{name: "D30 default port", cloud: us + ":443/", mock: mockidp.USGovernment, host: usHost},
		{name: "D30 China by its host", cloud: cnHost + "/", mock: mockidp.China, opts: options(mockidp.V1()), host: cnHost},
		{name: "D30 the public cloud by its origin", cloud: "https://login.microsoftonline.com/", opts: options(mockidp.V1()), host: public},
		{name: "the public cloud", host: public},
	} {
		t.Run(row.name, row.run)
	}
}

// D30: hosts of directories, however they are written, are the same hosts.
func TestHostForms(t *testing.T) {
	t.Parallel()
	for _, form := range []string{customHost, customHost + "/", "https://" + customHost, "https://" + customHost + "/", "HTTPS://Login.Contoso.Example", customHost + ":443"} {
		t.Run("B2C "+form, func(t *testing.T) {
			t.Parallel()
			a := shopAPI(t, func(t *identity.Tenant) { t.B2C.Hosts = []string{form} })
			a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.IssuedBy(customHost))).accepted(t)
			a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.IssuedBy("x."+customHost))).refused(t, identity.ErrIssuer)
		})
	}
	for _, form := range []string{customersDomain, customersDomain + "/", "https://" + customersDomain, "https://" + customersDomain + "/", "HTTPS://LOGIN.contosocx.example:443/"} {
		t.Run("External "+form, func(t *testing.T) {
			t.Parallel()
			a := customersAPI(t, identity.External{Hosts: []string{form}}, nil)
			a.get(a.idp.Tenant(mockidp.Customers).Token(mockidp.IssuedBy(customersDomain))).accepted(t)
			a.get(a.idp.Tenant(mockidp.Customers).Token(mockidp.IssuedBy("x."+customersDomain))).refused(t, identity.ErrIssuer)
		})
	}
}

// The tenants of each cloud have keys of their own cloud, and one set for all of them.
func TestKeysOfClouds(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithTenants(
		mockidp.Tenant{ID: tenantA, Cloud: mockidp.China}, mockidp.Tenant{ID: tenantB, Cloud: mockidp.USGovernment}, mockidp.Tenant{ID: tenantX, Cloud: mockidp.USGovernment},
	))
	a := newAPIOn(t, idp, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(
			identity.Tenant{ID: tenantA, Cloud: identity.China}, identity.Tenant{ID: tenantB, Cloud: identity.USGovernment}, identity.Tenant{ID: tenantX, Cloud: identity.USGovernment})
	})
	for _, id := range []string{tenantA, tenantB, tenantX} {
		a.get(idp.Tenant(id).Token()).accepted(t)
	}
	if d, k := idp.Count(mockidp.Discovery), idp.Count(mockidp.JWKS); d != 2 || k != 2 {
		t.Fatalf("discovery and key downloads: got=%d %d, want=2 2", d, k)
	}
	chinese := idp.CloudKeys(mockidp.China).Signing()
	a.get(idp.Tenant(tenantB).Token(mockidp.SignedBy(chinese))).refused(t, identity.ErrKeyNotFound)
}

// B2C has a host suffix per cloud, and a directory is in one cloud.
func TestB2COfClouds(t *testing.T) {
	t.Parallel()
	hosts := map[identity.Cloud]string{
		identity.Public: "contosob2c.b2clogin.com", identity.USGovernment: "contosob2c.b2clogin.us", identity.China: "contosob2c.b2clogin.cn",
		"https://login.microsoftonline.com/": "contosob2c.b2clogin.com", // D30: the public cloud by its origin
	}
	for cloud, host := range hosts {
		idp := mockidp.New(mockidp.WithTenants(mockidp.Tenant{
			ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Cloud: mockidp.Cloud(cloud), Policies: []string{"B2C_1_susi", "B2C_1A_custom"},
		}))
		a := newAPIOn(t, idp, func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(shop(func(t *identity.Tenant) { t.Cloud = cloud }))
		})
		handle := idp.Tenant(mockidp.Shop)
		for _, other := range hosts {
			if other != host {
				a.get(handle.Token(mockidp.IssuedBy(other))).refused(t, identity.ErrIssuer)
			}
		}
		requireNoFetch(t, idp)
		if p := a.get(handle.Token()).accepted(t); p.Issuer != "https://"+host+"/"+mockidp.Shop+"/v2.0/" {
			t.Fatalf("issuer: got=%q, want=on %s", p.Issuer, host)
		}
	}
}

// privateAPI is an API of a private cloud, reached over TLS on the loopback interface.
func privateAPI(t *testing.T, origin func(*mockidp.Server) string, client func(*mockidp.Server) *http.Client) *api {
	t.Helper()
	idp := mockidp.Start(t)
	cloud := origin(idp)
	for _, tenant := range []mockidp.Tenant{
		{ID: tenantA, Domain: "contoso", Cloud: mockidp.Cloud(cloud)},
		{ID: mockidp.Shop, Kind: mockidp.B2C, Cloud: mockidp.Cloud(cloud), Policies: []string{"B2C_1_susi"}},
		{ID: mockidp.Customers, Kind: mockidp.External, Cloud: mockidp.Cloud(cloud)},
	} {
		idp.AddTenant(tenant)
	}
	return newAPIOn(t, idp, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = client(idp)
		c := identity.Cloud(cloud)
		cfg.Tenants = identity.NewRegistry(
			identity.Tenant{ID: tenantA, Cloud: c},
			identity.Tenant{ID: mockidp.Shop, Cloud: c, B2C: &identity.B2C{Policies: []string{"B2C_1_susi"}}},
			identity.Tenant{ID: mockidp.Customers, Cloud: c, External: new(identity.External)},
		)
	})
}

// loopbackOnly is a client of one's own that trusts the mock's authority.
func loopbackOnly(idp *mockidp.Server) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: idp.CA(), MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
}

// A private cloud by its origin: workforce, B2C and External ID tenants on it, with real sockets and certificates.
func TestPrivateCloud(t *testing.T) {
	t.Parallel()
	byURL := func(idp *mockidp.Server) string { return idp.URL }
	byName := func(idp *mockidp.Server) string { return strings.Replace(idp.URL, "127.0.0.1", "localhost", 1) }
	for _, row := range []struct {
		name   string
		origin func(*mockidp.Server) string
		client func(*mockidp.Server) *http.Client
	}{
		{"address", byURL, (*mockidp.Server).Client},
		{"address, final slash", func(idp *mockidp.Server) string { return idp.URL + "/" }, (*mockidp.Server).Client},
		{"localhost", byName, (*mockidp.Server).Client},
		{"own client", byURL, loopbackOnly},
		{"own client, localhost", byName, loopbackOnly},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := privateAPI(t, row.origin, row.client)
			v2 := strings.TrimSuffix(row.origin(a.idp), "/") + "/" + tenantA + "/v2.0"
			if p := a.get(a.token()).accepted(t); p.Issuer != v2 {
				t.Fatalf("issuer: got=%q, want=%q", p.Issuer, v2)
			}
			if p := a.get(a.token(mockidp.V1())).accepted(t); p.Issuer != "https://sts.windows.net/"+tenantA+"/" {
				t.Fatalf("issuer: got=%q, want the public cloud's", p.Issuer)
			}
			a.get(a.idp.Tenant(mockidp.Shop).Token()).accepted(t)
			a.get(a.idp.Tenant(mockidp.Customers).Token()).accepted(t)
			asked := a.idp.Count(mockidp.AnyEndpoint)
			a.get(a.token(mockidp.IssuedBy("login.microsoftonline.com"))).refused(t, identity.ErrIssuer)
			a.get(a.token(mockidp.IssuedBy("https://127.0.0.1:1"))).refused(t, identity.ErrIssuer)
			a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.IssuedBy(shopHost))).refused(t, identity.ErrIssuer)
			a.get(a.idp.Tenant(mockidp.Customers).Token(mockidp.IssuedBy(customersHost))).refused(t, identity.ErrIssuer)
			if n := a.idp.Count(mockidp.AnyEndpoint); n != asked {
				t.Fatalf("requests for refused issuers: got=%d, want=0", n-asked)
			}
			if hosts := hostsAsked(a.idp); len(hosts) != 1 {
				t.Fatalf("hosts: got=%q, want one", hosts)
			}
		})
	}
}

// hostsAsked are the hosts that requests named, each once.
func hostsAsked(idp *mockidp.Server) []string {
	var hosts []string
	for _, r := range idp.Requests() {
		if !slices.Contains(hosts, r.Host) {
			hosts = append(hosts, r.Host)
		}
	}
	return hosts
}

// M6: tokens of one mock are nothing to an API of another.
func TestMocksApart(t *testing.T) {
	t.Parallel()
	here, there := newAPI(t, nil), newAPI(t, nil)
	for _, opts := range [][]mockidp.TokenOption{nil, options(mockidp.V1()), options(mockidp.AppOnly("Jobs.Run"))} {
		here.get(there.token(opts...)).refused(t, identity.ErrKeyNotFound)
		there.get(here.token(opts...)).refused(t, identity.ErrKeyNotFound)
		here.get(here.token(opts...)).accepted(t)
		there.get(there.token(opts...)).accepted(t)
	}
}

// M7: an API with production defaults refuses the tokens of a mock, until it is given the mock's client, cloud or hosts. The
// part of Microsoft is played by a second mock.
func TestMockNeedsConsent(t *testing.T) {
	t.Parallel()
	mock := mockidp.Start(t)
	mock.AddTenant(mockidp.Tenant{ID: tenantB, Domain: "fabrikam", Cloud: mockidp.Cloud(mock.URL)})
	host := strings.TrimPrefix(mock.URL, "https://")
	shopOnMock := mock.Tenant(mockidp.Shop).Token(mockidp.IssuedBy(mock.URL))
	tokens := []struct {
		name, raw string
		want      error
	}{
		{"the public cloud's issuer", mock.Tenant(tenantA).Token(), identity.ErrKeyNotFound},
		{"the public cloud's v1 issuer", mock.Tenant(tenantB).Token(mockidp.V1()), identity.ErrKeyNotFound},
		{"the mock's issuer", mock.Tenant(tenantB).Token(), identity.ErrIssuer},
		{"B2C on the mock's host", shopOnMock, identity.ErrIssuer},
	}
	tenants := func() *identity.Registry {
		return identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB}, shop(nil))
	}
	microsoft := mockidp.New()
	production := newAPIOn(t, microsoft, func(cfg *identity.Config) { cfg.Tenants = tenants() })
	// Nothing of HTTP is configured here: were one of these issuers trusted, the default client would be asked.
	defaults := newAPI(t, func(cfg *identity.Config) { cfg.Tenants, cfg.Keys = tenants(), identity.KeyOptions{} })
	for _, token := range tokens {
		t.Logf("%s", token.name)
		production.get(token.raw).refused(t, token.want)
		if token.want == identity.ErrIssuer {
			defaults.get(token.raw).refused(t, token.want)
		}
	}
	if n := mock.Count(mockidp.AnyEndpoint); n != 0 {
		t.Fatalf("requests to the mock: got=%d, want=0", n)
	}

	client := newAPIOn(t, mock, nil)
	client.get(tokens[0].raw).accepted(t)
	cloud := newAPIOn(t, mock, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = loopbackOnly(mock)
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantB, Cloud: identity.Cloud(mock.URL)})
	})
	cloud.get(tokens[1].raw).accepted(t)
	cloud.get(tokens[2].raw).accepted(t)
	hosts := newAPIOn(t, mock, func(cfg *identity.Config) {
		cfg.Keys.HTTPClient = loopbackOnly(mock)
		cfg.Tenants = identity.NewRegistry(shop(func(t *identity.Tenant) { t.B2C.Hosts = []string{host} }))
	})
	hosts.get(shopOnMock).accepted(t)
}
