package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

const apiScope = "api://" + mockidp.API + "/.default"

// daemonForm asks for a token of the default directory's daemon.
func daemonForm() string {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {mockidp.Daemon}, "client_secret": {mockidp.DaemonSecret}, "scope": {apiScope}}.Encode()
}

const formType = "application/x-www-form-urlencoded"

func TestMockIDP(t *testing.T) {
	t.Parallel()
	r := start(t)
	if !strings.HasPrefix(r.origin, "https://localhost:") {
		t.Fatalf("got=%s", r.origin)
	}
	if status, answer := r.get("/healthz"); status != 200 || answer["status"] != "ok" {
		t.Errorf("health: got=%d %v", status, answer)
	}
	if _, answer := r.get("/" + mockidp.Contoso + "/v2.0/.well-known/openid-configuration"); answer["issuer"] != r.origin+"/"+mockidp.Contoso+"/v2.0" {
		t.Errorf("discovery: got=%v", answer["issuer"])
	}
	if status, answer := r.send("POST", "/"+mockidp.Contoso+"/oauth2/v2.0/token", formType, daemonForm()); status != 200 || answer["access_token"] == nil {
		t.Errorf("token: got=%d %v", status, answer)
	}
	if status, _ := r.get("/.mockidp/clock"); status != 200 {
		t.Errorf("admin API: got=%d", status)
	}
	if r.stderr.String() != "" {
		t.Errorf("without -v: got=%q on standard error", r.stderr)
	}
	if code := r.stop(); code != 0 || r.stderr.String() != "mockidp: stopping\n" {
		t.Errorf("stop: got=%d %q", code, r.stderr)
	}
	if _, err := r.client.Get(r.origin + "/healthz"); err == nil {
		t.Error("still listening")
	}
}

func TestWithoutAdmin(t *testing.T) {
	t.Parallel()
	r := start(t, "-admin=false")
	if status, _ := r.get("/.mockidp/clock"); status != 404 {
		t.Errorf("got=%d, want=404", status)
	}
	if strings.Contains(r.stdout.String(), ".mockidp") {
		t.Errorf("it is mentioned: %s", r.stdout)
	}
}

func TestWithoutTLS(t *testing.T) {
	t.Parallel()
	r := start(t, "-tls=false")
	if !strings.HasPrefix(r.origin, "http://localhost:") {
		t.Errorf("got=%s", r.origin)
	}
	if status, answer := r.send("POST", "/"+mockidp.Contoso+"/oauth2/v2.0/token", formType, daemonForm()); status != 200 {
		t.Errorf("token: got=%d %v", status, answer)
	}
	for _, text := range []string{"MSAL GO", "MSAL BROWSER", "MSAL NODE", "TRUST", "--cacert"} {
		if strings.Contains(r.stdout.String(), text) {
			t.Errorf("%q is printed: %s", text, r.stdout)
		}
	}
	if _, err := os.Stat(r.caFile); err == nil {
		t.Error("a certificate is written")
	}
}

func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	defer other.Close()
	pair := other.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert := filepath.Join(dir, "cert.pem")
	keyFile := filepath.Join(dir, "key.pem")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	r := start(t, "-cert-file", cert, "-key-file", keyFile)
	r.client = other.Client() // which trusts it
	r.origin = strings.Replace(r.origin, "localhost", "127.0.0.1", 1)
	if status, _ := r.get("/healthz"); status != 200 {
		t.Errorf("got=%d", status)
	}
	if _, err := os.Stat(r.caFile); err == nil || strings.Contains(r.stdout.String(), "TRUST") {
		t.Error("there is an authority")
	}
	fails(t, 2, []string{"-key-file"}, "mockidp", "-cert-file", cert)
	fails(t, 2, []string{"-tls=false"}, "mockidp", "-cert-file", cert, "-key-file", keyFile, "-tls=false")
	fails(t, 1, []string{"-cert-file " + keyFile, "-key-file " + keyFile, "PEM"}, "mockidp", "-cert-file", keyFile, "-key-file", keyFile)
	fails(t, 1, []string{"missing.pem"}, "mockidp", "-cert-file", cert, "-key-file", filepath.Join(dir, "missing.pem"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json")
	write(t, good, `{"tenants": [{"id": "12121212-1111-4111-8111-121212121212", "domain": "tailspin"}]}`)
	write(t, bad, `{"tenants": [{"id": "x", "colour": "red"}, {"kind": "b2c", "id": "12121212-1111-4111-8111-121212121212"}]}`)
	r := start(t, "-config", good)
	if status, _ := r.get("/tailspin.onmicrosoft.com/v2.0/.well-known/openid-configuration"); status != 200 {
		t.Errorf("got=%d", status)
	}
	if status, _ := r.get("/" + mockidp.Contoso + "/v2.0/.well-known/openid-configuration"); status != 400 {
		t.Errorf("a tenant of the default directory: got=%d, want=400", status)
	}
	if out := r.stdout.String(); !strings.Contains(out, "workforce tailspin\n") || strings.Contains(out, "MSAL") {
		t.Errorf("got=%s", out)
	}
	fails(t, 1, []string{bad + " cannot be used:\n  tenants[0].colour: ", "\n  tenants[0].id: ", "\n  tenants[1].policies: ", "\n  tenants[1].domain: "}, "mockidp", "-config", bad)
	fails(t, 1, []string{"missing.json"}, "mockidp", "-config", filepath.Join(dir, "missing.json"))
}

// What the admin API gives for a directory is a configuration.
func TestConfigFromAdmin(t *testing.T) {
	t.Parallel()
	r := start(t)
	resp, err := r.client.Get(r.origin + "/.mockidp/directory")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := fmt.Fprint(&text, must(readAll(resp))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "directory.json")
	write(t, file, text.String())
	again := start(t, "-config", file)
	strip := func(r *running) string {
		s := strings.ReplaceAll(strings.ReplaceAll(r.stdout.String(), r.origin, "O"), r.caFile, "C")
		s = strings.ReplaceAll(s, strings.TrimPrefix(r.origin, "https://"), "H")
		_, rest, _ := strings.Cut(s, "chromium")
		return rest
	}
	if strip(r) != strip(again) {
		t.Errorf("got=%s, want=%s", strip(again), strip(r))
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	fails(t, 2, []string{"identity mockidp: \"0.0.0.0:0\": the address ", "loopback", "-insecure-allow-remote"}, "mockidp", "-addr", "0.0.0.0:0")
	fails(t, 2, []string{"loopback"}, "mockidp", "-addr", ":0")
	fails(t, 1, []string{"8443x"}, "mockidp", "-addr", "127.0.0.1:8443x")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	fails(t, 1, []string{"in use", "-addr 127.0.0.1:0"}, "mockidp", "-addr", taken.Addr().String())
	r := start(t, "-addr", "0.0.0.0:0", "-insecure-allow-remote")
	if status, _ := r.get("/healthz"); status != 200 {
		t.Errorf("got=%d", status)
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "id_rsa")
	r := start(t, "-ca-file", ca)
	first, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(ca); info.Mode().Perm() != 0o644 || strings.Contains(string(first), "PRIVATE") {
		t.Errorf("got=%v %s", info.Mode(), first)
	}
	r.stop()
	start(t, "-ca-file", ca)
	if second, _ := os.ReadFile(ca); string(second) == string(first) {
		t.Error("it is not replaced")
	}
	block, _ := pem.Decode(first)
	for name, text := range map[string]string{
		"another file":            "precious",
		"another certificate":     otherCertificate(t),
		"more than a certificate": string(first) + "precious",
		"something before it":     "precious\n" + string(first),
		"the wrong type":          string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes})),
	} {
		write(t, key, text)
		fails(t, 1, []string{"-ca-file"}, "mockidp", "-addr", "127.0.0.1:0", "-ca-file", key)
		if got, _ := os.ReadFile(key); string(got) != text {
			t.Errorf("%s: was overwritten", name)
		}
	}
	write(t, key, "")
	start(t, "-ca-file", key)
	fails(t, 1, []string{"-ca-file " + filepath.Join(dir, "none", "ca.pem") + ": ", "no such file"}, "mockidp", "-addr", "127.0.0.1:0", "-ca-file", filepath.Join(dir, "none", "ca.pem"))
	fails(t, 1, []string{"directory"}, "mockidp", "-addr", "127.0.0.1:0", "-ca-file", dir)
	fails(t, 2, []string{"-ca-file"}, "mockidp", "-ca-file", "")
	left, _ := os.ReadDir(dir)
	if len(left) != 2 {
		t.Errorf("files are left behind: %v", left)
	}
}

// otherCertificate is not mockidp's.
func otherCertificate(t *testing.T) string {
	t.Helper()
	other := httptest.NewTLSServer(nil)
	defer other.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw}))
}

func TestLog(t *testing.T) {
	t.Parallel()
	r := start(t, "-v", "-q")
	r.send("POST", "/"+mockidp.Contoso+"/oauth2/v2.0/token?secret=1", formType, strings.Replace(daemonForm(), "daemon", "x", 1))
	r.get("/a%0aFAKE%20LINE")
	r.stop()
	log := r.stderr.String()
	for _, text := range []string{" 401 POST /" + mockidp.Contoso + "/oauth2/v2.0/token ", "s invalid_client AADSTS7000215\n", " 404 GET /a%0AFAKE%20LINE ", "\nmockidp: stopping\n"} {
		if !strings.Contains(log, text) {
			t.Errorf("got=%q, want=%q in it", log, text)
		}
	}
	if strings.Contains(log, "secret") || strings.Count(log, "\n") != 3 {
		t.Errorf("got=%q", log)
	}
	if out := r.stdout.String(); strings.Count(out, "\n") != 1 {
		t.Errorf("-q: got=%q", out)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// Nobody learns the address: that is no use.
func TestBrokenOutput(t *testing.T) {
	t.Parallel()
	var stderr output
	code := run(context.Background(), []string{"mockidp", "-addr", "127.0.0.1:0", "-ca-file", filepath.Join(t.TempDir(), "ca.pem")}, streams{strings.NewReader(""), brokenWriter{}, &stderr, noEnv})
	if code != 1 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("got=%d %q", code, &stderr)
	}
}

// Only those who trust the authority get in.
func TestStrangers(t *testing.T) {
	t.Parallel()
	r := start(t)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := c.Get(r.origin + "/healthz"); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("got=%v, want a certificate error", err)
	}
}
