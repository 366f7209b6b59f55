package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/mockidp"
)

// lateTenant is an External ID tenant that nothing disturbs but an outage of its own, just when its keys are due.
const lateTenant = "1a7e1a7e-9999-4999-8999-1a7e1a7e1a7e"

var policies = []string{"B2C_1_susi", "B2C_1A_custom"}

// arena is everything that takes part in a run.
type arena struct {
	options
	idp      *mockidp.Server
	registry *identity.Registry
	verifier *identity.Verifier
	ledger   *ledger
	url      string
	stop     func(context.Context) error
	client   *http.Client

	sets    map[string]*keySet // by the address of the discovery document
	v2, v1  *keySet            // of all workforce tenants
	late    *keySet
	quiet   *keySet // of the second policy, for which nobody sends unknown keys
	fetches atomic.Int64

	steady   []identity.Tenant
	changing []*changing
	strange  []string // tenants that nobody registers

	pools  pools
	outage *timeline[bool] // whether the key server is being disturbed
}

// changing is a tenant that comes, goes and changes.
type changing struct {
	tenant identity.Tenant
	*timeline[registration]
}

const commonV2, commonV1 = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
	"https://login.microsoftonline.com/common/.well-known/openid-configuration"

const strangers = 20

// newArena starts the key server and the API, and fetches every key set once.
func newArena(ctx context.Context, o options) (*arena, error) {
	a := &arena{options: o, ledger: newLedger(), outage: newTimeline(false), v1: newKeySet(), v2: newKeySet(), late: newKeySet(), quiet: newKeySet()}
	ids := corpus.TenantIDs(o.tenants + strangers)
	a.strange = ids[o.tenants:]
	mocked := []mockidp.Tenant{
		{ID: mockidp.Contoso, Domain: "contoso"}, {ID: mockidp.Fabrikam, Domain: "fabrikam"},
		{ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Policies: policies},
		{ID: mockidp.Customers, Kind: mockidp.External, Domain: "contosocx"}, {ID: lateTenant, Kind: mockidp.External},
	}
	for _, id := range ids {
		mocked = append(mocked, mockidp.Tenant{ID: id})
	}
	a.steady = []identity.Tenant{
		{ID: mockidp.Contoso, Name: "contoso"}, {ID: mockidp.Fabrikam, Name: "fabrikam"},
		{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: policies}},
		{ID: mockidp.Customers, Name: "customers", External: &identity.External{Domain: "contosocx"}},
		{ID: lateTenant, Name: "late", External: &identity.External{}},
	}
	for i, id := range ids[:o.tenants] {
		t := identity.Tenant{ID: id, Name: "customer " + id[:8]}
		if i < o.tenants/10 {
			a.changing = append(a.changing, &changing{t, newTimeline(registered)})
		} else {
			a.steady = append(a.steady, t)
		}
	}
	var err error
	if a.idp, err = mockidp.Listen(mockidp.Listening{}, mockidp.WithTenants(mocked...)); err != nil {
		return nil, err
	}
	shop := a.idp.Tenant(mockidp.Shop).DiscoveryURL()
	a.sets = map[string]*keySet{
		commonV2: a.v2, commonV1: a.v1, shop: newKeySet(), a.idp.Tenant(mockidp.Customers).DiscoveryURL(): newKeySet(),
		a.idp.Tenant(lateTenant).DiscoveryURL():                                              a.late,
		strings.Replace(shop, strings.ToLower(policies[0]), strings.ToLower(policies[1]), 1): a.quiet,
	}
	a.makeKeys()
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.mintAll()
	return a, nil
}

// makeKeys makes the keys of all sets, which takes longer than a fetch may.
func (a *arena) makeKeys() {
	a.idp.CloudKeys(mockidp.Public).Published()
	for _, policy := range policies {
		a.idp.Tenant(mockidp.Shop).PolicyKeys(policy).Published()
	}
	a.idp.Tenant(mockidp.Customers).Keys().Published()
	a.idp.Tenant(lateTenant).Keys().Published()
}

// open starts the API.
func (a *arena) open(ctx context.Context) error {
	a.registry = identity.NewRegistry(a.list()...)
	app, verifier, err := newApp(identity.Config{
		ClientID: mockidp.API,
		Tenants:  a.registry,
		Keys:     keyOptions(a.idp),
		Observe:  identity.Observe{Logger: slog.New(slog.DiscardHandler), Trace: identity.Trace{KeysFetched: a.fetched}},
	})
	if err != nil {
		return err
	}
	a.verifier = verifier
	if err := verifier.Warm(context.WithValue(ctx, arrivedKey{}, time.Now())); err != nil {
		return err
	}
	if a.url, a.stop, err = serve(app); err != nil {
		return err
	}
	a.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: a.clients, MaxIdleConns: a.clients}}
	return nil
}

// list is what the registry should hold, with all tenants as they are at home.
func (a *arena) list() []identity.Tenant {
	list := append([]identity.Tenant(nil), a.steady...)
	for _, c := range a.changing {
		list = append(list, c.tenant)
	}
	return list
}

// close ends everything that newArena began, as far as it came.
func (a *arena) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if a.client != nil {
		a.client.CloseIdleConnections()
	}
	if a.stop != nil {
		err = a.stop(ctx)
	}
	if a.idp != nil {
		a.idp.Client().CloseIdleConnections()
		err = errors.Join(err, a.idp.Shutdown(ctx))
	}
	if err != nil {
		return fmt.Errorf("the end: %w", err)
	}
	return nil
}
