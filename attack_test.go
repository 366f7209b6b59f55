package identity_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
)

// attackClass is a family of attacks on one API. Its good tokens stand beside what is refused, so that a class does not pass because
// nothing works: they are accepted before the attacks, and after them.
type attackClass struct {
	name    string
	source  string                     // of the attacks that name none of their own
	config  func(cfg *identity.Config) // default everyKind
	guards  []echo.MiddlewareFunc
	prepare func(s *siege)
	good    []attack
	attacks []attack
	after   func(t *testing.T, s *siege)
}

// attack is one token, and the sentinel of its refusal.
type attack struct {
	name   string
	source string
	want   error
	token  func(s *siege) string
}

// siege is an API under attack, and what the attackers have at hand.
type siege struct {
	*api
	verifier                           *identity.Verifier
	contoso, fabrikam, shop, customers *mockidp.TenantHandle
	right                              *mockidp.Key // signs contoso's tokens
	stranger                           *mockidp.Key // nobody publishes it
	keys                               map[string]*mockidp.Key
	numbers                            map[string]rawKey
}

func newSiege(t *testing.T, class attackClass) *siege {
	t.Helper()
	config := class.config
	if config == nil {
		config = everyKind
	}
	idp := mockidp.New()
	s := &siege{
		contoso: idp.Tenant(mockidp.Contoso), fabrikam: idp.Tenant(mockidp.Fabrikam),
		shop: idp.Tenant(mockidp.Shop), customers: idp.Tenant(mockidp.Customers),
		keys: make(map[string]*mockidp.Key), numbers: make(map[string]rawKey),
	}
	s.right, s.stranger = s.contoso.Keys().Signing(), s.contoso.Keys().NewKey()
	if class.prepare != nil {
		class.prepare(s)
	}
	s.api = newAPIOn(t, idp, config, class.guards...)
	s.verifier = verifierOn(t, idp, config)
	return s
}

// signed makes a token of any two texts with the right key.
func (s *siege) signed(header, payload string) string { return s.idp.Sign(s.right, header, payload) }

// of makes contoso's token with options.
func of(opts ...mockidp.TokenOption) func(*siege) string {
	return func(s *siege) string { return s.contoso.Token(opts...) }
}

// by is of with options that depend on the siege.
func by(opts func(s *siege) []mockidp.TokenOption) func(*siege) string {
	return func(s *siege) string { return s.contoso.Token(opts(s)...) }
}

// attackClasses are all classes whose weapon is a token.
func attackClasses() []attackClass {
	return slices.Concat(algorithmAttacks(), headerAttacks(), kidAttacks(), jsonAttacks(), textAttacks(), encodingAttacks(),
		signatureAttacks(), paddingAttacks(), keySetAttacks(), tenantAttacks(), kindAttacks())
}

// Each attack is refused for the reason that it was made for, with the answer that belongs to it: by the middleware, cold and a
// second time, by Verify, and by golang-jwt with KeyFunc.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, class := range attackClasses() {
		t.Run(class.name, func(t *testing.T) {
			t.Parallel()
			s := newSiege(t, class)
			pass := func(t *testing.T) {
				t.Helper()
				for _, good := range class.good {
					t.Run(good.name, func(t *testing.T) { s.get(good.token(s)).accepted(t) })
				}
			}
			pass(t)
			for _, attack := range class.attacks {
				t.Run(attack.name, func(t *testing.T) { s.repels(t, attack, len(class.guards) > 0) })
			}
			pass(t)
			if class.after != nil {
				class.after(t, s)
			}
		})
	}
}

// repels requires the refusal of an attack. Where a guard refuses it, the token is as good as any for who only verifies.
func (s *siege) repels(t *testing.T, attack attack, byGuard bool) {
	t.Helper()
	raw := attack.token(s)
	for range 2 {
		s.get(raw).refused(t, attack.want)
	}
	if byGuard {
		return
	}
	if attack.want != identity.ErrRequestInvalid { // the request was at fault
		if p, err := s.verifier.Verify(t.Context(), raw); p != nil || !errors.Is(err, attack.want) {
			t.Fatalf("Verify: got=%v %v, want=%v", p, err, attack.want)
		}
	}
	if token, err := jwt.Parse(raw, s.verifier.KeyFunc); err == nil {
		t.Fatalf("KeyFunc: got=%v, want a refusal", token.Claims)
	}
}

// namedAttack is what the count needs to know of an attack.
type namedAttack struct{ class, name, source string }

func namedAttacks() []namedAttack {
	var all []namedAttack
	for _, b := range mockidp.Broken() {
		all = append(all, namedAttack{b.Check, b.Name, b.Source})
	}
	for _, class := range attackClasses() {
		for _, a := range class.attacks {
			source := a.source
			if source == "" {
				source = class.source
			}
			all = append(all, namedAttack{class.name, a.name, source})
		}
	}
	for _, row := range smuggling {
		all = append(all, namedAttack{"smuggling", row.name, row.source})
	}
	for _, row := range warmAttacks {
		all = append(all, namedAttack{"warm token", row.name, row.source})
	}
	return all
}

// A reviewer finds the attack they came with, by its name, and where it comes from.
func TestAttacksAreNamed(t *testing.T) {
	t.Parallel()
	all := namedAttacks()
	names := make(map[string]bool, len(all))
	for _, a := range all {
		if names[a.name] {
			t.Errorf("two attacks have the name %q", a.name)
		}
		names[a.name] = true
		if a.name == "" || a.class == "" || a.source == "" {
			t.Errorf("incomplete: %+v", a)
		}
	}
	if len(names) < 400 {
		t.Errorf("got=%d attacks, want 400 or more", len(names))
	}
	for _, class := range attackClasses() {
		if len(class.good) == 0 || len(class.attacks) == 0 {
			t.Errorf("%s: got=%d good tokens and %d attacks, want some of both", class.name, len(class.good), len(class.attacks))
		}
	}
}
