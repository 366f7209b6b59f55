package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/format"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func readAll(resp *http.Response) (string, error) {
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// part is what is printed under a heading.
func part(t *testing.T, out, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(out, "\n"+heading+"  ")
	if !found {
		t.Fatalf("no %s in %s", heading, out)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	body, _, _ := strings.Cut(rest, "\n\n")
	return body + "\n"
}

// The lines fit on a screen, and the Go files among them are formatted but for blank lines. That they work is shown in msaltest.
func TestSettingsAreReadable(t *testing.T) {
	t.Parallel()
	r := start(t)
	out := r.stdout.String()
	fitsTerminal(t, strings.ReplaceAll(out, r.caFile, "/home/jo/mockidp-ca.pem"))
	squeeze := func(s string) string { return regexp.MustCompile(`\s+`).ReplaceAllString(s, "") }
	for _, heading := range []string{"GO", "MSAL GO", "IDENTITY"} {
		file := part(t, out, heading)
		formatted, err := format.Source([]byte(file))
		if err != nil {
			t.Fatalf("%v in %s", err, file)
		}
		if squeeze(string(formatted)) != squeeze(file) {
			t.Errorf("%s: got=%s", heading, formatted)
		}
	}
	for _, text := range []string{
		`public.New("` + mockidp.NativeClient + `"`, `server = "` + r.origin + `"`, `ReadFile("` + r.caFile + `")`, `clientId: "` + mockidp.Client + `"`,
		`redirectUri: "http://localhost:3000"`, `clientSecret: "` + mockidp.DaemonSecret + `"`, `knownAuthorities: ["` + strings.TrimPrefix(r.origin, "https://") + `"]`,
		"export NODE_EXTRA_CA_CERTS=" + r.caFile, "--ignore-certificate-errors-spki-list=$pin", "pat@contoso.example, password " + mockidp.Password, "sam@outlook.example, a personal",
	} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in %s", text, out)
		}
	}
}

var (
	address = regexp.MustCompile(`https://localhost:\d+(\S+)`)
	data    = regexp.MustCompile(`-d (\S+)`)
	body    = regexp.MustCompile(`(?s)--json '(.*)'`)
)

// The two commands for curl are for tokens that the printed configuration accepts, for a tenant of each kind.
func TestSettingsWork(t *testing.T) {
	t.Parallel()
	r := start(t)
	out := r.stdout.String()
	verifier := r.verifier()
	check := func(status int, answer map[string]any) *identity.Principal {
		t.Helper()
		if status != 200 {
			t.Fatalf("got=%d %v", status, answer)
		}
		p, err := verifier.Verify(context.Background(), fmt.Sprint(answer["access_token"]))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	var form []string
	daemon := part(t, out, "CURL")
	for _, m := range data.FindAllStringSubmatch(daemon, -1) {
		form = append(form, m[1])
	}
	if p := check(r.send("POST", address.FindStringSubmatch(daemon)[1], formType, strings.Join(form, "&"))); !p.AppOnly() || !p.HasRole("Jobs.Run.All") {
		t.Errorf("got=%+v", p)
	}

	_, user, _ := strings.Cut(out, "CURL  A token of a user")
	request := body.FindStringSubmatch(user)[1]
	if p := check(r.send("POST", address.FindStringSubmatch(user)[1], "application/json", request)); !p.HasScope("Orders.Read") || p.ObjectID != mockidp.User {
		t.Errorf("got=%+v", p)
	}
	var changed map[string]any
	if err := json.Unmarshal([]byte(request), &changed); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{mockidp.Shop, mockidp.Customers} {
		if p := check(r.send("POST", "/.mockidp/tenants/"+tenant+"/sign-in", "application/json", request)); p.TenantID != tenant {
			t.Errorf("got=%+v", p)
		}
	}
}

// verifier is the printed configuration.
func (r *running) verifier() *identity.Verifier {
	r.t.Helper()
	cloud := identity.Cloud(r.origin)
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso, Cloud: cloud},
			identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Hosts: []string{r.origin}, Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}},
			identity.Tenant{ID: mockidp.Customers, External: &identity.External{Hosts: []string{r.origin}}},
		),
		Keys: identity.KeyOptions{HTTPClient: r.client},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// printed are the settings for a directory.
func printed(t *testing.T, d mockidp.Directory) string {
	t.Helper()
	idp := mockidp.New(mockidp.WithDirectory(d))
	s, err := newSettings("https://localhost:8443", &mockFlags{tls: true, admin: true}, idp, d)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What is printed follows from the directory.
func TestSettingsOfOtherDirectories(t *testing.T) {
	t.Parallel()
	kind := func(i int) mockidp.Directory {
		return mockidp.Directory{Tenants: mockidp.DefaultDirectory().Tenants[i : i+1]}
	}
	b2c := printed(t, kind(2))
	for _, text := range []string{`authority: "https://localhost:8443/` + mockidp.Shop + `/b2c_1_susi"`, "/.mockidp/tenants/contosob2c/sign-in", `WithAuthority("https`} {
		if !strings.Contains(b2c, text) {
			t.Errorf("B2C: no %q in %s", text, b2c)
		}
	}
	if strings.Contains(b2c, "MSAL NODE") {
		t.Errorf("B2C: a daemon in %s", b2c)
	}
	if external := printed(t, kind(3)); !strings.Contains(external, `authority: "https://localhost:8443/`+mockidp.Customers+`"`) || !strings.Contains(external, "MSAL NODE") {
		t.Errorf("External ID: got=%s", external)
	}
	if empty := printed(t, mockidp.Directory{}); strings.Contains(empty, "MSAL") || strings.Contains(empty, "CURL") || !strings.Contains(empty, "Ctrl-C") {
		t.Errorf("empty: got=%s", empty)
	}

	many := kind(0)
	for i := range 30 {
		many.Tenants = append(many.Tenants, mockidp.Tenant{ID: fmt.Sprintf("12121212-0000-4000-8000-%012d", i)})
		many.Tenants[0].Users = append(many.Tenants[0].Users, mockidp.Account{ID: fmt.Sprintf("13131313-0000-4000-8000-%012d", i), Login: fmt.Sprint("u", i)})
	}
	if out := printed(t, many); !strings.Contains(out, "\n  and 23 more\n") || !strings.Contains(out, "\n\t\t// and 23 more\n\t}...),\n") || !strings.Contains(out, "\n      and 27 more\n") {
		t.Errorf("many: got=%s", out)
	}

	// Names that are not unique are not used; odd values are quoted.
	odd := kind(0)
	twin := odd.Tenants[0]
	twin.Kind, twin.Users, twin.Applications = mockidp.External, nil, nil
	odd.Tenants = append(odd.Tenants, twin)
	odd.Tenants[0].Users[0].Login = "o'neill@contoso.example"
	apps := odd.Tenants[0].Applications
	for i := range apps {
		if apps[i].ID == mockidp.Daemon {
			apps[i].Secrets = []string{"it's a $ecret"}
		}
		if apps[i].ID == mockidp.API {
			apps[i].IdentifierURIs = []string{"https://orders.contoso.example/"}
		}
	}
	out := printed(t, odd)
	for _, text := range []string{"'https://localhost:8443/.mockidp/tenants/" + mockidp.Contoso + "/sign-in?kind=workforce'", `--data-urlencode 'client_secret=it'\''s a $ecret'`, `{"login": "o'\''neill@contoso.example"`, `Audiences: []string{"https://orders.contoso.example/"}`, `"https://orders.contoso.example/Orders.Read"`} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in %s", text, out)
		}
	}
}

func TestShownOrigin(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		"https://127.0.0.1:8443": "https://localhost:8443", "https://[::1]:8443": "https://localhost:8443", "http://192.0.2.1:80": "http://192.0.2.1:80",
	} {
		if got := shownOrigin(got); got != want {
			t.Errorf("got=%s, want=%s", got, want)
		}
	}
}
