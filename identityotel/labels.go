package identityotel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"

	"github.com/echo-identity/identity"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// The attributes that semantic conventions have no name for.
const (
	resultKey  = attribute.Key("identity.result")
	cacheHit   = attribute.Key("identity.cache.hit")
	tenantKind = attribute.Key("identity.tenant.kind")
	tenantID   = attribute.Key("identity.tenant.id")
	forced     = attribute.Key("identity.fetch.forced")
	keyState   = attribute.Key("identity.key.state")
)

// The values of identity.result.
const (
	accepted = "accepted"
	refused  = "refused"  // the caller's fault: 4xx
	failed   = "failed"   // ours, or a key server's: 5xx
	unsigned = "unsigned" // every check but the signature passed; see identity.VerifyInfo
)

// other stands for values beyond a bound, as the semantic conventions have it.
const other = "_OTHER"

const (
	maxFailures = 32
	maxTenants  = 1000 // each new one is a copy of the map
)

// outcome is what the labels of a verification are made of.
type outcome struct {
	result string
	reason string // error.type
	kind   string
	cached bool
}

func (t *Telemetry) outcomeOf(info identity.VerifyInfo) outcome {
	o := outcome{result: accepted, kind: kindOf(info.Kind), cached: info.Cached}
	switch {
	case info.Err != nil:
		o.result = refused
		if e, ok := errors.AsType[*identity.Error](info.Err); ok && e.StatusCode() >= 500 {
			o.result = failed
		}
		o.reason = t.reasons.find(string(info.Reason), false)
	case info.Unsigned:
		o.result = unsigned
	}
	return o
}

// attributes are others and those of an outcome.
func (o outcome) attributes(others []attribute.KeyValue) []attribute.KeyValue {
	more := append(slices.Clone(others), resultKey.String(o.result))
	if o.reason != "" {
		more = append(more, semconv.ErrorTypeKey.String(o.reason))
	}
	if o.kind != "" {
		more = append(more, tenantKind.String(o.kind))
	}
	return more
}

// kindOf is a kind of tenant, or nothing.
func kindOf(kind string) string {
	switch kind {
	case "workforce", "b2c", "external":
		return kind
	}
	return ""
}

// closedList has a value for each reason that there is, and one for anything else.
func closedList[V any](of func(reason string) V, beyond V) *bounded[V] {
	reasons := identity.Reasons()
	list := newBounded(len(reasons), of, beyond)
	for _, reason := range reasons {
		list.find(string(reason), true)
	}
	return list
}

// itself is a value as a label.
func itself(value string) string { return value }

// refusal is the label of a reason.
func (t *Telemetry) refusal(reason string) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(append(t.constant(), semconv.ErrorTypeKey.String(reason))...))}
}

// failureOf is the error.type of a fetch: the status of the answer, or what class of error there was before one. What is left, as
// _OTHER, is mostly a document that cannot be used. Empty means that the fetch succeeded.
func failureOf(info identity.FetchInfo) string {
	err := info.Err
	if err == nil {
		return ""
	}
	if info.Status != 0 {
		return strconv.Itoa(info.Status)
	}
	if errors.Is(err, identity.ErrInternal) {
		return "internal"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name_not_resolved"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "server_certificate_invalid"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return "connection_failed"
	}
	return other
}

// series are the label sets of verifications, for one tenant or for all. They are made once: making one is what would cost.
type series struct {
	constant []attribute.KeyValue // of counts
	common   []attribute.KeyValue // of durations and spans: without the tenant
	made     copied[outcome, measurement]
}

// measurement is how to record an outcome.
type measurement struct {
	count    []metric.AddOption
	duration []metric.RecordOption
	span     trace.SpanStartOption
}

// newSeries makes the series of what has all of these attributes and, where it is counted, those of a tenant.
func newSeries(common []attribute.KeyValue, tenant ...attribute.KeyValue) *series {
	return &series{constant: slices.Concat(common, tenant), common: common}
}

// of returns the label sets of an outcome, of which there are few.
func (s *series) of(o outcome) measurement {
	if m, ok := s.made.get(o); ok {
		return m
	}
	return s.made.add(o, func(int) (measurement, bool) {
		hit := cacheHit.Bool(o.cached)
		count := attribute.NewSet(append(o.attributes(s.constant), hit)...)
		// Without error.type: strangers choose the reason, and each value would be a whole histogram.
		duration := attribute.NewSet(append(slices.Clone(s.common), resultKey.String(o.result), hit)...)
		return measurement{
			count:    []metric.AddOption{metric.WithAttributeSet(count)},
			duration: []metric.RecordOption{metric.WithAttributeSet(duration)},
			span:     trace.WithAttributes(o.attributes(s.common)...),
		}, true
	})
}

// seriesOf chooses the series of a verification. Only a token that was accepted makes its tenant a label.
func (t *Telemetry) seriesOf(info identity.VerifyInfo, o outcome) *series {
	if t.tenants == nil || o.kind == "" {
		return t.plain
	}
	return t.tenants.find(info.TenantID, o.result == accepted)
}
