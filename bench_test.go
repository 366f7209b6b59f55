package identity_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// warmed is a verifier that has its keys and must not ask for any more: the benchmarks are about what a request costs then.
type warmed struct {
	idp      *mockidp.Server
	verifier *identity.Verifier
	offline  atomic.Bool
	broken   atomic.Int64 // requests while it was offline
}

func newWarmed(b testing.TB) *warmed {
	b.Helper()
	w := &warmed{idp: mockidp.New()}
	var err error
	w.verifier, err = identity.New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  workforceA(),
		Keys: identity.KeyOptions{Cooldown: time.Hour, HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if w.offline.Load() {
				w.broken.Add(1)
				return nil, errors.New("a request in the warm path")
			}
			return w.idp.Transport().RoundTrip(r)
		})}},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.verifier.Verify(b.Context(), w.token()); err != nil {
		b.Fatal(err)
	}
	if _, err := w.verifier.Verify(b.Context(), w.token(mockidp.KeyID("unknown"))); !errors.Is(err, identity.ErrKeyNotFound) {
		b.Fatal(err) // begins the cool-down
	}
	w.offline.Store(true)
	return w
}

func (w *warmed) token(opts ...mockidp.TokenOption) string {
	return w.idp.Tenant(tenantA).Token(opts...)
}

// stayedOffline fails if anything was fetched.
func (w *warmed) stayedOffline(b testing.TB) {
	b.Helper()
	if n := w.broken.Load(); n != 0 {
		b.Fatalf("requests in the warm path: got=%d, want=0", n)
	}
}

// BenchmarkRSA is the unit that the others are measured in: one signature, nothing else.
func BenchmarkRSA(b *testing.B) {
	key := mockidp.New().Tenant(tenantA).Keys().Signing()
	digest := sha256.Sum256([]byte("header.payload"))
	signature, err := rsa.SignPKCS1v15(nil, key.Private(), crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(key.Public(), crypto.SHA256, digest[:], signature); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	benchmarks := []struct {
		name  string
		token func(w *warmed) string
		want  error
	}{
		{"hot", func(w *warmed) string { return w.token() }, nil},
		{"expired", func(w *warmed) string { return w.token(mockidp.ExpiresIn(-time.Hour)) }, identity.ErrExpired},
		{"unknown_kid", func(w *warmed) string { return w.token(mockidp.KeyID("unknown")) }, identity.ErrKeyNotFound},
		{"malformed", func(w *warmed) string { return w.token() + "=" }, identity.ErrTokenMalformed},
		{"unknown_tenant", func(w *warmed) string { return w.idp.Tenant(tenantB).Token() }, identity.ErrUnknownTenant},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			w := newWarmed(b)
			token := bm.token(w)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.verifier.Verify(context.Background(), token); !errors.Is(err, bm.want) {
					b.Fatalf("got=%v, want=%v", err, bm.want)
				}
			}
			w.stayedOffline(b)
		})
	}
}

// warmAPI is an Echo application behind the middleware of w.
func (w *warmed) api() http.Handler {
	e := echo.New()
	e.Use(w.verifier.Middleware())
	e.GET("/", func(c echo.Context) error {
		if _, ok := identity.From(c); !ok {
			return errors.New("no principal")
		}
		return c.NoContent(http.StatusNoContent)
	})
	return e
}

// discard is a response that is not looked at but for its status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func BenchmarkMiddleware(b *testing.B) {
	b.Run("hot", func(b *testing.B) {
		w := newWarmed(b)
		handler, r, response := w.api(), bearer(w.token()), &discard{header: make(http.Header)}
		b.ReportAllocs()
		for b.Loop() {
			if handler.ServeHTTP(response, r); response.status != http.StatusNoContent {
				b.Fatalf("got=%d, want=204", response.status)
			}
		}
		w.stayedOffline(b)
	})
	b.Run("hot_parallel", func(b *testing.B) {
		w := newWarmed(b)
		b.ReportAllocs()
		before := contended(b)
		b.ResetTimer()
		inParallel(b, w)
		b.StopTimer()
		w.stayedOffline(b)
		if n := contended(b) - before; n != 0 {
			b.Fatalf("waits for a lock of ours: got=%d, want=0", n)
		}
	})
}

func inParallel(b *testing.B, w *warmed) {
	handler, token := w.api(), w.token()
	b.RunParallel(func(pb *testing.PB) {
		r, response := bearer(token), &discard{header: make(http.Header)}
		for pb.Next() {
			if handler.ServeHTTP(response, r); response.status != http.StatusNoContent {
				b.Errorf("got=%d, want=204", response.status)
				return
			}
		}
	})
}

// contended counts, by the mutex profile, how often anybody waited for a lock that this module or one of its requirements took.
// Locks inside the standard library and the runtime are not ours. It switches the profile on for the rest of the benchmark.
func contended(b *testing.B) (waits int64) {
	b.Helper()
	old := runtime.SetMutexProfileFraction(1)
	b.Cleanup(func() { runtime.SetMutexProfileFraction(old) })
	records := make([]runtime.BlockProfileRecord, 10_000)
	n, ok := runtime.MutexProfile(records)
	if !ok {
		b.Fatalf("the mutex profile has %d records", n)
	}
	for _, record := range records[:n] {
		frames := runtime.CallersFrames(record.Stack())
		for locked := false; ; {
			frame, more := frames.Next()
			if locked && !strings.HasPrefix(frame.Function, "sync.") {
				if strings.HasPrefix(frame.Function, "github.com/") {
					waits += record.Count
				}
				break
			}
			locked = locked || strings.HasPrefix(frame.Function, "sync.")
			if !more {
				break
			}
		}
	}
	return waits
}

// N2: a warm verification makes no request, also through the middleware and many at once. What the benchmark measures, the test
// asserts; that no lock is taken is shown in TestWarmPathTakesNoLock.
func TestWarmPathIsOffline(t *testing.T) {
	t.Parallel()
	w := newWarmed(t)
	handler, token := w.api(), w.token()
	done := make(chan int)
	for range 8 {
		go func() {
			bad := 0
			for range 25 {
				response := httptest.NewRecorder()
				if handler.ServeHTTP(response, bearer(token)); response.Code != http.StatusNoContent {
					bad++
				}
			}
			done <- bad
		}()
	}
	for range 8 {
		if bad := <-done; bad != 0 {
			t.Errorf("refused: got=%d, want=0", bad)
		}
	}
	w.stayedOffline(t)
}
