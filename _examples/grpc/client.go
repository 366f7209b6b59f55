package main

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// serve serves in memory, and returns a client of it. In production a token travels over TLS only.
func serve(server *grpc.Server) (conn *grpc.ClientConn, stop func(), err error) {
	listener := bufconn.Listen(1 << 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // nil, after Stop
	}()
	conn, err = grpc.NewClient("passthrough:orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	stop = func() {
		if conn != nil {
			_ = conn.Close()
		}
		server.Stop()
		<-done
	}
	return conn, stop, err
}

// call makes a unary call with these values of authorization.
func call(ctx context.Context, conn *grpc.ClientConn, method string, trailer *metadata.MD, authorization ...string) (string, error) {
	for _, value := range authorization {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	out := new(wrapperspb.StringValue)
	err := conn.Invoke(ctx, method, new(emptypb.Empty), out, grpc.Trailer(trailer))
	return out.Value, err
}

// follow reads a stream until it ends, or until enough messages have come.
func follow(ctx context.Context, conn *grpc.ClientConn, trailer *metadata.MD, enough int, authorization string) (n int, err error) {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "authorization", authorization))
	defer cancel()
	stream, err := conn.NewStream(ctx, &description.Streams[0], watch)
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil && !errors.Is(err, io.EOF) { // EOF: RecvMsg says why
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	for n < enough {
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			*trailer = stream.Trailer()
			return n, err
		}
		n++
	}
	return n, nil
}
