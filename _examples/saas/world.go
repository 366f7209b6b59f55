package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// world is everything that would be on many machines: the replicas, the proxy in front of them, and a stand-in for Microsoft.
type world struct {
	url      string // of the proxy
	idp      *mockidp.Server
	replicas []*replica
	demo     *demo

	servers []*http.Server
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	faults []error // of what runs in the background
}

// styleFile is the proxy's to serve, so that each page is one request, and the next page another replica's.
//
//go:embed pages/style.css
var styleFile embed.FS

var replicaNames = []string{"one", "two"}

// newWorld starts all of it. Nothing runs when it fails.
func newWorld(ctx context.Context, db *database, addr string, logger *slog.Logger) (*world, error) {
	w := new(world)
	if err := w.start(ctx, db, addr, logger); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, db *database, addr string, logger *slog.Logger) error {
	var background context.Context
	background, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	socket, err := loopback(addr)
	if err != nil {
		return err
	}
	w.url = fmt.Sprintf("http://localhost:%d", socket.Addr().(*net.TCPAddr).Port)
	front := http.NewServeMux()
	w.demo = &demo{w: w}
	w.demo.register(front)
	front.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, styleFile, "pages/style.css") })
	proxy := new(roundRobin)
	front.Handle("/", proxy)
	defer w.serve(socket, front) // when the replicas are there, or to be closed

	w.idp, err = mockidp.Listen(mockidp.Listening{Plain: true}, mockidp.WithDirectory(directory(w.url)))
	if err != nil {
		return err
	}
	s := settings{
		clientID: serviceID, clientSecret: serviceSecret, cloud: identity.Cloud(w.idp.URL), url: w.url, schema: db.tenants, logger: logger,
		key: []byte(rand.Text() + rand.Text()), // in production from a vault, the same in every replica
	}
	for _, name := range replicaNames {
		address, err := w.startReplica(ctx, background, db, name, s)
		if err != nil {
			return err
		}
		proxy.add(address)
	}
	for _, r := range w.replicas {
		if err := r.store.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startReplica runs a replica until background ends, and returns where it listens.
func (w *world) startReplica(ctx, background context.Context, db *database, name string, s settings) (address string, err error) {
	pool, err := db.pool(ctx)
	if err != nil {
		return "", err
	}
	r, err := newReplica(ctx, name, s, pool)
	if err != nil {
		pool.Close()
		return "", err
	}
	w.replicas = append(w.replicas, r)
	w.running.Go(func() { w.note(r.run(background)) })
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.serve(socket, r.e)
	return socket.Addr().String(), nil
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

// serve answers on a socket until close.
func (w *world) serve(socket net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	w.servers = append(w.servers, server)
	w.running.Go(func() {
		if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			w.note(err)
		}
	})
}

func (w *world) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, err)
}

// close ends everything, and tells what went wrong meanwhile.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	var err error
	for _, server := range w.servers {
		err = errors.Join(err, server.Shutdown(ctx))
	}
	w.stop()
	w.running.Wait()
	for _, r := range w.replicas {
		r.pool.Close()
	}
	if w.idp != nil {
		err = errors.Join(err, w.idp.Shutdown(ctx))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(append(w.faults, err)...)
}

// roundRobin sends each request to the next replica. Not even the steps of one sign-in stay at one of them.
type roundRobin struct {
	next     atomic.Uint64
	replicas []*httputil.ReverseProxy
}

func (p *roundRobin) add(addr string) {
	to := &url.URL{Scheme: "http", Host: addr}
	p.replicas = append(p.replicas, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // for the check of the origin of forms
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
}

// ServeHTTP implements [http.Handler].
func (p *roundRobin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.replicas[p.next.Add(1)%uint64(len(p.replicas))].ServeHTTP(w, r)
}
