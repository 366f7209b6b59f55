package mockidp_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func ExampleNew() {
	idp := mockidp.New()

	// The API under test gets this client, and is configured as in production otherwise.
	resp, err := idp.Client().Get("https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&discovery); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(discovery.Issuer)

	// Tokens: a good one, one that has expired, one of an application, one of the attacks in the catalogue.
	contoso := idp.Tenant(mockidp.Contoso)
	tokens := []string{
		contoso.Token(mockidp.Scopes("Orders.Read")),
		contoso.Token(mockidp.ExpiresIn(-time.Hour)),
		contoso.Token(mockidp.AppOnly("Orders.Read.All")),
		mockidp.Broken()[0].Token(contoso),
	}
	fmt.Println(len(tokens), "tokens,", idp.Count(mockidp.Discovery), "document asked for")
	// Output:
	// https://login.microsoftonline.com/{tenantid}/v2.0
	// 4 tokens, 1 document asked for
}

func ExampleServer_Inject() {
	idp := mockidp.New()
	remove := idp.Inject(mockidp.Fault{Endpoint: mockidp.JWKS, Status: 503})
	status := func() int {
		resp, err := idp.Client().Get("https://login.microsoftonline.com/common/discovery/v2.0/keys")
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	fmt.Println(status())
	remove()
	fmt.Println(status())
	// Output:
	// 503
	// 200
}
