// Obo is an API that calls another one on behalf of its users: it trades the caller's token in for one of its own for the API behind
// (OAuth 2.0 on-behalf-of, by MSAL Go), and passes a claims challenge on to its caller. It ends with 0 only if every answer is the expected
// one. Everything happens in memory; no network, no account.
//
//	go run .
package main

import (
	"fmt"
	"io"
	"log"
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
	w, err := newWorld()
	if err != nil {
		return err
	}
	tokens := make(map[string]string)
	for name, who := range map[string][3]string{
		"jo":            {mockidp.Contoso, "jo@contoso.example", capable},
		"kim":           {mockidp.Fabrikam, "kim@fabrikam.example", ""},
		"jo stepped up": {mockidp.Contoso, "jo@contoso.example", both},
	} {
		if tokens[name], err = w.signIn(who[0], who[1], who[2]); err != nil {
			return err
		}
	}
	tokens["a daemon"] = w.idp.Tenant(mockidp.Contoso).Token(mockidp.Audience(mockidp.MiddleTier), mockidp.AppOnly("Jobs.Run.All"))
	wrong := 0
	for _, row := range []struct {
		who, path string
		broken    int32 // what the API behind answers with
		status    int
		exchanges int    // requests to the token endpoint
		contains  string // in the body, or the claims of the challenge
	}{
		{"jo", "/orders", 0, 200, 1, mockidp.Contoso + "." + mockidp.User},
		{"jo", "/orders", 0, 200, 0, mockidp.Contoso + "." + mockidp.User}, // from the cache
		{"kim", "/orders", 0, 200, 1, mockidp.Fabrikam + "." + mockidp.FabrikamUser},
		{"kim", "/orders", 0, 200, 0, mockidp.Fabrikam + "." + mockidp.FabrikamUser},
		{"jo", "/payroll", 0, 401, 0, `"acrs"`},   // with the challenge of the API behind
		{"kim", "/payroll", 0, 403, 0, "message"}, // whose client does not understand it
		{"jo stepped up", "/payroll", 0, 200, 2, mockidp.Contoso + "." + mockidp.User},
		{"jo", "/jobs", 0, 403, 0, "may not do that"},
		{"jo", "/orders", 503, 503, 0, "cannot be reached"},
		{"a daemon", "/orders", 0, 403, 0, "scope"},
	} {
		before := w.idp.Count(mockidp.TokenEndpoint)
		w.broken.Store(row.broken)
		resp := w.call(row.path, tokens[row.who])
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		text := strings.TrimSpace(string(body))
		exchanges := w.idp.Count(mockidp.TokenEndpoint) - before
		if claims := identity.ClaimsChallenge(resp); claims != "" {
			text = "claims " + claims
		}
		note := ""
		if resp.StatusCode != row.status || exchanges != row.exchanges || !strings.Contains(text, row.contains) {
			note = fmt.Sprintf("  WRONG, want %d, %d exchanges, %s", row.status, row.exchanges, row.contains)
			wrong++
		}
		fmt.Fprintf(out, "%-14s %-9s %d %-19s %d exchanges%s\n    %s\n", row.who, row.path, resp.StatusCode, http.StatusText(resp.StatusCode), exchanges, note, text)
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	fmt.Fprintln(out, "every answer as expected")
	return nil
}
