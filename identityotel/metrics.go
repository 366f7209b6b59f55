package identityotel

import (
	"errors"

	"github.com/echo-identity/identity"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics. Names, units and the form of counters follow OpenTelemetry's semantic conventions.
type instruments struct {
	verifications  metric.Int64Counter
	verifyDuration metric.Float64Histogram
	refusals       metric.Int64Counter
	fetches        metric.Int64Counter
	fetchDuration  metric.Float64Histogram

	keyAge       metric.Float64ObservableGauge
	keySets      metric.Int64ObservableUpDownCounter
	keys         metric.Int64ObservableUpDownCounter
	cachedTokens metric.Int64ObservableUpDownCounter
	cachedBytes  metric.Int64ObservableUpDownCounter
}

// verifyBuckets begin where the cache answers, at a microsecond or two, have the signature check in the middle, at some tens, and end
// beyond the longest fetch.
var verifyBuckets = []float64{
	1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 1e-2, 0.1, 0.5, 1, 2.5, 5, 10,
}

// fetchBuckets are those of http.client.request.duration in the semantic conventions.
var fetchBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func (i *instruments) make(meter metric.Meter) error {
	var faults [10]error
	i.verifications, faults[0] = meter.Int64Counter("identity.verifications", metric.WithUnit("{verification}"),
		metric.WithDescription("Verifications of access tokens."))
	i.verifyDuration, faults[1] = meter.Float64Histogram("identity.verify.duration", metric.WithUnit("s"),
		metric.WithDescription("How long verifications took, key fetches included."), metric.WithExplicitBucketBoundaries(verifyBuckets...))
	i.refusals, faults[2] = meter.Int64Counter("identity.refusals", metric.WithUnit("{refusal}"),
		metric.WithDescription("Refusals, by reason: of tokens, of requests without a usable one, and by guards."))
	i.fetches, faults[3] = meter.Int64Counter("identity.key.fetches", metric.WithUnit("{fetch}"),
		metric.WithDescription("Fetches of key sets; those that failed have an error.type."))
	i.fetchDuration, faults[4] = meter.Float64Histogram("identity.key.fetch.duration", metric.WithUnit("s"),
		metric.WithDescription("How long fetches of key sets took, of both documents."), metric.WithExplicitBucketBoundaries(fetchBuckets...))
	i.keyAge, faults[5] = meter.Float64ObservableGauge("identity.key.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest key set in use; below its TTL as long as refreshes succeed."))
	i.keySets, faults[6] = meter.Int64ObservableUpDownCounter("identity.key_set.count", metric.WithUnit("{key_set}"),
		metric.WithDescription("Key sets held."))
	i.keys, faults[7] = meter.Int64ObservableUpDownCounter("identity.key.count", metric.WithUnit("{key}"),
		metric.WithDescription("Keys in the key sets held: usable ones, and entries skipped because no token may be verified with them."))
	i.cachedTokens, faults[8] = meter.Int64ObservableUpDownCounter("identity.token_cache.count", metric.WithUnit("{token}"),
		metric.WithDescription("Verified tokens that are remembered."))
	i.cachedBytes, faults[9] = meter.Int64ObservableUpDownCounter("identity.token_cache.usage", metric.WithUnit("By"),
		metric.WithDescription("Memory that remembered tokens retain, of TokenCacheOptions.MaxBytes."))
	return errors.Join(faults[:]...)
}

func (i *instruments) observed() []metric.Observable {
	return []metric.Observable{i.keyAge, i.keySets, i.keys, i.cachedTokens, i.cachedBytes}
}

// report observes what verifiers hold. It may append to attributes.
func (i *instruments) report(o metric.Observer, s identity.Stats, attributes []attribute.KeyValue) {
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(attributes, more...)...))
	}
	o.ObserveFloat64(i.keyAge, s.KeyAge.Seconds(), with())
	o.ObserveInt64(i.keySets, int64(s.KeySets), with())
	o.ObserveInt64(i.keys, int64(s.Keys), with(keyState.String("usable")))
	o.ObserveInt64(i.keys, int64(s.SkippedKeys), with(keyState.String("skipped")))
	o.ObserveInt64(i.cachedTokens, int64(s.CachedTokens), with())
	o.ObserveInt64(i.cachedBytes, int64(s.CachedBytes), with())
}
