// Package msaltest runs real, unmodified clients against mockidp: MSAL Go, azidentity, go-oidc, and x/oauth2 in Go; MSAL Node,
// MSAL Browser in Chromium, and openid-client in Node. It has only tests, in a module of its own, so that nobody who uses mockidp
// requires those libraries.
//
// Every test starts its own server, lets a client get tokens from it, and calls an Echo API that is protected by
// identity.Middleware with them. What a person does in a browser is done in Chromium, or with plain form posts where the client
// does not live in a browser.
//
// The pages of the server are looked at in Chromium, too: with the keyboard, without script, on a narrow screen, in the dark, and
// with axe-core. With the environment variable SCREENSHOTS, the absolute path of a directory, pictures of them are left there.
//
// Tests that need Node or Chromium skip where there is none, but fail where the environment variable CI is true. In this
// directory, ci.sh installs everything and runs all of it.
package msaltest
