package identity

import (
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

// TokenCacheOptions bounds the cache of verified tokens. A hit costs no signature check and means exactly what a fresh
// verification would mean now: the tenant source is asked, the time is checked, and the tenant's current key set must still
// hold the key.
type TokenCacheOptions struct {
	// MaxBytes bounds the memory that cached tokens retain. Zero means 64 MiB, enough for about 20,000 users; negative
	// switches the cache off.
	MaxBytes int64
}

const standardTokenCache = 64 << 20

// tokenCache holds tokens that have been verified. Nothing else enters, so that a stranger cannot fill it. A nil one holds nothing.
type tokenCache struct {
	tokens *otter.Cache[string, *cachedToken] // by their tails
}

// tail is what a token is found by: the end of its signature, no two of which are alike. Whoever makes up a token can give it the tail
// of another one; so find compares the whole. It spares each request, and each refusal, a hash of the whole.
func tail(raw string) string { return raw[max(0, len(raw)-tailLength):] }

const tailLength = 32 // 192 bits of the signature

// cachedToken is a verified token, and what the verification rested on. Requests share it; nothing in it changes but seen.
type cachedToken struct {
	token   *token // own; in one piece with the entry, which spares an allocation
	own     token
	issuer  Issuer
	tenant  *Tenant
	policy  string
	key     *verificationKey
	request keyRequest
	handle  *keyHandle

	seen atomic.Pointer[keySet] // the newest set that is known to hold key
}

func newTokenCache(o TokenCacheOptions) *tokenCache {
	if o.MaxBytes < 0 {
		return nil
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = standardTokenCache
	}
	return &tokenCache{otter.Must(&otter.Options[string, *cachedToken]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ string, e *cachedToken) uint32 { return e.weight() },
		Executor:      func(task func()) { task() }, // no goroutine of its own
	})}
}

func (t *tokenCache) find(raw string) *cachedToken {
	if t == nil {
		return nil
	}
	e, ok := t.tokens.GetIfPresent(tail(raw))
	if !ok || e.token.raw != raw {
		return nil
	}
	return e
}

// holds reports whether find would find a token, and leaves no trace of having asked.
func (t *tokenCache) holds(raw string) bool {
	if t == nil {
		return false
	}
	e, ok := t.tokens.GetEntryQuietly(tail(raw))
	return ok && e.Value.token.raw == raw
}

// remember keeps a token that has been verified, for its principal and in the cache, with what the verification rests on now. Its text
// is cloned, because what the request read it from may be much larger.
func (t *tokenCache) remember(c *check) {
	if t == nil || c.handle.name != c.request.name { // the key is from the v1.0 set, whose keys count under conditions
		c.token = c.token.keep()
		return
	}
	// seen stays empty: the set may have been replaced since the key was found in it, so the first hit looks.
	e := &cachedToken{
		own: *c.token, issuer: c.issuer, tenant: c.tenant, policy: c.policy, key: c.key, request: c.request, handle: c.handle,
	}
	e.token = &e.own
	e.token.signature = nil
	e.token.raw = strings.Clone(c.raw)
	e.token.signed = e.token.raw[:len(c.token.signed)]
	c.token = e.token
	t.tokens.Set(tail(e.token.raw), e)
}

// size is how many tokens are remembered, and the memory that they retain.
func (t *tokenCache) size() (tokens int, bytes uint64) {
	if t == nil {
		return 0, 0
	}
	return t.tokens.EstimatedSize(), t.tokens.WeightedSize()
}

// entryOverhead is what the cache itself spends on an entry, rounded up: its node, its slot in the table and in the queues.
const entryOverhead = 256

// weight counts every byte that an entry retains and that others do not share. The allocator rounds sizes up, by an eighth at most.
func (e *cachedToken) weight() uint32 {
	c := &e.token.claims
	strings := len(c.audience.many) + len(c.roles.many) + len(c.groups.many) + len(c.authContexts.many) + len(c.capabilities.many)
	size := len(e.token.raw) + len(e.token.payload) + len(e.request.name) + strings*int(unsafe.Sizeof("")) + int(unsafe.Sizeof(*e))
	return uint32(size + size/8 + entryOverhead)
}
