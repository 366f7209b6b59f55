package identity

import (
	"fmt"
	"strings"
)

func (x *explainer) otherPolicy() (string, []string) {
	t := x.c.tenant
	list := joined(t.B2C.Policies, ", ")
	switch x.cause() {
	case errNoPolicy:
		return "The token does not say which B2C policy it comes from: neither tfp nor acr names one.",
			[]string{"Have the policy issue tfp (the default) or acr."}
	case errTwoPolicies:
		return fmt.Sprintf("The token contradicts itself: tfp says that it comes from the B2C policy %s, acr says %s.", quoted(x.claims.text("tfp")), quoted(x.claims.text("acr"))), forgery
	case errPathPolicy:
		return fmt.Sprintf("The token contradicts itself: its issuer has the B2C policy %s in its path, its claims say %s.", quoted(x.c.issuer.Policy), quoted(x.facts.Policy)), forgery
	}
	return fmt.Sprintf("The tenant %s is known, but the policy %s is not listed; listed are %s.", tenantText(t), quoted(x.facts.Policy), list),
		[]string{"If this API accepts users of this policy, add it to B2C.Policies. All policies of a directory have the same issuer, so that only the list tells a forgotten test policy from yours."}
}

func (x *explainer) noSuchKey() (string, []string) {
	text := fmt.Sprintf("The token is signed with the key %s, which Microsoft does not publish for this tenant.", quoted(x.header.text("kid")))
	advice := []string{fmt.Sprintf("The keys were looked for at %s, %s.", x.keys.Metadata, x.keys.text(x.now))}
	if x.cause() == errCooldown {
		advice = append(advice, fmt.Sprintf("An unknown key makes the set be fetched anew once in %v at most, and that was lately: try again in a while if keys have just been rotated.", x.v.keys.options.Cooldown))
	}
	advice = append(advice, "Otherwise the token comes from elsewhere: another cloud, another policy, a mock, a test.")
	if t := x.c.tenant; t.kind() != b2c && !t.AppKeys {
		advice = append(advice, "If this API's registration has a signing key of its own (claims mapping), set Tenant.AppKeys.")
	}
	return text, advice
}

func (x *explainer) unusableKey() (string, []string) {
	return fmt.Sprintf("The token is signed with the key %s, which is published at %s, but cannot be used: %s.", quoted(x.header.text("kid")), x.keys.Metadata, x.causeText()), nil
}

func (x *explainer) keyOfOthers() (string, []string) {
	if strings.Contains(x.causeText(), personalAccounts) {
		return fmt.Sprintf("The token is signed with a key for personal accounts, and says that it is of the tenant %s.", tenantText(x.c.tenant)), nil
	}
	return fmt.Sprintf("The token is signed with the key %s, which Microsoft uses for others: %s, and the token's issuer is %s.",
		quoted(x.header.text("kid")), x.causeText(), quoted(x.c.issuer.Raw)), nil
}

func (x *explainer) noKeys() (string, []string) {
	advice := []string{
		"It is not the token's fault, and the answer is 503, so that clients keep it. Look at DNS, proxy and firewall between here and the login host.",
	}
	if x.err.RetryAfter > 0 {
		advice = append(advice, "The next attempt is made in "+durationText(x.err.RetryAfter)+", by the request that comes then.")
	}
	return fmt.Sprintf("The token could not be checked: the keys could not be fetched from %s (%s).", x.keys.Metadata, x.causeText()), advice
}

func (x *explainer) signature() (string, []string) {
	for _, name := range []string{"jwk", "x5c", "jku", "x5u"} {
		if x.header.has(name) {
			return "The signature does not fit the key that the token names; it brings a key of its own along (" + name + "), and no key in a token is ever believed.", forgery
		}
	}
	return "The signature does not fit: the token was changed after it was signed, or somebody else has signed it in the name of this key.", nil
}

func (x *explainer) noPermissions() (string, []string) {
	ask := "For a user: have the client ask for a scope of this API, " + x.scopeToAsk() + ", and consent to it."
	assign := "For an application in its own name: assign it an app role of this API, and have an administrator consent."
	accept := "Tenant.AllowNoPermissions accepts such tokens; then say by Tenant.Clients, or by a rule, who may call."
	text := "The token grants nothing: it has neither scopes (scp) nor roles (roles)."
	if x.claims.has("scope") {
		text += " The claim scope, which Microsoft does not issue, does not count."
	}
	return text, []string{ask, assign, accept}
}

func (x *explainer) client() (string, []string) {
	return fmt.Sprintf("The calling application, %s, is not one of those that may call for the tenant %s.", x.facts.ClientID, tenantText(x.c.tenant)), nil
}

func (x *explainer) guest() (string, []string) {
	return fmt.Sprintf("The user is a guest of the tenant %s, and guests are not allowed.", tenantText(x.c.tenant)),
		[]string{"Tenant.DenyGuests says so. The user can sign in at a tenant that they are a member of, if that is registered."}
}

func (x *explainer) ownFault() (string, []string) {
	return strings.TrimSuffix(reasonWords[x.err.Reason].meaning, ".") + " (" + x.causeText() + ").", nil
}
