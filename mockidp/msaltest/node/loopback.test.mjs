// MSAL Node on a desktop: the person uses Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PublicClientApplication } from "@azure/msal-node";
import { launch, newContext, pick, press, signIn } from "./chromium.mjs";
import * as kit from "./kit.mjs";
import { byDevice, call, contoso, ordersScope } from "./kit.mjs";

const scopes = [ordersScope];
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const client = () =>
  new PublicClientApplication({ auth: { clientId: kit.nativeClient, authority: `${kit.origin}/${contoso}`, knownAuthorities: [kit.host] } });

test("form_post to a loopback port, posted by script", async (t) => {
  const page = await (await newContext(t, browser)).newPage();
  const got = await client().acquireTokenInteractive({
    scopes,
    openBrowser: async (url) => {
      await page.goto(url);
      await signIn(kit.pat, kit.password)(page);
      await page.waitForURL(/^http:\/\/localhost:\d+/);
    },
  });
  assert.equal((await call("/orders", got.accessToken)).user, kit.passwordUser);
});

test("form_post to a loopback port, posted by its button where no script runs", async (t) => {
  const page = await (await newContext(t, browser, { javaScriptEnabled: false })).newPage();
  const got = await client().acquireTokenInteractive({
    scopes,
    openBrowser: async (url) => {
      await page.goto(url);
      await pick(kit.jo)(page);
      await press("Continue")(page);
      await page.waitForURL(/^http:\/\/localhost:\d+/);
    },
  });
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
});

test("a device code", async (t) => {
  const page = await (await newContext(t, browser)).newPage();
  const got = await byDevice(client(), scopes, async ({ userCode, verificationUri }) => {
    await page.goto(verificationUri);
    await page.getByLabel("Code").fill("WRONGCODE");
    await press("Next")(page);
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Code").fill(userCode);
    await press("Next")(page);
    await signIn(kit.jo)(page);
    await press("Continue")(page);
    await page.getByRole("heading", { name: "You are signed in" }).waitFor();
  });
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
});

// Single sign-on between applications: MSAL Node opens the browser in which somebody is signed in already.
test("the session of the browser", async (t) => {
  const page = await (await newContext(t, browser)).newPage();
  const openBrowser = (act) => async (url) => {
    await page.goto(url);
    await act?.(page);
    await page.waitForURL(/^http:\/\/localhost:\d+/);
  };
  await client().acquireTokenInteractive({ scopes, openBrowser: openBrowser(signIn(kit.jo)) });
  const got = await client().acquireTokenInteractive({ scopes, openBrowser: openBrowser() });
  assert.equal((await call("/orders", got.accessToken)).user, kit.user);
  const other = await client().acquireTokenInteractive({ scopes, prompt: "select_account", openBrowser: openBrowser(signIn(kit.pat, kit.password)) });
  assert.equal((await call("/orders", other.accessToken)).user, kit.passwordUser);
});
