package identity

import (
	"errors"
	"fmt"

	"strings"
	"time"
)

// explainer puts into words what a check has found. It reads what is there, and decides nothing.
type explainer struct {
	c     *check
	v     *Verifier
	err   *Error // of the last step reached, nil if it passed
	now   time.Time
	facts TokenFacts
	glimpse
	keys *ReportKeys
}

func newExplainer(c *check) *explainer {
	x := &explainer{c: c, v: c.v, now: c.v.now(), glimpse: glimpseOf(c.raw)}
	x.facts = x.glimpse.facts(c.raw)
	return x
}

// reached notes what came of a step.
func (x *explainer) reached(step string, err *Error) {
	x.err = err
	if step == "time" || step == "key" {
		x.keys = x.reportKeys()
	}
}

// reportTenant is the tenant that the token was judged by, if one was found.
func (x *explainer) reportTenant() *ReportTenant {
	t := x.c.tenant
	if other, ok := errors.AsType[*otherIssuer](x.cause()); ok {
		t = other.tenant
	}
	if t == nil {
		return nil
	}
	return &ReportTenant{ID: t.ID, Name: t.Name, Kind: t.kind().String()}
}

// reportKeys tells what is known of the key set that the token needs. It neither makes nor fetches one.
func (x *explainer) reportKeys() *ReportKeys {
	request := x.c.request
	if request.name == "" {
		policy := x.c.policy
		if x.c.tenant.kind() == b2c && policy == "" { // the step before: any policy's server has the same clock
			policy = x.c.tenant.B2C.Policies[0]
		}
		request = keyRequestOf(x.c.tenant, x.c.issuer, policy, x.v.clientID)
	}
	k := &ReportKeys{Metadata: request.metadata}
	held, ok := x.v.keys.sets.Get(request.name)
	if !ok {
		return k
	}
	set := held.(*keyHandle).set.Load()
	if set == nil {
		return k
	}
	fetched := set.landed.UTC()
	k.Keys, k.Fetched = len(set.keys), &fetched
	if set.clock.known {
		seconds := int64(set.clock.ahead / time.Second)
		k.ClockAhead = &seconds
	}
	return k
}

// cause is the cause of the refusal, never nil.
func (x *explainer) cause() error {
	if x.err == nil || x.err.cause == nil {
		return errProbe
	}
	return x.err.cause
}

// causeText is the cause of a fault that is not the token's, which may be an error of the application's.
func (x *explainer) causeText() string { return shown(textOf(x.cause())) }

// words are the sentence and the advice of the report.
func (x *explainer) words() (cause string, advice []string) {
	if x.err == nil {
		return x.accepted()
	}
	cause, advice = reasonWords[x.err.Reason].meaning, []string{reasonWords[x.err.Reason].advice}
	if say, ok := causes[x.err.Reason]; ok {
		own, more := say(x)
		if own != "" {
			cause = own
		}
		if more != nil {
			advice = more
		}
	}
	return cause, advice
}

func (x *explainer) accepted() (string, []string) {
	text := fmt.Sprintf("The token is accepted: it is for this API, from the tenant %s, and expires in %s.",
		tenantText(x.c.tenant), durationText(time.Unix(x.c.token.claims.expires.unix, 0).Sub(x.now)))
	return text + " What a route asks for beyond that, its guard decides.", nil
}

// pasted puts what surrounds the token before everything else.
func (r *Report) pasted(surplus []string) {
	what := strings.Join(surplus, " and ")
	r.Cause = fmt.Sprintf("This is not the token alone: there is %s too much.", what)
	r.Advice = []string{"Pass the token alone; in a request, exactly as in Authorization: Bearer {token}. The token in it was looked at as well; see below."}
}

// stepWord is how a step is put into words: where its rule comes from, and what it asks for and has found.
type stepWord struct {
	rule string
	say  func(x *explainer) (expected, actual string)
}

// stepWords has an entry for each step of the pipeline.
var stepWords = map[string]stepWord{
	"token":       {"RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3", (*explainer).tokenStep},
	"issuer":      {"RFC 8725 §3.8; " + microsoftValidation, (*explainer).issuerStep},
	"tenant":      {"RFC 8725 §3.8; " + microsoftValidation, (*explainer).tenantStep},
	"tid":         {microsoftValidation, (*explainer).tidStep},
	"version":     {microsoftAccessTokens, (*explainer).versionStep},
	"audience":    {"RFC 7519 §4.1.3, RFC 8725 §3.9", (*explainer).audienceStep},
	"time":        {"RFC 7519 §4.1.4 to §4.1.6", (*explainer).timeStep},
	"policy":      {"Azure AD B2C, \"Overview of tokens\": tfp, acr", (*explainer).policyStep},
	"key":         {"RFC 7515 §4.1.4; " + microsoftRollover, (*explainer).keyStep},
	"signature":   {"RFC 7515 §5.2, RFC 7518 §3.3", (*explainer).signatureStep},
	"binding":     {"RFC 7800 §3", (*explainer).bindingStep},
	"permissions": {microsoftValidation, (*explainer).permissionsStep},
	"client":      {microsoftValidation, (*explainer).clientStep},
	"guest":       {microsoftValidation, (*explainer).guestStep},
}

func (x *explainer) tokenStep() (expected, actual string) {
	expected = "three parts: a header that says RS256 and names a key, claims, a signature"
	if x.err == nil {
		return expected, fmt.Sprintf("RS256, key %s, %s bytes", x.facts.KeyID, thousands(x.facts.Length))
	}
	switch x.err.Reason {
	case reasonOf(ErrTokenTooLarge):
		return "at most 65,536 bytes", thousands(x.facts.Length) + " bytes"
	case reasonOf(ErrAlgorithm):
		return "alg RS256", "alg " + x.valueText(x.header, "alg")
	case reasonOf(ErrTokenType):
		return "typ JWT, at+jwt, application/at+jwt, or none", "typ " + x.valueText(x.header, "typ")
	case reasonOf(ErrKeyID):
		return "kid, a text of 1 to 256 printable characters", "kid " + x.valueText(x.header, "kid")
	}
	return expected, x.causeText()
}

// valueText is the value of a member that is a text, or what it is instead.
func (x *explainer) valueText(m jsonMembers, name string) string {
	if kind := m.kind(name); kind != "a text" {
		return "is " + kind
	}
	return quoted(m.text(name))
}

// found is the value of a claim; where it is at fault, in a form that shows every blank.
func (x *explainer) found(claim string) string {
	if x.err != nil || x.claims.kind(claim) != "a text" {
		return claim + " " + x.valueText(x.claims, claim)
	}
	return shown(x.claims.text(claim))
}

func (x *explainer) issuerStep() (expected, actual string) {
	return "iss of a form that Microsoft documents", x.found("iss")
}

func (x *explainer) tenantStep() (expected, actual string) {
	t := x.c.tenant
	if other, ok := errors.AsType[*otherIssuer](x.cause()); ok {
		return "an issuer of this tenant: " + listText(issuersOf(other.tenant)), x.facts.Issuer
	}
	expected = "a registered tenant"
	if t != nil {
		return expected, tenantText(t)
	}
	if x.err.Reason == reasonOf(ErrUnknownTenant) {
		return expected, x.c.issuer.TenantID + ", which is not"
	}
	return expected, x.causeText()
}

func (x *explainer) tidStep() (expected, actual string) {
	expected = "tid " + x.c.issuer.TenantID + ", as in iss"
	if x.c.tenant.kind() == b2c {
		expected += ", or none"
	}
	return expected, x.found("tid")
}

func (x *explainer) versionStep() (expected, actual string) {
	expected = `ver "1.0", as iss says`
	if x.c.issuer.Form == FormV2 {
		expected = `ver "2.0", as iss says`
	}
	if t := x.c.tenant; t.Version != 0 {
		expected = fmt.Sprintf(`ver "%d.0", as Tenant.Version says`, t.Version)
	}
	return expected, x.found("ver")
}

func (x *explainer) audienceStep() (expected, actual string) {
	expected = "aud " + alternatives(x.v.audiencesOf(x.c.tenant))
	if len(x.facts.Audience) > 0 {
		return expected, listText(x.facts.Audience)
	}
	return expected, "aud " + x.valueText(x.claims, "aud")
}

func (x *explainer) timeStep() (expected, actual string) {
	expected = fmt.Sprintf("nbf, iat before and exp after now, %s, give or take %v", timeText(x.now), x.v.leeway)
	for _, name := range []string{"iat", "nbf", "exp"} {
		text := " is " + x.claims.kind(name)
		if at := x.claims.time(name); at != nil {
			text = " " + timeText(*at)
		} else if !x.claims.has(name) && name != "exp" {
			continue
		}
		if actual != "" {
			actual += ", "
		}
		actual += name + text
	}
	return expected, actual
}

func (x *explainer) policyStep() (expected, actual string) {
	if x.c.tenant.kind() != b2c {
		return "none: only B2C has policies", "none"
	}
	actual = "tfp " + x.valueText(x.claims, "tfp")
	if !x.claims.has("tfp") || x.claims.has("acr") {
		actual += ", acr " + x.valueText(x.claims, "acr")
	}
	return "a policy of the tenant: " + alternatives(x.c.tenant.B2C.Policies), actual
}

func (x *explainer) keyStep() (expected, actual string) {
	expected = "a key of " + x.keys.Metadata
	if x.err != nil {
		return expected, "kid " + x.facts.KeyID + ": " + x.causeText()
	}
	return expected, "kid " + x.facts.KeyID + ", " + x.keys.text(x.now)
}

// text says when a set was fetched.
func (k *ReportKeys) text(now time.Time) string {
	if k.Fetched == nil {
		return "never fetched"
	}
	return fmt.Sprintf("fetched %s ago, with %d usable keys", durationText(now.Sub(*k.Fetched)), k.Keys)
}

func (x *explainer) signatureStep() (expected, actual string) {
	if x.err != nil {
		return "a signature of this key over these very bytes", "another one"
	}
	return "a signature of this key over these very bytes", "good"
}

func (x *explainer) bindingStep() (expected, actual string) {
	if x.err != nil {
		return "no cnf", "cnf is " + x.claims.kind("cnf")
	}
	return "no cnf", "none"
}

func (x *explainer) permissionsStep() (expected, actual string) {
	expected = "scopes (scp) or roles"
	if x.c.tenant.AllowNoPermissions {
		expected = "an access token; Tenant.AllowNoPermissions asks for no scopes (scp) or roles"
	}
	if len(x.facts.Scopes)+len(x.facts.Roles) == 0 {
		return expected, "neither"
	}
	return expected, "scp " + listText(x.facts.Scopes) + "; roles " + listText(x.facts.Roles)
}

func (x *explainer) clientStep() (expected, actual string) {
	expected = "any application"
	if clients := x.c.tenant.Clients; len(clients) > 0 {
		expected = "one of Tenant.Clients: " + alternatives(clients)
	}
	if x.facts.ClientID == "" {
		return expected, "none named"
	}
	return expected, x.facts.ClientID
}

func (x *explainer) guestStep() (expected, actual string) {
	expected = "a member or a guest"
	if x.c.tenant.DenyGuests {
		expected = "a member: Tenant.DenyGuests"
	}
	if guest(&x.c.token.claims, x.c.tenant) {
		return expected, "a guest"
	}
	return expected, "no guest"
}

// issuersOf are the issuers that a tenant issues with, but for those with a policy in them.
func issuersOf(t *Tenant) (issuers []string) {
	switch t.kind() {
	case b2c:
		for _, origin := range t.B2C.origins {
			issuers = append(issuers, origin+"/"+t.ID+"/v2.0/")
		}
	case external:
		for _, origin := range t.External.origins {
			issuers = append(issuers, origin+"/"+t.ID+"/v2.0")
		}
	default:
		issuers = []string{t.Cloud.origin() + "/" + t.ID + "/v2.0", t.Cloud.v1Origin() + "/" + t.ID + "/"}
	}
	return issuers
}

func tenantText(t *Tenant) string {
	if t.Name == "" {
		return t.ID
	}
	return shown(t.Name) + " (" + t.ID + ")"
}

func quoted(s string) string { return `"` + shown(s) + `"` }

const maxListed = 5

// alternatives lists what would do.
func alternatives(list []string) string { return joined(list, " or ") }

// listText lists what is there.
func listText(list []string) string { return joined(list, " ") }

func joined(list []string, by string) string {
	if len(list) == 0 {
		return "none"
	}
	text := strings.Join(shownList(list, maxListed), by)
	if more := len(list) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// durationText is a duration in the one unit that matters.
func durationText(d time.Duration) string {
	d = max(d, -d)
	const day = 24 * time.Hour
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{365 * day, "year"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*unit.size || d >= unit.size && d%unit.size < unit.size/10 {
			return count(int(d/unit.size), unit.name)
		}
	}
	return count(int(d.Round(time.Second)/time.Second), "second")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// thousands separates them with commas.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
