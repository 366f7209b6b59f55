package identity

import (
	"context"
	"errors"
	"time"
)

// Report tells why [Verifier.Verify] accepts or refuses a token, check by check. It is for developers: it names tenants, keys and
// policies that a client must not see. It holds no signature and nothing that says who the user is. Its JSON has the names in the
// tags, which stay as they are; more may be added.
type Report struct {
	// Verdict is Accepted or Refused.
	Verdict Verdict `json:"verdict"`
	// Reason is that of the refusal: the code to search for, in logs and in REASONS.md. Empty for an accepted token.
	Reason Reason `json:"reason,omitempty"`
	// Status is the HTTP status of the refusal. Zero for an accepted token: the handler has not answered yet.
	Status int `json:"status,omitempty"`
	// Cause says what is the matter, in one sentence for somebody who has never read an RFC.
	Cause string `json:"cause"`
	// Advice says what to do about it, the likeliest first.
	Advice []string `json:"advice,omitempty"`
	// Steps are all checks in the order in which they run. The first that failed is the verdict; what stands behind it was not
	// reached, because it presumes what stands before.
	Steps []Step `json:"steps"`
	// Token is what the token says of itself.
	Token TokenFacts `json:"token"`
	// SignatureVerified tells that what Token says was signed by the key that it names.
	SignatureVerified bool `json:"signature_verified"`
	// Tenant is the registered tenant, once it is known.
	Tenant *ReportTenant `json:"tenant,omitempty"`
	// Keys is the key set that the token needs, once that is known.
	Keys *ReportKeys `json:"keys,omitempty"`
	// Remembered tells that the cache of verified tokens holds this one, so that a request with it costs no signature check. The
	// report does not rest on that: it comes from a verification of its own.
	Remembered bool `json:"remembered"`
	// Within is the report of the token that stands in the text, where that as a whole is none: behind the word Bearer, in
	// quotation marks, or broken into lines. The verdict is still that of the whole text.
	Within *Report `json:"within,omitempty"`
	// Time is when the token was judged.
	Time time.Time `json:"time"`
	// Err is the error that Verify returns, nil for an accepted token.
	Err *Error `json:"-"`
}

// Verdict is the outcome of a verification.
type Verdict string

const (
	Accepted Verdict = "accepted"
	Refused  Verdict = "refused"
)

// Step is one check of a [Report].
type Step struct {
	// Name is one of token, issuer, tenant, tid, version, audience, time, policy, key, signature, binding, permissions, client and
	// guest.
	Name string `json:"name"`
	// Outcome is Passed, Failed or NotReached.
	Outcome Outcome `json:"outcome"`
	// Expected is what the check asks for, Actual what it has found. Both are empty if it was not reached.
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	// Rule is where the check comes from: sections of RFCs, pages of Microsoft's by their titles.
	Rule string `json:"rule"`
}

// Outcome is what came of one check.
type Outcome string

const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotReached Outcome = "not reached"
)

// ReportTenant is the tenant that a token was judged by.
type ReportTenant struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Kind is "workforce", "b2c" or "external".
	Kind string `json:"kind"`
}

// ReportKeys is what is known of a key set. Nothing is fetched for it.
type ReportKeys struct {
	// Metadata is the address of its discovery document.
	Metadata string `json:"metadata"`
	// Keys counts the usable keys, by kid.
	Keys int `json:"keys"`
	// Fetched is when the set was fetched. Nil if it never was.
	Fetched *time.Time `json:"fetched,omitempty"`
	// ClockAhead is how far the key server's clock was ahead of this machine's then, in seconds, negative if it was behind. Nil if the
	// server did not say.
	ClockAhead *int64 `json:"clock_ahead_seconds,omitempty"`
}

// Explain judges a token as [Verifier.Verify] does, by the same code and with the same answer, and reports each check. It is for
// people who ask why a token is refused: it costs many times as much as Verify, so offer it to nobody but developers.
//
// It takes the tenant source's word once, and asks the network only where Verify would: for keys that are not there or due, and for
// an unknown kid under the same cool-down. Such a fetch is logged and traced like any other. The verification itself is not: it is no
// traffic. The cache of verified tokens is neither used nor filled.
//
// A text that is no token, but holds one with the word Bearer in front, quotation marks around, or blanks in it, is refused, as it is by
// Verify; Within then has a second report, of the token alone.
func (v *Verifier) Explain(ctx context.Context, raw string) Report {
	r := v.explain(ctx, raw)
	if r.Verdict == Accepted {
		return r
	}
	if token, surplus := inside(raw); token != "" {
		within := v.explain(ctx, token)
		r.Within = &within
		r.pasted(surplus)
	}
	return r
}

func (v *Verifier) explain(ctx context.Context, raw string) Report {
	r := Report{Verdict: Accepted, Remembered: v.cache.holds(raw), Time: v.now().UTC()}
	c := newCheck(v, raw, origin{})
	x := newExplainer(c)
	for i := range pipeline {
		step := Step{Name: pipeline[i].name, Outcome: NotReached, Rule: stepWords[pipeline[i].name].rule}
		if r.Err == nil {
			step.Outcome = Passed
			if err := c.run(ctx, pipeline[i:i+1], true); err != nil {
				step.Outcome = Failed
				r.Err = v.completed(err)
				r.Verdict, r.Reason, r.Status = Refused, r.Err.Reason, r.Err.StatusCode()
				step.Rule = reasonWords[r.Reason].rule
			}
			x.reached(step.Name, r.Err)
			step.Expected, step.Actual = stepWords[step.Name].say(x)
			r.SignatureVerified = r.SignatureVerified || step.Name == signatureStep && r.Err == nil
		}
		r.Steps = append(r.Steps, step)
	}
	r.Cause, r.Advice = x.words()
	r.Token, r.Tenant, r.Keys = x.facts, x.reportTenant(), x.keys
	c.free()
	return r
}

// Explain reports on the refusal, as [Verifier.Explain] does on a token. For a refusal by a guard all checks of the token have passed,
// and the guard is one more; where the request has no usable token, the request is the one check. The verdict is that of the answer.
//
// It is meant for pages and tools for developers, since it verifies the token again. The info holds the token: forget it soon.
func (i RefuseInfo) Explain(ctx context.Context) Report {
	var r Report
	e, _ := asError(i.Err)
	if i.token != "" || e.Reason == reasonOf(ErrTokenMalformed) { // that of an empty text
		r = i.verifier.Explain(ctx, i.token)
		if r.Verdict == Refused && r.Reason == e.Reason {
			return r
		}
	}
	return r.refusedBy(e, i.verifier)
}

// refusedBy is the report of a refusal that the token's own checks do not give.
func (r Report) refusedBy(e *Error, v *Verifier) Report {
	step := Step{Name: "guard", Outcome: Failed, Rule: reasonWords[e.listed()].rule, Expected: "what this route asks for", Actual: "something else"}
	if r.Verdict == "" { // there was no token to look at
		r.Time, step.Name, step.Expected = v.now().UTC(), "request", "one bearer token"
	}
	if e.Reason == reasonOf(ErrNotAuthenticated) {
		step.Expected = "an authenticated request"
	}
	if required, ok := errors.AsType[requirement](e.cause); ok {
		step.Expected = alternatives(required)
	}
	switch e.Reason {
	case reasonOf(ErrTokenMissing), reasonOf(ErrNotAuthenticated):
		step.Actual = "none"
	case reasonOf(ErrScope):
		step.Actual = "scopes " + listText(r.Token.Scopes)
	case reasonOf(ErrRole), reasonOf(ErrScopeOrRole):
		step.Actual = "scopes " + listText(r.Token.Scopes) + "; roles " + listText(r.Token.Roles)
	default:
		if e.cause != nil {
			step.Actual = shown(textOf(e.cause))
		}
	}
	w := reasonWords[e.listed()]
	r.Verdict, r.Reason, r.Status, r.Err = Refused, e.Reason, e.StatusCode(), e
	r.Cause, r.Advice, r.Steps = w.meaning, []string{w.advice}, append(r.Steps, step)
	return r
}
