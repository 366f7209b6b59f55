package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// stand is what FuzzVerify attacks: a verifier of several kinds of tenants, and the tokens that their signers have made.
type stand struct {
	v        *identity.Verifier
	fresh    *identity.Verifier // the same without a cache, which takes every token apart
	good     []string
	right    *mockidp.Key // of tenant A
	attacker *mockidp.Key // under the key ID of the right one
	unknown  *mockidp.Key // of the same material, under its own
}

func newStand(t testing.TB) *stand {
	idp := mockidp.New()
	tenants := func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, AllowNoPermissions: true}, shop(nil), identity.Tenant{ID: mockidp.Customers, External: new(identity.External)})
	}
	v := verifierOn(t, idp, tenants)
	fresh := verifierOn(t, idp, func(cfg *identity.Config) {
		tenants(cfg)
		cfg.TokenCache.MaxBytes = -1
	})
	a := idp.Tenant(tenantA)
	long := mockidp.ExpiresIn(24 * time.Hour)
	s := &stand{v: v, fresh: fresh, right: a.Keys().Signing(), unknown: a.Keys().NewKey()}
	s.attacker = s.unknown.WithID(s.right.ID())
	s.good = []string{
		a.Token(long), a.Token(long, mockidp.V1()), a.Token(long, mockidp.AppOnly("Jobs.Run")), a.Token(long, mockidp.Overage()),
		idp.Tenant(mockidp.Shop).Token(long), idp.Tenant(mockidp.Customers).Token(long),
	}
	for _, raw := range s.good {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// The ways in which FuzzVerify makes a token of its input.
const (
	attackerEncodes = iota // header and payload are texts, which the attacker encodes and signs under a published key ID
	strangerEncodes        // the same, under a key ID that nobody publishes
	attackerSigns          // header and payload are segments, which the attacker signs
	replaces               // a part of a good token is replaced
	inserts                // something is put into a good token
	cuts                   // a part of a good token is left out
	borrows                // the signature of a good token is put behind header and payload
	joins                  // header, payload and extra are the three segments
	takes                  // header is the whole token
	issuerSigns            // the right key signs: only the claims can be at fault
	waysIn
)

func (s *stand) token(way uint8, at uint16, header, payload, extra string) string {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	good := s.good[int(at)%len(s.good)]
	from := int(at) % (len(good) + 1)
	to := min(from+len(extra), len(good))
	switch way % waysIn {
	case attackerEncodes:
		return s.attacker.SignSegments(encode(s.named(header)), encode(payload))
	case strangerEncodes:
		return s.unknown.SignSegments(encode(s.named(header)), encode(payload))
	case attackerSigns:
		return s.attacker.SignSegments(header, payload)
	case replaces:
		return good[:from] + extra + good[to:]
	case inserts:
		return good[:from] + extra + good[from:]
	case cuts:
		return good[:from] + good[to:]
	case borrows:
		return encode(s.named(header)) + "." + encode(payload) + good[strings.LastIndexByte(good, '.'):]
	case joins:
		return header + "." + payload + "." + extra
	case takes:
		return header
	}
	return s.right.SignSegments(encode(s.named(header)), encode(s.timed(payload)))
}

// named puts the published key ID, which differs from run to run, where a seed says so.
func (s *stand) named(header string) string { return strings.ReplaceAll(header, "{kid}", s.right.ID()) }

// timed puts times that are good now where a seed says so.
func (s *stand) timed(payload string) string {
	now := time.Now().Unix()
	return strings.NewReplacer("{now}", fmt.Sprint(now), "{later}", fmt.Sprint(now+3600)).Replace(payload)
}

// FuzzVerify: no token makes the verifier panic, what it accepts our signer has produced, byte for byte, and one token leaves nothing
// behind that shows in the next. N3.
func FuzzVerify(f *testing.F) {
	s := newStand(f)
	f.Fuzz(func(t *testing.T, way uint8, at uint16, header, payload, extra string) {
		raw := s.token(way, at, header, payload, extra)
		s.inTurns(t, raw, s.good[int(at)%len(s.good)])
		p, err := s.v.Verify(context.Background(), raw)
		if err != nil {
			if p != nil {
				t.Fatal("a principal besides an error")
			}
			refusesWell(t, err)
			return
		}
		if way%waysIn == issuerSigns {
			issuedForUs(t, raw, p)
			return
		}
		if !slices.Contains(s.good, raw) {
			t.Fatalf("accepted: %q", raw)
		}
	})
}

// inTurns verifies a token, a good one and the token again, all in the memory that verifications share: the answers are those of
// before, and so is what the first two principals say.
func (s *stand) inTurns(t *testing.T, raw, good string) {
	t.Helper()
	said := func(p *identity.Principal, err error) string {
		if err != nil { // the cause may count seconds
			return string(err.(*identity.Error).Reason)
		}
		audience, _ := p.GetAudience()
		issued, _ := p.GetIssuedAt()
		begin, _ := p.GetNotBefore()
		var claims map[string]json.RawMessage
		if err := p.Decode(&claims); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		return fmt.Sprint(p, p.UserKey(), p.Subject, p.Issuer, p.Scopes, p.Roles, p.Groups, p.ExpiresAt, issued, begin, audience,
			p.Guest(), p.GroupsOverage(), p.RawToken(), claims)
	}
	var want [2]string
	var principals [2]*identity.Principal
	for round := range 2 {
		for i, token := range []string{raw, good} {
			p, err := s.fresh.Verify(context.Background(), token)
			got := said(p, err)
			if round == 0 {
				want[i], principals[i] = got, p
			}
			if got != want[i] || token == good && err != nil {
				t.Fatalf("%q, in turns with %q:\n got=%s\nwant=%s", raw, good, got, want[i])
			}
		}
	}
	for i, p := range principals {
		if p != nil && said(p, nil) != want[i] {
			t.Fatalf("%q, in turns with %q: a principal has changed:\n got=%s\nwant=%s", raw, good, said(p, nil), want[i])
		}
	}
}

// refusesWell requires an error of the closed list that blames the token, not us.
func refusesWell(t *testing.T, err error) {
	t.Helper()
	e, ok := err.(*identity.Error)
	if !ok {
		t.Fatalf("got=%T, want an *identity.Error", err)
	}
	if e.Status != 400 && e.Status != 401 || e.Reason == "" || e.Description == "" || e.Code == "" {
		t.Fatalf("got=%+v", e)
	}
}

// issuedForUs judges a token that our signer has signed by its claims, with the standard library.
func issuedForUs(t *testing.T, raw string, p *identity.Principal) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v1, v2 := "https://sts.windows.net/"+tenantA+"/", "https://login.microsoftonline.com/"+tenantA+"/v2.0"
	if claims["tid"] != tenantA || !(claims["iss"] == v1 && claims["ver"] == "1.0" || claims["iss"] == v2 && claims["ver"] == "2.0") {
		t.Fatalf("accepted: %s", text)
	}
	audiences, ok := claims["aud"].([]any)
	if !ok {
		audiences = []any{claims["aud"]}
	}
	if !slices.Contains(audiences, any(mockidp.API)) && !slices.Contains(audiences, any("api://"+mockidp.API)) {
		t.Fatalf("accepted for another audience: %s", text)
	}
	if exp, ok := claims["exp"].(float64); !ok || exp < float64(time.Now().Unix()-61) || exp >= 253402300800 {
		t.Fatalf("accepted with another exp: %s", text)
	}
	if claims["cnf"] != nil {
		t.Fatalf("accepted though it is bound: %s", text)
	}
	// Nothing of the principal panics, and it says what the token says.
	if p.TenantID != tenantA || p.Issuer != claims["iss"] || !strings.HasPrefix(p.UserKey(), tenantA+".") {
		t.Fatalf("got=%v of %s", p, text)
	}
	p.AppOnly()
	p.Guest()
	p.GroupsOverage()
	p.LogValue()
	for name := range claims {
		p.Claim(name)
	}
	var again map[string]any
	if err := p.Decode(&again); err != nil || len(again) != len(claims) {
		t.Fatalf("Decode: %v, %d members of %d: %s", err, len(again), len(claims), text)
	}
}
