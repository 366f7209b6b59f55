package mockidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

const (
	login        = "https://login.microsoftonline.com/"
	contosoBase  = login + mockidp.Contoso
	contosoToken = contosoBase + "/oauth2/v2.0/token"
	apiScope     = "api://" + mockidp.API + "/access_as_user"
	webCallback  = "https://web.contoso.example/callback"
	spaCallback  = "http://localhost:3000"
	verifier     = "a-verifier-of-more-than-forty-three-characters-0123456789"
	jo           = "jo@contoso.example"
	pat          = "pat@contoso.example"
)

// form makes values of pairs; a name may come twice.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// but changes some of the values; an empty one removes.
func but(v url.Values, pairs ...string) url.Values {
	c := maps.Clone(v)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			delete(c, pairs[i])
		} else {
			c[pairs[i]] = []string{pairs[i+1]}
		}
	}
	return c
}

// reply is a response, read.
type reply struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

// send posts a form, with headers in pairs.
func send(t testing.TB, c *http.Client, address string, v url.Values, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(v.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	return do(t, c, req, headers...)
}

func do(t testing.TB, c *http.Client, req *http.Request, headers ...string) reply {
	t.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(body)}
	json.Unmarshal(body, &r.json)
	return r
}

func visit(t testing.TB, c *http.Client, address string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, req, headers...)
}

// ok is an answer with tokens.
func ok(t testing.TB, r reply) map[string]any {
	t.Helper()
	if r.status != 200 || r.json == nil {
		t.Fatalf("got=%d %s, want=200", r.status, r.text)
	}
	return r.json
}

// refusal is an error in Microsoft's shape.
type refusal struct {
	status int
	error  string
	number int
}

func (w refusal) check(t testing.TB, r reply) {
	t.Helper()
	numbers, _ := r.json["error_codes"].([]any)
	number := 0
	if len(numbers) == 1 {
		number = int(numbers[0].(float64))
	}
	got := refusal{r.status, fmt.Sprint(r.json["error"]), number}
	if got != w {
		t.Errorf("got=%+v, want=%+v: %s", got, w, r.text)
		return
	}
	description := fmt.Sprint(r.json["error_description"])
	if !strings.HasPrefix(description, fmt.Sprintf("AADSTS%d: ", w.number)) || !strings.Contains(description, "Trace ID: "+fmt.Sprint(r.json["trace_id"])) ||
		!strings.Contains(description, "Correlation ID: "+fmt.Sprint(r.json["correlation_id"])) || !strings.Contains(description, "Timestamp: "+fmt.Sprint(r.json["timestamp"])) {
		t.Errorf("description: %s", description)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got=%q", got)
	}
	if got := r.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("Content-Type: got=%q", got)
	}
}

// b2cRefused checks an error in B2C's shape.
func b2cRefused(t testing.TB, r reply, status int, kind string, number int) {
	t.Helper()
	if description := fmt.Sprint(r.json["error_description"]); r.status != status || r.json["error"] != kind || !strings.HasPrefix(description, fmt.Sprintf("AADB2C%d: ", number)) ||
		!strings.Contains(description, "\r\nCorrelation ID: ") || len(r.json) != 2 {
		t.Errorf("got=%d %s, want=%d %s AADB2C%d", r.status, r.text, status, kind, number)
	}
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// webRequest is a good authorization request of the web application; spaRequest of the single-page application.
func webRequest(pairs ...string) url.Values {
	return but(form("client_id", mockidp.WebClient, "response_type", "code", "redirect_uri", webCallback, "scope", "openid profile offline_access "+apiScope, "state", "s t&a",
		"nonce", "n"), pairs...)
}

func spaRequest(pairs ...string) url.Values {
	return but(form("client_id", mockidp.Client, "response_type", "code", "redirect_uri", spaCallback, "scope", "openid profile offline_access "+apiScope, "state", "s", "nonce", "n",
		"client_info", "1", "response_mode", "fragment", "code_challenge", s256(verifier), "code_challenge_method", "S256"), pairs...)
}

func authorizeURL(base string, v url.Values) string {
	return base + "/oauth2/v2.0/authorize?" + v.Encode()
}

// codeFor walks to a code.
func codeFor(t testing.TB, idp *mockidp.Server, base string, v url.Values, who string) string {
	t.Helper()
	r, err := idp.Walk(authorizeURL(base, v), who)
	if err != nil {
		t.Fatal(err)
	}
	code := r.Values.Get("code")
	if code == "" {
		t.Fatalf("no code in %v", r.Values)
	}
	return code
}

// webRedemption redeems a code of webRequest.
func webRedemption(code string, pairs ...string) url.Values {
	return but(form("grant_type", "authorization_code", "client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret, "code", code, "redirect_uri", webCallback), pairs...)
}

func spaRedemption(code string, pairs ...string) url.Values {
	return but(form("grant_type", "authorization_code", "client_id", mockidp.Client, "code", code, "redirect_uri", spaCallback, "code_verifier", verifier, "client_info", "1"), pairs...)
}

var spaOrigin = []string{"Origin", spaCallback}

// person is a browser without scripts and somebody who fills in forms.
type person struct {
	t    testing.TB
	c    *http.Client
	at   string // address of the page
	page reply
}

func newPerson(t testing.TB, idp *mockidp.Server) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := idp.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &person{t: t, c: c}
}

func (p *person) open(address string) *person {
	p.t.Helper()
	p.at, p.page = address, visit(p.t, p.c, address)
	return p
}

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	accountName = regexp.MustCompile(`name="loginfmt" value="([^"]+)"`)
)

// fields are the hidden fields of the page's first form.
func (p *person) fields() url.Values {
	p.t.Helper()
	first, _, found := strings.Cut(p.page.text, "</form>")
	if !found {
		p.t.Fatalf("no form in %d %s", p.page.status, p.page.text)
	}
	v := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(first, -1) {
		v.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return v
}

// post sends the form with what the person adds.
func (p *person) post(pairs ...string) *person {
	p.t.Helper()
	v := p.fields()
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	action := formAction.FindStringSubmatch(p.page.text)
	base, _ := url.Parse(p.at)
	to, err := base.Parse(html.UnescapeString(action[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	p.at = to.String()
	p.page = send(p.t, p.c, p.at, v)
	return p
}

// sees checks texts of a page.
func (p *person) sees(status int, texts ...string) *person {
	p.t.Helper()
	got := html.UnescapeString(p.page.text)
	if i := slices.IndexFunc(texts, func(s string) bool { return !strings.Contains(got, s) }); p.page.status != status || i >= 0 {
		if _, main, found := strings.Cut(got, "<main"); found {
			got = main // style sheets explain nothing
		}
		p.t.Fatalf("got=%d %s, want=%d with %q", p.page.status, got, status, texts)
	}
	return p
}

// sent is the address that the browser is sent to, and the values in it.
func (p *person) sent() (*url.URL, url.Values) {
	p.t.Helper()
	if p.page.status != 302 {
		p.t.Fatalf("got=%d %s, want=302", p.page.status, p.page.text)
	}
	u, err := url.Parse(p.page.header.Get("Location"))
	if err != nil {
		p.t.Fatal(err)
	}
	text := u.RawQuery
	if u.Fragment != "" {
		text = u.EscapedFragment()
	}
	v, err := url.ParseQuery(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return u, v
}

// eitherText decodes base64url.
func eitherText(v any) string {
	b, err := base64.RawURLEncoding.DecodeString(fmt.Sprint(v))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
