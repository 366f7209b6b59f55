package mockidp_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// What GET gives is a directory file, and PUT takes it.
func TestAdminDirectory(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	r := a.call("GET", "/.mockidp/directory", nil)
	d, err := mockidp.ParseDirectory([]byte(r.text))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(a.Directory())
	if after, _ := json.Marshal(d); string(after) != string(before) {
		t.Errorf("got=%s, want=%s", after, before)
	}
	d.Tenants = d.Tenants[1:2]
	a.must("PUT", "directory", d)
	a.must("GET", "tenants/fabrikam", nil)
	a.denied("GET", "tenants/contoso", nil, 404, "{tenant}")
	if s, body := fetch(t, a.Client(), contosoBase+discoveryPath); s != 400 {
		t.Errorf("a tenant that is gone: got=%d %s, want=400", s, body)
	}

	a.denied("PUT", "directory", `{"tenants": [{"id": "x", "domain": 1, "users": [{"login": "a b"}]}], "more": 1}`, 400,
		"tenants[0].domain", "more", "tenants[0].id", "tenants[0].users[0].id", "tenants[0].users[0].login")
	a.denied("PUT", "directory", `[]`, 400)
	a.must("GET", "tenants/fabrikam", nil)
}

func TestAdminTenants(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	const id = "12121212-1111-4111-8111-121212121212"
	got := a.must("POST", "tenants", `{"id": "12121212-1111-4111-8111-121212121212", "domain": "Tailspin"}`)
	want(t, got, map[string]any{"id": id, "domain": "tailspin"})
	document(t, a.Client(), login+id+discoveryPath)
	for _, name := range []string{id, "12121212-1111-4111-8111-121212121212", "tailspin", "TAILSPIN.onmicrosoft.com"} {
		want(t, a.must("GET", "tenants/"+name, nil), map[string]any{"id": id})
	}

	for _, row := range []struct {
		body  string
		paths []string
	}{
		{`{}`, []string{"id"}},
		{`{"id": "1", "kind": "sideways"}`, []string{"kind", "id"}},
		{`{"id": "` + id + `", "kind": "b2c"}`, []string{"policies", "domain"}},
		{`{"id": "13131313-1111-4111-8111-131313131313", "domain": "contoso"}`, []string{"domain"}},
		{`{"id": "13131313-1111-4111-8111-131313131313", "kind": "external", "hosts": ["contosob2c.b2clogin.com", "login.microsoftonline.com"]}`,
			[]string{"hosts[0]", "hosts[1]"}},
		{`{"id": "13131313-1111-4111-8111-131313131313", "users": [{}], "applications": [{"id": "` + mockidp.API + `", "redirectURIs": {"spa": ["http://x.example/"]},
		   "permissions": [{"api": "` + mockidp.Client + `", "scopes": ["a"]}]}]}`, []string{"users[0].id", "users[0].login", "applications[0].redirectURIs.spa[0]", "applications[0].permissions[0].scopes[0]"}},
	} {
		a.denied("POST", "tenants", row.body, 400, row.paths...)
	}
	a.denied("GET", "tenants/13131313-1111-4111-8111-131313131313", nil, 404, "{tenant}")

	// One GUID may be two tenants.
	a.must("POST", "tenants", `{"id": "`+id+`", "kind": "external"}`)
	a.denied("GET", "tenants/"+id, nil, 400, "{tenant}")
	want(t, a.must("GET", "tenants/"+id+"?kind=external", nil), map[string]any{"kind": "external"})
	a.must("DELETE", "tenants/"+id+"?kind=external", nil)
	absent(t, a.must("GET", "tenants/"+id, nil), "kind")
	a.must("DELETE", "tenants/"+id, nil)
	a.denied("DELETE", "tenants/"+id, nil, 404, "{tenant}")
}

func TestAdminUsersAndApplications(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	const ann, shop = "eeeeeeee-5555-4555-8555-000000000099", "dddddddd-4444-4444-8444-000000000099"
	signIn := map[string]any{"login": "ann@contoso.example", "scopes": []string{apiScope}}
	a.denied("POST", "tenants/contoso/sign-in", signIn, 400)
	a.must("POST", "tenants/contoso/users", `{"id": "`+ann+`", "login": "Ann@contoso.example", "roles": [{"application": "`+mockidp.API+`", "role": "Orders.Approver"}]}`)
	tokens := a.must("POST", "tenants/contoso/sign-in", signIn)
	want(t, claimsOf(t, tokens["access_token"].(string)), map[string]any{"oid": ann, "roles": []string{"Orders.Approver"}})

	// The same user again, changed.
	a.must("POST", "tenants/contoso/users", `{"id": "`+ann+`", "login": "ann@contoso.example", "disabled": true}`)
	if n := len(a.Tenant(mockidp.Contoso).Tenant().Users); n != 6 {
		t.Errorf("got=%d users, want=6", n)
	}
	a.must("POST", "tenants/contoso/users", `{"id": "`+ann+`", "login": "ann@contoso.example"}`)

	a.denied("POST", "tenants/contoso/users", `{"id": "`+shop+`", "login": "JO@contoso.example"}`, 400, "login")
	a.denied("POST", "tenants/contoso/users", `{"id": "`+shop+`", "login": "bo", "roles": [{"application": "`+mockidp.API+`", "role": "Jobs.Run.All"}]}`, 400, "roles[0].role")
	a.denied("POST", "tenants/shop.example/users", `{"id": 7}`, 404, "{tenant}")
	a.must("DELETE", "tenants/contoso/users/ANN@contoso.example", nil)
	a.denied("POST", "tenants/contoso/sign-in", signIn, 400)
	a.denied("DELETE", "tenants/contoso/users/"+ann, nil, 404, "{user}")

	application := `{"id": "` + shop + `", "redirectURIs": {"web": ["https://shop.example/"]}, "secrets": ["s"], "permissions": [{"api": "` + mockidp.API + `", "scopes": ["Orders.Read"]}]}`
	a.must("POST", "tenants/contoso/applications", application)
	read := map[string]any{"login": jo, "client": shop, "scopes": []string{"api://" + mockidp.API + "/Orders.Read"}}
	want(t, claimsOf(t, a.must("POST", "tenants/contoso/sign-in", read)["access_token"].(string)), map[string]any{"azp": shop, "scp": "Orders.Read"})
	a.denied("POST", "tenants/contoso/applications", `{"id": "`+shop+`", "identifierURIs": ["api://`+mockidp.API+`", "api://x", "api://x/"],
		"permissions": [{"api": "`+mockidp.API+`", "scopes": ["Nothing"]}]}`, 400, "identifierURIs[2]", "permissions[0].scopes[0]")
	a.must("DELETE", "tenants/contoso/applications/"+shop, nil)
	a.denied("POST", "tenants/contoso/sign-in", read, 400)
	a.denied("DELETE", "tenants/contoso/applications/"+shop, nil, 404, "{client}")

	// An API that others have permissions for can be removed, and come back.
	api := a.Tenant(mockidp.Contoso).Tenant().Applications[0]
	a.must("DELETE", "tenants/contoso/applications/"+mockidp.API, nil)
	a.denied("POST", "tenants/contoso/sign-in", map[string]any{"login": jo, "scopes": []string{apiScope}}, 400)
	a.must("POST", "tenants/contoso/applications", api)
	a.must("POST", "tenants/contoso/sign-in", map[string]any{"login": jo, "scopes": []string{apiScope}})
}

func TestAdminPersonalAccounts(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	const eve = "00000000-0000-0000-0000-000000000099"
	url := authorizeURL(login+"consumers", spaRequest())
	walk := map[string]any{"login": "eve@outlook.example", "url": url}
	unknown := func() {
		t.Helper()
		want(t, a.must("POST", "walk", walk)["values"].(map[string]any), map[string]any{"error": "invalid_grant", "state": "s"})
	}
	unknown()
	a.must("POST", "personal-accounts", `{"id": "`+eve+`", "login": "eve@outlook.example"}`)
	got := a.must("POST", "walk", walk)
	if values := got["values"].(map[string]any); got["mode"] != "fragment" || values["code"] == nil || values["state"] != "s" {
		t.Errorf("got=%v", got)
	}
	a.denied("POST", "personal-accounts", `{"id": "`+eve+`", "login": "sam@outlook.example", "homeTenant": "`+mockidp.Contoso+`"}`, 400, "login", "homeTenant")
	a.must("DELETE", "personal-accounts/"+eve, nil)
	a.denied("DELETE", "personal-accounts/"+eve, nil, 404, "{user}")
	unknown()
	a.denied("POST", "walk", `{}`, 400, "url", "login")
	a.denied("POST", "walk", `{"url": "https://attacker.example/", "login": "x"}`, 400)
}

// Two changes at once are both made.
func TestAdminConcurrentChanges(t *testing.T) {
	t.Parallel()
	a := newAdministered(t)
	var wg sync.WaitGroup
	const n = 20
	for i := range n {
		wg.Go(func() {
			a.call("POST", "/.mockidp/tenants/fabrikam/users", fmt.Sprintf(`{"id": "eeeeeeee-0000-4000-8000-%012d", "login": "u%d"}`, i, i))
			a.call("POST", "/.mockidp/tenants/fabrikam/keys/rotate", nil)
			a.call("POST", "/.mockidp/clock/advance", `{"by": "1s"}`)
		})
	}
	wg.Wait()
	if got := len(a.Tenant(mockidp.Fabrikam).Tenant().Users); got != n+2 {
		t.Errorf("got=%d users, want=%d", got, n+2)
	}
}
