package orders

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// newTestAPI is the API as in production, with an offline Microsoft of its own.
func newTestAPI() (http.Handler, *mockidp.Server) {
	idp := mockidp.New()
	return New(identity.Config{
		ClientID: mockidp.API,
		Tenants:  identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys:     identity.KeyOptions{HTTPClient: idp.Client()},
	}), idp
}

func call(api http.Handler, method, token string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "/orders", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	return res
}

// A token for each case, in one line.
func TestOrders(t *testing.T) {
	t.Parallel()
	api, idp := newTestAPI()
	contoso := idp.Tenant(mockidp.Contoso)
	for name, row := range map[string]struct {
		method string
		token  string
		want   int
	}{
		"reader":              {"GET", contoso.Token(mockidp.Scopes("Orders.Read")), 200},
		"reader, v1.0 token":  {"GET", contoso.Token(mockidp.V1(), mockidp.Scopes("Orders.Read")), 200},
		"scope missing":       {"GET", contoso.Token(mockidp.Scopes("Orders.Delete")), 403},
		"expired":             {"GET", contoso.Token(mockidp.Scopes("Orders.Read"), mockidp.ExpiresIn(-time.Hour)), 401},
		"user deletes":        {"DELETE", contoso.Token(mockidp.Scopes("Orders.Delete")), 204},
		"application deletes": {"DELETE", contoso.Token(mockidp.AppOnly("Orders.Delete.All")), 204},
		"user with the role":  {"DELETE", contoso.Token(mockidp.Scopes("x"), mockidp.Roles("Orders.Delete.All")), 403},
	} {
		t.Run(name, func(t *testing.T) {
			if res := call(api, row.method, row.token); res.Code != row.want {
				t.Fatalf("got=%d %s, want=%d", res.Code, res.Body, row.want)
			}
		})
	}
}

// Every broken token of the catalogue must bounce off this API as it does off any.
func TestBrokenTokens(t *testing.T) {
	t.Parallel()
	api, idp := newTestAPI()
	contoso := idp.Tenant(mockidp.Contoso)
	for _, broken := range mockidp.Broken() {
		if broken.Kind != mockidp.Workforce {
			continue
		}
		t.Run(broken.Name, func(t *testing.T) {
			if res := call(api, "GET", broken.Token(contoso)); res.Code != broken.Status {
				t.Fatalf("got=%d %s, want=%d: %s", res.Code, res.Body, broken.Status, broken.Breaks)
			}
		})
	}
}

// A handler alone needs no token: give it a principal.
func TestListAlone(t *testing.T) {
	t.Parallel()
	p := &identity.Principal{TenantID: mockidp.Contoso, ObjectID: mockidp.User}
	req := httptest.NewRequest(http.MethodGet, "/orders", nil)
	res := httptest.NewRecorder()
	c := echo.New().NewContext(req.WithContext(identity.NewContext(req.Context(), p)), res)
	if err := listOrders(c); err != nil {
		t.Fatal(err)
	}
	if want := mockidp.Contoso + "." + mockidp.User; !strings.Contains(res.Body.String(), want) {
		t.Fatalf("got=%s, want=%s", res.Body, want)
	}
}

// When the key server is down, a caller is asked to come again and keeps its token.
func TestKeyServerDown(t *testing.T) {
	t.Parallel()
	api, idp := newTestAPI()
	idp.Inject(mockidp.Fault{Status: http.StatusBadGateway})
	res := call(api, "GET", idp.Tenant(mockidp.Contoso).Token(mockidp.Scopes("Orders.Read")))
	if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" {
		t.Fatalf("got=%d %v, want=503 with Retry-After", res.Code, res.Header())
	}
}
