package identity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// lines are what a JSON log has about refusals.
func lines(t *testing.T, log string) (refusals []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == "identity: request refused" {
			refusals = append(refusals, fields)
		}
	}
	return refusals
}

func logTo(b *syncBuffer, level slog.Leveler) func(*identity.Config) {
	return func(cfg *identity.Config) {
		cfg.Observe.Logger = slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
		cfg.Observe.RefusalLevel = level
	}
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// A refusal by a check and one by a guard, with Echo and without, have the same fields, and those of the request they answer.
func TestRefusalLogFields(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var log syncBuffer
	cfg := identity.Config{ClientID: mockidp.API, Tenants: workforceA(), Keys: identity.KeyOptions{HTTPClient: idp.Client()}}
	logTo(&log, nil)(&cfg)
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	guard := identity.AllScopes("Orders.Read")
	withEcho := echo.New()
	withEcho.Use(v.Middleware())
	withEcho.GET("/", func(c echo.Context) error { return nil }, identity.Require(guard))
	adapter := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // as those in modules of their own do it
		ctx, err := v.Admit(r)
		if err == nil {
			err = guard.Check(ctx)
		}
		if err == nil {
			t.Error("not refused")
		}
	})
	for name, handler := range map[string]http.Handler{"Echo": withEcho, "net/http": v.Handler(guard.Handler(http.NotFoundHandler())), "adapter": adapter} {
		for what, opts := range map[string][]mockidp.TokenOption{
			"check": {mockidp.SignedBy(idp.Tenant(tenantA).Keys().NewKey().WithID(idp.Tenant(tenantA).Keys().Signing().ID()))}, "guard": nil,
		} {
			before := len(lines(t, log.String()))
			r := bearer(idp.Tenant(tenantA).Token(opts...))
			r.Header.Set("X-Request-Id", "req-4711")
			r.Header.Set("Traceparent", traceparent)
			handler.ServeHTTP(httptest.NewRecorder(), r)
			got := lines(t, log.String())[before:]
			if len(got) != 1 {
				t.Fatalf("%s %s: got=%v, want one line", name, what, got)
			}
			for field, want := range map[string]any{
				"level": "INFO", "kid": idp.Tenant(tenantA).Keys().Signing().ID(), "iss": idp.Tenant(tenantA).Issuer(), "tid": tenantA,
				"tenant": "contoso", "client": mockidp.Client, "request_id": "req-4711", "trace_id": traceID,
			} {
				if got[0][field] != want {
					t.Errorf("%s %s: %s: got=%v, want=%v", name, what, field, got[0][field], want)
				}
			}
			if got[0]["reason"] == nil || got[0]["status"] == nil || got[0]["cause"] == nil {
				t.Errorf("%s %s: got=%v, want reason, status and cause", name, what, got[0])
			}
		}
	}
}

// What is in the place of the calling application can be anything; only an application ID is logged.
func TestRefusalLogClient(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var log syncBuffer
	v := verifierOn(t, idp, logTo(&log, nil))
	for _, client := range []string{mockidp.Client, "jo@contoso.example"} {
		if _, err := v.Verify(t.Context(), idp.Tenant(tenantA).Token(mockidp.Claim("azp", client), mockidp.ExpiresIn(-time.Hour))); err == nil {
			t.Fatal("accepted")
		}
	}
	if got := lines(t, log.String()); len(got) != 2 || got[0]["client"] != mockidp.Client || got[1]["client"] != nil {
		t.Fatalf("got=%v, want the application ID, and no address", got)
	}
}

// The ID that Echo's middleware gives a request is the one in the log, also where the client has sent none.
func TestRefusalLogRequestIDOfEcho(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	var log syncBuffer
	v := verifierOn(t, idp, logTo(&log, slog.LevelInfo))
	e := echo.New()
	e.Use(middleware.RequestID(), v.Middleware())
	e.GET("/", func(c echo.Context) error { return nil }, identity.RequireScope("Orders.Read"))
	for _, raw := range []string{"a.b.c", idp.Tenant(tenantA).Token()} {
		before := len(lines(t, log.String()))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, bearer(raw))
		got := lines(t, log.String())[before:]
		if id := w.Header().Get("X-Request-Id"); id == "" || len(got) != 1 || got[0]["request_id"] != id {
			t.Fatalf("got=%v, want request_id=%q", got, id)
		}
	}
}

// What a client writes into these headers gets into a log only if it is what the headers are for.
func TestRefusalLogHostileIDs(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	h := verifierOn(t, mockidp.New(), logTo(&log, nil)).Handler(http.NotFoundHandler())
	check := func(header, value, field string, want any) {
		t.Helper()
		before := len(lines(t, log.String()))
		r := bearer("a.b.c")
		r.Header[header] = []string{value}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got := lines(t, log.String())[before:]; len(got) != 1 || got[0][field] != want {
			t.Fatalf("%s: %q: got=%v, want %s=%v", header, value, got, field, want)
		}
		time.Sleep(150 * time.Millisecond) // of the bubble: no line is left out
	}
	synctest.Test(t, func(t *testing.T) {
		h = verifierOn(t, mockidp.New(), logTo(&log, nil)).Handler(http.NotFoundHandler())
		for _, id := range []string{"x", strings.Repeat("a", 64), "0190b1a2-7e2c-7b3d-9c1a-0123456789ab", "Root=1-67891233-abcdef012345678912345678"} {
			check("X-Request-Id", id, "request_id", id)
		}
		for _, id := range []string{"", strings.Repeat("a", 65), "a b", "a\nb", "jo@contoso.example", "\x1b[31m", "é", `"`, "a;b", "<b>"} {
			check("X-Request-Id", id, "request_id", nil)
		}
		for _, header := range []string{traceparent, "cc-" + traceID + "-00f067aa0ba902b7-01", "cc-" + traceID + "-00f067aa0ba902b7-01-what-comes"} {
			check("Traceparent", header, "trace_id", traceID)
		}
		for _, header := range []string{
			"", "00", traceparent + "-x", traceparent + "0", "ff" + traceparent[2:], strings.ToUpper(traceparent), strings.ReplaceAll(traceparent, "-", "_"),
			"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "00-" + traceID + "-0000000000000000-01", "00-" + traceID[:31] + "g-00f067aa0ba902b7-01",
			"00-" + traceID + "-00f067aa0ba902b7-0x", "0x" + traceparent[2:], "cc-" + traceID + "-00f067aa0ba902b7-01x",
		} {
			check("Traceparent", header, "trace_id", nil)
		}
	})
}

// The level is settable, also at run time; faults of ours stay errors, and requests without a token stand below the rest.
func TestRefusalLevel(t *testing.T) {
	t.Parallel()
	var changing slog.LevelVar
	changing.Set(slog.LevelWarn)
	for _, row := range []struct {
		level              slog.Leveler
		refused, tokenless string
	}{
		{nil, "INFO", "DEBUG"}, {slog.LevelDebug, "DEBUG", "DEBUG-4"}, {slog.LevelError, "ERROR", "WARN"},
		{&changing, "WARN", "INFO"}, {panickingLevel{}, "INFO", "DEBUG"},
	} {
		var log syncBuffer
		a := newAPI(t, logTo(&log, row.level))
		a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
		a.do(httptest.NewRequest(http.MethodGet, "/", nil)).refused(t, identity.ErrTokenMissing)
		remove := a.idp.Inject(mockidp.Fault{Status: 500})
		a.get(a.token()).refused(t, identity.ErrKeysUnavailable)
		remove()
		var levels []string
		for _, line := range lines(t, log.String()) {
			levels = append(levels, line["level"].(string))
		}
		if want := []string{row.refused, row.tokenless, "ERROR"}; !slices.Equal(levels, want) {
			t.Fatalf("got=%v, want=%v", levels, want)
		}
	}
	var log syncBuffer
	a := newAPI(t, logTo(&log, &changing))
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelWarn} {
		changing.Set(level)
		before := len(lines(t, log.String()))
		a.get("a.b.c").refused(t, identity.ErrTokenMalformed)
		if got := lines(t, log.String())[before:]; got[0]["level"] != level.String() {
			t.Fatalf("got=%v, want=%v", got, level)
		}
	}
}

type panickingLevel struct{}

func (panickingLevel) Level() slog.Level { panic("oops") }

// A flood of one reason is ten lines in a second, and a count; it hides no other reason.
func TestRefusalLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		v := verifierOn(t, mockidp.New(), logTo(&log, nil))
		verify := func(raw string) {
			if _, err := v.Verify(t.Context(), raw); err == nil {
				t.Fatal("accepted")
			}
		}
		for i := range 1000 {
			verify(fmt.Sprintf("a.b.%d", i))
		}
		verify("a.b.c.d.e")
		if got := lines(t, log.String()); len(got) != 11 || got[10]["reason"] != "token_encrypted" || got[10]["suppressed"] != nil {
			t.Fatalf("got=%d lines, %v, want ten of the flood and the other", len(got), got[len(got)-1])
		}
		time.Sleep(time.Second)
		verify("a.b.c")
		if got := lines(t, log.String()); len(got) != 12 || got[11]["suppressed"] != float64(990) {
			t.Fatalf("got=%v, want suppressed=990", got[len(got)-1])
		}
	})
}

// Trace.Refused knows the request too, and can explain the refusal: the verdict is that of the answer, whatever refused.
func TestRefuseInfoExplains(t *testing.T) {
	t.Parallel()
	for _, row := range identity.ReasonRows() {
		t.Run(string(row.Reason), func(t *testing.T) {
			t.Parallel()
			var infos []identity.RefuseInfo
			var reports []identity.Report
			got := provoked(t, row.Reason, func(cfg *identity.Config) {
				cfg.Observe.Trace.Refused = func(ctx context.Context, info identity.RefuseInfo) {
					infos = append(infos, info)
					reports = append(reports, info.Explain(ctx))
				}
			}, func(r *http.Request) {
				r.Header.Set("X-Request-Id", "req-4711")
				r.Header.Set("Traceparent", traceparent)
			})
			if len(infos) != 1 || infos[0].Reason != row.Reason || infos[0].RequestID != "req-4711" || infos[0].TraceID != traceID {
				t.Fatalf("got=%+v, want one with the IDs", infos)
			}
			report := reports[0]
			if report.Verdict != identity.Refused || report.Reason != row.Reason || report.Status != got.status || report.Cause == "" || len(report.Advice) == 0 {
				t.Fatalf("got=%+v, want=%d %s", report, got.status, row.Reason)
			}
			failed := 0
			for _, step := range report.Steps {
				if step.Outcome == identity.Failed {
					failed++
				}
			}
			if failed != 1 {
				t.Fatalf("got=%+v, want one check that failed", report.Steps)
			}
			raw := strings.TrimPrefix(got.request.Header.Get("Authorization"), "Bearer ")
			if strings.Count(raw, ".") == 2 && len(raw) > 100 {
				text, document := printableReport(t, report)
				secretsIn(t, "text", text, raw)
				secretsIn(t, "JSON", document, raw)
			}
		})
	}
}
