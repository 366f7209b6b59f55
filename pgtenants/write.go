package pgtenants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/echo-identity/identity"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds that the table has and identity has not.
const (
	maxName     = 256
	maxBy       = 256
	maxList     = 256
	maxAudience = 512
)

// Upsert adds tenants, or updates those of the same ID and kind: all of them in one transaction, or none and an error that names every field
// that is wrong, before anything is sent to the database. by says who does it, for the history. A tenant that is disabled stays
// disabled. What does not differ from the table is not written, and not told.
//
// When Upsert returns nil the change is committed; replicas have it some milliseconds later. See [Store.Sync] for this one.
func (s *Store) Upsert(ctx context.Context, by string, tenants ...identity.Tenant) error {
	checked, err := check(tenants)
	if err != nil {
		return err
	}
	return s.write(ctx, by, func(tx pgx.Tx) error {
		for chunk := range slices.Chunk(checked, 1000) {
			batch := new(pgx.Batch)
			for _, t := range chunk {
				batch.Queue(s.sql.upsert, arguments(t)...)
			}
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

// check returns the tenants in normal form, in the order of their keys: two that write the same ones in the same order cannot block each other.
func check(tenants []identity.Tenant) ([]*identity.Tenant, error) {
	var all identity.Registry
	faults := []error{all.Add(tenants...)}
	var checked []*identity.Tenant
	for i := range tenants {
		fields := unstorable(&tenants[i])
		for _, field := range fields {
			faults = append(faults, fmt.Errorf("pgtenants: Tenants[%d].%s", i, field))
		}
		t, err := seal(tenants[i])
		if err != nil || len(fields) > 0 {
			continue // all has said so
		}
		checked = append(checked, t)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.SortFunc(checked, func(a, b *identity.Tenant) int { return strings.Compare(a.ID, b.ID) })
	return checked, nil
}

// unstorable finds what identity accepts and the table does not.
func unstorable(t *identity.Tenant) (faults []string) {
	text := func(field, value string, most int) {
		switch {
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			faults = append(faults, field+": is not UTF-8 text without NUL")
		case utf8.RuneCountInString(value) > most:
			faults = append(faults, fmt.Sprintf("%s: has more than %d characters", field, most))
		}
	}
	list := func(field string, values []string, most int) {
		if len(values) > maxList {
			faults = append(faults, fmt.Sprintf("%s: has more than %d entries", field, maxList))
			return
		}
		for i, value := range values {
			name := fmt.Sprintf("%s[%d]", field, i)
			if text(name, value, most); strings.Contains(value, "\n") {
				faults = append(faults, name+": has more than one line")
			}
		}
	}
	text("Name", t.Name, maxName)
	list("Audiences", t.Audiences, maxAudience)
	list("Clients", t.Clients, maxAudience)
	if t.B2C != nil {
		list("B2C.Hosts", t.B2C.Hosts, 300)
		list("B2C.Policies", t.B2C.Policies, 128)
	}
	if t.External != nil {
		list("External.Hosts", t.External.Hosts, 300)
	}
	return faults
}

// publicOrigin is what the table has for [identity.Public], which is empty.
const publicOrigin = "https://login.microsoftonline.com"

// arguments are those of the statement upsert.
func arguments(t *identity.Tenant) []any {
	cloud := string(t.Cloud)
	if t.Cloud == identity.Public {
		cloud = publicOrigin
	}
	var domain string
	var hosts, policies []string
	var tfp bool
	switch {
	case t.B2C != nil:
		domain, hosts, policies, tfp = t.B2C.Domain, t.B2C.Hosts, t.B2C.Policies, t.B2C.TFPIssuers
	case t.External != nil:
		domain, hosts = t.External.Domain, t.External.Hosts
	}
	lower := make([]string, len(hosts))
	for i, host := range hosts {
		lower[i] = strings.ToLower(host)
	}
	return []any{t.ID, kindOf(t).String(), t.Name, cloud, t.Version, filled(t.Audiences), filled(t.Clients), t.DenyGuests, t.AllowNoPermissions,
		t.AppKeys, domain, lower, filled(policies), tfp}
}

// filled is a list that is not null.
func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Remove deletes a tenant ID, in the kinds given, in every kind if none is. The history keeps what it was. The error is [ErrNotFound] if there is
// nothing to delete.
func (s *Store) Remove(ctx context.Context, by, tenantID string, kinds ...Kind) error {
	return s.one(ctx, by, s.sql.remove, tenantID, kinds)
}

// Disable refuses the tokens of a tenant, as if it were unknown, and keeps its row, in the kinds given, in every kind if none is. The error is
// [ErrNotFound] if there is none; one that is disabled already is none.
func (s *Store) Disable(ctx context.Context, by, tenantID string, kinds ...Kind) error {
	return s.one(ctx, by, s.sql.disable, tenantID, kinds)
}

// Enable undoes [Store.Disable].
func (s *Store) Enable(ctx context.Context, by, tenantID string, kinds ...Kind) error {
	return s.one(ctx, by, s.sql.enable, tenantID, kinds)
}

// one changes the rows of one tenant ID.
func (s *Store) one(ctx context.Context, by, statement, tenantID string, kinds []Kind) error {
	id, err := parseID(tenantID)
	if err != nil {
		return err
	}
	names := kindNames[:]
	if len(kinds) > 0 {
		names = nil
		for _, kind := range kinds {
			names = append(names, kind.String())
		}
	}
	return s.write(ctx, by, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, statement, id, names)
		if err != nil || done.RowsAffected() > 0 {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, s.sql.has, id, names).Scan(&there); err != nil {
			return err
		}
		if !there {
			return ErrNotFound
		}
		return nil
	})
}

// parseID returns a tenant ID in the form of Microsoft's tokens.
func parseID(tenantID string) (string, error) {
	id := strings.ToLower(tenantID)
	if t, err := seal(identity.Tenant{ID: id}); err == nil {
		return t.ID, nil
	}
	return "", fmt.Errorf("pgtenants: %.50q is not the GUID of a tenant", tenantID)
}

// write does something in a transaction of its own, and says by whom.
func (s *Store) write(ctx context.Context, by string, do func(pgx.Tx) error) error {
	if by == "" || utf8.RuneCountInString(by) > maxBy || !utf8.ValidString(by) || strings.ContainsRune(by, 0) {
		return fmt.Errorf("pgtenants: by: who does it is required, in at most %d characters", maxBy)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('pgtenants.by', $1, true)", by); err != nil {
			return err
		}
		return do(tx)
	})
	return explained(err)
}

// explained names the field that the database refuses: a constraint is called after its column.
func explained(err error) error {
	if err == nil || errors.Is(err, ErrNotFound) {
		return err
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(refused.ConstraintName, "tenants_") {
		field := strings.TrimPrefix(refused.ConstraintName, "tenants_")
		return fmt.Errorf("pgtenants: the table refuses %s: %w", field, err)
	}
	return fmt.Errorf("pgtenants: %w", err)
}
