package identityotel_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/identityotel"
	"github.com/echo-identity/identity/mockidp"
	"github.com/golang-jwt/jwt/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func counting(calls map[string]int, who string) identity.Trace {
	return identity.Trace{
		Verified:    func(context.Context, identity.VerifyInfo) { calls[who+" verified"]++ },
		KeysFetched: func(context.Context, identity.FetchInfo) { calls[who+" fetched"]++ },
		Refused:     func(context.Context, identity.RefuseInfo) { calls[who+" refused"]++ },
	}
}

func valueOf(span sdktrace.ReadOnlySpan, key attribute.Key) (attribute.Value, bool) {
	for _, a := range span.Attributes() {
		if a.Key == key {
			return a.Value, true
		}
	}
	return attribute.Value{}, false
}

// taken are the spans since the last call.
func (k *kit) taken() []sdktrace.ReadOnlySpan {
	spans := k.spans.Ended()
	k.spans.Reset()
	return spans
}

func wantSpan(t *testing.T, span sdktrace.ReadOnlySpan, name string, kind trace.SpanKind, status codes.Code, want string) {
	t.Helper()
	if span.Name() != name || span.SpanKind() != kind || span.Status().Code != status {
		t.Errorf("got=%s %v %v, want=%s %v %v", span.Name(), span.SpanKind(), span.Status(), name, kind, status)
	}
	if got := labels(attribute.NewSet(span.Attributes()...)); got != want {
		t.Errorf("%s:\n got=%s\nwant=%s", name, got, want)
	}
	if span.InstrumentationScope().Name != identityotel.ScopeName || span.InstrumentationScope().SchemaURL == "" {
		t.Errorf("got=%+v, want the scope of this module", span.InstrumentationScope())
	}
	if took := span.EndTime().Sub(span.StartTime()); took <= 0 || took > time.Minute {
		t.Errorf("%s: got=%v, want how long it took", name, took)
	}
	if len(span.Events()) != 0 {
		t.Errorf("got=%v, want no event, which could hold anything", span.Events())
	}
}

// A verification that did work has a span, under the request's, and so has a fetch. One from the cache has none.
func TestSpans(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	const metadata = " url.full=https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
	const server = " server.address=login.microsoftonline.com server.port=443"

	ctx, request := k.tracers.Tracer("test").Start(t.Context(), "request")
	good := k.token()
	before := time.Now()
	if _, err := k.verifier.Verify(ctx, good); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	spans := k.taken()
	if len(spans) != 2 {
		t.Fatalf("got=%v, want the fetch and the verification", spans)
	}
	wantSpan(t, spans[0], "identity.fetch_keys", trace.SpanKindClient, codes.Unset,
		"identity.fetch.forced=false identity.key.skipped=0 identity.key.usable=2 identity.tenant.kind=workforce"+server+metadata)
	wantSpan(t, spans[1], "identity.verify", trace.SpanKindInternal, codes.Unset,
		"identity.result=accepted identity.tenant.id="+mockidp.Contoso+" identity.tenant.kind=workforce")
	for _, span := range spans {
		if span.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s: got=%v, want the request's span above it", span.Name(), span.Parent())
		}
		if span.StartTime().Before(before.Add(-time.Millisecond)) || span.EndTime().After(after) {
			t.Errorf("%s: got=%v to %v, want between %v and %v", span.Name(), span.StartTime(), span.EndTime(), before, after)
		}
	}
	if spans[0].StartTime().Before(spans[1].StartTime()) || spans[0].EndTime().After(spans[1].EndTime()) {
		t.Errorf("got=%v, want the fetch within the verification that waited for it", spans)
	}

	for range 3 { // from the cache
		if _, err := k.verifier.Verify(ctx, good); err != nil {
			t.Fatal(err)
		}
	}
	if spans := k.taken(); len(spans) != 0 {
		t.Fatalf("got=%v, want none", spans)
	}

	k.send(t, k.token(mockidp.ExpiresIn(-time.Hour)), 401)
	k.send(t, k.of(mockidp.Fabrikam), 401)
	spans = k.taken()
	if len(spans) != 2 {
		t.Fatalf("got=%v, want one for each", spans)
	}
	wantSpan(t, spans[0], "identity.verify", trace.SpanKindInternal, codes.Unset,
		"error.type=token_expired identity.result=refused identity.tenant.id="+mockidp.Contoso+" identity.tenant.kind=workforce")
	wantSpan(t, spans[1], "identity.verify", trace.SpanKindInternal, codes.Unset, "error.type=tenant_unknown identity.result=refused")

	k.idp.Inject(mockidp.Fault{Status: 500, Times: 1})
	k.send(t, k.token(mockidp.KeyID("unknown")), 503)
	spans = k.taken()
	if len(spans) != 2 {
		t.Fatalf("got=%v, want the fetch and the verification", spans)
	}
	wantSpan(t, spans[0], "identity.fetch_keys", trace.SpanKindClient, codes.Error,
		"error.type=500 http.response.status_code=500 identity.fetch.forced=true identity.tenant.kind=workforce"+server+metadata)
	wantSpan(t, spans[1], "identity.verify", trace.SpanKindInternal, codes.Error,
		"error.type=keys_unavailable identity.result=failed identity.tenant.id="+mockidp.Contoso+" identity.tenant.kind=workforce")
}

// KeyFunc leaves the signature to its caller, and its verifications are not counted as accepted.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil)
	if _, err := k.verifier.KeyFunc(&jwt.Token{Raw: k.token()}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.verifier.KeyFunc(&jwt.Token{Raw: k.token(mockidp.ExpiresIn(-time.Hour))}); err == nil {
		t.Fatal("an expired token got its key")
	}
	wantPoints(t, k.collect(t), "identity.verifications", "{verification}", map[string]float64{
		"identity.cache.hit=false identity.result=unsigned identity.tenant.kind=workforce":                         1,
		"error.type=token_expired identity.cache.hit=false identity.result=refused identity.tenant.kind=workforce": 1,
	})
}

// What a fetch failed of is told in few words, and the port in any case.
func TestFetchFailures(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		transport http.RoundTripper
		fault     mockidp.Fault
		want      string
	}{
		"status":       {fault: mockidp.Fault{Status: 429}, want: "429"},
		"document":     {fault: mockidp.Fault{Body: []byte("<html>")}, want: "_OTHER"},
		"no such host": {transport: failing{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}}, want: "name_not_resolved"},
		"refused":      {transport: failing{&net.OpError{Op: "dial", Err: fmt.Errorf("connection refused")}}, want: "connection_failed"},
		"timeout":      {transport: failing{context.DeadlineExceeded}, want: "timeout"},
		"panic":        {transport: failing{}, want: "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, func(cfg *identity.Config) {
				if row.transport != nil {
					cfg.Keys.HTTPClient = &http.Client{Transport: row.transport}
				}
			})
			k.idp.Inject(row.fault)
			if _, err := k.verifier.Verify(t.Context(), k.token()); err == nil {
				t.Fatal("accepted without keys")
			}
			want := map[string]float64{"error.type=" + row.want + " identity.fetch.forced=false identity.tenant.kind=workforce": 1}
			wantPoints(t, k.collect(t), "identity.key.fetches", "{fetch}", want)
			span := k.taken()[0]
			if value, _ := valueOf(span, "error.type"); value.AsString() != row.want || span.Status().Code != codes.Error {
				t.Fatalf("got=%v %v, want=%s", span.Attributes(), span.Status(), row.want)
			}
		})
	}
}

// failing is a transport that fails with an error, or panics without one.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	if f.err == nil {
		panic("transport")
	}
	return nil, f.err
}

// The address of a private deployment is told with its port.
func TestServerPort(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[identity.Cloud]string{
		"https://login.contoso.example:8443": "server.address=login.contoso.example server.port=8443",
		"https://login.contoso.example":      "server.address=login.contoso.example server.port=443",
		"http://localhost":                   "server.address=localhost server.port=80",
	} {
		k := newKit(t, func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Cloud: cloud})
			cfg.Keys.HTTPClient = &http.Client{Transport: failing{context.DeadlineExceeded}}
		})
		if err := k.verifier.Warm(t.Context()); err == nil {
			t.Fatal("warm without a key server")
		}
		if got := labels(attribute.NewSet(k.taken()[0].Attributes()...)); !strings.Contains(got, want) {
			t.Errorf("got=%s, want=%s", got, want)
		}
	}
}

// No span and no series has anything of a token: neither a part of it, nor a claim, whoever sends it. The tenant of an accepted one, which
// the application knows by itself, is on spans.
func TestNothingOfTheToken(t *testing.T) {
	t.Parallel()
	k := newKit(t, nil, identityotel.WithTenants(10))
	private := []string{"jo.doe@contoso.example", "Jo Doe", "subject-of-jo", "secret-role", "192.0.2.77"}
	opts := []mockidp.TokenOption{
		mockidp.Claim("preferred_username", private[0]), mockidp.Claim("name", private[1]), mockidp.Subject(private[2]),
		mockidp.Roles(private[3]), mockidp.Claim("ipaddr", private[4]),
	}
	var tokens []string
	for _, more := range [][]mockidp.TokenOption{
		nil, {mockidp.ExpiresIn(-time.Hour)}, {mockidp.Audience("https://private.example")}, {mockidp.KeyID("private-kid")},
		{mockidp.Claim("tid", mockidp.Fabrikam)}, {mockidp.Algorithm("none")},
	} {
		tokens = append(tokens, k.token(append(opts, more...)...))
	}
	tokens = append(tokens, k.of(mockidp.Fabrikam, opts...), "a.b.c")
	for _, b := range mockidp.Broken() {
		if b.Kind == k.idp.Tenant(mockidp.Contoso).Kind() {
			tokens = append(tokens, b.Token(k.idp.Tenant(mockidp.Contoso)))
		}
	}
	for _, token := range tokens {
		k.verifier.Verify(t.Context(), token)
		k.verifier.Verify(t.Context(), token)
	}
	var said strings.Builder
	for _, span := range k.taken() {
		fmt.Fprintln(&said, span.Name(), span.Status().Description, labels(attribute.NewSet(span.Attributes()...)))
	}
	for name, m := range k.collect(t) {
		for series := range points(t, m) {
			fmt.Fprintln(&said, name, series)
		}
	}
	out := said.String()
	if strings.Count(out, "\n") < len(tokens) || !strings.Contains(out, mockidp.Contoso) {
		t.Fatalf("got=%s, want a line for each token at least", out)
	}
	// What the application knows by itself may be there.
	out = strings.NewReplacer(mockidp.Contoso, "", "https://login.microsoftonline.com/common/v2.0/", "").Replace(out)
	for _, token := range tokens {
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 8 && strings.Contains(out, part) {
				t.Fatalf("a part of a token: %s", part)
			}
		}
		for _, value := range claimsOf(token) {
			if len(value) > 4 && strings.Contains(out, value) {
				t.Errorf("a claim: %s", value)
			}
		}
	}
}

// claimsOf are the texts in the header and the claims of a token.
func claimsOf(token string) (values []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	segments := strings.Split(token, ".")
	for _, segment := range segments[:min(2, len(segments))] {
		text, _ := base64.RawURLEncoding.DecodeString(segment)
		var members map[string]any
		if json.Unmarshal(text, &members) == nil {
			walk(members)
		}
	}
	return values
}
