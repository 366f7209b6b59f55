package mockidp

import "net/http"

var keyCalls = []adminEndpoint{
	{"GET", "tenants/{tenant}/keys", "the keys of a tenant", ofKeySet, (*adminCall).getKeys},
	{"POST", "tenants/{tenant}/keys/rotate", "publishes a new key and signs with it", ofKeySet, (*adminCall).rotateKeys},
	{"POST", "tenants/{tenant}/keys/prepublish", "publishes a new key", ofKeySet, (*adminCall).prepublishKey},
	{"POST", "tenants/{tenant}/keys/{kid}/use", "signs with a published key", ofKeySet, (*adminCall).useKey},
	{"DELETE", "tenants/{tenant}/keys/{kid}", "withdraws a key", ofKeySet, (*adminCall).withdrawKey},
}

// ofKeySet chooses between the sets of a tenant: of a B2C policy, or of an application with keys of its own.
var ofKeySet = []string{"kind", "policy", "app"}

// keySet is the one that the address names.
func (c *adminCall) keySet() (*KeySet, error) {
	t, err := c.tenant()
	if err != nil {
		return nil, err
	}
	switch policy, app := c.query("policy"), c.query("app"); {
	case policy != "" && app != "":
		return nil, refused(http.StatusBadRequest, "query", "policy and app exclude each other")
	case policy != "":
		if _, ok := t.t.policy(policy); !ok {
			return nil, refused(http.StatusNotFound, "query.policy", "tenant %s has no policy %q", t.ID(), policy)
		}
		return t.PolicyKeys(policy), nil
	case app != "":
		return t.AppKeys(app), nil
	}
	return t.Keys(), nil
}

// getKeys lists key IDs. All workforce tenants of a cloud share one set.
func (c *adminCall) getKeys() (any, error) {
	set, err := c.keySet()
	if err != nil {
		return nil, err
	}
	return set.listed(), nil
}

func (k *KeySet) listed() object {
	published := []string{}
	for _, key := range k.Published() {
		published = append(published, key.ID())
	}
	return object{{"signing", k.Signing().ID()}, {"published", published}}
}

// rotateKeys takes {"withdraw": true} to withdraw the key that signed before.
func (c *adminCall) rotateKeys() (any, error) {
	set, err := c.keySet()
	if err != nil {
		return nil, err
	}
	var in struct {
		Withdraw bool `json:"withdraw"`
	}
	if err := c.read(&in, nil); err != nil {
		return nil, err
	}
	old := set.Signing()
	set.Rotate()
	if in.Withdraw {
		set.Withdraw(old)
	}
	return set.listed(), nil
}

func (c *adminCall) prepublishKey() (any, error) {
	set, err := c.keySet()
	if err != nil {
		return nil, err
	}
	if err := c.read(&struct{}{}, nil); err != nil {
		return nil, err
	}
	set.Prepublish()
	return set.listed(), nil
}

// key is the published one that the path names.
func (c *adminCall) key() (*KeySet, *Key, error) {
	set, err := c.keySet()
	if err != nil {
		return nil, nil, err
	}
	for _, key := range set.Published() {
		if key.ID() == c.args["kid"] {
			return set, key, nil
		}
	}
	return nil, nil, refused(http.StatusNotFound, "{kid}", "the set publishes no key %q", c.args["kid"])
}

func (c *adminCall) useKey() (any, error) {
	set, key, err := c.key()
	if err != nil {
		return nil, err
	}
	if err := c.read(&struct{}{}, nil); err != nil {
		return nil, err
	}
	set.Use(key)
	return set.listed(), nil
}

// withdrawKey takes a key out of the documents. If it was signing it goes on doing so.
func (c *adminCall) withdrawKey() (any, error) {
	set, key, err := c.key()
	if err != nil {
		return nil, err
	}
	set.Withdraw(key)
	return set.listed(), nil
}
