package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/measure"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/benchmarks/report"
	"github.com/echo-identity/identity/pgtenants"
)

// measureVisible measures how long after the call that disables or enables a tenant on one replica another one knows it.
func measureVisible(ctx context.Context, d *database, s sizes) (report.Section, error) {
	writer, stopWriter, err := launch(ctx, d.pool, pgtenants.Options{})
	if err != nil {
		return report.Section{}, err
	}
	defer stopWriter()
	reader, stopReader, err := launch(ctx, d.pool, pgtenants.Options{})
	if err != nil {
		return report.Section{}, err
	}
	defer stopReader()

	random := rand.New(rand.NewPCG(1, 2))
	tenants := peers.Registered(s.tenants)
	var committed, called []time.Duration
	for i := range s.changes {
		id := tenants[random.IntN(len(tenants))].ID
		issuer, err := identity.ParseIssuer("https://login.microsoftonline.com/" + id + "/v2.0")
		if err != nil {
			return report.Section{}, err
		}
		_, before := reader.Tenant(ctx, issuer)
		change := writer.Disable
		if before != nil {
			change = writer.Enable
		}
		// Watched from the call on, so that what is seen before the call returns counts as such.
		seen, watching := make(chan time.Time, 1), make(chan struct{})
		go func() {
			close(watching)
			seen <- watch(ctx, reader, issuer, before == nil)
		}()
		<-watching
		began := time.Now()
		if err := change(ctx, operator, id); err != nil {
			return report.Section{}, err
		}
		returned := time.Now()
		at := <-seen
		if at.IsZero() {
			return report.Section{}, fmt.Errorf("change %d was not seen", i)
		}
		called, committed = append(called, at.Sub(began)), append(committed, max(0, at.Sub(returned)))
		// From none to twice the time in which changes are gathered.
		time.Sleep(rand.N(100 * time.Millisecond))
	}
	if err := enableAll(ctx, writer); err != nil { // for the other parts
		return report.Section{}, err
	}
	p99 := measure.Quantile(committed, 0.99)
	row := func(name string, times []time.Duration, share float64, targets ...report.Target) report.Row {
		return report.Row{Cells: []string{name, millis(measure.Quantile(times, share))}, Targets: targets}
	}
	return report.Section{
		Title: "Visible", Columns: []string{"", "ms"},
		Note: fmt.Sprintf("%d changes of tenants among %d, one after the other with random pauses, disabled and enabled on one replica and watched on another, with "+
			"the default options, over TCP on loopback.", s.changes, s.tenants),
		Rows: []report.Row{
			row("seen after the call returned, median", committed, 0.5),
			row("seen after the call returned, p99", committed, 0.99, report.AtMost(float64(p99.Milliseconds()), float64(visibleTarget.Milliseconds()), "%.0f")),
			row("seen after the call returned, at most", committed, 1),
			row("seen after the call began, median", called, 0.5),
			row("seen after the call began, p99", called, 0.99),
		},
	}, nil
}

// watch returns when a tenant is found, or is not any more, and the zero time if that takes a minute.
func watch(ctx context.Context, store *pgtenants.Store, issuer identity.Issuer, gone bool) time.Time {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if _, err := store.Tenant(ctx, issuer); errors.Is(err, identity.ErrUnknownTenant) == gone {
			return time.Now()
		}
	}
	return time.Time{}
}

// enableAll enables what is disabled.
func enableAll(ctx context.Context, store *pgtenants.Store) error {
	for row, err := range store.All(ctx) {
		if err != nil {
			return err
		}
		if row.DisabledAt.IsZero() {
			continue
		}
		if err := store.Enable(ctx, operator, row.Tenant.ID); err != nil {
			return err
		}
	}
	return nil
}
