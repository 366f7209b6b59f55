package adminconsent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/mockidp"
)

// The application of the tests, registered in Contoso, and people: administrators, a member, and a guest in Contoso.
const (
	app        = "dddddddd-4444-4444-8444-000000000010"
	secret     = "secret-of-the-service"
	consented  = "https://orders.example/consented"
	signedIn   = "https://orders.example/signed-in"
	scope      = "api://" + app + "/Orders.Read"
	customer   = "customer-17"
	pat        = "pat@contoso.example" // administrator of Contoso
	jo         = "jo@contoso.example"
	ada        = "ada@fabrikam.example" // administrator of Fabrikam
	kim        = "kim@fabrikam.example" // member of Fabrikam, guest in Contoso
	cookieName = "__Host-adminconsent"
)

var key = []byte("thirty-two bytes for tests only!")

// newIDP is a Microsoft that knows the application.
func newIDP(t testing.TB) *mockidp.Server {
	t.Helper()
	idp := mockidp.New()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{
		ID: app, Name: "Orders", MultiTenant: true, NeedsAdminConsent: true, Secrets: []string{secret}, TokenVersion: 2,
		RedirectURIs: mockidp.RedirectURIs{Web: []string{consented, signedIn}}, Scopes: []string{"Orders.Read"}, OptionalClaims: []string{"wids", "acct"},
	})
	return idp
}

func config(idp *mockidp.Server) adminconsent.Config {
	return adminconsent.Config{ClientID: app, ClientSecret: secret, ConsentURI: consented, SignInURI: signedIn, Keys: [][]byte{key}, HTTPClient: idp.Client()}
}

// newFlow is a flow with a changed configuration; change may be nil.
func newFlow(t testing.TB, idp *mockidp.Server, change func(*adminconsent.Config)) *adminconsent.Flow {
	t.Helper()
	cfg := config(idp)
	if change != nil {
		change(&cfg)
	}
	f, err := adminconsent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// browser keeps the one cookie, and goes where it is sent.
type browser struct {
	t      testing.TB
	cookie string
}

// visit calls a handler of the application and keeps what it sets.
func (b *browser) visit(method, address string, handle func(http.ResponseWriter, *http.Request)) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(method, address, nil)
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie})
	}
	w := httptest.NewRecorder()
	handle(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		if c.Name != cookieName || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			b.t.Errorf("cookie: got=%v", c)
		}
		b.cookie = c.Value
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		b.t.Errorf("headers: got=%v", resp.Header)
	}
	return resp
}

// begin gives the address of the consent page.
func (b *browser) begin(f *adminconsent.Flow, s adminconsent.Start) string {
	b.t.Helper()
	resp := b.visit(http.MethodPost, "https://orders.example/begin", func(w http.ResponseWriter, r *http.Request) {
		if err := f.Begin(w, r, s); err != nil {
			b.t.Fatal(err)
		}
	})
	return b.location(resp)
}

func (b *browser) location(resp *http.Response) string {
	b.t.Helper()
	if resp.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("got=%d, want=303", resp.StatusCode)
	}
	return resp.Header.Get("Location")
}

// proceed gives the address of the sign-in page, or why there is none.
func (b *browser) proceed(f *adminconsent.Flow, address, who string) (to string, err error) {
	b.t.Helper()
	resp := b.visit(http.MethodGet, address, func(w http.ResponseWriter, r *http.Request) { err = f.Continue(w, r, who) })
	if err != nil {
		if resp.Header.Get("Location") != "" {
			b.t.Error("refused, and sent on")
		}
		return "", err
	}
	return b.location(resp), nil
}

func (b *browser) finish(f *adminconsent.Flow, address, who string) (g *adminconsent.Grant, err error) {
	b.t.Helper()
	b.visit(http.MethodGet, address, func(w http.ResponseWriter, r *http.Request) { g, err = f.Finish(w, r, who) })
	if (g == nil) != (err != nil) {
		b.t.Errorf("got=%v and %v", g, err)
	}
	return g, err
}

// walk is what somebody does at Microsoft, to the address that the browser is sent back to.
func walk(t testing.TB, idp *mockidp.Server, address, login string) string {
	t.Helper()
	r, err := idp.Walk(address, login)
	if err != nil {
		t.Fatal(err)
	}
	return r.URL.String()
}

// toConsented begins a flow for the customer, and consents.
func (b *browser) toConsented(idp *mockidp.Server, f *adminconsent.Flow, login string) string {
	b.t.Helper()
	return walk(b.t, idp, b.begin(f, adminconsent.Start{For: customer}), login)
}

// toSignedIn goes on until the answer to the sign-in.
func (b *browser) toSignedIn(idp *mockidp.Server, f *adminconsent.Flow, login string) string {
	b.t.Helper()
	to, err := b.proceed(f, b.toConsented(idp, f, login), customer)
	if err != nil {
		b.t.Fatal(err)
	}
	return walk(b.t, idp, to, login)
}

// edited changes parameters of an address; an empty value removes.
func edited(t testing.TB, address string, pairs ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	v := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	u.RawQuery = v.Encode()
	return u.String()
}

func param(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// wants checks the sentinel, and that it is the only one.
func wants(t testing.TB, what string, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("%s: got=%v, want=%v", what, err, sentinel)
		return
	}
	for _, other := range sentinels {
		if other != sentinel && errors.Is(err, other) {
			t.Errorf("%s: got=%v, which is also %v", what, err, other)
		}
	}
}

var sentinels = []error{
	adminconsent.ErrAnswer, adminconsent.ErrDuplicate, adminconsent.ErrState, adminconsent.ErrExpired, adminconsent.ErrBrowser, adminconsent.ErrCustomer,
	adminconsent.ErrReplayed, adminconsent.ErrDenied, adminconsent.ErrTenant, adminconsent.ErrProof, adminconsent.ErrNotAdmin, adminconsent.ErrUnavailable,
}

// tokens is Redeem that gives out a token, whatever the code is.
func tokens(raw string) func(context.Context, adminconsent.Code) (string, error) {
	return func(context.Context, adminconsent.Code) (string, error) { return raw, nil }
}

func withRedeem(redeem func(context.Context, adminconsent.Code) (string, error)) func(*adminconsent.Config) {
	return func(c *adminconsent.Config) { c.ClientSecret, c.Redeem = "", redeem }
}

func flip(text string) string {
	last := "A"
	if strings.HasSuffix(text, last) {
		last = "E"
	}
	return text[:len(text)-1] + last
}
