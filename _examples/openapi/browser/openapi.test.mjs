// Swagger UI in Chromium: Authorize, sign in, Try it out, Execute. SHOTS names a folder for pictures of the pages.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";

// The package is that of the tests of mockidp.
const require = createRequire(new URL("../../../mockidp/msaltest/node/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const { OPENAPI_URL: api, OPENAPI_IDP: microsoft, OPENAPI_USERS: users, CHROMIUM, SHOTS } = process.env;
const [jo, pat] = users.split(" "); // each of them consents once

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });
});
after(() => browser?.close());

// open is Swagger UI in a browser profile of its own. A fault of a page fails the test, and so does a request to anybody else.
async function open(t) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
  context.setDefaultTimeout(30_000);
  const faults = [], exchanges = [];
  context.on("weberror", (err) => faults.push(String(err.error())));
  context.on("console", (message) => {
    const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text()); // what Chromium says of every refusal
    if (message.type() === "error" && !refused) faults.push(message.text());
  });
  context.on("request", (r) => {
    if (![api, microsoft].includes(new URL(r.url()).origin) && !r.url().startsWith("data:")) faults.push(r.url());
    if (r.url().endsWith("/oauth2/v2.0/token") && r.method() === "POST") exchanges.push(r);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  const page = await context.newPage();
  await page.goto(`${api}/docs/`);
  await page.locator(".opblock").first().waitFor();
  return { page, exchanges };
}

let shots = 0;

async function shoot(page, name) {
  if (SHOTS) await page.screenshot({ path: path.join(SHOTS, `${String(++shots).padStart(2, "0")} ${name}.png`), fullPage: true });
}

const button = (page, name) => page.getByRole("button", { name, exact: true });

// execute tries an operation out, and returns the status that Swagger UI shows, and its box.
async function execute(page, id) {
  const box = page.locator(`#operations-Orders-${id}`);
  if (!(await box.getByRole("button", { name: "Try it out" }).isVisible())) await box.locator(".opblock-summary-control").click();
  await box.getByRole("button", { name: "Try it out" }).click();
  await box.getByRole("button", { name: "Execute" }).click();
  const status = box.locator(".live-responses-table .response .response-col_status");
  await status.waitFor();
  return { box, status: (await status.innerText()).trim() };
}

// authorize presses Authorize with the scopes that are marked, but for the one in without, signs in, and consents.
async function authorize(page, user, without) {
  await page.locator(".auth-wrapper").getByRole("button", { name: "Authorize" }).click();
  const dialog = page.locator(".auth-container").filter({ hasText: "authorizationCode" });
  if (without) await dialog.locator("label").filter({ hasText: without }).click();
  await shoot(page, "authorize");
  const opened = page.waitForEvent("popup");
  await button(dialog, "Apply given OAuth2 credentials").click();
  const popup = await opened;
  const sent = new URL(popup.url()).searchParams;
  await popup.getByRole("heading", { level: 1, name: "Pick an account" }).waitFor();
  await shoot(popup, "account");
  await popup.getByRole("button", { name: user }).click();
  await popup.getByRole("heading", { level: 1, name: "Permissions requested" }).waitFor();
  await shoot(popup, "consent");
  const closed = popup.waitForEvent("close");
  await button(popup, "Accept").click();
  await closed;
  await button(dialog, "Remove authorization").waitFor();
  await shoot(page, "authorized");
  await button(dialog, "Close").click();
  return sent;
}

test("Authorize, sign in, Try it out: 200", async (t) => {
  const { page, exchanges } = await open(t);
  const before = await execute(page, "listOrders");
  assert.equal(before.status.split(/\s/)[0], "401");
  await page.reload();
  await page.locator(".opblock").first().waitFor();

  const sent = await authorize(page, jo);
  assert.equal(sent.get("response_type"), "code");
  assert.equal(sent.get("code_challenge_method"), "S256");
  assert.equal(sent.get("redirect_uri"), `${api}/docs/oauth2-redirect.html`);

  assert.equal(exchanges.length, 1);
  const form = new URLSearchParams(exchanges[0].postData());
  assert.ok(form.get("code_verifier").length >= 43, "the code was redeemed without PKCE");
  assert.equal(form.get("client_secret"), null);
  assert.equal((await exchanges[0].allHeaders()).origin, api);

  const added = await execute(page, "addOrder");
  assert.equal(added.status.split(/\s/)[0], "201");
  const listed = await execute(page, "listOrders");
  assert.equal(listed.status.split(/\s/)[0], "200");
  assert.match(await listed.box.locator(".live-responses-table").innerText(), /"item":\s*"paper"/);
  await listed.box.scrollIntoViewIfNeeded();
  await shoot(page, "executed");
});

test("without the scope: 403", async (t) => {
  const { page } = await open(t);
  const sent = await authorize(page, pat, "Orders.Write");
  assert.match(sent.get("scope"), /Orders\.Read$/);
  const added = await execute(page, "addOrder");
  assert.equal(added.status.split(/\s/)[0], "403");
  assert.match(await added.box.locator(".live-responses-table").innerText(), /insufficient_scope/);
  await shoot(page, "refused");
  const listed = await execute(page, "listOrders");
  assert.equal(listed.status.split(/\s/)[0], "200");
});
