package identity

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

const (
	maxKeys       = 1000 // in one key set
	minModulus    = 2048 // bits
	maxModulus    = 8192
	minExponent   = 1<<16 + 1
	tenantIDToken = "{tenantid}" // Microsoft's placeholder in issuers that stand for many tenants
)

// verificationKey is one RSA key of a key set. It is immutable; a refresh that finds the same JWK keeps the object.
type verificationKey struct {
	id     string
	issuer string // whom the key may sign for; empty means no such limit
	public *rsa.PublicKey
	since  time.Time // when the fetch began that first found it
}

// keySet is a key set as it was fetched: immutable, replaced whole.
type keySet struct {
	keys map[string][]*verificationKey // by kid, usable ones
	// listed holds the kids of entries that were skipped, so that their tokens get the right answer and cause no refresh.
	listed map[string]string
	// skipped counts entries that are not keys to verify access tokens with.
	skipped int

	fetched time.Time // when the fetch began
	landed  time.Time // when it was done
	expires time.Time // the end of the TTL
	clock   serverClock
}

// jwk is a JSON Web Key (RFC 7517 §4) with Microsoft's two additions.
type jwk struct {
	KeyType, Use, Algorithm, ID, N, E string
	Operations                        []string
	Issuer, CloudInstance             string
	secret                            bool // one of secretMembers is there
}

// secretMembers tell a private key (RFC 7518 §6.3.2) or a symmetric one (§6.4.1): whoever has read them can sign. Any one of the
// factors and exponents of a private key gives the others away.
var secretMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// UnmarshalJSON goes through a map, because the names of members differ by case: a USE must not replace the use. It reads on
// after a member of a wrong type, so that the kid is known.
func (j *jwk) UnmarshalJSON(entry []byte) error {
	var members map[string]json.RawMessage
	err := json.Unmarshal(entry, &members)
	for name, value := range map[string]any{
		"kty": &j.KeyType, "use": &j.Use, "key_ops": &j.Operations, "alg": &j.Algorithm, "kid": &j.ID, "n": &j.N, "e": &j.E,
		"issuer": &j.Issuer, "cloud_instance_name": &j.CloudInstance,
	} {
		if raw, ok := members[name]; ok {
			err = errors.Join(err, json.Unmarshal(raw, value))
		}
	}
	for _, name := range secretMembers {
		_, ok := members[name]
		j.secret = j.secret || ok
	}
	return err
}

// noKeyError is a key set without a usable key.
type noKeyError struct{ set *keySet }

// Error says why the first entry, by kid, cannot be used: often all of them share the fault.
func (e *noKeyError) Error() string {
	text := "no usable RSA key in the set"
	if len(e.set.listed) == 0 {
		return text
	}
	kid := slices.Min(slices.Collect(maps.Keys(e.set.listed)))
	return fmt.Sprintf("%s; of %q: %s", text, kid, e.set.listed[kid])
}

// parseKeySet reads a JWKS document. Entries that are not usable are skipped and counted; a set without a usable key is an
// error. Keys that old holds too are taken from there.
func parseKeySet(document []byte, cloudInstance string, now time.Time, old *keySet) (*keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than %d", len(doc.Keys), maxKeys)
	}
	set := &keySet{keys: make(map[string][]*verificationKey), listed: make(map[string]string), fetched: now}
	for _, entry := range doc.Keys {
		var j jwk
		if err := json.Unmarshal(entry, &j); err != nil {
			set.skipped++
			if j.ID != "" { // a member of a wrong type: the rest is read all the same
				set.listed[j.ID] = "the entry is malformed"
			}
			continue
		}
		set.add(j, cloudInstance, old)
	}
	set.dropAmbiguous()
	if len(set.keys) == 0 {
		return nil, &noKeyError{set}
	}
	return set, nil
}

// add takes an entry in, or skips and counts it.
func (s *keySet) add(j jwk, cloudInstance string, old *keySet) {
	if j.ID == "" || len(j.ID) > maxKID {
		s.skipped++
		return
	}
	public, err := j.publicKey(cloudInstance)
	if err != nil {
		s.skipped++
		s.listed[j.ID] = err.Error()
		return
	}
	key := &verificationKey{id: j.ID, issuer: strings.TrimSpace(j.Issuer), public: public, since: s.fetched}
	if slices.ContainsFunc(s.keys[j.ID], key.equal) {
		return // identical material counts once
	}
	s.keys[j.ID] = append(s.keys[j.ID], old.same(key))
}

// publicKey returns the RSA key of an entry, or why the entry is none to verify access tokens with.
func (j *jwk) publicKey(cloudInstance string) (*rsa.PublicKey, error) {
	switch {
	case j.KeyType != "RSA":
		return nil, errors.New("kty is not RSA")
	case j.Use != "" && j.Use != "sig":
		return nil, errors.New("use is not sig") // RFC 7517 §4.2
	case j.Operations != nil && !slices.Contains(j.Operations, "verify"):
		return nil, errors.New("key_ops lacks verify") // RFC 7517 §4.3
	case j.Algorithm != "" && j.Algorithm != algorithm:
		return nil, errors.New("alg is not RS256") // RFC 7517 §4.4
	case j.secret:
		return nil, errors.New("it publishes a private or symmetric key")
	case j.CloudInstance != "" && cloudInstance != "" && j.CloudInstance != cloudInstance:
		return nil, errors.New("cloud_instance_name is not that of the discovery document")
	}
	n, err := base64.RawURLEncoding.Strict().DecodeString(j.N)
	if err != nil {
		return nil, errors.New("n is not base64url")
	}
	e, err := base64.RawURLEncoding.Strict().DecodeString(j.E)
	if err != nil {
		return nil, errors.New("e is not base64url")
	}
	return rsaKey(new(big.Int).SetBytes(n), new(big.Int).SetBytes(e))
}

// rsaKey checks the size and form of a key. Whether an odd modulus has two large prime factors nobody but its owner can tell.
func rsaKey(n, e *big.Int) (*rsa.PublicKey, error) {
	switch {
	case n.BitLen() < minModulus || n.BitLen() > maxModulus:
		return nil, fmt.Errorf("the modulus has %d bits", n.BitLen())
	case n.Bit(0) == 0:
		return nil, errors.New("the modulus is even")
	case roca(n):
		return nil, errors.New("the modulus is one that can be factored (ROCA)")
	case e.BitLen() > 31 || e.Int64() < minExponent || e.Bit(0) == 0:
		return nil, errors.New("the exponent is even, below 65537 or above 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k *verificationKey) equal(other *verificationKey) bool {
	return k.id == other.id && k.issuer == other.issuer && k.public.Equal(other.public)
}

// same returns the key object of s that equals key, or key.
func (s *keySet) same(key *verificationKey) *verificationKey {
	if s == nil {
		return key
	}
	for _, k := range s.keys[key.id] {
		if k.equal(key) {
			return k
		}
	}
	return key
}

// dropAmbiguous makes a kid unusable where two different keys of it may sign for the same issuer: which of them is meant
// cannot be told, and trying both would let one stand in for the other. Nor does a third key then, one that is bound to no issuer,
// stand in for them: it would sign for that issuer too.
func (s *keySet) dropAmbiguous() {
	for id, keys := range s.keys {
		issuers := make(map[string]int, len(keys))
		for _, k := range keys {
			issuers[k.issuer]++
		}
		ambiguous := len(issuers) < len(keys)
		usable := slices.DeleteFunc(keys, func(k *verificationKey) bool {
			return issuers[k.issuer] > 1 || ambiguous && k.issuer == ""
		})
		s.skipped += len(keys) - len(usable)
		if len(usable) == 0 {
			delete(s.keys, id)
			s.listed[id] = "several keys have this kid"
			continue
		}
		s.keys[id] = usable
	}
}

var errNoSuchKey = errors.New("the key set has no such kid")

// lookUp returns the one key that may verify a token of this kid and signer.
func (s *keySet) lookUp(kid string, signer signer) (*verificationKey, error) {
	if !s.has(kid) {
		return nil, newError(ErrKeyNotFound, errNoSuchKey)
	}
	return s.key(kid, signer)
}

// has reports whether the set lists a kid, usable or not.
func (s *keySet) has(kid string) bool {
	_, listed := s.listed[kid]
	return listed || len(s.keys[kid]) > 0
}

// key is lookUp in a set that lists the kid.
func (s *keySet) key(kid string, signer signer) (*verificationKey, error) {
	candidates := s.keys[kid]
	if len(candidates) == 0 {
		return nil, newError(ErrKeyUnusable, errors.New(s.listed[kid]))
	}
	if len(candidates) == 1 {
		if !signer.mayUse(candidates[0]) {
			return nil, newError(ErrKeyIssuer, fmt.Errorf("the key signs for %s", candidates[0].issuer))
		}
		return candidates[0], nil
	}
	var fitting *verificationKey
	for _, k := range candidates {
		if k.issuer == "" || !signer.mayUse(k) {
			continue
		}
		if fitting != nil && !fitting.public.Equal(k.public) { // identical material counts once
			return nil, newError(ErrKeyUnusable, errors.New("several keys have this kid"))
		}
		fitting = k
	}
	if fitting == nil {
		return nil, newError(ErrKeyUnusable, errors.New("several keys have this kid, and none signs for the token's issuer"))
	}
	return fitting, nil
}

// signer is whom a token says it was signed by, as far as the issuer rule of Microsoft's keys is concerned.
type signer struct {
	issuer Issuer
	tenant *Tenant // the one that issues with issuer
}

// mayUse applies the issuer of a key. One with the placeholder signs for every tenant; one without it for that issuer alone,
// which keeps the keys of personal accounts away from organisations.
func (s signer) mayUse(k *verificationKey) bool {
	if k.issuer == "" {
		return true
	}
	if s.fits(k.issuer, s.issuer.Raw) {
		return true
	}
	// Only v2.0 documents bind keys; the tenant's v2.0 issuer stands for its v1.0 issuer there.
	v2 := s.tenant.v2Issuer()
	return v2 != "" && v2 != s.issuer.Raw && s.fits(k.issuer, v2)
}

// fits reports whether issuer is what template says, with the tenant in the place of the placeholder.
func (s signer) fits(template, issuer string) bool {
	before, after, templated := strings.Cut(template, tenantIDToken)
	if !templated {
		return template == issuer
	}
	rest, ok := strings.CutPrefix(issuer, before)
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, s.issuer.TenantID)
	return ok && rest == after
}
