// openid-client, unmodified, against the server.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { test } from "node:test";
import * as oidc from "openid-client";
import * as kit from "./kit.mjs";
import { call, claims, contoso, freshScope, ordersAll, ordersScope, Person } from "./kit.mjs";

const issuer = (tenant) => new URL(`${kit.origin}/${tenant}/v2.0`);
const redirect_uri = "http://localhost:8080/callback";
const scope = `openid profile email offline_access ${ordersScope}`;

// number expects a refusal with this AADSTS number.
const number = (n, status) => (err) => {
  assert.match(`${err.error_description}`, new RegExp(`^${n}:`));
  if (status) assert.equal(err.status, status);
  return true;
};

async function signIn(config, person, more = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri, scope, state, nonce, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...more,
  });
  const to = await person.open(url.href);
  return oidc.authorizationCodeGrant(config, to, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
}

for (const [name, method] of [
  ["the form", oidc.ClientSecretPost(kit.secrets.web)],
  ["the header", oidc.ClientSecretBasic(kit.secrets.web)],
]) {
  test(`authorization code, refresh and logout, with the secret in ${name}`, async () => {
    const config = await oidc.discovery(issuer(contoso), kit.webClient, undefined, method);
    const person = new Person(kit.jo);
    let got = await signIn(config, person);
    assert.equal(got.claims().oid, kit.user);
    assert.equal((await call("/orders", got.access_token)).user, kit.user);

    const first = got.refresh_token;
    for (let i = 0; i < 3; i++) {
      const next = await oidc.refreshTokenGrant(config, got.refresh_token, { scope: `openid offline_access ${freshScope}` });
      assert.notEqual(next.refresh_token, got.refresh_token);
      await call("/orders", next.access_token);
      got = next;
    }
    await assert.rejects(oidc.refreshTokenGrant(config, first), number("AADSTS70000", 400));

    const goodbye = "http://localhost:8080/";
    const end = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: goodbye, id_token_hint: got.id_token, state: "s2" });
    assert.equal((await person.open(end.href)).href, `${goodbye}?state=s2`);
    await assert.rejects(signIn(config, person, { prompt: "none" }), (err) => err.error === "login_required");
  });
}

test("private_key_jwt", async () => {
  const key = await crypto.subtle.importKey(
    "pkcs8", createPrivateKey(kit.own.key).export({ type: "pkcs8", format: "der" }), { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["sign"]);
  const { createHash, X509Certificate } = await import("node:crypto");
  const x5t = createHash("sha1").update(new X509Certificate(kit.own.certificate).raw).digest("base64url");
  const thumbprint = { [oidc.modifyAssertion]: (header) => void (header.x5t = x5t) };
  const config = await oidc.discovery(issuer(contoso), kit.daemon, undefined, oidc.PrivateKeyJwt(key, thumbprint));
  const got = await oidc.clientCredentialsGrant(config, { scope: ordersAll });
  assert.equal((await call("/jobs", got.access_token)).appOnly, true);
  assert.equal(claims(got.access_token).azpacr, "2");
});

test("client credentials", async () => {
  for (const method of [oidc.ClientSecretPost, oidc.ClientSecretBasic]) {
    const config = await oidc.discovery(issuer(contoso), kit.daemon, undefined, method(kit.secrets.daemon));
    const got = await oidc.clientCredentialsGrant(config, { scope: ordersAll });
    assert.equal((await call("/jobs", got.access_token)).client, kit.daemon);
    await kit.forbidden("/orders", got.access_token);
    const wrong = await oidc.discovery(issuer(contoso), kit.daemon, undefined, method("wrong"));
    await assert.rejects(oidc.clientCredentialsGrant(wrong, { scope: ordersAll }), (err) => {
      // A secret in the header is answered with a challenge, which the library reports instead of the body.
      if (err.error_description === undefined) return err.status === 401 && err.cause?.length > 0;
      return number("AADSTS7000215", 401)(err);
    });
  }
});

test("device code", async () => {
  const config = await oidc.discovery(issuer(contoso), kit.nativeClient, undefined, oidc.None());
  const device = await oidc.initiateDeviceAuthorization(config, { scope });
  await new Person(kit.jo, { userCode: device.user_code }).open(device.verification_uri);
  const got = await oidc.pollDeviceAuthorizationGrant(config, device);
  assert.equal((await call("/orders", got.access_token)).user, kit.user);
});

test("userinfo", async () => {
  const config = await oidc.discovery(issuer(contoso), kit.webClient, undefined, oidc.ClientSecretPost(kit.secrets.web));
  const got = await signIn(config, new Person(kit.jo), { scope: "openid profile email" });
  const info = await oidc.fetchUserInfo(config, got.access_token, oidc.skipSubjectCheck);
  assert.equal(info.name, "Jo Doe");
  assert.equal(info.email, kit.jo);
});

test("hybrid: an ID token comes with the code", async () => {
  const config = await oidc.discovery(issuer(contoso), kit.webClient, undefined, oidc.ClientSecretPost(kit.secrets.web));
  oidc.useCodeIdTokenResponseType(config);
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri, scope, state, nonce, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const to = await new Person(kit.jo).open(url.href);
  assert.ok(to.hash.includes("id_token="));
  const got = await oidc.authorizationCodeGrant(config, to, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce });
  assert.equal((await call("/orders", got.access_token)).user, kit.user);
});

test("implicit: an ID token comes without a code", async () => {
  const config = await oidc.discovery(issuer(contoso), kit.webClient, undefined, oidc.ClientSecretPost(kit.secrets.web));
  oidc.useIdTokenResponseType(config);
  const nonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, { redirect_uri, scope: "openid profile", nonce });
  const to = await new Person(kit.jo).open(url.href);
  assert.equal((await oidc.implicitAuthentication(config, to, nonce)).oid, kit.user);
  await assert.rejects(oidc.implicitAuthentication(config, to, "another nonce"));
});

test("External ID", async () => {
  const config = await oidc.discovery(issuer(kit.customers), kit.webClient, undefined, oidc.ClientSecretPost(kit.secrets.web));
  const got = await signIn(config, new Person(kit.pat, { password: kit.password }));
  assert.equal((await call("/orders", got.access_token)).tenant, kit.customers);
});

test("a redirect URI that is not registered shows a page", async () => {
  const config = await oidc.discovery(issuer(contoso), kit.webClient, undefined, oidc.ClientSecretPost(kit.secrets.web));
  await assert.rejects(signIn(config, new Person(kit.jo), { redirect_uri: "https://evil.example/" }), /AADSTS50011/);
});
