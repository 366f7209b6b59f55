package main

import (
	"fmt"
	"runtime"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
)

// parallelCores are what a request per core is compared with one request at a time.
const parallelCores = 2

// measureParallel asks whether requests wait for each other.
func (b *bench) measureParallel() (report.Section, error) {
	section := report.Section{Title: "Cores", Columns: []string{"", "speed-up", "lowest", "highest", "of RSA's"},
		Note: fmt.Sprintf("Throughput with %d goroutines on as many cores, as a multiple of that with one on one; RSA alone shows what the "+
			"machine has to give.", parallelCores)}
	if runtime.NumCPU() < parallelCores {
		section.Note = "Not measured: the machine has one core."
		return section, nil
	}
	tenants := identity.NewRegistry(peers.Registered(b.tenants)...)
	cold, err := peers.NewVerifier(b.corpus, tenants, peers.NoCache)
	if err != nil {
		return section, err
	}
	warm, err := peers.NewVerifier(b.corpus, tenants, 0)
	if err != nil {
		return section, err
	}
	names := []string{
		"crypto/rsa alone",
		"whole Echo stack, cold",
		"whole Echo stack, warm, one token for all",
		fmt.Sprintf("whole Echo stack, warm, tokens of %s users", thousands(len(b.mixed))),
	}
	speedups, err := b.plan.Scale(parallelCores,
		b.inParallel(b.mixed, func() func(*corpus.Token) error { return b.corpus.RSA }),
		b.inParallel(b.mixed, stackFor(cold)),
		b.inParallel(b.mixed[:1], stackFor(warm)),
		b.inParallel(b.mixed, stackFor(warm)),
	)
	if err != nil {
		return section, err
	}
	for i, s := range speedups {
		low, high := s.Spread()
		share := s.Ratio / speedups[0].Ratio
		row := report.Row{Cells: []string{names[i], fmt.Sprintf("%.2f", s.Ratio), fmt.Sprintf("%.2f", low), fmt.Sprintf("%.2f", high),
			fmt.Sprintf("%.2f", share)}}
		if i > 0 {
			row.Targets = []report.Target{report.AtLeast(share, speedupTarget, "%.2f")}
		}
		section.Rows = append(section.Rows, row)
	}
	return section, nil
}

func stackFor(v *identity.Verifier) func() func(*corpus.Token) error {
	return func() func(*corpus.Token) error { return peers.NewStack(peers.Identity(v)...).Accept }
}

// inParallel makes a subject for each goroutine. They begin at different tokens.
func (b *bench) inParallel(tokens []*corpus.Token, newDo func() func(*corpus.Token) error) func(int) (measure.Subject, error) {
	return func(goroutine int) (measure.Subject, error) {
		do := newDo()
		for _, token := range tokens { // warms the cache up
			if err := do(token); err != nil {
				return measure.Subject{}, err
			}
		}
		start := goroutine * len(tokens) / parallelCores
		return measure.Subject{Do: func(i int) error { return do(tokens[(start+i)%len(tokens)]) }}, nil
	}
}
