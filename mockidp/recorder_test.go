package mockidp_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// M5
func TestRecorder(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		const shop = "https://contosob2c.b2clogin.com/Contosob2c.onmicrosoft.com/discovery/v2.0/keys?p=B2C_1_SUSI"
		defer idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Times: 1, Status: 500})()
		for _, url := range []string{commonV2, commonKeys, shop, "https://login.microsoftonline.com/" + mockidp.Contoso + "/discovery/keys?appid=" + mockidp.API,
			"https://login.microsoftonline.com/Nobody" + discoveryPath} {
			fetch(t, idp.Client(), url)
		}
		if d, k, o, a := idp.Count(mockidp.Discovery), idp.Count(mockidp.JWKS), idp.Count(mockidp.OtherEndpoint), idp.Count(mockidp.AnyEndpoint); d != 2 || k != 3 || o != 0 || a != 5 {
			t.Errorf("got=%d %d %d %d, want=2 3 0 5", d, k, o, a)
		}
		r := idp.Requests()
		if got := r[2]; got.Method != "GET" || got.Scheme != "https" || got.Host != "contosob2c.b2clogin.com" || got.Path != "/Contosob2c.onmicrosoft.com/discovery/v2.0/keys" ||
			got.RawQuery != "p=B2C_1_SUSI" || got.Endpoint != mockidp.JWKS || got.Tenant != mockidp.Shop || got.Policy != "b2c_1_susi" {
			t.Errorf("got=%+v", got)
		}
		if r[0].Tenant != "common" || r[3].Tenant != mockidp.Contoso || r[3].AppID != mockidp.API || r[4].Tenant != "nobody" {
			t.Errorf("got=%s %s %s %s", r[0].Tenant, r[3].Tenant, r[3].AppID, r[4].Tenant)
		}
		if n := idp.CountIf(func(r mockidp.Request) bool { return r.Tenant == mockidp.Shop }); n != 1 {
			t.Errorf("got=%d, want=1", n)
		}
		idp.ResetCounts()
		if idp.Count(mockidp.AnyEndpoint) != 0 || len(idp.Requests()) != 0 {
			t.Error("not forgotten")
		}
	})
}

func TestRecorderIsBounded(t *testing.T) {
	t.Parallel()
	tick := time.Unix(0, 0)
	idp := mockidp.New(mockidp.WithClock(func() time.Time {
		tick = tick.Add(time.Second)
		return tick
	}))
	const more = 10_005
	for range more {
		req, _ := http.NewRequest(http.MethodGet, "https://login.microsoftonline.com/x", nil)
		if _, err := idp.Transport().RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
	r := idp.Requests()
	if len(r) != 10_000 || idp.Count(mockidp.OtherEndpoint) != more {
		t.Fatalf("got=%d and %d, want=10000 and %d", len(r), idp.Count(mockidp.OtherEndpoint), more)
	}
	for i := range r {
		if got, wanted := r[i].Time.Unix(), int64(i+more-10_000+1); got != wanted {
			t.Fatalf("request %d: got=%d, want=%d: oldest first", i, got, wanted)
		}
	}
}

// M5
func TestParallelUse(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		contoso := idp.Tenant(mockidp.Contoso)
		const id = "12121212-1111-4111-8111-121212121212"
		var wg sync.WaitGroup
		const n = 20
		for range n {
			wg.Go(func() {
				if _, _, err := get(t.Context(), idp.Client(), commonKeys); err != nil {
					t.Error(err)
				}
				contoso.Token()
			})
			wg.Go(func() { idp.AddTenant(mockidp.Tenant{ID: id, Domain: "x"}); idp.RemoveTenant(id, mockidp.Workforce) })
			wg.Go(func() {
				k := contoso.Keys().Signing().WithID("k")
				contoso.Keys().Publish(k)
				contoso.Keys().Withdraw(k)
			})
			wg.Go(func() { idp.Inject(mockidp.Fault{Policy: "none"})(); idp.Requests() })
		}
		wg.Wait()
		if got := idp.Count(mockidp.JWKS); got != n {
			t.Errorf("got=%d, want=%d", got, n)
		}
	})
}
