package identity

import (
	"context"
	"time"
)

// Report tells why [Verifier.Verify] accepts or refuses a token, check by check.
type Report struct {
	// Verdict is Accepted or Refused.
	Verdict Verdict `json:"verdict"`
	// Reason is that of the refusal: the code to search for, in logs and in REASONS.md. Empty for an accepted token.
	Reason Reason `json:"reason,omitempty"`
	// Status is the HTTP status of the refusal. Zero for an accepted token: the handler has not answered yet.
	Status int `json:"status,omitempty"`
	// Steps are all checks in the order in which they run. The first that failed is the verdict; what stands behind it was not
	// reached, because it presumes what stands before.
	Steps []Step `json:"steps"`
	// Remembered tells that the cache of verified tokens holds this one, so that a request with it costs no signature check. The
	// report does not rest on that: it comes from a verification of its own.
	Remembered bool `json:"remembered"`
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
}

// Outcome is what came of one check.
type Outcome string

const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotReached Outcome = "not reached"
)

// Explain judges a token as [Verifier.Verify] does, by the same code and with the same answer, and reports each check. It is for
// people who ask why a token is refused: it costs many times as much as Verify, so offer it to nobody but developers.
//
// It takes the tenant source's word once, and asks the network only where Verify would: for keys that are not there or due, and for
// an unknown kid under the same cool-down. Such a fetch is logged and traced like any other. The verification itself is not: it is no
// traffic. The cache of verified tokens is neither used nor filled.
func (v *Verifier) Explain(ctx context.Context, raw string) Report {
	r := Report{Verdict: Accepted, Remembered: v.cache.holds(raw), Time: v.now()}
	c := newCheck(v, raw)
	for i := range pipeline {
		step := Step{Name: pipeline[i].name, Outcome: NotReached}
		if r.Err == nil {
			step.Outcome = Passed
			if err := c.run(ctx, pipeline[i:i+1], true); err != nil {
				step.Outcome = Failed
				r.Err = v.completed(err)
				r.Verdict, r.Reason, r.Status = Refused, r.Err.Reason, r.Err.StatusCode()
			}
		}
		r.Steps = append(r.Steps, step)
	}
	c.free()
	return r
}
