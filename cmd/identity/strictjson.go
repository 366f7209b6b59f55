package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/echo-identity/identity"
)

// strictReader reads JSON into Go values as they are declared: members have the very names of the fields. What encoding/json lets
// pass is a fault here: a member twice, in another case or that there is not, null, text after the end. It gathers all faults but those
// of syntax, the first of which ends it.
type strictReader struct {
	text    []byte
	dec     *json.Decoder
	lines   map[string]int // by path, where a value begins
	faults  []string       // ":line: path: what", of the file
	ended   bool           // by a fault of syntax
	special map[reflect.Type]func(r *strictReader, v reflect.Value, path string)

	counted, newlines int // of the text up to the first
}

func newStrictReader(text []byte) *strictReader {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // which some editors on Windows write
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &strictReader{text: text, dec: dec, lines: make(map[string]int)}
}

// document reads all of the text.
func (r *strictReader) document(v reflect.Value) {
	if !utf8.Valid(r.text) {
		r.faults = append(r.faults, "the text is not UTF-8")
		return
	}
	r.value(v, "")
	if len(r.faults) > 0 {
		return
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		r.faults = append(r.faults, fmt.Sprintf(":%d: something stands after the end of the object", r.line(r.here())))
	}
}

// here is where the next token begins.
func (r *strictReader) here() int {
	at := int(r.dec.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return at
}

// line counts on from where it was asked last, unless that is further on.
func (r *strictReader) line(at int) int {
	at = min(at, len(r.text))
	if at < r.counted {
		r.counted, r.newlines = 0, 0
	}
	r.newlines += bytes.Count(r.text[r.counted:at], []byte("\n"))
	r.counted = at
	return 1 + r.newlines
}

// lineOf is where the value of a path begins, or the one that it would be in.
func (r *strictReader) lineOf(path string) (line int, ok bool) {
	for path != "" {
		if line, ok := r.lines[path]; ok {
			return line, true
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0, false
}

// fault notes what is wrong with the value of a path.
func (r *strictReader) fault(path, what string) {
	line, ok := r.lines[path]
	if !ok {
		line = r.line(r.here())
	}
	if path != "" {
		what = path + ": " + what
	}
	r.faults = append(r.faults, fmt.Sprintf(":%d: %s", line, what))
}

// syntax notes the error that ends the reading.
func (r *strictReader) syntax(err error) {
	what, at := err.Error(), r.here()
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = int(e.Offset) - 1 // it counts the byte that it is about
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		what, at = "the text ends too early", len(r.text)
	}
	r.faults, r.ended = append(r.faults, fmt.Sprintf(":%d: not JSON: %s", r.line(at), what)), true
}

// value reads the next value into v.
func (r *strictReader) value(v reflect.Value, path string) {
	r.lines[path] = r.line(r.here())
	if read, ok := r.special[v.Type()]; ok {
		read(r, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		r.value(p.Elem(), path)
		v.Set(p)
	case reflect.Struct:
		r.object(v, path)
	case reflect.Slice:
		r.array(v, path)
	default:
		r.scalar(v, path)
	}
}

// skip passes over a value and returns it.
func (r *strictReader) skip() (raw json.RawMessage, ok bool) {
	if err := r.dec.Decode(&raw); err != nil {
		r.syntax(err)
	}
	return raw, !r.ended
}

// token reads a bracket or a name.
func (r *strictReader) token() json.Token {
	token, err := r.dec.Token()
	if err != nil {
		r.syntax(err)
	}
	return token
}

// opens reads the bracket that an object or a list begins with. Any other value is a fault, and passed over.
func (r *strictReader) opens(bracket byte, path, want string) bool {
	if at := r.here(); at < len(r.text) && r.text[at] != bracket {
		if raw, ok := r.skip(); ok {
			r.fault(path, fmt.Sprintf("%s is not %s", kindOf(raw), want))
		}
		return false
	}
	r.token()
	return !r.ended
}

func (r *strictReader) object(v reflect.Value, path string) {
	if !r.opens('{', path, "an object") {
		return
	}
	seen := make(map[string]int)
	for r.dec.More() {
		line := r.line(r.here())
		name, _ := r.token().(string)
		if r.ended {
			return
		}
		member := name
		if strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
			member = strconv.Quote(name)
		}
		if path != "" {
			member = path + "." + member
		}
		field, why := fieldOf(v, name)
		if first, twice := seen[name]; twice {
			field, why = reflect.Value{}, fmt.Sprintf("it is there already, in line %d", first)
		} else {
			seen[name] = line
		}
		if field.IsValid() {
			r.value(field, member)
		} else if _, ok := r.skip(); ok {
			r.faults = append(r.faults, fmt.Sprintf(":%d: %s: %s", line, member, why))
		}
		if r.ended {
			return
		}
	}
	r.token()
}

func (r *strictReader) array(v reflect.Value, path string) {
	if !r.opens('[', path, "a list") {
		return
	}
	for i := 0; r.dec.More(); i++ {
		element := reflect.New(v.Type().Elem()).Elem()
		r.value(element, fmt.Sprintf("%s[%d]", path, i))
		if r.ended {
			return
		}
		v.Set(reflect.Append(v, element))
	}
	r.token()
}

// scalar reads a string, number, boolean or duration. It reports whether there was one.
func (r *strictReader) scalar(v reflect.Value, path string) bool {
	raw, ok := r.skip()
	if !ok {
		return false
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		var text string
		if raw[0] != '"' {
			r.fault(path, fmt.Sprintf(`%s is not a duration such as "1m"`, kindOf(raw)))
			return false
		}
		json.Unmarshal(raw, &text) // it is a string
		d, err := time.ParseDuration(text)
		if err != nil {
			r.fault(path, fmt.Sprintf(`%q is not a duration such as "90s", "1m" or "1h30m"`, text))
			return false
		}
		v.SetInt(int64(d))
		return true
	}
	want := map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false"}[v.Kind()]
	if v.CanInt() {
		want = "a whole number"
	}
	if raw[0] == 'n' || json.Unmarshal(raw, v.Addr().Interface()) != nil {
		r.fault(path, fmt.Sprintf("%s is not %s", kindOf(raw), want))
		return false
	}
	return true
}

// kindOf names a value in a sentence.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		if len(raw) > 40 {
			return "a string"
		}
	}
	return string(raw)
}

// tenantSource is the one interface that a file can fill: with a list.
var (
	tenantSource = reflect.TypeFor[identity.TenantSource]()
	rootPackage  = reflect.TypeFor[identity.Config]().PkgPath()
)

// fieldOf finds the field of a name, or says why there is none.
func fieldOf(v reflect.Value, name string) (field reflect.Value, why string) {
	var known []string
	for f, value := range v.Fields() {
		if !f.IsExported() {
			continue
		}
		fits := readable(f.Type)
		if f.Name == name && !fits {
			return reflect.Value{}, "only code can set it, not a file"
		}
		if f.Name == name {
			return value, ""
		}
		if fits && strings.EqualFold(f.Name, name) {
			return reflect.Value{}, "no such field: it is written " + f.Name
		}
		if fits {
			known = append(known, f.Name)
		}
	}
	return reflect.Value{}, "no such field: there are " + strings.Join(known, ", ")
}

// readable tells whether a file can say what a value of a type is: the structs of the package identity, and what they are made of down
// to plain values. Functions, interfaces and the structs of other packages it cannot.
func readable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	case reflect.Slice:
		return readable(t.Elem())
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct && readable(t.Elem())
	case reflect.Struct:
		return t.PkgPath() == rootPackage && slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
			return f.IsExported() && readable(f.Type)
		})
	}
	return t == tenantSource
}
