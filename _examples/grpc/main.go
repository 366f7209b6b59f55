// Grpc guards a gRPC service, unary calls and streams, and shows what its callers get. It ends with 0 only if every answer is the
// expected one. Everything happens in memory; no network, no account.
//
//	go run .
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("grpc: ", err)
	}
}

// newServer is the server that the example is about.
func newServer(idp *mockidp.Server) (*grpc.Server, error) {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},                    // in production, leave this out,
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)},          // and this
		Resource: identity.Resource{URL: "https://orders.example", Name: "Orders"}, // its document belongs on an HTTP server: ResourceMetadata
	})
	if err != nil {
		return nil, err
	}
	a := &auth{verifier, map[string]identity.Rule{
		list:  identity.AllScopes("Orders.Read"),
		watch: identity.AllOf(identity.AllScopes("Orders.Read"), identity.AnyRole("Watcher")),
	}}
	server := grpc.NewServer(grpc.UnaryInterceptor(a.unary), grpc.StreamInterceptor(a.stream))
	server.RegisterService(&description, orders{})
	return server, nil
}

// connect serves in memory. In production a token travels over TLS only.
func connect(server *grpc.Server) (conn *grpc.ClientConn, stop func(), err error) {
	listener := bufconn.Listen(1 << 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with Stop
	}()
	conn, err = grpc.NewClient("passthrough:orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	stop = func() {
		if conn != nil {
			conn.Close()
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
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil && err != io.EOF { // EOF: RecvMsg says why
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

// show makes the calls and prints what comes of them.
func show(w io.Writer) error {
	idp := mockidp.New()
	server, err := newServer(idp)
	if err != nil {
		return err
	}
	conn, stop, err := connect(server)
	if err != nil {
		return err
	}
	defer stop()
	contoso := idp.Tenant(mockidp.Contoso)
	read := mockidp.Scopes("Orders.Read")
	good := "Bearer " + contoso.Token(read)
	rows := []struct {
		what   string
		method string
		values []string
		want   codes.Code
	}{
		{"List: a user with the scope", list, []string{good}, codes.OK},
		{"List: no token", list, nil, codes.Unauthenticated},
		{"List: an expired token", list, []string{"Bearer " + contoso.Token(read, mockidp.ExpiresIn(-time.Hour))}, codes.Unauthenticated},
		{"List: a tenant that is not trusted", list, []string{"Bearer " + idp.Tenant(mockidp.Fabrikam).Token(read)}, codes.Unauthenticated},
		{"List: two values of authorization", list, []string{good, good}, codes.Unauthenticated},
		{"List: another scope", list, []string{"Bearer " + contoso.Token(mockidp.Scopes("Orders.Write"))}, codes.PermissionDenied},
		{"Forgotten: a method without a rule", forgotten, []string{good}, codes.PermissionDenied},
		{"Watch (stream): a watcher, three orders", watch, []string{"Bearer " + contoso.Token(read, mockidp.Roles("Watcher"))}, codes.OK},
		{"Watch (stream): no watcher", watch, []string{good}, codes.PermissionDenied},
		{"Watch (stream): until the token expires", watch, []string{"Bearer " + contoso.Token(read, mockidp.Roles("Watcher"), mockidp.ExpiresIn(2*time.Second))}, codes.Unauthenticated},
	}
	wrong := 0
	for _, row := range rows {
		var trailer metadata.MD
		var text string
		var err error
		if row.method == watch {
			enough := 3
			if row.want == codes.Unauthenticated {
				enough = 100
			}
			var n int
			n, err = follow(context.Background(), conn, &trailer, enough, row.values[0])
			text = fmt.Sprintf("%d orders", n)
		} else {
			text, err = call(context.Background(), conn, row.method, &trailer, row.values...)
		}
		s := status.Convert(err)
		if err != nil {
			text = s.Message()
		}
		note := ""
		if s.Code() != row.want {
			note = fmt.Sprintf("  WRONG, want %s", row.want)
			wrong++
		}
		fmt.Fprintf(w, "%-41s %-16s %s%s\n", row.what, s.Code(), text, note)
		if challenge := trailer.Get("www-authenticate"); len(challenge) > 0 && row.want == codes.PermissionDenied {
			fmt.Fprintf(w, "    www-authenticate: %s\n", challenge[0])
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(w, "%d calls, every answer as expected\n", len(rows))
	return nil
}
