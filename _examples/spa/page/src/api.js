// The API, with a token in the header and nothing else that says who calls.
const routes = { orders: ["GET", "/orders"], jobs: ["POST", "/jobs"] };

// call answers with the status, the body, and the challenge of a refusal, all of which the API has to let this origin read (CORS).
export async function call(api, action, token) {
  const [method, path] = routes[action];
  const res = await fetch(api + path, { method, headers: { authorization: `Bearer ${token}` }, credentials: "omit" });
  return { status: res.status, body: await res.json().catch(() => ({})), challenge: challenge(res.headers.get("www-authenticate")) };
}

// challenge takes the parameters of a Bearer challenge (RFC 6750, section 3) apart.
function challenge(header) {
  const found = [...(header ?? "").matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value.replace(/\\(.)/g, "$1")]));
}
