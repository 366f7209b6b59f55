package identity_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// Trace.Verified tells of each verification whose token it was, how long it took, whether the cache answered, and the refusal.
func TestVerifyInfo(t *testing.T) {
	t.Parallel()
	var seen []identity.VerifyInfo
	trace := func(cfg *identity.Config) {
		cfg.Observe.Trace.Verified = func(_ context.Context, info identity.VerifyInfo) { seen = append(seen, info) }
	}
	inBubble(t, trace, func(t *testing.T, a *keyAPI) {
		last := func() identity.VerifyInfo { return seen[len(seen)-1] }
		a.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Times: 1, Delay: 2 * time.Second})
		good := a.good()
		a.get(good).accepted(t)
		if got, want := last(), (identity.VerifyInfo{TenantID: tenantA, Kind: "workforce", Duration: 2 * time.Second}); got != want {
			t.Errorf("cold: got=%+v, want=%+v", got, want)
		}
		a.get(good).accepted(t)
		if got, want := last(), (identity.VerifyInfo{TenantID: tenantA, Kind: "workforce", Cached: true}); got != want {
			t.Errorf("warm: got=%+v, want=%+v", got, want)
		}
		a.get(a.token(mockidp.ExpiresIn(-time.Hour))).refused(t, identity.ErrExpired)
		if got := last(); got.TenantID != tenantA || got.Reason != "token_expired" || !errors.Is(got.Err, identity.ErrExpired) || got.Cached || got.Duration != 0 {
			t.Errorf("expired: got=%+v", got)
		}
		a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
		if got := last(); got.TenantID != "" || got.Reason != "token_malformed" || !errors.Is(got.Err, identity.ErrTokenMalformed) {
			t.Errorf("malformed: got=%+v", got)
		}
		if len(seen) != 4 {
			t.Fatalf("got=%d calls, want=4", len(seen))
		}
	})
}

// Trace.KeysFetched and the log tell of each fetch what it brought. What somebody has to look into is logged louder.
func TestFetchInfo(t *testing.T) {
	t.Parallel()
	var seen []identity.FetchInfo
	trace := func(cfg *identity.Config) {
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) { seen = append(seen, info) }
	}
	inBubble(t, trace, func(t *testing.T, a *keyAPI) {
		const metadata = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
		keys := a.idp.Tenant(tenantA).Keys()
		published := len(keys.Published())
		fetch := func(token string, sentinel error, want identity.FetchInfo, level, message string) {
			t.Helper()
			before, calls := len(a.log.String()), len(seen)
			if got := a.get(token); sentinel == nil {
				got.accepted(t)
			} else {
				got.refused(t, sentinel)
			}
			if len(seen) != calls+1 {
				t.Fatalf("got=%d calls, want=%d", len(seen), calls+1)
			}
			got := seen[calls]
			if (got.Err == nil) != (want.Err == nil) || want.Err != nil && !errors.Is(got.Err, want.Err) {
				t.Errorf("Err: got=%v, want=%v", got.Err, want.Err)
			}
			got.Err, want.Err = nil, nil
			got.Unusable, got.Status = nil, 0 // have tests of their own
			if want.Metadata, want.Kind = metadata, "workforce"; !reflect.DeepEqual(got, want) {
				t.Errorf("got=%+v, want=%+v", got, want)
			}
			var line string
			for l := range strings.SplitSeq(a.log.String()[before:], "\n") {
				if strings.Contains(l, "keys ") && strings.Contains(l, "metadata="+metadata) {
					line += l
				}
			}
			if !strings.Contains(line, "level="+level+" msg=\"identity: "+message+"\"") || strings.Contains(line, "cause=") != (level == "WARN") {
				t.Errorf("log: got=%s, want=%s %s", line, level, message)
			}
		}
		a.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Times: 1, Delay: 2 * time.Second})
		fetch(a.good(), nil, identity.FetchInfo{Keys: published, Duration: 2 * time.Second}, "DEBUG", "keys fetched")

		a.at(time.Minute)
		keys.PublishRaw(map[string]any{"kid": "elliptic", "kty": "EC"})
		fetch(a.unknown(1), identity.ErrKeyNotFound, identity.FetchInfo{Forced: true, Keys: published, Skipped: 1}, "INFO", "keys fetched, some skipped")

		a.at(2 * time.Minute)
		a.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Times: 1, Status: http.StatusInternalServerError})
		fetch(a.unknown(2), identity.ErrKeysUnavailable, identity.FetchInfo{Forced: true, Err: identity.ErrKeysUnavailable}, "WARN", "keys could not be fetched")
	})
}

// The log of a refusal names the tenant and the key as far as the token says so in due form, and nothing else of it.
func TestLogNamesWhatWasRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	kid := a.idp.Tenant(tenantA).Keys().Signing().ID()
	issuer := "https://login.microsoftonline.com/" + tenantX + "/v2.0"
	for name, row := range map[string]struct {
		token     string
		sentinel  error
		want, not []string
	}{
		"of a trusted tenant": {a.token(mockidp.ExpiresIn(-time.Hour)), identity.ErrExpired,
			[]string{"kid=" + kid, "iss=https://login.microsoftonline.com/" + tenantA + "/v2.0", "tid=" + tenantA, "tenant=contoso"}, nil},
		"of another": {a.token(mockidp.Claim("iss", issuer)), identity.ErrUnknownTenant, []string{"kid=", "iss=" + issuer, "tid=" + tenantX}, []string{"tenant="}},
		"of an issuer that is none": {a.token(mockidp.Claim("iss", "https://attacker.example/")), identity.ErrIssuer,
			[]string{"kid="}, []string{"iss=", "tid=", "tenant=", "attacker"}},
		"no token": {"a.b.c", identity.ErrTokenMalformed, nil, []string{"kid=", "iss=", "tid=", "tenant="}},
	} {
		before := len(a.log.String())
		a.get(row.token).refused(t, row.sentinel)
		log := a.log.String()[before:]
		for _, text := range row.want {
			if !strings.Contains(log, text) {
				t.Errorf("%s: got=%s, want %s in it", name, log, text)
			}
		}
		for _, text := range row.not {
			if strings.Contains(log, text) {
				t.Errorf("%s: got=%s, want no %s in it", name, log, text)
			}
		}
	}
	nameless := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}) })
	nameless.get(nameless.token(mockidp.ExpiresIn(-time.Hour))).refused(t, identity.ErrExpired)
	if log := nameless.log.String(); !strings.Contains(log, "tid="+tenantA) || strings.Contains(log, "tenant=") {
		t.Errorf("got=%s, want the tenant's ID, and no name where it has none", log)
	}
}
