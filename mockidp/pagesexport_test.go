package mockidp

import (
	"net/http"
	"time"
)

var pageEpoch = time.Unix(0, 0)

// The data of the pages, for tests that look at what is rendered.
type (
	Page              = page
	SignInPage        = signInPage
	PageAccount       = pageAccount
	PageField         = pageField
	ConsentPage       = consentPage
	AdminConsentPage  = adminConsentPage
	AdminNeededPage   = adminNeededPage
	PagePermission    = pagePermission
	DeviceCodePage    = deviceCodePage
	DeviceConfirmPage = deviceConfirmPage
	MessagePage       = messagePage
	SignedOutPage     = signedOutPage
	ErrorPage         = errorPage
	FormPostPage      = formPostPage
)

// RenderPage is the answer that a page makes.
func RenderPage(status int, p Page) (int, http.Header, string) {
	a := pageAnswer(status, p)
	return a.status, a.header, string(a.body)
}

// NoteIssued offers a token on the token page, as the token endpoint does.
func (s *Server) NoteIssued(kind, who, raw string) { s.noteIssued(kind, who, raw) }

// ExplainClaim is the sentence of a claim without its value.
func ExplainClaim(name string) string { return explainClaim(name, nil, pageEpoch) }
