//go:build unix

// Package pgtest starts a real PostgreSQL for tests and examples, on a port and in a directory of its own, from the programs that the machine
// has, and a [Proxy] that breaks connections to it. Nothing of it is safe to keep data in: it does not wait for the disk.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNotInstalled means that the machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("pgtest: PostgreSQL is not installed: initdb and pg_ctl are neither in PATH nor under /usr/lib/postgresql (Debian: apt-get install postgresql)")

// Server is a PostgreSQL of its own. Its methods must not be called concurrently.
type Server struct {
	// Addr is the address it listens on, besides a socket in its directory.
	Addr string

	bin, dir string
	account  *syscall.Credential // nil: ours
	watchdog io.WriteCloser      // closed when this process ends, however it does
}

// Start makes a database cluster and starts a server on it. Close removes both; when the process ends without it, they are removed too.
// settings are lines for postgresql.conf.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.account, err = account(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// find looks for the directory of the programs, the newest version first.
func find() (string, error) {
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && hasInitdb(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, slices.DeleteFunc(matches, func(dir string) bool { return !hasInitdb(dir) })...)
	}
	if len(found) == 0 {
		return "", ErrNotInstalled
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

func hasInitdb(dir string) bool {
	_, err := exec.LookPath(filepath.Join(dir, "initdb"))
	return err == nil
}

// version is the number in the path of the programs.
func version(dir string) int {
	digits := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, filepath.Base(filepath.Dir(dir))), "0")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// account is whom the server runs as: it refuses to be root.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// prepare makes the cluster, and has somebody clean up after us.
func (s *Server) prepare(ctx context.Context, settings []string) error {
	if s.account != nil {
		if err := os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	if err := s.run(ctx, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Addr = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	lines := append([]string{
		"listen_addresses = '127.0.0.1'", "port = " + port, "unix_socket_directories = '" + s.dir + "'", "max_connections = 200",
		"fsync = off", "full_page_writes = off", "shared_buffers = 64MB", "log_min_messages = fatal", "log_min_error_statement = panic",
	}, settings...)
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	if err := errors.Join(err, conf.Close()); err != nil {
		return err
	}
	return s.watch()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// watch starts a shell that ends the server and removes its directory when its input ends: with this process at the latest.
func (s *Server) watch() error {
	watchdog := exec.Command("/bin/sh", "-c", `cat >/dev/null; "$0" -D "$1/data" -m immediate stop >/dev/null 2>&1; cd /; rm -rf "$1"`,
		filepath.Join(s.bin, "pg_ctl"), s.dir)
	watchdog.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Setpgid: true} // of its own group: ^C is not for it
	watchdog.Dir = s.dir
	input, err := watchdog.StdinPipe()
	if err != nil {
		return err
	}
	if err := watchdog.Start(); err != nil {
		return err
	}
	s.watchdog = &watched{input, watchdog}
	return nil
}

type watched struct {
	io.WriteCloser
	watchdog *exec.Cmd
}

// Close ends the input and waits.
func (w *watched) Close() error {
	return errors.Join(w.WriteCloser.Close(), w.watchdog.Wait())
}

// run runs one of PostgreSQL's programs.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	cmd.Dir = s.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "PG") }), "LC_ALL=C")
	// Not a pipe: the server inherits it, and a pipe would be waited for.
	output, err := os.CreateTemp(s.dir, program)
	if err != nil {
		return err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		said, readErr := os.ReadFile(output.Name())
		return errors.Join(fmt.Errorf("pgtest: %s: %w: %s", program, err, said), readErr)
	}
	return nil
}

// Restart starts the server after a Stop.
func (s *Server) Restart(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-D", s.data(), "-s", "-w", "-t", "60", "-l", filepath.Join(s.dir, "log"), "start")
}

// How to stop a server.
const (
	Fast      = "fast"      // connections are ended in order
	Immediate = "immediate" // as in a crash: the next start recovers
)

// Stop stops the server.
func (s *Server) Stop(ctx context.Context, mode string) error {
	return s.run(ctx, "pg_ctl", "-D", s.data(), "-s", "-w", "-t", "60", "-m", mode, "stop")
}

// Log is what the server has written.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Close stops the server and removes its data.
func (s *Server) Close() error {
	return errors.Join(s.watchdog.Close(), os.RemoveAll(s.dir))
}

// URL is the address of a database for drivers, as a user, over TCP. The user needs no password.
func (s *Server) URL(user, database string) string { return URL(s.Addr, user, database) }

// URL is the address of a database behind a host and port, such as that of a [Proxy].
func URL(addr, user, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: addr, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Ready waits until the server accepts connections.
func (s *Server) Ready(ctx context.Context) error {
	for {
		err := s.run(ctx, "pg_isready", "-q", "-h", s.dir, "-p", s.Addr[strings.LastIndexByte(s.Addr, ':')+1:])
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
