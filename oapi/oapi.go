// Package oapi enforces the security requirements of an OpenAPI document with a verifier of package identity: scopes and app
// roles stand once, in the document, and no operation can be forgotten in the code.
//
//	authenticate, err := oapi.New(verifier, document, oapi.Options{AppIDURI: "api://cccccccc-3333-4333-8333-cccccccccccc"})
//	…
//	e.Use(echomiddleware.OapiRequestValidatorWithOptions(document, &echomiddleware.Options{
//		Options: openapi3filter.Options{AuthenticationFunc: authenticate},
//	}))
//
// What a requirement asks for depends on the type of its scheme:
//
//   - oauth2 and openIdConnect: the names are delegated permissions, all of which scp must hold. In a scheme whose only flow is client
//     credentials they are app roles that the calling application itself must have been granted; in one that has this flow beside
//     others, each name may be either (see [identity.ScopeOrRole]).
//   - http with the scheme bearer: the names are app roles, all of which the caller, a user or an application, must have
//     (OpenAPI 3.1, Security Requirement Object). OpenAPI 3.0 knows no names here.
//   - anything else, such as apiKey, is for [Options.Other].
//
// The requirement {} lets everybody pass, as OpenAPI defines it, and asks nobody: a bad token beside it counts as none. Where a bad
// token shall be refused there too, put the verifier's own middleware in front, with [identity.Config.Optional] set.
package oapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/echo-identity/identity"
)

// Options say how to read a document. The zero value is for documents that name scopes as tokens do, Orders.Read, and whose
// schemes are all for tokens.
type Options struct {
	// AppIDURI is what clients put before a scope to ask for it, such as api://cccccccc-3333-4333-8333-cccccccccccc. Names in the
	// document may begin with it and a slash. A name that begins with another address is a mistake: no token for this API holds it.
	AppIDURI string
	// Other decides on schemes that are not for tokens. Without it, a document that requires one is refused.
	Other openapi3filter.AuthenticationFunc
}

// New returns the function that decides on the requirements of a document's operations. It reads them all now, and refuses a document
// with one that it could not enforce; the error names each such operation.
//
// The function verifies the token of the request, and puts the principal into the request's context, where [identity.FromContext] and
// [identity.From] find it and guards read it. It changes the request in place, because validators hand on the request that they have.
// Below the Echo middleware of oapi-codegen a refusal is an [*echo.HTTPError] with the challenge in the header of the response;
// elsewhere it is an [*identity.Error] (use [errors.As]), for the caller to answer with. It is safe for concurrent use.
func New(v *identity.Verifier, document *openapi3.T, o Options) (openapi3filter.AuthenticationFunc, error) {
	if v == nil || document == nil {
		return nil, errors.New("oapi: a verifier and a document are required")
	}
	a := &authenticator{verifier: v, other: o.Other, rules: make(map[string]identity.Rule)}
	if err := a.readAll(document, o.AppIDURI); err != nil {
		return nil, err
	}
	return a.authenticate, nil
}

type authenticator struct {
	verifier *identity.Verifier
	other    openapi3filter.AuthenticationFunc
	rules    map[string]identity.Rule // by ruleKey, for each requirement in the document; nil means any token of this API
}

// ruleKey tells requirements apart. Names have no line breaks in them.
func ruleKey(scheme string, names []string) string { return scheme + "\n" + strings.Join(names, "\n") }

// readAll makes the rules of all requirements.
func (a *authenticator) readAll(document *openapi3.T, appIDURI string) error {
	var faults []error
	read := func(where string, requirements openapi3.SecurityRequirements) {
		for _, requirement := range requirements {
			for scheme, names := range requirement {
				if err := a.read(document, scheme, names, appIDURI); err != nil {
					faults = append(faults, fmt.Errorf("oapi: %s: %s: %w", where, scheme, err))
				}
			}
		}
	}
	read("security", document.Security)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security != nil {
				read(method+" "+path, *operation.Security)
			}
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // maps have no order
	return errors.Join(faults...)
}

// read makes the rule of one requirement.
func (a *authenticator) read(document *openapi3.T, scheme string, names []string, appIDURI string) error {
	if document.Components == nil || document.Components.SecuritySchemes[scheme] == nil || document.Components.SecuritySchemes[scheme].Value == nil {
		return errors.New("the scheme is not declared")
	}
	kind := kindOf(document.Components.SecuritySchemes[scheme].Value)
	if kind == foreign {
		if a.other == nil {
			return errors.New("the scheme is not for tokens, and Options.Other is nil")
		}
		return nil
	}
	rule, err := kind.rule(names, appIDURI)
	if err != nil {
		return err
	}
	a.rules[ruleKey(scheme, names)] = rule
	return nil
}

var errDocument = errors.New("oapi: the requirement is not in the document that New has read")

// authenticate is the openapi3filter.AuthenticationFunc. A validator asks for each scheme of an alternative, until one refuses.
func (a *authenticator) authenticate(ctx context.Context, input *openapi3filter.AuthenticationInput) error {
	err := a.ask(ctx, input)
	if err != nil {
		a.revoke(ctx, input.RequestValidationInput.Request)
	}
	return err
}

func (a *authenticator) ask(ctx context.Context, input *openapi3filter.AuthenticationInput) error {
	if kindOf(input.SecurityScheme) == foreign {
		if a.other == nil {
			return errDocument
		}
		return a.other(ctx, input)
	}
	rule, ok := a.rules[ruleKey(input.SecuritySchemeName, input.Scopes)]
	if !ok {
		return a.answer(ctx, a.verifier.Refuse(input.RequestValidationInput.Request.Context(), errDocument))
	}
	r := input.RequestValidationInput.Request
	p, err := a.verifier.Authenticate(r)
	if err != nil {
		return a.answer(ctx, err)
	}
	withPrincipal := identity.NewContext(r.Context(), p)
	if rule != nil {
		if err := rule.Check(withPrincipal); err != nil {
			return a.answer(ctx, err)
		}
	}
	a.accept(ctx, r, withPrincipal)
	return nil
}
