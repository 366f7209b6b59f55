package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/echo-identity/identity"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// auth are the interceptors: what a server of yours needs, to be taken as it stands. gRPC has decoded the message of a unary call when
// they run: [grpc.MaxRecvMsgSize] bounds it, 4 MiB without it.
type auth struct {
	verifier *identity.Verifier
	// rules are by full method name. A method that has none is refused: a new one cannot be left open by oversight.
	rules map[string]identity.Rule
}

// unary is a [grpc.UnaryServerInterceptor].
func (a *auth) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, refusal := a.admit(ctx, info.FullMethod)
	if refusal != nil {
		grpc.SetTrailer(ctx, trailer(refusal))
		return nil, statusOf(refusal)
	}
	return handler(ctx, req)
}

// stream is a [grpc.StreamServerInterceptor]. A stream ends when the token of its caller does; one
// whose tenant is removed meanwhile lasts until then.
func (a *auth) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, refusal := a.admit(ss.Context(), info.FullMethod)
	if refusal != nil {
		ss.SetTrailer(trailer(refusal))
		return statusOf(refusal)
	}
	if p, ok := identity.FromContext(ctx); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, p.ExpiresAt, identity.ErrExpired)
		defer cancel()
	}
	err := handler(srv, &serverStream{ss, ctx})
	if errors.Is(context.Cause(ctx), identity.ErrExpired) {
		refusal := a.verifier.Refuse(ctx, identity.ErrExpired)
		ss.SetTrailer(trailer(refusal))
		return statusOf(refusal)
	}
	return err
}

type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// admit authenticates the call and asks the method's rule. gRPC's metadata are header fields by another name, so the rules about
// them are those of HTTP: exactly one value, Bearer and one token. It returns a context with a refusal, too, for the trailer.
func (a *auth) admit(ctx context.Context, method string) (context.Context, *identity.Error) {
	rule, ok := a.rules[method]
	if !ok {
		return ctx, a.verifier.Refuse(ctx, &identity.Error{
			Status: http.StatusForbidden, Reason: "method_without_rule", Description: "Nobody may call this method.",
		})
	}
	md, _ := metadata.FromIncomingContext(ctx)
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, Header: http.Header{"Authorization": md.Get("authorization")}}
	admitted, err := a.verifier.Admit(r.WithContext(ctx))
	if err == nil {
		err = rule.Check(admitted)
	}
	if err != nil {
		refusal, _ := identity.AsError(err) // they return no other
		return ctx, refusal
	}
	return admitted, nil
}

// statusOf is the refusal as a client of gRPC sees it: a code, the sentence for clients, and when to come back.
func statusOf(e *identity.Error) error {
	code := codes.Internal
	switch e.StatusCode() {
	case http.StatusBadRequest, http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusForbidden:
		code = codes.PermissionDenied
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	s := status.New(code, e.Description)
	if e.RetryAfter > 0 {
		if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			s = detailed
		}
	}
	return s.Err()
}

// trailer holds the challenge: the scope to ask for, the claims of a step-up, the address of the resource metadata.
func trailer(e *identity.Error) metadata.MD {
	if challenge := e.Header().Get("WWW-Authenticate"); challenge != "" {
		return metadata.Pairs("www-authenticate", challenge)
	}
	return nil
}
