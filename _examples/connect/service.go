package main

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The service, made by hand so that the example needs no generator. In a .proto file it would be
//
//	package orders.v1;
//	service OrdersService {
//	  rpc List(google.protobuf.Empty) returns (google.protobuf.StringValue);
//	  rpc Watch(google.protobuf.Empty) returns (stream google.protobuf.StringValue);
//	  rpc Forgotten(google.protobuf.Empty) returns (google.protobuf.StringValue);
//	}
const (
	list      = "/orders.v1.OrdersService/List"
	watch     = "/orders.v1.OrdersService/Watch"
	forgotten = "/orders.v1.OrdersService/Forgotten" // nobody wrote a rule for it
)

type (
	empty = emptypb.Empty
	order = wrapperspb.StringValue
)

func listOrders(ctx context.Context, _ *connect.Request[empty]) (*connect.Response[order], error) {
	p, _ := identity.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String("orders of " + p.Tenant().Name)), nil
}

// watchOrders sends an order each second, for as long as its caller may see them.
func watchOrders(ctx context.Context, _ *connect.Request[empty], stream *connect.ServerStream[order]) error {
	for n := 1; ; n++ {
		if err := stream.Send(wrapperspb.String(fmt.Sprintf("order %d", n))); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
