package mockidp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TokenOption changes a token under construction. Options that choose the kind of token are applied first, wherever they stand;
// of the others, later ones win. The zero value does nothing.
type TokenOption struct {
	kind  func(*shape)
	apply func(*builder)
}

// shape is what the kind options say, before a single claim exists.
type shape struct {
	v1, appOnly, overage, idToken, personal, graph bool
	appRoles                                       []string
	home                                           string // tenant of a guest
	policy                                         string
	acr, tfpIssuer                                 bool
	issuedBy                                       string // origin
}

// builder is a token under construction.
type builder struct {
	shape
	handle *TenantHandle
	t      *tenant

	header, claims          object
	editHeader, editPayload []func(string) string
	mutate                  []func(string) string
	key                     *Key
	algorithm               string
	secret                  []byte
	timesSet                map[string]bool // iat, nbf set on purpose
	kidSet, algSet          bool
}

// Token makes a token. Without options it is a good one: a v2 access token of a user, issued now by the tenant for [API] to
// [Client], valid for an hour, with the scope access_as_user, signed with the key that [TenantHandle.Keys] signs with. For B2C it
// is of the tenant's first policy. It panics on options that make no sense for the kind of tenant, and on values that are not
// JSON.
//
// A token without roles, groups or client capabilities has none of these claims; add what the test is about.
func (t *TenantHandle) Token(opts ...TokenOption) string {
	b := &builder{handle: t, t: t.t, timesSet: make(map[string]bool)}
	b.issuedBy = t.at
	for _, o := range opts {
		if o.kind != nil {
			o.kind(&b.shape)
		}
	}
	b.checkShape()
	b.defaults()
	for _, o := range opts {
		if o.apply != nil {
			o.apply(b)
		}
	}
	return b.compact()
}

func kindOption(f func(*shape)) TokenOption    { return TokenOption{kind: f} }
func tokenOption(f func(*builder)) TokenOption { return TokenOption{apply: f} }

// V1 makes a v1 token: another issuer, other claim names, x5t in the header. Not for B2C.
func V1() TokenOption { return kindOption(func(s *shape) { s.v1 = true }) }

// AppOnly makes a token of an application without a user, with these application permissions. B2C carries them in scp.
func AppOnly(roles ...string) TokenOption {
	roles = slices.Clone(roles)
	return kindOption(func(s *shape) { s.appOnly, s.appRoles = true, roles })
}

// Guest makes a token of a user of another tenant who was invited into this one. [PersonalAccounts] makes it a personal account.
func Guest(homeTenantID string) TokenOption {
	return kindOption(func(s *shape) { s.home = strings.ToLower(homeTenantID) })
}

// Overage makes a token of a user with more groups than fit: it says where to ask instead of naming them.
func Overage() TokenOption { return kindOption(func(s *shape) { s.overage = true }) }

// IDToken makes an ID token for [Client], which is no access token.
func IDToken() TokenOption { return kindOption(func(s *shape) { s.idToken = true }) }

// PersonalAccount makes a token of a personal Microsoft account, issued by [PersonalAccounts] and signed with
// [KeySet.Consumer]. Workforce only.
func PersonalAccount() TokenOption { return kindOption(func(s *shape) { s.personal = true }) }

// ForGraph makes a v1 token for Microsoft Graph. Its header has a nonce, and its signature does not cover the token as it is
// transported: nobody but Graph can verify it. Workforce only.
func ForGraph() TokenOption { return kindOption(func(s *shape) { s.graph, s.v1 = true, true }) }

// Policy makes a token of this B2C policy, signed with the policy's key. The tfp claim has the configured spelling. A policy
// that the tenant does not have is put into the claim, and the first policy's key signs.
func Policy(name string) TokenOption { return kindOption(func(s *shape) { s.policy = name }) }

// ACRPolicy names the policy in acr, in lower case, instead of tfp, as older B2C policies do.
func ACRPolicy() TokenOption { return kindOption(func(s *shape) { s.acr = true }) }

// TFPIssuer makes the B2C issuer that has the policy in its path.
func TFPIssuer() TokenOption { return kindOption(func(s *shape) { s.tfpIssuer = true }) }

// IssuedBy puts the issuer on another host ("login.contoso.example") or origin ("https://127.0.0.1:8443"). The issuer of a v1 token
// follows only to a host of a Microsoft cloud: private deployments use the public cloud's.
func IssuedBy(hostOrOrigin string) TokenOption {
	if !strings.Contains(hostOrOrigin, "://") {
		hostOrOrigin = "https://" + hostOrOrigin
	}
	origin := mustOrigin(hostOrOrigin)
	return kindOption(func(s *shape) { s.issuedBy = origin })
}

// Claim sets a claim. The value is anything that encoding/json encodes; a [json.RawMessage] goes in as it is, numbers out of range
// and duplicate names inside it included.
func Claim(name string, value any) TokenOption {
	return tokenOption(func(b *builder) { b.claims.set(name, value) })
}

// Without removes claims.
func Without(names ...string) TokenOption {
	names = slices.Clone(names)
	return tokenOption(func(b *builder) {
		for _, name := range names {
			b.claims.remove(name)
		}
	})
}

// Claims lets f change the claims at will.
func Claims(f func(map[string]any)) TokenOption {
	return tokenOption(func(b *builder) { b.claims.edit(f) })
}

// Scopes sets scp; none removes it.
func Scopes(scopes ...string) TokenOption {
	if len(scopes) == 0 {
		return Without("scp")
	}
	return Claim("scp", strings.Join(scopes, " "))
}

// Roles sets roles; none removes them.
func Roles(roles ...string) TokenOption { return listClaim("roles", roles) }

// Groups sets groups; none removes them.
func Groups(ids ...string) TokenOption { return listClaim("groups", ids) }

func listClaim(name string, values []string) TokenOption {
	if len(values) == 0 {
		return Without(name)
	}
	return Claim(name, slices.Clone(values))
}

// Audience sets aud, to a string or anything else.
func Audience(aud any) TokenOption { return Claim("aud", aud) }

// Subject sets sub.
func Subject(sub string) TokenOption { return Claim("sub", sub) }

// ObjectID sets oid; and sub where both are one: in app-only tokens and in B2C.
func ObjectID(oid string) TokenOption {
	return tokenOption(func(b *builder) {
		b.claims.set("oid", oid)
		if b.appOnly || b.t.Kind == B2C {
			b.claims.set("sub", oid)
		}
	})
}

// ClientID sets the calling application: azp, or appid in v1 tokens.
func ClientID(id string) TokenOption {
	return tokenOption(func(b *builder) { b.claims.set(b.clientClaim(), id) })
}

// ExpiresIn sets exp, relative to the server's clock. See [ExpiresAt].
func ExpiresIn(d time.Duration) TokenOption {
	return tokenOption(func(b *builder) { b.expire(b.now().Add(d)) })
}

// ExpiresAt sets exp. If that is not after the time of issue, the token is issued an hour before, unless IssuedAt or NotBefore say
// otherwise: an expired token was valid once.
func ExpiresAt(t time.Time) TokenOption {
	return tokenOption(func(b *builder) { b.expire(t) })
}

// NotBefore sets nbf.
func NotBefore(t time.Time) TokenOption {
	return tokenOption(func(b *builder) { b.setTime("nbf", t) })
}

// IssuedAt sets iat.
func IssuedAt(t time.Time) TokenOption {
	return tokenOption(func(b *builder) { b.setTime("iat", t) })
}

// Header sets a header parameter.
func Header(name string, value any) TokenOption {
	return tokenOption(func(b *builder) {
		b.header.set(name, value)
		b.kidSet, b.algSet = b.kidSet || name == "kid", b.algSet || name == "alg"
	})
}

// WithoutHeader removes header parameters.
func WithoutHeader(names ...string) TokenOption {
	names = slices.Clone(names)
	return tokenOption(func(b *builder) {
		for _, name := range names {
			b.header.remove(name)
			b.kidSet, b.algSet = b.kidSet || name == "kid", b.algSet || name == "alg"
		}
	})
}

// KeyID sets the kid of the header alone; the signing key stays.
func KeyID(kid string) TokenOption { return Header("kid", kid) }

// RawHeader replaces the text of the header: duplicates, bad JSON. It is encoded and signed as it is.
func RawHeader(text string) TokenOption { return EditHeader(func(string) string { return text }) }

// RawPayload replaces the text of the claims. It is encoded and signed as it is.
func RawPayload(text string) TokenOption { return EditPayload(func(string) string { return text }) }

// EditHeader changes the text of the header before it is encoded and signed.
func EditHeader(f func(text string) string) TokenOption {
	return tokenOption(func(b *builder) { b.editHeader = append(b.editHeader, f) })
}

// EditPayload changes the text of the claims before it is encoded and signed.
func EditPayload(f func(text string) string) TokenOption {
	return tokenOption(func(b *builder) { b.editPayload = append(b.editPayload, f) })
}

// SignedBy signs with key and names it in the header.
func SignedBy(key *Key) TokenOption {
	return tokenOption(func(b *builder) { b.key = key })
}

// Algorithm signs with another algorithm, and says so in the header: RS256, RS384, RS512, PS256, PS384, PS512, ES256, HS256, HS384, HS512,
// none. To lie about it, use Header("alg", …). It panics on any other name.
func Algorithm(name string) TokenOption {
	checkAlgorithm(name)
	return tokenOption(func(b *builder) { b.algorithm = name })
}

// HMACSecret is the secret of HS256 and its like. Without it, that is the public key in PEM: the classic confusion attack.
func HMACSecret(secret []byte) TokenOption {
	secret = slices.Clone(secret)
	return tokenOption(func(b *builder) { b.secret = secret })
}

// Mutate changes the finished token.
func Mutate(f func(raw string) string) TokenOption {
	return tokenOption(func(b *builder) { b.mutate = append(b.mutate, f) })
}

func (b *builder) now() time.Time { return b.handle.srv.now() }

func (b *builder) setTime(name string, t time.Time) {
	b.timesSet[name] = true
	b.claims.set(name, t.Unix())
}

func (b *builder) expire(t time.Time) {
	b.claims.set("exp", t.Unix())
	issued := t.Add(-time.Hour)
	if t.After(b.now()) {
		issued = b.now()
	}
	for _, name := range []string{"iat", "nbf"} {
		if !b.timesSet[name] {
			b.claims.set(name, issued.Unix())
		}
	}
}

// checkShape refuses what no tenant of this kind issues.
func (b *builder) checkShape() {
	for _, wrong := range []struct {
		is   bool
		what string
	}{
		{b.v1 && b.t.Kind == B2C, "V1 or ForGraph"},
		{(b.personal || b.graph) && b.t.Kind != Workforce, "PersonalAccount or ForGraph"},
		{(b.home != "" || b.overage) && b.t.Kind == B2C, "Guest or Overage"},
		{(b.policy != "" || b.acr || b.tfpIssuer) && b.t.Kind != B2C, "Policy, ACRPolicy or TFPIssuer"},
	} {
		if wrong.is {
			panic(fmt.Sprintf("mockidp: %s is not for a %v tenant", wrong.what, b.t.Kind))
		}
	}
}
