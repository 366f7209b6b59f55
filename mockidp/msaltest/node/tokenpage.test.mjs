// The token page in Chromium: what it says of tokens, and that those it offers are what it calls them, as an API finds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./chromium.mjs";
import * as kit from "./kit.mjs";
import { Visit } from "./page-checks.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const open = async (t, options) => {
  const visit = await Visit.open(t, browser, options);
  await visit.page.goto(kit.origin);
  return visit;
};

const field = (visit) => visit.page.getByRole("textbox", { name: "Token" });

// paste puts the text, so many times, into the field in the browser: megabytes are slow to type.
const paste = async (visit, text, times = 1) => {
  await field(visit).evaluate((e, [s, n]) => {
    e.focus();
    e.value = s.repeat(n);
  }, [text, times]);
  await visit.press("button", "Decode");
};

const shown = (visit) => field(visit).inputValue();
const verdict = (visit) => visit.page.locator(".verdict").innerText();
const notes = (visit) => visit.page.locator(".notes").innerText();
const problem = (visit) => visit.page.getByRole("alert").innerText();

// rows are what the page explains under a heading: name, value and meaning of each.
const rows = (visit, heading) =>
  visit.page
    .locator(`h3:text-is("${heading}") + dl > div`)
    .evaluateAll((all) => all.map((row) => ["dt", "dd > code", "dd > p"].map((e) => row.querySelector(e).textContent)));

// offer is where the page makes its tokens of a kind of tenant, with issuers as in production, by their names.
async function offer(kind) {
  const html = await (await fetch(`${kit.origin}/?kind=${kind}&issuer=microsoft`)).text();
  const links = [...html.matchAll(/<a href="([^"]*make=([^"#&]*)[^"]*)"[^>]*>([^<]*)<\/a>(?: <small>([^<]*)<\/small>)?/g)];
  return new Map(links.map(([, href, name, , outcome]) => [name, { address: new URL(kit.unescape(href), kit.origin), outcome }]));
}

// make is the token on the page at the address.
async function make({ address }) {
  const html = await (await fetch(address)).text();
  return kit.unescape(html.match(/<textarea[^>]*>([^<]*)</)[1]);
}

// ask asks the API that trusts the tenants at Microsoft's own addresses.
async function ask(token) {
  const res = await fetch(`${kit.productionAPI}/me`, { headers: { authorization: `Bearer ${token}` } });
  return res.ok ? res.json() : `${res.status} ${res.headers.get("reason")}`;
}

const part = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const forged = (claims, header = { typ: "JWT", alg: "RS256", kid: "x" }) => `${part(header)}.${part(claims)}.AAAA`;

for (const javaScriptEnabled of [true, false]) {
  test(`a pasted token is explained${javaScriptEnabled ? "" : ", without script"}`, async (t) => {
    const visit = await open(t, { javaScriptEnabled });
    const offers = { workforce: await offer("workforce"), b2c: await offer("b2c"), external: await offer("external") };
    for (const [kind, name, heading, what] of [
      ["workforce", "v2-user", "Signed by this server", "Access token of a user (v2.0)"],
      ["workforce", "v1-user", "Signed by this server", "Access token of a user (v1.0)"],
      ["workforce", "v2-app", "Signed by this server", "Access token of an application (v2.0)"],
      ["workforce", "v2-id-token", "Signed by this server", "ID token (v2.0): for the client, not for an API"],
      ["b2c", "user-b2c_1_susi", "Signed by this server", "Access token of a user (B2C)"],
      ["external", "user", "Signed by this server", "External ID tenant contosocx.onmicrosoft.com"],
      ["workforce", "broken-expired", "Signed by this server, but something stands out", "Expired"],
      ["workforce", "broken-signature-bit-flipped", "The signature does not fit", "it did not sign these bytes"],
      ["workforce", "broken-key-unpublished", "Not checked: the key is not known here", "Only this server's own keys are tried."],
      ["workforce", "broken-alg-none", "Not signed with a key of Microsoft's kind", 'The header says "none".'],
    ]) {
      const token = await make(offers[kind].get(name));
      await paste(visit, token);
      assert.equal(await shown(visit), token);
      const said = await verdict(visit);
      assert.equal(said.split("\n")[0], heading, name);
      assert.ok(said.includes(what), said);
      const explained = await rows(visit, "Claims");
      assert.deepEqual(explained.map(([claim, value]) => [claim, JSON.parse(value)]), Object.entries(kit.claims(token)));
      const header = await rows(visit, "Header");
      assert.deepEqual(header.map(([parameter, value]) => [parameter, JSON.parse(value)]), Object.entries(JSON.parse(Buffer.from(token.split(".")[0], "base64url"))));
      for (const [claim, , meaning] of [...explained, ...header]) assert.match(meaning, /^[A-Z].*\.$/, claim);
    }
  });
}

test("everybody can use the page", async (t) => {
  const visit = await open(t);
  await visit.press("link", "User with too many groups, v2.0");
  await visit.look("Tokens", "Tokens, good");
  await visit.page.goto((await offer("workforce")).get("broken-expired").address.href);
  await visit.look("Tokens", "Tokens, broken");
  await paste(visit, "junk");
  await visit.look("Tokens", "Tokens, junk");
});

// What a token says is text: it makes no element, and cannot pass for other text.
test("hostile tokens", async (t) => {
  const visit = await open(t);
  const script = `</textarea></code><script>document.title = "owned"</script><img src=x onerror="document.title = 'owned'">&amp;&lt;"'`;
  const elements = (await visit.page.locator("*").count()) - (await visit.page.locator("section *").count());
  const tokens = [
    forged({ iss: script, [script]: script, name: "\u202eeoj\u202c \u0000 \u200b\u{e0041}" }, { alg: script, kid: script, [script]: script }),
    `${script}.${script}.${script}`,
    forged(script),
  ];
  for (const token of tokens) {
    await paste(visit, token);
    assert.equal(await shown(visit), token);
    assert.equal(await visit.page.title(), "Tokens · mockidp");
    assert.equal(await visit.page.locator("section script, section img").count(), 0);
    assert.equal((await visit.page.locator("*").count()) - (await visit.page.locator("section *").count()), elements);
  }
  await paste(visit, tokens[0]);
  const claims = new Map(await rows(visit, "Claims"));
  assert.equal(JSON.parse(claims.get(script)), script);
  assert.equal(claims.get("name"), String.raw`"\u202eeoj\u202c \u0000 \u200b\udb40\udc41"`);
});

test("what is no token", async (t) => {
  const visit = await open(t);
  for (const [text, said, times] of [
    ["hello", "This text has 1."],
    ["....", "It has five parts: it is encrypted for the API (JWE)"],
    ["e30.W10.", "The claims set is not a JSON object: it is another kind of value."],
    ["\u{1f600}\u202e\u0000", "The header cannot be decoded: not base64url."],
    [forged("[".repeat(100_000)), "The claims set is not a JSON object"],
    [".", "This text has 1000001.", 1_000_000],
  ]) {
    await paste(visit, text, times);
    assert.match(await verdict(visit), /^Not /, text.slice(0, 20));
    assert.ok((await notes(visit)).includes(said), `${text.slice(0, 20)}: ${await notes(visit)}`);
  }
  for (const size of [1 << 20, 8 << 20]) {
    await paste(visit, "a", size);
    assert.equal(await problem(visit), "That is more than 1024 KiB, which no token is.");
  }
  await visit.page.goto(kit.origin);
  await paste(visit, "  ");
  assert.equal(await problem(visit), "Paste a token first.");
});

test("tokens that clients got", async (t) => {
  const visit = await open(t);
  assert.equal(await visit.page.getByRole("heading", { name: "Issued lately" }).count(), 0);
  await visit.authorize({ response_type: "id_token", scope: "openid profile", nonce: "n" });
  await visit.press("button", /^Jo Doe/);
  await visit.page.waitForURL(/^https:\/\/web\.contoso\.example\//);
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: kit.daemon, client_secret: kit.secrets.daemon, scope: kit.ordersAll });
  const { access_token } = await (await fetch(`${kit.origin}/${kit.contoso}/oauth2/v2.0/token`, { method: "POST", body })).json();

  await visit.page.goto(kit.origin);
  const issued = visit.page.getByRole("region", { name: "Issued lately" });
  assert.deepEqual(await issued.getByRole("listitem").locator("p").allInnerTexts(), [
    "the application itself for Orders Daemon, client_credentials",
    `${kit.jo} for Orders Web, authorize`,
  ]);
  await visit.press("link", /^ID token$/);
  assert.equal(await shown(visit), visit.delivered[0].id_token);
  assert.match(await verdict(visit), /^Signed by this server\n[^]*ID token \(v2\.0\)/);
  await visit.press("link", /^Access token$/);
  assert.equal(await shown(visit), access_token);
  assert.match(await verdict(visit), /^Signed by this server\n[^]*Access token of an application \(v2\.0\)/);
  await visit.look("Tokens", "Tokens, issued");
});

test("a token is copied", async (t) => {
  const visit = await open(t, { permissions: ["clipboard-read", "clipboard-write"] });
  assert.equal(await visit.page.getByRole("button", { name: "Copy" }).count(), 0); // there is nothing to copy
  await visit.press("link", "User, v2.0");
  await visit.tabTo("button", "Copy");
  await visit.page.keyboard.press("Enter");
  await visit.page.getByRole("status").getByText("Copied.").waitFor();
  const token = await visit.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(token, await shown(visit));
  assert.equal((await kit.call("/me", token)).user, kit.user);
});

test("where copying is not allowed, the token is selected", async (t) => {
  const visit = await open(t, { permissions: [] });
  await visit.page.addInitScript(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("no"))));
  await visit.press("link", "User, v2.0");
  await visit.page.getByRole("button", { name: "Copy" }).click();
  await visit.page.getByRole("status").getByText("Not allowed here: the text is selected, copy it with the keyboard.").waitFor();
  assert.equal(await visit.page.evaluate(() => getSelection().toString()), await shown(visit));
});

// The API says of each good token who calls, or why it must refuse it all the same.
test("ready tokens", async () => {
  const user = { tenant: kit.contoso, user: kit.user, client: kit.spaClient, policy: "", scopes: ["access_as_user"], roles: [], version: "2.0", appOnly: false, guest: false };
  const app = { ...user, user: "ffffffff-6666-4666-8666-ffffffffffff", scopes: [], roles: ["Jobs.Run.All"], appOnly: true };
  const guest = { ...user, user: kit.guestUser, guest: true };
  const approver = { roles: ["Orders.Approver"] };
  const v1 = { version: "1.0" };
  const shop = { ...user, ...v1, tenant: kit.shop, policy: "B2C_1_susi" };
  const customer = { tenant: kit.customers };
  for (const [kind, want] of Object.entries({
    workforce: {
      "v2-user": user, "v1-user": { ...user, ...v1 }, "v2-user-roles": { ...user, ...approver }, "v2-user-stepup": user,
      "v2-app": app, "v1-app": { ...app, ...v1 }, "v2-app-bare": "401 no_permissions", "v2-managed-identity": app,
      "v2-guest": guest, "v1-guest": { ...guest, ...v1 }, "v2-guest-personal": guest, "v2-overage": user, "v1-overage": { ...user, ...v1 },
      "v2-personal": "401 tenant_unknown", "v2-id-token": "401 id_token", "v1-id-token": "401 id_token", graph: "401 token_for_other_resource",
    },
    b2c: {
      "user-b2c_1_susi": shop, "user-b2c_1a_custom": { ...shop, policy: "B2C_1A_custom" }, signup: shop, acr: shop, "tfp-issuer": "401 issuer_not_trusted",
      app: { ...shop, user: app.user, scopes: ["app.read", "app.write"] }, "id-token": "401 id_token",
    },
    external: {
      user: { ...user, ...customer }, "user-social": { ...user, ...customer }, "user-roles": { ...user, ...customer, ...approver },
      "v1-user": "401 issuer_not_trusted", app: { ...app, ...customer }, overage: { ...user, ...customer }, "id-token": "401 id_token",
    },
  })) {
    const got = {};
    for (const [name, ready] of await offer(kind)) {
      if (!name.startsWith("broken-")) got[name] = await ask(await make(ready));
    }
    assert.deepEqual(got, want, kind);
  }
});

// The API refuses each broken token with the status and for the reason that the page says.
test("broken tokens", async () => {
  const said = {};
  const got = {};
  for (const kind of ["workforce", "b2c", "external"]) {
    for (const [name, broken] of await offer(kind)) {
      if (!name.startsWith("broken-")) continue;
      said[name] = broken.outcome;
      got[name] = await ask(await make(broken));
    }
  }
  assert.ok(Object.keys(got).length > 200, `${Object.keys(got).length} tokens`);
  assert.deepEqual(got, said);
});
