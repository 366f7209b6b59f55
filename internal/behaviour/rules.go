package behaviour

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// resolver answers for callers with too many groups, and counts.
type resolver struct {
	groups []string
	err    error
	calls  int
}

func (r *resolver) resolve(context.Context, *identity.Principal) ([]string, error) {
	r.calls++
	return r.groups, r.err
}

// groupRow is a token at a route for members of "g1" or "g2".
type groupRow struct {
	row      string
	resolver *resolver
	token    []mockidp.TokenOption
	overage  bool
	sentinel error
	calls    int
}

// J8, J9, J10
func testGroups[M any](t *testing.T, f Framework[M]) {
	overage := with(mockidp.Overage())
	hasGroups := func(value any) []mockidp.TokenOption { return with(mockidp.Claim("hasgroups", value)) }
	for _, row := range []groupRow{
		{row: "J8 has it", token: with(mockidp.Groups("g0", "g1"))},
		{row: "J8 has not", token: with(mockidp.Groups("g0", "g11")), sentinel: identity.ErrGroup},
		{row: "J8 case", token: with(mockidp.Groups("G1")), sentinel: identity.ErrGroup},
		{row: "J8 no groups at all", sentinel: identity.ErrGroup},
		{row: "J8 nobody is asked", resolver: &resolver{groups: []string{"g1"}}, token: with(mockidp.Groups("g0")), sentinel: identity.ErrGroup},
		{row: "J8 nobody is asked, no groups", resolver: &resolver{groups: []string{"g1"}}, sentinel: identity.ErrGroup},
		{row: "J9 _claim_names", token: overage, overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 _claim_names of something else", token: with(mockidp.Claim("_claim_names", map[string]string{"roles": "src1"})), sentinel: identity.ErrGroup},
		{row: "J9 hasgroups", token: hasGroups(true), overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 hasgroups in a string", token: hasGroups("true"), overage: true, sentinel: identity.ErrGroupOverage},
		{row: "J9 hasgroups false", token: hasGroups(false), sentinel: identity.ErrGroup},
		{row: "J9 hasgroups, and here they are", token: with(mockidp.Claim("hasgroups", true), mockidp.Groups("g2"))},
		{row: "J10 yes", resolver: &resolver{groups: []string{"g0", "g2"}}, token: overage, overage: true, calls: 1},
		{row: "J10 yes, hasgroups", resolver: &resolver{groups: []string{"g2"}}, token: hasGroups(true), overage: true, calls: 1},
		{row: "J10 no", resolver: &resolver{groups: []string{"g0"}}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroup},
		{row: "J10 none", resolver: &resolver{}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroup},
		{row: "J10 error", resolver: &resolver{groups: []string{"g1"}, err: errors.New("graph is down")}, token: overage, overage: true, calls: 1, sentinel: identity.ErrGroupsUnavailable},
	} {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			var resolve identity.GroupResolver
			if row.resolver != nil {
				resolve = row.resolver.resolve
			}
			seen := new(seenBy)
			a := newAPI(t, f, setup[M]{guards: []M{f.Require(seen.rule), f.RequireGroup(resolve, "g1", "g2")}}, nil)
			got := a.get(a.token(row.token...))
			if row.sentinel == nil {
				got.accepted(t)
			} else {
				got.refused(t, row.sentinel)
			}
			if row.resolver != nil && row.resolver.calls != row.calls {
				t.Fatalf("got=%d calls of the resolver, want=%d", row.resolver.calls, row.calls)
			}
			if seen.principal.GroupsOverage() != row.overage {
				t.Fatalf("GroupsOverage: got=%v, want=%v", seen.principal.GroupsOverage(), row.overage)
			}
		})
	}
}

// seenBy is a rule that lets everybody pass and keeps the principal.
type seenBy struct{ principal *identity.Principal }

func (s *seenBy) rule(_ context.Context, p *identity.Principal) error {
	s.principal = p
	return nil
}

// J11, J12, J13, J14
func testAuthContext[M any](t *testing.T, f Framework[M]) {
	a := newAPI(t, f, setup[M]{guards: []M{f.RequireAuthContext("c1")}}, nil)
	acrs := func(value any) mockidp.TokenOption { return mockidp.Claim("acrs", value) }
	cp1 := mockidp.Claim("xms_cc", []string{"cp1"})
	for name, opts := range map[string][]mockidp.TokenOption{
		"J11 there":              with(acrs([]string{"c2", "c1"})),
		"J11 there, cp1":         with(acrs([]string{"c1"}), cp1),
		"J14 a string":           with(acrs("c1")),
		"J14 a string, and v1.0": with(acrs("c1"), mockidp.V1()),
	} {
		t.Run(name, func(t *testing.T) { a.get(a.token(opts...)).accepted(t) })
	}
	for name, opts := range map[string][]mockidp.TokenOption{
		"absent":           with(cp1),
		"another":          with(cp1, acrs([]string{"c2", "c11"})),
		"a string":         with(cp1, acrs("c1 c2")),
		"one capability":   with(mockidp.Claim("xms_cc", "cp1")),
		"upper case":       with(mockidp.Claim("xms_cc", []string{"x", "CP1"})),
		"acr is not acrs":  with(cp1, mockidp.Claim("acr", "c1")),
		"upper case in it": with(cp1, acrs("C1")),
	} {
		t.Run("J12 "+name, func(t *testing.T) { a.get(a.token(opts...)).asksToStepUp(t, "c1") })
	}
	for name, opts := range map[string][]mockidp.TokenOption{
		"none":           nil,
		"others":         with(mockidp.Claim("xms_cc", []string{"cp2", "protapp"})),
		"with a context": with(acrs([]string{"c2"})),
	} {
		t.Run("J13 "+name, func(t *testing.T) {
			got := a.get(a.token(opts...))
			got.refused(t, identity.ErrAuthContext)
			if strings.Contains(got.body+fmt.Sprint(got.header), "claims") {
				t.Fatalf("got=%s %s, want no claims challenge", got.header, got.body)
			}
		})
	}
}

// asksToStepUp requires the claims challenge for an authentication context.
func (got *answer) asksToStepUp(t *testing.T, id string) {
	t.Helper()
	if got.reached || got.status != http.StatusUnauthorized || got.err != nil && !errors.Is(got.err, identity.ErrAuthContext) {
		t.Fatalf("got=%d %v, want=401", got.status, got.err)
	}
	attributes := got.challenge(t)
	if attributes["error"] != "insufficient_claims" {
		t.Fatalf("got=%v, want insufficient_claims", attributes)
	}
	document, err := base64.StdEncoding.DecodeString(attributes["claims"])
	if err != nil {
		t.Fatalf("got=%v, want claims in standard base64: %v", attributes, err)
	}
	var claims, want any
	wanted := fmt.Sprintf(`{"access_token": {"acrs": {"essential": true, "value": %q}}}`, id)
	if json.Unmarshal(document, &claims) != nil || json.Unmarshal([]byte(wanted), &want) != nil || !reflect.DeepEqual(claims, want) {
		t.Fatalf("got=%s, want=%s", document, wanted)
	}
	got.inJSON(t, identity.CodeInsufficientClaims)
	got.leaksNothing(t)
}

// J16, K4
func testRules[M any](t *testing.T, f Framework[M]) {
	own := &identity.Error{
		Status: http.StatusTooManyRequests, Reason: "quota", Description: "Too many requests.", RetryAfter: 1500 * time.Millisecond,
	}
	get := func(rules ...identity.Rule) (*api[M], *answer) {
		a := newAPI(t, f, setup[M]{guards: []M{f.Require(rules...)}}, nil)
		return a, a.get(a.token())
	}
	_, got := get(refuseWith(nil), refuseWith(nil))
	got.accepted(t)

	plain := errors.New("the order is somebody else's")
	_, got = get(refuseWith(nil), refuseWith(plain), panicking) // the first refusal ends it
	got.refused(t, identity.ErrRule)
	if got.err != nil && !errors.Is(got.err, plain) || strings.Contains(got.body, "order") {
		t.Fatalf("got=%v %s, want the error in the chain and not in the answer", got.err, got.body)
	}

	for _, refusal := range []error{own, fmt.Errorf("wrapped: %w", own)} {
		_, got = get(refuseWith(refusal))
		if got.reached || got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "2" || !strings.Contains(got.body, "Too many requests.") {
			t.Fatalf("got=%d %s %s, want the rule's own answer", got.status, got.header, got.body)
		}
		if got.header.Get("WWW-Authenticate") != "" || got.err != nil && !errors.Is(got.err, own) {
			t.Fatalf("got=%s %v, want no challenge and the rule's error", got.header, got.err)
		}
	}
	if own.Error() != "identity: quota" || errors.Unwrap(own) != nil {
		t.Fatalf("got=%v, want the rule's error unchanged", own)
	}

	_, got = get(refuseWith(identity.ErrScope)) // a sentinel brings its answer
	got.refused(t, identity.ErrScope)

	for _, status := range []int{0, 100, 200, 204, 302, 399, -1, 600, 1000, 4030} { // a refusal is no success
		_, got = get(refuseWith(&identity.Error{Status: status}))
		if got.reached || got.status != http.StatusForbidden {
			t.Fatalf("status %d: got=%d, want=403", status, got.status)
		}
	}

	a, got := get(panicking)
	got.refused(t, identity.ErrInternal)
	if strings.Contains(got.body, "oops") || !strings.Contains(a.log.String(), "oops") || !strings.Contains(a.log.String(), "stack=") {
		t.Fatalf("got=%s %s, want the panic in the log alone", got.body, a.log)
	}
}

// A rule sees who calls, and the context of the request.
func testRuleSeesRequest[M any](t *testing.T, f Framework[M]) {
	var seen *identity.Principal
	var known bool
	a := newAPI(t, f, setup[M]{guards: []M{f.Require(func(ctx context.Context, p *identity.Principal) error {
		_, known = ctx.Value(answerKey{}).(*answer)
		seen = p
		return nil
	})}}, nil)
	if p := a.get(a.token()).accepted(t); p != seen || !known {
		t.Fatalf("got=%v in the request's context: %v, want=%v", seen, known, p)
	}
}

// A rule of an API whose challenges say more leaves the application's error as it was, for all the requests that share it.
func testSharedRuleError[M any](t *testing.T, f Framework[M]) {
	shared := &identity.Error{Status: http.StatusUnauthorized, Code: identity.CodeInvalidToken, Reason: "revoked", Scopes: []string{"a"}}
	before := *shared
	a := newAPI(t, f, setup[M]{
		config: func(cfg *identity.Config) { cfg.Resource.URL = "https://api.example/" }, guards: []M{f.Require(refuseWith(shared))},
	}, nil)
	raw := a.token()
	done := make(chan string)
	for range 8 {
		go func() { done <- a.get(raw).header.Get("WWW-Authenticate") }()
	}
	for range 8 {
		if challenge := <-done; !strings.Contains(challenge, "resource_metadata=") || !strings.Contains(challenge, `scope="a"`) {
			t.Errorf("got=%s, want the metadata in it", challenge)
		}
	}
	if !slices.Equal(shared.Scopes, before.Scopes) || strings.Contains(fmt.Sprint(shared.Header()), "resource_metadata") {
		t.Fatalf("got=%+v, want=%+v", shared, before)
	}
}
