package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// asCommand makes this program the command itself.
const asCommand = "IDENTITY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is identity mockidp as a process of its own.
type process struct {
	*exec.Cmd
	caFile string
	origin string
	stderr bytes.Buffer // to be read when it has ended
}

// startProcess returns when the address is printed.
func startProcess(tb testing.TB) *process {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{caFile: filepath.Join(tb.TempDir(), "ca.pem")}
	p.Cmd = exec.Command(self, "mockidp", "-addr", "127.0.0.1:0", "-ca-file", p.caFile)
	p.Env, p.Stderr = append(os.Environ(), asCommand+"=1"), &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Process.Kill() }) // does nothing once Wait returned
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	p.origin = strings.Fields(line)[1]
	return p
}

// token gets one as a daemon does that trusts the certificate in the file.
func (p *process) token(tb testing.TB) {
	tb.Helper()
	pem, err := os.ReadFile(p.caFile)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	resp, err := client.Post(p.origin+"/"+mockidp.Contoso+"/oauth2/v2.0/token", formType, strings.NewReader(daemonForm()))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := readAll(resp); err != nil || resp.StatusCode != 200 || !strings.Contains(text, `"access_token"`) {
		tb.Fatalf("got=%d %s %v", resp.StatusCode, text, err)
	}
}

// Both signals end the program in good order.
func TestSignals(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send signals")
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := startProcess(t)
		p.token(t)
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil || p.stderr.String() != "mockidp: stopping\n" {
			t.Errorf("%v: got=%v %q", signal, err, &p.stderr)
		}
	}
}

// BenchmarkFirstToken is what a test waits for: the start of the process with the default directory, to the first token over TLS.
func BenchmarkFirstToken(b *testing.B) {
	for b.Loop() {
		p := startProcess(b)
		p.token(b)
		b.StopTimer()
		p.Process.Kill()
		p.Wait()
		b.StartTimer()
	}
}
