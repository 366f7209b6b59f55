// Who is signed in, and where: MSAL with one client for all authorities.
import { AuthError, InteractionRequiredAuthError, PublicClientApplication } from "@azure/msal-browser";

export class Session {
  #client;
  #config;

  constructor(config) {
    this.#config = config;
    this.#client = new PublicClientApplication({
      auth: {
        clientId: config.clientId,
        authority: config.authorities[0].url, // each request names its own
        knownAuthorities: config.knownAuthorities,
        redirectUri: `${location.origin}/redirect.html`,
        postLogoutRedirectUri: `${location.origin}/`,
      },
      cache: { cacheLocation: "sessionStorage" }, // ends with the tab
    });
  }

  // start takes the answer that the page was loaded with. The result is the state of the request that was answered, if there was one. An
  // AuthError is what the sign-in refused.
  async start() {
    await this.#client.initialize();
    const answer = await this.#client.handleRedirectPromise();
    if (answer) this.#client.setActiveAccount(answer.account);
    return answer?.state;
  }

  get account() {
    return this.#client.getActiveAccount();
  }

  // place is where the account is signed in. The same person can be at several.
  get place() {
    return this.#config.authorities.find(({ name }) => name === sessionStorage.getItem("place")) ?? this.#config.authorities[0];
  }

  // signIn leaves the page.
  signIn(place) {
    sessionStorage.setItem("place", place.name);
    return this.#client.loginRedirect({ authority: place.url, scopes: [this.#config.scopes.orders] });
  }

  // token is an access token, from the cache while it is fresh. An InteractionRequiredAuthError means that somebody has to be asked.
  async token(scope) {
    const got = await this.#client.acquireTokenSilent({ authority: this.place.url, account: this.account, scopes: [scope] });
    return got.accessToken;
  }

  // ask leaves the page, to ask for a scope. start gets the state afterwards.
  ask(scope, state) {
    return this.#client.acquireTokenRedirect({ authority: this.place.url, account: this.account, scopes: [scope], state });
  }

  // signOut leaves the page.
  signOut() {
    const { url } = this.place;
    sessionStorage.clear(); // the place, and every token
    return this.#client.logoutRedirect({ authority: url, account: this.account });
  }
}

export { AuthError, InteractionRequiredAuthError };
