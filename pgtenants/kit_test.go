package pgtenants_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
)

const (
	tenantA = mockidp.Contoso
	tenantB = mockidp.Fabrikam
	tenantX = "99999999-0000-4000-8000-999999999999"
	jane    = "jane@contoso.example"
)

// shared is the server of the tests that do not stop theirs.
var shared = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.Start(context.Background()) })

var sharedUsed atomic.Bool

func TestMain(m *testing.M) {
	code := m.Run()
	if sharedUsed.Load() {
		if server, err := shared(); err == nil {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	if left := leftovers(); left != "" {
		fmt.Fprintf(os.Stderr, "goroutines that outlive their tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers are the stacks of goroutines of ours, and of the driver's. Those of a fetch of keys, and of a closed pool, have some seconds.
func leftovers() string {
	var left []string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = nil
		for i, stack := range strings.Split(string(stacks), "\n\n") {
			if i > 0 && (strings.Contains(stack, "echo-identity") || strings.Contains(stack, "jackc")) {
				left = append(left, stack)
			}
		}
		if left == nil {
			return ""
		}
		<-tick.C
	}
	return strings.Join(left, "\n\n")
}

// started skips a test, or fails it in CI, where the machine has no PostgreSQL.
func started(t testing.TB, server *pgtest.Server, err error) *pgtest.Server {
	t.Helper()
	switch {
	case errors.Is(err, pgtest.ErrNotInstalled) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED, nothing was tested: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	return server
}

// ownServer is a server that the test may stop.
func ownServer(t testing.TB) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start(t.Context())
	started(t, server, err)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

var databases atomic.Int64

// database is an empty database of the shared server: its address, by host and name.
func database(t testing.TB) (addr, name string) {
	t.Helper()
	sharedUsed.Store(true)
	server, err := shared()
	started(t, server, err)
	name = fmt.Sprintf("test%d", databases.Add(1))
	execute(t, pgtest.URL(server.Addr, "postgres", "postgres"), "CREATE DATABASE "+name)
	return server.Addr, name
}

// execute runs SQL as somebody would by hand, on a connection of its own.
func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	if err := attempt(t, url, statements...); err != nil {
		t.Fatal(err)
	}
}

func attempt(t testing.TB, url string, statements ...string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// open is a pool that is closed with the test.
func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// brisk are options under which things happen soon, but on a machine that has much else to do nothing is given up for it.
var brisk = pgtenants.Options{MaxStale: 6 * time.Second, Heartbeat: 100 * time.Millisecond, Timeout: 5 * time.Second, Batch: time.Millisecond,
	MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}

// replica is a store with an API behind the middleware.
type replica struct {
	*pgtenants.Store
	pool *pgxpool.Pool
	idp  *mockidp.Server
	api  *echo.Echo
	log  *syncBuffer
	stop func() // ends Run and waits for it
}

// newReplica makes a store and migrates. Run is not called.
func newReplica(t testing.TB, idp *mockidp.Server, pool *pgxpool.Pool, o pgtenants.Options) *replica {
	t.Helper()
	r := &replica{pool: pool, idp: idp, api: echo.New(), log: new(syncBuffer)}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	o.Logger = logger
	store, err := pgtenants.New(pool, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Store = store
	r.api.Use(identity.Middleware(identity.Config{
		ClientID: mockidp.API, Tenants: store, Keys: identity.KeyOptions{HTTPClient: idp.Client()}, Observe: identity.Observe{Logger: logger},
	}))
	r.api.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	r.api.HTTPErrorHandler = func(err error, c echo.Context) {
		if refusal, ok := errors.AsType[*identity.Error](err); ok {
			c.Response().Header().Set("X-Reason", string(refusal.Reason))
		}
		r.api.DefaultHTTPErrorHandler(err, c)
	}
	return r
}

// run begins Run, and waits for the first reading.
func (r *replica) run(t testing.TB) *replica {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: got=%v, want=nil", err)
		}
	})
	r.stop = func() { cancel(); running.Wait() }
	t.Cleanup(r.stop)
	within(t, r.WaitReady)
	return r
}

// running is a replica on an empty database.
func running(t testing.TB) *replica {
	t.Helper()
	return newReplica(t, newIDP(), open(t, databaseURL(t)), brisk).run(t)
}

// within calls a function that waits, with a bound.
func within(t testing.TB, wait func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is yes, because a database in another process cannot be waited for otherwise.
func eventually(t testing.TB, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !yes(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// get sends a token. It returns the status and the reason.
func (r *replica) get(token string) (int, string) {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, request)
	return w.Code, w.Header().Get("X-Reason")
}

// token is a good one of a tenant.
func (r *replica) token(tenant string, opts ...mockidp.TokenOption) string {
	return r.idp.Tenant(tenant).Token(opts...)
}

// Answers.
const (
	unknown     = "tenant_unknown"
	unavailable = "tenants_unavailable"
	invalid     = "tenant_invalid"
)

var statusOf = map[string]int{"": 200, unknown: 401, unavailable: 503, invalid: 503, "issuer_not_trusted": 401}

// wants requires an answer to a token of a tenant. An empty reason is 200.
func (r *replica) wants(t testing.TB, tenant, reason string, opts ...mockidp.TokenOption) {
	t.Helper()
	if status, got := r.get(r.token(tenant, opts...)); got != reason || status != statusOf[reason] {
		t.Fatalf("%s: got=%d %q, want=%d %q\n%s", tenant, status, got, statusOf[reason], reason, r.log)
	}
}

func (r *replica) upsert(t testing.TB, tenants ...identity.Tenant) {
	t.Helper()
	if err := r.Upsert(t.Context(), jane, tenants...); err != nil {
		t.Fatal(err)
	}
	within(t, r.Sync)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// databaseURL is the address of an empty database, for the superuser.
func databaseURL(t testing.TB) string {
	t.Helper()
	addr, name := database(t)
	return pgtest.URL(addr, "postgres", name)
}

// canceled is a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// newIDP is Microsoft, with a tenant more.
func newIDP() *mockidp.Server {
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{ID: tenantX})
	return idp
}
