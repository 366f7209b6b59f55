package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/pgtenants"
	"github.com/echo-identity/identity/pgtenants/pgtest"
)

const operator = "operator@example.com"

// database is a PostgreSQL with tenants in it.
type database struct {
	server *pgtest.Server
	pool   *pgxpool.Pool
	store  *pgtenants.Store // to write with; it does not run
	filled time.Duration    // what it took to write the tenants
}

// newDatabase starts a server and writes tenants.
func newDatabase(ctx context.Context, tenants int) (*database, error) {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return nil, err
	}
	d := &database{server: server}
	if d.pool, err = pgxpool.New(ctx, server.URL("postgres", "postgres")); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	if err := d.fill(ctx, tenants); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) fill(ctx context.Context, tenants int) (err error) {
	if d.store, err = pgtenants.New(d.pool, quiet(pgtenants.Options{})); err != nil {
		return err
	}
	if err := d.store.Migrate(ctx); err != nil {
		return err
	}
	began := time.Now()
	for chunk := range slices.Chunk(peers.Registered(tenants), 10_000) {
		if err := d.store.Upsert(ctx, operator, chunk...); err != nil {
			return err
		}
	}
	d.filled = time.Since(began)
	return nil
}

func (d *database) close() error {
	d.pool.Close()
	return d.server.Close()
}

func (d *database) version(ctx context.Context) (version string, err error) {
	err = d.pool.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

// quiet switches the log off.
func quiet(o pgtenants.Options) pgtenants.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// launch starts a replica, and waits until it is ready.
func launch(ctx context.Context, pool *pgxpool.Pool, o pgtenants.Options) (store *pgtenants.Store, stop func(), err error) {
	if store, err = pgtenants.New(pool, quiet(o)); err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { store.Run(running) }) // it has no error: it is called once
	stop = func() { cancel(); done.Wait() }
	waiting, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	if err := store.WaitReady(waiting); err != nil {
		stop()
		return nil, nil, err
	}
	return store, stop, nil
}

// moduleVersion is the version of a module that this program is built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}

// loadAverage is how many programs wanted a processor, in the last 1, 5 and 15 minutes, where the system tells.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], ", ")
}
