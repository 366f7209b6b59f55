package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/echo-identity/identity"
)

// exampleConfig is a file that uses every field there is.
//
//go:embed tenants.example.json
var exampleConfig string

//go:embed configfile.txt
var aboutConfig string

// configFile is what was read from the file of -config.
type configFile struct {
	identity.Config
	list []identity.Tenant // Config.Tenants, in the order of the file
}

// readConfigFile reads a JSON object with the fields of [identity.Config], by the same names. Tenants is a list of
// [identity.Tenant]; durations are written as "1m"; a cloud may be named as its constant is. What only code can say (functions, a client,
// a logger) has no place in it. Anything else is refused, all of it at once, with its line. Whether the values make sense is for
// [identity.New].
func readConfigFile(path string) (*configFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := new(configFile)
	r := newStrictReader(text)
	r.special = map[reflect.Type]func(*strictReader, reflect.Value, string){
		reflect.TypeFor[identity.TenantSource](): func(r *strictReader, v reflect.Value, path string) {
			r.value(reflect.ValueOf(&c.list).Elem(), path)
			v.Set(reflect.ValueOf(identity.NewRegistry(c.list...)))
		},
		reflect.TypeFor[identity.Cloud](): readCloud,
	}
	r.document(reflect.ValueOf(&c.Config).Elem())
	if len(r.faults) > 0 {
		return nil, unusable(path, r.faults)
	}
	if _, err := identity.New(c.Config); err != nil {
		return nil, unusable(path, c.located(r, err))
	}
	return c, nil
}

// maxFaults bounds what is listed, and looked up.
const maxFaults = 20

// unusable lists what is wrong with a file.
func unusable(path string, faults []string) error {
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults], fmt.Sprintf("and %d more", more))
	}
	for i, fault := range faults {
		if fault[0] == ':' {
			fault = path + fault
		}
		faults[i] = "\n  " + fault
	}
	return fmt.Errorf("%s cannot be used:%s\nidentity help config describes the file", path, strings.Join(faults, ""))
}

// located puts the lines to the faults that [identity.New] finds. It calls a field "Config.Keys.TTL", and a tenant's
// "Config.Tenants: Tenants[0] (contoso).ID".
func (c *configFile) located(r *strictReader, err error) (faults []string) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for i, err := range all {
		if i >= maxFaults {
			faults = append(faults, err.Error()) // to be counted
			continue
		}
		text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "identity: "), "Config.")
		if about, ok := strings.CutPrefix(text, "Tenants: "); ok && about != "is required" {
			text = about // a tenant
		}
		field, _, _ := strings.Cut(text, ": ")
		for i, t := range c.list {
			element, named := fmt.Sprintf("Tenants[%d]", i), ""
			if t.Name != "" {
				named = fmt.Sprintf(" (%s)", t.Name)
			}
			if rest, ok := strings.CutPrefix(text, element+named+"."); ok {
				field, _, _ = strings.Cut(rest, ": ")
				field = element + "." + field
			} else if strings.HasPrefix(text, strings.ToLower(t.ID)+named+": ") { // one that lacks something under this configuration
				field = element
			}
		}
		if line, ok := r.lineOf(field); ok {
			text = fmt.Sprintf(":%d: %s", line, text)
		}
		faults = append(faults, text)
	}
	return faults
}

// clouds are the named ones.
var clouds = map[string]identity.Cloud{"Public": identity.Public, "USGovernment": identity.USGovernment, "China": identity.China}

// cloudOf reads a cloud as it is written in a file or a flag. A word that is no host would make an origin all the same,
// https://usgov, and be asked for keys.
func cloudOf(text string) (identity.Cloud, error) {
	if cloud, ok := clouds[text]; ok {
		return cloud, nil
	}
	if text != "" && !strings.ContainsAny(text, ".:") {
		for name := range clouds {
			if strings.EqualFold(name, text) {
				return "", fmt.Errorf("%q is written %s", text, name)
			}
		}
		return "", fmt.Errorf("%q is none of Public, USGovernment and China, nor an origin such as https://localhost:8443", text)
	}
	return identity.Cloud(text), nil
}

func readCloud(r *strictReader, v reflect.Value, path string) {
	var text string
	if !r.scalar(reflect.ValueOf(&text).Elem(), path) {
		return
	}
	cloud, err := cloudOf(text)
	if err != nil {
		r.fault(path, err.Error())
	}
	v.SetString(string(cloud))
}

// helpConfig is what identity help config says: what may stand in the file, and one to begin with.
func helpConfig() string { return aboutConfig + "\n" + exampleConfig }

var errNoConfig = errors.New("-config is required; identity help config describes the file")

// names lists the tenants for a line of text.
func names(tenants []identity.Tenant) []string {
	var list []string
	for _, t := range tenants {
		name := t.Name
		if name == "" {
			name = t.ID
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
