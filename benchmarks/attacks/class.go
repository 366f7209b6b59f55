package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/echo-identity/identity/mockidp"
)

// field says whose job it is to refuse a class of tokens.
type field int

const (
	integrity field = iota // the RFCs say so
	hardening              // no RFC says so, but somebody was hurt by it, or could be
	microsoft              // only who knows Microsoft can tell
)

// class is a line of a table.
type class struct {
	field field
	name  string
}

var (
	shape      = class{integrity, "shape, base64url"}
	header     = class{integrity, "header"}
	critical   = class{integrity, "critical extensions"}
	algorithm  = class{integrity, "algorithm"}
	claims     = class{integrity, "claims"}
	issuer     = class{integrity, "issuer"}
	audience   = class{integrity, "audience"}
	times      = class{integrity, "time"}
	unknownKey = class{integrity, "unknown key"}
	unfitKey   = class{integrity, "unfit published key"}
	signature  = class{integrity, "signature"}

	limits     = class{hardening, "size and depth"}
	duplicates = class{hardening, "duplicate names"}
	lookAlikes = class{hardening, "look-alike names"}
	spellings  = class{hardening, "odd spellings"}
	parameters = class{hardening, "type, header parameters"}
	keyIDs     = class{hardening, "wrong kid, right key"}
	dates      = class{hardening, "odd dates"}
	leakedKey  = class{hardening, "published secret key"}

	tenants     = class{microsoft, "tenant"}
	versions    = class{microsoft, "version"}
	claimTypes  = class{microsoft, "types of other claims"}
	policies    = class{microsoft, "B2C policy"}
	keyOwners   = class{microsoft, "owner of the key"}
	bindings    = class{microsoft, "bound tokens"}
	permissions = class{microsoft, "nothing granted, ID token"}
)

// classes stand in the order of the tables.
var classes = []class{
	shape, header, critical, algorithm, claims, issuer, audience, times, unknownKey, unfitKey, signature,
	limits, duplicates, lookAlikes, spellings, parameters, keyIDs, dates, leakedKey,
	tenants, versions, claimTypes, policies, keyOwners, bindings, permissions,
}

// byCheck is the class of most tokens: that of the check that must refuse them.
var byCheck = map[string]class{
	"size": limits, "shape": shape, "header": header, "algorithm": algorithm, "type": parameters, "kid": keyIDs, "claims": claims,
	"issuer": issuer, "tenant": tenants, "version": versions, "audience": audience, "time": times, "policy": policies, "key": unknownKey,
	"key-issuer": keyOwners, "signature": signature, "binding": bindings, "permissions": permissions,
}

// byName are the exceptions, whole names or beginnings: where a check of this module covers more than one field, or an RFC lets
// everybody choose.
var byName = []struct {
	class class
	names []string
}{
	{limits, []string{"header-too-large", "header-deep-nesting", "payload-deep-nesting", "payload-very-deep-nesting"}},
	// RFC 7515 §4, RFC 7519 §4: refuse duplicates, or take the last one.
	{duplicates, []string{"duplicate-", "header-duplicate-", "header-escaped-duplicate", "case-folded-duplicate"}},
	{lookAlikes, []string{"look-alike-", "header-alg-upper-case", "header-kelvin-kid"}},
	// RFC 4648 §3.5: a decoder may refuse them. RFC 8259 §8.2: unpredictable.
	{spellings, []string{"non-canonical-signature", "lone-surrogate", "reversed-surrogates"}},
	// RFC 7515 §4.1.11: may refuse an empty list. RFC 7797 §7: who does not know b64 ignores it.
	{parameters, []string{"crit-empty", "b64-without-crit"}},
	{critical, []string{"crit-"}},
	// RFC 7515 §4.1.4: the key ID is a hint.
	{keyIDs, []string{"kid-"}},
	// RFC 7519 §2 sets no bounds to dates, and §4.1.6 says nothing of an iat in the future.
	{dates, []string{"exp-1e300", "exp-1e400", "exp-int64-overflow", "exp-uint64-overflow", "exp-year-10000", "exp-milliseconds", "iat-negative", "issued-in-future"}},
	{claimTypes, []string{"scp-", "roles-", "groups-", "oid-", "azp-", "idtyp-", "two-clients"}},
	{unknownKey, []string{"policy-other-key"}},
	{issuer, []string{"unknown-tenant", "personal-account", "iss-", "external-other-path", "b2c-no-final-slash"}},
}

// classOf is the class of a token of the catalogue.
func classOf(b *mockidp.BrokenToken) (class, error) {
	for _, exception := range byName {
		if slices.ContainsFunc(exception.names, func(name string) bool { return matches(name, b.Name) }) {
			return exception.class, nil
		}
	}
	if c, ok := byCheck[b.Check]; ok {
		return c, nil
	}
	return class{}, fmt.Errorf("%s: no class for the check %q", b.Name, b.Check)
}

// matches compares with a whole name, or with a beginning if that ends in a hyphen.
func matches(pattern, name string) bool {
	return pattern == name || strings.HasSuffix(pattern, "-") && strings.HasPrefix(name, pattern)
}
