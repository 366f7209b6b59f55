package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
)

// L1
func TestPrincipal(t *testing.T) {
	t.Parallel()
	a := newAPI(t, everyKind)
	exp := time.Now().Add(30 * time.Minute).Truncate(time.Second)
	raw := a.token(mockidp.Scopes("a", "b"), mockidp.Roles("r"), mockidp.Groups("g1", "g2"), mockidp.ExpiresAt(exp), mockidp.Subject("subject"))
	p := a.get(raw).accepted(t)
	issuer := a.idp.Tenant(tenantA).Issuer()
	for name, row := range map[string]struct{ got, want any }{
		"TenantID":  {p.TenantID, tenantA},
		"ObjectID":  {p.ObjectID, mockidp.User},
		"Subject":   {p.Subject, "subject"},
		"ClientID":  {p.ClientID, mockidp.Client},
		"Scopes":    {p.Scopes, []string{"a", "b"}},
		"Roles":     {p.Roles, []string{"r"}},
		"Groups":    {p.Groups, []string{"g1", "g2"}},
		"Policy":    {p.Policy, ""},
		"Version":   {p.Version, "2.0"},
		"Issuer":    {p.Issuer, issuer},
		"ExpiresAt": {p.ExpiresAt.Unix(), exp.Unix()},
		"Tenant":    {p.Tenant().Name, "contoso"},
		"UserKey":   {p.UserKey(), tenantA + "." + mockidp.User},
		"RawToken":  {p.RawToken(), raw},
		"AppOnly":   {p.AppOnly(), false},
		"Guest":     {p.Guest(), false},
		"Overage":   {p.GroupsOverage(), false},
		"HasScope":  {[]bool{p.HasScope("a"), p.HasScope("A"), p.HasScope("a b"), p.HasScope(""), p.HasScope("r")}, []bool{true, false, false, false, false}},
		"HasRole":   {[]bool{p.HasRole("r"), p.HasRole("R"), p.HasRole(""), p.HasRole("a")}, []bool{true, false, false, false}},
		"Claim":     {p.Claim("iss"), issuer},
		"no Claim":  {p.Claim("ISS"), nil},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got=%v, want=%v", name, row.got, row.want)
		}
	}
	if p := a.get(a.idp.Tenant(tenantB).Token(mockidp.V1())).accepted(t); p.Tenant().Name != "fabrikam" || p.Version != "1.0" || p.ClientID != mockidp.Client {
		t.Errorf("got=%s %s %s, want tenant B's entry, 1.0 and appid", p.Tenant().Name, p.Version, p.ClientID)
	}
	if p := a.get(a.idp.Tenant(mockidp.Shop).Token(mockidp.Policy("b2c_1a_CUSTOM"))).accepted(t); p.Tenant().Name != "shop" || p.Policy != "B2C_1A_custom" || p.TenantID != mockidp.Shop {
		t.Errorf("got=%s %s, want the shop's entry and the policy as registered", p.Tenant().Name, p.Policy)
	}
}

// The principal is also what jwt.Claims asks for.
// L1
func TestPrincipalIsClaims(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	now := time.Now().Truncate(time.Second)
	var claims jwt.Claims = a.get(a.token(mockidp.IssuedAt(now), mockidp.NotBefore(now), mockidp.ExpiresAt(now.Add(time.Hour)), mockidp.Audience([]string{mockidp.API, "x"}))).accepted(t)
	exp, err1 := claims.GetExpirationTime()
	iat, err2 := claims.GetIssuedAt()
	nbf, err3 := claims.GetNotBefore()
	iss, err4 := claims.GetIssuer()
	sub, err5 := claims.GetSubject()
	aud, err6 := claims.GetAudience()
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !exp.Equal(now.Add(time.Hour)) || !iat.Equal(now) || !nbf.Equal(now) || iss != a.idp.Tenant(tenantA).Issuer() || sub == "" || !slices.Equal(aud, []string{mockidp.API, "x"}) {
		t.Fatalf("got=%v %v %v %v %v %v", exp, iat, nbf, iss, sub, aud)
	}
	claims = a.get(a.token(mockidp.Without("iat", "nbf"))).accepted(t)
	if iat, err := claims.GetIssuedAt(); iat != nil || err != nil {
		t.Errorf("iat: got=%v %v, want none", iat, err)
	}
	if nbf, err := claims.GetNotBefore(); nbf != nil || err != nil {
		t.Errorf("nbf: got=%v %v, want none", nbf, err)
	}
}

// L2
func TestPrincipalOfSparseToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}})
	})
	shop := a.idp.Tenant(mockidp.Shop)
	payload := fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"sub":"s","tfp":"B2C_1_susi","ver":"1.0","scp":"a"}`, shop.Issuer(), mockidp.API, time.Now().Add(time.Hour).Unix())
	p := a.get(shop.Token(mockidp.RawPayload(payload))).accepted(t) // the least that passes all checks
	if p.ObjectID != "" || p.ClientID != "" || len(p.Roles)+len(p.Groups) != 0 || p.AppOnly() || p.Guest() || p.GroupsOverage() {
		t.Fatalf("got=%#v, want nothing where the token says nothing", *p)
	}
	if p.TenantID != mockidp.Shop || p.UserKey() != mockidp.Shop+".s" || p.Claim("oid") != nil {
		t.Fatalf("got=%s %s", p.TenantID, p.UserKey())
	}
	var claims struct{ OID, Name string }
	if err := p.Decode(&claims); err != nil || claims.OID != "" || claims.Name != "" {
		t.Fatalf("got=%+v %v", claims, err)
	}
	_ = fmt.Sprint(p, p.LogValue())

	sparse := a.get(shop.Token(mockidp.RawPayload(strings.Replace(payload, `"sub":"s",`, "", 1)))).accepted(t)
	if sparse.Subject != "" {
		t.Fatalf("got=%s, want no subject", sparse.Subject)
	}

	v := newAPI(t, nil)
	if p := v.get(v.token(mockidp.Without("oid", "azpacr", "name", "uti", "rh", "aio", "preferred_username", "nbf", "iat"))).accepted(t); p.ObjectID != "" || p.UserKey() != tenantA+"."+p.Subject {
		t.Fatalf("got=%s", p.UserKey())
	}
}

// L3
func TestUnknownClaims(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	raw := a.token(mockidp.Claim("extension_order", json.RawMessage(`{"id":9007199254740993,"rate":0.1,"list":[1,null,true,"ü",{"x":18446744073709551615}]}`)),
		mockidp.Claim("big", json.RawMessage(`9223372036854775807`)), mockidp.Claim("none", nil), mockidp.Claim("yes", true), mockidp.Claim("text", "a\"b\\\u0000é"))
	p := a.get(raw).accepted(t)
	want := map[string]any{"id": json.Number("9007199254740993"), "rate": json.Number("0.1"), "list": []any{
		json.Number("1"), nil, true, "ü", map[string]any{"x": json.Number("18446744073709551615")}}}
	if got := p.Claim("extension_order"); !reflect.DeepEqual(got, want) {
		t.Errorf("got=%#v, want=%#v", got, want)
	}
	if got := []any{p.Claim("big"), p.Claim("none"), p.Claim("yes"), p.Claim("text"), p.Claim("absent")}; !reflect.DeepEqual(got, []any{json.Number("9223372036854775807"), nil, true, "a\"b\\\u0000é", nil}) {
		t.Errorf("got=%#v", got)
	}
	var own struct {
		Order struct{ ID, Rate json.Number } `json:"extension_order"`
		Big   int64
		Text  string
	}
	if err := p.Decode(&own); err != nil || own.Order.ID != "9007199254740993" || own.Big != 9223372036854775807 || own.Text != "a\"b\\\u0000é" {
		t.Errorf("got=%+v %v", own, err)
	}
	if err := p.Decode(&struct{ Text int }{}); err == nil {
		t.Error("got no error for a field of another type")
	}
}

// L4, L5
func TestUserKeys(t *testing.T) {
	t.Parallel()
	a := newAPI(t, everyKind)
	key := func(tenant string, opts ...mockidp.TokenOption) string {
		t.Helper()
		return a.get(a.idp.Tenant(tenant).Token(opts...)).accepted(t).UserKey()
	}
	sub := with(mockidp.Subject("same"), mockidp.Without("oid"))
	keys := []string{
		key(tenantA, sub...), key(tenantB, sub...), // the same sub
		key(tenantA, mockidp.ObjectID(mockidp.GuestUser)), key(tenantB, mockidp.ObjectID(mockidp.GuestUser)), // the same oid
		key(tenantA, mockidp.ObjectID(mockidp.User)),
	}
	slices.Sort(keys)
	if n := len(slices.Compact(keys)); n != 5 {
		t.Fatalf("got=%d keys of %v, want five", n, keys)
	}
	one := with(mockidp.ObjectID(mockidp.User), mockidp.Claim("name", "Married Now"), mockidp.Subject("elsewhere"), mockidp.V1())
	if key(tenantA, one...) != key(tenantA) {
		t.Fatal("one user has two keys")
	}
}

// L6: each request has a principal of its own, also of the same token, also at the same time.
func TestPrincipalIsPrivate(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	raw := a.token(mockidp.Scopes("a", "b"), mockidp.Roles("r", "s"), mockidp.Groups("g", "h"), mockidp.Claim("list", []string{"x"}))
	spoil := func(p *identity.Principal) {
		for _, list := range []*[]string{&p.Scopes, &p.Roles, &p.Groups} {
			(*list)[0] = "spoiled"
			*list = append((*list)[:1], "more", "and more")
		}
		p.TenantID, p.ObjectID, p.Policy = "spoiled", "spoiled", "spoiled"
		p.Claim("list").([]any)[0] = "spoiled"
		var claims map[string]any
		if err := p.Decode(&claims); err != nil {
			t.Error(err)
		}
		claims["list"].([]any)[0] = "spoiled"
		aud, _ := p.GetAudience()
		aud[0] = "spoiled"
		tenant := p.Tenant()
		tenant.Name = "spoiled"
	}
	intact := func(p *identity.Principal) {
		aud, _ := p.GetAudience()
		if !slices.Equal(p.Scopes, []string{"a", "b"}) || !slices.Equal(p.Roles, []string{"r", "s"}) || !slices.Equal(p.Groups, []string{"g", "h"}) ||
			p.TenantID != tenantA || p.ObjectID != mockidp.User || p.Policy != "" || fmt.Sprint(p.Claim("list")) != "[x]" || aud[0] != mockidp.API || p.Tenant().Name != "contoso" {
			t.Errorf("got=%+v, want it untouched", *p)
		}
	}
	first := a.get(raw).accepted(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := a.get(raw)
			if got.principal == nil {
				t.Errorf("got=%d %v", got.status, got.err)
				return
			}
			intact(got.principal)
			spoil(got.principal)
		})
	}
	wg.Wait()
	intact(first)
	first.Scopes = append(first.Scopes, "c") // must not run into the roles
	if first.Roles[0] != "r" {
		t.Fatalf("got=%v, want the roles untouched", first.Roles)
	}
	if p := a.get(raw).accepted(t); p == first {
		t.Fatal("two requests share a principal")
	}
}

// L8
func TestNoPrincipal(t *testing.T) {
	t.Parallel()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	if p, ok := identity.From(c); p != nil || ok {
		t.Fatalf("got=%v %v, want none", p, ok)
	}
	for _, ctx := range []context.Context{context.Background(), identity.NewContext(context.Background(), nil)} {
		if p, ok := identity.FromContext(ctx); p != nil || ok {
			t.Fatalf("got=%v %v, want none", p, ok)
		}
	}
	p := new(identity.Principal)
	if got, ok := identity.FromContext(identity.NewContext(context.Background(), p)); got != p || !ok {
		t.Fatalf("got=%v %v, want the one put in", got, ok)
	}
	// One that a test made up has no token behind it.
	if p.AppOnly() || p.Guest() || p.GroupsOverage() || p.Claim("iss") != nil || p.RawToken() != "" || p.Tenant().ID != "" || p.Decode(&struct{}{}) != nil {
		t.Fatalf("got=%v, want nothing in it", p)
	}
	_ = fmt.Sprint(p, p.LogValue())
}

// Printing or logging a principal gives neither the token nor the person away, however it is done.
// K11
func TestPrincipalIsLoggedSafely(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	raw := a.token(mockidp.Claim("email", "jo@contoso.example"))
	p := a.get(raw).accepted(t)
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("seen", "principal", p, slog.Group("in", slog.Any("a group", p)))
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, format+"\n", p)
		fmt.Fprintf(&log, format+"\n", []*identity.Principal{p})
	}
	secretsIn(t, "log", log.String(), raw)
	if n := strings.Count(log.String(), tenantA); n != 12 {
		t.Fatalf("got=%d times the tenant, want=12:\n%s", n, &log)
	}
}
