package identity

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameStack holds names. It needs no memory of its own for a few.
type nameStack struct {
	n    int
	few  [20]string
	many []string // all of them, once they are more
}

func (s *nameStack) push(name string) {
	switch {
	case s.many != nil:
		s.many = append(s.many, name)
	case s.n < len(s.few):
		s.few[s.n] = name
	default:
		s.many = append(make([]string, 0, 4*len(s.few)), s.few[:]...)
		s.many = append(s.many, name)
	}
	s.n++
}

// from is all but the first i names.
func (s *nameStack) from(i int) []string {
	if s.many != nil {
		return s.many[i:]
	}
	return s.few[i:s.n]
}

// drop leaves the first n names.
func (s *nameStack) drop(n int) {
	s.n = n
	if s.many != nil {
		s.many = s.many[:n]
	}
}

// nameSeed is random, so that nobody can make up names that collide.
var nameSeed = maphash.MakeSeed()

// unique reports whether no two of the names of one object are equal.
func unique(names []string) bool {
	if len(names) <= 16 {
		for i, name := range names {
			for _, other := range names[:i] {
				if name == other {
					return false
				}
			}
		}
		return true
	}
	// A hash table with twice the room that is needed, each slot the place of a name, counted from one.
	var slots [1024]uint16
	for i, name := range names {
		slot := maphash.String(nameSeed, name) % uint64(len(slots))
		for ; slots[slot] != 0; slot = (slot + 1) % uint64(len(slots)) {
			if names[slots[slot]-1] == name {
				return false
			}
		}
		slots[slot] = uint16(i + 1)
	}
	return true
}

// mix tells most names apart by their length and three letters. Its factors are chosen for knownSlots.
func mix(name string) uint {
	n := uint(len(name))
	if n == 0 {
		return 0
	}
	return (n + uint(name[0]) + 6*uint(name[n/2]) + 10*uint(name[n-1])) % 64
}

// folds reports whether foldName may change a name. Names of claims are lower-case ASCII, nearly all of them.
func folds(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

// beyondASCII counts the bytes of characters beyond ASCII.
func beyondASCII(name string) (n int) {
	for i := range len(name) {
		n += int(name[i] >> 7)
	}
	return n
}

// foldName maps names that differ in case only to one spelling: the first of the characters that are equal under Unicode
// simple case folding, or its ASCII lower-case letter. So ſ (U+017F) becomes s, and the Kelvin sign becomes k.
func foldName(name string) string {
	if folds(name) {
		return strings.Map(foldRune, name)
	}
	return name
}

func foldRune(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
