package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
)

// auth is a [connect.Interceptor] for handlers: what a server of yours needs, to be taken as it stands. It runs behind the decoding of
// a unary request, so bound that with [connect.WithReadMaxBytes]; where no stranger's message may be decoded at all, put
// Verifier.Handler in front of the mux, and leave only the rules to an interceptor.
type auth struct {
	verifier *identity.Verifier
	// rules are by procedure. A procedure that has none is refused: a new one cannot be left open by oversight.
	rules map[string]identity.Rule
}

var _ connect.Interceptor = (*auth)(nil)

// WrapUnary guards unary procedures.
func (a *auth) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, refusal := a.admit(ctx, req.Spec().Procedure, req.Header())
		if refusal != nil {
			return nil, errorOf(refusal)
		}
		return next(ctx, req)
	}
}

// WrapStreamingHandler guards streams. A stream ends when the token of its caller does; one whose tenant is removed meanwhile lasts
// until then.
func (a *auth) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, refusal := a.admit(ctx, conn.Spec().Procedure, conn.RequestHeader())
		if refusal != nil {
			return errorOf(refusal)
		}
		if p, ok := identity.FromContext(ctx); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadlineCause(ctx, p.ExpiresAt, identity.ErrExpired)
			defer cancel()
		}
		err := next(ctx, conn)
		if errors.Is(context.Cause(ctx), identity.ErrExpired) {
			return errorOf(a.verifier.Refuse(ctx, identity.ErrExpired))
		}
		return err
	}
}

// WrapStreamingClient leaves clients alone.
func (a *auth) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// admit authenticates the call and asks the procedure's rule.
func (a *auth) admit(ctx context.Context, procedure string, header http.Header) (context.Context, *identity.Error) {
	rule, ok := a.rules[procedure]
	if !ok {
		return nil, a.verifier.Refuse(ctx, &identity.Error{
			Status: http.StatusForbidden, Reason: "procedure_without_rule", Description: "Nobody may call this procedure.",
		})
	}
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: procedure}, Header: header}
	ctx, err := a.verifier.Admit(r.WithContext(ctx))
	if err == nil {
		err = rule.Check(ctx)
	}
	if err != nil {
		refusal, _ := identity.AsError(err) // they return no other
		return nil, refusal
	}
	return ctx, nil
}

// errorOf is the refusal as a client of Connect sees it: a code, the sentence for clients, the challenge (a header of the answer, or
// of the end of a stream), and when to come back.
func errorOf(e *identity.Error) error {
	code := connect.CodeInternal
	switch e.StatusCode() {
	case http.StatusBadRequest, http.StatusUnauthorized:
		code = connect.CodeUnauthenticated
	case http.StatusForbidden:
		code = connect.CodePermissionDenied
	case http.StatusTooManyRequests:
		code = connect.CodeResourceExhausted
	case http.StatusServiceUnavailable:
		code = connect.CodeUnavailable
	}
	answer := connect.NewError(code, errors.New(e.Description)) // not e: its text is for the log
	for name, values := range e.Header() {
		answer.Meta()[name] = values
	}
	if e.RetryAfter > 0 {
		if detail, err := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			answer.AddDetail(detail)
		}
	}
	return answer
}
