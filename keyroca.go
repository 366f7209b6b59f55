package identity

import "math/big"

// rocaPrimes are small primes modulo which only some numbers are powers of 65537.
var rocaPrimes = [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// roca reports whether a modulus was made as Infineon's chips made theirs for years (CVE-2017-15361): such keys of 2048 bits can be
// factored. Both their primes, hence the modulus, are powers of 65537 modulo every small prime (Nemec and others, The Return of
// Coppersmith's Attack, CCS 2017, §2). Of sound keys one in 240 million has that property by chance.
func roca(n *big.Int) bool {
	for _, p := range rocaPrimes {
		if !powerOf65537(new(big.Int).Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

func powerOf65537(r, p int64) bool {
	power := int64(1)
	for range p {
		if power == r {
			return true
		}
		power = power * 65537 % p
	}
	return false
}
