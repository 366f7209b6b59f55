package adminconsent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/mockidp"
)

// Answers to the consent that nobody may get through with. Each row changes one thing of an answer that is accepted.
func TestConsentAttacks(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	for name, row := range map[string]struct {
		address  func(string) string
		customer string
		cookie   func(string) string
		want     error
	}{
		"accepted":                     {},
		"accepted, extra parameter":    {address: func(a string) string { return a + "&new=1" }},
		"accepted, tenant in capitals": {address: func(a string) string { return edited(t, a, "tenant", strings.ToUpper(mockidp.Fabrikam)) }},
		"accepted, true":               {address: func(a string) string { return edited(t, a, "admin_consent", "true") }},

		"no state":             {address: func(a string) string { return edited(t, a, "state", "") }, want: adminconsent.ErrState},
		"forged state":         {address: func(a string) string { return edited(t, a, "state", flip(param(t, a, "state"))) }, want: adminconsent.ErrState},
		"made-up state":        {address: func(a string) string { return edited(t, a, "state", strings.Repeat("A", 200)) }, want: adminconsent.ErrState},
		"short state":          {address: func(a string) string { return edited(t, a, "state", "AAAA") }, want: adminconsent.ErrState},
		"padded state":         {address: func(a string) string { return edited(t, a, "state", param(t, a, "state")+"=") }, want: adminconsent.ErrState},
		"other customer":       {customer: "customer-18", want: adminconsent.ErrCustomer},
		"no cookie":            {cookie: func(string) string { return "" }, want: adminconsent.ErrBrowser},
		"forged cookie":        {cookie: func(string) string { return strings.Repeat("A", 43) }, want: adminconsent.ErrBrowser},
		"short cookie":         {cookie: func(c string) string { return c[:42] }, want: adminconsent.ErrBrowser},
		"changed cookie":       {cookie: func(c string) string { return "A" + c[1:] }, want: adminconsent.ErrBrowser},
		"no tenant":            {address: func(a string) string { return edited(t, a, "tenant", "") }, want: adminconsent.ErrTenant},
		"tenant organizations": {address: func(a string) string { return edited(t, a, "tenant", "organizations") }, want: adminconsent.ErrTenant},
		"tenant by name":       {address: func(a string) string { return edited(t, a, "tenant", "fabrikam.onmicrosoft.com") }, want: adminconsent.ErrTenant},
		"tenant with a path":   {address: func(a string) string { return edited(t, a, "tenant", mockidp.Fabrikam+"/x") }, want: adminconsent.ErrTenant},
		"personal accounts":    {address: func(a string) string { return edited(t, a, "tenant", mockidp.PersonalAccounts) }, want: adminconsent.ErrTenant},
		"no consent":           {address: func(a string) string { return edited(t, a, "admin_consent", "False") }, want: adminconsent.ErrAnswer},
		"nothing said":         {address: func(a string) string { return edited(t, a, "admin_consent", "") }, want: adminconsent.ErrAnswer},
		"state twice":          {address: func(a string) string { return a + "&state=" + param(t, a, "state") }, want: adminconsent.ErrDuplicate},
		"tenant twice":         {address: func(a string) string { return a + "&tenant=" + mockidp.Contoso }, want: adminconsent.ErrDuplicate},
		"semicolon":            {address: func(a string) string { return a + ";tenant=" + mockidp.Contoso }, want: adminconsent.ErrAnswer},
		"bad encoding":         {address: func(a string) string { return a + "&x=%" }, want: adminconsent.ErrAnswer},
		"too long":             {address: func(a string) string { return a + "&x=" + strings.Repeat("x", 16<<10) }, want: adminconsent.ErrAnswer},
		"denied":               {address: func(a string) string { return edited(t, a, "error", "access_denied") }, want: adminconsent.ErrDenied},
		"denied, forged":       {address: func(a string) string { return edited(t, a, "error", "access_denied", "state", "") }, want: adminconsent.ErrState},
	} {
		b := &browser{t: t}
		answer := b.toConsented(idp, f, ada)
		if row.address != nil {
			answer = row.address(answer)
		}
		if row.cookie != nil {
			b.cookie = row.cookie(b.cookie)
		}
		if row.customer == "" {
			row.customer = customer
		}
		to, err := b.proceed(f, answer, row.customer)
		if row.want != nil {
			wants(t, name, err, row.want)
		} else if err != nil || !strings.Contains(to, mockidp.Fabrikam+"/oauth2/v2.0/authorize?") {
			t.Errorf("%s: got=%s %v", name, to, err)
		}
	}
}

// Answers to the sign-in, likewise.
func TestSignInAttacks(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	for name, row := range map[string]struct {
		address  func(string) string
		customer string
		cookie   func(string) string
		want     error
	}{
		"accepted":       {},
		"forged state":   {address: func(a string) string { return edited(t, a, "state", flip(param(t, a, "state"))) }, want: adminconsent.ErrState},
		"other customer": {customer: "customer-18", want: adminconsent.ErrCustomer},
		"no cookie":      {cookie: func(string) string { return "" }, want: adminconsent.ErrBrowser},
		"no code":        {address: func(a string) string { return edited(t, a, "code", "") }, want: adminconsent.ErrAnswer},
		"code twice":     {address: func(a string) string { return a + "&code=x" }, want: adminconsent.ErrDuplicate},
		"made-up code":   {address: func(a string) string { return edited(t, a, "code", "1.Ax") }, want: adminconsent.ErrProof},
		"denied":         {address: func(a string) string { return edited(t, a, "error", "access_denied") }, want: adminconsent.ErrDenied},
	} {
		b := &browser{t: t}
		answer := b.toSignedIn(idp, f, ada)
		if row.address != nil {
			answer = row.address(answer)
		}
		if row.cookie != nil {
			b.cookie = row.cookie(b.cookie)
		}
		if row.customer == "" {
			row.customer = customer
		}
		g, err := b.finish(f, answer, row.customer)
		if row.want != nil {
			wants(t, name, err, row.want)
		} else if err != nil || g.TenantID != mockidp.Fabrikam {
			t.Errorf("%s: got=%+v %v", name, g, err)
		}
	}
}

// A state is good for its own step alone, and for its own application.
func TestStatesAreNotExchanged(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	first := b.toConsented(idp, f, ada)
	_, err := b.finish(f, edited(t, signedIn, "state", param(t, first, "state"), "code", "x"), customer)
	wants(t, "of the consent at the sign-in", err, adminconsent.ErrState)
	to, err := b.proceed(f, first, customer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.proceed(f, edited(t, first, "state", param(t, to, "state")), customer)
	wants(t, "of the sign-in at the consent", err, adminconsent.ErrState)
	other := newFlow(t, idp, func(c *adminconsent.Config) { c.ConsentURI = "https://orders.example/elsewhere" })
	_, err = b.proceed(other, first, customer)
	wants(t, "of another configuration with the same key", err, adminconsent.ErrState)
}

// Two browsers: what one was sent is of no use in the other, whichever way round, and a flow that began later ends an earlier one.
func TestForeignBrowsers(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	attacker, victim := &browser{t: t}, &browser{t: t}

	// The administrator is lured to the consent page of the attacker's flow, and then, believing in it, to the sign-in page.
	page := attacker.begin(f, adminconsent.Start{For: "attacker"})
	answer := walk(t, idp, page, ada)
	_, err := victim.proceed(f, answer, "attacker")
	wants(t, "lured, without a flow", err, adminconsent.ErrBrowser)
	victim.begin(f, adminconsent.Start{For: customer})
	_, err = victim.proceed(f, answer, customer)
	wants(t, "lured, with a flow", err, adminconsent.ErrBrowser)

	forged := edited(t, consented, "admin_consent", "True", "tenant", mockidp.Fabrikam, "state", param(t, page, "state"))
	to, err := attacker.proceed(f, forged, "attacker") // goes through: a tenant is only claimed here
	if err != nil {
		t.Fatal(err)
	}
	answer = walk(t, idp, to, ada) // the victim, signed in
	_, err = victim.finish(f, answer, customer)
	wants(t, "lured to sign in", err, adminconsent.ErrBrowser)

	// The attacker's answer is planted in the victim's browser, so that the victim's customer gets the attacker's tenant.
	planter := &browser{t: t}
	planted := planter.toSignedIn(idp, f, pat)
	_, err = victim.finish(f, planted, customer)
	wants(t, "planted", err, adminconsent.ErrBrowser)

	// Even the victim's code under the attacker's state is bound to the victim's cookie.
	own := &browser{t: t}
	stolen := own.toSignedIn(idp, f, ada)
	mine := &browser{t: t}
	answer = mine.toSignedIn(idp, f, ada)
	_, err = mine.finish(f, edited(t, answer, "code", param(t, stolen, "code")), customer)
	wants(t, "injected code", err, adminconsent.ErrProof)

	tabs := &browser{t: t}
	earlier := tabs.toConsented(idp, f, ada)
	later := tabs.toConsented(idp, f, ada)
	_, err = tabs.proceed(f, earlier, customer)
	wants(t, "the earlier tab", err, adminconsent.ErrBrowser)
	if _, err = tabs.proceed(f, later, customer); err != nil {
		t.Error(err)
	}
	r := httptest.NewRequest(http.MethodGet, later, nil)
	for range 2 {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: tabs.cookie})
	}
	wants(t, "two cookies", f.Continue(httptest.NewRecorder(), r, customer), adminconsent.ErrBrowser)
	wants(t, "posted", f.Continue(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, later, nil), customer), adminconsent.ErrAnswer)
}

// The attack that all of this is for: an administrator of one tenant claims another, of which only the ID is known.
func TestClaimedTenant(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	idp.AddEnterpriseApplication(mockidp.Fabrikam, mockidp.EnterpriseApplication{ID: app}) // the victim is a customer
	claim := func(f *adminconsent.Flow, b *browser) string {
		t.Helper()
		to, err := b.proceed(f, edited(t, b.toConsented(idp, f, pat), "tenant", mockidp.Fabrikam), customer)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	to := claim(f, b)
	if r, err := idp.Walk(to, pat); err != nil || r.Values.Get("code") != "" {
		t.Fatalf("Contoso's administrator signs in to Fabrikam: %+v %v", r, err)
	}
	own := walk(t, idp, strings.Replace(to, mockidp.Fabrikam, mockidp.Contoso, 1), pat)
	_, err := b.finish(f, own, customer)
	wants(t, "signed in at home", err, adminconsent.ErrProof)

	// Redeemed wherever it is good, the token says whose it is.
	careless := newFlow(t, idp, withRedeem(func(ctx context.Context, c adminconsent.Code) (string, error) {
		tokens, err := idp.Tenant(mockidp.Contoso).SignIn(mockidp.SignIn{Client: app, Login: pat, Scopes: []string{scope}})
		return tokens.AccessToken, err
	}))
	b = &browser{t: t}
	to = claim(careless, b)
	_, err = b.finish(careless, walk(t, idp, strings.Replace(to, mockidp.Fabrikam, mockidp.Contoso, 1), pat), customer)
	wants(t, "redeemed at home", err, adminconsent.ErrProof)
	if !errors.Is(err, identity.ErrUnknownTenant) {
		t.Errorf("got=%v, want=%v", err, identity.ErrUnknownTenant)
	}

	// Employees and guests of the victim belong there, and may not speak for it.
	for _, row := range []struct{ tenant, login string }{{mockidp.Fabrikam, kim}, {mockidp.Contoso, jo}, {mockidp.Contoso, kim}} {
		idp.AddEnterpriseApplication(row.tenant, mockidp.EnterpriseApplication{ID: app})
		claimed := func(f *adminconsent.Flow) error {
			b := &browser{t: t}
			page := b.begin(f, adminconsent.Start{For: customer})
			to, err := b.proceed(f, edited(t, consented, "admin_consent", "True", "tenant", row.tenant, "state", param(t, page, "state")), customer)
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.finish(f, walk(t, idp, to, row.login), customer)
			return err
		}
		wants(t, row.login+" at "+row.tenant, claimed(f), adminconsent.ErrNotAdmin)
		err := claimed(newFlow(t, idp, func(c *adminconsent.Config) { c.InsecureAnyMember = true }))
		if guest := row.login == kim && row.tenant == mockidp.Contoso; guest {
			wants(t, "a guest", err, adminconsent.ErrProof)
			if !errors.Is(err, identity.ErrGuest) {
				t.Errorf("got=%v", err)
			}
		} else if err != nil {
			t.Errorf("a member, where every member will do: %v", err)
		}
	}
}

// What Redeem comes back with. Each row breaks one thing of a token that is a proof.
func TestProofs(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	fabrikam := idp.Tenant(mockidp.Fabrikam)
	roles := func(ids ...any) mockidp.TokenOption { return mockidp.Claim("wids", ids) }
	good := []mockidp.TokenOption{mockidp.Audience(app), mockidp.ClientID(app), mockidp.Scopes("Orders.Read"), roles(adminconsent.GlobalAdministrator)}
	and := func(more ...mockidp.TokenOption) string {
		return fabrikam.Token(append(append([]mockidp.TokenOption{}, good...), more...)...)
	}
	const member = "b79fbf4d-3ef9-4689-8143-76b194e85509"
	attempt := func(raw string) error {
		f := newFlow(t, idp, withRedeem(tokens(raw)))
		b := &browser{t: t}
		_, err := b.finish(f, b.toSignedIn(idp, f, ada), customer)
		return err
	}
	for name, row := range map[string]struct {
		raw  string
		want error
	}{
		"accepted":                         {raw: and()},
		"accepted, v1.0":                   {raw: fabrikam.Token(append(good, mockidp.V1())...)},
		"accepted, one role among several": {raw: and(roles(member, strings.ToUpper(adminconsent.CloudApplicationAdministrator)))},
		"tenant of somebody else":          {raw: idp.Tenant(mockidp.Contoso).Token(good...), want: adminconsent.ErrProof},
		"tenant in the issuer only":        {raw: and(mockidp.Claim("tid", mockidp.Contoso)), want: adminconsent.ErrProof},
		"issuer of another cloud":          {raw: and(mockidp.IssuedBy("https://login.microsoftonline.us")), want: adminconsent.ErrProof},
		"issuer of personal accounts":      {raw: and(mockidp.PersonalAccount()), want: adminconsent.ErrProof},
		"the application itself":           {raw: and(mockidp.AppOnly("Jobs.Run.All")), want: adminconsent.ErrProof},
		"the application, with wids":       {raw: fabrikam.Token(mockidp.AppOnly("Jobs.Run.All"), mockidp.Audience(app), mockidp.ClientID(app), roles(adminconsent.GlobalAdministrator)), want: adminconsent.ErrProof},
		"an ID token":                      {raw: fabrikam.Token(mockidp.IDToken(), mockidp.Audience(app), roles(adminconsent.GlobalAdministrator)), want: adminconsent.ErrProof},
		"for another API":                  {raw: and(mockidp.Audience(mockidp.API)), want: adminconsent.ErrProof},
		"for another client":               {raw: and(mockidp.ClientID(mockidp.Client)), want: adminconsent.ErrProof},
		"expired":                          {raw: and(mockidp.ExpiresIn(-time.Hour)), want: adminconsent.ErrProof},
		"of nobody":                        {raw: and(mockidp.Without("oid")), want: adminconsent.ErrProof},
		"nothing":                          {raw: "", want: adminconsent.ErrProof},
		"no roles":                         {raw: and(mockidp.Without("wids")), want: adminconsent.ErrNotAdmin},
		"an ordinary member":               {raw: and(roles(member)), want: adminconsent.ErrNotAdmin},
		"another role":                     {raw: and(roles("88d8e3e3-8f55-4a1e-953a-9b9898b8876b")), want: adminconsent.ErrNotAdmin},
		"roles of another form":            {raw: and(mockidp.Claim("wids", adminconsent.GlobalAdministrator)), want: adminconsent.ErrNotAdmin},
		"a role that is no text":           {raw: and(roles(map[string]any{"id": adminconsent.GlobalAdministrator}, 7)), want: adminconsent.ErrNotAdmin},
	} {
		if err := attempt(row.raw); row.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else {
			wants(t, name, err, row.want)
		}
	}
}

// The catalogue of broken tokens, against a configuration that accepts the token without the defect.
func TestBrokenProofs(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	fabrikam := idp.Tenant(mockidp.Fabrikam)
	attempt := func(raw string) error {
		f := newFlow(t, idp, func(c *adminconsent.Config) {
			withRedeem(tokens(raw))(c)
			c.ClientID, c.API, c.InsecureAnyMember = mockidp.Client, mockidp.API, true
		})
		b := &browser{t: t}
		page := b.begin(f, adminconsent.Start{For: customer})
		to, err := b.proceed(f, edited(t, consented, "admin_consent", "True", "tenant", mockidp.Fabrikam, "state", param(t, page, "state")), customer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.finish(f, edited(t, signedIn, "code", "x", "state", param(t, to, "state")), customer)
		return err
	}
	if err := attempt(fabrikam.Token()); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, broken := range mockidp.Broken() {
		if broken.Kind == mockidp.Workforce {
			wants(t, broken.Name, attempt(broken.Token(fabrikam)), adminconsent.ErrProof)
			tried++
		}
	}
	if tried < 100 {
		t.Errorf("got=%d tokens", tried)
	}
}
