package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/echo-identity/identity"
)

// serveFor serves the API for the tokens of an identity mockidp, until the program is interrupted.
func serveFor(origin, caFile string) error {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s", caFile)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("The API accepts tokens of %s; stop it with Ctrl-C.\n", origin)
	fmt.Printf("curl -i -H \"Authorization: Bearer $token\" http://%s/orders\n", listener.Addr())
	return http.Serve(listener, newAPI(config(client, at(origin, tenants())...), func(error) {}))
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
