// Observability runs an API that tells OpenTelemetry what happens to its tokens, against an offline stand-in for Microsoft: spans and
// metrics to standard output, and metrics for Prometheus.
//
//	go run .                  some good and bad requests, then what was exported of them
//	go run . -serve           the API with traffic, until Ctrl-C, and how to look at it with Prometheus and Grafana
//	go run . -serve -outage   … whose key server fails from the start on, to see the alerts fire
//
// alerts.yml has alert rules for Prometheus, dashboard.json is a dashboard to import into Grafana.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	serve := flag.Bool("serve", false, "leave the API running, with traffic")
	outage := flag.Bool("outage", false, "let the key server fail")
	address := flag.String("listen", "127.0.0.1:9464", "the `address` on loopback to serve at, with -serve")
	flag.Parse()
	var err error
	if *serve {
		err = serveUntilInterrupted(*address, *outage)
	} else {
		err = demonstrate(os.Stdout, *outage)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// demonstrate sends each kind of request once, and prints what is exported of it.
func demonstrate(w io.Writer, outage bool) error {
	fmt.Fprintln(w, "# Spans and metrics, as the exporters to standard output write them")
	e, err := newExample(w)
	if err != nil {
		return err
	}
	if outage {
		e.breakKeyServer()
	}
	server := httptest.NewServer(e.handler)
	defer server.Close()
	ctx := context.Background()
	return errors.Join(e.traffic(ctx, server.URL), e.flush(ctx), printScraped(w, server.URL))
}

// printScraped prints what Prometheus gets, without the buckets of histograms.
func printScraped(w io.Writer, origin string) error {
	res, err := http.Get(origin + "/metrics")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Fprintln(w, "\n# What Prometheus gets from /metrics, without buckets and what others count")
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "identity_") && !strings.Contains(line, "_bucket{") {
			fmt.Fprintln(w, withoutScope(line))
		}
	}
	return lines.Err()
}

// withoutScope shortens a line by the labels that every line has.
func withoutScope(line string) string {
	name, rest, ok := strings.Cut(line, "{")
	labels, value, ok2 := strings.Cut(rest, "} ")
	if !ok || !ok2 {
		return line
	}
	var kept []string
	for label := range strings.SplitSeq(labels, ",") {
		if !strings.HasPrefix(label, "otel_scope_") {
			kept = append(kept, label)
		}
	}
	if len(kept) == 0 {
		return name + " " + value
	}
	return fmt.Sprintf("%s{%s} %s", name, strings.Join(kept, ","), value)
}

// serveUntilInterrupted serves the API and sends it requests.
func serveUntilInterrupted(address string, outage bool) error {
	e, err := newExample(io.Discard)
	if err != nil {
		return err
	}
	if outage {
		e.breakKeyServer()
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: e.handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	origin := "http://" + listener.Addr().String()
	fmt.Printf("The API runs at %s, with traffic; stop it with Ctrl-C.\n", origin)
	fmt.Printf("Metrics:  curl %s/metrics\n", origin)
	fmt.Println("Alerts:   prometheus --config.file=prometheus.yml --storage.tsdb.path=/tmp/identity-prometheus")
	fmt.Println("          and then http://localhost:9090, Alerts")
	fmt.Println("Grafana:  Dashboards, New, Import: dashboard.json; choose that Prometheus as its data source")
	e.keepSending(ctx, origin)
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(server.Shutdown(grace), e.shutdown(grace))
	if ended := <-stopped; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
