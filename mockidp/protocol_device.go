package mockidp

import (
	"net/http"
	"strings"
	"time"
)

// defaultPollInterval is how long a device waits between two polls.
const defaultPollInterval = 5 * time.Second

// WithPollInterval sets how long devices are told to wait between two polls, in whole seconds. Without it, that is 5 seconds. Who
// polls faster is not punished: MSAL Node would give up.
func WithPollInterval(d time.Duration) Option {
	return func(s *Server) { s.pollInterval = d }
}

// deviceCode is the device authorization endpoint (RFC 8628 §3.1).
func (x *exchange) deviceCode() answer {
	if x.r.Method != http.MethodPost {
		return x.wrongMethod("POST")
	}
	switch {
	case x.b2c():
		return plainAnswer(http.StatusNotFound, "mockidp: B2C has no device code grant\n")
	case !x.served():
		return x.refused(unknownTenant(x.rt.pathTenant))
	}
	d, r := x.newDevice()
	if r != nil {
		return x.refused(r)
	}
	s := &x.srv.sessions
	s.do(func() {
		ends := x.srv.now().Add(deviceLife)
		s.devices.put(d.code, d, ends)
		s.devices.put("user "+d.userCode, d, ends)
	})
	return x.json(x.deviceAnswer(d))
}

func (x *exchange) newDevice() (*device, *refusal) {
	if r := x.readable(x.form); r != nil {
		return nil, r
	}
	app, r := x.findClient(x.form.Get("client_id"))
	if r != nil {
		return nil, r
	}
	if !app.PublicClient && !app.confidential() && !app.Lenient.AnySecret {
		return nil, refuse("invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.").
			advise("Set publicClient on the application.")
	}
	d := &device{code: newSecret("D"), userCode: newUserCode(), client: app.ID, scope: x.form.Get("scope"), resource: x.form.Get("resource"), v1: x.rt.v1, rt: x.rt.kept()}
	switch {
	case d.v1:
		_, r = x.resourceOnly(app, x.likelyTenant(app), d.resource)
	case strings.TrimSpace(d.scope) == "":
		r = missingParameter("scope")
	default:
		_, r = x.understand(x.likelyTenant(app), app, d.scope, true)
	}
	return d, r
}

func (x *exchange) deviceAnswer(d *device) object {
	address := x.rt.base() + deviceFormPath
	interval := x.srv.pollInterval
	if interval <= 0 {
		interval = defaultPollInterval
	}
	name, number := "verification_uri", func(d time.Duration) any { return int(d / time.Second) }
	if d.v1 {
		name, number = "verification_url", func(d time.Duration) any { return seconds(d) }
	}
	return object{
		{"user_code", d.userCode},
		{"device_code", d.code},
		{name, address},
		{"expires_in", number(deviceLife)},
		{"interval", number(max(interval, time.Second))},
		{"message", "To sign in, use a web browser to open the page " + address + " and enter the code " + d.userCode + " to authenticate."},
	}
}

// newUserCode has nine characters that are not mistaken for others.
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ23456789"
	code := randomBytes(9)
	for i, b := range code {
		code[i] = letters[int(b)%len(letters)]
	}
	return string(code)
}

// deviceByUserCode finds a device that waits. The codes are typed by people.
func (s *Server) deviceByUserCode(userCode string) *device {
	clean := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(userCode))
	var found *device
	s.sessions.do(func() {
		if d, ok := s.sessions.devices.live("user "+clean, s.now()); ok && d.state == devicePending {
			found = d
		}
	})
	return found
}

// decide ends the waiting of a device.
func (s *Server) decide(d *device, state deviceState, who accountKey, signed signedIn) {
	s.sessions.do(func() {
		if d.state == devicePending {
			d.state, d.account, d.signed = state, who, signed
		}
	})
}

// showDeviceCode asks for the code.
func (x *exchange) showDeviceCode(status int, code, problem string) answer {
	f := &flow{rt: x.rt.kept()}
	_, fields := x.remember(f)
	return x.withCookie(pageAnswer(status, deviceCodePage{pageForm: pageForm{deviceFormPath, fields}, Code: code, Error: problem}), f.browser)
}

// deviceCodePosted goes on at the tenant that the device asked.
func (x *exchange) deviceCodePosted() answer {
	d := x.srv.deviceByUserCode(x.form.Get("otc"))
	if d == nil {
		return x.showDeviceCode(http.StatusOK, x.form.Get("otc"), "That code didn't work. Check the code and try again.")
	}
	f := &flow{rt: d.rt, device: d}
	y := *x
	y.rt = &f.rt
	if y.appOf(f) == nil {
		return y.errorPage(unknownClient(d.client, y.tenantName()), nil)
	}
	return y.showSignIn(f, http.StatusOK, "", "")
}

// deviceScopes is what a device asks for, and what of it nobody has consented to.
func (x *exchange) deviceScopes(d *device, app *application, user account) (a *asked, missing []string, r *refusal) {
	if d.v1 {
		a, r = x.resourceOnly(app, user.tenant, d.resource)
	} else {
		a, r = x.understand(user.tenant, app, d.scope, true)
	}
	if r == nil {
		_, missing, r = x.grantedScopes(user, app, a)
	}
	return a, missing, r
}

// proceedWithDevice asks for consent, and whether the device is really the user's.
func (x *exchange) proceedWithDevice(f *flow, app *application, user account) answer {
	a, missing, r := x.deviceScopes(f.device, app, user)
	switch {
	case r != nil && !f.device.v1:
		return x.errorPage(r, app)
	case len(missing) > 0 && !x.srv.installed(app, user.tenant):
		return x.showAdminNeeded(f, app, user)
	case len(missing) > 0:
		return x.showConsent(f, app, user, a, missing)
	}
	_, fields := x.remember(f)
	p := deviceConfirmPage{pageForm: pageForm{x.rt.address("/login"), fields}, pagePlace: x.place(app), Login: user.Login, Code: f.device.userCode}
	return x.withCookie(pageAnswer(http.StatusOK, p), f.browser)
}

func (x *exchange) consentToDevice(f *flow, app *application, user account) {
	if a, missing, r := x.deviceScopes(f.device, app, user); r == nil && a.api != nil {
		x.srv.consent(user, app, a.api, missing)
	}
}

func (x *exchange) deviceDecided(f *flow) answer {
	if x.form.Get("decision") != "approve" {
		return x.declineDevice(f)
	}
	x.srv.decide(f.device, deviceApproved, *f.account, f.signed)
	return pageAnswer(http.StatusOK, messagePage{pagePlace: x.place(x.appOf(f)), Heading: "You are signed in",
		Text: "The device is signed in. You can close this window."})
}

func (x *exchange) declineDevice(f *flow) answer {
	if f.device != nil {
		x.srv.decide(f.device, deviceDeclined, accountKey{}, signedIn{})
	}
	return pageAnswer(http.StatusOK, messagePage{pagePlace: x.place(nil), Heading: "Cancelled", Text: "The device was not signed in. You can close this window."})
}

// expiredDevice has another name at v1.
func expiredDevice(v1 bool) *refusal {
	kind := "expired_token"
	if v1 {
		kind = "code_expired"
	}
	return refuse(kind, 70020, "The provided value for the input parameter 'device_code' is not valid. This device code has expired.")
}

// redeemDeviceCode answers the polls of a device (RFC 8628 §3.4).
func (x *exchange) redeemDeviceCode(c *caller) (*issue, *refusal) {
	if x.b2c() {
		return nil, refuse("unsupported_grant_type", 70003, "").inB2C(90086, "The supplied grant_type [%s] is not supported.", x.form.Get("grant_type"))
	}
	value := x.form.Get("device_code")
	if value == "" {
		value = x.form.Get("code") // v1's name
	}
	if value == "" {
		return nil, missingParameter("device_code")
	}
	if r := c.mayBePublic(); r != nil {
		return nil, r
	}
	if r := x.crossOrigin(c.application, nativePlatform); r != nil {
		return nil, r
	}
	var d device
	var ok, ended bool
	s := &x.srv.sessions
	s.do(func() {
		var stored *device
		if stored, ok, ended = s.devices.get(value, x.srv.now()); ok {
			d = *stored
		}
	})
	switch {
	case !ok || d.code != value || d.client != c.ID || d.state == deviceUsed:
		return nil, refuse("bad_verification_code", 70018, "Invalid verification code due to the user typing in a wrong user code for the device code flow, or the code was used already.")
	case d.state == deviceDeclined:
		return nil, refuse("authorization_declined", 65004, "User declined to consent to access the app.")
	case ended:
		return nil, expiredDevice(x.rt.v1)
	case d.state == devicePending:
		return nil, refuse("authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	}
	scope := x.form.Get("scope")
	if scope == "" {
		scope = d.scope
	}
	i, r := x.issueTo(c, given{account: d.account, signed: d.signed, platform: x.platformOf(c), resource: d.resource}, scope)
	if r != nil {
		return nil, r
	}
	won := false
	s.do(func() {
		if stored, ok, _ := s.devices.get(value, x.srv.now()); ok && stored.state == deviceApproved {
			stored.state, won = deviceUsed, true
		}
	})
	if !won {
		return nil, refuse("bad_verification_code", 70018, "The code was used already.")
	}
	return i, nil
}
