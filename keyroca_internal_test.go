package identity

import (
	"math/big"
	"testing"
)

// The fingerprint of ROCA, for numbers that have it by their making, and its neighbours.
func TestROCA(t *testing.T) {
	t.Parallel()
	// A power of 65537 modulo all the primes, and a multiple of their product on top, is what the chips made.
	product := big.NewInt(1)
	for _, p := range rocaPrimes {
		product.Mul(product, big.NewInt(p))
	}
	power := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), product)
	marked := power.Add(power, new(big.Int).Mul(product, new(big.Int).Lsh(big.NewInt(1), 1900)))
	if !roca(marked) {
		t.Error("got=false, want=true for a power of 65537")
	}
	for _, p := range rocaPrimes {
		other := new(big.Int).Add(marked, new(big.Int).Div(product, big.NewInt(p)))
		// Other residues modulo p alone: some are powers as well, not all.
		for range p {
			if !roca(other) {
				break
			}
			other.Add(other, new(big.Int).Div(product, big.NewInt(p)))
		}
		if roca(other) {
			t.Errorf("got=true for every residue modulo %d, want=false for some", p)
		}
	}
	if roca(product) {
		t.Error("got=true, want=false for a multiple of the primes")
	}
}
