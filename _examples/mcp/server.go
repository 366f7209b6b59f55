package main

import (
	"context"
	"net/http"

	"github.com/echo-identity/identity"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// toolRules guard the tools: what a server of yours needs, to be taken as it stands. They are by name of the tool. One that has none is
// refused: a new tool cannot be left open by oversight.
type toolRules map[string]identity.Rule

const callTool = "tools/call"

// of is the rule of a tool.
func (rules toolRules) of(tool string) identity.Rule {
	if rule, ok := rules[tool]; ok {
		return rule
	}
	return func(context.Context, *identity.Principal) error {
		return &identity.Error{Status: http.StatusForbidden, Reason: "tool_without_rule", Description: "Nobody may call this tool."}
	}
}

// handler answers a call that is not allowed with the status and the challenge of HTTP, from which a client learns which scope to ask for. It
// goes by Mcp-Name, which clients send since version 2026-07-28 of the protocol: others are left to middleware.
func (rules toolRules) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") == callTool {
			rules.of(r.Header.Get("Mcp-Name")).Handler(next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// middleware asks again, about the tool that is really called: what decides is what the SDK has read, and not what a header says.
func (rules toolRules) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if method != callTool {
			return next(ctx, method, req)
		}
		tool := ""
		if params, ok := req.GetParams().(*mcp.CallToolParamsRaw); ok {
			tool = params.Name
		}
		if err := rules.of(tool).Check(ctx); err != nil {
			refusal, _ := identity.AsError(err) // it returns no other
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: refusal.Description}
		}
		return next(ctx, method, req)
	}
}

// newHandler is the server: authentication first, then the rule of the tool, then MCP.
//
// It is stateless, and has to be: each request then brings its own context, and [identity.FromContext] in a tool tells who sent this one.
// In a session, contexts are those of the request that began it.
func newHandler(cfg identity.Config) (http.Handler, error) {
	verifier, err := identity.New(cfg)
	if err != nil {
		return nil, err
	}
	rules := toolRules{
		"whoami":      identity.AllScopes("access_as_user"),
		"list_orders": identity.AllScopes("Orders.Read"),
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	server.AddReceivingMiddleware(rules.middleware)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Tells who is calling."}, whoami)
	mcp.AddTool(server, &mcp.Tool{Name: "list_orders", Description: "Lists the orders of the caller's organisation."}, listOrders)
	mcp.AddTool(server, &mcp.Tool{Name: "forgotten", Description: "Nobody wrote a rule for it."}, whoami)
	streamable := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	return verifier.Handler(rules.handler(streamable)), nil
}

// caller is what whoami answers.
type caller struct {
	Name   string   `json:"name" jsonschema:"for people only: it can change, and two can have the same"`
	Key    string   `json:"key" jsonschema:"the tenant and the object ID: what to store"`
	Tenant string   `json:"tenant"`
	Client string   `json:"client" jsonschema:"the application that the caller uses"`
	Scopes []string `json:"scopes"`
}

type nothing struct{}

func whoami(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, caller, error) {
	p, _ := identity.FromContext(ctx)
	name, _ := p.Claim("name").(string)
	return nil, caller{name, p.UserKey(), p.Tenant().Name, p.ClientID, p.Scopes}, nil
}

type orders struct {
	Orders []string `json:"orders"`
}

func listOrders(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, orders, error) {
	p, _ := identity.FromContext(ctx)
	return nil, orders{[]string{"an order of " + p.Tenant().Name}}, nil
}
