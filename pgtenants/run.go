package pgtenants

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Run holds the tenants in memory and keeps them up to date, until ctx ends; then it returns nil. Whatever goes wrong with the database it
// logs, and tries again. It returns an error only if it is running already. It uses one connection, not of the pool, and leaves no goroutine
// behind. After it has returned, known tenants are served for [Options.MaxStale].
func (s *Store) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("pgtenants: Run is running already")
	}
	defer s.running.Store(false)
	defer s.sync.lose(errStopped)
	var last past
	for backoff := s.o.MinBackoff; ; {
		began := time.Now()
		err := s.session(ctx, &last)
		if ctx.Err() != nil {
			return nil
		}
		if s.Stats().Confirmed.After(began) {
			backoff = s.o.MinBackoff
		}
		if notMigrated(err) {
			err = fmt.Errorf("has Migrate been called? %w", err)
		}
		s.sync.lose(err)
		pause := backoff/2 + rand.N(backoff/2+1)
		s.o.Logger.LogAttrs(ctx, slog.LevelWarn, "pgtenants: not in sync with the database", slog.String("cause", err.Error()),
			slog.Duration("retry", pause))
		if !sleep(ctx, pause) {
			return nil
		}
		backoff = min(2*backoff, s.o.MaxBackoff)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// past is what a session leaves to the next.
type past struct {
	server string    // which one it was, since when
	mark   mark      // all changes up to this one are in memory
	ended  time.Time // zero: there was none, or it had not read all
	scan   time.Time // when the whole table is to be read again, though nothing seems to be missed
}

// maxGap is how long a connection may have been away for the history to say all that was missed.
const maxGap = 10 * time.Minute

// session is the life of one connection.
func (s *Store) session(ctx context.Context, last *past) error {
	l := &line{store: s}
	defer l.close()
	if err := l.open(ctx); err != nil {
		return err
	}
	server, err := l.greet(ctx)
	if err != nil {
		return err
	}
	r := &reader{s: s, conn: l.conn, last: last.mark}
	if server != last.server || last.mark.change == 0 || last.ended.IsZero() || time.Since(last.ended) > maxGap {
		// Another server, or the same one after a restart, may have lost what we have seen: only the whole table tells.
		if err := r.begin(ctx, true); err != nil {
			return err
		}
		last.scan = time.Now().Add(jittered(s.o.Resync))
	}
	last.ended = time.Time{}
	err = l.attend(ctx, r, &last.scan)
	if (r.scan == nil || !r.scan.required) && !errors.Is(err, errRestored) {
		last.server, last.mark, last.ended = server, r.last, time.Now()
	}
	return err
}

// attend reads what there is to read, until something goes wrong or ctx ends.
func (l *line) attend(ctx context.Context, r *reader, nextScan *time.Time) error {
	o := &l.store.o
	for {
		began := time.Now()
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		switch {
		case r.scan != nil:
			if err := r.page(ctx); err != nil {
				return err
			}
			if r.scan == nil { // what has changed meanwhile is read at once
				continue
			}
		case o.Resync > 0 && time.Now().After(*nextScan) || l.store.roomAgain():
			*nextScan = time.Now().Add(jittered(o.Resync))
			if err := r.begin(ctx, false); err != nil {
				return err
			}
		}
		if r.scan != nil {
			continue
		}
		if err := l.wait(ctx, began.Add(o.Batch), began.Add(jittered(o.Heartbeat))); err != nil {
			return err
		}
	}
}

// roomAgain reports whether there is a place for rows that found none.
func (s *Store) roomAgain() bool {
	return s.memory.full.Load() && s.memory.len.Load() < int64(s.o.MaxTenants)
}

// jittered takes up to a tenth off, so that replicas that began together do not ask together for ever.
func jittered(d time.Duration) time.Duration {
	return d - rand.N(max(d/10, 1))
}

// line is a connection that listens.
type line struct {
	store *Store
	conn  *pgx.Conn
	told  bool // that something has changed

	ended  context.Context // what the driver does in the background ends with it
	hangUp context.CancelFunc
}

// open connects, as the pool would.
func (l *line) open(ctx context.Context) error {
	l.ended, l.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, l.store.o.Timeout)
	defer cancel()
	pool := l.store.pool.Config()
	cfg, after := pool.ConnConfig, pool.AfterConnect
	if l.store.o.Listener != nil {
		cfg, after = l.store.o.Listener.Copy(), nil
	} else if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, cfg); err != nil {
			return err
		}
	}
	// How many there are does not matter, nor what they say: the history says what has changed.
	cfg.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { l.told = true }
	cfg.DialFunc = l.dial(cfg.DialFunc)
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "pgtenants"
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	l.conn = conn
	if after != nil {
		if err := after(ctx, conn); err != nil {
			return err
		}
	}
	l.store.sync.count(func(c *Stats) { c.Connections++ })
	return nil
}

// dial makes connections that are cut when the line is closed. To give up a query, the driver opens another connection to cancel it,
// in the background and for 15 seconds; that must not outlive Run.
func (l *line) dial(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(l.ended, cancel)()
		conn, err := dial(ctx, network, addr)
		if err == nil {
			context.AfterFunc(l.ended, func() { conn.Close() })
		}
		return conn, err
	}
}

// close says good-bye where that is possible at once, and waits until the driver has ended.
func (l *line) close() {
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ended), time.Second)
		l.conn.Close(ctx) // the error does not matter: it is over
		cancel()
	}
	l.hangUp()
	if l.conn != nil {
		<-l.conn.PgConn().CleanupDone()
	}
}

const minVersion = 130000

// greet finds out which server it is, and listens. Listening begins before anything is read: what is committed later is told.
func (l *line) greet(ctx context.Context) (server string, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.store.o.Timeout)
	defer cancel()
	var version int
	if err := l.conn.QueryRow(ctx, l.store.sql.server).Scan(&server, &version); err != nil {
		return "", err
	}
	if version < minVersion {
		return "", fmt.Errorf("PostgreSQL %d.%d is older than 13", version/10000, version%10000)
	}
	if _, err := l.conn.Exec(ctx, plans+"; "+whole); err != nil {
		return "", err
	}
	_, err = l.conn.Exec(ctx, l.store.sql.listen) // a standby refuses it
	return server, err
}

// plans leaves the planner one choice, the indexes, and lets it plan once. Right after many rows have been written it knows little of the tables,
// and would read the whole of one for each row of the other.
const plans = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off"

// whole makes an error of rows that a policy hides, which would look as if they had been removed.
const whole = "SET row_security = off"

// wait blocks until something is told, but at least until one time, and until another at most, when the connection is tried.
func (l *line) wait(ctx context.Context, earliest, latest time.Time) error {
	if err := l.hear(ctx, latest, func() bool { return l.told }); err != nil {
		return err
	}
	if l.told {
		if err := l.hear(ctx, earlier(earliest, latest), func() bool { return false }); err != nil {
			return err
		}
		l.told = false
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.store.o.Timeout)
	defer cancel()
	var listening bool
	if err := l.conn.QueryRow(ctx, l.store.sql.listening, l.store.sql.channel).Scan(&listening); err != nil {
		return err
	}
	l.store.sync.hears(listening)
	if !listening {
		return errNoListen
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// hear reads notifications until a time, or until enough.
func (l *line) hear(ctx context.Context, until time.Time, enough func() bool) error {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for !enough() && waiting.Err() == nil {
		if err := l.conn.PgConn().WaitForNotification(waiting); err != nil && (waiting.Err() == nil || l.conn.IsClosed()) {
			return err
		}
	}
	return ctx.Err()
}
