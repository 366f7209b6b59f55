// A page with the module from standard input as its only script. Signs in the user of the first argument in a Chromium that was
// started with the option of the second one, and prints what the module logs.
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const [login, trust] = process.argv.slice(2);
const html = `<!DOCTYPE html>
<link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "@azure/msal-browser": "/node_modules/@azure/msal-browser/dist/index.mjs",
  "@azure/msal-common/browser": "/node_modules/@azure/msal-common/dist-browser/index-browser.mjs"
}}</script>
<script type="module">${await text(process.stdin)}</script>`;

const server = createServer((req, res) => {
  if (!req.url.startsWith("/node_modules/")) return res.setHeader("content-type", "text/html").end(html);
  createReadStream(join(import.meta.dirname, req.url)).pipe(res.setHeader("content-type", "text/javascript"));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const profile = await mkdtemp(join(tmpdir(), "mockidp-profile-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-background-networking", trust,
    `--host-resolver-rules=MAP localhost:3000 127.0.0.1:${server.address().port}, MAP localhost 127.0.0.1, MAP * ~NOTFOUND`,
  ],
});
try {
  const page = await context.newPage();
  page.on("pageerror", (err) => console.error(err));
  const logged = page.waitForEvent("console", (message) => message.type() === "log");
  logged.catch(() => {}); // another step fails before it
  await page.goto("http://localhost:3000");
  await page.getByRole("button", { name: login }).click();
  console.log((await logged).text());
} finally {
  await context.close();
  await rm(profile, { recursive: true });
  server.close();
}
