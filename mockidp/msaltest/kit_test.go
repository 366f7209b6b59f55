package msaltest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// What the tests add to the default directory.
const (
	// freshAPI is an API whose tokens live for four minutes. Clients take tokens with less than five left for expired, and use
	// their refresh token for every silent call.
	freshAPI = "cccccccc-3333-4333-8333-000000000001"
	// oldAPI takes tokens of version 1.0.
	oldAPI = "cccccccc-3333-4333-8333-000000000002"
)

// Scopes as clients ask for them.
const (
	ordersScope  = "api://" + mockidp.API + "/Orders.Read"
	jobsScope    = "api://" + mockidp.API + "/Jobs.Run" // nobody has consented to it
	ordersAll    = "api://" + mockidp.API + "/.default"
	freshScope   = "api://" + freshAPI + "/Orders.Read"
	oldScope     = "api://" + oldAPI + "/Orders.Read"
	gatewayScope = "api://" + mockidp.MiddleTier + "/access_as_user"
)

// Users of the default directory.
const (
	jo  = "jo@contoso.example"
	pat = "pat@contoso.example" // has a password
	kim = "kim@fabrikam.example"
	sam = "sam@outlook.example" // a personal account
)

// world is a server with an API that trusts it.
type world struct {
	*mockidp.Server
	origin string // https://localhost:port, where clients reach the server
	api    string // address of the API
}

// newWorld starts both. SPA is the origin of the single-page application, if there is one.
func newWorld(t *testing.T, spa ...string) *world {
	t.Helper()
	idp := mockidp.Start(t, mockidp.WithDirectory(directory(spa...)), mockidp.WithPollInterval(time.Second))
	w := &world{Server: idp, origin: strings.Replace(idp.URL, "127.0.0.1", "localhost", 1)}
	w.api = startAPI(t, w)
	return w
}

// authority is the address of a tenant.
func (w *world) authority(path string) string { return w.origin + "/" + path }

// tokenRequests counts the requests to the token endpoint.
func (w *world) tokenRequests() int { return w.Count(mockidp.TokenEndpoint) }

// directory is the default one, with certificates for the confidential clients and two more APIs.
func directory(spa ...string) mockidp.Directory {
	d := mockidp.DefaultDirectory()
	for i := range d.Tenants {
		t := &d.Tenants[i]
		if len(t.Applications) == 0 {
			continue
		}
		for j := range t.Applications {
			a := &t.Applications[j]
			switch a.ID {
			case mockidp.Client:
				for _, origin := range spa {
					a.RedirectURIs.SPA = append(a.RedirectURIs.SPA, origin+"/", origin+"/redirect.html")
				}
			case mockidp.Daemon, mockidp.WebClient, mockidp.MiddleTier:
				a.Certificates = []string{ownCertificate().pem()}
				a.FederatedCredentials = []mockidp.FederatedCredential{{Issuer: clusterIssuer, Subject: clusterSubject, Key: cluster().pem()}}
			}
			if a.ID == mockidp.Daemon || len(a.Permissions) == 0 {
				continue
			}
			for _, id := range []string{freshAPI, oldAPI} {
				a.Permissions = append(a.Permissions, mockidp.Permission{API: id, Scopes: []string{"Orders.Read"}, Consented: true})
			}
		}
		t.Applications = append(t.Applications,
			mockidp.Application{ID: freshAPI, Name: "Fresh API", TokenVersion: 2, Scopes: []string{"Orders.Read"}, TokenLifetime: 240,
				MultiTenant: t.Kind == mockidp.Workforce, PersonalAccounts: t.Kind == mockidp.Workforce},
			mockidp.Application{ID: oldAPI, Name: "Old API", TokenVersion: 1, Scopes: []string{"Orders.Read"}, MultiTenant: t.Kind == mockidp.Workforce})
	}
	return d
}

// Where the federated credential of the daemons comes from.
const (
	clusterIssuer  = "https://cluster.contoso.example/"
	clusterSubject = "system:serviceaccount:orders:daemon"
)

// identityKey is a private key with a self-signed certificate.
type identityKey struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

// Keys are slow to make: one set serves all tests.
var (
	ownCertificate     = sync.OnceValue(newIdentityKey) // registered for the confidential clients
	foreignCertificate = sync.OnceValue(newIdentityKey) // registered nowhere
	cluster            = sync.OnceValue(newIdentityKey) // signs the federated credential
)

func newIdentityKey() *identityKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "msaltest"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &identityKey{key, certificate}
}

func (k *identityKey) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.certificate.Raw}))
}

func (k *identityKey) keyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// claimsOf decodes a token without looking at the signature, which is the API's business.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// worked ends the test on an error.
func worked(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, explain(err))
	}
}

// refused ends the test unless err is the refusal with this number: "AADSTS50126".
func refused(t *testing.T, what string, err error, number string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("%s: got no error, want=%s", what, number)
	case !strings.Contains(explain(err), number+":"):
		t.Fatalf("%s: got=%v, want=%s", what, explain(err), number)
	}
}

// explain adds the answer that some errors keep to themselves.
func explain(err error) string {
	var verbose interface{ Verbose() string }
	if errors.As(err, &verbose) {
		return verbose.Verbose()
	}
	return err.Error()
}

// equal ends the test when a value is not what it should be.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got=%v, want=%v", what, got, want)
	}
}

// walk gets a code without a page.
func (w *world) walk(t *testing.T, authorizeURL, login string) url.Values {
	t.Helper()
	to, err := w.Walk(authorizeURL, login)
	if err != nil {
		t.Fatalf("walk as %s: %v", login, err)
	}
	if to.Values.Get("code") == "" {
		t.Fatalf("walk as %s: got=%v, want a code", login, to.Values)
	}
	return to.Values
}
