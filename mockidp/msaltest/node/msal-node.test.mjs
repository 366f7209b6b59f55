// MSAL Node, unmodified, against the server.
import assert from "node:assert/strict";
import { createHash, createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ConfidentialClientApplication, InteractionRequiredAuthError, PublicClientApplication } from "@azure/msal-node";
import * as kit from "./kit.mjs";
import { byDevice, call, claims, contoso, freshScope, ordersAll, ordersScope, Person } from "./kit.mjs";

const auth = (clientId, tenant, more) => ({ auth: { clientId, authority: `${kit.origin}/${tenant}`, knownAuthorities: [kit.host], ...more } });
const publicClient = (tenant = contoso, more) => new PublicClientApplication(auth(kit.nativeClient, tenant, more));
const confidential = (clientId, credential, tenant = contoso) => new ConfidentialClientApplication(auth(clientId, tenant, credential));
const scopes = [ordersScope];

// number expects a refusal with this AADSTS number.
const number = (n) => (err) => {
  assert.match(`${err.errorCode} ${err.errorMessage} ${err.message}`, new RegExp(`${n}\\b`));
  return true;
};

function pkce() {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

// silentlyRenewed gets tokens that no cache keeps, so that each takes a refresh token, the one before it having been used up.
async function silentlyRenewed(client, account) {
  const seen = new Set();
  for (let i = 0; i < 3; i++) {
    const got = await client.acquireTokenSilent({ account, scopes: [freshScope] });
    assert.equal(got.fromCache, false);
    seen.add(got.accessToken);
    await call("/orders", got.accessToken);
  }
  assert.equal(seen.size, 3);
}

test("authorization code with PKCE, as a public client", async () => {
  const client = publicClient();
  const { verifier, challenge } = pkce();
  const redirectUri = "http://localhost:5555";
  const url = await client.getAuthCodeUrl({ scopes, redirectUri, state: "s1", nonce: "n1", codeChallenge: challenge, codeChallengeMethod: "S256" });
  const to = await new Person(kit.jo).open(url);
  assert.equal(to.searchParams.get("state"), "s1");
  const code = to.searchParams.get("code");
  await assert.rejects(client.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: pkce().verifier }), number("AADSTS501481"));

  const again = await new Person(kit.jo).open(url);
  const request = { scopes, redirectUri, code: again.searchParams.get("code"), codeVerifier: verifier, state: "s1", nonce: "n1" };
  const got = await client.acquireTokenByCode(request, { code: request.code, state: again.searchParams.get("state") });
  assert.equal(got.account.homeAccountId, `${kit.user}.${contoso}`);
  assert.equal(got.account.username, kit.jo);
  assert.ok(got.scopes.includes(ordersScope));
  const who = await call("/orders", got.accessToken);
  assert.equal(who.user, kit.user);
  assert.equal(who.client, kit.nativeClient);
  await assert.rejects(client.acquireTokenByCode(request), number("AADSTS54005"));

  const cached = await client.acquireTokenSilent({ account: got.account, scopes });
  assert.equal(cached.accessToken, got.accessToken);
  assert.equal(cached.fromCache, true);
  const forced = await client.acquireTokenSilent({ account: got.account, scopes, forceRefresh: true });
  assert.notEqual(forced.accessToken, got.accessToken);
  await silentlyRenewed(client, got.account);

  await client.signOut({ account: got.account });
  assert.equal((await client.getAllAccounts()).length, 0);
});

test("authorization code, as a web application with a secret", async () => {
  const client = confidential(kit.webClient, { clientSecret: kit.secrets.web });
  const redirectUri = "http://localhost:8080/callback";
  const person = new Person(kit.pat, { password: kit.password });
  const url = await client.getAuthCodeUrl({ scopes, redirectUri, loginHint: kit.pat });
  const to = await person.open(url);
  const got = await client.acquireTokenByCode({ scopes, redirectUri, code: to.searchParams.get("code") });
  assert.equal((await call("/orders", got.accessToken)).user, kit.passwordUser);
  assert.equal(claims(got.accessToken).azpacr, "1");
  await silentlyRenewed(client, got.account);

  // Signed in: no page, until the browser signs out.
  const silently = await client.getAuthCodeUrl({ scopes, redirectUri, prompt: "none" });
  const seen = person.pages.length;
  assert.ok((await person.open(silently)).searchParams.get("code"));
  assert.equal(person.pages.length, seen);
  const goodbye = "http://localhost:8080/";
  const after = await person.open(`${kit.origin}/${contoso}/oauth2/v2.0/logout?post_logout_redirect_uri=${encodeURIComponent(goodbye)}`);
  assert.equal(after.href, goodbye);
  assert.equal((await person.open(silently)).searchParams.get("error"), "login_required");
});

test("interactive through a loopback port", async () => {
  const client = publicClient();
  const person = new Person(kit.jo);
  const got = await client.acquireTokenInteractive({
    scopes,
    openBrowser: async (url) => {
      assert.equal(new URL(url).searchParams.get("response_mode"), "form_post");
      await person.open(url);
    },
  });
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
  await silentlyRenewed(client, got.account);
});

test("interactive, declined", async () => {
  const client = publicClient();
  const person = new Person(kit.jo, { declines: true });
  await assert.rejects(
    client.acquireTokenInteractive({ scopes: [kit.jobsScope], openBrowser: (url) => person.open(url) }),
    (err) => err.errorCode === "access_denied" && number("AADSTS65004")(err),
  );
});

test("client credentials with a secret", async () => {
  const client = confidential(kit.daemon, { clientSecret: kit.secrets.daemon });
  const got = await client.acquireTokenByClientCredential({ scopes: [ordersAll] });
  const who = await call("/jobs", got.accessToken);
  assert.equal(who.appOnly, true);
  assert.deepEqual(who.roles, ["Jobs.Run.All"]);
  await kit.forbidden("/orders", got.accessToken);
  assert.equal((await client.acquireTokenByClientCredential({ scopes: [ordersAll] })).fromCache, true);
  const there = await client.acquireTokenByClientCredential({ scopes: [ordersAll], authority: `${kit.origin}/${kit.fabrikam}` });
  assert.equal((await call("/jobs", there.accessToken)).tenant, kit.fabrikam);
  await assert.rejects(confidential(kit.daemon, { clientSecret: "wrong" }).acquireTokenByClientCredential({ scopes: [ordersAll] }), number("AADSTS7000215"));
  await assert.rejects(client.acquireTokenByClientCredential({ scopes }), number("AADSTS1002012"));
});

const hex = (k, algorithm) => createHash(algorithm).update(new X509Certificate(k.certificate).raw).digest("hex");

for (const [name, credential] of [
  ["PS256 and SHA-256", (k) => ({ thumbprintSha256: hex(k, "sha256") })],
  ["RS256 and SHA-1", (k) => ({ thumbprint: hex(k, "sha1") })],
  ["PS256, with its chain", (k) => ({ thumbprintSha256: hex(k, "sha256"), x5c: k.certificate })],
]) {
  test(`client credentials with a certificate: ${name}`, async () => {
    assert.equal(createPublicKey(kit.own.key).asymmetricKeyType, "rsa");
    for (const tenant of [contoso, "contoso.onmicrosoft.com"]) {
      const client = confidential(kit.daemon, { clientCertificate: { privateKey: kit.own.key, ...credential(kit.own) } }, tenant);
      const got = await client.acquireTokenByClientCredential({ scopes: [ordersAll] });
      assert.equal(claims(got.accessToken).azpacr, "2");
      assert.equal((await call("/jobs", got.accessToken)).appOnly, true);
    }
    const stranger = confidential(kit.daemon, { clientCertificate: { privateKey: kit.foreign.key, ...credential(kit.foreign) } });
    await assert.rejects(stranger.acquireTokenByClientCredential({ scopes: [ordersAll] }), number("AADSTS700027"));
    // The right thumbprint does not help without the key.
    const liar = confidential(kit.daemon, { clientCertificate: { privateKey: kit.foreign.key, ...credential(kit.own) } });
    await assert.rejects(liar.acquireTokenByClientCredential({ scopes: [ordersAll] }), number("AADSTS700027"));
  });
}

test("authorization code with a certificate", async () => {
  const client = confidential(kit.webClient, { clientCertificate: { privateKey: kit.own.key, thumbprintSha256: hex(kit.own, "sha256") } });
  const redirectUri = "http://localhost:8080/callback";
  const { verifier, challenge } = pkce();
  const url = await client.getAuthCodeUrl({ scopes, redirectUri, codeChallenge: challenge, codeChallengeMethod: "S256" });
  const to = await new Person(kit.jo).open(url);
  const got = await client.acquireTokenByCode({ scopes, redirectUri, code: to.searchParams.get("code"), codeVerifier: verifier });
  assert.equal((await call("/orders", got.accessToken)).client, kit.webClient);
  await silentlyRenewed(client, got.account);
});

test("on behalf of a user", async () => {
  const incoming = await publicClient().acquireTokenByUsernamePassword({ scopes: [kit.gatewayScope], username: kit.pat, password: kit.password });
  for (const credential of [
    { clientSecret: kit.secrets.gateway },
    { clientCertificate: { privateKey: kit.own.key, thumbprintSha256: hex(kit.own, "sha256") } },
  ]) {
    const client = confidential(kit.gateway, credential);
    const request = { oboAssertion: incoming.accessToken, scopes };
    const got = await client.acquireTokenOnBehalfOf(request);
    const who = await call("/orders", got.accessToken);
    assert.equal(who.user, kit.passwordUser);
    assert.equal(who.client, kit.gateway);
    assert.equal((await client.acquireTokenOnBehalfOf(request)).fromCache, true);
    for (let i = 0; i < 2; i++) {
      const fresh = await client.acquireTokenOnBehalfOf({ ...request, scopes: [freshScope] });
      await call("/orders", fresh.accessToken);
    }
    await assert.rejects(client.acquireTokenOnBehalfOf({ oboAssertion: got.accessToken, scopes }), number("AADSTS500131"));
    await assert.rejects(client.acquireTokenOnBehalfOf({ ...request, scopes: [kit.jobsScope] }), (err) => {
      assert.ok(err instanceof InteractionRequiredAuthError, `${err}`);
      return number("AADSTS65001")(err);
    });
  }
});

// onPage answers the pages of a device code, so many milliseconds after it was given.
const onPage = (options, delay = 0) => async ({ userCode, verificationUri }) => {
  await setTimeout(delay);
  const person = new Person(kit.jo, { userCode, ...options });
  await person.open(verificationUri);
  return person.pages.at(-1);
};

test("device code", async () => {
  const client = publicClient();
  const got = await byDevice(client, scopes, async (code) => assert.equal(await onPage()(code), "You are signed in"));
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
  await silentlyRenewed(client, got.account);
});

test("device code, approved after the first poll", async () => {
  const got = await byDevice(publicClient(), scopes, onPage({}, 1500));
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
});

test("device code, declined", async () => {
  await assert.rejects(
    byDevice(publicClient(), scopes, onPage({ declines: true })),
    (err) => err.errorMessage?.includes("authorization_declined") || assert.fail(err),
  );
});

test("username and password", async () => {
  const client = publicClient();
  const request = { scopes, username: kit.pat, password: kit.password };
  await assert.rejects(client.acquireTokenByUsernamePassword({ ...request, password: "wrong" }), number("AADSTS50126"));
  const got = await client.acquireTokenByUsernamePassword(request);
  assert.equal((await call("/orders", got.accessToken)).user, kit.passwordUser);
  await silentlyRenewed(client, got.account);

  const web = confidential(kit.webClient, { clientSecret: kit.secrets.web });
  assert.equal((await call("/orders", (await web.acquireTokenByUsernamePassword(request)).accessToken)).client, kit.webClient);
});

test("a refresh token by itself", async () => {
  const client = publicClient();
  const got = await client.acquireTokenByUsernamePassword({ scopes, username: kit.pat, password: kit.password });
  const cache = JSON.parse(client.getTokenCache().serialize());
  const [{ secret }] = Object.values(cache.RefreshToken);
  const next = await client.acquireTokenByRefreshToken({ refreshToken: secret, scopes });
  assert.notEqual(next.accessToken, got.accessToken);
  await call("/orders", next.accessToken);
  await assert.rejects(client.acquireTokenByRefreshToken({ refreshToken: secret, scopes }), number("AADSTS70000"));
});

test("common, with a multi-tenant application", async () => {
  for (const [authority, login, tenant, user] of [
    ["common", kit.jo, contoso, kit.user],
    ["common", kit.kim, kit.fabrikam, kit.fabrikamUser],
    ["organizations", kit.kim, kit.fabrikam, kit.fabrikamUser],
    ["common", kit.sam, kit.personal, kit.personalUser],
    ["consumers", kit.sam, kit.personal, kit.personalUser],
  ]) {
    const client = publicClient(authority);
    const person = new Person(login);
    const got = await client.acquireTokenInteractive({ scopes, openBrowser: (url) => person.open(url) });
    assert.equal(got.account.homeAccountId, `${user}.${tenant}`);
    assert.equal((await call("/orders", got.accessToken)).tenant, tenant);
    await silentlyRenewed(client, got.account);
    if (login !== kit.kim) continue;
    const guest = await client.acquireTokenSilent({ account: got.account, scopes, authority: `${kit.origin}/${contoso}`, forceRefresh: true });
    const who = await call("/orders", guest.accessToken);
    assert.equal(who.tenant, contoso);
    assert.equal(who.user, kit.guestUser);
  }
});

test("B2C with two policies", async () => {
  const homes = new Set();
  const client = publicClient("contosob2c.onmicrosoft.com/B2C_1_susi");
  for (const policy of ["B2C_1_susi", "B2C_1A_custom"]) {
    const authority = `${kit.origin}/contosob2c.onmicrosoft.com/${policy}`;
    const person = new Person(kit.jo);
    const got = await client.acquireTokenInteractive({ scopes, authority, openBrowser: (url) => person.open(url) });
    const who = await call("/orders", got.accessToken);
    assert.equal(who.tenant, kit.shop);
    assert.equal(who.policy, policy);
    homes.add(got.account.homeAccountId);
    for (let i = 0; i < 2; i++) {
      const next = await client.acquireTokenSilent({ account: got.account, scopes: [freshScope], authority });
      assert.equal((await call("/orders", next.accessToken)).policy, policy);
    }
  }
  assert.deepEqual([...homes], [`${kit.user}-b2c_1_susi.${kit.shop}`, `${kit.user}-b2c_1a_custom.${kit.shop}`]);
});

test("External ID", async () => {
  for (const tenant of [kit.customers, "contosocx.onmicrosoft.com"]) {
    const client = publicClient(tenant);
    const person = new Person(kit.pat, { password: kit.password });
    const got = await client.acquireTokenInteractive({ scopes, openBrowser: (url) => person.open(url) });
    assert.equal((await call("/orders", got.accessToken)).tenant, kit.customers);
    await silentlyRenewed(client, got.account);
  }
});

test("as a generic OpenID Connect provider", async () => {
  const client = new PublicClientApplication({ ...auth(kit.nativeClient, `${contoso}/v2.0`), system: { protocolMode: "OIDC" } });
  const person = new Person(kit.jo);
  const got = await client.acquireTokenInteractive({ scopes, openBrowser: (url) => person.open(url) });
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
  await silentlyRenewed(client, got.account);
});

test("a claims challenge and client capabilities", async () => {
  const client = publicClient(contoso, { clientCapabilities: ["cp1"] });
  const got = await client.acquireTokenByUsernamePassword({ scopes, username: kit.pat, password: kit.password });
  assert.deepEqual(claims(got.accessToken).xms_cc, ["cp1"]);
  assert.equal(claims(got.accessToken).acrs, undefined);
  const challenge = JSON.stringify({ access_token: { acrs: { essential: true, value: "c1" } } });
  const next = await client.acquireTokenSilent({ account: got.account, scopes, claims: challenge });
  assert.deepEqual(claims(next.accessToken).acrs, ["c1"]);
  await call("/orders", next.accessToken);
});
