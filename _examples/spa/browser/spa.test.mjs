// The page in Chromium: people sign in, call the API, are refused, ask for more, and sign out. SHOTS names a folder for pictures.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";

// The packages are those of the tests of mockidp.
const require = createRequire(new URL("../../../mockidp/msaltest/node/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const { SPA_PAGE: page_, SPA_API: api, SPA_IDP: microsoft, CHROMIUM, SHOTS } = process.env;
const contoso = { name: "Contoso", login: "jo@contoso.example", orders: "12 chairs, A desk" };
const fabrikam = { name: "Fabrikam", login: "kim@fabrikam.example", orders: "40 m of linen" };
const shop = { name: "Shop", login: "jo@contoso.example", shown: "Jo Doe", // the policy gives no login name
  orders: "A teapot, Two cups", policy: "B2C_1_susi" };
const places = [contoso, fabrikam, shop];
const welcome = ({ name, login, shown = login }) => `Signed in as ${shown} at ${name}.`;

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });
});
after(() => browser?.close());

// open is a browser profile of its own, at the page. What goes wrong there fails the test, and so does a request to anybody else.
async function open(t, options) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(20_000);
  const faults = [];
  context.on("weberror", (err) => faults.push(String(err.error())));
  context.on("console", (message) => {
    const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text()); // what Chromium says of every refusal
    if (["error", "warning"].includes(message.type()) && !refused) faults.push(message.text());
  });
  context.on("request", (r) => {
    if (![page_, api, microsoft].includes(new URL(r.url()).origin) && !r.url().startsWith("data:")) faults.push(r.url());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  const page = await context.newPage();
  await page.goto(page_);
  return page;
}

let shots = 0;

// look checks the page for people who cannot see it, and takes its picture.
async function look(page, name) {
  if (SHOTS) await page.screenshot({ path: path.join(SHOTS, `${String(++shots).padStart(2, "0")} ${name}.png`), fullPage: true });
  const session = await page.context().newCDPSession(page); // axe, past the policy of the page
  const { result } = await session.send("Runtime.evaluate", {
    expression: `${axe.source}; axe.run().then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html).join(" "))))`, awaitPromise: true, returnByValue: true,
  });
  await session.detach();
  assert.deepEqual(JSON.parse(result.value), [], name);
  assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true, `${name} is too wide`);
}

const button = (page, name) => page.getByRole("button", { name, exact: true });

async function signIn(page, place) {
  await button(page, place.name).click();
  await page.getByLabel("Login name").fill(place.login);
  await button(page, "Sign in").click();
  await page.getByText(welcome(place)).waitFor();
}

// answered is the list that the page shows.
async function answered(page) {
  await page.locator("#answer dl").waitFor();
  const [terms, texts] = [await page.locator("#answer dt").allInnerTexts(), await page.locator("#answer dd").allInnerTexts()];
  return Object.fromEntries(terms.map((term, i) => [term, texts[i]]));
}

async function problem(page) {
  await page.getByRole("alert").filter({ hasText: /./ }).waitFor();
  return page.getByRole("alert").innerText();
}

for (const place of places) {
  test(`sign in at ${place.name}, call, sign out`, async (t) => {
    const page = await open(t);
    await signIn(page, place);
    assert.equal(page.url(), `${page_}/`);
    const sent = page.waitForRequest((r) => r.url() === `${api}/orders` && r.method() === "GET");
    await button(page, "Get orders").click();
    const { User, ...rest } = await answered(page);
    assert.match(User, /^[0-9a-f-]{36}\.[0-9a-f-]{36}$/);
    assert.deepEqual(rest, { Status: "200", Tenant: place.name, ...(place.policy && { Policy: place.policy }), Orders: place.orders });

    // The token was for the API alone, with the one scope that was asked for.
    const token = (await (await sent).headerValue("authorization")).replace("Bearer ", "");
    const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    assert.equal(claims.aud, "cccccccc-3333-4333-8333-cccccccccccc");
    assert.equal(claims.scp, "Orders.Read");

    await page.reload(); // the session is the tab's, and outlives a reload
    await page.getByText(welcome(place)).waitFor();
    const kept = () => page.evaluate("[...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter((key) => key === 'place' || key.includes('|'))");
    assert.equal((await kept()).some((key) => key.includes("|refreshtoken|")), true);
    await button(page, "Sign out").click();
    await page.getByText("Where do you want to sign in?").waitFor();
    assert.deepEqual(await kept(), []);

    // Signed out at the provider, too: it asks who it is.
    await button(page, place.name).click();
    await page.getByLabel("Login name").waitFor();
  });
}

test("a scope that was not granted, asked for", async (t) => {
  const page = await open(t);
  await signIn(page, contoso);
  await button(page, "Run a job").click();
  assert.match(await problem(page), /^403: The access token lacks a required scope\. Needed: Jobs\.Run\./);
  await look(page, "403");
  await button(page, "Ask for Jobs.Run").click();
  await button(page, "Accept").click();
  const { User, ...rest } = await answered(page);
  assert.deepEqual(rest, { Status: "202", Tenant: "Contoso", Job: "accepted" });
  await button(page, "Get orders").click();
  await page.getByText("12 chairs").waitFor();
  await button(page, "Run a job").click(); // without a question
  await page.getByText("accepted").waitFor();
});

test("a scope that was not granted, declined", async (t) => {
  const page = await open(t);
  await signIn(page, fabrikam);
  await button(page, "Run a job").click();
  await button(page, "Ask for Jobs.Run").click();
  await button(page, "Cancel").click();
  assert.match(await problem(page), /^Nothing was granted\./);
  await button(page, "Get orders").click();
  assert.equal((await answered(page)).Tenant, "Fabrikam");
  await button(page, "Run a job").click();
  assert.match(await problem(page), /^403:/);
});

test("a scope that B2C was not told of", async (t) => {
  const page = await open(t);
  await signIn(page, shop);
  await button(page, "Run a job").click();
  await button(page, "Ask for Jobs.Run").click();
  assert.match(await problem(page), /^An administrator of Shop has to grant that.* AADB2C90205: /);
  assert.equal(new URL(page.url()).origin, page_);
});

test("back, in the middle of a sign-in", async (t) => {
  const page = await open(t);
  await button(page, "Contoso").click();
  await page.getByLabel("Login name").waitFor();
  await page.goBack();
  await signIn(page, fabrikam);
  await button(page, "Get orders").click();
  assert.equal((await answered(page)).Tenant, "Fabrikam");
});

test("another page gets nothing", async (t) => {
  const page = await open(t);
  await signIn(page, contoso);
  const sent = page.waitForRequest((r) => r.url() === `${api}/orders` && r.method() === "GET");
  await button(page, "Get orders").click();
  await answered(page);
  const authorization = await (await sent).headerValue("authorization");
  const from = (p) => p.evaluate(([to, headers]) => fetch(to, { headers }).then((r) => r.status, (err) => err.name), [`${api}/orders`, { authorization }]);
  assert.equal(await from(page), 200);
  const context = await browser.newContext();
  t.after(() => context.close());
  const stranger = await context.newPage();
  await stranger.goto(api.replace("localhost", "127.0.0.1")); // another origin, without a policy of its own that would forbid it
  assert.equal(await from(stranger), "TypeError");
});

test("a browser that does not trust the certificate of the sign-in", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(page_);
  await button(page, "Contoso").click();
  assert.match(await problem(page), /cannot reach the sign-in.*open it once/);
  assert.equal(await page.getByRole("alert").getByRole("link").getAttribute("href"), microsoft);
});

test("by keyboard alone", async (t) => {
  const page = await open(t);
  await button(page, "Contoso").waitFor();
  const focused = () => page.evaluate("document.activeElement.textContent");
  for (const name of ["Contoso", "Fabrikam"]) {
    await page.keyboard.press("Tab");
    assert.equal(await focused(), name);
  }
  await page.keyboard.press("Enter");
  await page.getByLabel("Login name").focus();
  await page.keyboard.type(fabrikam.login);
  await page.keyboard.press("Enter");
  await page.getByText(`at ${fabrikam.name}.`).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Get orders");
  await page.keyboard.press("Enter");
  assert.equal((await answered(page)).Tenant, "Fabrikam");
  assert.equal(await focused(), "Get orders"); // it stays where it was
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await problem(page);
  for (const name of ["Sign out", "Ask for Jobs.Run"]) {
    await page.keyboard.press("Tab");
    assert.equal(await focused(), name);
  }
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [375, 1280]) {
    test(`looked at, ${colorScheme}, ${width} pixels wide`, async (t) => {
      const page = await open(t, { viewport: { width, height: 740 }, colorScheme });
      await button(page, "Contoso").waitFor();
      await look(page, `signed out ${colorScheme} ${width}`);
      await signIn(page, shop);
      await button(page, "Get orders").click();
      await answered(page);
      await look(page, `orders ${colorScheme} ${width}`);
      await button(page, "Run a job").click();
      await problem(page);
      await look(page, `refused ${colorScheme} ${width}`);
    });
  }
}
