package identity

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The JSON of a token is read by this scanner and nothing else. It takes exactly what RFC 8259 §2 to §8 allow and, where
// that leaves room for two readers to see two different tokens, refuses: invalid UTF-8, half a surrogate pair, equal
// member names (§4), deep nesting (§9). The source is bounded by maxToken before it gets here.

// maxDepth bounds the objects and arrays inside each other, the outermost object included.
const maxDepth = 16

var (
	errSyntax    = errors.New("not a JSON object by RFC 8259")
	errDepth     = errors.New("the JSON is nested too deep")
	errEncoding  = errors.New("a JSON string is not valid Unicode")
	errDuplicate = errors.New("two JSON members have the same name, or differ in case only")
	errLookalike = errors.New("a JSON member's name differs from a known one in case only")
)

// objectReader walks over the members of the outermost object:
//
//	r := objectReader{scanner: scanner{src: document}}
//	for r.next() {
//		use(r.name, r.value)
//	}
//	return r.fault
//
// The members are to be believed only when the walk has come to its end without a fault.
type objectReader struct {
	scanner
	name  string // unescaped
	value string // as written, a string with its quotes

	pos   int     // behind the last member
	seen  uint64  // the names so far that we decide by, one bit each
	names nameSet // the others, folded
}

// next reads one member, and holds its name against the stricter rules for the outermost object.
func (r *objectReader) next() bool {
	if !r.member() {
		return false
	}
	known := knownName(r.name)
	switch {
	case known == 0:
		r.foreign()
	case r.seen&known != 0:
		r.fail(errDuplicate)
	}
	r.seen |= known
	return r.fault == nil
}

// saw reports whether there was a member of this name, one that we decide by.
func (r *objectReader) saw(name string) bool { return r.seen&knownName(name) != 0 }

// foreign checks a name that we do not decide by: readers that ignore case, encoding/json among them, must not take it
// for one that we do, nor for another one of its kind.
func (r *objectReader) foreign() {
	folded := foldName(r.name)
	if folded != r.name && knownName(folded) != 0 {
		r.fail(errLookalike)
	} else if !r.names.add(folded) {
		r.fail(errDuplicate)
	}
}

// member reads one member as it stands.
func (r *objectReader) member() (more bool) {
	i := r.pos
	if i == 0 {
		i, more = r.open(r.space(0), '{', '}')
	} else {
		i, more = r.comma(i, '}')
	}
	if !more {
		r.end(i)
		return false
	}
	if r.name, i = r.memberName(i); i < 0 {
		return false
	}
	if r.pos = r.skip(i, 1); r.pos < 0 {
		return false
	}
	r.value = r.src[i:r.pos]
	return true
}

// end sees to it that nothing but blanks follows the object.
func (r *objectReader) end(i int) {
	if i >= 0 && r.space(i) < len(r.src) {
		r.fail(errSyntax)
	}
}

// scanner steps through a JSON text. Its methods take a position and return the one behind what they read, or -1 when
// there is a fault, which ends the scan.
type scanner struct {
	src   string
	fault error
}

func (s *scanner) fail(fault error) int {
	s.fault = fault
	return -1
}

// at is a byte of the text, zero at its end: a zero byte is legal nowhere in JSON.
func (s *scanner) at(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

func (s *scanner) space(i int) int {
	for i < len(s.src) && s.src[i] <= ' ' && blank(s.src[i]) {
		i++
	}
	return i
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skip steps over one value inside depth objects and arrays, checking every byte of it.
func (s *scanner) skip(i, depth int) (end int) {
	switch s.at(i) {
	case '"':
		end, _ = s.quoted(i)
		return end
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) object(i, depth int) int {
	if depth > maxDepth {
		return s.fail(errDepth)
	}
	var names nameSet
	var name string
	i, more := s.open(i, '{', '}')
	for more {
		if name, i = s.memberName(i); i < 0 {
			return i
		}
		if !names.add(name) {
			return s.fail(errDuplicate)
		}
		if i = s.skip(i, depth); i < 0 {
			return i
		}
		i, more = s.comma(i, '}')
	}
	return i
}

func (s *scanner) array(i, depth int) int {
	if depth > maxDepth {
		return s.fail(errDepth)
	}
	i, more := s.open(i, '[', ']')
	for more {
		if i = s.skip(i, depth); i < 0 {
			return i
		}
		i, more = s.comma(i, ']')
	}
	return i
}

// open reads the begin of an object or array. There is more if it is not empty.
func (s *scanner) open(i int, opening, closing byte) (next int, more bool) {
	if s.at(i) != opening {
		return s.fail(errSyntax), false
	}
	i = s.space(i + 1)
	if s.at(i) == closing {
		return i + 1, false
	}
	return i, true
}

// comma reads what follows an element: a comma if there is more, or the end of the object or array.
func (s *scanner) comma(i int, closing byte) (next int, more bool) {
	i = s.space(i)
	switch s.at(i) {
	case ',':
		return s.space(i + 1), true
	case closing:
		return i + 1, false
	}
	return s.fail(errSyntax), false
}

// memberName reads a name and the colon, up to the value.
func (s *scanner) memberName(i int) (name string, next int) {
	end, escaped := s.quoted(i)
	if end < 0 {
		return "", end
	}
	name = s.src[i+1 : end-1]
	if escaped {
		name = unescape(name)
	}
	if i = s.space(end); s.at(i) != ':' {
		return "", s.fail(errSyntax)
	}
	return name, s.space(i + 1)
}

func (s *scanner) literal(i int, word string) int {
	if !strings.HasPrefix(s.src[i:], word) {
		return s.fail(errSyntax)
	}
	return i + len(word)
}

// number follows the grammar of RFC 8259 §6. A digit after a leading zero is left for the caller to stumble over.
func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return i
	}
	if s.at(i) == '.' {
		if i = s.digits(i + 1); i < 0 {
			return i
		}
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits steps over digits, at least one.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.src) && s.src[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return s.fail(errSyntax)
	}
	return i
}

// quoted steps over a string with its quotes, and tells whether it holds escapes.
func (s *scanner) quoted(i int) (end int, escaped bool) {
	if s.at(i) != '"' {
		return s.fail(errSyntax), false
	}
	for i++; ; {
		i = skipPlain(s.src, i)
		switch c := s.at(i); {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			i = s.escape(i)
		case c >= utf8.RuneSelf:
			i = s.rune(i)
		default: // a control character, or the end
			i = s.fail(errSyntax)
		}
		if i < 0 {
			return i, false
		}
	}
}

func (s *scanner) rune(i int) int {
	r, size := utf8.DecodeRuneInString(s.src[i:])
	if r == utf8.RuneError && size == 1 {
		return s.fail(errEncoding)
	}
	return i + size
}

// The letters that may follow a backslash, and what they mean (RFC 8259 §7).
const (
	escapeLetters  = `"\/bfnrt`
	escapeMeanings = "\"\\/\b\f\n\r\t"
)

// escape steps over one escape, or over the two of a surrogate pair.
func (s *scanner) escape(i int) int {
	rest := s.src[i:]
	if len(rest) > 1 && strings.IndexByte(escapeLetters, rest[1]) >= 0 {
		return i + 2
	}
	r, size := unicodeEscape(rest)
	if size == 0 {
		return s.fail(errSyntax)
	}
	if r == loneSurrogate {
		return s.fail(errEncoding)
	}
	return i + size
}

const loneSurrogate rune = -1

// unicodeEscape decodes the \uXXXX that s begins with, or the two that make up one character beyond the first 65,536
// (RFC 8259 §7). The size is zero if the digits are wrong.
func unicodeEscape(s string) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, _ := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); r == unicode.ReplacementChar {
		return loneSurrogate, 6
	}
	return r, 12
}

// hex4 reads the four digits of the \uXXXX that s begins with.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// unescape decodes the inside of a string that was scanned before.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return string(append(b, s...))
		}
		b = append(b, s[:i]...)
		s = s[i:]
		if s[1] == 'u' {
			r, size := unicodeEscape(s)
			b, s = utf8.AppendRune(b, r), s[size:]
			continue
		}
		b, s = append(b, escapeMeanings[strings.IndexByte(escapeLetters, s[1])]), s[2:]
	}
}

// skipPlain finds the first byte from i on that is not simply a part of a string: a quote, a backslash, a control
// character, or a byte beyond ASCII. Most of a token is plain, so eight bytes are looked at in one go: a byte to stop at
// gets its top bit set. Flipping bit 1 puts the quote next to the control characters, and a subtraction tells who is
// below. What it borrows spoils only bytes behind the first one to stop at.
func skipPlain(s string, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		x := load8(s[i : i+8])
		below := (x ^ ones*2) - ones*0x21
		backslash := (x ^ ones*'\\') - ones
		if stop := (x | below | backslash) & tops; stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// load8 compiles to one load.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// nameSet holds the names of one object. A usual object needs no allocation; a large one gets a map, whose hash is seeded
// at random, so that nobody can make up names that collide.
type nameSet struct {
	marks uint64 // one bit per value of mix; a clear one tells that the name is new
	n     int
	few   [32]string
	many  map[string]struct{}
}

// add is false if the name was there already.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		n := len(s.many)
		s.many[name] = struct{}{}
		return len(s.many) > n
	}
	mark := uint64(1) << mix(name)
	if s.marks&mark != 0 {
		for _, other := range s.few[:s.n] {
			if other == name {
				return false
			}
		}
	}
	s.marks |= mark
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 8*len(s.few))
	for _, other := range s.few {
		s.many[other] = struct{}{}
	}
	s.many[name] = struct{}{}
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

// foldName maps names that differ in case only to one spelling: the first of the characters that are equal under Unicode
// simple case folding, or its ASCII lower-case letter. So ſ (U+017F) becomes s, and the Kelvin sign becomes k.
func foldName(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.Map(foldRune, name)
		}
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
