package main

import (
	"context"
	"fmt"
	"time"

	"github.com/echo-identity/identity"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The service, described by hand so that the example needs no generator. In a .proto file it would be
//
//	package orders.v1;
//	service Orders {
//	  rpc List(google.protobuf.Empty) returns (google.protobuf.StringValue);
//	  rpc Watch(google.protobuf.Empty) returns (stream google.protobuf.StringValue);
//	  rpc Forgotten(google.protobuf.Empty) returns (google.protobuf.StringValue);
//	}
const (
	service   = "orders.v1.Orders"
	list      = "/" + service + "/List"
	watch     = "/" + service + "/Watch"
	forgotten = "/" + service + "/Forgotten" // nobody wrote a rule for it
)

// orders is the service. It asks for the caller as any handler does.
type orders struct{}

func (orders) list(ctx context.Context, _ *emptypb.Empty) (*wrapperspb.StringValue, error) {
	p, _ := identity.FromContext(ctx)
	return wrapperspb.String("orders of " + p.Tenant().Name), nil
}

// watch sends an order each second, for as long as its caller may see them.
func (orders) watch(ss grpc.ServerStream) error {
	for n := 1; ; n++ {
		if err := ss.SendMsg(wrapperspb.String(fmt.Sprintf("order %d", n))); err != nil {
			return err
		}
		select {
		case <-ss.Context().Done():
			return ss.Context().Err()
		case <-time.After(time.Second):
		}
	}
}

var description = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "List", Handler: unaryHandler(list)},
		{MethodName: "Forgotten", Handler: unaryHandler(forgotten)},
	},
	Streams: []grpc.StreamDesc{{
		StreamName: "Watch", ServerStreams: true,
		Handler: func(srv any, ss grpc.ServerStream) error {
			if err := ss.RecvMsg(new(emptypb.Empty)); err != nil {
				return err
			}
			return srv.(orders).watch(ss)
		},
	}},
}

// unaryHandler is what a generator writes for a method.
func unaryHandler(method string) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(emptypb.Empty)
		if err := decode(in); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, req any) (any, error) { return srv.(orders).list(ctx, req.(*emptypb.Empty)) }
		if interceptor == nil {
			return handler(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, handler)
	}
}
