package mockidp

import (
	"crypto/rsa"
	"maps"
	"slices"
	"sync"
)

// KeySet is what a jwks_uri serves, and the key that new tokens are signed with. Changes show in the next answer. It is safe for
// concurrent use.
//
// A set starts with one key, which is published and signs; sets of workforce clouds have a second one for personal accounts.
type KeySet struct {
	srv *Server
	id  keySetID

	mu       sync.Mutex // guards what follows
	made     bool       // keys are made when first needed: material is slow
	entries  []published
	signing  *Key
	consumer *Key
}

// keySetID tells the sets of a server apart: cloud alone, tenant and policy, or tenant and application.
type keySetID struct {
	kind   Kind
	cloud  Cloud
	tenant string
	policy string
	app    string
}

// published is an entry of a set: a key, or arbitrary members in its place.
type published struct {
	key    *Key
	raw    object
	v1, v2 bool // which documents list it
}

// Signing is the key that new tokens are signed with.
func (k *KeySet) Signing() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.makeSigning() // and no more: the first token should not wait for two keys
	return k.signing
}

// Consumer is the key that signs the tokens of personal accounts. In v2 documents it is bound to their issuer. Only the sets of
// workforce clouds have one; elsewhere it panics.
func (k *KeySet) Consumer() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	if k.consumer == nil {
		panic("mockidp: only the key set of a workforce cloud has a key of personal accounts")
	}
	return k.consumer
}

// Published lists the keys that are published in the v1 or the v2 document, without the entries of PublishRaw.
func (k *KeySet) Published() []*Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	var keys []*Key
	for _, e := range k.entries {
		if e.key != nil {
			keys = append(keys, e.key)
		}
	}
	return keys
}

// NewKey makes a key that is not published. Sign with it through [SignedBy], or publish it.
func (k *KeySet) NewKey() *Key {
	return k.newKey(k.srv.nextMaterial())
}

// NewKeyOfSize makes an unpublished key of another size than 2048 bits. It takes its time, and the Go runtime refuses less than
// 1024; for a smaller modulus that nobody has to sign with, set "n" with [Key.WithJWK].
func (k *KeySet) NewKeyOfSize(bits int) *Key {
	return k.newKey(generateRSA(bits))
}

func (k *KeySet) newKey(private *rsa.PrivateKey) *Key {
	if k.id.kind == B2C {
		return newPlainKey(private, k.srv.now())
	}
	return newCertifiedKey(private, "accounts.accesscontrol.windows.net", k.srv.now())
}

// Prepublish publishes a new key, which does not sign yet: the first half of a planned rollover. [KeySet.Use] is the second.
func (k *KeySet) Prepublish() *Key {
	key := k.NewKey()
	k.Publish(key)
	return key
}

// Rotate publishes a new key and signs with it from now on. The old key stays published until it is withdrawn.
func (k *KeySet) Rotate() *Key {
	key := k.Prepublish()
	k.Use(key)
	return key
}

// Use signs new tokens with key from now on, published or not.
func (k *KeySet) Use(key *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	k.signing = key
}

// Publish lists key in the documents of both versions. Publishing a key twice lists it once; two keys of the same kid are both
// listed.
func (k *KeySet) Publish(key *Key) { k.publish(published{key: key, v1: true, v2: true}) }

// PublishV1Only lists key in the v1 document alone.
func (k *KeySet) PublishV1Only(key *Key) { k.publish(published{key: key, v1: true}) }

// PublishV2Only lists key in the v2 document alone.
func (k *KeySet) PublishV2Only(key *Key) { k.publish(published{key: key, v2: true}) }

// PublishRaw adds an arbitrary entry: an EC key, a symmetric one, nonsense. It stays until [KeySet.Replace].
func (k *KeySet) PublishRaw(jwk map[string]any) {
	var o object
	for _, name := range slices.Sorted(maps.Keys(jwk)) {
		o.set(name, jwk[name])
	}
	k.publish(published{raw: o, v1: true, v2: true})
}

func (k *KeySet) publish(p published) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	for i, e := range k.entries {
		if p.key != nil && e.key == p.key {
			k.entries[i] = p
			return
		}
	}
	k.entries = append(k.entries, p)
}

// Withdraw takes key out of the documents. If it was signing it goes on doing so: that is how a token of a withdrawn key is made.
// Withdrawing a key that is not published does nothing.
func (k *KeySet) Withdraw(key *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	k.entries = slices.DeleteFunc(k.entries, func(e published) bool { return e.key == key })
}

// Replace publishes exactly these keys; none makes an empty set. The signing key stays the same.
func (k *KeySet) Replace(keys ...*Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	k.entries = nil
	for _, key := range keys {
		k.entries = append(k.entries, published{key: key, v1: true, v2: true})
	}
}

// document is the answer of the jwks_uri. The issuer, of v2 entries only, may hold the placeholder {tenantid}.
func (k *KeySet) document(v1 bool, issuer string) object {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.make()
	if v1 {
		issuer = "" // no v1 document has the member
	}
	keys := []object{}
	for _, e := range k.entries {
		switch {
		case v1 && !e.v1, !v1 && !e.v2:
		case e.key != nil:
			keys = append(keys, e.key.jwk(issuer))
		default:
			keys = append(keys, e.raw)
		}
	}
	return object{{"keys", keys}}
}

// make fills a new set. The caller holds mu.
func (k *KeySet) make() {
	if k.made {
		return
	}
	k.makeSigning()
	k.made = true
	if k.id.tenant == "" {
		k.consumer = newCertifiedKey(k.srv.nextMaterial(), "Live ID STS Signing Public Key", k.srv.now())
		k.consumer.personal = true
		k.entries = append(k.entries, published{key: k.consumer, v1: true, v2: true})
	}
}

// makeSigning makes the first key of a new set, which the others come after. The caller holds mu.
func (k *KeySet) makeSigning() {
	if k.signing == nil {
		k.signing = k.NewKey()
		k.entries = []published{{key: k.signing, v1: true, v2: true}}
	}
}
