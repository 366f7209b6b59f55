package identity

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// A guard without authentication in front of it is a fault of the set-up, and logged as one. There is no verifier whose logger it
// could use, so this test borrows the default one, and runs alone.
// I20
func TestUnattendedGuardIsLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	unattended.log.mu.Lock()
	clear(unattended.log.windows) // other tests' refusals must not thin this one out
	unattended.log.mu.Unlock()

	guard := RequireScope("a")(func(echo.Context) error { return nil })
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	if err := guard(c); err == nil || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "reason=not_authenticated") {
		t.Fatalf("err=%v log=%s, want a refusal at level Error", err, &log)
	}
	log.Reset()
	c.SetRequest(c.Request().WithContext(NewContext(context.Background(), &Principal{Scopes: []string{"a"}})))
	if err := guard(c); err != nil || log.Len() > 0 {
		t.Fatalf("err=%v log=%s, want neither", err, &log)
	}
}
