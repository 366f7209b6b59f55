package pgtenants

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/echo-identity/identity"
	"github.com/jackc/pgx/v5"
)

// reader brings the memory up to date on one connection. Its readings follow each other, and each sees all that an earlier one has seen, so
// that the newest is always right and no two have to be compared.
type reader struct {
	s    *Store
	conn *pgx.Conn

	last   mark  // all changes up to this one are in memory, once no scan is required
	met    bool  // the last reading of changes has found it in the history
	scan   *scan // the reading of the whole table that is going on, nil if none is
	logged int   // rows that this reading has reported

	pending []pendingRow // read, and not checked yet
}

// mark is a change, and when it was made: another history may have another change of the same number.
type mark struct {
	change int64 // 0: the history was empty
	at     string
}

// pendingRow is a row that differs from what is in memory.
type pendingRow struct {
	key
	hash   uint64
	tenant identity.Tenant
	fault  error
}

const pendingRows = 1000 // are checked at once, which takes less than one by one

// scan is a reading of the whole table, page by page, with readings of changes in between. No transaction stays open for it.
type scan struct {
	required bool   // without it, the memory is not known to agree with the database
	id, kind string // the last row read
	began    time.Time
	batch    *batch
	full     bool
	nameless map[string]bool // see state
}

const nilGUID = "00000000-0000-0000-0000-000000000000"

// begin begins to read the whole table. The number of the last change is read first: whatever is changed while pages are read has a higher
// one, and is read again.
func (r *reader) begin(ctx context.Context, required bool) error {
	ctx, cancel := context.WithTimeout(ctx, r.s.o.Timeout)
	defer cancel()
	if required { // else all up to r.last are in memory anyway, and those after it still have to be read
		r.last = mark{}
		if err := r.conn.QueryRow(ctx, r.s.sql.end).Scan(&r.last.change, &r.last.at); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	r.s.memory.turn++
	r.scan = &scan{required: required, id: "", began: time.Now(), batch: r.s.memory.batch(), nameless: make(map[string]bool)}
	r.s.sync.count(func(c *Stats) { c.Resyncs++ })
	return nil
}

// page reads on. After the last page, rows that no page has had are dropped.
func (r *reader) page(ctx context.Context) error {
	scan, m := r.scan, &r.s.memory
	after := scan.id
	if after == "" {
		after = nilGUID
	}
	n, err := r.read(ctx, scan.batch, r.s.sql.page, after, scan.kind, pageRows)
	if err != nil {
		return err
	}
	if n == pageRows {
		r.show(scan.batch)
		return nil
	}
	scan.batch.commit()
	for _, k := range m.unseen() {
		r.drop(scan.batch, k)
	}
	scan.batch.commit()
	m.full.Store(scan.full)
	r.s.sync.scanned(scan.nameless, func(k key) bool { return scan.batch.get(k) != nil })
	r.s.o.Logger.LogAttrs(ctx, slog.LevelInfo, "pgtenants: all tenants read", slog.Int64("tenants", m.len.Load()),
		slog.Duration("took", time.Since(scan.began)))
	r.scan = nil
	return nil
}

// show lets requests see what a batch has, but in the first scan of all, when none is served yet: shown at once at its end, each shard is copied
// once, and not for each page.
func (r *reader) show(b *batch) {
	if r.scan == nil || r.s.sync.everInSync() {
		b.commit()
	}
}

// catchUp reads what has changed, from the last change on that is in memory: if that is not there any more, numbers say nothing. Then it
// confirms that the memory agrees with the database of the time when it began.
func (r *reader) catchUp(ctx context.Context) error {
	for more := true; more; {
		began, before := time.Now(), r.last.change
		b := r.s.memory.batch()
		if r.scan != nil {
			b = r.scan.batch
		}
		if _, err := r.read(ctx, b, r.s.sql.changes, before, pageRows+1); err != nil {
			return err
		}
		if before != 0 && !r.met {
			return errRestored
		}
		r.show(b)
		r.s.sync.count(func(c *Stats) { c.Reads++ })
		// Numbers may be missing, so that this may ask once too often.
		if more = r.last.change-before >= pageRows; more || r.scan != nil && r.scan.required {
			continue
		}
		if r.s.sync.confirm(began, r.last.change) {
			r.s.o.Logger.LogAttrs(ctx, slog.LevelInfo, "pgtenants: in sync", slog.Int64("tenants", r.s.memory.len.Load()), slog.Int64("change", r.last.change))
		}
	}
	return nil
}

// read takes over the rows of a query, and returns how many there were.
func (r *reader) read(ctx context.Context, b *batch, query string, args ...any) (n int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(r.s.o.Timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	rows, err := r.conn.Query(ctx, query, args...)
	if err != nil {
		return 0, cause(ctx, err)
	}
	defer rows.Close()
	d := newDecoder(rows)
	last := r.last
	r.logged, r.met = 0, false
	for ; rows.Next(); n++ {
		if n%100 == 0 {
			silence.Reset(r.s.o.Timeout) // it is not silent, and how fast we are is another matter
		}
		d.values = rows.RawValues()
		var change int64
		if err := d.column(0, &change); err != nil {
			return n, err
		}
		if change != 0 && change == r.last.change {
			r.met = string(d.values[atColumn]) == r.last.at
			continue
		}
		if change > last.change {
			last = mark{change, string(d.values[atColumn])}
		}
		if r.take(ctx, b, d, change == 0); len(r.pending) == pendingRows {
			r.settle(ctx, b)
		}
	}
	r.settle(ctx, b)
	if err := rows.Err(); err != nil {
		return n, cause(ctx, err)
	}
	r.last = last
	return n, nil
}

// cause is why a query has ended, where it was us who ended it.
func cause(ctx context.Context, err error) error {
	if context.Cause(ctx) == errSilent {
		return errSilent
	}
	return err
}

// The columns of both readings: the number of the change (of a page: 0) and its time, the key, whether the row is there, and its content.
const (
	atColumn       = 1
	keyColumn      = 2
	presentColumn  = 4
	contentColumn  = 5
	disabledColumn = contentColumn
)

// take takes over one row, of a page or of a reading of changes.
func (r *reader) take(ctx context.Context, b *batch, d *decoder, paged bool) {
	k, err := d.key(keyColumn)
	if paged {
		r.scan.advance(k, d)
	}
	var present, disabled bool
	if err != nil {
		raw := fmt.Sprintf("%.100s %.100s", d.values[keyColumn], d.values[keyColumn+1])
		there := d.column(presentColumn, &present) != nil || present
		r.s.sync.setNameless(raw, there)
		if r.scan != nil {
			note(r.scan.nameless, raw, there)
		}
		if there {
			r.report(ctx, "", err)
		}
		return
	}
	if err = d.column(presentColumn, &present); err == nil && present {
		err = d.column(disabledColumn, &disabled)
	}
	if err == nil && (!present || disabled) {
		r.drop(b, k)
		return
	}
	hash, old := d.sum(contentColumn), b.get(k)
	if old != nil && old.hash == hash {
		old.seen = r.s.memory.turn // the pointers stay: cached tokens go on
		return
	}
	if old == nil && b.len()+len(r.pending) >= r.s.o.MaxTenants {
		if r.settle(ctx, b); b.len() >= r.s.o.MaxTenants { // not all that are pending may have been new
			r.overflow()
			return
		}
	}
	row := pendingRow{key: k, hash: hash, fault: err}
	if err == nil {
		row.tenant, row.fault = d.tenant(k, contentColumn)
	}
	r.pending = append(r.pending, row)
}

// settle checks the rows that are pending, as identity itself would, and takes them over.
func (r *reader) settle(ctx context.Context, b *batch) {
	for i, sealed := range sealedRows(r.pending) {
		r.put(ctx, b, &r.pending[i], sealed)
	}
	clear(r.pending) // their strings are the tenants' now
	r.pending = r.pending[:0]
}

// put takes over a row, with its tenant, which is nil if identity refuses it.
func (r *reader) put(ctx context.Context, b *batch, row *pendingRow, sealed *identity.Tenant) {
	k, now := row.key, &record{tenant: sealed, hash: row.hash, seen: r.s.memory.turn}
	text := ""
	if row.fault != nil { // not half, and not as it was either: nobody can say which half was meant
		row.fault = shortened(row.fault)
		text, now.fault = row.fault.Error(), refusal(k, row.fault)
	}
	b.put(k, now)
	if r.s.sync.fault(k, text) && row.fault != nil {
		r.report(ctx, k.kind.String()+" "+k.id, row.fault)
	}
}

// sealedRows seals the tenants of rows, all at once if none is refused. A row that is gets its fault.
func sealedRows(rows []pendingRow) []*identity.Tenant {
	sealed := make([]*identity.Tenant, len(rows))
	var tenants []identity.Tenant
	for i := range rows {
		if rows[i].fault == nil {
			tenants = append(tenants, rows[i].tenant)
		}
	}
	var all identity.Registry
	together := all.Add(tenants...) == nil
	for i := range rows {
		row := &rows[i]
		if row.fault != nil {
			continue
		}
		if together {
			sealed[i] = row.kind.of(&all, row.id)
		}
		if t := sealed[i]; t == nil || kindOf(t) != row.kind { // or it is beside another one of the same ID, which was found instead
			sealed[i], row.fault = seal(row.tenant)
		}
	}
	return sealed
}

// drop takes a row away.
func (r *reader) drop(b *batch, k key) {
	b.remove(k)
	r.s.sync.fault(k, "")
}

// overflow notes that a row has found no place.
func (r *reader) overflow() {
	if r.scan != nil {
		r.scan.full = true
	}
	if !r.s.memory.full.Swap(true) {
		r.s.o.Logger.Error("pgtenants: more tenants than Options.MaxTenants; the others, and unknown ones, are answered with 503",
			slog.Int("max", r.s.o.MaxTenants))
	}
}

const reportedRows = 10 // of one reading

// report logs a row that is refused, unless there are too many.
func (r *reader) report(ctx context.Context, row string, err error) {
	r.logged++
	switch {
	case r.logged <= reportedRows:
		r.s.o.Logger.LogAttrs(ctx, slog.LevelError, "pgtenants: a row is refused; its tenant is answered with 503", slog.String("row", row),
			slog.String("cause", err.Error()))
	case r.logged == reportedRows+1:
		r.s.o.Logger.LogAttrs(ctx, slog.LevelError, "pgtenants: more rows are refused; see Healthy")
	}
}

// seed is of this process.
var seed = maphash.MakeSeed()

// advance notes the row of a page, so that the next page begins after it: also one whose key is refused.
func (s *scan) advance(k key, d *decoder) {
	if k.id != "" {
		s.id, s.kind = k.id, k.kind.String()
		return
	}
	s.id, s.kind = string(d.values[keyColumn]), string(d.values[keyColumn+1])
}
