// Package corpus makes what everything is measured on: the access tokens of many users in many tenants, as Microsoft would issue
// them, and what it takes to verify the same bytes with nothing but crypto/rsa.
package corpus

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"

	"github.com/echo-identity/identity/mockidp"
)

// Corpus is a directory and its users' tokens. A fifth of the users belongs to the first tenant, as one big customer would have
// them; the others are spread evenly over the rest.
type Corpus struct {
	IdP     *mockidp.Server
	Tenants []string // IDs
	Users   []*Token
	Key     *rsa.PublicKey // of every token: all workforce tenants of a cloud share their keys
	KeyID   string
}

// Token is one user's access token.
type Token struct {
	Raw    string
	Bearer string // the Authorization header

	signed    []byte
	signature []byte
}

// Sizes of the corpus that the published figures are from.
const (
	Users   = 10_000
	Tenants = 1_000
)

// Keys is how many keys are published, about as many as Microsoft has at a time: one signs, one is for personal accounts.
const Keys = 8

// Scope is the delegated permission that every token has.
const Scope = "Orders.Read"

// New mints the tokens, which takes a millisecond each and all cores. Two corpora of the same size differ in keys and times only.
func New(users, tenants int) (*Corpus, error) {
	c := &Corpus{Tenants: TenantIDs(tenants), Users: make([]*Token, users)}
	mocked := make([]mockidp.Tenant, tenants)
	for i, id := range c.Tenants {
		mocked[i] = mockidp.Tenant{ID: id}
	}
	c.IdP = mockidp.New(mockidp.WithTenants(mocked...))
	keys := c.IdP.Tenant(c.Tenants[0]).Keys()
	c.Key, c.KeyID = keys.Signing().Public(), keys.Signing().ID()
	for len(keys.Published()) < Keys {
		keys.Prepublish()
	}

	var minting sync.WaitGroup
	faults := make([]error, runtime.GOMAXPROCS(0))
	for worker := range faults {
		minting.Go(func() {
			for i := worker; i < users && faults[worker] == nil; i += len(faults) {
				c.Users[i], faults[worker] = newToken(c.Mint(i))
			}
		})
	}
	minting.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Mint signs a token of the i-th user; options change it.
func (c *Corpus) Mint(i int, opts ...mockidp.TokenOption) string {
	return c.IdP.Tenant(c.Tenants[c.tenantOf(i)]).Token(append(userClaims(i), opts...)...)
}

func (c *Corpus) tenantOf(user int) int {
	if len(c.Tenants) == 1 || user < len(c.OfOneTenant()) {
		return 0
	}
	return 1 + user%(len(c.Tenants)-1)
}

// OfOneTenant are the tokens of the first tenant. Most peers know one issuer; these are what they are measured on.
func (c *Corpus) OfOneTenant() []*Token { return c.Users[:(len(c.Users)+4)/5] }

// OfManyTenants are as many tokens as OfOneTenant has, of all other tenants.
func (c *Corpus) OfManyTenants() []*Token { return c.Users[len(c.Users)-len(c.OfOneTenant()):] }

// Issuer is the issuer of the first tenant.
func (c *Corpus) Issuer() string { return c.IdP.Tenant(c.Tenants[0]).Issuer() }

// Issuers is the set of all issuers.
func (c *Corpus) Issuers() map[string]bool {
	issuers := make(map[string]bool, len(c.Tenants))
	for _, id := range c.Tenants {
		issuers[c.IdP.Tenant(id).Issuer()] = true
	}
	return issuers
}

// KeySetURL is where a tenant's keys are published.
func (c *Corpus) KeySetURL(tenant string) (string, error) {
	var document struct {
		KeySet string `json:"jwks_uri"`
	}
	text, err := c.Get(c.IdP.Tenant(tenant).DiscoveryURL())
	if err != nil {
		return "", err
	}
	err = json.Unmarshal(text, &document)
	return document.KeySet, err
}

// Get reads a document from the mock.
func (c *Corpus) Get(url string) ([]byte, error) {
	response, err := c.IdP.Client().Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// RSA is the unit of all figures: the hash of the signed bytes and one signature check, decoded beforehand.
func (c *Corpus) RSA(t *Token) error {
	digest := sha256.Sum256(t.signed)
	return rsa.VerifyPKCS1v15(c.Key, crypto.SHA256, digest[:], t.signature)
}

// Bearer is a token that only libraries are asked about, not RSA.
func Bearer(raw string) *Token {
	t := &Token{Bearer: "Bearer " + raw}
	t.Raw = t.Bearer[len("Bearer "):]
	return t
}

func newToken(raw string) (*Token, error) {
	t := Bearer(raw)
	dot := strings.LastIndexByte(raw, '.')
	t.signed = []byte(raw[:dot])
	var err error
	t.signature, err = base64.RawURLEncoding.DecodeString(raw[dot+1:])
	return t, err
}

// TenantIDs are the first n of an endless list of GUIDs that look random and are the same in every run.
func TenantIDs(n int) []string {
	random, ids := rand.New(rand.NewPCG(1, 2)), make([]string, n)
	for i := range ids {
		ids[i] = guid(random)
	}
	return ids
}

func guid(random *rand.Rand) string {
	a, b := random.Uint64(), random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffff_ffff_ffff)
}
