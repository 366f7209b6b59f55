// Websocket guards a WebSocket: tokens in Sec-WebSocket-Protocol, or in a cookie; refused before the upgrade; closed when the token
// expires, unless the client renews in band. It ends with 0 only if every answer is the expected one. Everything happens in memory.
//
//	go run ./websocket
//
// server.go and socket.go are what a server of yours would have.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("websocket: ", err)
	}
}

// row is an attempt of the demonstration, and what must come of it.
type row struct {
	what    string
	attempt attempt
	status  int
	orders  int    // at least
	reason  string // with which the server closes; empty: it does not
}

// refused get an answer of HTTP, and no connection.
func refused(contoso *mockidp.TenantHandle) []row {
	good := contoso.Token(mockidp.Scopes("Orders.Read"))
	expired := contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(-time.Hour))
	write := contoso.Token(mockidp.Scopes("Orders.Write"))
	return []row{
		{"no token", attempt{}, 401, 0, ""},
		{"an expired token", attempt{token: expired}, 401, 0, ""},
		{"two tokens", attempt{token: good + ", " + prefix + good}, 400, 0, ""},
		{"another scope", attempt{token: write}, 403, 0, ""},
		{"a cookie, from a page of another site", attempt{cookie: good, origin: "https://attacker.example"}, 403, 0, ""},
	}
}

// accepted are connected.
func accepted(contoso *mockidp.TenantHandle) []row {
	good := contoso.Token(mockidp.Scopes("Orders.Read"))
	return []row{
		{"a good token, one order", attempt{token: good, enough: 1}, 101, 1, ""},
		{"a cookie, from a page of this site", attempt{cookie: good, origin: "https://" + host, enough: 1}, 101, 1, ""},
	}
}

// renewed are connected, and send another token.
func renewed(contoso *mockidp.TenantHandle) []row {
	read := mockidp.Scopes("Orders.Read")
	good, expired := contoso.Token(read), contoso.Token(read, mockidp.ExpiresIn(-time.Hour))
	another := contoso.Token(read, mockidp.ObjectID(mockidp.GuestUser))
	write := contoso.Token(mockidp.Scopes("Orders.Write"))
	return []row{
		{"renewed with an expired token", attempt{token: good, renew: expired}, 101, 0, "The access token has expired."},
		{"renewed with another user's token", attempt{token: good, renew: another}, 101, 0, "the token is another user's"},
		{"renewed with a token of another scope", attempt{token: good, renew: write}, 101, 0, "The access token lacks a required scope."},
	}
}

// brief and prolonged have tokens that live for seconds.
func brief(contoso *mockidp.TenantHandle) []row {
	token := contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(3*time.Second))
	return []row{{"a token for three seconds", attempt{token: token}, 101, 1, "the token has expired"}}
}

func prolonged(contoso *mockidp.TenantHandle) []row {
	token := contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(3*time.Second))
	renew := contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(5*time.Second))
	return []row{{"the same, renewed with one for five", attempt{token: token, renew: renew}, 101, 3, "the token has expired"}}
}

// check finds what is wrong with the outcome.
func (r row) check(o outcome) error {
	switch {
	case o.status != r.status:
		return fmt.Errorf("want status %d", r.status)
	case o.orders < r.orders || o.reason != r.reason:
		return fmt.Errorf("want %d orders or more, closed with %q", r.orders, r.reason)
	case (o.reason != "") != (o.code == websocket.StatusPolicyViolation):
		return fmt.Errorf("want close code %d with a reason", websocket.StatusPolicyViolation)
	case o.status == http.StatusSwitchingProtocols && o.protocol != protocol:
		return fmt.Errorf("want subprotocol %s", protocol)
	case strings.Contains(fmt.Sprint(o.header, o.reason), signature(r.attempt.token)):
		return errors.New("the token came back")
	}
	return nil
}

// signature is the end of a token, enough to find it again.
func signature(token string) string {
	if token == "" {
		return "no token"
	}
	return token[len(token)-16:]
}

// show makes the attempts and prints what comes of them. Tokens are made when their turn comes.
func show(out io.Writer) error {
	idp := mockidp.New()
	handler, err := newHandler(idp.Client())
	if err != nil {
		return err
	}
	client, stop := serve(handler)
	defer stop()
	count, wrong := 0, 0
	for _, rows := range []func(*mockidp.TenantHandle) []row{refused, accepted, renewed, brief, prolonged} {
		for _, r := range rows(idp.Tenant(mockidp.Contoso)) {
			o, err := r.attempt.run(context.Background(), client)
			if err != nil {
				return fmt.Errorf("%s: %w", r.what, err)
			}
			fmt.Fprintf(out, "%-38s %s\n", r.what, o)
			if err := r.check(o); err != nil {
				fmt.Fprintf(out, "    WRONG: %v\n", err)
				wrong++
			}
			count++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintf(out, "%d clients, every answer as expected\n", count)
	return nil
}

// String is the outcome for people.
func (o outcome) String() string {
	text := fmt.Sprint(o.status, " ", http.StatusText(o.status))
	switch challenge := o.header.Get("WWW-Authenticate"); {
	case challenge != "":
		text += "\n" + wrap("WWW-Authenticate: "+challenge)
	case o.code != 0:
		text += fmt.Sprintf("\n    orders: %d; closed within %.0f s: %d %s", o.orders, math.Ceil(o.lasted.Seconds()), o.code, o.reason)
	case o.status == http.StatusSwitchingProtocols:
		text += fmt.Sprintf("\n    orders: %d; then the client leaves", o.orders)
	}
	return text
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
