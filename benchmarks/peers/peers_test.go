package peers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/benchmarks/corpus"
	"github.com/echo-identity/identity/benchmarks/peers"
	"github.com/echo-identity/identity/mockidp"
)

// What is compared does the same: everybody accepts every good token and refuses the same bad ones.
func TestPeersAgree(t *testing.T) {
	t.Parallel()
	c, err := corpus.New(20, 3)
	if err != nil {
		t.Fatal(err)
	}
	all, err := peers.All(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := peers.NewVerifier(c, identity.NewRegistry(peers.Registered(1)...), 0)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, peers.Peer{Name: "identity", Verify: peers.NewStack(peers.Identity(verifier)...).Accept})

	keys := c.IdP.Tenant(c.Tenants[0]).Keys()
	for _, bad := range []struct {
		name string
		opts []mockidp.TokenOption
	}{
		{"signature of something else", []mockidp.TokenOption{mockidp.SignedBy(keys.NewKey()), mockidp.KeyID(c.KeyID)}},
		{"unknown key", []mockidp.TokenOption{mockidp.SignedBy(keys.NewKey())}},
		{"unsigned", []mockidp.TokenOption{mockidp.Algorithm("none")}},
		{"signed with the public key as a secret", []mockidp.TokenOption{mockidp.Algorithm("HS256")}},
		{"another algorithm", []mockidp.TokenOption{mockidp.Algorithm("RS512")}},
		{"another audience", []mockidp.TokenOption{mockidp.Audience(mockidp.Client)}},
		{"another issuer", []mockidp.TokenOption{mockidp.Claim("iss", c.IdP.Tenant(c.Tenants[1]).Issuer())}},
		{"expired", []mockidp.TokenOption{mockidp.ExpiresIn(-time.Hour)}},
		{"without an expiry", []mockidp.TokenOption{mockidp.Without("exp")}},
	} {
		raw := c.Mint(0, bad.opts...)
		for _, peer := range all {
			if peer.Verify(corpus.Bearer(raw)) == nil {
				t.Errorf("%s, %s: accepted", peer.Name, bad.name)
			}
		}
	}
	for _, peer := range all {
		for _, user := range c.OfOneTenant() {
			if err := peer.Verify(user); err != nil {
				t.Errorf("%s: %v", peer.Name, err)
			}
		}
	}
}

// The stacks ask for the scope, too.
func TestStacksAskForTheScope(t *testing.T) {
	t.Parallel()
	c, err := corpus.New(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := peers.NewVerifier(c, identity.NewRegistry(peers.Registered(1)...), peers.NoCache)
	if err != nil {
		t.Fatal(err)
	}
	other, err := peers.EchoJWTKeyfunc(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw := c.Mint(0, mockidp.Scopes(strings.ToLower(corpus.Scope)))
	for name, stack := range map[string]*peers.Stack{"identity": peers.NewStack(peers.Identity(verifier)...), "echo-jwt": peers.NewStack(other...)} {
		if got := stack.Serve(corpus.Bearer(raw)); got != 403 {
			t.Errorf("%s, scope in lower case: got=%d, want=403", name, got)
		}
		if err := stack.Accept(c.Users[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
