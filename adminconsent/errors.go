package adminconsent

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Why an answer is refused. Errors of [Flow.Continue] and [Flow.Finish] wrap one of these.
var (
	// ErrAnswer: the request is no answer of Microsoft's: not a GET, unreadable, or without what an answer has.
	ErrAnswer = errors.New("adminconsent: not an answer of the identity platform")
	// ErrDuplicate: a parameter comes twice (RFC 6749 §3.1).
	ErrDuplicate = errors.New("adminconsent: a parameter is repeated")
	// ErrState: state is missing, was not sealed here, or belongs to the other step.
	ErrState = errors.New("adminconsent: the state is missing or forged")
	// ErrExpired: the flow began longer than [Config.Lifetime] ago.
	ErrExpired = errors.New("adminconsent: the flow has expired")
	// ErrBrowser: another browser began this flow, or this one has begun another since, or keeps no cookies.
	ErrBrowser = errors.New("adminconsent: the flow belongs to another browser")
	// ErrCustomer: the flow was begun for another customer.
	ErrCustomer = errors.New("adminconsent: the flow belongs to another customer")
	// ErrReplayed: the answer was used before.
	ErrReplayed = errors.New("adminconsent: the answer was used before")
	// ErrDenied: consent or sign-in was refused or declined at Microsoft. [errors.As] finds a [*DeniedError].
	ErrDenied = errors.New("adminconsent: denied")
	// ErrTenant: the tenant is not the GUID of an organization, or not the one that the flow was begun for.
	ErrTenant = errors.New("adminconsent: the tenant is not acceptable")
	// ErrProof: nobody has shown that they belong to the tenant: the code was refused, or the token is not one of a user of that tenant
	// for this application.
	ErrProof = errors.New("adminconsent: no proof of the tenant")
	// ErrNotAdmin: the user belongs to the tenant and holds none of the roles, or has not activated it (Privileged Identity Management);
	// or the registration leaves wids out of its tokens.
	ErrNotAdmin = errors.New("adminconsent: the user is no administrator of the tenant")
	// ErrUnavailable: the store of used answers, the token endpoint or the signing keys cannot be reached, or the application's own
	// credential was refused. Begin again later.
	ErrUnavailable = errors.New("adminconsent: unavailable")
)

// DeniedError is an error answer of Microsoft. It is [ErrDenied].
type DeniedError struct {
	// Code is the parameter error (RFC 6749 §4.1.2.1): "access_denied", "consent_required".
	Code string
	// Description is error_description, cut short: a text that begins with AADSTS and a number. It came by way of the browser: it is
	// for logs.
	Description string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("adminconsent: denied: %s: %s", e.Code, e.Description)
}

// Is reports whether target is [ErrDenied].
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// printable cuts a text of the browser short and leaves out what would break a line of a log.
func printable(text string) string {
	const most = 512
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text[:min(len(text), most)])
	return strings.TrimSpace(text)
}
