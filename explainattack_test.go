package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// A refusal that a rule has made up need not have a reason. It is a refusal all the same, and its report says so.
func TestRefusalWithoutReasonIsExplained(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var reports []identity.Report
	v, err := identity.New(identity.Config{
		ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: mockidp.Contoso}),
		Keys: identity.KeyOptions{HTTPClient: idp.Client()},
		Observe: identity.Observe{Logger: slog.New(slog.DiscardHandler), Trace: identity.Trace{Refused: func(ctx context.Context, info identity.RefuseInfo) {
			reports = append(reports, info.Explain(ctx))
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := error(nil)
	handler := v.Handler(identity.Rule(func(context.Context, *identity.Principal) error { return answer }).Handler(http.NotFoundHandler()))
	for _, row := range []struct {
		refusal error
		want    int // status; zero for none
	}{{&identity.Error{Status: http.StatusTeapot}, 418}, {&identity.Error{}, 403}, {errors.New("no"), 403}, {nil, 0}} {
		answer, reports = row.refusal, nil
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+idp.Tenant(mockidp.Contoso).Token())
		handler.ServeHTTP(httptest.NewRecorder(), r)
		if row.want == 0 {
			if len(reports) != 0 {
				t.Errorf("accepted: got=%+v", reports)
			}
			continue
		}
		if len(reports) != 1 || reports[0].Verdict != identity.Refused || reports[0].Status != row.want || reports[0].Cause == "" {
			t.Errorf("%v: got=%+v, want=%d", row.refusal, reports, row.want)
			continue
		}
		if last := reports[0].Steps[len(reports[0].Steps)-1]; last.Name != "guard" || last.Outcome != identity.Failed {
			t.Errorf("%v: got=%+v, want a guard that failed", row.refusal, last)
		}
	}
}
