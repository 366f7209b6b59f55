// Quickstart runs an API for four tenants against an offline stand-in for Microsoft, sends it good and bad requests, and
// prints what it answered. It needs no network and no account, and ends with 0 only if every answer is the expected one.
//
//	go run ./quickstart          the table
//	go run ./quickstart -serve   leaves the API running and prints curl commands with fresh tokens
//	go run ./quickstart -idp https://localhost:8443   the API alone, for the tokens of an identity mockidp that runs there
//
// api.go is what an application of yours would have. The rest shows it.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"

	"github.com/echo-identity/identity/mockidp"
)

func main() {
	stay := flag.Bool("serve", false, "leave the API running and print curl commands")
	idp := flag.String("idp", "", "the `origin` of an identity mockidp to serve the API for, such as https://localhost:8443")
	ca := flag.String("ca", "../mockidp-ca.pem", "with -idp, the `file` with its authority")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *idp != "":
		err = serveFor(ctx, *idp, *ca)
	case *stay:
		err = serveWithCurl(ctx)
	default:
		err = printTable()
	}
	if err != nil {
		log.Fatal("quickstart: ", err)
	}
}

// printTable sends each request once.
func printTable() error {
	idp := mockidp.New()
	cfg := config(idp.Client(), tenants())
	cfg.Observe.Logger = slog.New(slog.DiscardHandler) // the table says it all
	api := newAPI(cfg)
	reasons := recordReasons(api)
	server := httptest.NewServer(api)
	defer server.Close()
	return table(server.URL, requests(idp), reasons)
}
