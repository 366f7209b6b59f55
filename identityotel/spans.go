package identityotel

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/echo-identity/identity"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Spans are made when what they are about is over: whether a verification does any work is not known before. A fetch therefore is not
// the child of the verification that waited for it, but stands beside it, under the span of the request.

// traceVerification makes the span of a verification. The context has it, for exemplars.
func (t *Telemetry) traceVerification(ctx context.Context, info identity.VerifyInfo, o outcome, attributes trace.SpanStartOption) context.Context {
	end := time.Now()
	ctx, span := t.tracer.Start(ctx, "identity.verify", attributes, trace.WithTimestamp(end.Add(-info.Duration)))
	if !span.IsRecording() { // not sampled, or there is no SDK
		return ctx
	}
	if o.kind != "" { // one of the application's tenants, and not just what a token claims
		span.SetAttributes(tenantID.String(strings.Clone(info.TenantID))) // not the whole token with it
	}
	if o.result == failed { // as on the server's span, a refusal that is the caller's fault is no error of ours
		span.SetStatus(codes.Error, o.reason)
	}
	span.End(trace.WithTimestamp(end))
	return ctx
}

// traceFetch makes the span of a fetch of keys.
func (t *Telemetry) traceFetch(ctx context.Context, info identity.FetchInfo, errorType string) context.Context {
	end := time.Now()
	ctx, span := t.tracer.Start(ctx, "identity.fetch_keys", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(end.Add(-info.Duration)), trace.WithAttributes(t.fetchAttributes(info, errorType)...))
	if errorType != "" {
		span.SetStatus(codes.Error, errorType)
	}
	span.End(trace.WithTimestamp(end))
	return ctx
}

func (t *Telemetry) fetchAttributes(info identity.FetchInfo, errorType string) []attribute.KeyValue {
	attributes := append(t.constant(), semconv.URLFull(info.Metadata), forced.Bool(info.Forced))
	if u, err := url.Parse(info.Metadata); err == nil {
		attributes = append(attributes, semconv.ServerAddress(u.Hostname()), semconv.ServerPort(portOf(u)))
	}
	if kind := kindOf(info.Kind); kind != "" {
		attributes = append(attributes, tenantKind.String(kind))
	}
	if info.Status != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(info.Status))
	}
	if errorType != "" {
		return append(attributes, semconv.ErrorTypeKey.String(errorType))
	}
	return append(attributes, attribute.Int("identity.key.usable", info.Keys), attribute.Int("identity.key.skipped", info.Skipped))
}

// portOf is the port of an address, the usual one where it names none.
func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
