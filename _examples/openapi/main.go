// Openapi protects the operations of an OpenAPI document: the document says which scope or app role each one needs, oapi-codegen makes
// the server, package oapi enforces it, and Swagger UI signs people in to try it.
//
//	go run -C _examples/openapi .          makes requests and ends with 0 only if every answer is the expected one
//	go run -C _examples/openapi . -serve   stays, for Swagger UI in a browser
//
// It speaks to nothing but this machine: mockidp stands in for Microsoft. openapi.yaml, server.go, docs.go and orders.go are what an API
// of yours would have.
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
	stay := flag.Bool("serve", false, "stay for a browser instead of making requests")
	addr := flag.String("addr", "localhost:0", "where the API listens, on loopback")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *stay, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stay bool, addr string) (err error) {
	logger := slog.New(slog.DiscardHandler) // the table says it all; with -serve the log shows why a request was refused
	if stay {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w, err := newWorld(addr, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if !stay {
		return w.show(ctx, os.Stdout)
	}
	fmt.Printf("Swagger UI              %s\nIn place of Microsoft   %s\n\n", w.url+docsPath, w.idp.URL)
	fmt.Printf("Press Authorize and sign in as %s or %s;\nnobody needs a password. Ctrl-C ends it.\n", user, colleague)
	<-ctx.Done()
	return nil
}
