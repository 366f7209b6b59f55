package msaltest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// What `identity mockidp` prints is pasted into new programs as it is. They sign in, and both the printed API and the quickstart's
// accept their tokens.
func TestPrinted(t *testing.T) {
	t.Parallel()
	p := startCommand(t)
	api := p.startPrintedAPI(t)
	quickstart := p.startQuickstart(t)
	me := func(t *testing.T, token string) string {
		t.Helper()
		token = strings.TrimSpace(token)
		status, _ := get(t, quickstart+"/me", token)
		equal(t, "status of the quickstart's /me", status, http.StatusOK)
		status, body := get(t, api+"/me", token)
		equal(t, "status of /me", status, http.StatusOK)
		return string(body)
	}
	const (
		joInContoso     = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa.eeeeeeee-5555-4555-8555-eeeeeeeeeeee"
		daemonInContoso = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa.ffffffff-6666-4666-8666-ffffffffffff"
	)
	t.Run("MSAL GO", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("browsers are started by xdg-open only on Linux")
		}
		desktop := newDesktop(t, newPerson(t, jo, "", trusting(t, p.caFile)))
		cmd := exec.CommandContext(t.Context(), p.build(t, "MSAL GO"))
		cmd.Env = append(os.Environ(), "PATH="+desktop.path, desktopVariable+"="+desktop.url)
		equal(t, "who", me(t, output(t, cmd)), joInContoso)
		worked(t, "sign-in", <-desktop.done)
	})
	t.Run("MSAL NODE", func(t *testing.T) {
		cmd := node(t, "--input-type=module")
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+p.caFile)
		cmd.Stdin = strings.NewReader(p.section(t, "MSAL NODE"))
		equal(t, "who", me(t, output(t, cmd)), daemonInContoso)
	})
	t.Run("MSAL BROWSER", func(t *testing.T) {
		pin := regexp.MustCompile(`(?m)^  pin=(.+)$`).FindStringSubmatch(p.out)[1]
		trust := strings.Replace(regexp.MustCompile(`--ignore-certificate\S+`).FindString(p.out), "$pin", pin, 1)
		cmd := node(t, "printed-browser.mjs", jo, trust)
		cmd.Env = append(cmd.Env, "CHROMIUM="+chromium(t))
		cmd.Stdin = strings.NewReader(p.section(t, "MSAL BROWSER"))
		equal(t, "who", me(t, output(t, cmd)), joInContoso)
	})
	for heading, who := range map[string]string{"CURL  A token of an application": daemonInContoso, "CURL  A token of a user": joInContoso} {
		t.Run(heading, func(t *testing.T) {
			_, rest, _ := strings.Cut(p.out, "\n"+heading)
			_, rest, _ = strings.Cut(rest, "\n")
			command, _, _ := strings.Cut(rest, "\n\n")
			program(t, "curl", "curl")
			var answer struct {
				Token string `json:"access_token"`
			}
			text := output(t, exec.CommandContext(t.Context(), "sh", "-c", command))
			worked(t, "answer "+text, json.Unmarshal([]byte(text), &answer))
			equal(t, "who", me(t, answer.Token), who)
		})
	}
}

// printed is the command while it serves.
type printed struct {
	out    string // all that it printed
	origin string
	caFile string
}

// startCommand builds the command and starts it without arguments, but for its port and file.
func startCommand(t *testing.T) *printed {
	t.Helper()
	dir := t.TempDir()
	command := filepath.Join(dir, "identity")
	output(t, exec.CommandContext(t.Context(), "go", "build", "-o", command, "github.com/echo-identity/identity/cmd/identity"))
	p := &printed{caFile: filepath.Join(dir, "ca.pem")}
	lines := startProgram(t, exec.Command(command, "mockidp", "-addr", "127.0.0.1:0", "-ca-file", p.caFile))
	for !strings.Contains(p.out, "Ctrl-C") {
		if !lines.Scan() {
			t.Fatalf("the command ended: %s", p.out)
		}
		p.out += lines.Text() + "\n"
	}
	p.origin = regexp.MustCompile(`https://localhost:\d+`).FindString(p.out)
	return p
}

// section is what is printed under a heading.
func (p *printed) section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(p.out, "\n"+heading+"  ")
	if !found {
		t.Fatalf("no %s in %s", heading, p.out)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	text, _, _ := strings.Cut(rest, "\n\n")
	return text + "\n"
}

// build makes a program of the file under a heading and the one that all Go programs share. It is built here, with the modules of
// this go.mod. changes are pairs of texts, old and new.
func (p *printed) build(t *testing.T, heading string, changes ...string) string {
	t.Helper()
	dir := t.TempDir()
	local, main, binary := filepath.Join(dir, "local.go"), filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	worked(t, "WriteFile", os.WriteFile(local, []byte(p.section(t, "GO")), 0o600))
	text := strings.NewReplacer(changes...).Replace(p.section(t, heading))
	worked(t, "WriteFile", os.WriteFile(main, []byte(text), 0o600))
	output(t, exec.CommandContext(t.Context(), "go", "build", "-o", binary, local, main))
	return binary
}

// startPrintedAPI runs the printed API, on a free port.
func (p *printed) startPrintedAPI(t *testing.T) string {
	t.Helper()
	return startListening(t, exec.Command(p.build(t, "IDENTITY", "localhost:8080", "localhost:0")))
}

// startQuickstart runs the API of _examples.
func (p *printed) startQuickstart(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "quickstart")
	output(t, exec.CommandContext(t.Context(), "go", "build", "-C", "../../_examples", "-o", binary, "./quickstart"))
	return startListening(t, exec.Command(binary, "-idp", p.origin, "-ca", p.caFile))
}

// startListening runs a program that says on which loopback address it listens.
func startListening(t *testing.T, cmd *exec.Cmd) (origin string) {
	t.Helper()
	lines := startProgram(t, cmd)
	for lines.Scan() {
		if address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text()); address != "" {
			return "http://" + address
		}
	}
	t.Fatalf("%s does not listen", cmd)
	return ""
}

// startProgram runs until the test ends.
func startProgram(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	worked(t, "StdoutPipe", err)
	cmd.Stderr = os.Stderr
	worked(t, "Start", cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unless it ended by itself
		_ = cmd.Wait()
	})
	return bufio.NewScanner(out)
}

// output is what a program writes before it ends well.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderr.String())
	}
	return string(out)
}

// trusting is the network for a browser that trusts the authority in a file.
func trusting(t *testing.T, caFile string) http.RoundTripper {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	worked(t, "ReadFile", err)
	roots := x509.NewCertPool()
	equal(t, "certificate", roots.AppendCertsFromPEM(pem), true)
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
}
