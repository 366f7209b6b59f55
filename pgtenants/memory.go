package pgtenants

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/echo-identity/identity"
)

// key is what a row is known by.
type key struct {
	id   string
	kind Kind
}

// slot is what the map holds for a row: first what a request needs, so that it need not follow a pointer more than the engine does.
type slot struct {
	tenant *identity.Tenant // nil: see record
	record *record
}

// record is what else is known of a row. All but seen is immutable.
type record struct {
	tenant *identity.Tenant // nil: refused
	fault  error            // why it is refused
	pair   *pair            // only of a workforce row beside an external one
	hash   uint64           // of the row it was made of
	seen   uint32           // the last scan that has met the row; only Run looks at it
}

// pair tells a workforce tenant from an External ID directory of the same tenant ID, whose issuers differ in the host only. The registry
// of identity knows how.
type pair struct {
	both     *identity.Registry
	external error // why the external row is refused
}

func (p *pair) find(issuer identity.Issuer) (*identity.Tenant, error) {
	t, err := p.both.Tenant(context.Background(), issuer)
	if err != nil {
		return nil, nil // not reached: both are in it
	}
	if t.External != nil && p.external != nil {
		return nil, p.external
	}
	return t, nil
}

const (
	shardBits  = 6 // more would be quicker to copy, and slower to read: each is memory of its own to go through
	guidLength = 36
)

type shard = map[key]slot

// memory holds the tenants. To look one up takes one load of a pointer and one read of a map, or two for External ID, and no lock:
// a change replaces the map of its shard by a changed copy. Only one goroutine may change it at a time.
type memory struct {
	shards [1 << shardBits]atomic.Pointer[shard]
	len    atomic.Int64
	full   atomic.Bool // some rows found no place
	turn   uint32      // the number of the last scan; only Run looks at it
}

// shardOf spreads tenant IDs over the shards, by a few of their characters: those that differ in random GUIDs, and in those of tests.
func shardOf(id string) uint32 {
	mix := uint32(id[0]) ^ uint32(id[5])<<4 | uint32(id[12])<<8 | uint32(id[33])<<13 ^ uint32(id[34])<<18 ^ uint32(id[35])<<24
	return mix * 0x9E3779B1 >> (32 - shardBits)
}

func (m *memory) shard(i uint32) shard {
	if s := m.shards[i].Load(); s != nil {
		return *s
	}
	return nil
}

// find returns the tenant of an issuer, or why it is refused, or neither.
func (m *memory) find(issuer *identity.Issuer) (*identity.Tenant, error) {
	id := issuer.TenantID
	if len(id) != guidLength {
		return nil, nil
	}
	rows := m.shard(shardOf(id))
	if issuer.Form == identity.FormB2C || issuer.Form == identity.FormTFP {
		return rows[key{id, B2C}].answer()
	}
	// Workforce and External ID issuers look alike but for the host.
	found := rows[key{id, Workforce}]
	if found.tenant != nil {
		return found.tenant, nil
	}
	if found.record != nil && found.record.pair != nil {
		return found.record.pair.find(*issuer)
	}
	if found.record == nil || issuer.Form == identity.FormV2 {
		if external := rows[key{id, External}]; external.record != nil {
			return external.answer()
		}
	}
	return found.answer()
}

func (s slot) answer() (*identity.Tenant, error) {
	if s.record == nil {
		return nil, nil
	}
	return s.record.tenant, s.record.fault
}

// batch gathers changes, so that each shard is copied once for all of them. Nobody sees them before commit.
type batch struct {
	m      *memory
	shards map[uint32]shard
	added  int
}

func (m *memory) batch() *batch { return &batch{m: m, shards: make(map[uint32]shard)} }

func (b *batch) get(k key) *record {
	i := shardOf(k.id)
	if s, ok := b.shards[i]; ok {
		return s[k].record
	}
	return b.m.shard(i)[k].record
}

// len is the number of rows there will be.
func (b *batch) len() int { return int(b.m.len.Load()) + b.added }

func (b *batch) writable(k key) shard {
	i := shardOf(k.id)
	s, ok := b.shards[i]
	if !ok {
		if s = maps.Clone(b.m.shard(i)); s == nil {
			s = make(shard)
		}
		b.shards[i] = s
	}
	return s
}

// put sets a row.
func (b *batch) put(k key, r *record) {
	s := b.writable(k)
	if s[k].record == nil {
		b.added++
	}
	s[k] = slot{r.tenant, r}
	pairUp(s, k)
}

// remove takes a row away.
func (b *batch) remove(k key) {
	if b.get(k) == nil {
		return
	}
	s := b.writable(k)
	delete(s, k)
	b.added--
	pairUp(s, k)
}

// pairUp looks whether the directory is both a workforce tenant and an External ID directory now, and prepares the workforce row to tell
// their issuers apart.
func pairUp(s shard, changed key) {
	if changed.kind == B2C {
		return
	}
	k := key{changed.id, Workforce}
	r, other := s[k].record, s[key{changed.id, External}].record
	if r == nil || r.tenant == nil || other == nil && r.pair == nil {
		return
	}
	again := *r
	again.pair = nil
	if other == nil {
		s[k] = slot{again.tenant, &again}
		return
	}
	external := identity.Tenant{ID: changed.id, External: new(identity.External)} // stands for a refused one
	if other.tenant != nil {
		external = *other.tenant
	}
	again.pair = &pair{both: identity.NewRegistry(*r.tenant, external), external: other.fault}
	s[k] = slot{nil, &again}
}

// commit shows the changes.
func (b *batch) commit() {
	for i, s := range b.shards {
		b.m.shards[i].Store(&s)
	}
	b.m.len.Add(int64(b.added))
	b.shards, b.added = make(map[uint32]shard), 0
}

// unseen lists the rows that the last scan has not met.
func (m *memory) unseen() (keys []key) {
	for i := range m.shards {
		for k, found := range m.shard(uint32(i)) {
			if found.record.seen != m.turn {
				keys = append(keys, k)
			}
		}
	}
	return keys
}
