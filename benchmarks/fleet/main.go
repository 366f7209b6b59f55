// Command fleet measures pgtenants on a real PostgreSQL, which it starts itself: how long a replica takes to be ready, how soon a change is
// seen by another, what a request costs beside the registry in memory, and whether a day of changes, with the database restarted under load,
// leaves every answer right.
//
//	go -C benchmarks run ./fleet           # everything, in some ten minutes
//	go -C benchmarks run ./fleet -write    # and FLEET.md
//	go -C benchmarks run ./fleet -short    # everything, briefly, to see that it works; the figures mean nothing
//
// It ends with an error if a target was missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/report"
)

// sizes say how much is measured.
type sizes struct {
	tenants int // in the table
	starts  int
	changes int // whose way to the other replica is timed
	users   int // tokens
	plan    measure.Plan
	hour    time.Duration // that an hour of the day takes

	changesPerHour int
}

// turns are short and many, because what is to be seen is small.
var turns = measure.Plan{Rounds: 10, Turns: 40, Turn: 10 * time.Millisecond}

var (
	fullSizes  = sizes{tenants: 100_000, starts: 10, changes: 1_000, users: corpus.Users, plan: turns, hour: 5 * time.Second, changesPerHour: changesPerHour}
	shortSizes = sizes{tenants: 2_000, starts: 2, changes: 20, users: 200,
		plan: measure.Plan{Rounds: 2, Turns: 2, Turn: 5 * time.Millisecond}, hour: 500 * time.Millisecond, changesPerHour: 40}
)

// What is asked for.
const (
	readyTarget   = 2 * time.Second
	visibleTarget = 250 * time.Millisecond
	hotPathTarget = 1.01
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s := fullSizes
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(out)
	short := flags.Bool("short", false, "briefly, to see that it works; targets but those of the day are not judged")
	write := flags.Bool("write", false, "write FLEET.md into the current directory")
	parts := flags.String("parts", "start,visible,hotpath,replay", "what to measure")
	tenants := flags.Int("tenants", 0, "tenants in the table, instead of 100,000")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		s = shortSizes
	}
	if *tenants > 0 {
		s.tenants = *tenants
	}
	sections, about, err := measureParts(ctx, s, strings.Split(*parts, ","))
	if err != nil {
		return err
	}
	missed := 0
	for i := range sections {
		if err := sections[i].Text(out); err != nil {
			return err
		}
		if _, n := sections[i].Targets(); !*short || sections[i].Title == dayTitle { // right or wrong is not a matter of time
			missed += n
		}
	}
	if *write {
		if err := writeResults(about, sections); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

// measureParts measures one part after the other, on one database but for the last, which has its own.
func measureParts(ctx context.Context, s sizes, parts []string) (sections []report.Section, about string, err error) {
	d, err := newDatabase(ctx, s.tenants)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	known := map[string]func(context.Context, *database, sizes) (report.Section, error){
		"start": measureStart, "visible": measureVisible, "hotpath": measureHotPath, "replay": measureReplay,
	}
	for _, part := range parts {
		measurePart, ok := known[part]
		if !ok {
			return nil, "", fmt.Errorf("no part %q", part)
		}
		section, err := measurePart(ctx, d, s)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", part, err)
		}
		sections = append(sections, section)
	}
	version, err := d.version(ctx)
	return sections, fmt.Sprintf("| | version |\n|---|---|\n| processor | %s |\n| Go | %s |\n| PostgreSQL | %s |\n| github.com/jackc/pgx/v5 | %s |\n",
		report.Machine(), strings.TrimPrefix(runtime.Version(), "go"), version, moduleVersion("github.com/jackc/pgx/v5")), err
}

// writeResults writes FLEET.md.
func writeResults(about string, sections []report.Section) error {
	f, err := os.Create("FLEET.md")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "# Tenants for a fleet\n\nWritten by `go -C benchmarks run ./fleet -write` on %s. Load average when it ended, with\nwhatever else the machine had to do: %s.\n\n%s",
		time.Now().UTC().Format(time.DateOnly), loadAverage(), about); err != nil {
		return err
	}
	for i := range sections {
		if err := sections[i].Markdown(f); err != nil {
			return err
		}
	}
	return f.Close()
}
