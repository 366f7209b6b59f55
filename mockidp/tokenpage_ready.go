package mockidp

import (
	"fmt"
	"slices"
	"strings"
)

// readyToken is a token that the token page makes on demand: a good one, as Microsoft issues it.
type readyToken struct {
	name  string // unique among those of a tenant; in the page's address
	title string
	text  string // what is particular about it, a sentence
	opts  []TokenOption
}

// readyTokens are the good tokens that a tenant can issue.
func readyTokens(t *tenant) []readyToken {
	switch t.Kind {
	case B2C:
		return readyB2C(t)
	case External:
		return readyExternal()
	}
	return readyWorkforce(t)
}

// exampleGroups are object IDs of groups.
var exampleGroups = []string{"10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"}

func readyWorkforce(t *tenant) []readyToken {
	home := Fabrikam
	if t.ID == home {
		home = Contoso
	}
	roles := []TokenOption{Roles("Orders.Approver"), Groups(exampleGroups...)}
	stepUp := []TokenOption{Claim("acrs", []string{"c1"}), Claim("xms_cc", []string{"cp1"})}
	managed := []TokenOption{AppOnly("Jobs.Run.All"), Claim("azpacr", "2"),
		Claim("xms_mirid", "/subscriptions/20000000-0000-4000-8000-000000000001/resourcegroups/jobs/providers/Microsoft.Compute/virtualMachines/worker")}
	return []readyToken{
		{"v2-user", "User, v2.0", "The usual access token: a user, with a delegated scope.", nil},
		{"v1-user", "User, v1.0", "What an API gets whose registration asks for version 1, or for none.", []TokenOption{V1()}},
		{"v2-user-roles", "User with roles and groups, v2.0", "App roles of the user, and the groups they are a member of.", roles},
		{"v2-user-stepup", "User after a step-up, v2.0", "The authentication context c1 is satisfied, and the client handles claims challenges.", stepUp},
		{"v2-app", "Application, v2.0", "A daemon with an application permission, and no user.", []TokenOption{AppOnly("Jobs.Run.All")}},
		{"v1-app", "Application, v1.0", "A daemon with an application permission, for an API of version 1.", []TokenOption{V1(), AppOnly("Jobs.Run.All")}},
		{"v2-app-bare", "Application without permissions, v2.0", "No role is assigned and idtyp is not configured: most APIs must refuse it.",
			[]TokenOption{AppOnly(), Without("idtyp")}},
		{"v2-managed-identity", "Managed identity, v2.0", "A virtual machine with an identity of its own.", managed},
		{"v2-guest", "Guest, v2.0", "A user of another tenant who was invited into this one.", []TokenOption{Guest(home)}},
		{"v1-guest", "Guest, v1.0", "An invited user of another tenant, for an API of version 1.", []TokenOption{V1(), Guest(home)}},
		{"v2-guest-personal", "Guest with a personal account, v2.0", "A personal Microsoft account that was invited into this tenant.", []TokenOption{Guest(PersonalAccounts)}},
		{"v2-overage", "User with too many groups, v2.0", "More than 200 groups: the token says where to ask for them.", []TokenOption{Overage()}},
		{"v1-overage", "User with too many groups, v1.0", "More than 200 groups, for an API of version 1.", []TokenOption{V1(), Overage()}},
		{"v2-personal", "Personal account, v2.0", "Issued by the tenant that all personal accounts share, and signed with the key for them.", []TokenOption{PersonalAccount()}},
		{"v2-id-token", "ID token, v2.0", "It tells the client who signed in. An API must refuse it.", []TokenOption{IDToken()}},
		{"v1-id-token", "ID token, v1.0", "It tells a client of the older endpoint who signed in. An API must refuse it.", []TokenOption{V1(), IDToken()}},
		{"graph", "Token for Microsoft Graph", "Nobody but Graph can check its signature. An API must refuse it.", []TokenOption{ForGraph()}},
	}
}

func readyB2C(t *tenant) []readyToken {
	var ready []readyToken
	for _, policy := range t.Policies {
		ready = append(ready, readyToken{"user-" + strings.ToLower(policy), "User, policy " + policy,
			"A user who signed in through this policy.", []TokenOption{Policy(policy)}})
	}
	attributes := []TokenOption{Claim("newUser", true), Claim("idp", "google.com"), Claim("extension_LoyaltyId", "4711")}
	return append(ready,
		readyToken{"signup", "User who just signed up", "With an attribute of your own, and a social identity provider.", attributes},
		readyToken{"acr", "User, policy in acr", "Older custom policies name themselves in acr, in lower case.", []TokenOption{ACRPolicy()}},
		readyToken{"tfp-issuer", "User, policy in the issuer", "The compatibility setting that puts the policy into the issuer.", []TokenOption{TFPIssuer()}},
		readyToken{"app", "Application", "B2C puts the permissions of applications into scp.", []TokenOption{AppOnly("app.read", "app.write")}},
		readyToken{"id-token", "ID token", "It tells the client who signed in. An API must refuse it.", []TokenOption{IDToken()}},
	)
}

func readyExternal() []readyToken {
	return []readyToken{
		{"user", "User", "A customer with a local account, with a delegated scope.", nil},
		{"user-social", "User of a social account", "A customer who signed in with Google.", []TokenOption{Claim("idp", "google.com")}},
		{"user-roles", "User with roles and groups", "App roles of the user, and the groups they are a member of.",
			[]TokenOption{Roles("Orders.Approver"), Groups(exampleGroups...)}},
		{"v1-user", "User, v1.0", "What an API gets whose registration asks for version 1, or for none.", []TokenOption{V1()}},
		{"app", "Application", "A daemon with an application permission, and no user.", []TokenOption{AppOnly("Jobs.Run.All")}},
		{"overage", "User with too many groups", "More than 200 groups: the token says where to ask for them.", []TokenOption{Overage()}},
		{"id-token", "ID token", "It tells the client who signed in. An API must refuse it.", []TokenOption{IDToken()}},
	}
}

// brokenPrefix tells the names of the catalogue from those of ready tokens.
const brokenPrefix = "broken-"

// readyMade is a token that was asked for by name.
type readyMade struct {
	Title  string
	Text   string
	Broken *BrokenToken // nil for a good one
	raw    string
}

// makeReady makes the token of a name that the page offers for the tenant.
func makeReady(t *TenantHandle, name string) (made *readyMade, problem string) {
	if broken, ok := strings.CutPrefix(name, brokenPrefix); ok {
		for _, b := range Broken() {
			if b.Name == broken && b.Kind == t.Kind() {
				return &readyMade{Title: b.Name, Text: b.Breaks, Broken: &b, raw: b.Token(t)}, ""
			}
		}
	}
	for _, r := range readyTokens(t.t) {
		if r.name == name {
			return &readyMade{Title: r.title, Text: r.text, raw: t.Token(r.opts...)}, ""
		}
	}
	return nil, fmt.Sprintf("%s tenants have no ready token %q.", kindName(t.Kind()), name)
}

// kindName is the kind in words.
func kindName(k Kind) string {
	return [...]string{Workforce: "Workforce", B2C: "B2C", External: "External ID"}[k]
}

// brokenByCheck is the part of the catalogue for a kind of tenant, by the check that has to refuse it, in the catalogue's order.
func brokenByCheck(kind Kind) (checks []string, tokens map[string][]BrokenToken) {
	tokens = make(map[string][]BrokenToken)
	for _, b := range Broken() {
		if b.Kind != kind {
			continue
		}
		if !slices.Contains(checks, b.Check) {
			checks = append(checks, b.Check)
		}
		tokens[b.Check] = append(tokens[b.Check], b)
	}
	return checks, tokens
}
