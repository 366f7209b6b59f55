package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// A flood of refusals of one kind writes ten lines a second, and the first line of the next one says how many were left out. It silences
// no other kind.
func TestRefusalsAreThinnedOut(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		lines := func(reason string) (found []string) {
			for line := range strings.Lines(a.log.String()) {
				if strings.Contains(line, " reason="+reason+" ") {
					found = append(found, line)
				}
			}
			return found
		}
		expired := a.token(mockidp.ExpiresIn(-time.Hour))
		for range 25 {
			a.get(expired).refused(t, identity.ErrExpired)
		}
		if got := lines("token_expired"); len(got) != 10 || strings.Contains(strings.Join(got, ""), "suppressed") {
			t.Fatalf("got=%d lines, want=10, none of which counts any:\n%s", len(got), got)
		}
		a.get("x.y.z").refused(t, identity.ErrTokenMalformed)
		if got := lines("token_malformed"); len(got) != 1 {
			t.Fatalf("another kind: got=%d lines, want=1", len(got))
		}
		a.at(time.Second)
		for range 2 {
			a.get(expired).refused(t, identity.ErrExpired)
		}
		got := lines("token_expired")
		if len(got) != 12 || !strings.Contains(got[10], " suppressed=15") || strings.Contains(got[11], "suppressed") {
			t.Fatalf("a second later: got=%d lines, want=12, with those 15 in the eleventh:\n%s", len(got), got[10:])
		}
	})
}

// What a rule writes into a refusal of ours does not make it another kind: the log stays thinned out, and its memory bounded.
func TestReasonsOfRulesAreThinnedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testReasonsOfRules)
}

func testReasonsOfRules(t *testing.T) {
	var log syncBuffer
	idp := mockidp.New()
	n := 0
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:    identity.KeyOptions{HTTPClient: idp.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.NewTextHandler(&log, nil))},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify(t.Context(), idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Other")))
	if err != nil {
		t.Fatal(err)
	}
	rule := identity.Rule(func(ctx context.Context, p *identity.Principal) error {
		refusal, ok := errors.AsType[*identity.Error](identity.AllScopes("Orders.Read")(ctx, p))
		if !ok {
			return nil
		}
		changed := *refusal
		n++
		changed.Reason = identity.Reason("made_up_" + strconv.Itoa(n))
		return &changed
	})
	for range 100 {
		if err := rule.Check(identity.NewContext(t.Context(), p)); err == nil {
			t.Fatal("accepted")
		}
	}
	if got := strings.Count(log.String(), "reason=made_up_"); got != 10 {
		t.Errorf("got=%d lines in one second, want=10", got)
	}
}
