package identity_test

import (
	"strings"
	"testing"
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
