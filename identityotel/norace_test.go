//go:build !race

package identityotel_test

const raceEnabled = false
