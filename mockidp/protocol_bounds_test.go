package mockidp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// kidsAt are the keys behind an address.
func kidsAt(t *testing.T, idp *mockidp.Server, address string) (kids []string) {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if r := visit(t, idp.Client(), address); r.status != 200 || json.Unmarshal([]byte(r.text), &set) != nil {
		t.Fatalf("got=%d %s", r.status, r.text)
	}
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

// A key takes a tenth of a second and stays: nobody makes the server have one for every ID that can be thought of.
func TestStrangeKeySets(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	keys := contosoBase + "/discovery/v2.0/keys"
	ofTenant, own, shared := kidsAt(t, idp, keys), 0, 0
	for i := range 20 {
		if kids := kidsAt(t, idp, fmt.Sprintf("%s?appid=78787878-1111-4111-8111-%012d", keys, i)); slices.Equal(kids, ofTenant) {
			shared++
		} else {
			own++
		}
	}
	if own != 16 || shared != 4 {
		t.Errorf("got=%d and %d", own, shared)
	}
	for _, app := range []string{mockidp.API, mockidp.Client} { // registered
		if kids := kidsAt(t, idp, keys+"?appid="+app); slices.Equal(kids, ofTenant) {
			t.Errorf("%s has no keys of its own", app)
		}
	}
	handmade := idp.Tenant(mockidp.Contoso).AppKeys("78787878-1111-4111-8111-999999999999").Signing().ID()
	if kids := kidsAt(t, idp, keys+"?appid=78787878-1111-4111-8111-999999999999"); !slices.Contains(kids, handmade) {
		t.Errorf("keys that a test made are not served: %v", kids)
	}
}

func TestRecorderIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const each = 1 << 20
	for i := range 100 {
		r := httptest.NewRequest(http.MethodGet, "https://login.microsoftonline.com/x", nil)
		r.URL.RawQuery = fmt.Sprintf("%d&%s", i, strings.Repeat("x", each/2))
		r.Header.Set("X", strings.Repeat("x", each/2))
		serve(idp, r)
	}
	all := idp.Requests()
	if len(all) < 60 || len(all) > 64 || !strings.HasPrefix(all[len(all)-1].RawQuery, "99&") || idp.Count(mockidp.AnyEndpoint) != 100 {
		t.Errorf("got=%d requests, %d counted", len(all), idp.Count(mockidp.AnyEndpoint))
	}
	idp.ResetCounts()
	visit(t, idp.Client(), contosoBase+discoveryPath)
	if got := idp.Requests(); len(got) != 1 {
		t.Errorf("after a reset: got=%d", len(got))
	}
}

// Headers are recorded; over a socket they may not be large.
func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	for size, status := range map[int]int{32 << 10: 200, 80 << 10: 431} {
		if r := visit(t, idp.Client(), idp.URL+"/common"+discoveryPath, "X", strings.Repeat("x", size)); r.status != status {
			t.Errorf("%d: got=%d, want=%d", size, r.status, status)
		}
	}
}

// What is remembered between two requests is small.
func TestLongParameters(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	long, fits := strings.Repeat("x", 16<<10+1), strings.Repeat("x", 15<<10)
	for _, name := range []string{"state", "nonce", "scope", "claims", "login_hint", "sid", "domain_hint"} {
		newPerson(t, idp).open(authorizeURL(contosoBase, webRequest(name, long))).sees(400, "AADSTS90015")
	}
	if _, v := newPerson(t, idp).open(authorizeURL(contosoBase, webRequest("state", fits))).post("loginfmt", jo).sent(); v.Get("state") != fits {
		t.Errorf("got=%v", v)
	}
	refusal{400, "invalid_request", 90015}.check(t, send(t, idp.Client(), contosoBase+"/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", "openid "+long)))
	code := codeFor(t, idp, contosoBase, webRequest(), jo)
	refusal{400, "invalid_request", 90015}.check(t, send(t, idp.Client(), contosoToken, webRedemption(code, "claims", long)))
	ok(t, send(t, idp.Client(), contosoToken, webRedemption(code, "x", long))) // nobody keeps that
}

// A flow holds on to its parameters, not to the body that they came in. Not parallel: it looks at the heap.
func TestFlowsHoldNoBodies(t *testing.T) {
	idp := mockidp.New()
	body := webRequest("x", strings.Repeat("x", 200<<10)).Encode()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 500 {
		r := httptest.NewRequest(http.MethodPost, contosoBase+"/oauth2/v2.0/authorize", strings.NewReader(strings.Clone(body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if w := serve(idp, r); w.Code != 200 {
			t.Fatalf("got=%d %s", w.Code, w.Body)
		}
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("500 flows of a few hundred bytes take %d MiB", (after-before)>>20)
	}
	runtime.KeepAlive(idp)
}

// The claims of all refreshes together are bounded; the latest are there.
func TestClaimsDoNotPileUp(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	body := ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo))))
	for i := range 30 {
		body = ok(t, send(t, idp.Client(), contosoToken, form("grant_type", "refresh_token", "client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret,
			"refresh_token", body["refresh_token"].(string), "claims", fmt.Sprintf(`{"access_token":{"acrs":{"value":"c%d"}}}`, i))))
	}
	acrs := claimsOf(t, body["access_token"].(string))["acrs"].([]any)
	if len(acrs) != 20 || acrs[0] != "c10" || acrs[19] != "c29" {
		t.Errorf("got=%v", acrs)
	}
}

// One ID may be that of a workforce tenant and of an External ID tenant. The users of one are not those of the other.
func TestTokensOfATwin(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const id = "78787878-1111-4111-8111-787878787878"
	apps := []mockidp.Application{
		{ID: mockidp.API, TokenVersion: 2, Scopes: []string{"access_as_user"}},
		{ID: mockidp.MiddleTier, TokenVersion: 2, Secrets: []string{mockidp.MiddleTierSecret}, Permissions: []mockidp.Permission{{API: mockidp.API, Scopes: []string{"access_as_user"}, Consented: true}}},
	}
	idp.AddTenant(mockidp.Tenant{ID: id, Users: []mockidp.Account{{ID: mockidp.User, Login: "admin@twin.example"}}, Applications: apps})
	idp.AddTenant(mockidp.Tenant{ID: id, Kind: mockidp.External, Domain: "twin", Users: []mockidp.Account{{ID: mockidp.User, Login: "customer@mail.example"}}, Applications: apps})
	onBehalf := func(token string) reply {
		return send(t, idp.Client(), login+id+"/oauth2/v2.0/token", form("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id", mockidp.MiddleTier,
			"client_secret", mockidp.MiddleTierSecret, "requested_token_use", "on_behalf_of", "scope", apiScope, "assertion", token))
	}
	ok(t, onBehalf(idp.TenantOf(mockidp.Workforce, id).Token(mockidp.Audience(mockidp.MiddleTier))))
	refusal{400, "invalid_grant", 50020}.check(t, onBehalf(idp.TenantOf(mockidp.External, id).Token(mockidp.Audience(mockidp.MiddleTier))))
	// Nor is a customer the guest that a workforce user is elsewhere.
	idp.AddTenant(mockidp.Tenant{ID: mockidp.User, Users: []mockidp.Account{{ID: mockidp.GuestUser, Login: "admin@twin.example", HomeTenant: id, HomeID: mockidp.User}}})
	for kind, wanted := range map[mockidp.Kind]refusal{mockidp.Workforce: {}, mockidp.External: {400, "invalid_grant", 50020}} {
		who := map[mockidp.Kind]string{mockidp.Workforce: "admin@twin.example", mockidp.External: "customer@mail.example"}[kind]
		idp.AddApplication(id, kind, mockidp.Application{ID: mockidp.NativeClient, PublicClient: true, MultiTenant: kind == mockidp.Workforce})
		tokens, err := idp.TenantOf(kind, id).SignIn(mockidp.SignIn{Client: mockidp.NativeClient, Login: who, Scopes: []string{"openid", "offline_access"}})
		if err != nil {
			t.Fatal(err)
		}
		r := send(t, idp.Client(), login+mockidp.User+"/oauth2/v2.0/token", form("grant_type", "refresh_token", "client_id", mockidp.NativeClient, "refresh_token", tokens.RefreshToken, "scope", "openid profile"))
		if wanted == (refusal{}) {
			want(t, claimsOf(t, ok(t, r)["id_token"].(string)), map[string]any{"oid": mockidp.GuestUser})
		} else {
			wanted.check(t, r)
		}
	}
	graph := []mockidp.TokenOption{mockidp.Audience("https://graph.microsoft.com")}
	for kind, email := range map[mockidp.Kind]string{mockidp.Workforce: "admin@twin.example", mockidp.External: "customer@mail.example"} {
		r := visit(t, idp.Client(), "https://graph.microsoft.com/oidc/userinfo", "Authorization", "Bearer "+idp.TenantOf(kind, id).Token(graph...))
		want(t, ok(t, r), map[string]any{"email": email})
	}
}
