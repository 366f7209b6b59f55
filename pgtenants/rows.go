package pgtenants

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/echo-identity/identity"
)

// Row is a tenant as it is in the table.
type Row struct {
	Tenant identity.Tenant
	Kind   Kind
	// DisabledAt is when it was disabled. Zero: it is not.
	DisabledAt time.Time
	// CreatedAt, UpdatedAt and UpdatedBy say when, and who.
	CreatedAt, UpdatedAt time.Time
	UpdatedBy            string
	// Fault says why identity refuses the row. Nil for a good one.
	Fault error
}

// Get reads the rows of a tenant ID from the database, one of each kind. The error is [ErrNotFound] if there is none.
func (s *Store) Get(ctx context.Context, tenantID string) ([]Row, error) {
	id, err := parseID(tenantID)
	if err != nil {
		return nil, err
	}
	found, _, err := s.list(ctx, s.sql.get, id)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	return found, err
}

// All yields every row, in the order of tenant IDs. It reads page by page and holds no more than one, and no connection while the loop body runs,
// which may therefore change tenants. What is changed meanwhile may or may not be in it. An error is yielded once and ends it.
func (s *Store) All(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		id, kind := nilGUID, ""
		for {
			page, last, err := s.list(ctx, s.sql.list, id, kind, listedRows)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < listedRows {
				return
			}
			id, kind = last[0], last[1]
		}
	}
}

// list reads rows. last is the key of the last one, also if it cannot be read.
func (s *Store) list(ctx context.Context, query string, args ...any) (found []Row, last [2]string, err error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, last, fmt.Errorf("pgtenants: %w", err)
	}
	defer rows.Close()
	d := newDecoder(rows)
	for rows.Next() {
		d.values = rows.RawValues()
		last = [2]string{string(d.values[0]), string(d.values[1])}
		found = append(found, d.row())
	}
	if err := rows.Err(); err != nil {
		return nil, last, fmt.Errorf("pgtenants: %w", err)
	}
	return found, last, nil
}

// row reads a whole row. Whatever is wrong with it is its Fault.
func (d *decoder) row() Row {
	const content, times = 2, 2 + contentColumns
	row := Row{Tenant: identity.Tenant{ID: string(d.values[0])}}
	k, err := d.key(0)
	if err == nil {
		row.Kind = k.kind
		row.Tenant, err = d.tenant(k, content)
	}
	if err == nil {
		_, err = seal(row.Tenant)
	}
	row.Fault = err
	for i, at := range []*time.Time{&row.DisabledAt, &row.CreatedAt, &row.UpdatedAt} {
		if d.values[times+i] != nil {
			d.note(&row, d.column(times+i, at))
		}
	}
	d.note(&row, d.column(times+3, &row.UpdatedBy))
	return row
}

// note keeps the first fault of a row.
func (d *decoder) note(row *Row, err error) {
	if row.Fault == nil {
		row.Fault = err
	}
}

// shortCloud is the cloud of an origin, by the constant of identity where that is another one.
func shortCloud(origin string) identity.Cloud {
	if origin == publicOrigin {
		return identity.Public
	}
	return identity.Cloud(origin)
}
