package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
)

const (
	maxCachedTenants = 10_000           // in each of the two lists
	maxTenantLookups = 32               // at once, so that strangers cannot flood the source
	tenantLookupTime = 10 * time.Second // for one of them
	tenantLookupWait = 11 * time.Second // for a request to wait, so that a source that heeds its context says itself what is wrong
)

// TenantCache is a [TenantSource] that remembers the answers of a slow one. Safe for concurrent use. It starts no
// goroutine but a look-up, which runs until the source returns.
type TenantCache struct {
	source TenantSource
	ttl    time.Duration

	// Tenants and strangers have a list each: whoever makes up tenant IDs fills the second and evicts nobody from the first.
	tenants, strangers *otter.Cache[string, cachedTenant]

	flights singleflight.Group
	slots   chan struct{}
	// generation counts calls of Forget. A look-up that began before one must not answer, nor be remembered, after it.
	generation atomic.Uint64
	changing   sync.Mutex // held to remember and to forget, so that neither comes between the two halves of the other
}

type cachedTenant struct {
	tenantID string
	tenant   *Tenant // nil: unknown
	expires  time.Time
}

// CachedTenants remembers what source answers, known and unknown tenants alike, for ttl: so long may a removed tenant still
// be served, unless [TenantCache.Forget] is called. Errors are not remembered. At most 10,000 answers of either kind are
// kept; requests for one issuer share one look-up; beyond 32 look-ups at once, requests that need another fail with 503.
//
// A look-up has 10 seconds, which its context tells the source, and may go on when the request that began it has ended, because
// others wait for it too. A source that ignores its context holds up requests for 11 seconds at most; its late answer is dropped.
// [New] refuses a nil source and a ttl that is not positive.
func CachedTenants(source TenantSource, ttl time.Duration) *TenantCache {
	list := func() *otter.Cache[string, cachedTenant] {
		return otter.Must(&otter.Options[string, cachedTenant]{
			MaximumSize: maxCachedTenants,
			Executor:    func(task func()) { task() }, // no goroutine of its own
		})
	}
	return &TenantCache{
		source: source, ttl: ttl,
		tenants: list(), strangers: list(),
		slots: make(chan struct{}, maxTenantLookups),
	}
}

func (c *TenantCache) fault() error {
	var faults []error
	if c.source == nil {
		faults = append(faults, errors.New("CachedTenants: the source is required"))
	}
	if c.ttl <= 0 {
		faults = append(faults, fmt.Errorf("CachedTenants: a ttl of %v is not positive", c.ttl))
	}
	if inner, ok := c.source.(faulty); ok {
		faults = append(faults, splitFaults(inner.fault())...)
	}
	return errors.Join(faults...)
}

// Forget drops what is known of a tenant, so that the next request asks the source.
func (c *TenantCache) Forget(tenantID string) {
	tenantID = strings.ToLower(tenantID)
	c.changing.Lock()
	defer c.changing.Unlock()
	c.generation.Add(1)
	for _, list := range []*otter.Cache[string, cachedTenant]{c.tenants, c.strangers} {
		for issuer, answer := range list.All() {
			if answer.tenantID == tenantID {
				list.Invalidate(issuer)
			}
		}
	}
}

// Tenant answers from memory, or asks the source. It implements [TenantSource].
func (c *TenantCache) Tenant(ctx context.Context, issuer Issuer) (*Tenant, error) {
	for _, list := range []*otter.Cache[string, cachedTenant]{c.tenants, c.strangers} {
		if answer, ok := list.GetIfPresent(issuer.Raw); ok && time.Now().Before(answer.expires) {
			return found(answer.tenant)
		}
	}
	generation := c.generation.Load()
	flight := strconv.FormatUint(generation, 10) + " " + issuer.Raw
	result := c.flights.DoChan(flight, func() (any, error) { return c.lookUp(ctx, issuer, generation) })
	late := time.NewTimer(tenantLookupWait)
	defer late.Stop()
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return found(r.Val.(*Tenant))
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C: // the source ignores its context: the next request begins a look-up of its own, in another slot
		c.flights.Forget(flight)
		return nil, errLookupTime
	}
}

// countable reports whether an issuer is one of the few that the tenant has. A stranger can put a known tenant's ID behind any
// host, and any policy into a TFP issuer, in upper and lower case: whatever can be made up does not count as the tenant's own.
func countable(t *Tenant, issuer Issuer) bool {
	return t.issues(issuer) && (issuer.Form != FormTFP || slices.Contains(t.B2C.Policies, issuer.Policy))
}

var (
	errTooManyLookups = errors.New("too many tenant look-ups at once")
	errLookupTime     = errors.New("the tenant source has not answered in time")
)

// lookUp asks the source and remembers its answer. It returns a nil tenant for an unknown one.
func (c *TenantCache) lookUp(ctx context.Context, issuer Issuer, generation uint64) (t *Tenant, err error) {
	defer recovered(&err)
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil, errTooManyLookups
	}
	// The look-up is shared: it must not die with the request that happened to begin it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tenantLookupTime)
	defer cancel()

	// The issuer's strings point into a token, which neither our map nor a tenant that is made of them may pin.
	issuer = issuer.clone()
	t, err = c.source.Tenant(ctx, issuer)
	switch unknown := errors.Is(err, ErrUnknownTenant); {
	case err != nil && !unknown:
		return nil, err
	case ctx.Err() != nil:
		return nil, errLookupTime // too old to answer with, or to be remembered
	case unknown:
		t = nil
	}
	if t != nil {
		if t, err = t.sealed(); err != nil {
			return nil, newError(ErrTenantInvalid, err)
		}
	}
	c.remember(issuer, t, generation)
	return t, nil
}

func (c *TenantCache) remember(issuer Issuer, t *Tenant, generation uint64) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if c.generation.Load() != generation {
		return
	}
	list := c.strangers
	if t != nil && countable(t, issuer) {
		list = c.tenants
	}
	list.Set(issuer.Raw, cachedTenant{issuer.TenantID, t, time.Now().Add(c.ttl)})
}
