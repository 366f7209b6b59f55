package mockidp

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"time"
)

// verdict is what the token page says of a token's origin. Only the server's own keys are tried: never one that the token brings
// along, never one from elsewhere.
type verdict struct {
	Class   string // good, bad or open, for the style
	Heading string
	Text    string
	Facts   []verdictFact
}

type verdictFact struct{ Name, Text string }

// ownKey is a key of the server that has the kid of a token.
type ownKey struct {
	key       *Key
	set       keySetID
	published bool
	signing   bool
	personal  bool
}

// ownKeys are the keys with this ID in all sets. Sets that made no key yet have signed nothing.
func (s *Server) ownKeys(kid string) []ownKey {
	s.mu.RLock()
	sets := make([]*KeySet, 0, len(s.sets))
	for _, set := range s.sets {
		sets = append(sets, set)
	}
	s.mu.RUnlock()
	var found []ownKey
	for _, set := range sets {
		found = append(found, set.withID(kid)...)
	}
	slices.SortFunc(found, func(a, b ownKey) int { return strings.Compare(fmt.Sprint(a.set), fmt.Sprint(b.set)) })
	return found
}

// withID are the keys of the set with this ID: those that are published, and the one that signs.
func (k *KeySet) withID(kid string) []ownKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []ownKey
	for _, e := range k.entries {
		if e.key != nil && e.key.id == kid {
			found = append(found, ownKey{key: e.key, set: k.id, published: true, signing: e.key == k.signing || e.key == k.consumer, personal: e.key.personal})
		}
	}
	if s := k.signing; s != nil && s.id == kid && !slices.ContainsFunc(found, func(o ownKey) bool { return o.key == s }) {
		found = append(found, ownKey{key: s, set: k.id, signing: true})
	}
	return found
}

// judge finds out whether the server signed the token.
func (s *Server) judge(d *decodedToken, origin string) verdict {
	issuer := s.issuerOf(d, origin)
	if issuer.tenant != nil && d.has("tid") && d.text("tid") != issuer.tenant.ID {
		d.note("tid is another tenant than the issuer's.")
	}
	facts := []verdictFact{}
	if len(d.claims) > 0 {
		facts = append(facts, verdictFact{"Kind", kindOfToken(d)}, verdictFact{"Issuer", issuer.text})
		facts = append(facts, validityFacts(d, s.now())...)
	}
	kid, alg := memberText(d.header, "kid"), memberText(d.header, "alg")
	hash, isRSA := rsaHash(alg)
	switch {
	case len(d.segments) != 3 || len(d.header) == 0:
		return verdict{Class: "bad", Heading: "Not a signed token", Text: "There is no signature to check.", Facts: facts}
	case !isRSA:
		return verdict{Class: "bad", Heading: "Not signed with a key of Microsoft's kind",
			Text: algorithmText(alg) + " The signature was not checked; an API must refuse it.", Facts: facts}
	case kid == "":
		return verdict{Class: "open", Heading: "Not checked: the header names no key",
			Text: "Without a kid there is no telling whose key it is. An API must refuse it.", Facts: facts}
	}
	keys := s.ownKeys(kid)
	if len(keys) == 0 {
		return verdict{Class: "open", Heading: "Not checked: the key is not known here",
			Text: fmt.Sprintf("This server has no key %q. The token is another server's, older than the last start of this one, or signed with a key that "+
				"was never published. Only this server's own keys are tried.", kid), Facts: facts}
	}
	for _, own := range keys {
		if d.signedBy(own.key, alg, hash) {
			return goodVerdict(own, issuer, append(facts, verdictFact{"Key", s.keyText(own)}))
		}
	}
	facts = append(facts, verdictFact{"Key", s.keyText(keys[0])})
	if memberText(d.header, "nonce") != "" {
		return verdict{Class: "open", Heading: "Only Microsoft Graph can check this token",
			Text: "Its header has a nonce, so the signature covers another header than the one that is transported. An API must refuse it.", Facts: facts}
	}
	return verdict{Class: "bad", Heading: "The signature does not fit",
		Text: "The key that the token names is this server's, but it did not sign these bytes. An API must refuse it.", Facts: facts}
}

func goodVerdict(own ownKey, issuer tokenIssuer, facts []verdictFact) verdict {
	switch {
	case !own.published:
		return verdict{Class: "open", Heading: "Signed by this server, with a key that it does not publish",
			Text: "No API can find the key, so each must refuse the token.", Facts: facts}
	case issuer.found && !issuer.owns(own):
		return verdict{Class: "bad", Heading: "Signed by this server, with a key of another issuer",
			Text: "The signature fits, but this key must not sign for this issuer. An API must refuse the token.", Facts: facts}
	case !issuer.found:
		return verdict{Class: "open", Heading: "Signed by this server, for an issuer that it does not have",
			Text: "The signature fits. The issuer is none of this server's tenants: an API must refuse the token.", Facts: facts}
	}
	return verdict{Class: "good", Heading: "Signed by this server",
		Text: "The signature fits, and the key is one that the issuer publishes. What an API does with the token still depends on its own checks.", Facts: facts}
}

func algorithmText(alg string) string {
	if alg == "" {
		return "The header names no algorithm."
	}
	return fmt.Sprintf("The header says %q.", alg)
}

// rsaHash is the hash of an RSA signature algorithm.
func rsaHash(alg string) (crypto.Hash, bool) {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return hashes[alg[2:]], true
	}
	return 0, false
}

// signedBy checks the signature over the bytes as they are.
func (d *decodedToken) signedBy(key *Key, alg string, hash crypto.Hash) bool {
	input := d.segments[0] + "." + d.segments[1]
	if d.signature == nil {
		return false
	}
	if alg[:2] == "PS" {
		return rsa.VerifyPSS(key.Public(), hash, digest(hash, input), d.signature, nil) == nil
	}
	return rsa.VerifyPKCS1v15(key.Public(), hash, digest(hash, input), d.signature) == nil
}

// keyText says whose key it is.
func (s *Server) keyText(own ownKey) string {
	state := "no longer used for new tokens"
	switch {
	case !own.published:
		state = "not published"
	case own.signing:
		state = "published, signs new tokens"
	}
	return fmt.Sprintf("%s, of %s (%s)", own.key.id, s.setText(own), state)
}

func (s *Server) setText(own ownKey) string {
	id := own.set
	switch {
	case own.personal:
		return "the personal accounts of " + cloudText(id.cloud)
	case id.tenant == "":
		return "the workforce tenants of " + cloudText(id.cloud)
	}
	name := kindName(id.kind) + " tenant " + s.tenantText(id.kind, id.tenant)
	switch {
	case id.app != "":
		return "application " + id.app + " in " + name
	case id.policy != "":
		return "policy " + id.policy + " of " + name
	}
	return name
}

func cloudText(c Cloud) string {
	if c == Public {
		return "the public cloud"
	}
	return "the cloud " + string(c)
}

// tenantText is how people know a tenant.
func (s *Server) tenantText(kind Kind, id string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.directory.tenants[tenantID{kind, id}]; t != nil {
		return t.humanName()
	}
	return id
}

// humanName is the initial domain, a custom domain or the GUID.
func (t *tenant) humanName() string {
	switch {
	case t.domain() != "":
		return t.domain()
	case len(t.Hosts) > 0:
		return t.Hosts[0]
	}
	return t.ID
}

// tokenIssuer is whose issuer a token names.
type tokenIssuer struct {
	found    bool
	tenant   *tenant // nil for personal accounts
	personal bool
	text     string
}

// owns tells whether the issuer's documents list the key.
func (i tokenIssuer) owns(own ownKey) bool {
	switch {
	case i.personal:
		return own.personal
	case own.personal:
		return false
	case own.set.tenant == "":
		return i.tenant.Kind == Workforce && i.tenant.cloud.cloud == own.set.cloud
	}
	return own.set.tenant == i.tenant.ID && own.set.kind == i.tenant.Kind
}

// issuerOf finds the tenant that has exactly this issuer: at Microsoft's hosts, at its custom domains, or at origin, the address that
// the page was asked for at.
func (s *Server) issuerOf(d *decodedToken, origin string) tokenIssuer {
	iss := d.text("iss")
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, segment := range strings.Split(iss, "/") {
		if segment == PersonalAccounts {
			for _, base := range append(cloudOrigins(), origin) {
				if iss == base+"/"+PersonalAccounts+"/v2.0" {
					return tokenIssuer{found: true, personal: true, text: iss + " — personal Microsoft accounts"}
				}
			}
		}
		for kind := Workforce; kind <= External; kind++ {
			if t := s.directory.tenants[tenantID{kind, segment}]; t != nil && t.issues(iss, origin) {
				return tokenIssuer{found: true, tenant: t, text: iss + " — " + kindName(kind) + " tenant " + t.humanName()}
			}
		}
	}
	if iss == "" {
		return tokenIssuer{text: "none"}
	}
	return tokenIssuer{text: visible(iss) + " — not an issuer of this server"}
}

func cloudOrigins() []string {
	var origins []string
	for _, c := range clouds {
		origins = append(origins, c.origin)
	}
	return origins
}

// issues tells whether the tenant has this issuer, at its own addresses or at origin.
func (t *tenant) issues(iss, origin string) bool {
	if t.Kind != B2C && iss == t.v1Issuer() {
		return true
	}
	bases := []string{origin, t.origin()}
	if t.Kind != Workforce {
		for _, host := range t.hosts() {
			bases = append(bases, "https://"+host)
		}
	}
	for _, base := range bases {
		if iss == t.issuerAt(base) {
			return true
		}
		for _, policy := range t.Policies {
			if iss == base+"/tfp/"+t.ID+"/"+strings.ToLower(policy)+"/v2.0/" {
				return true
			}
		}
	}
	return false
}

// kindOfToken is what sort of token it is, by the signs that APIs go by.
func kindOfToken(d *decodedToken) string {
	version := "v" + visible(d.text("ver"))
	if version == "v" {
		version = "version unknown"
	}
	if d.has("tfp") || strings.HasSuffix(d.text("iss"), "/v2.0/") {
		version = "B2C"
	}
	appOnly := d.text("idtyp") == "app" || !d.has("idtyp") && !d.has("scp") && d.text("oid") != "" && d.text("oid") == d.text("sub")
	switch {
	case d.isIDToken():
		return "ID token (" + version + "): for the client, not for an API"
	case appOnly:
		return "Access token of an application (" + version + ")"
	case d.text("idp") != "" && strings.Contains(d.text("upn"), "#EXT#"):
		return "Access token of a guest (" + version + ")"
	}
	return "Access token of a user (" + version + ")"
}

// validityFacts is when the token is valid.
func validityFacts(d *decodedToken, now time.Time) []verdictFact {
	exp, ok := d.time("exp")
	if !ok {
		return nil
	}
	word := "Valid until"
	if !now.Before(exp) {
		word = "Expired"
	}
	return []verdictFact{{word, momentText(exp, now)}}
}
