package identity

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/echo-identity/identity/mockidp"
)

// newCachingVerifier verifies tokens of one mock, with a cache of a size.
func newCachingVerifier(t *testing.T, maxBytes int64) (*Verifier, *mockidp.TenantHandle) {
	t.Helper()
	idp := mockidp.New()
	v, err := New(Config{
		ClientID:   mockidp.API,
		Tenants:    NewRegistry(Tenant{ID: mockidp.Contoso}),
		Keys:       KeyOptions{HTTPClient: idp.Client()},
		TokenCache: TokenCacheOptions{MaxBytes: maxBytes},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, idp.Tenant(mockidp.Contoso)
}

// distinct is the i-th token: alike, of a realistic size, with groups.
func distinctToken(t *mockidp.TenantHandle, i int) string {
	return t.Token(mockidp.Subject(fmt.Sprintf("subject %d", i)), mockidp.Groups("g1", "g2", "g3"), mockidp.Claim("pad", strings.Repeat("p", 200)))
}

// The cache holds what it may and no more, however many tokens come.
func TestTokenCacheBound(t *testing.T) {
	t.Parallel()
	const bound = 256 << 10
	v, contoso := newCachingVerifier(t, bound)
	for i := range 400 {
		if _, err := v.Verify(t.Context(), distinctToken(contoso, i)); err != nil {
			t.Fatal(err)
		}
	}
	v.cache.tokens.CleanUp()
	weight, entries := v.cache.tokens.WeightedSize(), v.cache.tokens.EstimatedSize()
	if weight > bound || entries == 0 || weight/uint64(entries) < 2000 {
		t.Fatalf("got=%d bytes in %d entries, want at most %d, each over 2,000", weight, entries, bound)
	}
}

// The weight of an entry is not less than what it keeps alive. Not parallel: it measures the heap.
func TestTokenCacheWeight(t *testing.T) {
	const n = 3000
	v, contoso := newCachingVerifier(t, 0)
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = distinctToken(contoso, i)
	}
	if _, err := v.Verify(t.Context(), contoso.Token()); err != nil {
		t.Fatal(err)
	}
	before := heap()
	for i, token := range tokens {
		if _, err := v.Verify(t.Context(), strings.Clone(token)); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	v.cache.tokens.CleanUp()
	kept, weight := heap()-before, v.cache.tokens.WeightedSize()
	if entries := v.cache.tokens.EstimatedSize(); entries != n+1 {
		t.Fatalf("entries: got=%d, want=%d", entries, n+1)
	}
	if kept > int64(weight) {
		t.Fatalf("kept alive: got=%d bytes, more than the %d that were counted", kept, weight)
	}
	t.Logf("%d bytes a token are kept alive, %d are counted", kept/n, weight/n)
	runtime.KeepAlive(tokens)
	runtime.KeepAlive(v)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Forty bytes of a header line must not hold the whole of it: the cached token is a copy.
func TestCachedTokenIsACopy(t *testing.T) {
	t.Parallel()
	v, contoso := newCachingVerifier(t, 0)
	header := "Bearer " + contoso.Token()
	raw := header[len("Bearer "):]
	p, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	e := v.cache.find(raw)
	if e == nil {
		t.Fatal("the token is not cached")
	}
	if e.token != p.token || e.token.raw != raw || e.token.signed != raw[:strings.LastIndexByte(raw, '.')] {
		t.Fatal("the cached token is not the one that was verified")
	}
	if overlap(e.token.raw, header) || overlap(e.token.signed, header) || overlap(e.token.kid, header) {
		t.Fatal("the cached token points into the header")
	}
}

// overlap reports whether two strings share memory.
func overlap(a, b string) bool {
	pa, pb := uintptr(unsafe.Pointer(unsafe.StringData(a))), uintptr(unsafe.Pointer(unsafe.StringData(b)))
	return pa < pb+uintptr(len(b)) && pb < pa+uintptr(len(a))
}
