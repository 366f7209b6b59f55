// Command benchmarks measures what it costs to verify access tokens with github.com/echo-identity/identity and with its peers, in
// multiples of one RSA verification, and says whether the targets of this project hold.
//
//	go -C benchmarks run .                     # everything, in about five minutes
//	go -C benchmarks run . -parts peers,warm   # some of it
//	go -C benchmarks run . -short              # everything in less than a minute, to see that it works
//	go -C benchmarks run . -write              # everything, and RESULTS.md with its plots
//
// It ends with an error if a target was missed, unless the run was short.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/report"
)

// parts are what can be asked for, in the order in which they run: what needs a quiet process comes before what disturbs one.
var parts = []struct {
	name string
	run  func(*bench) (report.Section, error)
}{
	{"peers", (*bench).comparePeers},
	{"cold", (*bench).measureCold},
	{"warm", (*bench).measureWarm},
	{"refusals", (*bench).measureRefusals},
	{"scale", (*bench).measureScale},
	{"parallel", (*bench).measureParallel},
	{"memory", (*bench).measureMemory},
	{"registry", (*bench).measureRegistry},
	{"flood", (*bench).measureFlood},
	{"node", (*bench).measureNode},
	{"load", (*bench).measureLoad},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	chosen := flags.String("parts", "", "what to measure, separated by commas: "+strings.Join(partNames(), ", ")+" (default all)")
	short := flags.Bool("short", false, "measure little of everything: the figures mean nothing")
	write := flags.Bool("write", false, "write RESULTS.md and the plots")
	if err := flags.Parse(args); err != nil {
		return err
	}
	names, err := choose(*chosen)
	if err != nil {
		return err
	}
	if *write && (*short || len(names) < len(parts)) {
		return errors.New("-write is for a full run, without -short and -parts")
	}

	began := time.Now()
	b, err := newBench(ctx, sizesOf(*short))
	if err != nil {
		return err
	}
	if err := report.Text(os.Stdout, b.explanation()); err != nil {
		return err
	}
	var sections []report.Section
	for _, part := range parts {
		if !slices.Contains(names, part.name) {
			continue
		}
		section, err := part.run(b)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if err := section.Text(os.Stdout); err != nil {
			return err
		}
		sections = append(sections, section)
	}
	if *write {
		if err := b.writeResults(".", sections); err != nil {
			return err
		}
	}
	err = conclude(sections, time.Since(began))
	if *short {
		fmt.Println("The run was short: none of its figures means anything.")
		return nil
	}
	return err
}

// conclude counts the targets.
func conclude(sections []report.Section, took time.Duration) error {
	all, missed := 0, 0
	for i := range sections {
		a, m := sections[i].Targets()
		all, missed = all+a, missed+m
	}
	fmt.Printf("\n%d of %d targets hold; measured in %v\n", all-missed, all, took.Round(time.Second))
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

func partNames() (names []string) {
	for _, part := range parts {
		names = append(names, part.name)
	}
	return names
}

func choose(list string) ([]string, error) {
	if list == "" {
		return partNames(), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("-parts: %q is not one of %s", name, strings.Join(partNames(), ", "))
		}
	}
	return names, nil
}

// sizesOf are the sizes of a full run, or of one that only shows that everything works.
func sizesOf(short bool) sizes {
	if short {
		return sizes{
			plan: measure.Plan{Rounds: 3, Turns: 1, Turn: 5 * time.Millisecond}, users: 1_000, tenants: 100, registered: []int{1, 100, 1_000},
			peerTenants: 20, flood: time.Second, cooldown: time.Second, loadRounds: 1, loadTime: time.Second,
		}
	}
	return fullSizes
}
