package identity

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// TokenFacts are what a token says of itself: nothing is proven unless the signature was checked. They hold neither the signature nor
// who the user is (sub, oid, names, addresses). Texts are cut after 200 characters, and what is not printable ASCII is escaped, because
// anybody can have written them. Those of a token that cannot be read are empty.
type TokenFacts struct {
	// Length is that of the whole token, in bytes.
	Length int `json:"length"`

	Algorithm string `json:"alg,omitempty"`
	Type      string `json:"typ,omitempty"`
	KeyID     string `json:"kid,omitempty"`

	Issuer   string   `json:"iss,omitempty"`
	TenantID string   `json:"tid,omitempty"`
	Audience []string `json:"aud,omitempty"` // the first five
	Version  string   `json:"ver,omitempty"`
	// ClientID is azp, or appid.
	ClientID string `json:"client,omitempty"`
	// Policy is tfp, or acr.
	Policy string `json:"policy,omitempty"`
	// Scopes and Roles are the first twenty.
	Scopes []string `json:"scopes,omitempty"`
	Roles  []string `json:"roles,omitempty"`

	IssuedAt  *time.Time `json:"iat,omitempty"`
	NotBefore *time.Time `json:"nbf,omitempty"`
	ExpiresAt *time.Time `json:"exp,omitempty"`
}

// glimpse is a token read with all indulgence, to be talked about and for nothing else: no check goes by it.
type glimpse struct {
	parts          []string // between the dots
	header, claims jsonMembers
	headerText     string // decoded, as far as it can be
	claimsText     string
}

// jsonMembers are the members of a JSON object, by name.
type jsonMembers map[string]json.RawMessage

const maxGlimpse = 2 * maxToken // what is longer is not looked at

func glimpseOf(raw string) (g glimpse) {
	if len(raw) > maxGlimpse {
		return g
	}
	g.parts = strings.Split(raw, ".")
	if len(g.parts) < 2 {
		return g
	}
	g.headerText, g.claimsText = decodeSomehow(g.parts[0]), decodeSomehow(g.parts[1])
	g.header, g.claims = membersOf(g.headerText), membersOf(g.claimsText)
	return g
}

// decodeSomehow takes both alphabets of base64, with padding and without.
func decodeSomehow(segment string) string {
	segment = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(segment), "=")
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return ""
	}
	return string(decoded)
}

func membersOf(text string) jsonMembers {
	var m jsonMembers
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	return m
}

// has reports whether there is a member of exactly this name.
func (m jsonMembers) has(name string) bool { _, ok := m[name]; return ok }

// text is the value of a member that is a string.
func (m jsonMembers) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// list is the value of a member that is a string, or an array of strings.
func (m jsonMembers) list(name string) []string {
	var many []string
	if json.Unmarshal(m[name], &many) == nil {
		return many
	}
	if s := m.text(name); s != "" {
		return []string{s}
	}
	return nil
}

// time is the value of a member that is a time.
func (m jsonMembers) time(name string) *time.Time {
	raw := string(m[name])
	if raw == "" {
		return nil
	}
	date := dateValue(raw)
	if date.invalid {
		return nil
	}
	at := time.Unix(date.unix, 0).UTC()
	return &at
}

// kind is the type of a member's value, in words, with the value where it is short and cannot name anybody.
func (m jsonMembers) kind(name string) string { return kindOfJSON(string(m[name])) }

func kindOfJSON(raw string) string {
	switch {
	case raw == "":
		return "missing"
	case raw[0] == '"':
		return "a text"
	case raw[0] == '[':
		return "a list"
	case raw[0] == '{':
		return "an object"
	case raw == "null", raw == "true", raw == "false":
		return raw
	}
	return "a number"
}

func (g *glimpse) facts(raw string) TokenFacts {
	first := func(names ...string) string {
		for _, name := range names {
			if s := g.claims.text(name); s != "" {
				return shown(s)
			}
		}
		return ""
	}
	policy := first("tfp", "acr")
	if !hasPrefixFold(policy, "b2c_") { // acr of Entra ID is a number
		policy = first("tfp")
	}
	return TokenFacts{
		Length:    len(raw),
		Algorithm: shown(g.header.text("alg")), Type: shown(g.header.text("typ")), KeyID: shown(g.header.text("kid")),
		Issuer: first("iss"), TenantID: first("tid"), Audience: shownList(g.claims.list("aud"), 5), Version: first("ver"),
		ClientID: first("azp", "appid"), Policy: policy,
		Scopes: shownList(strings.Fields(g.claims.text("scp")), 20), Roles: shownList(g.claims.list("roles"), 20),
		IssuedAt: g.claims.time("iat"), NotBefore: g.claims.time("nbf"), ExpiresAt: g.claims.time("exp"),
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

const maxShown = 200

// shown makes a text fit for a terminal, a page and a log: short, and without anything that moves a cursor or hides letters.
func shown(s string) string {
	cut := len(s) > maxShown
	if cut {
		s = s[:maxShown]
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			quoted := strconv.QuoteToASCII(s)
			s = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
			break
		}
	}
	if cut {
		s += "..."
	}
	return strings.Clone(s) // it must not keep the token
}

func shownList(list []string, most int) []string {
	var own []string
	for _, s := range list[:min(len(list), most)] {
		own = append(own, shown(s))
	}
	return own
}

// repeated finds the first two names of an object that are equal, or too much alike: the fault that errDuplicate and errLookalike are
// about.
func repeated(text string) (first, second string, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	var found [2]string
	var walk func(depth int) bool // false at the end, or once found
	walk = func(depth int) bool {
		token, err := d.Token()
		if err != nil || depth > maxDepth {
			return false
		}
		open, ok := token.(json.Delim)
		if !ok {
			return true
		}
		seen := make(map[string]string)
		for d.More() {
			if open == '{' {
				token, err := d.Token()
				name, ok := token.(string)
				if err != nil || !ok {
					return false
				}
				key := name
				if depth == 0 {
					key = foldName(name)
					if key != name && knownName(key) != 0 && seen[key] == "" {
						seen[key] = key
					}
				}
				if before, ok := seen[key]; ok {
					found = [2]string{before, name}
					return false
				}
				seen[key] = name
			}
			if !walk(depth + 1) {
				return false
			}
		}
		_, err = d.Token()
		return err == nil
	}
	walk(0)
	return shown(found[0]), shown(found[1]), found[1] != ""
}

// inside finds the token in a text that holds one besides something else, as it is pasted from somewhere, and says what there is too
// much.
func inside(text string) (token string, surplus []string) {
	if len(text) > maxToken {
		return "", nil
	}
	note := func(what string, found bool) {
		if found {
			surplus = append(surplus, what)
		}
	}
	rest := strings.TrimFunc(text, unicode.IsSpace)
	trim := func(cutset string) bool {
		before := len(rest)
		rest = strings.Trim(rest, cutset)
		return len(rest) != before
	}
	note("quotation marks", trim("\"'`,;"))
	for _, word := range []string{"Authorization:", "Bearer"} {
		if hasPrefixFold(rest, word) {
			rest = strings.TrimLeftFunc(rest[len(word):], unicode.IsSpace)
			note(`the word "`+word+`"`, true)
		}
	}
	if trim("\"'`,;") {
		note("quotation marks", len(surplus) == 0 || surplus[0] != "quotation marks")
	}
	rest = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, rest)
	note("blanks or line breaks", len(surplus) == 0)
	if dots := strings.Count(rest, "."); rest == text || dots != 2 && dots != 4 || strings.Trim(rest, tokenCharacters) != "" {
		return "", nil
	}
	return rest, surplus
}

const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

func validJSON(text string) bool { return json.Valid([]byte(text)) }
