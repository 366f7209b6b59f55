// Package adminconsent on-boards customers of a multi-tenant application: it sends an administrator through the admin consent of
// the Microsoft identity platform, and finds out for certain whose tenant it was.
//
//	flow, err := adminconsent.New(adminconsent.Config{
//		ClientID: "…", ClientSecret: "…",
//		ConsentURI: "https://orders.example/onboarding/consented",
//		SignInURI:  "https://orders.example/onboarding/signed-in",
//		Keys:       [][]byte{key}, // the same in every replica
//	})
//
// Three handlers of the application call it, one for each time that the browser comes by:
//
//	flow.Begin(w, r, adminconsent.Start{For: customer})       // sends the browser to Microsoft, to consent
//	flow.Continue(w, r, customer)                             // at ConsentURI: sends it to Microsoft again, to sign in
//	grant, err := flow.Finish(w, r, customer)                 // at SignInURI: the tenant is proven
//	store.Upsert(identity.Tenant{ID: grant.TenantID, …})
//
// customer is what the application calls whoever is on-boarding, and has to come from its own session each time.
//
// # Why two round trips
//
// Microsoft answers a consent with the query parameter tenant, and warns never to authorize anybody by it ("Admin consent on the
// Microsoft identity platform"): nothing signs it, and whoever holds the browser can write another one there. What would follow from
// believing it is the worst that can happen to a multi-tenant application. A stranger signs up as a customer, begins, and calls
// ConsentURI with the tenant ID of somebody else, which is no secret; from then on users and data of that tenant are the stranger's
// customer.
//
// These do not help: state, which the stranger got rightfully; a token of the application itself (client credentials) from that tenant,
// which proves that it has the application, as every other customer has, and nothing about who sits at this browser; the names that
// somebody types. So the tenant stays a claim until the person at this browser has signed in to it:
//
//   - with a code that is redeemed at that tenant's token endpoint, and is good only together with the secret in this browser's
//     cookie (RFC 7636), so that neither a code nor an answer of somebody else's browser can be planted;
//   - for an access token that [identity.Verifier] accepts when it is told to trust that one tenant of that one cloud and nothing else;
//   - of a user, not of an application;
//   - who holds a directory role that can consent for a whole tenant (the wids claim). Without this any employee of a company, and
//     any guest in its directory, could on-board the company behind its back.
//
// What a grant does not say is that every permission was consented to: whoever makes up the first answer skips the consent, and an
// administrator can sign in without it. That hurts nobody but their own tenant, whose users are then asked, or refused, by Microsoft.
//
// # What is bound to what
//
// The cookie __Host-adminconsent holds 32 random bytes that nothing else knows: HttpOnly, Secure, SameSite=Lax, and by its prefix not
// to be set by another host or a subdomain. The state parameter is sealed (AES-GCM) with a key that all replicas share, and holds the
// SHA-256 of these bytes, the customer, the tenant, and when it ends. An answer counts only in the browser that began, for the
// customer who began, within [Config.Lifetime], once, and at the step that it belongs to. Nothing is stored until something has to be
// remembered as used up: see [Used].
//
// An answer that is refused tells why by a sentinel: [ErrState], [ErrExpired], [ErrBrowser], [ErrCustomer], [ErrReplayed],
// [ErrDuplicate], [ErrAnswer], [ErrTenant], [ErrDenied], [ErrProof], [ErrNotAdmin]. All of these are the browser's doing; only
// [ErrUnavailable] is ours, or Microsoft's. Show none of the texts to the browser.
//
// A browser runs one flow at a time: Begin replaces the cookie, and an earlier flow in another tab is refused with ErrBrowser.
//
// # What is left to the application
//
//   - to let only its own signed-in customers begin, and to have some protection against cross-site requests where they begin;
//   - to decide what to do when the tenant already belongs to another of its customers. This package does not know them;
//   - to register both redirect URIs, and in the manifest groupMembershipClaims "DirectoryRole" or "All", which puts wids into tokens.
//
// # Consent again
//
// When the registration gets new permissions, tenants that consented before go on with the old ones: tokens lack the new scopes and
// roles, and the token endpoint answers AADSTS65001 to requests for them. Keep with each tenant which permissions its administrator
// was asked for, and send the administrator of one that lags behind through the same flow again, with [Start.TenantID] set: the answer
// of any other tenant is refused then.
//
// # Off-boarding
//
// Remove the tenant from the [identity.TenantSource]: it is refused from the next request on, cached tokens included. That is all that
// can be done, and has to be done, here; a flow that was begun before can still end with a grant for as long as Config.Lifetime, so
// that Finish has to be followed by a look at whether the customer is still one. The customer's administrator deletes the application
// under Entra ID, Enterprise applications, which withdraws everything that was consented to; an application that only stops does not.
package adminconsent
