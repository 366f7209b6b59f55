package identity

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Observe says where to report what happens. The zero value logs to [slog.Default] and traces nothing.
type Observe struct {
	// Logger receives one line per refusal and per failed fetch. Of one reason there are ten lines in a second at most; the next one
	// says how many were left out (suppressed). No line holds a token, or a claim other than iss, tid, kid and the calling application.
	// Nil means slog.Default().
	//
	// Every line of a refusal has reason and status, and cause, kid, iss, tid, tenant (its name), client, request_id (X-Request-Id of
	// the answer or the request, if it is short and plain) and trace_id (traceparent of the request) as far as they are known.
	Logger *slog.Logger
	// RefusalLevel is the level of lines about refusals that are the caller's doing. Requests without any token, with which some
	// clients begin, are logged four levels below, as Debug is below Info. Faults of ours, 5xx answers, stay at Error. It is asked for
	// each refusal, so that a [slog.LevelVar] changes it at run time. Nil means [slog.LevelInfo].
	RefusalLevel slog.Leveler
	// Trace holds callbacks for metrics and traces.
	Trace Trace
}

// Trace holds optional callbacks, in the manner of [net/http/httptrace.ClientTrace]. They run synchronously, must not block,
// and must be safe for concurrent use. A nil callback costs nothing.
type Trace struct {
	// Verified is called after each verification.
	Verified func(ctx context.Context, info VerifyInfo)
	// KeysFetched is called after each fetch of a key set.
	KeysFetched func(ctx context.Context, info FetchInfo)
	// Refused is called with each refusal: of a verification, of a request without a usable token, and by a guard. That is what the
	// log has a line for, and also what the log leaves out of a flood. A panic of it is logged and changes no answer.
	Refused func(ctx context.Context, info RefuseInfo)
}

// VerifyInfo describes one verification.
type VerifyInfo struct {
	// Reason is empty for an accepted token; see Unsigned.
	Reason Reason
	// TenantID is the tenant that the token says it is from, once its issuer is found well-formed. It is for logs: as a
	// metric label it is unbounded.
	TenantID string
	// Duration is how long it took, fetches included.
	Duration time.Duration
	// Unsigned tells that [Verifier.KeyFunc] asked: the signature was left to the caller. Without a Reason the token passed every
	// other check, and may yet be a forgery; count it as accepted only where the caller says so.
	Unsigned bool
	// Cached tells that the token had been verified before, and still holds.
	Cached bool
	// Err is the refusal, nil for an accepted token.
	Err error
	// Kind is the tenant's: "workforce", "b2c" or "external". It is empty as long as the tenant source has not answered for the issuer,
	// so that with a kind the TenantID is one of the application's tenants.
	Kind string
}

// FetchInfo describes one fetch of a key set.
type FetchInfo struct {
	// Metadata is the address of the discovery document.
	Metadata string
	// TenantID is the tenant's whose own key set it is, empty for one that all workforce tenants of a cloud share; see [KeySet].
	TenantID string
	// Forced tells that an unknown kid asked for it.
	Forced bool
	// Keys counts the kids that can verify tokens, Skipped the entries that cannot.
	Keys, Skipped int
	// Unusable says, by kid, why the skipped entries that have one cannot verify tokens. Kids are what the server sent.
	Unusable map[string]string
	// Duration is how long both documents took.
	Duration time.Duration
	// Err is why it failed.
	Err error
	// Kind is that of the tenants whose keys they are: "workforce", "b2c" or "external".
	Kind string
	// Status is what the key server answered instead of 200. Zero means that this is not why the fetch failed.
	Status int
}

func (f FetchInfo) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("metadata", f.Metadata), slog.Bool("forced", f.Forced), slog.Duration("took", f.Duration),
		slog.Int("keys", f.Keys), slog.Int("skipped", f.Skipped),
	}
	if f.Err != nil {
		attrs = append(attrs, slog.String("cause", textOf(f.Err)))
	}
	return attrs
}

// refusalLog writes refusals: a stranger who sends junk must not be able to fill a disk.
type refusalLog struct {
	logger *slog.Logger // guarded; nil: slog.Default() at the time
	level  slog.Leveler // the application's; nil: Info
	now    func() time.Time

	mu      sync.Mutex
	windows map[Reason]*window // bounded: reasons are a closed list, and those of an application's rules count as one
}

// window counts the refusals of one reason within one second.
type window struct {
	began      time.Time
	written    int
	suppressed int
}

const refusalsPerSecond = 10 // of one reason

// subject is what a refusal is about.
type subject interface{ attrs() []slog.Attr }

// write logs a refusal. about may be nil.
func (l *refusalLog) write(ctx context.Context, e *Error, about subject, from origin) {
	level := l.levelOf(e)
	logger := l.logger
	if logger == nil {
		logger = guardedLogger(slog.Default())
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	suppressed, ok := l.admit(e)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.Int("status", e.StatusCode())}
	if e.cause != nil {
		attrs = append(attrs, slog.String("cause", textOf(e.cause)))
	}
	if about != nil {
		attrs = append(attrs, about.attrs()...)
	}
	attrs = append(attrs, from.attrs()...)
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	logger.LogAttrs(ctx, level, "identity: request refused", append(attrs, stackOf(e)...)...)
}

// stackOf is where a panic in err came from, if there is one.
func stackOf(err error) []slog.Attr {
	if p, ok := errors.AsType[*panicError](err); ok {
		return []slog.Attr{slog.String("stack", string(p.stack))}
	}
	return nil
}

// levelOf tells our own faults, which someone must mend, from the caller's.
func (l *refusalLog) levelOf(e *Error) slog.Level {
	if e.StatusCode() >= 500 || e.Reason == reasonOf(ErrNotAuthenticated) {
		return slog.LevelError
	}
	level := l.callerLevel()
	if e.Reason == reasonOf(ErrTokenMissing) {
		return level - (slog.LevelInfo - slog.LevelDebug) // every first request of some clients
	}
	return level
}

// callerLevel asks the application, whose code may panic.
func (l *refusalLog) callerLevel() (level slog.Level) {
	if l.level == nil {
		return slog.LevelInfo
	}
	defer func() {
		if recover() != nil {
			level = slog.LevelInfo
		}
	}()
	return l.level.Level()
}

// admit reports whether a line may be written, and how many were not since the last.
func (l *refusalLog) admit(e *Error) (suppressed int, ok bool) {
	reason, now := e.listed(), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[reason]
	if w == nil {
		w = new(window)
		l.windows[reason] = w
	}
	if now.Sub(w.began) >= time.Second {
		w.began, w.written = now, 0
		suppressed, w.suppressed = w.suppressed, 0
	}
	if w.written >= refusalsPerSecond {
		w.suppressed++
		return 0, false
	}
	w.written++
	return suppressed, true
}
