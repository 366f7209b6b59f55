package mockidp

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// decodeStrict reads valid JSON into plain data: exact member names, each once, and no null. Unlike encoding/json it does not stop
// at the first fault; what cannot be read stays zero.
func decodeStrict(text []byte, into any, p *problems) {
	decodeValue(text, reflect.ValueOf(into).Elem(), "", p)
}

func decodeValue(raw json.RawMessage, v reflect.Value, path string, p *problems) {
	raw = bytes.TrimSpace(raw)
	is := jsonType(raw)
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		var text string
		if expect(is, "a string", path, p) && json.Unmarshal(raw, &text) == nil {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				p.add(path, "%v", err)
			}
		}
		return
	}
	if m, ok := v.Addr().Interface().(*members); ok {
		if expect(is, "an object", path, p) {
			m.decode(raw, path, p)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if expect(is, "an object", path, p) {
			decodeObject(raw, v, path, p)
		}
	case reflect.Slice:
		if expect(is, "a list", path, p) {
			decodeList(raw, v, path, p)
		}
	case reflect.String:
		decodeScalar(raw, v, is, "a string", path, p)
	case reflect.Bool:
		decodeScalar(raw, v, is, "true or false", path, p)
	case reflect.Int:
		if expect(is, "a number", path, p) && json.Unmarshal(raw, v.Addr().Interface()) != nil {
			p.add(path, "%s is not a whole number, or too large", raw)
		}
	default: // map[string]any: the values of claims are anything
		if expect(is, "an object", path, p) {
			decodeMap(raw, v, path, p)
		}
	}
}

// decodeMap reads an object of any members, each once.
func decodeMap(raw json.RawMessage, v reflect.Value, path string, p *problems) {
	seen := make(map[string]bool)
	eachMember(raw, path, p, func(name string, _ json.RawMessage) {
		if seen[name] {
			p.add(path+"."+name, "comes twice")
		}
		seen[name] = true
	})
	if json.Unmarshal(raw, v.Addr().Interface()) != nil {
		p.add(path, "cannot be read")
	}
}

func decodeScalar(raw json.RawMessage, v reflect.Value, is, want, path string, p *problems) {
	if expect(is, want, path, p) && json.Unmarshal(raw, v.Addr().Interface()) != nil {
		p.add(path, "cannot be read")
	}
}

// expect compares JSON types.
func expect(is, want, path string, p *problems) bool {
	if is != want {
		if path == "" {
			path = "the file"
		}
		p.add(path, "want %s, got %s", want, is)
	}
	return is == want
}

func jsonType(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

func decodeList(raw json.RawMessage, v reflect.Value, path string, p *problems) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		p.add(path, "cannot be read")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		decodeValue(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i), p)
	}
}

// decodeObject reads a struct member by member; encoding/json would take names in any case, and the last of two.
func decodeObject(raw json.RawMessage, v reflect.Value, path string, p *problems) {
	seen := make(map[string]bool)
	eachMember(raw, path, p, func(name string, value json.RawMessage) {
		at := path + "." + name
		field := fieldByTag(v, name)
		switch {
		case seen[name]:
			p.add(at, "comes twice")
		case !field.IsValid():
			p.add(at, "unknown member")
		default:
			decodeValue(value, field, at, p)
		}
		seen[name] = true
	})
}

// eachMember reads the members of an object in their order, those that come twice too.
func eachMember(raw json.RawMessage, path string, p *problems, read func(name string, value json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		p.add(path, "cannot be read")
		return
	}
	for d.More() {
		var value json.RawMessage
		token, err := d.Token()
		name, isName := token.(string)
		if err != nil || !isName || d.Decode(&value) != nil {
			p.add(path, "cannot be read")
			return
		}
		read(name, value)
	}
}

// fieldByTag finds the field that a member name means; the zero Value means none.
func fieldByTag(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}
