// Package mockidp impersonates the Microsoft identity platform: Entra ID workforce tenants of every cloud, Azure AD B2C
// and Entra External ID. It is for tests only; it panics on misuse and protects nothing.
//
// [New] makes a server that needs no socket. Its [Server.Client] routes Microsoft's real host names, and the custom domains of
// its tenants, to the server in memory: the production configuration of an API is tested unchanged, only the HTTP client
// differs. [Start] does the same over a TLS listener on the loopback interface.
//
//	idp := mockidp.New()
//	cfg.Keys.HTTPClient = idp.Client()            // the API under test, otherwise as in production
//	good := idp.Tenant(mockidp.Contoso).Token()   // a token that it must accept
//	bad := idp.Tenant(mockidp.Contoso).Token(mockidp.ExpiresIn(-time.Hour))
//	for _, b := range mockidp.Broken() { … }      // the tokens that it must refuse
//
// # Tokens
//
// [TenantHandle.Token] signs a token as Microsoft would: the right issuer, claims and header for the kind of tenant, the
// version and the kind of token that the options name. Every header, every claim and the key can be overridden. [Broken] is a
// catalogue of tokens with one defect each.
//
// # Keys
//
// Each cloud has one [KeySet] for all its workforce tenants, each B2C policy one, each External ID tenant one, and each
// application with signing keys of its own one. Keys can be rotated, published ahead, withdrawn and replaced by nonsense.
//
// RSA keys take long to make. The key material therefore comes from a pool of the process that grows on demand; every server
// takes it from the start, in the order of use, and never the same twice. The key IDs are made per server, so that a token of one
// server names a key that another server does not know. Two servers nevertheless share material: do not test the separation of
// two servers with key IDs that you set yourself.
//
// # Signing in
//
// The server is a whole identity provider: authorize, token, device code, logout and the rest of the protocol, with pages, for
// unmodified MSAL libraries and any other client. It is strict as Microsoft is: redirect URIs and secrets have to be registered,
// codes and refresh tokens work once, single-page applications need PKCE. [Leniency] switches that off per application.
//
// Who can sign in to what is a [Directory]: [DefaultDirectory], or one's own through [WithDirectory] and [ParseDirectory]. The
// tokens that a client gets follow from it. Without a browser, [TenantHandle.SignIn], [Server.Walk] and [Server.ApproveDeviceCode] do
// what a person would do on the pages.
//
// The admin consent page is there, too, at /{tenant}/v2.0/adminconsent. An application with NeedsAdminConsent is shut out of every other
// tenant until an administrator there has been to that page, or [Server.AddEnterpriseApplication] says so;
// [Server.RemoveEnterpriseApplication] is the customer who leaves.
//
// # Faults
//
// [Server.Inject] makes documents fail, late, cut off, oversized or wrong, for one endpoint, tenant or host, once or until
// removed. [Server.InjectHandshake] breaks the connection before that. [Server.Requests] and [Server.Count] tell what was asked for.
//
// # Outside of Go
//
// [Listen] serves without a test around it, which is what the command identity mockidp does. [WithAdmin] adds an HTTP API with what
// the methods of [Server] do, for tests in other languages; ADMIN.md describes it.
//
// # Concurrency
//
// A [Server], its handles and its key sets are safe for concurrent use, and any number of servers may run side by side. A server
// made by New starts no goroutine and may be used inside a testing/synctest bubble; delays then take fake time.
package mockidp
