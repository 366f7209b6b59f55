package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/echo-identity/identity/mockidp"
)

// pty is a terminal with a program in it.
type pty struct {
	*testing.T
	master, slave *os.File
	cmd           *exec.Cmd
	screen        output
	done          chan struct{} // closed when nothing more is written
}

// onTerminal runs the command in a terminal of some columns.
func onTerminal(t *testing.T, columns uint16, env []string, args ...string) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		if os.Getenv("CI") != "true" {
			t.Skipf("there are no terminals to be had here: %v", err)
		}
		t.Fatal(err)
	}
	p := &pty{T: t, master: master, done: make(chan struct{})}
	var number, unlock int32
	p.control(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	p.control(master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	if p.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	size := [4]uint16{24, columns}
	p.control(p.slave, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.CommandContext(t.Context(), self, args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.slave, p.slave, p.slave
	p.cmd.Env = append([]string{asCommand + "=1", "TERM=xterm-256color", "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill() // does nothing once Wait returned
		p.slave.Close()
		<-p.done
		master.Close()
	})
	go func() {
		defer close(p.done)
		io.Copy(&p.screen, master) // ends when no slave is open
	}()
	return p
}

func (p *pty) control(f *os.File, request uintptr, argument unsafe.Pointer) {
	p.Helper()
	if err := control(f, request, argument); err != nil {
		p.Fatal(err)
	}
}

// shows waits for a text.
func (p *pty) shows(text string) {
	p.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.screen.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("no %q: %s", text, p.screen.String())
		}
	}
}

// ends waits for the end of the program, and looks at the terminal that it leaves: the echo is on, and nothing is left to be read.
func (p *pty) ends() (code int, screen string) {
	p.Helper()
	p.cmd.Wait()
	var modes syscall.Termios
	var left int32
	p.control(p.slave, syscall.TCGETS, unsafe.Pointer(&modes))
	p.control(p.slave, syscall.TIOCINQ, unsafe.Pointer(&left))
	if modes.Lflag&syscall.ECHO == 0 || modes.Lflag&syscall.ICANON == 0 || left != 0 {
		p.Errorf("the terminal is left with modes %x and %d bytes to read", modes.Lflag, left)
	}
	p.slave.Close()
	<-p.done
	return p.cmd.ProcessState.ExitCode(), strings.ReplaceAll(p.screen.String(), "\r\n", "\n")
}

// At a terminal the token is asked for and not shown, whatever its length, and a paste of several lines does not run into the shell.
func TestPrompt(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	var groups []string
	for i := range 200 {
		groups = append(groups, fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i))
	}
	long := c.token(mockidp.Contoso, mockidp.Claim("groups", groups))
	if len(long) < 8192 {
		t.Fatalf("got=%d bytes, want more than a line of a terminal has", len(long))
	}
	args := []string{"explain", "-config", c.config, "-ca-file", c.caFile}
	for _, tt := range []struct {
		name, typed string
		code        int
		want        string
	}{
		{"a short one", c.token(mockidp.Contoso) + "\n", 0, "ACCEPTED"},
		{"a long one", long + "\r", 0, "ACCEPTED"},
		{"in lines", "Bearer " + long[:100] + "\n" + long[100:3000] + "\n" + long[3000:] + "\n", 0, "ACCEPTED"},
		{"a paste that the terminal marks", "\x1b[200~" + long + "\x1b[201~\n", 0, "ACCEPTED"},
		{"ended by Ctrl-D", long + "\x04", 0, "ACCEPTED"},
		{"a broken one", "x" + long + "\n", 1, "REFUSED"},
		{"none", "\n", 2, "there is no token"},
		{"Ctrl-C", "\x03", 1, "interrupted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := onTerminal(t, 80, nil, args...)
			p.shows("it is not shown): ")
			if _, err := io.WriteString(p.master, tt.typed); err != nil {
				t.Fatal(err)
			}
			code, screen := p.ends()
			if code != tt.code || !strings.Contains(screen, tt.want) {
				t.Errorf("got=%d %s", code, screen)
			}
			if strings.Contains(screen, long[:60]) || strings.Contains(screen, long[len(long)-60:]) {
				t.Errorf("the token is shown: %s", screen)
			}
		})
	}
}

// Colour is for terminals that have it, and lines are as long as the terminal is wide.
func TestTerminal(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	token := c.token(mockidp.Contoso, mockidp.ExpiresIn(-time.Hour))
	commands := [][]string{
		{"doctor", "-config", c.config, "-ca-file", c.caFile},
		{"explain", "-config", c.config, "-ca-file", c.caFile, token},
	}
	for _, tt := range []struct {
		name    string
		columns uint16
		env     []string
		colour  bool
	}{
		{"40 columns", 40, nil, true},
		{"80 columns", 80, nil, true},
		{"120 columns", 120, nil, true},
		{"few colours", 80, []string{"TERM=xterm"}, true},
		{"NO_COLOR", 80, []string{"NO_COLOR=1"}, false},
		{"NO_COLOR, empty", 80, []string{"NO_COLOR="}, true},
		{"dumb", 80, []string{"TERM=dumb"}, false},
		{"COLUMNS", 80, []string{"COLUMNS=50"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, args := range commands {
				_, screen := onTerminal(t, tt.columns, tt.env, args...).ends()
				if got := strings.Contains(screen, "\x1b["); got != tt.colour {
					t.Errorf("%s: colour: got=%v, want=%v", args[0], got, tt.colour)
				}
				width := int(tt.columns)
				if len(tt.env) > 0 && tt.env[0] == "COLUMNS=50" {
					width = 50
				}
				plain := uncoloured(screen)
				if strings.Contains(plain, "\x1b") || len(plain) < 200 {
					t.Errorf("%s: got=%q", args[0], plain)
				}
				// One heading of the report is longer than the narrowest terminal.
				within(t, strings.ReplaceAll(plain, "What the token says (nothing of it is proven)\n", ""), width)
			}
		})
	}
	// A pipe has no colour, whatever TERM says: see TestDoctor.
}

// uncoloured takes out the sequences that choose colours, and no others.
func uncoloured(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		end := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("0123456789;", r) })
		if !found {
			return b.String()
		}
		if end < 0 || after[end] != 'm' {
			b.WriteString("\x1b[")
			text = after
			continue
		}
		text = after[end+1:]
	}
}
