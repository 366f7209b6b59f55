// Quickstart runs an API for four tenants against an offline stand-in for Microsoft, sends it good and bad requests, and
// prints what it answered. It needs no network and no account, and ends with 0 only if every answer is the expected one.
//
//	go run ./quickstart          the table
//	go run ./quickstart -serve   leaves the API running and prints curl commands with fresh tokens
//	go run ./quickstart -idp https://localhost:8443   the API alone, for the tokens of an identity mockidp that runs there
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

func main() {
	serve := flag.Bool("serve", false, "leave the API running and print curl commands")
	idp := flag.String("idp", "", "the `origin` of an identity mockidp to serve the API for, such as https://localhost:8443")
	ca := flag.String("ca", "../mockidp-ca.pem", "with -idp, the `file` with its authority")
	flag.Parse()
	var err error
	if *idp != "" {
		err = serveFor(*idp, *ca)
	} else {
		err = run(*serve)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(serve bool) error {
	idp := mockidp.New()
	cfg := config(idp.Client(), tenants()...)
	if !serve { // the table says it all; with -serve the log shows why a request was refused
		cfg.Observe.Logger = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	reasons := new(reasons)
	server := &http.Server{Handler: newAPI(cfg, reasons.record)}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	url := "http://" + listener.Addr().String()

	if serve {
		printCurl(idp, url)
		interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		<-interrupted.Done()
	} else {
		err = table(url, requests(idp), reasons)
	}
	if closed := server.Close(); closed != nil {
		return closed
	}
	if stop := <-stopped; !errors.Is(stop, http.ErrServerClosed) {
		return stop
	}
	return err
}

// table sends the requests and prints a line for each.
func table(url string, rows []request, reasons *reasons) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REQUEST\tEXPECTED\tGOT")
	wrong := 0
	for _, row := range rows {
		got, err := send(url, row, reasons)
		if err != nil {
			return err
		}
		if got == row.want {
			got = "same" // keeps the table within 80 columns
		} else {
			got += " WRONG"
			wrong++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.what, row.want, got)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%d requests, %d wrong answers\n", len(rows), wrong)
	if wrong > 0 {
		return errors.New("quickstart: not every answer is the expected one")
	}
	return nil
}

// send returns the status of the answer to a request, and the reason of a refusal. The reason is not on the wire: the table
// has it from the error that the middleware returned.
func send(url string, row request, reasons *reasons) (string, error) {
	req, err := http.NewRequest(row.method, url+row.path, nil)
	if err != nil {
		return "", err
	}
	switch {
	case row.header != "":
		req.Header.Set("Authorization", row.header)
	case row.token != "":
		req.Header.Set("Authorization", "Bearer "+row.token)
	}
	reasons.clear()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	return strings.TrimSpace(strconv.Itoa(res.StatusCode) + " " + reasons.last()), nil
}

// reasons keeps why the last request was refused.
type reasons struct {
	mu     sync.Mutex
	reason identity.Reason
}

func (r *reasons) record(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		r.reason = refusal.Reason
	}
}

func (r *reasons) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason = ""
}

func (r *reasons) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.reason)
}

func printCurl(idp *mockidp.Server, url string) {
	fmt.Printf("The API runs at %s; stop it with Ctrl-C. The tokens are good for an hour.\n", url)
	for _, row := range requests(idp) {
		header := row.header
		if header == "" && row.token != "" {
			header = "Bearer " + row.token
		}
		if len(header) > 8<<10 {
			continue // too long to paste
		}
		fmt.Printf("\n# %s: %s\ncurl -i -X %s", row.what, row.want, row.method)
		if header != "" {
			fmt.Printf(" -H 'Authorization: %s'", header)
		}
		fmt.Printf(" %s%s\n", url, row.path)
	}
}
