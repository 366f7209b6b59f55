package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schema is the service's own data.
//
// The policy is the isolation: whatever a query says, it sees and writes rows of the tenant that the transaction was told, and none
// before it was told one. FORCE makes it hold for the owner of the table, who is the one user of this example; in production let
// another user own it.
const schema = `
CREATE TABLE orders (
	id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tid        uuid        NOT NULL DEFAULT current_setting('app.tid')::uuid,
	item       text        NOT NULL CHECK (item <> '' AND length(item) <= 200),
	ordered_by text        NOT NULL,
	ordered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_tid ON orders (tid);
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON orders
	USING (tid = nullif(current_setting('app.tid', true), '')::uuid)
	WITH CHECK (tid = nullif(current_setting('app.tid', true), '')::uuid);

-- Who is about to connect a tenant. The ID is a secret: it is the session of the browser.
CREATE TABLE signups (
	id      text        PRIMARY KEY,
	company text        NOT NULL CHECK (company <> '' AND length(company) <= 100),
	began   timestamptz NOT NULL DEFAULT now()
);

-- Answers of the admin consent that were used.
CREATE TABLE used_answers (
	id    text        PRIMARY KEY,
	until timestamptz NOT NULL
);
CREATE INDEX used_answers_until ON used_answers (until);
`

// orders are the customers' data.
type orders struct{ pool *pgxpool.Pool }

type order struct {
	ID   int64  `json:"id"`
	Item string `json:"item"`
	By   string `json:"by"`
}

// as runs a transaction that sees one tenant's rows. tid comes from a verified token, never from a request's parameter. The setting
// ends with the transaction: the next user of the connection starts without.
func (o orders) as(ctx context.Context, tid string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, o.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('app.tid', $1, true)", tid); err != nil {
			return err
		}
		return do(tx)
	})
}

// list has no WHERE. It needs none.
func (o orders) list(ctx context.Context, tid string) (list []order, err error) {
	err = o.as(ctx, tid, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id, item, ordered_by FROM orders ORDER BY id LIMIT 100")
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[order])
		return err
	})
	return list, err
}

func (o orders) add(ctx context.Context, tid, item, by string) error {
	return o.as(ctx, tid, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO orders (item, ordered_by) VALUES ($1, $2)", item, by)
		return err
	})
}

// usedAnswers is adminconsent.Used for all replicas: of several that insert the same key, one does.
type usedAnswers struct{ pool *pgxpool.Pool }

func (u usedAnswers) Use(ctx context.Context, id string, until time.Time) (first bool, err error) {
	if _, err := u.pool.Exec(ctx, "DELETE FROM used_answers WHERE until < now() - interval '1 hour'"); err != nil {
		return false, err
	}
	tag, err := u.pool.Exec(ctx, "INSERT INTO used_answers (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, until)
	return tag.RowsAffected() == 1, err
}

// signups are customers to be.
type signups struct{ pool *pgxpool.Pool }

func (s signups) add(ctx context.Context, id, company string) error {
	_, err := s.pool.Exec(ctx, "INSERT INTO signups (id, company) VALUES ($1, $2)", id, company)
	return err
}

func (s signups) company(ctx context.Context, id string) (company string, err error) {
	err = s.pool.QueryRow(ctx, "SELECT company FROM signups WHERE id = $1", id).Scan(&company)
	return company, err
}
