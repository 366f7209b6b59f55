-- Tenants, who changed them, and how every replica hears of it.
-- {{schema}} is the quoted name of the schema, {{channel}} the quoted literal of the NOTIFY channel.

-- matches reports whether a list is flat, short enough, without null, and whether each element fits the pattern.
CREATE FUNCTION {{schema}}.matches(list text[], pattern text, longest integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_ndims(list), 1) = 1 AND cardinality(list) <= 256
		AND NOT EXISTS (SELECT FROM unnest(list) AS e WHERE e IS NULL OR length(e) > longest OR e !~ pattern)
$$;

-- is_origin reports whether a text is a host or an origin: https, or http on loopback, in lower case, with at most a port.
CREATE FUNCTION {{schema}}.is_origin(origin text, scheme text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT length(origin) <= 300 AND origin ~ ('^' || CASE
		WHEN origin ~ '^http://' THEN 'http://(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])'
		WHEN scheme = 'required' THEN 'https://(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:.]+\])'
		ELSE '(https://)?(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:.]+\])'
	END || '(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?/?$')
$$;

-- are_origins is is_origin for a list of hosts.
CREATE FUNCTION {{schema}}.are_origins(list text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_ndims(list), 1) = 1 AND cardinality(list) <= 256
		AND NOT EXISTS (SELECT FROM unnest(list) AS e WHERE e IS NULL OR NOT {{schema}}.is_origin(e, 'optional'))
$$;

CREATE TABLE {{schema}}.tenants (
	tenant_id            uuid        NOT NULL,
	kind                 text        NOT NULL DEFAULT 'workforce',
	name                 text        NOT NULL DEFAULT '',
	cloud                text        NOT NULL DEFAULT 'https://login.microsoftonline.com',
	version              smallint    NOT NULL DEFAULT 0,
	audiences            text[]      NOT NULL DEFAULT '{}',
	clients              uuid[]      NOT NULL DEFAULT '{}',
	deny_guests          boolean     NOT NULL DEFAULT false,
	allow_no_permissions boolean     NOT NULL DEFAULT false,
	app_keys             boolean     NOT NULL DEFAULT false,
	domain               text        NOT NULL DEFAULT '',
	hosts                text[]      NOT NULL DEFAULT '{}',
	policies             text[]      NOT NULL DEFAULT '{}',
	tfp_issuers          boolean     NOT NULL DEFAULT false,
	disabled_at          timestamptz,
	created_at           timestamptz NOT NULL DEFAULT now(),
	updated_at           timestamptz NOT NULL DEFAULT now(),
	updated_by           text        NOT NULL DEFAULT session_user,

	CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id, kind),
	CONSTRAINT tenants_kind CHECK (kind IN ('workforce', 'b2c', 'external')),
	CONSTRAINT tenants_name CHECK (length(name) <= 256),
	CONSTRAINT tenants_cloud CHECK (cloud = 'https://login.microsoftonline.com' OR {{schema}}.is_origin(cloud, 'required')),
	CONSTRAINT tenants_version CHECK (version BETWEEN 0 AND 2 AND (kind = 'workforce' OR version = 0)),
	CONSTRAINT tenants_audiences CHECK (audiences = '{}'
		OR {{schema}}.matches(audiences, '^[^[:space:]]([^\n]*[^[:space:]])?$', 512) AND array_position(audiences, '*') IS NULL),
	CONSTRAINT tenants_clients CHECK (coalesce(array_ndims(clients), 1) = 1 AND cardinality(clients) <= 256 AND array_position(clients, NULL) IS NULL),
	CONSTRAINT tenants_deny_guests CHECK (NOT (kind = 'b2c' AND deny_guests)),
	CONSTRAINT tenants_app_keys CHECK (NOT (kind = 'b2c' AND app_keys)),
	CONSTRAINT tenants_domain CHECK (domain = '' OR kind <> 'workforce'
		AND domain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.onmicrosoft\.com|\.partner\.onmschina\.cn|\.onmicrosoft\.us)?$'),
	CONSTRAINT tenants_hosts CHECK (hosts = '{}' OR kind <> 'workforce' AND {{schema}}.are_origins(hosts)),
	CONSTRAINT tenants_b2c_host CHECK (kind <> 'b2c' OR domain <> '' OR hosts <> '{}' OR cloud NOT IN
		('https://login.microsoftonline.com', 'https://login.microsoftonline.us', 'https://login.partner.microsoftonline.cn')),
	CONSTRAINT tenants_policies CHECK ((kind = 'b2c') = (policies <> '{}')
		AND (policies = '{}' OR {{schema}}.matches(policies, '^[bB]2[cC]_1[aA]?_[A-Za-z0-9._-]+$', 128))),
	CONSTRAINT tenants_tfp_issuers CHECK (kind = 'b2c' OR NOT tfp_issuers),
	CONSTRAINT tenants_disabled_at CHECK (isfinite(disabled_at)),
	CONSTRAINT tenants_updated_by CHECK (updated_by <> '' AND length(updated_by) <= 256)
);

COMMENT ON TABLE {{schema}}.tenants IS 'Directories whose tokens are trusted. Every change, also one made by hand, reaches every replica.';
COMMENT ON COLUMN {{schema}}.tenants.cloud IS 'Origin of the login host.';
COMMENT ON COLUMN {{schema}}.tenants.version IS '0: v1.0 and v2.0 tokens, 1 or 2: only those.';
COMMENT ON COLUMN {{schema}}.tenants.disabled_at IS 'Since when its tokens are refused. Null: they are accepted.';
COMMENT ON COLUMN {{schema}}.tenants.updated_by IS 'Set by trigger: the setting pgtenants.by of the transaction, else the database user.';

-- What was changed, when, and by whom. change is given out in the order of commits: see record_change.
CREATE TABLE {{schema}}.tenant_history (
	change     bigint      NOT NULL,
	changed_at timestamptz NOT NULL,
	changed_by text        NOT NULL,
	db_user    text        NOT NULL,
	operation  text        NOT NULL,
	tenant_id  uuid        NOT NULL,
	kind       text        NOT NULL,
	before     jsonb,
	after      jsonb,

	CONSTRAINT tenant_history_pkey PRIMARY KEY (change),
	CONSTRAINT tenant_history_operation CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE')
		AND (before IS NULL) = (operation = 'INSERT') AND (after IS NULL) = (operation = 'DELETE'))
);
CREATE INDEX tenant_history_tenant ON {{schema}}.tenant_history (tenant_id, change);
CREATE SEQUENCE {{schema}}.tenant_change AS bigint OWNED BY {{schema}}.tenant_history.change;

COMMENT ON TABLE {{schema}}.tenant_history IS 'Append-only: rows cannot be changed, nor deleted before they are 30 days old.';

-- The one row that whoever commits a change holds for the time of the commit.
CREATE TABLE {{schema}}.tenant_turn (turn boolean NOT NULL PRIMARY KEY CHECK (turn));
INSERT INTO {{schema}}.tenant_turn VALUES (true);

-- stamp_tenant says when and by whom, whatever the statement says.
CREATE FUNCTION {{schema}}.stamp_tenant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.updated_at := clock_timestamp();
	NEW.updated_by := left(coalesce(nullif(current_setting('pgtenants.by', true), ''), session_user), 256);
	IF TG_OP = 'INSERT' THEN
		NEW.created_at := NEW.updated_at;
	ELSE
		IF (NEW.tenant_id, NEW.kind) IS DISTINCT FROM (OLD.tenant_id, OLD.kind) THEN
			RAISE EXCEPTION 'tenant_id and kind of a tenant cannot change: delete it and insert another'
				USING ERRCODE = 'check_violation', CONSTRAINT = 'tenants_pkey', TABLE = 'tenants';
		END IF;
		NEW.created_at := OLD.created_at;
	END IF;
	RETURN NEW;
END $$;

CREATE TRIGGER stamp_tenant BEFORE INSERT OR UPDATE ON {{schema}}.tenants
	FOR EACH ROW EXECUTE FUNCTION {{schema}}.stamp_tenant();

-- record_change writes the history and tells the replicas. It runs at the end of the transaction (a deferred constraint trigger), in
-- turn: the row of tenant_turn stays locked until the commit is visible. So whoever sees a change sees all that have lower numbers,
-- and "all above the last that I have seen" loses none. The turn lasts as long as the commit, however long the transaction was open.
-- All changes of a transaction are one notification, because equal payloads are sent once.
CREATE FUNCTION {{schema}}.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	subject {{schema}}.tenants%ROWTYPE;
	by_whom text;
	number  bigint;
BEGIN
	IF TG_OP = 'DELETE' THEN
		subject := OLD;
		by_whom := left(coalesce(nullif(current_setting('pgtenants.by', true), ''), session_user), 256);
	ELSE
		subject := NEW;
		by_whom := NEW.updated_by;
	END IF;
	PERFORM FROM {{schema}}.tenant_turn FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the row of tenant_turn is missing, so that nobody can wait for a turn: INSERT INTO {{schema}}.tenant_turn VALUES (true)'
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	number := nextval({{sequence}});
	IF number <= (SELECT max(change) FROM {{schema}}.tenant_history) THEN -- a look at the end of the index
		RAISE EXCEPTION 'the sequence tenant_change is behind the history, so that no replica would look for this change: set it to the highest number there'
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	INSERT INTO {{schema}}.tenant_history (change, changed_at, changed_by, db_user, operation, tenant_id, kind, before, after)
	VALUES (number, clock_timestamp(), by_whom, session_user, TG_OP, subject.tenant_id, subject.kind,
		CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
	PERFORM pg_notify({{channel}}, pg_current_xact_id()::text);
	RETURN NULL;
END $$;

-- It runs as the owner: nobody may put it on a table of their own.
REVOKE EXECUTE ON FUNCTION {{schema}}.record_change() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON {{schema}}.tenants
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {{schema}}.record_change();
-- Also where a row arrives by logical replication, so that the replicas of another region hear of it.
ALTER TABLE {{schema}}.tenants ENABLE ALWAYS TRIGGER record_change;

-- refuse_truncate: TRUNCATE has no rows that could be told to anybody.
CREATE FUNCTION {{schema}}.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'TRUNCATE of % is refused: it would be neither recorded nor seen by the replicas; use DELETE', TG_TABLE_NAME
		USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {{schema}}.tenants
	FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_truncate();
ALTER TABLE {{schema}}.tenants ENABLE ALWAYS TRIGGER refuse_truncate;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {{schema}}.tenant_history
	FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_truncate();

-- append_only keeps the history, and lets old rows go.
CREATE FUNCTION {{schema}}.append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'DELETE' AND OLD.changed_at < clock_timestamp() - interval '30 days' THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'the history is append-only; rows older than 30 days can be deleted'
		USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {{schema}}.tenant_history
	FOR EACH ROW EXECUTE FUNCTION {{schema}}.append_only();
