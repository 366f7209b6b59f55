package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/pgtenants"
)

// measureStart measures how long a replica takes from New until it is ready, and what it holds.
func measureStart(ctx context.Context, d *database, s sizes) (report.Section, error) {
	var walls, own []time.Duration
	held := 0.0
	for range s.starts {
		before := measure.Holding()
		cpu, began := processorTime(), time.Now()
		store, stop, err := launch(ctx, d.pool, pgtenants.Options{})
		if err != nil {
			return report.Section{}, err
		}
		walls, own = append(walls, time.Since(began)), append(own, processorTime()-cpu)
		got := store.Stats().Tenants
		held = float64(measure.Holding().Bytes-before.Bytes) / float64(got)
		stop()
		runtime.KeepAlive(store)
		if got != s.tenants {
			return report.Section{}, fmt.Errorf("got=%d tenants, want=%d", got, s.tenants)
		}
	}
	before := measure.Holding()
	registry := identity.NewRegistry(peers.Registered(s.tenants)...)
	inMemory := float64(measure.Holding().Bytes-before.Bytes) / float64(s.tenants)
	runtime.KeepAlive(registry)
	median := measure.Quantile(walls, 0.5)
	return report.Section{
		Title: "Start", Columns: []string{"", "figure"},
		Note: fmt.Sprintf("%d tenants in the table; %d times a new store, from New until WaitReady returns. Bytes are live ones after garbage collection.",
			s.tenants, s.starts),
		Rows: []report.Row{
			{Cells: []string{"ready after, median, ms", millis(median)}, Targets: []report.Target{report.AtMost(median.Seconds(), readyTarget.Seconds(), "%.0f s")}},
			{Cells: []string{"ready after, fastest and slowest, ms", millis(slices.Min(walls)) + ", " + millis(slices.Max(walls))}},
			{Cells: []string{"of which processor time of the replica, median, ms", millis(measure.Quantile(own, 0.5))}},
			{Cells: []string{"bytes per tenant", fmt.Sprintf("%.0f", held)}},
			{Cells: []string{"bytes per tenant in identity.Registry", fmt.Sprintf("%.0f", inMemory)}},
			{Cells: []string{"the table written by Upsert, 10,000 at a time, s", fmt.Sprintf("%.1f", d.filled.Seconds())}},
		},
	}, nil
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e3) }

// processorTime is what this process has used.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // not reached: the arguments are constant
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
