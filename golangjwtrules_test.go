package identity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// difference is a rule that one of the two has and the other has not. Whether it applies is judged by libraries, by nothing of ours.
type difference struct {
	reason  identity.Reason // of our refusal
	rule    string
	applies func(e *evidence) bool
}

// stricter are our rules that golang-jwt does not have, all of them: a token is accepted if golang-jwt accepts it and none of these
// applies.
var stricter = []difference{
	{"token_too_large", "64 KiB for the whole token", func(e *evidence) bool { return len(e.raw) > 64<<10 }},
	{"token_malformed", "4 KiB for the header", func(e *evidence) bool { return strings.IndexByte(e.raw, '.') > 4<<10 }},
	{"token_malformed", "RFC 7515 §2: no line breaks in base64url", func(e *evidence) bool { return strings.ContainsAny(e.raw, "\r\n") }},
	{"token_malformed", "RFC 7519 §7.2: one JSON object, and nothing behind it", inJSON(func(o oddities) bool { return o.trailing })},
	{"token_malformed", "RFC 8259 §8: valid Unicode", inJSON(func(o oddities) bool { return o.unicode })},
	{"token_malformed", "RFC 7519 §4, RFC 7515 §4: no name twice", inJSON(func(o oddities) bool { return o.duplicate })},
	{"token_malformed", "RFC 7519 §4: no two names that differ in case only, and none that looks like one of ours", inJSON(func(o oddities) bool { return o.folded })},
	{"token_malformed", "RFC 8259 §9: a depth of 16", inJSON(func(o oddities) bool { return o.depth > 16 })},
	{"token_malformed", "RFC 8259 §9: 500 members", inJSON(func(o oddities) bool { return o.members > 500 })},
	{"token_malformed", "RFC 8259 §9: 1,000 elements", inJSON(func(o oddities) bool { return o.elements > 1000 })},
	{"token_malformed", "RFC 8259 §9: names of 1 KiB", inJSON(func(o oddities) bool { return o.name > 1024 })},
	{"token_malformed", "RFC 8259 §9: 2 KiB of names to fold", inJSON(func(o oddities) bool { return o.foreign > 2048 })},
	{"critical_header", "RFC 7515 §4.1.11, RFC 7797 §6: crit, b64", func(e *evidence) bool { return has(e.members, "crit") || has(e.members, "b64") }},
	{"token_type_not_allowed", "RFC 8725 §3.11, RFC 9068 §4: typ", otherType},
	{"claims_malformed", "RFC 7519 §4: the types of claims", wrongTypes},
	{"claims_malformed", "azp and appid are one application", func(e *evidence) bool {
		return has(e.claims, "azp") && has(e.claims, "appid") && textOf(e.claims["azp"]) != textOf(e.claims["appid"])
	}},
	{"tenant_mismatch", "tid is the issuer's tenant", otherTenant},
	{"version_not_allowed", "ver agrees with the issuer", func(e *evidence) bool { return e.claims["ver"] != e.issuer.version }},
	{"time_invalid", "RFC 7519 §2: seconds from 1970 to the year 9999, nbf not after exp", noTimes},
	{"token_expired", "RFC 7519 §4.1.4: exp, with no fraction rounded up", func(e *evidence) bool {
		exp, ok := secondsOf(e.claims["exp"])
		return ok && fuzzTime.Unix()-exp >= int64(fuzzLeeway.Seconds())
	}},
	{"policy_not_allowed", "the B2C policy is one of the tenant's", func(e *evidence) bool {
		_, ok := e.policy()
		return e.issuer.kind == mockidp.B2C && !ok
	}},
	{"key_not_found", "each B2C policy has its own keys", func(e *evidence) bool {
		policy, ok := e.policy()
		kid, _ := e.members["kid"].(string)
		return e.issuer.kind == mockidp.B2C && ok && e.policies[kid] != policy
	}},
	{"key_issuer_mismatch", "the 2023 incident: a key of personal accounts signs for nobody else", func(e *evidence) bool { return e.members["kid"] == e.consumer }},
	{"token_bound", "RFC 7800: cnf", func(e *evidence) bool { return has(e.claims, "cnf") }},
	{"id_token", "an ID token is no access token", func(e *evidence) bool { return !has(e.claims, "scp") && e.client() == "" }},
	{"no_permissions", "neither scp nor roles", func(e *evidence) bool {
		return strings.Trim(textOf(e.claims["scp"]), " \t") == "" && slices.Contains([]string{"null", `""`, "[]", `[""]`}, asJSON(e.claims["roles"]))
	}},
	{"client_not_allowed", "Tenant.Clients", func(e *evidence) bool {
		return e.issuer.tenant == mockidp.Fabrikam && e.client() != mockidp.Client
	}},
	{"guest_denied", "Tenant.DenyGuests", func(e *evidence) bool { return e.issuer.tenant == mockidp.Fabrikam && e.guest() }},
}

// laxer is what golang-jwt refuses and we do not.
var laxer = []struct {
	why     string
	applies func(e *evidence, refusal error) bool
}{
	{"RFC 8259 §6: a number in the header that no float64 holds, and that nobody asks for", func(e *evidence, refusal error) bool {
		return errors.Is(refusal, jwt.ErrTokenMalformed) && json.Unmarshal(e.header, new(map[string]any)) != nil
	}},
	{"RFC 7519 §2: a fraction of a second that rounds up to a second too early", func(e *evidence, refusal error) bool {
		return errors.Is(refusal, jwt.ErrTokenNotValidYet) && e.roundsUp("nbf") || errors.Is(refusal, jwt.ErrTokenUsedBeforeIssued) && e.roundsUp("iat")
	}},
}

func has(object map[string]any, name string) bool {
	_, ok := object[name]
	return ok
}

func textOf(value any) string {
	s, _ := value.(string)
	return s
}

func asJSON(value any) string {
	b, _ := json.Marshal(value)
	return string(b)
}

// oddities are what two readers of one JSON text may see differently, or not stand.
type oddities struct {
	trailing, unicode, duplicate, folded bool
	depth, members, elements, name       int // at most
	foreign                              int // bytes beyond ASCII in the outermost object's names
}

// inJSON looks at header and payload.
func inJSON(odd func(o oddities) bool) func(e *evidence) bool {
	return func(e *evidence) bool { return odd(odditiesOf(e.header)) || odd(odditiesOf(e.payload)) }
}

func odditiesOf(document []byte) (o oddities) {
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	d := jsontext.NewDecoder(bytes.NewReader(document), lenient...)
	var names [][]string // of the objects that are open, nil for an array
	for more := true; more; more = d.StackDepth() > 0 {
		kind, length := d.StackIndex(d.StackDepth())
		token, err := d.ReadToken()
		if err != nil {
			o.trailing = true // encoding/json has found one object in it
			return o
		}
		if kind == '[' && token.Kind() != ']' {
			o.elements = max(o.elements, int(length)+1)
		}
		switch {
		case token.Kind() == '{' || token.Kind() == '[':
			names = append(names, nil)
			o.depth = max(o.depth, len(names))
		case token.Kind() == '}' || token.Kind() == ']':
			names = names[:len(names)-1]
		case kind == '{' && length%2 == 0:
			name, top := token.String(), len(names)-1
			o.duplicate = o.duplicate || slices.Contains(names[top], name)
			if top == 0 {
				o.folded = o.folded || looksLike(name, names[top])
				o.foreign += len(name) - len(strings.Map(asciiOnly, name))
			}
			names[top] = append(names[top], name)
			o.members, o.name = max(o.members, len(names[top])), max(o.name, len(name))
		}
	}
	rest := jsontext.NewDecoder(bytes.NewReader(document[d.InputOffset():]), lenient...)
	_, err := rest.ReadToken()
	o.trailing = err != io.EOF
	strict := jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(true))
	_, err = strict.ReadValue()
	o.unicode = err != nil
	return o
}

func asciiOnly(r rune) rune {
	if r >= utf8.RuneSelf {
		return -1
	}
	return r
}

func looksLike(name string, others []string) bool {
	like := func(other string) bool { return other != name && strings.EqualFold(other, name) }
	return slices.ContainsFunc(others, like) || slices.ContainsFunc(strings.Fields(identity.KnownNames), like)
}

func otherType(e *evidence) bool {
	typ, ok := e.members["typ"]
	return ok && !slices.Contains([]string{"jwt", "at+jwt", "application/at+jwt"}, strings.ToLower(textOf(typ)))
}

// wrongTypes is about the claims that have a type of their own, and no other rule that would notice.
func wrongTypes(e *evidence) bool {
	for name, value := range e.claims {
		ok := true
		_, isString := value.(string)
		switch name {
		case "sub", "oid", "azp", "appid", "idtyp", "idp", "scp":
			ok = isString
		case "roles", "groups", "acrs", "xms_cc":
			list, isList := value.([]any)
			ok = isString || isList && !slices.ContainsFunc(list, func(element any) bool { _, is := element.(string); return !is })
		case "hasgroups":
			_, isBool := value.(bool)
			ok = isString || isBool
		case "_claim_names":
			_, ok = value.(map[string]any)
		case "acct":
			_, isNumber := value.(json.Number)
			ok = isString || isNumber
		}
		if !ok {
			return true
		}
	}
	return false
}

func otherTenant(e *evidence) bool {
	tid, ok := e.claims["tid"]
	return tid != e.issuer.tenant && (ok || e.issuer.kind != mockidp.B2C)
}

func noTimes(e *evidence) bool {
	exp, ok := secondsOf(e.claims["exp"])
	for _, name := range []string{"nbf", "iat"} {
		if has(e.claims, name) {
			_, good := secondsOf(e.claims[name])
			ok = ok && good
		}
	}
	nbf, _ := secondsOf(e.claims["nbf"])
	return !ok || nbf > exp
}

// secondsOf is exact, and cuts a fraction off.
func secondsOf(value any) (seconds int64, ok bool) {
	number, ok := value.(json.Number)
	if !ok || number[0] == '-' {
		return 0, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(number)), "e")
	if digits := strings.TrimLeft(exponent, "+-0"); len(digits) > 5 { // more than a token has digits to set against it
		return 0, strings.HasPrefix(exponent, "-") || strings.Trim(mantissa, "0.") == ""
	}
	r, _ := new(big.Rat).SetString(string(number))
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	return whole.Int64(), whole.Cmp(big.NewInt(253402300799)) <= 0
}

// roundsUp reports whether the float64 nearest to a time is in the next second.
func (e *evidence) roundsUp(name string) bool {
	exact, ok := secondsOf(e.claims[name])
	number, _ := e.claims[name].(json.Number)
	float, _ := number.Float64()
	return ok && int64(float) == exact+1
}

func (e *evidence) client() string {
	if azp := textOf(e.claims["azp"]); azp != "" {
		return azp
	}
	return textOf(e.claims["appid"])
}

// policy is the one that tfp and acr name, as the shop has it.
func (e *evidence) policy() (name string, ok bool) {
	tfp, acr := textOf(e.claims["tfp"]), textOf(e.claims["acr"])
	switch {
	case !has(e.claims, "tfp"):
		tfp = acr
	case has(e.claims, "acr") && !strings.EqualFold(tfp, acr):
		return "", false
	}
	for _, policy := range e.policies {
		if len(policy) == len(tfp) && strings.EqualFold(policy, tfp) {
			return policy, true
		}
	}
	return "", false
}

// guest judges by acct, else by idp, which is the issuer of the user's own tenant.
func (e *evidence) guest() bool {
	if acct, ok := e.claims["acct"]; ok {
		return acct != "0" && acct != json.Number("0")
	}
	idp := textOf(e.claims["idp"])
	_, home, ok := documented(idp)
	return idp != "" && idp != e.claims["iss"] && (!ok || home.TenantID != e.issuer.tenant)
}
