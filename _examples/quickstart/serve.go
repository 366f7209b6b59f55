package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// serveWithCurl serves the API with a stand-in for Microsoft in this process. The log shows why a request was refused.
func serveWithCurl(ctx context.Context) error {
	idp := mockidp.New()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	fmt.Printf("The API runs at %s; stop it with Ctrl-C. The tokens are good for an hour.\n", url)
	for _, row := range requests(idp) {
		printCurl(url, row)
	}
	return serve(ctx, listener, newAPI(config(idp.Client(), tenants())))
}

func printCurl(url string, row request) {
	if len(row.authorization) > 8<<10 {
		return // too long to paste
	}
	fmt.Printf("\n# %s: %s\ncurl -i -X %s", row.what, row.want, row.method)
	if row.authorization != "" {
		fmt.Printf(" -H 'Authorization: %s'", row.authorization)
	}
	fmt.Printf(" %s%s\n", url, row.path)
}

// serveFor serves the API for the tokens of an identity mockidp that runs at origin.
func serveFor(ctx context.Context, origin, caFile string) error {
	client, err := trusting(caFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("The API accepts tokens of %s; stop it with Ctrl-C.\n", origin)
	fmt.Printf("curl -i -H \"Authorization: Bearer $token\" http://%s/orders\n", listener.Addr())
	return serve(ctx, listener, newAPI(config(client, at(origin, tenants()))))
}

// trusting is a client that takes certificates of this authority alone.
func trusting(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the mock: %w; identity mockidp writes it where it runs, -ca names it", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", caFile)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

// at moves tenants from Microsoft's hosts to another origin.
func at(origin string, tenants []identity.Tenant) []identity.Tenant {
	for i := range tenants {
		switch t := &tenants[i]; {
		case t.B2C != nil:
			t.B2C.Hosts = []string{origin}
		case t.External != nil:
			t.External.Hosts = []string{origin}
		default:
			t.Cloud = identity.Cloud(origin)
		}
	}
	return tenants
}

// serve answers until ctx ends, and lets the requests finish that are under way. In production it is TLS: ServeTLS, or a proxy in
// front.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if ended := <-stopped; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
