package mockidp

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
)

// pool is RSA 2048 material shared by the servers of the process: a key takes a tenth of a second to make, and a test binary
// makes hundreds of servers. Each server counts for itself, so that material never repeats within one.
var pool struct {
	mu   sync.Mutex // guards keys; held while a key is made, so that two callers do not make the same one
	keys []*rsa.PrivateKey
}

// material is the pool's i-th key.
func material(i int) *rsa.PrivateKey {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for len(pool.keys) <= i {
		pool.keys = append(pool.keys, generateRSA(2048))
	}
	return pool.keys[i]
}

func generateRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(fmt.Sprintf("mockidp: RSA key of %d bits: %v", bits, err))
	}
	return key
}

// randomBytes never fails: crypto/rand ends the process instead.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
