// What the tests share: where the server is, a person who signs in without a script, and a call of the protected API.
import assert from "node:assert/strict";
import dns from "node:dns";

const env = (name) => process.env[name] ?? assert.fail(`${name} is not set: run the Go tests, which start these`);

export const origin = env("MOCKIDP_ORIGIN"); // https://localhost:port
export const host = new URL(origin).host;
export const api = env("MOCKIDP_API");
export const productionAPI = env("MOCKIDP_PRODUCTION"); // trusts the tenants at Microsoft's own addresses
export const spa = env("MOCKIDP_SPA");
export const own = { key: env("MOCKIDP_KEY"), certificate: env("MOCKIDP_CERTIFICATE") };
export const foreign = { key: env("MOCKIDP_FOREIGN_KEY"), certificate: env("MOCKIDP_FOREIGN") };

export const contoso = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa";
export const fabrikam = "bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb";
export const shop = "b2cb2cb2-7777-4777-8777-b2cb2cb2b2cb";
export const customers = "c1a0c1a0-8888-4888-8888-c1a0c1a0c1a0";
export const personal = "9188040d-6c67-4c5b-b112-36a304b66dad";

export const spaClient = "dddddddd-4444-4444-8444-dddddddddddd";
export const webClient = "dddddddd-4444-4444-8444-000000000001";
export const nativeClient = "dddddddd-4444-4444-8444-000000000002";
export const daemon = "dddddddd-4444-4444-8444-000000000003";
export const gateway = "dddddddd-4444-4444-8444-000000000004";
export const secrets = { web: "web-secret-of-the-mock", daemon: "daemon-secret-of-the-mock", gateway: "middle-tier-secret-of-the-mock" };
export const password = "Mock-Passw0rd";

const ordersAPI = "cccccccc-3333-4333-8333-cccccccccccc";
export const ordersScope = `api://${ordersAPI}/Orders.Read`;
export const jobsScope = `api://${ordersAPI}/Jobs.Run`; // nobody has consented to it
export const ordersAll = `api://${ordersAPI}/.default`;
export const freshScope = "api://cccccccc-3333-4333-8333-000000000001/Orders.Read"; // tokens too short-lived for any cache
export const gatewayScope = `api://${gateway}/access_as_user`;

export const user = "eeeeeeee-5555-4555-8555-eeeeeeeeeeee"; // jo
export const passwordUser = "eeeeeeee-5555-4555-8555-000000000001"; // pat
export const fabrikamUser = "eeeeeeee-5555-4555-8555-000000000003"; // kim
export const guestUser = "99999999-9999-4999-8999-999999999999"; // kim in contoso
export const personalUser = "00000000-0000-0000-66f3-3332eca7ea81"; // sam
export const jo = "jo@contoso.example";
export const pat = "pat@contoso.example"; // has a password
export const kim = "kim@fabrikam.example";
export const sam = "sam@outlook.example"; // a personal account

// Nothing leaves this machine: a name that is not local is an error, not a request.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => {
  if (name !== "localhost" && name !== "127.0.0.1") throw new Error(`a client asks for ${name}`);
  return lookup(name, ...rest);
};

// call calls the protected API and wants 200. The answer says who called.
export async function call(path, token) {
  const res = await fetch(api + path, { headers: { authorization: `Bearer ${token}` } });
  const body = await res.text();
  assert.equal(res.status, 200, `${path}: ${body}; token ${JSON.stringify(claims(token))}`);
  return JSON.parse(body);
}

export async function forbidden(path, token) {
  const res = await fetch(api + path, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(res.status, 403);
}

export const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

const unescaped = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'", "#43": "+" };
export const unescape = (text) => text.replace(/&([^;]+);/g, (all, name) => unescaped[name] ?? assert.fail(`unknown entity ${all}`));
const attribute = (tag, name) => unescape(tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1] ?? "");

// Person signs in with a browser that runs no script: it reads pages and posts their forms.
export class Person {
  pages = []; // headings that were seen
  #cookies = new Map();

  constructor(login, { password = "", userCode = "", declines = false } = {}) {
    Object.assign(this, { login, password, userCode, declines });
  }

  // open goes to an address and does what the pages ask, until the browser is back at the application. The result is the address
  // that a redirect led to, or for a form_post answer the redirect URI.
  async open(address) {
    let at = new URL(address);
    let body;
    for (let step = 0; step < 15; step++) {
      const server = at.host === host;
      const res = await fetch(at, {
        method: body ? "POST" : "GET",
        body,
        redirect: "manual",
        headers: server ? { cookie: [...this.#cookies].map((c) => c.join("=")).join("; ") } : {},
      });
      for (const cookie of res.headers.getSetCookie()) {
        const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
        this.#cookies.set(name, value);
      }
      const to = res.headers.get("location");
      if (to) {
        const next = new URL(to, at);
        if (next.host !== host) return next;
        [at, body] = [next, undefined];
        continue;
      }
      const html = await res.text();
      if (!server) return at;
      this.pages.push(html.match(/<h1>([^<]*)/)?.[1]);
      assert.ok(res.status < 400, `${at}: ${res.status}: ${html.replace(/<style>[^]*<\/style>|<[^>]*>/g, " ")}`);
      const form = html.match(/<form[^]*?<\/form>/g)?.at(-1);
      if (!form) return at;
      [at, body] = [new URL(attribute(form, "action"), at), this.#fill(form)];
    }
    assert.fail(`no end after the pages ${this.pages}`);
  }

  // fill fills in the last form of a page: where accounts are offered, too, that is the one for any other account.
  #fill(form) {
    const values = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*>/g)) values.set(attribute(input, "name"), attribute(input, "value"));
    for (const [name, value] of [["loginfmt", this.login], ["passwd", this.password], ["otc", this.userCode]]) {
      if (values.has(name)) values.set(name, value);
    }
    const question = !values.has("loginfmt") && !values.has("otc");
    const button = form.match(/<button[^>]*>/g).at(this.declines && question ? -1 : 0);
    if (attribute(button, "name")) values.set(attribute(button, "name"), attribute(button, "value"));
    return values;
  }
}

// byDevice signs in with a device code, which approve is given. MSAL does not wait for what happens to the code: this does, and
// stops the polling when it fails.
export async function byDevice(client, scopes, approve) {
  const request = { scopes };
  let approved;
  const failed = new Promise((_, reject) => {
    request.deviceCodeCallback = (code) => {
      approved = approve(code);
      approved.catch((err) => {
        request.cancel = true;
        reject(err);
      });
    };
  });
  try {
    return await Promise.race([client.acquireTokenByDeviceCode(request), failed]);
  } finally {
    await approved;
  }
}
