package adminconsent_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/mockidp"
)

// What skips a check is logged when it is on, at the start, and nothing is when it is off. Not parallel: it looks at the default log.
func TestInsecureOptionsAreLogged(t *testing.T) {
	idp := newIDP(t)
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for want, change := range map[string]func(*adminconsent.Config){
		"":                  func(*adminconsent.Config) {},
		"InsecureAnyMember": func(c *adminconsent.Config) { c.InsecureAnyMember = true },
		"InsecureSkipVerify": func(c *adminconsent.Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		},
	} {
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		newFlow(t, idp, change)
		got := log.String()
		if want == "" && got != "" || want != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, want)) {
			t.Errorf("got=%q, want one warning of %q", got, want)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	long := "https://orders.example/" + strings.Repeat("x", 256)
	for text, change := range map[string]func(*adminconsent.Config){
		"":                                   func(*adminconsent.Config) {},
		"Config.ClientID":                    func(c *adminconsent.Config) { c.ClientID = "orders" },
		"Config.ClientSecret":                func(c *adminconsent.Config) { c.ClientSecret = "" },
		"and not both":                       func(c *adminconsent.Config) { c.Redeem = tokens("") },
		`Config.ConsentURI: "" is required`:  func(c *adminconsent.Config) { c.ConsentURI = "" },
		"neither https nor http on loopback": func(c *adminconsent.Config) { c.ConsentURI = "http://orders.example/" },
		"a query or a fragment":              func(c *adminconsent.Config) { c.SignInURI += "?x=1" },
		"more than 256":                      func(c *adminconsent.Config) { c.SignInURI = long },
		"not an absolute URI":                func(c *adminconsent.Config) { c.SignInURI = "/signed-in" },
		"same as ConsentURI":                 func(c *adminconsent.Config) { c.SignInURI = c.ConsentURI },
		"Config.Keys: at least one":          func(c *adminconsent.Config) { c.Keys = nil },
		"key 1 has 31 bytes":                 func(c *adminconsent.Config) { c.Keys = append(c.Keys, make([]byte, 31)) },
		"Config.Cloud":                       func(c *adminconsent.Config) { c.Cloud = "http://login.example" },
		`"https://login.example/x"`:          func(c *adminconsent.Config) { c.Cloud = "https://login.example/x" },
		"Config.API":                         func(c *adminconsent.Config) { c.API = "orders" },
		"Audiences":                          func(c *adminconsent.Config) { c.Audiences = []string{"*"} },
		"Config.Roles[0]":                    func(c *adminconsent.Config) { c.Roles = []string{"Global Administrator"} },
		"no effect":                          func(c *adminconsent.Config) { c.Roles, c.InsecureAnyMember = []string{app}, true },
		"59s is not between":                 func(c *adminconsent.Config) { c.Lifetime = 59 * time.Second },
		"24h0m1s is not between":             func(c *adminconsent.Config) { c.Lifetime = 24*time.Hour + time.Second },
	} {
		cfg := config(idp)
		change(&cfg)
		f, err := adminconsent.New(cfg)
		if text == "" {
			if err != nil {
				t.Error(err)
			}
		} else if f != nil || err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got=%v, want %q", err, text)
		}
	}
	if _, err := adminconsent.New(adminconsent.Config{}); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("all at once: got=%v", err)
	}
	for _, uri := range []string{"http://localhost:8080/consented", "http://127.0.0.1/consented", "http://[::1]:80/consented"} {
		newFlow(t, idp, func(c *adminconsent.Config) { c.ConsentURI = uri })
	}
}

// Each cloud has its own login host.
func TestClouds(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	for cloud, origin := range map[identity.Cloud]string{
		identity.Public: "https://login.microsoftonline.com", identity.USGovernment: "https://login.microsoftonline.us",
		identity.China: "https://login.partner.microsoftonline.cn", "https://localhost:8443": "https://localhost:8443", "http://localhost:8080/": "http://localhost:8080",
	} {
		f := newFlow(t, idp, func(c *adminconsent.Config) { c.Cloud = cloud })
		if got := (&browser{t: t}).begin(f, adminconsent.Start{}); !strings.HasPrefix(got, origin+"/organizations/v2.0/adminconsent?") {
			t.Errorf("%s: got=%s", cloud, got)
		}
	}
}

// Another API than the application that is consented to, other roles, other scopes.
func TestOtherAPI(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	const helpdesk = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	idp.AddAccount(mockidp.Fabrikam, mockidp.Workforce, mockidp.Account{ID: mockidp.FabrikamUser, Login: kim, DirectoryRoles: []string{helpdesk}})
	web := mockidp.Application{ID: "dddddddd-4444-4444-8444-000000000011", MultiTenant: true, NeedsAdminConsent: true, Secrets: []string{"s"},
		RedirectURIs: mockidp.RedirectURIs{Web: []string{consented + "2", signedIn + "2"}}, Permissions: []mockidp.Permission{{API: app, Scopes: []string{"Orders.Read"}}}}
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, web)
	idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: app})
	idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: web.ID, Permissions: []mockidp.Permission{{API: app, Scopes: []string{"Orders.Read"}}}})
	f := newFlow(t, idp, func(c *adminconsent.Config) {
		c.ClientID, c.ClientSecret, c.API, c.Scope, c.Permissions = web.ID, "s", app, scope, scope
		c.ConsentURI, c.SignInURI, c.Roles = consented+"2", signedIn+"2", []string{strings.ToUpper(helpdesk)}
	})
	for login, want := range map[string]error{kim: nil, ada: adminconsent.ErrNotAdmin} {
		b := &browser{t: t}
		page := b.begin(f, adminconsent.Start{For: customer})
		if got := param(t, page, "scope"); got != scope {
			t.Errorf("got=%s", got)
		}
		to, err := b.proceed(f, walk(t, idp, page, ada), customer)
		if err != nil {
			t.Fatal(err)
		}
		g, err := b.finish(f, walk(t, idp, to, login), customer)
		if want != nil {
			wants(t, login, err, want)
		} else if err != nil || g.Admin.ClientID != web.ID {
			t.Errorf("%s: got=%+v %v", login, g, err)
		}
	}
}

// What Microsoft answers, where it does not grant.
func TestDenied(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	page := b.begin(f, adminconsent.Start{For: customer})
	for _, row := range []struct {
		answer func(address, login string) (*mockidp.Redirect, error)
		login  string
		prefix string
	}{{idp.Decline, ada, "AADSTS65004: "}, {idp.Walk, kim, "AADSTS90094: "}} {
		r, err := row.answer(page, row.login)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.proceed(f, r.URL.String(), customer)
		wants(t, row.prefix, err, adminconsent.ErrDenied)
		if denied, ok := errors.AsType[*adminconsent.DeniedError](err); !ok || denied.Code != "access_denied" || !strings.HasPrefix(denied.Description, row.prefix) {
			t.Errorf("got=%v", err)
		}
	}
	hostile := edited(t, consented, "state", param(t, page, "state"), "error", "x\r\ny", "error_description", strings.Repeat("\u2028é", 600))
	_, err := b.proceed(f, hostile, customer)
	if denied, _ := errors.AsType[*adminconsent.DeniedError](err); denied == nil || strings.ContainsAny(err.Error(), "\r\n\u2028") || len(denied.Description) > 1024 {
		t.Errorf("got=%q", err)
	}
	// They can think again: nothing was used up.
	if _, err := b.proceed(f, walk(t, idp, page, ada), customer); err != nil {
		t.Error(err)
	}
}

// What is not the browser's doing is told apart from what is, and the answer counts as used all the same.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*adminconsent.Config)
		fault  *mockidp.Fault
	}{
		"token endpoint down":      {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Status: 503}},
		"token endpoint throttles": {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Status: 429}},
		"not JSON":                 {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Body: []byte("<html>")}},
		"too much JSON":            {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, PadTo: 2 << 20}},
		"no token":                 {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Body: []byte("{}")}},
		"a redirect":               {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Redirect: "https://login.microsoftonline.com/" + mockidp.Fabrikam + "/oauth2/v2.0/token?", Times: 1, Status: 307}},
		"connection reset":         {fault: &mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Reset: true}},
		"keys down":                {fault: &mockidp.Fault{Endpoint: mockidp.JWKS, Status: 500}},
		"our secret is wrong":      {change: func(c *adminconsent.Config) { c.ClientSecret = "old" }},
		"Redeem fails":             {change: withRedeem(func(context.Context, adminconsent.Code) (string, error) { return "", errors.New("x") })},
		"Used fails":               {change: func(c *adminconsent.Config) { c.Used = &second{} }},
	} {
		idp := newIDP(t)
		f := newFlow(t, idp, row.change)
		b := &browser{t: t}
		answer := b.toSignedIn(idp, f, ada)
		if row.fault != nil {
			idp.Inject(*row.fault)
		}
		_, err := b.finish(f, answer, customer)
		wants(t, name, err, adminconsent.ErrUnavailable)
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), param(t, answer, "code")) {
			t.Errorf("%s: a secret is in the error: %v", name, err)
		}
		if got := idp.Count(mockidp.TokenEndpoint); got > 1 {
			t.Errorf("%s: the code was sent %d times", name, got)
		}
	}
}

// second fails the second time.
type second struct{ table }

func (u *second) Use(ctx context.Context, id string, until time.Time) (bool, error) {
	first, err := u.table.Use(ctx, id, until)
	u.err = errors.New("database down")
	return first, err
}

// A caller that goes away takes the redemption with it.
func TestContext(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	answer := b.toSignedIn(idp, f, ada)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	var err error
	b.visit(http.MethodGet, answer, func(w http.ResponseWriter, r *http.Request) { _, err = f.Finish(w, r.WithContext(ctx), customer) })
	wants(t, "gone", err, adminconsent.ErrUnavailable)
	if got := idp.Count(mockidp.TokenEndpoint); got != 0 {
		t.Errorf("asked %d times", got)
	}
}
