// What holds for every page of the server, whoever looks at it and with whatever.
import assert from "node:assert/strict";
import path from "node:path";
import axe from "axe-core";
import { newContext } from "./chromium.mjs";
import * as kit from "./kit.mjs";

// application is a registered one that runs nowhere: what a browser sends to it is kept.
const application = "https://web.contoso.example";

// Visit is a tab in which somebody looks at the server's pages.
export class Visit {
  delivered = []; // parameters that reached the application

  // open opens a tab. A fault in a page fails the test, and so does a request to anybody but the server and the application. The
  // application answers with an empty page; with status 204 it leaves the browser on the page that it comes from.
  static async open(t, browser, { status = 200, ...options } = {}) {
    const context = await newContext(t, browser, options);
    const visit = new Visit(await context.newPage(), options.javaScriptEnabled ?? true);
    const faults = [];
    await context.route((url) => url.origin !== kit.origin, (route, request) => {
      if (new URL(request.url()).origin !== application) {
        faults.push(request.url());
        return route.abort();
      }
      visit.delivered.push(Object.fromEntries(new URLSearchParams(request.postData() ?? new URL(request.url()).search)));
      return route.fulfill({ status, contentType: "text/html", body: "" });
    });
    context.on("console", (message) => {
      const refused = /^Failed to load resource: .* status of 4\d\d/.test(message.text()); // what Chromium says of every error page
      if (["error", "warning"].includes(message.type()) && !refused) faults.push(message.text());
    });
    t.after(() => assert.deepEqual(faults, []));
    return visit;
  }

  constructor(page, script) {
    Object.assign(this, { page, script });
  }

  // authorize opens the page that the application sends people to.
  authorize(more, tenant = kit.contoso) {
    const query = new URLSearchParams({
      client_id: kit.webClient, response_type: "code", response_mode: "form_post", redirect_uri: `${application}/callback`,
      scope: `openid ${kit.ordersScope}`, state: "a state", ...more,
    });
    return this.page.goto(`${kit.origin}/${tenant}/oauth2/v2.0/authorize?${query}`);
  }

  // consentForTenant opens the page that the application sends administrators to.
  consentForTenant(more) {
    const query = new URLSearchParams({ client_id: kit.webClient, redirect_uri: `${application}/callback`, scope: kit.ordersAll, state: "a state", ...more });
    return this.page.goto(`${kit.origin}/organizations/v2.0/adminconsent?${query}`);
  }

  // tabTo presses Tab until the control has the focus.
  async tabTo(role, name) {
    const control = this.page.getByRole(role, { name });
    assert.equal(await control.count(), 1, `${role} ${name}`);
    for (let i = 0; i < 100; i++) {
      if (await control.evaluate((e) => e === document.activeElement)) return;
      await this.page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach the ${role} ${name}`);
  }

  // press goes to a control and presses Enter, which leads to another page.
  async press(role, name) {
    await this.tabTo(role, name);
    await this.enter();
  }

  async enter() {
    await Promise.all([this.page.waitForEvent("framenavigated"), this.page.keyboard.press("Enter")]);
    await this.page.waitForLoadState();
  }

  // type goes to a field and replaces what is in it.
  async type(name, text) {
    await this.tabTo("textbox", name);
    await this.page.keyboard.press("ControlOrMeta+A");
    await this.page.keyboard.insertText(text);
  }

  // shows checks which page it is, by its first heading.
  async shows(heading) {
    assert.equal(await this.page.getByRole("heading", { level: 1 }).innerText(), heading);
    assert.ok((await this.page.title()).endsWith(" · mockidp"), await this.page.title());
  }

  // look checks that everybody can use the page that is shown. With SCREENSHOTS, the path of a directory, people can look at it,
  // too. Where no script runs, there is no axe-core either: it is the same page.
  async look(heading, shot = heading) {
    const { page } = this;
    await this.shows(heading);
    if (!this.script) return;
    await this.#tabThrough();
    await page.evaluate(axe.source);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 375, 1280]) await this.#fits(width, `${shot} ${colorScheme}`);
      await this.#accessible(colorScheme === "dark" ? { runOnly: ["color-contrast"] } : { rules: { "target-size": { enabled: true } } });
    }
  }

  // Tab goes through all controls in their order, and each shows that it has the focus.
  async #tabThrough() {
    const { page } = this;
    const controls = await page.evaluate(() => {
      const controls = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, summary")].filter((e) => e.checkVisibility());
      controls[0]?.focus();
      window.focused = [];
      addEventListener("focusin", ({ target }) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(target);
        const { top, bottom } = target.getBoundingClientRect();
        const shows = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && bottom > 0 && top < innerHeight;
        window.focused.push(target.outerHTML.slice(0, 120) + (shows ? "" : " does not show the focus"));
      });
      return controls.map((e) => e.outerHTML.slice(0, 120));
    });
    if (controls.length === 0) return;
    await page.keyboard.press("Shift+Tab"); // and back to the first: a focus that a script sets need not show
    await page.evaluate(() => (window.focused = []));
    for (const _ of controls) await page.keyboard.press("Tab");
    assert.deepEqual(await page.evaluate(() => window.focused), controls);
  }

  // No page has to be scrolled sideways.
  async #fits(width, shot) {
    await this.page.setViewportSize({ width, height: 800 });
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${shot}: ${wide} px in a window of ${width} px`);
    if (process.env.SCREENSHOTS && width > 320) {
      const file = `${shot} ${width}.png`.replace(/[^A-Za-z0-9.]+/g, "-").toLowerCase();
      await this.page.screenshot({ path: path.join(process.env.SCREENSHOTS, file), fullPage: true });
    }
  }

  // axe-core finds nothing wrong, and nothing that it cannot tell.
  async #accessible(options) {
    const found = await this.page.evaluate((o) => axe.run({ resultTypes: ["violations", "incomplete"], ...o }), options);
    const faults = [...found.violations, ...found.incomplete].map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" ")}`);
    assert.deepEqual(faults, []);
  }
}
