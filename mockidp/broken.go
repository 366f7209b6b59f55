package mockidp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// BrokenToken is an entry of the catalogue of [Broken].
type BrokenToken struct {
	// Name is unique, in kebab case.
	Name string
	// Breaks says what is wrong with the token.
	Breaks string
	// Check is the check that has to refuse it: "size", "shape", "header", "algorithm", "type", "kid", "claims", "issuer", "tenant", "version",
	// "audience", "time", "policy", "key", "key-issuer", "signature", "binding" or "permissions".
	Check string
	// Source is where the rule, or the attack, comes from: an RFC, a CVE, an incident.
	Source string
	// Status is what an API must answer: 400 or 401.
	Status int
	// Reason is the cause that a validator should report. It presumes that checks run in the order size, shape, header, claims,
	// issuer, tenant, version, audience, time, policy, key, signature, binding, permissions, and that the first failure counts; only an
	// empty signature is looked at after the algorithm, so that "none" is called by its name.
	Reason string
	// Kind is the kind of tenant that the token needs.
	Kind Kind
	// Token makes the token of a tenant of that kind. It panics for other kinds.
	Token func(t *TenantHandle) string
}

// Broken lists tokens that an API must refuse, one defect each. They presume an API that accepts [TenantHandle.Token] without
// options: it trusts the tenant, by itself or among others, its client ID is [API], and it allows a minute of clock skew. It does
// not trust the issuer form of [TFPIssuer], nor a tenant "5eed5eed-0000-4000-8000-5eed5eed5eed" or [PersonalAccounts].
//
// Every token can be sent in a header field. Making one changes nothing on the server. Every call makes a new list.
//
// Keys that are published but must not be used (key_unusable) are not in it, because they need a change of the key set:
//
//	key := tenant.Keys().NewKey().WithJWK("use", "enc")
//	tenant.Keys().Publish(key)
//	raw := tenant.Token(mockidp.SignedBy(key))
func Broken() []BrokenToken {
	return slices.Concat(brokenShapes(), brokenHeaders(), brokenAlgorithms(), brokenKeyIDs(), brokenJSON(), brokenClaims(), brokenIssuers(),
		brokenTenants(), brokenAudiences(), brokenTimes(), brokenPolicies(), brokenKeys(), brokenSignatures(), brokenBindings(), brokenExternal())
}

// unknownTenantID is a tenant that nobody registers.
const unknownTenantID = "5eed5eed-0000-4000-8000-5eed5eed5eed"

// group makes the entries of one check from the same source; both can be overridden per entry.
type group struct {
	check  string
	reason string
	source string
	kind   Kind
}

// of is an entry that only needs options.
func (g group) of(name, breaks string, opts ...TokenOption) BrokenToken {
	return g.by(name, breaks, func(*TenantHandle) []TokenOption { return opts })
}

// by is an entry whose options depend on the tenant.
func (g group) by(name, breaks string, opts func(t *TenantHandle) []TokenOption) BrokenToken {
	return BrokenToken{
		Name: name, Breaks: breaks, Check: g.check, Source: g.source, Status: http.StatusUnauthorized, Reason: g.reason, Kind: g.kind,
		Token: func(t *TenantHandle) string {
			if t.Kind() != g.kind {
				panic(fmt.Sprintf("mockidp: broken token %s needs a %v tenant, not a %v one", name, g.kind, t.Kind()))
			}
			return t.Token(opts(t)...)
		},
	}
}

// because is the group with another reason, and the check that gives it.
func (g group) because(check, reason string) group {
	g.check, g.reason = check, reason
	return g
}

func (g group) from(source string) group {
	g.source = source
	return g
}

func (g group) in(kind Kind) group {
	g.kind = kind
	return g
}

// insert puts members, written as JSON, in front of those of an object.
func insert(members string) func(string) string {
	return func(text string) string { return "{" + members + "," + strings.TrimPrefix(text, "{") }
}

// segments changes the three encoded parts of a token and leaves the signature as it is.
func segments(f func(header, payload, signature string) string) TokenOption {
	return Mutate(func(raw string) string {
		parts := strings.Split(raw, ".")
		return f(parts[0], parts[1], parts[2])
	})
}

// resigned changes the first two parts and signs them as they then are, so that nothing but their encoding is wrong.
func resigned(f func(header, payload string) (string, string)) func(*TenantHandle) []TokenOption {
	return func(t *TenantHandle) []TokenOption {
		key := t.Keys().Signing()
		return []TokenOption{segments(func(header, payload, _ string) string { return key.SignSegments(f(header, payload)) })}
	}
}

// stranger is a key that the server never publishes.
func (t *TenantHandle) stranger() *Key { return t.srv.stranger() }

func (t *TenantHandle) now() time.Time { return t.srv.now() }

// nested is a JSON array in an array, depth times.
func nested(depth int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}
