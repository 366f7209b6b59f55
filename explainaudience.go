package identity

import (
	"fmt"
	"strings"
)

// scopeToAsk is how a client asks for this API.
func (x *explainer) scopeToAsk() string {
	if x.v.clientID != "" {
		return "api://" + x.v.clientID + "/{scope}, or api://" + x.v.clientID + "/.default"
	}
	if list := x.v.audiencesOf(x.c.tenant); len(list) > 0 && strings.Contains(list[0], "://") {
		return shown(list[0]) + "/{scope}, or " + shown(list[0]) + "/.default"
	}
	return "{Application ID URI}/{scope}, or {Application ID URI}/.default"
}

func (x *explainer) audience() (string, []string) {
	ask := "Have the client ask for a scope of this API: " + x.scopeToAsk() + "."
	expected := x.v.audiencesOf(x.c.tenant)
	found := x.claims.list("aud")
	switch {
	case !x.claims.has("aud"):
		return "The token does not say which API it is for: it has no aud.", forgery
	case len(found) == 0 || found[0] == "" && len(found) == 1:
		kind := emptyOr(x.claims.kind("aud"))
		if kind == "a list" {
			kind = "a list without a text in it"
		}
		return "The token does not say properly which API it is for: aud is " + kind + ".", forgery
	}
	text := fmt.Sprintf("The token is for another API: its audience is %s, and this API is %s.", quotedList(found), alternatives(expected))
	for _, aud := range found {
		for _, own := range expected {
			if aud != own && strings.EqualFold(strings.Trim(aud, " /"), own) {
				return text + " They differ in a slash, a blank, or upper and lower case only.",
					[]string{"Audiences are compared exactly. If this spelling is one of this API's names, add it to Config.Audiences, or to Tenant.Audiences.", ask}
			}
		}
	}
	advice := []string{ask}
	if client := x.c.token.claims.client(); client != "" && len(found) == 1 && found[0] == client {
		advice = append(advice, "The audience is the client itself: it has asked for a token for its own, as with {client ID}/.default or with the scope openid alone.")
	} else {
		own := "If " + quoted(found[0]) + " is a name of this API, add it to Config.Audiences"
		if len(x.c.tenant.Audiences) > 0 {
			own = "Tenant.Audiences takes the place of Config's. If " + quoted(found[0]) + " is a name of this API, add it there"
		}
		advice = append(advice, own+".")
	}
	return text, advice
}

func quotedList(list []string) string {
	var all []string
	for _, s := range list[:min(len(list), maxListed)] {
		all = append(all, quoted(s))
	}
	return strings.Join(all, " and ")
}

func (x *explainer) graph() (string, []string) {
	return "This token is for Microsoft Graph, not for this API, and nobody but Graph can check it.", []string{
		"Ask for " + x.scopeToAsk() + " instead. A scope without an address, such as User.Read, means Graph.",
		"One token is for one API: to call Graph as well, get a second one; an API that calls Graph for its user trades its own in (on-behalf-of).",
	}
}

func (x *explainer) idToken() (string, []string) {
	return "This is an ID token, which tells a client who has signed in; an API needs the access token.", []string{
		"Send the access token of the same sign-in. In MSAL that is accessToken, not idToken.",
		"Have the client ask for a scope of this API: " + x.scopeToAsk() + ".",
	}
}
