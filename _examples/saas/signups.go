package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

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

// add forgets those who have begun and not come back, too: anybody can begin.
func (s signups) add(ctx context.Context, id, company string) error {
	if _, err := s.pool.Exec(ctx, "DELETE FROM signups WHERE began < now() - interval '1 day'"); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, "INSERT INTO signups (id, company) VALUES ($1, $2)", id, company)
	return err
}

func (s signups) company(ctx context.Context, id string) (company string, err error) {
	err = s.pool.QueryRow(ctx, "SELECT company FROM signups WHERE id = $1", id).Scan(&company)
	return company, err
}
