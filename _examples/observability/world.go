package main

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// example is the service, and a stand-in for Microsoft.
type example struct {
	*service
	idp *mockidp.Server
}

// newExample makes both. Spans and metrics go to w.
func newExample(w io.Writer) (*example, error) {
	idp := mockidp.New()
	s, err := newService(identity.Config{
		ClientID: mockidp.API,
		Tenants: identity.NewRegistry(
			identity.Tenant{ID: mockidp.Contoso, Name: "contoso"},
			identity.Tenant{ID: mockidp.Shop, Name: "shop", B2C: &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}},
		),
		Keys: identity.KeyOptions{
			HTTPClient: idp.Client(),
			Cooldown:   time.Second, // so that an unknown key is asked for more often than in production
		},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler)}, // this example is about the rest
	}, w)
	if err != nil {
		return nil, err
	}
	return &example{s, idp}, nil
}

// breakKeyServer makes every request for keys fail until mend is called.
func (e *example) breakKeyServer() (mend func()) {
	return e.idp.Inject(mockidp.Fault{Status: http.StatusInternalServerError})
}
