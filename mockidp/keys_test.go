package mockidp_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

func members(o map[string]any) []string { return slices.Sorted(maps.Keys(o)) }

// M2
func TestKeyShapes(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	org := jwks(t, idp.Client(), commonKeys)
	if len(org) != 2 {
		t.Fatalf("got=%d keys, want=2", len(org))
	}
	keys := idp.CloudKeys(mockidp.Public)
	want(t, org[0], map[string]any{"kid": keys.Signing().ID(), "x5t": keys.Signing().ID(), "kty": "RSA", "use": "sig", "e": "AQAB",
		"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"})
	want(t, org[1], map[string]any{"kid": keys.Consumer().ID(), "issuer": "https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0"})
	if got, wanted := members(org[0]), []string{"e", "issuer", "kid", "kty", "n", "use", "x5c", "x5t"}; !slices.Equal(got, wanted) {
		t.Errorf("v2: got=%v, want=%v", got, wanted)
	}

	// The kid is the thumbprint of the published certificate, and that holds the key.
	der, err := base64.StdEncoding.DecodeString(org[0]["x5c"].([]any)[0].(string))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(der)
	if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != org[0]["kid"] || len(got) != 27 {
		t.Errorf("kid: got=%v, want=%s", org[0]["kid"], got)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if !keys.Signing().Public().Equal(cert.PublicKey) || !bytes.Equal(der, keys.Signing().CertificateDER()) {
		t.Error("the certificate is not the key's")
	}

	v1 := jwks(t, idp.Client(), "https://login.microsoftonline.com/common/discovery/keys")
	if got, wanted := members(v1[0]), []string{"e", "kid", "kty", "n", "use", "x5c", "x5t"}; len(v1) != 2 || !slices.Equal(got, wanted) {
		t.Errorf("v1: got=%v, want=%v", got, wanted)
	}

	b2c := jwks(t, idp.Client(), "https://contosob2c.b2clogin.com/"+mockidp.Shop+"/b2c_1_susi/discovery/v2.0/keys")
	if got, wanted := members(b2c[0]), []string{"e", "kid", "kty", "n", "nbf", "use"}; len(b2c) != 1 || !slices.Equal(got, wanted) {
		t.Errorf("B2C: got=%v, want=%v", got, wanted)
	}
	if kid := b2c[0]["kid"].(string); len(kid) != 43 || idp.Tenant(mockidp.Shop).Keys().Signing().CertificateDER() != nil {
		t.Errorf("B2C kid: got=%s, want 43 characters and no certificate", kid)
	}

	const cx = "https://contosocx.ciamlogin.com/" + mockidp.Customers + "/discovery/v2.0/keys"
	want(t, jwks(t, idp.Client(), cx)[0], map[string]any{"issuer": idp.Tenant(mockidp.Customers).Issuer()})
	const app = "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/v2.0/keys?appid=" + mockidp.API
	want(t, jwks(t, idp.Client(), app)[0], map[string]any{"issuer": idp.Tenant(mockidp.Contoso).Issuer(),
		"kid": idp.Tenant(mockidp.Contoso).AppKeys(mockidp.API).Signing().ID()})
	// On a loopback origin the issuers of keys are on it, as those of documents are.
	local := jwks(t, idp.Client(), "https://localhost/common/discovery/v2.0/keys")
	want(t, local[0], map[string]any{"kid": keys.Signing().ID(), "issuer": "https://localhost/{tenantid}/v2.0"})
	want(t, local[1], map[string]any{"issuer": "https://localhost/" + mockidp.PersonalAccounts + "/v2.0"})
}

func TestKeySetsAreApart(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso, shop := idp.Tenant(mockidp.Contoso), idp.Tenant(mockidp.Shop)
	sets := map[string]*mockidp.KeySet{
		"public":    idp.CloudKeys(mockidp.Public),
		"us":        idp.CloudKeys(mockidp.USGovernment),
		"susi":      shop.PolicyKeys("b2c_1_SUSI"),
		"custom":    shop.PolicyKeys("B2C_1A_custom"),
		"customers": idp.Tenant(mockidp.Customers).Keys(),
		"app":       contoso.AppKeys(mockidp.API),
		"other app": contoso.AppKeys(mockidp.Client),
	}
	seen := map[string]string{}
	for name, set := range sets {
		for _, k := range set.Published() {
			n := string(k.Modulus())
			if other, ok := seen[n]; ok {
				t.Errorf("%s shares material with %s", name, other)
			}
			seen[n] = name
		}
	}
	if contoso.Keys() != idp.Tenant(mockidp.Fabrikam).Keys() || contoso.Keys() != idp.CloudKeys("https://login.microsoftonline.com/") {
		t.Error("workforce tenants of a cloud have one set")
	}
	if shop.Keys() != shop.PolicyKeys("B2C_1_susi") {
		t.Error("the set of a B2C tenant is that of its first policy")
	}
}

// M4
func TestRotation(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso, keys := idp.Tenant(mockidp.Contoso), idp.CloudKeys(mockidp.Public)
	first := keys.Signing()
	old := contoso.Token()

	next := keys.Prepublish()
	if got := kids(t, idp.Client(), commonKeys); !slices.Contains(got, next.ID()) || keys.Signing() != first {
		t.Fatal("a key published ahead is listed and does not sign")
	}
	keys.Use(next)
	if header, _ := mustVerify(t, idp.Client(), commonV2, contoso.Token()); header["kid"] != next.ID() {
		t.Errorf("got=%v, want=%s", header["kid"], next.ID())
	}
	third := keys.Rotate()
	if header, _ := mustVerify(t, idp.Client(), commonV2, contoso.Token()); header["kid"] != third.ID() {
		t.Errorf("got=%v, want=%s", header["kid"], third.ID())
	}
	mustVerify(t, idp.Client(), commonV2, old)

	keys.Withdraw(first)
	keys.Withdraw(first)
	if _, err := verify(t, idp.Client(), commonV2, old); !errors.Is(err, errNoKey) {
		t.Errorf("withdrawn: got=%v, want=%v", err, errNoKey)
	}
	hidden := keys.NewKey()
	if _, err := verify(t, idp.Client(), commonV2, contoso.Token(mockidp.SignedBy(hidden))); !errors.Is(err, errNoKey) {
		t.Errorf("unpublished: got=%v, want=%v", err, errNoKey)
	}
	keys.Publish(hidden)
	keys.Publish(hidden)
	mustVerify(t, idp.Client(), commonV2, contoso.Token(mockidp.SignedBy(hidden)))
	if got := len(keys.Published()); got != 4 { // consumer, next, third, hidden
		t.Errorf("got=%d, want=4", got)
	}

	// The same kid with another key, besides the right one and instead of it.
	impostor := keys.NewKey().WithID(third.ID())
	keys.Publish(impostor)
	if got := kids(t, idp.Client(), commonKeys); got[len(got)-1] != third.ID() {
		t.Errorf("got=%v, want %s twice", got, third.ID())
	}
	keys.Withdraw(third)
	if _, err := verify(t, idp.Client(), commonV2, contoso.Token()); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Errorf("same kid, other key: got=%v, want=%v", err, jwt.ErrTokenSignatureInvalid)
	}
	keys.Replace(next, third)
	if got, wanted := kids(t, idp.Client(), commonKeys), []string{next.ID(), third.ID()}; !slices.Equal(got, wanted) {
		t.Errorf("got=%v, want=%v", got, wanted)
	}
	mustVerify(t, idp.Client(), commonV2, contoso.Token())
	keys.Replace()
	if got := kids(t, idp.Client(), commonKeys); len(got) != 0 {
		t.Errorf("empty: got=%v", got)
	}
}

// M4
func TestOddKeys(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	keys := idp.CloudKeys(mockidp.Public)
	const v1 = "https://login.microsoftonline.com/common/discovery/keys"
	key := keys.Signing()

	only1, only2 := keys.NewKey(), keys.NewKey()
	keys.PublishV1Only(only1)
	keys.PublishV2Only(only2)
	in1, in2 := kids(t, idp.Client(), v1), kids(t, idp.Client(), commonKeys)
	if !slices.Contains(in1, only1.ID()) || slices.Contains(in1, only2.ID()) || slices.Contains(in2, only1.ID()) || !slices.Contains(in2, only2.ID()) {
		t.Errorf("v1=%v, v2=%v", in1, in2)
	}
	keys.PublishV2Only(only1) // moves
	if slices.Contains(kids(t, idp.Client(), v1), only1.ID()) {
		t.Error("published in v2 only, and still in v1")
	}

	keys.Replace(
		key.WithID("enc").WithJWK("use", "enc"),
		key.WithID("no-use").WithJWK("use", nil).WithJWK("alg", "RS256"),
		key.WithID("bound").WithIssuer("https://issuer.example/"),
		key.WithID("unbound").WithIssuer(""),
		key.WithID("both").WithJWK("issuer", "x"),
		key.WithID("weak").WithJWK("n", "AQAB"),
		key,
	)
	keys.PublishRaw(map[string]any{"kty": "oct", "kid": "raw", "k": "c2VjcmV0"})
	v2 := jwks(t, idp.Client(), commonKeys)
	for i, wanted := range []map[string]any{
		{"kid": "enc", "use": "enc"},
		{"kid": "no-use", "use": nil, "alg": "RS256"},
		{"kid": "bound", "issuer": "https://issuer.example/"},
		{"kid": "unbound", "issuer": nil},
		{"kid": "both", "issuer": "x"},
		{"kid": "weak", "n": "AQAB"},
		{"kid": key.ID(), "use": "sig", "alg": nil, "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
		{"kid": "raw", "kty": "oct", "k": "c2VjcmV0", "n": nil},
	} {
		want(t, v2[i], wanted)
	}
	absent(t, v2[1], "use")
	absent(t, v2[3], "issuer")
	inV1 := jwks(t, idp.Client(), v1)
	absent(t, inV1[2], "issuer")
	want(t, inV1[4], map[string]any{"issuer": "x"})
	if got := len(keys.Published()); got != 7 {
		t.Errorf("got=%d, want=7", got)
	}

	// A key of 1024 bits signs.
	weak := keys.NewKeyOfSize(1024)
	keys.Publish(weak)
	if bits := weak.Public().N.BitLen(); bits != 1024 || weak.Private().N.BitLen() != 1024 {
		t.Errorf("got=%d bits, want=1024", bits)
	}
	mustVerify(t, idp.Client(), commonV2, idp.Tenant(mockidp.Contoso).Token(mockidp.SignedBy(weak)))
	panics(t, "RSA of 512 bits", func() { keys.NewKeyOfSize(512) })

	block, _ := pem.Decode(key.PublicPEM())
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !bytes.Equal(block.Bytes, key.PublicDER()) || !key.Public().Equal(public) {
		t.Errorf("PEM: got=%v %v", public, err)
	}
}

// M6
func TestServersAreApart(t *testing.T) {
	t.Parallel()
	one, two := mockidp.New(), mockidp.New()
	for _, id := range []string{mockidp.Contoso, mockidp.Shop, mockidp.Customers} {
		if _, err := verify(t, two.Client(), two.Tenant(id).DiscoveryURL(), one.Tenant(id).Token()); !errors.Is(err, errNoKey) {
			t.Errorf("%s: got=%v, want=%v", id, err, errNoKey)
		}
		mustVerify(t, one.Client(), one.Tenant(id).DiscoveryURL(), one.Tenant(id).Token())
	}
}
