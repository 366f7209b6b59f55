package mockidp

import (
	"context"
	"time"
)

// TB is the part of [testing.TB] that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start makes a server that listens on the loopback interface with TLS until the test ends. It is reached at [Server.URL], under
// https://localhost with the same port, and through [Server.Client] at every host that it stands for. Certificates come from an
// authority of its own, [Server.CA]. It panics like [New] and fails the test when it cannot listen.
func Start(tb TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Listen(Listening{}, opts...)
	if err != nil {
		tb.Fatalf("%v", err)
		return nil
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), endOfTest)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			tb.Fatalf("%v", err)
		}
	})
	return s
}

// endOfTest is how long a request may go on after its test.
const endOfTest = 30 * time.Second
