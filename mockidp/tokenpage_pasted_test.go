package mockidp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func TestTokenPagePasted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return now }))
	other := mockidp.New(mockidp.WithClock(func() time.Time { return now }))
	contoso, shop := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Shop)
	good := contoso.Token()
	unpublished := idp.CloudKeys(mockidp.China) // of a cloud that has no tenant here
	withdrawn := shop.PolicyKeys("B2C_1A_custom")
	withdrawn.Withdraw(withdrawn.Signing())
	stranger := contoso.Keys().NewKey()
	customers := idp.Tenant(mockidp.Customers)
	beforeRotation := customers.Token()
	customers.Keys().Rotate()

	for _, test := range []struct {
		name, pasted string
		heading      string
		says         []string // somewhere on the page
	}{
		{"good", good, "Signed by this server", []string{"Access token of a user (v2.0)", "Workforce tenant contoso.onmicrosoft.com",
			"the workforce tenants of the public cloud (published, signs new tokens)", "2026-01-01 01:00:00 UTC, in 60 minutes", contoso.Keys().Signing().ID()}},
		{"header field", "Authorization: Bearer " + good, "Signed by this server", nil},
		{"bearer", "  bearer " + good + "\r\n", "Signed by this server", nil},
		{"token response", `{"token_type":"Bearer","access_token":"` + good + `"}`, "Signed by this server", nil},
		{"ID token response", `{"id_token":"` + contoso.Token(mockidp.IDToken()) + `"}`, "Signed by this server", []string{"ID token (v2.0)"}},
		{"PS256", contoso.Token(mockidp.Algorithm("PS256")), "Signed by this server, but something stands out", []string{"The algorithm is not RS256"}},
		{"RS512", contoso.Token(mockidp.Algorithm("RS512")), "Signed by this server, but something stands out", nil},
		{"app", contoso.Token(mockidp.AppOnly("Jobs.Run.All")), "Signed by this server", []string{"Access token of an application (v2.0)"}},
		{"guest", contoso.Token(mockidp.Guest(mockidp.Fabrikam)), "Signed by this server", []string{"Access token of a guest (v2.0)", "1: a guest."}},
		{"personal", contoso.Token(mockidp.PersonalAccount()), "Signed by this server", []string{"personal Microsoft accounts", "the personal accounts of the public cloud"}},
		{"B2C", shop.Token(), "Signed by this server", []string{"(B2C)", "policy b2c_1_susi of B2C tenant contosob2c.onmicrosoft.com"}},
		{"External ID", customers.Token(), "Signed by this server", []string{"External ID tenant contosocx.onmicrosoft.com"}},
		{"application's own key", contoso.Token(mockidp.SignedBy(contoso.AppKeys(mockidp.API).Signing())), "Signed by this server",
			[]string{"application " + mockidp.API + " in Workforce tenant contoso.onmicrosoft.com"}},
		{"rotated", beforeRotation, "Signed by this server", []string{"no longer used for new tokens"}},

		{"changed", good[:len(good)-8] + "AAAAAAAA", "The signature does not fit", []string{"did not sign these bytes"}},
		{"other server", other.Tenant(mockidp.Contoso).Token(), "Not checked: the key is not known here", []string{"Only this server's own keys are tried"}},
		{"never published", contoso.Token(mockidp.SignedBy(stranger)), "Not checked: the key is not known here", nil},
		{"withdrawn", shop.Token(mockidp.Policy("B2C_1A_custom")), "Signed by this server, with a key that it does not publish", []string{"not published"}},
		{"key of another issuer", contoso.Token(mockidp.SignedBy(contoso.Keys().Consumer())), "Signed by this server, with a key of another issuer", nil},
		{"key of another cloud", contoso.Token(mockidp.SignedBy(unpublished.Signing())), "Signed by this server, with a key of another issuer",
			[]string{"the cloud https://login.partner.microsoftonline.cn"}},
		{"personal issuer, company key", contoso.Token(mockidp.PersonalAccount(), mockidp.SignedBy(contoso.Keys().Signing())),
			"Signed by this server, with a key of another issuer", nil},
		{"unknown issuer", contoso.Token(mockidp.Claim("iss", "https://attacker.example/"+mockidp.Contoso+"/v2.0")),
			"Signed by this server, for an issuer that it does not have", []string{"not an issuer of this server"}},
		{"no issuer", contoso.Token(mockidp.Without("iss")), "Signed by this server, for an issuer that it does not have", nil},
		{"embedded key", contoso.Token(mockidp.SignedBy(stranger), mockidp.Header("jwk", map[string]any{"kty": "RSA"})),
			"Not checked: the key is not known here", []string{"A key that the token brings along: never use it."}},
		{"Graph", contoso.Token(mockidp.ForGraph()), "Only Microsoft Graph can check this token", nil},
		{"HS256", contoso.Token(mockidp.Algorithm("HS256")), "Not signed with a key of Microsoft's kind", []string{`"HS256"`}},
		{"none", contoso.Token(mockidp.Algorithm("none")), "Not signed with a key of Microsoft's kind", nil},
		{"no algorithm", contoso.Token(mockidp.WithoutHeader("alg")), "Not signed with a key of Microsoft's kind", []string{"The header names no algorithm."}},
		{"no key", contoso.Token(mockidp.WithoutHeader("kid")), "Not checked: the header names no key", nil},
		{"JWE", strings.Replace(good, ".", ".a.b.", 1), "Not a signed token", []string{"It has five parts: it is encrypted"}},
		{"no token", "hello", "Not a signed token", []string{"This text has 1.", "The header cannot be decoded"}},
		{"hostile", hostile, "Not a signed token", nil},

		{"expired", contoso.Token(mockidp.ExpiresIn(-48 * time.Hour)), "Signed by this server, but something stands out", []string{"It has expired", "2025-12-30 00:00:00 UTC, 2 days ago"}},
		{"not yet", contoso.Token(mockidp.NotBefore(now.Add(time.Minute))), "Signed by this server, but something stands out", []string{"nbf is in the future", "in 60 seconds"}},
		{"for ever", contoso.Token(mockidp.Claim("exp", 253402300799)), "Signed by this server", []string{"9999-12-31 23:59:59 UTC, in 7979 years"}},
		{"no expiry", contoso.Token(mockidp.Claim("exp", "tomorrow")), "Signed by this server, but something stands out", []string{"It has no usable expiry"}},
		{"bound", contoso.Token(mockidp.Claim("cnf", map[string]any{"kid": "x"})), "Signed by this server, but something stands out", []string{"bound to a key of the client"}},
		{"no permission", contoso.Token(mockidp.Without("scp")), "Signed by this server, but something stands out", []string{"neither scp nor roles"}},
		{"twice", contoso.Token(mockidp.EditPayload(func(s string) string { return `{"tid":"x",` + s[1:] })), "Signed by this server, but something stands out",
			[]string{`The name "tid" is there twice.`}},
		{"folded", contoso.Token(mockidp.Claim("iſs", "x")), "Signed by this server, but something stands out", []string{"differ only in case", "Looks like iss, but names compare with case"}},
		{"not UTF-8", contoso.Token(mockidp.EditPayload(func(s string) string { return "{\"x\":\"\xff\"," + s[1:] })), "Signed by this server, but something stands out", []string{"not valid UTF-8"}},
		{"critical extension", contoso.Token(mockidp.Header("crit", []string{"exp"})), "Signed by this server, but something stands out", []string{"critical extensions (crit)"}},
		{"type", contoso.Token(mockidp.Header("typ", "pop")), "Signed by this server, but something stands out", []string{`The type is "pop", and not JWT`}},
		{"type in other case", contoso.Token(mockidp.Header("typ", "jwt")), "Signed by this server", nil},
		{"other tenant", contoso.Token(mockidp.Claim("tid", mockidp.Fabrikam)), "Signed by this server, but something stands out", []string{"tid is another tenant than the issuer's."}},
		{"invisible", contoso.Token(mockidp.Claim("name\u200b", "a\u202eb\U000e0041 é\u00a0ж")), "Signed by this server",
			[]string{`name\u200b`, `"a\u202eb\udb40\udc41 é ж"`}},
		{"invisible issuer", contoso.Token(mockidp.Claim("iss", "https://\u202eelpmaxe")), "Signed by this server, for an issuer that it does not have",
			[]string{`https://\u202eelpmaxe — not an issuer of this server`}},
		{"padded", strings.Replace(good, ".", "=.", 1), "The signature does not fit", []string{"The header is not base64url as RFC 7515 wants it"}},
		{"another spelling of the signature", good[:len(good)-1] + string(good[len(good)-1]+1), "The signature does not fit", []string{"The signature is not base64url"}},
		{"wrapped", good[:80] + "\r\n" + good[80:200] + "\n" + good[200:], "Signed by this server", nil},
		{"padded signature", good + "==", "The signature does not fit", []string{"The signature is not base64url"}},
		{"array", contoso.Token(mockidp.RawPayload("[]")), "Signed by this server, for an issuer that it does not have", []string{"not a JSON object: it is another kind of value"}},
		{"cut off", contoso.Token(mockidp.RawPayload(`{"iss":"x"`)), "Signed by this server, for an issuer that it does not have", []string{"it ends too early"}},
		{"cut off in a value", contoso.Token(mockidp.RawPayload(`{"iss":"x","a":[`)), "Signed by this server, for an issuer that it does not have", []string{"it ends too early"}},
		{"trailing", contoso.Token(mockidp.RawPayload(`{"iss":"x"}{}`)), "Signed by this server, for an issuer that it does not have", []string{"something follows it"}},
		{"long value", contoso.Token(mockidp.Claim("extension_x", strings.Repeat("é", 2_000))), "Signed by this server", []string{"(4002 bytes in all)", "An attribute of your own directory."}},
		{"many members", contoso.Token(mockidp.Claims(func(c map[string]any) {
			for i := range 600 {
				c[fmt.Sprint("c", i)] = i
			}
		})), "Signed by this server, but something stands out", []string{"617 members; the first 500 are shown"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, doc := paste(t, idp, test.pasted)
			if status != http.StatusOK {
				t.Fatalf("got=%d", status)
			}
			heading, all := verdictOf(t, doc)
			if heading != test.heading {
				t.Errorf("got=%q, want=%q", all, test.heading)
			}
			section := doc.byID("token").words()
			for _, s := range test.says {
				if !strings.Contains(section, s) {
					t.Errorf("%q is not said in %.1500s", s, section)
				}
			}
		})
	}
}

func TestTokenPageBadRequests(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for name, test := range map[string]struct {
		status int
		get    string
		post   string
		says   string
	}{
		"nothing pasted":     {400, "", "token=+", "Paste a token first."},
		"no field":           {400, "", "", "Paste a token first."},
		"not a form":         {400, "", "token=%zz", "The form could not be read."},
		"too large":          {413, "", "token=" + strings.Repeat("a", 1<<20), "That is more than 1024 KiB"},
		"unknown tenant":     {404, "/?tenant=5eed5eed-0000-4000-8000-5eed5eed5eed", "", "This server has no tenant 5eed5eed-0000-4000-8000-5eed5eed5eed."},
		"tenant, wrong kind": {404, "/?kind=b2c&tenant=" + mockidp.Contoso, "", "This server has no tenant b2c"},
		"unknown token":      {404, "/?make=x<b>", "", `Workforce tenants have no ready token "x<b>".`},
		"other kind's token": {404, "/?kind=external&make=v2-user", "", "External ID tenants have no ready token"},
		"unknown broken":     {404, "/?make=broken-x", "", "have no ready token"},
		"no longer issued":   {404, "/?issued=7", "", "The server no longer has the token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var status int
			var doc *element
			if test.get != "" {
				status, doc = getTokenPage(t, idp, test.get)
			} else {
				status, doc = post(t, idp, strings.NewReader(test.post))
			}
			problem := doc.byID("problem")
			if status != test.status || problem == nil || !strings.Contains(problem.words(), test.says) {
				t.Fatalf("got=%d %v, want=%d %q", status, problem, test.status, test.says)
			}
			if title := doc.one(t, "title").words(); !strings.HasPrefix(title, "Error: ") {
				t.Errorf("title: got=%q", title)
			}
			if doc.byID("raw").attrs["aria-invalid"] != "true" {
				t.Error("the field does not say that it is wrong")
			}
		})
	}
}

// A token that somebody pastes may be a real one: it must not be found anywhere afterwards.
func TestTokenPageKeepsNothing(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	raw := mockidp.New().Tenant(mockidp.Contoso).Token()
	if status, doc := paste(t, idp, raw); status != http.StatusOK || shownToken(doc) != raw {
		t.Fatalf("got=%d", status)
	}
	for _, r := range idp.Requests() {
		if strings.Contains(fmt.Sprint(r), raw[len(raw)-40:]) {
			t.Errorf("the record has the token: %v", r)
		}
	}
	_, doc := getTokenPage(t, idp, "/")
	if strings.Contains(doc.text(), raw[len(raw)-40:]) {
		t.Error("the page still has the token")
	}
	if address := doc.one(t, "form").attrs["action"]; doc.one(t, "form").attrs["method"] != "post" || strings.Contains(address, "token=") {
		t.Errorf("the form puts the token into the address: %q", address)
	}
}

// A custom domain is an issuer of its tenant alone, and a token outlives its tenant.
func TestTokenPageCustomDomain(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithTenants(
		mockidp.Tenant{ID: mockidp.Shop, Kind: mockidp.B2C, Hosts: []string{"login.contoso.example"}, Policies: []string{"B2C_1_susi"}},
		mockidp.Tenant{ID: mockidp.Customers, Kind: mockidp.External, Domain: "contosocx", Hosts: []string{"id.contoso.example"}}))
	shop, customers := idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	const good, unknown = "Signed by this server", "Signed by this server, for an issuer that it does not have"
	for _, test := range []struct {
		token         string
		heading, says string
	}{
		{shop.Token(), good, "B2C tenant login.contoso.example"},
		{shop.Token(mockidp.TFPIssuer()), good, "https://login.contoso.example/tfp/" + mockidp.Shop + "/b2c_1_susi/v2.0/"},
		{shop.Token(mockidp.IssuedBy("localhost")), good, "https://localhost/"},
		{shop.Token(mockidp.IssuedBy("id.contoso.example")), unknown, "not an issuer of this server"},
		{customers.Token(mockidp.IssuedBy("id.contoso.example")), good, "External ID tenant contosocx.onmicrosoft.com"},
		{customers.Token(mockidp.IssuedBy("login.contoso.example")), unknown, "not an issuer of this server"},
	} {
		_, doc := paste(t, idp, test.token)
		if heading, all := verdictOf(t, doc); heading != test.heading || !strings.Contains(all, test.says) {
			t.Errorf("got=%q, want=%q with %q", all, test.heading, test.says)
		}
	}
	raw := shop.Token()
	idp.RemoveTenant(mockidp.Shop, mockidp.B2C)
	_, doc := paste(t, idp, raw)
	if heading, all := verdictOf(t, doc); heading != unknown || !strings.Contains(all, "B2C tenant "+mockidp.Shop) {
		t.Errorf("got=%q, want=%q", all, unknown)
	}
}
