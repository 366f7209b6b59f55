package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

const aboutMockIDP = `Serves an offline stand-in for Microsoft's identity platform, for tests, until
Ctrl-C or SIGTERM. Without flags it has a default directory of tenants, users
and applications at https://localhost:8443, and prints what to paste into
MSAL Go, MSAL browser, MSAL Node, curl, and an API with identity.Config.

Examples:
  identity mockidp
      the default directory, on port 8443

  identity mockidp -q -addr 127.0.0.1:0 -ca-file /tmp/ca.pem
      for a script: the address, on a free port, is all that is printed

  identity mockidp -config directory.json -v
      tenants of your own, and a line for every request
`

// mockFlags are the flags of identity mockidp.
type mockFlags struct {
	config            string
	addr              string
	tls               bool
	certFile, keyFile string
	caFile            string
	admin             bool
	remote            bool
	verbose, quiet    bool
}

func (f *mockFlags) set() *flag.FlagSet {
	flags := flag.NewFlagSet("mockidp", flag.ContinueOnError)
	flags.StringVar(&f.config, "config", "", "a `file` with the directory, in JSON, as the admin API gives it; none\nmeans a default one")
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8443", "`address` to listen on; port 0 means a free one")
	flags.BoolVar(&f.tls, "tls", true, "serve https; MSAL clients take nothing else")
	flags.StringVar(&f.certFile, "cert-file", "", "a certificate to serve, in PEM, from this `file`; none means one of a\nnew authority")
	flags.StringVar(&f.keyFile, "key-file", "", "the key of -cert-file, in PEM, from this `file`")
	flags.StringVar(&f.caFile, "ca-file", "mockidp-ca.pem", "the `file` for the new authority's certificate")
	flags.BoolVar(&f.admin, "admin", true, "serve the admin API, to callers on this machine")
	flags.BoolVar(&f.remote, "insecure-allow-remote", false, "accept an -addr that other machines reach: whoever does can sign in as\nanybody")
	flags.BoolVar(&f.verbose, "v", false, "log every request to standard error")
	flags.BoolVar(&f.quiet, "q", false, "print the address alone, not what to paste")
	return flags
}

// shutdownTime is how long requests may take to end.
const shutdownTime = 5 * time.Second

// runMockIDP serves until ctx ends.
func runMockIDP(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var f mockFlags
	if err := parse(f.set(), aboutMockIDP, args, stdout); err != nil {
		return err
	}
	how, err := f.listening(stderr)
	if err != nil {
		return err
	}
	d, err := f.directory()
	if err != nil {
		return err
	}
	opts := []mockidp.Option{mockidp.WithDirectory(d)}
	if f.admin {
		opts = append(opts, mockidp.WithAdmin())
	}
	idp, err := mockidp.Listen(how, opts...)
	if err != nil {
		return explainListen(err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		err = errors.Join(err, idp.Shutdown(stopping))
	}()
	if idp.CACertificate() != nil {
		if err := writeCA(f.caFile, idp.CACertificate()); err != nil {
			return fmt.Errorf("-ca-file %s: %w", f.caFile, err)
		}
	}
	if err := f.print(stdout, idp, d); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(stderr, "mockidp: stopping")
	return nil
}

// listening checks the flags that say how.
func (f *mockFlags) listening(stderr io.Writer) (mockidp.Listening, error) {
	how := mockidp.Listening{Address: f.addr, InsecureAllowRemote: f.remote, Plain: !f.tls}
	switch {
	case (f.certFile == "") != (f.keyFile == ""):
		return how, usagef("-cert-file and -key-file need each other")
	case f.certFile != "" && !f.tls:
		return how, usagef("-cert-file is for https, and -tls=false is not")
	case f.caFile == "":
		return how, usagef("-ca-file needs a name")
	}
	if f.certFile != "" {
		pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
		if err != nil {
			return how, fmt.Errorf("-cert-file %s with -key-file %s: %w", f.certFile, f.keyFile, err)
		}
		how.Certificate = &pair
	}
	if f.verbose {
		how.Log = logTo(stderr)
	}
	return how, nil
}

func (f *mockFlags) directory() (mockidp.Directory, error) {
	if f.config == "" {
		return mockidp.DefaultDirectory(), nil
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		return mockidp.Directory{}, err
	}
	d, err := mockidp.ParseDirectory(text)
	if err != nil {
		lines := strings.ReplaceAll(err.Error(), "mockidp: ", "  ")
		return d, fmt.Errorf("%s cannot be used:\n%s", f.config, lines)
	}
	return d, nil
}

// explainListen says which flag helps.
func explainListen(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w\n-addr 127.0.0.1:0 takes a free port", err)
	case errors.Is(err, mockidp.ErrNotLoopback):
		return usagef("%w\n-insecure-allow-remote allows it", err)
	}
	return err
}

// print says what the server is and how to use it, at once: who reads the first line finds the rest.
func (f *mockFlags) print(w io.Writer, idp *mockidp.Server, d mockidp.Directory) error {
	origin := shownOrigin(idp.URL)
	text := new(bytes.Buffer)
	fmt.Fprintf(text, "mockidp: %s stands in for Microsoft. For tests only.\n", origin)
	if !f.quiet {
		s, err := newSettings(origin, f, idp, d)
		if err != nil {
			return err
		}
		if err := s.print(text); err != nil {
			return err
		}
	}
	_, err := w.Write(text.Bytes())
	return err
}

// shownOrigin prefers the name localhost: a browser counts a page there and the server as one site, whose cookies work in frames.
func shownOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err == nil && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1") {
		u.Host = "localhost:" + u.Port()
		return u.String()
	}
	return origin
}

// logTo writes a line per request. The path is escaped, so that nobody can write lines of their own.
func logTo(w io.Writer) func(mockidp.Answered) {
	var mu sync.Mutex // guards w
	return func(a mockidp.Answered) {
		address := (&url.URL{Path: a.Path}).EscapedPath()
		if name, _, _ := strings.Cut(a.Host, ":"); name != "localhost" {
			address = a.Host + address
		}
		words := []string{time.Now().Format(time.TimeOnly), strconv.Itoa(a.Status), a.Method, address, a.Took.Round(time.Millisecond).String()}
		if a.Error != "" {
			words = append(words, a.Error)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(w, strings.Join(words, " "))
	}
}
