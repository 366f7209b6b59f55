package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// within waits for what other processes do.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// The alert rules are valid, and fire when they should and not before: alerts_test.yml has the cases.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := needs(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// prometheus is a server of its own for one test.
type prometheusServer struct {
	t      *testing.T
	origin string
}

// startPrometheus scrapes a target and evaluates the alert rules each second. What the rules wait before they fire is cut to a second;
// the rest of them is as it stands.
func startPrometheus(t *testing.T, target string) *prometheusServer {
	t.Helper()
	program := needs(t, "prometheus")
	dir := t.TempDir()
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules = regexp.MustCompile(`(?m)^( +for:) .*$`).ReplaceAll(rules, []byte("$1 1s"))
	config, err := os.ReadFile("prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.NewReplacer("127.0.0.1:9464", strings.TrimPrefix(target, "http://"), ": 15s", ": 1s").Replace(string(config))
	for name, text := range map[string]string{"alerts.yml": string(rules), "prometheus.yml": edited} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close() // Prometheus cannot be told to choose a port and say which
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Log(log.String())
		}
	})
	p := &prometheusServer{t, "http://" + address}
	within(t, "Prometheus is ready", func() bool {
		select {
		case <-ended:
			t.Fatal("Prometheus has ended")
		default:
		}
		res, err := http.Get(p.origin + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

// ask reads an answer of the API of Prometheus.
func (p *prometheusServer) ask(path string, data any) {
	p.t.Helper()
	answer := struct {
		Status string
		Data   any
	}{Data: data}
	if err := json.Unmarshal([]byte(get(p.t, p.origin+path)), &answer); err != nil || answer.Status != "success" {
		p.t.Fatalf("%s: got=%+v %v", path, answer, err)
	}
}

// results counts the series that an expression has at the moment.
func (p *prometheusServer) results(expr string) int {
	p.t.Helper()
	var data struct{ Result []json.RawMessage }
	p.ask("/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result)
}

// firing reports whether an alert fires, with all of the labels.
func (p *prometheusServer) firing(name string, labels map[string]string) bool {
	p.t.Helper()
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	p.ask("/api/v1/alerts", &data)
	for _, alert := range data.Alerts {
		fits := alert.State == "firing" && alert.Labels["alertname"] == name
		for label, value := range labels {
			fits = fits && alert.Labels[label] == value
		}
		if fits {
			return true
		}
	}
	return false
}

// A real Prometheus scrapes the example, has an answer to every query of the dashboard, and lets an alert fire once the key server
// fails.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	e, origin := started(t)
	p := startPrometheus(t, origin)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		e.keepSending(ctx, origin)
	}()
	defer func() {
		stop()
		<-stopped
	}()

	for panel, exprs := range queries(t) {
		for _, expr := range exprs {
			expr = strings.NewReplacer("$__rate_interval", "30s", "$job", ".*").Replace(expr)
			within(t, fmt.Sprintf("%s: %s", panel, expr), func() bool { return p.results(expr) > 0 })
		}
	}
	within(t, "the recorded share of refusals", func() bool { return p.results("job:identity_refusals:ratio_rate10m > 0") == 1 })
	unavailable := map[string]string{"job": "orders-api", "error_type": "keys_unavailable", "severity": "critical"}
	if p.firing("IdentityUnavailable", unavailable) || p.results(`identity_refusals_total{error_type="keys_unavailable"}`) != 0 {
		t.Fatal("the alert fires while the key server is well")
	}
	e.breakKeyServer()
	within(t, "the alert fires", func() bool { return p.firing("IdentityUnavailable", unavailable) })
}
