package pgtenants

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. What it did must never be edited once it is released: another step follows.
type migration struct {
	version int
	name    string
	text    string
}

// migrations are all steps, in order.
func migrations() []migration {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // not reached: the pattern is constant
	}
	var all []migration
	for i, file := range files {
		text, err := migrationFiles.ReadFile(file)
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		version, bad := strconv.Atoi(name[:4])
		if err != nil || bad != nil || version != i+1 {
			panic("pgtenants: the migrations are not numbered in order: " + file)
		}
		all = append(all, migration{version, name, string(text)})
	}
	return all
}

// Migrate brings the schema up to date. Any number of replicas may call it at once: one does it, in one transaction, and the others wait. A schema
// that is up to date, or newer, because replicas of a newer release are there already, costs one query and needs no right to change it.
//
// It creates the schema of [Options.Schema] if it is not there, and needs the right to do so then; whoever runs it owns the tables.
func (s *Store) Migrate(ctx context.Context) error {
	all := migrations()
	if version, err := s.version(ctx, s.pool); err != nil {
		return fmt.Errorf("pgtenants: %w", err)
	} else if version >= len(all) {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// The lock ends with the transaction, whatever becomes of this process. It is the only thing here that another application
		// could hold by chance, and all it could do is to make us wait until ctx ends.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('pgtenants migrations of ' || $1, 0))", s.o.Schema); err != nil {
			return err
		}
		version, err := s.version(ctx, tx)
		if err != nil {
			return err
		}
		return s.migrate(ctx, tx, all[min(version, len(all)):])
	})
	if err != nil {
		return fmt.Errorf("pgtenants: %w", err)
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const (
	undefinedTable  = "42P01"
	undefinedSchema = "3F000"
)

// version is that of the schema that is there, 0 if none is.
func (s *Store) version(ctx context.Context, q querier) (version int, err error) {
	// Not to_regclass: in the transaction that has waited for another one, it may remember that there was no such table.
	var there bool
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'migrations')`, s.o.Schema).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	err = q.QueryRow(ctx, s.in("SELECT coalesce(max(version), 0) FROM {{schema}}.migrations")).Scan(&version)
	return version, err
}

// migrate does what is missing.
func (s *Store) migrate(ctx context.Context, tx pgx.Tx, missing []migration) error {
	for _, m := range missing {
		if m.version == 1 {
			if err := s.prepare(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, s.in(m.text), pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.Exec(ctx, s.in("INSERT INTO {{schema}}.migrations (version, name) VALUES ($1, $2)"), m.version, m.name); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the schema, if it is not there, and the table that says what has been done.
func (s *Store) prepare(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", s.o.Schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, s.in("CREATE SCHEMA {{schema}}")); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, s.in(`CREATE TABLE {{schema}}.migrations (
		version    integer     NOT NULL PRIMARY KEY,
		name       text        NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now(),
		applied_by text        NOT NULL DEFAULT session_user
	)`))
	return err
}

// in puts the name of the schema into a text of SQL.
func (s *Store) in(text string) string {
	quote := func(literal string) string { return "'" + literal + "'" } // of names that New has checked: nothing in them to escape
	return strings.NewReplacer(
		"{{schema}}", pgx.Identifier{s.o.Schema}.Sanitize(),
		"{{channel}}", quote(channelOf(s.o.Schema)),
		"{{sequence}}", quote(s.o.Schema+".tenant_change"),
	).Replace(text)
}

// notMigrated reports whether an error says that the tables are not there.
func notMigrated(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == undefinedTable || e.Code == undefinedSchema)
}
