package mockidp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// claimMeanings explains the claims of Microsoft's tokens, each in a sentence.
var claimMeanings = map[string]string{
	"aud":                      "Who the token is for: an API must find itself here.",
	"iss":                      "Who issued the token: an API must trust exactly this issuer.",
	"idp":                      "Where the user signed in, if not with the issuer itself.",
	"iat":                      "When the token was issued.",
	"nbf":                      "The token is not valid before this time.",
	"exp":                      "The token is not valid from this time on.",
	"acrs":                     "The authentication contexts that the sign-in satisfied, which an API can ask for.",
	"amr":                      "How the user signed in: pwd is a password, mfa more than one factor.",
	"appid":                    "The application that called (v1.0 tokens).",
	"azp":                      "The application that called.",
	"scp":                      "What the user lets the application do: delegated scopes with blanks between them.",
	"roles":                    "App roles of the user or, in a token without a user, permissions of the application.",
	"wids":                     "The built-in directory roles of the user.",
	"groups":                   "Object IDs of the groups that the user is a member of.",
	"hasgroups":                "The user is in more groups than fit; ask Microsoft Graph for them.",
	"_claim_names":             "Claims that were too big for the token, usually groups, and which source has them.",
	"_claim_sources":           "Where to ask for the claims that were too big for the token.",
	"groups:src1":              "The user is in more groups than fit; ask Microsoft Graph for them.",
	"name":                     "What the user is called, for display only.",
	"preferred_username":       "The user's login name, for display only: it can change hands.",
	"unique_name":              "The user's login name in v1.0 tokens, for display only: it can change hands.",
	"upn":                      "The user principal name, for display only: it can change hands.",
	"email":                    "An e-mail address that nobody need have verified: never decide by it.",
	"oid":                      "The object ID of the user or service principal; with tid it is the key to store data under.",
	"sub":                      "The subject: a user as this one application sees them, or the service principal.",
	"tid":                      "The tenant that the token is about.",
	"uti":                      "The token's own ID, for logs.",
	"aio":                      "Internal to Microsoft: ignore it.",
	"rh":                       "Internal to Microsoft: ignore it.",
	"xms_ftd":                  "Internal to Microsoft: ignore it.",
	"sid":                      "The session, for signing out of one browser.",
	"login_hint":               "An opaque hint that a client sends back to sign the same user in or out.",
	"auth_time":                "When the user signed in.",
	"ctry":                     "The user's country.",
	"tenant_ctry":              "The tenant's country.",
	"tenant_region_scope":      "The region that the tenant is in.",
	"verified_primary_email":   "The user's main e-mail addresses, verified.",
	"verified_secondary_email": "The user's other e-mail addresses, verified.",
	"xms_edov":                 "Tells whether the owner of the e-mail address's domain was verified.",
	"xms_pl":                   "The language that the user prefers.",
	"xms_tpl":                  "The language that the tenant prefers.",
	"xms_pdl":                  "The data location that the user prefers.",
	"xms_cc":                   "What the client can do: cp1 means that it handles claims challenges.",
	"fwd":                      "The client's address, as a gateway reported it.",
	"vnet":                     "The virtual network that the request came from.",
	"ztdid":                    "The ID of the device's automatic set-up.",
	"in_corp":                  "The sign-in came from the company's own network.",
	"ipaddr":                   "The address that the user signed in from.",
	"onprem_sid":               "The user's security identifier in the company's own directory.",
	"pwd_exp":                  "When the user's password expires.",
	"pwd_url":                  "Where the user can change the password.",
	"nickname":                 "Another name of the user, for display only.",
	"given_name":               "The user's first name, for display only.",
	"family_name":              "The user's last name, for display only.",
	"puid":                     "An older ID of the user: use oid.",
	"platf":                    "The platform of the device.",
	"signin_state":             "What was known about the sign-in: a managed device, kept signed in.",
	"app_displayname":          "The display name of the application that called.",
	"deviceid":                 "The ID of the device that the user signed in on.",
	"xms_mirid":                "The Azure resource of a managed identity.",
	"xms_az_rid":               "The Azure resource that uses the managed identity.",
	"xms_tcdt":                 "When the tenant was created.",
	"xms_tdbr":                 "The data boundary of the tenant, such as EU.",
	"xms_idrel":                "How the caller relates to the tenant, as numbers: 1 a member, 5 a guest, 7 a service principal.",
	"xms_act_fct":              "What sort of actor an autonomous workload is, as numbers.",
	"xms_sub_fct":              "What sort of subject an autonomous workload is, as numbers.",
	"xms_tnt_fct":              "What sort of tenant it is, as numbers.",
	"xms_par_app_azp":          "The application that the calling one belongs to.",
	"cnf":                      "The key that the token is bound to: whoever sends the token must prove to have it.",
	"nonce":                    "Repeats what the client sent, so that it recognises the answer to its own request.",
	"at_hash":                  "Ties the ID token to the access token that came with it.",
	"c_hash":                   "Ties the ID token to the code that came with it.",
	"tfp":                      "The B2C policy that the user came through.",
	"emails":                   "The user's e-mail addresses (B2C).",
	"signInNames.emailAddress": "The e-mail address that the user signs in with (B2C custom policies).",
	"idp_access_token":         "An access token of the social identity provider: treat it as a secret.",
	"newUser":                  "The user has just signed up (B2C).",
	"country":                  "The user's country, as they entered it.",
	"city":                     "The user's city, as they entered it.",
	"state":                    "The user's state or province, as they entered it.",
	"postalCode":               "The user's postal code, as they entered it.",
	"streetAddress":            "The user's street, as they entered it.",
	"jobTitle":                 "The user's job title, as they entered it.",
	"jti":                      "The token's own ID; Microsoft's tokens have uti instead.",
	"cloud_instance_name":      "The Microsoft cloud that the tenant is in.",
	"cloud_instance_host_name": "The host of the Microsoft cloud that the tenant is in.",
	"cloud_graph_host_name":    "The host of the older Graph in the tenant's cloud.",
	"msgraph_host":             "The host of Microsoft Graph in the tenant's cloud.",
	"azpacr":                   "How the application proved who it is.",
	"appidacr":                 "How the application proved who it is.",
	"idtyp":                    "What the token stands for.",
	"acct":                     "Whether the user is a member of the tenant or a guest.",
	"ver":                      "The version of the token's format.",
	"acr":                      "How strong the sign-in was (v1.0), or the policy (B2C).",
	"xms_rd":                   "Internal to Microsoft: ignore it.",
	"xms_ssm":                  "Internal to Microsoft: ignore it.",
	"xms_spcu":                 "Internal to Microsoft: ignore it.",
	"xms_ficinfo":              "Internal to Microsoft: ignore it.",
	"xms_st":                   "Internal to Microsoft: ignore it.",
	"http://schemas.microsoft.com/identity/claims/tenantid": "The tenant, under the name that older libraries give it.",
}

// headerMeanings explains the parameters of the header.
var headerMeanings = map[string]string{
	"alg":   "The algorithm of the signature: an API must accept RS256 alone.",
	"typ":   "The type: JWT in Microsoft's tokens.",
	"kid":   "Which key signed: an API looks it up in the issuer's published keys.",
	"x5t":   "The thumbprint of the key's certificate, the same as kid (v1.0 tokens).",
	"nonce": "Only Microsoft Graph puts it here, and only Graph can verify such a token.",
	"crit":  "Extensions that the API must understand, or else refuse the token: Microsoft uses none.",
	"jwk":   "A key that the token brings along: never use it.",
	"jku":   "An address of keys that the token brings along: never follow it.",
	"x5u":   "An address of a certificate that the token brings along: never follow it.",
	"x5c":   "A certificate that the token brings along: never use it.",
	"enc":   "How the content is encrypted.",
	"zip":   "The content is compressed.",
	"cty":   "What the content is: JWT for a token in a token.",
}

// valueMeanings explains particular values; they come after the sentence of the claim.
var valueMeanings = map[string]map[string]string{
	"azpacr":   {`"0"`: "0: it did not, it is a public client.", `"1"`: "1: with a secret.", `"2"`: "2: with a certificate or an assertion."},
	"appidacr": {`"0"`: "0: it did not, it is a public client.", `"1"`: "1: with a secret.", `"2"`: "2: with a certificate or an assertion."},
	"acct":     {"0": "0: a member.", "1": "1: a guest."},
	"idtyp":    {`"app"`: "app: an application, without a user.", `"user"`: "user: a user.", `"device"`: "device: a device."},
	"acr":      {`"0"`: "0: weaker than ISO/IEC 29115 asks.", `"1"`: "1: as strong as ISO/IEC 29115 asks."},
}

// explainHeader is the meaning of a header parameter.
func explainHeader(name string, _ json.RawMessage, _ time.Time) string {
	if text, ok := headerMeanings[name]; ok {
		return text
	}
	return "Not a header parameter of Microsoft's tokens: an API ignores it."
}

// explainClaim is the meaning of a claim and, where that says more, of its value.
func explainClaim(name string, value json.RawMessage, now time.Time) string {
	text, ok := claimMeanings[name]
	if !ok {
		return explainUnknown(name)
	}
	if more := valueMeanings[name][string(value)]; more != "" {
		return strings.TrimSuffix(text, ".") + " — " + more
	}
	switch name {
	case "iat", "nbf", "exp", "auth_time", "xms_tcdt":
		if at, ok := numericDate(value); ok {
			return strings.TrimSuffix(text, ".") + ": " + momentText(at, now) + "."
		}
	}
	return text
}

func explainUnknown(name string) string {
	switch {
	case strings.HasPrefix(name, "extension_"), strings.HasPrefix(name, "extn."):
		return "An attribute of your own directory."
	case strings.HasPrefix(name, "xms_"):
		return "Internal to Microsoft: ignore it."
	}
	for known := range claimMeanings {
		if strings.EqualFold(name, known) {
			return fmt.Sprintf("Looks like %s, but names compare with case: it is another claim, and suspicious.", known)
		}
	}
	return "Not a claim of Microsoft's own: an attribute that a tenant or policy was configured to add."
}

// momentText is a time, and how far it is from now.
func momentText(at, now time.Time) string {
	seconds := at.Unix() - now.Unix()
	distance := "now"
	switch {
	case seconds > 0:
		distance = "in " + secondsText(seconds)
	case seconds < 0:
		distance = secondsText(-seconds) + " ago"
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + distance
}

// secondsText is a positive time span in the largest unit that fits. A [time.Duration] would not reach from 1970 to 9999.
func secondsText(seconds int64) string {
	const minute, hour, day, year = 60, 60 * 60, 24 * 60 * 60, 365 * 24 * 60 * 60
	for _, unit := range []struct {
		size int64
		name string
	}{{year, "year"}, {day, "day"}, {hour, "hour"}, {minute, "minute"}} {
		if n := seconds / unit.size; n > 1 {
			return plural(n, unit.name)
		}
	}
	return plural(seconds, "second")
}

func plural(n int64, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
