package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// causes have more to say of a reason than reasonWords, because they have seen the token. An empty sentence and nil advice leave it
// to those.
var causes = map[Reason]func(x *explainer) (cause string, advice []string){
	reasonOf(ErrTokenTooLarge):      (*explainer).tooLarge,
	reasonOf(ErrTokenMalformed):     (*explainer).malformed,
	reasonOf(ErrAlgorithm):          (*explainer).algorithm,
	reasonOf(ErrTokenType):          (*explainer).tokenType,
	reasonOf(ErrCritical):           (*explainer).critical,
	reasonOf(ErrKeyID):              (*explainer).keyID,
	reasonOf(ErrClaims):             (*explainer).wrongClaims,
	reasonOf(ErrIssuer):             (*explainer).issuer,
	reasonOf(ErrUnknownTenant):      (*explainer).unknownTenant,
	reasonOf(ErrTenantMismatch):     (*explainer).otherTenant,
	reasonOf(ErrVersion):            (*explainer).version,
	reasonOf(ErrAudience):           (*explainer).audience,
	reasonOf(ErrOtherResource):      (*explainer).graph,
	reasonOf(ErrIDToken):            (*explainer).idToken,
	reasonOf(ErrExpired):            (*explainer).expired,
	reasonOf(ErrNotYetValid):        (*explainer).early,
	reasonOf(ErrIssuedInFuture):     (*explainer).early,
	reasonOf(ErrTime):               (*explainer).wrongTime,
	reasonOf(ErrPolicy):             (*explainer).otherPolicy,
	reasonOf(ErrKeyNotFound):        (*explainer).noSuchKey,
	reasonOf(ErrKeyUnusable):        (*explainer).unusableKey,
	reasonOf(ErrKeyIssuer):          (*explainer).keyOfOthers,
	reasonOf(ErrKeysUnavailable):    (*explainer).noKeys,
	reasonOf(ErrSignature):          (*explainer).signature,
	reasonOf(ErrNoPermissions):      (*explainer).noPermissions,
	reasonOf(ErrClient):             (*explainer).client,
	reasonOf(ErrGuest):              (*explainer).guest,
	reasonOf(ErrTenantsUnavailable): (*explainer).ownFault,
	reasonOf(ErrTenantInvalid):      (*explainer).ownFault,
	reasonOf(ErrInternal):           (*explainer).ownFault,
}

// forgery is the advice where no honest token is like that.
var forgery = []string{"Microsoft issues no such token. Find out where it comes from."}

func (x *explainer) tooLarge() (string, []string) {
	return fmt.Sprintf("The token is too long: it has %s bytes, and more than 65,536 are not read.", thousands(x.facts.Length)), nil
}

// The parts of a token, in words.
var partNames = [...]string{"the header", "the claims", "the signature"}

func (x *explainer) malformed() (string, []string) {
	cut := []string{"Copy the whole value of access_token, and nothing else: three parts with dots between them."}
	n := strings.Count(x.c.raw, ".") + 1
	switch {
	case x.c.raw == "":
		return "There is no token: the text is empty.", cut
	case n == 1:
		return "This is not a token that an API can read: such a token has three parts with dots between them, and there is no dot here.",
			append(cut, "Tokens for some of Microsoft's own services, and for personal accounts, are opaque: ask for a scope of this API to get one for it.")
	case n == 2:
		return "The signature of the token is missing: it has two parts instead of three.", cut
	case n != 3:
		return fmt.Sprintf("The token has %d parts instead of three: something was put behind it.", n), cut
	}
	for i, part := range strings.Split(x.c.raw, ".") {
		if part == "" {
			return fmt.Sprintf("A part of the token is empty: %s.", partNames[i]), cut
		}
	}
	switch cause := x.cause(); cause {
	case errHeader:
		return "The header of the token is longer than 4 KiB.", forgery
	case errSignature:
		return "The signature of the token is longer than any signature can be.", cut
	case errBase64:
		return x.misspelled(), []string{"Send the token exactly as the client received it: nothing may decode, encode, pad or wrap it on its way."}
	}
	return x.badJSON(), forgery
}

// misspelled finds what is wrong with the encoding, in the order in which the parts are read.
func (x *explainer) misspelled() string {
	parts := strings.Split(x.c.raw, ".")
	for _, i := range []int{0, 2, 1} {
		if _, ok := decodeSegment(nil, parts[i]); ok {
			continue
		}
		text := "A part of the token, " + partNames[i] + ", is not spelled as it must be: "
		for _, r := range parts[i] {
			if strings.ContainsRune(tokenCharacters, r) {
				continue
			}
			switch r {
			case '=':
				return text + "it is padded with equals signs, which a token never is."
			case '+', '/':
				return text + "it has the characters + and / of another alphabet; a token has - and _."
			case '%':
				return text + "it is percent-encoded, as in an address."
			}
			return text + "it has the character " + quoted(string(r)) + " in it."
		}
		if len(parts[i])%4 == 1 {
			return text + "a character is missing or too much."
		}
		return text + "its last character was changed."
	}
	return ""
}

// badJSON finds what is wrong with the JSON of the header or of the claims.
func (x *explainer) badJSON() string {
	part, text, they := "the claims", x.claimsText, "they"
	var p tokenParser
	if _, err := p.parseHeader(x.parts[0]); err != nil {
		part, text, they = "the header", x.headerText, "it"
	}
	const twoReaders = ", so that two programs could read two different tokens."
	switch cause := x.cause(); cause {
	case errSyntax:
		are := map[string]string{"it": "is", "they": "are"}[they]
		if validJSON(text) {
			return fmt.Sprintf("A part of the token, %s, cannot be read: %s %s %s, where names with values are expected.", part, they, are, kindOfJSON(strings.TrimSpace(text)))
		}
		return fmt.Sprintf("A part of the token, %s, cannot be read as JSON: %s.", part, syntaxFault(text))
	case errDepth:
		return fmt.Sprintf("A part of the token, %s, has lists or objects inside each other, more than %d deep.", part, maxDepth)
	case errEncoding:
		return fmt.Sprintf("A part of the token, %s, holds text that is not valid Unicode.", part)
	case errDuplicate, errLookalike:
		first, second, ok := repeated(text)
		switch {
		case ok && first == second:
			return fmt.Sprintf(`A part of the token, %s, has the name "%s" twice`, part, first) + twoReaders
		case ok:
			return fmt.Sprintf(`A part of the token, %s, has the name "%s", which others take for "%s"`, part, second, first) + twoReaders
		}
		return fmt.Sprintf("A part of the token, %s, has two names that are too much alike", part) + twoReaders
	}
	return fmt.Sprintf("A part of the token, %s, is out of all proportion: %s.", part, x.causeText())
}

// syntaxFault says what keeps a text from being JSON.
func syntaxFault(text string) string {
	if strings.HasPrefix(text, "\ufeff") {
		return "it begins with a byte order mark"
	}
	d := json.NewDecoder(strings.NewReader(text))
	var first json.RawMessage
	switch err := d.Decode(&first); {
	case err == nil:
		return "something follows the object"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	default:
		return shown(err.Error())
	}
}

func (x *explainer) algorithm() (string, []string) {
	alg := x.header.text("alg")
	switch {
	case !x.header.has("alg"):
		return "The token does not say how it is signed: its header has no alg.", nil
	case x.header.kind("alg") != "a text" || alg == "":
		return "The token does not say how it is signed: alg in its header is " + emptyOr(x.header.kind("alg")) + ".", nil
	case strings.EqualFold(alg, "none"):
		return "The token says that it is not signed at all (alg is " + quoted(alg) + "), so that anybody can have written it.", nil
	case strings.HasPrefix(alg, "HS"):
		return fmt.Sprintf("The token is signed with a shared password (%s); Microsoft signs with RS256, and with a key that only Microsoft has.", shown(alg)), nil
	}
	return fmt.Sprintf("The token says that it is signed with %s; Microsoft signs with RS256 alone.", quoted(alg)), nil
}

func emptyOr(kind string) string {
	if kind == "a text" {
		return "empty"
	}
	return kind
}

func (x *explainer) tokenType() (string, []string) {
	if kind := x.header.kind("typ"); kind != "a text" {
		return "The token does not say properly what it is: typ in its header is " + kind + ".", forgery
	}
	return fmt.Sprintf("The token says of itself that it is something else than an access token: typ is %s.", quoted(x.header.text("typ"))), nil
}

func (x *explainer) critical() (string, []string) {
	if !x.header.has("crit") {
		return "The token's header has b64, which says that the claims are written in a way that nobody here reads.", nil
	}
	return fmt.Sprintf("The token's header demands extensions (crit: %s): whoever does not understand them must refuse the token, and none is understood here.",
		listText(x.header.list("crit"))), nil
}

func (x *explainer) keyID() (string, []string) {
	const text = "The token does not say properly which key has signed it: kid in its header is "
	kid := x.header.text("kid")
	switch {
	case !x.header.has("kid"):
		return "The token does not say which key has signed it: its header has no kid.", nil
	case x.header.kind("kid") != "a text" || kid == "":
		return text + emptyOr(x.header.kind("kid")) + ".", nil
	case len(kid) > maxKID:
		return fmt.Sprintf("%slonger than %d characters.", text, maxKID), nil
	}
	return text + quoted(kid) + ", with characters that no key ID has.", nil
}

func (x *explainer) wrongClaims() (string, []string) {
	name, ok := errors.AsType[wrongType](x.cause())
	if !ok {
		return "The token names two calling applications: azp and appid differ.", nil
	}
	kind := x.claims.kind(string(name))
	if kind == "a list" {
		kind += " of something else than texts"
		if x.claims.list(string(name)) != nil {
			kind = "a list"
		}
	}
	return fmt.Sprintf("The claim %s of the token has the wrong type: it is %s.", string(name), kind), nil
}

func (x *explainer) issuer() (string, []string) {
	if other, ok := errors.AsType[*otherIssuer](x.cause()); ok {
		return x.otherIssuer(other.tenant)
	}
	iss := x.claims.text("iss")
	switch kind := x.claims.kind("iss"); {
	case kind == "missing":
		return "The token does not say who has issued it: it has no iss.", forgery
	case kind != "a text" || iss == "":
		return "The token does not say properly who has issued it: iss is " + emptyOr(kind) + ".", forgery
	}
	return fmt.Sprintf("The token's issuer %s, so that it is none of Microsoft's: %s.", issuerFault(iss), quoted(iss)), forgery
}

// issuerFault says what keeps an issuer from being of a documented form.
func issuerFault(iss string) string {
	u, err := url.Parse(iss)
	switch {
	case strings.TrimSpace(iss) != iss:
		return "has a blank before or behind it"
	case err != nil || u.Host == "":
		return "is not an address"
	case u.Scheme != "https":
		return "is not on https"
	case u.User != nil:
		return "only has Microsoft's host as the name of a user, and is on " + shown(u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return "has something behind its path"
	case u.Host != strings.ToLower(u.Host):
		return "has upper-case letters in its host"
	case strings.HasSuffix(u.Hostname(), "."):
		return "has a dot behind its host"
	case !validHost(u.Host):
		return "is not on a valid host"
	}
	segments := strings.Split(u.EscapedPath(), "/")[1:]
	switch first := segments[0]; {
	case strings.Contains(iss, tenantIDToken):
		return "has a placeholder where the tenant ID should be"
	case validGUID(first) && len(segments) == 1:
		return "lacks the slash at its end that a v1.0 issuer has"
	case validGUID(strings.ToLower(first)) && first != strings.ToLower(first):
		return "has the tenant ID in upper case"
	case first == "common" || first == "organizations" || first == "consumers":
		return "names no tenant: it says " + first
	case strings.Contains(first, ".") && len(segments) > 1 && first != "..":
		return "names its tenant by a domain instead of an ID"
	}
	return "has a path that Microsoft does not use"
}

// otherIssuer tells a tenant that is registered from one that is registered for this issuer.
func (x *explainer) otherIssuer(t *Tenant) (string, []string) {
	iss := x.c.issuer
	where := "The tenant issues as " + alternatives(issuersOf(t)) + "."
	host := fmt.Sprintf("The token comes from the host %s, which is not one of those of the tenant %s.", shown(iss.Host), tenantText(t))
	switch kind := t.kind(); {
	case kind == b2c && iss.Form == FormTFP && !t.B2C.TFPIssuers:
		return fmt.Sprintf("The token's issuer has the B2C policy in its path, and the tenant %s is not registered for that.", tenantText(t)),
			[]string{"Set B2C.TFPIssuers if the policies are configured so, or set their issuer claim to the default form. " + where}
	case kind == b2c:
		return host, []string{"If that is a custom domain of the directory, add it to B2C.Hosts. " + where}
	case kind == external && iss.Form != FormV2:
		return fmt.Sprintf("The token's issuer has a form that External ID does not use, and the tenant %s is registered as %s.", tenantText(t), articleKind[kind]), []string{where}
	case kind == external:
		return host, []string{"If that is a custom domain of the directory, add it to External.Hosts. Otherwise have the client sign in at the directory's own host. " + where}
	}
	if cloud, ok := cloudOf(iss); ok {
		return fmt.Sprintf("The token comes from the cloud %s, and the tenant %s is registered in the cloud %s.", cloud, tenantText(t), cloudName(t.Cloud)),
			[]string{"Set Tenant.Cloud to " + cloud + " if the tenant lives there; else have the client sign in at " + t.Cloud.origin() + ".", where}
	}
	return fmt.Sprintf("The token comes from the host %s, where Microsoft issues nothing for the tenant %s.", shown(iss.Host), tenantText(t)), []string{where}
}

// cloudOf is the name of the cloud that an issuer is in.
func cloudOf(iss Issuer) (string, bool) {
	for _, cloud := range []Cloud{Public, USGovernment, China} {
		if iss.Form == FormV2 && iss.origin == cloud.origin() || iss.Form == FormV1 && iss.origin == cloud.v1Origin() {
			return cloudName(cloud), true
		}
	}
	return "", false
}

func cloudName(c Cloud) string {
	switch c {
	case Public:
		return "Public"
	case USGovernment:
		return "USGovernment"
	case China:
		return "China"
	}
	return string(c)
}

// personalAccounts is the tenant of all personal Microsoft accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

func (x *explainer) unknownTenant() (string, []string) {
	iss := x.c.issuer
	add := "Register it: " + registration(iss)
	if _, ok := x.v.tenants.(*TenantCache); ok {
		add += " A tenant that was added lately counts when the ttl of CachedTenants is over, or after Forget."
	}
	if iss.TenantID == personalAccounts {
		return "The token belongs to a personal Microsoft account (Outlook.com, Xbox), and personal accounts are not accepted here.",
			[]string{"Sign in with a work or school account.", add}
	}
	if registry, ok := x.v.tenants.(*Registry); ok {
		for _, t := range registry.kinds(iss.TenantID) {
			return fmt.Sprintf("The token's issuer has the form that %s has, and the tenant %s is registered here as %s.",
					articleKind[kindOfIssuer(iss)], tenantText(t), articleKind[t.kind()]),
				[]string{"The tenant issues as " + alternatives(issuersOf(t)) + ". A directory can be registered as several kinds at once."}
		}
	}
	return fmt.Sprintf("The token comes from the tenant %s, which is not registered here.", iss.TenantID),
		[]string{add, "Or sign in at a tenant that is registered: an authority that names it, instead of common."}
}

var articleKind = map[tenantKind]string{workforce: "a workforce tenant", b2c: "a B2C directory", external: "an External ID directory"}

func kindOfIssuer(iss Issuer) tenantKind {
	switch {
	case iss.Form == FormB2C || iss.Form == FormTFP:
		return b2c
	case strings.HasSuffix(iss.Host, ".ciamlogin.com"):
		return external
	}
	return workforce
}

// registration is Go for the registry's entry of the tenant that an issuer seems to be.
func registration(iss Issuer) string {
	id := fmt.Sprintf("identity.Tenant{ID: %q", iss.TenantID)
	switch kindOfIssuer(iss) {
	case b2c:
		return id + fmt.Sprintf(", B2C: &identity.B2C{Hosts: []string{%q}, Policies: []string{...}}}.", shown(iss.Host))
	case external:
		return id + ", External: &identity.External{}}."
	}
	switch cloud, ok := cloudOf(iss); {
	case !ok:
		return id + fmt.Sprintf(", Cloud: %q}, if %s is a login host that you trust.", shown(iss.origin), shown(iss.Host))
	case cloud == "Public":
		return id + "}."
	default:
		return id + ", Cloud: identity." + cloud + "}."
	}
}

func (x *explainer) otherTenant() (string, []string) {
	switch kind := x.claims.kind("tid"); {
	case kind == "missing":
		return "The token does not name its tenant: it has no tid.", nil
	case kind != "a text" || x.claims.text("tid") == "":
		return "The token does not name its tenant properly: tid is " + emptyOr(kind) + ".", nil
	}
	return fmt.Sprintf("The token contradicts itself: its issuer is that of the tenant %s, and tid is %s.", x.c.issuer.TenantID, quoted(x.claims.text("tid"))), nil
}

func (x *explainer) version() (string, []string) {
	switch x.cause() {
	case errNotV2:
		return "This is a v1.0 token, and from this tenant only v2.0 tokens are accepted (Tenant.Version is 2).", []string{
			"Set requestedAccessTokenVersion to 2 in the manifest of this API's registration (older manifests: accessTokenAcceptedVersion). It decides, not the endpoint that the client uses.",
			"Or keep v1.0 enabled: set Tenant.Version to 0, which accepts both.",
		}
	case errNotV1:
		return "This is a v2.0 token, and from this tenant only v1.0 tokens are accepted (Tenant.Version is 1).", []string{
			"The manifest of this API's registration has requestedAccessTokenVersion 2, which is fine: set Tenant.Version to 0, which accepts both, or to 2.",
		}
	}
	form := "v1.0"
	if x.c.issuer.Form == FormV2 {
		form = "v2.0"
	}
	if x.claims.kind("ver") == "missing" {
		return "The token does not say which version it has: it has no ver.", forgery
	}
	return fmt.Sprintf("The token contradicts itself: its issuer is that of %s tokens, and ver is %s.", form, strings.TrimPrefix(x.valueText(x.claims, "ver"), "is ")), forgery
}

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

const clocksAgree = 30 * time.Second // within that, clocks are not at fault

// clock is what is known about this machine's clock. wrong tells that it would explain a refusal if this machine's is ahead (sign 1) or
// behind (-1). The text is empty if nothing is known.
func (x *explainer) clock(sign time.Duration) (text string, wrong bool) {
	if x.keys == nil || x.keys.ClockAhead == nil {
		return "", false // the key server has not told the time yet
	}
	behind := time.Duration(*x.keys.ClockAhead) * time.Second
	if behind < clocksAgree && behind > -clocksAgree {
		return "This machine's clock agrees with the key server's.", false
	}
	side := "behind"
	if behind < 0 {
		side = "ahead of"
	}
	return fmt.Sprintf("This machine's clock was %s %s the key server's when keys were fetched. Set it right (NTP).", durationText(behind), side), behind*sign < 0
}

func (x *explainer) expired() (string, []string) {
	exp := time.Unix(x.c.token.claims.expires.unix, 0)
	late := x.now.Sub(exp)
	text := fmt.Sprintf("The token expired %s ago, at %s.", durationText(late), timeText(exp))
	get := reasonWords[x.err.Reason].advice
	clock, wrong := x.clock(1)
	switch {
	case wrong:
		return text, []string{clock, get}
	case clock != "":
		return text, []string{get, clock}
	}
	return text, nil
}

func (x *explainer) early() (string, []string) {
	name, what := "nbf", "The token is not valid yet: it will be in %s, at %s."
	if x.err.Reason == reasonOf(ErrIssuedInFuture) {
		name, what = "iat", "The token says that it is issued in the future: in %s, at %s."
	}
	at := x.claims.time(name)
	if at == nil {
		return "", nil
	}
	clock, wrong := x.clock(-1)
	text := fmt.Sprintf(what, durationText(at.Sub(x.now)), timeText(*at))
	switch {
	case wrong:
		return text, []string{clock}
	case clock != "":
		return text, append([]string{clock + " So the clock of whoever issued the token is ahead, or somebody has made it up."}, forgery...)
	}
	return text, nil
}

func (x *explainer) wrongTime() (string, []string) {
	if x.cause() == errNbfExp {
		return "The token contradicts itself: it begins to be valid (nbf) after it has expired (exp).", nil
	}
	if !x.claims.has("exp") {
		return "The token would never expire: it has no exp.", nil
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if !x.claims.has(name) || x.claims.time(name) != nil {
			continue
		}
		switch kind := x.claims.kind(name); {
		case kind != "a number":
			return fmt.Sprintf("The token does not say properly how long it is valid: %s is %s, not a number of seconds.", name, kind), nil
		case x.claims[name][0] == '-':
			return fmt.Sprintf("The token does not say properly how long it is valid: %s is before 1970.", name), nil
		}
		return fmt.Sprintf("The token does not say properly how long it is valid: %s is after the year 9999.", name),
			append([]string{"Times are in seconds since 1970. Milliseconds end up thousands of years ahead."}, forgery...)
	}
	return "", nil
}

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
