package identity

import (
	"errors"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// The JSON of a token is read by this scanner and nothing else. It takes exactly what RFC 8259 §2 to §8 allow and, where
// that leaves room for two readers to see two different tokens, refuses: invalid UTF-8, half a surrogate pair, equal
// member names (§4), deep nesting (§9). The source is bounded by maxToken before it gets here; the other bounds keep a stranger's
// token from costing much more than a usual one of its size.

const (
	maxDepth    = 16   // objects and arrays inside each other, the outermost object included
	maxMembers  = 500  // of one object
	maxElements = 1000 // of one array; Microsoft stops at 200 groups
	maxName     = 1024 // bytes of a member's name
	maxFolded   = 2048 // bytes beyond ASCII in the names of the outermost object together: folding those is slow
)

var (
	errSyntax    = errors.New("not a JSON object by RFC 8259")
	errDepth     = errors.New("the JSON is nested too deep")
	errEncoding  = errors.New("a JSON string is not valid Unicode")
	errDuplicate = errors.New("two JSON members have the same name, or differ in case only")
	errMembers   = errors.New("a JSON object has more than 500 members")
	errElements  = errors.New("a JSON array has more than 1,000 elements")
	errName      = errors.New("a JSON member's name is longer than 1 KiB, or the names have too many characters beyond ASCII")
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

	pos    int    // behind the last member
	seen   uint64 // the names so far that we decide by, one bit each; the others are in scanner.names, folded
	beyond int    // bytes beyond ASCII in those
}

// next reads one member, and holds its name against the stricter rules for the outermost object.
func (r *objectReader) next() bool {
	if !r.member() {
		if r.fault == nil && !unique(r.names.from(0)) {
			r.fail(errDuplicate)
		}
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
	if bits.OnesCount64(r.seen)+r.names.n > maxMembers {
		r.fail(errMembers)
	}
	return r.fault == nil
}

// saw reports whether there was a member of this name, one that we decide by.
func (r *objectReader) saw(name string) bool { return r.seen&knownName(name) != 0 }

// foreign checks a name that we do not decide by: readers that ignore case, encoding/json among them, must not take it
// for one that we do, nor for another one of its kind.
func (r *objectReader) foreign() {
	if !folds(r.name) {
		r.names.push(r.name)
		return
	}
	if r.beyond += beyondASCII(r.name); r.beyond > maxFolded {
		r.fail(errName)
		return
	}
	folded := foldName(r.name)
	if folded != r.name && knownName(folded) != 0 {
		r.fail(errLookalike)
	}
	r.names.push(folded)
}

// member reads one member as it stands.
func (r *objectReader) member() (more bool) {
	i := r.pos
	if r.compact(i) {
		return true
	}
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

// compact reads a member at i if it is written as nearly all of a token are: behind a comma, without blanks, a string without escapes.
// Whatever else there is it leaves to the rest of member.
func (r *objectReader) compact(i int) bool {
	src := r.src
	if i == 0 || len(src)-i < 2 || src[i] != ',' || src[i+1] != '"' {
		return false
	}
	name := i + 2
	nameEnd := skipPlain(src, name)
	if len(src)-nameEnd < 3 || src[nameEnd] != '"' || src[nameEnd+1] != ':' || src[nameEnd+2] != '"' || nameEnd-name > maxName {
		return false
	}
	value := nameEnd + 2
	valueEnd := skipPlain(src, value+1)
	if valueEnd == len(src) || src[valueEnd] != '"' {
		return false
	}
	r.name, r.value, r.pos = src[name:nameEnd], src[value:valueEnd+1], valueEnd+1
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
	names nameStack // of the objects that the position is in, the innermost object's last
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
	outer := s.names.n
	var name string
	i, more := s.open(i, '{', '}')
	for more {
		if name, i = s.memberName(i); i < 0 {
			return i
		}
		if s.names.push(name); s.names.n-outer > maxMembers {
			return s.fail(errMembers)
		}
		if i = s.skip(i, depth); i < 0 {
			return i
		}
		i, more = s.comma(i, '}')
	}
	if !unique(s.names.from(outer)) {
		return s.fail(errDuplicate)
	}
	s.names.drop(outer)
	return i
}

func (s *scanner) array(i, depth int) int {
	if depth > maxDepth {
		return s.fail(errDepth)
	}
	i, more := s.open(i, '[', ']')
	for n := 1; more; n++ {
		if n > maxElements {
			return s.fail(errElements)
		}
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
	if len(name) > maxName {
		return "", s.fail(errName)
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
