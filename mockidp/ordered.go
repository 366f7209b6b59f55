package mockidp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// object is a JSON object that keeps the order of its members, so that documents and tokens look as Microsoft's do.
type object []member

type member struct {
	name  string
	value any
}

func (o *object) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

func (o *object) remove(name string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.name == name })
}

// edit lets f change the members as a map. New ones come last, in the order of their names.
func (o *object) edit(f func(map[string]any)) {
	values := make(map[string]any, len(*o))
	for _, m := range *o {
		values[m.name] = m.value
	}
	f(values)
	*o = slices.DeleteFunc(*o, func(m member) bool { _, kept := values[m.name]; return !kept })
	for _, name := range slices.Sorted(maps.Keys(values)) {
		o.set(name, values[name])
	}
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := plainJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", m.name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// text panics when a value that the caller gave is not JSON.
func (o object) text() string {
	b, err := o.MarshalJSON()
	if err != nil {
		panic("mockidp: " + err.Error())
	}
	return string(b)
}

// plainJSON does not escape <, > and &, which no identity provider does either.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
