package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/echo-identity/identity/pgtenants/pgtest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const closing = 10 * time.Second

// database is where the replicas meet.
type database struct {
	url           string
	origin        string // for people
	version       string
	data, tenants string         // schemas: the service's own, and pgtenants'
	server        *pgtest.Server // nil: somebody else's
}

// openDatabase uses the database of an address, or starts a server of its own.
func openDatabase(ctx context.Context, address string) (*database, error) {
	name := "saas_" + strings.ToLower(rand.Text()[:8])
	db := &database{url: address, data: name, tenants: name + "_tenants", origin: "that of DATABASE_URL"}
	if address == "" {
		server, err := startServer(ctx)
		if err != nil {
			return nil, err
		}
		db.server, db.url, db.origin = server, server.URL("saas", "saas"), "started in a temporary directory"
	}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

// startServer makes a server with a user who is neither superuser nor exempt from row-level security, and a database of this user's.
func startServer(ctx context.Context) (*pgtest.Server, error) {
	server, err := pgtest.Start(ctx)
	if errors.Is(err, pgtest.ErrNotInstalled) {
		return nil, fmt.Errorf(`%w

PostgreSQL is needed, 13 or later, and is not to be found here. Either install it, for instance
	apt-get install postgresql        (Debian, Ubuntu)
	dnf install postgresql-server     (Fedora)
	brew install postgresql@17        (macOS)
or name a database that may be used, as in
	DATABASE_URL=postgres://user:password@host/database`, err)
	}
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{"CREATE ROLE saas LOGIN NOSUPERUSER NOBYPASSRLS", "CREATE DATABASE saas OWNER saas"} {
		if err := execute(ctx, server.URL("postgres", "postgres"), statement); err != nil {
			return nil, errors.Join(err, server.Close())
		}
	}
	return server, nil
}

func execute(ctx context.Context, address, statement string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// prepare makes the service's schema. Row-level security does not hold for superusers: with one of them nothing of this would be true.
func (db *database) prepare(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, db.url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer conn.Close(ctx)
	var exempt bool
	var user string
	err = conn.QueryRow(ctx, "SELECT rolname, rolsuper OR rolbypassrls, current_setting('server_version') FROM pg_roles WHERE rolname = current_user").Scan(&user, &exempt, &db.version)
	if err != nil {
		return err
	}
	if exempt {
		return fmt.Errorf("DATABASE_URL: row-level security does not hold for the user %q: use one that is neither superuser nor BYPASSRLS", user)
	}
	db.version, _, _ = strings.Cut(db.version, " ")
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{db.data}.Sanitize()); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SET search_path = "+pgx.Identifier{db.data}.Sanitize()); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, schema)
	return err
}

// pool is a replica's own.
func (db *database) pool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(db.url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.RuntimeParams["search_path"] = db.data
	cfg.MaxConns = 4
	return pgxpool.NewWithConfig(ctx, cfg)
}

// close leaves nothing behind.
func (db *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if db.server != nil {
		return db.server.Close()
	}
	return execute(ctx, db.url, fmt.Sprintf("DROP SCHEMA IF EXISTS %s, %s CASCADE", pgx.Identifier{db.data}.Sanitize(), pgx.Identifier{db.tenants}.Sanitize()))
}
