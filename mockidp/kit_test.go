package mockidp_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

const (
	discoveryPath = "/v2.0/.well-known/openid-configuration"
	commonV2      = "https://login.microsoftonline.com/common" + discoveryPath
	commonKeys    = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
)

// fetch gets a document and its status.
func fetch(t *testing.T, c *http.Client, url string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp.StatusCode, body
}

// document gets a JSON object that must be there.
func document(t *testing.T, c *http.Client, url string) map[string]any {
	t.Helper()
	status, body := fetch(t, c, url)
	if status != http.StatusOK {
		t.Fatalf("GET %s: got=%d %s, want=200", url, status, body)
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("GET %s: %v in %s", url, err, body)
	}
	return doc
}

// jwks gets a key set, in the order of the document.
func jwks(t *testing.T, c *http.Client, url string) []map[string]any {
	t.Helper()
	var keys []map[string]any
	for _, k := range document(t, c, url)["keys"].([]any) {
		keys = append(keys, k.(map[string]any))
	}
	return keys
}

// kids lists the key IDs of a set.
func kids(t *testing.T, c *http.Client, url string) []string {
	t.Helper()
	ids := []string{}
	for _, k := range jwks(t, c, url) {
		id, _ := k["kid"].(string)
		ids = append(ids, id)
	}
	return ids
}

var errNoKey = errors.New("no such key")

// publicKey makes a key of n and e of the entry that kid names.
func publicKey(keys []map[string]any, kid any) (*rsa.PublicKey, error) {
	for _, k := range keys {
		if k["kid"] != kid {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(k["n"].(string))
		if err != nil {
			return nil, err
		}
		e, err := base64.RawURLEncoding.DecodeString(k["e"].(string))
		if err != nil {
			return nil, err
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	}
	return nil, errNoKey
}

// verify parses a token with golang-jwt and the keys that the discovery document leads to.
func verify(t *testing.T, c *http.Client, discovery, raw string) (*jwt.Token, error) {
	t.Helper()
	keys := jwks(t, c, document(t, c, discovery)["jwks_uri"].(string))
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return parser.Parse(raw, func(token *jwt.Token) (any, error) { return publicKey(keys, token.Header["kid"]) })
}

// mustVerify is the token of a discovery document that must hold.
func mustVerify(t *testing.T, c *http.Client, discovery, raw string) (header, claims map[string]any) {
	t.Helper()
	token, err := verify(t, c, discovery, raw)
	if err != nil {
		t.Fatalf("token does not verify: %v", err)
	}
	return token.Header, token.Claims.(jwt.MapClaims)
}

// peek decodes header and payload without checking anything.
func peek(t *testing.T, raw string) (header, payload string) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("got=%d segments, want=3", len(parts))
	}
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(h), string(p)
}

// claimsOf decodes the payload without checking anything.
func claimsOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	_, payload := peek(t, raw)
	var claims map[string]any
	if err := json.Unmarshal([]byte(payload), &claims); err != nil {
		t.Fatalf("%v in %s", err, payload)
	}
	return claims
}

// want compares members of an object.
func want(t *testing.T, got map[string]any, wanted map[string]any) {
	t.Helper()
	for name, value := range wanted {
		g, _ := json.Marshal(got[name])
		w, _ := json.Marshal(value)
		if string(g) != string(w) {
			t.Errorf("%s: got=%s, want=%s", name, g, w)
		}
	}
}

// absent checks that members are not there.
func absent(t *testing.T, got map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		if v, ok := got[name]; ok {
			t.Errorf("%s: got=%v, want it absent", name, v)
		}
	}
}

// panics checks that f panics.
func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Errorf("%s: want a panic", what)
		}
	}()
	f()
}

var _ http.Handler = (*mockidp.Server)(nil)
