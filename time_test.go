package identity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
)

// noLeeway is how none at all is written.
const noLeeway = -1

// timeRow is a token whose times are in seconds from now, on a clock that stands still.
type timeRow struct {
	name   string
	leeway time.Duration
	exp    int
	nbf    int // zero means now
	iat    int // likewise
	want   error
}

func (row timeRow) run(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, func(cfg *identity.Config) { cfg.Leeway = row.leeway })
		at := func(seconds int) time.Time { return time.Now().Add(time.Duration(seconds) * time.Second) }
		opts := options(mockidp.ExpiresAt(at(row.exp)))
		if row.nbf != 0 {
			opts = append(opts, mockidp.NotBefore(at(row.nbf)))
		}
		if row.iat != 0 {
			opts = append(opts, mockidp.IssuedAt(at(row.iat)))
		}
		got := a.get(a.token(opts...))
		if row.want != nil {
			got.refused(t, row.want)
			requireNoFetch(t, a.idp)
			return
		}
		if p := got.accepted(t); !p.ExpiresAt.Equal(at(row.exp)) {
			t.Fatalf("ExpiresAt: got=%v, want=%v", p.ExpiresAt, at(row.exp))
		}
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	const s10, s300 = 10 * time.Second, 300 * time.Second
	for _, row := range []timeRow{
		{name: "H1", leeway: noLeeway, exp: -1, want: identity.ErrExpired},
		{name: "H2", leeway: s300, exp: -240},
		{name: "H3", leeway: s300, exp: -360, want: identity.ErrExpired},
		{name: "H3 to the second", leeway: s300, exp: -300, want: identity.ErrExpired},
		{name: "H2 to the second", leeway: s300, exp: -299},
		{name: "H4", leeway: noLeeway, exp: 0, want: identity.ErrExpired},
		{name: "H4 a second later", leeway: noLeeway, exp: 1},
		{name: "H5 5 s", leeway: s10, exp: -5},
		{name: "H5 11 s", leeway: s10, exp: -11, want: identity.ErrExpired},
		{name: "H6 without leeway", leeway: noLeeway, exp: 3600, nbf: 60, want: identity.ErrNotYetValid},
		{name: "H6 a second ahead", leeway: noLeeway, exp: 3600, nbf: 1, want: identity.ErrNotYetValid},
		{name: "H6 with leeway", leeway: s300, exp: 3600, nbf: 60},
		{name: "H6 to the second", leeway: s300, exp: 3600, nbf: 300},
		{name: "H6 beyond", leeway: s300, exp: 3600, nbf: 301, want: identity.ErrNotYetValid},
		{name: "H7", leeway: s300, exp: 3600, iat: 301, want: identity.ErrIssuedInFuture},
		{name: "H7 within", leeway: s300, exp: 3600, iat: 300},
		{name: "H7 without leeway", leeway: noLeeway, exp: 3600, iat: 1, want: identity.ErrIssuedInFuture},
		{name: "H7 now", leeway: noLeeway, exp: 3600},
		{name: "H10", exp: 3600, nbf: 3601, want: identity.ErrTime},
		{name: "H10 though within the leeway", leeway: s300, exp: 10, nbf: 20, want: identity.ErrTime},
		{name: "H10 equal", exp: 30, nbf: 30},
		// H11: zero is one minute, negative is none, of whatever size.
		{name: "H11 zero", exp: -59},
		{name: "H11 zero, beyond", exp: -60, want: identity.ErrExpired},
		{name: "H11 zero, ahead", exp: 3600, nbf: 60, iat: 60},
		{name: "H11 zero, beyond ahead", exp: 3600, nbf: 61, want: identity.ErrNotYetValid},
		{name: "H11 negative", leeway: -time.Hour, exp: 0, want: identity.ErrExpired},
		{name: "H11 negative does not shorten", leeway: -time.Hour, exp: 1},
		{name: "H11 the most", leeway: 5 * time.Minute, exp: -299},
		{name: "a year ago", exp: -365 * 24 * 3600, want: identity.ErrExpired},
		{name: "in a hundred years", exp: 100 * 365 * 24 * 3600},
	} {
		t.Run(row.name, row.run)
	}
}

// H11
func TestLeewayFault(t *testing.T) {
	t.Parallel()
	for leeway, good := range map[time.Duration]bool{5 * time.Minute: true, 5*time.Minute + 1: false, time.Hour: false, 0: true, -1: true, -time.Hour: true} {
		_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: workforceA(), Leeway: leeway})
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "Config.Leeway: ") {
			t.Errorf("%v: got=%v, want a fault of Config.Leeway: %v", leeway, err, !good)
		}
	}
}

// A token that was good expires while keys and verifier live on.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		token := a.token(mockidp.ExpiresIn(10 * time.Minute))
		a.get(token).accepted(t)
		time.Sleep(11*time.Minute - time.Second)
		a.get(token).accepted(t)
		time.Sleep(time.Second)
		got := a.get(token)
		got.refused(t, identity.ErrExpired)
		for _, same := range []error{jwt.ErrTokenExpired, jwt.ErrTokenInvalidClaims} {
			if !errors.Is(got.err, same) {
				t.Fatalf("got=%v, want %v in it", got.err, same)
			}
		}
	})
}

// numberRow is a time as it is written in the token. Each %d is the whole part of a good time.
type numberRow struct {
	text string
	want error
}

// H8: which numbers are times. exp, nbf and iat follow the same rule.
func TestTimeNumbers(t *testing.T) {
	t.Parallel()
	for _, row := range []numberRow{
		{text: "%d"},
		{text: "%d.0"},
		{text: "%d.999999"},
		{text: "%de0"},
		{text: "%dE+0"},
		{text: "%d0e-1"},
		{text: "%d000E-3"},
		{text: "%d.5e0"},
		{text: "0.00000%de+15"},
		{text: `"%d"`, want: identity.ErrTime},
		{text: `""`, want: identity.ErrTime},
		{text: "null", want: identity.ErrTime},
		{text: "true", want: identity.ErrTime},
		{text: "[%d]", want: identity.ErrTime},
		{text: `{"t":%d}`, want: identity.ErrTime},
		{text: "-%d", want: identity.ErrTime},
		{text: "-1", want: identity.ErrTime},
		{text: "1e300", want: identity.ErrTime},
		{text: "1e400", want: identity.ErrTime},
		{text: "1E+999999999", want: identity.ErrTime},
		{text: "9223372036854775807", want: identity.ErrTime},
		{text: "9223372036854775808", want: identity.ErrTime},
		{text: "18446744073709551616", want: identity.ErrTime},
		{text: "18446744077809997000", want: identity.ErrTime}, // 2^64 and more: wraps around to a good time
		{text: "253402300800", want: identity.ErrTime},         // the year 10000
		{text: "%d000", want: identity.ErrTime},                // milliseconds
		{text: "0x10", want: identity.ErrTokenMalformed},
		{text: "+%d", want: identity.ErrTokenMalformed},
		{text: "0%d", want: identity.ErrTokenMalformed},
		{text: ".5", want: identity.ErrTokenMalformed},
		{text: "%d.", want: identity.ErrTokenMalformed},
		{text: "NaN", want: identity.ErrTokenMalformed},
		{text: "Infinity", want: identity.ErrTokenMalformed},
	} {
		t.Run(row.text, func(t *testing.T) {
			t.Parallel()
			row.run(t)
		})
	}
}

func (row numberRow) run(t *testing.T) {
	a := newAPI(t, nil)
	now := time.Now()
	for claim, at := range map[string]time.Time{"exp": now.Add(time.Hour), "nbf": now.Add(-time.Second), "iat": now.Add(-time.Second)} {
		text := strings.ReplaceAll(row.text, "%d", fmt.Sprint(at.Unix()))
		got := a.get(a.token(mockidp.EditPayload(func(payload string) string { return replaceNumber(payload, claim, text) })))
		if row.want == nil {
			if p := got.accepted(t); claim == "exp" && p.ExpiresAt.Unix() != at.Unix() {
				t.Fatalf("ExpiresAt: got=%d, want=%d", p.ExpiresAt.Unix(), at.Unix())
			}
			continue
		}
		got.refused(t, row.want)
	}
}

// replaceNumber puts a text in the place of the number that a claim has.
func replaceNumber(payload, claim, text string) string {
	before, after, found := strings.Cut(payload, `"`+claim+`":`)
	if !found {
		panic(claim + " is not in the token")
	}
	end := strings.IndexAny(after, ",}")
	return before + `"` + claim + `":` + text + after[end:]
}

// H8, H9: exp is required; nbf and iat are not, since not every B2C policy sends them.
func TestMissingTimes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		names []string
		want  error
	}{
		{[]string{"exp"}, identity.ErrTime},
		{[]string{"exp", "nbf", "iat"}, identity.ErrTime},
		{[]string{"nbf"}, nil},
		{[]string{"iat"}, nil},
		{[]string{"nbf", "iat"}, nil},
	} {
		t.Run(strings.Join(row.names, " "), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			got := a.get(a.token(mockidp.Without(row.names...)))
			if row.want == nil {
				got.accepted(t)
				return
			}
			got.refused(t, row.want)
			requireNoFetch(t, a.idp)
		})
	}
	t.Run("zero is a time", func(t *testing.T) {
		t.Parallel()
		a := newAPI(t, nil)
		a.get(a.token(mockidp.Claim("exp", 0), mockidp.Without("nbf", "iat"))).refused(t, identity.ErrExpired)
		a.get(a.token(mockidp.Claim("nbf", 0), mockidp.Claim("iat", json.RawMessage("0.0")))).accepted(t)
		a.get(a.token(mockidp.Claim("exp", 253402300799))).accepted(t)
		a.get(a.token(mockidp.Claim("exp", "tomorrow"), mockidp.Without("nbf", "iat"))).refused(t, identity.ErrTime) // no time at all
	})
}

// H12: of several faults, the first in the order of work is the answer. The row's token has its fault and all later ones.
func TestFirstFaultIsTheAnswer(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA, Clients: []string{mockidp.Client}, DenyGuests: true})
	})
	keys := a.idp.Tenant(tenantA).Keys()
	claim := mockidp.Claim
	rows := []struct {
		want  error
		fault mockidp.TokenOption
	}{
		{identity.ErrTokenTooLarge, mockidp.Mutate(func(raw string) string { return raw + strings.Repeat("A", 70_000) })},
		{identity.ErrTokenMalformed, mockidp.Mutate(func(raw string) string { return raw + ".e30" })},
		{identity.ErrTokenMalformed, mockidp.Header("padding", strings.Repeat("x", 5000))},
		{identity.ErrAlgorithm, mockidp.Header("alg", "none")},
		{identity.ErrCritical, mockidp.Header("crit", []string{"exp"})},
		{identity.ErrTokenType, mockidp.Header("typ", "id+jwt")},
		{identity.ErrKeyID, mockidp.KeyID("")},
		{identity.ErrTokenMalformed, claim("TID", tenantX)},
		{identity.ErrClaims, claim("oid", 1)},
		{identity.ErrIssuer, claim("iss", "http://login.microsoftonline.com/"+tenantA+"/v2.0")},
		{identity.ErrUnknownTenant, claim("iss", "https://login.microsoftonline.com/"+tenantX+"/v2.0")},
		{identity.ErrIssuer, claim("iss", "https://login.microsoftonline.us/"+tenantA+"/v2.0")},
		{identity.ErrTenantMismatch, claim("tid", tenantB)},
		{identity.ErrVersion, claim("ver", "1.0")},
		{identity.ErrAudience, mockidp.Audience("https://other.example")},
		{identity.ErrTime, claim("iat", "yesterday")},
		{identity.ErrExpired, mockidp.ExpiresIn(-time.Hour)},
		{identity.ErrKeyNotFound, mockidp.KeyID("unknown")},
		{identity.ErrSignature, mockidp.SignedBy(keys.NewKey().WithID(keys.Signing().ID()))},
		{identity.ErrBound, claim("cnf", map[string]any{"kid": "x"})},
		{identity.ErrNoPermissions, mockidp.Scopes()},
		{identity.ErrClient, mockidp.ClientID(mockidp.User)},
		{identity.ErrGuest, claim("acct", 1)},
	}
	fetches := false
	for i, row := range rows {
		var opts []mockidp.TokenOption
		for _, later := range rows[i:] { // of options about the same claim the last one wins, and it must be this row's
			opts = append(options(later.fault), opts...)
		}
		t.Logf("%d: %v", i, row.want)
		a.get(a.token(opts...)).refused(t, row.want)
		if fetches = fetches || row.want == identity.ErrKeyNotFound; !fetches {
			requireNoFetch(t, a.idp)
		}
	}
	a.get(a.token()).accepted(t)
}

// H12: a B2C token is judged by its times before its policy, and by its policy before its key.
func TestFirstFaultB2C(t *testing.T) {
	t.Parallel()
	a := shopAPI(t, nil)
	handle := a.idp.Tenant(mockidp.Shop)
	late, policy, kid := mockidp.ExpiresIn(-time.Hour), mockidp.Policy("B2C_1_test"), mockidp.KeyID("unknown")
	a.get(handle.Token(late, policy, kid)).refused(t, identity.ErrExpired)
	a.get(handle.Token(policy, kid)).refused(t, identity.ErrPolicy)
	requireNoFetch(t, a.idp)
	a.get(handle.Token(kid)).refused(t, identity.ErrKeyNotFound)
	a.get(handle.Token()).accepted(t)
}

// Whoever reads the log learns by how much a token missed its time: a clock that is wrong looks different from a client that uses its
// tokens for too long.
func TestLogTellsByHowMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, func(cfg *identity.Config) { cfg.Leeway = noLeeway })
		in := func(d time.Duration) time.Time { return time.Now().Add(d) }
		tells := func(token mockidp.TokenOption, want string) {
			t.Helper()
			before := len(a.log.String())
			if got := a.get(a.token(token)); got.reached {
				t.Fatal("the handler ran")
			}
			if log := a.log.String()[before:]; !strings.Contains(log, want) || strings.Contains(log, " ago") != strings.Contains(want, " ago") {
				t.Errorf("got=%s, want=%q", log, want)
			}
		}
		tells(mockidp.ExpiresAt(in(0)), "exp was 0s ago")
		tells(mockidp.ExpiresAt(in(-90*time.Second)), "exp was 1m30s ago")
		tells(mockidp.NotBefore(in(2*time.Minute)), "nbf is 2m0s ahead")
		tells(mockidp.IssuedAt(in(3*time.Minute)), "iat is 3m0s ahead")
		time.Sleep(time.Second - 1)
		tells(mockidp.NotBefore(in(1)), "nbf is 0s ahead") // a nanosecond
	})
}
