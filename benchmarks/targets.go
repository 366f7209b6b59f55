package main

// What this project promises, in RSA verifications where nothing else is said.
const (
	coldTarget     = 1.10 // the whole Echo stack, cache off
	newTokenTarget = 1.15 // … with the cache on, and every token new
	tenantsTarget  = 0.02 // what a hundred thousand tenants may add

	warmOneTarget    = 0.03 // the whole Echo stack, one token
	warmUsersTarget  = 0.08 // … the tokens of all users
	warmAllocsTarget = 10

	junkTarget        = 0.02 // also for a token of a megabyte
	unknownTarget     = 0.08 // tenant or key
	hugeBytesTarget   = 4 << 10
	tenantBytesTarget = 300

	// speedupTarget is how much of what RSA gains from a second core requests have to gain, too. RSA shares nothing.
	speedupTarget = 0.85
	// constantTarget is what Add and Remove may cost with the most tenants, as a multiple of what they cost with ten: a map of ten
	// fits into the processor's first cache and one of a hundred thousand into none. Work that grew with the number would cost
	// thousands of times as much.
	constantTarget = 4

	slowdownTarget = 1.5  // of good requests in a flood, at their 99th percentile
	loadTarget     = 0.90 // of the throughput without authentication
)
