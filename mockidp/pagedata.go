package mockidp

import "html/template"

// page is a page for people. The types below are the data of the pages; their templates are in pages/, rendering is in pages.go.
// All text is escaped when it is rendered: texts of a request may be put in as they are.
type page interface {
	// template names the file in pages/, without its ending.
	template() string
	// title is what the browser shows for the page, and what a screen reader says first.
	title() string
}

// pageField is a hidden field of a form: what the next step has to know, and the token against cross-site requests.
type pageField struct{ Name, Value string }

// pageForm is where a page posts to.
type pageForm struct {
	Action string // address, usually a path of this server; empty posts to the page's own address
	Hidden []pageField
}

// pagePlace says on behalf of whom a page asks.
type pagePlace struct {
	Tenant string // as people know it: contoso.onmicrosoft.com
	Policy string // of B2C; empty elsewhere
	App    string // display name of the application; empty when there is none
}

// signInPage asks who signs in. A chosen account posts loginfmt alone; the form for another one posts loginfmt and passwd; its
// second button posts cancel=1.
type signInPage struct {
	pageForm
	pagePlace
	Accounts []pageAccount // to choose from; none: only the form
	Login    string        // fills in loginfmt
	Password bool          // the account named by Login needs its password: no choice is offered, passwd gets the focus
	Error    string        // a sentence; empty when nothing went wrong
}

// pageAccount is an account to choose.
type pageAccount struct {
	Name, Login string
	Note        string // "guest", "signed in", "asks for a password"; may be empty
}

// consentPage asks whether the application may have what it asks for. The buttons post consent=accept or consent=cancel.
type consentPage struct {
	pageForm
	pagePlace
	Login       string
	Permissions []pagePermission
}

// adminConsentPage asks an administrator to consent for a whole tenant. Its buttons are those of consentPage.
type adminConsentPage struct {
	pageForm
	pagePlace   // the tenant is the administrator's
	Login       string
	Permissions []pagePermission
}

// adminNeededPage says that somebody else has to consent. The buttons post another=1 or cancel=1.
type adminNeededPage struct {
	pageForm
	pagePlace // the tenant is the user's
	Login     string
}

// pagePermission is a line of a consent page.
type pagePermission struct {
	Name string // Orders.Read
	API  string // display name of the API that has the scope; empty for openid and its like
	Text string // what it allows, a sentence; may be empty
}

// deviceCodePage asks for the code that a device shows. It posts otc.
type deviceCodePage struct {
	pageForm
	Code  string // fills in otc
	Error string
}

// deviceConfirmPage asks whether the device is really one's own. The buttons post decision=approve or decision=decline.
type deviceConfirmPage struct {
	pageForm
	pagePlace
	Login string
	Code  string // as the device shows it
}

// messagePage says that something is done: signed in on the device, declined.
type messagePage struct {
	pagePlace
	Heading string
	Text    string // sentences
}

// signedOutPage says that the session has ended.
type signedOutPage struct {
	pagePlace
	Logins []string // who was signed in; none when nobody was
}

// errorPage says why there is no way on: an unknown application, an unregistered redirect URI, a code that is no longer valid.
type errorPage struct {
	pagePlace
	Code        string // AADSTS50011, AADB2C90006; may be empty
	Message     string // Microsoft's sentence, without the code
	Hint        string // how to put it right on this server, a sentence; may be empty
	Request     string // trace ID
	Correlation string
	Time        string
}

// formPostPage delivers an authorize response to the application, by script or by its button.
type formPostPage struct {
	Action string // redirect URI, http or https
	Fields []pageField
}

func (signInPage) template() string        { return "signin" }
func (consentPage) template() string       { return "consent" }
func (adminConsentPage) template() string  { return "adminconsent" }
func (adminNeededPage) template() string   { return "adminneeded" }
func (deviceCodePage) template() string    { return "devicecode" }
func (deviceConfirmPage) template() string { return "deviceconfirm" }
func (messagePage) template() string       { return "message" }
func (signedOutPage) template() string     { return "signedout" }
func (errorPage) template() string         { return "error" }
func (formPostPage) template() string      { return "formpost" }

func (p signInPage) title() string {
	title := "Sign in"
	switch {
	case p.Password:
		title = "Enter password"
	case len(p.Accounts) > 0:
		title = "Pick an account"
	}
	if p.Error != "" {
		title = "Error: " + title
	}
	return title
}

func (p deviceCodePage) title() string {
	if p.Error != "" {
		return "Error: Enter code"
	}
	return "Enter code"
}

func (consentPage) title() string       { return "Permissions requested" }
func (adminConsentPage) title() string  { return "Permissions requested" }
func (adminNeededPage) title() string   { return "Need admin approval" }
func (deviceConfirmPage) title() string { return "Is this your device?" }
func (p messagePage) title() string     { return p.Heading }
func (signedOutPage) title() string     { return "Signed out" }
func (errorPage) title() string         { return "Sign-in is not possible" }
func (formPostPage) title() string      { return "Back to the application" }

// pageStyle and pageScript are files of pages/, which are part of the program: nothing of a request ever has these types.
type (
	pageStyle  = template.CSS
	pageScript = template.JS
)
