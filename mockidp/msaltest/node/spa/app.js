// The application: MSAL with the configuration that a test puts into the page before anything runs.
const ready = (async () => {
  window.client = new msal.PublicClientApplication(window.configuration);
  await client.initialize();
  return client.handleRedirectPromise();
})();
ready.catch(() => {}); // answer(ready) looks at it later

// answer makes what MSAL answers or throws fit to be handed out of the page.
async function answer(promise) {
  try {
    const got = await promise;
    return got && { accessToken: got.accessToken, fromCache: got.fromCache, scopes: got.scopes, home: got.account?.homeAccountId, login: got.account?.username };
  } catch (err) {
    return { error: err.errorCode ?? err.name, description: `${err.errorMessage} ${err.message}`, number: err.errorNo, kind: err.name };
  }
}

// call calls the protected API, cross-origin, as the page.
async function call(api, path, token) {
  const res = await fetch(api + path, { headers: { authorization: `Bearer ${token}` } });
  return { status: res.status, body: await res.json() };
}
