// The pages in Chromium, for people with a keyboard, a screen reader, a phone, in the dark, or without script. All of it is done
// with the keyboard alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./chromium.mjs";
import * as kit from "./kit.mjs";
import { Visit } from "./page-checks.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const alert = (visit) => visit.page.getByRole("alert").innerText();

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : ", without script";
  const open = (t, options) => Visit.open(t, browser, { javaScriptEnabled, ...options });

  // delivered is what the application was sent last. Without script, a button sends it.
  const delivered = async (visit) => {
    if (!javaScriptEnabled) {
      await visit.look("Back to the application");
      await visit.press("button", "Continue");
    }
    await visit.page.waitForURL(/^https:\/\/web\.contoso\.example\//);
    const got = visit.delivered.pop();
    assert.equal(got.state, "a state");
    return got;
  };

  test(`sign-in with a password${how}`, async (t) => {
    const visit = await open(t);
    await visit.authorize();
    await visit.look("Pick an account");
    await visit.type("Login name", "nobody@contoso.example");
    await visit.enter();
    await visit.look("Pick an account", "Pick an account, unknown");
    assert.equal(await alert(visit), "This account does not exist in contoso.onmicrosoft.com.");
    await visit.press("button", /^Pat Poe/);
    await visit.page.waitForFunction(() => document.activeElement.tagName === "INPUT"); // autofocus comes with the first frame
    await visit.page.keyboard.type("wrong");
    await visit.look("Enter password");
    await visit.press("button", "Sign in");
    await visit.look("Enter password", "Enter password, wrong");
    assert.equal(await alert(visit), "The account name or the password is wrong.");
    assert.match(await visit.page.title(), /^Error: Enter password/);
    await visit.type("Password", kit.password);
    await visit.press("button", "Sign in");
    assert.match((await delivered(visit)).code, /./);
  });

  test(`an account without a password, and consent${how}`, async (t) => {
    const visit = await open(t);
    const who = javaScriptEnabled ? /^Jo Doe/ : /^Max Many/; // one's consent lasts
    await visit.authorize({ scope: `openid profile ${kit.jobsScope}`, prompt: "consent" });
    await visit.press("button", who);
    await visit.look("Permissions requested");
    await visit.press("button", "Cancel");
    assert.equal((await delivered(visit)).error, "access_denied");
    await visit.authorize({ scope: `openid ${kit.jobsScope}` });
    await visit.shows("Permissions requested");
    await visit.press("button", "Accept");
    assert.match((await delivered(visit)).code, /./);
  });

  test(`consent for a whole tenant${how}`, async (t) => {
    const visit = await open(t);
    await visit.consentForTenant();
    await visit.press("button", /^Jo Doe/);
    await visit.look("Need admin approval");
    await visit.press("button", "Sign in with another account");
    await visit.press("button", /^Pat Poe/);
    await visit.type("Password", kit.password);
    await visit.press("button", "Sign in");
    await visit.look("Permissions requested", "Permissions requested, tenant");
    await visit.press("button", "Cancel");
    await visit.page.waitForURL(/^https:\/\/web\.contoso\.example\//);
    assert.deepEqual([visit.delivered[0].error, visit.delivered[0].admin_consent], ["access_denied", "True"]);
    await visit.consentForTenant({ login_hint: kit.pat });
    await visit.press("button", "Accept");
    await visit.page.waitForURL(/admin_consent/);
    assert.deepEqual(visit.delivered[1], { admin_consent: "True", tenant: kit.contoso, scope: kit.ordersAll, state: "a state" });
  });

  test(`sign-in to B2C where nobody is offered, cancelled${how}`, async (t) => {
    const visit = await open(t);
    await visit.authorize({ domain_hint: "nobody.example" }, "contosob2c.onmicrosoft.com/B2C_1_susi");
    await visit.look("Sign in");
    await visit.press("button", "Cancel");
    assert.match((await delivered(visit)).error_description, /^AADB2C90091/);
  });

  test(`a device${how}`, async (t) => {
    const visit = await open(t);
    const start = async () => {
      const body = new URLSearchParams({ client_id: kit.nativeClient, scope: kit.ordersScope });
      return (await fetch(`${kit.origin}/${kit.contoso}/oauth2/v2.0/devicecode`, { method: "POST", body })).json();
    };
    const device = await start();
    await visit.page.goto(device.verification_uri);
    await visit.page.waitForFunction(() => document.activeElement.tagName === "INPUT"); // autofocus comes with the first frame
    await visit.page.keyboard.type("wrong");
    await visit.look("Enter code");
    await visit.press("button", "Next");
    await visit.look("Enter code", "Enter code, wrong");
    assert.equal(await alert(visit), "That code didn't work. Check the code and try again.");
    await visit.type("Code", device.user_code.toLowerCase());
    await visit.press("button", "Next");
    await visit.press("button", /^Jo Doe/);
    await visit.look("Is this your device?");
    assert.ok((await visit.page.getByRole("main").innerText()).includes(device.user_code));
    await visit.press("button", "Continue");
    await visit.look("You are signed in");

    await visit.page.goto(device.verification_uri);
    await visit.type("Code", (await start()).user_code);
    await visit.enter();
    await visit.press("button", /^Jo Doe/);
    await visit.press("button", "Cancel");
    await visit.shows("Cancelled");
  });

  test(`signing out${how}`, async (t) => {
    const visit = await open(t);
    await visit.authorize();
    await visit.press("button", /^Jo Doe/);
    await delivered(visit);
    await visit.page.goto(`${kit.origin}/${kit.contoso}/oauth2/v2.0/logout`);
    await visit.look("Signed out");
    assert.match(await visit.page.getByRole("main").innerText(), new RegExp(`The session of ${kit.jo} has ended`));
    await visit.page.reload();
    await visit.shows("Signed out");
    assert.match(await visit.page.getByRole("main").innerText(), /Nobody is signed in here/);
  });

  test(`what cannot be done${how}`, async (t) => {
    const visit = await open(t);
    for (const [more, tenant, code] of [
      [{ redirect_uri: "https://attacker.example/<b>" }, kit.contoso, "AADSTS50011"],
      [{ client_id: "5eed5eed-0000-4000-8000-5eed5eed5eed" }, kit.contoso, "AADSTS700016"],
      [{}, "nobody.example", "AADSTS90002"],
      [{ client_id: "5eed5eed-0000-4000-8000-5eed5eed5eed" }, "contosob2c.onmicrosoft.com/B2C_1_susi", "AADB2C90018"],
    ]) {
      assert.equal((await visit.authorize(more, tenant)).status(), 400);
      await visit.shows("Sign-in is not possible");
      assert.ok((await alert(visit)).startsWith(`${code}: `));
    }
    await visit.look("Sign-in is not possible");
  });
}

test("the way back to the application", async (t) => {
  const visit = await Visit.open(t, browser, { status: 204 });
  await visit.authorize();
  await visit.tabTo("button", /^Jo Doe/);
  const sent = visit.page.waitForRequest((r) => r.url().startsWith("https://web.contoso.example/"));
  await visit.page.keyboard.press("Enter");
  await sent;
  await visit.look("Back to the application");
});
