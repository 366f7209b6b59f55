package mockidp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func TestAdminKeys(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	before := a.must("GET", "tenants/contoso/keys", nil)
	first := fmt.Sprint(before["signing"])
	if got := kids(t, a.Client(), commonKeys); fmt.Sprint(before["published"]) != fmt.Sprint(got) {
		t.Errorf("got=%v, want=%v", before["published"], got)
	}
	token := func() string {
		t.Helper()
		return fmt.Sprint(headerOf(t, a.must("POST", "tenants/contoso/tokens", nil)["token"].(string))["kid"])
	}
	rotated := a.must("POST", "tenants/contoso/keys/rotate", nil)
	second := fmt.Sprint(rotated["signing"])
	if second == first || token() != second || len(kids(t, a.Client(), commonKeys)) != 3 {
		t.Errorf("rotate: got=%v", rotated)
	}
	third := fmt.Sprint(a.must("POST", "tenants/fabrikam/keys/rotate", `{"withdraw": true}`)["signing"])
	if got := fmt.Sprint(kids(t, a.Client(), commonKeys)); strings.Contains(got, second) || !strings.Contains(got, third) {
		t.Errorf("rotate and withdraw: got=%s", got)
	}
	next := a.must("POST", "tenants/contoso/keys/prepublish", nil)["published"].([]any)
	fourth := fmt.Sprint(next[len(next)-1])
	if token() != third {
		t.Error("a key that is published ahead signs")
	}
	if a.must("POST", "tenants/contoso/keys/"+fourth+"/use", nil); token() != fourth {
		t.Error("a key in use does not sign")
	}
	a.must("DELETE", "tenants/contoso/keys/"+fourth, nil)
	if got := fmt.Sprint(kids(t, a.Client(), commonKeys)); strings.Contains(got, fourth) || token() != fourth {
		t.Errorf("withdraw: got=%s", got)
	}
	a.denied("DELETE", "tenants/contoso/keys/"+fourth, nil, 404, "{kid}")
	a.denied("POST", "tenants/contoso/keys/x/use", nil, 404, "{kid}")

	// Each policy, and each application, has its own.
	one, other := a.must("GET", "tenants/contosob2c/keys?policy=b2c_1_susi", nil), a.must("GET", "tenants/contosob2c/keys?policy=B2C_1A_custom", nil)
	if one["signing"] == other["signing"] || one["signing"] != a.must("GET", "tenants/contosob2c/keys", nil)["signing"] {
		t.Errorf("got=%v and %v", one, other)
	}
	want(t, a.must("GET", "tenants/contoso/keys?app="+mockidp.API, nil), map[string]any{"signing": a.Tenant(mockidp.Contoso).AppKeys(mockidp.API).Signing().ID()})
	a.denied("GET", "tenants/contosob2c/keys?policy=x", nil, 404, "query.policy")
	a.denied("GET", "tenants/contoso/keys?policy=x", nil, 404, "query.policy")
	a.denied("GET", "tenants/contosob2c/keys?app="+mockidp.API, nil, 400)
	a.denied("GET", "tenants/contosob2c/keys?policy=x&app=y", nil, 400, "query")
	a.denied("POST", "tenants/contoso/keys/rotate", `{"withdraw": "yes", "x": 1}`, 400, "withdraw", "x")
}

func TestAdminFaults(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	get := func() (int, http.Header, string) {
		t.Helper()
		r := visit(t, a.Client(), commonV2)
		return r.status, r.header, r.text
	}
	got := a.must("POST", "faults", `{"endpoint": "discovery", "tenant": "common", "times": 2, "status": 503, "header": {"Retry-After": "7", "Cache-Control": null}}`)
	want(t, got, map[string]any{"id": 1, "endpoint": "discovery", "tenant": "common", "left": 2, "status": 503, "header": map[string]any{"Retry-After": "7", "Cache-Control": nil}})
	document(t, a.Client(), contosoBase+discoveryPath) // another tenant
	status, header, _ := get()
	if status != 503 || header.Get("Retry-After") != "7" || header.Get("Cache-Control") != "" {
		t.Errorf("got=%d %v", status, header)
	}
	want(t, a.must("GET", "faults", nil)["faults"].([]any)[0].(map[string]any), map[string]any{"left": 1})
	get()
	if status, _, _ := get(); status != 200 {
		t.Errorf("used up: got=%d, want=200", status)
	}
	if n := len(a.must("GET", "faults", nil)["faults"].([]any)); n != 0 {
		t.Errorf("got=%d faults, want=0", n)
	}

	for body, check := range map[string]func(int, http.Header, string) bool{
		`{"body": ""}`:                                func(_ int, _ http.Header, text string) bool { return text == "" },
		`{"body": "not JSON"}`:                        func(_ int, _ http.Header, text string) bool { return text == "not JSON" },
		`{"padTo": 100000}`:                           func(_ int, _ http.Header, text string) bool { return len(text) == 100000 },
		`{"delay": "1ms", "drip": "1us"}`:             func(status int, _ http.Header, _ string) bool { return status == 200 },
		`{"host": "x.example"}`:                       func(status int, _ http.Header, text string) bool { return status == 200 && text[0] == '{' },
		`{"endpoint": "discovery", "redirect": "/x"}`: func(status int, _ http.Header, _ string) bool { return status == 404 },
		`{"endpoint": "jwks", "body": ""}`:            func(_ int, _ http.Header, text string) bool { return text != "" },
		`{"replace": [{"old": "login.microsoftonline.com", "new": "a.example"}, {"old": "a.example", "new": "b"}]}`: func(_ int, _ http.Header, text string) bool {
			return strings.Contains(text, `"issuer":"https://a.example/{tenantid}/v2.0"`)
		},
	} {
		id := a.must("POST", "faults", body)["id"]
		if status, header, text := get(); !check(status, header, text) {
			t.Errorf("%s: got=%d %v %.200s", body, status, header, text)
		}
		a.must("GET", "faults", nil)
		a.must("DELETE", fmt.Sprintf("faults/%v", id), nil)
		a.denied("DELETE", fmt.Sprintf("faults/%v", id), nil, 404, "{fault}")
	}
	for _, kind := range []string{"reset", "truncate"} {
		a.must("POST", "faults", `{"`+kind+`": true, "times": 1}`)
		resp, err := a.Client().Get(commonV2)
		if err == nil {
			_, err = resp.Body.Read(make([]byte, 1<<20))
			for err == nil {
				_, err = resp.Body.Read(make([]byte, 1<<20))
			}
			if err.Error() == "EOF" {
				err = nil
			}
		}
		if err == nil {
			t.Errorf("%s: no error", kind)
		}
	}
	a.denied("DELETE", "faults/one", nil, 404, "{fault}")
	a.denied("POST", "faults", `{"endpoint": "everything", "times": -1, "status": 99, "delay": "2h", "drip": "-1s", "padTo": 2000000000, "header": {"A": 1},
		"replace": [{"new": "x"}], "Reset": true}`, 400, "endpoint", "Reset", "times", "padTo", "delay", "drip", "status", "header.A", "replace[0].old")

	// Those of a test in Go are listed, too.
	remove := a.Inject(mockidp.Fault{Gzip: true, Policy: "p", Silence: true, Edit: func(b []byte) []byte { return b }})
	want(t, a.must("GET", "faults", nil)["faults"].([]any)[0].(map[string]any), map[string]any{"gzip": true, "silence": true, "edits": true, "policy": "p"})
	remove()
	remove()
}

func TestAdminClock(t *testing.T) {
	t.Parallel()
	noon := time.Date(2031, 1, 31, 12, 0, 0, 0, time.UTC)
	a := newAdministered(t, mockidp.WithClock(func() time.Time { return noon }))
	issued := func() time.Time {
		t.Helper()
		seconds := claimsOf(t, a.Tenant(mockidp.Contoso).Token())["iat"].(float64)
		return time.Unix(int64(seconds), 0).UTC()
	}
	shows := func(got map[string]any, at time.Time, stopped bool, ahead string) {
		t.Helper()
		want(t, got, map[string]any{"time": at.Format(time.RFC3339), "stopped": stopped, "ahead": ahead})
		if got := issued(); !got.Equal(at) {
			t.Errorf("tokens are issued at %v, want=%v", got, at)
		}
	}
	shows(a.must("GET", "clock", nil), noon, false, "0s")
	shows(a.must("POST", "clock/advance", `{"by": "90m"}`), noon.Add(90*time.Minute), false, "1h30m0s")
	shows(a.must("PUT", "clock", `{"time": "2040-02-01T00:00:00+01:00"}`), time.Date(2040, 1, 31, 23, 0, 0, 0, time.UTC), false, "78899h0m0s")
	shows(a.must("PUT", "clock", `{"time": "2020-01-01T00:00:00Z", "stopped": true}`), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), true, "-97164h0m0s")
	noon = noon.Add(time.Hour)
	shows(a.must("POST", "clock/advance", `{"by": "-1h"}`), time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC), true, "-97166h0m0s")
	shows(a.must("PUT", "clock", nil), time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC), false, "-97166h0m0s")
	noon = noon.Add(time.Hour)
	shows(a.must("GET", "clock", nil), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), false, "-97166h0m0s")
	shows(a.must("DELETE", "clock", nil), noon, false, "0s")
	a.denied("PUT", "clock", `{"time": "tomorrow", "stopped": 1}`, 400, "time", "stopped")
	a.denied("PUT", "clock", `{"time": "1989-12-31T23:59:59Z"}`, 400)
	a.denied("POST", "clock/advance", `{"by": "876000h"}`, 400)
	shows(a.must("GET", "clock", nil), noon, false, "0s")
}

// What expires does so by the clock that was moved.
func TestAdminClockEndsCodes(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	code := codeFor(t, a.Server, contosoBase, webRequest(), jo)
	a.must("POST", "clock/advance", `{"by": "1h"}`)
	refusal{400, "invalid_grant", 70008}.check(t, send(t, a.Client(), contosoToken, webRedemption(code)))
	code = codeFor(t, a.Server, contosoBase, webRequest(), jo)
	a.must("POST", "clock/advance", `{"by": "-3h"}`)
	ok(t, send(t, a.Client(), contosoToken, webRedemption(code)))
}

func TestAdminRequests(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	visit(t, a.Client(), contosoBase+discoveryPath+"?x=1", "X-Test", "yes")
	visit(t, a.Client(), commonKeys)
	visit(t, a.Client(), "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_susi/discovery/v2.0/keys")
	visit(t, a.Client(), contosoBase+discoveryPath+"?appid="+mockidp.API)
	got := a.must("GET", "requests", nil)
	first := got["requests"].([]any)[0].(map[string]any)
	want(t, got, map[string]any{"count": 4})
	want(t, first, map[string]any{"method": "GET", "scheme": "https", "host": "login.microsoftonline.com", "path": "/" + mockidp.Contoso + discoveryPath, "query": "x=1",
		"endpoint": "discovery", "tenant": mockidp.Contoso})
	if first["time"] == nil || fmt.Sprint(first["header"].(map[string]any)["X-Test"]) != "[yes]" {
		t.Errorf("got=%v", first)
	}
	for query, n := range map[string]int{"endpoint=discovery": 2, "endpoint=any": 4, "tenant=common": 1, "policy=b2c_1_SUSI": 1, "endpoint=jwks&tenant=" + mockidp.Contoso: 0, "limit=0": 4} {
		want(t, a.must("GET", "requests?"+query, nil), map[string]any{"count": n})
	}
	last := a.must("GET", "requests?limit=1", nil)["requests"].([]any)
	if len(last) != 1 {
		t.Fatalf("got=%v", last)
	}
	want(t, last[0].(map[string]any), map[string]any{"appID": mockidp.API})
	a.denied("GET", "requests?limit=-1&endpoint=x", nil, 400, "query.limit", "query.endpoint")
	a.must("DELETE", "requests", nil)
	want(t, a.must("GET", "requests", nil), map[string]any{"count": 0, "requests": []any{}})
}

func TestAdminDeviceCodes(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	want(t, a.must("GET", "device-codes", nil), map[string]any{"userCodes": []any{}})
	device := func() (poll func() reply, userCode string) {
		t.Helper()
		d := ok(t, send(t, a.Client(), contosoBase+"/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", apiScope)))
		return func() reply {
			return send(t, a.Client(), contosoToken, form("grant_type", "device_code", "client_id", mockidp.NativeClient, "device_code", d["device_code"].(string)))
		}, d["user_code"].(string)
	}
	poll, code := device()
	want(t, a.must("GET", "device-codes", nil), map[string]any{"userCodes": []string{code}})
	a.denied("POST", "device-codes/"+code, `{}`, 400, "login")
	a.denied("POST", "device-codes/"+code, `{"login": "x", "decline": true}`, 400, "login")
	a.denied("POST", "device-codes/"+code, `{"login": "nobody"}`, 400)
	refusal{400, "authorization_pending", 70016}.check(t, poll())
	a.must("POST", "device-codes/"+strings.ToLower(code), `{"login": "`+jo+`"}`)
	want(t, claimsOf(t, ok(t, poll())["access_token"].(string)), map[string]any{"oid": mockidp.User})
	a.denied("POST", "device-codes/"+code, `{"login": "`+jo+`"}`, 404, "{code}")

	poll, code = device()
	a.must("POST", "device-codes/"+code, `{"decline": true}`)
	if r := poll(); r.status != 400 || r.json["error"] != "authorization_declined" {
		t.Errorf("got=%d %s", r.status, r.text)
	}
}

func TestAdminSignOut(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	p := newPerson(t, a.Server)
	silent := authorizeURL(contosoBase, spaRequest("prompt", "none"))
	p.open(authorizeURL(contosoBase, spaRequest())).post("loginfmt", jo)
	if _, values := p.open(silent).sent(); values.Get("code") == "" {
		t.Errorf("got=%v, want a code", values)
	}
	a.must("POST", "sign-out", nil)
	if _, values := p.open(silent).sent(); values.Get("error") != "login_required" {
		t.Errorf("got=%v, want=login_required", values)
	}
}

// No request is answered with a 5xx, or panics.
func FuzzAdmin(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "tenants/contoso/tokens", `{"kind": "graph", "issuedBy": "x.example", "claims": {"a": [1e400]}}`},
		{"POST", "tenants/contosob2c/tokens", `{"policy": "x", "algorithm": "none", "rawHeader": "{"}`},
		{"POST", "tenants", `{"id": "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa", "cloud": "x", "kind": "b2c"}`},
		{"PUT", "directory", `{"tenants": [{}], "personalAccounts": null}`},
		{"POST", "faults", `{"header": {"": "\n"}, "status": 204, "body": "x"}`},
		{"PUT", "clock", `{"time": "9999-12-31T23:59:59Z"}`},
		{"POST", "tenants/contoso/sign-in", `{"login": "jo@contoso.example", "scopes": [""], "client": "%"}`},
		{"POST", "walk", `{"url": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?%", "login": "x"}`},
		{"DELETE", "tenants/contoso/keys/%2f?app=x&kind=workforce", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	a := newAdministered(f)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "https://localhost:8443/.mockidp/"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := a.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 && (resp.StatusCode < 400 || resp.StatusCode > 499) {
			t.Errorf("%s %s %s: got=%d", method, path, body, resp.StatusCode)
		}
	})
}
