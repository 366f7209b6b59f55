package identity

import (
	"context"
	"log/slog"
)

// RefuseInfo describes one refusal.
type RefuseInfo struct {
	// Reason is one of the closed list, fit for a metric label: a refusal that an application's own rule has made up counts as
	// rule_refused, whatever its Reason.
	Reason Reason
	// Status is the HTTP status of the answer.
	Status int
	// Err is the refusal.
	Err error
	// RequestID and TraceID are those of the log line, empty if not known.
	RequestID, TraceID string

	verifier *Verifier
	token    string
}

// traceRefusal tells the application's callback. Unlike one for an accepted token it cannot make things worse by failing: the answer is
// a refusal already.
func (v *Verifier) traceRefusal(ctx context.Context, e *Error, about subject, from origin) {
	if v.trace.Refused == nil {
		return
	}
	var err error
	func() {
		defer recovered(&err)
		info := RefuseInfo{Reason: e.listed(), Status: e.StatusCode(), Err: e, RequestID: from.requestID(), TraceID: from.traceID(), verifier: v}
		switch about := about.(type) {
		case *check:
			info.token = about.raw
		case *Principal:
			info.token = about.RawToken()
		}
		v.trace.Refused(ctx, info)
	}()
	if err != nil {
		v.log.logger.LogAttrs(ctx, slog.LevelError, "identity: Trace.Refused", append(stackOf(err), slog.String("error", textOf(err)))...)
	}
}

// listed is the reason by the closed list. What the application has put into the Error does not count.
func (e *Error) listed() Reason {
	if e.rule == nil {
		return reasonOf(ErrRule)
	}
	return e.rule.reason
}

// String is the kind by the name that callbacks get.
func (k tenantKind) String() string { return [...]string{"workforce", "b2c", "external"}[k] }
