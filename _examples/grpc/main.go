// Grpc guards a gRPC service, unary calls and streams, and shows what its callers get. It ends with 0 only if every answer is the
// expected one. Everything happens in memory; no network, no account.
//
//	go run .
//
// auth.go and server.go are what a server of yours would have.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/echo-identity/identity/mockidp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("grpc: ", err)
	}
}

// row is a call of the demonstration, and what must come of it.
type row struct {
	what          string
	method        string
	authorization []string // values of the metadata
	enough        int      // messages after which the client leaves a stream
	want          codes.Code
}

func rows(idp *mockidp.Server) []row {
	contoso, read := idp.Tenant(mockidp.Contoso), mockidp.Scopes("Orders.Read")
	bearer := func(token string) []string { return []string{"Bearer " + token} }
	good := bearer(contoso.Token(read))
	expired := bearer(contoso.Token(read, mockidp.ExpiresIn(-time.Hour)))
	stranger := bearer(idp.Tenant(mockidp.Fabrikam).Token(read))
	write := bearer(contoso.Token(mockidp.Scopes("Orders.Write")))
	watcher := bearer(contoso.Token(read, mockidp.Roles("Watcher")))
	return []row{
		{"List: a user with the scope", list, good, 0, codes.OK},
		{"List: no token", list, nil, 0, codes.Unauthenticated},
		{"List: an expired token", list, expired, 0, codes.Unauthenticated},
		{"List: a tenant that is not trusted", list, stranger, 0, codes.Unauthenticated},
		{"List: two values of authorization", list, append(good, good...), 0, codes.Unauthenticated},
		{"List: another scope", list, write, 0, codes.PermissionDenied},
		{"Forgotten: a method without a rule", forgotten, good, 0, codes.PermissionDenied},
		{"Watch (stream): a watcher, three orders", watch, watcher, 3, codes.OK},
		{"Watch (stream): no watcher", watch, good, 3, codes.PermissionDenied},
	}
}

// lastRow has a token that lives for two seconds, so that it is made when its turn comes.
func lastRow(idp *mockidp.Server) row {
	brief := idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Watcher"), mockidp.ExpiresIn(2*time.Second))
	return row{"Watch (stream): until the token expires", watch, []string{"Bearer " + brief}, 100, codes.Unauthenticated}
}

// show makes the calls and prints what comes of them.
func show(out io.Writer) error {
	idp := mockidp.New()
	server, err := newServer(idp.Client())
	if err != nil {
		return err
	}
	conn, stop, err := serve(server)
	if err != nil {
		return err
	}
	defer stop()
	calls, wrong := 0, 0
	try := func(r row) {
		calls++
		if !r.try(conn, out) {
			wrong++
		}
	}
	for _, r := range rows(idp) {
		try(r)
	}
	try(lastRow(idp))
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(out, "%d calls, every answer as expected\n", calls)
	return nil
}

// try makes the call, prints what comes of it, and reports whether that is what must come of it.
func (r row) try(conn *grpc.ClientConn, out io.Writer) (right bool) {
	var trailer metadata.MD
	var text string
	var err error
	if r.method == watch {
		var n int
		n, err = follow(context.Background(), conn, &trailer, r.enough, r.authorization[0])
		text = fmt.Sprintf("%d orders", n)
	} else {
		text, err = call(context.Background(), conn, r.method, &trailer, r.authorization...)
	}
	got := status.Convert(err)
	if err != nil {
		text = got.Message()
	}
	note := ""
	if got.Code() != r.want {
		note = fmt.Sprintf("  WRONG, want %s", r.want)
	}
	fmt.Fprintf(out, "%-41s %s%s\n    %s\n", r.what, got.Code(), note, text)
	if challenge := trailer.Get("www-authenticate"); len(challenge) > 0 && r.want == codes.PermissionDenied {
		fmt.Fprintf(out, "%s\n", wrap("www-authenticate: "+challenge[0]))
	}
	return note == ""
}

// wrap breaks a text at spaces into lines that fit a terminal.
func wrap(text string) string {
	var lines []string
	line := "   "
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			lines = append(lines, line)
			line = "     "
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}
