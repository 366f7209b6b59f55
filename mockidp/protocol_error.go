package mockidp

import (
	"fmt"
	"net/http"
	"strings"
)

// refusal is an error of the protocol, in the words of both services.
type refusal struct {
	status   int
	kind     string // the error member
	number   int    // AADSTS…
	text     string
	b2c      int    // AADB2C…; zero: the closest general one
	b2cText  string // empty: text
	b2cKind  string // empty: kind
	suberror string
	claims   string // the claims a client has to ask for
	hint     string // for the error page: how to put it right on this server
}

// refuse makes a refusal with status 400; invalid_client answers 401 (RFC 6749 §5.2).
func refuse(kind string, number int, format string, args ...any) *refusal {
	r := &refusal{status: http.StatusBadRequest, kind: kind, number: number, text: fmt.Sprintf(format, args...)}
	if kind == "invalid_client" {
		r.status = http.StatusUnauthorized
	}
	return r
}

// inB2C gives the refusal its B2C number, and text where that differs.
func (r *refusal) inB2C(number int, format string, args ...any) *refusal {
	r.b2c, r.b2cText = number, fmt.Sprintf(format, args...)
	return r
}

// notPermitted gives the refusal B2C's words for an API that the application has no permission for.
func (r *refusal) notPermitted() *refusal {
	r.b2cKind = "invalid_request"
	return r.inB2C(90205, "This application does not have sufficient permissions against this web resource to perform the operation.")
}

func (r *refusal) sub(suberror string) *refusal {
	r.suberror = suberror
	return r
}

func (r *refusal) advise(format string, args ...any) *refusal {
	r.hint = fmt.Sprintf(format, args...)
	return r
}

// Error is the refusal without the identifiers that Microsoft appends.
func (r *refusal) Error() string { return fmt.Sprintf("%s: AADSTS%d: %s", r.kind, r.number, r.text) }

// told is a refusal as one answer says it.
type told struct {
	kind               string // the error member
	code, sentence     string // AADSTS70008 and the text
	description        string // all of it
	trace, correlation string
	timestamp          string
}

// tell puts the refusal into the words of the tenant's service.
func (x *exchange) tell(r *refusal) told {
	t := told{kind: r.kind, trace: newGUID(), correlation: x.correlation, timestamp: x.srv.now().UTC().Format("2006-01-02 15:04:05Z")}
	if x.b2c() {
		number, text := r.b2c, r.b2cText
		if number == 0 {
			number, text = 90046, r.text
		}
		if r.b2cKind != "" {
			t.kind = r.b2cKind
		}
		t.code, t.sentence = fmt.Sprintf("AADB2C%d", number), text
		t.description = t.code + ": " + text + "\r\nCorrelation ID: " + t.correlation + "\r\nTimestamp: " + t.timestamp + "\r\n"
		return t
	}
	t.code, t.sentence = fmt.Sprintf("AADSTS%d", r.number), r.text
	t.description = t.code + ": " + r.text + " Trace ID: " + t.trace + " Correlation ID: " + t.correlation + " Timestamp: " + t.timestamp
	return t
}

// refused is the JSON answer.
func (x *exchange) refused(r *refusal) answer {
	t := x.tell(r)
	body := object{{"error", t.kind}, {"error_description", t.description}}
	if !x.b2c() {
		body = append(body, object{
			{"error_codes", []int{r.number}},
			{"timestamp", t.timestamp},
			{"trace_id", t.trace},
			{"correlation_id", t.correlation},
			{"error_uri", x.rt.base() + fmt.Sprintf("/error?code=%d", r.number)},
		}...)
		if r.suberror != "" {
			body.set("suberror", r.suberror)
		}
		if r.claims != "" {
			body.set("claims", r.claims)
		}
	}
	a := x.json(body)
	a.status = r.status
	if r.status == http.StatusUnauthorized && x.r.Header.Get("Authorization") != "" {
		a.header.Set("Www-Authenticate", "Basic realm=\"mockidp\"") // RFC 6749 §5.2
	}
	return a
}

// errorPage is the answer where there is nobody to send the error to.
func (x *exchange) errorPage(r *refusal, app *application) answer {
	t := x.tell(r)
	status := r.status
	if status == http.StatusUnauthorized {
		status = http.StatusBadRequest
	}
	return pageAnswer(status, errorPage{
		pagePlace: x.place(app), Code: t.code, Message: t.sentence, Hint: r.hint,
		Request: t.trace, Correlation: t.correlation, Time: t.timestamp,
	})
}

// place says where a page is.
func (x *exchange) place(app *application) pagePlace {
	p := pagePlace{Tenant: x.rt.pathTenant}
	if t := x.rt.tenant; t != nil {
		p.Tenant = t.upnDomain()
		if name, ok := t.policy(x.rt.policy); ok {
			p.Policy = name
		}
	}
	if app != nil {
		p.App = app.displayName()
	}
	return p
}

// upnDomain is the tenant's domain, or its ID when it has none.
func (t *tenant) upnDomain() string {
	if d := t.domain(); d != "" {
		return d
	}
	return t.ID
}

// The refusals that more than one endpoint gives.

func missingParameter(name string) *refusal {
	r := refuse("invalid_request", 900144, "The request body must contain the following parameter: '%s'.", name)
	return r.inB2C(90083, "The request is missing required parameter: %s.", name)
}

func malformedRequest(what string) *refusal {
	return refuse("invalid_request", 9002313, "Invalid request. Request is malformed or invalid. %s", what).inB2C(90083, "The request is malformed. %s", what)
}

func unknownTenant(name string) *refusal {
	return refuse("invalid_request", 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "+
		"Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

func noTenant() *refusal {
	return refuse("invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials.")
}

func unknownClient(id, tenant string) *refusal {
	return refuse("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not "+
		"been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the "+
		"wrong tenant.", id, tenant).inB2C(90018, "The client id '%s' specified in the request is not registered in tenant '%s'.", id, tenant).
		advise("Register the application in the tenant's directory on this server, or make it multi-tenant.")
}

func malformedClient(id string) *refusal {
	return refuse("unauthorized_client", 700038, "%s is not a valid application identifier.", id).
		inB2C(90018, "The client id '%s' specified in the request is not registered.", id)
}

func consentMissing(kind string, app *application, missing []string) *refusal {
	r := refuse(kind, 65001, "The user or administrator has not consented to use the application with ID '%s' named '%s' to: %s. Send an interactive authorization "+
		"request for this user and resource.", app.ID, app.displayName(), strings.Join(missing, ", "))
	return r.notPermitted().sub("consent_required")
}
