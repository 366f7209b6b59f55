package pgtenants_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
)

// What identity would refuse, the table refuses, and says by which constraint; each has a neighbour that it accepts, and so does identity: the
// replica that reads it has nothing to report.
func TestConstraints(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	const b2c, external = "kind = 'b2c', domain = 'contoso', policies = '{B2C_1_x}'", "kind = 'external'"
	long := strings.Repeat("x", 600)
	many := "regexp_split_to_array(lpad('',256,'a'),'')"
	for _, c := range []struct {
		constraint string
		refused    []string
		accepted   []string
	}{
		{"22P02", []string{"tenant_id = 'common'", "clients = '{x}'"}, []string{"tenant_id = '" + strings.ToUpper(tenantX) + "'", "clients = '{" + strings.ToUpper(tenantX) + "}'"}},
		{"23502", []string{"name = NULL", "clients = NULL", "policies = NULL", "deny_guests = NULL", "audiences = NULL", "hosts = NULL"}, []string{"name = ''"}},
		{"tenants_kind", []string{"kind = 'Workforce'", "kind = ''"}, []string{external, b2c}},
		{"tenants_name", []string{"name = '" + long + "'"}, []string{"name = '" + long[:256] + "'"}},
		{"tenants_cloud", []string{"cloud = ''", "cloud = 'login.microsoftonline.com'", "cloud = 'http://login.microsoftonline.com'",
			"cloud = 'https://user@login.microsoftonline.com'", "cloud = 'https://login.microsoftonline.com/x'", "cloud = 'https://-x.example'",
			"cloud = 'https://x..example'", "cloud = 'https://x.example:65536'", "cloud = 'https://x.example:0'", "cloud = 'ftp://x.example'",
			"cloud = E'https://x.example\\n'", "cloud = 'https://" + long[:64] + ".example'"},
			[]string{"cloud = 'https://login.microsoftonline.us'", "cloud = 'http://localhost:8080'", "cloud = 'http://127.0.0.1:1'",
				"cloud = 'https://[::1]:8443'", "cloud = 'https://x.example:65535'", "cloud = 'https://" + long[:63] + ".example'"}},
		{"tenants_version", []string{"version = 3", "version = -1", external + ", version = 1", b2c + ", version = 2"},
			[]string{"version = 0", "version = 1", "version = 2", external + ", version = 0"}},
		{"tenants_audiences", []string{"audiences = '{\"\"}'", "audiences = '{*}'", "audiences = '{\" api://a\"}'", "audiences = ARRAY[E'api://a\\n']",
			"audiences = '{NULL}'", "audiences = '{{a,b},{c,d}}'", "audiences = '{" + long + "}'", "audiences = " + many + "||'{a}'"},
			[]string{"audiences = '{api://a,\"b c\",a*}'", "audiences = '{" + long[:512] + "}'", "audiences = " + many}},
		{"tenants_clients", []string{"clients = '{NULL}'", "clients = ARRAY[ARRAY['" + tenantA + "'::uuid]]"}, []string{"clients = '{" + tenantA + "," + tenantB + "}'"}},
		{"tenants_deny_guests", []string{b2c + ", deny_guests = true"}, []string{external + ", deny_guests = true", "deny_guests = true"}},
		{"tenants_app_keys", []string{b2c + ", app_keys = true"}, []string{external + ", app_keys = true", "app_keys = true"}},
		{"tenants_domain", []string{"domain = 'contoso'", external + ", domain = 'Contoso'", external + ", domain = 'contoso.example'",
			external + ", domain = '-'", b2c + ", domain = 'a_b'"},
			[]string{external + ", domain = 'contoso'", external + ", domain = 'contoso.onmicrosoft.com'", b2c}},
		{"tenants_hosts", []string{"hosts = '{x.example}'", external + ", hosts = '{x.example/path}'", external + ", hosts = '{X.example}'",
			external + ", hosts = '{http://x.example}'", external + ", hosts = '{NULL}'", external + ", hosts = '{\"\"}'"},
			[]string{external + ", hosts = '{x.example,https://y.example:8443,[::1],http://localhost}'"}},
		{"tenants_b2c_host", []string{"kind = 'b2c', policies = '{B2C_1_x}'"},
			[]string{"kind = 'b2c', policies = '{B2C_1_x}', hosts = '{login.contoso.example}'", "kind = 'b2c', policies = '{B2C_1_x}', cloud = 'https://localhost:8443'"}},
		{"tenants_policies", []string{"policies = '{B2C_1_x}'", external + ", policies = '{B2C_1_x}'", "kind = 'b2c', domain = 'contoso'",
			b2c + ", policies = '{}'", b2c + ", policies = '{B2C_2_x}'", b2c + ", policies = '{B2C_1_}'", b2c + ", policies = '{B2C_1_x/y}'",
			b2c + ", policies = '{NULL}'", b2c + ", policies = '{B2C_1_" + long[:128] + "}'"},
			[]string{b2c, b2c + ", policies = '{b2c_1a_X.y-z}'"}},
		{"tenants_tfp_issuers", []string{"tfp_issuers = true", external + ", tfp_issuers = true"}, []string{b2c + ", tfp_issuers = true"}},
	} {
		for _, assignments := range c.refused {
			err := attempt(t, url, insertion(assignments))
			if err == nil || !strings.Contains(err.Error(), c.constraint) {
				t.Errorf("%s: got=%v, want=%s", assignments, err, c.constraint)
			}
		}
		for _, assignments := range c.accepted {
			if err := attempt(t, url, "BEGIN", insertion(assignments), "COMMIT"); err != nil {
				t.Errorf("%s", err)
				continue
			}
			within(t, r.Sync)
			if err := r.Healthy(); err != nil {
				t.Errorf("%s: identity refuses what the table accepts: %v", assignments, err)
			}
			if got := r.Stats().Tenants; got != 1 {
				t.Errorf("%s: got=%d tenants, want=1", assignments, got)
			}
			execute(t, url, "DELETE FROM identity.tenants")
		}
	}
}

// insertion makes an INSERT of assignments; what comes later in the list counts.
func insertion(assignments string) string {
	columns, values := []string{"tenant_id"}, []string{"'" + tenantA + "'"}
	for assignment := range strings.SplitSeq(assignments, ", ") {
		column, value, _ := strings.Cut(assignment, " = ")
		if i := slices.Index(columns, column); i >= 0 {
			values[i] = value
			continue
		}
		columns, values = append(columns, column), append(values, value)
	}
	return fmt.Sprintf("INSERT INTO identity.tenants (%s) VALUES (%s)", strings.Join(columns, ", "), strings.Join(values, ", "))
}

// What identity refuses never reaches the database: all fields are named, and no tenant of the list is written.
func TestUpsertRefuses(t *testing.T) {
	t.Parallel()
	r := running(t)
	long := strings.Repeat("x", 600)
	for _, c := range []struct {
		tenant identity.Tenant
		fields []string
	}{
		{identity.Tenant{ID: "common"}, []string{"ID"}},
		{identity.Tenant{ID: tenantA, Cloud: "http://contoso.example", Version: 3}, []string{"Cloud", "Version"}},
		{identity.Tenant{ID: tenantA, Audiences: []string{"a", "*"}, Clients: []string{"x"}}, []string{"Audiences[1]", "Clients[0]"}},
		{identity.Tenant{ID: tenantA, B2C: &identity.B2C{}, External: new(identity.External)}, []string{"B2C.Domain", "B2C.Policies", "External"}},
		{identity.Tenant{ID: tenantA, B2C: &identity.B2C{Domain: "x", Policies: []string{"B2C_1_a", "susi"}}, DenyGuests: true}, []string{"B2C.Policies[1]", "DenyGuests"}},
		{identity.Tenant{ID: tenantA, External: &identity.External{Hosts: []string{"x/y"}}}, []string{"External.Hosts[0]"}},
		// What only the table refuses.
		{identity.Tenant{ID: tenantA, Name: "a\x00"}, []string{"Name"}},
		{identity.Tenant{ID: tenantA, Name: "\xff"}, []string{"Name"}},
		{identity.Tenant{ID: tenantA, Name: long}, []string{"Name"}},
		{identity.Tenant{ID: tenantA, Audiences: []string{"api://a", "api://\x00"}}, []string{"Audiences[1]"}},
		{identity.Tenant{ID: tenantA, Audiences: []string{long}}, []string{"Audiences[0]"}},
		{identity.Tenant{ID: tenantA, Audiences: []string{"a\nb"}}, []string{"Audiences[0]"}},
		{identity.Tenant{ID: tenantA, Audiences: slices.Repeat([]string{"a"}, 257)}, []string{"Audiences"}},
		{identity.Tenant{ID: tenantB}, []string{"ID"}}, // twice
	} {
		err := r.Upsert(t.Context(), jane, identity.Tenant{ID: tenantB}, c.tenant)
		for _, field := range c.fields {
			if err == nil || !strings.Contains(err.Error(), "Tenants[1]."+field+":") {
				t.Errorf("%+v: Tenants[1].%s is not named in: %v", c.tenant, field, err)
			}
		}
		if sqlState(err) != "" {
			t.Errorf("%+v: the database was asked: %v", c.tenant, err)
		}
	}
	within(t, r.Sync)
	if got := r.Stats(); got.Tenants != 0 || got.Change != 0 {
		t.Errorf("got=%+v, want nothing written", got)
	}
	// What both accept, up to the bounds.
	r.upsert(t, identity.Tenant{ID: tenantA, Name: strings.Repeat("ü", 256), Audiences: slices.Repeat([]string{long[:512]}, 256)})
	r.upsert(t, identity.Tenant{ID: tenantA, B2C: &identity.B2C{Domain: "ContosoB2C.onMicrosoft.com", Hosts: []string{"Login.Contoso.Example", "https://x.example/"},
		Policies: []string{"b2c_1a_X"}}})
	if err := r.Healthy(); err != nil {
		t.Error(err)
	}
}

// Should the table refuse what we let through, it is told which field it was.
func TestTableRefuses(t *testing.T) {
	t.Parallel()
	url := databaseURL(t)
	r := newReplica(t, newIDP(), open(t, url), brisk).run(t)
	execute(t, url, "ALTER TABLE identity.tenants ADD CONSTRAINT tenants_ours CHECK (name <> 'x')")
	err := r.Upsert(t.Context(), jane, identity.Tenant{ID: tenantB}, identity.Tenant{ID: tenantA, Name: "x"})
	if err == nil || !strings.Contains(err.Error(), "the table refuses ours: ") || sqlState(err) != "23514" {
		t.Errorf("got=%v", err)
	}
	within(t, r.Sync)
	r.wants(t, tenantB, unknown) // all or none
	r.upsert(t, identity.Tenant{ID: tenantB}, identity.Tenant{ID: tenantA, Name: "y"})
	r.wants(t, tenantB, "")
}
