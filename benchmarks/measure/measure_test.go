package measure_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/echo-identity/identity/benchmarks/measure"
)

// work is an operation of a known cost.
func work(name string, amount int) measure.Subject {
	sum := uint64(1)
	return measure.Subject{Name: name, Do: func(i int) error {
		for range amount {
			sum = sum*6364136223846793005 + uint64(i)
		}
		if sum == 0 {
			return errors.New("not reached")
		}
		return nil
	}}
}

var quick = measure.Plan{Rounds: 5, Turns: 2, Turn: 2 * time.Millisecond}

// Three times the work costs three times as much, and the subjects keep their order and names.
func TestCompare(t *testing.T) {
	costs, err := quick.Compare(work("unit", 1000), work("same", 1000), work("triple", 3000))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name  string
		ratio float64
	}{{"same", 1}, {"triple", 3}} {
		got := costs[i]
		if got.Name != want.name || got.Ratio < want.ratio*0.8 || got.Ratio > want.ratio*1.25 || len(got.Rounds) != quick.Rounds {
			t.Errorf("got=%s %.2f in %d rounds, want=%s %.2f in %d", got.Name, got.Ratio, len(got.Rounds), want.name, want.ratio, quick.Rounds)
		}
		low, high := got.Spread()
		if low > got.Ratio || high < got.Ratio {
			t.Errorf("%s: got %.2f outside of %.2f to %.2f", got.Name, got.Ratio, low, high)
		}
	}
}

// What is prepared is prepared for exactly the operations that follow, and is not measured.
func TestBefore(t *testing.T) {
	left := 0
	subject := measure.Subject{
		Name: "prepared",
		Before: func(n int) error {
			if left != 0 {
				return errors.New("prepared for more than was done")
			}
			left = n
			return nil
		},
		Do: func(int) error { left--; return nil },
	}
	if _, err := (measure.Plan{Rounds: 2, Turns: 2, Turn: 10 * time.Microsecond}).Compare(work("unit", 10), subject); err != nil {
		t.Fatal(err)
	}
	if left != 0 {
		t.Fatalf("left: got=%d, want=0", left)
	}
}

// A subject that fails is not measured: a figure for refusing would pass for one for accepting.
func TestFailure(t *testing.T) {
	broken := errors.New("broken")
	failing := measure.Subject{Name: "failing", Do: func(i int) error {
		if i == 100 {
			return broken
		}
		return nil
	}}
	if _, err := quick.Compare(work("unit", 10), failing); !errors.Is(err, broken) {
		t.Fatalf("got=%v, want=%v", err, broken)
	}
	if _, err := measure.Allocations(failing); !errors.Is(err, broken) {
		t.Fatalf("got=%v, want=%v", err, broken)
	}
}

var escaped [][]byte

func TestAllocations(t *testing.T) {
	got, err := measure.Allocations(measure.Subject{Do: func(int) error {
		escaped = [][]byte{make([]byte, 512), make([]byte, 1024)}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (measure.Memory{Allocs: 3, Bytes: 512 + 1024 + 48}); got != want {
		t.Fatalf("got=%+v, want=%+v", got, want)
	}
}

func TestHolding(t *testing.T) {
	before := measure.Holding()
	block, stop := make([]byte, 16<<20), make(chan struct{})
	go func() { <-stop }()
	held := measure.Holding()
	close(stop)
	if got := held.Bytes - before.Bytes; got < len(block) || got > len(block)+1<<20 {
		t.Errorf("bytes: got=%d, want=%d and little more", got, len(block))
	}
	if got := held.Goroutines - before.Goroutines; got != 1 {
		t.Errorf("goroutines: got=%d, want=1", got)
	}
	escaped = [][]byte{block}
}

func TestStatistics(t *testing.T) {
	figures := []float64{9, 1, 5, 3}
	if got := measure.Median(figures); got != 4 || !slices.Equal(figures, []float64{9, 1, 5, 3}) {
		t.Errorf("median of %v: got=%v, want=4", figures, got)
	}
	if got := measure.Median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("median: got=%v, want=5", got)
	}
	times := make([]time.Duration, 200)
	for i := range times {
		times[i] = time.Duration(200 - i)
	}
	if got := measure.Quantile(times, 0.99); got != 198 {
		t.Errorf("p99 of 1 to 200: got=%d, want=198", got)
	}
	difference := measure.Difference(measure.Cost{Rounds: []float64{1.1, 2.2, 9}}, measure.Cost{Rounds: []float64{1, 2, 3}})
	if difference < 0.199 || difference > 0.201 {
		t.Errorf("difference: got=%v, want=0.2", difference)
	}
}

// Goroutines that wait for each other gain less from a second core than those that do not. Both wait instead of computing, so that the
// test does not depend on how many cores are free.
func TestScale(t *testing.T) {
	var mu sync.Mutex
	waiting := func(lock, unlock func()) func(int) (measure.Subject, error) {
		return func(int) (measure.Subject, error) {
			return measure.Subject{Do: func(int) error {
				lock()
				defer unlock()
				time.Sleep(200 * time.Microsecond)
				return nil
			}}, nil
		}
	}
	nothing := func() {}
	plan := measure.Plan{Rounds: 5, Turns: 2, Turn: 100 * time.Microsecond}
	got, err := plan.Scale(2, waiting(nothing, nothing), waiting(mu.Lock, mu.Unlock))
	if err != nil {
		t.Fatal(err)
	}
	independent, locked := got[0], got[1]
	if independent.Cores != 2 || len(independent.Rounds) != plan.Rounds || independent.Ratio < 1.2*locked.Ratio {
		t.Fatalf("got=%+v without a lock and %+v with one", independent, locked)
	}
}
