package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// explained runs identity explain with a token on standard input.
func (c *clinic) explained(token string, args ...string) (code int, stdout, stderr string) {
	c.Helper()
	var out, err output
	args = append([]string{"explain", "-config", c.config, "-ca-file", c.caFile}, args...)
	code = run(c.Context(), args, streams{strings.NewReader(token), &out, &err, noEnv})
	return code, out.String(), err.String()
}

// token makes a good one. Issuers are on the mock's own host.
func (c *clinic) token(id string, opts ...mockidp.TokenOption) string {
	return c.idp.Tenant(id).Token(append([]mockidp.TokenOption{mockidp.IssuedBy(c.idp.URL)}, opts...)...)
}

// Every token of the catalogue is refused for the cause that is intended, which stands first; the good token of its tenant is accepted.
func TestExplainCatalogue(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	tenants := map[mockidp.Kind]string{mockidp.Workforce: mockidp.Contoso, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers}
	config := inFile(t, "tenants.json", fmt.Sprintf(`{"ClientID": %q, "Tenants": [{"ID": %q, "Name": "contoso"},
		{"ID": %q, "B2C": {"Domain": "contosob2c", "Policies": ["B2C_1_susi", "B2C_1A_custom"]}}, {"ID": %q, "External": {}}]}`,
		mockidp.API, mockidp.Contoso, mockidp.Shop, mockidp.Customers))
	keys := make(map[mockidp.Kind]string)
	for kind, id := range tenants {
		keys[kind] = inFile(t, "keys.json", keySetText(t, idp, id))
	}
	explain := func(kind mockidp.Kind, token string, args ...string) (code int, report identity.Report, text string) {
		var out, err output
		s := streams{strings.NewReader(token), &out, &err, noEnv}
		code = run(t.Context(), append([]string{"explain", "-config", config, "-offline", keys[kind], "-json"}, args...), s)
		decoder := json.NewDecoder(strings.NewReader(out.String()))
		decoder.DisallowUnknownFields()
		if e := decoder.Decode(&report); e != nil {
			t.Fatalf("%v: %s%s", e, &out, &err)
		}
		out = output{}
		s.in = strings.NewReader(token)
		if again := run(t.Context(), append([]string{"explain", "-config", config, "-offline", keys[kind]}, args...), s); again != code {
			t.Fatalf("as text: got=%d, want=%d", again, code)
		}
		return code, report, out.String()
	}
	for kind, id := range tenants {
		if code, report, text := explain(kind, idp.Tenant(id).Token()); code != 0 || report.Verdict != identity.Accepted || !strings.HasPrefix(text, "ACCEPTED\n") {
			t.Fatalf("%v: got=%d %+v", kind, code, report)
		}
	}
	for _, broken := range mockidp.Broken() {
		t.Run(broken.Name, func(t *testing.T) {
			token := broken.Token(idp.Tenant(tenants[broken.Kind]))
			code, report, text := explain(broken.Kind, token)
			if code != 1 || report.Verdict != identity.Refused || string(report.Reason) != broken.Reason || report.Status != broken.Status {
				t.Errorf("got=%d %s %d %s, want=%d %s", code, report.Verdict, report.Status, report.Reason, broken.Status, broken.Reason)
			}
			oneLine := strings.Join(strings.Fields(text), " ")
			if report.Cause == "" || !strings.HasPrefix(oneLine, fmt.Sprintf("REFUSED %d %s %s ", broken.Status, broken.Reason, report.Cause)) {
				t.Errorf("the verdict and its cause do not come first: %q\n%s", report.Cause, text)
			}
			if signature := token[strings.LastIndexByte(token, '.')+1:]; len(signature) > 40 && strings.Contains(text, signature) {
				t.Error("the signature is printed")
			}
			within(t, text, 80)
		})
	}
}

// keySetText is the key set of a tenant as its server publishes it.
func keySetText(t *testing.T, idp *mockidp.Server, id string) string {
	t.Helper()
	address := map[string]string{
		mockidp.Contoso:   "https://login.microsoftonline.com/common/discovery/v2.0/keys",
		mockidp.Shop:      "https://contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi/discovery/v2.0/keys",
		mockidp.Customers: "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/discovery/v2.0/keys",
	}[id]
	resp, err := idp.Client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got=%d %v", address, resp.StatusCode, err)
	}
	return string(text)
}

// Exit codes by verdict, over real connections.
func TestExplainExitCodes(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	contoso := c.token(mockidp.Contoso)
	if code, stdout, stderr := c.explained(contoso); code != 0 || !strings.HasPrefix(stdout, "ACCEPTED\n") || stderr != "" {
		t.Errorf("got=%d %q %s", code, stderr, stdout)
	}
	for _, id := range []string{mockidp.Shop, mockidp.Customers} {
		if code, stdout, stderr := c.explained(c.token(id)); code != 0 {
			t.Errorf("%s: got=%d %q %s", id, code, stderr, stdout)
		}
	}
	if code, stdout, _ := c.explained(c.token(mockidp.Contoso, mockidp.ExpiresIn(-3600e9))); code != 1 || !strings.HasPrefix(stdout, "REFUSED  401 token_expired\n") {
		t.Errorf("got=%d %s", code, stdout)
	}
	c.idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Status: 500})
	code, stdout, stderr := c.explained(contoso)
	if code != 3 || !strings.HasPrefix(stdout, "REFUSED  503 keys_unavailable\n") || !strings.Contains(stderr, "identity doctor -config "+c.config) {
		t.Errorf("got=%d %q %s", code, stderr, stdout)
	}
	if code := run(t.Context(), []string{"explain", "-config", c.config, contoso}, streams{strings.NewReader(""), brokenWriter{}, io.Discard, noEnv}); code != 1 {
		t.Errorf("broken output: got=%d, want=1", code)
	}
}

// The token is an argument, before or after the flags, or comes in on standard input.
func TestExplainInput(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	token := c.token(mockidp.Contoso)
	for _, args := range [][]string{{token}, {token, "-json"}, {"-json", token}} {
		if code, stdout, stderr := c.explained("", args...); code != 0 || stderr != "" || !strings.Contains(stdout, "ccepted") && !strings.Contains(stdout, "ACCEPTED") {
			t.Errorf("got=%d %q %s", code, stderr, stdout)
		}
	}
	if code, _, stderr := c.explained(token, "-"); code != 0 {
		t.Errorf("got=%d %q", code, stderr)
	}
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", nil, "there is no token"},
		{" \n", nil, "there is no token"},
		{"Bearer ", nil, "REFUSED"}, // a word like any other
		{strings.Repeat("x", 1<<20+1), nil, "it is no token"},
		{"", []string{"a", "b"}, "there are 2 arguments"},
		{"", []string{"-client-id", mockidp.API}, "use one or the others"},
		{"", []string{"-colour"}, "-colour"},
	} {
		code, stdout, stderr := c.explained(tt.stdin, tt.args...)
		if want := map[bool]int{true: 1, false: 2}[tt.want == "REFUSED"]; code != want || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%q %q: got=%d %q %s", tt.stdin[:min(9, len(tt.stdin))], tt.args, code, stderr, stdout)
		}
	}
}

// Without a file: flags for one API and some tenants of a cloud.
func TestExplainFlags(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	token := c.token(mockidp.Fabrikam)
	quick := []string{"explain", "-ca-file", c.caFile, "-client-id", mockidp.API, "-cloud", c.idp.URL}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{append(quick, "-tenant", mockidp.Contoso, "-tenant", mockidp.Fabrikam, token), 0, "ACCEPTED"},
		{append(quick, "-tenant", mockidp.Contoso, token), 1, "tenant_unknown"},
		{append(quick, token), 2, "whose token is it to be?"},
		{append(quick, "-tenant", "contoso", token), 2, `"contoso" is not the GUID of a tenant`},
		{[]string{"explain", token}, 2, "Give -config, or -client-id and -tenant"},
		{[]string{"explain", "-client-id", mockidp.API, "-tenant", mockidp.Contoso, "-cloud", "usgov", token}, 2, `-cloud: "usgov" is none of`},
		{[]string{"explain", "-client-id", mockidp.API, "-tenant", mockidp.Contoso, "-offline", c.config, token}, 2, "it is no key set"},
		{[]string{"explain", "-audience", mockidp.API, "-cloud", c.idp.URL, "-ca-file", c.caFile, "-tenant", mockidp.Fabrikam, token}, 0, "ACCEPTED"},
	} {
		if code, stdout, stderr := ran(t, tt.args...); code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%q: got=%d %q %s", tt.args[:len(tt.args)-1], code, stderr, stdout)
		}
	}
}

// A file of keys stands for the key servers of every kind of tenant and every cloud, and nobody is asked.
func TestExplainOffline(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	flags := []string{"explain", "-client-id", mockidp.API, "-tenant", mockidp.Contoso, "-offline", inFile(t, "keys.json", keySetText(t, idp, mockidp.Contoso))}
	contoso := idp.Tenant(mockidp.Contoso)
	for _, tt := range []struct {
		token  string
		code   int
		reason string
	}{
		{contoso.Token(), 0, ""},
		{contoso.Token(mockidp.V1()), 0, ""},
		{contoso.Token(mockidp.KeyID("unknown")), 1, "key_not_found"},
		{contoso.Token(mockidp.V1(), mockidp.KeyID("unknown")), 1, "key_not_found"},
	} {
		code, stdout, stderr := ran(t, append(flags, tt.token)...)
		if code != tt.code || !strings.Contains(stdout, tt.reason) {
			t.Errorf("got=%d %q %s, want=%d %s", code, stderr, stdout, tt.code, tt.reason)
		}
	}
}

// What people copy along with a token is left out, and named. What is part of a broken token stays.
func TestBareToken(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_"
	for _, tt := range []struct{ text, want, dropped string }{
		{token, token, ""},
		{" " + token + "\r\n", token, ""},
		{"Bearer " + token, token, "the word Bearer"},
		{"bearer\t" + token, token, "the word Bearer"},
		{"Bearer: " + token, token, "the word Bearer"},
		{"Authorization: Bearer " + token + "\n", token, "the name of the header, the word Bearer"},
		{`"` + token + `"`, token, "quotation marks"},
		{`'Bearer ` + token + `'`, token, "quotation marks, the word Bearer"},
		{`"` + token + `",`, token, "quotation marks"},
		{`'` + token + `';`, token, "quotation marks"},
		{"“" + token + "”", token, "quotation marks"},
		{"\ufeff" + token, token, ""},
		{token[:20] + "\n" + token[20:30] + "\r\n  " + token[30:], token, "blanks and line breaks in it"},
		{`{"token_type":"Bearer","access_token":"` + token + `"}`, token, "the rest of a token response"},
		{`{"accessToken":"` + token + `"}`, token, "the rest of a token response"},
		{`{"id_token":"x"}`, `{"id_token":"x"}`, ""},
		{"Bearer", "Bearer", ""},
		{"Bearer" + token, "Bearer" + token, ""},
		{token + ",", token + ",", ""},
		{token + "=", token + "=", ""},
		{"", "", ""},
		{`""`, "", "quotation marks"},
	} {
		got, dropped := bareToken(tt.text)
		if got != tt.want || strings.Join(dropped, ", ") != tt.dropped {
			t.Errorf("%q: got=%q %q, want=%q %q", tt.text, got, dropped, tt.want, tt.dropped)
		}
	}
	c := newClinic(t)
	if code, _, stderr := c.explained(`"Bearer ` + c.token(mockidp.Contoso) + `"`); code != 0 || stderr != "identity explain: left out around the token: quotation marks, the word Bearer\n" {
		t.Errorf("got=%d %q", code, stderr)
	}
}

// Keys that a terminal would have acted on act on what is typed with the echo off.
func TestEdited(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"abc\n": "abc\n", "abx\x7fc\n": "abc\n", "\x7fa": "a", "wrong\x15right\n": "right\n", "\x1b[200~abc\x1b[201~\n": "abc\n", "abc\x04": "abc",
	} {
		if got := edited(text); got != want {
			t.Errorf("%q: got=%q, want=%q", text, got, want)
		}
	}
}
