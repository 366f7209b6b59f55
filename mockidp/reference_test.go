package mockidp_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/echo-identity/identity/mockidp"
)

// reference is a validator written for nothing but judging the catalogue: slow, plain, and independent of any other. It
// reports the first failure in the order that [mockidp.BrokenToken] documents, or "" for a good token.
type reference struct {
	tenant *mockidp.TenantHandle
	keys   []map[string]any // as published
	now    time.Time
}

func newReference(t *testing.T, c *http.Client, tenant *mockidp.TenantHandle, now time.Time) reference {
	t.Helper()
	return reference{tenant: tenant, now: now, keys: jwks(t, c, document(t, c, tenant.DiscoveryURL())["jwks_uri"].(string))}
}

func (v reference) check(raw string) string {
	if len(raw) > 64<<10 {
		return "token_too_large"
	}
	parts := strings.Split(raw, ".")
	if len(parts) == 5 {
		return "token_encrypted"
	}
	if len(parts) != 3 {
		return "token_malformed"
	}
	decoded := make([]string, 3)
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p)
		if err != nil || p == "" && i < 2 || strings.ContainsAny(p, "\r\n") {
			return "token_malformed"
		}
		decoded[i] = string(b)
	}
	if len(parts[0]) > 4<<10 {
		return "token_malformed"
	}
	header, err := strictObject(decoded[0], "alg", "kid", "typ", "crit", "b64")
	if err != nil {
		return "token_malformed"
	}
	if reason := v.header(header, parts[2] != ""); reason != "" {
		return reason
	}
	claims, err := strictObject(decoded[1], decidedBy...)
	if err != nil {
		return "token_malformed"
	}
	for _, step := range []func(map[string]any) string{v.types, v.issuer, v.audience, v.times, v.policy} {
		if reason := step(claims); reason != "" {
			return reason
		}
	}
	return v.signature(header, claims, parts[0]+"."+parts[1], decoded[2])
}

var decidedBy = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "ver", "tid", "oid", "azp", "appid", "scp", "roles", "groups", "hasgroups",
	"_claim_names", "idtyp", "tfp", "acr", "acrs", "xms_cc", "idp", "acct", "cnf"}

var loneSurrogate = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}([^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F]|$)|(^|[^\\])\\u[dD][c-fC-F]`)

// strictObject decodes an object that no two parsers read differently.
func strictObject(text string, reserved ...string) (map[string]any, error) {
	if !utf8.ValidString(text) || loneSurrogate.MatchString(text) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := strictValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("trailing data")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	names := members(object)
	for i, name := range names {
		for _, other := range append(names[i+1:], reserved...) {
			if name != other && strings.EqualFold(name, other) {
				return nil, errors.New("look-alike")
			}
		}
	}
	// The decoder's own reading is looser than the grammar; the text must satisfy the grammar too.
	if !json.Valid([]byte(text)) {
		return nil, errors.New("not JSON")
	}
	return object, nil
}

func strictValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth++; depth > 16 {
		return nil, errors.New("too deep")
	}
	object, list := map[string]any{}, []any{}
	for d.More() {
		var name string
		if delim == '{' {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			name = t.(string)
			if _, ok := object[name]; ok {
				return nil, errors.New("duplicate name")
			}
		}
		v, err := strictValue(d, depth)
		if err != nil {
			return nil, err
		}
		object[name], list = v, append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if delim == '{' {
		return object, nil
	}
	return list, nil
}

func (v reference) header(h map[string]any, signed bool) string {
	if h["alg"] != "RS256" {
		return "algorithm_not_allowed"
	}
	if !signed {
		return "token_malformed" // an empty signature is excused only so that "none" is called by its name
	}
	for _, name := range []string{"crit", "b64"} {
		if _, ok := h[name]; ok {
			return "critical_header"
		}
	}
	if typ, ok := h["typ"]; ok {
		s, _ := typ.(string)
		if !slices.Contains([]string{"jwt", "at+jwt", "application/at+jwt"}, strings.ToLower(s)) {
			return "token_type_not_allowed"
		}
	}
	kid, _ := h["kid"].(string)
	if kid == "" || len(kid) > 256 || strings.ContainsFunc(kid, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "kid_invalid"
	}
	return ""
}

func (v reference) types(c map[string]any) string {
	for _, name := range []string{"scp", "oid", "sub", "azp", "appid", "idtyp", "idp"} {
		if value, ok := c[name]; ok {
			if _, ok := value.(string); !ok {
				return "claims_malformed"
			}
		}
	}
	for _, name := range []string{"roles", "groups"} {
		if value, ok := c[name]; ok && texts(value) == nil {
			return "claims_malformed"
		}
	}
	if c["azp"] != nil && c["appid"] != nil && c["azp"] != c["appid"] {
		return "claims_malformed"
	}
	return ""
}

// texts is a string, or a list of nothing but strings; nil when it is neither.
func texts(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	all := []string{}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil
		}
		all = append(all, s)
	}
	return all
}

var issuerForm = regexp.MustCompile(`^https://[a-z0-9.:-]*[a-z0-9]/(tfp/)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(/[a-z0-9_]+)?(/|/v2\.0|/v2\.0/)$`)

func (v reference) issuer(c map[string]any) string {
	iss, _ := c["iss"].(string)
	form := issuerForm.FindStringSubmatch(iss)
	if form == nil || (form[1] == "") != (form[3] == "") {
		return "issuer_not_trusted"
	}
	b2c := v.tenant.Kind() == mockidp.B2C
	if form[2] != v.tenant.ID() || (form[4] == "/v2.0/") != b2c {
		return "tenant_unknown"
	}
	version := "2.0"
	switch {
	case iss == v.tenant.Issuer() && !b2c:
	case iss == v.tenant.Issuer():
		version = "1.0"
	case iss == v.tenant.V1Issuer() && v.tenant.Kind() == mockidp.Workforce:
		version = "1.0"
	default:
		return "issuer_not_trusted"
	}
	if tid, ok := c["tid"]; tid != v.tenant.ID() && (ok || !b2c) {
		return "tenant_mismatch"
	}
	if c["ver"] != version {
		return "version_not_allowed"
	}
	return ""
}

var graph = []string{"https://graph.microsoft.com", "https://microsoftgraph.chinacloudapi.cn", "00000003-0000-0000-c000-000000000000"}

func (v reference) audience(c map[string]any) string {
	audiences := texts(c["aud"])
	switch {
	case slices.Contains(audiences, mockidp.API) || slices.Contains(audiences, "api://"+mockidp.API):
		return ""
	case slices.ContainsFunc(audiences, func(aud string) bool { return slices.Contains(graph, aud) }):
		return "token_for_other_resource"
	case c["scp"] == nil && c["azp"] == nil && c["appid"] == nil:
		return "id_token"
	}
	return "audience_mismatch"
}

// seconds reads a NumericDate.
func seconds(v any) (int64, bool) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, _, err := big.ParseFloat(number.String(), 10, 200, big.ToZero)
	if err != nil || f.Sign() < 0 || f.Cmp(big.NewFloat(253402300800)) >= 0 {
		return 0, false
	}
	i, _ := f.Int64()
	return i, true
}

func (v reference) times(c map[string]any) string {
	at := map[string]time.Time{}
	for _, name := range []string{"exp", "nbf", "iat"} {
		value, present := c[name]
		s, ok := seconds(value)
		if (present || name == "exp") && !ok {
			return "time_invalid"
		}
		at[name] = time.Unix(s, 0)
	}
	switch {
	case at["nbf"].After(at["exp"]):
		return "time_invalid"
	case !v.now.Before(at["exp"].Add(time.Minute)):
		return "token_expired"
	case at["nbf"].After(v.now.Add(time.Minute)):
		return "token_not_yet_valid"
	case at["iat"].After(v.now.Add(time.Minute)):
		return "token_issued_in_future"
	}
	return ""
}

func (v reference) policy(c map[string]any) string {
	if v.tenant.Kind() != mockidp.B2C {
		return ""
	}
	var policy string
	for _, name := range []string{"tfp", "acr"} {
		value, ok := c[name]
		s, isText := value.(string)
		if ok && (!isText || policy != "" && !strings.EqualFold(policy, s)) {
			return "policy_not_allowed"
		}
		if ok {
			policy = s
		}
	}
	if !slices.ContainsFunc(v.tenant.Tenant().Policies, func(p string) bool { return strings.EqualFold(p, policy) }) {
		return "policy_not_allowed"
	}
	return ""
}

func (v reference) signature(h, c map[string]any, signed, signature string) string {
	key, err := publicKey(v.keys, h["kid"])
	if err != nil {
		return "key_not_found"
	}
	for _, k := range v.keys {
		bound, _ := k["issuer"].(string)
		if k["kid"] == h["kid"] && bound != "" && strings.ReplaceAll(bound, "{tenantid}", v.tenant.ID()) != v.tenant.Issuer() {
			return "key_issuer_mismatch"
		}
	}
	sum := sha256.Sum256([]byte(signed))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], []byte(signature)) != nil {
		return "signature_invalid"
	}
	_, bound := c["cnf"]
	switch {
	case bound:
		return "token_bound"
	case c["scp"] == nil && c["azp"] == nil && c["appid"] == nil:
		return "id_token"
	case c["scp"] == nil && c["roles"] == nil:
		return "no_permissions"
	}
	return ""
}
