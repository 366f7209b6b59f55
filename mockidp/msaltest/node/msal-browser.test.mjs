// MSAL Browser, unmodified, in Chromium, against the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { App, launch, newContext, pick, press, signIn, steps } from "./chromium.mjs";
import * as kit from "./kit.mjs";
import { contoso, freshScope, ordersScope } from "./kit.mjs";

const scopes = [ordersScope];
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// silentlyRenewed gets tokens that no cache keeps, so that each takes a refresh token, the one before it having been used up.
async function silentlyRenewed(app, home, more) {
  const requests = app.tokenRequests;
  for (let i = 0; i < 3; i++) {
    const got = await app.silent([freshScope], home, more);
    assert.equal(got.fromCache, false, JSON.stringify(got));
    await app.call("/orders", got.accessToken);
  }
  assert.equal(app.tokenRequests, requests + 3);
}

test("sign-in and sign-out by redirect", async (t) => {
  for (const redirectUri of [`${kit.spa}/redirect.html`, `${kit.spa}/`]) {
    const app = await App.open(await newContext(t, browser), { redirectUri });
    const got = await app.redirect("loginRedirect", { scopes }, signIn(kit.jo));
    assert.equal(got.home, `${kit.user}.${contoso}`, JSON.stringify(got));
    assert.equal(got.login, kit.jo);
    const who = await app.call("/orders", got.accessToken);
    assert.equal(who.user, kit.user);
    assert.equal(who.client, kit.spaClient);
    assert.equal(kit.claims(got.accessToken).azpacr, "0");

    const requests = app.tokenRequests;
    const cached = await app.silent(scopes, got.home);
    assert.equal(cached.accessToken, got.accessToken);
    assert.equal(app.tokenRequests, requests);
    const forced = await app.silent(scopes, got.home, { forceRefresh: true });
    assert.notEqual(forced.accessToken, got.accessToken);
    await silentlyRenewed(app, got.home);

    // The session signs in without a question, until it ends. Hidden frames need the page with the redirect bridge.
    const sso = { scopes, redirectUri: `${kit.spa}/redirect.html` };
    assert.equal((await app.got("ssoSilent", sso)).home, got.home);
    assert.equal(await app.redirect("logoutRedirect"), null);
    await app.refused("ssoSilent", sso, "login_required");
  }
});

test("sign-in and sign-out in a popup", async (t) => {
  const app = await App.open(await newContext(t, browser));
  const got = await app.popup("loginPopup", { scopes }, pick(kit.jo));
  assert.equal(got.home, `${kit.user}.${contoso}`, JSON.stringify(got));
  await app.call("/orders", got.accessToken);
  await silentlyRenewed(app, got.home);

  // Another scope, that nobody has consented to: the popup asks once.
  const silently = await app.silent([kit.jobsScope], got.home);
  assert.equal(silently.kind, "InteractionRequiredAuthError", JSON.stringify(silently));
  const more = await app.popup("acquireTokenPopup", { scopes: [kit.jobsScope] }, press("Accept"));
  await app.call("/jobs", more.accessToken);
  const again = await app.popup("acquireTokenPopup", { scopes: [kit.jobsScope] });
  await app.call("/jobs", again.accessToken);

  await app.popup("logoutPopup", { postLogoutRedirectUri: `${kit.spa}/redirect.html` });
  await app.refused("ssoSilent", { scopes }, "login_required");
});

test("a password, first the wrong one", async (t) => {
  const app = await App.open(await newContext(t, browser));
  const got = await app.popup(
    "loginPopup",
    { scopes },
    steps(signIn(kit.pat, "wrong"), async (page) => {
      await page.getByRole("alert").waitFor();
      await page.getByLabel("Password").fill(kit.password);
      await press("Sign in")(page);
    }),
  );
  assert.equal((await app.call("/orders", got.accessToken)).user, kit.passwordUser);
});

test("cancelled", async (t) => {
  const app = await App.open(await newContext(t, browser));
  for (const got of [
    await app.popup("loginPopup", { scopes }, press("Cancel")),
    await app.redirect("loginRedirect", { scopes }, press("Cancel")),
  ]) {
    assert.equal(got.error, "access_denied", JSON.stringify(got));
    assert.match(got.description, /AADSTS65004/);
  }
  const declined = await app.popup("loginPopup", { scopes: [kit.jobsScope] }, steps(signIn(kit.pat, kit.password), press("Cancel")));
  assert.equal(declined.error, "access_denied", JSON.stringify(declined));
});

test("silent single sign-on in a hidden frame", async (t) => {
  const context = await newContext(t, browser);
  const first = await App.open(context);
  await first.refused("ssoSilent", { scopes }, "login_required");
  const got = await first.redirect("loginRedirect", { scopes }, signIn(kit.jo));

  // Another tab knows nothing but the session at the server.
  const second = await App.open(context);
  for (const request of [{ scopes }, { scopes, loginHint: kit.jo }]) {
    const sso = await second.got("ssoSilent", request);
    assert.equal(sso.home, got.home);
    await second.call("/orders", sso.accessToken);
  }
  await second.refused("ssoSilent", { scopes, loginHint: kit.pat }, "login_required");

  // Without a refresh token, silent renewal goes through the frame, too.
  const skip = await first.page.evaluate("msal.CacheLookupPolicy.Skip");
  const renewed = await first.silent(scopes, got.home, { cacheLookupPolicy: skip });
  assert.equal(renewed.fromCache, false, JSON.stringify(renewed));
  await first.call("/orders", renewed.accessToken);
});

test("common, with a multi-tenant application", async (t) => {
  for (const [tenant, login, home, user] of [
    ["common", kit.jo, contoso, kit.user],
    ["organizations", kit.kim, kit.fabrikam, kit.fabrikamUser],
    ["common", kit.sam, kit.personal, kit.personalUser],
    ["consumers", kit.sam, kit.personal, kit.personalUser],
  ]) {
    const app = await App.open(await newContext(t, browser), { tenant });
    const got = await app.redirect("loginRedirect", { scopes }, pick(login));
    assert.equal(got.home, `${user}.${home}`, JSON.stringify(got));
    assert.equal((await app.call("/orders", got.accessToken)).tenant, home);
    await silentlyRenewed(app, got.home);
    assert.equal((await app.got("ssoSilent", { scopes, loginHint: login })).home, got.home);
    if (login !== kit.kim) continue;
    const guest = await app.silent(scopes, got.home, { authority: `${kit.origin}/${contoso}`, forceRefresh: true });
    const who = await app.call("/orders", guest.accessToken);
    assert.equal(who.tenant, contoso);
    assert.equal(who.user, kit.guestUser);
  }
});

test("B2C with two policies", async (t) => {
  const tenant = "contosob2c.onmicrosoft.com/b2c_1_susi";
  const app = await App.open(await newContext(t, browser), { tenant });
  const homes = [];
  for (const policy of ["B2C_1_susi", "B2C_1A_custom"]) {
    const authority = `${kit.origin}/contosob2c.onmicrosoft.com/${policy}`;
    const got = await app.popup("loginPopup", { scopes, authority, prompt: "login" }, signIn(kit.jo));
    const who = await app.call("/orders", got.accessToken);
    assert.equal(who.tenant, kit.shop);
    assert.equal(who.policy, policy);
    assert.equal(got.home, `${kit.user}-${policy.toLowerCase()}.${kit.shop}`);
    homes.push(got.home);
    await silentlyRenewed(app, got.home, { authority });
    assert.equal((await app.got("ssoSilent", { scopes, authority })).home, got.home);
  }
  // Each account goes on by itself.
  for (const [i, policy] of ["B2C_1_susi", "B2C_1A_custom"].entries()) {
    const next = await app.silent([freshScope], homes[i], { authority: `${kit.origin}/contosob2c.onmicrosoft.com/${policy}` });
    assert.equal((await app.call("/orders", next.accessToken)).policy, policy);
  }
  assert.equal(await app.redirect("logoutRedirect"), null);
  await app.refused("ssoSilent", { scopes }, "login_required");
});

test("External ID", async (t) => {
  for (const tenant of [kit.customers, "contosocx.onmicrosoft.com"]) {
    const app = await App.open(await newContext(t, browser), { tenant });
    const got = await app.redirect("loginRedirect", { scopes }, signIn(kit.pat, kit.password));
    assert.equal(got.home, `${kit.passwordUser}.${kit.customers}`, JSON.stringify(got));
    assert.equal((await app.call("/orders", got.accessToken)).tenant, kit.customers);
    await silentlyRenewed(app, got.home);
    assert.equal(await app.redirect("logoutRedirect"), null);
    await app.refused("ssoSilent", { scopes }, "login_required");
  }
});

test("a claims challenge", async (t) => {
  const app = await App.open(await newContext(t, browser), { clientCapabilities: ["cp1"] });
  const got = await app.popup("loginPopup", { scopes }, signIn(kit.jo));
  assert.deepEqual(kit.claims(got.accessToken).xms_cc, ["cp1"]);
  const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: "c1" } } });
  const next = await app.popup("acquireTokenPopup", { scopes, claims });
  assert.deepEqual(kit.claims(next.accessToken).acrs, ["c1"], JSON.stringify(next));
  await app.call("/orders", next.accessToken);
});

test("authorize requests in a form post", async (t) => {
  const app = await App.open(await newContext(t, browser));
  let posted = 0;
  app.page.on("request", (r) => void (r.method() === "POST" && r.url().includes("/authorize") && posted++));
  const got = await app.redirect("loginRedirect", { scopes, httpMethod: "POST" }, signIn(kit.jo));
  await app.call("/orders", got.accessToken);
  assert.equal(posted, 1);
});

test("a redirect URI that is not registered shows a page", async (t) => {
  const app = await App.open(await newContext(t, browser), { redirectUri: `${kit.spa}/elsewhere.html` });
  app.page.evaluate((r) => void client.loginRedirect(r), { scopes });
  await app.page.waitForURL((url) => url.origin === kit.origin);
  assert.match(await app.page.getByRole("alert").innerText(), /AADSTS50011/);
});

// Microsoft's own host names, mapped to the server: neither the application nor the API has a trace of a mock.
test("production hosts", async (t) => {
  for (const [host, tenant, home, auth] of [
    ["login.microsoftonline.com", contoso, contoso, { knownAuthorities: [] }],
    ["login.microsoftonline.com", "common", contoso, { knownAuthorities: [] }],
    ["contosob2c.b2clogin.com", "contosob2c.onmicrosoft.com/B2C_1_susi", kit.shop, {}],
    ["contosocx.ciamlogin.com", "contosocx.onmicrosoft.com", kit.customers, { knownAuthorities: [`${kit.customers}.ciamlogin.com`] }],
  ]) {
    const mapped = await launch(`MAP ${host} ${kit.host}`);
    t.after(() => mapped.close());
    const app = await App.open(await newContext(t, mapped), { origin: `https://${host}`, tenant, ...auth });
    for (const got of [
      await app.redirect("loginRedirect", { scopes }, signIn(kit.jo)),
      await app.popup("acquireTokenPopup", { scopes, prompt: "select_account" }, pick(kit.jo)),
    ]) {
      const who = await app.call("/orders", got.accessToken ?? assert.fail(JSON.stringify(got)), kit.productionAPI);
      assert.equal(who.tenant, home);
      const renewed = await app.silent(scopes, got.home, { forceRefresh: true });
      await app.call("/orders", renewed.accessToken ?? assert.fail(JSON.stringify(renewed)), kit.productionAPI);
    }
  }
});
