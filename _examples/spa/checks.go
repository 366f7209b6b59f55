package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// check is one request, as the page or somebody else makes it, and the answer that it must have.
type check struct {
	what    string
	method  string
	url     string
	token   string // of the Authorization header; empty: none
	origin  string // of the page that calls; empty: no browser
	ask     string // Access-Control-Request-Method, of a preflight request; empty: none
	status  int
	want    answer // compared but for the user
	scope   string // that the challenge must name
	says    string // the sentence that the challenge must have; empty: none
	allowed bool   // whether the page may read the answer
}

// signedIn is the access token that somebody at a directory gets for a scope, after consent.
func (w *world) signedIn(d directoryInfo, scope string) (string, error) {
	got, err := w.idp.Tenant(d.ID).SignIn(mockidp.SignIn{Login: d.login, Policy: d.policy, Origin: w.microsoft, Scopes: []string{apiURI + scope}})
	if err != nil {
		return "", fmt.Errorf("sign in at %s for %s: %w", d.Name, scope, err)
	}
	return got.AccessToken, nil
}

func (w *world) checks() ([]check, error) {
	var list []check
	tokens := make(map[string]string)
	for _, d := range directories {
		token, err := w.signedIn(d, ordersRead)
		if err != nil {
			return nil, err
		}
		tokens[d.Name] = token
		list = append(list, check{what: "signed in at " + d.Name, method: "GET", url: w.api + "/orders", token: token, origin: w.page, status: 200, allowed: true,
			want: answer{Tenant: d.Name, Policy: d.policy, Orders: orders[d.ID]}})
	}
	jobs, err := w.signedIn(contoso, jobsRun)
	if err != nil {
		return nil, err
	}
	read, here := mockidp.Scopes(ordersRead), mockidp.IssuedBy(w.microsoft)
	tenant, store := w.idp.Tenant(contoso.ID), w.idp.Tenant(shop.ID)
	refused := func(what, token, says string) check {
		return check{what: what, method: "GET", url: w.api + "/orders", token: token, origin: w.page, status: 401, says: says, allowed: true}
	}
	preflight := func(what, origin string, allowed bool) check {
		return check{what: what, method: "OPTIONS", url: w.api + "/orders", origin: origin, ask: "GET", status: 204, allowed: allowed}
	}
	elsewhere := "https://evil.example"
	return append(list,
		check{what: "a job without " + jobsRun, method: "POST", url: w.api + "/jobs", token: tokens[contoso.Name], origin: w.page, status: 403, allowed: true,
			says: "The access token lacks a required scope.", scope: jobsRun},
		check{what: "a job with " + jobsRun, method: "POST", url: w.api + "/jobs", token: jobs, origin: w.page, status: 202, allowed: true,
			want: answer{Tenant: contoso.Name, Job: "accepted"}},
		refused("no token", "", ""),
		refused("an expired token", tenant.Token(here, read, mockidp.ExpiresIn(-time.Hour)), "The access token has expired."),
		refused("an ID token", tenant.Token(here, mockidp.IDToken()), "An access token is required; this is an ID token."),
		refused("a tenant not registered", w.idp.Tenant(mockidp.Customers).Token(here, read), "The issuer of the access token is not trusted."),
		refused("a policy not listed", store.Token(here, read, mockidp.Policy("B2C_1A_custom")), "The policy of the access token is not accepted."),
		preflight("preflight of the page", w.page, true),
		preflight("preflight of another page", elsewhere, false),
		check{what: "another page, good token", method: "GET", url: w.api + "/orders", token: tokens[contoso.Name], origin: elsewhere, status: 200,
			want: answer{Tenant: contoso.Name, Orders: orders[contoso.ID]}},
		check{what: "the page itself", method: "GET", url: w.page + "/", status: 200},
		check{what: "where sign-ins end", method: "GET", url: w.page + "/redirect.html", status: 200},
	), nil
}

// check makes all requests and prints what comes of them. It is an error if any answer is not the expected one.
func (w *world) check(ctx context.Context, out io.Writer) error {
	list, err := w.checks()
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 30 * time.Second}
	wrong := 0
	for _, c := range list {
		got, fault, err := c.run(ctx, client)
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-25s %3d  %s", c.what, got.status, got.note), " "))
		if fault != "" {
			wrong++
			fmt.Fprintf(out, "  WRONG: %s\n", fault)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d answers are wrong", wrong, len(list))
	}
	fmt.Fprintf(out, "%d answers, all as they have to be\n", len(list))
	return nil
}

// outcome is what the table shows.
type outcome struct {
	status int
	note   string
}

// run makes the request; fault says how the answer differs from the expected one.
func (c check) run(ctx context.Context, client *http.Client) (got outcome, fault string, err error) {
	req, err := c.request(ctx)
	if err != nil {
		return got, "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return got, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return got, "", err
	}
	got = outcome{res.StatusCode, c.note()}
	if res.StatusCode != c.status {
		return got, fmt.Sprintf("want %d; %s", c.status, body), nil
	}
	for _, fault := range []string{c.cors(res.Header), c.challenge(res.Header), c.body(body)} {
		if fault != "" {
			return got, fault, nil
		}
	}
	return got, "", nil
}

func (c check) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.origin != "" {
		req.Header.Set("Origin", c.origin)
	}
	if c.ask != "" {
		req.Header.Set("Access-Control-Request-Method", c.ask)
		req.Header.Set("Access-Control-Request-Headers", "authorization")
	}
	return req, nil
}

// note is for people: who was let in, or what a client is told.
func (c check) note() string {
	note := c.says
	switch {
	case c.want.Tenant != "":
		note = strings.TrimSpace(c.want.Tenant + " " + c.want.Policy)
	case c.scope != "":
		note = "ask for " + c.scope
	}
	if c.origin != "" && !c.allowed {
		note = strings.TrimLeft(note+", which the page cannot read", ", ")
	}
	return note
}

// cors finds what is wrong with the headers that say who may read the answer.
func (c check) cors(h http.Header) (fault string) {
	origin := ""
	if c.allowed {
		origin = c.origin
	}
	if got := h.Get("Access-Control-Allow-Origin"); got != origin {
		return fmt.Sprintf("Access-Control-Allow-Origin %q, want %q", got, origin)
	}
	if c.allowed && c.ask != "" && !strings.EqualFold(h.Get("Access-Control-Allow-Headers"), "Authorization") {
		return "the page may not send Authorization"
	}
	return ""
}

// challenge finds what is wrong with the challenge of a refusal, which the page has to be able to read.
func (c check) challenge(h http.Header) (fault string) {
	challenge := h.Get("WWW-Authenticate")
	if c.status != http.StatusUnauthorized && c.status != http.StatusForbidden {
		if challenge != "" {
			return fmt.Sprintf("challenge %q, want none", challenge)
		}
		return ""
	}
	if exposed := h.Get("Access-Control-Expose-Headers"); challenge == "" || !strings.Contains(exposed, "WWW-Authenticate") {
		return fmt.Sprintf("challenge %q, exposed %q", challenge, exposed)
	}
	_, says, _ := strings.Cut(challenge, `error_description="`)
	if says, _, _ = strings.Cut(says, `"`); says != c.says {
		return fmt.Sprintf("challenge %q, want %q", challenge, c.says)
	}
	if !strings.Contains(challenge, c.scope) {
		return fmt.Sprintf("challenge %q, want the scope %s", challenge, c.scope)
	}
	return ""
}

// body finds what is wrong with the answer of the API, but for the user.
func (c check) body(body []byte) (fault string) {
	if c.want.Tenant == "" {
		return ""
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return err.Error()
	}
	a.User = ""
	if !reflect.DeepEqual(a, c.want) {
		return fmt.Sprintf("%+v, want %+v", a, c.want)
	}
	return ""
}
