package mockidp

import (
	"crypto/sha256"
	"strconv"
	"time"
)

// issued is the answer to a token request.
func (x *exchange) issued(i *issue, grantType string) answer {
	expires := i.lifetime()
	hasAccess := i.asked.api != nil || !x.b2c() // B2C issues no access token without an API
	o := object{{"token_type", "Bearer"}}
	if scope := i.echo(); i.user != nil && scope != "" {
		o.set("scope", scope)
	}
	if hasAccess {
		o.set("expires_in", x.number(expires))
		o.set("ext_expires_in", x.number(expires))
		x.times(&o, i, expires)
		token := i.accessToken()
		o.set("access_token", token)
		i.note("access token", grantType, token)
	}
	if i.user == nil {
		return x.json(o)
	}
	if i.refresh {
		o.set("refresh_token", x.newRefreshToken(i))
		if i.given.platform == spaPlatform || x.b2c() {
			o.set("refresh_token_expires_in", int(i.ends.Sub(x.srv.now()).Round(time.Second)/time.Second))
		}
	}
	if i.asked.has("openid") {
		token := i.idToken()
		o.set("id_token", token)
		i.note("ID token", grantType, token)
	}
	if x.form.Get("client_info") == "1" {
		o.set("client_info", i.user.clientInfo(i.policy))
	}
	if x.b2c() {
		x.profile(&o, i)
	}
	return x.json(o)
}

// echo is the scope member; v1 answers with short names.
func (i *issue) echo() string {
	if i.v1 {
		a := asked{spelled: i.granted}
		return a.echo(nil)
	}
	return i.asked.echo(i.granted)
}

// number is a number of seconds, which v1 writes as a string.
func (x *exchange) number(d time.Duration) any {
	if x.rt.v1 {
		return seconds(d)
	}
	return int(d / time.Second)
}

// times are the absolute times of v1 and B2C, and the resource that goes with them.
func (x *exchange) times(o *object, i *issue, expires time.Duration) {
	now := x.srv.now()
	switch {
	case x.rt.v1:
		o.set("expires_on", strconv.FormatInt(now.Add(expires).Unix(), 10))
		o.set("not_before", strconv.FormatInt(now.Unix(), 10))
		o.set("resource", i.asked.resource)
	case x.b2c():
		o.remove("ext_expires_in")
		o.set("not_before", now.Unix())
		o.set("expires_on", now.Add(expires).Unix())
		o.set("resource", i.asked.api.ID)
	}
}

// profile is what B2C tells besides.
func (x *exchange) profile(o *object, i *issue) {
	if i.asked.has("openid") {
		o.set("id_token_expires_in", int(time.Hour/time.Second))
	}
	o.set("profile_info", base64url([]byte(object{
		{"ver", "1.0"}, {"tid", i.tenant.ID}, {"sub", i.user.ID}, {"name", i.user.displayName()}, {"preferred_username", nil}, {"idp", nil},
	}.text())))
}

func (x *exchange) newRefreshToken(i *issue) string {
	value := newSecret("1.A")
	x.srv.sessions.do(func() { x.srv.sessions.refresh.put(value, &refreshToken{given: i.given}, i.ends) })
	return value
}

// halfHash is c_hash and at_hash (OpenID Connect Core 1.0 §3.3.2.11).
func halfHash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64url(sum[:16])
}

// note shows a token on the token page.
func (g *grant) note(kind, how, raw string) {
	who := "the application itself"
	if g.user != nil {
		who = g.user.Login
	}
	g.srv.noteIssued(kind, who+" for "+g.client.displayName()+", "+how, raw)
}
