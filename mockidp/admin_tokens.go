package mockidp

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

var tokenCalls = []adminEndpoint{
	{"GET", "tenants/{tenant}/tokens", "the kinds of tokens that can be minted", ofKind, (*adminCall).getTokens},
	{"POST", "tenants/{tenant}/tokens", "mints a token", ofKind, (*adminCall).postToken},
	{"POST", "tenants/{tenant}/sign-in", "signs a user in without a page", ofKind, (*adminCall).postSignIn},
	{"POST", "walk", "takes an authorize URL to its end", nil, (*adminCall).postWalk},
}

// tokenRequest says what token to mint: a kind, and what is different.
type tokenRequest struct {
	// Kind is a name from the list, of a good token or of a broken one. Empty means the first.
	Kind string `json:"kind"`
	// IssuedBy is a host or origin; "microsoft" is the tenant's own in production. Empty means the origin that the call came to.
	IssuedBy string `json:"issuedBy"`
	// Policy is the B2C policy.
	Policy string `json:"policy"`

	Scopes    []string `json:"scopes"` // an empty list removes the claim; so do Roles and Groups
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	Client    string   `json:"client"`
	User      string   `json:"user"` // object ID
	ExpiresIn duration `json:"expiresIn"`
	IssuedAt  moment   `json:"issuedAt"`
	NotBefore moment   `json:"notBefore"`

	Claims        members  `json:"claims"`
	Without       []string `json:"without"`
	Header        members  `json:"header"`
	WithoutHeader []string `json:"withoutHeader"`
	RawHeader     string   `json:"rawHeader"`
	RawPayload    string   `json:"rawPayload"`

	Key        string `json:"key"` // kid of a published key to sign with
	Algorithm  string `json:"algorithm"`
	HMACSecret string `json:"hmacSecret"`
}

// getTokens lists what the token page offers.
func (c *adminCall) getTokens() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	good, broken := []object{}, []object{}
	for _, r := range readyTokens(t.t) {
		good = append(good, object{{"kind", r.name}, {"title", r.title}, {"text", r.text}})
	}
	for _, b := range Broken() {
		if b.Kind == t.Kind() {
			broken = append(broken, object{{"kind", brokenPrefix + b.Name}, {"text", b.Breaks}, {"check", b.Check}, {"status", b.Status}, {"reason", b.Reason}})
		}
	}
	return object{{"good", good}, {"broken", broken}}, nil
}

// postToken mints.
func (c *adminCall) postToken() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	var in tokenRequest
	if err := c.read(&in, func(p *problems) { in.check(t, p) }); err != nil {
		return nil, err
	}
	at := t
	if in.IssuedBy == "" {
		at = t.servedAt(c.rt.origin)
	}
	if broken, ok := strings.CutPrefix(in.Kind, brokenPrefix); ok {
		b := brokenNamed(broken, t.Kind())
		return object{{"token", b.Token(at)}, {"status", b.Status}, {"reason", b.Reason}}, nil
	}
	opts := append(slices.Clone(in.ready(t).opts), in.options(t)...)
	return object{{"token", at.Token(opts...)}}, nil
}

func (in *tokenRequest) ready(t *TenantHandle) *readyToken {
	for _, r := range readyTokens(t.t) {
		if r.name == in.Kind || in.Kind == "" {
			return &r
		}
	}
	return nil
}

func brokenNamed(name string, kind Kind) *BrokenToken {
	for _, b := range Broken() {
		if b.Name == name && b.Kind == kind {
			return &b
		}
	}
	return nil
}

// check finds what would otherwise have no effect, or panic.
func (in *tokenRequest) check(t *TenantHandle, p *problems) {
	broken, isBroken := strings.CutPrefix(in.Kind, brokenPrefix)
	if isBroken && brokenNamed(broken, t.Kind()) == nil || !isBroken && in.ready(t) == nil {
		p.add(".kind", "%s tenants have no token %q; GET the same address for a list", kindName(t.Kind()), in.Kind)
	}
	if isBroken && !in.plain() {
		p.add(".kind", "a broken token is made as it is; only issuedBy can be chosen")
	}
	if in.IssuedBy != "" && in.IssuedBy != microsoftsHosts {
		if _, ok := parseOrigin(in.issuer()); !ok {
			p.add(".issuedBy", "%q is neither microsoft nor a host nor an origin (https://host[:port])", in.IssuedBy)
		}
	}
	if in.Policy != "" && t.Kind() != B2C {
		p.add(".policy", "only B2C has policies")
	}
	if in.Algorithm != "" && !knownAlgorithm(in.Algorithm) {
		p.add(".algorithm", "%q is none that the mock can sign with", in.Algorithm)
	}
	if in.Key != "" && in.keyOf(t) == nil {
		p.add(".key", "the tenant publishes no key %q", in.Key)
	}
}

// plain tells whether nothing but the kind and the issuer is chosen.
func (in *tokenRequest) plain() bool {
	return in.Policy == "" && in.Scopes == nil && in.Roles == nil && in.Groups == nil && in.Client == "" && in.User == "" && in.ExpiresIn == 0 &&
		in.IssuedAt.IsZero() && in.NotBefore.IsZero() && in.Claims == nil && in.Without == nil && in.Header == nil && in.WithoutHeader == nil &&
		in.RawHeader == "" && in.RawPayload == "" && in.Key == "" && in.Algorithm == "" && in.HMACSecret == ""
}

func (in *tokenRequest) issuer() string {
	if strings.Contains(in.IssuedBy, "://") {
		return in.IssuedBy
	}
	return "https://" + in.IssuedBy
}

func (in *tokenRequest) keyOf(t *TenantHandle) *Key {
	for _, set := range t.srv.keySetsOf(t.t) {
		for _, k := range set.Published() {
			if k.ID() == in.Key {
				return k
			}
		}
	}
	return nil
}

// options are the differences, in an order in which the more specific wins.
func (in *tokenRequest) options(t *TenantHandle) []TokenOption {
	var opts []TokenOption
	add := func(wanted bool, option func() TokenOption) {
		if wanted {
			opts = append(opts, option())
		}
	}
	add(in.IssuedBy != "" && in.IssuedBy != microsoftsHosts, func() TokenOption { return IssuedBy(in.issuer()) })
	add(in.Policy != "", func() TokenOption { return Policy(in.Policy) })
	add(in.Scopes != nil, func() TokenOption { return Scopes(in.Scopes...) })
	add(in.Roles != nil, func() TokenOption { return Roles(in.Roles...) })
	add(in.Groups != nil, func() TokenOption { return Groups(in.Groups...) })
	add(in.Client != "", func() TokenOption { return ClientID(in.Client) })
	add(in.User != "", func() TokenOption { return ObjectID(in.User) })
	add(!in.IssuedAt.IsZero(), func() TokenOption { return IssuedAt(in.IssuedAt.Time) })
	add(!in.NotBefore.IsZero(), func() TokenOption { return NotBefore(in.NotBefore.Time) })
	add(in.ExpiresIn != 0, func() TokenOption { return ExpiresIn(time.Duration(in.ExpiresIn)) })
	add(in.Key != "", func() TokenOption { return SignedBy(in.keyOf(t)) })
	add(in.Algorithm != "", func() TokenOption { return Algorithm(in.Algorithm) })
	add(in.HMACSecret != "", func() TokenOption { return HMACSecret([]byte(in.HMACSecret)) })
	for _, m := range in.Claims {
		opts = append(opts, Claim(m.name, m.value))
	}
	opts = append(opts, Without(in.Without...))
	for _, m := range in.Header {
		opts = append(opts, Header(m.name, m.value))
	}
	opts = append(opts, WithoutHeader(in.WithoutHeader...))
	add(in.RawHeader != "", func() TokenOption { return RawHeader(in.RawHeader) })
	add(in.RawPayload != "", func() TokenOption { return RawPayload(in.RawPayload) })
	return opts
}

// postSignIn gives the tokens that a client would be given.
func (c *adminCall) postSignIn() (any, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	var in struct {
		Client string   `json:"client"`
		Login  string   `json:"login"`
		Scopes []string `json:"scopes"`
		Policy string   `json:"policy"`
		Claims members  `json:"claims"`
	}
	if err := c.read(&in, func(p *problems) {
		if in.Login == "" {
			p.add(".login", "is required")
		}
		if len(in.Scopes) == 0 {
			p.add(".scopes", "is required")
		}
	}); err != nil {
		return nil, err
	}
	how := SignIn{Client: in.Client, Login: in.Login, Scopes: in.Scopes, Policy: in.Policy, Origin: c.rt.origin}
	if in.Claims != nil {
		how.Claims = object(in.Claims).text()
	}
	return t.SignIn(how)
}

// postWalk gives the redirect that a browser would follow.
func (c *adminCall) postWalk() (any, error) {
	var in struct {
		URL   string `json:"url"`
		Login string `json:"login"`
	}
	if err := c.read(&in, func(p *problems) {
		if in.URL == "" {
			p.add(".url", "is required")
		}
		if in.Login == "" {
			p.add(".login", "is required")
		}
	}); err != nil {
		return nil, err
	}
	to, err := c.srv.Walk(in.URL, in.Login)
	if err != nil {
		return nil, err
	}
	values := object{}
	for _, name := range slices.Sorted(maps.Keys(to.Values)) {
		values.set(name, to.Values.Get(name))
	}
	return object{{"url", to.URL.String()}, {"mode", to.Mode}, {"values", values}}, nil
}

// moment is a time that may be missing.
type moment struct{ time.Time }

// members is an object of any members, as they were written.
type members object

// decode refuses names that come twice; what a value holds is the caller's business.
func (m *members) decode(raw json.RawMessage, path string, p *problems) {
	*m = members{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.Token() // the brace; the text is valid JSON
	for d.More() {
		token, _ := d.Token()
		name, _ := token.(string)
		var value json.RawMessage
		d.Decode(&value)
		if slices.ContainsFunc(*m, func(other member) bool { return other.name == name }) {
			p.add(path+"."+name, "comes twice")
			continue
		}
		*m = append(*m, member{name, value})
	}
}
