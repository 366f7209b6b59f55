// Package pgtenants keeps the tenants of an [identity.Config] in PostgreSQL, 13 or later, for any number of replicas of an API.
//
//	store, err := pgtenants.New(pool, pgtenants.Options{})
//	err = store.Migrate(ctx)                       // safe in every replica at once
//	go store.Run(ctx)                              // holds the tenants in memory, up to date, until ctx ends
//	err = store.WaitReady(ctx)
//	e.Use(identity.Middleware(identity.Config{ClientID: clientID, Tenants: store}))
//
//	err = store.Upsert(ctx, "jane@contoso.example", identity.Tenant{ID: tenantID, Name: "fabrikam"})
//	err = store.Disable(ctx, "jane@contoso.example", tenantID)
//
// A request never waits for the database: [Store.Tenant] answers from memory. [Store.Run] listens on one connection. A change,
// also one that somebody makes by hand in psql, is told to every replica when it commits (NOTIFY), and each reads what has changed.
// Because a notification can be lost with its connection, every replica also asks for changes every [Options.Heartbeat], and
// reads the whole table where it cannot know what it has missed.
//
// A replica that has lost the database serves the tenants it knows for [Options.MaxStale], and answers 503 after that: never 401, which
// makes clients throw good tokens away. The tenants it does not know get 503 at once, because they may have been added meanwhile.
package pgtenants

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/echo-identity/identity"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of a [Store]. The zero value is good for production.
type Options struct {
	// Schema is the schema that holds the tables: lower-case letters, digits and underscores, 40 at most. Its name is part of the
	// NOTIFY channel's. Zero means "identity".
	Schema string
	// MaxStale is how long known tenants are served after the last moment at which the memory was known to agree with the database: how
	// long a tenant that was removed meanwhile can still be served, and how long an outage of the database goes unnoticed. At least
	// Heartbeat and Timeout together. Zero means 5 minutes: longer than the failover of a managed database takes, and far below the
	// hour or more for which the tokens of a removed user are good anyway.
	MaxStale time.Duration
	// MaxTenants bounds the memory. Tenants beyond it are answered with 503, and [Store.Healthy] says so. Zero means 1,000,000.
	MaxTenants int
	// Heartbeat is how often a quiet connection is tried, and asked for changes whose notification got lost. Zero means 5 seconds.
	Heartbeat time.Duration
	// Timeout is what connecting, and each reading, may take: a connection that does not answer for so long is given up. Zero means
	// 5 seconds.
	Timeout time.Duration
	// Batch is how far apart two readings of changes are at least. A single change is read at once; many that follow each other are read
	// together. More than Heartbeat counts as that. Zero means 50 milliseconds.
	Batch time.Duration
	// Resync is how often the whole table is read though nothing seems to be missed, in pages, to heal what no trigger has told. Zero
	// means 1 hour, negative never.
	Resync time.Duration
	// MinBackoff and MaxBackoff bound the pause before another attempt to connect. It doubles, and a random half of it is left
	// out, so that replicas do not come back all at once. Zero means 100 milliseconds and 10 seconds.
	MinBackoff, MaxBackoff time.Duration
	// Listener is how the connection that listens is made, where it cannot be as the pool makes its own: a pooler such as
	// PgBouncer in transaction mode cannot LISTEN. Optional. Default: the configuration of the pool, with its BeforeConnect and
	// AfterConnect.
	Listener *pgx.ConnConfig
	// Logger receives a line when the connection is made or lost, and about rows that are refused. Nil means slog.Default().
	Logger *slog.Logger
}

// The defaults of [Options].
const (
	defaultSchema     = "identity"
	defaultMaxStale   = 5 * time.Minute
	defaultMaxTenants = 1_000_000
	defaultHeartbeat  = 5 * time.Second
	defaultTimeout    = 5 * time.Second
	defaultBatch      = 50 * time.Millisecond
	defaultResync     = time.Hour
	defaultMinBackoff = 100 * time.Millisecond
	defaultMaxBackoff = 10 * time.Second
)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// withDefaults fills in what is zero, or says everything that is wrong.
func (o Options) withDefaults() (Options, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("pgtenants: Options."+field+": "+format, args...))
	}
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	if !schemaName.MatchString(o.Schema) {
		fault("Schema", "%q is not up to 40 lower-case letters, digits and underscores", o.Schema)
	}
	if o.MaxTenants == 0 {
		o.MaxTenants = defaultMaxTenants
	}
	if o.MaxTenants < 0 {
		fault("MaxTenants", "%d is negative", o.MaxTenants)
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		zero  time.Duration
	}{
		{"MaxStale", &o.MaxStale, defaultMaxStale}, {"Heartbeat", &o.Heartbeat, defaultHeartbeat}, {"Timeout", &o.Timeout, defaultTimeout},
		{"Batch", &o.Batch, defaultBatch}, {"MinBackoff", &o.MinBackoff, defaultMinBackoff}, {"MaxBackoff", &o.MaxBackoff, defaultMaxBackoff},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < 0 {
			fault(d.field, "%v is negative", *d.value)
		}
	}
	if o.Resync == 0 {
		o.Resync = defaultResync
	}
	if o.MaxStale < o.Heartbeat+o.Timeout {
		fault("MaxStale", "%v is less than Heartbeat and Timeout together, %v, which it takes to notice that a connection is dead", o.MaxStale, o.Heartbeat+o.Timeout)
	}
	if o.MaxBackoff < o.MinBackoff {
		fault("MaxBackoff", "%v is less than MinBackoff, %v", o.MaxBackoff, o.MinBackoff)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, errors.Join(faults...)
}

var (
	// ErrNotInSync is what [Store.Tenant] answers, and the engine as 503, where the memory is not known to agree with the database: for every
	// tenant before the first reading and after [Options.MaxStale], for unknown tenants at once.
	ErrNotInSync = errors.New("pgtenants: not in sync with the database")
	// ErrFull is the answer for unknown tenants, and the engine's 503, while [Options.MaxTenants] keeps some out of memory.
	ErrFull = errors.New("pgtenants: more tenants than Options.MaxTenants")
	// ErrNotFound is returned by [Store.Get], [Store.Remove], [Store.Disable] and [Store.Enable] for a tenant that is not in the table.
	ErrNotFound = errors.New("pgtenants: no such tenant")
)

// Store is an [identity.TenantSource] on PostgreSQL. Safe for concurrent use. It starts no goroutine; [Store.Run] is the
// caller's.
//
// A directory may be there once as a workforce tenant, once as a B2C and once as an External ID directory, as in [identity.Registry].
type Store struct {
	pool *pgxpool.Pool
	o    Options
	sql  statements

	memory  memory
	sync    state
	running atomic.Bool
}

var _ identity.TenantSource = (*Store)(nil)

// New makes a store, or returns every fault of the options in one error. It does no network I/O. The pool stays the caller's: the store takes
// connections from it to write and to list, and never closes it. [Store.Run] makes one of its own, beside the pool.
func New(pool *pgxpool.Pool, o Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("pgtenants: the pool is required")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Listener != nil {
		o.Listener = o.Listener.Copy()
	}
	s := &Store{pool: pool, o: o, sql: newStatements(o.Schema)}
	s.sync.init(o)
	return s, nil
}

// Tenant finds the tenant of an issuer, in memory. It implements [identity.TenantSource]. The error is
// [identity.ErrUnknownTenant] only while the memory is known to agree with the database, and for a tenant that is disabled then;
// otherwise it is [ErrNotInSync], or [ErrFull], or wraps [identity.ErrTenantInvalid] for a row that identity would refuse.
func (s *Store) Tenant(_ context.Context, issuer identity.Issuer) (*identity.Tenant, error) {
	until := s.sync.until.Load()
	if until != inSync && s.sync.over(until) {
		return nil, ErrNotInSync
	}
	t, fault := s.memory.find(&issuer)
	switch {
	case t != nil:
		return t, nil
	case fault != nil:
		return nil, fault
	case until != inSync:
		return nil, ErrNotInSync
	case s.memory.full.Load():
		return nil, ErrFull
	}
	return nil, identity.ErrUnknownTenant
}
