// Saas is an API for many customers: two replicas of it behind a proxy, which share nothing but PostgreSQL. A customer's administrator
// connects the tenant in a browser; a moment later both replicas serve it, and when it is removed both refuse it, with tokens that
// they accepted a moment ago. Every query of a customer's data sees that customer's rows alone, by row-level security.
//
//	go run -C _examples/saas .          tells the whole story and ends with 0 only if all of it came true
//	go run -C _examples/saas . -serve   stays, for a browser
//
// It needs PostgreSQL 13 or later: a database in DATABASE_URL, in which it makes two schemas of its own and drops them in the end, or
// the programs on this machine, with which it starts a server in a temporary directory. It installs nothing, and speaks to nothing but
// this machine: mockidp stands in for Microsoft.
//
// replica.go, api.go, onboarding.go and pages.go are the service, with schema.go, orders.go and signups.go for its data. The rest plays
// the world around it.
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
	stay := flag.Bool("serve", false, "stay for a browser instead of telling the story")
	addr := flag.String("addr", "localhost:0", "where the proxy listens, on loopback")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *stay, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "saas:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stay bool, addr string) (err error) {
	logger := slog.New(slog.DiscardHandler) // the story says it all; with -serve the log shows why a request was refused
	if stay {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	db, err := openDatabase(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	fmt.Println("PostgreSQL", db.version+",", db.origin)
	w, err := newWorld(ctx, db, addr, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if !stay {
		return w.tell(ctx, os.Stdout)
	}
	fmt.Printf("\nThe service             %s\nIn place of Microsoft   %s\n\n", w.url, w.idp.URL)
	for _, c := range customers {
		fmt.Printf("%-10s administrator %s, member %s\n", c.name, c.admin, c.member)
	}
	fmt.Println("\nNobody needs a password. Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}
