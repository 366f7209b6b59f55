package adminconsent_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/adminconsent"
	"github.com/echo-identity/identity/mockidp"
)

// The three handlers of an application, and an administrator who comes by. Here everything runs against an offline stand-in for
// Microsoft; in production leave HTTPClient out.
func Example() {
	microsoft := mockidp.New()
	tenants := identity.NewRegistry() // or a store that replicas share
	mux := http.NewServeMux()
	site := httptest.NewTLSServer(mux)
	defer site.Close()
	microsoft.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{
		ID: app, Name: "Orders", MultiTenant: true, NeedsAdminConsent: true, Secrets: []string{"a secret"}, TokenVersion: 2, Scopes: []string{"Orders.Read"},
		RedirectURIs: mockidp.RedirectURIs{Web: []string{site.URL + "/consented", site.URL + "/signed-in"}}, OptionalClaims: []string{"wids"},
	})

	flow, err := adminconsent.New(adminconsent.Config{
		ClientID:     app,
		ClientSecret: "a secret",
		ConsentURI:   site.URL + "/consented",
		SignInURI:    site.URL + "/signed-in",
		Keys:         [][]byte{[]byte("32 random bytes, from a vault ..")},
		HTTPClient:   microsoft.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	customer := func(*http.Request) string { return "customer-17" } // from the application's session
	refuse := func(w http.ResponseWriter, err error) {
		fmt.Println("refused:", err) // for the log, not for the browser
		status := http.StatusBadRequest
		if errors.Is(err, adminconsent.ErrUnavailable) {
			status = http.StatusServiceUnavailable
		}
		http.Error(w, "The tenant could not be connected. Please start again.", status)
	}
	mux.HandleFunc("POST /begin", func(w http.ResponseWriter, r *http.Request) {
		if err := flow.Begin(w, r, adminconsent.Start{For: customer(r)}); err != nil {
			refuse(w, err)
		}
	})
	mux.HandleFunc("GET /consented", func(w http.ResponseWriter, r *http.Request) {
		if err := flow.Continue(w, r, customer(r)); err != nil {
			refuse(w, err)
		}
	})
	mux.HandleFunc("GET /signed-in", func(w http.ResponseWriter, r *http.Request) {
		grant, err := flow.Finish(w, r, customer(r))
		if err != nil {
			refuse(w, err)
			return
		}
		// Is the customer still one, and does the tenant belong to no other? Then:
		if err := tenants.Add(identity.Tenant{ID: grant.TenantID, Name: grant.For}); err != nil {
			refuse(w, err)
			return
		}
		fmt.Fprintf(w, "%s is connected, thanks to %v", grant.TenantID, grant.Admin.Claim("preferred_username"))
	})

	// The administrator of Fabrikam, with a browser.
	browser := site.Client()
	browser.Jar, _ = cookiejar.New(nil)
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	follow := func(resp *http.Response, err error) string {
		if err != nil {
			fmt.Println(err)
			return ""
		}
		return resp.Header.Get("Location")
	}
	address := follow(browser.Post(site.URL+"/begin", "", nil))
	for range 2 {
		answer, err := microsoft.Walk(address, "ada@fabrikam.example")
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := browser.Get(answer.URL.String())
		if address = follow(resp, err); address == "" {
			var text strings.Builder
			resp.Write(&text)
			_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
			fmt.Println(resp.StatusCode, body)
		}
	}
	fmt.Println(tenants.Len(), "tenant")
	// Output:
	// 200 bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb is connected, thanks to ada@fabrikam.example
	// 1 tenant
}
