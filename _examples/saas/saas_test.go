package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/pgtenants/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// missing skips a test, or fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI is true: see ci.sh", what)
	}
	t.Skipf("SKIPPED, nothing was tested: %s is missing: see ci.sh", what)
}

// newDatabase is a server of the test's own.
func newDatabase(t *testing.T, address string) *database {
	t.Helper()
	db, err := openDatabase(t.Context(), address)
	if errors.Is(err, pgtest.ErrNotInstalled) {
		missing(t, "PostgreSQL")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func startWorld(t *testing.T, db *database) *world {
	t.Helper()
	w, err := newWorld(t.Context(), db, "localhost:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// The story comes true, and tells itself within the width of a terminal.
func TestStory(t *testing.T) {
	t.Parallel()
	w := startWorld(t, newDatabase(t, ""))
	var out bytes.Buffer
	if err := w.tell(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 || strings.Contains(line, "WRONG") {
			t.Errorf("got=%q", line)
		}
	}
	if !strings.Contains(out.String(), "14 steps, all as they have to be") {
		t.Errorf("got=%s", out.String())
	}
}

// A step that comes out otherwise is told, and is an error in the end: here nobody is an administrator any more.
func TestStoryCanFail(t *testing.T) {
	t.Parallel()
	w := startWorld(t, newDatabase(t, ""))
	for _, c := range customers {
		tenant := w.idp.Tenant(c.tenant).Tenant()
		for i := range tenant.Users {
			tenant.Users[i].DirectoryRoles = nil
		}
		w.idp.AddTenant(tenant)
	}
	var out bytes.Buffer
	if err := w.tell(t.Context(), &out); err == nil || !strings.Contains(out.String(), "WRONG") {
		t.Errorf("got=%v\n%s", err, out.String())
	}
}

// Row-level security: what a transaction was not told it neither sees nor writes, whatever the statement says.
func TestIsolation(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "")
	pool, err := db.pool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	o := orders{pool}
	for _, c := range customers {
		if err := o.add(t.Context(), c.tenant, "of "+c.name, "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range customers {
		list, err := o.list(t.Context(), c.tenant)
		if err != nil || len(list) != 1 || list[0].Item != "of "+c.name {
			t.Errorf("%s: got=%v %v", c.name, list, err)
		}
	}
	for what, statement := range map[string]string{
		"select": "SELECT id FROM orders", "update": "UPDATE orders SET item = 'x' RETURNING id", "delete": "DELETE FROM orders RETURNING id",
	} {
		rows, err := pool.Query(t.Context(), statement)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(got) != 0 {
			t.Errorf("%s without a tenant: got=%v %v, want no rows", what, got, err)
		}
		err = o.as(t.Context(), fabrikam.tenant, func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), statement)
			if err != nil {
				return err
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if err != nil || len(got) != 1 {
				t.Errorf("%s as Fabrikam: got=%v %v, want one row", what, got, err)
			}
			return errors.New("undo it")
		})
		if err == nil || err.Error() != "undo it" {
			t.Errorf("%s: got=%v", what, err)
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		if state, ok := errors.AsType[*pgconn.PgError](err); !ok || state.Code != "42501" && state.Code != "22P02" && state.Code != "42704" {
			t.Errorf("%s: got=%v, want a refusal of the database", what, err)
		}
	}
	_, err = pool.Exec(t.Context(), "INSERT INTO orders (tid, item, ordered_by) VALUES ($1, 'x', 'x')", fabrikam.tenant)
	refused("insert without a tenant", err)
	refused("insert for another tenant", o.as(t.Context(), contoso.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO orders (tid, item, ordered_by) VALUES ($1, 'x', 'x')", fabrikam.tenant)
		return err
	}))
	refused("move to another tenant", o.as(t.Context(), contoso.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE orders SET tid = $1", fabrikam.tenant)
		return err
	}))
	refused("a tenant that is none", o.add(t.Context(), "everybody", "x", "x"))
}

// In a database of somebody else's, nothing stays behind; a user for whom row-level security does not hold is refused.
func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	own := newDatabase(t, "")
	schemas := func() string {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), own.url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var list string
		if err := conn.QueryRow(t.Context(), "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace").Scan(&list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := schemas()
	db, err := openDatabase(t.Context(), own.url)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.Context(), db, "localhost:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tell(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
	if got := schemas(); strings.Count(got, " ") != strings.Count(before, " ")+2 {
		t.Errorf("got=%s", got)
	}
	if err := errors.Join(w.close(), db.close()); err != nil {
		t.Error(err)
	}
	if got := schemas(); got != before {
		t.Errorf("got=%s, want=%s", got, before)
	}
	if _, err := openDatabase(t.Context(), own.server.URL("postgres", "saas")); err == nil || !strings.Contains(err.Error(), "row-level security does not hold") {
		t.Errorf("superuser: got=%v", err)
	}
	if _, err := openDatabase(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=2"); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("nobody there: got=%v", err)
	}
}

// What the service answers on its own account.
func TestService(t *testing.T) {
	t.Parallel()
	w := startWorld(t, newDatabase(t, ""))
	story := &story{w: w, out: io.Discard, tokens: make(map[string]string)}
	if _, err := story.onboard(t.Context(), contoso); err != nil {
		t.Fatal(err)
	}
	if _, err := story.served(t.Context(), contoso); err != nil {
		t.Fatal(err)
	}
	token := story.tokens[contoso.member]
	send := func(method, path, body string, headers ...string) reply {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
		req.RequestURI = ""
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readReply(resp)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	bearer, json, form := []string{"Authorization", "Bearer " + token}, []string{"Content-Type", "application/json"}, []string{"Content-Type", "application/x-www-form-urlencoded"}
	for _, row := range []struct {
		what, method, path, body string
		headers                  []string
		status                   int
		contains                 string
	}{
		{"an order", "POST", "/api/orders", `{"item": "paper"}`, slices.Concat(bearer, json), 201, ""},
		{"an order of nothing", "POST", "/api/orders", `{"item": ""}`, slices.Concat(bearer, json), 400, "item"},
		{"the orders", "GET", "/api/orders", "", bearer, 200, "paper"},
		{"without a token", "GET", "/api/orders", "", nil, 401, ""},
		{"with a token of nobody", "GET", "/api/orders", "", []string{"Authorization", "Bearer x.y.z"}, 401, ""},
		{"connecting without a name", "POST", "/connect", "company=+", form, 400, "needs a name"},
		{"connecting from another site", "POST", "/connect", "company=x", slices.Concat(form, []string{"Sec-Fetch-Site", "cross-site"}), 403, "another site"},
		{"removing from another site", "POST", "/disconnect", "tenant=" + contoso.tenant, slices.Concat(form, []string{"Origin", "https://evil.example"}), 403, "another site"},
		{"removing nobody", "POST", "/disconnect", "tenant=" + fabrikam.tenant, form, 303, ""},
		{"an answer that nobody waits for", "GET", "/consented?admin_consent=True&tenant=" + fabrikam.tenant + "&state=x", "", nil, 400, "does not belong"},
		{"a sign-in that nobody waits for", "GET", "/signed-in?code=x&state=x", "", nil, 400, "does not belong"},
		{"ready", "GET", "/ready", "", nil, 200, "ready"},
		{"the page", "GET", "/", "", nil, 200, contoso.tenant},
	} {
		for range w.replicas {
			got := send(row.method, row.path, row.body, row.headers...)
			if got.Status != row.status || !strings.Contains(got.Body, row.contains) {
				t.Errorf("%s at %s: got=%d %s, want=%d %q", row.what, got.Replica, got.Status, got.Body, row.status, row.contains)
			}
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	for addr, good := range map[string]bool{"localhost:0": true, "127.0.0.1:0": true, "0.0.0.0:0": false, ":0": false, "example.com:0": false, "localhost": false} {
		socket, err := loopback(addr)
		if (err == nil) != good {
			t.Errorf("%s: got=%v", addr, err)
		}
		if socket != nil {
			if err := socket.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Chromium clicks through it.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium, node := program(t, "Chromium", os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"), program(t, "Node", "node")
	if _, err := os.Stat("../../mockidp/msaltest/node/node_modules/playwright-core"); err != nil {
		missing(t, "playwright-core (npm --prefix ../../mockidp/msaltest/node ci)")
	}
	w := startWorld(t, newDatabase(t, ""))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", "--test-timeout=240000", "browser/saas.test.mjs")
	cmd.Env = os.Environ()
	env := map[string]string{"SAAS_URL": w.url, "SAAS_IDP": w.idp.URL, "CHROMIUM": chromium, "SAAS_ADMIN": fabrikam.admin, "SAAS_MEMBER": fabrikam.member}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", name, env[name]))
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func program(t *testing.T, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	missing(t, what)
	return ""
}
