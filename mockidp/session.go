package mockidp

import (
	"sync"
	"time"
)

// Bounds and lives of what a server remembers for its clients.
const (
	maxRemembered = 10_000

	codeLife       = 10 * time.Minute
	flowLife       = time.Hour
	deviceLife     = 15 * time.Minute
	sessionLife    = 24 * time.Hour
	refreshLife    = 90 * 24 * time.Hour
	spaRefreshLife = 24 * time.Hour // not prolonged by use
)

// sessions is everything between two requests: who is signed in, and what was handed out. It ends with the server. The values
// are immutable or guarded by mu; read and change them inside [sessions.do].
type sessions struct {
	mu       sync.Mutex // guards everything below
	browsers expiring[*browser]
	flows    expiring[*flow]
	codes    expiring[*code]
	refresh  expiring[*refreshToken]
	devices  expiring[*device]
	consents expiring[struct{}]
}

// do runs f with the lock held.
func (s *sessions) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// browser is a cookie jar that came by: the accounts signed in there, latest first.
type browser struct {
	accounts []signedIn
}

// signedIn is one account's session.
type signedIn struct {
	accountKey
	sid  string
	when time.Time
}

// flow is an authorization, or a device's, that waits for a person.
type flow struct {
	browser string
	canary  string // against cross-site requests
	rt      route
	request *authRequest // nil for a device
	device  *device
	account *accountKey // who, once that is known
	signed  signedIn
	barred  bool // only an administrator can go on
}

// given is what the user of an application agreed to, and how: codes and refresh tokens stand for it.
type given struct {
	client   string
	account  accountKey
	signed   signedIn
	policy   string
	platform platform
	v1       bool
	scope    string // as requested
	resource string // v1's
	claims   claimsRequest
	nonce    string
}

// code is an authorization code.
type code struct {
	given
	authority         string // where it was issued, as route.authority tells
	redirectURI       string
	challenge, method string
	used              bool
}

// refreshToken: a used one is remembered, so that it can be told from one that never was.
type refreshToken struct {
	given
	used bool
}

// device is a device code.
type device struct {
	code, userCode string
	client, scope  string
	resource       string
	v1             bool
	rt             route
	state          deviceState
	account        accountKey
	signed         signedIn
}

type deviceState int

const (
	devicePending deviceState = iota
	deviceApproved
	deviceDeclined
	deviceUsed
)

// expiring is a bounded map whose entries end. When it is full the oldest entry goes.
type expiring[V any] struct {
	entries map[string]expiringEntry[V]
	order   []string // keys, oldest first; those of removed entries too
}

type expiringEntry[V any] struct {
	value V
	ends  time.Time
}

func (e *expiring[V]) put(key string, value V, ends time.Time) {
	if e.entries == nil {
		e.entries = make(map[string]expiringEntry[V])
	}
	if _, exists := e.entries[key]; !exists {
		e.order = append(e.order, key)
	}
	e.entries[key] = expiringEntry[V]{value, ends}
	for len(e.order) > maxRemembered {
		delete(e.entries, e.order[0])
		e.order = e.order[1:]
	}
}

// get finds an entry. One that has ended is found until it is pushed out: some of them are refused in their own words.
func (e *expiring[V]) get(key string, now time.Time) (value V, found, ended bool) {
	entry, found := e.entries[key]
	return entry.value, found, found && !now.Before(entry.ends)
}

// live finds an entry that has not ended.
func (e *expiring[V]) live(key string, now time.Time) (V, bool) {
	value, found, ended := e.get(key, now)
	if !found || ended {
		var none V
		return none, false
	}
	return value, true
}

// remove leaves the key in order, where it takes a place until it is pushed out: a key is never used again.
func (e *expiring[V]) remove(key string) { delete(e.entries, key) }

// newSecret is a code, a token or a session that nobody guesses.
func newSecret(prefix string) string { return prefix + base64url(randomBytes(32)) }
