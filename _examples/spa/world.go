package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// world is the page, the API and a stand-in for Microsoft, each on an origin of its own. Page and API speak HTTP, because browsers take
// localhost for a secure context; in production both need TLS, as the mock has it here, because MSAL insists.
type world struct {
	page, api, microsoft string // origins
	idp                  *mockidp.Server

	servers []*http.Server
	running sync.WaitGroup

	mu     sync.Mutex
	faults []error // of what runs in the background
}

// newWorld starts all of it. Nothing runs when it fails.
func newWorld(dist, addr string, logger *slog.Logger) (*world, error) {
	w := new(world)
	if err := w.start(dist, addr, logger); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(dist, addr string, logger *slog.Logger) (err error) {
	var pages, calls net.Listener
	defer func() {
		if err == nil {
			return
		}
		for _, l := range []net.Listener{pages, calls} {
			if l != nil {
				err = errors.Join(err, l.Close())
			}
		}
	}()
	if pages, err = loopback(addr); err != nil {
		return err
	}
	if calls, err = loopback("localhost:0"); err != nil {
		return err
	}
	w.page, w.api = origin(pages), origin(calls)
	if w.idp, err = mockidp.Listen(mockidp.Listening{}, mockidp.WithDirectory(registered(w.page))); err != nil {
		return err
	}
	w.microsoft = strings.Replace(w.idp.URL, "127.0.0.1", "localhost", 1)
	api, err := newAPI(apiSettings{page: w.page, microsoft: w.microsoft, client: w.idp.Client(), logger: logger})
	if err != nil {
		return err
	}
	page, err := newPage(dist, newPageConfig(w.microsoft, w.api), w.microsoft)
	if err != nil {
		return err
	}
	w.serve(calls, api)
	w.serve(pages, page)
	return nil
}

// loopback listens, and nowhere else: whoever reaches the stand-in for Microsoft can sign in as anybody.
func loopback(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not on loopback", addr)
	}
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
}

func origin(l net.Listener) string {
	return fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

// serve answers on a socket until close.
func (w *world) serve(socket net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	w.servers = append(w.servers, server)
	w.running.Go(func() {
		if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.faults = append(w.faults, err)
		}
	})
}

// close ends everything, and tells what went wrong meanwhile.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var err error
	for _, server := range w.servers {
		err = errors.Join(err, server.Shutdown(ctx))
	}
	w.running.Wait()
	if w.idp != nil {
		err = errors.Join(err, w.idp.Shutdown(ctx))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(append(w.faults, err)...)
}
