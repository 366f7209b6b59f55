package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// started is the example, served on loopback.
func started(t *testing.T) (*example, string) {
	t.Helper()
	e, err := newExample(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e.handler)
	t.Cleanup(server.Close)
	return e, server.URL
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: got=%d %v %s", url, res.StatusCode, err, body)
	}
	return string(body)
}

// needs skips a test whose tool is not there, and fails where everything has to be.
func needs(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	const hint = "%s is missing: the package prometheus of Debian has it"
	if os.Getenv("CI") == "true" {
		t.Fatalf(hint, tool)
	}
	t.Skipf(hint, tool)
	return ""
}

// The example prints its spans and metrics, and what Prometheus gets, and nothing of a token.
func TestDemonstrate(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := demonstrate(&out, false); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	printed, scraped, ok := strings.Cut(text, "\n# What Prometheus gets")
	if !ok {
		t.Fatalf("got=%s, want both parts", text)
	}
	names := make(map[string]int)
	for line := range strings.Lines(printed) {
		var span struct {
			Name   string
			Parent struct{ SpanID string }
		}
		if json.Unmarshal([]byte(line), &span) == nil && span.Name != "" {
			names[span.Name]++
			if child := strings.HasPrefix(span.Name, "identity."); child == (strings.Trim(span.Parent.SpanID, "0") == "") {
				t.Errorf("%s: got the parent %q; spans of identity stand under the request's", span.Name, span.Parent.SpanID)
			}
		}
	}
	// Ten requests: one without a token, two from the cache. Keys for two kinds of tenant, and once more for the unknown key.
	if names["identity.verify"] != 7 || names["identity.fetch_keys"] != 3 || names["GET /"] != 10 {
		t.Errorf("got=%v spans, want 7 verifications, 3 fetches, 10 requests", names)
	}
	for _, want := range []string{`"identity.verifications"`, `"identity.key.age"`} {
		if !strings.Contains(printed, want) {
			t.Errorf("the metrics on standard output lack %s", want)
		}
	}
	for _, want := range []string{
		`identity_refusals_total{error_type="token_expired"} 1`, "identity_token_cache_count 3",
		`identity_verify_duration_seconds_count{identity_cache_hit="true",identity_result="accepted"} 2`,
	} {
		if !strings.Contains(scraped, want) {
			t.Errorf("got=%s\nwant=%s", scraped, want)
		}
	}
	if strings.Contains(text, "eyJ") {
		t.Error("a token was exported")
	}
}

// With -outage the requests that need keys fail, and what is exported says so.
func TestDemonstrateOutage(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := demonstrate(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`identity_key_fetches_total{error_type="500",identity_fetch_forced="false",identity_tenant_kind="workforce"} `,
		`identity_refusals_total{error_type="keys_unavailable"} 6`,
	} {
		if !strings.Contains(out.String(), want) {
			_, scraped, _ := strings.Cut(out.String(), "\n# What Prometheus gets")
			t.Errorf("got=%s\nwant=%s", scraped, want)
		}
	}
}

// Requests of every kind are sent until the context ends.
func TestKeepSending(t *testing.T) {
	t.Parallel()
	e, origin := started(t)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		e.keepSending(ctx, origin)
	}()
	within(t, "the first requests", func() bool { return strings.Contains(get(t, origin+"/metrics"), "identity_verifications_total{") })
	stop()
	<-stopped
}
