package mockidp

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

func brokenJSON() []BrokenToken {
	claims := group{check: "claims", reason: "token_malformed", source: "RFC 7519 §7.2: the claims are one JSON object"}
	utf8 := claims.from("RFC 8259 §8; RFC 8725 §3.7")
	twice := claims.from("RFC 7519 §4: names are unique; two parsers read two tokens")
	folded := claims.from("RFC 7519 §4: names compare with case; encoding/json and others do not")
	payload := func(f func(string) string) TokenOption { return EditPayload(f) }
	return []BrokenToken{
		claims.of("payload-not-json", "The payload is not JSON.", RawPayload("access_as_user")),
		claims.of("payload-array", "The payload is an array.", payload(func(text string) string { return "[" + text + "]" })),
		claims.of("payload-string", "The payload is a string.", RawPayload(`"access_as_user"`)),
		claims.of("payload-null", "The payload is null.", RawPayload("null")),
		claims.of("payload-cut-off", "The payload ends in the middle.", payload(func(text string) string { return text[:len(text)-1] })),
		claims.of("payload-trailing-data", "A second object follows the claims.", payload(func(text string) string { return text + "{}" })),
		claims.of("payload-comment", "A comment precedes the claims.", payload(func(text string) string { return "/**/" + text })),
		claims.of("payload-trailing-comma", "A comma follows the last claim.", payload(func(text string) string { return strings.TrimSuffix(text, "}") + ",}" })),
		claims.of("payload-bom", "The payload begins with a byte order mark.", payload(func(text string) string { return "\ufeff" + text })),
		claims.of("payload-nan", "A claim is NaN.", payload(insert(`"x":NaN`))),
		claims.of("payload-deep-nesting", "A claim nests 20 arrays.", Claim("x", nested(20))),
		claims.of("payload-very-deep-nesting", "A claim nests 10,000 arrays.", Claim("x", nested(9_999))),
		claims.of("raw-nul-in-name", "The name of a claim contains a NUL byte.", payload(insert("\"tid\x00\":\"x\""))),
		claims.of("raw-control-in-string", "A string contains a raw line break.", payload(insert("\"x\":\"a\nb\""))),
		utf8.of("invalid-utf8", "A string is not UTF-8.", payload(insert("\"x\":\"\xff\xfe\""))),
		utf8.of("overlong-utf8", "A string spells a slash in two bytes.", payload(insert("\"x\":\"\xc0\xaf\""))),
		utf8.of("invalid-utf8-in-name", "The name of a claim is not UTF-8.", payload(insert("\"tid\xff\":\"x\""))),
		utf8.of("lone-surrogate", "A string is half of a surrogate pair.", payload(insert(`"x":"\ud800"`))),
		utf8.of("reversed-surrogates", "A string has the halves of a surrogate pair in the wrong order.", payload(insert(`"x":"\udc00\ud800"`))),

		twice.of("duplicate-tid", "tid is there twice, another tenant's comes first.", payload(insert(`"tid":"`+unknownTenantID+`"`))),
		twice.of("duplicate-iss", "iss is there twice, another tenant's comes first.",
			payload(insert(`"iss":"https://login.microsoftonline.com/`+unknownTenantID+`/v2.0"`))),
		twice.of("duplicate-exp", "exp is there twice, a late one comes first.", payload(insert(`"exp":253402300799`))),
		twice.of("duplicate-same-value", "ver is there twice with the same value.", payload(insert(`"ver":"2.0"`))),
		twice.of("duplicate-escaped", "tid is there a second time, written with an escape.", payload(insert(`"t\u0069d":"`+unknownTenantID+`"`))),
		twice.of("duplicate-unknown", "A claim that nobody decides by is there twice.", payload(insert(`"x":1,"x":2`))),
		twice.of("duplicate-nested", "A name is there twice in a nested object.", payload(insert(`"x":{"y":[{"a":1,"a":2}]}`))),

		folded.of("look-alike-tid", "TID is there besides tid.", payload(insert(`"TID":"`+unknownTenantID+`"`))),
		folded.of("look-alike-tid-only", "TID is there instead of tid.", payload(func(text string) string { return strings.Replace(text, `"tid"`, `"TID"`, 1) })),
		folded.of("look-alike-iss", "iſs, with the long s, is there besides iss.",
			payload(insert(`"iſs":"https://login.microsoftonline.com/`+unknownTenantID+`/v2.0"`))),
		folded.of("look-alike-scp", "Scp is there besides scp.", payload(insert(`"Scp":"admin"`))),
		folded.of("look-alike-roles", "ROLES grant what roles do not.", payload(insert(`"ROLES":["Admin"]`))),
		folded.of("look-alike-exp", "EXP is later than exp.", payload(insert(`"EXP":253402300799`))),
		folded.of("look-alike-escaped", "AUD is there besides aud, written with escapes.", payload(insert(`"\u0041\u0055\u0044":"x"`))),
		folded.of("case-folded-duplicate", "Two unknown claims differ only in case.", payload(insert(`"custom":1,"Custom":2`))),
	}
}

func brokenClaims() []BrokenToken {
	typed := group{check: "claims", reason: "claims_malformed", source: "RFC 7519 §4: a claim of the wrong type is not the claim"}
	return []BrokenToken{
		typed.of("scp-array", "scp is a list.", Claim("scp", []string{"access_as_user"})),
		typed.of("scp-number", "scp is a number.", Claim("scp", 1)),
		typed.of("scp-object", "scp is an object.", Claim("scp", json.RawMessage(`{"access_as_user":true}`))),
		typed.of("scp-null", "scp is null.", Claim("scp", nil)),
		typed.of("roles-number", "roles is a number.", Claim("roles", 1)),
		typed.of("roles-object", "roles is an object.", Claim("roles", json.RawMessage(`{"Admin":true}`))),
		typed.of("roles-mixed", "roles has a number in it.", Claim("roles", []any{"Admin", 1})),
		typed.of("groups-number", "groups has a number in it.", Claim("groups", []int{1})),
		typed.of("oid-number", "oid is a number.", Claim("oid", 1)),
		typed.of("sub-array", "sub is a list.", Claim("sub", []string{fakeSub})),
		typed.of("azp-number", "azp is a number.", Claim("azp", 1)),
		typed.of("idtyp-bool", "idtyp is true.", Claim("idtyp", true)),
		typed.of("two-clients", "azp and appid name two clients.", Claim("appid", ServicePrincipal)),
	}
}

func brokenIssuers() []BrokenToken {
	issuer := group{check: "issuer", reason: "issuer_not_trusted", source: "RFC 8725 §3.8; RFC 7519 §4.1.1: compared exactly"}
	unknown := issuer.because("tenant", "tenant_unknown")
	v1 := issuer.from("Microsoft: the v1 issuer ends in a slash")
	with := issuerFrom
	return []BrokenToken{
		issuer.of("iss-missing", "There is no issuer.", Without("iss")),
		issuer.of("iss-empty", "The issuer is empty.", Claim("iss", "")),
		issuer.of("iss-null", "The issuer is null.", Claim("iss", nil)),
		issuer.of("iss-number", "The issuer is a number.", Claim("iss", 1)),
		issuer.by("iss-array", "The issuer is a list with the right one in it.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("iss", []string{t.Issuer()})}
		}),
		issuer.by("iss-attacker-host", "The issuer is on an attacker's host.", with("https://attacker.example/{tid}/v2.0")),
		issuer.by("iss-host-suffix", "The host only begins like Microsoft's.", with("https://login.microsoftonline.com.attacker.example/{tid}/v2.0")),
		issuer.by("iss-user-info", "Microsoft's host is only the user name in the address.", with("https://login.microsoftonline.com@attacker.example/{tid}/v2.0")),
		issuer.by("iss-http", "The issuer is not on https.", with("http://login.microsoftonline.com/{tid}/v2.0")),
		issuer.by("iss-upper-case-host", "The host is in upper case.", with("https://LOGIN.MICROSOFTONLINE.COM/{tid}/v2.0")),
		issuer.by("iss-port", "The default port is written out.", with("https://login.microsoftonline.com:443/{tid}/v2.0")),
		issuer.by("iss-final-dot", "The host ends in a dot.", with("https://login.microsoftonline.com./{tid}/v2.0")),
		issuer.by("iss-query", "The issuer has a query.", with("https://login.microsoftonline.com/{tid}/v2.0?x=1")),
		issuer.by("iss-fragment", "The issuer has a fragment.", with("https://login.microsoftonline.com/{tid}/v2.0#x")),
		issuer.by("iss-longer-path", "The path goes on.", with("https://login.microsoftonline.com/{tid}/v2.0/x")),
		issuer.by("iss-double-slash", "The path begins with two slashes.", with("https://login.microsoftonline.com//{tid}/v2.0")),
		issuer.by("iss-dot-segments", "The path reaches the tenant through another one's.", with("https://login.microsoftonline.com/"+unknownTenantID+"/../{tid}/v2.0")),
		issuer.by("iss-percent-encoded", "A slash of the path is percent-encoded.", with("https://login.microsoftonline.com/{tid}%2fv2.0")),
		issuer.by("iss-trailing-blank", "A blank follows the issuer.", with("https://login.microsoftonline.com/{tid}/v2.0 ")),
		issuer.by("iss-upper-case-tenant", "The tenant is in upper case.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("iss", "https://login.microsoftonline.com/"+strings.ToUpper(t.ID())+"/v2.0")}
		}),
		issuer.of("iss-placeholder", "The issuer contains the placeholder of the common document.", Claim("iss", "https://login.microsoftonline.com/{tenantid}/v2.0")),
		issuer.of("iss-common", "The issuer says common instead of a tenant.", Claim("iss", "https://login.microsoftonline.com/common/v2.0")),
		issuer.of("iss-domain", "The issuer names the tenant by its domain.", Claim("iss", "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0")),
		issuer.by("iss-other-cloud", "The issuer is another cloud's.", with("https://login.sovcloud-identity.fr/{tid}/v2.0")),
		issuer.by("iss-alias-host", "The issuer is on an alias of the login host, which never issues.", with("https://login.windows.net/{tid}/v2.0")),
		issuer.by("iss-pre-production", "The issuer is Microsoft's pre-production.", with("https://login.windows-ppe.net/{tid}/v2.0")),
		v1.by("iss-v1-without-slash", "The v1 issuer lacks its final slash.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{V1(), Claim("iss", strings.TrimSuffix(t.V1Issuer(), "/"))}
		}),
		v1.by("iss-v1-other-host", "The v1 issuer is pre-production's.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{V1(), Claim("iss", "https://sts.windows-ppe.net/"+t.ID()+"/")}
		}),

		unknown.of("unknown-tenant", "The token is another tenant's, consistently, and signed with the cloud's key.",
			Claim("iss", "https://login.microsoftonline.com/"+unknownTenantID+"/v2.0"), Claim("tid", unknownTenantID)),
		unknown.of("personal-account", "The token is a personal account's.", PersonalAccount()),
		unknown.by("iss-v2-trailing-slash", "A slash follows the v2 issuer: the form of B2C.", with("https://login.microsoftonline.com/{tid}/v2.0/")),
	}
}

// issuerFrom sets iss from a text with {tid} for the tenant. The public cloud's host in it stands for that of the tenant's own.
func issuerFrom(text string) func(*TenantHandle) []TokenOption {
	return func(t *TenantHandle) []TokenOption {
		host := hostOf(t.t.cloud.origin)
		if strings.HasPrefix(t.at, "https://") { // served there; what is wrong with an http issuer would be right at an http origin
			host = hostOf(t.at)
		}
		cloud := strings.NewReplacer("{tid}", t.ID(), "login.microsoftonline.com", host)
		return []TokenOption{Claim("iss", cloud.Replace(text))}
	}
}

func brokenTenants() []BrokenToken {
	tenant := group{check: "tenant", reason: "tenant_mismatch", source: "Microsoft: tid and iss must name the same tenant"}
	version := group{check: "version", reason: "version_not_allowed", source: "Microsoft: ver tells which issuer form applies"}
	upper := func(t *TenantHandle) []TokenOption { return []TokenOption{Claim("tid", strings.ToUpper(t.ID()))} }
	return []BrokenToken{
		tenant.of("tid-missing", "There is no tid.", Without("tid")),
		tenant.of("tid-empty", "tid is empty.", Claim("tid", "")),
		tenant.of("tid-null", "tid is null.", Claim("tid", nil)),
		tenant.of("tid-number", "tid is a number.", Claim("tid", 1)),
		tenant.by("tid-array", "tid is a list with the right one in it.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("tid", []string{t.ID()})}
		}),
		tenant.of("tid-unknown", "tid is a tenant that nobody knows, iss is right.", Claim("tid", unknownTenantID)),
		tenant.by("tid-other-tenant", "tid is another customer's tenant, iss is right.", func(t *TenantHandle) []TokenOption {
			if t.ID() == Fabrikam {
				return []TokenOption{Claim("tid", Contoso)}
			}
			return []TokenOption{Claim("tid", Fabrikam)}
		}),
		tenant.by("tid-upper-case", "tid is in upper case.", upper),
		tenant.by("tid-prefix", "tid is only the beginning of the right one.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("tid", t.ID()[:8])}
		}),
		tenant.by("tid-nul", "A NUL follows tid.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("tid", t.ID()+"\x00")}
		}),
		tenant.by("tid-name-nul", "A NUL follows the name of tid, where a parser in C stops.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Without("tid"), Claim("tid\x00", t.ID())}
		}),

		version.of("ver-missing", "There is no ver.", Without("ver")),
		version.of("ver-1-with-v2-issuer", "ver is 1.0, the issuer is the v2 one.", Claim("ver", "1.0")),
		version.of("ver-2-with-v1-issuer", "ver is 2.0, the issuer is the v1 one.", V1(), Claim("ver", "2.0")),
		version.of("ver-3", "ver is 3.0.", Claim("ver", "3.0")),
		version.of("ver-number", "ver is a number.", Claim("ver", json.RawMessage("2.0"))),
		version.of("ver-null", "ver is null.", Claim("ver", nil)),
	}
}

func brokenAudiences() []BrokenToken {
	audience := group{check: "audience", reason: "audience_mismatch", source: "RFC 7519 §4.1.3; RFC 8725 §3.9"}
	graph := audience.because("audience", "token_for_other_resource").from("Microsoft: tokens for Graph are for Graph alone")
	idToken := audience.because("audience", "id_token").from("RFC 9068 §5; Microsoft: an ID token is not for APIs")
	return []BrokenToken{
		audience.of("aud-other-api", "The token is for another API.", Audience("api://"+Client)),
		audience.of("aud-missing", "There is no audience.", Without("aud")),
		audience.of("aud-empty", "The audience is empty.", Audience("")),
		audience.of("aud-null", "The audience is null.", Audience(nil)),
		audience.of("aud-number", "The audience is a number.", Audience(1)),
		audience.of("aud-object", "The audience is an object.", Audience(map[string]any{API: true})),
		audience.of("aud-empty-array", "The list of audiences is empty.", Audience([]string{})),
		audience.of("aud-array-of-others", "No audience of the list is this API.", Audience([]string{Client, ServicePrincipal})),
		audience.of("aud-nested-array", "The audience is a list in a list.", Audience([][]string{{API}})),
		audience.of("aud-upper-case", "The audience is in upper case.", Audience(strings.ToUpper(API))),
		audience.of("aud-trailing-slash", "A slash follows the audience.", Audience("api://"+API+"/")),
		audience.of("aud-blank", "A blank follows the audience.", Audience(API+" ")),
		audience.of("aud-prefix", "The audience only begins like this API.", Audience(API+"0")),
		audience.of("aud-joined", "The audiences are joined in one string.", Audience(Client+" "+API)),
		audience.of("aud-wildcard", "The audience is an asterisk.", Audience("*")),
		graph.of("graph-token", "The token is for Microsoft Graph.", ForGraph()),
		graph.of("graph-id-audience", "The audience is the application ID of Microsoft Graph.", Audience("00000003-0000-0000-c000-000000000000")),
		idToken.of("id-token", "It is an ID token.", IDToken()),
		idToken.of("id-token-v1", "It is a v1 ID token.", IDToken(), V1()),
	}
}

func brokenTimes() []BrokenToken {
	expired := group{check: "time", reason: "token_expired", source: "RFC 7519 §4.1.4"}
	malformed := group{check: "time", reason: "time_invalid", source: "RFC 7519 §2: NumericDate; overflow makes a token immortal"}
	early := expired.because("time", "token_not_yet_valid").from("RFC 7519 §4.1.5")
	future := expired.because("time", "token_issued_in_future").from("RFC 7519 §4.1.6")
	raw := func(name, text string) TokenOption { return Claim(name, json.RawMessage(text)) }
	return []BrokenToken{
		expired.of("expired", "The token expired two minutes ago.", ExpiresIn(-2*time.Minute)),
		expired.of("expired-long-ago", "The token expired a year ago.", ExpiresIn(-365*24*time.Hour)),
		expired.of("exp-zero", "The token expired in 1970: zero does not mean never.", Claim("exp", 0), Without("iat", "nbf")),
		malformed.of("exp-missing", "The token never expires.", Without("exp")),
		malformed.of("exp-null", "exp is null.", Claim("exp", nil)),
		malformed.by("exp-string", "exp is a string.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("exp", t.now().Add(time.Hour).Format("20060102150405"))}
		}),
		malformed.of("exp-bool", "exp is true.", Claim("exp", true)),
		malformed.of("exp-array", "exp is a list.", Claim("exp", []int64{4102444800})),
		malformed.of("exp-negative", "exp is before 1970.", Claim("exp", -1)),
		malformed.of("exp-1e400", "exp is larger than any number of a machine.", raw("exp", "1e400")),
		malformed.of("exp-1e300", "exp is larger than any date.", raw("exp", "1e300")),
		malformed.of("exp-int64-overflow", "exp is 2^63.", raw("exp", "9223372036854775808")),
		malformed.by("exp-uint64-overflow", "exp is 2^64 too large: it wraps around to a fine date.", func(t *TenantHandle) []TokenOption {
			wraps := new(big.Int).Lsh(big.NewInt(1), 64)
			return []TokenOption{raw("exp", wraps.Add(wraps, big.NewInt(t.now().Add(time.Hour).Unix())).String())}
		}),
		malformed.of("exp-year-10000", "exp is in the year 10000.", Claim("exp", int64(253402300800))),
		malformed.by("exp-milliseconds", "exp is in milliseconds.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{Claim("exp", t.now().Add(time.Hour).Unix()*1000+253402300800)}
		}),
		malformed.of("nbf-string", "nbf is a string.", Claim("nbf", "now")),
		malformed.of("nbf-int64-overflow", "nbf is 2^63, which wraps around to the past.", raw("nbf", "9223372036854775808")),
		malformed.of("iat-null", "iat is null.", Claim("iat", nil)),
		malformed.of("iat-negative", "iat is before 1970.", Claim("iat", -1)),
		malformed.by("nbf-after-exp", "The token begins after its end.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{NotBefore(t.now().Add(2 * time.Hour))}
		}),
		early.by("not-yet-valid", "The token becomes valid in ten minutes.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{NotBefore(t.now().Add(10 * time.Minute))}
		}),
		future.by("issued-in-future", "The token is issued in ten minutes.", func(t *TenantHandle) []TokenOption {
			return []TokenOption{IssuedAt(t.now().Add(10 * time.Minute))}
		}),
	}
}
