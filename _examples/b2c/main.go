// B2C serves an Azure AD B2C directory with two policies and a custom domain, and shows which of its tokens are accepted.
// It ends with 0 only if every answer is the expected one.
//
//	go run ./b2c
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/echo-identity/identity/mockidp"
)

func main() {
	if err := run(); err != nil {
		log.Fatal("b2c: ", err)
	}
}

func run() error {
	idp := mockidp.New(mockidp.WithTenants(mockidp.Tenant{
		ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Hosts: []string{customDomain},
		Policies: []string{"B2C_1_susi", "B2C_1A_custom", "B2C_1_test"},
	}))
	api, err := newAPI(idp.Client())
	if err != nil {
		return err
	}
	wrong := 0
	for _, row := range rows(idp.Tenant(mockidp.Shop)) {
		note := ""
		got := call(api, row.token)
		if got != row.want {
			note = fmt.Sprintf(" WRONG, want %d", row.want)
			wrong++
		}
		fmt.Printf("%-50s %d%s\n", row.what, got, note)
	}
	if wrong > 0 {
		return fmt.Errorf("%d wrong answers", wrong)
	}
	return nil
}

type row struct {
	what  string
	token string
	want  int
}

func rows(shop *mockidp.TenantHandle) []row {
	read := mockidp.Scopes("tasks.read")
	susi, custom := mockidp.Policy("B2C_1_susi"), mockidp.Policy("B2C_1A_custom")
	otherKey := mockidp.SignedBy(shop.PolicyKeys("B2C_1A_custom").Signing())
	return []row{
		{"user flow", shop.Token(read, susi), 200},
		{"custom policy", shop.Token(read, custom), 200},
		{"custom policy that writes acr instead of tfp", shop.Token(read, custom, mockidp.ACRPolicy()), 200},
		{"user flow on the custom domain", shop.Token(read, susi, mockidp.IssuedBy(customDomain)), 200},
		{"policy of the same directory that is not listed", shop.Token(read, mockidp.Policy("B2C_1_test")), 401},
		{"one policy's token with the other policy's key", shop.Token(read, susi, otherKey), 401},
		{"issuer in tfp form, which TFPIssuers would allow", shop.Token(read, susi, mockidp.TFPIssuer()), 401},
		{"another scope", shop.Token(susi, mockidp.Scopes("tasks.write")), 403},
	}
}

func call(api http.Handler, token string) (status int) {
	req := httptest.NewRequest(http.MethodGet, "/tasks", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	return res.Code
}
