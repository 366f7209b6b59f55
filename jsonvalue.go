package identity

import (
	"slices"
	"strings"
)

// lookupClaim finds the raw JSON of a member of an object that was validated before.
func lookupClaim(payload, name string) (raw string, ok bool) {
	r := objectReader{scanner: scanner{src: payload}}
	for r.member() {
		if r.name == name {
			return r.value, true
		}
	}
	return "", false
}

// stringValue decodes a JSON string. Anything else is none.
func stringValue(raw string) (s string, ok bool) {
	if raw == "" || raw[0] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	if strings.IndexByte(raw, '\\') >= 0 {
		return unescape(raw), true
	}
	return raw, true
}

// boolValue decodes a boolean, or the same as a string, which hasgroups can be.
func boolValue(raw string) (b, ok bool) {
	if s, isString := stringValue(raw); isString {
		return s == "true", true
	}
	return raw == "true", raw == "true" || raw == "false"
}

// accountValue decodes acct: 0 is a member, 1 a guest, as a number or in a string. Whatever else that says counts as a
// guest, who may do less.
func accountValue(raw string) (kind accountKind, ok bool) {
	s, isString := stringValue(raw)
	if !isString {
		s = raw
	}
	if s == "0" {
		return accountMember, true
	}
	return accountGuest, isString || isNumber(raw)
}

func isNumber(raw string) bool { return raw[0] == '-' || raw[0]-'0' <= 9 }

// stringList is a claim that is one string or an array of them. One string needs no allocation. An empty string alone
// counts as none: it names nothing.
type stringList struct {
	one  string   // while many is nil
	many []string // two or more
}

// listValue decodes a string or an array of strings. Anything else is none.
func listValue(raw string) (list stringList, ok bool) {
	if raw[0] != '[' {
		list.one, ok = stringValue(raw)
		return list, ok
	}
	n := 0
	last := ""
	if !eachString(raw, func(s string) { last = s; n++ }) {
		return stringList{}, false
	}
	if n <= 1 {
		list.one, _ = stringValue(last)
		return list, true
	}
	list.many = make([]string, 0, n)
	eachString(raw, func(s string) {
		s, _ = stringValue(s)
		list.many = append(list.many, s)
	})
	return list, true
}

// eachString visits the strings, as written, of an array that was validated before. It is false if there is something else than strings in it.
func eachString(array string, visit func(string)) bool {
	a := scanner{src: array}
	i, more := a.open(0, '[', ']')
	for more {
		end, _ := a.quoted(i)
		if end < 0 {
			return false
		}
		visit(array[i:end])
		i, more = a.comma(end, ']')
	}
	return true
}

func (l stringList) empty() bool { return l.one == "" && l.many == nil }

func (l stringList) contains(s string) bool {
	if l.many == nil {
		return s != "" && l.one == s
	}
	return slices.Contains(l.many, s)
}

// strings is a new slice of them, nil for none.
func (l stringList) strings() []string {
	if l.many == nil && l.one != "" {
		return []string{l.one}
	}
	return slices.Clone(l.many)
}

// numericDate is a time in seconds since 1970 (RFC 7519 §2).
type numericDate struct {
	unix    int64 // 0 to maxDate
	set     bool  // the claim is there
	invalid bool  // and is no such time
}

const maxDate = 253402300799 // the last second of the year 9999

// dateValue decodes a time and cuts its fraction off. The arithmetic is exact: no float64 rounds a time into the range.
// Nothing with a minus sign is a time, zero neither.
func dateValue(raw string) numericDate {
	invalid := numericDate{set: true, invalid: true}
	if raw[0]-'0' > 9 {
		return invalid
	}
	if seconds, ok := plainSeconds(raw); ok {
		return numericDate{unix: seconds, set: true}
	}
	whole, fraction, exponent := splitNumber(raw)
	seconds := int64(0)
	for i := range len(whole) + exponent { // the digits left of the point, once the exponent has moved it
		digit := byte('0')
		switch {
		case i < len(whole):
			digit = whole[i]
		case i < len(whole)+len(fraction):
			digit = fraction[i-len(whole)]
		case seconds == 0:
			return numericDate{set: true}
		}
		if seconds = seconds*10 + int64(digit-'0'); seconds > maxDate {
			return invalid
		}
	}
	return numericDate{unix: seconds, set: true}
}

// plainSeconds is a time as everybody writes it, in ten digits, up to the year 2286.
func plainSeconds(raw string) (seconds int64, ok bool) {
	if len(raw) != 10 {
		return 0, false
	}
	for i := range len(raw) {
		digit := raw[i] - '0'
		if digit > 9 {
			return 0, false
		}
		seconds = seconds*10 + int64(digit)
	}
	return seconds, true
}

// splitNumber takes a JSON number apart. The exponent stops at the size of a token, beyond which it makes no difference.
func splitNumber(raw string) (whole, fraction string, exponent int) {
	whole = raw
	e := strings.IndexByte(raw, 'e')
	if e < 0 {
		e = strings.IndexByte(raw, 'E')
	}
	if e >= 0 {
		whole = raw[:e]
		digits := strings.TrimLeft(raw[e+1:], "+-")
		for i := range len(digits) {
			exponent = min(exponent*10+int(digits[i]-'0'), maxToken)
		}
		if raw[e+1] == '-' {
			exponent = -exponent
		}
	}
	whole, fraction, _ = strings.Cut(whole, ".")
	return whole, fraction, exponent
}
