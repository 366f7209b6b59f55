package msaltest

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

// azure is what every credential needs to know of the server.
func (w *world) azure() azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: w.origin + "/"},
		Transport: w.Client(),
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

// token asks a credential as Azure's clients do.
func token(t *testing.T, cred azcore.TokenCredential, err error, scope string) string {
	t.Helper()
	worked(t, "credential", err)
	got, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true})
	worked(t, "GetToken", err)
	return got.Token
}

func TestAzureDaemons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := ownCertificate(), foreignCertificate()

	bySecret, err := azidentity.NewClientSecretCredential(mockidp.Contoso, mockidp.Daemon, mockidp.DaemonSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true})
	checkDaemon(t, w, token(t, bySecret, err, ordersAll))

	byCertificate, err := azidentity.NewClientCertificateCredential(mockidp.Contoso, mockidp.Daemon, []*x509.Certificate{own.certificate}, own.key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true, SendCertificateChain: true})
	checkDaemon(t, w, token(t, byCertificate, err, ordersAll))

	byAssertion, err := azidentity.NewClientAssertionCredential(mockidp.Contoso, mockidp.Daemon, func(context.Context) (string, error) {
		return own.assertion(jwt.SigningMethodRS256, "x5t", mockidp.Daemon, w.authority(mockidp.Contoso)+"/oauth2/v2.0/token")
	}, &azidentity.ClientAssertionCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true})
	checkDaemon(t, w, token(t, byAssertion, err, ordersAll))

	file := filepath.Join(t.TempDir(), "token")
	text, err := cluster().federated(clusterSubject)
	worked(t, "token of the cluster", err)
	worked(t, "WriteFile", os.WriteFile(file, []byte(text), 0o600))
	byWorkload, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true,
		ClientID: mockidp.Daemon, TenantID: mockidp.Contoso, TokenFilePath: file})
	checkDaemon(t, w, token(t, byWorkload, err, ordersAll))

	wrong, err := azidentity.NewClientSecretCredential(mockidp.Contoso, mockidp.Daemon, "wrong",
		&azidentity.ClientSecretCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true})
	worked(t, "credential", err)
	_, err = wrong.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{ordersAll}})
	refused(t, "wrong secret", err, "AADSTS7000215")

	unknown, err := azidentity.NewClientCertificateCredential(mockidp.Contoso, mockidp.Daemon, []*x509.Certificate{foreign.certificate}, foreign.key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true})
	worked(t, "credential", err)
	_, err = unknown.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{ordersAll}})
	refused(t, "foreign certificate", err, "AADSTS700027")
}

func checkDaemon(t *testing.T, w *world, token string) {
	t.Helper()
	who := w.call(t, "/jobs", token)
	equal(t, "application only", who.AppOnly, true)
	equal(t, "client", who.Client, mockidp.Daemon)
	w.forbidden(t, "/orders", token)
}

func TestAzureUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	device, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true,
		ClientID: mockidp.NativeClient, TenantID: mockidp.Contoso,
		UserPrompt: func(ctx context.Context, m azidentity.DeviceCodeMessage) error {
			p := w.newPerson(t, jo, "")
			p.userCode = m.UserCode
			_, err := p.open(ctx, m.VerificationURL)
			return err
		}})
	equal(t, "user", w.call(t, "/orders", token(t, device, err, ordersScope)).User, mockidp.User)
	for range 2 { // without another prompt: by the refresh token
		w.call(t, "/orders", token(t, device, nil, freshScope))
	}

	//lint:ignore SA1019 as long as azidentity has it, it has to work
	byPassword := &azidentity.UsernamePasswordCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true}
	password, err := azidentity.NewUsernamePasswordCredential(mockidp.Contoso, mockidp.NativeClient, pat, mockidp.Password, byPassword)
	equal(t, "user", w.call(t, "/orders", token(t, password, err, ordersScope)).User, mockidp.PasswordUser)

	incoming := token(t, password, nil, gatewayScope)
	own := ownCertificate()
	options := &azidentity.OnBehalfOfCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true}
	bySecret, err := azidentity.NewOnBehalfOfCredentialWithSecret(mockidp.Contoso, mockidp.MiddleTier, incoming, mockidp.MiddleTierSecret, options)
	equal(t, "client", w.call(t, "/orders", token(t, bySecret, err, ordersScope)).Client, mockidp.MiddleTier)
	byCertificate, err := azidentity.NewOnBehalfOfCredentialWithCertificate(mockidp.Contoso, mockidp.MiddleTier, incoming, []*x509.Certificate{own.certificate}, own.key, options)
	equal(t, "client", w.call(t, "/orders", token(t, byCertificate, err, ordersScope)).Client, mockidp.MiddleTier)
}

// The credential that opens the browser of the desktop, which here is this very program: it hands the address to a person.
func TestAzureInteractiveBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("browsers are started by xdg-open only on Linux")
	}
	w := newWorld(t)
	p := w.newPerson(t, jo, "")
	d := newDesktop(t, p)
	t.Setenv("PATH", d.path)
	t.Setenv(desktopVariable, d.url)

	cred, err := azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{ClientOptions: w.azure(), DisableInstanceDiscovery: true,
		ClientID: mockidp.NativeClient, TenantID: mockidp.Contoso})
	equal(t, "user", w.call(t, "/orders", token(t, cred, err, ordersScope)).User, mockidp.User)
	for range 2 {
		w.call(t, "/orders", token(t, cred, nil, freshScope))
	}
	worked(t, "sign-in", <-d.done)
	equal(t, "pages", strings.Join(p.pages, ", "), "Pick an account, Back to the application")
}

// The public cloud by its own name, with instance discovery, as in production.
func TestAzureProductionHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := azcore.ClientOptions{Transport: w.Client()}
	cred, err := azidentity.NewClientSecretCredential(mockidp.Contoso, mockidp.Daemon, mockidp.DaemonSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: o})
	got := token(t, cred, err, ordersAll)
	equal(t, "iss", claimsOf(t, got)["iss"], any("https://login.microsoftonline.com/"+mockidp.Contoso+"/v2.0"))
	equal(t, "instance discovery", w.Count(mockidp.InstanceDiscovery) > 0, true)
}
