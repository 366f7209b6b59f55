package mockidp

import (
	"net/http"
	"slices"
	"strings"
)

// sessionCookie holds the browser's ID. It is sent in the hidden frames of other sites, where clients renew tokens silently.
const sessionCookie = "mockidp-session"

// cookie is the browser's ID, if it has one.
func (x *exchange) cookie() string {
	if c, err := x.r.Cookie(sessionCookie); err == nil {
		return strings.Clone(c.Value)
	}
	return ""
}

// withCookie gives the browser an ID.
func (x *exchange) withCookie(a answer, id string) answer {
	c := http.Cookie{Name: sessionCookie, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode}
	if x.r.TLS == nil { // browsers keep neither without TLS
		c.Secure, c.SameSite = false, http.SameSiteLaxMode
	}
	a.header.Set("Set-Cookie", c.String()) // there is no other
	return a
}

// session is who is signed in, as they are at this address.
func (x *exchange) session(req *authRequest) (accounts []account, signed []signedIn) {
	var all []signedIn
	x.srv.sessions.do(func() {
		if b, ok := x.srv.sessions.browsers.live(x.cookie(), x.srv.now()); ok {
			all = slices.Clone(b.accounts)
		}
	})
	for _, s := range all {
		a, ok := x.srv.accountIn(x.rt, s.accountKey)
		if ok && !a.Disabled && (req == nil || !a.personal() || req.app.PersonalAccounts) {
			accounts, signed = append(accounts, a), append(signed, s)
		}
	}
	return accounts, signed
}

// begin finds out who it is about: somebody who is signed in, or whoever fills in the page.
func (x *exchange) begin(req *authRequest) answer {
	accounts, signed := x.session(req)
	var fitting []int
	for i, a := range accounts {
		hintFits := req.loginHint == "" || strings.EqualFold(a.Login, req.loginHint)
		if sidFits := req.sid == "" || signed[i].sid == req.sid; hintFits && sidFits {
			fitting = append(fitting, i)
		}
	}
	f := &flow{rt: x.rt.kept(), request: req}
	switch ask := req.has("login") || req.has("select_account") || req.has("create"); {
	case len(fitting) == 1 && !ask:
		k := accounts[fitting[0]].key()
		f.account, f.signed = &k, signed[fitting[0]]
		return x.proceed(f)
	case req.has("none") && len(fitting) == 0:
		return x.denied(req, refuse("login_required", 50058, "A silent sign-in request was sent but no user is signed in.").
			inB2C(90077, "User does not have an existing session and request prompt parameter has a value of 'None'."))
	case req.has("none"):
		return x.denied(req, refuse("interaction_required", 16000, "Either multiple user identities are available for the current request or selected account is not "+
			"supported for the scenario."))
	}
	return x.showSignIn(f, http.StatusOK, req.loginHint, "")
}

// remember keeps a flow for the next post, and gives the browser what binds it to the flow.
func (x *exchange) remember(f *flow) (id string, fields []pageField) {
	id = newSecret("")
	if f.browser == "" {
		if f.browser = x.cookie(); len(f.browser) != 43 {
			f.browser = newSecret("")
		}
	}
	f.canary = newSecret("")
	x.srv.sessions.do(func() { x.srv.sessions.flows.put(id, f, x.srv.now().Add(flowLife)) })
	return id, []pageField{{"flow", id}, {"canary", f.canary}}
}

// app is the application that somebody signs in to.
func (x *exchange) appOf(f *flow) *application {
	if f.request != nil {
		return f.request.app
	}
	return x.srv.client(&f.rt, f.device.client)
}

// showSignIn renders the page, with a sentence when the last attempt failed.
func (x *exchange) showSignIn(f *flow, status int, login, problem string) answer {
	app := x.appOf(f)
	_, fields := x.remember(f)
	p := signInPage{pageForm: pageForm{x.rt.address("/login"), fields}, pagePlace: x.place(app), Login: login, Error: problem}
	here, _ := x.session(f.request)
	fresh := f.request != nil && f.request.has("login")
	for _, a := range x.offered(f, app) {
		signed := slices.ContainsFunc(here, func(other account) bool { return other.key() == a.key() })
		p.Accounts = append(p.Accounts, pageAccount{Name: a.displayName(), Login: a.Login, Note: note(a, signed && !fresh)})
	}
	if a, ok := x.srv.accountByLogin(x.rt, app, login); ok && a.Password != "" && login != "" {
		p.Password = true
	}
	return x.withCookie(pageAnswer(status, p), f.browser)
}

// maxOffered bounds the list of a sign-in page. Others can be typed.
const maxOffered = 20

// offered lists the accounts that can be picked, narrowed by domain_hint.
func (x *exchange) offered(f *flow, app *application) []account {
	hint := ""
	if f.request != nil {
		hint = strings.ToLower(f.request.domainHint)
	}
	all := slices.DeleteFunc(x.srv.accountsAt(x.rt, app), func(a account) bool {
		switch {
		case a.Disabled, hint == "consumers" && !a.personal(), hint == "organizations" && a.personal():
			return true
		}
		return strings.Contains(hint, ".") && !strings.HasSuffix(strings.ToLower(a.Login), "@"+hint)
	})
	return all[:min(len(all), maxOffered)]
}

func note(a account, signed bool) string {
	switch {
	case signed:
		return "signed in"
	case a.Password != "":
		return "asks for a password"
	case a.HomeTenant != "":
		return "guest"
	case a.personal():
		return "personal account"
	}
	return ""
}

// pagePosted is where every page posts to.
func (x *exchange) pagePosted() answer {
	if x.r.URL.Path != "" && strings.EqualFold(x.r.URL.Path, deviceFormPath) && x.r.Method != http.MethodPost {
		return x.showDeviceCode(http.StatusOK, x.query.Get("otc"), "")
	}
	if x.r.Method != http.MethodPost {
		return x.wrongMethod("POST")
	}
	if x.problem != nil {
		return x.errorPage(x.problem, nil)
	}
	f := x.takeFlow()
	if f == nil {
		return x.errorPage(refuse("invalid_request", 165000, "The request tokens do not match the user context. One or more of the user context values (cookies; form fields; headers) "+
			"supplied were incorrect or invalid.").advise("The page was used already, is too old, or the browser keeps no cookies. Start again from the application."), nil)
	}
	// The page may have been posted to another address of the same server: the flow knows which one it began at.
	y := *x
	y.rt = &f.rt
	switch {
	case f.request == nil && f.device == nil:
		return y.deviceCodePosted()
	case y.form.Get("cancel") != "" || y.form.Get("consent") == "cancel":
		return y.cancelled(f)
	case y.form.Get("another") != "":
		f.account, f.signed, f.barred = nil, signedIn{}, false
		return y.showSignIn(f, http.StatusOK, "", "")
	case f.account == nil:
		return y.signInPosted(f)
	case f.request == nil && y.form.Get("decision") != "":
		return y.deviceDecided(f)
	case y.form.Get("consent") == "accept":
		return y.consentPosted(f)
	}
	return y.proceed(f)
}

// takeFlow finds the flow of a post and ends it; the next page has one of its own. The cookie and the page have to agree, so that
// no other site can post in somebody's name.
func (x *exchange) takeFlow() *flow {
	var f *flow
	s := &x.srv.sessions
	s.do(func() {
		found, ok := s.flows.live(x.form.Get("flow"), x.srv.now())
		if ok && found.canary == x.form.Get("canary") && found.browser == x.cookie() {
			s.flows.remove(x.form.Get("flow"))
			next := *found
			f = &next
		}
	})
	return f
}

func (x *exchange) cancelled(f *flow) answer {
	if f.request == nil {
		return x.declineDevice(f)
	}
	if f.barred {
		return x.denied(f.request, adminNeeded())
	}
	return x.denied(f.request, declined())
}

func declined() *refusal {
	return refuse("access_denied", 65004, "User declined to consent to access the app.").inB2C(90091, "The user has cancelled entering self-asserted information.")
}

// signInPosted checks who signs in.
func (x *exchange) signInPosted(f *flow) answer {
	login := strings.TrimSpace(x.form.Get("loginfmt"))
	user, problem := x.authenticate(f, login, x.form.Get("passwd"))
	if problem != "" {
		return x.showSignIn(f, http.StatusOK, login, problem)
	}
	if user == nil { // the password is still to come
		return x.showSignIn(f, http.StatusOK, login, "")
	}
	x.signIn(f, *user)
	return x.withCookie(x.proceed(f), f.browser)
}

// authenticate finds the user. Neither a user nor a problem means that the page has to ask for the password.
func (x *exchange) authenticate(f *flow, login, password string) (user *account, problem string) {
	a, ok := x.srv.accountByLogin(x.rt, x.appOf(f), login)
	here, signed := x.session(f.request)
	known := slices.IndexFunc(here, func(other account) bool { return ok && other.key() == a.key() })
	fresh := f.request != nil && f.request.has("login")
	switch {
	case login == "":
		return nil, "Enter a login name."
	case !ok:
		return nil, "This account does not exist in " + x.tenantName() + "."
	case a.Disabled:
		return nil, "This account is disabled."
	case known >= 0 && password == "" && !fresh:
		f.signed = signed[known]
		return &a, ""
	case a.Password != "" && password == "":
		return nil, ""
	case a.Password != "" && a.Password != password:
		return nil, "The account name or the password is wrong."
	}
	return &a, ""
}

// signIn puts the account into the browser's session, first in line. Who has just shown who they are gets a new ID: somebody else may
// have planted the old one. Pages that are open in other tabs are out of date then.
func (x *exchange) signIn(f *flow, a account) {
	k := a.key()
	f.account = &k
	planted := f.browser
	if f.signed.sid == "" {
		f.signed = signedIn{accountKey: k, sid: newGUID(), when: x.srv.now()}
		f.browser = newSecret("")
	}
	s := &x.srv.sessions
	s.do(func() {
		old, _ := s.browsers.live(planted, x.srv.now())
		if planted != f.browser {
			s.browsers.remove(planted)
		}
		next := &browser{accounts: []signedIn{f.signed}}
		if old != nil {
			for _, other := range old.accounts {
				if other.accountKey != f.signed.accountKey && len(next.accounts) < maxOffered {
					next.accounts = append(next.accounts, other)
				}
			}
		}
		s.browsers.put(f.browser, next, x.srv.now().Add(sessionLife))
	})
}
