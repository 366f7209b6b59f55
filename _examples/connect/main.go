// Connect guards a Connect service, unary calls and streams, and shows what its callers get. It ends with 0 only if every answer is
// the expected one. Everything happens in memory; no network, no account.
//
//	go run .
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("connect: ", err)
	}
}

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

// newHandler is the server that the example is about.
func newHandler(idp *mockidp.Server) (http.Handler, error) {
	verifier, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Name: "contoso"}),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},           // in production, leave this out,
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // and this
		Resource: identity.Resource{URL: "https://orders.example", Name: "Orders"},
	})
	if err != nil {
		return nil, err
	}
	options := connect.WithHandlerOptions(connect.WithReadMaxBytes(1<<20), connect.WithInterceptors(&auth{verifier, map[string]identity.Rule{
		list:  identity.AllScopes("Orders.Read"),
		watch: identity.AllOf(identity.AllScopes("Orders.Read"), identity.AnyRole("Watcher")),
	}}))
	mux := http.NewServeMux()
	mux.Handle(verifier.ResourceMetadata()) // where the challenges send clients
	mux.Handle(list, connect.NewUnaryHandler(list, listOrders, options))
	mux.Handle(watch, connect.NewServerStreamHandler(watch, watchOrders, options))
	mux.Handle(forgotten, connect.NewUnaryHandler(forgotten, listOrders, options))
	return mux, nil
}

// memory is a listener whose connections are pipes. In production a token travels over TLS only.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	close(m.closed)
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve serves in memory, and returns a client of it.
func serve(handler http.Handler) (client *http.Client, stop func()) {
	listener := &memory{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with Close
	}()
	transport := &http.Transport{DialContext: listener.dial}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		server.Close()
		<-done
	}
}

const address = "http://orders.example"

// request is a request with these Authorization headers.
func request(authorization []string) *connect.Request[empty] {
	req := connect.NewRequest(new(empty))
	for _, value := range authorization {
		req.Header().Add("Authorization", value)
	}
	return req
}

// call makes a unary call.
func call(ctx context.Context, client *http.Client, procedure string, authorization ...string) (string, error) {
	res, err := connect.NewClient[empty, order](client, address+procedure).CallUnary(ctx, request(authorization))
	if err != nil {
		return "", err
	}
	return res.Msg.Value, nil
}

// follow reads a stream until it ends, or until enough messages have come.
func follow(ctx context.Context, client *http.Client, enough int, authorization ...string) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := connect.NewClient[empty, order](client, address+watch).CallServerStream(ctx, request(authorization))
	if err != nil {
		return 0, err
	}
	defer func() {
		cancel()
		stream.Close() // the cancellation is all that it can tell
	}()
	for n < enough {
		if !stream.Receive() {
			return n, stream.Err()
		}
		n++
	}
	return n, nil
}

// codeOf is the code of a call's error, 0 for none.
func codeOf(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

func nameOf(code connect.Code) string {
	if code == 0 {
		return "ok"
	}
	return code.String()
}

// show makes the calls and prints what comes of them.
func show(w io.Writer) error {
	idp := mockidp.New()
	handler, err := newHandler(idp)
	if err != nil {
		return err
	}
	client, stop := serve(handler)
	defer stop()
	contoso := idp.Tenant(mockidp.Contoso)
	read := mockidp.Scopes("Orders.Read")
	good := "Bearer " + contoso.Token(read)
	rows := []struct {
		what      string
		procedure string
		values    []string
		want      connect.Code
	}{
		{"List: a user with the scope", list, []string{good}, 0},
		{"List: no token", list, nil, connect.CodeUnauthenticated},
		{"List: an expired token", list, []string{"Bearer " + contoso.Token(read, mockidp.ExpiresIn(-time.Hour))}, connect.CodeUnauthenticated},
		{"List: a tenant that is not trusted", list, []string{"Bearer " + idp.Tenant(mockidp.Fabrikam).Token(read)}, connect.CodeUnauthenticated},
		{"List: two Authorization headers", list, []string{good, good}, connect.CodeUnauthenticated},
		{"List: another scope", list, []string{"Bearer " + contoso.Token(mockidp.Scopes("Orders.Write"))}, connect.CodePermissionDenied},
		{"Forgotten: a procedure without a rule", forgotten, []string{good}, connect.CodePermissionDenied},
		{"Watch (stream): a watcher, three orders", watch, []string{"Bearer " + contoso.Token(read, mockidp.Roles("Watcher"))}, 0},
		{"Watch (stream): no watcher", watch, []string{good}, connect.CodePermissionDenied},
		{"Watch (stream): until the token expires", watch, []string{"Bearer " + contoso.Token(read, mockidp.Roles("Watcher"), mockidp.ExpiresIn(2*time.Second))}, connect.CodeUnauthenticated},
	}
	wrong := 0
	for _, row := range rows {
		var text string
		var err error
		if row.procedure == watch {
			enough := 3
			if row.want == connect.CodeUnauthenticated {
				enough = 100
			}
			var n int
			n, err = follow(context.Background(), client, enough, row.values...)
			text = fmt.Sprintf("%d orders", n)
		} else {
			text, err = call(context.Background(), client, row.procedure, row.values...)
		}
		own := new(connect.Error)
		if errors.As(err, &own) {
			text = own.Message()
		}
		note := ""
		if codeOf(err) != row.want {
			note = fmt.Sprintf("  WRONG, want %s", nameOf(row.want))
			wrong++
		}
		fmt.Fprintf(w, "%-41s %-17s %s%s\n", row.what, nameOf(codeOf(err)), text, note)
		if challenge := own.Meta().Get("WWW-Authenticate"); challenge != "" && row.want == connect.CodePermissionDenied {
			fmt.Fprintf(w, "    WWW-Authenticate: %s\n", challenge)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(w, "%d calls, every answer as expected\n", len(rows))
	return nil
}
