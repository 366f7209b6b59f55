package identity

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/echo-identity/identity/mockidp"
)

// N2: with the keys at hand, verification takes no exclusive lock. Every lock on its way is held by the test: plain ones
// altogether, and those for readers and writers as a reader, which other readers do not notice and a writer does.
func TestWarmPathTakesNoLock(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	tenants := NewRegistry(Tenant{ID: mockidp.Contoso})
	v, err := New(Config{ClientID: mockidp.API, Tenants: tenants, Keys: KeyOptions{HTTPClient: idp.Client()},
		Observe: Observe{Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, v1 := idp.Tenant(mockidp.Contoso).Token(), idp.Tenant(mockidp.Contoso).Token(mockidp.V1())

	var plain []sync.Locker
	for _, item := range v.keys.sets.Items() {
		plain = append(plain, &item.Object.(*keyHandle).mu)
	}
	// go-cache does not export its lock.
	inner := reflect.ValueOf(v.keys.sets).Elem().Field(0).Elem().FieldByName("mu")
	if inner.Type() != reflect.TypeFor[sync.RWMutex]() {
		t.Fatalf("go-cache: got a %v, want a sync.RWMutex", inner.Type())
	}
	cache := (*sync.RWMutex)(unsafe.Pointer(inner.UnsafeAddr()))
	for _, lock := range append(plain, &v.keys.adding, &v.log.mu, cache.RLocker(), tenants.mu.RLocker()) {
		lock.Lock()
		defer lock.Unlock()
	}
	results := make(chan error)
	const workers, each = 8, 5
	for range workers {
		go func() {
			for range each {
				_, err := v.Verify(context.Background(), token)
				results <- err
				_, err = v.Verify(context.Background(), v1)
				results <- err
			}
		}()
	}
	patience := time.After(30 * time.Second)
	for range 2 * workers * each {
		select {
		case err := <-results:
			if err != nil {
				t.Fatal(err)
			}
		case <-patience:
			t.Fatal("a warm verification waits for a lock")
		}
	}
}
