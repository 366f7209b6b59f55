// Connect guards a Connect service, unary calls and streams, and shows what its callers get. It ends with 0 only if every answer is
// the expected one. Everything happens in memory; no network, no account.
//
//	go run .
//
// auth.go and server.go are what a server of yours would have.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("connect: ", err)
	}
}

// row is a call of the demonstration, and what must come of it.
type row struct {
	what          string
	procedure     string
	authorization []string // values of the header
	enough        int      // messages after which the client leaves a stream
	want          connect.Code
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
		{"List: a user with the scope", list, good, 0, 0},
		{"List: no token", list, nil, 0, connect.CodeUnauthenticated},
		{"List: an expired token", list, expired, 0, connect.CodeUnauthenticated},
		{"List: a tenant that is not trusted", list, stranger, 0, connect.CodeUnauthenticated},
		{"List: two Authorization headers", list, append(good, good...), 0, connect.CodeUnauthenticated},
		{"List: another scope", list, write, 0, connect.CodePermissionDenied},
		{"Forgotten: a procedure without a rule", forgotten, good, 0, connect.CodePermissionDenied},
		{"Watch (stream): a watcher, three orders", watch, watcher, 3, 0},
		{"Watch (stream): no watcher", watch, good, 3, connect.CodePermissionDenied},
	}
}

// lastRow has a token that lives for two seconds, so that it is made when its turn comes.
func lastRow(idp *mockidp.Server) row {
	brief := idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read"), mockidp.Roles("Watcher"), mockidp.ExpiresIn(2*time.Second))
	return row{"Watch (stream): until the token expires", watch, []string{"Bearer " + brief}, 100, connect.CodeUnauthenticated}
}

// show makes the calls and prints what comes of them.
func show(out io.Writer) error {
	idp := mockidp.New()
	handler, err := newHandler(idp.Client())
	if err != nil {
		return err
	}
	client, stop := serve(handler)
	defer stop()
	calls, wrong := 0, 0
	try := func(r row) {
		calls++
		if !r.try(client, out) {
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
func (r row) try(client *http.Client, out io.Writer) (right bool) {
	var text string
	var err error
	if r.procedure == watch {
		var n int
		n, err = follow(context.Background(), client, r.enough, r.authorization...)
		text = fmt.Sprintf("%d orders", n)
	} else {
		text, err = call(context.Background(), client, r.procedure, r.authorization...)
	}
	note := ""
	if codeOf(err) != r.want {
		note = fmt.Sprintf("  WRONG, want %s", nameOf(r.want))
	}
	fmt.Fprintf(out, "%-41s %s%s\n", r.what, nameOf(codeOf(err)), note)
	var refusal *connect.Error
	if !errors.As(err, &refusal) {
		fmt.Fprintf(out, "    %s\n", text)
		return note == ""
	}
	fmt.Fprintf(out, "    %s\n", refusal.Message())
	if challenge := refusal.Meta().Get("WWW-Authenticate"); challenge != "" && r.want == connect.CodePermissionDenied {
		fmt.Fprintf(out, "%s\n", wrap("WWW-Authenticate: "+challenge))
	}
	return note == ""
}

func nameOf(code connect.Code) string {
	if code == 0 {
		return "ok"
	}
	return code.String()
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
