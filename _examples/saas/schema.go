package main

// schema is the service's own data.
//
// The policy is the isolation: whatever a query says, it sees and writes rows of the tenant that the transaction was told, and none
// before it was told one. FORCE makes it hold for the owner of the table, who is the one user of this example; in production let
// another user own it.
const schema = `
CREATE TABLE orders (
	id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tid        uuid        NOT NULL DEFAULT current_setting('app.tid')::uuid,
	item       text        NOT NULL CHECK (item <> '' AND length(item) <= 200),
	ordered_by text        NOT NULL,
	ordered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_tid ON orders (tid);
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON orders
	USING (tid = nullif(current_setting('app.tid', true), '')::uuid)
	WITH CHECK (tid = nullif(current_setting('app.tid', true), '')::uuid);

-- Who is about to connect a tenant. The ID is a secret: it is the session of the browser.
CREATE TABLE signups (
	id      text        PRIMARY KEY,
	company text        NOT NULL CHECK (company <> '' AND length(company) <= 100),
	began   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX signups_began ON signups (began);

-- Answers of the admin consent that were used.
CREATE TABLE used_answers (
	id    text        PRIMARY KEY,
	until timestamptz NOT NULL
);
CREATE INDEX used_answers_until ON used_answers (until);
`
