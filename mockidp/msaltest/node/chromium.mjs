// Chromium, and what a person does in it.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import * as kit from "./kit.mjs";

// launch starts Chromium. No name but localhost resolves, except those that rules map: "MAP host localhost:8443".
export const launch = (...rules) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      `--host-resolver-rules=${[...rules, "MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1"].join(", ")}`,
    ],
  });

// newContext is a browser profile of its own. What goes wrong in its pages fails the test.
export async function newContext(t, browser, options) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(60_000);
  const faults = [];
  context.on("weberror", (err) => faults.push(`${err.page()?.url()}: ${err.error()}`));
  context.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) faults.push(message.text());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return context;
}

// App is the single-page application in a tab.
export class App {
  tokenRequests = 0;

  constructor(page) {
    this.page = page;
    page.on("request", (r) => {
      if (r.method() === "POST" && r.url().includes("/oauth2/v2.0/token")) this.tokenRequests++;
    });
  }

  // open opens the application in a new tab.
  static async open(context, { tenant = kit.contoso, origin = kit.origin, ...auth } = {}) {
    const page = await context.newPage();
    const configuration = {
      auth: {
        clientId: kit.spaClient,
        authority: `${origin}/${tenant}`,
        knownAuthorities: [new URL(origin).host],
        redirectUri: `${kit.spa}/redirect.html`,
        postLogoutRedirectUri: `${kit.spa}/`,
        ...auth,
      },
    };
    await page.addInitScript((c) => void (window.configuration = c), configuration);
    const app = new App(page);
    await page.goto(`${kit.spa}/`);
    assert.equal(await app.redirected(), null);
    return app;
  }

  // redirected is the answer that the page was loaded with.
  redirected = () => this.page.evaluate("answer(ready)");

  // ask calls a method of the client and waits for its answer.
  ask = (method, request) => this.page.evaluate(([m, r]) => answer(client[m](r)), [method, request]);

  // got is ask, without an error.
  async got(method, request) {
    const answer = await this.ask(method, request);
    assert.equal(answer.error, undefined, `${method}: ${JSON.stringify(answer)}`);
    return answer;
  }

  // refused is ask, with an error.
  async refused(method, request, error) {
    const answer = await this.ask(method, request);
    assert.equal(answer.error, error, `${method}: ${JSON.stringify(answer)}`);
    return answer;
  }

  // silent asks for a token of the account with this home ID.
  silent = (scopes, home, more) =>
    this.page.evaluate(
      ([s, h, m]) => answer(client.acquireTokenSilent({ scopes: s, account: client.getAllAccounts().find((a) => a.homeAccountId === h), ...m })),
      [scopes, home, more],
    );

  // redirect leaves for the server, lets somebody act there, and comes back: by way of redirect.html, where that is the redirect URI.
  async redirect(method, request, act) {
    const home = (frame) => frame === this.page.mainFrame() && new URL(frame.url()).origin === kit.spa && new URL(frame.url()).pathname === "/";
    const back = this.page.waitForEvent("framenavigated", home);
    this.page.evaluate(([m, r]) => void client[m](r), [method, request]);
    await act?.(this.page);
    await back;
    await this.page.waitForLoadState("load");
    return this.redirected();
  }

  // popup does the same in a window of its own. Without somebody to act it has to close by itself.
  async popup(method, request, act) {
    const opened = this.page.waitForEvent("popup");
    const answered = this.ask(method, request);
    const popup = await opened;
    await act?.(popup).catch((err) => {
      if (!popup.isClosed()) throw err; // the last click may close it before the click is reported as done
    });
    const answer = await answered;
    if (!popup.isClosed()) await popup.waitForEvent("close");
    return answer;
  }

  // call calls the protected API from the page and wants 200.
  async call(path, token, api = kit.api) {
    const { status, body } = await this.page.evaluate(([a, p, t]) => call(a, p, t), [api, path, token]);
    assert.equal(status, 200, `${path}: ${JSON.stringify(body)}; token ${JSON.stringify(kit.claims(token))}`);
    return body;
  }
}

const button = (page, name) => page.getByRole("button", { name, exact: true });

// signIn types a login name, and a password where there is one.
export const signIn = (login, password) => async (page) => {
  await page.getByLabel("Login name").fill(login);
  if (password) await page.getByLabel("Password").fill(password);
  await button(page, "Sign in").click();
};

// pick takes an account from the list.
export const pick = (login) => (page) => page.getByRole("button", { name: login }).click();

export const press = (name) => (page) => button(page, name).click();

// steps does one thing after the other.
export const steps = (...acts) => async (page) => {
  for (const act of acts) await act(page);
};
