package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
)

// FuzzGolangJWT holds Verify against golang-jwt with its strictest options: what we accept it accepts, with the same claims; what we
// refuse and it accepts is against a rule of the list, and nothing that is against one is accepted.
func FuzzGolangJWT(f *testing.F) {
	c := newComparison(f)
	for _, seed := range c.seeds() {
		if len(seed.header)+len(seed.payload) <= fuzzedSize {
			f.Add([]byte(seed.header), []byte(seed.payload), seed.signer, seed.spelling)
		}
	}
	f.Fuzz(func(t *testing.T, header, payload []byte, signer, spelling uint8) {
		if len(header)+len(payload) > fuzzedSize {
			t.Skip()
		}
		c.compare(t, c.token(t, header, payload, signer, spelling))
	})
}

// fuzzedSize keeps the fuzzer from spending its time on long inputs. What is longer stands in TestGolangJWT.
const fuzzedSize = 8 << 10

// Each rule of the list is what tells the two apart in one of the fuzzer's seeds, or it would stand there without a proof. The
// catalogue is compared as it is, too: its shapes are beyond what the fuzzer makes.
func TestGolangJWT(t *testing.T) {
	t.Parallel()
	c := newComparison(t)
	seen := make(map[string]int)
	for _, broken := range mockidp.Broken() {
		seen[c.compare(t, broken.Token(c.idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind])))]++
	}
	accepted := 0
	for _, seed := range c.seeds() {
		found := c.compare(t, c.token(t, []byte(seed.header), []byte(seed.payload), seed.signer, seed.spelling))
		seen[found]++
		if seed.good && found != both {
			t.Errorf("%s: got=%q, want a token that both accept", seed.payload, found)
		}
		if found == both {
			accepted++
		}
	}
	for _, rule := range stricter {
		if seen[rule.rule] == 0 {
			t.Errorf("no seed shows the rule %q", rule.rule)
		}
	}
	for _, rule := range laxer {
		if seen[rule.why] == 0 {
			t.Errorf("no seed shows %q", rule.why)
		}
	}
	t.Logf("%d accepted seeds; %d tokens that both refuse", accepted, seen[neither])
}

const (
	both    = "both accept"
	neither = "both refuse"
)

// compare requires that the two agree on a token, or a rule that they differ by. It returns which.
func (c *comparison) compare(t testing.TB, raw string) string {
	t.Helper()
	e := c.examine(raw)
	p, refusal := c.verify(t, raw)
	theirs, err := e.byGolangJWT()
	switch {
	case refusal != nil && err != nil:
		return neither
	case refusal != nil:
		for _, rule := range stricter {
			if rule.reason == refusal.Reason && rule.applies(e) {
				return rule.rule
			}
		}
		t.Fatalf("golang-jwt accepts what we refuse by none of our rules: %v\n%s\n%s\n%q", refusal, e.header, e.payload, raw)
	}
	if e == nil || e.issuer == nil {
		t.Fatalf("we accept what golang-jwt cannot read, or of another issuer: %q", raw)
	}
	for _, rule := range stricter {
		if rule.applies(e) {
			t.Fatalf("we accept a token against the rule %q\n%s\n%s\n%q", rule.rule, e.header, e.payload, raw)
		}
	}
	e.sameClaims(t, p)
	if err == nil {
		if !reflect.DeepEqual(map[string]any(theirs.Claims.(jwt.MapClaims)), e.claims) {
			t.Fatalf("golang-jwt reads %v in %s", theirs.Claims, e.payload)
		}
		return both
	}
	for _, rule := range laxer {
		if rule.applies(e, err) {
			return rule.why
		}
	}
	t.Fatalf("we accept what golang-jwt refuses: %v\n%s\n%s\n%q", err, e.header, e.payload, raw)
	return ""
}

// sameClaims requires that a principal says of its token what encoding/json reads in it.
func (e *evidence) sameClaims(t testing.TB, p *identity.Principal) {
	t.Helper()
	for name, value := range e.claims {
		if got := p.Claim(name); !reflect.DeepEqual(got, value) {
			t.Fatalf("%s: got=%#v, want=%#v", name, got, value)
		}
	}
	var all map[string]json.RawMessage
	if err := p.Decode(&all); err != nil || len(all) != len(e.claims) {
		t.Fatalf("Decode: got=%d claims, %v, want=%d", len(all), err, len(e.claims))
	}
	if p.RawToken() != e.raw || p.TenantID != e.issuer.tenant || p.ClientID != e.client() {
		t.Fatalf("got=%v of %s", p, e.payload)
	}
	for name, got := range map[string]string{"iss": p.Issuer, "sub": p.Subject, "oid": p.ObjectID, "ver": p.Version} {
		if got != textOf(e.claims[name]) {
			t.Fatalf("%s: got=%q, want=%v", name, got, e.claims[name])
		}
	}
	audience, _ := p.GetAudience()
	for name, got := range map[string][]string{"aud": audience, "roles": p.Roles, "groups": p.Groups} {
		if want := stringsOf(e.claims[name]); !slices.Equal(got, want) {
			t.Fatalf("%s: got=%q, want=%q", name, got, want)
		}
	}
	isBlank := func(r rune) bool { return r == ' ' || r == '\t' }
	if want := strings.FieldsFunc(textOf(e.claims["scp"]), isBlank); !slices.Equal(p.Scopes, want) {
		t.Fatalf("scp: got=%q, want=%q", p.Scopes, want)
	}
	for name, get := range map[string]func() (*jwt.NumericDate, error){"exp": p.GetExpirationTime, "nbf": p.GetNotBefore, "iat": p.GetIssuedAt} {
		want, set := secondsOf(e.claims[name])
		if got, _ := get(); (got != nil) != set || set && !got.Equal(time.Unix(want, 0)) {
			t.Fatalf("%s: got=%v, want=%v", name, got, e.claims[name])
		}
	}
}

// stringsOf is a claim that is one string, of which an empty one is none, or a list of them.
func stringsOf(value any) (all []string) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, element := range list {
		all = append(all, textOf(element))
	}
	if len(all) == 1 && all[0] == "" {
		return nil
	}
	return all
}

// jwtSeed is an input of FuzzGolangJWT.
type jwtSeed struct {
	header, payload  string
	signer, spelling uint8
	good             bool
}

// seedOf takes a token apart. It is none if the segments are not those of two texts.
func (c *comparison) seedOf(raw string) (seed jwtSeed, ok bool) {
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		return seed, false
	}
	header, err1 := base64.RawURLEncoding.DecodeString(segments[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(segments[1])
	seed.header, seed.payload = string(header), string(payload)
	for i, key := range c.signers {
		if strings.Contains(seed.header, key.ID()) {
			seed.header, seed.signer = strings.ReplaceAll(seed.header, key.ID(), "{kid}"), uint8(i)
			break
		}
	}
	return seed, err1 == nil && err2 == nil && len(raw) < 32<<10
}

// seeds are good tokens, the catalogue of broken ones, and what stands for the rules beyond it.
func (c *comparison) seeds() (all []jwtSeed) {
	contoso, fabrikam := c.idp.Tenant(mockidp.Contoso), c.idp.Tenant(mockidp.Fabrikam)
	b2c, customers := c.idp.Tenant(mockidp.Shop), c.idp.Tenant(mockidp.Customers)
	for _, raw := range []string{
		contoso.Token(), contoso.Token(mockidp.V1()), contoso.Token(mockidp.AppOnly("Jobs.Run")), contoso.Token(mockidp.Overage()),
		contoso.Token(mockidp.Guest(tenantB), mockidp.Roles("a", "b"), mockidp.Groups("g")), fabrikam.Token(), fabrikam.Token(mockidp.V1()),
		contoso.Token(mockidp.Audience([]string{"x", "api://" + mockidp.API}), mockidp.Scopes("a", "b", "c", "d", "e")),
		b2c.Token(), b2c.Token(mockidp.Policy("B2C_1A_custom")), b2c.Token(mockidp.ACRPolicy()), customers.Token(),
	} {
		seed, _ := c.seedOf(raw)
		seed.good = true
		all = append(all, seed)
	}
	for _, broken := range mockidp.Broken() {
		if seed, ok := c.seedOf(broken.Token(c.idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind]))); ok {
			all = append(all, seed)
		}
	}
	good := all[0]
	claim := func(members string) string { return good.payload[:len(good.payload)-1] + "," + members + "}" }
	for _, payload := range []string{
		claim(`"x":{"a":1,"a":2}`), claim(`"X":1,"x":2`), claim(`"x":` + nest("[", 15, "]")), claim(`"x":` + nest("[", 16, "]")), claim(manyMembers(501)),
		claim(`"` + strings.Repeat("x", 1025) + `":1`), claim(`"` + strings.Repeat("x", 1025) + `":"y"`), claim(`"` + strings.Repeat("x", 1024) + `":"y"`),
		claim(`"` + strings.Repeat("ж", 511) + `":1,"` + strings.Repeat("я", 511) + `":1,"` + strings.Repeat("й", 3) + `":1`), claim(`"x":"` + strings.Repeat("x", 64<<10) + `"`), claim(`"x":"\ud800"`),
		claim(`"x":[0` + strings.Repeat(",0", 999) + `]`), claim(`"x":[0` + strings.Repeat(",0", 1000) + `]`),
		claim(`"x":1e400,"y":-0.0E-0,"z":[{"a":[null,true,{}]}],"":"😀\ud83d\ude00\/\u0000"`), good.payload + " x", claim(`"cnf":null`),
		good.at(fuzzTimePlus(3600), "0", "-1"), good.at(fuzzTimePlus(3600)+".5", fuzzTimePlus(0)+"e0", "0"), good.at(fuzzTimePlus(3600), "-0", "0"), good.at(fuzzTimePlus(3600), fuzzTimePlus(3601), "0"),
		good.at(fuzzTimePlus(-59), fuzzTimePlus(60)+".5", fuzzTimePlus(60)), good.at(fuzzTimePlus(-60)+".9999999999", "0", "0"), good.at("253402300799.9e0", "0e99999999", "1e-999999"),
		good.at("253402300800", "0", "0"), good.at(fuzzTimePlus(3600), fuzzTimePlus(60)+".9999999999", "0"), good.at(fuzzTimePlus(3600), "0", fuzzTimePlus(60)+".9999999999"),
	} {
		all = append(all, jwtSeed{header: good.header, payload: payload})
	}
	for _, members := range []string{`"x":1e400`, `"x":"` + strings.Repeat("x", 4<<10) + `"`, `"crit":["exp"]`, `"b64":true`, `"typ":null`, `"KID":1`} {
		all = append(all, jwtSeed{header: "{" + members + "," + strings.Replace(good.header[1:], `"typ":"JWT",`, "", 1), payload: good.payload})
	}
	for _, raw := range []string{
		fabrikam.Token(mockidp.Guest(tenantA)), fabrikam.Token(mockidp.ClientID(mockidp.WebClient)), fabrikam.Token(mockidp.Claim("acct", 1)),
		contoso.Token(mockidp.SignedBy(c.signers[1])), b2c.Token(mockidp.SignedBy(c.signers[3])), contoso.Token(mockidp.IDToken(), mockidp.Audience(mockidp.API)),
	} {
		seed, _ := c.seedOf(raw)
		all = append(all, seed)
	}
	for spelling := range len(segmentSpellings) * 3 {
		all = append(all, jwtSeed{header: good.header, payload: good.payload, spelling: uint8(spelling)})
	}
	return all
}

// fuzzTimePlus is a time, so many seconds from when the comparison takes place.
func fuzzTimePlus(seconds int64) string { return fmt.Sprint(fuzzTime.Unix() + seconds) }

// at is the payload with other times.
func (s jwtSeed) at(exp, nbf, iat string) string {
	return strings.NewReplacer(
		`"exp":`+fuzzTimePlus(3600), `"exp":`+exp, `"nbf":`+fuzzTimePlus(0), `"nbf":`+nbf, `"iat":`+fuzzTimePlus(0), `"iat":`+iat,
	).Replace(s.payload)
}
