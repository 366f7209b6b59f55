package adminconsent_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/echo-identity/identity/adminconsent"
)

// Whatever the query and the cookie are, nothing panics, and no state gets through but the one that was sealed for this browser.
func FuzzContinue(f *testing.F) {
	idp := newIDP(f)
	flow := newFlow(f, idp, func(c *adminconsent.Config) { c.Keys = [][]byte{[]byte(rand.Text() + rand.Text())} })
	b := &browser{t: f}
	state := param(f, b.begin(flow, adminconsent.Start{For: customer}), "state")
	fill := strings.NewReplacer("$state", state, "$cookie", b.cookie).Replace // each process has its own
	f.Add("admin_consent=True&tenant=bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb&state=$state", "$cookie", customer)
	f.Add("error=access_denied&state=$state", "$cookie", customer)
	f.Add("state=$state&state=$state", "$cookie", "")
	f.Add("state="+state[:100], "", "x")
	f.Add("%;", "\"", "\x00")
	f.Fuzz(func(t *testing.T, query, cookie, who string) {
		query, cookie = fill(query), fill(cookie)
		r := httptest.NewRequest(http.MethodGet, consented, nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", cookieName+"="+cookie)
		w := httptest.NewRecorder()
		err := flow.Continue(w, r, who)
		if got := r.URL.Query()["state"]; err == nil && (len(got) != 1 || got[0] != state || who != customer || r.CookiesNamed(cookieName)[0].Value != b.cookie) {
			t.Errorf("accepted: %q, %q, %q", query, cookie, who)
		}
		if sent := w.Header().Get("Location") != ""; sent != (err == nil) {
			t.Errorf("sent on: %v, %v", sent, err)
		}
		if g, err := flow.Finish(httptest.NewRecorder(), r, who); g != nil || err == nil {
			t.Errorf("finished: %q", query)
		}
	})
}
