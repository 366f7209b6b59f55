package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// pool is a set of tokens that drivers change while clients send them.
type pool struct {
	mu     sync.RWMutex
	tokens []*token
}

func (p *pool) pick(random *rand.Rand) *token {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.tokens) == 0 {
		return nil
	}
	return p.tokens[random.IntN(len(p.tokens))]
}

func (p *pool) add(tokens ...*token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = append(p.tokens, tokens...)
}

func (p *pool) set(tokens []*token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = tokens
}

// drop takes the tokens of a key out, and those that expired a while ago.
func (p *pool) drop(k *key, before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = slices.DeleteFunc(p.tokens, func(t *token) bool {
		return k != nil && t.key == k || !t.expires.IsZero() && t.expires.Before(before)
	})
}

type pools [classes]pool

// lifetime of tokens that do not expire during a run.
const lifetime = 30 * 24 * time.Hour

// kind is a kind of token that is good.
type kind struct {
	path string
	opts []mockidp.TokenOption
	v1   bool
}

var (
	v2User = kind{ordersPath, []mockidp.TokenOption{mockidp.Scopes("Orders.Read", "Jobs.Run")}, false}
	v1User = kind{jobsPath, append([]mockidp.TokenOption{mockidp.V1()}, v2User.opts...), true}
	v2App  = kind{jobsPath, []mockidp.TokenOption{mockidp.AppOnly("Jobs.Run.All")}, false}
	v1App  = kind{jobsPath, append([]mockidp.TokenOption{mockidp.V1()}, v2App.opts...), true}
	guest  = kind{ordersPath, append([]mockidp.TokenOption{mockidp.Guest(mockidp.Fabrikam)}, v2User.opts...), false}

	workforceKinds = []kind{v2User, v1User, v2App, v1App, guest, v2User, v2User}
)

// mint makes a good token of a user of a tenant.
func (a *arena) mint(c class, id string, user int, k kind, more ...mockidp.TokenOption) *token {
	oid := fmt.Sprintf("00000000-0000-4000-8000-%012d", user)
	opts := slices.Concat([]mockidp.TokenOption{mockidp.ExpiresIn(lifetime), mockidp.ObjectID(oid)}, k.opts, more)
	t := &token{
		header: "Bearer " + a.idp.Tenant(id).Token(opts...), path: k.path, class: c, best: verdict{200, id + "." + oid},
		sets: []*keySet{a.v2},
	}
	if k.v1 {
		t.sets = append(t.sets, a.v1)
	}
	return t
}

// mintAll makes the tokens that are there from the beginning: with all cores, because each takes a millisecond.
func (a *arena) mintAll() {
	a.each(a.users, func(i int) {
		tenants := len(a.steady)
		if i%10 == 0 {
			c := a.changing[i/10%len(a.changing)]
			t := a.mint(classChanging, c.tenant.ID, i, v2User)
			t.tenant = c.timeline
			a.pools[classChanging].add(t)
			return
		}
		tenant := a.steady[i%tenants]
		switch {
		case tenant.B2C != nil || tenant.External != nil:
			return // below
		case i%10 == 9:
			t := a.mint(classScope, tenant.ID, i, kind{path: ordersPath, opts: []mockidp.TokenOption{mockidp.Scopes("Orders.Write")}})
			t.best = verdict{403, "scope_missing"}
			a.pools[classScope].add(t)
		default:
			t := a.mint(classSteady, tenant.ID, i, workforceKinds[i/10%len(workforceKinds)])
			a.pools[classSteady].add(t)
			a.pools[classUnknownKey].add(t)
		}
	})
	a.each(max(a.users/20, 10), func(i int) { // a fifth of the good tokens
		for _, policy := range policies {
			k := kind{ordersPath, append([]mockidp.TokenOption{mockidp.Policy(policy)}, v2User.opts...), false}
			a.pools[classSteady].add(a.mint(classSteady, mockidp.Shop, i, k))
		}
		a.pools[classSteady].add(a.mint(classSteady, mockidp.Customers, i, v2User), a.mint(classSteady, lateTenant, i, v2User))
	})
	for i, id := range a.strange {
		t := a.mint(classUnknownTenant, id, i, workforceKinds[i%len(workforceKinds)])
		t.best = unknownTenant
		a.pools[classUnknownTenant].add(t)
	}
	a.pools[classNone].add(&token{path: anyPath, class: classNone, best: verdict{401, "token_missing"}})
	a.mintBroken()
}

func (a *arena) each(n int, do func(i int)) {
	var minting sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		minting.Go(func() {
			for i := worker; i < n; i += workers {
				do(i)
			}
		})
	}
	minting.Wait()
}

// mintBroken makes the mock's catalogue anew: what becomes valid in ten minutes must not be that old.
func (a *arena) mintBroken() {
	var broken []*token
	tenants := map[mockidp.Kind]string{mockidp.Workforce: mockidp.Contoso, mockidp.B2C: mockidp.Shop, mockidp.External: mockidp.Customers}
	for _, b := range mockidp.Broken() {
		tenant := a.idp.Tenant(tenants[b.Kind])
		t := &token{header: "Bearer " + b.Token(tenant), path: anyPath, class: classBroken, best: verdict{b.Status, b.Reason}}
		if t.best == keyNotFound {
			t.key = &key{timeline: newTimeline(unpublished)}
			t.sets = []*keySet{a.v2}
			if b.Kind != mockidp.Workforce {
				t.sets = []*keySet{a.sets[tenant.DiscoveryURL()]}
			}
		}
		broken = append(broken, t)
	}
	a.pools[classBroken].set(broken)
}

var nobodysKey = &key{timeline: newTimeline(unpublished)}

// ofUnknownKey is a good token under the ID of a key that does not exist. It takes a key to find out that the signature is wrong, too.
func ofUnknownKey(t *token, random *rand.Rand) *token {
	header, rest, _ := strings.Cut(strings.TrimPrefix(t.header, "Bearer "), ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		panic(err) // not reached: the mock made it
	}
	kid := fmt.Sprintf(`"kid":"%016x`, random.Uint64())
	text = []byte(strings.Replace(string(text), `"kid":"`, kid, 1))
	u := *t
	u.header = "Bearer " + base64.RawURLEncoding.EncodeToString(text) + "." + rest
	u.class, u.key = classUnknownKey, nobodysKey
	return &u
}
