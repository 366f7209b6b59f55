package identity

// ExactTTL takes the spread off the lifetime of the key sets that v fetches from now on, so that a test knows when 80 % of it
// are over.
func ExactTTL(v *Verifier) {
	v.keys.jitter = func() float64 { return 1 }
}
