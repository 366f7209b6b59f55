package identity

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

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
	for i := 2; i < 6; i++ {
		digit := strings.IndexByte("0123456789abcdef", s[i]|' ') // a digit has that bit already
		if digit < 0 || s[i] < '0' {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
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
