// Package behaviour is what every adapter of identity must do, as tests that know no framework. An adapter describes its framework
// in a [Framework] and calls [Test]; the rows are the same for all of them. It stands here, and not in a file of tests, because
// adapters are modules of their own.
package behaviour

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// Framework describes an adapter whose middleware is of type M.
type Framework[M any] struct {
	// Middleware makes the authentication.
	Middleware func(cfg identity.Config, hooks Hooks) (M, error)
	// NoHooks tells that the adapter has no Skipper and no ErrorHandler.
	NoHooks bool
	// Serve makes an application.
	Serve func(App[M]) http.Handler
	// Step makes a middleware that runs f, and goes on if that returns nil.
	Step func(f func(Call) error) M
	// Chain makes one middleware of several.
	Chain func(...M) M
	// Guards are the guards under their names.
	Guards[M]
	// OneOf is nil for an adapter without alternatives.
	OneOf func(first M, others ...M) M
}

// Guards are the makers of guards.
type Guards[M any] struct {
	Require            func(rules ...identity.Rule) M
	RequireScope       func(scopes ...string) M
	RequireAnyScope    func(scopes ...string) M
	RequireRole        func(roles ...string) M
	RequireAllRoles    func(roles ...string) M
	RequireScopeOrRole func(scopes, roles []string) M
	RequireAppOnly     func() M
	RequireGroup       func(resolve identity.GroupResolver, groups ...string) M
	RequireAuthContext func(id string) M
}

// Hooks are the functions of an application that the middleware calls. Nil is none.
type Hooks struct {
	Skip func(*http.Request) bool
	// Preflight asks for the adapter's SkipPreflight as the Skipper.
	Preflight    bool
	ErrorHandler func(c Call, err error) error
}

// Call is a request in the middle of its framework.
type Call struct {
	W http.ResponseWriter
	R *http.Request
	// From is what the framework's accessor finds.
	From func() (*identity.Principal, bool)
	// Get and Set reach the values of the framework's context. They are nil where there is none.
	Get func(key string) any
	Set func(key string, value any)
}

// App is an application.
type App[M any] struct {
	Use    []M // before routing
	Group  []M // of the group of all routes
	Guards []M // of each route
	// Routes are the handlers by path, for all methods.
	Routes map[string]func(Call) error
	// Failed is told the error that the application answers, by a framework that has such.
	Failed func(r *http.Request, err error)
	// Expose asks for answers that show errors, if the framework has such a mode.
	Expose bool
}

// Test runs all the behaviours.
func Test[M any](t *testing.T, f Framework[M]) {
	for name, test := range map[string]func(*testing.T, Framework[M]){
		"Extraction": testExtraction[M], "Optional": testOptional[M], "Skipper": testSkipper[M], "SkipPreflight": testSkipPreflight[M],
		"FormStaysReadable": testFormStaysReadable[M], "FormIsReadOnce": testFormIsReadOnce[M], "WebSocketRefusal": testWebSocketRefusal[M],

		"Broken": testBroken[M], "AnswersAsHandler": testAnswersAsHandler[M], "ForbiddenAnswers": testForbiddenAnswers[M], "Outage": testOutage[M],
		"PanickingHooks": testPanickingHooks[M], "HandlerErrorsPass": testHandlerErrorsPass[M], "HandlerPanics": testHandlerPanics[M],
		"StatusIsTheSameForAll": testStatusIsTheSameForAll[M], "ErrorsExposed": testErrorsExposed[M],
		"ErrorHandler": testErrorHandler[M], "ErrorHandlerOptional": testErrorHandlerOptional[M],

		"ResourceMetadata": testResourceMetadata[M], "ResourcePaths": testResourcePaths[M], "ResourceMethods": testResourceMethods[M],
		"ResourcePreflight": testResourcePreflight[M], "ResourceOptional": testResourceOptional[M],

		"Permissions": testPermissions[M], "AllowNoPermissions": testAllowNoPermissions[M], "RequirementFaults": testRequirementFaults[M],
		"RequirementsAreCopied": testRequirementsAreCopied[M], "GuardWithoutAuthentication": testGuardWithoutAuthentication[M],
		"GuardReadsThePrincipal": testGuardReadsThePrincipal[M], "GroupAndRoute": testGroupAndRoute[M], "Groups": testGroups[M],
		"AuthContext": testAuthContext[M], "Rules": testRules[M], "RuleSeesRequest": testRuleSeesRequest[M], "SharedRuleError": testSharedRuleError[M],

		"ContextKey": testContextKey[M], "Nested": testNested[M], "PrincipalIsPrivate": testPrincipalIsPrivate[M], "OneOf": testOneOf[M],
		"OneOfLeavesNothing": testOneOfLeavesNothing[M],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

// The tenants of the tests: two that are registered, and one that never is.
const (
	tenantA = mockidp.Contoso
	tenantB = mockidp.Fabrikam
	tenantX = "99999999-0000-4000-8000-999999999999"
)

// everyKind trusts a tenant of each kind.
func everyKind(cfg *identity.Config) {
	cfg.Tenants = identity.NewRegistry(
		identity.Tenant{ID: tenantA, Name: "contoso"},
		identity.Tenant{ID: tenantB, Name: "fabrikam"},
		identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
		identity.Tenant{ID: mockidp.Customers, Name: "app", External: &identity.External{Domain: "contosocx"}},
	)
}

// setup is what a test can change of its application.
type setup[M any] struct {
	idp    *mockidp.Server            // default: a new one
	config func(*identity.Config)     // starts from tenant A and the ClientID mockidp.API
	hooks  Hooks                      //
	use    func(authentication M) []M // default: the authentication alone
	group  []M
	guards []M
	expose bool
}

// api is an application in its framework, with its own mock of Microsoft. All of its routes but those that a test adds answer 200,
// with the principal in answer.principal.
type api[M any] struct {
	idp     *mockidp.Server
	handler http.Handler
	log     *buffer
	cfg     identity.Config
}

// newAPI makes an application with routes for / and /orders/all and those in routes.
func newAPI[M any](t testing.TB, f Framework[M], s setup[M], routes map[string]func(Call) error) *api[M] {
	t.Helper()
	a := &api[M]{idp: s.idp, log: new(buffer)}
	if a.idp == nil {
		a.idp = mockidp.New()
	}
	a.cfg = identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: tenantA, Name: "contoso"}),
		Keys:     identity.KeyOptions{HTTPClient: a.idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
	}
	if s.config != nil {
		s.config(&a.cfg)
	}
	authentication, err := f.Middleware(a.cfg, s.hooks)
	if err != nil {
		t.Fatalf("Middleware: %v", err)
	}
	app := App[M]{
		Use: []M{authentication}, Group: s.group, Guards: s.guards, Expose: s.expose,
		Routes: map[string]func(Call) error{"/": arrived, "/orders/all": arrived},
		Failed: func(r *http.Request, err error) {
			answerOf(r).err = err
			answerOf(r).failed, _ = identity.FromContext(r.Context())
		},
	}
	if s.use != nil {
		app.Use = s.use(authentication)
	}
	for path, handler := range routes {
		app.Routes[path] = handler
	}
	a.handler = f.Serve(app)
	return a
}

// arrived is the handler of the routes: it notes that it was reached, and by whom.
func arrived(c Call) error {
	got := answerOf(c.R)
	got.reached = true
	got.principal, _ = c.From()
	if p, _ := identity.FromContext(c.R.Context()); p != got.principal {
		return fmt.Errorf("the accessor finds %v, the request's context %v", got.principal, p)
	}
	_, err := c.W.Write([]byte("ok"))
	return err
}

// token is a good token of tenant A, changed by opts.
func (a *api[M]) token(opts ...mockidp.TokenOption) string {
	return a.idp.Tenant(tenantA).Token(opts...)
}

// get sends a token in the Authorization header.
func (a *api[M]) get(token string) *answer { return a.do(bearer(token)) }

func bearer(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// do sends a request.
func (a *api[M]) do(r *http.Request) *answer {
	got := &answer{request: r}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answerKey{}, got)))
	got.status, got.header, got.body = w.Code, w.Header(), w.Body.String()
	return got
}

// serve answers a request of a real server.
func (a *api[M]) serve(w http.ResponseWriter, r *http.Request) {
	a.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answerKey{}, &answer{request: r})))
}

// path sends a request for a path.
func (a *api[M]) path(method, path, token string) *answer {
	r := httptest.NewRequest(method, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return a.do(r)
}

// answerKey is where do puts the answer that handlers fill in.
type answerKey struct{}

func answerOf(r *http.Request) *answer { return r.Context().Value(answerKey{}).(*answer) }

// buffer is a log that several requests write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// refuseWith is a rule that returns err, nil too.
func refuseWith(err error) identity.Rule {
	return func(context.Context, *identity.Principal) error { return err }
}

func panicking(context.Context, *identity.Principal) error { panic("oops") }

// panics returns what f panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// with is short for the options of a row's token.
func with(opts ...mockidp.TokenOption) []mockidp.TokenOption { return opts }

// keepsSecret requires that neither answer nor log hold the token or the person in it.
func (a *api[M]) keepsSecret(t testing.TB, raw string, got *answer) {
	t.Helper()
	text := got.body + fmt.Sprint(got.header) + a.log.String()
	const window = 16 // twelve bytes of what is encoded
	for i := 0; i+window <= len(raw); i++ {
		if part := raw[i : i+window]; strings.Contains(text, part) {
			t.Fatalf("got=%s, want nothing of the token in it", text)
		}
	}
	for _, person := range []string{"jo@contoso.example", "Jo Doe", mockidp.User} {
		if strings.Contains(text, person) {
			t.Fatalf("got=%s, want nothing of the person in it", text)
		}
	}
}
