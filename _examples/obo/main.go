// Obo is an API that calls another one on behalf of its users: it trades the caller's token in for one of its own for the downstream
// API (OAuth 2.0 on-behalf-of, by MSAL Go), and passes a claims challenge on to its caller. It ends with 0 only if every answer is the
// expected one. Everything happens in memory; no network, no account.
//
//	go run .
//
// gateway.go and refusals.go are what a server of yours would have.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("obo: ", err)
	}
}

const (
	capable = `{"access_token":{"xms_cc":{"values":["cp1"]}}}` // what MSAL sends for a client with the capability CP1
	both    = `{"access_token":{"xms_cc":{"values":["cp1"]},"acrs":{"essential":true,"value":"c1"}}}`
)

// show makes the calls and prints what comes of them.
func show(out io.Writer) error {
	w, err := newWorld(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	tokens, err := w.tokens()
	if err != nil {
		return err
	}
	wrong := 0
	for _, row := range rows {
		got, err := w.try(row, tokens[row.who])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-14s %-9s %d %-19s exchanges: %d\n    %s\n", row.who, row.path, got.status, http.StatusText(got.status), got.exchanges, got.text)
		if got.status != row.status || got.exchanges != row.exchanges || !strings.Contains(got.text, row.contains) {
			fmt.Fprintf(out, "    WRONG, want %d, exchanges: %d, %s\n", row.status, row.exchanges, row.contains)
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintln(out, "every answer as expected")
	return nil
}

// tokens are those of the callers, by who they are.
func (w *world) tokens() (map[string]string, error) {
	daemon := w.idp.Tenant(mockidp.Contoso).Token(mockidp.Audience(mockidp.MiddleTier), mockidp.AppOnly("Jobs.Run.All"))
	tokens := map[string]string{"a daemon": daemon}
	for name, user := range map[string]struct{ tenant, login, claims string }{
		"jo":            {mockidp.Contoso, "jo@contoso.example", capable},
		"kim":           {mockidp.Fabrikam, "kim@fabrikam.example", ""},
		"jo stepped up": {mockidp.Contoso, "jo@contoso.example", both},
	} {
		token, err := w.signIn(user.tenant, user.login, user.claims)
		if err != nil {
			return nil, err
		}
		tokens[name] = token
	}
	return tokens, nil
}

// row is a call of the demonstration, and what must come of it.
type row struct {
	who, path string
	broken    int32 // what the downstream API answers with; 0: it works
	status    int
	exchanges int    // requests to the token endpoint
	contains  string // in the answer, or the claims of the challenge
}

var rows = []row{
	{"jo", "/orders", 0, 200, 1, mockidp.Contoso + "." + mockidp.User},
	{"jo", "/orders", 0, 200, 0, mockidp.Contoso + "." + mockidp.User}, // from the cache
	{"kim", "/orders", 0, 200, 1, mockidp.Fabrikam + "." + mockidp.FabrikamUser},
	{"kim", "/orders", 0, 200, 0, mockidp.Fabrikam + "." + mockidp.FabrikamUser},
	{"jo", "/payroll", 0, 401, 0, `"acrs"`},         // with the challenge of the downstream API
	{"kim", "/payroll", 0, 403, 0, "uthentication"}, // whose client does not understand it
	{"jo stepped up", "/payroll", 0, 200, 2, mockidp.Contoso + "." + mockidp.User},
	{"jo", "/jobs", 0, 403, 0, "may not do that"},
	{"jo", "/orders", 503, 503, 0, "cannot be reached"},
	{"a daemon", "/orders", 0, 403, 0, "scope"},
}

// outcome is what came of a row.
type outcome struct {
	status, exchanges int
	text              string
}

func (w *world) try(r row, token string) (outcome, error) {
	before := w.idp.Count(mockidp.TokenEndpoint)
	w.broken.Store(r.broken)
	resp := w.call(r.path, token)
	var answer struct{ User, Message string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return outcome{}, err
	}
	text := cmp.Or(answer.User, answer.Message)
	if claims := identity.ClaimsChallenge(resp); claims != "" {
		text = "claims " + claims
	}
	return outcome{resp.StatusCode, w.idp.Count(mockidp.TokenEndpoint) - before, text}, nil
}
