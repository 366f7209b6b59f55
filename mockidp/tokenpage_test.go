package mockidp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

const tokenPageURL = "https://localhost/"

// getTokenPage reads the token page, or a link on it.
func getTokenPage(t *testing.T, idp *mockidp.Server, link string) (int, *element) {
	t.Helper()
	address, err := url.Parse(tokenPageURL)
	if err != nil {
		t.Fatal(err)
	}
	if address, err = address.Parse(link); err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, idp.Client(), address.String())
	return status, checkPage(t, string(body))
}

// paste posts a token, as the form on the page does.
func paste(t *testing.T, idp *mockidp.Server, text string) (int, *element) {
	t.Helper()
	return post(t, idp, strings.NewReader(url.Values{"token": {text}}.Encode()))
}

func post(t *testing.T, idp *mockidp.Server, body io.Reader) (int, *element) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tokenPageURL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := idp.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc := checkPage(t, string(text))
	checkPolicy(t, doc, resp.Header.Get("Content-Security-Policy"))
	return resp.StatusCode, doc
}

// shownToken is the token in the form of the page.
func shownToken(doc *element) string { return doc.byID("raw").text() }

// verdictOf is what the page says of the token's origin, and the whole of it.
func verdictOf(t *testing.T, doc *element) (heading, all string) {
	t.Helper()
	for _, e := range doc.all("div") {
		if strings.HasPrefix(e.attrs["class"], "verdict") {
			return e.one(t, "h3").words(), e.words()
		}
	}
	t.Fatalf("no verdict on the page: %.400s", doc.one(t, "main").words())
	return "", ""
}

// rowsOf are the claims and header parameters of the page: value and meaning by name.
func rowsOf(t *testing.T, doc *element) map[string][2]string {
	t.Helper()
	rows := map[string][2]string{}
	for _, list := range doc.all("dl") {
		if list.attrs["class"] != "claims" {
			continue
		}
		for _, row := range list.all("div") {
			dd := row.one(t, "dd")
			rows[row.one(t, "dt").words()] = [2]string{dd.one(t, "code").text(), dd.one(t, "p").words()}
		}
	}
	return rows
}

// links of a part of the page, by their texts.
func linksOf(doc *element, section string) map[string]string {
	links := map[string]string{}
	if part := doc.byID(section); part != nil {
		for _, a := range part.all("a") {
			links[a.words()] = a.attrs["href"]
		}
	}
	return links
}

func TestTokenPageIsOnLoopbackAlone(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for _, address := range []string{"https://localhost/", "https://127.0.0.1:8443/", "https://[::1]/token-page", "http://localhost/"} {
		status, body := fetch(t, idp.Client(), address)
		if status != http.StatusOK || !strings.Contains(string(body), "<h1>Tokens</h1>") {
			t.Errorf("%s: got=%d %.80s", address, status, body)
		}
	}
	for _, address := range []string{"https://login.microsoftonline.com/", "https://contosob2c.b2clogin.com/token-page", "https://localhost/x", "https://localhost/token-page/"} {
		if status, body := fetch(t, idp.Client(), address); status != http.StatusNotFound || strings.Contains(string(body), "<h1>") {
			t.Errorf("%s: got=%d, want=404", address, status)
		}
	}
	req := newRequest(t, http.MethodDelete, tokenPageURL)
	resp, err := idp.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: got=%d %v", resp.StatusCode, resp.Header)
	}
}

func newRequest(t *testing.T, method, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Every token that the page offers can be had, and every good one verifies with the documents that its issuer leads to.
func TestTokenPageReadyTokens(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	_, front := getTokenPage(t, idp, "/")
	tenants := 0
	for name, tenant := range linksOf(front, "ready") {
		if !strings.Contains(tenant, "tenant=") || strings.Contains(tenant, "make=") || strings.Contains(tenant, "issuer=") {
			continue
		}
		tenants++
		for _, issuer := range []string{"", "&issuer=microsoft"} {
			t.Run(name+issuer, func(t *testing.T) {
				t.Parallel()
				status, doc := getTokenPage(t, idp, tenant+issuer)
				if status != http.StatusOK {
					t.Fatalf("got=%d", status)
				}
				checkReady(t, idp, doc, issuer == "")
			})
		}
	}
	if tenants != 5 { // the four, and once more the one that is chosen already
		t.Errorf("tenants: got=%d, want=5", tenants)
	}
}

// checkReady follows the links to ready tokens. Those for this address have their issuers there, but for v1.0 tokens.
func checkReady(t *testing.T, idp *mockidp.Server, front *element, here bool) {
	t.Helper()
	made := 0
	for name, link := range linksOf(front, "ready") {
		if !strings.Contains(link, "make=") {
			continue
		}
		made++
		status, doc := getTokenPage(t, idp, link)
		raw := shownToken(doc)
		if status != http.StatusOK || strings.Count(raw, ".") != 2 {
			t.Fatalf("%s: got=%d %q", name, status, raw)
		}
		heading, all := verdictOf(t, doc)
		wanted := "Signed by this server"
		switch {
		case strings.Contains(name, "Graph"):
			wanted = "Only Microsoft Graph can check this token"
		case strings.HasPrefix(name, "Application without permissions"):
			wanted = "Signed by this server, but something stands out"
		}
		if heading != wanted {
			t.Errorf("%s: got=%q, want=%q", name, all, wanted)
		}
		for claim, row := range rowsOf(t, doc) {
			if strings.HasPrefix(row[1], "Not a") {
				t.Errorf("%s: nobody explains %s", name, claim)
			}
		}
		iss := claimsOf(t, raw)["iss"].(string)
		if got := strings.HasPrefix(iss, "https://localhost/"); got != here && !strings.HasPrefix(iss, "https://sts.windows.net/") {
			t.Errorf("%s: iss=%q, issuer at this address: got=%v, want=%v", name, iss, got, here)
		}
		if wanted != "Only Microsoft Graph can check this token" {
			verifyReady(t, idp, name, raw)
		}
	}
	if made < 7 {
		t.Errorf("ready tokens: got=%d", made)
	}
}

// verifyReady checks the signature with the keys that are served for the issuer in the token.
func verifyReady(t *testing.T, idp *mockidp.Server, name, raw string) {
	t.Helper()
	claims := claimsOf(t, raw)
	issuer := strings.TrimSuffix(claims["iss"].(string), "/")
	discovery := issuer + "/.well-known/openid-configuration"
	policy, _ := claims["tfp"].(string)
	if acr, ok := claims["acr"].(string); ok && strings.HasPrefix(acr, "b2c") {
		policy = acr
	}
	if policy != "" && !strings.Contains(issuer, "/tfp/") {
		discovery = strings.TrimSuffix(issuer, "v2.0") + policy + discoveryPath
	}
	if strings.Contains(issuer, "sts.windows.net") && claims["tid"] == mockidp.Customers {
		discovery = idp.Tenant(mockidp.Customers).DiscoveryURL() // its keys are on its own host
	}
	if _, err := verify(t, idp.Client(), discovery, raw); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// Every entry of the catalogue is offered, for the kind of tenant that it needs.
func TestTokenPageBrokenTokens(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	pages := map[mockidp.Kind]string{mockidp.Workforce: "/", mockidp.B2C: "/?kind=b2c", mockidp.External: "/?kind=external"}
	links := map[mockidp.Kind]map[string]string{}
	for kind, address := range pages {
		_, doc := getTokenPage(t, idp, address)
		links[kind] = linksOf(doc, "broken")
	}
	for _, b := range mockidp.Broken() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			link, ok := links[b.Kind][b.Name]
			if !ok {
				t.Fatalf("%s is not offered for %v tenants", b.Name, b.Kind)
			}
			status, doc := getTokenPage(t, idp, link)
			if status != http.StatusOK || shownToken(doc) == "" {
				t.Fatalf("got=%d with a token of %d bytes", status, len(shownToken(doc)))
			}
			section := doc.byID("token").words()
			for _, part := range []string{b.Breaks, b.Reason, b.Check, fmt.Sprint(b.Status)} {
				if !strings.Contains(section, strings.Join(strings.Fields(part), " ")) {
					t.Errorf("%q is not said", part)
				}
			}
			if heading, all := verdictOf(t, doc); b.Check == "signature" && strings.HasPrefix(heading, "Signed by this server") {
				t.Errorf("got=%q", all)
			}
		})
	}
	total := 0
	for _, l := range links {
		total += len(l)
	}
	if want := len(mockidp.Broken()); total != want {
		t.Errorf("offered: got=%d, want=%d", total, want)
	}
}

func TestTokenPageIssued(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	if _, doc := getTokenPage(t, idp, "/"); doc.byID("issued") != nil {
		t.Error("nothing was issued yet")
	}
	tokens := []string{}
	for n := range 25 {
		raw := idp.Tenant(mockidp.Contoso).Token(mockidp.Claim("n", n))
		tokens = append(tokens, raw)
		idp.NoteIssued("access token", fmt.Sprintf("jo@contoso.example, number %d", n), raw)
	}
	_, doc := getTokenPage(t, idp, "/")
	list := doc.byID("issued")
	links := list.all("a")
	if len(links) != 20 { // bounded
		t.Fatalf("got=%d, want=20", len(links))
	}
	if items := list.all("li"); !strings.Contains(items[0].words(), "number 24") || !strings.Contains(items[19].words(), "number 5") {
		t.Errorf("got=%q … %q, want the newest first", items[0].words(), items[19].words())
	}
	_, doc = getTokenPage(t, idp, links[0].attrs["href"])
	if shownToken(doc) != tokens[24] {
		t.Error("the link shows another token")
	}
	if heading, _ := verdictOf(t, doc); heading != "Signed by this server" {
		t.Errorf("got=%q", heading)
	}
	if status, _ := getTokenPage(t, idp, "/?issued=5"); status != http.StatusNotFound {
		t.Errorf("one that fell out: got=%d, want=404", status)
	}
	if status, _ := getTokenPage(t, idp, "/?issued=6"); status != http.StatusOK {
		t.Errorf("the oldest one: got=%d, want=200", status)
	}
}

func TestTokenPageTenants(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithTenants())
	status, doc := getTokenPage(t, idp, "/?make=v2-user")
	if status != http.StatusOK || doc.byID("ready") != nil || doc.byID("raw") == nil {
		t.Errorf("got=%d", status)
	}
	many := []mockidp.Tenant{}
	for n := range 60 {
		many = append(many, mockidp.Tenant{ID: fmt.Sprintf("30000000-0000-4000-8000-%012d", n)})
	}
	idp = mockidp.New(mockidp.WithTenants(many...))
	_, doc = getTokenPage(t, idp, "/?tenant="+strings.ToUpper(many[55].ID))
	tenants := slices.DeleteFunc(doc.byID("ready").all("a"), func(a *element) bool {
		return strings.Contains(a.attrs["href"], "make=") || !strings.HasPrefix(a.words(), "3000")
	})
	if len(tenants) != 41 || tenants[40].attrs["aria-current"] != "true" || !strings.HasPrefix(tenants[40].words(), many[55].ID) {
		t.Errorf("tenants: got=%d, want the first 40 and the chosen one", len(tenants))
	}
}

// The claims of the tokens that Microsoft documents each have a sentence of their own.
func TestClaimsExplained(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(`aud iss idp iat nbf exp acr acrs amr appid azp appidacr azpacr scp roles wids groups hasgroups _claim_names
		_claim_sources groups:src1 name preferred_username unique_name upn email oid sub tid uti aio rh xms_ftd ver sid login_hint idtyp acct auth_time
		ctry tenant_ctry tenant_region_scope verified_primary_email verified_secondary_email xms_edov xms_pl xms_tpl xms_pdl xms_cc fwd vnet ztdid
		in_corp ipaddr onprem_sid pwd_exp pwd_url nickname given_name family_name puid platf signin_state app_displayname deviceid xms_mirid xms_az_rid
		xms_tcdt xms_tdbr xms_idrel xms_act_fct xms_sub_fct xms_tnt_fct xms_par_app_azp xms_rd xms_ssm xms_spcu xms_ficinfo xms_st cnf nonce at_hash
		c_hash tfp emails signInNames.emailAddress country city state postalCode streetAddress jobTitle idp_access_token newUser extension_LoyaltyId`) {
		text := mockidp.ExplainClaim(name)
		if strings.HasPrefix(text, "Not a claim") || !strings.HasSuffix(text, ".") || strings.Contains(text, ". ") || len(text) > 140 {
			t.Errorf("%s: got=%q, want one plain sentence", name, text)
		}
	}
	for name, want := range map[string]string{"department": "Not a claim of Microsoft's own", "xms_new": "Internal to Microsoft", "TID": "Looks like tid"} {
		if text := mockidp.ExplainClaim(name); !strings.HasPrefix(text, want) {
			t.Errorf("%s: got=%q, want=%q…", name, text, want)
		}
	}
}

// FuzzTokenPage: whatever is pasted, the page is a page, and nothing but the server's own signatures are called so.
func FuzzTokenPage(f *testing.F) {
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	good := contoso.Token()
	for _, seed := range []string{good, "a.b.c", "....", hostile, "{}", `{"access_token":"x"}`, "e30.e30.", "bearer ", good + "=", "\x00", "W10.W10.W10"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		status, doc := paste(t, idp, pasted)
		if status != http.StatusOK && status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
			t.Fatalf("got=%d", status)
		}
		for _, e := range doc.all("div") {
			if e.attrs["class"] != "verdict good" {
				continue
			}
			if shown := shownToken(doc); shown != good {
				t.Fatalf("signed by the server, it says: %q", shown)
			}
		}
	})
}
