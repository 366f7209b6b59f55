package pgtenants

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// statements are the texts of all SQL, with the name of the schema in them.
type statements struct {
	channel                              string
	listen, listening, server            string
	page, changes, lastChange, end       string
	upsert, remove, disable, enable, has string
	get, list                            string
}

const (
	pageRows   = 10_000 // of one reading, which has Options.Timeout
	listedRows = 500    // of one page of All
)

// content is what a tenant is made of, in the order that decode expects.
const content = `t.disabled_at IS NOT NULL, t.name, t.cloud, t.version, t.audiences, t.clients::text[], t.deny_guests, t.allow_no_permissions,
	t.app_keys, t.domain, t.hosts, t.policies, t.tfp_issuers`

// written are the columns that Upsert writes, in the order of its arguments.
var written = []string{"name", "cloud", "version", "audiences", "clients", "deny_guests", "allow_no_permissions", "app_keys", "domain", "hosts",
	"policies", "tfp_issuers"}

func newStatements(schema string) statements {
	channel := channelOf(schema)
	in := strings.NewReplacer("{{schema}}", pgx.Identifier{schema}.Sanitize(), "{{content}}", content, "{{columns}}", strings.Join(written, ", "),
		"{{set}}", assignments(), "{{old}}", "t."+strings.Join(written, ", t."), "{{new}}", "excluded."+strings.Join(written, ", excluded.")).Replace
	return statements{
		channel:   channel,
		listen:    "LISTEN " + pgx.Identifier{channel}.Sanitize(),
		listening: "SELECT EXISTS (SELECT FROM pg_listening_channels() AS c WHERE c = $1)",
		server:    "SELECT pg_postmaster_start_time()::text, current_setting('server_version_num')::int",
		page: in(`SELECT 0::bigint, '', t.tenant_id::text, t.kind, true, {{content}} FROM {{schema}}.tenants AS t
			WHERE (t.tenant_id, t.kind) > ($1::uuid, $2::text) ORDER BY t.tenant_id, t.kind LIMIT $3`),
		changes: in(`SELECT c.change, c.changed_at::text, c.tenant_id::text, c.kind, t.tenant_id IS NOT NULL, {{content}}
			FROM (SELECT DISTINCT ON (tenant_id, kind, change = $1) change, changed_at, tenant_id, kind
				FROM (SELECT change, changed_at, tenant_id, kind FROM {{schema}}.tenant_history WHERE change >= $1 ORDER BY change LIMIT $2) AS h
				ORDER BY tenant_id, kind, change = $1, change DESC) AS c
			LEFT JOIN {{schema}}.tenants AS t ON (t.tenant_id, t.kind) = (c.tenant_id, c.kind)`),
		lastChange: in("SELECT coalesce(max(change), 0) FROM {{schema}}.tenant_history"),
		end:        in("SELECT change, changed_at::text FROM {{schema}}.tenant_history ORDER BY change DESC LIMIT 1"),
		upsert: in(`INSERT INTO {{schema}}.tenants AS t (tenant_id, kind, {{columns}})
			VALUES ($1, $2, $3, $4, $5, $6, $7::text[]::uuid[], $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (tenant_id, kind) DO UPDATE SET {{set}} WHERE ({{old}}) IS DISTINCT FROM ({{new}})`),
		remove:  in("DELETE FROM {{schema}}.tenants WHERE tenant_id = $1 AND kind = ANY($2)"),
		disable: in("UPDATE {{schema}}.tenants SET disabled_at = now() WHERE tenant_id = $1 AND kind = ANY($2) AND disabled_at IS NULL"),
		enable:  in("UPDATE {{schema}}.tenants SET disabled_at = NULL WHERE tenant_id = $1 AND kind = ANY($2) AND disabled_at IS NOT NULL"),
		has:     in("SELECT EXISTS (SELECT FROM {{schema}}.tenants WHERE tenant_id = $1 AND kind = ANY($2))"),
		get: in(`SELECT t.tenant_id::text, t.kind, {{content}}, t.disabled_at, t.created_at, t.updated_at, t.updated_by
			FROM {{schema}}.tenants AS t WHERE t.tenant_id = $1 ORDER BY t.kind`),
		list: in(`SELECT t.tenant_id::text, t.kind, {{content}}, t.disabled_at, t.created_at, t.updated_at, t.updated_by
			FROM {{schema}}.tenants AS t WHERE (t.tenant_id, t.kind) > ($1::uuid, $2::text) ORDER BY t.tenant_id, t.kind LIMIT $3`),
	}
}

// channelOf is the name of the channel that changes are told on.
func channelOf(schema string) string { return schema + "_tenants" }

func assignments() string {
	var set []string
	for _, column := range written {
		set = append(set, column+" = excluded."+column)
	}
	return strings.Join(set, ", ")
}
