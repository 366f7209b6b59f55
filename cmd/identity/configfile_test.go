package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
)

// inFile writes a file of a test.
func inFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return path
}

// The example is read to the last field.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	c, err := readConfigFile("tenants.example.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.list) != 4 || c.Tenants.(*identity.Registry).Len() != 4 || !slices.Equal(names(c.list), []string{"contoso", "fabrikam", "shop", "customers"}) {
		t.Fatalf("got=%+v", c.list)
	}
	// What was read, written again with durations and clouds in their own types, is what stands there.
	want := new(struct {
		ClientID  string
		Audiences []string
		Tenants   []identity.Tenant
		Keys      struct{ MaxSets int }
		Resource  identity.Resource
	})
	if err := json.Unmarshal([]byte(exampleConfig), want); err != nil {
		t.Fatal(err)
	}
	want.Tenants[1].Cloud = identity.USGovernment
	if c.ClientID != want.ClientID || !reflect.DeepEqual(c.Audiences, want.Audiences) || !reflect.DeepEqual(c.list, want.Tenants) ||
		!reflect.DeepEqual(c.Resource, want.Resource) || c.Keys.MaxSets != want.Keys.MaxSets {
		t.Errorf("got=%+v\nwant=%+v", c, want)
	}
	if c.Leeway != time.Minute || c.Keys.TTL != time.Hour || c.Keys.MaxStale != 24*time.Hour || c.Keys.Cooldown != 30*time.Second || c.Keys.Timeout != 5*time.Second {
		t.Errorf("durations: got=%v %+v", c.Leeway, c.Keys)
	}
}

// onlyCode are the fields that a file cannot set.
var onlyCode = []string{"Skipper", "ErrorHandler", "Keys.HTTPClient", "Observe"}

// Every exported field of the configuration, a new one too, is in the example and in the help text, or known to be code.
func TestConfigFieldsAreCovered(t *testing.T) {
	t.Parallel()
	var example any
	if err := json.Unmarshal([]byte(exampleConfig), &example); err != nil {
		t.Fatal(err)
	}
	var walk func(typ reflect.Type, path string, values []any)
	walk = func(typ reflect.Type, path string, values []any) {
		switch {
		case typ == tenantSource:
			typ = reflect.TypeFor[identity.Tenant]()
			values = elements(values)
		case typ.Kind() == reflect.Pointer:
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for f := range typ.Fields() {
			if !f.IsExported() {
				continue
			}
			name := strings.TrimPrefix(path+"."+f.Name, ".")
			if slices.Contains(onlyCode, name) {
				if readable(f.Type) {
					t.Errorf("%s: a file can set it", name)
				}
				continue
			}
			var under []any
			for _, value := range values {
				if member, ok := value.(map[string]any)[f.Name]; ok {
					under = append(under, member)
				}
			}
			if len(under) == 0 {
				t.Errorf("%s: not in tenants.example.json", name)
			}
			if !strings.Contains(aboutConfig, f.Name) {
				t.Errorf("%s: not in identity help config", name)
			}
			if !readable(f.Type) {
				t.Errorf("%s: a file cannot set it", name)
			}
			walk(f.Type, name, under)
		}
	}
	walk(reflect.TypeFor[identity.Config](), "", []any{example})
}

func elements(lists []any) (all []any) {
	for _, list := range lists {
		all = append(all, list.([]any)...)
	}
	return all
}

// Each fault is told with its line and place; the neighbour without it is accepted.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	const (
		contoso = `"aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa"`
		client  = `"ClientID": "cccccccc-3333-4333-8333-cccccccccccc"`
	)
	tenant := func(more string) string {
		return "{" + client + ",\n\"Tenants\": [\n{\"ID\": " + contoso + more + "}\n]}"
	}
	config := func(more string) string {
		return "{" + client + ",\n\"Tenants\": [{\"ID\": " + contoso + "}],\n" + more + "}"
	}
	tests := []struct {
		name, text string
		want       string // a line of the error; empty: accepted
	}{
		{"plain", tenant(""), ""},
		{"byte order mark", "\ufeff" + tenant(""), ""},
		{"unknown field", tenant(`, "Guests": true`), `:3: Tenants[0].Guests: no such field: there are ID, Name, Cloud, B2C, External, Version, Audiences, Clients, DenyGuests, AllowNoPermissions, AppKeys`},
		{"unexported field", tenant(`, "self": {}`), `:3: Tenants[0].self: no such field: there are ID`},
		{"other case", tenant(`, "denyguests": true`), `:3: Tenants[0].denyguests: no such field: it is written DenyGuests`},
		{"twice", tenant(`, "Name": "a",` + "\n" + `"Name": "a"`), `:4: Tenants[0].Name: it is there already, in line 3`},
		{"once", tenant(`, "Name": "a"`), ``},
		{"a field of code", config(`"Skipper": true`), `:3: Skipper: only code can set it, not a file`},
		{"a client", config(`"Keys": {"HTTPClient": {"Timeout": 5}}`), `:3: Keys.HTTPClient: only code can set it, not a file`},
		{"Observe", config(`"Observe": {}`), `:3: Observe: only code can set it`},
		{"null", tenant(`, "B2C": null`), `:3: Tenants[0].B2C: null is not an object`},
		{"null string", tenant(`, "Name": null`), `:3: Tenants[0].Name: null is not a string`},
		{"number for a string", tenant(`, "Name": 5`), `:3: Tenants[0].Name: 5 is not a string`},
		{"string for a number", tenant(`, "Version": "2"`), `:3: Tenants[0].Version: "2" is not a whole number`},
		{"fraction", tenant(`, "Version": 1.5`), `:3: Tenants[0].Version: 1.5 is not a whole number`},
		{"number", tenant(`, "Version": 1`), ``},
		{"string for a boolean", tenant(`, "DenyGuests": "yes"`), `:3: Tenants[0].DenyGuests: "yes" is not true or false`},
		{"string for a list", tenant(`, "Audiences": "a"`), `:3: Tenants[0].Audiences: "a" is not a list`},
		{"number in a list", tenant(`, "Audiences": ["a",` + "\n5]"), `:4: Tenants[0].Audiences[1]: 5 is not a string`},
		{"list", tenant(`, "Audiences": ["a"]`), ``},
		{"list for an object", tenant(`, "B2C": []`), `:3: Tenants[0].B2C: a list is not an object`},
		{"object for the tenants", `{"Tenants": {}}`, `:1: Tenants: an object is not a list`},
		{"nested unknown", tenant(`, "B2C": {"Policy": "B2C_1_susi"}`), `:3: Tenants[0].B2C.Policy: no such field: there are Domain, Hosts, Policies, TFPIssuers`},
		{"number of seconds", config(`"Leeway": 60`), `:3: Leeway: 60 is not a duration such as "1m"`},
		{"duration without a unit", config(`"Leeway": "60"`), `:3: Leeway: "60" is not a duration such as "90s", "1m" or "1h30m"`},
		{"duration", config(`"Leeway": "90s"`), ``},
		{"cloud by name", tenant(`, "Cloud": "China"`), ``},
		{"cloud by another name", tenant(`, "Cloud": "usgovernment"`), `:3: Tenants[0].Cloud: "usgovernment" is written USGovernment`},
		{"cloud by no name", tenant(`, "Cloud": "usgov"`), `:3: Tenants[0].Cloud: "usgov" is none of Public, USGovernment and China`},
		{"cloud by origin", tenant(`, "Cloud": "https://localhost:8443"`), ``},
		{"cloud by number", tenant(`, "Cloud": 3`), `:3: Tenants[0].Cloud: 3 is not a string`},
		{"control characters", config(`"a\u001b[31m": 1`), `:3: "a\x1b[31m": no such field`},
		{"not UTF-8", config("\"Leeway\": \"\xff\""), `the text is not UTF-8`},
		{"comma too many", config(`"Leeway": "1m",`), `:3: not JSON: `},
		{"comment", config(`"Leeway": "1m" // why`), `:3: not JSON: `},
		{"cut off", `{"Tenants": [` + "\n", `:2: not JSON: the text ends too early`},
		{"empty", ``, `:1: not JSON: the text ends too early`},
		{"no object", `[]`, `:1: a list is not an object`},
		{"more than one", tenant("") + "\n{}", `:5: something stands after the end of the object`},
		{"two faults, one", `{"A": 1,` + "\n" + `"B": 1}`, `:1: A: no such field`},
		{"two faults, other", `{"A": 1,` + "\n" + `"B": 1}`, `:2: B: no such field`},

		// What identity.New finds.
		{"no GUID", "{" + client + `, "Tenants": [{"ID": ` + contoso + "},\n" + `{"Name": "fabrikam", "ID": "fabrikam"}]}`, `:2: Tenants[1] (fabrikam).ID: "fabrikam" is not the GUID of a tenant`},
		{"nested", tenant(",\n" + `"B2C": {"Domain": "contosob2c", "Policies": ["B2C_1_susi",` + "\n" + `"susi"]}`), `:5: Tenants[0].B2C.Policies[1]: "susi" is not the name of a user flow`},
		{"field that is not there", tenant(`, "B2C": {"Domain": "contosob2c"}`), `:3: Tenants[0].B2C.Policies: is required`},
		{"keys", config(`"Keys": {` + "\n" + `"TTL": "1s"}`), `:4: Keys.TTL: 1s is not between 1m0s and`},
		{"leeway", config(`"Leeway": "10m"`), `:3: Leeway: 10m0s is more than 5m0s`},
		{"no audience", "{\n\"Tenants\": [\n{\"Name\": \"contoso\", \"ID\": " + contoso + "}]}", `:3: aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa (contoso): no audience`},
		{"no tenants", `{` + client + `}`, `Tenants: is required`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := inFile(t, "tenants.json", tt.text)
			_, err := readConfigFile(path)
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got=%v, want no fault", err)
				}
				return
			}
			want := "\n  " + tt.want
			if tt.want[0] == ':' {
				want = "\n  " + path + tt.want
			}
			if err == nil || !strings.Contains(err.Error()+"\n", want) {
				t.Fatalf("got=%v\nwant=%s", err, want)
			}
		})
	}
	if _, err := readConfigFile(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got=%v", err)
	}
}

// A file of many tenants is read in time that grows with it.
func TestLargeConfig(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(`{"ClientID": "cccccccc-3333-4333-8333-cccccccccccc", "Tenants": [`)
	for i := range 20_000 {
		fmt.Fprintf(&text, "\n{\"ID\": \"a0a0a0a0-0000-4000-8000-%012x\"},", i)
	}
	good := strings.TrimSuffix(text.String(), ",") + "]}"
	c, err := readConfigFile(inFile(t, "tenants.json", good))
	if err != nil || len(c.list) != 20_000 {
		t.Fatalf("got=%v", err)
	}
	for _, bad := range []string{strings.ReplaceAll(good, "a0a0a0a0-", "a0a0a0a0"), strings.ReplaceAll(good, `"ID"`, `"id"`)} {
		_, err = readConfigFile(inFile(t, "tenants.json", bad))
		if err == nil || strings.Count(err.Error(), "\n") != 22 || !strings.Contains(err.Error(), "\n  and 19980 more\n") {
			t.Fatalf("got=%v", err)
		}
	}
}
