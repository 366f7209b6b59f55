package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// verdict is what became of a mutant.
type verdict string

const (
	killed      verdict = "killed"       // a test fails
	timedOut    verdict = "out of time"  // the tests do not end: killed, too
	survived    verdict = "SURVIVED"     // all tests pass
	notCompiled verdict = "not compiled" // it is not a program
)

// lab is where mutants are tried.
type lab struct {
	dir     string         // of the package
	scratch string         // a folder of its own
	tests   *regexp.Regexp // matches the tests to run; empty: all
	last    *regexp.Regexp // matches those that take long
	timeout time.Duration

	mu      sync.Mutex
	killers map[string][]string // by file, and by file and function: the tests that have killed mutants of it, the last one first
}

// newLab makes a lab. What is known says which tests kill.
func newLab(dir string, tests *regexp.Regexp, last *regexp.Regexp, timeout time.Duration, mutants []*mutant, known *results) (*lab, error) {
	scratch, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, scratch: scratch, tests: tests, last: last, timeout: timeout, killers: make(map[string][]string)}
	for _, m := range mutants {
		if r, ok := known.of(m); ok && r.Test != "" {
			l.remember(m, r.Test)
		}
	}
	return l, nil
}

func (l *lab) close() { os.RemoveAll(l.scratch) }

// trial is what came of trying a mutant.
type trial struct {
	Verdict verdict       `json:"verdict"`
	Test    string        `json:"test,omitempty"` // the first one that failed
	Took    time.Duration `json:"took"`
}

func (r trial) by() string {
	if r.Test == "" {
		return ""
	}
	return " (" + r.Test + ")"
}

// try tries the mutants of a batch one after the other, and tells what becomes of them. A test that kills must pass when no mutant is
// switched on.
func (l *lab) try(ctx context.Context, b batch, tell func(*mutant, trial) error) error {
	folder, err := os.MkdirTemp(l.scratch, "batch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	overlay, err := b.overlay(folder)
	if err != nil {
		return err
	}
	binary := filepath.Join(folder, "package.test")
	output, err := l.compile(ctx, binary, overlay)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && len(b) > 1: // one of them is to blame
		middle := len(b) / 2
		if err := l.try(ctx, b[:middle], tell); err != nil {
			return err
		}
		return l.try(ctx, b[middle:], tell)
	case err != nil && !bytes.Contains(output, []byte(b[0].file)):
		return fmt.Errorf("compiling %v: %w\n%s", b[0], err, output) // nothing to do with it
	case err != nil:
		return tell(b[0], trial{Verdict: notCompiled})
	}
	dead, err := l.turns(ctx, b, binary)
	if err != nil {
		return err
	}
	innocent := make(map[string]bool) // tests that pass without a mutant
	for i, m := range b {
		if r, ok := dead[i+1]; ok {
			if err := tell(m, r); err != nil {
				return err
			}
			continue
		}
		r, err := l.judge(ctx, m, binary, i+1)
		if err != nil {
			return err
		}
		if m.switched() && r.Test != "" && !innocent[r.Test] {
			without, err := l.verdict(ctx, binary, 0, only([]string{r.Test}))
			if err != nil {
				return err
			}
			if without.Verdict != survived {
				return fmt.Errorf("%s fails without a mutant", r.Test)
			}
			innocent[r.Test] = true
		}
		if err := tell(m, r); err != nil {
			return err
		}
	}
	return nil
}

// judge runs the tests with a mutant.
func (l *lab) judge(ctx context.Context, m *mutant, binary string, number int) (r trial, err error) {
	began := time.Now()
	defer func() { r.Took = time.Since(began) }()
	first, then := l.suspects(m)
	rounds := [][]string{only(first), only(then), {"-test.skip=" + l.last.String()}, {"-test.run=" + l.last.String()}}
	if all := l.tests.String(); all != "" {
		rounds = append(rounds[:2], []string{"-test.run=" + all})
	}
	for _, flags := range rounds {
		if flags == nil {
			continue
		}
		r, err = l.verdict(ctx, binary, number, flags)
		if err != nil || r.Verdict != survived {
			break
		}
	}
	if r.Test != "" {
		l.remember(m, r.Test)
	}
	return r, err
}

// verdict runs some tests with a mutant. On a busy machine tests fail that wait for something: one that took long has to fail twice.
func (l *lab) verdict(ctx context.Context, binary string, number int, flags []string) (trial, error) {
	for range 3 {
		r, sure, err := l.once(ctx, binary, number, flags)
		if err != nil || sure {
			return r, err
		}
		alone := flags
		if r.Test != "" {
			alone = only([]string{r.Test})
		}
		if again, _, err := l.once(ctx, binary, number, alone); err != nil || again.Verdict != survived {
			return again, err
		}
	}
	return trial{Verdict: survived}, nil // nobody can tell: to be tried again
}

// once runs some tests with a mutant. It is not sure of a failure that may be an accident.
func (l *lab) once(ctx context.Context, binary string, number int, flags []string) (r trial, sure bool, err error) {
	output, err := l.test(ctx, binary, number, false, flags...)
	switch {
	case ctx.Err() != nil:
		return r, false, ctx.Err()
	case err == nil:
		return trial{Verdict: survived}, true, nil
	case errors.Is(err, context.DeadlineExceeded) || bytes.Contains(output, []byte("panic: test timed out")):
		return trial{Verdict: timedOut}, true, nil
	}
	r, sure = failed(output)
	return r, sure, nil
}

// only are the flags to run some tests, nil if there are none.
func only(tests []string) []string {
	if len(tests) == 0 {
		return nil
	}
	return []string{"-test.run=^(" + strings.Join(tests, "|") + ")$"}
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+) \(([\d.]+)s\)`)

// Before all tests, those are run that have killed mutants of the function, then mutants of the file.
const (
	maxOfFunction = 4
	maxOfFile     = 24
)

// suspects are the tests that will probably kill a mutant, and more that may.
func (l *lab) suspects(m *mutant) (first, then []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, test := range l.killers[m.file+" "+m.function] {
		if l.tests.MatchString(test) {
			first = append(first, test)
		}
	}
	for _, test := range l.killers[m.file] {
		if l.tests.MatchString(test) && !slices.Contains(first, test) {
			then = append(then, test)
		}
	}
	return first, then
}

// remember puts a test before the others.
func (l *lab) remember(m *mutant, test string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for place, most := range map[string]int{m.file + " " + m.function: maxOfFunction, m.file: maxOfFile} {
		tests := slices.DeleteFunc(l.killers[place], func(t string) bool { return t == test })
		tests = slices.Insert(tests, 0, test)
		l.killers[place] = tests[:min(most, len(tests))]
	}
}

// compile makes the test binary. It is not optimized, which takes a third of the time off.
func (l *lab) compile(ctx context.Context, binary, overlay string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "-overlay", overlay, "-vet=off", "-gcflags=-N -l", "-ldflags=-s -w", ".")
	cmd.Dir = l.dir
	return cmd.CombinedOutput()
}

// test runs a test binary until the first failure, with the mutant of a number or with the turns of those after it. One test at a
// time, or others would go on after it.
func (l *lab) test(ctx context.Context, binary string, number int, turns bool, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout+time.Minute) // for those that keep the binary from ending itself
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.failfast", "-test.parallel=1", "-test.timeout=" + l.timeout.String()}, flags...)...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", environment, number))
	if turns {
		cmd.Env = append(cmd.Env, turnEnvironment+"=1")
	}
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return output, err
}
