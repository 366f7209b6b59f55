package identity_test

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// requireNoFetch requires that the key server has not been asked for anything.
func requireNoFetch(t testing.TB, idp *mockidp.Server) {
	t.Helper()
	if n := idp.Count(mockidp.AnyEndpoint); n != 0 {
		t.Fatalf("requests to the key server: got=%d, want=0: %+v", n, idp.Requests())
	}
}

// headerRow is a token of tenant A whose header is special. Without want it is accepted.
type headerRow struct {
	name string
	opts []mockidp.TokenOption
	want error
	// fetches allows the key server to be asked before the refusal.
	fetches bool
}

func (row headerRow) run(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	got := a.get(a.token(row.opts...))
	if row.want == nil {
		got.accepted(t)
		return
	}
	got.refused(t, row.want)
	if !row.fetches {
		requireNoFetch(t, a.idp)
	}
	a.get(a.token()).accepted(t)
}

// options makes the options of a row.
func options(o ...mockidp.TokenOption) []mockidp.TokenOption { return o }

// verifierOn makes a verifier that trusts tenant A, without Echo around it, and logs nowhere.
func verifierOn(t testing.TB, idp *mockidp.Server, change func(*identity.Config)) *identity.Verifier {
	t.Helper()
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants:  workforceA(),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	}
	if change != nil {
		change(&cfg)
	}
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

func TestAlgorithm(t *testing.T) {
	t.Parallel()
	raw := func(text string) mockidp.TokenOption { return mockidp.Header("alg", json.RawMessage(text)) }
	for _, row := range []headerRow{
		{name: "RS256", opts: options(mockidp.Algorithm("RS256"))},

		{name: "none without a signature", opts: options(mockidp.Algorithm("none")), want: identity.ErrAlgorithm}, // B1
		{name: "none with a signature", opts: options(mockidp.Header("alg", "none")), want: identity.ErrAlgorithm},
		{name: "None", opts: options(mockidp.Header("alg", "None")), want: identity.ErrAlgorithm},

		{name: "RS384", opts: options(mockidp.Algorithm("RS384")), want: identity.ErrAlgorithm}, // B3
		{name: "RS512", opts: options(mockidp.Algorithm("RS512")), want: identity.ErrAlgorithm},
		{name: "PS256", opts: options(mockidp.Algorithm("PS256")), want: identity.ErrAlgorithm},
		{name: "ES256", opts: options(mockidp.Algorithm("ES256")), want: identity.ErrAlgorithm},
		{name: "HS512", opts: options(mockidp.Algorithm("HS512")), want: identity.ErrAlgorithm},

		{name: "lower case", opts: options(mockidp.Header("alg", "rs256")), want: identity.ErrAlgorithm}, // B4
		{name: "leading blank", opts: options(mockidp.Header("alg", " RS256")), want: identity.ErrAlgorithm},
		{name: "final blank", opts: options(mockidp.Header("alg", "RS256 ")), want: identity.ErrAlgorithm},
		{name: "missing", opts: options(mockidp.WithoutHeader("alg")), want: identity.ErrAlgorithm},
		{name: "empty", opts: options(mockidp.Header("alg", "")), want: identity.ErrAlgorithm},
		{name: "number", opts: options(raw("256")), want: identity.ErrAlgorithm},
		{name: "null", opts: options(raw("null")), want: identity.ErrAlgorithm},
		{name: "array", opts: options(raw(`["RS256"]`)), want: identity.ErrAlgorithm},
	} {
		t.Run(row.name, row.run)
	}
}

// B2: the public key as the secret of an HMAC, in every form in which a verifier may hold it.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		secret func(*mockidp.Key) []byte
	}{
		{"PEM", (*mockidp.Key).PublicPEM},
		{"DER", (*mockidp.Key).PublicDER},
		{"modulus", (*mockidp.Key).Modulus},
		{"certificate", (*mockidp.Key).CertificateDER},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			secret := mockidp.HMACSecret(row.secret(a.idp.Tenant(tenantA).Keys().Signing()))
			a.get(a.token(mockidp.Algorithm("HS256"), secret)).refused(t, identity.ErrAlgorithm)
			requireNoFetch(t, a.idp)
			// With the algorithm lied about, the signature is what fails.
			a.get(a.token(mockidp.Algorithm("HS256"), secret, mockidp.Header("alg", "RS256"))).refused(t, identity.ErrSignature)
			a.get(a.token()).accepted(t)
		})
	}
}

// B5: no field of the configuration, or of what it holds, is about algorithms.
func TestNoAlgorithmOption(t *testing.T) {
	t.Parallel()
	fields := 0
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.PkgPath(), "github.com/echo-identity/") {
			return
		}
		for f := range typ.Fields() {
			if !f.IsExported() {
				continue
			}
			fields++
			name := strings.ToLower(f.Name)
			for _, word := range []string{"alg", "sign", "method", "cipher"} {
				if strings.Contains(name, word) {
					t.Errorf("%s.%s: an option about algorithms", path, f.Name)
				}
			}
			walk(path+"."+f.Name, f.Type)
		}
	}
	walk("Config", reflect.TypeFor[identity.Config]())
	walk("Tenant", reflect.TypeFor[identity.Tenant]())
	if fields < 20 {
		t.Fatalf("fields looked at: got=%d, want=20 or more", fields)
	}
}

// B15: a stranger's signature under a published kid is no reason to ask for keys.
func TestForgedSignature(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	keys := a.idp.Tenant(tenantA).Keys()
	a.get(a.token()).accepted(t)
	forged := a.token(mockidp.SignedBy(keys.NewKey().WithID(keys.Signing().ID())))
	for range 50 {
		a.get(forged).refused(t, identity.ErrSignature)
	}
	if d, k := a.idp.Count(mockidp.Discovery), a.idp.Count(mockidp.JWKS); d != 1 || k != 1 {
		t.Fatalf("discovery and key downloads: got=%d %d, want=1 1", d, k)
	}
	a.get(a.token()).accepted(t)
}

// B16: what a header says of keys is not read. A good token stays good, a forged one stays forged, nobody else is asked.
func TestKeysInHeader(t *testing.T) {
	t.Parallel()
	const attacker = "https://attacker.example/keys"
	jwk := map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"jku", attacker},
		{"x5u", attacker},
		{"jwk", jwk},
		{"x5c", []string{"MIIB"}},
		{"x5c", attacker},
		{"jwk", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			keys := a.idp.Tenant(tenantA).Keys()
			extra := mockidp.Header(row.name, row.value)
			a.get(a.token(extra)).accepted(t)
			a.get(a.token(extra, mockidp.SignedBy(keys.NewKey().WithID(keys.Signing().ID())))).refused(t, identity.ErrSignature)
			a.get(a.token(extra, mockidp.SignedBy(keys.NewKey()))).refused(t, identity.ErrKeyNotFound)
			for _, r := range a.idp.Requests() {
				if r.Host != "login.microsoftonline.com" {
					t.Fatalf("asked %s://%s%s", r.Scheme, r.Host, r.Path)
				}
			}
		})
	}
}

// B17: any crit is refused, since none is understood; b64 means one, also without it.
func TestCriticalHeader(t *testing.T) {
	t.Parallel()
	for _, row := range []headerRow{
		{name: "unknown member that is not critical", opts: options(mockidp.Header("urn:example", true))},
		{name: "known claim", opts: options(mockidp.Header("crit", []string{"exp"})), want: identity.ErrCritical},
		{name: "unknown", opts: options(mockidp.Header("crit", []string{"urn:example"}), mockidp.Header("urn:example", true)), want: identity.ErrCritical},
		{name: "empty list", opts: options(mockidp.Header("crit", []string{})), want: identity.ErrCritical},
		{name: "null", opts: options(mockidp.Header("crit", nil)), want: identity.ErrCritical},
		{name: "b64 with crit", opts: options(mockidp.Header("crit", []string{"b64"}), mockidp.Header("b64", false)), want: identity.ErrCritical},
		{name: "b64 false", opts: options(mockidp.Header("b64", false)), want: identity.ErrCritical},
		{name: "b64 true", opts: options(mockidp.Header("b64", true)), want: identity.ErrCritical},
	} {
		t.Run(row.name, row.run)
	}
}

// B18
func TestTokenType(t *testing.T) {
	t.Parallel()
	typ := func(v any) []mockidp.TokenOption { return options(mockidp.Header("typ", v)) }
	for _, row := range []headerRow{
		{name: "JWT", opts: typ("JWT")},
		{name: "jwt", opts: typ("jwt")},
		{name: "jWt", opts: typ("jWt")},
		{name: "at+jwt", opts: typ("at+jwt")},
		{name: "AT+JWT", opts: typ("AT+JWT")},
		{name: "application/at+jwt", opts: typ("application/at+jwt")},
		{name: "Application/At+Jwt", opts: typ("Application/At+Jwt")},
		{name: "absent", opts: options(mockidp.WithoutHeader("typ"))},

		{name: "xat+jwt", opts: typ("xat+jwt"), want: identity.ErrTokenType},
		{name: "at+jwtx", opts: typ("at+jwtx"), want: identity.ErrTokenType},
		{name: "id+jwt", opts: typ("id+jwt"), want: identity.ErrTokenType},
		{name: "application/jwt", opts: typ("application/jwt"), want: identity.ErrTokenType},
		{name: "JWT with a blank", opts: typ("JWT "), want: identity.ErrTokenType},
		{name: "empty", opts: typ(""), want: identity.ErrTokenType},
		{name: "number", opts: typ(1), want: identity.ErrTokenType},
		{name: "null", opts: typ(nil), want: identity.ErrTokenType},
		{name: "array", opts: typ([]string{"JWT"}), want: identity.ErrTokenType},
	} {
		t.Run(row.name, row.run)
	}
}

// B19 and G10: a token for Microsoft Graph has its own reason, and the log says what to do.
func TestGraphToken(t *testing.T) {
	t.Parallel()
	graph := mockidp.Audience("00000003-0000-0000-c000-000000000000")
	nonce := mockidp.Header("nonce", "AQABAAAAAAD")
	for _, row := range []headerRow{
		{name: "as Entra issues it", opts: options(mockidp.ForGraph()), want: identity.ErrOtherResource},
		{name: "nonce and the GUID of Graph", opts: options(nonce, graph), want: identity.ErrOtherResource},
		{name: "nonce and the URL of Graph", opts: options(nonce, mockidp.Audience("https://graph.microsoft.com")), want: identity.ErrOtherResource},
		{name: "nonce and the URL of Graph with a slash", opts: options(nonce, mockidp.Audience("https://graph.microsoft.com/")), want: identity.ErrOtherResource},
		{name: "the GUID of Graph alone", opts: options(graph), want: identity.ErrOtherResource},
		{name: "nonce and another API", opts: options(nonce, mockidp.Audience("https://other.example")), want: identity.ErrOtherResource},
		{name: "nonce alone", opts: options(nonce)},
		{name: "another API", opts: options(mockidp.Audience("https://other.example")), want: identity.ErrAudience},
	} {
		t.Run(row.name, row.run)
	}
	t.Run("hint", func(t *testing.T) {
		t.Parallel()
		a := newAPI(t, nil)
		e := a.get(a.token(mockidp.ForGraph())).refused(t, identity.ErrOtherResource)
		if log := a.log.String(); !strings.Contains(log, "Microsoft Graph") || !strings.Contains(log, ".default") {
			t.Fatalf("the log has no hint: %s", log)
		}
		if strings.Contains(e.Description, "Graph") {
			t.Fatalf("the hint is for the log alone: %q", e.Description)
		}
	})
}

// B20
func TestChangedToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(header, payload, signature string) string
		want   error
	}{
		{"unchanged", func(h, p, s string) string { return h + "." + p + "." + s }, nil},
		{"signature truncated", func(h, p, s string) string { return h + "." + p + "." + s[:len(s)-2] }, identity.ErrSignature},
		{"signature cut in half", func(h, p, s string) string { return h + "." + p + "." + s[:len(s)/2&^3] }, identity.ErrSignature},
		{"signature with trailing bytes", func(h, p, s string) string { return h + "." + p + "." + s[:len(s)-2] + "AAAA" }, identity.ErrSignature},
		{"signature with a leading zero", func(h, p, s string) string { return h + "." + p + ".AAAA" + s }, identity.ErrSignature},
		{"signature with padding", func(h, p, s string) string { return h + "." + p + "." + s + "==" }, identity.ErrTokenMalformed},
		{"signature with a line break", func(h, p, s string) string { return h + "." + p + "." + s + "\n" }, identity.ErrTokenMalformed},
		{"signature not canonical", func(h, p, s string) string { return h + "." + p + "." + neighbour(s) }, identity.ErrTokenMalformed},
		{"signature dropped", func(h, p, s string) string { return h + "." + p + "." }, identity.ErrTokenMalformed},
		{"text after the signature", func(h, p, s string) string { return h + "." + p + "." + s + "." }, identity.ErrTokenMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, nil)
			parts := strings.Split(a.token(), ".")
			got := a.get(row.change(parts[0], parts[1], parts[2]))
			if row.want == nil {
				got.accepted(t)
				return
			}
			got.refused(t, row.want)
		})
	}
}

// neighbour changes the bits of the last character that stand for nothing.
func neighbour(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + string(alphabet[last^1])
}

// B20: no character of header and payload can be replaced without notice.
func TestEveryCharacterCounts(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	v := verifierOn(t, idp, nil)
	raw := idp.Tenant(tenantA).Token()
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	for i := range strings.LastIndexByte(raw, '.') {
		for _, c := range []byte{'A', 'Q', '-'} {
			if raw[i] == c {
				continue
			}
			changed := raw[:i] + string(c) + raw[i+1:]
			if _, err := v.Verify(t.Context(), changed); err == nil {
				t.Fatalf("accepted with character %d changed from %c to %c", i, raw[i], c)
			}
		}
	}
}
