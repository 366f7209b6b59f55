package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

//go:embed load.lua
var loadScript []byte

// loaded is a server and what it was seen to do.
type loaded struct {
	name       string
	server     *http.Server
	url        string
	perSecond  []float64
	p50, p99   []float64 // microseconds
	throughput []float64 // of the server without authentication in the same round
}

// measureLoad sends real requests over loopback to the same server without authentication, with this module, and with echo-jwt and
// keyfunc. The servers take turns; who is not asked does nothing.
func (b *bench) measureLoad() (report.Section, error) {
	section := report.Section{
		Title: "Load", Columns: []string{"", "requests/s", "share", "lowest", "highest", "p50, µs", "p99, µs"},
		Note: fmt.Sprintf("wrk with 2 threads and 64 connections over loopback, on the same machine, with the tokens of %s users of %s tenants. "+
			"The share is that of the requests which the same server answers without authentication, the median of %d rounds, in each of "+
			"which every server has its turn of %v.", thousands(len(b.mixed)), thousands(b.tenants), b.loadRounds, b.loadTime),
	}
	if _, err := exec.LookPath("wrk"); errors.Is(err, exec.ErrNotFound) {
		section.Note = "Not measured: wrk is not installed (apt-get install wrk)."
		return section, nil
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	verifier, err := identity.New(peers.Config(b.corpus, identity.NewRegistry(peers.Registered(b.tenants)...), 0))
	if err != nil {
		return section, err
	}
	other, err := peers.EchoJWTKeyfunc(ctx, b.corpus)
	if err != nil {
		return section, err
	}
	var servers []*loaded
	for _, s := range []struct {
		name string
		use  []echo.MiddlewareFunc
	}{{"without authentication", nil}, {"identity", peers.Identity(verifier)}, {"echo-jwt and keyfunc", other}} {
		server, err := serve(s.name, peers.NewApp(s.use...))
		if err != nil {
			return section, err
		}
		defer server.server.Close()
		servers = append(servers, server)
	}
	w, err := b.newWrk()
	if err != nil {
		return section, err
	}
	defer os.RemoveAll(w.dir)
	if err := b.loadAll(ctx, w, servers); err != nil {
		return section, err
	}
	for i, s := range servers {
		share := measure.Cost{Rounds: s.throughput}
		low, high := share.Spread()
		middle := measure.Median(s.throughput)
		row := report.Row{Cells: []string{s.name, thousands(int(measure.Median(s.perSecond))), percent(middle), percent(low), percent(high),
			fmt.Sprintf("%.0f", measure.Median(s.p50)), fmt.Sprintf("%.0f", measure.Median(s.p99))}}
		if i == 1 {
			row.Targets = []report.Target{report.AtLeast(100*middle, 100*loadTarget, "%.0f %%")}
		}
		section.Rows = append(section.Rows, row)
	}
	return section, nil
}

// loadAll loads one server after the other, round by round, and the first again at the end of each round: what a server is compared
// with is the mean of before and after. A first round warms everything up and does not count.
func (b *bench) loadAll(ctx context.Context, w *wrk, servers []*loaded) error {
	for _, s := range servers {
		if _, err := w.load(ctx, s.url, b.loadTime); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for range b.loadRounds {
		results := make([]*wrkResult, len(servers)+1)
		for i := range results {
			s := servers[i%len(servers)]
			var err error
			if results[i], err = w.load(ctx, s.url, b.loadTime); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		unauthenticated := (results[0].perSecond() + results[len(servers)].perSecond()) / 2
		for i, s := range servers {
			r := results[i]
			s.perSecond = append(s.perSecond, r.perSecond())
			s.throughput = append(s.throughput, r.perSecond()/unauthenticated)
			s.p50, s.p99 = append(s.p50, r.P50), append(s.p99, r.P99)
		}
	}
	return nil
}

func serve(name string, handler http.Handler) (*loaded, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &loaded{name: name, server: &http.Server{Handler: handler}, url: "http://" + listener.Addr().String()}
	go s.server.Serve(listener) // until it is closed
	return s, nil
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// wrk is the load generator, and its files.
type wrk struct{ dir, script, tokens string }

// wrkResult is what the script prints at the end.
type wrkResult struct {
	Requests float64 `json:"requests"`
	Micros   float64 `json:"micros"`
	Failed   int     `json:"failed"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
}

func (r *wrkResult) perSecond() float64 { return r.Requests / r.Micros * 1e6 }

func (b *bench) newWrk() (*wrk, error) {
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return nil, err
	}
	w := &wrk{dir, filepath.Join(dir, "load.lua"), filepath.Join(dir, "tokens.txt")}
	var tokens strings.Builder
	for _, token := range b.mixed {
		tokens.WriteString(token.Raw + "\n")
	}
	return w, errors.Join(os.WriteFile(w.script, loadScript, 0o600), os.WriteFile(w.tokens, []byte(tokens.String()), 0o600))
}

// load fails if any request does.
func (w *wrk) load(ctx context.Context, url string, d time.Duration) (*wrkResult, error) {
	out, err := exec.CommandContext(ctx, "wrk", "-t2", "-c64", "-d", fmt.Sprint(d), "-s", w.script, url, "--", w.tokens).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w: %s", err, out)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	r := new(wrkResult)
	if err := json.Unmarshal(lines[len(lines)-1], r); err != nil {
		return nil, fmt.Errorf("wrk printed %q: %w", out, err)
	}
	if r.Failed > 0 || r.Requests == 0 {
		return nil, fmt.Errorf("%d of %.0f requests failed", r.Failed, r.Requests)
	}
	return r, nil
}
