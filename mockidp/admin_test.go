package mockidp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// administered is a server with the API, and somebody who calls it.
type administered struct {
	*mockidp.Server
	t testing.TB
}

func newAdministered(t testing.TB, opts ...mockidp.Option) *administered {
	t.Helper()
	return &administered{mockidp.New(append(opts, mockidp.WithAdmin())...), t}
}

// call sends a request; body is text, nothing, or a value.
func (a *administered) call(method, path string, body any, headers ...string) reply {
	a.t.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		text = string(b)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, "https://localhost:8443"+path, strings.NewReader(text))
	if err != nil {
		a.t.Fatal(err)
	}
	if text != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return do(a.t, a.Client(), req, headers...)
}

// must be 200.
func (a *administered) must(method, path string, body any) map[string]any {
	a.t.Helper()
	r := a.call(method, "/.mockidp/"+path, body)
	if r.status != 200 || r.json == nil {
		a.t.Fatalf("%s %s: got=%d %s, want=200", method, path, r.status, r.text)
	}
	return r.json
}

// denied checks a refusal: its status, and the paths of what is wrong.
func (a *administered) denied(method, path string, body any, status int, paths ...string) {
	a.t.Helper()
	a.deniedAs(a.call(method, "/.mockidp/"+path, body), status, paths...)
}

func (a *administered) deniedAs(r reply, status int, paths ...string) {
	a.t.Helper()
	got := []string{}
	errors, _ := r.json["errors"].([]any)
	for _, e := range errors {
		e := e.(map[string]any)
		path, _ := e["path"].(string)
		if got = append(got, path); e["message"] == "" || e["message"] == nil {
			a.t.Errorf("no message in %s", r.text)
		}
	}
	if len(paths) == 0 {
		paths = []string{""}
	}
	if r.status != status || fmt.Sprint(got) != fmt.Sprint(paths) {
		a.t.Errorf("got=%d %s, want=%d with the paths %q", r.status, r.text, status, paths)
	}
	if got := r.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		a.t.Errorf("Content-Type: got=%q", got)
	}
}

func TestAdminIsOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	off := &administered{mockidp.New(), t}
	if r := off.call("GET", "/.mockidp/directory", nil); r.status != 404 {
		t.Errorf("got=%d %s, want=404", r.status, r.text)
	}
	newAdministered(t).must("GET", "directory", nil)
}

// Who is refused, beside who is not.
func TestAdminCallers(t *testing.T) {
	t.Parallel()
	idp := mockidp.New(mockidp.WithAdmin())
	rows := []struct {
		name    string
		host    string // default localhost:8443
		remote  string // default 127.0.0.1:5555
		method  string // default POST
		headers []string
		want    int
	}{
		{name: "a program on this machine", want: 200},
		{name: "IPv6", remote: "[::1]:5555", host: "[::1]:8443", want: 200},
		{name: "another machine", remote: "192.0.2.7:5555", want: 403},
		{name: "another machine that says localhost", remote: "192.0.2.7:5555", host: "localhost", want: 403},
		{name: "no address at all that can be read", remote: "pipe", want: 403},
		{name: "Microsoft's host", host: "login.microsoftonline.com", want: 403},
		{name: "a rebound name", host: "attacker.example", want: 404}, // nobody's host
		{name: "a foreign page", headers: []string{"Origin", "https://attacker.example"}, want: 403},
		{name: "a foreign page of a browser of today", headers: []string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		{name: "another port", headers: []string{"Sec-Fetch-Site", "same-site"}, want: 403},
		{name: "its own page", headers: []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://localhost:8443"}, want: 200},
		{name: "a foreign page asks, and may not read the answer", method: "GET", headers: []string{"Origin", "https://attacker.example"}, want: 200},
		{name: "another machine reads", method: "GET", remote: "192.0.2.7:5555", want: 403},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			method, path := "POST", "/.mockidp/sign-out"
			if row.method != "" {
				method, path = row.method, "/.mockidp/clock"
			}
			r := httptest.NewRequest(method, "https://localhost:8443"+path, nil)
			if r.RemoteAddr = "127.0.0.1:5555"; row.remote != "" {
				r.RemoteAddr = row.remote
			}
			if row.host != "" {
				r.Host = row.host
			}
			for i := 0; i+1 < len(row.headers); i += 2 {
				r.Header.Set(row.headers[i], row.headers[i+1])
			}
			w := httptest.NewRecorder()
			idp.ServeHTTP(w, r)
			if w.Code != row.want {
				t.Errorf("got=%d %s, want=%d", w.Code, w.Body, row.want)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("other origins may read the answer")
			}
		})
	}
}

// A fault for everything does not lock the one out who can remove it, and no call is recorded.
func TestAdminIsOutOfReach(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	a.must("POST", "faults", `{"reset": true}`)
	a.must("GET", "clock", nil)
	if n := a.Count(mockidp.AnyEndpoint); n != 0 {
		t.Errorf("got=%d requests recorded, want=0", n)
	}
	if _, err := a.Client().Get(commonV2); err == nil {
		t.Error("the fault hits nothing")
	}
	a.must("DELETE", "faults", nil)
	document(t, a.Client(), commonV2)
}

func TestAdminBadRequests(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	a.must("POST", "clock/advance", `{"by": "1m"}`)
	for _, row := range []struct {
		method, path string
		body         string
		status       int
		paths        []string
	}{
		{"GET", "nothing", "", 404, nil},
		{"GET", "tenants/contoso/", "", 404, nil},
		{"GET", "tenants//keys", "", 404, nil},
		{"PATCH", "clock", "", 405, nil},
		{"POST", "directory", "{}", 405, nil},
		{"GET", "clock?x=1&y=2", "", 400, []string{"query.x", "query.y"}},
		{"GET", "requests?limit=1&limit=2", "", 400, []string{"query.limit"}},
		{"GET", "clock?%zz", "", 400, []string{"query"}},
		{"POST", "clock/advance", `{"by": "1m"`, 400, []string{"line 1, column 11"}},
		{"POST", "clock/advance", `[]`, 400, nil},
		{"POST", "clock/advance", `null`, 400, nil},
		{"POST", "clock/advance", `{"by": 60}`, 400, []string{"by"}},
		{"POST", "clock/advance", `{"by": "1 minute"}`, 400, []string{"by"}},
		{"POST", "clock/advance", `{"BY": "1m", "to": 1}`, 400, []string{"BY", "to", "by"}},
		{"POST", "clock/advance", `{"by": "1m", "by": "2m"}`, 400, []string{"by"}},
		{"POST", "clock/advance", "{\"by\": \"\xff\"}", 400, []string{"line 1, column 9"}},
		{"POST", "clock/advance", ``, 400, []string{"by"}},
		{"POST", "sign-out", `{"all": true}`, 400, []string{"all"}},
		{"GET", "tenants/nobody", "", 404, []string{"{tenant}"}},
		{"GET", "tenants/contoso?kind=b2c", "", 404, []string{"{tenant}"}},
		{"GET", "tenants/contoso?kind=B2C", "", 400, []string{"query.kind"}},
	} {
		a.denied(row.method, row.path, row.body, row.status, row.paths...)
	}
	a.deniedAs(a.call("POST", "/.mockidp/clock/advance", `{"by": "1m"}`, "Content-Type", "text/plain"), 415)
	a.deniedAs(a.call("POST", "/.mockidp/clock/advance", `{"by": "`+strings.Repeat("1", 16<<20)+`m"}`), 413)
	if r := a.call("PATCH", "/.mockidp/clock", nil); r.header.Get("Allow") != "GET, PUT, DELETE" {
		t.Errorf("Allow: got=%q", r.header.Get("Allow"))
	}
	if r := a.call("HEAD", "/.mockidp/clock", nil); r.status != 200 || r.text != "" {
		t.Errorf("HEAD: got=%d %q", r.status, r.text)
	}
	if r := a.call("GET", "/.mockidp", nil); r.status != 200 {
		t.Errorf("without the slash: got=%d %s", r.status, r.text)
	}
}

// Every call is in ADMIN.md, in the list, and in the doc comment; and what ADMIN.md shows works.
func TestAdminDocumentation(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("ADMIN.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("admin.go")
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(` +`).ReplaceAllString(string(source), " ")
	a := newAdministered(t)
	shown := regexp.MustCompile("(?s)```http\n([A-Z]+) (\\S+)\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	done := make(map[string]bool)
	for _, m := range shown {
		method, path, body := m[1], m[2], m[3]
		pattern := regexp.MustCompile(`\?.*`).ReplaceAllString(path, "")
		pattern = regexp.MustCompile(`/tenants/\w+`).ReplaceAllString(pattern, "/tenants/{tenant}")
		pattern = regexp.MustCompile(`/(users|personal-accounts)/[^/]+`).ReplaceAllString(pattern, "/$1/{user}")
		pattern = regexp.MustCompile(`/((?:enterprise-)?applications)/[^/]+`).ReplaceAllString(pattern, "/$1/{client}")
		done[method+" "+pattern] = true
		if r := a.call(method, a.filled(path), body); r.status != 200 {
			t.Errorf("%s %s %s: got=%d %s, want=200", method, path, body, r.status, r.text)
		}
	}
	endpoints := a.must("GET", "", nil)["endpoints"].([]any)
	for _, e := range endpoints {
		e := e.(map[string]any)
		if name := fmt.Sprintf("%v %v", e["method"], e["path"]); !done[name] {
			t.Errorf("%s is not in ADMIN.md", name)
		} else if line := fmt.Sprintf("// %s %v\n", name, e["does"]); !strings.Contains(strings.ReplaceAll(comment, "//\t", "// "), line) {
			t.Errorf("%q is not in the comment of WithAdmin", line)
		}
	}
	if len(done) != len(endpoints) {
		t.Errorf("got=%d calls in ADMIN.md, want=%d", len(done), len(endpoints))
	}
}

// filled puts real values into the address of an example.
func (a *administered) filled(path string) string {
	a.t.Helper()
	switch {
	case strings.Contains(path, "{code}"):
		r := send(a.t, a.Client(), contosoBase+"/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", "openid"))
		return strings.Replace(path, "{code}", fmt.Sprint(ok(a.t, r)["user_code"]), 1)
	case strings.Contains(path, "{kid}"):
		kids := a.must("GET", "tenants/contoso/keys", nil)["published"].([]any)
		return strings.Replace(path, "{kid}", fmt.Sprint(kids[len(kids)-1]), 1)
	case strings.Contains(path, "{fault}"):
		faults := a.must("GET", "faults", nil)["faults"].([]any)
		return strings.Replace(path, "{fault}", fmt.Sprint(faults[0].(map[string]any)["id"]), 1)
	}
	return path
}
