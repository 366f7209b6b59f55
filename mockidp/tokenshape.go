package mockidp

import (
	"strings"
	"time"
)

// What is the same in every token: opaque to APIs, and of the length that Microsoft's have.
const (
	fakeAIO = "AVQAq/8TAAAA0pSQm0TPAGzKxjT5bXn3Vb1h6gJt2wLkzqXrM5c9HdYfUeWo8RnIvB4a7sDl"
	fakeRH  = "0.AXEAERERqhEREUGRqqqqqqqqqjMzzMwzM0NDgzPMzMzMzMyXAAA."
	fakeSub = "hX5aZ0t7yQkP1dLr9uVn3sWc8eJm2fGb6oTi4xRlYqA"
)

// defaults fills in what a token of this shape looks like.
func (b *builder) defaults() {
	if b.t.Kind == B2C {
		b.b2cClaims()
	} else {
		b.entraClaims()
	}
	b.key = b.defaultKey()
	b.algorithm = "RS256"
	switch {
	case b.t.Kind == B2C:
		b.header = object{{"alg", ""}, {"kid", ""}, {"typ", "JWT"}}
	case b.graph:
		b.header = object{{"typ", "JWT"}, {"nonce", base64url(randomBytes(32))}, {"alg", ""}, {"x5t", ""}, {"kid", ""}}
	case b.v1:
		b.header = object{{"typ", "JWT"}, {"alg", ""}, {"x5t", ""}, {"kid", ""}}
	default:
		b.header = object{{"typ", "JWT"}, {"alg", ""}, {"kid", ""}}
	}
}

func (b *builder) defaultKey() *Key {
	switch {
	case b.personal:
		return b.handle.Keys().Consumer()
	case b.t.Kind == B2C:
		if name, ok := b.t.policy(b.policy); ok {
			return b.handle.PolicyKeys(name).Signing()
		}
	}
	return b.handle.Keys().Signing()
}

// clientClaim is the claim that names the calling application.
func (b *builder) clientClaim() string {
	if b.v1 {
		return "appid"
	}
	return "azp"
}

// tid is the tenant that the token says it is from.
func (b *builder) tid() string {
	if b.personal {
		return PersonalAccounts
	}
	return b.t.ID
}

// issuer is the iss claim.
func (b *builder) issuer() string {
	origin := b.t.origin()
	if b.issuedBy != "" {
		origin = b.issuedBy
	}
	issuing := *b.t
	issuing.ID = b.tid()
	switch {
	case b.v1 && b.issuedBy != "" && cloudByHost(hostOf(b.issuedBy)) != nil:
		return b.issuedBy + "/" + issuing.ID + "/"
	case b.v1:
		return issuing.v1Issuer()
	case b.tfpIssuer:
		return origin + "/tfp/" + issuing.ID + "/" + strings.ToLower(b.policyName()) + "/v2.0/"
	}
	return issuing.issuerAt(origin)
}

// policyName is the policy of the token in its configured spelling.
func (b *builder) policyName() string {
	if b.policy == "" {
		return b.t.Policies[0]
	}
	if name, ok := b.t.policy(b.policy); ok {
		return name
	}
	return b.policy
}

// times are iat, nbf and exp.
func (b *builder) times() object {
	now := b.now()
	return object{{"iat", now.Unix()}, {"nbf", now.Unix()}, {"exp", now.Add(time.Hour).Unix()}}
}

// entraClaims are those of workforce and External ID tokens.
func (b *builder) entraClaims() {
	c := object{{"aud", b.audience()}, {"iss", b.issuer()}}
	c = append(c, b.times()...)
	if b.v1 && !b.appOnly {
		c = append(c, object{{"acr", "1"}}...)
	}
	c.set("aio", fakeAIO)
	if b.v1 && !b.appOnly {
		c.set("amr", []string{"pwd", "mfa"})
	}
	if !b.idToken {
		c.set(b.clientClaim(), Client)
		c.set(b.clientClaim()+"acr", map[bool]string{true: "1", false: "0"}[b.appOnly])
	}
	if b.appOnly {
		b.appClaims(&c)
	} else {
		b.userClaims(&c)
	}
	if b.idToken {
		c.set("nonce", base64url(randomBytes(16)))
	}
	c.set("rh", fakeRH)
	c.set("tid", b.tid())
	c.set("uti", base64url(randomBytes(16)))
	if b.v1 {
		c.set("ver", "1.0")
	} else {
		c.set("ver", "2.0")
	}
	b.claims = c
}

func (b *builder) audience() string {
	switch {
	case b.graph:
		return "https://" + b.t.cloud.graph
	case b.idToken:
		return Client
	case b.v1:
		return "api://" + API
	}
	return API
}

func (b *builder) appClaims(c *object) {
	if b.v1 {
		c.set("idp", b.issuer())
	}
	c.set("idtyp", "app")
	c.set("oid", ServicePrincipal)
	if len(b.appRoles) > 0 {
		c.set("roles", b.appRoles)
	}
	c.set("sub", ServicePrincipal)
}

func (b *builder) userClaims(c *object) {
	name, login, oid, sub := "Jo Doe", "jo@contoso.example", User, fakeSub
	switch {
	case b.personal:
		name, login = "Sam Roe", "sam@outlook.example"
		oid, sub = "00000000-0000-0000-66f3-3332eca7ea81", "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"
	case b.home != "":
		name, login = "Kim Guest", "kim@fabrikam.example"
		oid, sub = GuestUser, "mT2kV8wQ0sZr5LhX1nYc7uGd3pJf9bEo6iAqDlRtKxM"
		c.set("acct", 1)
		c.set("email", login)
		c.set("idp", "https://sts.windows.net/"+b.home+"/")
	}
	c.set("name", name)
	c.set("oid", oid)
	switch {
	case b.v1:
		c.set("family_name", strings.Fields(name)[1])
		c.set("given_name", strings.Fields(name)[0])
		c.set("ipaddr", "203.0.113.7")
		c.set("unique_name", login)
	default:
		c.set("preferred_username", login)
	}
	if b.overage {
		endpoint := "https://graph.windows.net/" + b.t.ID + "/users/" + oid + "/getMemberObjects"
		c.set("_claim_names", object{{"groups", "src1"}})
		c.set("_claim_sources", object{{"src1", object{{"endpoint", endpoint}}}})
	}
	if !b.idToken {
		c.set("scp", "access_as_user")
	}
	c.set("sub", sub)
	switch {
	case b.home != "":
		c.set("upn", "kim_fabrikam.example#EXT#@"+b.t.upnDomain())
	case b.v1:
		c.set("upn", login)
	}
}

// b2cClaims are those of a user flow, or of its client credentials grant.
func (b *builder) b2cClaims() {
	subject := User
	if b.appOnly {
		subject = ServicePrincipal
	}
	c := object{{"ver", "1.0"}, {"iss", b.issuer()}, {"sub", subject}, {"aud", b.audience()}}
	c = append(c, b.times()...)
	c.set("oid", subject)
	if !b.appOnly {
		c.set("auth_time", b.now().Unix())
		c.set("name", "Jo Doe")
		c.set("emails", []string{"jo@contoso.example"})
	}
	if b.acr {
		c.set("acr", strings.ToLower(b.policyName()))
	} else {
		c.set("tfp", b.policyName())
	}
	switch {
	case b.idToken:
		c.set("nonce", base64url(randomBytes(16)))
	case b.appOnly:
		if len(b.appRoles) > 0 {
			c.set("scp", strings.Join(b.appRoles, " "))
		}
	default:
		c.set("scp", "access_as_user")
	}
	if !b.idToken {
		c.set("azp", Client)
	}
	b.claims = c
}
