package identity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/internal/behaviour"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// provocation is a way to be refused for a reason. REASONS.md prints its code.
type provocation struct {
	config  func(cfg *identity.Config)
	guard   echo.MiddlewareFunc
	before  func(idp *mockidp.Server)
	token   func(idp *mockidp.Server) string // default: a good one
	request func(r *http.Request)            // changes the request, which carries the token
}

// provocations has an entry for each reason of the closed list.
var provocations = map[identity.Reason]provocation{
	"token_missing":     {request: func(r *http.Request) { r.Header.Del("Authorization") }},
	"request_invalid":   {request: func(r *http.Request) { r.Header.Add("Authorization", "Bearer another") }},
	"token_too_large":   {token: func(idp *mockidp.Server) string { return strings.Repeat("x", 65_537) }},
	"not_authenticated": {config: func(cfg *identity.Config) { cfg.Optional = true }, guard: identity.RequireScope("Orders.Read"), request: func(r *http.Request) { r.Header.Del("Authorization") }},
	"token_malformed":   {token: func(idp *mockidp.Server) string { return "a.b.c" }},
	"token_encrypted":   {token: func(idp *mockidp.Server) string { return "a.b.c.d.e" }},
	"algorithm_not_allowed": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Algorithm("HS256"))
	}},
	"token_type_not_allowed": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Header("typ", "logout+jwt"))
	}},
	"critical_header": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Header("crit", []string{"exp"}))
	}},
	"kid_invalid": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.WithoutHeader("kid"))
	}},
	"claims_malformed": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Claim("scp", []string{"Orders.Read"}))
	}},
	"issuer_not_trusted": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Claim("iss", "https://login.microsoftonline.com/common/v2.0"))
	}},
	"tenant_unknown": {token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Fabrikam).Token() }},
	"tenant_mismatch": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Claim("tid", mockidp.Fabrikam))
	}},
	"version_not_allowed": {
		config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Version: 2})
		},
		token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.V1()) },
	},
	"audience_mismatch": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Audience("api://another"))
	}},
	"token_for_other_resource": {token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.ForGraph()) }},
	"id_token":                 {token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.IDToken()) }},
	"token_expired": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour))
	}},
	"token_not_yet_valid": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.NotBefore(time.Now().Add(10 * time.Minute)))
	}},
	"token_issued_in_future": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.IssuedAt(time.Now().Add(10 * time.Minute)))
	}},
	"time_invalid": {token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.Without("exp")) }},
	"policy_not_allowed": {
		config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}})
		},
		token: func(idp *mockidp.Server) string {
			return idp.Tenant(mockidp.Shop).Token(mockidp.Policy("B2C_1A_custom"))
		},
	},
	"key_not_found": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.KeyID("nobody-knows-this-key"))
	}},
	"key_unusable": {token: func(idp *mockidp.Server) string {
		contoso := idp.Tenant(mockidp.Contoso)
		key := contoso.Keys().NewKey().WithJWK("use", "enc")
		contoso.Keys().Publish(key)
		return contoso.Token(mockidp.SignedBy(key))
	}},
	"key_issuer_mismatch": {token: func(idp *mockidp.Server) string {
		contoso := idp.Tenant(mockidp.Contoso)
		return contoso.Token(mockidp.SignedBy(contoso.Keys().Consumer()))
	}},
	"signature_invalid": {token: func(idp *mockidp.Server) string {
		contoso := idp.Tenant(mockidp.Contoso)
		attacker := contoso.Keys().NewKey().WithID(contoso.Keys().Signing().ID())
		return contoso.Token(mockidp.SignedBy(attacker))
	}},
	"token_bound": {token: func(idp *mockidp.Server) string {
		return idp.Tenant(mockidp.Contoso).Token(mockidp.Claim("cnf", map[string]any{"jkt": "x"}))
	}},
	"no_permissions": {token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.AppOnly()) }},
	"client_not_allowed": {config: func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, Clients: []string{mockidp.API}})
	}},
	"guest_denied": {
		config: func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso, DenyGuests: true})
		},
		token: func(idp *mockidp.Server) string {
			return idp.Tenant(mockidp.Contoso).Token(mockidp.Guest(mockidp.Fabrikam))
		},
	},
	"scope_missing":         {guard: identity.RequireScope("Orders.Read")},
	"role_missing":          {guard: identity.RequireRole("Admin")},
	"scope_or_role_missing": {guard: identity.RequireScopeOrRole([]string{"Jobs.Run"}, []string{"Jobs.Run.All"})},
	"app_only_required":     {guard: identity.RequireAppOnly()},
	"group_missing":         {guard: identity.RequireGroup(nil, "10000000-0000-4000-8000-000000000001")},
	"group_overage": {
		guard: identity.RequireGroup(nil, "10000000-0000-4000-8000-000000000001"),
		token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.Overage()) },
	},
	"auth_context_missing": {guard: identity.RequireAuthContext("c1")},
	"rule_refused": {guard: identity.Require(func(context.Context, *identity.Principal) error {
		return errors.New("closed on Sundays")
	})},
	"keys_unavailable": {before: func(idp *mockidp.Server) { idp.Inject(mockidp.Fault{Status: 500}) }},
	"tenants_unavailable": {config: func(cfg *identity.Config) {
		cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) {
			return nil, errors.New("the database is down")
		})
	}},
	"tenant_invalid": {config: func(cfg *identity.Config) {
		cfg.Tenants = identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) {
			return &identity.Tenant{ID: mockidp.Fabrikam}, nil // asked for another
		})
	}},
	"groups_unavailable": {
		guard: identity.RequireGroup(func(context.Context, *identity.Principal) ([]string, error) {
			return nil, errors.New("Graph is down")
		}, "10000000-0000-4000-8000-000000000001"),
		token: func(idp *mockidp.Server) string { return idp.Tenant(mockidp.Contoso).Token(mockidp.Overage()) },
	},
	"internal": {config: func(cfg *identity.Config) {
		cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { panic("oops") })
	}},
}

// Each reason can be provoked, in the way that REASONS.md says, and gives the answer that it says; the log line has the code.
func TestProvocations(t *testing.T) {
	t.Parallel()
	for _, row := range identity.ReasonRows() {
		t.Run(string(row.Reason), func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			got := provoked(t, row.Reason, func(cfg *identity.Config) {
				cfg.Observe.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}, nil)
			var e *identity.Error
			if got.reached || !errors.As(got.err, &e) || !errors.Is(got.err, row.Sentinel) || e.Reason != row.Reason {
				t.Fatalf("got=%d reached=%v %v, want=%s", got.status, got.reached, got.err, row.Reason)
			}
			if got.status != row.Status || e.Code != row.Code || !strings.Contains(got.body, row.Answer) {
				t.Fatalf("got=%d %s %s, want=%d %s %s", got.status, e.Code, got.body, row.Status, row.Code, row.Answer)
			}
			if log := log.String(); !strings.Contains(log, "reason="+string(row.Reason)+" ") {
				t.Fatalf("got=%s, want a line with the code", log)
			}
		})
	}
	if got, want := len(provocations), len(identity.Reasons()); got != want {
		t.Errorf("got=%d provocations, want=%d", got, want)
	}
}

// provoked sends the request that is refused for a reason. header may be nil.
func provoked(t *testing.T, reason identity.Reason, change func(*identity.Config), header func(*http.Request)) *answer {
	t.Helper()
	p, ok := provocations[reason]
	if !ok {
		t.Fatal("nobody has said how to provoke it")
	}
	idp := mockidp.New()
	var guards []echo.MiddlewareFunc
	if p.guard != nil {
		guards = append(guards, p.guard)
	}
	a := newAPIOn(t, idp, func(cfg *identity.Config) {
		if p.config != nil {
			p.config(cfg)
		}
		change(cfg)
	}, guards...)
	if p.before != nil {
		p.before(idp)
	}
	raw := idp.Tenant(mockidp.Contoso).Token()
	if p.token != nil {
		raw = p.token(idp)
	}
	r := bearer(raw)
	if p.request != nil {
		p.request(r)
	}
	if header != nil {
		header(r)
	}
	return a.do(r)
}

// The list is that of the sentinels, each explained.
func TestReasons(t *testing.T) {
	t.Parallel()
	list := identity.Reasons()
	if len(list) != len(behaviour.Answers) || len(list) != identity.ReasonsWithWords() {
		t.Fatalf("got=%d reasons, %d of them explained, want=%d", len(list), identity.ReasonsWithWords(), len(behaviour.Answers))
	}
	for _, row := range identity.ReasonRows() {
		if row.Meaning == "" || row.Advice == "" || row.Rule == "" || !strings.HasSuffix(row.Meaning, ".") || !strings.HasSuffix(row.Advice, ".") {
			t.Errorf("%s: got=%+v, want whole sentences", row.Reason, row)
		}
		if want, ok := behaviour.Answers[row.Sentinel]; !ok || want.Status != row.Status || want.Code != row.Code {
			t.Errorf("%s: got=%d %s, want=%+v", row.Reason, row.Status, row.Code, want)
		}
		if !slices.Contains(list, row.Reason) {
			t.Errorf("%s is not on the list", row.Reason)
		}
	}
	list[0] = "changed"
	if identity.Reasons()[0] == "changed" {
		t.Error("the caller can change the list")
	}
}

// REASONS.md is what the code says.
func TestReasonsDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# Reasons

Every refusal has one of these reasons. It stands in the log line (` + "`reason=`" + `), in ` + "`identity.Error.Reason`" + `, in the report of
` + "`Verifier.Explain`" + `, and in metrics. The list is closed: ` + "`identity.Reasons()`" + ` returns it. Clients see the status, the error code
and the sentence; they never see the reason.

This page is generated from the code: ` + "`go test -run TestReasonsDocument -update .`" + ` in a clone. How to provoke each reason
with [mockidp](mockidp) is code that a test runs. What stands there comes on top of this, and changes the configuration, the token
or the request:

` + "```go" + `
idp := mockidp.New()
cfg := identity.Config{
	ClientID: mockidp.API,
	Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
	Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
}
token := idp.Tenant(mockidp.Contoso).Token()
r := httptest.NewRequest("GET", "/", nil)
r.Header.Set("Authorization", "Bearer "+token)
` + "```" + `

| Reason | Status | Meaning |
|---|---|---|
`)
	rows := identity.ReasonRows()
	for _, row := range rows {
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %s |\n", row.Reason, row.Reason, row.Status, row.Meaning)
	}
	snippets, names := provokingCode(t), sentinelNames(t)
	for _, row := range rows {
		answer := fmt.Sprintf("%d", row.Status)
		if row.Code != "" {
			answer += " `" + row.Code + "`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n**What to do.** %s\n\n", row.Reason, row.Meaning, row.Advice)
		fmt.Fprintf(&b, "Answer: %s, \"%s\" · Error: `identity.%s` · Rule: %s\n\n```go\n%s```\n", answer, row.Answer, names[row.Reason], row.Rule, snippets[row.Reason])
	}
	golden(t, "REASONS.md", b.String())
}

// sentinelNames are the names of the variables, by reason.
func sentinelNames(t *testing.T) map[identity.Reason]string {
	t.Helper()
	names := make(map[identity.Reason]string)
	for name, value := range topLevel(t, "reasons.go") {
		call, ok := value.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			continue
		}
		if reason, ok := call.Args[0].(*ast.BasicLit); ok && strings.HasPrefix(name, "Err") {
			names[identity.Reason(strings.Trim(reason.Value, `"`))] = name
		}
	}
	return names
}

// topLevel are the variables of a file with their values.
func topLevel(t *testing.T, path string) map[string]ast.Expr {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]ast.Expr)
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			if v := spec.(*ast.ValueSpec); len(v.Values) == 1 {
				values[v.Names[0].Name] = v.Values[0]
			}
		}
	}
	return values
}

// provokingCode is the code of the provocations, as somebody would write it for one API.
func provokingCode(t *testing.T) map[identity.Reason]string {
	t.Helper()
	code := make(map[identity.Reason]string)
	for _, entry := range topLevel(t, "reasons_test.go")["provocations"].(*ast.CompositeLit).Elts {
		pair := entry.(*ast.KeyValueExpr)
		var b bytes.Buffer
		for _, field := range pair.Value.(*ast.CompositeLit).Elts {
			field := field.(*ast.KeyValueExpr)
			if f, ok := field.Value.(*ast.FuncLit); ok {
				for _, statement := range f.Body.List {
					if result, ok := statement.(*ast.ReturnStmt); ok {
						b.WriteString("token = ")
						printed(t, &b, result.Results[0])
						continue
					}
					printed(t, &b, statement)
				}
				continue
			}
			var guard bytes.Buffer
			printed(t, &guard, field.Value)
			fmt.Fprintf(&b, "e.GET(\"/\", handler, %s)\n", strings.TrimSpace(guard.String()))
		}
		code[identity.Reason(strings.Trim(pair.Key.(*ast.BasicLit).Value, `"`))] = b.String()
	}
	return code
}

func printed(t *testing.T, b *bytes.Buffer, node ast.Node) {
	t.Helper()
	if err := format.Node(b, token.NewFileSet(), node); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
}
