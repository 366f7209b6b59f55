package identity_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// C24: when the tests are over, nothing of ours runs any more: there is no Close that they could have forgotten.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftovers(); left != "" {
		fmt.Fprintf(os.Stderr, "goroutines of ours that outlive their tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers are the stacks of our goroutines but this one. A fetch may outlive its request by a time-out, 5 seconds.
func leftovers() string {
	var left string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if left = running(); left == "" {
			return ""
		}
		<-tick.C
	}
	return left
}

func running() string {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var ours [][]byte
	for i, stack := range bytes.Split(stacks, []byte("\n\n")) {
		if i > 0 && bytes.Contains(stack, []byte("github.com/echo-identity/identity")) {
			ours = append(ours, stack)
		}
	}
	return string(bytes.Join(ours, []byte("\n\n")))
}
