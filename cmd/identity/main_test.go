package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a command writes while a test reads it.
type output struct {
	mu   sync.Mutex // guards what follows
	text strings.Builder
	line chan<- struct{} // closed after the first line, then nil
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line != nil && strings.Contains(string(p), "\n") {
		defer close(o.line)
		o.line = nil
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func noEnv(string) string { return "" }

// ran is a command line that ends by itself.
func ran(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err output
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code = run(ctx, args, streams{strings.NewReader(""), &out, &err, noEnv})
	if ctx.Err() != nil {
		t.Fatalf("%q went on: %s", args, &out)
	}
	return code, out.String(), err.String()
}

// fails checks an exit code, and what is said on standard error.
func fails(t *testing.T, code int, texts []string, args ...string) {
	t.Helper()
	got, stdout, stderr := ran(t, args...)
	if got != code || stdout != "" {
		t.Errorf("%q: got=%d %q %q, want=%d", args, got, stdout, stderr, code)
	}
	for _, text := range texts {
		if !strings.Contains(stderr, text) {
			t.Errorf("%q: got=%q, want=%q in it", args, stderr, text)
		}
	}
}

// running is identity mockidp while it serves.
type running struct {
	t              *testing.T
	origin         string
	caFile         string
	stdout, stderr *output
	client         *http.Client
	stop           func() (code int)
}

// start runs the command with a free port and a CA file of its own until the end of the test.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	said := make(chan struct{})
	r := &running{t: t, caFile: filepath.Join(t.TempDir(), "ca.pem"), stdout: &output{line: said}, stderr: new(output)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"mockidp", "-addr", "127.0.0.1:0", "-ca-file", r.caFile}, args...), streams{strings.NewReader(""), r.stdout, r.stderr, noEnv})
	}()
	r.stop = sync.OnceValue(func() int {
		if r.client != nil {
			r.client.CloseIdleConnections()
		}
		cancel()
		return <-ended
	})
	t.Cleanup(func() { r.stop() })
	select {
	case <-said:
	case code := <-ended:
		ended <- code
		t.Fatalf("%q: ended with %d: %s", args, code, r.stderr)
	case <-time.After(30 * time.Second):
		t.Fatalf("%q: nothing is said: %s", args, r.stderr)
	}
	r.origin = strings.Fields(r.stdout.String())[1]
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots()}}}
	return r
}

// roots trusts what the command wrote, and nothing else.
func (r *running) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if text, err := os.ReadFile(r.caFile); err == nil && !pool.AppendCertsFromPEM(text) {
		r.t.Errorf("%s is no certificate: %s", r.caFile, text)
	}
	return pool
}

// send does a request and decodes its answer.
func (r *running) send(method, path, contentType, body string) (status int, answer map[string]any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.origin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	json.Unmarshal(text, &answer) // a page is no JSON
	return resp.StatusCode, answer
}

func (r *running) get(path string) (status int, answer map[string]any) {
	r.t.Helper()
	return r.send("GET", path, "", "")
}

// fitsTerminal checks that no line is longer than 80 columns.
func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	tabs := strings.NewReplacer("    \t", "        ", "\t", "        ") // the first is how package flag begins a line
	for line := range strings.Lines(text) {
		if line = tabs.Replace(strings.TrimSuffix(line, "\n")); len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}} {
		if code, stdout, stderr := ran(t, args...); code != 0 || stderr != "" || !strings.Contains(stdout, "  mockidp     an offline stand-in") {
			t.Errorf("%q: got=%d %q %q", args, code, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"help", "mockidp"}, {"mockidp", "-h"}} {
		code, stdout, stderr := ran(t, args...)
		if code != 0 || stderr != "" {
			t.Errorf("%q: got=%d %q", args, code, stderr)
		}
		for _, name := range []string{"config", "addr", "tls", "cert-file", "key-file", "ca-file", "admin", "insecure-allow-remote", "v", "q"} {
			if !strings.Contains(stdout, "\n  -"+name) {
				t.Errorf("%q: no -%s in %s", args, name, stdout)
			}
		}
		fitsTerminal(t, stdout)
	}
	for _, c := range commands() {
		code, stdout, stderr := ran(t, "help", c.name)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "Usage: identity "+c.name) {
			t.Errorf("%s: got=%d %q %s", c.name, code, stderr, stdout)
		}
		if c.flags != nil && !strings.Contains(stdout, "\nExamples:\n  identity "+c.name) {
			t.Errorf("%s: no examples in %s", c.name, stdout)
		}
		for _, o := range optionsOf(c) {
			if !strings.Contains(stdout, "\n  "+o.name) {
				t.Errorf("%s: no %s in %s", c.name, o.name, stdout)
			}
		}
		fitsTerminal(t, stdout)
	}
	code, stdout, _ := ran(t, "help", "config")
	if code != 0 || !strings.HasSuffix(stdout, exampleConfig) {
		t.Errorf("got=%d %s", code, stdout)
	}
	fitsTerminal(t, aboutConfig)
	for _, args := range [][]string{{"version"}, {"-version"}, {"--version"}} {
		if code, stdout, stderr := ran(t, args...); code != 0 || stderr != "" || !strings.HasPrefix(stdout, "identity ") || !strings.Contains(stdout, " go1.") {
			t.Errorf("%q: got=%d %q %q", args, code, stdout, stderr)
		}
	}
	fails(t, 2, []string{"Usage: identity COMMAND"})
	fails(t, 2, []string{`unknown command "mock"`, "Usage"}, "mock")
	fails(t, 2, []string{`unknown command "x"`}, "help", "x")
	fails(t, 2, []string{"-colour", "identity help mockidp"}, "mockidp", "-colour")
	fails(t, 2, []string{`unexpected argument "now"`}, "mockidp", "now")
}

// Help speaks of flags where there are some.
func TestHelpWithoutFlags(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"version": false, "completion": false, "doctor": true, "explain": true, "mockidp": true} {
		code, stdout, stderr := ran(t, "help", name)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, "Usage: identity "+name) ||
			strings.Contains(stdout, "[FLAGS]") != want || strings.Contains(stdout, "\nFlags:\n") != want {
			t.Errorf("%s: got=%d %q %q", name, code, stdout, stderr)
		}
	}
}
