// The story in Chromium: what people see of it, and what the browser keeps. SHOTS names a folder for pictures of the pages.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";

// The packages are those of the tests of mockidp.
const require = createRequire(new URL("../../../mockidp/msaltest/node/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const { SAAS_URL: service, SAAS_IDP: microsoft, SAAS_ADMIN: admin, SAAS_MEMBER: member, CHROMIUM, SHOTS } = process.env;
const fabrikam = "bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb";

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });
});
after(() => browser.close());

// open is a browser profile of its own. A fault of a page fails the test, and so does a request to anybody else.
async function open(t, options) {
  const context = await browser.newContext({ bypassCSP: false, ...options });
  context.setDefaultTimeout(30_000);
  const faults = [];
  context.on("weberror", (err) => faults.push(String(err.error())));
  context.on("console", (message) => {
    const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text()); // what Chromium says of every error page
    if (["error", "warning"].includes(message.type()) && !refused) faults.push(message.text());
  });
  context.on("request", (r) => {
    if (![service, microsoft].includes(new URL(r.url()).origin) && !r.url().startsWith("data:")) faults.push(r.url());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return context.newPage();
}

let shots = 0;

// look checks a page for people who cannot see it, and takes its picture.
async function look(page, heading) {
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  if (SHOTS) await page.screenshot({ path: path.join(SHOTS, `${String(++shots).padStart(2, "0")} ${heading}.png`), fullPage: true });
  const session = await page.context().newCDPSession(page); // axe, past the policy of the page
  const { result } = await session.send("Runtime.evaluate", {
    expression: `${axe.source}; axe.run().then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html).join(" "))))`, awaitPromise: true, returnByValue: true,
  });
  await session.detach();
  assert.deepEqual(JSON.parse(result.value), [], heading);
}

const button = (page, name) => page.getByRole("button", { name });

async function connect(page, company) {
  await page.goto(service);
  await page.getByLabel("Company").fill(company);
  await button(page, "Connect with Microsoft").click();
}

// rows are the statuses of both replicas.
async function rows(page) {
  const cells = await page.getByRole("row").filter({ hasNot: page.getByRole("columnheader") }).allInnerTexts();
  return cells.map((text) => text.split("\t").slice(0, 2).join(" "));
}

test("a member who is no administrator goes back", async (t) => {
  const page = await open(t);
  await connect(page, "Fabrikam");
  await look(page, "Pick an account");
  await button(page, member).click();
  await look(page, "Need admin approval");
  await button(page, "Return without granting").click();
  await look(page, "Not connected");
  assert.match(await page.getByRole("alert").innerText(), /^Consent was not given/);
});

test("an administrator who declines", async (t) => {
  const page = await open(t);
  await connect(page, "Fabrikam");
  await button(page, admin).click();
  await button(page, "Cancel").click();
  await look(page, "Not connected");
  await page.getByRole("link", { name: "Back" }).click();
  await look(page, "Orders for everybody");
  assert.equal(await page.getByText("None yet.").count(), 1);
});

test("connected, served by both replicas, removed, refused by both", async (t) => {
  const page = await open(t);
  const calls = await page.context().newPage();
  await calls.goto(`${service}/demo`);
  await look(calls, "Call the API");
  await button(calls, `As ${member}`).click();
  assert.match(await calls.getByRole("alert").innerText(), /^No token: .*AADSTS65001/);
  await look(calls, "Call the API");

  await connect(page, "Fabrikam");
  const cookies = await page.context().cookies(service);
  const cookie = cookies.find((c) => c.name === "__Host-adminconsent");
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path, cookie.domain], [true, true, "Lax", "/", "localhost"]);
  await button(page, admin).click();
  await look(page, "Permissions requested");
  await button(page, "Accept").click();
  await look(page, "Orders for everybody"); // by way of the sign-in, which asks nothing more
  assert.equal(new URL(page.url()).origin, service);
  assert.equal(await page.getByRole("listitem").filter({ hasText: "Fabrikam" }).filter({ hasText: fabrikam }).count(), 1);
  assert.equal((await page.context().cookies(service)).some((c) => c.name === "__Host-adminconsent"), false, "the cookie is still there");
  const answered = new Set();
  for (let i = 0; i < 2; i++) {
    answered.add(await page.getByText(/^Answered by replica/).innerText());
    await page.reload();
  }
  assert.equal(answered.size, 2);

  await button(calls, `As ${member}`).click();
  await calls.getByRole("table").waitFor();
  assert.deepEqual(await rows(calls), ["one 200", "two 200"]);
  assert.equal(await calls.getByRole("cell", { name: "Fabrikam: Welcome parcel for Fabrikam" }).count(), 2);
  await look(calls, "Call the API");

  await button(page, "Remove Fabrikam").click();
  await page.getByText("None yet.").waitFor();
  const removed = Date.now();
  let got;
  do {
    const loaded = calls.waitForEvent("load");
    await button(calls, "Again, with the same token").click();
    await loaded;
    got = await rows(calls);
  } while (got.some((row) => !row.endsWith(" 401")) && Date.now() - removed < 1000);
  assert.deepEqual(got, ["one 401", "two 401"]);
  await look(calls, "Call the API");
});

test("an answer in another browser", async (t) => {
  const page = await open(t);
  await connect(page, "Fabrikam");
  let answer;
  await page.context().route(`${microsoft}/**`, async (route) => {
    const response = await route.fetch({ maxRedirects: 0 });
    const { location } = response.headers();
    if (!location?.startsWith(`${service}/consented?`)) return route.fulfill({ response });
    answer = location;
    return route.fulfill({ status: 200, contentType: "text/plain", body: "kept" });
  });
  await button(page, admin).click();
  await button(page, "Accept").click();
  await page.getByText("kept").waitFor();
  const other = await open(t);
  await other.goto(answer);
  await look(other, "Not connected");
  assert.match(await other.getByRole("alert").innerText(), /does not belong/);
  await other.goto(service);
  assert.equal(await other.getByText("None yet.").count(), 1);
});

test("on a phone, in the dark", async (t) => {
  const page = await open(t, { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  await page.goto(service);
  await look(page, "Orders for everybody");
  await page.goto(`${service}/demo`);
  await look(page, "Call the API");
  await connect(page, "Fabrikam");
  await button(page, admin).click();
  await look(page, "Permissions requested");
  assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
});
