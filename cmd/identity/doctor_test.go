package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// clinic is a mock with a configuration for it.
type clinic struct {
	*testing.T
	idp            *mockidp.Server
	config, caFile string
}

// newClinic serves the default directory, and has a file with three of its tenants: four key sets. A fetch may take long, since many tests
// run at once.
func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{T: t, idp: mockidp.Start(t), caFile: filepath.Join(t.TempDir(), "ca.pem")}
	write(t, c.caFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.idp.CACertificate().Raw})))
	c.config = inFile(t, "tenants.json", fmt.Sprintf(`{"ClientID": %[1]q, "Keys": {"Timeout": "60s"}, "Tenants": [
		{"ID": %[2]q, "Name": "contoso", "Cloud": %[3]q},
		{"ID": %[4]q, "Name": "shop", "B2C": {"Hosts": [%[3]q], "Policies": ["B2C_1_susi", "B2C_1A_custom"]}},
		{"ID": %[5]q, "Name": "customers", "External": {"Hosts": [%[3]q]}, "Cloud": %[3]q}
	]}`, mockidp.API, mockidp.Contoso, c.idp.URL, mockidp.Shop, mockidp.Customers))
	return c
}

// found runs the doctor and returns its JSON.
func (c *clinic) found(code int, args ...string) (found checkup) {
	c.Helper()
	got, stdout, stderr := ran(c.T, append([]string{"doctor", "-config", c.config, "-ca-file", c.caFile, "-json"}, args...)...)
	if got != code || stderr != "" {
		c.Fatalf("got=%d %q, want=%d: %s", got, stderr, code, stdout)
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&found); err != nil {
		c.Fatalf("%v: %s", err, stdout)
	}
	if want := map[bool]string{true: "good", false: "problems"}[code == 0]; found.Verdict != want {
		c.Fatalf("got=%s, want=%s", found.Verdict, want)
	}
	return found
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	found := c.found(0)
	if len(found.KeySets) != 4 || found.Tenants != 3 || found.Leeway != "1m0s" || found.Rate.RequestsPerHour != 10 || found.Rate.ForcedPerMinute != 2 {
		t.Errorf("got=%+v", found)
	}
	want := []struct{ name, path, issuer string }{
		{"contoso", "/common/v2.0", c.idp.URL + "/{tenantid}/v2.0"},
		{"shop", "/" + mockidp.Shop + "/b2c_1_susi/v2.0", c.idp.URL + "/" + mockidp.Shop + "/v2.0/"},
		{"shop", "/" + mockidp.Shop + "/b2c_1a_custom/v2.0", c.idp.URL + "/" + mockidp.Shop + "/v2.0/"},
		{"customers", "/" + mockidp.Customers + "/v2.0", c.idp.URL + "/" + mockidp.Customers + "/v2.0"},
	}
	for i, k := range found.KeySets {
		w := want[i]
		if k.Tenants[0].Name != w.name || k.Address != c.idp.URL+w.path+"/.well-known/openid-configuration" || k.Issuer != w.issuer || k.Status != "ok" ||
			k.Keys < 1 || k.Skipped != 0 || k.TLS == nil || k.TLS.Version != "1.3" || k.TLS.Subject == "" || k.TLS.NotAfter.Before(time.Now()) || k.Clock == nil ||
			k.Proxy != nil || k.CacheControl == "" || !strings.HasPrefix(k.KeysAddress, c.idp.URL+"/") || k.Change != nil {
			t.Errorf("got=%+v, want=%+v", k, w)
		}
	}
	if got := c.idp.Count(mockidp.AnyEndpoint); got != 8 {
		t.Errorf("requests: got=%d, want=8", got)
	}

	// As text, in terminals of several widths.
	for _, width := range []int{40, 80, 120} {
		code, stdout, stderr := c.text(width)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "\nok    contoso ") || !strings.Contains(stdout, "\nrate  ") || strings.Contains(stdout, "\x1b") {
			t.Errorf("%d columns: got=%d %q %s", width, code, stderr, stdout)
		}
		within(t, stdout, width)
	}
	if _, stdout, _ := c.text(80); !strings.HasSuffix(stdout, "\n\nAll key sets can be fetched and used.\n") {
		t.Errorf("got=%s", stdout)
	}
}

// text runs the doctor for a terminal of a width.
func (c *clinic) text(width int, args ...string) (code int, stdout, stderr string) {
	c.Helper()
	var out, err output
	env := func(name string) string {
		return map[string]string{"COLUMNS": fmt.Sprint(width), "TERM": "xterm-256color"}[name]
	}
	code = run(c.Context(), append([]string{"doctor", "-config", c.config, "-ca-file", c.caFile}, args...), streams{strings.NewReader(""), &out, &err, env})
	return code, out.String(), err.String()
}

// within checks that no line is longer than a terminal is wide, unless its last word, such as an address, takes most of that.
func within(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		last := line[strings.LastIndexByte(line, ' ')+1:]
		if n := len([]rune(line)); n > width && len(last) < width*3/5 {
			t.Errorf("%d columns, and there are %d: %s", n, width, line)
		}
	}
}

// What is wrong is told in one sentence, with what to do; nothing else fails then. The neighbour is TestDoctor.
func TestDoctorFindsFaults(t *testing.T) {
	t.Parallel()
	spoilt := func(f mockidp.Fault) func(*clinic) { return func(c *clinic) { c.idp.Inject(f) } }
	onSUSI := func(f mockidp.Fault) func(*clinic) {
		f.Policy = "B2C_1_susi"
		return spoilt(f)
	}
	unshaken := func(f mockidp.HandshakeFault) func(*clinic) { return func(c *clinic) { c.idp.InjectHandshake(f) } }
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	tests := []struct {
		name   string
		broken func(*clinic)
		what   string
		do     string
		sets   int // how many key sets have the problem
	}{
		{"not found", onSUSI(mockidp.Fault{Status: 404}), "answers 404 (Not Found) when asked for the discovery document.", "Check ID, B2C.Domain, B2C.Hosts and B2C.Policies", 1},
		{"keys not found", onSUSI(mockidp.Fault{Endpoint: mockidp.JWKS, Status: 404}), "answers 404 (Not Found) when asked for the keys.", "Check ID", 1},
		{"throttled", onSUSI(mockidp.Fault{Status: 429, Header: header("Retry-After", "120")}), "answers 429 (Too Many Requests)", "asks to be left alone", 1},
		{"down", onSUSI(mockidp.Fault{Status: 500}), "answers 500 (Internal Server Error)", "The fault is the server's", 1},
		{"forbidden", onSUSI(mockidp.Fault{Status: 403}), "answers 403 (Forbidden)", "proxy or firewall", 1},
		{"a page", onSUSI(mockidp.Fault{Endpoint: mockidp.Discovery, Body: []byte("<html>Sign in</html>"), Header: header("Content-Type", "text/html")}), "answers with a page instead of JSON", "sign-in page of the network", 1},
		{"a page for keys", onSUSI(mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(" <html>")}), "answers with a page instead of JSON", "sign-in page of the network", 1},
		{"no JSON", onSUSI(mockidp.Fault{Endpoint: mockidp.Discovery, Body: []byte("{")}), "The discovery document is not JSON", "Check what", 1},
		{"another issuer", onSUSI(mockidp.Fault{Endpoint: mockidp.Discovery, Edit: replace("/v2.0/", "/v3.0/")}), "is of another issuer. It states the issuer https://", "Check ID, B2C", 1},
		{"keys elsewhere", onSUSI(mockidp.Fault{Endpoint: mockidp.Discovery, Edit: replace(`"jwks_uri":"https://`, `"jwks_uri":"https://keys.example/`)}), "jwks_uri is neither", "It names keys.example for the keys", 1},
		{"redirect", onSUSI(mockidp.Fault{Redirect: "https://elsewhere.example/"}), "redirects to https://elsewhere.example/", "configured hosts only", 1},
		{"no usable key", onSUSI(mockidp.Fault{Endpoint: mockidp.JWKS, Body: []byte(`{"keys":[{"kty":"EC","kid":"a\u001b[31m"}]}`)}), `No usable RSA key in the set; of "a\x1b[31m": kty is not RSA`, "cannot be verified", 1},
		{"cut off", onSUSI(mockidp.Fault{Endpoint: mockidp.JWKS, Truncate: true}), "broke off in the middle", "Run it again", 1},
		{"reset", onSUSI(mockidp.Fault{Reset: true}), "breaks the connection", "firewall", 1},
		{"silent", func(c *clinic) {
			c.idp.Inject(mockidp.Fault{Policy: "B2C_1_susi", Silence: true})
			c.shortPatience()
		}, "takes the request and does not answer in time", "Keys.Timeout", 1},
		{"expired certificate", unshaken(mockidp.HandshakeFault{Expired: true}), "is valid from ", "Check the clock of this machine", 4},
		{"certificate of another", unshaken(mockidp.HandshakeFault{OtherHost: true}), "shows is for ", "Something else answers", 4},
		{"unknown authority", unshaken(mockidp.HandshakeFault{Untrusted: true}), "which this machine does not trust", "-ca-file mockidp-ca.pem", 4},
		{"old TLS", unshaken(mockidp.HandshakeFault{MaxVersion: tls.VersionTLS11}), "TLS with 127.0.0.1:", "TLS 1.2 or later", 4},
		{"reset in the handshake", unshaken(mockidp.HandshakeFault{Reset: true}), "breaks the connection", "firewall", 4},
		{"clock behind", spoilt(mockidp.Fault{Header: header("Date", time.Now().Add(7*time.Minute).UTC().Format(http.TimeFormat))}), "behind that of", "NTP", 4},
		{"clock ahead", spoilt(mockidp.Fault{Header: header("Date", time.Now().Add(-7*time.Minute).UTC().Format(http.TimeFormat))}), "ahead of that of", "NTP", 4},
		{"nothing there", func(c *clinic) { c.elsewhere("https://127.0.0.1:1") }, "Nothing accepts connections at 127.0.0.1:1.", "identity mockidp", 4},
		{"no TLS", func(c *clinic) { c.elsewhere("https://" + plainServer(c.T)) }, "TLS", "", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			tt.broken(c)
			found := c.found(1)
			sets := 0
			for _, k := range found.KeySets {
				if k.Status != "problem" {
					continue
				}
				sets++
				if len(k.Problems) != 1 || !strings.Contains(k.Problems[0].What, tt.what) || !strings.Contains(k.Problems[0].Do, tt.do) || !strings.HasSuffix(k.Problems[0].What, ".") {
					t.Errorf("got=%+v, want %q and %q", k.Problems, tt.what, tt.do)
				}
			}
			if sets != tt.sets {
				t.Errorf("got=%d key sets with problems, want=%d", sets, tt.sets)
			}
			code, stdout, _ := c.text(80)
			if code != 1 || !strings.Contains(stdout, "FAIL") || strings.Contains(stdout, "\x1b") || !strings.HasSuffix(stdout, fmt.Sprintf("\n%d of 4 key sets with problems.\n", tt.sets)) {
				t.Errorf("got=%d %s", code, stdout)
			}
			within(t, stdout, 80)
		})
	}
}

func replace(old, new string) func([]byte) []byte {
	return func(body []byte) []byte { return []byte(strings.ReplaceAll(string(body), old, new)) }
}

// elsewhere sends the doctor to another server.
func (c *clinic) elsewhere(origin string) {
	text, err := os.ReadFile(c.config)
	if err != nil {
		c.Fatal(err)
	}
	write(c.T, c.config, strings.ReplaceAll(string(text), c.idp.URL, origin))
}

// shortPatience has the engine wait for less long.
func (c *clinic) shortPatience() {
	text, err := os.ReadFile(c.config)
	if err != nil {
		c.Fatal(err)
	}
	write(c.T, c.config, strings.Replace(string(text), `"60s"`, `"3s"`, 1))
}

// plainServer speaks HTTP without TLS.
func plainServer(t *testing.T) (host string) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Faults that loopback does not have, as the network reports them.
func TestWhyUnreachable(t *testing.T) {
	t.Parallel()
	opError := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	proxy := &url.URL{Scheme: "http", Host: "proxy.example:3128", User: url.UserPassword("me", "secret")}
	const contoso = "https://contosob2c.b2clogin.com/d"
	tests := []struct {
		name     string
		x        *exchange
		kind     string
		what, do string
	}{
		{"no such name", &exchange{address: contoso, err: opError("dial", &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true})}, kindB2C, "There is no host contosob2c.b2clogin.com: ", "Check B2C.Domain"},
		{"no such name of Microsoft's", &exchange{address: "https://login.microsoftonline.com/d", err: opError("dial", &net.DNSError{IsNotFound: true})}, kindWorkforce, "There is no host login.microsoftonline.com: ", "HTTPS_PROXY"},
		{"no name server", &exchange{address: contoso, err: opError("dial", &net.DNSError{Err: "server misbehaving"})}, kindB2C, "gave no answer for contosob2c.b2clogin.com.", "DNS"},
		{"private address", &exchange{address: contoso, resolved: []string{"10.0.0.1"}, err: opError("dial", errors.New("private"))}, kindB2C, "resolves to 10.0.0.1, which is not a public address", "private DNS"},
		{"no route", &exchange{address: contoso, err: opError("dial", os.NewSyscallError("connect", syscall.ENETUNREACH))}, kindB2C, "There is no way in the network to contosob2c.b2clogin.com.", "HTTPS_PROXY"},
		{"dropped", &exchange{address: contoso, stage: connecting, err: opError("dial", os.ErrDeadlineExceeded)}, kindB2C, "contosob2c.b2clogin.com does not accept a connection in time.", "firewall"},
		{"slow handshake", &exchange{address: contoso, stage: handshaking, err: context.DeadlineExceeded}, kindB2C, "does not finish the TLS handshake in time.", "firewall"},
		{"slow name server", &exchange{address: contoso, stage: resolving, err: context.DeadlineExceeded}, kindB2C, "is not found in time", ""},
		{"proxy without a name", &exchange{address: contoso, proxy: proxy, err: opError("proxyconnect", &net.DNSError{IsNotFound: true})}, kindB2C, "http://proxy.example:3128, has a name that cannot be found.", "Check the variable"},
		{"proxy down", &exchange{address: contoso, proxy: proxy, err: opError("proxyconnect", os.NewSyscallError("connect", syscall.ECONNREFUSED))}, kindB2C, "http://proxy.example:3128, does not accept connections.", "Check the variable"},
		{"proxy says no", &exchange{address: contoso, proxy: proxy, err: errors.New("Forbidden")}, kindB2C, "http://proxy.example:3128, refuses to connect to contosob2c.b2clogin.com: Forbidden.", "NO_PROXY"},
		{"slow proxy", &exchange{address: contoso, proxy: proxy, err: context.DeadlineExceeded}, kindB2C, "http://proxy.example:3128, does not answer in time.", "contosob2c.b2clogin.com"},
		{"interrupted", nil, kindB2C, "It was not checked to the end.", "again"},
	}
	for _, tt := range tests {
		err := errors.New("it failed")
		if tt.x == nil {
			err = context.Canceled
		}
		got := whyFailed(err, tt.x, tt.kind)
		if !strings.Contains(got.What, tt.what) || !strings.Contains(got.Do, tt.do) || strings.Contains(got.What+got.Do, "secret") {
			t.Errorf("%s: got=%+v, want %q and %q", tt.name, got, tt.what, tt.do)
		}
	}
}

// Entries that are skipped are counted, with the reasons; that is no problem while others can be used.
func TestDoctorCountsSkippedKeys(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	keys := c.idp.Tenant(mockidp.Customers).Keys()
	keys.PublishRaw(map[string]any{"kty": "EC", "kid": "ec\x1b"})
	keys.PublishRaw(map[string]any{"kty": "RSA", "n": "AQ", "e": "AQAB"})
	k := c.found(0).KeySets[3]
	if k.Status != "ok" || k.Keys != 1 || k.Skipped != 2 || k.Unusable["ec\x1b"] != "kty is not RSA" {
		t.Errorf("got=%+v", k)
	}
	if _, text, _ := c.text(100); !strings.Contains(text, "2 entries skipped: 1 × kty is not RSA; 1 × no key ID, or one of two with the same.") {
		t.Errorf("got=%s", text)
	}
}

// A certificate that ends soon is a warning, and more key sets than are held is one of the whole.
func TestDoctorWarns(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := keySetCheck{Address: "https://login.example/d", TLS: &tlsState{NotAfter: now.Add(soon - time.Hour)}, prints: map[string]string{}}
	for _, tt := range []struct {
		left time.Duration
		want string
	}{{soon + time.Hour, "ok"}, {soon - time.Hour, "warning"}} {
		k.TLS.NotAfter, k.Warnings = now.Add(tt.left), nil
		k.judge(fetched(), &probe{exchanges: map[string]*exchange{}}, time.Minute, now)
		if k.Status != tt.want {
			t.Errorf("%v left: got=%s %+v, want=%s", tt.left, k.Status, k.Warnings, tt.want)
		}
	}
	c := newClinic(t)
	c.found(0)
	text, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int]int{4: 0, 3: 1} {
		write(t, c.config, strings.Replace(string(text), `"60s"`, fmt.Sprintf(`"60s", "MaxSets": %d`, most), 1))
		if found := c.found(0); len(found.Warnings) != want {
			t.Errorf("%d held: got=%+v", most, found.Warnings)
		}
	}
	write(t, c.config, fmt.Sprintf(`{"ClientID": %q, "Tenants": []}`, mockidp.API))
	if found := c.found(1); len(found.Problems) != 1 {
		t.Errorf("no tenants: got=%+v", found.Problems)
	}
}

// A clock is off only if it is by more than the leeway and what cannot be known.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for _, tt := range []struct {
		name           string
		date, age      string
		took           time.Duration
		ahead, within  time.Duration
		leeway         time.Duration
		unknown, wrong bool
	}{
		{name: "same second", date: "Mon, 04 May 2026 03:02:01 GMT", ahead: 500 * time.Millisecond, within: 500 * time.Millisecond, leeway: time.Minute},
		{name: "same second, no leeway", date: "Mon, 04 May 2026 03:02:01 GMT", ahead: 500 * time.Millisecond, within: 500 * time.Millisecond},
		{name: "two seconds, no leeway", date: "Mon, 04 May 2026 03:02:03 GMT", ahead: 2500 * time.Millisecond, within: 500 * time.Millisecond, wrong: true},
		{name: "an old copy", date: "Mon, 04 May 2026 02:02:01 GMT", age: "3600", ahead: 500 * time.Millisecond, within: 500 * time.Millisecond, leeway: time.Minute},
		{name: "an hour behind", date: "Mon, 04 May 2026 02:02:01 GMT", ahead: 500*time.Millisecond - time.Hour, within: 500 * time.Millisecond, leeway: time.Minute, wrong: true},
		{name: "a slow answer", date: "Mon, 04 May 2026 03:02:05 GMT", took: 8 * time.Second, ahead: 500 * time.Millisecond, within: 4500 * time.Millisecond, leeway: 0},
		{name: "a minute and less", date: "Mon, 04 May 2026 03:03:01 GMT", ahead: 60500 * time.Millisecond, within: 500 * time.Millisecond, leeway: time.Minute},
		{name: "a minute and more", date: "Mon, 04 May 2026 03:03:02 GMT", ahead: 61500 * time.Millisecond, within: 500 * time.Millisecond, leeway: time.Minute, wrong: true},
		{name: "no date", date: "", unknown: true},
	} {
		x := &exchange{header: http.Header{"Date": {tt.date}, "Age": {tt.age}}, wrote: now, answered: now.Add(tt.took)}
		ahead, within, known := x.clock()
		if ahead != tt.ahead || within != tt.within || known == tt.unknown {
			t.Errorf("%s: got=%v %v %v", tt.name, ahead, within, known)
		}
		if !known {
			continue
		}
		k := keySetCheck{Address: "https://login.example/d", Clock: &clockState{tenths(ahead), tenths(within)}}
		k.judgeClock(tt.leeway)
		if (len(k.Problems) > 0) != tt.wrong {
			t.Errorf("%s: got=%+v", tt.name, k.Problems)
		}
	}
}

// -since tells what has changed, between which two looks, and goes on telling the last change.
func TestDoctorSince(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	state := filepath.Join(t.TempDir(), "keys.json")
	look := func(code int) *change {
		t.Helper()
		return c.found(code, "-since", state).KeySets[3].Change
	}
	if got := look(0); got == nil || got.Found != nil || len(got.Added) > 0 {
		t.Fatalf("first look: got=%+v", got)
	}
	first := look(0)
	if first.Found != nil {
		t.Fatalf("second look: got=%+v", first)
	}
	keys := c.idp.Tenant(mockidp.Customers).Keys()
	old := keys.Signing()
	rotated := keys.Rotate()
	keys.Withdraw(old)
	got := look(0)
	if fmt.Sprint(got.Added) != fmt.Sprint([]string{rotated.ID()}) || fmt.Sprint(got.Removed) != fmt.Sprint([]string{old.ID()}) || len(got.Replaced) > 0 || got.After == nil || got.Found == nil || !got.Since.Equal(first.Since) {
		t.Fatalf("after a rotation: got=%+v", got)
	}
	c.idp.Inject(mockidp.Fault{Tenant: mockidp.Customers, Times: 1, Status: 500})
	if got := look(1); got != nil { // what was not seen has not changed
		t.Fatalf("while it is down: got=%+v", got)
	}
	if got := look(0); len(got.Added)+len(got.Removed) > 0 || got.Found == nil {
		t.Fatalf("later: got=%+v", got)
	}
	keys.Publish(rotated.WithJWK("use", "enc"))
	if _, text, _ := c.text(200, "-since", state); !strings.Contains(text, rotated.ID()+" replaced under the same key ID") || !strings.Contains(text, "\nkeys  1 of 4 key sets changed since the last look\n") {
		t.Errorf("got=%s", text)
	}
	if _, text, _ := c.text(200, "-since", state); strings.Count(text, "The keys last changed between ") != 1 || !strings.Contains(text, "\nkeys  0 of 4 key sets changed since the last look\n") {
		t.Errorf("got=%s", text)
	}

	foreign := inFile(t, "notes.json", `{"my": "notes"}`)
	fails(t, 2, []string{"was not written by identity doctor"}, "doctor", "-config", c.config, "-ca-file", c.caFile, "-since", foreign)
	if text, err := os.ReadFile(foreign); err != nil || string(text) != `{"my": "notes"}` {
		t.Errorf("got=%q %v", text, err)
	}
}

func TestDoctorUsage(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fails(t, 2, []string{"-config is required", "identity help doctor"}, "doctor")
	fails(t, 2, []string{"no such file"}, "doctor", "-config", c.config+"x")
	fails(t, 2, []string{"no such file"}, "doctor", "-config", c.config, "-ca-file", c.config+"x")
	fails(t, 2, []string{"there is no certificate in it"}, "doctor", "-config", c.config, "-ca-file", c.config)
	fails(t, 2, []string{`unexpected argument "x"`}, "doctor", "-config", c.config, "x")
	write(t, c.config, "{\n\"Tenant\": []}")
	fails(t, 2, []string{c.config + ":2: Tenant: no such field"}, "doctor", "-config", c.config)
	if code := run(t.Context(), []string{"doctor", "-config", newClinic(t).config}, streams{strings.NewReader(""), brokenWriter{}, io.Discard, noEnv}); code != 1 {
		t.Errorf("broken output: got=%d, want=1", code)
	}
}

// The proxy environment is read once in a process, so the command runs in one of its own: Microsoft's real names through a proxy that leads
// to the mock, or says no.
func TestDoctorThroughProxy(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	config := inFile(t, "public.json", fmt.Sprintf(`{"ClientID": %q, "Tenants": [{"ID": %q}]}`, mockidp.API, mockidp.Contoso))
	var mu sync.Mutex // guards asked
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		user, _, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
		if user == "" {
			http.Error(w, "no", http.StatusProxyAuthRequired)
			return
		}
		tunnel(t, w, strings.TrimPrefix(c.idp.URL, "https://"))
	}))
	defer proxy.Close()
	for _, tt := range []struct {
		proxy string
		code  int
		want  []string
	}{
		{strings.Replace(proxy.URL, "http://", "http://me:secret@", 1), 0, []string{" ok aaaaaaaa", " proxy " + proxy.URL + " (HTTPS_PROXY) for 1 key set "}},
		{proxy.URL, 1, []string{" FAIL aaaaaaaa", "The proxy of HTTPS_PROXY, " + proxy.URL, "refuses to", "Proxy Authentication Required", "NO_PROXY"}},
	} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self, "doctor", "-config", config, "-ca-file", c.caFile)
		cmd.Env = append(os.Environ(), asCommand+"=1", "HTTPS_PROXY="+tt.proxy, "https_proxy=", "NO_PROXY=", "no_proxy=", "COLUMNS=120")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.code {
			t.Fatalf("%s: got=%d %s, want=%d", tt.proxy, got, out, tt.code)
		}
		for _, want := range tt.want {
			if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), want) {
				t.Errorf("got=%s, want %q in it", out, want)
			}
		}
		if strings.Contains(string(out), "secret") {
			t.Errorf("the proxy's password is shown: %s", out)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) == 0 || asked[0] != "CONNECT login.microsoftonline.com:443" {
		t.Errorf("got=%q", asked)
	}
}

// tunnel joins a client of a proxy with a server.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	w.WriteHeader(http.StatusOK)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	go func() {
		defer server.Close()
		io.Copy(server, buffered)
	}()
	go func() {
		defer client.Close()
		io.Copy(client, server)
	}()
}

// fetched is a fetch that went well.
func fetched() identity.FetchInfo { return identity.FetchInfo{Keys: 1} }
