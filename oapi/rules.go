package oapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/echo-identity/identity"
)

// kind is what the names in the requirements of a scheme stand for.
type kind int

const (
	foreign     kind = iota // not for tokens
	delegated               // scopes
	application             // app roles of an application in its own name
	either                  // one or the other
	roles                   // app roles of any caller
)

func kindOf(s *openapi3.SecurityScheme) kind {
	switch {
	case s.Type == "openIdConnect":
		return delegated
	case s.Type == "http" && strings.EqualFold(s.Scheme, "bearer"):
		return roles
	case s.Type != "oauth2":
		return foreign
	case s.Flows == nil || s.Flows.ClientCredentials == nil:
		return delegated
	case s.Flows.AuthorizationCode == nil && s.Flows.Implicit == nil && s.Flows.Password == nil:
		return application
	}
	return either
}

// signIn are scopes by which a client asks for more than a token for an API. No access token for one holds them as they are, so a
// requirement that names one asks for nothing; with the address of this API in front they would be scopes of its own.
var signIn = []string{"openid", "profile", "email", "offline_access"}

// granted is the scope by which a client asks for whatever it has been granted.
const granted = ".default"

// rule is what a requirement with these names asks for. Nil means any token of this API.
func (k kind) rule(names []string, appIDURI string) (identity.Rule, error) {
	var rules []identity.Rule
	for _, name := range names {
		if (k == delegated || k == either) && slices.Contains(signIn, name) {
			continue
		}
		if appIDURI != "" {
			name = strings.TrimPrefix(name, strings.TrimSuffix(appIDURI, "/")+"/")
		}
		if k != roles && name == granted {
			continue
		}
		if name == "" || strings.ContainsAny(name, " \t\r\n") {
			return nil, fmt.Errorf("%q is not the name of one permission", name)
		}
		if strings.Contains(name, "://") {
			return nil, fmt.Errorf("%q is not a permission of this API: tokens hold the short name; see Options.AppIDURI", name)
		}
		switch k {
		case application:
			rules = append(rules, identity.AppOnly(), identity.AllRoles(name))
		case either:
			rules = append(rules, identity.ScopeOrRole([]string{name}, []string{name}))
		case roles:
			rules = append(rules, identity.AllRoles(name))
		default:
			rules = append(rules, identity.AllScopes(name))
		}
	}
	if len(rules) == 0 {
		if k == application {
			return identity.AppOnly(), nil
		}
		return nil, nil
	}
	return identity.AllOf(rules...), nil
}
