package identity_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

var update = flag.Bool("update", false, "write what is generated from the code anew: testdata/explain and REASONS.md")

// golden compares a file with what it should be, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("%s is stale at line %d (go test -run %s -update, then read it):\n got=%s\nwant=%s", path, i+1, t.Name(), g, w)
		}
	}
}

// The sentence that each token of the catalogue is explained with, reviewed by people: it names what the catalogue says is broken.
func TestExplainCatalogue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // at midnight of the first day of the year 2000
		idp := mockidp.New()
		v := verifierOn(t, idp, everyKind)
		var text strings.Builder
		for _, broken := range mockidp.Broken() {
			tenant := idp.TenantOf(broken.Kind, tenantOfKind[broken.Kind])
			raw := broken.Token(tenant)
			report := v.Explain(t.Context(), raw)
			fmt.Fprintf(&text, "%s: %s\n", broken.Name, withoutKIDs(report.Cause, report.Token.KeyID, tenant))
			wellSaid(t, report, raw)
			if len(report.Cause) > 400 || !strings.HasSuffix(report.Cause, ".") || len(report.Advice) == 0 {
				t.Errorf("%s: got=%q %q, want a sentence, and advice", broken.Name, report.Cause, report.Advice)
			}
		}
		golden(t, "testdata/explain/catalogue.txt", text.String())
	})
}

// wellSaid requires that a report says something for each check it reached, and that its text and JSON are fit for a terminal, give
// nothing of the token's secrets away, and say nothing of who the user is.
func wellSaid(t testing.TB, report identity.Report, raw string) {
	t.Helper()
	for _, step := range report.Steps {
		if said := step.Expected != "" && step.Actual != ""; said != (step.Outcome != identity.NotReached) || step.Rule == "" {
			t.Fatalf("got=%+v, want words for what was reached, and a rule", step)
		}
	}
	text, document := printableReport(t, report)
	for word := range strings.FieldsSeq(raw) { // the token alone, not the word Bearer
		if len(word) <= 20 {
			continue
		}
		for what, said := range map[string]string{"text": text, "JSON": document} {
			if slices.Contains(report.Token.Audience, mockidp.ServicePrincipal) { // an application, not the one that calls
				said = strings.ReplaceAll(said, mockidp.ServicePrincipal, "")
			}
			secretsIn(t, what, said, strings.Trim(word, `"',`))
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) >= 80 && strings.Count(strings.TrimSpace(line), " ") > 0 && len(strings.Fields(line)[len(strings.Fields(line))-1]) < 50 {
			t.Fatalf("got=%q, want lines below 80 columns", line)
		}
	}
}

// printableReport is the report's text and JSON, of which no byte moves a cursor or hides another.
func printableReport(t testing.TB, report identity.Report) (text, document string) {
	t.Helper()
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	text, document = report.String(), string(encoded)
	for _, s := range []string{strings.ReplaceAll(text, "\n", ""), strings.ReplaceAll(document, "§", "")} {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("got=%q, want printable ASCII", s[max(0, i-40):min(len(s), i+40)])
		}
	}
	return text, document
}

// withoutKIDs hides what differs from run to run.
func withoutKIDs(text, kid string, tenant *mockidp.TenantHandle) string {
	text = strings.ReplaceAll(text, tenant.Keys().Signing().ID(), "{kid}")
	if len(kid) >= 20 && !strings.ContainsAny(kid, "/\\") {
		text = strings.ReplaceAll(text, kid, "{kid}")
	}
	return text
}

// tale is one report that people have read as a whole.
type tale struct {
	name   string
	config func(cfg *identity.Config)
	raw    func(contoso, shop *mockidp.TenantHandle) string
	// clock is what the key server says it is later than this machine thinks, if it says so.
	clock time.Duration
	fault mockidp.Fault
	known bool // the keys were fetched before
}

func (tt tale) report(t *testing.T) string {
	idp := mockidp.New()
	v := verifierOn(t, idp, func(cfg *identity.Config) {
		everyKind(cfg)
		if tt.config != nil {
			tt.config(cfg)
		}
		if tt.clock != 0 {
			cfg.Keys.HTTPClient.Transport = dated{cfg.Keys.HTTPClient.Transport, tt.clock}
		}
	})
	contoso := idp.Tenant(mockidp.Contoso)
	if tt.known || tt.clock != 0 {
		if _, err := v.Verify(t.Context(), contoso.Token()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
	}
	if tt.fault.Status != 0 {
		idp.Inject(tt.fault)
	}
	raw := tt.raw(contoso, idp.TenantOf(mockidp.B2C, mockidp.Shop))
	report := v.Explain(t.Context(), raw)
	wellSaid(t, report, raw)
	return withoutKIDs(withoutKIDs(report.String(), report.Token.KeyID, contoso), "", idp.TenantOf(mockidp.B2C, mockidp.Shop))
}

// dated is a key server with a clock of its own.
type dated struct {
	http.RoundTripper
	ahead time.Duration
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Header.Set("Date", time.Now().Add(d.ahead-time.Minute).UTC().Format(http.TimeFormat))
		res.Header.Set("Age", "60") // it comes from a cache
	}
	return res, err
}

func contosoToken(opts ...mockidp.TokenOption) func(contoso, shop *mockidp.TenantHandle) string {
	return func(contoso, _ *mockidp.TenantHandle) string { return contoso.Token(opts...) }
}

// registered replaces contoso's entry.
func registered(tenant identity.Tenant) func(*identity.Config) {
	return func(cfg *identity.Config) {
		tenant.ID, tenant.Name = mockidp.Contoso, "contoso"
		if err := cfg.Tenants.(*identity.Registry).Add(tenant); err != nil {
			panic(err)
		}
	}
}

// The reports that an on-call engineer meets, whole, reviewed by people.
func TestExplainText(t *testing.T) {
	t.Parallel()
	usGovernment := "https://login.microsoftonline.us/" + mockidp.Contoso + "/v2.0"
	for _, tt := range []tale{
		{name: "accepted", raw: contosoToken()},
		{name: "graph", raw: contosoToken(mockidp.ForGraph())},
		{name: "audience", raw: contosoToken(mockidp.Audience("api://orders.contoso.example"))},
		{name: "v1", raw: contosoToken(mockidp.V1()), config: registered(identity.Tenant{Version: 2})},
		{name: "v2", raw: contosoToken(), config: registered(identity.Tenant{Version: 1})},
		{name: "expired", raw: contosoToken(mockidp.ExpiresIn(-7 * time.Minute)), known: true},
		{name: "expired, clock agrees", raw: contosoToken(mockidp.ExpiresIn(-7 * time.Minute)), clock: time.Second},
		{name: "expired, clock ahead", raw: contosoToken(mockidp.ExpiresIn(-7 * time.Minute)), clock: -9 * time.Minute},
		{name: "not yet valid, clock behind", clock: 7 * time.Minute, raw: func(contoso, _ *mockidp.TenantHandle) string {
			return contoso.Token(mockidp.NotBefore(time.Now().Add(7 * time.Minute)))
		}},
		{name: "policy", raw: func(_, shop *mockidp.TenantHandle) string { return shop.Token(mockidp.Policy("B2C_1_test")) }},
		{name: "B2C custom domain", raw: func(_, shop *mockidp.TenantHandle) string {
			return shop.Token(mockidp.Claim("iss", "https://login.shop.example/"+mockidp.Shop+"/v2.0/"))
		}},
		{name: "cloud", raw: contosoToken(mockidp.Claim("iss", usGovernment))},
		{name: "unknown tenant", raw: contosoToken(mockidp.Claim("iss", strings.Replace(usGovernment, mockidp.Contoso, tenantX, 1)))},
		{name: "unknown key", raw: contosoToken(mockidp.KeyID("nonesuch")), known: true},
		{name: "outage", raw: contosoToken(), fault: mockidp.Fault{Status: 500}},
		{name: "no permissions", raw: contosoToken(mockidp.AppOnly())},
		{name: "guest", raw: contosoToken(mockidp.Guest(tenantB)), config: registered(identity.Tenant{DenyGuests: true})},
		{name: "client", raw: contosoToken(), config: registered(identity.Tenant{Clients: []string{mockidp.API}})},
		{name: "pasted", raw: func(contoso, _ *mockidp.TenantHandle) string {
			return "Authorization: Bearer " + contoso.Token(mockidp.IDToken()) + "\n"
		}},
		{name: "nothing", raw: func(_, _ *mockidp.TenantHandle) string { return "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				golden(t, "testdata/explain/"+strings.NewReplacer(" ", "-", ",", "").Replace(tt.name)+".txt", tt.report(t))
			})
		})
	}
}

// What is pasted with a token is named, and the token is judged by itself; the verdict stays that of the whole text.
func TestExplainPasted(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	token := idp.Tenant(tenantA).Token()
	for text, want := range map[string]string{
		"Bearer " + token:                         `the word "Bearer"`,
		"bearer\t" + token:                        `the word "Bearer"`,
		"authorization: bearer " + token + "\r\n": `the word "Authorization:" and the word "Bearer"`,
		`"` + token + `",`:                        "quotation marks",
		"'Bearer " + token + "'":                  `quotation marks and the word "Bearer"`,
		" " + token:                               "blanks or line breaks",
		token + "\n":                              "blanks or line breaks",
		token[:80] + "\n" + token[80:160] + "\r\n  " + token[160:]: "blanks or line breaks",
	} {
		report := explains(t, idp, nil, text, token)
		if report.Verdict != identity.Refused || report.Within == nil || report.Within.Verdict != identity.Accepted {
			t.Fatalf("%q: got=%+v, want a refusal, and the token in it accepted", text, report)
		}
		if want := "This is not the token alone: there is " + want + " too much."; report.Cause != want {
			t.Fatalf("got=%q, want=%q", report.Cause, want)
		}
		wellSaid(t, report, text)
	}
	for _, text := range []string{token, "", "Bearer", "Bearer ", "Bearer x.y", token + token, token + "=", `{"access_token":"` + token + `"}`, strings.Repeat(" ", 70_000) + token} {
		if report := explains(t, idp, nil, text); report.Within != nil {
			t.Fatalf("%.40q: got=%+v, want no token found in it", text, report.Within)
		}
	}
}

// The JSON has these names. Adding to them is fine; changing them breaks scripts.
func TestExplainJSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		v := verifierOn(t, idp, func(cfg *identity.Config) {
			everyKind(cfg)
			cfg.Keys.HTTPClient.Transport = dated{cfg.Keys.HTTPClient.Transport, 42 * time.Second}
		})
		contoso := idp.Tenant(mockidp.Contoso)
		document, err := json.MarshalIndent(v.Explain(t.Context(), "Bearer "+contoso.Token(mockidp.KeyID("nonesuch"), mockidp.Roles("Admin"))), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/explain/report.json", withoutKIDs(string(document), "", contoso)+"\n")
	})
}

// A terminal of any width, with colour where it is asked for.
func TestExplainWriteText(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	report := verifierOn(t, idp, nil).Explain(t.Context(), idp.Tenant(tenantA).Token(mockidp.ForGraph()))
	text := func(width int, color bool) string {
		var b strings.Builder
		if err := report.WriteText(&b, width, color); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	if text(80, false) != report.String() || text(0, false) != text(40, false) {
		t.Fatal("the widths that stand for others are others")
	}
	for _, width := range []int{40, 60, 80, 200} {
		if got := text(width, false); words(got) != words(report.String()) {
			t.Fatalf("%d columns: got=%s, want the same words", width, got)
		} else if i := strings.IndexByte(got, '\n'); strings.Contains(got, "\x1b") || i < 0 {
			t.Fatalf("got=%q, want no colour", got)
		}
	}
	colored := text(80, true)
	if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, ""); plain != text(80, false) || colored == plain {
		t.Fatalf("got=%q, want the same text, coloured", colored)
	}
	if err := report.WriteText(failingWriter{}, 80, false); err == nil {
		t.Fatal("the error of the writer is lost")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// The report in the README is a real one, in excerpts.
func TestExplainInREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile("testdata/explain/graph.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### Why was it refused?")
	_, section, _ = strings.Cut(section, "```\n")
	section, _, found := strings.Cut(section, "```\n")
	if !found {
		t.Fatal("the README shows no report")
	}
	for excerpt := range strings.SplitSeq(section, "[...]\n") {
		if len(excerpt) < 100 || !strings.Contains(string(report), excerpt) {
			t.Errorf("got=%s, want a part of %s", excerpt, report)
		}
	}
}
