package adminconsent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/mockidp"
)

// The whole way, with what is in the addresses on it.
func TestOnboarding(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}

	page, err := url.Parse(b.begin(f, adminconsent.Start{For: customer}))
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Scheme + "://" + page.Host + page.Path; got != "https://login.microsoftonline.com/organizations/v2.0/adminconsent" {
		t.Errorf("got=%s", got)
	}
	q := page.Query()
	if q.Get("client_id") != app || q.Get("redirect_uri") != consented || q.Get("scope") != app+"/.default" || len(q) != 4 {
		t.Errorf("got=%v", q)
	}
	if state := q.Get("state"); strings.Contains(state, customer) || strings.Contains(state, b.cookie) || len(state) < 100 || len(b.cookie) != 43 {
		t.Errorf("state: got=%s, cookie %s", state, b.cookie)
	}
	before := b.cookie
	to, err := b.proceed(f, walk(t, idp, page.String(), ada), customer)
	if err != nil {
		t.Fatal(err)
	}
	page, err = url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q = page.Query()
	if page.Path != "/"+mockidp.Fabrikam+"/oauth2/v2.0/authorize" || q.Get("redirect_uri") != signedIn || q.Get("response_type") != "code" ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") != app+"/.default" || q.Get("response_mode") != "query" {
		t.Errorf("got=%v", page)
	}
	if b.cookie != before {
		t.Error("the cookie has changed in the middle")
	}
	g, err := b.finish(f, walk(t, idp, to, ada), customer)
	if err != nil {
		t.Fatal(err)
	}
	if g.TenantID != mockidp.Fabrikam || g.For != customer || g.Admin.TenantID != mockidp.Fabrikam || g.Admin.Claim("preferred_username") != ada ||
		!slices.Equal(g.Admin.Scopes, []string{"Orders.Read"}) {
		t.Errorf("got=%+v", g)
	}
	if b.cookie != "" {
		t.Error("the cookie is still there")
	}
}

// Each step at another replica, the last of which has got a new key in the meantime.
func TestReplicas(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	used := &table{}
	shared := func(c *adminconsent.Config) { c.Used = used }
	one, two := newFlow(t, idp, shared), newFlow(t, idp, shared)
	three := newFlow(t, idp, func(c *adminconsent.Config) {
		shared(c)
		c.Keys = [][]byte{[]byte("a new key of thirty-two bytes...."), key}
	})
	stranger := newFlow(t, idp, func(c *adminconsent.Config) {
		shared(c)
		c.Keys = [][]byte{[]byte("a new key of thirty-two bytes....")}
	})
	b := &browser{t: t}
	answer := b.toConsented(idp, one, ada)
	_, err := b.proceed(stranger, answer, customer)
	wants(t, "without the key", err, adminconsent.ErrState)
	to, err := b.proceed(two, answer, customer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.proceed(three, answer, customer)
	wants(t, "again, elsewhere", err, adminconsent.ErrReplayed)
	answer, cookie := walk(t, idp, to, ada), b.cookie
	if _, err := b.finish(three, answer, customer); err != nil {
		t.Fatal(err)
	}
	b.cookie = cookie // a browser that keeps it
	_, err = b.finish(one, answer, customer)
	wants(t, "again, elsewhere", err, adminconsent.ErrReplayed)
	if len(used.until) != 2 {
		t.Errorf("remembered: got=%v", used.until)
	}
}

// table is Used as a database table is.
type table struct {
	mu    sync.Mutex
	until map[string]time.Time
	err   error
}

func (u *table) Use(_ context.Context, id string, until time.Time) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(id) == 0 || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false, errors.New("not an id as promised")
	}
	if _, used := u.until[id]; used || u.err != nil {
		return false, u.err
	}
	if u.until == nil {
		u.until = make(map[string]time.Time)
	}
	u.until[id] = until
	return true, nil
}

// Of many at once with the same answer, one gets through. Run with -race.
func TestOneOfManyFinishes(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	answer := b.toSignedIn(idp, f, ada)
	var granted, replayed atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodGet, answer, nil)
			r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie})
			switch _, err := f.Finish(httptest.NewRecorder(), r, customer); {
			case err == nil:
				granted.Add(1)
			case errors.Is(err, adminconsent.ErrReplayed):
				replayed.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || replayed.Load() != 31 {
		t.Errorf("got=%d granted, %d replayed", granted.Load(), replayed.Load())
	}
}

// A flow ends after its lifetime, at either step, wherever it has got to.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		wait, waitAgain    time.Duration
		proceeds, finishes bool
	}{
		"in time":                 {25 * time.Minute, 5*time.Minute - time.Second, true, true},
		"too late for the second": {25 * time.Minute, 5 * time.Minute, true, false},
		"too late":                {30 * time.Minute, 0, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			idp := newIDP(t)
			f := newFlow(t, idp, nil)
			b := &browser{t: t}
			answer := b.toConsented(idp, f, ada)
			time.Sleep(row.wait) // of the bubble's clock
			to, err := b.proceed(f, answer, customer)
			if !row.proceeds {
				wants(t, name, err, adminconsent.ErrExpired)
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			answer = walk(t, idp, to, ada)
			time.Sleep(row.waitAgain)
			if _, err = b.finish(f, answer, customer); row.finishes {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				return
			}
			wants(t, name, err, adminconsent.ErrExpired)
		})
	}
}

// What was used is remembered for as long as the flow lasts, in one process, and not much longer.
func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := newIDP(t)
		f := newFlow(t, idp, nil)
		for range 3 { // across the turn of a generation, each time
			b := &browser{t: t}
			answer := b.toConsented(idp, f, ada)
			if _, err := b.proceed(f, answer, customer); err != nil {
				t.Fatal(err)
			}
			time.Sleep(29 * time.Minute)
			_, err := b.proceed(f, answer, customer)
			wants(t, "replayed", err, adminconsent.ErrReplayed)
		}
	})
}

// Consent again: the tenant is known, and no other will do.
func TestConsentAgain(t *testing.T) {
	t.Parallel()
	idp := newIDP(t)
	f := newFlow(t, idp, nil)
	b := &browser{t: t}
	again := adminconsent.Start{For: customer, TenantID: strings.ToUpper(mockidp.Fabrikam)}
	page := b.begin(f, again)
	if !strings.HasPrefix(page, "https://login.microsoftonline.com/"+mockidp.Fabrikam+"/v2.0/adminconsent?") {
		t.Errorf("got=%s", page)
	}
	answer := walk(t, idp, page, ada)
	_, err := b.proceed(f, edited(t, answer, "tenant", mockidp.Contoso), customer)
	wants(t, "another tenant", err, adminconsent.ErrTenant)
	to, err := b.proceed(f, answer, customer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.finish(f, walk(t, idp, to, ada), customer); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"organizations", "common", "contoso.onmicrosoft.com", mockidp.PersonalAccounts, "../evil"} {
		w := httptest.NewRecorder()
		err := f.Begin(w, httptest.NewRequest(http.MethodPost, "/", nil), adminconsent.Start{TenantID: id})
		wants(t, id, err, adminconsent.ErrTenant)
		if len(w.Result().Cookies()) > 0 || w.Body.Len() > 0 {
			t.Errorf("%s: something was written", id)
		}
	}
	if err := f.Begin(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil), adminconsent.Start{For: strings.Repeat("x", 257)}); err == nil {
		t.Error("a customer of 257 bytes was accepted")
	}
	b.begin(f, adminconsent.Start{For: strings.Repeat("x", 256)})
}
