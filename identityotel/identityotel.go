// Package identityotel tells OpenTelemetry what package identity does: metrics of verifications, refusals and key fetches, spans of
// those that did work, and gauges of what a verifier holds.
//
//	telemetry, err := identityotel.New()          // the global providers; WithMeterProvider, WithTracerProvider
//	cfg.Observe.Trace = telemetry.Trace()         // or telemetry.Trace(mine): callbacks of one's own, called after these
//	verifier, err := identity.New(cfg)
//	stop := telemetry.Watch(verifier)             // the gauges
//
// No series and no span holds a token, a claim or personal data. Every label has few values, whatever strangers send and whatever
// reasons an application's rules make up; the tenant is a label only on request ([WithTenants]), and of as many tenants as that allows.
// README.md lists the metrics, the spans and the labels.
package identityotel

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"

	"github.com/echo-identity/identity"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// ScopeName is the name of the instrumentation scope. Its version is that of this module.
const ScopeName = "github.com/echo-identity/identity/identityotel"

// Telemetry reports to a meter and a tracer. It is safe for concurrent use, and starts no goroutine.
type Telemetry struct {
	tracer     trace.Tracer         // nil: one that does nothing
	attributes []attribute.KeyValue // on everything
	metrics    instruments

	reasons  *bounded[string]  // error.type of verifications and refusals
	failures *bounded[string]  // error.type of fetches
	plain    *series           // without the tenant
	tenants  *bounded[*series] // nil: the tenant is no label
	refusals *bounded[[]metric.AddOption]

	mu      sync.Mutex
	watched map[*identity.Verifier]bool
}

// Option changes what [New] makes.
type Option func(*options)

type options struct {
	meters     metric.MeterProvider
	tracers    trace.TracerProvider
	attributes []attribute.KeyValue
	tenants    int
}

// WithMeterProvider chooses where metrics go. The default is [otel.GetMeterProvider].
func WithMeterProvider(p metric.MeterProvider) Option { return func(o *options) { o.meters = p } }

// WithTracerProvider chooses where spans go. The default is [otel.GetTracerProvider].
func WithTracerProvider(p trace.TracerProvider) Option { return func(o *options) { o.tracers = p } }

// WithAttributes adds attributes to every measurement and span. With it two verifiers of one program, each with a Telemetry of its own,
// can be told apart.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(o *options) { o.attributes = append(o.attributes, attributes...) }
}

// WithTenants makes the tenant a label of identity.verifications (identity.tenant.id). It has one value for each of the first tenants
// that a token was accepted of, at most so many, and _OTHER for all others. A refused token never adds a value, and a token whose
// tenant is not trusted has no such label. A tenant that is removed keeps its value until the program ends. Zero or less means
// no label, which is the default; more than 1,000 means 1,000.
func WithTenants(most int) Option { return func(o *options) { o.tenants = min(most, maxTenants) } }

// New makes a Telemetry. The error is the meter provider's, about an instrument.
func New(opts ...Option) (*Telemetry, error) {
	o := options{meters: otel.GetMeterProvider(), tracers: otel.GetTracerProvider()}
	for _, opt := range opts {
		opt(&o)
	}
	if o.meters == nil || o.tracers == nil {
		return nil, errors.New("identityotel: a provider is nil")
	}
	version := moduleVersion()
	t := &Telemetry{
		attributes: o.attributes,
		reasons:    closedList(itself, other),
		failures:   newBounded(maxFailures, itself, other),
		plain:      newSeries(o.attributes),
		watched:    make(map[*identity.Verifier]bool),
	}
	if _, idle := o.tracers.(noop.TracerProvider); !idle {
		t.tracer = o.tracers.Tracer(ScopeName, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL))
	}
	t.refusals = closedList(t.refusal, t.refusal(other))
	if o.tenants > 0 {
		of := func(tenant string) *series { return newSeries(o.attributes, tenantID.String(tenant)) }
		t.tenants = newBounded(o.tenants, of, of(other))
	}
	meter := o.meters.Meter(ScopeName, metric.WithInstrumentationVersion(version), metric.WithSchemaURL(semconv.SchemaURL))
	if err := t.metrics.make(meter); err != nil {
		return nil, err
	}
	if _, err := meter.RegisterCallback(t.observe, t.metrics.observed()...); err != nil {
		return nil, err
	}
	return t, nil
}

// constant is a copy of the attributes of everything, to append to.
func (t *Telemetry) constant() []attribute.KeyValue {
	return append(make([]attribute.KeyValue, 0, len(t.attributes)+8), t.attributes...)
}

// moduleVersion is the version of this module in the running program, empty where that is not known.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == ScopeName {
			return module.Version
		}
	}
	return ""
}

// Trace returns what to put into [identity.Observe]. Callbacks of the application's own can be given along; they are called after
// these, in order.
func (t *Telemetry) Trace(others ...identity.Trace) identity.Trace {
	verified := []func(context.Context, identity.VerifyInfo){t.verified}
	fetched := []func(context.Context, identity.FetchInfo){t.keysFetched}
	refused := []func(context.Context, identity.RefuseInfo){t.refused}
	for _, o := range others {
		verified, fetched, refused = append(verified, o.Verified), append(fetched, o.KeysFetched), append(refused, o.Refused)
	}
	return identity.Trace{Verified: joined(verified), KeysFetched: joined(fetched), Refused: joined(refused)}
}

// joined calls one callback after the other.
func joined[T any](callbacks []func(context.Context, T)) func(context.Context, T) {
	var all []func(context.Context, T)
	for _, call := range callbacks {
		if call != nil {
			all = append(all, call)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return func(ctx context.Context, info T) {
		for _, call := range all {
			call(ctx, info)
		}
	}
}

// Watch reports what a verifier holds, each time that metrics are collected, until stop is called. Of several verifiers the sums are
// reported, and the greatest age; [WithAttributes] tells how to keep them apart.
func (t *Telemetry) Watch(v *identity.Verifier) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watched[v] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watched, v)
	}
}

// verified counts a verification, and makes a span of it unless the cache had the answer.
func (t *Telemetry) verified(ctx context.Context, info identity.VerifyInfo) {
	spans, counts, times := t.tracer != nil && !info.Cached, t.metrics.verifications.Enabled(ctx), t.metrics.verifyDuration.Enabled(ctx)
	if !spans && !counts && !times {
		return
	}
	o := t.outcomeOf(info)
	m := t.seriesOf(info, o).of(o)
	if spans {
		ctx = t.traceVerification(ctx, info, o, m.span)
	}
	if counts {
		t.metrics.verifications.Add(ctx, 1, m.count...)
	}
	if times {
		t.metrics.verifyDuration.Record(ctx, info.Duration.Seconds(), m.duration...)
	}
}

// refused counts a refusal.
func (t *Telemetry) refused(ctx context.Context, info identity.RefuseInfo) {
	if t.metrics.refusals.Enabled(ctx) {
		t.metrics.refusals.Add(ctx, 1, t.refusals.find(string(info.Reason), false)...)
	}
}

// keysFetched counts a fetch of keys, and makes a span of it.
func (t *Telemetry) keysFetched(ctx context.Context, info identity.FetchInfo) {
	errorType := t.failures.find(failureOf(info), true)
	if t.tracer != nil {
		ctx = t.traceFetch(ctx, info, errorType)
	}
	attributes := append(t.constant(), forced.Bool(info.Forced))
	if errorType != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(errorType))
	}
	if kind := kindOf(info.Kind); kind != "" {
		attributes = append(attributes, tenantKind.String(kind))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	t.metrics.fetches.Add(ctx, 1, set)
	t.metrics.fetchDuration.Record(ctx, info.Duration.Seconds(), set)
}

// observe reports what the watched verifiers hold.
func (t *Telemetry) observe(_ context.Context, o metric.Observer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.watched) == 0 {
		return nil
	}
	var sum identity.Stats
	for v := range t.watched {
		s := v.Stats()
		sum.KeyAge = max(sum.KeyAge, s.KeyAge)
		sum.KeySets += s.KeySets
		sum.Keys += s.Keys
		sum.SkippedKeys += s.SkippedKeys
		sum.CachedTokens += s.CachedTokens
		sum.CachedBytes += s.CachedBytes
	}
	t.metrics.report(o, sum, t.constant())
	return nil
}
