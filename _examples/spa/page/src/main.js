// The page: sign in, call the API, show what it answers, and do what it asks for.
import { call } from "./api.js";
import { AuthError, InteractionRequiredAuthError, Session } from "./session.js";

const element = (id) => document.getElementById(id);
let config;
let session;

// tell shows what went wrong, with what can be done about it: a button or a link.
function tell(text, ...remedies) {
  const line = document.createElement("p");
  line.textContent = text;
  const row = document.createElement("div");
  row.className = "row";
  row.append(...remedies);
  element("problem").replaceChildren(line, ...(remedies.length ? [row] : []));
}

function clear() {
  element("answer").replaceChildren();
  element("problem").replaceChildren();
}

function button(name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  made.addEventListener("click", () => attempt(act));
  return made;
}

// attempt does what a button is for, and shows why it fails.
async function attempt(act) {
  clear();
  try {
    await act();
  } catch (err) {
    fail(err);
  }
}

function fail(err) {
  if (!(err instanceof AuthError)) return tell(`It did not work: ${err.message}`);
  const reason = err.errorMessage || err.message;
  if (err.errorCode === "endpoints_resolution_error") {
    const link = document.createElement("a");
    link.href = new URL(session.place.url).origin;
    link.textContent = link.href;
    return tell("The page cannot reach the sign-in. If the browser does not trust its certificate, open it once and accept it:", link);
  }
  if (err.errorCode === "access_denied") return tell(`Nothing was granted. ${reason}`);
  if (reason.startsWith("AADB2C90205")) return tell(`An administrator of ${session.place.name} has to grant that: B2C asks nobody else. ${reason}`);
  tell(`The sign-in answers: ${err.errorCode}. ${reason}`);
}

// show lists what the API answered.
function show(status, body) {
  const list = document.createElement("dl");
  const lines = [["Status", status], ["Tenant", body.tenant], ["Policy", body.policy], ["User", body.user], ["Orders", body.orders?.join(", ")], ["Job", body.job]];
  for (const [name, value] of lines) {
    if (value === undefined) continue;
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, text.textContent] = [name, value];
    list.append(term, text);
  }
  element("answer").replaceChildren(list);
}

// use calls the API with a token for a scope, shows the answer, and where it refuses, what to do.
async function use(action, scope) {
  let token;
  try {
    token = await session.token(scope);
  } catch (err) {
    if (!(err instanceof InteractionRequiredAuthError)) throw err;
    return tell("You have to sign in again to go on.", button("Sign in again", () => session.ask(scope, action)));
  }
  const { status, body, challenge } = await call(config.api, action, token);
  if (status === 200 || status === 202) return show(status, body);
  if (status === 403 && challenge.scope) {
    return tell(
      `403: ${body.message} Needed: ${challenge.scope}.`,
      button(`Ask for ${challenge.scope}`, () => session.ask(config.scopes[action], action)),
    );
  }
  tell(`${status}: ${body.message ?? "no reason given."}`);
}

// scopeFor is what an action was granted. It begins with what everybody has, so that the API says what is missing.
const scopeFor = (action) => (sessionStorage.getItem(`asked ${action}`) ? config.scopes[action] : config.scopes.orders);

function draw() {
  const account = session.account;
  element("signed-out").hidden = Boolean(account);
  element("signed-in").hidden = !account;
  if (!account) return;
  element("login").textContent = account.username || account.name;
  element("place").textContent = session.place.name;
}

async function main() {
  config = await (await fetch("/config.json")).json();
  session = new Session(config);
  for (const place of config.authorities) element("authorities").append(button(place.name, () => session.signIn(place)));
  for (const action of ["orders", "jobs"]) element(action).addEventListener("click", () => attempt(() => use(action, scopeFor(action))));
  element("sign-out").addEventListener("click", () => attempt(() => session.signOut()));
  let asked;
  try {
    asked = await session.start();
  } finally {
    draw();
  }
  if (!asked) return;
  sessionStorage.setItem(`asked ${asked}`, "yes");
  await attempt(() => use(asked, config.scopes[asked]));
}

// A page that the Back button brings to life again was left in the middle of something.
addEventListener("pageshow", (event) => event.persisted && location.reload());
main().catch(fail);
