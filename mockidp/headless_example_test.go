package mockidp_test

import (
	"fmt"
	"net/url"

	"github.com/echo-identity/identity/mockidp"
)

// A client redeems the code of an authorization that nobody had to click through.
func ExampleServer_Walk() {
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	authorize := contoso.AuthorizeURL() + "?" + url.Values{
		"client_id": {mockidp.WebClient}, "response_type": {"code"}, "redirect_uri": {"https://web.contoso.example/callback"},
		"scope": {"openid api://" + mockidp.API + "/Orders.Read"},
	}.Encode()

	redirect, err := idp.Walk(authorize, "jo@contoso.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := idp.Client().PostForm(contoso.TokenURL(), url.Values{
		"grant_type": {"authorization_code"}, "client_id": {mockidp.WebClient}, "client_secret": {mockidp.WebSecret},
		"code": {redirect.Values.Get("code")}, "redirect_uri": {"https://web.contoso.example/callback"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(redirect.URL.Host, resp.Status)
	// Output: web.contoso.example 200 OK
}

// The tokens that a client would be given, without any request.
func ExampleTenantHandle_SignIn() {
	tokens, err := mockidp.New().Tenant(mockidp.Contoso).SignIn(mockidp.SignIn{
		Login:  "jo@contoso.example",
		Scopes: []string{"openid", "api://" + mockidp.API + "/Orders.Read"},
	})
	fmt.Println(tokens.Scope, tokens.ExpiresIn, err)
	// Output: openid api://cccccccc-3333-4333-8333-cccccccccccc/Orders.Read 3600 <nil>
}
