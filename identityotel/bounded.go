package identityotel

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// copied is a map for a few entries that are read all the time and never removed: a reader takes no lock, a writer copies. The zero
// value is empty.
type copied[K comparable, V any] struct {
	entries atomic.Pointer[map[K]V]
	adding  sync.Mutex
}

func (c *copied[K, V]) get(key K) (value V, ok bool) {
	if entries := c.entries.Load(); entries != nil {
		value, ok = (*entries)[key]
	}
	return value, ok
}

// add returns the entry of a key, made by make unless there is one meanwhile. make is told how many entries there are; without its
// consent what it made is not kept.
func (c *copied[K, V]) add(key K, make func(n int) (V, bool)) V {
	c.adding.Lock()
	defer c.adding.Unlock()
	value, ok := c.get(key)
	if ok {
		return value
	}
	entries := map[K]V{}
	if old := c.entries.Load(); old != nil {
		entries = *old
	}
	value, keep := make(len(entries))
	if !keep {
		return value
	}
	entries = maps.Clone(entries)
	entries[key] = value
	c.entries.Store(&entries)
	return value
}

// bounded has a value for each of the first names that ask for one, at most so many, and one for all others.
type bounded[V any] struct {
	most   int
	of     func(name string) V
	beyond V
	known  copied[string, V]
}

func newBounded[V any](most int, of func(name string) V, beyond V) *bounded[V] {
	return &bounded[V]{most: most, of: of, beyond: beyond}
}

// find returns the value of a name. Unless it may be added, a new one counts as one of the others. The empty name has no value.
func (b *bounded[V]) find(name string, add bool) (value V) {
	if name == "" {
		return value
	}
	value, ok := b.known.get(name)
	if ok {
		return value
	}
	if !add || b.full() {
		return b.beyond
	}
	name = strings.Clone(name) // it may be a part of a token
	return b.known.add(name, func(n int) (V, bool) {
		if n >= b.most {
			return b.beyond, false
		}
		return b.of(name), true
	})
}

// full spares the others the lock.
func (b *bounded[V]) full() bool {
	entries := b.known.entries.Load()
	return entries != nil && len(*entries) >= b.most
}
