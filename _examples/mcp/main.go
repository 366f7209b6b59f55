// Mcp guards an MCP server, and signs in to it with a client that knows nothing but its address: the 401 names the metadata (RFC 9728),
// they name the authority, and a token is got there by authorization code with PKCE. It ends with 0 only if every answer is the expected
// one. Microsoft is mockidp, in memory; the server listens on the loopback interface; no other network, no account.
//
//	go run .
//
// server.go is what a server of yours would have, client.go what a client.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/echo-identity/identity/mockidp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if err := show(os.Stdout); err != nil {
		log.Fatal("mcp: ", err)
	}
}

// show makes the calls and prints what comes of them.
func show(out io.Writer) error {
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.stop()
	s := &story{w: w, out: out}
	ctx := context.Background()
	if err := s.refusals(ctx); err != nil {
		return err
	}
	for _, user := range []struct{ login, key string }{
		{"jo@contoso.example", mockidp.Contoso + "." + mockidp.User},
		{"pat@contoso.example", mockidp.Contoso + "." + mockidp.PasswordUser},
	} {
		if err := s.calls(ctx, user.login, user.key); err != nil {
			return err
		}
	}
	if s.wrong > 0 {
		return fmt.Errorf("%d wrong answers", s.wrong)
	}
	fmt.Fprintln(out, "every answer as expected")
	return nil
}

type story struct {
	w     *world
	out   io.Writer
	wrong int
}

func (s *story) tell(what, got string, right bool) {
	fmt.Fprintf(s.out, "%s\n%s\n", what, wrap(got))
	if !right {
		s.wrong++
		fmt.Fprintln(s.out, "    WRONG")
	}
}

// refusals are those in front of MCP.
func (s *story) refusals(ctx context.Context) error {
	resp, _, err := s.w.post(ctx, "", "whoami", nil)
	if err != nil {
		return err
	}
	challenge := resp.Header.Get("WWW-Authenticate")
	s.tell("A call without a token: the challenge names the metadata", resp.Status+" "+challenge,
		resp.StatusCode == http.StatusUnauthorized && strings.Contains(challenge, "resource_metadata="))
	stranger := s.w.idp.Tenant(mockidp.Fabrikam).Token(mockidp.Scopes("access_as_user"))
	if resp, _, err = s.w.post(ctx, stranger, "whoami", nil); err != nil {
		return err
	}
	s.tell("A token of a tenant that is not trusted", resp.Status, resp.StatusCode == http.StatusUnauthorized)
	return nil
}

// calls are those of one user, who signs in when the server asks for it.
func (s *story) calls(ctx context.Context, login, key string) error {
	signIns := 0
	session, err := s.w.agentOf(login, &signIns).connect(ctx, s.w.endpoint)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, step := range []struct{ tool, want string }{{"whoami", key}, {"list_orders", "an order of contoso"}} {
		answer, err := call(ctx, session, step.tool)
		if err != nil {
			answer = err.Error()
		}
		s.tell(fmt.Sprintf("%s calls %s; signed in so far: %d", login, step.tool, signIns), answer, err == nil && strings.Contains(answer, step.want))
	}
	_, err = call(ctx, session, "forgotten")
	s.tell(login+" calls forgotten, a tool without a rule", fmt.Sprint(err), err != nil)
	return nil
}

// call calls a tool, and returns its answer in JSON.
func call(ctx context.Context, session *mcp.ClientSession, tool string) (string, error) {
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool})
	if err != nil {
		return "", err
	}
	if result.IsError {
		return "", errors.New("the tool has failed")
	}
	text, err := json.Marshal(result.StructuredContent)
	return string(text), err
}

// wrap breaks a text at spaces, and JSON behind commas, into lines that fit a terminal.
func wrap(text string) string {
	text = strings.ReplaceAll(text, `,"`, `, "`)
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
