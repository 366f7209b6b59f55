package mockidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// hostile is text that ends an attribute, an element or a string if somebody forgets to escape it.
const hostile = `"><script>alert(1)</script><b x='` + "\u2028</title>&lt;{{.}}"

// samplePages are all pages but the token page, with text in every place.
func samplePages(text string) map[string]mockidp.Page {
	fields := []mockidp.PageField{{Name: "csrf", Value: text}, {Name: text, Value: "1"}}
	accounts := []mockidp.PageAccount{{Name: text, Login: text, Note: text}, {Name: "Kim Guest", Login: "kim@fabrikam.example"}}

	choose := mockidp.SignInPage{Accounts: accounts, Error: text, Login: text}
	choose.Action, choose.Hidden, choose.Tenant, choose.App, choose.Policy = "/login?x="+text, fields, text, text, text
	bare := mockidp.SignInPage{}
	password := mockidp.SignInPage{Accounts: accounts, Login: text, Password: true}

	consent := mockidp.ConsentPage{Login: text, Permissions: []mockidp.PagePermission{{Name: text, API: text, Text: text}, {Name: "openid"}}}
	consent.App, consent.Tenant, consent.Hidden = text, text, fields
	tenant := mockidp.AdminConsentPage{Login: text, Permissions: consent.Permissions}
	tenant.App, tenant.Tenant, tenant.Hidden = text, text, fields
	needed := mockidp.AdminNeededPage{Login: text}
	needed.App, needed.Tenant, needed.Hidden = text, text, fields
	code := mockidp.DeviceCodePage{Code: text, Error: text}
	code.Hidden = fields
	confirm := mockidp.DeviceConfirmPage{Login: text, Code: text}
	confirm.App, confirm.Tenant, confirm.Hidden = text, text, fields
	message := mockidp.MessagePage{Heading: text, Text: text}
	message.Tenant = text
	out := mockidp.SignedOutPage{Logins: []string{text, text}}
	out.Tenant = text
	failed := mockidp.ErrorPage{Code: text, Message: text, Hint: text, Request: text, Correlation: text, Time: text}
	failed.App, failed.Tenant, failed.Policy = text, text, text
	return map[string]mockidp.Page{
		"sign in, accounts": choose, "sign in, bare": bare, "sign in, password": password, "consent": consent,
		"admin consent": tenant, "admin consent, bare": mockidp.AdminConsentPage{}, "admin needed": needed,
		"device code": code, "device code, bare": mockidp.DeviceCodePage{}, "device confirmation": confirm,
		"message": message, "signed out": out, "signed out, nobody": mockidp.SignedOutPage{},
		"error": failed, "error, bare": mockidp.ErrorPage{Message: "x"},
		"form post": mockidp.FormPostPage{Action: "https://app.example/callback?x=" + text, Fields: fields},
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Orders & more", hostile} {
		for name, page := range samplePages(text) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				status, header, body := mockidp.RenderPage(418, page)
				if status != 418 || header.Get("Content-Type") != "text/html; charset=utf-8" || header.Get("Cache-Control") != "no-store" ||
					header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("got=%d %v", status, header)
				}
				doc := checkPage(t, body)
				checkPolicy(t, doc, header.Get("Content-Security-Policy"))
				for _, b := range doc.all("b") {
					if b.attrs["x"] != "" {
						t.Error("text became an element")
					}
				}
			})
		}
	}
}

// checkPolicy: no script but the page's own, which the policy names by its hash.
func checkPolicy(t *testing.T, doc *element, policy string) {
	t.Helper()
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy: got=%q", policy)
	}
	for tag, directive := range map[string]string{"style": "style-src ", "script": "script-src "} {
		elements := doc.all(tag)
		if len(elements) == 0 && strings.Contains(policy, directive) {
			t.Errorf("policy allows a %s that is not there: %q", tag, policy)
		}
		for _, e := range elements {
			sum := sha256.Sum256([]byte(e.text()))
			if source := directive + "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, source) {
				t.Errorf("policy: got=%q, want %q in it", policy, source)
			}
		}
	}
	if len(doc.all("style")) != 1 {
		t.Error("want one style sheet")
	}
}

// Only the answer of authorize may be framed, for silent sign-in; only pages that never lead to an application say where forms go.
func TestPagePolicies(t *testing.T) {
	t.Parallel()
	for name, page := range samplePages("x") {
		_, header, _ := mockidp.RenderPage(200, page)
		policy := header.Get("Content-Security-Policy")
		if framed := !strings.Contains(policy, "frame-ancestors 'none'"); framed != (name == "form post") {
			t.Errorf("%s: may be framed: got=%v", name, framed)
		}
		leads := strings.HasPrefix(name, "sign in") || strings.Contains(name, "consent") || name == "admin needed" || name == "form post" || name == "device confirmation"
		if stays := strings.Contains(policy, "form-action 'self'"); stays == leads {
			t.Errorf("%s: forms stay here: got=%v", name, stays)
		}
		if header.Get("Cross-Origin-Opener-Policy") != "" || header.Get("X-Frame-Options") != "" {
			t.Errorf("%s: headers that break popups or frames: %v", name, header)
		}
		if got := header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("%s: Referrer-Policy: got=%q", name, got) // no-referrer would make forms post "Origin: null"
		}
	}
}

func TestSignInPageFields(t *testing.T) {
	t.Parallel()
	page := mockidp.SignInPage{Accounts: []mockidp.PageAccount{{Name: "Jo Doe", Login: "jo@contoso.example"}}, Login: "kim@fabrikam.example", Error: "No."}
	page.Action, page.Hidden = "/x/login?a=1&b=2", []mockidp.PageField{{Name: "csrf", Value: "secret"}}
	_, _, body := mockidp.RenderPage(200, page)
	doc := checkPage(t, body)
	forms := doc.all("form")
	if len(forms) != 2 {
		t.Fatalf("forms: got=%d, want=2", len(forms))
	}
	for _, form := range forms {
		if form.attrs["method"] != "post" || form.attrs["action"] != "/x/login?a=1&b=2" || form.all("input")[0].attrs["value"] != "secret" {
			t.Errorf("form: got=%v", form.attrs)
		}
	}
	account := forms[0].one(t, "button")
	if account.attrs["name"] != "loginfmt" || account.attrs["value"] != "jo@contoso.example" || account.words() != "Jo Doe jo@contoso.example" {
		t.Errorf("account: got=%v %q", account.attrs, account.words())
	}
	login, password := forms[1].all("input")[1], forms[1].all("input")[2]
	if login.attrs["name"] != "loginfmt" || login.attrs["value"] != "kim@fabrikam.example" || login.attrs["aria-describedby"] != "problem" || login.attrs["aria-invalid"] != "true" {
		t.Errorf("login: got=%v", login.attrs)
	}
	if password.attrs["name"] != "passwd" || password.attrs["type"] != "password" {
		t.Errorf("password: got=%v", password.attrs)
	}
	if problem := doc.byID("problem"); problem.attrs["role"] != "alert" || problem.words() != "No." {
		t.Errorf("problem: got=%v %q", problem.attrs, problem.words())
	}
	if title := doc.one(t, "title").words(); title != "Error: Pick an account · mockidp" {
		t.Errorf("title: got=%q", title)
	}
	buttons := forms[1].all("button")
	if len(buttons) != 2 || buttons[0].attrs["name"] != "" || buttons[1].attrs["name"] != "cancel" {
		t.Errorf("buttons: the first one is what the Enter key presses: got=%v", buttons)
	}
}

func TestFormPostPage(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"https://app.example/cb?x=1&y=2":    "https://app.example/cb?x=1&y=2",
		"http://localhost:41609":            "http://localhost:41609",
		"javascript:alert(1)":               "#ZgotmplZ",
		"data:text/html,<script>1</script>": "#ZgotmplZ",
	} {
		page := mockidp.FormPostPage{Action: action, Fields: []mockidp.PageField{{Name: "code", Value: `0.A"<&`}, {Name: "state", Value: "a b\u00e9"}, {Name: "submit", Value: "x"}}}
		_, _, body := mockidp.RenderPage(200, page)
		doc := checkPage(t, body)
		form := doc.one(t, "form")
		if form.attrs["action"] != want || form.attrs["method"] != "post" {
			t.Errorf("%s: got=%v", action, form.attrs)
		}
		got := []string{}
		for _, input := range form.all("input") {
			got = append(got, input.attrs["name"]+"="+input.attrs["value"])
		}
		if fmt.Sprint(got) != fmt.Sprint([]string{`code=0.A"<&`, "state=a b\u00e9", "submit=x"}) {
			t.Errorf("fields: got=%q", got)
		}
		if button := form.one(t, "button"); button.attrs["name"] != "" {
			t.Errorf("the button must not post anything: got=%v", button.attrs)
		}
		if script := doc.one(t, "script").text(); !strings.Contains(script, "HTMLFormElement.prototype.submit.call(") {
			t.Errorf("script: got=%q", script)
		}
	}
}

// Contrast as WCAG 2.2 §1.4.3 has it, of every pair of colours that is used for text, and §1.4.11 for borders.
func TestPageColours(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("no dark colours")
	}
	dark, _, _ = strings.Cut(dark, "\n}\n")
	light, _, _ = strings.Cut(light, "\n}\n")
	pairs := map[string][]string{
		"text": {"ground", "sheet", "soft", "good-soft", "bad-soft", "open-soft"}, "quiet": {"ground", "sheet", "soft"}, "accent": {"ground", "sheet", "soft"},
		"hover": {"ground", "sheet", "soft"}, "on-accent": {"accent", "hover"}, "good": {"good-soft"}, "bad": {"bad-soft"}, "open": {"open-soft"},
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		for over, unders := range pairs {
			for _, under := range unders {
				if c := contrast(t, text, over, under); c < 4.5 {
					t.Errorf("%s: %s on %s: got=%.2f, want at least 4.5", scheme, over, under, c)
				}
			}
		}
		for _, under := range []string{"sheet", "ground"} {
			if c := contrast(t, text, "edge", under); c < 3 {
				t.Errorf("%s: edge on %s: got=%.2f, want at least 3", scheme, under, c)
			}
		}
	}
}

func contrast(t *testing.T, css, a, b string) float64 {
	t.Helper()
	bright, dim := luminance(t, css, a), luminance(t, css, b)
	if bright < dim {
		bright, dim = dim, bright
	}
	return (bright + 0.05) / (dim + 0.05)
}

func luminance(t *testing.T, css, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`--` + name + `: #([0-9a-f]{3,6});`).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("no colour %s", name)
	}
	digits := m[1]
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// The pages are one answer each, and every test that shows one waits for it.
func TestPageSize(t *testing.T) {
	t.Parallel()
	for name, page := range samplePages("x") {
		if _, _, body := mockidp.RenderPage(200, page); len(body) > 16<<10 {
			t.Errorf("%s: got=%d bytes, want at most 16 KiB", name, len(body))
		}
	}
}
