// Spa is a page that signs people in with MSAL Browser, and an Echo API on another origin that it calls with their access tokens. The
// API accepts two workforce tenants and one policy of a B2C directory. mockidp stands in for Microsoft, over TLS on loopback.
//
//	npm --prefix _examples/spa/page start    builds the page and stays, for a browser; it needs Node 20.19 or later
//	go run -C _examples/spa . -serve         the same with a page that is built
//	go run -C _examples/spa .                calls the API as the page does, and ends with 0 only if every answer is the expected one
//
// It speaks to nothing but this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stay := flag.Bool("serve", false, "stay for a browser instead of checking the answers")
	dist := flag.String("dist", "page/dist", "the folder with the page that Vite has built")
	addr := flag.String("addr", "localhost:0", "where the page is served, on loopback")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *stay, *dist, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "spa:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stay bool, dist, addr string) (err error) {
	logger := slog.New(slog.DiscardHandler) // the table says it all; with -serve the log shows why a request was refused
	if stay {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w, err := newWorld(dist, addr, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if !stay {
		return w.check(ctx, os.Stdout)
	}
	fmt.Printf("The page                %s\nThe API                 %s\nIn place of Microsoft   %s\n\n", w.page, w.api, w.microsoft)
	for _, d := range directories {
		fmt.Printf("%-10s sign in as %s\n", d.Name, d.login)
	}
	fmt.Printf(`
Nobody needs a password. The browser does not know the certificate of
%s: open that address once and accept it.
Ctrl-C ends it.
`, w.microsoft)
	<-ctx.Done()
	return nil
}
