package mockidp_test

import (
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// The refresh token of a user is good in every tenant that knows the user, and names those that do not.
func TestRefreshInAnotherTenant(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	native := form("grant_type", "refresh_token", "client_id", mockidp.NativeClient, "scope", apiScope+" offline_access")
	for _, row := range []struct {
		login, home, tenant string
		want                int // number of the refusal
	}{
		{"kim@fabrikam.example", mockidp.Fabrikam, mockidp.Contoso, 0}, // a guest there
		{jo, mockidp.Contoso, mockidp.Fabrikam, 50020},
		{jo, mockidp.Contoso, mockidp.Contoso, 0},
	} {
		tokens, err := idp.Tenant(row.home).SignIn(mockidp.SignIn{Client: mockidp.NativeClient, Login: row.login, Scopes: []string{apiScope, "offline_access"}})
		if err != nil {
			t.Fatal(err)
		}
		got := send(t, idp.Client(), login+row.tenant+"/oauth2/v2.0/token", but(native, "refresh_token", tokens.RefreshToken))
		if row.want == 0 {
			ok(t, got)
			continue
		}
		refusal{400, "invalid_grant", row.want}.check(t, got)
	}
}
