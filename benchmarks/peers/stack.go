package peers

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/echo-identity/identity/benchmarks/corpus"
)

// Stack is a whole Echo application behind some middleware: routing, authentication, guards, a handler. The request and the
// response are used again and again, so that nothing is measured but what happens in between; it is therefore for one goroutine.
type Stack struct {
	handler  http.Handler
	request  *http.Request
	response discard
}

// NewApp is the application. The route has the parameter and the neighbours that routes have.
func NewApp(use ...echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	group := e.Group("", use...)
	group.GET("/orders", handle)
	group.GET("/orders/:id", handle)
	group.GET("/orders/:id/items", handle)
	return e
}

func handle(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

// NewStack puts middleware before the application.
func NewStack(use ...echo.MiddlewareFunc) *Stack {
	request, err := http.NewRequest(http.MethodGet, "/orders/4711", nil)
	if err != nil {
		panic(err) // not reached: the arguments are constant
	}
	request.Header["Authorization"] = make([]string, 1)
	return &Stack{NewApp(use...), request, discard{header: make(http.Header)}}
}

// Serve answers one request and returns the status.
func (s *Stack) Serve(t *corpus.Token) int {
	s.request.Header["Authorization"][0] = t.Bearer
	clear(s.response.header)
	s.handler.ServeHTTP(&s.response, s.request)
	return s.response.status
}

// Accept serves a request that has to reach the handler.
func (s *Stack) Accept(t *corpus.Token) error { return s.expect(t, http.StatusNoContent) }

// Refuse serves a request that has to be refused.
func (s *Stack) Refuse(t *corpus.Token) error { return s.expect(t, http.StatusUnauthorized) }

func (s *Stack) expect(t *corpus.Token, want int) error {
	if got := s.Serve(t); got != want {
		return fmt.Errorf("status: got=%d, want=%d", got, want)
	}
	return nil
}

// discard is a response of which only the status is kept.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
