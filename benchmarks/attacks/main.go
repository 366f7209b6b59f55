// Command attacks shows broken tokens to github.com/echo-identity/identity and to its peers, and counts how many each lets in: the
// catalogue of mockidp, in which each token is broken in one way, and a few keys that must not be used. It needs no network.
//
//	go -C benchmarks run ./attacks          # the tables
//	go -C benchmarks run ./attacks -list    # and who lets which token in
//	go -C benchmarks run ./attacks -write   # and both to ATTACKS.md
//
// It ends with an error if this module lets one in, or if anybody refuses a good token.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "attacks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("attacks", flag.ContinueOnError)
	list := flags.Bool("list", false, "say who lets which token in")
	write := flags.Bool("write", false, "write ATTACKS.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes, err := besiege(ctx)
	if err != nil {
		return err
	}
	if err := printTables(w, outcomes); err != nil {
		return err
	}
	if *list {
		if err := printList(w, outcomes); err != nil {
			return err
		}
	}
	if *write {
		if err := writeDocument(".", outcomes); err != nil {
			return err
		}
	}
	return conclude(outcomes)
}

// conclude is an error for each token that this module let in.
func conclude(outcomes []outcome) (err error) {
	for i := range outcomes {
		o := &outcomes[i]
		if ours := o.letIn[len(o.letIn)-1]; ours[documented] || ours[strict] {
			err = errors.Join(err, fmt.Errorf("identity lets in %s: %s", o.name, o.breaks))
		}
	}
	return err
}
