package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// turnTest is a test that stands before all others. With turnEnvironment it switches mutants on, one each second time that it is run:
// none, the first, none, the second, and so on.
const (
	turnTest        = "TestMutantSwitch"
	turnEnvironment = "MUTANT_TURNS"
	turnSource      = `package %s

import (
	"os"
	"testing"
)

var mutantTurns, mutantsBefore = 0, ` + switchName + `

func ` + turnTest + `(*testing.T) {
	if os.Getenv("` + turnEnvironment + `") == "" {
		return
	}
	` + switchName + ` = 0
	if mutantTurns++; mutantTurns%%2 == 0 {
		` + switchName + ` = mutantsBefore + mutantTurns/2
	}
}
`
)

// maxTurns is how many mutants share a process.
const maxTurns = 10

// turns tries the mutants of a batch one after the other, several in one process, with the tests that will probably kill them: to
// start a process for each takes longer than these tests. A kill counts only if the tests have passed without a mutant right
// before, so that none is blamed for what another one has left behind. It returns the mutants that are killed, by number; the
// others have to be tried alone.
func (l *lab) turns(ctx context.Context, b batch, binary string) (map[int]trial, error) {
	dead := make(map[int]trial)
	tests := l.usual(b)
	if len(tests) == 0 || !b[0].switched() {
		return dead, nil
	}
	for done := 0; done < len(b); {
		count := fmt.Sprintf("-test.count=%d", 2*min(maxTurns, len(b)-done))
		output, _ := l.test(ctx, binary, done, true, "-test.v", "-test.failfast=false", count, only(append(tests, turnTest))[0])
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		turns := bytes.Split(output, []byte("=== RUN   "+turnTest+"\n"))[1:]
		before := done
		for i := 0; i+1 < len(turns) && !failure.Match(turns[i]); i += 2 {
			done++
			if r, sure := failed(turns[i+1]); sure {
				dead[done] = r
				l.remember(b[done-1], r.Test)
			}
		}
		if done == before { // they fail without a mutant: none of them can be trusted
			return dead, nil
		}
	}
	return dead, nil
}

// usual are the tests that have killed mutants of the functions in b, or lately of their files.
func (l *lab) usual(b batch) (tests []string) {
	for _, m := range b {
		first, then := l.suspects(m)
		for _, test := range append(first, then[:min(4, len(then))]...) {
			if !slices.Contains(tests, test) && !l.last.MatchString(test) {
				tests = append(tests, test)
			}
		}
	}
	return tests
}

// failed says which test has failed, if one has. It is not sure where that may be an accident.
func failed(output []byte) (r trial, sure bool) {
	r.Verdict = killed
	if found := failure.FindSubmatch(output); found != nil {
		r.Test = string(found[1])
		sure = bytes.HasPrefix(found[2], []byte("0.")) // seconds
	}
	return r, sure
}
