package identity_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// keyAPI is an api whose verifier is at hand and whose key sets live exactly as long as the configuration says.
type keyAPI struct {
	*api
	verifier *identity.Verifier
	began    time.Time
}

// newKeyAPI is newAPIOn for tests of key sets. Inside a bubble, everything has to be made inside it.
func newKeyAPI(t testing.TB, idp *mockidp.Server, change func(*identity.Config)) *keyAPI {
	t.Helper()
	a := &api{idp: idp, e: echo.New(), log: new(syncBuffer)}
	cfg := identity.Config{
		ClientID: mockidp.API,
		Tenants:  workforceA(),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
		Observe:  identity.Observe{Logger: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
	}
	if change != nil {
		change(&cfg)
	}
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	identity.ExactTTL(v)
	a.e.Use(v.Middleware())
	a.e.Any("/", func(c echo.Context) error {
		got := answerOf(c)
		got.reached = true
		got.principal, _ = identity.From(c)
		return c.String(http.StatusOK, "ok")
	})
	a.e.HTTPErrorHandler = func(err error, c echo.Context) {
		answerOf(c).err = err
		a.e.DefaultHTTPErrorHandler(err, c)
	}
	return &keyAPI{api: a, verifier: v, began: time.Now()}
}

// inBubble runs a test of time: the clock stands still while anything runs.
//
// C24: whatever the test was about, what is still under way at its end has one fetch time-out to end in. After that the clock
// of the bubble stops, and a goroutine that waits for anything fails the test.
func inBubble(t *testing.T, change func(*identity.Config), run func(t *testing.T, a *keyAPI)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(fetchTimeout)
		run(t, newKeyAPI(t, mockidp.New(), change))
	})
}

const fetchTimeout = 5 * time.Second // the default

// good is a good token that does not expire during a test.
func (a *keyAPI) good(opts ...mockidp.TokenOption) string {
	return a.token(append([]mockidp.TokenOption{mockidp.ExpiresIn(300 * 24 * time.Hour)}, opts...)...)
}

// unknown is a token of a key that nobody has published. Nobody has signed it either: it takes a key to find that out.
func (a *keyAPI) unknown(i int) string { return unknownKid(a.good(), i) }

func unknownKid(token string, i int) string {
	return forged(token, 0, func(header string) string {
		return strings.Replace(header, `"kid":"`, fmt.Sprintf(`"kid":"unknown-%d-`, i), 1)
	})
}

// forged changes a segment of a token.
func forged(token string, segment int, edit func(string) string) string {
	segments := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(segments[segment])
	if err != nil {
		panic(err)
	}
	segments[segment] = base64.RawURLEncoding.EncodeToString([]byte(edit(string(text))))
	return strings.Join(segments, ".")
}

// fetched requires a number of discovery documents and key sets since the start, once everything under way is done or waits.
func (a *keyAPI) fetched(t testing.TB, discovery, keys int) {
	t.Helper()
	if d, k := a.idp.Count(mockidp.Discovery), a.idp.Count(mockidp.JWKS); d != discovery || k != keys {
		t.Fatalf("fetches: got=%d discovery, %d keys, want=%d, %d", d, k, discovery, keys)
	}
	if n := a.idp.Count(mockidp.OtherEndpoint); n != 0 {
		t.Fatalf("requests for anything else: got=%d, want=0", n)
	}
}

// at sleeps until a time since the start of the test.
func (a *keyAPI) at(since time.Duration) {
	time.Sleep(time.Until(a.began.Add(since)))
	synctest.Wait()
}

// took requires that f takes exactly so long.
func took(t testing.TB, want time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if got := time.Since(began); got != want {
		t.Fatalf("took: got=%v, want=%v", got, want)
	}
}

// atOnce sends n requests side by side and waits for their answers.
func (a *keyAPI) atOnce(n int, token func(i int) string) []*answer {
	answers := make([]*answer, n)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = a.get(token(i)) })
	}
	wg.Wait()
	return answers
}
