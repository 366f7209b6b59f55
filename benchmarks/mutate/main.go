// Command mutate breaks the module in one place at a time, and runs its tests: a break that no test notices is a check that nothing
// stands for.
//
//	go -C benchmarks run ./mutate                                   # the files that let people in: hours on two cores
//	go -C benchmarks run ./mutate -files verify.go -match trust     # one file, one function
//	go -C benchmarks run ./mutate -json results.json                # keep the results, and go on from those that are there
//
// No source file is touched: each mutant is handed to the compiler as an overlay. A mutant is killed if a test fails or does not end
// in time. One that does not compile is none, and counted apart. It ends with a table and the survivors: for each of these a
// test is missing, or it is the same program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// checks are the files that let people in.
const checks = "verify.go,pipeline.go,token.go,tokenheader.go,keyresolver.go,claims.go,keyset.go,keyrequest.go,keylegacy.go,keyhandle.go,keyfetch.go,tokencache.go"

// slow are the tests that take seconds of processor time.
const slow = "^(TestV1KeyDuringAFlood|TestFaultsLeaveNothing|TestTokenCacheWeight|TestTokenCacheBound|TestGolangJWT|TestFloodWhileFlapping)$"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	dir := flags.String("dir", "..", "the package")
	files := flags.String("files", checks, "its files to mutate")
	match := flags.String("match", "", "only mutants whose name matches this expression")
	list := flags.Bool("list", false, "say what would be tried")
	jsonFile := flags.String("json", "", "read what is known from here, and keep the results here")
	runFlag := flags.String("run", "", "run only the tests that match this expression: what survives them is tried again by the next run")
	last := flags.String("last", slow, "run the tests that match this expression after the others")
	jobs := flags.Int("jobs", 1, "mutants at one time")
	timeout := flags.Duration("timeout", 3*time.Minute, "what the tests may take before the mutant counts as killed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	only, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	tests, err := regexp.Compile(*runFlag)
	if err != nil {
		return err
	}
	later, err := regexp.Compile(*last)
	if err != nil {
		return err
	}
	var mutants []*mutant
	for _, file := range strings.Split(*files, ",") {
		found, err := find(filepath.Join(*dir, file))
		if err != nil {
			return err
		}
		mutants = append(mutants, slices.DeleteFunc(found, func(m *mutant) bool { return !only.MatchString(m.String()) })...)
	}
	if *list {
		for _, m := range mutants {
			fmt.Fprintln(w, m)
		}
		return nil
	}
	results, err := readResults(*jsonFile)
	if err != nil {
		return err
	}
	lab, err := newLab(*dir, tests, later, *timeout, mutants, results)
	if err != nil {
		return err
	}
	defer lab.close()
	if err := try(ctx, lab, mutants, results, *jobs, w); err != nil {
		return err
	}
	results.print(w, mutants)
	return nil
}

// try tries the mutants of which nothing is known and those that have survived, and writes down what becomes of them.
func try(ctx context.Context, lab *lab, mutants []*mutant, results *results, jobs int, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	left := slices.DeleteFunc(slices.Clone(mutants), func(m *mutant) bool {
		known, ok := results.of(m)
		return ok && known.Verdict != survived
	})
	next := make(chan batch)
	var group sync.WaitGroup
	for range jobs {
		group.Go(func() {
			for b := range next {
				err := lab.try(ctx, b, func(m *mutant, r trial) error {
					fmt.Fprintf(w, "%-12s %s%s\n", r.Verdict, m, r.by())
					return results.add(m, r)
				})
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, b := range batches(left) {
		select {
		case next <- b:
		case <-ctx.Done():
		}
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}
