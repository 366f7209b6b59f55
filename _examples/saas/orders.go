package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

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
