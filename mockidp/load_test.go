package mockidp_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

func TestDirectoryRoundTrip(t *testing.T) {
	t.Parallel()
	text, err := json.MarshalIndent(mockidp.DefaultDirectory(), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	d, err := mockidp.ParseDirectory(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, mockidp.DefaultDirectory()) {
		t.Error("the default directory does not survive its own file")
	}
	idp := mockidp.New(mockidp.WithDirectory(d))
	d.Tenants[0].Users[0].Login, d.Tenants[0].Applications[0].Scopes[0] = "changed", "changed"
	again, err := json.MarshalIndent(idp.Directory(), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Error("the server's directory is not what it was given")
	}
	if d, err := mockidp.ParseDirectory([]byte("{}")); err != nil || len(d.Tenants) != 0 {
		t.Errorf("empty: got=%v %v", d, err)
	}
	if _, err := mockidp.Kind(7).MarshalText(); err == nil {
		t.Error("an unknown kind has no name")
	}
}

// file is a directory file around one tenant's members.
func file(members string) string {
	return `{"tenants":[{"id":"12121212-1111-4111-8111-121212121212"` + members + `}]}`
}

func app(members string) string {
	return file(`,"applications":[{"id":"34343434-1111-4111-8111-343434343434"` + members + `}]`)
}

func user(members string) string {
	return file(`,"users":[{"id":"56565656-1111-4111-8111-565656565656","login":"a@b.example"` + members + `}]`)
}

// Each fault is named with its path; beside it stands the same file without it.
func TestDirectoryFaults(t *testing.T) {
	t.Parallel()
	const guid = "78787878-1111-4111-8111-787878787878"
	for name, row := range map[string]struct{ bad, good, want string }{
		"empty":                   {"", "{}", "line 1, column 1: "},
		"not JSON":                {"{\n  \"tenants\": x}", "{}", "line 2, column 14: "},
		"cut off":                 {`{"tenants":[`, "{}", "line 1, column 12: "},
		"not UTF-8":               {"{\"tenants\":[]\xff}", "{}", "line 1, column 14: is not UTF-8"},
		"not an object":           {"[]", "{}", "the file: want an object, got a list"},
		"unknown member":          {`{"tenant":[]}`, `{"tenants":[]}`, "tenant: unknown member"},
		"other case":              {`{"Tenants":[]}`, `{"tenants":[]}`, "Tenants: unknown member"},
		"twice":                   {`{"tenants":[],"tenants":[]}`, `{"tenants":[]}`, "tenants: comes twice"},
		"null":                    {`{"tenants":null}`, `{"tenants":[]}`, "tenants: want a list, got null"},
		"no ID":                   {`{"tenants":[{}]}`, file(""), "tenants[0].id: is required"},
		"bad ID":                  {`{"tenants":[{"id":"x"}]}`, file(""), `tenants[0].id: "x" is not a GUID`},
		"ID of another type":      {`{"tenants":[{"id":1}]}`, file(""), "tenants[0].id: want a string, got a number"},
		"kind":                    {file(`,"kind":"b2b"`), file(`,"kind":"external"`), `tenants[0].kind: "b2b" is none of`},
		"kind, type":              {file(`,"kind":1`), file(`,"kind":"workforce"`), "tenants[0].kind: want a string"},
		"cloud":                   {file(`,"cloud":"x"`), file(`,"cloud":"https://login.microsoftonline.us"`), "tenants[0].cloud: "},
		"host":                    {file(`,"kind":"external","hosts":["a/b"]`), file(`,"kind":"external","hosts":["a.example"]`), "tenants[0].hosts[0]: "},
		"host of a cloud":         {file(`,"kind":"external","hosts":["login.microsoftonline.com"]`), file(`,"kind":"external","hosts":["a.example"]`), "tenants[0].hosts[0]: host"},
		"workforce host":          {file(`,"hosts":["a.example"]`), file(`,"hosts":[]`), "tenants[0].hosts: "},
		"policy":                  {file(`,"kind":"b2c","domain":"x","policies":["a b"]`), file(`,"kind":"b2c","domain":"x","policies":["a"]`), "tenants[0].policies[0]: "},
		"policy twice":            {file(`,"kind":"b2c","domain":"x","policies":["a","A"]`), file(`,"kind":"b2c","domain":"x","policies":["a","b"]`), "tenants[0].policies[1]: "},
		"no policies":             {file(`,"kind":"b2c","domain":"x"`), file(`,"kind":"b2c","domain":"x","policies":["a"]`), "tenants[0].policies: "},
		"no domain":               {file(`,"kind":"b2c","policies":["a"]`), file(`,"kind":"b2c","policies":["a"],"cloud":"https://127.0.0.1:1"`), "tenants[0].domain: "},
		"workforce policies":      {file(`,"policies":["a"]`), file(""), "tenants[0].policies: "},
		"tenant twice":            {`{"tenants":[{"id":"` + guid + `"},{"id":"` + strings.ToUpper(guid) + `"}]}`, `{"tenants":[{"id":"` + guid + `"},{"id":"` + guid + `","kind":"external"}]}`, "tenants[1].id: "},
		"domain twice":            {`{"tenants":[{"id":"` + guid + `","domain":"x"},{"id":"` + mockidp.API + `","domain":"X"}]}`, `{"tenants":[{"id":"` + guid + `","domain":"x"},{"id":"` + mockidp.API + `","domain":"y"}]}`, "tenants[1].domain: "},
		"login":                   {file(`,"users":[{"id":"` + guid + `"}]`), user(""), "tenants[0].users[0].login: is required"},
		"login with blanks":       {file(`,"users":[{"id":"` + guid + `","login":"a b"}]`), user(""), "tenants[0].users[0].login: "},
		"login twice":             {user(`},{"id":"` + guid + `","login":"A@b.example"`), user(`},{"id":"` + guid + `","login":"c@b.example"`), "tenants[0].users[1].login: "},
		"user twice":              {user(`},{"id":"56565656-1111-4111-8111-565656565656","login":"c"`), user(`},{"id":"` + guid + `","login":"c"`), "tenants[0].users[1].id: "},
		"home tenant":             {user(`,"homeTenant":"x"`), user(`,"homeTenant":"` + guid + `"`), "tenants[0].users[0].homeTenant: "},
		"at home here":            {user(`,"homeTenant":"12121212-1111-4111-8111-121212121212"`), user(""), "tenants[0].users[0].homeTenant: "},
		"guest in B2C":            {strings.Replace(user(`,"homeTenant":"`+guid+`"`), `"users"`, `"kind":"b2c","domain":"x","policies":["a"],"users"`, 1), user(""), "tenants[0].users[0].homeTenant: "},
		"home ID":                 {user(`,"homeID":"x"`), user(`,"homeID":"` + guid + `"`), "tenants[0].users[0].homeID: "},
		"group":                   {user(`,"groups":["a",""]`), user(`,"groups":["a"]`), "tenants[0].users[0].groups[1]: is empty"},
		"claims":                  {user(`,"claims":[]`), user(`,"claims":{"a":[1,{"b":null}]}`), "tenants[0].users[0].claims: want an object"},
		"flag":                    {user(`,"disabled":"yes"`), user(`,"disabled":true`), "tenants[0].users[0].disabled: want true or false"},
		"role of nobody":          {user(`,"roles":[{"application":"` + guid + `","role":"r"}]`), user(""), "tenants[0].users[0].roles[0].application: "},
		"role, bad ID":            {user(`,"roles":[{"application":"x","role":"r"}]`), user(""), "tenants[0].users[0].roles[0].application: "},
		"secret":                  {app(`,"secrets":[""]`), app(`,"secrets":["x"]`), "tenants[0].applications[0].secrets[0]: is empty"},
		"expired secret":          {app(`,"secrets":["x"],"expiredSecrets":["y",""]`), app(`,"expiredSecrets":["y"]`), "tenants[0].applications[0].expiredSecrets[1]: is empty"},
		"principal":               {app(`,"servicePrincipal":"x"`), app(`,"servicePrincipal":"` + guid + `"`), "tenants[0].applications[0].servicePrincipal: "},
		"certificate":             {app(`,"certificates":["x"]`), app(`,"certificates":[]`), "tenants[0].applications[0].certificates[0]: "},
		"certificate, DER":        {app(`,"certificates":["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]`), app(""), "tenants[0].applications[0].certificates[0]: "},
		"federated issuer":        {app(`,"federatedCredentials":[{"issuer":"http://x.example","subject":"s"}]`), app(`,"federatedCredentials":[{"issuer":"https://x.example","subject":"s"}]`), "federatedCredentials[0].issuer: "},
		"federated subject":       {app(`,"federatedCredentials":[{"issuer":"https://x.example"}]`), app(`,"federatedCredentials":[{"issuer":"https://x.example","subject":"s"}]`), "federatedCredentials[0].subject: "},
		"federated key":           {app(`,"federatedCredentials":[{"issuer":"https://x.example","subject":"s","key":"x"}]`), app(""), "federatedCredentials[0].key: "},
		"http":                    {app(`,"redirectURIs":{"spa":["http://localhost:1","https://a.example/","http://shop.example/"]}`), app(`,"redirectURIs":{"spa":["http://127.0.0.1/"]}`), "tenants[0].applications[0].redirectURIs.spa[2]: "},
		"wildcard":                {app(`,"redirectURIs":{"web":["https://*.example/"]}`), app(`,"redirectURIs":{"web":["https://a.example/"]}`), "redirectURIs.web[0]: "},
		"fragment":                {app(`,"redirectURIs":{"web":["https://a.example/#x"]}`), app(""), "redirectURIs.web[0]: "},
		"script":                  {app(`,"redirectURIs":{"native":["javascript:alert(1)"]}`), app(`,"redirectURIs":{"native":["my-app://x"]}`), "redirectURIs.native[0]: "},
		"scheme":                  {app(`,"redirectURIs":{"web":["my-app://x"]}`), app(""), "redirectURIs.web[0]: "},
		"relative":                {app(`,"redirectURIs":{"web":["/callback"]}`), app(""), "redirectURIs.web[0]: "},
		"no host":                 {app(`,"redirectURIs":{"web":["https:///x"]}`), app(""), "redirectURIs.web[0]: "},
		"user name":               {app(`,"redirectURIs":{"web":["https://a@b.example/"]}`), app(""), "redirectURIs.web[0]: "},
		"long":                    {app(`,"redirectURIs":{"web":["https://a.example/` + strings.Repeat("x", 256) + `"]}`), app(""), "redirectURIs.web[0]: "},
		"empty URI":               {app(`,"logoutURIs":[""]`), app(`,"logoutURIs":["https://a.example/"]`), "logoutURIs[0]: "},
		"identifier":              {app(`,"identifierURIs":["x y"]`), app(`,"identifierURIs":["api://x"]`), "identifierURIs[0]: "},
		"identifier twice":        {app(`,"identifierURIs":["api://x","api://X/"]`), app(`,"identifierURIs":["api://x","api://y"]`), "identifierURIs[1]: "},
		"application twice":       {app(`},{"id":"34343434-1111-4111-8111-343434343434"`), app(`},{"id":"` + guid + `"`), "tenants[0].applications[1].id: "},
		"scope with a blank":      {app(`,"scopes":["a b"]`), app(`,"scopes":["a"]`), "scopes[0]: "},
		"role value":              {app(`,"appRoles":[{"value":""}]`), app(`,"appRoles":[{"value":"r"}]`), "appRoles[0].value: "},
		"member type":             {app(`,"appRoles":[{"value":"r","allowedMemberTypes":["user"]}]`), app(`,"appRoles":[{"value":"r","allowedMemberTypes":["users"]}]`), "allowedMemberTypes[0]: "},
		"token version":           {app(`,"tokenVersion":3`), app(`,"tokenVersion":2`), "tokenVersion: "},
		"token version, fraction": {app(`,"tokenVersion":1.5`), app(`,"tokenVersion":1`), "tokenVersion: 1.5 is not a whole number"},
		"v1 and personal":         {app(`,"personalAccounts":true,"scopes":["a"]`), app(`,"personalAccounts":true,"scopes":["a"],"tokenVersion":2`), "tokenVersion: "},
		"token lifetime":          {app(`,"tokenLifetime":-1`), app(`,"tokenLifetime":60`), "tokenLifetime: "},
		"multi-tenant External":   {strings.Replace(app(`,"multiTenant":true`), `"applications"`, `"kind":"external","applications"`, 1), app(`,"multiTenant":true`), "multiTenant: "},
		"personal External":       {strings.Replace(app(`,"personalAccounts":true`), `"applications"`, `"kind":"external","applications"`, 1), app(`,"personalAccounts":true`), "personalAccounts: "},
		"API of nobody":           {app(`,"permissions":[{"api":"` + guid + `"}]`), app(`,"permissions":[{"api":"00000003-0000-0000-c000-000000000000","scopes":["User.Read"]}]`), "permissions[0].api: "},
		"scope of nobody":         {app(`,"scopes":["a"],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","scopes":["a","b"]}]`), app(`,"scopes":["a"],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","scopes":["a"]}]`), "permissions[0].scopes[1]: "},
		"role for users only":     {app(`,"appRoles":[{"value":"r","allowedMemberTypes":["users"]}],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","roles":["r"]}]`), app(`,"appRoles":[{"value":"r"}],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","roles":["r"]}]`), "permissions[0].roles[0]: "},
		"domain":                  {file(`,"domain":"a b/c"`), file(`,"domain":"a-b.example"`), "tenants[0].domain: "},
		"domain of dots":          {file(`,"domain":"."`), file(`,"domain":"dönerläden.example"`), "tenants[0].domain: "},
		"domain with a port":      {file(`,"domain":"a.example:443"`), file(`,"domain":"a.example"`), "tenants[0].domain: "},
		"host with a bad port":    {file(`,"kind":"external","hosts":["a.example:x"]`), file(`,"kind":"external","hosts":["A.example:8443","[::1]:1"]`), "tenants[0].hosts[0]: "},
		"host with a line feed":   {file(`,"kind":"external","hosts":["a.example\n"]`), file(`,"kind":"external","hosts":["a.example"]`), "tenants[0].hosts[0]: "},
		"policy, control":         {file(`,"kind":"b2c","domain":"x","policies":["a\u0000"]`), file(`,"kind":"b2c","domain":"x","policies":["a"]`), "tenants[0].policies[0]: "},
		"claim twice":             {user(`,"claims":{"a":1,"a":2}`), user(`,"claims":{"a":1,"A":2}`), "tenants[0].users[0].claims.a: comes twice"},
		"group twice":             {user(`,"groups":["a","a"]`), user(`,"groups":["a","b"]`), "tenants[0].users[0].groups[1]: "},
		"redirect URI twice":      {app(`,"redirectURIs":{"web":["https://a.example/","https://A.example"]}`), app(`,"redirectURIs":{"web":["https://a.example/","https://a.example/x"]},"logoutURIs":["https://a.example/"]`), "redirectURIs.web[1]: "},
		"two platforms":           {app(`,"redirectURIs":{"web":["https://a.example/"],"spa":["https://a.example/"]}`), app(`,"redirectURIs":{"web":["http://localhost:1/"],"spa":["http://localhost:2/"]}`), "redirectURIs.spa[0]: "},
		"scope twice":             {app(`,"scopes":["a","a"]`), app(`,"scopes":["a","A"]`), "scopes[1]: "},
		"role twice":              {app(`,"appRoles":[{"value":"r"},{"value":"r"}]`), app(`,"appRoles":[{"value":"r"},{"value":"R"}]`), "appRoles[1].value: "},
		"API twice":               {app(`,"scopes":["a","b"],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","scopes":["a"]},{"api":"34343434-1111-4111-8111-343434343434","scopes":["b"]}]`), app(`,"scopes":["a","b"],"permissions":[{"api":"34343434-1111-4111-8111-343434343434","scopes":["a","b"]},{"api":"00000003-0000-0000-c000-000000000000","scopes":["b"]}]`), "permissions[1].api: "},
		"personal account":        {`{"personalAccounts":[{"id":"` + guid + `","login":"a","homeTenant":"` + guid + `"}]}`, `{"personalAccounts":[{"id":"` + guid + `","login":"a"}]}`, "personalAccounts[0].homeTenant: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mockidp.ParseDirectory([]byte(row.bad))
			lines := strings.Split(fmt.Sprint(err), "\n")
			if err == nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "mockidp: ") || !strings.Contains(lines[0], row.want) {
				t.Errorf("got=%v, want=%s", err, row.want)
			}
			if _, err := mockidp.ParseDirectory([]byte(row.good)); err != nil {
				t.Errorf("the neighbour is refused: %v", err)
			}
		})
	}
}

// A file with ten faults reports ten.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := mockidp.ParseDirectory([]byte(`{"colour":"red","tenants":[
		{"id":"x","users":[{"login":"a b"}]},
		{"id":"12121212-1111-4111-8111-121212121212","hosts":["a.example"],"policies":["p"],
		 "applications":[{"id":5,"redirectURIs":{"spa":["a","https://b.example/","http://c.example"]},"tokenVersion":9,"multitenant":true}]}]}`))
	var paths []string
	for line := range strings.SplitSeq(fmt.Sprint(err), "\n") {
		paths = append(paths, strings.Split(line, ": ")[1])
	}
	slices.Sort(paths)
	wanted := []string{"colour", "tenants[0].id", "tenants[0].users[0].id", "tenants[0].users[0].login", "tenants[1].applications[0].id", "tenants[1].applications[0].multitenant",
		"tenants[1].applications[0].redirectURIs.spa[0]", "tenants[1].applications[0].redirectURIs.spa[2]", "tenants[1].applications[0].tokenVersion", "tenants[1].hosts",
		"tenants[1].policies"}
	if !slices.Equal(paths, wanted) {
		t.Errorf("got=%q, want=%q", paths, wanted)
	}
	// A tenant with a fault still has a name that others may not have.
	_, err = mockidp.ParseDirectory([]byte(`{"tenants":[{"id":"12121212-1111-4111-8111-121212121212","domain":"x","policies":["p"]},
		{"id":"34343434-1111-4111-8111-343434343434","domain":"x","users":[{}]}]}`))
	for _, path := range []string{"tenants[0].policies: ", "tenants[1].domain: ", "tenants[1].users[0].id: ", "tenants[1].users[0].login: "} {
		if !strings.Contains(fmt.Sprint(err), "mockidp: "+path) {
			t.Errorf("%s is not reported: %v", path, err)
		}
	}
	panics(t, "a bad directory", func() { mockidp.WithDirectory(mockidp.Directory{Tenants: []mockidp.Tenant{{}}}) })
	panics(t, "a tenant that is not there", func() { mockidp.New().AddAccount(mockidp.API, mockidp.B2C, mockidp.Account{}) })
	panics(t, "a bad account", func() { mockidp.New().AddAccount(mockidp.Contoso, mockidp.Workforce, mockidp.Account{}) })
	panics(t, "a bad application", func() { mockidp.New().AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: "x"}) })
}
